#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# life.sh short|long [NAME...]: the lives (tests/life/scenarios) on User-Mode Linux, each with one line of figures,
# which go to build/life/figures.txt as well. A long one may take its time: there is a limit of some hours.
# Last line: "lane life: N passed, N failed, N skipped".
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
LIFE=${1:-short}
[ $# -eq 0 ] || shift
case $LIFE in
short) ;;
long) export UML_TIMEOUT=${UML_TIMEOUT:-14400} UML_MEM=${UML_MEM:-4096M} ;;
*) echo "usage: life.sh short|long [NAME...]" >&2; exit 2 ;;
esac
# The recorder of the nonces sees some thirty million packets: a table of a gigabyte. Each page of a process on User-Mode
# Linux is a mapping of the host's.
maps_needed=1048576 maps=$(cat /proc/sys/vm/max_map_count)
if [ "$LIFE" = long ] && [ "$maps" -lt "$maps_needed" ]; then
	echo "vm.max_map_count is $maps here, the long lives need $maps_needed: sysctl -w vm.max_map_count=$maps_needed" >&2
	exit 1
fi
export LIFE UML_TIMEOUT=${UML_TIMEOUT:-900}
mkdir -p "$top/build/life"
status=0
"$top/tests/uml/scenarios.sh" "${VARIANT:-plain}" "$@" | tee "$top/build/life/out" || status=$?
grep '^         ' "$top/build/life/out" | sed "s/^ */$LIFE: /" >"$top/build/life/figures.txt" || true
exit "$status"
