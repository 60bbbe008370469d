# Is every system call of the library in the torture (docs/faults.md)? What it imports is wrapped or can't fail, and each call in its sources was
# come by in one of the scenarios, but for those that are named here with a reason. Prints the places, and the calls made there.
set -euo pipefail
torture=$BUILD_DIR/torture
library=$BUILD_DIR/libmnet.a
command -v nm >/dev/null && command -v addr2line >/dev/null && [[ -x $torture && -f $library ]] || { echo "needs binutils, and a static library"; exit 77; }

wrapped=$(grep -E '^[A-Za-z0-9_]+$' "$SOURCE_DIR/tests/torture/wrapped.txt")

# 1. What the library imports of the C library and of liburing.
cannot_fail='_GLOBAL_OFFSET_TABLE_ _Unwind_Resume __assert_fail __dso_handle __errno_location __gcc_personality_v0 __gxx_personality_v0 __libc_single_threaded __popcountdi2
    __stack_chk_fail __tls_get_addr abort bcmp clock_gettime fprintf fputs freeaddrinfo fwrite getenv geteuid getpid gmtime_r if_indextoname if_nametoindex inet_ntop inet_pton
    io_uring_queue_exit memchr memcmp memcpy memmove memset nanosleep pthread_cond_clockwait pthread_cond_timedwait pthread_mutex_lock pthread_mutex_unlock
    pthread_rwlock_rdlock pthread_rwlock_unlock pthread_rwlock_wrlock
    pthread_self sched_yield secure_getenv sigemptyset stderr strcmp strftime strlen strnlen sysconf timegm
    io_uring_register syscall'  # enabling a ring; futexes of the standard library
imported=$(nm -u --no-demangle "$library" | awk '$1 == "U" { print $2 }' | sort -u |
    grep -vE '^(_Z|__cxa_|__(asan|ubsan|tsan|sanitizer|gcov)|__dynamic_cast|(SSL|X509|X509V3|EVP|BIO|PEM|ERR|OPENSSL|ASN1|BN|RSA|EC|GENERAL|BASIC|d2i|i2d|a2i|OSSL|CRYPTO|TLS|RAND|PKCS|OBJ|NCONF|AUTHORITY|DTLS)_)' |
    grep -vxFf <(nm --defined-only --no-demangle "$library" | awk 'NF == 3 { print $3 }' | sort -u) || true)
failed=0
while IFS= read -r name; do
    grep -qxF "$name" <<<"$wrapped" || grep -qwF -- "$name" <<<"$cannot_fail" ||
        { echo "the library calls $name: wrap it (tests/torture/wrapped.txt, wrapped.cpp), or say in this script that it can't fail"; failed=1; }
done <<<"$imported"
((failed == 0)) || exit 1

# 2. The calls in the sources, and where the scenarios came by. (The thread sanitizer has no place for a process that starts threads and is forked.)
if nm "$library" | grep ' U __tsan_' >/dev/null; then echo 'what is imported is wrapped; the places are looked at in the other builds'; exit 0; fi
readelf -S "$torture" | grep '\.debug_line' >/dev/null || { echo "what is imported is wrapped; the places need a build with line numbers"; exit 0; }
places=$(mktemp)
trap 'rm -f "$places"' EXIT
for scenario in $("$torture" --scenarios); do
    for engine in epoll uring; do "$torture" "$scenario" "$engine" --places >>"$places"; done
done
visited=$(grep -vE '^(OpenSSL|operator new|io_uring: )' "$places" | cut -f 2 | sort -u |
    while read -r address; do printf '%x\n' $((16#$address - 1)); done | addr2line -i -e "$torture" |
    sed -nE 's|.*/(src/[^ ]*:[0-9]+).*|\1|p' | sort -u)
names=$(paste -sd '|' < <(grep -v '^_Z' <<<"$wrapped"))
calls=$(cd "$SOURCE_DIR" && grep -rnE "(^|[^A-Za-z_>.:])(::($names)|io_uring_(submit[a-z_]*|register_buf_ring|queue_init_params)) *\(" src --include='*.cpp' |
    grep -vE '^src/(io/simulated|simulation|allocation_counter)/' | grep -vE '^[^:]*:[0-9]+: *//' | cut -d: -f1,2)
not_on_these_ways='src/mnet/diagnostics.cpp src/tls/cryptography.cpp src/tls/certificate_storage.cpp'  # looking at RSS; the key log; `mnet cert`
while IFS= read -r place; do
    file=${place%%:*}
    grep -qwF -- "$file" <<<"$not_on_these_ways" || grep -qxF "$place" <<<"$visited" || echo "not come by: $place: $(sed -n "${place##*:}p" "$SOURCE_DIR/$file" | sed 's/^ *//')"
done <<<"$calls" >"$places.missed"
trap 'rm -f "$places" "$places.missed"' EXIT
awk -F '\t' '{ calls[$1] += $3; if (!seen[$1 $2]++) places[$1]++ } END { for (name in calls) printf "%-30s %4d places %8d calls\n", name, places[name], calls[name] }' "$places" | sort
echo "$(grep -c . <<<"$calls") calls in the sources, $(grep -c . "$places.missed" || true) of them not come by"
cat "$places.missed"
(($(grep -c . "$places.missed" || true) <= 12)) || exit 1
