#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# demo.sh [--shell]: the story, in a virtual machine with Debian's 6.1 kernel, or with NATIVE=1 on this very
# machine. --shell builds the same world, and leaves you in a shell inside it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
out=$top/build/demo
mode=${1:-}
mkdir -p "$out"
rm -rf "$out"/summary.json "$out"/*.pcap "$out"/log

status=0
if [ -n "${NATIVE:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "NATIVE=1 makes network namespaces and loads akm.ko: run it as root." >&2; exit 1; }
	RESULTS=$out bash "$here/story.sh" "$mode" || status=$?
elif [ "$mode" = --shell ]; then
	echo "Booting; ^A x ends the machine."
	exec env MEM="${MEM:-3072}" "$here/run.sh" -i -o "$out" "${DEMO_KERNEL:-6.1}" "$here/story.sh" --shell
else
	echo "Booting Linux ${DEMO_KERNEL:-6.1} in QEMU. Emulated, all of it takes five to ten minutes."
	MEM=${MEM:-3072} "$here/run.sh" -t "${DEMO_TIMEOUT:-1800}" -o "$out" "${DEMO_KERNEL:-6.1}" "$here/story.sh" || status=$?
fi
[ -s "$out/summary.json" ] || { echo "The story did not come to its end (exit status $status)." >&2; exit 1; }
echo "Left behind: build/demo/summary.json, underlay.pcap, management.pcap, log/ (one log for each party)."
exit "$status"
