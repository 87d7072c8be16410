#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# lane.sh SERIES: scenarios on one of Debian's kernels, each suite in a virtual machine of its own. One scenario
# is one test, but of the story each claim is. A machine that dies fails those that it had not finished. An
# emulated machine is slow, so only VM_FULL=1 runs all of them on each kernel; otherwise those of quick(). The others
# are played on User-Mode Linux (make check-uml, check-system).
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=tests/lib/lane.sh
. "$top/tests/lib/lane.sh"
series=$1

quick() { # SUITE: names, "none", or nothing for all
	[ -z "${VM_FULL:-}" ] || return 0
	case $series-$1 in
	6.1-kernel) echo bad-input basic-ipv6 replay ;;
	6.12-kernel) echo bad-input basic clone fail-closed replay ;;
	6.1-system) echo nonces unsigned ;;
	6.12-system) echo provisioning secrets ;;
	esac
}

told() { # ok|FAIL: how many such claims the story has
	grep -cs "^  $1 " "$out/story.log"
}

run_suite() { # NAME SECONDS
	local suite=$1 names out=$top/build/vm/$series/$1 name want passed=0 failed=0 skipped=0 status=0
	mkdir -p "$out"
	rm -f "$out"/outcome
	read -ra names <<<"$(quick "$suite")"
	[ "${names[0]:-}" != none ] || return 0
	if [ "${#names[@]}" = 0 ]; then
		for want in "$here/scenarios/$suite"/*.sh; do
			names+=("$(basename "$want" .sh)")
		done
	fi
	echo "-- Linux $series, $suite scenarios"
	"$here/run.sh" -t "$2" -o "$out" "$series" "$here/scenarios.sh" "$suite" "${names[@]}" || status=$?
	for name in "${names[@]}"; do
		case $(grep -s " $name " "$out/outcome") in
		*" story "*) passed=$((passed + $(told ok))) failed=$((failed + $(told FAIL))) ;;
		passed*) passed=$((passed + 1)) ;;
		skipped*) skipped=$((skipped + 1)) ;;
		failed*) failed=$((failed + 1)) ;;
		*) failed=$((failed + 1)) && echo "failed   $name: it did not run to its end" ;;
		esac
	done
	# All of them passed, but the machine did not: the kernel complained, or the story broke off.
	[ "$status" != 0 ] && [ "$failed" = 0 ] && failed=1
	lane_add "$passed" "$failed" "$skipped"
}

run_suite kernel 2400
run_suite system 3000
lane_end "vm-$series"
