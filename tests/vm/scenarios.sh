#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# scenarios.sh kernel|system [NAME…]: runs scenarios one after the other in this machine; all, if none is
# named. By hand: tests/vm/run.sh 6.1 tests/vm/scenarios.sh kernel replay
# Writes "passed|failed|skipped NAME SECONDS" lines to $RESULTS/outcome and each one's output to
# $RESULTS/NAME.log. A scenario that exits with 77 skips itself.
set -u
here=$(cd "$(dirname "$0")" && pwd)
suite=$1
shift
limit=${SCENARIO_TIMEOUT:-1500}
results=${RESULTS:?set RESULTS to a directory}
: >"$results/outcome"

names() {
	local f
	for f in "$here/scenarios/$suite"/*.sh; do
		basename "$f" .sh
	done
}

run_one() { # NAME
	local begin=$SECONDS outcome=passed status
	timeout -k 20 "$limit" bash "$here/scenarios/$suite/$1.sh" >"$results/$1.log" 2>&1
	status=$?
	case $status in
	0) ;;
	77) outcome=skipped ;;
	*)
		outcome=failed
		grep -vE '^  ok ' "$results/$1.log" | tail -n 40 | sed 's/^/    /'
		[ "$status" = 124 ] && echo "    not finished within $limit s; got as far as: $(tail -n 1 "$results/$1.log")"
		;;
	esac
	echo "$outcome $1 $((SECONDS - begin))" >>"$results/outcome"
	printf '%-8s %s (%d claims, %d s)\n' "$outcome" "$1" "$(grep -c '^  ok ' "$results/$1.log")" "$((SECONDS - begin))"
	[ "$outcome" != failed ]
}

if [ $# = 0 ]; then
	mapfile -t all < <(names)
	set -- "${all[@]}"
fi
failures=0
for name; do
	run_one "$name" || failures=$((failures + 1))
done
[ "$failures" = 0 ]
