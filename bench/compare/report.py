"""The report in Markdown, from the results: the machine, tables, targets, and how it was measured. What is drawn is charts.py's."""

import charts
from cells import TITLES
from machine import Busy
from results import targets, time_key

METHOD = """## How it was measured

- Two processes on this machine; the receiver counts every message, checks its size and the number in its first and last 8 bytes, and
  acknowledges; time runs from the first write to the acknowledgement. A row that lost a message is an error and not in the tables.
- {rounds} rounds; in each, every contender measures every cell once, for {seconds:g} s, one after the other, beginning with another one each
  round. A figure is the median of the rounds, a ratio is to the plain sockets of the same round. Spreads are from the least to the most.
- *Plain sockets* is the program in `bench/plain_*.cpp`: frames batched by hand in a 64 KiB buffer, epoll where there are many clients. It takes
  turns with mnet within each run of `mnet bench`.
- *Asio*, *libuv* and *libevent* carry bytes, no messages: their frames are batched by hand in a 64 KiB application buffer as well, which is their
  best: one `send` a message costs a system call each. libevent goes through its bufferevents, as its book recommends, with the bounds on a turn raised and the batch lent, not copied.
- *TLS*: Asio's `ssl::stream` in the same suite as mnet chooses, its frames batched in the same way; nng's by Mbed TLS 2.28, which speaks 1.2 and chooses by itself; the peers without TLS
  of their own are left out.
- *ZeroMQ* and *nng* carry messages and batch by themselves: a message object for each, as their own `remote_thr`, `local_thr`, `remote_lat` have it
  (PUSH and PULL, REQ and REP; PAIR for nng with its 128 messages of queue). ZeroMQ's high-water mark is its default of
  1000 messages, as those programs leave it. Its many
  clients are connections of one DEALER (one REQ with a context for each message in flight) to a ROUTER (a REP with 128 contexts).
- *iceoryx* is shared memory with RouDi as its broker, queues that block in place of dropping, a WaitSet to sleep. Its messages are *loaned*: written
  in place, 16 bytes of each, where all others copy the whole message in. That makes its time the same at every size, and is no socket's.
- Programs: `mnet bench WORK`, `bench/peers/peer_*.cpp`; the rows are in `bench/results/`. To repeat: `./dev bench`.
"""


TRIED = """## Where it falls short, and what was tried

- *Stream, io_uring, from 16 KiB*: bytes that come in bulk are received by a poll that repeats and a receive into the window, since a repeated receive into provided buffers costs a
  copy more. Larger provided buffers, incremental ones, a receive at once after each, and windows of 512 KiB and 1 MiB were slower or the same. epoll is ahead there because it polls the socket
  itself, not a ring; `engine = epoll` is the choice for a few fast streams.
- *Stream, both*: cuts at `snd_mss`, as bulk senders are advised, cost 8 % against a window that ends below four segments (docs/adr/0008); `MSG_ZEROCOPY` and fixed socket buffers lose on loopback.
- *Round trip, blocking*: plain sockets wait in `recv`; a client that can be closed, stopped and posted to from another thread waits in `epoll_wait` and receives then. Measured with
  plain sockets alone, on one processor, these two calls are 1.10 of the one. A `recv` that such calls could end without losing input was not found.
- *Round trip, spinning*: the rest is the look at the clock and at the mailbox between two polls.
- *Echo, epoll*: as many system calls as the plain program; the difference is the benchmark server's coroutine, 177 instructions an echoed message (tests/guard/record.txt).
- *Shared memory*: a hand-over costs the transfer of two to four cache lines between two processors, and that is this machine's, and another on another day: the round trip of one line is
  measured as the limit. Windows that hold several long messages, prefetching where messages meet, on both sides, and memory that is used in turns (32 long messages) brought it from 60 ns to this;
  larger batches and larger parts changed nothing. A round trip takes one line each way, and two programs' work between.
- *One client floods*: one more client that takes what processor time sender and server leave; when it competed for their two processors, time slices of 4 ms were most of the 99th percentile.
- *100,000 clients*: `scripts/many_idle` holds them in several processes at the same time, since one may open 20,000 descriptors here: 100,002 on 23 November 2026, 957 bytes each.
"""


