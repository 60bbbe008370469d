# What a client waits for right behind a crowd of TLS connections that arrive at once and say nothing: the time from its connect to its first echo, beside
# that on the quiet server, in turns; median and worst of all rounds. The server is one of a single loop, which nobody else uses.
# `python3 bench/silent_crowd.py [--silent N] [--rounds N] [--handler SHAPE] [--tool FILE]`; needs the release build (./dev run).
import argparse, os, resource, socket, ssl, statistics, struct, subprocess, tempfile, time

parser = argparse.ArgumentParser()
parser.add_argument("--silent", type=int, default=1000, help="connections that say nothing")
parser.add_argument("--rounds", type=int, default=15)
parser.add_argument("--handler", default="message", help="message, coroutine or blocking")
parser.add_argument("--engine", default="auto", help="auto, epoll or uring")
parser.add_argument("--tool", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "../build/release/bin/mnet"))
asked = parser.parse_args()


def first_echo(port, context):
    begun = time.perf_counter()
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost") as client:
        client.sendall(struct.pack(">I", 5) + b"hello")
        answer = b""
        while len(answer) < 9:
            answer += client.recv(9 - len(answer)) or exit("the server closed the connection")
        return (time.perf_counter() - begun) * 1e3


def come(port):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(("127.0.0.1", port))
    return one


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
with tempfile.TemporaryDirectory() as folder:
    for words in (["ca"], ["server", "localhost"]):
        subprocess.run([asked.tool, "cert", *words], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    serve = ["serve", "127.0.0.1:0", "--echo", "--handler", asked.handler, "--engine", asked.engine, "--tls-cert", "server.pem", "--tls-key", "server.key"]
    server = subprocess.Popen([asked.tool, *serve], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        context = ssl.create_default_context(cafile=os.path.join(folder, "ca.pem"))
        quiet, behind = [], []
        first_echo(port, context)
        for _ in range(asked.rounds):
            quiet.append(first_echo(port, context))
            crowd = [come(port) for _ in range(asked.silent)]
            behind.append(first_echo(port, context))
            for one in crowd:
                one.close()
            time.sleep(0.3)
    finally:
        server.terminate()
        server.wait()
ratio = statistics.median(behind) / statistics.median(quiet)
for name, times in (("quiet server", quiet), (f"behind {asked.silent} silent", behind)):
    print(f"{name:<20} {statistics.median(times):8.1f} ms, worst {max(times):8.1f} ms")
print(f"{ratio:.1f} x")
