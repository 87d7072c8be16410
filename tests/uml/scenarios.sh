#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# scenarios.sh [plain|debug] [NAME...]: the VM lane's scenarios for the module
# (tests/vm/scenarios/kernel) on User-Mode Linux: at native speed, and with
# "debug" under KASAN, UBSAN, lockdep and object debugging. A complaint of the
# kernel is a failure. Last line: "lane uml: N passed, N failed, N skipped".
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
variant=${1:-plain}
[ $# -eq 0 ] || shift
out=$top/build/uml/$variant
# shellcheck source=tests/lib/lane.sh
. "$top/tests/lib/lane.sh"

kernel=$("$here/build-kernel.sh" "$variant")
"$here/kunit.sh" --build-only "$variant"
ln -sfn "uml/$variant/akm" "$top/build/module-$(<"$kernel/include/config/kernel.release")"
if [ $# -eq 0 ]; then
	for f in "$top"/tests/vm/scenarios/kernel/*.sh; do
		set -- "$@" "$(basename "$f" .sh)"
	done
fi

# Each in a machine of its own: one that crashes does not hide the others.
for name; do
	console=$out/scenario-$name.log
	UML_TIMEOUT=${UML_TIMEOUT:-300} UML_MEM=${UML_MEM:-1024M} "$here/run.sh" "$kernel" \
		"$here/scenario-init.sh" akm_top="$top" akm_run="$name" >"$console" 2>&1 || true
	complaints=$(grep -E -m 3 'BUG:|WARNING:|KASAN|UBSAN|INFO: |Kernel panic|refcount_t:|unregister_netdevice: waiting' \
		"$console" || true)
	verdict=$(sed -n "s/^akm-lane: \(passed\|failed\|skipped\) $name\r*$/\1/p" "$console")
	case $verdict:$complaints in
	passed:) lane_add 1 0 0 ;;
	skipped:) lane_add 0 0 1 ;;
	*)
		lane_add 0 1 0
		echo "${complaints:-$name: ${verdict:-did not end}}"
		grep -E -A8 'FAIL' "$console" | tail -n 40 || tail -n 5 "$console"
		echo "console: $console"
		;;
	esac
	printf '%-8s %s\n' "${verdict:-crashed}" "$name"
done
lane_end uml
