#!/usr/bin/env bash
# Every work of `mnet bench` as a quick run: everything sent is delivered, nothing is allocated for each message, each row has its keys. No
# figure is judged here.
# shellcheck source=tests/scripts/tool_support.bash
source "$(dirname "$0")/tool_support.bash"

keys=(work transport engine size_bytes messages delivered bytes elapsed_ns ns_per_message megabytes_per_second ratio_to_plain
    allocations_per_message system_calls_per_message cpu_ns_per_message_sender cpu_ns_per_message_receiver)

# check_latency ROW: percentiles rise, and a message is written when it is due or later. Nothing is judged but that.
check_latency() {
    local key last=1 value
    for key in p50_ns p90_ns p99_ns p999_ns p9999_ns max_ns; do
        value=$(number "$key" "$1")
        ((value >= last)) || fail "$key is below the one before: $1"
        (($(number "service_$key" "$1") <= value)) || fail "service took longer than response: $1"
        last=$value
    done
    # Of never_written only that it is told: a machine that stalls for a second keeps messages from being written in time.
    for key in rate_per_second achieved_per_second behind_max never_written; do number "$key" "$1" >/dev/null; done
}

# check_few_blocks ROW: a reader that this machine does not let run makes the writer queue, in blocks that are made once: a few of them in all.
check_few_blocks() {
    awk -v each="$(number allocations_per_message "$1")" -v messages="$(number messages "$1")" \
        'BEGIN { exit each * messages > 8.5 }' || fail "more than a few blocks were allocated: $1"
}

# check_rows TRANSPORT WORK SIZES...: of the JSON rows in $folder/out, one of ours and one plain for each size.
check_rows() {
    local transport=$1 work=$2 size row name key
    shift 2
    exec {rows}<"$folder/out"
    for size in "$@"; do
        for name in "$work" "plain-$work"; do
            read -r -u "$rows" row || fail "$work has no row '$name' for $size bytes: $(cat "$folder/out")"
            for key in "${keys[@]}"; do [[ $row == *"\"$key\":"* ]] || fail "no $key in $row"; done
            [[ $row == '{'*"\"work\":\"$name\",\"transport\":\"$transport\""*'}' ]] || fail "expected $name over $transport: $row"
            [[ $(number size_bytes "$row") == "$size" ]] || fail "expected $size bytes: $row"
            (($(number messages "$row") > 0)) || fail "nothing was measured: $row"
            [[ $(number delivered "$row") == "$(number messages "$row")" ]] || fail "not all was delivered: $row"
            (($(number bytes "$row") == $(number delivered "$row") * size)) || fail "bytes are not messages by size: $row"
            # In an open loop, and where clients that were idle all write at once, messages pile up when this machine is busy, and need more
            # memory than ever before. So may echoes while the kernel holds sends: a block a client at the most, and never again.
            case $work in
                latency | idle) ;;
                echo) awk -v each="$(number allocations_per_message "$row")" -v messages="$(number messages "$row")" \
                    'BEGIN { exit each * messages > 64.5 }' || fail "more than a block a client was allocated: $row" ;;
                *) [[ $(number allocations_per_message "$row") == 0.0 ]] || fail "something was allocated: $row" ;;
            esac
            if [[ $work == pingpong ]]; then
                for key in p50_ns p99_ns p999_ns max_ns; do (($(number "$key" "$row") > 0)) || fail "no $key: $row"; done
            fi
            if [[ $work == idle ]]; then number bytes_per_client "$row" >/dev/null; fi
            if [[ $work == latency ]]; then check_latency "$row"; fi
        done
        [[ $row == *'"engine":"plain"'*'"ratio_to_plain":1.0,'* ]] || fail "a plain row is measured by itself: $row"
    done
    ! read -r -u "$rows" row || fail "one row too many: $row"
    exec {rows}<&-
}

