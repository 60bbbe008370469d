# What the tests of the tool share: a server whose address is read from its first line, and checks that say what went wrong.
# Sourced by tests/scripts/tool_*.sh; not a test itself. Nothing sleeps: each wait is for a line, with a bound that only a hang reaches.
set -euo pipefail

[[ -x ${MNET_TOOL:-} ]] || { echo "MNET_TOOL names no program: skipped"; exit 77; }

folder=$(mktemp -d)
server=  # process id of the server that runs, if any
address= # where it listens
line_timeout=60

fail() { echo "FAILED: $*" >&2; exit 1; }

end_all() {
    if [[ -n $server ]]; then kill -KILL "$server" 2>/dev/null || true; fi
    rm -rf "$folder"
}
trap end_all EXIT

# start_server ARGUMENTS...: `mnet serve ARGUMENTS...`; sets server, address and first_line. Its stderr is in $folder/server.err.
start_server() {
    rm -f "$folder/server.out"
    mkfifo "$folder/server.out"
    "$MNET_TOOL" serve "$@" >"$folder/server.out" 2>"$folder/server.err" &
    server=$!
    exec {server_out}<"$folder/server.out"
    read -r -t "$line_timeout" -u "$server_out" first_line || fail "the server said nothing: $(cat "$folder/server.err")"
    address=${first_line#listening on }
}

# stop_server [SIGNAL]: ends it in order; it must exit with 0.
stop_server() {
    local status=0
    kill "-${1:-TERM}" "$server"
    wait "$server" || status=$?
    server=
    exec {server_out}<&-
    ((status == 0)) || fail "the server exited with $status: $(cat "$folder/server.err")"
}

# expect_status WANTED COMMAND...: its output is in $folder/out and $folder/err.
expect_status() {
    local wanted=$1 status=0
    shift
    "$@" >"$folder/out" 2>"$folder/err" || status=$?
    ((status == wanted)) || fail "$* exited with $status, not $wanted: $(cat "$folder/out" "$folder/err")"
}

# expect_output TEXT: what the last command under expect_status printed to stdout.
expect_output() {
    [[ $(cat "$folder/out") == "$1" ]] || fail "expected '$1', got '$(cat "$folder/out")'"
}

# expect_match FILE REGEX: some line of it matches.
expect_match() { grep -qE -- "$2" "$1" || fail "no line matches '$2' in: $(cat "$1")"; }

# number KEY LINE: the number of that key in a line of JSON.
number() {
    [[ $2 =~ \"$1\":(-?[0-9.e+-]+) ]] || fail "no number \"$1\" in $2"
    echo "${BASH_REMATCH[1]}"
}
