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
long) UML_TIMEOUT=${UML_TIMEOUT:-14400} ;;
*) echo "usage: life.sh short|long [NAME...]" >&2; exit 2 ;;
esac
export LIFE UML_TIMEOUT=${UML_TIMEOUT:-900}
mkdir -p "$top/build/life"
status=0
"$top/tests/uml/scenarios.sh" "${VARIANT:-plain}" "$@" | tee "$top/build/life/out" || status=$?
grep '^         ' "$top/build/life/out" | sed "s/^ */$LIFE: /" >"$top/build/life/figures.txt" || true
exit "$status"
