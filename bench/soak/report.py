"""docs/soak.md and docs/charts/soak.svg, from what a run wrote down."""

import statistics
import sys
import pathlib

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "compare"))
import charts  # noqa: E402  (the benchmarks', which lies beside)

from samples import LATENCY_GROWTH_MAX, MEMORY_GROWTH_MAX, MEMORY_GROWTH_MIN_BYTES, WARM_UP, drifts, halves  # noqa: E402

COLOURS = ["#d62728", "#1f77b4", "#2ca02c"]


def duration(seconds):
    return f"{seconds / 3600:.1f} hours" if seconds >= 5400 else f"{seconds / 60:.0f} minutes"


def chart(path, samples):
    names = list(samples[0]["servers"])
    blocks, plots = [], {"rss": [], "descriptors": [], "latency": []}

    def add(kind, title, points, how):
        index = len(blocks)
        rows = "\n".join(f"{x:.2f} {y:.3f}" for x, y in points)
        blocks.append(f"$data{index} << EOD\n{rows}\nEOD\n")
        plots[kind].append(f"$data{index} using 1:2 with lines {how} title '{title}'")

    # A point a pixel or two is enough to see.
    step = max(1, len(samples) // 300)
    shown = samples[::step]
    for name, colour in zip(names, COLOURS):
        for kind, scale in (("rss", 2**20), ("descriptors", 1)):
            add(kind, name, [(each["seconds"] / 60, each["servers"][name][kind] / scale) for each in shown], f"lc rgb '{colour}' lw 1.5")
    add("latency", "worst", [(each["seconds"] / 60, each["worst_us"]) for each in shown], "lc rgb '#bbbbbb' lw 1")
    add("latency", "median", [(each["seconds"] / 60, each["median_us"]) for each in shown], "lc rgb '#000000' lw 1.5")
    body = ("unset title\nset multiplot layout 3,1 title 'Soak: three servers under load and faults'\nset yrange [0:*]\n" + "".join(blocks) +
            "set ylabel 'MiB resident'\nplot " + ", ".join(plots["rss"]) + "\nset ylabel 'descriptors'\nplot " + ", ".join(plots["descriptors"]) +
            "\nset ylabel 'us, round trip'\nset xlabel 'minutes'\nset logscale y\nset yrange [*:*]\nplot " + ", ".join(plots["latency"]) + "\nunset multiplot\n")
    charts.draw(path, "Soak", body)


def table(run):
    early, late = halves(run["samples"])
    rows = ["| server | memory, MiB: quiet before | early | late | quiet after | descriptors: quiet before | most | quiet after |",
            "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for name, before in run["quiet_before"].items():
        after = run["quiet_after"][name]
        level = [statistics.median(each["servers"][name]["rss"] for each in some) / 2**20 for some in (early, late)]
        most = max(each["servers"][name]["descriptors"] for each in run["samples"])
        rows.append(f"| {name} | {before['rss'] / 2**20:.1f} | {level[0]:.1f} | {level[1]:.1f} | {after['rss'] / 2**20:.1f} | "
                    f"{before['descriptors']} | {most} | {after['descriptors']} |")
    return "\n".join(rows)


def text(run):
    early, late = halves(run["samples"])
    median = [statistics.median(each["median_us"] for each in some) for some in (early, late)]
    found = [*run["failures"][:20], *drifts(run["samples"], run["quiet_before"], run["quiet_after"])]
    verdict = "Nothing drifted, and every honest client got every answer." if not found else "What went wrong:\n\n" + "\n".join(f"- {each}" for each in found)
    done = "\n".join(f"| {what} | {times:,} |" for what, times in sorted(run["done"].items()))
    what = run["machine"]
    return f"""# Soak

`./dev soak {run['hours']:g}` ran {duration(run['seconds'])} of mixed load with faults against three servers, {what['date']}, commit {what['commit']},
{what['cores']} processors ({what['processor']}), {what['kernel']}, seed {run['seed']}. {verdict}

![memory, descriptors and latency over time](charts/soak.svg)

{table(run)}

*Early* and *late* are the medians over the first and the last third of the run behind its first quarter, in which pools and heaps grow to what is needed.
Failed would have: memory that is more late than early by more than {MEMORY_GROWTH_MAX:.0%} and {MEMORY_GROWTH_MIN_BYTES >> 20} MiB; a descriptor more at the end than before the first client; a median
round trip that is {LATENCY_GROWTH_MAX:g} times as long late as early; an answer that is missing or another one; a server that ends.
The median round trip of 16 bytes, as a Python client sees it beside all that, was {median[0]:.0f} us early and {median[1]:.0f} us late.

| what clients did | times |
|---|---:|
{done}

*plain* is `mnet serve --echo` as it is, with two loops: io_uring, and clients of `mnet send` come in shared memory by themselves (some are told not to);
*tls* the same over TLS with a coroutine a client, its certificate made anew each minute; *blocking* a thread a client, on epoll, without shared memory.
Clients send messages of 0 bytes to 4 MiB and compare the answers; vanish with answers on their way; reset; send up to 24 MB that they don't read and then do;
stop inside a message; speak HTTP, TLS or noise; and die of SIGKILL, in shared memory too.
"""
