#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P11: forged packets of every kind change nothing, are counted for what they are, raise rate-limited events, and
# do not stop the members' traffic.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

key_state() { # what b holds, but for ages
	on b akmctl -j generation show akm0 | grep -v '"age'
}

group_up "a b"
capture_start "$scratch/wire.pcap" wire br0
watcher=$capture
before=$(key_state)
need "a and b talk" pings a "$(overlay b)"
need "the recording holds it" within 10 captured 10 "$scratch/wire.pcap" udp port 7645
capture_stop "$watcher"
need "b's events are watched" monitor_start b "$scratch/events"

forge() { # MODE COUNTER COUNT
	local before delivered
	before=$(counter b "$2") delivered=$(counter b rx_packets)
	claim "x sends $3 packets: $1" on x inject -d 192.0.2.2 -n "$3" "$1" eth0 "$scratch/wire.pcap"
	claim "b counted them as $2" within 10 counter_at_least b "$2" $((before + $3))
	claim "b delivered none" equal "$(counter b rx_packets)" "$delivered"
}

shows_bytes() { # EVENT DIGITS: hexadecimal, in each such event
	grep "\"$1\"" "$scratch/events" | shows '"packet":' &&
		! grep "\"$1\"" "$scratch/events" | grep -qvE "\"packet_len\":[0-9]+,\"packet\":\"([0-9a-f]{2})+\"" &&
		! grep "\"$1\"" "$scratch/events" | grep -qvE "\"packet\":\"[0-9a-f]{$2}\""
}

forge number rx_auth_fail 200
forge random rx_auth_fail 200
forge version rx_malformed 100
forge short rx_malformed 100
forge epoch rx_auth_fail 100	# the keys of the next epoch are always ready
forge sender rx_unknown_key 100
claim "x sends 100 packets under a key_id that nobody has" on x inject -d 192.0.2.2 -n 100 key eth0 "$scratch/wire.pcap"
claim "an event says auth-fail" within 10 grep -qE 'auth[-_]fail' "$scratch/events"
claim "an event says malformed" within 10 grep -q 'malformed' "$scratch/events"
claim "of what did not verify the header is shown, and nothing behind it" shows_bytes auth-fail 32
claim "of what no key was found for, the beginning" shows_bytes unknown-key 64,128
claim "and of what is none, all there is" shows_bytes malformed 2,128
claim "events are rate limited: far fewer than packets" at_most "$(wc -l <"$scratch/events")" 200
claim "a and b still talk" pings a "$(overlay b)"

start "$scratch/ping.log" on a ping -q -i 0.05 -c 100 -W 10 "$(overlay b)"
ping=$started
claim "x floods b with 20000 forged packets during a ping" on x inject -d 192.0.2.2 -n 20000 -r 2000 number eth0 "$scratch/wire.pcap"
within 60 ended "$ping"
claim "none of the ping's packets was lost" grep -q ' 0% packet loss' "$scratch/ping.log"
claim "the key state did not change" equal "$(key_state)" "$before"
