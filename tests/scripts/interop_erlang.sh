#!/usr/bin/env bash
# Erlang's gen_tcp with {packet, 4} talks to us: as the client of our server, for each shape of handler, and as the server of our client.
# 10,000 messages of 0 bytes to 100 KiB each way, checked byte by byte. Skipped where there is no Erlang or no tool.
set -euo pipefail

command -v escript >/dev/null && [[ -n ${MNET_TOOL:-} && -x ${MNET_TOOL:-} ]] || exit 77
peer=$SOURCE_DIR/tests/interop/echo_peer.escript
count=10000
folder=$(mktemp -d)
started=()
finish() {
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
    rm -rf "$folder"
}
trap finish EXIT

# first_line FILE PROCESS: what the process in the background printed first into the file.
first_line() {
    until [[ -s $1 && $(wc -l <"$1") -ge 1 ]]; do
        kill -0 "$2" 2>/dev/null || { echo "ended before it said where it listens" >&2; return 1; }
        read -r -t 0.05 <> <(:) || true
    done
    head -n 1 "$1"
}

# tell_where_it_hangs PROCESS PORT: whose queues are full, what each thread waits for, and what the server counted.
tell_where_it_hangs() {
    local thread
    echo "the server's sockets and those of its peer, from /proc/net/tcp (local, remote, state, bytes to send:to read, timers):"
    awk -v port="$(printf ':%04X' "$2")" 'index($2, port) || index($3, port) { print "    " $2, $3, $4, $5, $6, $7 }' /proc/net/tcp
    for thread in "/proc/$1"/task/*; do echo "thread ${thread##*/}: $(<"$thread/wchan") $(grep -E '^State' "$thread/status")"; done
    kill -TERM "$1"
    wait "$1" || true
    cat "$folder/summary"
} >&2

for handler in message coroutine blocking; do
    "$MNET_TOOL" serve 127.0.0.1:0 --echo --handler "$handler" >"$folder/served" 2>"$folder/summary" &
    server=$!
    started+=("$server")
    address=$(first_line "$folder/served" "$server")
    address=${address#listening on }
    if ! told=$(escript "$peer" client 127.0.0.1 "${address##*:}" "$count"); then
        tell_where_it_hangs "$server" "${address##*:}"
        exit 1
    fi
    echo "Erlang, client of a $handler handler: $told"
    kill -TERM "$server"
    wait "$server" || { echo "the server ended with $?" >&2; cat "$folder/summary" >&2; exit 1; }
    : >"$folder/served"
done

escript "$peer" lines "$count" >"$folder/questions"
[[ $(wc -l <"$folder/questions") == "$count" ]]
escript "$peer" server "$count" >"$folder/port" &
server=$!
started+=("$server")
port=$(first_line "$folder/port" "$server")
"$MNET_TOOL" send "127.0.0.1:$port" <"$folder/questions" >"$folder/answers"
cmp "$folder/questions" "$folder/answers"
wait "$server"
echo "Erlang, server of our client: $count answers, every byte as sent"
