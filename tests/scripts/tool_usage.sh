#!/usr/bin/env bash
# What the tool says about itself, and what it does with a command line that it does not understand: exit code 2, a line that says why.
# shellcheck source=tests/scripts/tool_support.bash
source "$(dirname "$0")/tool_support.bash"

expect_status 0 "$MNET_TOOL" --version
expect_match "$folder/out" '^mnet [0-9]+\.[0-9]+\.[0-9]+$'

expect_status 0 "$MNET_TOOL" --help
expect_match "$folder/out" 'mnet serve --echo'
for command in serve send bench; do
    expect_status 0 "$MNET_TOOL" "$command" --help
    expect_match "$folder/out" "^  mnet $command|\| mnet $command" # an example
done

usage_error() { # usage_error REGEX ARGUMENTS...
    local wanted=$1
    shift
    expect_status 2 "$MNET_TOOL" "$@"
    expect_output ''
    expect_match "$folder/err" "$wanted"
}
usage_error '^mnet: say what to do'
usage_error 'frobnicate' frobnicate
usage_error '^mnet: say what to do' serve
usage_error '^mnet: say what to do' serve localhost:0 --echo --discard
usage_error '--handler.*"fast"' serve --echo --handler fast
usage_error '--frob' serve --echo --frob
usage_error 'longer than --message-bytes-max' serve --reply hello --message-bytes-max 4
usage_error '^mnet: nonsense: .*address' serve nonsense --echo
usage_error 'ADDRESS' send
usage_error '^mnet: localhost: .*address' send localhost text
usage_error '^mnet: localhost:65536: .*address' send localhost:65536 text
usage_error '--count' send localhost:1 text --count 0
usage_error '--size.*"big"' send localhost:1 --size big
usage_error '--timeout.*"soon"' send localhost:1 text --timeout soon
usage_error 'WORK' bench
usage_error '"gallop"' bench gallop
usage_error '--size.*"1,,2"' bench stream --size 1,,2
usage_error '--transport.*"pigeon"' bench stream --transport pigeon
usage_error '--payload.*"pigeon"' bench stream --payload pigeon
usage_error '--payload.*stream and table' bench echo --payload copied
usage_error '--clients' bench echo --clients 0
usage_error '--rate' bench latency --rate 0
usage_error '--rate.*latency' bench echo --rate 100
usage_error '--hgrm.*one --size' bench latency --hgrm file --size 1,2
usage_error '^mnet: nowhere: .*address' bench stream --connect nowhere
