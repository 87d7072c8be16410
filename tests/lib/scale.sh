#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# scale.sh PROGRAM: test_scale with each of SCALE_SIZES nodes (default: 10 100 1000). Its figures go to standard output
# and build/scale/figures.txt, and build/scale/scale.svg draws them. The databases lie in memory: what a disk's sync takes is not measured.
# Last line: "lane scale: N passed, N failed, N skipped".
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/lib/lane.sh
. "$here/lane.sh"
program=$1
out=build/scale
scratch=$(mktemp -d -p /dev/shm)
trap 'rm -rf "$scratch"' EXIT
rm -rf "$out"
mkdir -p "$out"
for n in ${SCALE_SIZES:-10 100 1000}; do
	if SCALE_NODES=$n TMPDIR=$scratch timeout 900 "$program" >"$out/$n.log" 2>&1; then
		lane_add 1 0 0
	else
		lane_add 0 1 0
		echo "FAIL  $n nodes, see $out/$n.log"
	fi
	sed -n 's/^scale: //p' "$out/$n.log" | tee -a "$out/figures.txt"
done
PYTHONDONTWRITEBYTECODE=1 "$here/../bench/scale.py" "$out/figures.txt" "$out/scale.svg" || lane_add 0 1 0
lane_end scale
