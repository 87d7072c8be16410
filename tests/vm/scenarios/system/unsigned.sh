#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A kernel that takes signed modules only. That cannot be undone before the next boot: this scenario is the last.
# shellcheck source=tests/vm/common.sh
. "$(dirname "$0")/../../common.sh"
enforce=/sys/module/module/parameters/sig_enforce

doctor_says() { # PATTERN…
	local said pattern
	said=$(akmctl doctor)
	for pattern; do
		shows "$pattern" <<<"$said" >/dev/null || { echo "$said"; return 1; }
	done
	grep -A1 signature <<<"$said"
}

[ -w "$enforce" ] || exit 77		# this kernel was built without signatures
[ -z "${AKM_IN_VM:-}" ] && exit 77		# a person's own machine is not shut for that
modinfo -F signer "$module" | grep -q . && exit 77
[ ! -e /sys/module/akm ] || need "the module of another scenario goes" within 20 rmmod akm
echo Y >"$enforce"
evidence=2
claim "the unsigned module is refused" refused 'Key was rejected|Required key' insmod "$module"
claim "akmctl doctor names the reason, and the way out" doctor_says 'signature.*module.sig_enforce' 'Sign akm.ko'
claims_done
