#!/usr/bin/env bash
# Each program of bench/peers/ that was built does each work for a moment: what was sent is delivered, or a reason is given why the library
# can't; the rows have the keys of `mnet bench`. Then the comparison over a few cells writes rows, report and charts. No figure is judged.
# shellcheck source=tests/scripts/tool_support.bash
source "$(dirname "$0")/tool_support.bash"

shopt -s nullglob
programs=("$BUILD_DIR"/bin/bench_peer_*)
((${#programs[@]})) || { echo 'no peer was built (target mnet_peers): skipped'; exit 77; }

keys=(work transport engine size_bytes messages delivered bytes elapsed_ns ns_per_message megabytes_per_second ratio_to_plain
    allocations_per_message system_calls_per_message cpu_ns_per_message_sender cpu_ns_per_message_receiver)

# check_row NAME WORK: of the row in $folder/out.
check_row() {
    local row key
    row=$(cat "$folder/out")
    [[ $row == '{'*"\"work\":\"$1-$2\""*'}' ]] || fail "$1 $2 printed: $row"
    [[ $row == *'"skipped":"'* ]] && return
    for key in "${keys[@]}"; do [[ $row == *"\"$key\":"* ]] || fail "no $key in $row"; done
    (($(number messages "$row") > 0)) || fail "nothing was measured: $row"
    [[ $(number delivered "$row") == "$(number messages "$row")" ]] || fail "not all was delivered: $row"
    (($(number bytes "$row") == $(number delivered "$row") * $(number size_bytes "$row"))) || fail "bytes are not messages by size: $row"
    measured=$((measured + 1))
}

for program in "${programs[@]}"; do
    name=${program##*bench_peer_}
    if [[ $name == iceoryx ]] && ! command -v iox-roudi >/dev/null; then
        echo 'iceoryx: no iox-roudi in the PATH'
        continue
    fi
    measured=0
    for size in 0 7 16 100K; do
        expect_status 0 "$program" stream --size "$size" --seconds 0.01
        check_row "$name" stream
    done
    for work in 'pingpong --size 16' 'pingpong --size 16 --spin' 'echo --clients 20 --depth 4' 'echo --size 10K --clients 3' 'idle --clients 50'; do
        # shellcheck disable=SC2086  # words
        expect_status 0 "$program" $work --seconds 0.01
        check_row "$name" "${work%% *}"
    done
    ((measured >= 5)) || fail "$name can do next to nothing"
    if [[ $name == asio || $name == nng ]]; then
        for work in 'stream --size 16' 'stream --size 100K' 'pingpong --size 16' 'pingpong --size 16 --spin' 'echo --clients 3'; do
            # shellcheck disable=SC2086  # words
            expect_status 0 "$program" $work --transport tls --seconds 0.01
            check_row "$name" "${work%% *}"
        done
    fi
    expect_status 2 "$program" stream --transport pigeon
done

command -v python3 >/dev/null || { echo 'no python3: the comparison is left out'; exit 0; }
ulimit -Sn "$(ulimit -Hn)"
expect_status 0 python3 -B "$SOURCE_DIR/bench/compare" --programs "$BUILD_DIR/bin" --output "$folder/report" --rounds 2 --seconds 0.01 \
    --only stream-64,pingpong-blocking,echo-64x16,idle-1000,tls-stream-16384,tls-pingpong-16 --peers asio,libuv
rows=("$folder"/report/bench/results/*.jsonl)
((${#rows[@]} == 1)) || fail "one file of rows, not ${#rows[@]}"
for cell in stream-64 pingpong-blocking echo-64x16 idle-1000 tls-stream-16384 tls-pingpong-16; do
    for contender in plain mnet; do
        (($(grep -cE "\"cell\": \"$cell\", \"contender\": \"$contender(-[a-z]+)?\"" "${rows[0]}") >= 2)) || fail "no two rounds of $cell by $contender"
    done
done
report=$folder/report/docs/benchmarks.md
expect_match "$report" '^\*\*Restricted: not the whole comparison\.\*\*$'
for heading in Targets Stream 'Round trip' 'Many clients' Memory TLS 'Left out'; do expect_match "$report" "^## $heading$"; done
expect_match "$report" '^\| 64 x 16 \|( [0-9.,]+ \|)+'
if command -v gnuplot >/dev/null; then
    for chart in stream echo-16 memory; do expect_match "$folder/report/docs/charts/$chart.svg" '</svg>'; done
fi

# A program that fails is told, and the others go on.
mkdir "$folder/programs"
ln -s "$MNET_TOOL" "$folder/programs/mnet"
printf '#!/bin/sh\necho "asio: no luck today" >&2\nexit 1\n' >"$folder/programs/bench_peer_asio"
chmod +x "$folder/programs/bench_peer_asio"
expect_status 1 python3 -B "$SOURCE_DIR/bench/compare" --programs "$folder/programs" --output "$folder/failed" --rounds 1 --seconds 0.01 \
    --only stream-0 --peers asio,libuv
expect_match "$folder/failed/docs/benchmarks.md" '^- Asio: stream-0: asio: no luck today$'
expect_match "$folder/failed/docs/benchmarks.md" '^- libuv: all: not installed$'

# Ctrl-C: what was measured until then, marked.
python3 -B "$SOURCE_DIR/bench/compare" --programs "$BUILD_DIR/bin" --output "$folder/cut" --only stream --peers none --seconds 0.01 \
    >"$folder/out" 2>"$folder/err" &
comparison=$!
mkdir -p "$folder/cut/bench/results"
until grep -qs '"contender"' "$folder"/cut/bench/results/*.jsonl; do kill -0 "$comparison" || fail "it ended by itself: $(cat "$folder/err")"; done
status=0
kill -TERM "$comparison"
wait "$comparison" || status=$?
((status == 130)) || fail "ended with $status: $(cat "$folder/err")"
expect_match "$folder/cut/docs/benchmarks.md" '^\*\*Partial: the run was cut short'
