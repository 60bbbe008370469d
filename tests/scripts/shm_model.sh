#!/usr/bin/env bash
# The model of sleeping and waking (docs/model/wake.pml) has no deadlock, and everything is read in the end; without a fence, or without the
# second look, it has one, so the checker looks where it should. Skipped where there is no spin or no C compiler.
set -euo pipefail

command -v spin >/dev/null && command -v cc >/dev/null || exit 77
model=$SOURCE_DIR/docs/model/wake.pml
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# states FILE: how many the checker went through to its end; fails when it did not get there.
states() {
    ! grep -qE 'max search depth too small|pan: reached|out of memory' "$1" || { cat "$1" >&2; return 1; }
    awk '/states, stored/ { print $1 }' "$1"
}

# check OPTION...: of spin. Both questions; prints the number of errors that each found.
check() {
    spin -a "$@" "$model" >generated
    cc -O2 -w -DSAFETY -DNOCLAIM -o safety pan.c
    cc -O2 -w -DNFAIR=4 -o liveness pan.c
    ./safety -m100000 >safety.out
    ./liveness -a -f -m100000 >liveness.out
    sed -n 's/.*errors: \([0-9]*\).*/\1/p' safety.out liveness.out | paste -s -d ' '
}

for room in 1 2; do
    errors=$(check "-DROOM=$room")
    [[ $errors == '0 0' ]] || { cat safety.out liveness.out >&2; exit 1; }
    echo "room for $room: no deadlock in $(states safety.out) states; all is read in the end, in $(states liveness.out)"
done
for without in NO_FENCE_OF_WISHES NO_FENCE_OF_NEWS NO_SECOND_LOOK; do
    errors=$(check "-D$without")
    [[ $errors == '1 1' ]] || { echo "$without: not noticed ($errors)" >&2; exit 1; }
    echo "$without: someone sleeps for ever, as expected"
done
