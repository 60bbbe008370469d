"""The charts of the report as SVG, drawn by gnuplot: a script for each, with its data inside. Knows nothing of how figures are computed."""

import shutil
import subprocess

from cells import TITLES

COLOURS = {
    "plain": "#000000", "mnet": "#d62728", "mnet-epoll": "#d62728", "mnet-uring": "#ff7f0e", "mnet-shared": "#e377c2", "asio": "#1f77b4", "libuv": "#2ca02c",
    "libevent": "#9467bd", "zeromq": "#8c564b", "zeromq-ipc": "#c49c94", "nng": "#7f7f7f", "nng-ipc": "#c7c7c7", "iceoryx": "#17becf",
}
HEAD = """set terminal svg size 900,560 dynamic enhanced font 'sans-serif,13' background '#ffffff'
set output '{path}'
set title '{title}'
set key outside right top noenhanced
set grid xtics ytics lc rgb '#dddddd'
set border 3
set tics nomirror
"""


def available():
    return shutil.which("gnuplot") is not None


def draw(path, title, body):
    script = HEAD.format(path=path, title=title) + body
    done = subprocess.run(["gnuplot"], input=script, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"gnuplot: {done.stderr.strip()}")
    tidy = [line.expandtabs(2).rstrip() for line in path.read_text().splitlines()]  # as the project's other files are
    path.write_text("\n".join(tidy) + "\n")


def style(name):
    wide = 3 if name.startswith("mnet") or name == "plain" else 1.5
    return f"lc rgb '{COLOURS[name]}' lw {wide} pt 7 ps 0.6"


def lines(series, extra=()):
    """`series`: {contender: [(x, y), ..]}. `extra`: (title, style, points) of what is no contender."""
    blocks = []
    plots = []
    entries = [(TITLES[name], f"with linespoints {style(name)}", points) for name, points in series.items() if points]
    for index, (title, how, points) in enumerate([*entries, *extra]):
        rows = "\n".join(f"{x} {y}" for x, y in points)
        blocks.append(f"$data{index} << EOD\n{rows}\nEOD\n")
        plots.append(f"$data{index} using 1:2 {how} title '{title}'")
    return "".join(blocks) + "plot " + ", \\\n    ".join(plots) + "\n"


def bars(columns, groups):
    """`groups`: {contender: [value or None for each column]}: a cluster of bars for each contender."""
    rows = []
    for name, values in groups.items():
        rows.append(f'"{TITLES[name]}" ' + " ".join("NaN" if value is None else f"{value}" for value in values))
    colours = ["#1f77b4", "#ff7f0e"]
    plots = []
    for index, column in enumerate(columns):
        title = f"title '{column}'" if len(columns) > 1 else "notitle"
        plots.append(f"$data using {index + 2}:xtic(1) {title} lc rgb '{colours[index]}'")
    return ("set style data histograms\nset style histogram clustered gap 1\nset style fill solid 0.85\nset boxwidth 0.9\n"
            "set key inside top left\nset xtics rotate by -35 noenhanced\nset logscale y\n$data << EOD\n" + "\n".join(rows) + "\nEOD\nplot " + ", ".join(plots) + "\n")


def stream(path, series, copies, call_ns):
    """A size of 0 has no place on a logarithmic axis: it is drawn at 4 bytes, the length in front of it."""
    place = {name: [(max(size, 4), ns) for size, ns in points] for name, points in series.items()}
    limits = []
    if copies:
        limits.append(("one memcpy", "with lines lc rgb '#888888' lw 2 dt 2", [(max(size, 4), ns) for size, ns in copies]))
        limits.append(("one system call", "with lines lc rgb '#888888' lw 2 dt 3",
                       [(max(size, 4), call_ns) for size, _ in copies]))
    body = ("set logscale xy\nset xlabel 'bytes a message (0 is drawn at 4)'\nset ylabel 'ns a delivered message'\n"
            "set xtics (4, 16, 64, 256, '1K' 1024, '4K' 4096, '16K' 16384, '64K' 65536, '1M' 1048576)\n")
    draw(path, "Stream: time for a delivered message", body + lines(place, limits))


def round_trips(path, groups):
    draw(path, "Round trip of 16 bytes, median",
         "set ylabel 'microseconds'\n" + bars(["asleep when there is nothing", "polling"], groups))


def echo(path, depth, series):
    body = ("set logscale xy\nset xlabel 'clients'\nset ylabel 'round trips a second'\nset format y '%.0s%c'\n"
            "set xtics (64, 1024, 10000)\nset xrange [50:13000]\n")
    draw(path, f"Echo of 64 bytes, {depth} in flight on each connection", body + lines(series))


def memory(path, groups):
    draw(path, "Memory of the server for an idle client", "set ylabel 'bytes'\n" + bars(["bytes"], groups))
