"""What is measured and by whom: the cells (one work with its numbers), the contenders (one program with its options), and the command that
measures one cell with one contender. Knows the command lines of `mnet bench` and of bench/peers/, and nothing of figures."""

import pathlib
import subprocess
from dataclasses import dataclass

WORKS = ("stream", "pingpong", "echo", "idle", "latency")

# How the contenders are called in tables, in their order there.
TITLES = {
    "plain": "plain sockets",
    "mnet": "mnet",
    "mnet-epoll": "mnet, epoll",
    "mnet-uring": "mnet, io_uring",
    "mnet-shared": "mnet, shared memory",
    "asio": "Asio",
    "libuv": "libuv",
    "libevent": "libevent",
    "zeromq": "ZeroMQ",
    "zeromq-ipc": "ZeroMQ, ipc",
    "nng": "nng",
    "nng-ipc": "nng, ipc",
    "iceoryx": "iceoryx, loaned",
}
PEERS = ("asio", "libuv", "libevent", "zeromq", "nng", "iceoryx")


@dataclass(frozen=True)
class Cell:
    """One figure of the report: a work with its numbers."""

    work: str
    size: int
    spin: bool = False
    clients: int = 0
    depth: int = 1
    flood: bool = False
    tls: bool = False

    @property
    def name(self):
        if self.tls:
            return f"tls-{self.work}-{self.size}"
        if self.work == "stream":
            return f"stream-{self.size}"
        if self.work == "pingpong":
            return "pingpong-" + ("spinning" if self.spin else "blocking")
        ending = "-flooded" if self.flood else f"x{self.depth}" if self.work == "echo" else ""
        return f"{self.work}-{self.clients}{ending}"

    def arguments(self, seconds):
        words = [self.work, "--size", str(self.size), "--seconds", f"{seconds:g}", "--json"]
        if self.clients:
            words += ["--clients", str(self.clients)]
        if self.work == "echo":
            words += ["--depth", str(self.depth)]
        if self.work == "latency":
            words += ["--rate", "5000"]
        if self.flood:
            words.append("--flood")
        if self.spin:
            words.append("--spin")
        return words


def all_cells():
    sizes = [0, 16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20]
    cells = [Cell("stream", size) for size in sizes]
    cells += [Cell("pingpong", 16, spin=spin) for spin in (False, True)]
    cells += [Cell("echo", 64, clients=clients, depth=depth) for clients in (64, 1024, 10000) for depth in (1, 16)]
    return cells + [Cell("idle", 64, clients=10000)] + fairness_cells() + tls_cells()


def quick_cells():
    sizes = [0, 64, 1 << 10, 16 << 10, 1 << 20]
    cells = [Cell("stream", size) for size in sizes]
    cells += [Cell("pingpong", 16, spin=spin) for spin in (False, True)]
    cells += [Cell("echo", 64, clients=64, depth=depth) for depth in (1, 16)]
    return cells + [Cell("idle", 64, clients=1000)] + fairness_cells() + tls_cells()


def fairness_cells():
    """What 100 clients notice of one that floods: mnet's own question, that no peer is asked."""
    return [Cell("latency", 64, clients=100, flood=flood) for flood in (False, True)]


def tls_cells():
    """Over one connection with TLS, where the plain program stays without; beside Asio's ssl::stream and nng's."""
    return [Cell("stream", size, tls=True) for size in (64, 1 << 10, 16 << 10)] + [Cell("pingpong", 16, tls=True)]


@dataclass(frozen=True)
class Contender:
    """One program with its options. Its rows are its own, and with mnet those of the plain-socket program that ran in turns with it."""

    name: str
    program: pathlib.Path
    options: tuple = ()

    @property
    def is_mnet(self):
        return self.name.startswith("mnet")

    def does(self, cell):
        if cell.tls:
            return self.name in ("asio", "nng") or (self.is_mnet and self.name != "mnet-shared")
        if self.name == "mnet-shared":
            return cell.work in ("stream", "pingpong")
        return self.is_mnet or cell.work != "latency"

    def command(self, cell, seconds):
        before = ["bench"] if self.is_mnet else []
        options = [*self.options]
        if self.name == "mnet-shared" and cell.work == "stream":  # as iceoryx does it
            options += ["--payload", "in_place"]
        if cell.tls:
            options += ["--tls"] if self.is_mnet else ["--transport", "tls"]
        return [str(self.program), *before, *cell.arguments(seconds), *options]


def contenders_of(folder, wanted_peers):
    """The contenders whose programs are in the folder, and the names of the peers that are not."""
    tool = folder / "mnet"
    rounds = ("--rounds", "1")
    known = subprocess.run([str(tool), "bench", "--help"], capture_output=True, text=True, check=True).stdout
    if "--engine" in known:
        found = [Contender(f"mnet-{engine}", tool, (*rounds, "--engine", engine)) for engine in ("epoll", "uring")]
    else:
        found = [Contender("mnet", tool, rounds)]
    if "--payload" in known:
        found.append(Contender("mnet-shared", tool, (*rounds, "--transport", "shm")))
    missing = []
    for peer in PEERS:
        if peer not in wanted_peers:
            continue
        program = folder / f"bench_peer_{peer}"
        if not program.exists():
            missing.append(peer)
            continue
        found.append(Contender(peer, program))
        if peer in ("zeromq", "nng"):
            found.append(Contender(f"{peer}-ipc", program, ("--transport", "ipc")))
    return found, missing
