#!/usr/bin/env bash
# sslscan finds nothing weak in a TLS port of ours, and a lot in one that is weak on purpose: the quick part of ./dev audit.
# shellcheck source=tests/scripts/tool_support.bash
source "$(dirname "$0")/tool_support.bash"

for program in sslscan openssl; do command -v "$program" >/dev/null || { echo "no $program: skipped"; exit 77; }; done
export MNET_TOOL

expect_status 0 "$SOURCE_DIR/scripts/audit_tls" --quick
expect_match "$folder/out" '^control: .* [0-9]+ things are found weak$'
(($(grep -c '^    nothing weak$' "$folder/out") == 2)) || fail "two servers were to be looked at: $(cat "$folder/out")"
expect_match "$folder/out" '^nothing weak was found'
