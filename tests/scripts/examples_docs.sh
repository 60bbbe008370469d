#!/usr/bin/env bash
# Do the documents hold what they promise? Each ```cpp block in README.md, CONTRIBUTING.md and docs/ names its file (`<!-- file: NAME -->`) and
# compiles against the public headers, without a warning; each link to a file of the project leads somewhere. (The README's programs are
# also built, linked and run against an installed mnet, by tests/install/run.)
set -euo pipefail
cd "$SOURCE_DIR"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
report() { echo "FAILED: $*" >&2; failed=1; }

blocks=0
while IFS= read -r document; do
    target=$folder/${document%.md}
    scripts/extract_readme "$document" "$target" >"$folder/written"
    marked=$(grep -c '\.cpp$' "$folder/written" || true)
    [[ $marked == "$(grep -c '^```cpp' "$document" || true)" ]] || report "$document: a cpp block without a <!-- file: NAME --> line before it"
    while IFS= read -r program; do
        [[ $program == *.cpp ]] || continue
        blocks=$((blocks + 1))
        "$MNET_CXX" -std=c++23 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -Iinclude -fsyntax-only "$program" ||
            report "$document: ${program##*/} does not compile"
    done <"$folder/written"

    while IFS= read -r link; do
        link=${link%%#*}
        [[ -z $link || $link == *://* || -e $(dirname "$document")/$link ]] || report "$document: a link to $link, that isn't there"
    done < <(grep -oE '\]\([^) ]+\)' "$document" | sed 's/^](//; s/)$//' || true)
done < <(scripts/list_files README.md CONTRIBUTING.md SECURITY.md CHANGELOG.md 'docs/*.md')

((blocks > 0)) || report 'no block was found'
echo "$blocks blocks compiled"
exit "$failed"
