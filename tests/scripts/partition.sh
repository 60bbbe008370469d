#!/usr/bin/env bash
# A peer behind a network that is gone is noticed within dead_after and a fifth more, by both ends, whether bytes are on their way or not: a link
# that is down, and packets that are dropped without a word. The network is made of two namespaces of its own with a pair of virtual
# interfaces between them.
set -euo pipefail

if [[ -z ${MNET_IN_NAMESPACE:-} ]]; then
    command -v ip nsenter unshare >/dev/null || { echo "needs iproute2 and util-linux: skipped"; exit 77; }
    own=(unshare --net)
    ((EUID == 0)) || own=(unshare --user --map-root-user --net)
    "${own[@]}" ip link add here type veth peer name there 2>/dev/null || { echo "no network namespace can be had here: skipped"; exit 77; }
    MNET_IN_NAMESPACE=1 exec "${own[@]}" bash "$0"
fi

# shellcheck source=tests/scripts/tool_support.bash
source "$(dirname "$0")/tool_support.bash"

dead_after=5
noticed_by=$((dead_after * 1200))     # milliseconds
slow_machine=2000                     # and what a busy one may take to say so
port=5050

other=  # the process that holds the other namespace
clean_up() {
    for process in $(jobs -p); do kill -KILL "$process" 2>/dev/null || true; done
    wait 2>/dev/null || true
    end_all
}
trap clean_up EXIT

# The other namespace lives as long as a process in it, which waits for a line that never comes.
mkfifo "$folder/never"
exec {never}<>"$folder/never"
unshare --net bash -c 'echo ready; read -r' <"$folder/never" >"$folder/other" &
other=$!
there=(nsenter --target "$other" --net)
await() { # await WHAT COMMAND...: until it holds
    local what=$1 tries=0
    shift
    until "$@" 2>/dev/null; do
        ((++tries < 600)) || fail "$what: $(cat "$folder"/*err 2>/dev/null)"
        read -r -t 0.05 -u "$never" || true
    done
}
await 'the other namespace' grep -q ready "$folder/other"
ip link add here type veth peer name there
ip link set there netns "$other"
ip address add 10.77.0.1/24 dev here
"${there[@]}" ip address add 10.77.0.2/24 dev there
ip link set lo up
"${there[@]}" ip link set lo up

milliseconds() { echo $(($(date +%s%N) / 1000000)); }

# connections PID: how many open ones a process's namespace has, of the port.
connections() { awk -v port="$(printf ':%04X' "$port")" '$4 == "01" && ($2 ~ port "$" || $3 ~ port "$")' "/proc/$1/net/tcp" | wc -l; }
is_noticed() { (($(connections "$1") == 0)); }
is_connected() { (($(connections "$1") == 1)); }

# Each way to lose a network, and to have it back.
link_down() { ip link set here down; }
link_up() { ip link set here up; "${there[@]}" ip link set there up; }
drop() { iptables -A INPUT -i here -j DROP; "${there[@]}" iptables -A INPUT -i there -j DROP; }
let_through() { iptables -F; "${there[@]}" iptables -F; }

# partition CUT MEND TALKS: one connection, cut; TALKS: bytes are on their way then.
partition() {
    local begin server_at=0 client_at=0 tries=0
    port=$((port + 1))
    rm -f "$folder"/{served,lines,replies}  # whoever waits for a line of them would find the last partition's
    link_up
    "${there[@]}" "$MNET_TOOL" serve "10.77.0.2:$port" --echo --dead-after "${dead_after}s" >"$folder/served" 2>"$folder/served.err" &
    server=$!
    await 'the server listens' grep -q listening "$folder/served"
    mkfifo "$folder/lines"
    "$MNET_TOOL" send "10.77.0.2:$port" --timeout 60s --dead-after "${dead_after}s" <"$folder/lines" >"$folder/replies" 2>"$folder/err" &
    local client=$!
    exec {lines}>"$folder/lines"
    echo before >&"$lines"
    await 'a reply' grep -q before "$folder/replies"
    is_connected "$other" || fail 'one connection is there'
    $1
    begin=$(milliseconds)
    [[ $3 == idle ]] || echo after >&"$lines"
    while ((server_at == 0 || client_at == 0)); do
        ((++tries < 600)) || fail "$1, $3: a dead peer was not noticed: $(cat "$folder/err")"
        if ((server_at == 0)) && is_noticed "$other"; then server_at=$(($(milliseconds) - begin)); fi
        if ((client_at == 0)) && ! kill -0 "$client" 2>/dev/null; then client_at=$(($(milliseconds) - begin)); fi
        read -r -t 0.05 -u "$never" || true
    done
    exec {lines}>&-
    $2
    wait "$client" && fail "$1, $3: the client said nothing of it"
    expect_match "$folder/err" 'the peer was silent for too long'
    kill -TERM "$server"
    wait "$server" || fail "the server exited with $?: $(cat "$folder/served.err")"
    server=
    echo "$1, $3: noticed by the server after $server_at ms, by the client after $client_at ms"
    ((server_at <= noticed_by + slow_machine && client_at <= noticed_by + slow_machine)) ||
        fail "$1, $3: dead_after is $dead_after s, and both ends should know by $noticed_by ms"
}

partition link_down link_up idle
partition link_down link_up talking
if command -v iptables >/dev/null && iptables -L >/dev/null 2>&1; then
    partition drop let_through idle
    partition drop let_through talking
else
    echo 'no packets can be dropped here (iptables): only the link went down'
fi
