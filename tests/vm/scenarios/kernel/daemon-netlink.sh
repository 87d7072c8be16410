#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The daemon's netlink code against the module itself: devices, members, a generation of 2,500 pairs in several
# messages, events, addresses, and the kernel's refusals by attribute.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

live() {
	"$top/build/userspace/gcc/tests/unit/test_nl_live" >"$scratch/log" 2>&1 || { cat "$scratch/log"; return 1; }
}

claim "the daemon's netlink tests pass on this kernel" live
claim "none of them was skipped" equal "$(grep -c "SKIPPED" "$scratch/log")" 0
