// A connection: the transport of TCP and Unix sockets. It joins the windows above (client, writer) with the stream below (the engine), and
// runs the handler of a network's client.
//
// Between hosts, and between users, the stream carries the frames: as they are, or encrypted (`guard`). Where memory is shared (`share`), they go
// through that, and the stream is its bell.
//
// connection_state.hpp: how far it is; connection.cpp: stream answers; connection_client.cpp: what client asks for; connection_open.cpp,
// connection_reconnecting.cpp: how a dialed one begins, and returns; connection_close.cpp: draining and the end; connection_account.cpp: what was
// delivered; connection_looking.cpp, connection_explain.cpp: what can be seen of it; observing.cpp: what is told of it; connection_posts.cpp: what
// others send; connection_overload.cpp: its bound; connection_begun_frame.cpp: how long a frame may take; connection_memory.cpp,
// connection_memory_output.cpp: what is different in shared memory; connection_secure.cpp: the same with TLS.
#pragma once
#include "io/loop.hpp"
#include "mtcp/connection_box.hpp"
#include "mtcp/connection_state.hpp"
#include "mtcp/dialing.hpp"
#include "mtcp/ending.hpp"
#include "mtcp/incoming.hpp"
#include "mtcp/memory.hpp"
#include "mtcp/outgoing.hpp"
#include "mtcp/overload.hpp"
#include "mtcp/reconnecting.hpp"
#include "mtcp/secure.hpp"
#include "mtcp/wait.hpp"
#include "mtcp/worker.hpp"

#include <mnet/client.hpp>
#include <mnet/detail/transport.hpp>
#include <mnet/task.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace mnet::inline v1::mtcp::detail {

