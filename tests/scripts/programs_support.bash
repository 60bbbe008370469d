# What the tests with several programs side by side add to tool_support.bash: each has its output to be read line by line.
# Sourced by tests/scripts/examples_*.sh and interop_*.sh; not a test itself.
source "$SOURCE_DIR/tests/scripts/tool_support.bash"

running=()
end_programs() {
    kill "${running[@]}" 2>/dev/null || true
    end_all
}
trap end_programs EXIT

# equal WHAT EXPECTED ACTUAL
equal() { [[ $2 == "$3" ]] || fail "$1: expected \"$2\", got \"$3\""; }

# start COMMAND...: in the background; its process is $started, its output is read from the descriptor $output.
start() {
    exec {output}< <(exec "$@")
    started=$!
    running+=("$started")
}

# next_line DESCRIPTOR: the next line that a program prints.
next_line() {
    local line
    IFS= read -r -t "$line_timeout" -u "$1" line || fail "no line within $line_timeout s"
    printf '%s\n' "$line"
}

# serve COMMAND...: starts a server and waits until it says where it listens: $address.
serve() {
    start "$@"
    first_line=$(next_line "$output")
    [[ $first_line == 'listening on '* ]] || fail "$1 said \"$first_line\" instead of where it listens"
    # shellcheck disable=SC2034  # for who sources this
    address=${first_line#listening on }
}

# ends_with STATUS PROCESS SIGNAL: sends the signal and waits for the end.
ends_with() {
    local status=0
    kill -s "$3" "$2"
    wait "$2" || status=$?
    equal "the exit status after SIG$3" "$1" "$status"
}
