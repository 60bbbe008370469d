#!/usr/bin/env bash
# SIGINT and SIGTERM end a server in order, with and without clients, and a benchmark together with its server.
# shellcheck source=tests/scripts/tool_support.bash
source "$(dirname "$0")/tool_support.bash"

for signal in INT TERM; do
    start_server localhost:0 --echo
    stop_server "$signal"
    expect_match "$folder/server.err" '^mnet: served 0 clients, received 0 messages \(0 bytes\), sent 0 messages \(0 bytes\); nothing was cut$'
done

# A client that is connected and silent doesn't hold up the end, whatever the handler.
for handler in message coroutine blocking; do
    start_server localhost:0 --echo --handler "$handler"
    rm -f "$folder/in" "$folder/replies"
    mkfifo "$folder/in" "$folder/replies"
    "$MNET_TOOL" send "$address" <"$folder/in" >"$folder/replies" 2>"$folder/err" &
    sender=$!
    exec {lines_in}>"$folder/in" {replies}<"$folder/replies"
    echo hello >&"$lines_in"
    read -r -t "$line_timeout" -u "$replies" _ || fail 'no reply'
    stop_server
    expect_match "$folder/server.err" '^mnet: served 1 clients, received 1 messages \(5 bytes\), sent 1 messages \(5 bytes\); nothing was cut$'
    status=0
    wait "$sender" || status=$?
    ((status == 1)) || fail "exit code $status of a client whose server ended before its stdin did"
    exec {lines_in}>&- {replies}<&-
done

# A benchmark that is interrupted takes its server with it. The server's stdout is the benchmark's pipe, so its end can't be seen from here;
# its process group can: it is its own, and the benchmark's child.
interrupted() { # interrupted SIGNAL STATUS
    rm -f "$folder/rows"
    mkfifo "$folder/rows"
    # A shell that is not interactive starts background programs with SIGINT ignored; the tool sets its own handler.
    "$MNET_TOOL" bench stream --size 0,16,64,256,1024 --seconds 0.2 --json >"$folder/rows" 2>"$folder/err" &
    local bench=$! status=0 child
    exec {rows}<"$folder/rows"
    read -r -t "$line_timeout" -u "$rows" _ || fail "no row: $(cat "$folder/err")"
    child=$(cat "/proc/$bench/task/$bench/children" 2>/dev/null || true)
    kill "-$1" "$bench"
    wait "$bench" || status=$?
    ((status == $2)) || fail "exit code $status after SIG$1"
    exec {rows}<&-
    for process in $child; do
        [[ ! -e /proc/$process ]] || fail "the server process is left after SIG$1"
    done
}
interrupted INT 130
interrupted TERM 143
