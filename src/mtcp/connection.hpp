// A connection: the transport of TCP and Unix sockets. It joins the windows above (client, writer) with the stream below (the engine), and
// runs the handler of a network's client.
//
//   opening -> open -> draining -> closing -> closed
//
// The input may end before (`input_end_`), and the output may fail (`output_failure_`); an open connection lives on with what is left,
// until its handler or its owner closes it. So whole messages that arrived can be read, and a peer that finished sending gets its answers.
//
// Between hosts, and between users, the stream carries the frames: as they are, or encrypted (`guard`). Where memory is shared (`share`), they go through that, and the stream
// is its bell.
//
// connection.cpp: stream answers and state; connection_client.cpp: what client asks for; connection_close.cpp: draining and the end;
// connection_looking.cpp: what can be seen of it;
// connection_memory.cpp, connection_memory_output.cpp: what is different in shared memory; connection_secure.cpp: the same with TLS.
#pragma once
#include "io/loop.hpp"
#include "mnet/mailbox.hpp"
#include "mtcp/incoming.hpp"
#include "mtcp/memory.hpp"
#include "mtcp/outgoing.hpp"
#include "mtcp/secure.hpp"
#include "mtcp/wait.hpp"
#include "mtcp/worker.hpp"

#include <mnet/client.hpp>
#include <mnet/detail/transport.hpp>
#include <mnet/task.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace mnet::inline v1::mtcp::detail {

/// A mailbox that knows its connection; on the connection's own thread only.
class connection_box final : public mnet::detail::mailbox {
public:
    using mailbox::mailbox;
    connection* owner = nullptr;
};

