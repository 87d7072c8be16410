#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P3: recorded packets sent again are never delivered: at once, out of order, after a newer generation came, and
# after the window has moved on.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

group_up "a b"
need "b listens" udp_listen b "$(overlay b)" 5002 "$scratch/heard"
capture_start "$scratch/wire.pcap" wire br0
watcher=$capture
for i in 1 2 3 4 5; do
	printf 'pay %d coins\n' $i | on a socat -u - "UDP4:$(overlay b):5002"
done
need "b heard all five" within 10 sh -c "[ \$(wc -l <$scratch/heard) = 5 ]"
capture_stop "$watcher"
need "the recording holds them" at_least "$(frames "$scratch/wire.pcap" 'udp port 7645 and dst host 192.0.2.2')" 5

need "b's events are watched" monitor_start b "$scratch/events"
claim "x sends the recording again, 100 packets" on x inject -d 192.0.2.2 -n 100 replay eth0 "$scratch/wire.pcap"
claim "b counted 100 replays" within 10 counter_at_least b rx_replay 100
claim "b heard nothing twice" equal "$(wc -l <"$scratch/heard")" 5
claim "b reported a replay event" within 10 grep -q replay "$scratch/events"

need "a sends 5000 packets more" on a ping -q -f -c 2500 -W 5 "$(overlay b)"
replays=$(counter b rx_replay)
claim "the recording once more, now older than the window" on x inject -d 192.0.2.2 -n 20 replay eth0 "$scratch/wire.pcap"
claim "b counted them" within 10 counter_at_least b rx_replay $((replays + 20))
claim "b heard nothing twice" equal "$(wc -l <"$scratch/heard")" 5

for n in a b; do
	need "$n holds generation 2" install_generation $n "a b" 2
done
for n in a b; do
	need "$n sends on generation 2" activate $n 2 grace 60s
done
claim "the recording once more, under the retiring generation" on x inject -d 192.0.2.2 -n 20 replay eth0 "$scratch/wire.pcap"
claim "b counted them as well" within 10 counter_at_least b rx_replay $((replays + 40))
claim "b heard nothing twice" equal "$(wc -l <"$scratch/heard")" 5
claim "traffic goes on" pings a "$(overlay b)"
