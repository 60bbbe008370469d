#!/usr/bin/env bash
# The example simulated_pubsub: its worlds hold, the same seed is the same run, and another one is not.
set -euo pipefail
# shellcheck source=tests/scripts/programs_support.bash
source "$SOURCE_DIR/tests/scripts/programs_support.bash"

simulated=$BUILD_DIR/examples/simulated_pubsub
[[ -x $simulated ]] || exit 77
several=$("$simulated" 20)
[[ $several == '20 worlds, '*' texts arrived as they were published' ]] || fail "it said \"$several\""
equal 'the same seed' "$(MNET_SEED=3 "$simulated")" "$(MNET_SEED=3 "$simulated")"
[[ $(MNET_SEED=3 "$simulated") != "$(MNET_SEED=4 "$simulated")" ]] || fail 'two seeds gave the same run'
