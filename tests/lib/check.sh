#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# check.sh TARGET[+TARGET…]…: runs each check target as a lane of its own, goes on after a failure, and ends
# with one line that sums all lanes up. Targets joined by + run at the same time. A lane that did not report
# counts as one failure.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/lane.sh
. "$here/lane.sh"
logs=build/lanes
mkdir -p "$logs"
started=$SECONDS

run_target() { # TARGET [PREFIX]: its log, status and seconds go to $logs
	local begin=$SECONDS
	"${MAKE:-make}" --no-print-directory "$1" 2>&1 | tee "$logs/$1.log" | sed -u "s/^/${2:-}/"
	echo "${PIPESTATUS[0]} $((SECONDS - begin))" >"$logs/$1.status"
}

run_together() { # TARGET…
	local target
	echo "== $*"
	for target; do
		rm -f "$logs/$target".{log,status}
	done
	if [ $# = 1 ]; then
		run_target "$1"
		return
	fi
	for target; do
		run_target "$target" "${target#check-}: " &
	done
	wait
}

count_target() { # TARGET
	local line passed failed skipped status seconds
	read -r status seconds <"$logs/$1.status" || status=unknown
	line=$(grep -E '^lane [^:]+: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$logs/$1.log" | tail -n 1)
	if [ -z "$line" ]; then
		results+=("$1 did not report (exit status $status), see $logs/$1.log")
		lane_add 0 1 0
		return
	fi
	read -r _ _ passed _ failed _ skipped _ <<<"$line"
	[ "$status" != 0 ] && [ "$failed" = 0 ] && failed=1
	lane_add "$passed" "$failed" "$skipped"
	[ "$failed" = 0 ] || failures+=("$1")
	results+=("$(printf '%-16s %5d passed %3d failed %3d skipped %5d s' "$1" "$passed" "$failed" "$skipped" "$seconds")")
}

# What the lanes said of their failures, again: they may lie thousands of lines above.
repeat_failures() {
	local target
	for target in "${failures[@]}"; do
		echo "== $target, again"
		grep -aE -B 10 -A 40 '^ *(not ok|FAIL|failed)\b' "$logs/$target.log" | tail -n 120
	done
}

results=() failures=()
for group; do
	IFS=+ read -ra targets <<<"$group"
	run_together "${targets[@]}"
	for target in "${targets[@]}"; do
		count_target "$target"
	done
done
repeat_failures
echo "== summary, $((SECONDS - started)) s"
printf '%s\n' "${results[@]}"
echo "$lane_passed passed, $lane_failed failed, $lane_skipped skipped"
[ "$lane_failed" = 0 ] && [ "$lane_passed" -gt 0 ]
