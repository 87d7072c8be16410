#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two holders of one node's keys and incarnation are noticed by whoever hears both: the number comes twice, with
# another tag. What the network itself sends twice is no clone.
# What it must notice: tests/kunit/mutants.txt, "scenario clone".
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

group_up "a b"
start "$scratch/events" on b akmctl -j monitor
capture_start "$scratch/wire.pcap" wire br0
watcher=$capture
need "a talks to b" pings a "$(overlay b)"

need "the wire to b doubles every packet" tc -n wire qdisc add dev port-b root netem duplicate 100%
need "a sends 500 packets, which b gets twice" on a ping -q -f -c 500 -W 5 "$(overlay b)"
claim "b saw the duplicates" within 10 counter_at_least b rx_replay 400
claim "and took none for a clone's" equal "$(counter b rx_clone)" 0
need "the wire is as it was" tc -n wire qdisc del dev port-b root
capture_stop "$watcher"
need "x sends what it has recorded again" on x inject -d 192.0.2.2 -n 300 replay eth0 "$scratch/wire.pcap"
# Not "flip": what has the tag of the original is not decrypted at all.
need "and forgeries with numbers that were used" on x inject -d 192.0.2.2 -n 300 tag eth0 "$scratch/wire.pcap"
claim "b notices forgeries" within 10 counter_at_least b rx_auth_fail 10
claim "no clone" equal "$(counter b rx_clone)" 0

need "x becomes a second a" twin_up
on x ping -q -c 5 -i 0.1 -W 1 "$(overlay b)" >"$scratch/twin.log" 2>&1
claim "b knows that there are two" within 10 counter_at_least b rx_clone 1
claim "b says so" within 10 says '"type": *"clone"' "$scratch/events"
claim "and whose keys they are" says '"member": *1' "$scratch/events"
claim "a still talks to b" pings a "$(overlay b)"
