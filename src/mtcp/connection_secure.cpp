// A connection with TLS between its windows and its stream: the handshake before anything else, then ciphertext in both directions.
//
// Received ciphertext is decrypted into the receive window until a whole message is there; what is left of it waits for the next read. What is
// committed is encrypted, all that there is, when it is pushed: small messages share records, a lone one leaves at once.
#include "base/assert.hpp"
#include "mtcp/connection.hpp"
#include "mtcp/network_core.hpp"
#include "mtcp/parked_client.hpp"
#include "mtcp/secure.hpp"
#include "mtcp/silence.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// For seven full records and a piece: enough for a system call, little enough to stay in the second cache.
constexpr std::size_t ciphertext_bytes = (std::size_t{128} << 10) - sizeof(base::block);

/// Beside records of plaintext: session tickets, a key update, close_notify.
constexpr std::size_t other_records_bytes = 512;

/// An idle connection keeps OpenSSL's buffers (33 KiB) for so long.
constexpr std::chrono::seconds buffers_kept{1};

/// A peer whose handshake failed has so long to hear why.
constexpr std::chrono::seconds alert_takes{1};

constexpr std::size_t sealed_bytes_of(std::size_t plaintext_bytes) noexcept {
    const std::size_t records = plaintext_bytes / tls::record_bytes_max + 1;
    return std::min(ciphertext_bytes, plaintext_bytes + records * tls::record_overhead_max + other_records_bytes);
}

}  // namespace

// The handshake -------------------------------------------------------------------------------------------------------------------

void connecting::begin() noexcept { of.begin_handshake(); }

void connecting::cut() noexcept { of.cut_handshake(); }

/// The server's end; before `attach`.
result<> connection::guard(std::shared_ptr<const tls::server_snapshot> settings, handshakes& among) noexcept {
    secure_.reset(new (std::nothrow) secure(worker_.pool(), *this, on_secure_timer, std::move(settings)));
    if (!secure_) return failure(std::errc::not_enough_memory);
    among.enter(secure_->coming, worker_.loop().now());
    handshake_ends_in(limits_in_force().handshake_timeout);
    return {};
}

/// The same, on a loop of its own. Its first bytes are as if they came now.
result<> connection::guard(std::shared_ptr<const tls::server_snapshot> settings, parked_client& before) noexcept {
    secure_.reset(new (std::nothrow) secure(worker_.pool(), *this, on_secure_timer, std::move(settings)));
    if (!secure_) return failure(std::errc::not_enough_memory);
    before.hand_over_to(secure_->coming);
    secure_->arrived = &before.give_first_bytes();
    worker_.pool().adopt(*secure_->arrived);
    counted_.wire_bytes_received += secure_->arrived->size();
    handshake_ends_in(before.time_left());
    return {};
}

/// The client's, once its stream is open.
bool connection::guard_dialed() noexcept {
    const far_end& end = dialed_->end;
    if (!end.tls) return false;
    secure_.reset(new (std::nothrow) secure(worker_.pool(), *this, on_secure_timer, end.tls, end.host, end.place));
    if (secure_) handshake_ends_in(limits_in_force().handshake_timeout);
    return secure_ != nullptr;
}

void connection::handshake_ends_in(std::chrono::nanoseconds span) noexcept {
    worker_.loop().set(secure_->timer, worker_.loop().now() + span);
}

void connection::begin_handshake() noexcept {
    const turn turn(worker_);
    borrow();
    shake_hands();
}

bool connection::is_shaking_hands() const noexcept { return secure_ && !secure_->greeted && phase_ == phase::open; }

void connection::shake_hands() noexcept {
    using state = tls::machine::phase;
    tls::machine& machine = secure_->machine;
    const bool asks = secure_->coming.has_to_ask() && secure_->has_ciphertext();
    if (asks && !worker_.network()->may_begin_handshake(worker_, secure_->coming)) return;  // it goes on by itself
    while (machine.state() == state::handshaking && secure_->has_input()) {
        base::block& arrived = *secure_->arrived;
        const auto moved = machine.decrypt({arrived.data() + arrived.begin, arrived.size()}, {});
        arrived.begin += moved.consumed;
        push();
        if (moved.consumed == 0) break;
    }
    push();
    if (machine.state() == state::failed) {
        handshake_failed(machine.error());
    } else if (input_end_) {  // our part could not leave
        handshake_failed(input_end_);
    } else if (machine.state() != state::handshaking) {
        handshake_done();
    } else {
        ask_for_input();
    }
}

void connection::handshake_done() noexcept {
    worker_.accounts().add(entry::handshakes, 1);
    if (secure_->machine.resumed()) worker_.accounts().add(entry::handshakes_resumed, 1);
    secure_->greeted = true;
    secure_->over();
    if (worker_.is_private()) {
        worker_.loop().cancel(secure_->timer);
    } else {
        worker_.loop().set(secure_->timer, worker_.loop().now() + buffers_kept);
    }
    if (role_ == role::owned) {
        tell_of_beginning();
        dialed_->opening.finish(worker_, {});
    } else if (shape_ != shape::direct) {
        serve();
    }
}

