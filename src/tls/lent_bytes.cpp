// See lent_bytes.hpp; the callbacks are those of BIO_meth_new(3).
#include "tls/lent_bytes.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "base/assert.hpp"

namespace mnet::inline v1::tls {

bool waiting_bytes::put(std::span<const std::byte> bytes) noexcept {
    MNET_ASSERT(begin_ <= end_ && end_ <= capacity_, "what waits lies inside its memory");
    if (bytes.empty()) return true;
    if (begin_ == end_) begin_ = end_ = 0;
    if (capacity_ - end_ < bytes.size()) {
        constexpr std::size_t least_bytes = 2048;
        const std::size_t wanted = std::bit_ceil(std::max(least_bytes, size() + bytes.size()));
        std::unique_ptr<std::byte[]> larger(new (std::nothrow) std::byte[wanted]);
        if (!larger) return false;
        if (!empty()) std::memcpy(larger.get(), memory_.get() + begin_, size());
        end_ = size();
        begin_ = 0;
        capacity_ = wanted;
        memory_ = std::move(larger);
    }
    std::memcpy(memory_.get() + end_, bytes.data(), bytes.size());
    end_ += bytes.size();
    MNET_ASSERT(end_ <= capacity_, "what waits lies inside its memory");
    return true;
}

std::size_t waiting_bytes::take(std::span<std::byte> target) noexcept {
    const std::size_t moved = std::min(size(), target.size());
    if (moved != 0) std::memcpy(target.data(), memory_.get() + begin_, moved);
    begin_ += moved;
    MNET_ASSERT(begin_ <= end_, "no more is taken than waits");
    return moved;
}

void waiting_bytes::release_memory() noexcept {
    if (!empty()) return;
    memory_.reset();
    capacity_ = begin_ = end_ = 0;
}

BIO* lent_bytes::make_bio() noexcept {
    const BIO_METHOD* const ours = method();
    BIO* const bio = ours == nullptr ? nullptr : BIO_new(ours);
    if (bio == nullptr) return nullptr;
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    return bio;
}

void lent_bytes::lend_output(std::span<std::byte> output) noexcept {
    output_ = output;
    written_ = waiting.take(output);
    MNET_ASSERT(written_ <= output_.size(), "no more is written than was lent");
}

std::size_t lent_bytes::take_output_back() noexcept {
    output_ = {};
    return std::exchange(written_, 0);
}

const BIO_METHOD* lent_bytes::method() noexcept {
    static const auto instance = [] {
        std::unique_ptr<BIO_METHOD, releaser<BIO_meth_free>> made(
            BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "mnet lent bytes"));
        const bool set = made && BIO_meth_set_read_ex(made.get(), read) == 1 && BIO_meth_set_write_ex(made.get(), write) == 1 &&
                         BIO_meth_set_ctrl(made.get(), control) == 1;
        if (!set) made.reset();
        return made;
    }();
    return instance.get();
}

int lent_bytes::read(BIO* bio, char* target, std::size_t bytes, std::size_t* done) noexcept {
    lent_bytes& self = *static_cast<lent_bytes*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *done = self.gives_input() ? std::min(bytes, self.input_.size()) : 0;
    if (*done == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    std::memcpy(target, self.input_.data(), *done);
    self.input_ = self.input_.subspan(*done);
    return 1;
}

int lent_bytes::write(BIO* bio, const char* source, std::size_t bytes, std::size_t* done) noexcept {
    lent_bytes& self = *static_cast<lent_bytes*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *done = 0;
    const std::span<const std::byte> given(reinterpret_cast<const std::byte*>(source), bytes);
    const std::size_t direct = self.waiting.empty() ? std::min(bytes, self.output_room()) : 0;
    if (!self.waiting.put(given.subspan(direct))) return 0;
    if (direct != 0) std::memcpy(self.output_.data() + self.written_, source, direct);
    self.written_ += direct;
    *done = bytes;
    return 1;
}

long lent_bytes::control(BIO*, int command, long, void*) noexcept { return command == BIO_CTRL_FLUSH ? 1 : 0; }

}  // namespace mnet::inline v1::tls
