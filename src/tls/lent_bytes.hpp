// OpenSSL's way to bytes (a BIO) over memory that the machine's caller lends for the length of a call: what it reads comes from the lent
// input, what it writes goes to the lent output, without a buffer in between. What is written while nothing, or too little, is lent
// waits: handshake messages, alerts, the rest of a record. So writing never blocks OpenSSL.
#pragma once
#include <cstddef>
#include <memory>
#include <span>

#include "tls/openssl.hpp"

namespace mnet::inline v1::tls {

/// Bytes that wait to be taken out, in the order that they were put in.
class waiting_bytes {
public:
    /// False without memory: nothing was put in.
    bool put(std::span<const std::byte> bytes) noexcept;

    /// Moves as many as fit; gives how many.
    std::size_t take(std::span<std::byte> target) noexcept;

    std::size_t size() const noexcept { return end_ - begin_; }
    bool empty() const noexcept { return begin_ == end_; }

    /// Gives the memory back, if nothing waits.
    void release_memory() noexcept;

private:
    std::unique_ptr<std::byte[]> memory_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;  // invariant: begin_ <= end_ <= capacity_
    std::size_t end_ = 0;
};

class lent_bytes {
public:
    /// While more waits than that, no input is given: a peer that has many answers made and reads none costs no more than this and one
    /// answer.
    static constexpr std::size_t waiting_bytes_max = 32 * 1024;

    /// A BIO for `SSL_set_bio` that reads and writes here; it must not outlive this. nullptr without memory.
    BIO* make_bio() noexcept;

    void lend_input(std::span<const std::byte> input) noexcept { input_ = input; }
    std::size_t input_left() const noexcept { return input_.size(); }
    bool gives_input() const noexcept { return waiting.size() <= waiting_bytes_max; }

    /// What waits moves to `output` first.
    void lend_output(std::span<std::byte> output) noexcept;
    std::size_t output_room() const noexcept { return output_.size() - written_; }

    /// Ends the loan; gives how many bytes of the output were written.
    std::size_t take_output_back() noexcept;

    waiting_bytes waiting;

private:
    static const BIO_METHOD* method() noexcept;
    static int read(BIO* bio, char* target, std::size_t bytes, std::size_t* done) noexcept;
    static int write(BIO* bio, const char* source, std::size_t bytes, std::size_t* done) noexcept;
    static long control(BIO* bio, int command, long number, void* pointer) noexcept;

    std::span<const std::byte> input_{};
    std::span<std::byte> output_{};
    std::size_t written_ = 0;  // invariant: at most output_.size()
};

}  // namespace mnet::inline v1::tls
