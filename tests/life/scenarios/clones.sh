#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A million packets that the network delivers twice (short: 20,000) raise no alarm; then a second sender that has
# copied a running node's secrets does.
# What it must notice: tests/kunit/mutants.txt, "life clones".
# boot: time-travel=inf-cpu
# shellcheck source=tests/life/lib.sh
. "$(dirname "$0")/../lib.sh"
packets=$(pick 20000 1000000)

group_up "a b"
need "b's events are watched" monitor_start b "$scratch/events"
need "the wire to b doubles every packet" tc -n wire qdisc add dev port-b root netem limit 100000 duplicate 100%
before=$(counter b rx_packets)
claim "a sends $packets packets" on a storm "$packets" "$(overlay b)" 9
heard=$(($(counter b rx_packets) - before)) twice=$(counter b rx_replay)
claim "b hears them" at_least "$heard" "$packets"
claim "and each of them again" at_least "$twice" "$packets"
alarms=$(counter b rx_clone)
claim "none is a clone's" equal "$alarms" 0
claim "nor reported as one" not says '"type": *"clone"' "$scratch/events"
need "the wire is as it was" tc -n wire qdisc del dev port-b root
need "x becomes a second a" twin_up
# Its numbers start at 0: as long as they are far behind a's, its packets are refused as repeated ones.
claim "x sends nearly as much as a did" on x storm $((packets - 1000)) "$(overlay b)" 9
claim "b delivers nothing of it" equal "$(counter b rx_packets)" $((before + heard))
doze 5		# b opens some of what was refused to see what it is, at a limited rate
on x ping -q -c 5 -i 0.1 -W 1 "$(overlay b)" >"$scratch/twin.log" 2>&1
found=$(counter b rx_clone)
figure "clones: $twice duplicates by the network, $alarms alarms; $(grep -c '"type": *"clone"' "$scratch/events")" \
	"reports and $found packets noticed of the 5 that a twin sends from where a is"
claim "b knows that there are two" at_least "$found" 1
claim "b says so" within 10 says '"type": *"clone"' "$scratch/events"
