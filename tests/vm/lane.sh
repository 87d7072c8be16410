#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# lane.sh SERIES: every scenario on one of Debian's kernels, each suite in a virtual machine of its own.
# One scenario is one test. A machine that dies fails those that it had not finished.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=tests/lib/lane.sh
. "$top/tests/lib/lane.sh"
series=$1

run_suite() { # NAME SECONDS
	local suite=$1 out=$top/build/vm/$series/$1 name want passed=0 failed=0 skipped=0 status=0
	mkdir -p "$out"
	rm -f "$out"/outcome
	echo "-- Linux $series, $suite scenarios"
	"$here/run.sh" -t "$2" -o "$out" "$series" "$here/scenarios.sh" "$suite" || status=$?
	for want in "$here/scenarios/$suite"/*.sh; do
		name=$(basename "$want" .sh)
		case $(grep -s " $name " "$out/outcome") in
		passed*) passed=$((passed + 1)) ;;
		skipped*) skipped=$((skipped + 1)) ;;
		failed*) failed=$((failed + 1)) ;;
		*) failed=$((failed + 1)) && echo "failed   $name: it did not run to its end" ;;
		esac
	done
	# All scenarios passed, but the machine did not: the kernel complained.
	[ "$status" != 0 ] && [ "$failed" = 0 ] && failed=1
	lane_add "$passed" "$failed" "$skipped"
}

run_suite kernel 900
run_suite system 1200
lane_end "vm-$series"
