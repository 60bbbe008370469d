#!/usr/bin/env bash
# --log prints a line for each client that came, was refused, and went; with --json one object a line.
# shellcheck source=tests/scripts/tool_support.bash
source "$(dirname "$0")/tool_support.bash"

time='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z'

start_server localhost:0 --echo --log --shared-memory off
expect_status 0 "$MNET_TOOL" send "$address" hello world --log --shared-memory off
expect_output $'hello\nworld'
expect_match "$folder/err" "^$time client 1, $address, tcp: connected$"
expect_match "$folder/err" "^$time client 1, $address, tcp: closed: the client is closed on this side;.*; 2 messages delivered$"
stop_server
expect_match "$folder/server.err" "^$time client 1, (127\.0\.0\.1|\[::1\]):[0-9]+, tcp: accepted$"
expect_match "$folder/server.err" "^$time client 1, .*, tcp: closed: the peer finished; .*; 2 messages delivered$"
(($(grep -c . "$folder/server.err") == 3)) || fail "more than two events and a summary: $(cat "$folder/server.err")"

start_server localhost:0 --discard --log --json
[[ $first_line =~ ^\{\"listening\":\"([^\"]+)\" ]] || fail "--json says $first_line"
address=${BASH_REMATCH[1]}
expect_status 0 "$MNET_TOOL" send "$address" --no-reply --count 3 hello --log --json --shared-memory off
expect_match "$folder/err" "^\{\"time\":\"$time\",\"event\":\"connected\",\"client\":1,\"address\":\"$address\",\"transport\":\"tcp\"\}$"
expect_match "$folder/err" '"event":"closed",.*"messages_acknowledged":3,"messages_unacknowledged":0,"messages_unsent":0,'
stop_server
expect_match "$folder/server.err" '"event":"accepted","client":1,'
expect_match "$folder/server.err" '"event":"closed","client":1,.*"reason":'

# One too many is refused, and the log says why.
start_server localhost:0 --echo --log --clients-max 1 --shared-memory off
mkfifo "$folder/in" "$folder/replies"
"$MNET_TOOL" send "$address" --shared-memory off <"$folder/in" >"$folder/replies" 2>/dev/null &
sender=$!
exec {lines_in}>"$folder/in" {replies}<"$folder/replies"
echo hello >&"$lines_in"
read -r -t "$line_timeout" -u "$replies" _ || fail 'no reply'
expect_status 1 "$MNET_TOOL" send "$address" hello --shared-memory off
exec {lines_in}>&-
wait "$sender" || fail "exit code $? of the one that was served"
exec {replies}<&-
stop_server
expect_match "$folder/server.err" "^$time (127\.0\.0\.1|\[::1\]):[0-9]+, tcp: refused: the network is full;"
