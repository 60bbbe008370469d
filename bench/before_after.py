# What a change costs: `mnet bench` of a commit before it and of what is built now, in turns, so that both meet the same machine; for each work the
# median of both, of the ratio to the plain sockets that run beside each, and after by before.
# `python3 bench/before_after.py COMMIT [--rounds N] [--seconds T] [--tool FILE]`; needs the release build (./dev run), and builds COMMIT in build/before.
import argparse, json, os, statistics, subprocess, sys

works = [
    ["stream", "--size", "16"],
    ["stream", "--size", "1024"],
    ["stream", "--size", "65536"],
    ["stream", "--size", "16", "--transport", "shm"],
    ["stream", "--size", "16384", "--transport", "shm"],
    ["pingpong"],
    ["pingpong", "--spin"],
    ["echo", "--clients", "64", "--depth", "1"],
    ["echo", "--clients", "64", "--depth", "16"],
]
root = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
parser = argparse.ArgumentParser()
parser.add_argument("commit", help="the commit before the change, or the tool as it was built there")
parser.add_argument("--only", default="", metavar="TEXT", help="works whose line has this in it, such as 'stream --size 16'")
parser.add_argument("--rounds", type=int, default=15)
parser.add_argument("--seconds", type=float, default=0.3, help="of a row")
parser.add_argument("--tool", default=os.path.join(root, "build/release/bin/mnet"))
asked = parser.parse_args()


def tool_of(commit):
    if os.access(commit, os.X_OK):
        return commit
    source, build = os.path.join(root, "build/before"), os.path.join(root, "build/before/build/release")
    print(f"building {commit} ...", file=sys.stderr)
    subprocess.run(["git", "-C", root, "worktree", "prune"], check=True)
    if not os.path.isdir(source):
        subprocess.run(["git", "-C", root, "worktree", "add", "--force", "--detach", source, commit], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["git", "-C", source, "checkout", "--quiet", "--detach", commit], check=True)
    for command in (["cmake", "--preset", "release"], ["cmake", "--build", build, "--target", "mnet_tool", "-j", str(os.cpu_count())]):
        subprocess.run(command, cwd=source, check=True, stdout=subprocess.DEVNULL)
    return os.path.join(build, "bin/mnet")


def measure(tool, work):
    command = [tool, "bench", *work, "--seconds", str(asked.seconds), "--json"]
    rows = [json.loads(line) for line in subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.splitlines()]
    own = [row for row in rows if not row["work"].startswith("plain")]
    assert all(row["delivered"] == row["messages"] for row in own), "not all was delivered"
    row = own[-1]
    return (row["p50_ns"] if "p50_ns" in row else row["ns_per_message"]), row["ratio_to_plain"]


def median_of(ratios):
    known = [ratio for ratio in ratios if ratio is not None]
    return f"{statistics.median(known):8.2f}" if known else f"{'-':>8}"


tools = (tool_of(asked.commit), asked.tool)
print(f"{'':34} {'ns before':>10} {'ns after':>10} {'by plain':>8} {'by plain':>8} {'after by before':>16}")
for work in works:
    if asked.only not in " ".join(work):
        continue
    found = ([], [])
    for turn in range(asked.rounds):
        for which in (0, 1) if turn % 2 == 0 else (1, 0):
            found[which].append(measure(tools[which], work))
    before, after = (statistics.median(ns for ns, _ in side) for side in found)
    plain = [median_of(ratio for _, ratio in side) for side in found]
    print(f"{' '.join(work):34} {before:10.1f} {after:10.1f} {plain[0]} {plain[1]} {after / before:16.3f}", flush=True)
