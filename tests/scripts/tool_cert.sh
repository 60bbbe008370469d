#!/usr/bin/env bash
# `mnet cert`: what it makes is what OpenSSL's own tool takes for sound, nobody else may read the keys, nothing is overwritten; and its
# options are in the manual page and the completion.
# shellcheck source=tests/scripts/tool_support.bash
source "$(dirname "$0")/tool_support.bash"
page=$SOURCE_DIR/docs/man/mnet.1
cd "$folder"

expect_status 0 "$MNET_TOOL" cert ca
expect_output $'ca.pem\nca.key (keep it to yourself)'
expect_status 0 "$MNET_TOOL" cert server localhost '*.example.org' 127.0.0.1 ::1
expect_status 0 "$MNET_TOOL" cert client 'Alice in Wonderland' --key p384 --days 30 --json
expect_output '{"certificate":"client.pem","key":"client.key"}'
for key in ca server client; do
    [[ $(stat -c %a "$key.key") == 600 ]] || fail "$key.key can be read by others"
done

if command -v openssl >/dev/null; then
    expect_status 0 openssl verify -x509_strict -CAfile ca.pem -purpose sslserver -verify_hostname a.example.org server.pem
    expect_status 0 openssl verify -x509_strict -CAfile ca.pem -purpose sslserver -verify_ip ::1 server.pem
    expect_status 0 openssl verify -x509_strict -CAfile ca.pem -purpose sslclient client.pem
    expect_status 2 openssl verify -x509_strict -CAfile ca.pem -purpose sslclient server.pem
fi

expect_status 0 "$MNET_TOOL" cert show server.pem ca.pem
expect_match out '^server.pem: localhost$'
expect_match out '^  names        localhost, \*\.example\.org, 127\.0\.0\.1, ::1$'
expect_match out '^  good for     server$'
expect_match out '^  signed by    mnet authority$'
expect_match out '^  valid        .*, 82[0-9] days left$'
expect_match out '^  good for     authority$'
expect_match out '^  signed by    itself$'
expect_status 0 "$MNET_TOOL" cert show client.pem --json
expect_match out '^\{"file":"client.pem","subject":"Alice in Wonderland","issuer":"mnet authority","names":\[\],"uses":\["client"\],'
expect_match out '"key":"EC P-384"'
days=$(number days_left "$(cat out)")
((days >= 28 && days <= 30)) || fail "30 days were asked for, and $days are left"

says() { # says STATUS REGEX ARGUMENTS...: fails so, in one line on stderr
    local status=$1 wanted=$2
    shift 2
    expect_status "$status" "$MNET_TOOL" cert "$@"
    expect_output ''
    expect_match err "$wanted"
}
before=$(cat ca.pem ca.key)
says 1 '^mnet: ca.key: File exists; nothing is overwritten' ca
[[ $(cat ca.pem ca.key) == "$before" ]] || fail 'the authority was overwritten'
says 1 '^mnet: missing.pem: No such file.*mnet cert ca.*--ca' server localhost --ca missing
says 1 '^mnet: .*localhost is no authority' server localhost --ca server --out other
says 2 '"two words" is no DNS name and no IP address' server 'two words' --out other
says 2 'NAME' server
says 2 '--days' ca --days 0 --out other
says 2 '--key.*"dsa"' ca --key dsa --out other
says 2 'subcommand' # which one?
says 1 '^mnet: ca.key: holds no certificate' show ca.key
says 1 '^mnet: missing.pem: no such file' show missing.pem
[[ ! -e other.pem && ! -e other.key ]] || fail 'what failed left a file'

for work in ca server client show; do
    expect_status 0 "$MNET_TOOL" cert "$work" --help
    expect_match out "^  mnet cert $work"
    mapfile -t options < <(grep -oE '^ +(-h,)?--[a-z-]+' out | grep -oE -- '--[a-z-]+')
    # shellcheck source=packaging/completion/mnet
    source "$SOURCE_DIR/packaging/completion/mnet"
    COMP_WORDS=(mnet cert "$work" --) COMP_CWORD=3
    _mnet
    for option in "${options[@]}"; do
        grep -qE "(^|[^-a-z])${option//-/\\\\-}([^-a-z\\\\]|\$)" "$page" || fail "the manual page does not explain $option of mnet cert"
        [[ " ${COMPREPLY[*]} " == *" $option "* ]] || fail "the completion does not know $option of mnet cert $work"
    done
done
