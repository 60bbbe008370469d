#!/usr/bin/env bash
# Says whether the compiler in use destroys temporaries of a co_await expression twice, by running tests/compiler/co_await_temporaries.cpp.
# Fails only where a form that the library relies on is broken: a trivially destructible aggregate, and one that was named before.
set -euo pipefail

[[ -n ${MNET_CXX:-} && -x $(command -v "$MNET_CXX") ]] || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$MNET_CXX" -std=c++23 -o "$folder/reproducer" "$SOURCE_DIR/tests/compiler/co_await_temporaries.cpp"
"$MNET_CXX" --version | head -n 1
found=$("$folder/reproducer")
echo "$found"
if grep -q 'DESTROYED TWICE' <<<"$found"; then
    echo 'this compiler has the bug: name options before a co_await, as docs/adr/0003 says'
else
    echo 'this compiler does not have the bug'
fi
! grep -E '^(aggregate that is trivially|aggregate that was named|class)' <<<"$found" | grep -qv 'destroyed once'
