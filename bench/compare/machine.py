"""The machine that measured: what it is, and how much of it other processes took meanwhile. Reads /proc and asks the compiler and git."""

import datetime
import gzip
import os
import platform
import resource
import subprocess
import time


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return (done.stdout.strip().splitlines() or ["unknown"])[0]


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_gib():
    with open("/proc/meminfo", encoding="utf-8") as file:
        return round(int(file.readline().split()[1]) / (1 << 20))


def package_versions(packages):
    """The versions of Debian packages that are installed."""
    command = ["dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n", *packages]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    except OSError:
        return {}
    return {words[0]: words[1] for words in map(str.split, lines) if len(words) == 3 and words[2] == "installed"}


def describe(packages):
    changed = first_line("git", "status", "--porcelain", "--untracked-files=no") != "unknown"
    commit = first_line("git", "rev-parse", "--short=10", "HEAD")
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": memory_gib(),
        "kernel": f"{platform.system()} {platform.release()}",
        "compiler": first_line("g++", "--version"),
        "commit": commit + (" with changes" if changed and commit != "unknown" else ""),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "packages": package_versions(packages),
    }


def own_seconds():
    """CPU time of this process and of its children that have ended."""
    spent = 0.0
    for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(whose)
        spent += used.ru_utime + used.ru_stime
    return spent


def interrupts_apart():
    """Whether this kernel leaves the time of interrupts, the network's among them, out of what a process has used."""
    option = "CONFIG_IRQ_TIME_ACCOUNTING=y"
    try:
        with open(f"/boot/config-{platform.release()}", encoding="utf-8") as file:
            return option in file.read()
    except OSError:
        pass
    try:
        with gzip.open("/proc/config.gz", "rt", encoding="utf-8") as file:
            return option in file.read()
    except OSError:
        return False


INTERRUPTS_APART = interrupts_apart()


def machine_seconds():
    """CPU time that all processes have used, counted as `own_seconds` counts ours, and what the host has taken away (proc(5), stat)."""
    with open("/proc/stat", encoding="utf-8") as file:
        user, nice, system, _, _, interrupts, soft_interrupts, stolen = [int(word) for word in file.readline().split()[1:9]]
    second = os.sysconf("SC_CLK_TCK")
    used = user + nice + system + (0 if INTERRUPTS_APART else interrupts + soft_interrupts)
    return used / second, stolen / second


class Busy:
    """How much of the machine others took since this object was made, as shares of all its processors."""

    LIMIT = 0.1  # above it a figure is noise

    def __init__(self):
        self.start = time.monotonic(), own_seconds(), machine_seconds()

    def shares(self):
        began, own_before, (all_before, stolen_before) = self.start
        capacity = max(1e-3, (time.monotonic() - began) * os.cpu_count())
        all_after, stolen_after = machine_seconds()
        others = (all_after - all_before) - (own_seconds() - own_before)
        # Ticks are counted where they fall: a short run can seem to be more than there is.
        return tuple(min(1.0, max(0.0, share / capacity)) for share in (others, stolen_after - stolen_before))
