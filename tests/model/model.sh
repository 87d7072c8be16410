#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The model lane: spin searches every state of each model; then each model is broken on purpose, by
# the switches that its text names, and spin must find that out. A wrong model could not fail.
set -uo pipefail
cd "$(dirname "$0")" || exit
here=$PWD
# shellcheck source=tests/lib/lane.sh
. ../lib/lane.sh
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit

search() { # MODEL [SWITCH]: status 0 if the search was complete without an error, 1 if it found one, 2 if it did not run
	local log=$1${2:-}.log
	rm -f pan pan.c
	spin ${2:+"$2"} -a "$here/$1.pml" >"$log" 2>&1 && cc -O2 -w -DSAFETY -DCOLLAPSE -o pan pan.c >>"$log" 2>&1 || return 2
	./pan -m1000000 >>"$log" 2>&1 || return 2
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$log")
	grep -q 'Search not completed' "$log" && ! grep -q 'errors: [1-9]' "$log" && return 2
	! grep -q 'errors: [1-9]' "$log"
}

result() { # OK NAME LOG
	if [ "$1" = 1 ]; then
		lane_add 1 0 0
		echo "ok    $2 ($states states)"
	else
		lane_add 0 1 0
		echo "FAIL  $2"
		sed 's/^/      /' "$3"
	fi
}

for file in "$here"/*.pml; do
	model=$(basename "$file" .pml)
	states=0
	search "$model"
	result $((! $?)) "$model holds" "$model.log"
	while read -r switch; do
		search "$model" "$switch"
		result $(($? == 1)) "$model $switch is noticed" "$model$switch.log"
	done < <(grep -o -e '-DBREAK_[A-Z]*' "$file" | sort -u)
done
lane_end model
