#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# scenarios.sh [plain|debug|system] [NAME...]: the VM lane's scenarios for the module
# (tests/vm/scenarios/kernel) on User-Mode Linux: at native speed, and with
# "debug" under KASAN, UBSAN, lockdep and object debugging; with "system", those of the
# whole system (tests/vm/scenarios/system), TPMs and daemons. A complaint of the
# kernel is a failure. All scenarios but those of breach.sh, or those named. Runs JOBS of them at once
# (default: one per processor), with the module AKM_MODULE where that is given. With LIFE=short or long, the
# scenarios are those of tests/life. What the environment says of BREACH_... is known to the scenario as well.
#
# A scenario's line "# boot: WORDS" gives its kernel these arguments as well. Where NAME-host stands beside NAME.sh,
# that is run in place of run.sh, with the same arguments: what has to be done from outside the machine.
# Last line: "lane uml: N passed, N failed, N skipped"; "lane system: ...", "lane life: ...".
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
variant=${1:-plain}
[ $# -eq 0 ] || shift
out=$top/build/uml/$variant
lane=uml dir=tests/vm/scenarios/kernel logs=$out mem=1024M
[ "$variant" != system ] || lane=system dir=tests/vm/scenarios/system mem=2048M
[ -z "${LIFE:-}" ] || lane=life dir=tests/life/scenarios logs=$top/build/life/$variant
# As many packets as a machine with the checkers forwards without losing any in a full queue, or a million
packets=1000000
[ "$variant" != debug ] || packets=50000
complaint='BUG:|WARNING:|INFO: |Oops|KASAN|UBSAN|Call Trace|Kernel panic|refcount_t:'
complaint+='|unregister_netdevice: waiting|blocked for more than|DEBUG_LOCKS_WARN'
# shellcheck source=tests/lib/lane.sh
. "$top/tests/lib/lane.sh"

kernel=$("$here/build-kernel.sh" "$variant")
mkdir -p "$out" "$logs"
if [ -z "${AKM_MODULE:-}" ]; then
	"$here/kunit.sh" --build-only "$variant"
	AKM_MODULE=$out/akm/akm.ko
fi
if [ $# -eq 0 ]; then
	for f in "$top/$dir"/*.sh; do
		[[ $f = */breach-* ]] || set -- "$@" "$(basename "$f" .sh)"
	done
fi

explain() { # NAME VERDICT CONSOLE
	grep -E -m 3 "$complaint" "$3" || echo "$1: ${2:-did not end}"
	grep -E -A8 'FAIL' "$3" | tail -n 40 || tail -n 5 "$3"
	echo "console: $3"
}

# Each in a machine of its own: one that crashes does not hide the others. Its outcome goes to NAME.outcome.
run_one() { # NAME
	local name=$1 begin=$SECONDS console=$logs/scenario-$1.log run=$here/run.sh words knobs verdict
	read -ra words < <(sed -n 's/^# boot: //p' "$top/$dir/$name.sh") || true
	mapfile -t knobs < <(env | grep '^BREACH_')
	[ ! -e "$top/$dir/$name-host" ] || run=$top/$dir/$name-host
	UML_TIMEOUT=${UML_TIMEOUT:-900} UML_MEM=${UML_MEM:-$mem} "$run" "$kernel" \
		"$here/scenario-init.sh" akm_top="$top" akm_run="$dir/$name" ${LIFE:+LIFE="$LIFE"} "${words[@]}" "${knobs[@]}" \
		AKM_MODULE="$AKM_MODULE" NONCE_PACKETS="${NONCE_PACKETS:-$packets}" >"$console" 2>&1 || true
	verdict=$(sed -n "s/^akm-lane: \(passed\|failed\|skipped\) $name\r*$/\1/p" "$console")
	if [[ ${verdict:-failed} = failed ]] || grep -qE "$complaint" "$console"; then
		explain "$name" "$verdict" "$console"
		verdict=failed
	fi
	echo "$verdict" >"$logs/scenario-$name.outcome"
	printf '%-8s %s (%d claims, %d s)\n' "$verdict" "$name" "$(grep -c '^  ok ' "$console")" $((SECONDS - begin))
	sed -n 's/^figure: \(.*[^\r]\)\r*$/         \1/p' "$console"
}

for name; do
	rm -f "$logs/scenario-$name.outcome"
	while [ "$(jobs -pr | wc -l)" -ge "${JOBS:-$(nproc)}" ]; do
		wait -n || true
	done
	run_one "$name" &
done
wait
for name; do
	case $(cat "$logs/scenario-$name.outcome" 2>/dev/null) in
	passed) lane_add 1 0 0 ;;
	skipped) lane_add 0 0 1 ;;
	*) lane_add 0 1 0 ;;
	esac
done
lane_end "$lane"
