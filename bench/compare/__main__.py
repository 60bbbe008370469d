"""`./dev bench`: every contender measures every cell, in turns, for several rounds; rows go to bench/results/, the report to docs/benchmarks.md,
the charts to docs/charts/. A run that is quick, restricted or cut short writes the same below build/bench/ instead, so that the published
figures are those of a whole run. Python's standard library only; what is measured is in cells.py, what it says in results.py."""

import argparse
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict

import machine
from cells import PEERS, TITLES, WORKS, all_cells, contenders_of, quick_cells
from report import Report
from results import Results, time_key

RUN_PATIENCE = 180  # seconds for one program to measure one cell
PACKAGES = ("libasio-dev", "libuv1", "libevent-core-2.1-7", "libzmq5", "libnng1", "libiceoryx-posh2")
ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse(arguments):
    cells = {cell.name for cell in [*all_cells(), *quick_cells()]}

    def listed(known):
        def split(text):
            words = [word for word in text.split(",") if word]
            for word in words:
                if word not in known:
                    raise argparse.ArgumentTypeError(f"{word} is not one of {', '.join(sorted(known))}")
            return words
        return split

    parser = argparse.ArgumentParser(prog="./dev bench", description="Measures mnet beside plain sockets and other libraries.")
    parser.add_argument("--quick", action="store_true", help="fewer cells, 5 rounds of 0.1 s: about two minutes")
    parser.add_argument("--only", type=listed(set(WORKS) | cells), default=None, help="works or single cells: stream,echo-64x16")
    parser.add_argument("--peers", type=listed(set(PEERS) | {"none"}), default=list(PEERS), help="asio,zeromq; none: only plain sockets")
    parser.add_argument("--rounds", type=int, default=None, help="[5]")
    parser.add_argument("--seconds", type=float, default=None, help="measured time of a cell [0.3]")
    parser.add_argument("--programs", type=pathlib.Path, default=ROOT / "build/release/bin", help="folder of the programs")
    parser.add_argument("--output", type=pathlib.Path, default=None, help="folder for report, charts and rows")
    return parser.parse_args(arguments)


class Progress:
    """One line that is written over on a terminal; else a line for each work of a round."""

    def __init__(self, total):
        self.terminal = sys.stderr.isatty()
        self.left = total
        self.begun = time.monotonic()
        self.took = {}  # seconds of a (cell, contender) when it last ran
        self.expected = []
        self.told = None

    def plan(self, pairs):
        self.expected = list(pairs)

    def seconds_left(self):
        known = list(self.took.values())
        typical = sum(known) / len(known) if known else 1.0
        return sum(self.took.get(pair, typical) for pair in self.expected[-self.left:])

    def show(self, number, rounds, cell, contender):
        left = self.seconds_left()
        left_text = f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left"
        line = f"round {number} of {rounds}, {cell.name}, {TITLES[contender.name]}: {left_text}"
        if self.terminal:
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        elif self.told != (number, cell.work):
            print(line, file=sys.stderr, flush=True)
        self.told = (number, cell.work)

    def done(self, cell, contender, seconds):
        self.took[cell.name, contender.name] = seconds
        self.left -= 1

    def say(self, text):
        print(f"\r\033[K{text}" if self.terminal else text, file=sys.stderr, flush=True)


