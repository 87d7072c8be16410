#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# crash.sh PROGRAM: test_roles_crash at every second place, or every CRASH_EVERY-th: its tests at the same time,
# as each waits for reconnections most of its time. How often something died, and how long they took to agree again,
# goes to standard output and build/crash/figures.txt. Last line: "lane crash: N passed, N failed, N skipped".
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/lane.sh
. "$here/lane.sh"
program=$1
out=build/crash
export CRASH_EVERY=${CRASH_EVERY:-2}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
rm -rf "$out"
mkdir -p "$out"

run_one() { # TEST
	mkdir "$scratch/$1"
	TMPDIR=$scratch/$1 timeout 5000 "$program" "$1" >"$out/$1.log" 2>&1
	echo $? >"$out/$1.status"
}

tests=$("$program" --list)
for name in $tests; do
	run_one "$name" &
done
wait
total=0
for name in $tests; do
	figure=$(grep -oE '^[0-9]+ runs, .*' "$out/$name.log")
	if [ "$(cat "$out/$name.status")" = 0 ] && [ -n "$figure" ]; then
		lane_add 1 0 0
	else
		lane_add 0 1 0
		echo "FAIL  $name: exit status $(cat "$out/$name.status")"
		grep -E '^\[ *(  ERROR|FAILED)|ERROR|error: ' "$out/$name.log" | grep -v '^world: ' | head -n 20
	fi
	echo "${name#test_}: ${figure:-no figure}" | tee -a "$out/figures.txt"
	runs=${figure%% *}
	total=$((total + ${runs:-0}))
done
echo "$total runs in all"
lane_end crash
