"""What the samples say: medians, spreads, ratios to the plain-socket program of the same round, and whether the targets were met. A sample
is a row of a program with the names of its cell and contender and the number of its round. Knows no files and no text."""

import statistics
from collections import defaultdict
from dataclasses import dataclass, replace

RATIO_MAX = 1.05
BULK_RATIO_MAX = 0.77
BULK_BYTES = 16 << 10
TLS_OF_OPENSSL_MIN = 0.9
TLS_OF_PLAIN_MAX = 1.5
IDLE_BYTES_MAX = 1024
FLOODED_P99_MAX = 10
SHARED_MEMORY = {"iceoryx"}
HANDED_OVER_NS_MAX = 28.5
SHARED_TRIP_NS_MAX = 200
AHEAD_OF_SHARED_MIN = 10


@dataclass(frozen=True)
class Spread:
    median: float
    lowest: float
    highest: float

    @staticmethod
    def of(values):
        return Spread(statistics.median(values), min(values), max(values)) if values else None


class Results:
    def __init__(self):
        self.samples = []
        self.skipped = {}  # (cell name, contender): why
        self._by_place = defaultdict(list)

    def add(self, sample):
        self.samples.append(sample)
        self._by_place[sample["cell"], sample["contender"]].append(sample)

    def contenders(self):
        return {sample["contender"] for sample in self.samples}

    def rows(self, cell, contender):
        return self._by_place[cell.name, contender]

    def spread(self, cell, contender, key="ns_per_message"):
        return Spread.of([row[key] for row in self.rows(cell, contender) if row.get(key) is not None])

    def plain_of_round(self, cell, number, key):
        values = [row[key] for row in self.rows(cell, "plain") if row["round"] == number and row.get(key) is not None]
        return statistics.mean(values) if values else None

    def ratio(self, cell, contender, key="ns_per_message"):
        """To plain of the same round; with mnet, to the plain rounds that took turns with its own."""
        ratios = []
        for row in self.rows(cell, contender):
            beside = row.get("plain_beside", {}).get(key) or self.plain_of_round(cell, row["round"], key)
            if beside and row.get(key) is not None:
                ratios.append(row[key] / beside)
        return Spread.of(ratios)


@dataclass(frozen=True)
class Verdict:
    """One target in one cell, for one engine of mnet."""

    target: str
    engine: str
    cell: object
    wanted: str
    found: str
    held: bool


def time_key(cell):
    """What counts in a cell: the median round trip of a ping-pong, so that one hiccup of the machine is not the figure."""
    return "p50_ns" if cell.work == "pingpong" else "ns_per_message"


def targets(results, cells):
    """T1 to T6 of the project: a verdict for each cell that was measured."""
    verdicts = []
    engines = sorted(name for name in results.contenders() if name.startswith("mnet"))
    for engine in engines:
        for cell in cells:
            if not results.rows(cell, engine):
                continue
            if engine == "mnet-shared":
                verdicts += shared_verdicts(results, cell, engine)
                continue
            if cell.tls:
                verdicts += tls_verdicts(results, cell, engine)
                continue
            if cell.work == "idle":
                verdicts.append(idle_verdict(results, cell, engine))
                continue
            if cell.work == "latency":
                if cell.flood:
                    verdicts += fairness_verdict(results, cell, engine)
                continue
            verdicts += ratio_verdict(results, cell, engine)
            if cell.work != "pingpong":
                verdicts += peer_verdicts(results, cell, engine)
    return verdicts


def shared_verdicts(results, cell, engine):
    own = results.spread(cell, engine, time_key(cell))
    if cell.work == "pingpong":
        return [Verdict("T1", engine, cell, f"at most {SHARED_TRIP_NS_MAX} ns", f"{own.median:.0f} ns", own.median <= SHARED_TRIP_NS_MAX)] if cell.spin else []
    verdicts = [Verdict("T1", engine, cell, f"at most {HANDED_OVER_NS_MAX} ns", f"{own.median:.1f} ns", own.median <= HANDED_OVER_NS_MAX)]
    peer = results.spread(cell, "iceoryx")
    if peer:
        ahead = peer.median / own.median
        verdicts.append(Verdict("T1", engine, cell, f"{AHEAD_OF_SHARED_MIN} x ahead of iceoryx", f"{ahead:.1f} x", ahead >= AHEAD_OF_SHARED_MIN))
    return verdicts


def tls_verdicts(results, cell, engine):
    """Bulk against OpenSSL alone; small messages against plain sockets and their share of OpenSSL's records. Each by the rounds of the same run."""
    rows = [row for row in results.rows(cell, engine) if row.get("ratio_to_openssl") and row.get("plain_beside")]
    if not rows:
        return []
    if cell.size >= BULK_BYTES:
        found = statistics.median(1 / row["ratio_to_openssl"] for row in rows)
        return [Verdict("T6", engine, cell, f"at least {TLS_OF_OPENSSL_MIN} of OpenSSL alone", f"{found:.2f}", found >= TLS_OF_OPENSSL_MIN)]
    allowed = [TLS_OF_PLAIN_MAX * row["plain_beside"]["ns_per_message"] + row["ns_per_message"] / row["ratio_to_openssl"] for row in rows]
    found = statistics.median(row["ns_per_message"] / limit for row, limit in zip(rows, allowed))
    return [Verdict("T6", engine, cell, f"at most {TLS_OF_PLAIN_MAX} x plain and its share of records", f"{found:.2f} of that", found <= 1)]


def target_of(cell):
    return {"stream": "T2", "pingpong": "T3", "echo": "T4", "idle": "T5"}[cell.work]


def ratio_verdict(results, cell, engine):
    ratio = results.ratio(cell, engine, time_key(cell))
    if ratio is None:
        return []
    limit = RATIO_MAX
    if cell.work == "stream" and cell.size >= BULK_BYTES:
        limit = BULK_RATIO_MAX
    if cell.work == "echo":  # at least the rate: at most the time
        limit = 1.0
    held = ratio.median <= limit
    return [Verdict(target_of(cell), engine, cell, f"at most {limit:.2f} of plain", f"{ratio.median:.2f}", held)]


def peer_verdicts(results, cell, engine):
    """Against the fastest of those over sockets. Those in shared memory are compared with mnet's own."""
    own = results.spread(cell, engine)
    verdicts = []
    others = {}
    for name in results.contenders():
        if name == "plain" or name.startswith("mnet") or name in SHARED_MEMORY:
            continue
        spread = results.spread(cell, name)
        if spread:
            others[name] = spread.median
    if others and own is not None:
        best = min(others, key=others.get)
        found = f"{own.median / others[best]:.2f} of {best}"
        verdicts.append(Verdict(target_of(cell), engine, cell, "ahead of every peer over sockets", found, own.median < others[best]))
    return verdicts


def fairness_verdict(results, cell, engine):
    flooded = results.spread(cell, engine, "p99_ns")
    quiet = results.spread(replace(cell, flood=False), engine, "p99_ns")
    if not flooded or not quiet:
        return []
    ratio = flooded.median / quiet.median
    return [Verdict("fair turns", engine, cell, f"p99 at most {FLOODED_P99_MAX} x quiet", f"{ratio:.1f} x", ratio <= FLOODED_P99_MAX)]


def idle_verdict(results, cell, engine):
    spread = results.spread(cell, engine, "bytes_per_client")
    found = spread.median if spread else float("nan")
    return Verdict("T5", engine, cell, f"below {IDLE_BYTES_MAX} bytes a client", f"{found:.0f} bytes", found < IDLE_BYTES_MAX)