void connection::handshake_failed(std::error_code why) noexcept {
    if (role_ == role::served) worker_.network()->tell_handshake_failed(text_of_peer(), why, secure_->machine.words());
    worker_.accounts().add(entry::handshakes_failed, 1);  // who sees it counted can ask why
    tell_of_refusal(why);
    secure_->over();
    if (dialed_) {
        dialed_->opening.set_outcome(why);
        dialed_->opening.finish(worker_, why);  // who waited lets go of the client; the alert leaves all the same
    }
    if (is_away()) {
        leave_stream();
    } else {
        begin_close(why, std::min(worker_.loop().now() + alert_takes, worker_.stop_due()), false);
    }
}

void connection::on_secure_timer(void* self) noexcept {
    auto& due = *static_cast<connection*>(self);
    if (due.phase_ != phase::open) return;
    const turn turn(due.worker_);
    if (due.secure_->greeted) {
        due.rest();
    } else {
        due.secure_->machine.handshake_timed_out();
        due.handshake_failed(make_error_code(tls_errc::handshake_too_slow));
    }
}

/// For a crowd behind it.
void connection::cut_handshake() noexcept {
    if (is_shaking_hands()) on_secure_timer(this);
}

void connection::rest() noexcept {
    const bool idle = std::exchange(secure_->records_known, secure_->records_seen) == secure_->records_seen;
    if (idle && !secure_->has_input()) secure_->machine.rest();
    if (!idle) worker_.loop().set(secure_->timer, worker_.loop().now() + buffers_kept);
}

/// Something came or went: OpenSSL has taken its buffers again.
void connection::awoke() noexcept {
    ++secure_->records_seen;
    if (!worker_.is_private() && secure_->greeted && !secure_->timer.armed()) {
        worker_.loop().set(secure_->timer, worker_.loop().now() + buffers_kept);
    }
}

std::string connection::tls_words() const { return secure_ ? secure_->machine.words() : std::string(); }

std::string connection::peer_name() const {
    if (!secure_ || !secure_->greeted) return {};
    try {
        return secure_->machine.peer_name();
    } catch (...) {
        return {};
    }
}

// Input ---------------------------------------------------------------------------------------------------------------------------

void connection::ask_for_input() noexcept {
    if (!secure_ || !secure_->has_ciphertext()) worker_.loop().receive(*this);
}

std::span<std::byte> connection::lend_for_ciphertext() noexcept {
    base::block*& arrived = secure_->arrived;
    if (arrived != nullptr && arrived->capacity < ciphertext_bytes && arrived->empty())
        worker_.pool().release(std::exchange(arrived, nullptr));
    if (arrived == nullptr) arrived = worker_.pool().acquire(secure_->coming.is_silent() ? first_bytes_max : ciphertext_bytes);
    if (arrived == nullptr) return {};
    if (arrived->empty()) arrived->begin = arrived->end = 0;
    MNET_ASSERT(arrived->room() > 0, "more is asked for when what came is decrypted");
    return {arrived->data() + arrived->end, std::min(arrived->room(), ciphertext_bytes)};
}

void connection::take_ciphertext(const result<std::size_t>& bytes) noexcept {
    if (!bytes) {
        input_end_ = told_apart(bytes.error());
    } else if (*bytes == 0 && output_failure_ == errc::peer_silent) {
        input_end_ = output_failure_;
    } else if (*bytes == 0) {
        secure_->machine.end_of_stream();
        judge_machine();
        if (!input_end_) input_end_ = make_error_code(errc::end_of_stream);
    } else {
        secure_->arrived->end += *bytes;
        counted_.wire_bytes_received += *bytes;
        awoke();
    }
}

/// What the machine says of the stream's end.
void connection::judge_machine() noexcept {
    using state = tls::machine::phase;
    if (input_end_) return;
    if (secure_->machine.state() == state::failed) input_end_ = secure_->machine.error();
    if (secure_->machine.state() == state::peer_finished) input_end_ = make_error_code(errc::end_of_stream);
}

/// Makes the decoder ready for the receive window, if what has arrived suffices for that.
bool connection::decrypt() noexcept {
    static constexpr std::span<const std::byte> nothing{};
    while (!decoder.ready(receive) && !input_end_ && secure_->has_input()) {
        const auto room = in_.lend(decoder.next(receive).bytes_missing);
        if (room.empty()) {
            input_end_ = std::make_error_code(std::errc::not_enough_memory);
            return false;
        }
        base::block* const arrived = secure_->arrived;
        const auto ciphertext =
            arrived != nullptr ? std::span<const std::byte>(arrived->data() + arrived->begin, arrived->size()) : nothing;
        const auto moved = secure_->machine.decrypt(ciphertext, room);
        in_.received(moved.produced);
        if (arrived != nullptr) arrived->begin += moved.consumed;
        judge_machine();
        if (moved.consumed == 0 && moved.produced == 0) break;
    }
    return decoder.ready(receive);
}