class connection final : public mnet::detail::transport,
                         private connection_state,
                         private io::stream,
                         public base::list_hook<member_tag>,
                         public base::list_hook<borrower_tag>,
                         public base::list_hook<register_tag> {
public:
    using connection_state::role;
    using connection_state::shape;

    /// Lives until it is closed and let go of. A private worker's connection takes the worker with it when that is `adopt`ed.
    connection(worker& worker, std::uint64_t id, role whose, shape how, const limits& limits);
    void adopt(std::unique_ptr<worker> own) noexcept;

    /// Takes over an accepted handle.
    result<> attach(int accepted) noexcept;

    /// TLS for the handle that is attached next, of a loop's client or of one that waited for its thread; its handler runs once the handshake is done.
    result<> guard(std::shared_ptr<const tls::server_snapshot> settings, handshakes& among) noexcept;
    result<> guard(std::shared_ptr<const tls::server_snapshot> settings, parked_client& before) noexcept;
    void begin_handshake() noexcept;
    void cut_handshake() noexcept;
    bool is_shaking_hands() const noexcept;
    bool is_guarded() const noexcept { return secure_ != nullptr; }
    std::string tls_words() const;  // why it failed

    /// Takes over the bell and the memory of two processes that have met. A served one's handler runs once the peer has greeted.
    result<> share(met&& with) noexcept;
    bool was_met() const noexcept { return was_met_; }  // `share` was called, whatever came of it

    /// Takes over the handle that a race has won, and shakes hands over it where that is wanted: as the `start_` and `finish_` pairs of transport.
    bool start_open(int won, std::coroutine_handle<> waiting, const operation& op) noexcept;
    result<> finish_open() noexcept;

    /// Leaves the stream of an earlier attempt: `waiting` is resumed when that is gone, and `start_over` follows. False when nothing is to wait for.
    bool start_leaving(std::coroutine_handle<> waiting) noexcept;
    void start_over() noexcept;

    /// Its coroutine is gone.
    void abandon_opening() noexcept { dialed_->opening.abandon(); }

    /// Runs a private worker's loop until `work` has ended; cuts it off at the deadline, and by the token.
    result<> run_here(task<result<>> work, std::chrono::nanoseconds due, const std::stop_token* stop);

    /// Runs the network's handler: begins to, in a turn of the loop; or, for a thread of its own, to the handler's end.
    void serve() noexcept;
    void serve_blocking() noexcept;

    /// The end of a connection that never opened; or of one that nobody can serve.
    void let_go() noexcept;
    void leave_unserved(std::error_code why) noexcept;

    /// Whose stream it is, for who watches an engine.
    static connection& of(io::stream& stream) noexcept { return static_cast<connection&>(stream); }

    client& self() noexcept { return client_; }
    worker& host() noexcept { return worker_; }
    const limits& limits_in_force() const noexcept { return dialed_ ? dialed_->bounds : worker_.bounds(); }
    std::size_t marker_frame_bytes() const noexcept { return rules().marker_frame_bytes(); }
    /// Neither closing nor failed on its way out: what is committed is sent or unsent.
    bool sends() const noexcept { return phase_ == phase::open && !output_failure_; }
    /// The bound on `unsent_bytes`; how many messages these are walks all of them.
    std::size_t unsent_bytes_max() const noexcept;
    std::uint64_t unsent_messages() const noexcept;

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
    bool is_served() const noexcept { return role_ == role::served; }
    bool memory_has_news() noexcept;
    void memory_came() noexcept;
    bool may_sleep(bool for_input) noexcept;
    void woke() noexcept;
    void look_at_frame() noexcept;
    void tries_ended() noexcept;
    void give_back_pages() noexcept;

    /// Closes and drains until `due`, for whoever runs its handler.
    void end(std::error_code reason) noexcept;
    /// What `reconnect` dials by default, how long it may take, and whether the connection returns by itself.
    void remember_dial(std::string address, std::chrono::nanoseconds span, const carrying& how);
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
    result<> set_overload(const overload& option) noexcept override;
    result<> wait_for_room(const operation& op) noexcept override;
    delivery close(const operation& op) noexcept override;
    result<> reconnect(std::string_view address) override;
    delivery last_delivery() const noexcept override;
    bool start_fill(std::coroutine_handle<> waiting, const operation& op) noexcept override;
    result<> finish_fill() noexcept override;
    bool start_flush(std::coroutine_handle<> waiting, const operation& op) noexcept override;
    result<> finish_flush() noexcept override;
    bool start_room(std::coroutine_handle<> waiting, const operation& op) noexcept override;
    result<> finish_room() noexcept override { return finish_flush(); }
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
        return (is_away() ? 0 : unsent_in_stream()) + (returns() ? dialed_->again->kept.held().bytes : 0);
    }
    client_statistics statistics() const noexcept override;
    delivery delivered() const noexcept override;
    std::string explain() const override;
    std::shared_ptr<mnet::detail::mailbox> box() override;
    std::vector<std::shared_ptr<mnet::detail::mailbox>> other_boxes() override;
    void moved() noexcept override {
        if (worker_.is_private()) worker_.owner().store(std::thread::id{}, std::memory_order_relaxed);
    }