def run_program(command):
    """What it printed, and what went wrong (empty when nothing did). Its process ends with this function."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        process = subprocess.Popen(command, **pipes, text=True, errors="replace")
    except OSError as error:
        return "", str(error)
    try:
        output, errors = process.communicate(timeout=RUN_PATIENCE)
    except subprocess.TimeoutExpired:
        return "", f"took longer than {RUN_PATIENCE} s"
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode == 0:
        return output, ""
    return output, (errors.strip().splitlines() or [f"ended with {process.returncode}"])[-1]


class Comparison:
    def __init__(self, options, cells, contenders):
        self.options = options
        self.cells = cells
        self.contenders = contenders
        self.results = Results()
        self.busy = []
        self.limits = None
        self.rows_file = None
        self.failures = []  # (cell name, contender) of each
        self.failed_because = {}

    def record(self, row):
        print(json.dumps(row), file=self.rows_file, flush=True)

    def measure_limits(self):
        output, wrong = run_program([str(self.options.programs / "bench_limits"), "--seconds", "0.05"])
        if wrong:
            return
        rows = [json.loads(line) for line in output.splitlines()]
        for row in rows:
            self.record(row)
        self.limits = {"copies": [(row["size_bytes"], row["ns"]) for row in rows if "size_bytes" in row],
                       "call": next(row["ns"] for row in rows if row["work"] == "limit-system-call"),
                       "round_trip": next(row["p50_ns"] for row in rows if row["work"] == "limit-round-trip")}

    def take(self, number, cell, contender, output, shares):
        rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        if rows and "skipped" in rows[0]:
            self.results.skipped[cell.name, contender.name] = rows[0]["skipped"]
            return
        wanted = re.sub("^mnet-?(shared)?", "", contender.name)  # an engine
        own = next((row for row in rows if not row["work"].startswith("plain-")), None)
        if contender.is_mnet and wanted and own and wanted not in own["engine"]:
            self.results.skipped[cell.name, contender.name] = f"that engine does not start here; {own['engine']} serves in its place"
            return
        plain = next((row for row in rows if row["work"].startswith("plain-")), None)
        for row, name in ((own, contender.name), (plain, "plain")):
            if row is None:
                continue
            sample = {"cell": cell.name, "contender": name, "round": number, "busy": [round(share, 4) for share in shares], **row}
            if row is own and plain:
                sample["plain_beside"] = {key: plain[key] for key in ("ns_per_message", "p50_ns") if key in plain}
            self.record(sample)
            self.results.add(sample)

    def run_one(self, number, cell, contender, progress):
        progress.show(number, self.options.rounds, cell, contender)
        began, busy = time.monotonic(), machine.Busy()
        output, wrong = run_program(contender.command(cell, self.options.seconds))
        shares = busy.shares()
        progress.done(cell, contender, time.monotonic() - began)
        if wrong:
            place = cell.name, contender.name
            if place in self.failures or not self.results.rows(cell, contender.name):
                self.results.skipped[place] = wrong  # not tried again
            self.failures.append(place)
            self.failed_because[place] = wrong
            progress.say(f"{cell.name}, {TITLES[contender.name]}: {wrong}")
            return
        self.busy.append(shares)
        self.take(number, cell, contender, output, shares)

    def run(self):
        rounds = self.options.rounds
        order = [(cell, contender) for cell in self.cells for contender in self.contenders if contender.does(cell)]
        progress = Progress(rounds * len(order))
        progress.plan([(cell.name, contender.name) for _ in range(rounds) for cell, contender in order])
        for number in range(1, rounds + 1):
            seen = len(self.busy)
            for cell in self.cells:
                first = number % len(self.contenders)
                for contender in filter(lambda each: each.does(cell), self.contenders[first:] + self.contenders[:first]):
                    if (cell.name, contender.name) in self.results.skipped:
                        progress.left -= 1
                    else:
                        self.run_one(number, cell, contender, progress)
            shares = [sum(pair) for pair in self.busy[seen:]]
            if shares and sorted(shares)[len(shares) // 2] > machine.Busy.LIMIT:
                progress.say(f"round {number}: other processes take {100 * sorted(shares)[len(shares) // 2]:.0f} % of this machine; "
                             "the figures are noise where spreads are wide")
        if progress.terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def chosen_cells(options):
    cells = quick_cells() if options.quick else all_cells()
    if options.only is None:
        return cells
    every = {cell.name: cell for cell in [*quick_cells(), *all_cells()]}
    return [cell for cell in every.values() if cell.name in options.only or (cell.work in options.only and cell in cells)]


def summary(report):
    """The few lines for the terminal."""
    lines = []
    for cell in report.cells:
        found = []
        for name in report.names:
            spread = report.results.spread(cell, name, "bytes_per_client" if cell.work == "idle" else time_key(cell))
            if spread:
                found.append(f"{name} {spread.median:,.0f}" if spread.median >= 100 else f"{name} {spread.median:.1f}")
        if found:
            lines.append(f"{cell.name:>18}  " + "  ".join(found))
    return "\n".join(["ns a message (pingpong: its median; idle: bytes a client), medians of the rounds:", *lines])


def note_of(options, whole):
    notes = []
    if not whole:
        notes.append("Partial: the run was cut short, medians are of what was measured until then.")
    if options.quick:
        notes.append("Quick: short measurements of few cells, for orientation only.")
    elif options.restricted:
        notes.append("Restricted: not the whole comparison.")
    return " ".join(notes)


def publish(folder):
    """From below build/bench to where the repository shows it."""
    shutil.copyfile(folder / "docs/benchmarks.md", ROOT / "docs/benchmarks.md")
    if (folder / "docs/charts").exists():
        shutil.copytree(folder / "docs/charts", ROOT / "docs/charts", dirs_exist_ok=True)
    for rows in (folder / "bench/results").glob("*.jsonl"):
        (ROOT / "bench/results").mkdir(exist_ok=True)
        shutil.copyfile(rows, ROOT / "bench/results" / rows.name)


def interrupted(number, frame):
    raise KeyboardInterrupt


def main(arguments):
    options = parse(arguments)
    options.restricted = any(value is not None for value in (options.only, options.rounds, options.seconds)) or options.peers != list(PEERS)
    options.rounds = options.rounds or 5
    options.seconds = options.seconds or (0.1 if options.quick else 0.3)
    signal.signal(signal.SIGTERM, interrupted)
    contenders, missing = contenders_of(options.programs, options.peers)
    for peer in missing:
        print(f"{peer}: its program was not built because its package is not installed; going on without it", file=sys.stderr)

    folder = options.output or ROOT / "build/bench"
    if options.output is None:
        shutil.rmtree(folder, ignore_errors=True)
    (folder / "bench/results").mkdir(parents=True, exist_ok=True)
    (folder / "docs").mkdir(exist_ok=True)
    facts = machine.describe(PACKAGES)
    comparison = Comparison(options, chosen_cells(options), contenders)
    stamp = re.sub(r"[^0-9]", "", facts["date"])
    whole = True
    with open(folder / "bench/results" / f"{stamp}-{facts['commit'].split()[0]}.jsonl", "w", encoding="utf-8") as comparison.rows_file:
        comparison.record({"machine": facts, "rounds": options.rounds, "seconds": options.seconds})
        try:
            comparison.measure_limits()
            comparison.run()
        except KeyboardInterrupt:
            whole = False
            print("\nstopped: the report is of what was measured until now", file=sys.stderr)

    comparison.results.skipped.update(comparison.failed_because)
    settings = {"rounds": options.rounds, "seconds": options.seconds, "missing": missing, "note": note_of(options, whole)}
    report = Report(comparison.results, comparison.cells, facts, settings, comparison.busy, comparison.limits)
    (folder / "docs/benchmarks.md").write_text(report.text(), encoding="utf-8")
    report.draw(folder / "docs/charts")
    print(summary(report))
    print(report.busy_line().replace("**", ""))
    if whole and not options.quick and not options.restricted and options.output is None:
        publish(folder)
        folder = ROOT
    print(f"report: {folder / 'docs/benchmarks.md'}")
    if comparison.failures:
        print(f"{len(comparison.failures)} runs failed; the report names them", file=sys.stderr)
    return 130 if not whole else 1 if comparison.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
