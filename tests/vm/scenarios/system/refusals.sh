#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What a daemon meets that it cannot work with: each time an error that names the thing and the way out, nothing
# changed, and the traffic of those who are well goes on.
# shellcheck source=tests/vm/world.sh
. "$(dirname "$0")/../../world.sh"
trap scenario_end EXIT

refuses_to_start() { # PARTY PATTERN [AKMD-ARGUMENTS…]: ends by itself, with failure, and its last words match
	local party=$1 pattern=$2 status
	: >"$world/log/$party.log"
	daemon_start "$party"
	within 60 ended "${daemon_pid[$party]}" || { daemon_stop "$party" KILL; echo "it runs"; return 1; }
	wait "${daemon_pid[$party]}"
	status=$?
	[ "$status" != 0 ] || { echo "it ended with status 0"; return 1; }
	tail -n 5 "$world/log/$party.log" | grep -iE -- "$pattern" && return
	tail -n 5 "$world/log/$party.log"
	return 1
}

keep() { # PARTY COPY: of its state, to put back
	rm -rf "$world/kept-$2"
	cp -a "$world/state/$1" "$world/kept-$2"
}

put_back() { # PARTY COPY
	rm -rf "${world:?}/state/$1"
	cp -a "$world/kept-$2" "$world/state/$1"
}

spoil() { # FILE: one byte in its middle
	local size
	size=$(wc -c <"$1")
	printf '\xa5\x5a' | dd of="$1" bs=1 seek=$((size / 2)) conv=notrunc status=none
}

spoil_all() { # DIRECTORY
	local f
	find "$1" -type f -size +64c | while read -r f; do
		spoil "$f"
	done
}

configured() { # PARTY LINE: a line more in its configuration
	cp "$world/conf/$1.conf" "$world/$1.conf"
	echo "$2" >>"$world/conf/$1.conf"
}

with_tpm() { # PARTY DEVICE
	cp "$world/conf/$1.conf" "$world/$1.conf"
	sed -i "s|^tcti = .*|tcti = device:$2|" "$world/conf/$1.conf"
}

as_before() { # PARTY
	cp "$world/$1.conf" "$world/conf/$1.conf"
}

says_event() { # PARTY PATTERN
	akm "$1" events | grep -E "$2"
}

out_of_kernel() { # LETTER: its daemon answers, and says so
	akm "EdgeNode$1" status | grep 'not in kernel'
}

rekey_names() { # PATTERN
	akm MgmtMod atr rekey '#1' | grep -E "$1"
}

cut_off() { # LETTER
	ip -n "EdgeNode$1" link set mgmt0 down
}

link_is() { # LETTER STATE
	equal "$(akm MgmtMod -j node show "EdgeNode$1" | field link)" "$2"
}

fleet_up "A B"
need "ATR #1" atr_create "A B"
need "A reaches B" reaches A B
evidence=1

# The management module cannot reach a node.
claim "a direct connection that is not there" refused 'nowhere' \
	akm MgmtMod node provision EdgeNodeC via "serial:$world/serial/nowhere"
claim "nobody of that name was recorded" refused 'EdgeNodeC' akm MgmtMod node show EdgeNodeC
claim "a node that was never provisioned" refused 'EdgeNodeC' akm MgmtMod atr add '#1' EdgeNodeC
cut_off B
claim "a node that cannot be reached is shown as such" within 60 link_is B down
claim "the traffic of both goes on" reaches A B
claim "a rekey says whom it did not reach" rekey_names 'EdgeNodeB.*absent'
ip -n EdgeNodeB link set mgmt0 up
need "B is linked again" within 60 node_linked B
claim "and gets the new generation" within 60 reaches A B

# A node's own things are not what they were.
daemon_stop EdgeNodeA
keep EdgeNodeA first
configured EdgeNodeA "colour = red"
claim "an unknown key in the configuration" refuses_to_start EdgeNodeA 'EdgeNodeA.conf:[0-9]+.*colour'
as_before EdgeNodeA
with_tpm EdgeNodeA /dev/tpmrm99
claim "no TPM" refuses_to_start EdgeNodeA 'tpmrm99'
as_before EdgeNodeA
with_tpm EdgeNodeA "$world/tpm/EdgeNodeB"
claim "another node's TPM" refuses_to_start EdgeNodeA 'another TPM.*provision again'
as_before EdgeNodeA
spoil_all "$world/state/EdgeNodeA/sealed"
claim "a damaged sealed store" refuses_to_start EdgeNodeA 'sealed.*provision'
put_back EdgeNodeA first
spoil "$world/state/EdgeNodeA/provision"
claim "a damaged provisioning record" refuses_to_start EdgeNodeA 'provision'
put_back EdgeNodeA first
claim "all the while, A's kernel talks on" reaches A B
need "A is back, with its own state: nothing was changed" daemon_up EdgeNodeA

# Somebody else meddles with a daemon that runs.
sed "s|^socket = .*|socket = /run/akm/second.sock|" "$world/conf/EdgeNodeA.conf" >"$world/second.conf"
claim "a second daemon on the same state directory" refused 'another akmd running' \
	ip netns exec EdgeNodeA timeout 60 akmd --config "$world/second.conf"
claim "the first one runs on" daemon_serves EdgeNodeA
claim "a user who may not talk to the daemon" refused 'open to root and the daemon.s user only' \
	env AKM_SOCKET=/run/akm/EdgeNodeA.sock setpriv --reuid=65534 --regid=65534 --clear-groups akmctl status
need "A is linked" within 60 node_linked A
need "a rekey moves the sealed store on" akm MgmtMod atr rekey '#1'
daemon_stop EdgeNodeA
keep EdgeNodeA second
put_back EdgeNodeA first
claim "an old copy of the sealed store" refuses_to_start EdgeNodeA 'older.*provision'
put_back EdgeNodeA second
need "A is back" daemon_up EdgeNodeA

# The management module's own things
daemon_stop MgmtMod
keep MgmtMod first
spoil_all "$world/state/MgmtMod/sealed"
claim "the management module's damaged sealed store" refuses_to_start MgmtMod 'sealed.*provision'
put_back MgmtMod first
for f in "$world"/state/MgmtMod/akm.db*; do
	head -c 4096 /dev/urandom | dd of="$f" bs=1 conv=notrunc status=none
done
claim "its damaged database" refuses_to_start MgmtMod 'akm.db.*backup'
put_back MgmtMod first

# The module is taken away under daemons that run, and loaded again; the management module is still away.
before=$(incarnation A)
need "akm.ko is removed" rmmod akm
claim "A's daemon says so, and the way out" within 60 says_event EdgeNodeA 'module akm was removed.*modprobe akm'
claim "its status says that nothing is in the kernel" out_of_kernel A
daemon_stop EdgeNodeB
claim "a daemon does not start without it" refuses_to_start EdgeNodeB 'akm is not loaded.*modprobe akm.*doctor'
need "akm.ko is loaded again" load_module
need "B is back" daemon_up EdgeNodeB
claim "A's interface is back, by itself" within 60 has_akm1 A
claim "under a higher incarnation: no nonce can come twice" grown "$before" "$(incarnation A)"
claim "A reaches B" within 60 reaches A B
before=$(incarnation A)
ip -n EdgeNodeA link del akm1
claim "an interface that somebody deleted is back, by itself" within 60 has_akm1 A
claim "under a higher incarnation" grown "$before" "$(incarnation A)"
claim "A reaches B" within 60 reaches A B
need "the management module is back" daemon_up MgmtMod
claim "and hears what happened" within 60 says_event MgmtMod 'EdgeNodeA module.*removed'
evidence=0