# check_side_by_side SIZES...: four rows for each size: handed over in place, copied in, over TCP, and the plain program.
check_side_by_side() {
    local size row place
    exec {rows}<"$folder/out"
    for size in "$@"; do
        for place in '"work":"table","transport":"shared_memory","payload":"in_place"' '"work":"table","transport":"shared_memory","payload":"copied"' \
            '"work":"table","transport":"tcp","payload":"copied"' '"work":"plain-table","transport":"tcp"'; do
            read -r -u "$rows" row || fail "no row $place for $size bytes: $(cat "$folder/out")"
            [[ $row == "{$place"* && $row == *"\"size_bytes\":$size,"* ]] || fail "expected $place of $size bytes: $row"
            [[ $(number delivered "$row") == "$(number messages "$row")" ]] || fail "not all was delivered: $row"
            (($(number messages "$row") > 0)) || fail "nothing was measured: $row"
            check_few_blocks "$row"
        done
    done
    ! read -r -u "$rows" row || fail "one row too many: $row"
    exec {rows}<&-
}

# check_tls WORK SIZE WORKS...: rows of these works: ours over TLS, the plain program's without.
check_tls() {
    local own=$1 size=$2 work row transport
    shift 2
    exec {rows}<"$folder/out"
    for work in "$@"; do
        read -r -u "$rows" row || fail "no row '$work': $(cat "$folder/out")"
        case $work in plain-*) transport=tcp ;; openssl-*) transport=memory ;; *) transport=tls ;; esac
        [[ $row == "{\"work\":\"$work\",\"transport\":\"$transport\""* ]] || fail "expected $work over $transport: $row"
        [[ $(number size_bytes "$row") == "$size" ]] || fail "expected $size bytes: $row"
        (($(number messages "$row") > 0)) || fail "nothing was measured: $row"
        [[ $(number delivered "$row") == "$(number messages "$row")" ]] || fail "not all was delivered: $row"
        if [[ $own == stream ]]; then check_few_blocks "$row"; fi
        if [[ $own == stream && $work != plain-* ]]; then number ratio_to_openssl "$row" >/dev/null; fi
    done
    ! read -r -u "$rows" row || fail "one row too many: $row"
    exec {rows}<&-
}

bench() { expect_status 0 "$MNET_TOOL" bench --seconds 0.03 --json "$@"; }

bench table
check_side_by_side 0 8 16 32 64 128 256 512 1024 2048 4096 8192 16384 65536 1048576
bench table --transport tcp
check_rows tcp table 0 8 16 32 64 128 256 512 1024 2048 4096 8192 16384
bench stream --size 7,64,1M
check_rows tcp stream 7 64 1048576
bench stream --size 24,1M --transport shm --payload in_place
expect_match "$folder/out" '"transport":"shared_memory","payload":"in_place".*"size_bytes":24,'
expect_match "$folder/out" '"transport":"shared_memory","payload":"in_place".*"size_bytes":1048576,'
bench pingpong --size 16,1K --transport auto --spin
for size in 16 1024; do
    expect_match "$folder/out" "\"work\":\"pingpong\",\"transport\":\"shared_memory\".*\"size_bytes\":$size,"
    if (($(nproc) < 2)); then continue; fi
    row=$(grep "\"work\":\"memory-pingpong\".*\"size_bytes\":$size," "$folder/out") || fail "no row of memory alone: $(cat "$folder/out")"
    [[ $(number delivered "$row") == "$(number messages "$row")" && $(number allocations_per_message "$row") == 0.0 ]] || fail "$row"
    (($(number p50_ns "$row") > 0)) || fail "no time: $row"
    grep "\"work\":\"pingpong\".*\"size_bytes\":$size,.*\"ratio_to_memory\":" "$folder/out" >/dev/null || fail "no ratio to it: $(cat "$folder/out")"
done
bench stream --size 0,4K --transport unix
check_rows unix stream 0 4096
bench pingpong --size 16
check_rows tcp pingpong 16
bench pingpong --size 0,100K --transport unix --spin
check_rows unix pingpong 0 102400
bench echo --size 64,10K --clients 20 --depth 4
check_rows tcp echo 64 10240
bench echo --size 0 --clients 3 --spin --transport unix
check_rows unix echo 0
bench idle --clients 100
check_rows tcp idle 64

