#!/usr/bin/env bash
# Foreign TLS talks to us, as client and as server: openssl s_client and s_server with framed bytes, Python's ssl, Erlang's ssl with
# {packet, 4}, stunnel before and behind a plain mnet. What is not installed is named and left out; without openssl all of it is skipped.
# shellcheck source=tests/scripts/programs_support.bash
source "$(dirname "$0")/programs_support.bash"

command -v openssl >/dev/null || exit 77
cd "$folder"

"$MNET_TOOL" cert ca >/dev/null
"$MNET_TOOL" cert server localhost 127.0.0.1 >/dev/null
"$MNET_TOOL" cert client alice >/dev/null
frame=$'\\x00\\x00\\x00\\x05hello'

# echo_server OPTIONS...: of ours; sets port.
echo_server() {
    serve "$MNET_TOOL" serve 127.0.0.1:0 --echo "$@" 2>/dev/null
    port=${address##*:}
}

ours() { "$MNET_TOOL" send --tls-ca ca.pem "$@"; }

# until_it_answers COMMAND...: again until it does, for 10 s.
until_it_answers() {
    local count
    for ((count = 0; count < 100; ++count)); do
        "$@" 2>answer.err && return
        read -r -t 0.1 <> <(:) || true
    done
    cat answer.err >&2
    return 1
}

# A port of the system's choice, free again when this returns.
any_port() {
    serve "$MNET_TOOL" serve 127.0.0.1:0 --discard 2>/dev/null
    port=${address##*:}
    ends_with 0 "$started" TERM
}

# --- openssl ---
for version in -tls1_2 -tls1_3; do
    echo_server --tls-cert server.pem --tls-key server.key
    mkfifo "ask$version"
    exec {asking}<>"ask$version"
    start openssl s_client -quiet -verify_return_error -CAfile ca.pem -verify_hostname localhost \
        -connect "127.0.0.1:$port" "$version" <"ask$version" 2>/dev/null
    printf "$frame" >&"$asking"
    answer=$(timeout "$line_timeout" head -c 9 <&"$output" | od -An -c | tr -d ' \n')
    exec {asking}>&-
    [[ $answer == '\0\0\0005hello' ]] || fail "openssl s_client $version got $answer"
done
echo 'openssl s_client: an echo with TLS 1.2 and 1.3'

echo_server --tls-cert server.pem --tls-key server.key
for old in -tls1 -tls1_1; do
    ! timeout 20 openssl s_client -connect "127.0.0.1:$port" "$old" </dev/null >/dev/null 2>&1 || fail "$old was accepted"
done
echo 'openssl s_client: TLS 1.0 and 1.1 are refused'

any_port
mkfifo question
openssl s_server -quiet -accept "127.0.0.1:$port" -cert server.pem -key server.key -naccept 1 <question >question.got 2>/dev/null &
running+=("$!")
exec {answers}>question
printf "$frame" >&"$answers"
got=$(until_it_answers ours "tls://localhost:$port" question) || fail 'openssl s_server did not answer'
exec {answers}>&-
[[ $got == hello ]] || fail "openssl s_server: $got"
[[ $(od -An -c question.got | tr -d ' \n') == '\0\0\0\bquestion' ]] || fail "openssl s_server got $(od -An -c question.got)"
echo 'openssl s_server: it got our frame, and we its own'

# --- Python ---
if command -v python3 >/dev/null && python3 -c 'import ssl' 2>/dev/null; then
    echo_server --tls-cert server.pem --tls-key server.key --tls-client-ca ca.pem
    python3 - "$port" <<'P'
import socket, ssl, struct, sys
context = ssl.create_default_context(cafile="ca.pem")
context.load_cert_chain("client.pem", "client.key")
with context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1]))), server_hostname="localhost") as peer:
    stream = peer.makefile("rb")
    for size in list(range(50)) + [16379, 16380, 16381, 100000, 3000000]:
        message = bytes(index * 7 % 256 for index in range(size))
        peer.sendall(struct.pack(">I", size) + message)
        assert struct.unpack(">I", stream.read(4))[0] == size
        assert stream.read(size) == message, size
print("Python's ssl, client of our server, with a certificate of its own: 55 messages, every byte as sent")
P
else
    echo "without Python's ssl: python3 is not there"
fi

# --- Erlang ---
if command -v erl >/dev/null && erl -noshell -eval 'R = application:ensure_all_started(ssl), halt(case R of {ok, _} -> 0; _ -> 1 end).' >/dev/null 2>&1; then
    echo_server --tls-cert server.pem --tls-key server.key
    erl -noshell -eval "
        {ok, _} = application:ensure_all_started(ssl),
        {ok, Peer} = ssl:connect(\"localhost\", $port, [binary, {packet, 4}, {active, false}, {verify, verify_peer}, {cacertfile, \"ca.pem\"}], 20000),
        lists:foreach(fun(Size) ->
            Message = binary:copy(<<7>>, Size),
            ok = ssl:send(Peer, Message),
            {ok, Message} = ssl:recv(Peer, 0, 20000)
        end, [1, 2, 3, 16380, 16381, 100000, 1000000]),
        ok = ssl:close(Peer), halt(0)." || fail "Erlang's ssl"
    echo "Erlang's ssl with {packet, 4}, client of our server: 7 messages"
else
    echo "without Erlang's ssl: erlang-ssl is not there"
fi

# --- stunnel ---
stunnel=$(command -v stunnel4 || command -v stunnel || true)
if [[ -n $stunnel ]]; then
    echo_server
    plain=$port
    any_port
    printf 'foreground = yes\npid =\n[before]\naccept = 127.0.0.1:%s\nconnect = 127.0.0.1:%s\ncert = server.pem\nkey = server.key\n' "$port" "$plain" >before.conf
    "$stunnel" before.conf 2>/dev/null &
    running+=("$!")
    [[ $(until_it_answers ours "tls://localhost:$port" one two | tr '\n' ' ') == 'one two ' ]] || fail 'stunnel before a plain server'
    echo_server --tls-cert server.pem --tls-key server.key
    secured=$port
    any_port
    printf 'foreground = yes\npid =\n[behind]\nclient = yes\naccept = 127.0.0.1:%s\nconnect = 127.0.0.1:%s\nverifyChain = yes\nCAfile = ca.pem\n' "$port" "$secured" >behind.conf
    "$stunnel" behind.conf 2>/dev/null &
    running+=("$!")
    [[ $(until_it_answers "$MNET_TOOL" send "127.0.0.1:$port" one two | tr '\n' ' ') == 'one two ' ]] || fail 'stunnel for a plain client'
    echo 'stunnel: before a plain server of ours, and for a plain client'
else
    echo 'without stunnel: stunnel4 is not there'
fi

# --- the tool itself: what it says ---
echo_server --tls-cert server.pem --tls-key server.key
! "$MNET_TOOL" send "tls://localhost:$port" hello 2>said || fail 'an unknown authority was believed'
grep -q 'authority' said || fail "not said why: $(cat said)"
[[ $("$MNET_TOOL" send "tls://localhost:$port" --insecure-accept-any-certificate hello 2>said) == hello ]]
grep -q 'any certificate' said || fail 'nobody was warned'
echo 'mnet send: refuses an unknown authority, and says so'
