#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Members that slept for several epochs, for 256, for thousands, come back by themselves, whoever speaks first, and
# nobody else loses a packet by it (P9); nothing leads them further than time explains or two members prove; what is
# recorded or forged leads nowhere, and costs little (P3, P4, P11).
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

members="a b c d"

cable() { # up | down NODE…
	local state=$1 n
	shift
	for n; do
		ip -n wire link set "port-$n" "$state" || return
	done
}

step() { # a does, and takes b along
	on a akmctl epoch roll akm0 && on a ping -q -c 1 -W 3 "$(overlay b)" >"$scratch/roll"
}

# TIMES. a tells all three others of it, too; of the last one before anybody who is away can be back to hear it.
roll() {
	local i before
	for ((i = 1; i < $1; i++)); do
		step || return
	done
	before=$(counter a tx_notice)
	step && within 5 counter_at_least a tx_notice $((before + 3))
}

once() { # FROM TO: one packet, whether it is answered or not
	on "$1" ping -q -c 1 -W 1 "$(overlay "$2")" >"$scratch/once"
	true
}

until_epoch() { # FROM NODE EPOCH: FROM speaks to NODE, which gets there
	once "$1" "$2" && epoch_is "$2" "$3"
}

lost() { # FILE of a ping: how many of its packets were not answered
	sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 - \2/p' "$1" | { read -r sum && echo $((sum)); }
}

interval() { # TIME NODE…
	local time=$1 n
	shift
	for n; do
		on "$n" akmctl dev set akm0 epoch-interval "$time" || return
	done
}

answered() { # FROM TO
	on "$1" ping -q -c 1 -W 1 "$(overlay "$2")" | shows ' 0% packet loss'
}

# The chains of NODE for generation NUMBER, as they are at EPOCH; worked out here, not by the module.
install_at() { # NODE NUMBER EPOCH
	key_files "$1" "$members" "$2"
	python3 - "$scratch/$1-$2.chain" "$scratch/$1-$2.pairs" "$2" "$3" <<-'PYTHON' || return
	import hmac, struct, sys
	chain, pairs, number, epoch = *sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4])
	info = b'akm1 next' + struct.pack('>III', 1, number, 1000 + number) + b'\x01'
	def step(text):
	    value = bytes.fromhex(text)
	    for _ in range(epoch):
	        value = hmac.digest(value, info, 'sha256')
	    return value.hex()
	with open(chain) as f:
	    stepped = step(f.read().strip())
	with open(chain, 'w') as f:
	    print(stepped, file=f)
	with open(pairs) as f:
	    lines = [line.split() for line in f]
	with open(pairs, 'w') as f:
	    for member, secret in lines:
	        print(member, step(secret), file=f)
	PYTHON
	on "$1" akmctl generation install akm0 number "$2" key-id $((1000 + $2)) epoch "$3" \
		chain-file "$scratch/$1-$2.chain" pair-file "$scratch/$1-$2.pairs" unused
}

slept() { # SECONDS: d has
	at_least $((SECONDS - asleep)) $(($1 + 1))
}

past() { # NODE EPOCH: it is there, or further
	at_least "$(epoch_of "$1")" "$2"
}

together() { # NODE NODE: each hears the other, in one epoch
	answered "$1" "$2" && answered "$2" "$1" && equal "$(epoch_of "$1")" "$(epoch_of "$2")"
}

told() { # NODE speaks to a, and gets to EPOCH
	once "$1" a && epoch_is "$1" "$2"
}

refused() { # c says that a's word is not enough
	once a c && grep -q epoch-refused "$scratch/events"
}

came_past() { # FROM NODE EPOCH
	once "$1" "$2" && past "$2" "$3"
}

erased() { # NODE PCAP: its packets are under no key
	local before
	before=$(counter "$1" rx_epoch_stale)
	on x inject -d "192.0.2.$(index_of "$1")" -n 5 replay eth0 "$2" && within 2 counter_at_least "$1" rx_epoch_stale $((before + 5))
}

at_epoch() { # NODE GENERATION EPOCH
	local shown
	shown=$(on "$1" akmctl -j generation show akm0 | tr -d '\n' | grep -oE "\{[^{}]*\"number\": *$2,[^{}]*\}" | field epoch)
	equal "$shown" "$3"
}

two_words() { # NODE GENERATION EPOCH: a and b speak to it, and it gets there
	once a "$1" && once b "$1" && at_epoch "$@"
}

group_up "$members"
need "c's events are watched" monitor_start c "$scratch/events"
need "c talks to a" pings c "$(overlay a)"
need "d talks to a" pings d "$(overlay a)"
capture_start "$scratch/zero.pcap" wire br0 udp port 7645
watcher=$capture
need "b talks to c" pings b "$(overlay c)"
need "epoch 0 is recorded" within 10 captured 8 "$scratch/zero.pcap"
capture_stop "$watcher"
# Who steps tells of it three times within half of that; the second time is not to come before all of this is over.
for n in a b; do
	need "$n keeps old epochs for an hour" on $n akmctl dev set akm0 epoch-grace 1h