private:
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
    void push() noexcept { memory_ ? push_into_memory() : push_into_stream(); }
    void push_into_stream() noexcept;
    void let_the_peer_catch_up() noexcept;
    void deliver_posts() noexcept;
    std::error_code commit_posts() noexcept;
    void forget_box() noexcept;
    void output_failed(std::error_code why) noexcept;
    void go_on_later() noexcept;
    void borrow() noexcept;
    void own() noexcept;
    bool is_mine() noexcept;
    void publish() noexcept;
    void withdraw_receive() noexcept;
    /// Of who reads by himself, and waits for something else than input: until his next read, whatever becomes of the connection.
    bool message_is_in_use() const noexcept;
    bool is_inside_a_frame() const noexcept { return !receive.empty() || (secure_ && secure_->has_ciphertext()); }
    void watch_frame() noexcept;
    void unwatch_frame() noexcept;
    bool awaits_input() const noexcept;
    result<> run_for_input(const operation& op, std::chrono::nanoseconds due) noexcept;
    bool poll_for_frame() noexcept;
    result<> run_until(const operation& op, std::chrono::nanoseconds due, bool for_input = false) noexcept;
    result<> nothing_yet() noexcept;
    result<> fill_now() noexcept;
    void attend() noexcept;
    void room_came() noexcept;
    void freeze_output() noexcept;
    bool wait_for_greeting() noexcept;

    const overload_rules& rules() const noexcept;
    result<> meet_bound(std::size_t payload_bytes, bool may_wait) noexcept;
    /// Room for a message, or what the rules say.
    result<> room_by_rules(std::size_t payload_bytes, bool may_wait) noexcept {
        auto room = room_for(payload_bytes);
        if (!room) meet_bound_for(room, payload_bytes, may_wait);
        return room;
    }
    void meet_bound_for(result<>& room, std::size_t payload_bytes, bool may_wait) noexcept;
    result<> drop_newest(const dropped& what) noexcept;
    void watch_backlog() noexcept;
    void count_unsent() noexcept { return limits_in_force().budget ? charge_budget() : void(); }
    void charge_budget() noexcept;
    std::size_t offer_bytes_max() const noexcept;
    /// What is offered to the kernel next.
    std::span<const std::byte> offer() const noexcept {
        const auto bytes = out_.front();
        return bytes.size() <= offered_whole_max ? bytes : bytes.first(std::min(bytes.size(), offer_bytes_max()));
    }
    struct overloading;

    void ring() noexcept;
    void bell_left(const result<std::size_t>& bytes) noexcept;
    void bell_failed(std::error_code why) noexcept;
    void bell_rang(const result<std::size_t>& bytes) noexcept;
    void attend_memory() noexcept;
    void throw_away_memory() noexcept;
    void told_lies() noexcept;
    void output_lost(std::error_code why) noexcept;
    bool take_run() noexcept;
    bool add_piece(std::span<const std::byte> bytes) noexcept;
    bool fetch(const operation& op) noexcept;
    void wake_for_room() noexcept;
    bool next_place(std::size_t payload_bytes) noexcept;
    bool next_run() noexcept;
    bool next_run_soon(const operation& op) noexcept;
    bool write_in_place(std::size_t frame_bytes) noexcept;
    void keep_in_place() noexcept;
    bool leave_place() noexcept;
    template <typename Condition>
    void wait_for_reader(Condition condition) noexcept;
    result<> room_in_memory(std::size_t frame_bytes) noexcept;
    bool copy_in_place(base::block& frame) noexcept;
    void show_batch() noexcept;
    bool show_answer() noexcept;
    void push_into_memory() noexcept;
    void run_for_memory(std::chrono::nanoseconds due, bool for_input) noexcept;

    bool guard_dialed() noexcept;
    void handshake_ends_in(std::chrono::nanoseconds span) noexcept;
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
    bool has_more(const operation& op) noexcept { return memory_ ? fetch(op) : secure_ && decrypt(); }

    bool returns() const noexcept { return dialed_ && dialed_->again; }
    bool is_away() const noexcept { return dialed_ && dialed_->again && dialed_->again->away; }
    bool writes_wait() noexcept;
    bool tells_writers() const noexcept;
    void tell_waits(std::error_code why) noexcept;
    bool goes_away(bool reads = false) noexcept;
    bool keeps_message() noexcept;
    void leave_memory() noexcept;
    void let_go_of_message() noexcept;
    void drain_input() noexcept;
    void go_away() noexcept;
    void keep_unsent() noexcept;
    static task<void> come_back(connection& self);
    void give_up() noexcept;
    message_count drop_kept() noexcept;
    void count_kept(delivery& all) noexcept;
    void drop_old() noexcept;
    delivery stay_away(std::error_code reason) noexcept;
    delivery end_away(std::error_code reason) noexcept;
    result<> tell_return() noexcept;
    result<> read_through(std::error_code why, std::chrono::nanoseconds due, const std::stop_token* stop) noexcept;
    result<> look_through(std::error_code why) noexcept;
    result<> flush_through(const operation& op) noexcept;
    result<> room_meanwhile(std::size_t payload_bytes) noexcept;
    result<> append_meanwhile(base::block& frame) noexcept;
    result<> fill_here(const operation& op) noexcept;
    result<> try_fill_here() noexcept;
    result<> flush_here(const operation& op) noexcept;
    kept_messages* kept() noexcept { return returns() ? &dialed_->again->kept : nullptr; }

    std::string explain_return() const;
    std::string explain_blockade() const;
    std::string explain_closing(const std::string& queued) const;
    bool is_stopping() const noexcept { return is_served() ? worker_.told_to_stop(id_) : worker_.all_told_to_stop(); }
    void begin_close(std::error_code reason, std::chrono::nanoseconds due, bool renews) noexcept;
    void drained_some() noexcept;
    void drain() noexcept;
    void leave_stream() noexcept;
    std::uint64_t unacknowledged() const noexcept;
    std::uint64_t committed_bytes() const noexcept;
    void write_refused() noexcept;
    observed as_observed() const noexcept;
    std::string text_of_peer() const noexcept;
    bool is_observed() const noexcept { return ending_ && ending_->observed; }
    template <typename Event>
    void tell(Event event) noexcept;
    void tell_of_beginning() noexcept;
    void tell_of_lagging() noexcept;
    void tell_of_drops(std::uint64_t messages, std::uint64_t payload_bytes) noexcept;
    void tell_of_end() noexcept;
    void tell_of_refusal(std::error_code why) noexcept;
    ending* make_ending() noexcept;
    void throw_away(const result<std::size_t>& bytes) noexcept;
    void heard_in_vain(std::size_t bytes) noexcept;
    std::size_t unread_bytes() const noexcept;
    bool take_unread() noexcept;
    bool hears_out() noexcept;

    /// Of the stream's milestones; the number behind it, of TLS, is for how much of the plaintext is in how much of the stream.
    std::uint64_t stream_number() const noexcept { return id_ << 2U | (role_ == role::served ? 0U : 2U); }
    std::uint64_t committed_messages() const noexcept { return send.messages - (overload_ ? overload_->messages_dropped : 0); }
    /// Where the first unsent byte lies: of TLS in the plaintext, else in the stream. What is dropped lies nowhere.
    std::uint64_t queue_position() const noexcept {
        if (!secure_) return counted_.wire_bytes_sent;
        return out_.done_bytes() - (overload_ ? overload_->frame_bytes_dropped() : 0);
    }
    std::size_t unsent_in_stream() const noexcept { return out_.unsent_bytes() + (memory_ ? memory_->out.unkept_bytes(send.next) : 0); }
    /// All that is committed ends behind what is unsent.
    void note_milestone() noexcept {
        worker_.ends_of_messages().note(stream_number(), queue_position() + unsent_in_stream(), committed_messages());
    }
    std::size_t maybe_left() const noexcept;
    std::uint64_t whole_in(std::uint64_t wire_bytes, std::uint64_t left) const noexcept;
    std::uint64_t written_since_failure() const noexcept;
    void begin_account() noexcept;
    delivery account() const noexcept;
    delivery told() const noexcept { return ending_ ? ending_->account : delivery{}; }

    worker& worker_;
    const std::uint64_t id_;
    std::unique_ptr<dialing> dialed_;
    outgoing out_;
    incoming in_;
    wait reading_;
    wait flushing_;  // also: closing, and waiting for room
    std::unique_ptr<ending> ending_{};
    std::unique_ptr<memory> memory_{};
    std::unique_ptr<secure> secure_{};
    begun_frame* begun_ = nullptr;  // while a frame is watched
    std::unique_ptr<overloaded> overload_{};
    union {
        client client_;  // a served connection's only: an owned one's is with its owner
    };
    task<result<>> handler_{};
    std::shared_ptr<connection_box> box_{};  // may be made by another thread, under the register's lock
};

}  // namespace mnet::inline v1::mtcp::detail
