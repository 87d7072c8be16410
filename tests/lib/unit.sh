#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# unit.sh PROGRAM…: runs cmocka programs, one per processor at a time, then the lane's last line.
# Each gets ten minutes (a loaded machine, a slow TPM) and a scratch directory. VALGRIND=1 runs them under memcheck.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/lane.sh
. "$here/lane.sh"

wrap=()
[ -n "${VALGRIND:-}" ] && wrap=(valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99)
logs=build/lanes/unit
rm -rf "$logs"
mkdir -p "$logs"
scratch=$(mktemp -d)
chmod 711 "$scratch"			# some tests act as another user
trap 'rm -rf "$scratch"' EXIT

count() { # PATTERN FILE: sum of the numbers that cmocka's summary lines give
	sed -nE "s/^\[  $1 \] ([0-9]+) test\(s\).*/\1/p" "$2" | awk '{n += $1} END {print n + 0}'
}

run_program() { # PROGRAM: its result goes to $logs/NAME.count as "PASSED FAILED SKIPPED"
	local name log status passed failed skipped
	name=$(basename "$1")
	log=$logs/$name.log
	mkdir -m 711 "$scratch/$name"
	TMPDIR=$scratch/$name timeout 600 "${wrap[@]}" "$1" >"$log" 2>&1
	status=$?
	passed=$(count 'PASSED ' "$log") failed=$(count 'FAILED ' "$log") skipped=$(count 'SKIPPED' "$log")
	# A crash, a leak or a time-out is a failure even where cmocka had no chance to say so.
	[ "$status" != 0 ] && [ "$failed" = 0 ] && failed=1
	[ "$((passed + failed + skipped))" = 0 ] && failed=1
	echo "$passed $failed $skipped" >"$logs/$name.count"
	if [ "$failed" = 0 ]; then
		echo "ok    $name: $passed passed${skipped:+, $skipped skipped}"
	else
		echo "FAIL  $name: exit status $status, $failed failed"
		grep -v '^\[ RUN' "$log" | tail -n 40 | sed 's/^/      /'
	fi
}

[ $# -gt 0 ] || echo "no unit tests"
for program; do
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
		wait -n
	done
	run_program "$program" &
done
wait
for program; do
	read -r passed failed skipped <"$logs/$(basename "$program").count" || { passed=0 failed=1 skipped=0; }
	lane_add "$passed" "$failed" "$skipped"
done
lane_end unit
