#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A second implementation, written from protocol.rst alone (tests/interop), is member c: it and the module exchange
# unicast and multicast, follow each other's epochs, it answers a hello, and it opens what the wire carried between two modules.
# Seen failing with a label, an index or the nonce's byte order changed in tests/interop/akm.py.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

member=$top/tests/interop/member.py
export PYTHONDONTWRITEBYTECODE=1
world=$scratch/world.json

world_entry() { # NODE
	local endpoint
	endpoint=$(endpoint_of "$1")
	endpoint=${endpoint%:7645} endpoint=${endpoint//[\[\]]/}
	printf '"%d": {"endpoint": "%s", "overlay": ["%s", "%s"]}' \
		"$(index_of "$1")" "$endpoint" "$(overlay "$1")" "$(overlay6 "$1")"
}

write_world() { # all that a manager knows of the generation
	printf '{"atr_id": 1, "generation": 7, "key_id": 3735928559, "suite": "%s",\n' "$suite"
	printf '"generation_secret": "%s", "pair_root": "%s",\n' "$(secret generation)" "$(secret pair root)"
	printf '"members": {%s, %s, %s}}\n' "$(world_entry a)" "$(world_entry b)" "$(world_entry c)"
}

install_world() { # NODE [unused]
	local dir=$scratch/keys-$1
	mkdir -p "$dir"
	"$member" keys "$world" "$(index_of "$1")" "$dir" &&
		on "$1" akmctl generation install akm0 number 7 key-id 3735928559 \
			chain-file "$dir/chain" pair-file "$dir/pairs" ${2:+"$2"} &&
		activate "$1" 7
}

# Every run of c is a fresh state of a sender: an incarnation of its own.
c_pings() { # ADDRESS [EPOCH]
	incarnation_of_c=$((incarnation_of_c + 1))
	on c "$member" ping "$world" 3 "$incarnation_of_c" "$@"
}

answers_as() { # PATTERN COMMAND…
	local pattern=$1
	shift
	"$@" | shows "$pattern"
}

both_answer() {
	c_pings ff02::1 "$1" >"$scratch/group.answers" &&
		shows 'member 1 answers' <"$scratch/group.answers" && shows 'member 2 answers' <"$scratch/group.answers"
}

# -U lets tcpdump write each packet at once; b's interface shows packets as they are delivered.
record_b() {
	capture_start "$scratch/wire.pcap" wire br0 udp port 7645
	wire_capture=$capture
	capture_start "$scratch/inside.pcap" b akm0 -Q in
	inside_capture=$capture
}

recorded() { # both captures have all of it
	[ "$(frames "$scratch/inside.pcap")" = "$(counter b rx_packets)" ]
}

# Held that long, epoch 0 still opens the hello that a sends in it, however slow the machine is.
member_up() { # NODE
	need "$suite: $1 has an interface" atr_up "$1" "a b c" epoch-grace 600s
	need "$suite: $1 holds what $(basename "$member") worked out" install_world "$1" unused
}

exchange() {
	incarnation_of_c=0
	wire_up a b c
	write_world >"$world"
	member_up b
	record_b		# before anybody else is there who could send
	member_up a
	claim "$suite: a answers c, IPv4 inside" answers_as 'member 1 .* epoch 0' c_pings "$(overlay a)"
	claim "$suite: b answers c, IPv6 inside" answers_as 'member 2 .* epoch 0' c_pings "$(overlay6 b)"
	claim "$suite: a and b answer c's multicast" both_answer 0
	need "$suite: a and b talk" pings a "$(overlay b)" -s 700
	claim "$suite: c steps to epoch 1, and a follows" answers_as 'member 1 .* epoch 1' c_pings "$(overlay a)" 1
	claim "$suite: b follows as well" answers_as 'member 2 .* epoch 1' c_pings "$(overlay b)" 1

	incarnation_of_c=$((incarnation_of_c + 1))
	start "$scratch/c.log" on c "$member" answer "$world" 3 "$incarnation_of_c"
	answering=$started
	need "$suite: c listens" within 60 says listening "$scratch/c.log"
	need "$suite: a's interface is made anew" ip -n a link del akm0
	incarnation=2
	need "$suite: with the next incarnation" atr_up a "a b c" epoch-grace 600s
	incarnation=
	need "$suite: and the generation, at epoch 0" install_world a
	claim "$suite: a has to ask c what is new, and c answers" pings a "$(overlay c)"
	claim "$suite: a did ask" counter_at_least a tx_hello 1
	claim "$suite: b's answer brings a to epoch 1, where b is" within 15 epoch_is a 1
	need "$suite: a rolls to epoch 2" on a akmctl epoch roll akm0
	claim "$suite: c answers a" pings a "$(overlay c)"
	claim "$suite: c answers a, IPv6 inside" pings a "$(overlay6 c)"
	stop "$answering"
	claim "$suite: nothing that came to c was refused" not says refused "$scratch/c.log"
	need "$suite: a talks to b in epoch 2" pings a "$(overlay6 b)"

	need "$suite: the captures are complete" within 20 recorded
	capture_stop "$inside_capture"
	capture_stop "$wire_capture"
	claim "$suite: opened, the wire carried to b what b delivered, in all three epochs" \
		"$member" open "$world" "$scratch/wire.pcap" "$scratch/inside.pcap" 2
	world_down
}

suite=aes-256-gcm
exchange
suite=aes-128-gcm
exchange
suite=chacha20-poly1305
outer=6
exchange
