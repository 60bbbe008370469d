// memfd_create(2), its seals (fcntl(2), "File Sealing"), and the wake-up protocol's two halves (docs/adr/0009, model/wake.pml).
#include "shm/segment.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

namespace mnet::inline v1::shm {

namespace {

constexpr int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

std::unexpected<std::error_code> errno_failure() noexcept { return failure(std::error_code(errno, std::system_category())); }

}  // namespace

segment::segment(segment&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)), sizes_(other.sizes_), mine_(other.mine_) {}

segment& segment::operator=(segment&& other) noexcept {
    unmap();
    memory_ = std::exchange(other.memory_, nullptr);
    sizes_ = other.sizes_;
    mine_ = other.mine_;
    return *this;
}

segment::~segment() { unmap(); }

void segment::unmap() noexcept {
    if (memory_ != nullptr) ::munmap(std::exchange(memory_, nullptr), segment_bytes(sizes_));
}

result<segment> segment::map(const geometry& sizes, int descriptor, side mine) noexcept {
    void* const mapped = ::mmap(nullptr, segment_bytes(sizes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, descriptor, 0);
    if (mapped == MAP_FAILED) return errno_failure();
    segment fresh;
    fresh.memory_ = static_cast<std::byte*>(mapped);
    fresh.sizes_ = sizes;
    fresh.mine_ = mine;
    return fresh;
}

result<segment> segment::make(const geometry& sizes, base::unique_fd& descriptor) noexcept {
    if (!is_possible(sizes)) return failure(std::errc::invalid_argument);
    base::unique_fd fresh(::memfd_create("mnet", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fresh) return errno_failure();
    if (::ftruncate(fresh.get(), static_cast<off_t>(segment_bytes(sizes))) != 0) return errno_failure();
    if (::fcntl(fresh.get(), F_ADD_SEALS, seals) != 0) return errno_failure();
    auto mapped = map(sizes, fresh.get(), side::first);
    if (mapped) descriptor = std::move(fresh);
    return mapped;
}

result<segment> segment::open(const geometry& sizes, base::unique_fd descriptor) noexcept {
    if (!is_possible(sizes)) return failure(std::errc::invalid_argument);
    const int found = ::fcntl(descriptor.get(), F_GET_SEALS);
    if (found < 0) return errno_failure();
    constexpr int needed = F_SEAL_SHRINK | F_SEAL_GROW;
    struct stat status{};
    if (::fstat(descriptor.get(), &status) != 0) return errno_failure();
    if ((found & needed) != needed || status.st_size != static_cast<off_t>(segment_bytes(sizes)))
        return failure(std::errc::invalid_argument);
    // Huge pages are promised without being there: a peer could have us touch one that the kernel does not have, which is SIGBUS.
    struct statfs kind{};
    if (::fstatfs(descriptor.get(), &kind) != 0) return errno_failure();
    if (static_cast<unsigned long>(kind.f_type) == HUGETLBFS_MAGIC) return failure(std::errc::invalid_argument);
    return map(sizes, descriptor.get(), side::second);
}

void segment::give_back_large() const noexcept {
    if (sizes_.large_bytes == 0) return;
    ::madvise(data_of(mine_).data() + sizes_.small_bytes, sizes_.large_bytes, MADV_REMOVE);
}

// One side stores a wish and then looks for what it wishes; the other stores what is wished and then looks for the wish. With the two fences
// at least one of them sees what the other stored, so nobody sleeps on what is there.
void segment::wish(std::uint32_t wishes) const noexcept {
    std::atomic_ref(state_of(mine_).wishes).store(wishes, std::memory_order_relaxed);
    if (wishes != for_nothing) std::atomic_thread_fence(std::memory_order_seq_cst);
}

bool segment::take_wish(std::uint32_t which) const noexcept {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::atomic_ref wishes(state_of(other(mine_)).wishes);
    if ((wishes.load(std::memory_order_relaxed) & which) == 0) return false;
    return (wishes.fetch_and(~which, std::memory_order_relaxed) & which) != 0;
}

}  // namespace mnet::inline v1::shm
