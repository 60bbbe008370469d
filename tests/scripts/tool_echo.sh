#!/usr/bin/env bash
# `mnet serve` and `mnet send` talk to each other: each shape of the handler, each answer, both transports, messages from the command line
# and from stdin.
# shellcheck source=tests/scripts/tool_support.bash
source "$(dirname "$0")/tool_support.bash"

send() { "$MNET_TOOL" send "$address" "$@"; }

for handler in message coroutine blocking; do
    for where in localhost:0 "unix://$folder/socket"; do
        start_server "$where" --echo --handler "$handler"
        expect_status 0 send hello 'two words' '' last
        expect_output $'hello\ntwo words\n\nlast'
        expect_status 0 send --no-reply --size 1K --count 30000 # answers that nobody wants hold nothing up
        expect_output ''
        expect_status 0 send --size 1M --count 20 x
        (($(wc -c <"$folder/out") == 20 * (1048576 + 1))) || fail "20 messages of 1 MiB came back with $(wc -c <"$folder/out") bytes"
        seq 20000 >"$folder/lines"
        send <"$folder/lines" >"$folder/out" || fail "$handler over $where: 20000 lines were not all answered"
        cmp "$folder/lines" "$folder/out" || fail "$handler over $where: the replies differ from the messages"
        stop_server
        [[ ! -e $folder/socket ]] || fail 'the file of the Unix socket is left behind'

        start_server "$where" --reply 'welcome, all' --handler "$handler"
        expect_status 0 send --count 3 knock
        expect_output $'welcome, all\nwelcome, all\nwelcome, all'
        stop_server

        start_server "$where" --discard --handler "$handler"
        expect_status 0 send --no-reply --count 1000 --size 10K
        expect_output ''
        stop_server # perhaps before it has read all that its system had taken for it
        expect_match "$folder/server.err" '^mnet: served 1 clients, received [0-9,]+ messages \([0-9,]+ bytes\), sent 0 messages'
    done
done

start_server localhost:0 --echo --loops 2 --message-bytes-max 1K --clients-max 10
printf 'one\n\nlast without an end' | send >"$folder/out" || fail 'lines of stdin were not all answered'
expect_output $'one\n\nlast without an end'
send </dev/null >"$folder/out" || fail 'no message at all is no failure'
expect_output ''
expect_status 1 send --size 1025
expect_match "$folder/err" "^mnet: $address: .*1 of 1 messages were not answered"

# send_lines ARGUMENTS...: `mnet send ARGUMENTS...` with the lines of descriptor 3. That is a fixed one so that a server which starts meanwhile can
# go without it: it would hold the sender's stdin open.
send_lines() {
    rm -f "$folder"/{lines_in,lines_out,words}
    mkfifo "$folder"/{lines_in,lines_out,words}
    send "$@" <"$folder/lines_in" >"$folder/lines_out" 2>"$folder/words" &
    sender=$!
    exec 3>"$folder/lines_in" {lines_out}<"$folder/lines_out" {words}<"$folder/words"
}
expect_reply() { # TEXT, to the line of that text
    echo "$1" >&3
    read -r -t "$line_timeout" -u "$lines_out" reply || fail "no reply to '$1'"
    [[ $reply == "$1" ]] || fail "got '$reply' for '$1'"
}
expect_words() { # REGEX, of the next line of stderr
    read -r -t "$line_timeout" -u "$words" said || fail "the sender did not say '$1'"
    [[ $said =~ $1 ]] || fail "the sender said '$said', not '$1'"
}
end_lines() { # STATUS
    local status=0
    exec 3>&-
    wait "$sender" || status=$?
    exec {lines_out}<&- {words}<&-
    ((status == $1)) || fail "the sender exited with $status, not $1"
}

# A reply comes while stdin is still open.
send_lines
expect_reply first
expect_reply second
end_lines 0
stop_server

start_server '[::1]:0' --echo --json 2>/dev/null
[[ $first_line =~ ^\{\"listening\":\"(\[::1\]:[0-9]+)\",\"engine\":\"(epoll|uring)\",\"engine_reason\":\".+\",\"local_clients\":\"in\ shared\ memory,\ .+\"\}$ ]] || fail "--json says $first_line"
address=${BASH_REMATCH[1]}
expect_status 0 send --json 'say "hi"' $'\xff'
expect_match "$folder/out" '^\{"reply": "say \\"hi\\""\}$'
expect_match "$folder/out" '^\{"sent":2,"replies":2,"lost":0,"elapsed_ns":[0-9]+,"transport":"shared_memory"\}$'
(($(wc -l <"$folder/out") == 3)) || fail "--json printed $(cat "$folder/out")"
expect_status 0 send --json --shared-memory off hello
expect_match "$folder/out" '"transport":"tcp"\}$'
stop_server
expect_match "$folder/server.err" '^\{"clients":2,.*"messages_received":3,.*"clients_cut":0,'

start_server localhost:0 --echo --shared-memory off
expect_status 3 send --shared-memory required hello
expect_match "$folder/err" "^mnet: $address: .*\(no server of mnet there shares memory\)$"
expect_status 0 send --json hello
expect_match "$folder/out" '"transport":"tcp"\}$'
stop_server

# A server that comes back finds the sender there again.
for shared_memory in auto off; do
    start_server localhost:0 --echo
    send_lines --reconnect --timeout 60s --shared-memory "$shared_memory"
    expect_reply before
    where=$address
    stop_server
    start_server "$where" --echo 3>&-
    expect_reply after
    expect_words "^mnet: $address: the connection was lost, and is there again; 0 messages were not answered$"
    end_lines 0
    stop_server
done

# What was not answered is told, and counted; what comes after the return is answered.
start_server localhost:0 --echo --message-bytes-max 10
send_lines --reconnect --timeout 60s --json
echo 'too long for that server' >&3
expect_words 'is there again; 1 messages were not answered$'
echo short >&3
read -r -t "$line_timeout" -u "$lines_out" reply || fail 'no reply after the return'
[[ $reply == '{"reply": "short"}' ]] || fail "got $reply"
exec 3>&-
read -r -t "$line_timeout" -u "$lines_out" reply || fail 'no summary'
[[ $reply =~ ^'{"sent":2,"replies":1,"lost":1,' ]] || fail "--json sums up $reply"
end_lines 1
stop_server

# One that stays away is waited for as long as for a reply.
start_server localhost:0 --echo
send_lines --reconnect --timeout 2s
expect_reply before
stop_server
echo late >&3
expect_words "^mnet: $address: the connection was lost, and is not there again after 2\.00 s"
end_lines 1