def size_text(size):
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB" if size >= 1 << 10 else f"{size} B"


def number(value):
    if value is None:
        return ""
    return f"{value:.1f}" if abs(value) < 100 else f"{value:,.0f}"


def share(value):
    """A count for each message: 0 is 0, and what is little is told from it."""
    return "0" if value == 0 else f"{value:.4f}" if value < 0.01 else f"{value:.2f}"


def cell_title(cell):
    if cell.tls and cell.work == "pingpong":
        return "round trip, TLS"
    if cell.work == "stream":
        return size_text(cell.size) + (", TLS" if cell.tls else "")
    if cell.work == "echo":
        return f"{cell.clients:,} x {cell.depth}"
    if cell.work == "idle":
        return f"{cell.clients:,} clients"
    if cell.work == "latency":
        return f"{cell.clients} clients and a flood" if cell.flood else f"{cell.clients} clients"
    return "both spin" if cell.spin else "both block"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(["--:"] * len(head)) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


class Report:
    def __init__(self, results, cells, machine, settings, busy, limits):
        self.results = results
        self.cells = cells
        self.machine = machine
        self.settings = settings
        self.busy = busy  # [(others, stolen)] of each run
        self.limits = limits
        self.names = [name for name in TITLES if name in results.contenders()]
        self.engines = [name for name in self.names if name.startswith("mnet")]

    def of(self, work, tls=False):
        return [cell for cell in self.cells if cell.work == work and cell.tls == tls and any(self.results.rows(cell, name) for name in self.names)]

    # --- text ---

    def text(self):
        parts = [self.head(), self.targets()]
        if self.of("stream"):
            parts.append("## Stream\n\nns a delivered message, one connection, one way. " + self.limits_line())
            parts += [self.chart("stream"), self.medians(self.of("stream"), "ns_per_message"), self.ratios(self.of("stream"))]
        if self.of("pingpong"):
            parts.append("## Round trip\n\n16 bytes there and back, one at a time, a closed loop; microseconds, median and 99th percentile.\n")
            parts += [self.chart("round_trips"), self.latencies(), self.ratios(self.of("pingpong"))]
        if self.of("echo"):
            parts.append("## Many clients\n\nThousands of round trips a second of 64 bytes; clients x messages in flight on each; one server thread.\n")
            parts += [self.chart("echo-1"), self.chart("echo-16"),
                      self.medians(self.of("echo"), "ns_per_message", lambda ns: 1e6 / ns), self.ratios(self.of("echo"))]
        if self.of("idle"):
            parts.append("## Memory\n\nGrowth of the server's resident memory for each client that has sent a message and is silent; bytes.\n")
            parts += [self.chart("memory"), self.medians(self.of("idle"), "bytes_per_client")]
        secured = self.of("stream", tls=True) + self.of("pingpong", tls=True)
        if secured:
            parts.append("## TLS\n\nTLS 1.3 with AES-128-GCM (nng: TLS 1.2), one connection; ns a delivered message of a stream, and a round trip of 16 bytes. *Plain sockets* are without TLS.\n")
            parts += [self.secured_medians(secured), self.ratios(secured), self.openssl(self.of("stream", tls=True))]
        if self.of("latency"):
            parts.append("## One client floods\n\n5,000 messages a second of 100 clients, an open loop (`mnet bench latency`), without and with one more client that sends as fast as "
                         "the server\ntakes it. Median and 99th percentile from the intended send time, microseconds. The sender keeps one processor; flood and\nserver share another, the flood only what the server leaves of it.\n")
            parts.append(self.latencies("latency"))
        parts += [self.costs(), TRIED, self.left_out(), METHOD.format(**self.settings)]
        return "\n".join(part for part in parts if part)

    def head(self):
        facts = self.machine
        lines = ["# Benchmarks", "", "mnet beside plain sockets and beside other libraries, all doing the same work. Generated by `./dev bench`.", ""]
        if self.settings["note"]:
            lines += [f"**{self.settings['note']}**", ""]
        engines = ", ".join(sorted({row["engine"] for name in self.engines for cell in self.cells for row in self.results.rows(cell, name)}))
        packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
        lines += [f"- {facts['cores']} x {facts['processor']}, {facts['memory_gib']} GiB, {facts['kernel']}",
                  f"- {facts['compiler']}, `-O3`; engine of mnet: {engines or 'none'}",
                  f"- commit {facts['commit']}, {facts['date']}", f"- {packages}", "- " + self.busy_line(), ""]
        return "\n".join(lines)

    def busy_line(self):
        if not self.busy:
            return "other processes: not observed"
        others = sorted(value for value, _ in self.busy)
        stolen = max(value for _, value in self.busy)
        noisy = sum(1 for pair in self.busy if sum(pair) > Busy.LIMIT)
        line = (f"other processes took {100 * others[len(others) // 2]:.0f} % of the machine (median of all runs; at most {100 * others[-1]:.0f} %), "
                f"the host at most {100 * stolen:.0f} %")
        if noisy > len(self.busy) / 20:
            line += f". **The machine was busy in {noisy} of {len(self.busy)} runs: trust ratios with narrow spreads only**"
        return line

    def limits_line(self):
        if not self.limits:
            return ""
        copies = ", ".join(f"{size_text(size)} {number(ns)}" for size, ns in self.limits["copies"])
        return (f"Limits, measured in the same run: a system call {number(self.limits['call'])} ns; a cache line to another processor and back "
                f"{number(self.limits['round_trip'])} ns at p50; one memcpy, hot: {copies} ns.\n")

    def chart(self, name):
        return f"![{name}](charts/{name}.svg)\n" if charts.available() else ""

    def medians(self, cells, key, convert=lambda value: value):
        rows = []
        for cell in cells:
            spreads = [self.results.spread(cell, name, key) for name in self.names]
            rows.append([cell_title(cell)] + [number(convert(spread.median)) if spread else "" for spread in spreads])
        return table([""] + [TITLES[name] for name in self.names], rows)

    def ratios(self, cells):
        names = [name for name in self.names if name != "plain" and any(self.results.rows(cell, name) for cell in cells)]
        rows = []
        for cell in cells:
            spreads = [self.results.ratio(cell, name, time_key(cell)) for name in names]
            rows.append([cell_title(cell)] + [f"{s.median:.2f} ({s.lowest:.2f}-{s.highest:.2f})" if s else "" for s in spreads])
        return "Time by that of plain sockets in the same round (less is faster), median and spread:\n\n" + table(
            [""] + [TITLES[name] for name in names], rows)

    def secured_medians(self, cells):
        names = [name for name in self.names if any(self.results.rows(cell, name) for cell in cells)]
        rows = []
        for cell in cells:
            spreads = [self.results.spread(cell, name, time_key(cell)) for name in names]
            rows.append([cell_title(cell)] + [number(spread.median) if spread else "" for spread in spreads])
        return table([""] + [TITLES[name] for name in names], rows)

    def openssl(self, cells):
        rows = []
        for cell in cells:
            spreads = [self.results.spread(cell, name, "ratio_to_openssl") for name in self.engines]
            rows.append([cell_title(cell)] + [f"{s.median:.2f} ({s.lowest:.2f}-{s.highest:.2f})" if s else "" for s in spreads])
        if not any(any(row[1:]) for row in rows):
            return ""
        return ("Time by that of OpenSSL alone in the same rounds: SSL_write and SSL_read of the same bytes in full records on memory BIOs, one after the other on\n"
                "one thread; without kernel, second process and messages (`bench/bare_tls.hpp`). Two processors encrypt and decrypt at the same time:\n\n"
                + table([""] + [TITLES[name] for name in self.engines], rows))

    def latencies(self, work="pingpong"):
        rows = []
        for cell in self.of(work):
            row = [cell_title(cell)]
            for name in self.names:
                half, tail = (self.results.spread(cell, name, key) for key in ("p50_ns", "p99_ns"))
                row.append(f"{number(half.median / 1e3)}, {number(tail.median / 1e3)}" if half else "")
            rows.append(row)
        return table([""] + [TITLES[name] for name in self.names], rows)

    def costs(self):
        rows = []
        for cell in self.cells:
            for name in ["plain", *self.engines]:
                keys = ("allocations_per_message", "system_calls_per_message", "cpu_ns_per_message_sender", "cpu_ns_per_message_receiver")
                spreads = [self.results.spread(cell, name, key) for key in keys]
                if cell.work == "idle" or None in spreads:
                    continue
                counts = [share(spread.median) for spread in spreads[:2]]
                rows.append([cell.name, TITLES[name], *counts, *(number(spread.median) for spread in spreads[2:])])
        if not rows:
            return ""
        return ("## What a message costs\n\nAllocations and system calls of both sides together, CPU time in ns of each.\n\n"
                + table(["", "", "allocations", "system calls", "CPU, sender", "CPU, receiver"], rows))

    def targets(self):
        rows = [[verdict.target, TITLES[verdict.engine], verdict.cell.work, cell_title(verdict.cell), verdict.wanted, verdict.found,
                 "held" if verdict.held else "**short**"] for verdict in targets(self.results, self.cells)]
        if not rows:
            return ""
        held = sum(row[-1] == "held" for row in rows)
        return (f"## Targets\n\n{held} of {len(rows)} held, by the medians of this run.\n\n<details><summary>each of them</summary>\n\n"
                + table(["", "", "work", "", "wanted", "found", ""], rows) + "\n</details>\n\n"
                + "".join(f"- short: {row[0]} {row[2]} {row[3]}, {row[1]}: {row[5]}, wanted {row[4]}\n" for row in rows if row[-1] != "held"))

    def left_out(self):
        reasons = {}
        for (cell, contender), why in self.results.skipped.items():
            reasons.setdefault((contender, why), []).append(cell)
        for peer in self.settings["missing"]:
            reasons[peer, "not installed"] = ["all"]
        lines = [f"- {TITLES.get(contender, contender)}: {', '.join(cells)}: {why}" for (contender, why), cells in reasons.items()]
        lines.append(f"- throughput over more than one loop: not measured here ({self.machine['cores']} processors)")
        return "## Left out\n\n" + "\n".join(lines) + "\n"

    # --- charts ---

    def draw(self, folder):
        if not charts.available():
            return
        folder.mkdir(parents=True, exist_ok=True)

        def series(cells, x, convert=lambda value: value):
            found = {}
            for name in self.names:
                spreads = [(x(cell), self.results.spread(cell, name)) for cell in cells]
                found[name] = [(place, convert(spread.median)) for place, spread in spreads if spread]
            return found

        def groups(cells, key, scale):
            found = {}
            for name in self.names:
                spreads = [self.results.spread(cell, name, key) for cell in cells]
                if any(spreads):
                    found[name] = [max(spread.median / scale, 1e-3) if spread else None for spread in spreads]
            return found

        if self.of("stream"):
            copies, call = (self.limits["copies"], self.limits["call"]) if self.limits else ([], 0)
            charts.stream(folder / "stream.svg", series(self.of("stream"), lambda cell: cell.size), copies, call)
        if len(self.of("pingpong")) == 2:
            charts.round_trips(folder / "round_trips.svg", groups(self.of("pingpong"), "p50_ns", 1e3))
        for depth in (1, 16):
            cells = [cell for cell in self.of("echo") if cell.depth == depth]
            if cells:
                charts.echo(folder / f"echo-{depth}.svg", depth, series(cells, lambda cell: cell.clients, lambda ns: 1e9 / ns))
        if self.of("idle"):
            charts.memory(folder / "memory.svg", groups(self.of("idle"), "bytes_per_client", 1))