done
need "c keeps old epochs for half a second" on c akmctl dev set akm0 epoch-grace 500ms
start "$scratch/ping.log" on a ping -q -i 0.02 -W 10 "$(overlay b)"
ping=$started

# Several epochs; a speaks first.
need "c and d sleep" cable down c d
need "a and b make 5 epochs" roll 5
need "c and d wake up" cable up c d
claim "a speaks, and c is where a is" within 10 until_epoch a c 5
claim "a and c talk" within 10 answered a c
claim "c talks to b" pings c "$(overlay b)"
claim "one who slept wakes another: d follows c" within 10 until_epoch c d 5
claim "a and d talk" within 10 answered a d
claim "c has erased epoch 0: its packets are under no key" within 10 erased c "$scratch/zero.pcap"

# The sleeper speaks first, and nobody to it: what it hears is a notice. d sleeps on.
need "c and d sleep" cable down c d
need "a and b make 4 epochs" roll 4
sent=$(counter a tx_notice)
need "c wakes up" cable up c
claim "c speaks to a, and is told" within 10 told c 9
claim "by a's notice" counter_at_least a tx_notice $((sent + 1))
claim "c and a talk" within 10 answered c a

# 256 epochs: the same low byte. c has no timer that would explain it, so one member's word is not enough.
need "c sleeps" cable down c
need "a and b make an epoch every 60 ms" interval 60ms a b
need "for a while" within 60 past a 180
need "and stop" interval 0 a b
need "a and b are together" within 10 together a b
need "a and b are 256 epochs ahead of c" roll $((9 + 256 - $(epoch_of a)))
need "c wakes up" cable up c
claim "c hears a's word, and says that it is not enough" within 20 refused
claim "c stays" epoch_is c 9
claim "b's word is the second: c comes" within 20 until_epoch b c 265
claim "c and a talk" within 10 answered c a

need "d wakes up" cable up d
claim "two words are enough for d" within 20 two_words d 1 265
claim "d and a talk" within 10 answered d a

# d will have slept for so long that its timer explains how far the others are.
need "d sleeps, for longer than anybody else here" cable down d
asleep=$SECONDS
need "a and b make 20 epochs" roll 20
need "c, who is told of each, comes along" within 10 epoch_is c 285
need "and talks to a" within 10 answered a c

# Strangers: what was recorded in epochs that are gone, at any rate.
epoch=$(epoch_of c) tried=$(counter c rx_tried) sent=$(counter c tx_notice) delivered=$(counter c rx_packets)
began=$SECONDS
claim "x sends c 3000 packets of erased epochs" on x inject -d 192.0.2.3 -n 3000 replay eth0 "$scratch/zero.pcap"
claim "c stays" epoch_is c "$epoch"
claim "c delivered none" equal "$(counter c rx_packets)" "$delivered"
claim "c tried a few of them" at_most $(($(counter c rx_tried) - tried)) $((2 * (4 + SECONDS - began + 2)))
claim "and sent a few notices" at_most $(($(counter c tx_notice) - sent)) $((2 * (2 + SECONDS - began + 2)))
need "c sleeps" cable down c
need "a and b make 3 epochs" roll 3
need "c wakes up" cable up c
start "$scratch/flood.log" on x inject -d 192.0.2.3 -S 192.0.2.24 -n 60000 -r 2000 replay eth0 "$scratch/zero.pcap"
flood=$started
claim "x floods c, from elsewhere" within 10 counter_at_least c rx_epoch_stale $(($(counter c rx_epoch_stale) + 1000))
claim "c comes all the same" within 10 until_epoch a c "$(epoch_of a)"
claim "the flood was there" not ended "$flood"
stop "$flood"

need "d has slept for 8 s at least" within 20 slept 8
need "d has a timer, of a second" interval 1s d
need "d wakes up" cable up d
claim "a's word is enough for d" within 20 came_past a d "$(epoch_of a)"
need "d's timer stops" interval 0 d
for n in a b c; do
	claim "d and $n are together" within 20 together d $n
done

stop "$ping" INT
claim "in all that time a and b lost nothing, but for what was under way" at_most "$(lost "$scratch/ping.log")" 1

# Thousands, under a generation that everybody has just been given.
for n in a b d; do
	need "$n holds generation 2, at epoch 4000" install_at $n 2 4000
done
need "c holds generation 2, at epoch 0" install_at c 2 0
for n in $members; do
	need "$n sends on it" activate "$n" 2
done
claim "two words lead c over 4000 epochs" within 20 two_words c 2 4000
claim "c and d talk" within 10 answered c d

# And too many.
for n in a b d; do
	need "$n holds generation 3, at epoch 5000" install_at $n 3 5000
done
need "c holds generation 3, at epoch 0" install_at c 3 0
for n in $members; do
	need "$n sends on it" activate "$n" 3
done
before=$(counter c rx_unknown_key)
claim "a talks to c in vain" silent a "$(overlay c)"
claim "so does b" silent b "$(overlay c)"
claim "c has no keys for it" counter_at_least c rx_unknown_key $((before + 4))
claim "c stays" at_epoch c 3 0
claim "a and b talk" pings a "$(overlay b)"