class connection final : public mnet::detail::transport,
                         private io::stream,
                         public base::list_hook<member_tag>,
                         public base::list_hook<borrower_tag>,
                         public base::list_hook<register_tag> {
public:
    /// served: the network's; its handler uses `self()`. owned: a `client` made by `connect` holds it.
    enum class role : std::uint8_t { served, owned };
    enum class shape : std::uint8_t { messages, coroutine, direct };

    /// Lives until it is closed and let go of. A private worker's connection takes the worker with it when that is `adopt`ed.
    connection(worker& worker, std::uint64_t id, role whose, shape how, const limits& limits);
    void adopt(std::unique_ptr<worker> own) noexcept;

    /// Takes over an accepted handle.
    result<> attach(int accepted) noexcept;

    /// TLS for the handle that is attached next; its handler runs once the handshake is done, which `greet` begins.
    result<> guard(std::shared_ptr<const tls::server_snapshot> settings, std::shared_ptr<handshake_ticket> ticket) noexcept;
    void greet() noexcept;
    void cut_handshake() noexcept;
    bool is_shaking_hands() const noexcept;
    bool is_guarded() const noexcept { return secure_ != nullptr; }
    /// Of TLS, why it failed, in words.
    std::string tls_words() const;

    /// Takes over the bell and the memory of two processes that have met. A served one's handler runs once the peer has greeted.
    result<> share(met&& with) noexcept;
    /// Whether `share` was called, whatever came of it.
    bool was_met() const noexcept { return was_met_; }

    /// Connects, and waits; for private workers. Errors: the kernel's, timed_out, operation_canceled.
    result<> open(const io::endpoint& where, std::chrono::nanoseconds due, const std::stop_token* stop) noexcept;

    /// Connects, for coroutines: as the `start_` and `finish_` pairs of transport.
    bool start_open(const io::endpoint& where, std::coroutine_handle<> waiting, const operation& op) noexcept;
    result<> finish_open() noexcept;

    /// Runs the network's handler: begins to, in a turn of the loop; or, for a thread of its own, to the handler's end.
    void serve() noexcept;
    void serve_blocking() noexcept;

    /// The end of a connection that never opened.
    void let_go() noexcept;

    /// Whose stream it is, for who watches an engine.
    static connection& of(io::stream& stream) noexcept { return static_cast<connection&>(stream); }

    client& self() noexcept { return client_; }
    worker& host() noexcept { return worker_; }
    const limits& limits_in_force() const noexcept { return dialed_ ? dialed_->bounds : worker_.bounds(); }
    /// Neither closing nor failed on its way out: what is committed is sent or unsent.
    bool sends() const noexcept { return phase_ == phase::open && !output_failure_; }

    /// Its mailbox, made at the first call. From any thread, under the lock of the network's register where there is one.
    const std::shared_ptr<connection_box>& make_box();

    /// What the bell of a mailbox calls, on the loop of its connection.
    static void deliver(mnet::detail::mailbox& box) noexcept;

    // For the worker:
    void settle() noexcept;
    void resume() noexcept;
    bool is_unfinished() const noexcept { return unfinished_; }
    void stop() noexcept;
    void cut() noexcept;
    bool is_closing() const noexcept { return phase_ == phase::closing; }
    bool poll_memory() noexcept;
    bool may_sleep(bool for_input) noexcept;
    void woke() noexcept;

    void give_back_pages() noexcept;

    /// Closes and drains until `due`, for whoever runs its handler.
    void end(std::error_code reason) noexcept;
    /// What `reconnect` dials by default, and how long it may take.
    void remember_dial(std::string address, std::chrono::nanoseconds span, const carrying& how) noexcept {
        dialed_->address = std::move(address);
        dialed_->span = span;
        dialed_->how = {.beside = how.beside, .tls = how.tls};  // the words are the first dialer's
    }
    /// Whether, and with whom, the next open connection speaks TLS.
    void aim(far_end end) noexcept { dialed_->end = std::move(end); }
    const far_end& aimed_at() const noexcept { return dialed_->end; }
    /// What `explain` says of a connection that could have shared memory, and doesn't.
    void remember_why_not_shared(std::string why) noexcept { dialed_->why_not_shared = std::move(why); }

    // transport
    result<> make_room(std::size_t payload_bytes) noexcept override;
    result<> append(base::block& frame) noexcept override;
    base::block* give_block(std::size_t payload_bytes) noexcept override;
    result<> try_fill() noexcept override;
    result<> fill(const operation& op) noexcept override;
    result<> flush(const operation& op) noexcept override;
    delivery close(const operation& op) noexcept override;
    result<> reconnect(std::string_view address) override;
    bool start_fill(std::coroutine_handle<> waiting, const operation& op) noexcept override;
    result<> finish_fill() noexcept override;
    bool start_flush(std::coroutine_handle<> waiting, const operation& op) noexcept override;
    result<> finish_flush() noexcept override;
    bool start_close(std::coroutine_handle<> waiting, const operation& op) noexcept override;
    delivery finish_close() noexcept override;
    void abandon(std::coroutine_handle<> waiting) noexcept override;
    void release() noexcept override;
    bool live() const noexcept override;
    std::uint64_t id() const noexcept override { return id_; }
    std::string_view name() const noexcept override;
    std::string peer_name() const override;
    std::string_view engine() const noexcept override { return worker_.loop().name(); }
    std::uint64_t system_calls() const noexcept override { return worker_.loop().counted().system_calls; }
    network_statistics loop_statistics() noexcept override;
    std::string local_address() const override;
    std::string remote_address() const override;
    std::uint64_t unsent_bytes() const noexcept override {
        return out_.unsent_bytes() + (memory_ ? memory_->out.unkept_bytes(send.next) : 0);
    }
    client_statistics statistics() const noexcept override;
    std::string explain() const override;
    std::shared_ptr<mnet::detail::mailbox> box() override;
    std::vector<std::shared_ptr<mnet::detail::mailbox>> other_boxes() override;
    void moved() noexcept override {
        if (worker_.is_private()) worker_.owner().store(std::thread::id{}, std::memory_order_relaxed);
    }

private:
    enum class phase : std::uint8_t { opening, open, draining, closing, closed };

    /// Of a client that `connect` made; a network's clients go without.
    struct dialing {
        limits bounds;
        std::string address{};
        std::chrono::nanoseconds span{0};
        carrying how{};
        far_end end{};
        std::string why_not_shared{};
        std::unique_ptr<worker> own_worker{};
        std::uint64_t reconnects = 0;
        std::uint64_t messages_received = 0;  // these three: before the last reconnect
        std::uint64_t placed_bytes = 0;
        std::uint64_t payload_bytes_received = 0;
    };

    /// From the close, or the first failure, on.
    struct ending {
        explicit ending(connection* of) noexcept : timer(of, [](void* self) noexcept { static_cast<connection*>(self)->drain(); }) {}

        base::timer timer;
        std::chrono::nanoseconds due = io::never;
        std::chrono::nanoseconds step{0};
        bool renews = false;  // as long as the peer takes something
        delivery account{};   // what was lost; in the end, all of it
    };

    /// What windows and decoder don't count.
    struct counts {
        std::uint64_t wire_bytes_sent = 0;
        std::uint64_t wire_bytes_received = 0;
        std::uint32_t writes_refused = 0;
        std::uint32_t pauses = 0;
    };

    ~connection();

    // io::stream
    void connected(result<> outcome) noexcept override;
    std::span<std::byte> lend() noexcept override;
    void received(result<std::size_t> bytes) noexcept override;
    void sent(result<std::size_t> bytes) noexcept override;
    void closed() noexcept override;

    void opened() noexcept;
    void run_handler() noexcept;
    void handler_finished() noexcept;
    template <typename Handler>
    std::error_code outcome_of(Handler handler) noexcept;
    void take_input(const result<std::size_t>& bytes) noexcept;
    void input_arrived() noexcept;
    void pull() noexcept;
    bool pause_if_above_bound() noexcept;
    result<> may_send(std::size_t payload_bytes) noexcept;
    result<> room_for(std::size_t payload_bytes) noexcept;
    std::error_code why_no_more() noexcept;
    void push() noexcept;
    void let_the_peer_catch_up() noexcept;
    void deliver_posts() noexcept;
    void output_failed(std::error_code why) noexcept;
    void go_on_later() noexcept;
    void borrow() noexcept;
    void own() noexcept;
    bool is_mine() noexcept;
    void publish() noexcept;
    void withdraw_receive() noexcept;
    result<> run_until(const operation& op, std::chrono::nanoseconds due, bool for_input = false) noexcept;
    result<> nothing_yet() noexcept;
    result<> fill_now() noexcept;
    void attend() noexcept;
    void room_came() noexcept;
    void freeze_output() noexcept;
    bool wait_for_greeting() noexcept;

    void ring() noexcept;
    void bell_left() noexcept;
    void bell_rang(const result<std::size_t>& bytes) noexcept;
    bool memory_has_news() noexcept;
    void attend_memory() noexcept;
    void told_lies() noexcept;
    void output_lost(std::error_code why) noexcept;
    bool take_run() noexcept;
    bool add_piece(std::span<const std::byte> bytes) noexcept;
    bool fetch() noexcept;
    void wake_for_room() noexcept;
    bool is_time_for_events() noexcept;
    bool next_place(std::size_t payload_bytes) noexcept;
    bool next_run() noexcept;
    bool write_in_place(std::size_t frame_bytes) noexcept;
    void keep_in_place() noexcept;
    bool leave_place() noexcept;
    template <typename Condition>
    void wait_for_reader(Condition condition) noexcept;
    result<> room_in_memory(std::size_t frame_bytes) noexcept;
    bool copy_in_place(base::block& frame) noexcept;
    void show_batch() noexcept;
    void push_into_memory() noexcept;
    void finish_in_memory() noexcept;
    void run_for_memory(std::chrono::nanoseconds due, bool for_input) noexcept;

    bool guard_dialed() noexcept;
    void shake_hands() noexcept;
    void handshake_done() noexcept;
    void handshake_failed(std::error_code why) noexcept;
    static void on_secure_timer(void* self) noexcept;
    void rest() noexcept;
    void awoke() noexcept;
    void ask_for_input() noexcept;
    std::span<std::byte> lend_for_ciphertext() noexcept;
    void take_ciphertext(const result<std::size_t>& bytes) noexcept;
    void judge_machine() noexcept;
    bool decrypt() noexcept;
    result<> fill_with_plaintext() noexcept;
    bool seal() noexcept;
    void push_ciphertext() noexcept;
    void ciphertext_left(std::size_t bytes) noexcept;
    bool say_goodbye() noexcept;
    void settle_ciphertext() noexcept;
    bool has_more() noexcept { return memory_ ? fetch() : secure_ && decrypt(); }

    void begin_close(std::error_code reason, std::chrono::nanoseconds due, bool renews) noexcept;
    void drained_some() noexcept;
    void drain() noexcept;
    void leave_stream() noexcept;
    std::uint64_t unacknowledged() const noexcept;
    std::uint64_t committed_bytes() const noexcept {
        const std::uint64_t before = dialed_ ? dialed_->placed_bytes : 0;
        return out_.committed_bytes() + before + (memory_ ? memory_->placed_bytes + memory_->out.unkept_bytes(send.next) : 0);
    }
    ending* make_ending() noexcept;
    delivery account() const noexcept;
    delivery told() const noexcept { return ending_ ? ending_->account : delivery{}; }

    worker& worker_;
    const std::uint64_t id_;
    std::unique_ptr<dialing> dialed_;
    const role role_;
    const shape shape_;
    phase phase_ = phase::opening;
    bool sending_ = false;        // the engine holds out_.front()
    bool paused_ = false;         // messages: not read until half of the unsent bytes have left
    bool posts_waiting_ = false;  // in the mailbox, for want of room
    bool released_ = false;       // owned: the client is gone
    bool half_closed_ = false;
    bool unix_ = false;
    bool was_met_ = false;
    bool handler_running_ = false;      // coroutine or blocking; until its end the connection stays
    bool pacing_ = false;               // the loop runs inside of a write
    bool rung_ = false;                 // the mailbox is there, and was used
    bool asked_for_room_ = false;       // since a handler was last held to its bound
    bool unfinished_ = false;           // has messages for the next turn
    std::error_code input_end_{};       // why no more bytes come; end_of_stream for a clean end
    std::error_code output_failure_{};  // why no more bytes leave
    std::error_code close_reason_{};
    outgoing out_;
    incoming in_;
    wait reading_;   // also: opening
    wait flushing_;  // also: closing
    std::unique_ptr<ending> ending_{};
    std::unique_ptr<memory> memory_{};
    std::unique_ptr<secure> secure_{};
    counts counted_{};
    std::array<std::uint32_t, 8> told_{};  // what the ledger knows, by `published`: the low half is enough for a difference
    union {
        client client_;  // a served connection's only: an owned one's is with its owner
    };
    task<result<>> handler_{};
    std::shared_ptr<connection_box> box_{};  // may be made by another thread, under the register's lock
};

}  // namespace mnet::inline v1::mtcp::detail
