#!/usr/bin/env bash
# The manual page formats without a warning, and it and the completion name every option that `--help` names.
# shellcheck source=tests/scripts/tool_support.bash
source "$(dirname "$0")/tool_support.bash"
page=$SOURCE_DIR/docs/man/mnet.1
completion=$SOURCE_DIR/packaging/completion/mnet

for command in serve send bench; do
    expect_status 0 "$MNET_TOOL" "$command" --help
    mapfile -t options < <(grep -oE '^ +(-h,)?--[a-z-]+' "$folder/out" | grep -oE -- '--[a-z-]+')
    ((${#options[@]} > 3)) || fail "$command has only the options ${options[*]}"
    # shellcheck source=packaging/completion/mnet
    source "$completion"
    COMP_WORDS=(mnet "$command" --) COMP_CWORD=2
    _mnet
    for option in "${options[@]}"; do
        grep -qE "(^|[^-a-z])${option//-/\\\\-}([^-a-z\\\\]|\$)" "$page" || fail "the manual page does not explain $option of mnet $command"
        [[ " ${COMPREPLY[*]} " == *" $option "* ]] || fail "the completion does not know $option of mnet $command"
    done
    for option in "${COMPREPLY[@]}"; do
        [[ " ${options[*]} " == *" $option "* ]] || fail "the completion offers $option, which mnet $command does not know"
    done
done

completes() { # completes WANTED WORDS...
    local wanted=$1
    shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _mnet
    [[ ${COMPREPLY[*]} == "$wanted" ]] || fail "'$*' is completed with '${COMPREPLY[*]}', not '$wanted'"
}
completes 'serve send bench cert --help --version' mnet ''
completes 'serve send' mnet s
completes 'table stream pingpong echo idle latency' mnet bench ''
completes 'ca server client show' mnet cert ''
completes '--json --help' mnet cert show --
completes 'auto off required' mnet send --shared-memory ''
completes 'coroutine' mnet serve --echo --handler c
completes 'tcp unix shm auto' mnet bench stream --transport ''
completes '' mnet send --timeout ''

expect_status 0 "$MNET_TOOL" --version
expect_match "$page" "\"$(cat "$folder/out")\""

if command -v groff >/dev/null; then
    groff -man -ww -z "$page" 2>"$folder/err" || fail "groff: $(cat "$folder/err")"
    [[ ! -s $folder/err ]] || fail "the manual page: $(cat "$folder/err")"
fi