bench latency --rate 2000 --clients 7
check_rows tcp latency 64
expect_status 0 "$MNET_TOOL" bench latency --size 10K --spin --transport unix --seconds 0.1 --json --hgrm "$folder/a.hgrm"
check_rows unix latency 10240
for file in a a.service a.plain a.plain-service; do
    expect_match "$folder/$file.hgrm" '^ +Value +Percentile +TotalCount +1/\(1-Percentile\)$'
    expect_match "$folder/$file.hgrm" '^ +[0-9.]+ 1\.000000000000 +1000$'
done

# With TLS: a server of its own, with certificates of its own; then one that runs already.
bench stream --size 16K --tls
check_tls stream 16384 stream plain-stream openssl-stream
bench pingpong --size 16 --tls
check_tls pingpong 16 pingpong plain-pingpong
bench echo --tls --clients 5
check_tls echo 64 echo plain-echo
bench latency --tls --rate 2000 --clients 3
check_tls latency 64 latency plain-latency
bench idle --tls --clients 10
check_tls idle 64 idle plain-idle
bench table --tls --rounds 1
[[ $(grep -c '"transport":"tls"' "$folder/out") == 13 ]] || fail "13 sizes with TLS were expected: $(cat "$folder/out")"
(cd "$folder" && "$MNET_TOOL" cert ca && "$MNET_TOOL" cert server localhost 127.0.0.1) >/dev/null
start_server tls://localhost:0 --bench --tls-cert "$folder/server.pem" --tls-key "$folder/server.key"
bench stream --size 64 --connect "$address" --tls-ca "$folder/ca.pem"
check_tls stream 64 stream plain-stream openssl-stream
expect_status 3 "$MNET_TOOL" bench stream --connect "$address"
expect_match "$folder/err" 'authority'
stop_server
expect_status 2 "$MNET_TOOL" bench stream --tls --transport unix
expect_status 2 "$MNET_TOOL" bench stream --tls --connect "$address"
expect_status 2 "$MNET_TOOL" bench stream --tls-ca "$folder/ca.pem"

# A rate that no sender keeps is told as such, on stderr and in the row; the figures contain it.
expect_status 0 "$MNET_TOOL" bench latency --rate 10000000 --size 64K --clients 2 --seconds 0.01 --rounds 1 --json
expect_match "$folder/err" 'did not keep the rate: [0-9,]+ of 10,000,000 a second, .* were never written'
expect_match "$folder/out" '"kept_rate":false'

# A server that runs already, as another machine's would.
start_server localhost:0 --bench
bench stream --size 16 --connect "$address"
check_rows tcp stream 16
bench echo --connect "$address" --clients 5
check_rows tcp echo 64
stop_server
expect_match "$folder/server.err" '^mnet: served [0-9]+ clients, .*; nothing was cut$'
(($(wc -l <"$folder/server.err") == 1)) || fail "the server said more than its summary: $(cat "$folder/server.err")"

# Latency for people: percentiles, and bars that keep to the width.
COLUMNS=70 expect_status 0 "$MNET_TOOL" bench latency --seconds 0.05 --rate 2000 --clients 3
expect_match "$folder/out" '^open loop: '
expect_match "$folder/out" '^ +p50 +p90 +p99 +p99.9 +p99.99 +max '
(($(grep -cE '^ +(mnet|plain) response ' "$folder/out") == 2)) || fail "two programs were measured: $(cat "$folder/out")"
expect_match "$folder/out" '\|#+ '
if grep -E '^ +[0-9.]+ [um]?s +\|' "$folder/out" | grep -qE '.{71}'; then fail "wider than 70 columns: $(cat "$folder/out")"; fi

# The table for people: a head with the machine, a line a size.
expect_status 0 "$MNET_TOOL" bench stream --size 16,1K --seconds 0.05
expect_match "$folder/out" 'Linux'
expect_match "$folder/out" '^ +size +messages +delivered '
expect_status 0 "$MNET_TOOL" bench stream --size 16K --seconds 0.05 --tls
expect_match "$folder/out" '^openssl: '
expect_match "$folder/out" ' openssl +ratio '
expect_status 0 "$MNET_TOOL" bench stream --size 16,1K --seconds 0.05
(($(grep -cE '^ +(16 B|1 KiB) ' "$folder/out") == 2)) || fail "two rows were asked for: $(cat "$folder/out")"
