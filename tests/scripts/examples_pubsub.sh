#!/usr/bin/env bash
# The example pubsub with three `mnet send` side by side: two that subscribe and stay, one that publishes.
set -euo pipefail
# shellcheck source=tests/scripts/programs_support.bash
source "$SOURCE_DIR/tests/scripts/programs_support.bash"

serve "$BUILD_DIR/examples/pubsub" localhost:0
pubsub=$started

# subscribe NAME: a client that stays, and whose stdin is $folder/NAME.
subscribe() {
    mkfifo "$folder/$1"
    exec {input}<>"$folder/$1"
    start "$MNET_TOOL" send "$address" <"$folder/$1"
}
publish() { "$MNET_TOOL" send "$address" "$@"; }

subscribe ann
ann=$started to_ann=$input from_ann=$output
subscribe bob
bob=$started to_bob=$input from_bob=$output

echo 'sub news' >&"$to_ann"
equal 'the answer to sub' 'subscribed to news' "$(next_line "$from_ann")"
echo 'sub news' >&"$to_bob"
equal 'the answer to sub' 'subscribed to news' "$(next_line "$from_bob")"
echo 'sub weather' >&"$to_bob"
equal 'the answer to a second sub' 'subscribed to weather' "$(next_line "$from_bob")"

equal 'the answers to pub' $'published to 2\npublished to 1\npublished to 0' "$(publish 'pub news it works' 'pub weather rain' 'pub sports -')"
equal 'what ann gets' 'news it works' "$(next_line "$from_ann")"
equal 'what bob gets' 'news it works' "$(next_line "$from_bob")"
equal 'what bob gets next' 'weather rain' "$(next_line "$from_bob")"

# A subscriber may publish, and gets its own.
echo 'pub news from ann' >&"$to_ann"
equal 'the answer to a subscriber' 'published to 2' "$(next_line "$from_ann")"
equal 'what it gets itself' 'news from ann' "$(next_line "$from_ann")"
equal 'what the other gets' 'news from ann' "$(next_line "$from_bob")"

# shellcheck disable=SC2016  # backquotes as they are
equal 'the answer to nonsense' 'error: say `sub TOPIC` or `pub TOPIC TEXT`; a topic is one word' "$(publish nonsense)"
equal 'the answer to a topic of two words' "$(publish nonsense)" "$(publish 'sub two words')"
equal 'the answer to sub alone' 'error: sub needs a topic: sub TOPIC' "$(publish sub)"
equal 'the answer to pub alone' 'error: pub needs a topic and a text: pub TOPIC TEXT' "$(publish pub)"
equal 'the answer to a text that is empty' 'published to 2' "$(publish 'pub news')"
equal 'what ann gets of it' 'news ' "$(next_line "$from_ann")"
equal 'what bob gets of it' 'news ' "$(next_line "$from_bob")"

# Who is gone is dropped, and the others stay. The server sees the end soon, but not before the next publish necessarily.
kill "$bob"
wait "$bob" || true
for ((attempt = 1; attempt <= 1000; ++attempt)); do
    [[ $(publish 'pub news bob left') == 'published to 1' ]] && break
done
((attempt <= 1000)) || fail 'a subscriber that is gone was not dropped'
for (( ; attempt > 0; --attempt)); do equal 'what ann still gets' 'news bob left' "$(next_line "$from_ann")"; done

ends_with 0 "$pubsub" TERM
wait "$ann" || true
