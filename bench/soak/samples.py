"""What is looked at while a soak runs, and whether it drifts. A server's memory and descriptors come from /proc; the latency is what an honest client
sees of a round trip meanwhile."""

import os
import socket
import statistics
import time

from load import frame, read_frame

MEMORY_GROWTH_MAX = 0.05  # of what it was, and at least:
MEMORY_GROWTH_MIN_BYTES = 4 << 20
LATENCY_GROWTH_MAX = 2.0  # times, of the median: the machine has other things to do
WARM_UP = 0.25  # of the run: pools and heaps grow to what is needed, once


def resident_bytes(process):
    with open(f"/proc/{process}/smaps_rollup", encoding="utf-8") as file:
        for line in file:
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
    return 0


def descriptors(process):
    return len(os.listdir(f"/proc/{process}/fd"))


class Probe:
    """A client that stays: some round trips of 16 bytes a sample."""

    ROUND_TRIPS = 50

    def __init__(self, server):
        self.peer = socket.create_connection((server.host, server.port), 20)
        self.peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def look(self):
        took = []
        for _ in range(self.ROUND_TRIPS):
            begun = time.perf_counter()
            self.peer.sendall(frame(b"0123456789abcdef"))
            read_frame(self.peer)
            took.append((time.perf_counter() - begun) * 1e6)
        took.sort()
        return {"median_us": statistics.median(took), "worst_us": took[-1]}

    def close(self):
        self.peer.close()


def sample(servers, probe, begun):
    return {"seconds": round(time.monotonic() - begun, 1), **probe.look(),
            "servers": {each.name: {"rss": resident_bytes(each.process.pid), "descriptors": descriptors(each.process.pid)} for each in servers}}


def halves(samples):
    """The samples of the first and of the last third behind the warm-up."""
    settled = samples[int(len(samples) * WARM_UP):]
    third = max(1, len(settled) // 3)
    return settled[:third], settled[-third:]


def drifts(samples, quiet_before, quiet_after):
    """What grew that must not, in words."""
    found = []
    early, late = halves(samples)
    for name in quiet_before:
        # Medians: messages of 16 MiB come and go, and a sample that meets some is no growth.
        was = statistics.median(each["servers"][name]["rss"] for each in early)
        now = statistics.median(each["servers"][name]["rss"] for each in late)
        if now - was > max(MEMORY_GROWTH_MIN_BYTES, was * MEMORY_GROWTH_MAX):
            found.append(f"{name}: memory grew from {was / 2**20:.1f} to {now / 2**20:.1f} MiB")
        before, after = quiet_before[name]["descriptors"], quiet_after[name]["descriptors"]
        if after > before:
            found.append(f"{name}: {after} descriptors at the end, {before} before the first client")
    was = statistics.median(each["median_us"] for each in early)
    now = statistics.median(each["median_us"] for each in late)
    if now > was * LATENCY_GROWTH_MAX:
        found.append(f"the median round trip grew from {was:.0f} to {now:.0f} us")
    return found
