"""The load of a soak: honest clients that check every answer, and clients that do what clients do to servers: vanish, reset, read slowly, send half a
message or none, die. Each worker is a thread that does one thing after the other until it is told to stop."""

import collections
import json
import os
import random
import signal
import socket
import struct
import subprocess
import threading

CLIENT_SECONDS = 120  # for a conversation; a machine may have other things to do
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER


def frame(payload):
    return struct.pack(">I", len(payload)) + payload


def read_exactly(peer, count):
    pieces = []
    while count > 0:
        piece = peer.recv(min(count, 1 << 20))
        if not piece:
            raise ConnectionError("the server closed inside a message")
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def read_frame(peer):
    return read_exactly(peer, struct.unpack(">I", read_exactly(peer, 4))[0])


class Load:
    """`servers`: Server objects with `address`, `host`, `port`. `tool`: path of `mnet`."""

    def __init__(self, tool, servers, seed):
        self.tool = tool
        self.servers = servers
        self.seed = seed
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.done = collections.Counter()
        self.failures = []
        self.threads = []

    def count(self, what, times=1):
        with self.lock:
            self.done[what] += times

    def fail(self, text):
        with self.lock:
            self.failures.append(text)

    def start(self):
        works = [self.talk, self.talk_large, self.talk_by_hand, self.vanish, self.reset, self.read_slowly, self.send_half, self.send_rubbish, self.kill]
        for number, work in enumerate(works):
            thread = threading.Thread(target=self.repeat, args=(work, random.Random(self.seed * 100 + number)), daemon=True)
            thread.start()
            self.threads.append(thread)

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(CLIENT_SECONDS + 10)
        if any(thread.is_alive() for thread in self.threads):
            self.fail(f"a client did not end within {CLIENT_SECONDS} s of the end")

    def repeat(self, work, dice):
        while not self.stopping.is_set():
            try:
                work(dice)
            except (OSError, ConnectionError, subprocess.SubprocessError) as problem:
                self.fail(f"{work.__name__}: {type(problem).__name__}: {problem}")
            self.stopping.wait(dice.uniform(0.02, 0.2))

    def connect(self, dice, plain=True):
        server = dice.choice([each for each in self.servers if not (plain and each.tls)])
        return socket.create_connection((server.host, server.port), 20)

    def send_command(self, dice, size, count):
        server = dice.choice(self.servers)
        command = [self.tool, "send", server.address, "soak", "--size", str(size), "--count", str(count), "--json", "--timeout", "60s"]
        if server.tls:
            command += ["--tls-ca", server.authority]
        elif dice.random() < 0.3:
            command += ["--shared-memory", "off"]
        return command

    # Honest -----------------------------------------------------------------------------------------------------------------------

    def run_tool(self, command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=CLIENT_SECONDS, check=False)
        last = (done.stdout.strip().splitlines() or ["{}"])[-1]
        try:
            sums = json.loads(last)
        except ValueError:
            sums = {}
        if done.returncode != 0 or sums.get("lost", 1) != 0 or sums.get("replies") != sums.get("sent"):
            self.fail(f"{' '.join(command[1:])}: status {done.returncode}, {last[:200]} {done.stderr.strip()[:200]}")
        return sums.get("replies", 0)

    def talk(self, dice):
        """Small and middling messages, over whatever the tool moves to: shared memory, TCP, TLS."""
        self.count("messages answered", self.run_tool(self.send_command(dice, dice.choice([0, 1, 16, 100, 1000, 5000, 20000]), dice.randint(1, 2000))))
        self.count("conversations")

    def talk_large(self, dice):
        self.count("large messages answered", self.run_tool(self.send_command(dice, dice.choice([100, 300, 1000, 4000]) << 10, dice.randint(1, 12))))
        self.count("conversations")

    def talk_by_hand(self, dice):
        """Frames cut anywhere; each answer compared."""
        with self.connect(dice) as peer:
            for _ in range(dice.randint(1, 30)):
                payload = dice.randbytes(dice.choice([0, 1, 30, 500, 70000]))
                whole = frame(payload)
                cut = dice.randint(0, len(whole))
                peer.sendall(whole[:cut])
                peer.sendall(whole[cut:])
                if read_frame(peer) != payload:
                    self.fail("an answer is not what was sent")
                self.count("messages answered")
        self.count("conversations")

    # What happens to servers ------------------------------------------------------------------------------------------------------

    def vanish(self, dice):
        """Connects, says something or nothing, and closes with answers on the way."""
        with self.connect(dice, plain=False) as peer:
            for _ in range(dice.randint(0, 3)):
                peer.sendall(frame(dice.randbytes(dice.randint(0, 3000))))
        self.count("vanished")

    def reset(self, dice):
        with self.connect(dice, plain=False) as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            peer.sendall(frame(b"x" * dice.randint(0, 100000)))
        self.count("reset")

    def read_slowly(self, dice):
        """Sends more than it reads, until the server reads no more of it either; then reads all of it."""
        peer = self.connect(dice)
        with peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            payload = dice.randbytes(60000)
            sent = 0
            peer.settimeout(0.5)
            partial = 0
            whole = frame(payload)
            try:
                while sent < 400 and not self.stopping.is_set():
                    partial = 0
                    while partial < len(whole):
                        partial += peer.send(whole[partial:])
                    sent += 1
            except TimeoutError:
                pass
            self.stopping.wait(dice.uniform(0.1, 2))
            peer.settimeout(20)
            if dice.random() < 0.7:
                for _ in range(sent):
                    if read_frame(peer) != payload:
                        self.fail("a slow reader's answer is not what was sent")
        self.count("slow readers")

    def send_half(self, dice):
        with self.connect(dice, plain=False) as peer:
            peer.sendall(frame(b"y" * dice.randint(10, 200000))[:-dice.randint(1, 9)])
            peer.settimeout(0.2)
            try:
                peer.recv(4096)
            except OSError:
                pass
        self.count("half messages")

    def send_rubbish(self, dice):
        with self.connect(dice, plain=False) as peer:
            peer.settimeout(2)
            try:
                peer.sendall(dice.choice([b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, b"\x16\x03\x01\x02\x00\x01\x00", dice.randbytes(200)]))
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(1 << 16):
                    pass
            except OSError:
                pass
        self.count("rubbish")

    def kill(self, dice):
        """A client that dies in the middle of what it does, in shared memory too."""
        with subprocess.Popen(self.send_command(dice, dice.choice([16, 5000, 1 << 20]), 100000), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            self.stopping.wait(dice.uniform(0.05, 1.5))
            os.kill(process.pid, signal.SIGKILL)
        self.count("killed with SIGKILL")
