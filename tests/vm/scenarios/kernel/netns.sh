#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Namespaces: the interface moves while its underlay stays where it was made; deletion of interface, namespace
# and underlay under traffic leaves nothing behind.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

flood() { # FROM TO: UDP as fast as it goes, until stopped
	start "$scratch/flood-$1.log" on "$1" ping -q -f -W 1 "$(overlay "$2")"
}

group_up "a b c"
add_namespace inner
need "b's interface moves into another namespace" ip -n b link set akm0 netns inner
need "it gets its addresses there" sh -c "ip -n inner addr add 10.77.0.2/24 dev akm0 && ip -n inner link set akm0 up"
claim "a reaches it there, over b's underlay" pings a "$(overlay b)"
claim "b itself has it no longer" refused 'exist|not found|no such' ip -n b link show akm0
claim "akmctl finds it where it is" on inner akmctl dev show akm0

flood a b
need "traffic flows" within 10 sh -c "[ \$(ip -n inner -s -j link show akm0 | jq '.[0].stats64.rx.packets') -gt 50 ]"
claim "the interface is deleted under traffic" ip -n inner link del akm0
claim "a counts on, b's side is gone" refused 'exist|not found|no such' ip -n inner link show akm0

flood c a
claim "c's namespace is deleted under traffic" ip netns del c
stop "$started"
flood a b
claim "a's underlay is taken away under traffic" ip -n a link del eth0
claim "a's interface is still there" ip -n a link show akm0
claim "a's interface can be deleted" ip -n a link del akm0
