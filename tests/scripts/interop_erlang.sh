#!/usr/bin/env bash
# Erlang's gen_tcp with {packet, 4} talks to us: as the client of our server, for each shape of handler, and as the server of our client.
# 10,000 messages of 0 bytes to 100 KiB each way, checked byte by byte. Skipped where there is no Erlang or no tool.
# shellcheck source=tests/scripts/programs_support.bash
source "$(dirname "$0")/programs_support.bash"

command -v escript >/dev/null || exit 77
peer=$SOURCE_DIR/tests/interop/echo_peer.escript
count=10000
cd "$folder"

# tell_where_it_hangs PROCESS PORT: whose queues are full, what each thread waits for, and what the server counted.
tell_where_it_hangs() {
    local thread
    echo "the server's sockets and those of its peer, from /proc/net/tcp (local, remote, state, bytes to send:to read, timers):"
    awk -v port="$(printf ':%04X' "$2")" 'index($2, port) || index($3, port) { print "    " $2, $3, $4, $5, $6, $7 }' /proc/net/tcp
    for thread in "/proc/$1"/task/*; do echo "thread ${thread##*/}: $(<"$thread/wchan") $(grep -E '^State' "$thread/status")"; done
    kill -TERM "$1"
    wait "$1" || true
    cat summary
} >&2

for handler in message coroutine blocking; do
    serve "$MNET_TOOL" serve 127.0.0.1:0 --echo --handler "$handler" 2>summary
    if ! told=$(escript "$peer" client 127.0.0.1 "${address##*:}" "$count"); then
        tell_where_it_hangs "$started" "${address##*:}"
        exit 1
    fi
    echo "Erlang, client of a $handler handler: $told"
    ends_with 0 "$started" TERM
done

escript "$peer" lines "$count" >questions
[[ $(wc -l <questions) == "$count" ]]
start escript "$peer" server "$count"
port=$(next_line "$output")
"$MNET_TOOL" send "127.0.0.1:$port" <questions >answers
cmp questions answers
wait "$started"
echo "Erlang, server of our client: $count answers, every byte as sent"
