#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# check.sh TARGET…: runs each check target as a lane of its own, goes on after a failure, and ends with
# one line that sums all lanes up. A lane that did not report counts as one failure.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/lane.sh
. "$here/lane.sh"
logs=build/lanes
mkdir -p "$logs"
started=$SECONDS

run_lane() { # TARGET
	local log=$logs/$1.log begin=$SECONDS line
	echo "== $1"
	"${MAKE:-make}" --no-print-directory "$1" 2>&1 | tee "$log"
	local status=${PIPESTATUS[0]}
	line=$(grep -E '^lane [^:]+: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
	if [ -z "$line" ]; then
		echo "FAIL  $1 did not report (exit status $status), see $log"
		lane_add 0 1 0
		return
	fi
	read -r _ _ passed _ failed _ skipped _ <<<"$line"
	[ "$status" != 0 ] && [ "$failed" = 0 ] && failed=1
	lane_add "$passed" "$failed" "$skipped"
	results+=("$(printf '%-16s %5d passed %3d failed %3d skipped %5d s' "$1" "$passed" "$failed" "$skipped" "$((SECONDS - begin))")")
}

results=()
for target; do
	run_lane "$target"
done
echo "== summary, $((SECONDS - started)) s"
printf '%s\n' "${results[@]}"
echo "$lane_passed passed, $lane_failed failed, $lane_skipped skipped"
[ "$lane_failed" = 0 ] && [ "$lane_passed" -gt 0 ]
