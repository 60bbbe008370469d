#!/usr/bin/env bash
# The examples that answer each message: echo in three shapes, the polling loop, the proxy, and the client against them. Each serves until
# a signal, and ends with 0.
set -euo pipefail
# shellcheck source=tests/scripts/programs_support.bash
source "$SOURCE_DIR/tests/scripts/programs_support.bash"
examples=$BUILD_DIR/examples
lines=$folder/lines
awk 'BEGIN { for (number = 0; number < 3000; ++number) { text = text number; print text } }' >"$lines"  # 1 B to 11 KiB, 16 MiB in all

for shape in message coroutine blocking; do
    serve "$examples/echo_$shape" localhost:0
    equal "echo_$shape" $'hello\nworld' "$("$MNET_TOOL" send "$address" hello world)"
    equal "client against echo_$shape" 'pub help' "$("$examples/client" "$address")"
    equal "an empty message to echo_$shape" '' "$("$examples/client" "$address" '')"
    "$MNET_TOOL" send "$address" <"$lines" >"$folder/replies"
    cmp "$folder/replies" "$lines" || fail "echo_$shape changed one of many messages"
    ends_with 0 "$started" TERM
done

serve "$examples/polling_loop" localhost:0
# It counts by itself too: at least what was added.
mapfile -t replies < <("$MNET_TOOL" send "$address" 'add 1000' get what)
equal 'the answer to add' 'added' "${replies[0]}"
((replies[1] >= 1000)) || fail "the counter is at ${replies[1]}"
[[ ${replies[2]} == error:* ]] || fail "the answer to a word that is no command: ${replies[2]}"
ends_with 0 "$started" INT

serve "$examples/echo_message" localhost:0
echo_process=$started echo_address=$address
serve "$examples/proxy" localhost:0 "$echo_address"
equal 'through the proxy' $'one\ntwo' "$("$MNET_TOOL" send "$address" one two)"
ends_with 0 "$echo_process" TERM
equal 'the proxy without its server' 'error: Connection refused' "$("$MNET_TOOL" send "$address" three)"
ends_with 0 "$started" TERM

status=0
message=$("$examples/client" "$address" 2>&1) || status=$?
equal 'the exit status of client without a server' 1 "$status"
equal 'what client says then' "$address: Connection refused" "$message"
