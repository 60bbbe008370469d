"""`./dev soak [HOURS]`: three servers under mixed load with faults for a long time; memory, descriptors and latency are sampled, and what drifts fails.
An hour or more writes docs/soak.md and docs/charts/soak.svg, less than that the same below build/soak/. Python's standard library only; what clients
do is in load.py, what is looked at in samples.py."""

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bench/compare"))

import machine  # noqa: E402
import report  # noqa: E402
from load import Load  # noqa: E402
from samples import Probe, descriptors, drifts, resident_bytes, sample  # noqa: E402

SETTLE_SECONDS = 8  # a close waits up to 5 s for its peer


class Server:
    def __init__(self, tool, name, *options, authority=None):
        self.name = name
        self.authority = authority
        self.tls = authority is not None
        self.process = subprocess.Popen([tool, "serve", "127.0.0.1:0", "--echo", "--json", *options], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.address = json.loads(self.process.stdout.readline())["listening"]
        self.host, port = self.address.split("://")[-1].rsplit(":", 1)
        self.port = int(port)

    def now(self):
        return {"rss": resident_bytes(self.process.pid), "descriptors": descriptors(self.process.pid)}


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev soak", description="Mixed load with faults for a long time.")
    parser.add_argument("hours", type=float, nargs="?", default=1.0, help="how long [1]; 0.05 is three minutes")
    parser.add_argument("--tool", type=pathlib.Path, default=ROOT / "build/release/bin/mnet", help="the program to test")
    parser.add_argument("--output", type=pathlib.Path, default=None, help="folder for soak.md and charts/soak.svg [docs, or build/soak for less than an hour]")
    parser.add_argument("--seed", type=int, default=None, help="of what the clients do [of the clock]")
    parser.add_argument("--render", type=pathlib.Path, default=None, metavar="RUN", help="write the report of a run (its run.json) again, and end")
    return parser.parse_args(arguments)


def make_certificates(tool, folder):
    for command in (["ca"], ["server", "localhost", "127.0.0.1"]):
        subprocess.run([tool, "cert", *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)


def renew_certificate(tool, folder):
    """A server that finds one file new and the other one old keeps what it has, and looks again."""
    subprocess.run([tool, "cert", "server", "localhost", "127.0.0.1", "--out", "next"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for kind in ("key", "pem"):
        (folder / f"next.{kind}").rename(folder / f"server.{kind}")


def write(run, output):
    (output / "charts").mkdir(parents=True, exist_ok=True)
    (output / "soak.md").write_text(report.text(run), encoding="utf-8")
    if report.charts.available():
        report.chart(output / "charts/soak.svg", run["samples"])
    else:
        print("no chart: gnuplot is not installed", file=sys.stderr)


def soak(options, folder):
    tool = str(options.tool.resolve())
    make_certificates(tool, folder)
    certificate = ["--tls-cert", str(folder / "server.pem"), "--tls-key", str(folder / "server.key")]
    servers = []
    try:
        servers.append(Server(tool, "plain", "--loops", "2"))
        servers.append(Server(tool, "tls", "--handler", "coroutine", *certificate, authority=str(folder / "ca.pem")))
        servers.append(Server(tool, "blocking", "--handler", "blocking", "--engine", "epoll", "--shared-memory", "off"))
        return watch(options, folder, tool, servers)
    finally:
        for each in servers:
            if each.process.poll() is None:
                each.process.kill()


def watch(options, folder, tool, servers):
    seconds = options.hours * 3600
    seed = options.seed if options.seed is not None else int(time.time())
    load = Load(tool, servers, seed)
    print(f"soak of {report.duration(seconds)}, seed {seed}: {', '.join(f'{each.name} on {each.address}' for each in servers)}", flush=True)
    quiet_before = {each.name: each.now() for each in servers}
    probe = Probe(servers[0])
    begun = time.monotonic()
    each_seconds = max(1.0, seconds / 720)
    samples, told, renewed = [], begun, begun
    load.start()
    try:
        while time.monotonic() - begun < seconds:
            time.sleep(each_seconds)
            if ended := [each.name for each in servers if each.process.poll() is not None]:
                load.fail(f"the server {ended[0]} has ended")
                break
            samples.append(sample(servers, probe, begun))
            if time.monotonic() - renewed > 60:
                renew_certificate(tool, folder)
                load.count("certificates renewed")
                renewed = time.monotonic()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                memory = ", ".join(f"{name} {at['rss'] / 2**20:.1f} MiB" for name, at in samples[-1]["servers"].items())
                print(f"{(told - begun) / 60:.0f} min: {memory}, median {samples[-1]['median_us']:.0f} us, {len(load.failures)} failures", flush=True)
    except KeyboardInterrupt:
        print("ended early", file=sys.stderr)
    load.stop()
    probe.close()
    time.sleep(SETTLE_SECONDS)
    quiet_after = {}
    for each in servers:
        if each.process.poll() is not None:
            load.fail(f"the server {each.name} has ended by itself, with {each.process.returncode}")
            quiet_after[each.name] = samples[-1]["servers"][each.name]
            continue
        quiet_after[each.name] = each.now()
        each.process.send_signal(signal.SIGTERM)
        if each.process.wait(30) != 0:
            load.fail(f"the server {each.name} ended with {each.process.returncode}")
    return {"hours": options.hours, "seconds": time.monotonic() - begun, "seed": seed, "machine": machine.describe(()), "samples": samples,
            "quiet_before": quiet_before, "quiet_after": quiet_after, "done": dict(load.done), "failures": load.failures}


def main():
    options = parse(sys.argv[1:])
    output = options.output or (ROOT / "docs" if options.hours >= 1 else ROOT / "build/soak")
    if options.render:
        write(json.loads(options.render.read_text()), options.output or ROOT / "docs")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        run = soak(options, pathlib.Path(folder))
    kept = ROOT / "build/soak"
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "run.json").write_text(json.dumps(run))
    write(run, output)
    found = [*run["failures"], *drifts(run["samples"], run["quiet_before"], run["quiet_after"])]
    for each in found[:50]:
        print(f"FAILED {each}")
    print(f"{output / 'soak.md'}; the samples are in {kept / 'run.json'}")
    print(f"{len(run['samples'])} samples, {sum(run['done'].values())} things done, {len(found)} failures or drifts")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
