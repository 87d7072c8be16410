#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Netlink requests that are wrong, in every way we could think of, and from someone without privilege: each is
# refused with a reason, and nothing changes. No dump contains a secret (P8).
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

state() { # NODE: all that the kernel shows, but for ages and counters
	on "$1" akmctl -j show akm0 | grep -vE '"(age|last_rx|[rt]x_[a-z_]*)":'
}

group_up "a b"
need "a and b talk" pings a "$(overlay b)"
before=$(state a)
need "the state can be read" test -n "$before"
on a nlbad akm0 >"$scratch/nlbad"
refusals=$?
while read -r line; do
	say "        $line"
done <"$scratch/nlbad"
claim "every bad request is refused, with a reason" equal "$refusals" 0
claim "there were at least 70 of them" at_least "$(grep -c '^ok' "$scratch/nlbad")" 70
claim "nothing changed" equal "$(state a)" "$before"
claim "a and b still talk" pings a "$(overlay b)"

# akmctl refuses on its own account as well, before the kernel is asked.
claim "a chain file of 31 bytes" refused '32|chain' on a sh -c \
	"head -c 31 /dev/urandom >$scratch/short && akmctl generation install akm0 number 2 key-id 2 chain-file $scratch/short"
claim "a chain file that is not there" refused 'no such file' on a akmctl generation install akm0 number 2 key-id 2 chain-file /nowhere
claim "an interface that is not there" refused 'no akm interface|no such|does not exist' on a akmctl dev set akm7 fwmark 1
claim "the same interface a second time" refused 'exist' on a akmctl dev add akm0

key_files a "a b" 1
dump=$scratch/dump
{
	on a akmctl -j show
	on a akmctl show
	on a akmctl -j generation show akm0
	ip -n a -d -s -s link show
	ip -n a -d -j link show
} >"$dump" 2>&1
claim "no dump contains the group chain" not grep -qi "$(cat "$scratch/a-1.chain")" "$dump"
claim "no dump contains the pairwise chain" not grep -qi "$(cut -d' ' -f2 "$scratch/a-1.pairs")" "$dump"
dmesg >"$scratch/dmesg"
claim "nor does the kernel's log" not grep -qi "$(cut -c1-16 "$scratch/a-1.chain")" "$scratch/dmesg"
