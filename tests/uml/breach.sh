#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# breach.sh [NAME...]: the breach attempts (tests/vm/scenarios/system/breach-NAME.sh; all, if none is named) on
# User-Mode Linux, then what came of each: what was recorded at manager and root, what policy did, how
# long it took from the first bad packet until the last member had recovered ("-": nothing had to), and what honest
# members lost of what they sent. Last line: "lane breach: N passed, N failed, N skipped".
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
logs=$top/build/uml/system
if [ $# = 0 ]; then
	for f in "$top"/tests/vm/scenarios/system/breach-*.sh; do
		name=$(basename "$f" .sh)
		set -- "$@" "${name#breach-}"
	done
fi

table() { # NAME…
	local name
	printf '%-48s %-18s %-8s %9s   %s\n' attempt evidence action seconds lost
	for name; do
		sed -n 's/\r$//; s/^breach: //p' "$logs/scenario-breach-$name.log"
	done | while IFS='|' read -r attempt kind action took lost; do
		printf '%-48s %-18s %-8s %9s   %s\n' "$attempt" "$kind" "$action" "$took" "$lost"
	done
}

result=$("$here/scenarios.sh" system "${@/#/breach-}" | tee >(cat >&2) | tail -n 1)
status=$?
table "$@"
echo "${result/#lane system/lane breach}"
exit "$status"
