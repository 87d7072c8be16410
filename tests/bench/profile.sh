#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# profile.sh TEST [KIND]: where the processor time of a row of the bench goes, by part and by function, sampled
# with perf(1) (package linux-perf) while tests/bench/bench-init.sh repeats that one row for ROW_SECONDS (default 6).
# TEST and KIND (default akm-aes256gcm) as in bench.sh. tests/bench/bench.sh has to have run before: its builds are used.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
out=${AKM_BENCH_OUT:-$top/build/bench}
test=${1:?"usage: profile.sh TEST [KIND]"} kind=${2:-akm-aes256gcm} seconds=${ROW_SECONDS:-6}

die() {
	echo "profile: $*" >&2
	exit 1
}

command -v perf >/dev/null || die "perf is not installed: apt-get install linux-perf"
[ -e "$out/new/akm.ko" ] || die "nothing is built: make bench"
kernel=$("$top/tests/uml/build-kernel.sh" plain)
data=$out/profile
mkdir -p "$data"
# One row, whose end is that of the machine but for the time that it takes to stop
UML_TIMEOUT=600 UML_MEM=1024M perf record -q -o "$data/perf.data" -e cpu-clock -F 4000 -- "$top/tests/uml/run.sh" "$kernel" \
	"$here/bench-init.sh" akm_top="$top" akm_out="$out" akm_symbols=1 akm_reps=1 akm_slices=1 akm_bytes= \
	akm_ms="$((seconds * 1000))" akm_tests="$test" akm_kinds="$kind" akm_builds=new >"$data/console.log" 2>&1 ||
	die "the machine failed, see $data/console.log"
grep -aq 'akm-bench: end complete' "$data/console.log" || die "the row failed, see $data/console.log"
perf script -i "$data/perf.data" -F time,ip 2>/dev/null | tr -d : >"$data/samples"
nm "$kernel/linux" >"$data/symbols"
exec "$here/profile.py" "$seconds" "$data/console.log" "$data/symbols" "$data/samples"
