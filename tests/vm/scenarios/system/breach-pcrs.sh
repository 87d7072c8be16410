#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A node is started with something else than it was provisioned with: its TPM says so, a rule of the policy takes it out
# of its ATR, and after somebody has accepted what it runs it comes back. An ordinary reboot is nothing.
# shellcheck source=tests/vm/breach.sh
. "$(dirname "$0")/../../breach.sh"

manager_policy() { # a file, with a rule that answers, and a program that is told
	mkdir -p "$world/hooks"
	cat >"$world/hooks/tell" <<-'EOF'
		#!/bin/sh
		exec grep -o '"subject":"[A-Za-z]*"'
	EOF
	chmod 755 "$world" "$world/hooks" "$world/hooks/tell"
	cat >"$world/conf/policy" <<-EOF
		rule boot
			when pcr-changed,quote-bad rate 1/600 scope member
			then quarantine
			hook tell
	EOF
	echo "file = $world/conf/policy"
	echo "hooks = $world/hooks"
}

attests() { # LETTER STATE
	equal "$(akm MgmtMod -j node show "EdgeNode$1" | field attestation)" "$2"
}

measured() { # LETTER
	akm MgmtMod -j node show "EdgeNode$1" | field pcrs_measured
}

complaints() {
	equal "$(events_of 'pcr-changed|quote-bad|quote-missed')" "$1"
}

# What firmware does with a boot loader: here another one than before
measures_something_else() { # LETTER
	tpm2_pcrextend -T "device:$world/tpm/EdgeNode$1" "4:sha256=$(printf '%064d' 4)"
}

listed() { # LETTER: at the manager, as a member of the ATR
	akm MgmtMod -j atr show '#1' | jq -r '.members[].name' | grep -x "EdgeNode$1"
}

remedy() { # PATTERN
	akm MgmtMod status | grep -A1 -E -- "$1"
}

breach_up "A B C D"
for n in $members; do
	claim "the TPM of $n says what it said at provisioning" within 60 attests "$n" good
done
need "everybody is at one generation" within 30 now_at

talk reboot AB BC
need "D is rebooted" node_power_cycle D
claim "its TPM tells of that" recorded tpm-reset EdgeNodeD
claim "and of nothing else" within 60 attests D good
claim "nobody complains" complaints 0
claim "D is a member as before" within 60 all_at "$now"
claim "nothing was lost between members" talked_losslessly reboot
row "none: a node is rebooted" tpm-reset none

talk boot AB BC
node_power_off D TERM
need "D's TPM is on again" tpm_start EdgeNodeD
need "something else is started there, and measured" measures_something_else D
began=$(now_ms)
daemon_start EdgeNodeD
members="A B C"
evidence=1 claim "manager and root know" recorded pcr-changed 'EdgeNodeD runs something else: sha256:0,2,4,7 is'
claim "everybody else moves to a new generation" within 60 recovered_past "$now"
took_from "$began" "$recovered_at"
evidence=1 claim "the policy took D out" recorded atr-remove 'EdgeNodeD was removed'
claim "a program was told whom it concerns" recorded hook 'tell ended well .*"EdgeNodeD"'
claim "D is no member any more" not listed D
claim "D has no interface any more" within 60 not has_akm1 D
claim "the manager says what to do" remedy 'EdgeNodeD: it was started with other firmware'
claim "nothing was lost between members" talked_losslessly boot
row "a node booted into other PCRs" pcr-changed quarantine

claim "what was not measured is not accepted" \
	refused 'is not what EdgeNodeD last measured' akm MgmtMod node accept-pcrs EdgeNodeD digest "$(printf '%064d' 7)"
need "somebody accepts what D runs" akm MgmtMod node accept-pcrs EdgeNodeD digest "$(measured D)"
evidence=1 claim "manager and root know who" recorded pcrs-accepted 'by uid 0'
claim "D is well" attests D good
need "D is a member again" akm MgmtMod atr add '#1' EdgeNodeD
members="A B C D"
claim "D reaches A" within 60 reaches D A
need "everybody is at one generation" within 60 now_at
before=$(events_of pcr-changed)
daemon_stop MgmtMod
need "the manager is started again" daemon_up MgmtMod
claim "it knows what is good" within 90 attests D good
claim "and complains of nothing more" equal "$(events_of pcr-changed)" "$before"
claim "all have stayed where they were" within 60 all_at "$now"