/// One look at the stream, for a private loop.
result<> connection::fill_with_plaintext() noexcept {
    if (decrypt()) return {};
    if (const std::error_code reason = why_no_more()) return failure(reason);
    if (secure_->has_output()) push();
    if (secure_->has_ciphertext()) return failure(errc::no_data_yet);  // stalled
    const auto room = lend_for_ciphertext();
    if (room.empty()) return failure(std::errc::not_enough_memory);
    const auto bytes = worker_.loop().try_receive(*this, room);
    if (!bytes && bytes.error() == std::errc::resource_unavailable_try_again) return failure(errc::no_data_yet);
    take_ciphertext(bytes);
    (void)decrypt();
    return {};
}

// Output --------------------------------------------------------------------------------------------------------------------------

/// Encrypts what is committed, as much as a block holds. False when there is nothing to send.
bool connection::seal() noexcept {
    base::block*& leaving = secure_->leaving;
    if (leaving != nullptr && !leaving->empty()) return true;
    const std::size_t plaintext = secure_->greeted ? std::min(out_.unsent_bytes(), offer_bytes_max()) : 0;
    const bool others = secure_->machine.has_output();
    const std::size_t wanted = others ? ciphertext_bytes : sealed_bytes_of(plaintext);
    const bool fits = leaving != nullptr && leaving->capacity >= wanted;
    if ((plaintext == 0 && !others) || !fits) worker_.pool().release(std::exchange(leaving, nullptr));
    if (plaintext == 0 && !others) return false;
    if (leaving == nullptr) leaving = worker_.pool().acquire(wanted);
    if (leaving == nullptr) {
        output_failed(std::make_error_code(std::errc::not_enough_memory));
        return false;
    }
    if (plaintext > 0) note_milestone();
    std::array<std::span<const std::byte>, 16> pieces;
    const std::size_t count = plaintext > 0 ? out_.fronts(pieces) : 0;
    const auto moved = secure_->machine.encrypt(std::span(pieces).first(count), {leaving->data(), std::min(leaving->capacity, wanted)});
    leaving->begin = 0;
    leaving->end = moved.produced;
    secure_->sealed_bytes = moved.consumed;
    worker_.ends_of_messages().note(stream_number() + 1, counted_.wire_bytes_sent + moved.produced, queue_position() + moved.consumed);
    awoke();
    if (secure_->machine.state() == tls::machine::phase::failed && secure_->greeted && !output_failure_ && moved.produced == 0) {
        output_failed(secure_->machine.error());
        return false;
    }
    return moved.produced > 0;
}

void connection::push_ciphertext() noexcept {
    if (sending_ || phase_ == phase::opening || phase_ >= phase::closing || output_failure_) return;
    while (seal()) {
        const auto taken = worker_.loop().send(*this, {secure_->leaving->data() + secure_->leaving->begin, secure_->leaving->size()});
        if (!taken) {
            sending_ = true;
            if (!worker_.is_private()) out_.compact();
            return;
        }
        if (!*taken) {
            output_failed(taken->error());
            return;
        }
        ciphertext_left(**taken);
    }
}

void connection::ciphertext_left(std::size_t bytes) noexcept {
    base::block& leaving = *secure_->leaving;
    MNET_ASSERT(bytes <= leaving.size(), "the kernel takes at most what it was offered");
    leaving.begin += bytes;
    counted_.wire_bytes_sent += bytes;
    if (!leaving.empty()) return;
    for (std::size_t left = std::exchange(secure_->sealed_bytes, 0); left > 0;) {
        const std::size_t piece = std::min(left, out_.front().size());
        MNET_ASSERT(piece > 0, "what was encrypted is in front of the queue");
        out_.taken(piece);
        left -= piece;
    }
}

/// Says that this end sends no more. False while that is not with the kernel yet.
bool connection::say_goodbye() noexcept {
    secure_->machine.finish();
    push();
    return !sending_ && !secure_->has_output();
}

// Turns ---------------------------------------------------------------------------------------------------------------------------

/// At the end of a turn: blocks go back, and a small rest of one moves to a smaller one.
void connection::settle_ciphertext() noexcept {
    base::block*& arrived = secure_->arrived;
    if (!sending_ && secure_->leaving != nullptr && secure_->leaving->empty()) {
        worker_.pool().release(std::exchange(secure_->leaving, nullptr));
    }
    if (arrived == nullptr) return;
    const std::size_t bytes = arrived->size();
    if (bytes == 0) {
        worker_.pool().release(std::exchange(arrived, nullptr));
    } else if (worker_.pool().is_worth_a_move(*arrived, bytes)) {
        base::block* const small = worker_.pool().acquire(bytes);
        if (small == nullptr) return;
        std::memcpy(small->data(), arrived->data() + arrived->begin, bytes);
        small->end = bytes;
        worker_.pool().release(std::exchange(arrived, small));
    }
}

}  // namespace mnet::inline v1::mtcp::detail
