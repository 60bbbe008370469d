#!/usr/bin/env bash
# What goes wrong outside gets one line, `mnet: ADDRESS: reason`, and an exit code: 1 lost, 3 could not listen or connect.
# shellcheck source=tests/scripts/tool_support.bash
source "$(dirname "$0")/tool_support.bash"

start_server 127.0.0.1:0 --discard
expect_status 3 "$MNET_TOOL" serve "$address" --echo
expect_match "$folder/err" "^mnet: $address: address already in use$"
expect_output ''

# Nobody answers: the time is up.
expect_status 1 "$MNET_TOOL" send "$address" one two --timeout 500ms --shared-memory off
expect_match "$folder/err" "^mnet: $address: no reply for 500 ms; 2 of 2 messages were not answered$"
expect_status 1 "$MNET_TOOL" send "$address" one --timeout 2.0 --json
expect_match "$folder/out" '^\{"sent":1,"replies":0,"lost":1,"elapsed_ns":[0-9]+,"transport":"shared_memory"\}$'

# The server goes while a reply is awaited.
mkfifo "$folder/lines_in"
"$MNET_TOOL" send "$address" <"$folder/lines_in" >"$folder/out" 2>"$folder/err" &
sender=$!
exec {lines_in}>"$folder/lines_in"
echo hello >&"$lines_in"
# The message is there when the server says so at its end; so is its sender, who waits.
gone=$address
kill -TERM "$server"
wait "$server" || fail "exit code $? of the server"
server=
status=0
wait "$sender" || status=$?
((status == 1 || status == 3)) || fail "exit code $status of a sender whose server went"
expect_match "$folder/err" "^mnet: $gone: "
exec {lines_in}>&-

# Now nobody listens there.
expect_status 3 "$MNET_TOOL" send "$gone" text
expect_match "$folder/err" "^mnet: $gone: connection refused$"
expect_status 3 "$MNET_TOOL" bench stream --connect "$gone"
expect_match "$folder/err" "^mnet: $gone: connection refused$"
expect_status 3 "$MNET_TOOL" send "unix://$folder/nobody" text
expect_match "$folder/err" "^mnet: unix://$folder/nobody: no such file or directory$"
expect_status 3 "$MNET_TOOL" send no-such-host.invalid:5050 text
expect_match "$folder/err" '^mnet: no-such-host.invalid:5050: '
expect_status 3 "$MNET_TOOL" serve no-such-host.invalid:5050 --echo
expect_match "$folder/err" '^mnet: no-such-host.invalid:5050: '

# An echo server is no benchmark's.
start_server localhost:0 --echo
expect_status 3 "$MNET_TOOL" bench stream --connect "$address"
expect_match "$folder/err" "^mnet: $address: this is no .mnet serve --bench.$"
stop_server
