#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Process 1 of tests/bench/spread.sh: one flow, with and without "spread" at its sender. One row is
#
#	akm-spread: row TEST CIPHER MODE REPETITION RATE SEALED ELSEWHERE IDLE0 IDLE1 US DISORDER
#
# TEST	send		UDP datagrams, 64 KB at a time, to a sink that counts what is sealed
#	udp, tcp	to the other end, which opens everything on the processor of the flow
#	udp-far, tcp-far	which does that on processor 1
#	tcp-light	as tcp, but opening costs nothing
# CIPHER	aes, chacha; or a weight (weight.c): nanoseconds for one packet, on this machine
# MODE	off, on; alone: handed over, but to the only processor that there is; rx: on at the receiver alone
# RATE	datagrams or Mbit/s, in a second; of SEALED packets others sealed ELSEWHERE (rx: opened)
# IDLE	of each processor, of US microseconds
# DISORDER	datagrams, or segments of TCP, that came after a later one
#
# A device spreads always, or never did. Rows of rx are there if the module can.
#
#	underlay  10.N.0.1 ── 10.N.0.2    overlay  10.(100+N).0.1 ── .2, and .3, a member in the sink
#
# Kernel arguments: akm_top= akm_out= akm_reps= akm_ms=; akm_share= on several processors: the weights
# NAME:PER-MILLE[,…] of what a datagram costs without sealing, at which everything is measured; akm_sweep=
# PER-MILLE[,…], at which sending is.
# shellcheck source=tests/bench/machine.sh
. "$(dirname "$0")/machine.sh"

out=$(word akm_out) reps=$(word akm_reps) ms=$(word akm_ms)
IFS=, read -ra shares <<<"$(word akm_share)"
IFS=, read -ra sweep <<<"$(word akm_sweep)"
parameters=/sys/module
size=1400
LOOPS=20000

# ---- devices ----

declare -A device=([aes,off]=11 [aes,on]=12 [chacha,off]=13 [chacha,on]=14 [weight,off]=15 [weight,on]=16
	[weight,rx]=17)

cipher_up() { # CIPHER SUITE MODE…
	local mode n here there
	for mode in "${@:3}"; do
		n=${device[$1,$mode]}
		here="1,10.$((100 + n)).0.1/32,10.$n.0.1:7645" there="2,10.$((100 + n)).0.2/32,10.$n.0.2:7645"
		underlay "$n" && akm_end "$n" 1 "akm$n" "$2" "$here" "$there" "3,10.$((100 + n)).0.3/32,10.$n.0.2:7700" &&
			b bash -c "key=$key; $(declare -f akm_end); akm_end $n 2 akm$n $2 $here $there" &&
			overlay "$n" "akm$n" && akmctl dev set "akm$n" epoch-interval 0 || return
		case $mode in
		on) akmctl dev set "akm$n" spread on || return ;;
		rx) b akmctl dev set "akm$n" spread on || return ;;
		esac
	done
}

# jq takes half a second in an emulated machine.
counters() { # N COUNTER…: of the sender, a word each
	local text name
	text=$(akmctl -j stats "akm$1")
	for name in "${@:2}"; do
		[[ $text =~ \"$name\":\ *([0-9]+) ]] && printf '%s ' "${BASH_REMATCH[1]}"
	done
}

# What was sealed, and by others; or opened, if the receiver is the one that spreads
ciphered() { # N MODE
	if [ "$2" = rx ]; then
		b bash -c "$(declare -f counters); counters $1 rx_packets rx_spread"
	else
		counters "$1" tx_packets tx_spread
	fi
}

# ---- rows ----

# As a card's interrupts would: what comes to one end of a tunnel goes on on one processor. Otherwise it does where
# the other end sent it from, and a flow that is sent from two is out of order without anything of ours.
receives_on() { # MASK: what comes to b; to this end, the first
	local n
	for n in "${device[@]}"; do
		echo 1 >"/sys/class/net/v$n/queues/rx-0/rps_cpus" || return
		echo "$1" >"/run/tmp/sys-b/class/net/w$n/queues/rx-0/rps_cpus" || return
	done
}

measure() { # TEST N
	local there=10.$((100 + $2)).0
	case $1 in
	send) load batches "$there.3" 9000 $size "$ms" && result rate ;;
	udp*) load batches "$there.2" 9000 $size "$ms" && result rate ;;
	tcp*) load tcp "$there.2" 1 9001 "$ms" && echo $(($(result rate) / 1000000)) ;;
	esac
}

overtaken() { # TCP segments that overtook others, so far
	b cat /proc/net/netstat | awk '$1 == "TcpExt:" && !k { for (k = NF; k > 1 && $k != "TCPOFOQueue"; k--); next }
		$1 == "TcpExt:" { print $k }'
}

row() { # TEST CIPHER MODE REPETITION
	local kind=$2 mode=$3 n value before
	case $kind in
	aes | chacha) ;;
	*) kind=weight ;;
	esac
	[ "$mode" != alone ] || mode=on
	local overtaken
	overtaken=$(overtaken)
	n=${device[$kind,$mode]}
	read -ra before < <(ciphered "$n" "$mode")
	if ! value=$(measure "$1" "$n" 2>/run/tmp/row) || [ -z "$value" ]; then
		say "broken $1 $2 $3: $(tr '\n' ' ' </run/tmp/row) $(cat /proc/ubench)"
		return
	fi
	read -ra after < <(ciphered "$n" "$mode")
	echo "akm-spread: row $1 $2 $3 $4 $value $((after[0] - before[0])) $((after[1] - before[1]))" \
		"$(result idle0_us) $(result idle1_us) $(($(result ns) / 1000)) $(($(result disordered) + $(overtaken) - overtaken))"
}

weigh() { # SEAL OPEN
	echo "$1" >$parameters/weight/parameters/seal_ns && echo "$2" >$parameters/weight/parameters/open_ns
}

pair() { # TEST CIPHER REPETITION [MODE]: off and on, the one first and then the other by turns
	local modes=(off "${4:-on}")
	[ $(($3 % 2)) = 1 ] || modes=("${4:-on}" off)
	row "$1" "$2" "${modes[0]}" "$3"
	row "$1" "$2" "${modes[1]}" "$3"
}

# What it costs to send one datagram without sealing it, at best: sets base, ns
bare() {
	local values=() _
	weigh 0 0
	for _ in {1..6}; do
		values+=("$(measure send "${device[weight,off]}")") || return
	done
	base=$((1000000000 / $(printf '%s\n' "${values[@]}" | sort -n | tail -n 1)))
}

aead() { # NAME ALGORITHM
	need load aead "$2" 32 1388 "$ms"
	echo "akm-spread: aead $1 $(result pair_ns) $(result driver)"
}

copies() {
	need load copy $((size - 28)) "$ms"
	echo "akm-spread: copy $(result ns)"
}

# ---- one processor, at native speed ----

native() {
	local r
	for ((r = 1; r <= reps; r++)); do
		aead aes 'gcm(aes)'
		copies
		for cipher in aes chacha; do
			pair send $cipher "$r" alone
		done
		pair send 0 "$r" alone
	done
}

# ---- several, emulated ----

at_weight() { # NAME PER-MILLE
	local ns=$((base * $2 / 1000)) test
	echo "akm-spread: weight $1 $2 $ns"
	weigh "$ns" "$ns"
	for test in send udp tcp; do
		pair $test "$ns" "$r"
	done
	if [ -n "$receives" ]; then
		row udp "$ns" rx "$r"
		row tcp "$ns" rx "$r"
	fi
	need receives_on 2
	for test in udp-far tcp-far; do
		pair $test "$ns" "$r"
	done
	need receives_on 1
	weigh "$ns" 0
	pair tcp-light "$ns" "$r"
}

sending() { # [MODE]
	local each
	for each in 0 "${sweep[@]}"; do
		weigh $((base * each / 1000)) 0
		pair send $((base * each / 1000)) "$r" "$@"
	done
}

# With processor 1 away, what is handed over stays.
one_processor() {
	local r
	echo 0 >/sys/devices/system/cpu/cpu1/online && echo Y >$parameters/akm/parameters/spread_alone || return
	for ((r = 1; r <= reps; r++)); do
		sending alone
	done
	echo N >$parameters/akm/parameters/spread_alone && echo 1 >/sys/devices/system/cpu/cpu1/online
}

# A loop of the shell on one processor, and on two at once: what the host's two processors do together
together() { # [also]
	local begin other='' n
	if [ -n "${1:-}" ]; then
		taskset -c 1 bash -c 'while :; do :; done' &
		other=$!
	fi
	begin=$(now_ms)
	for ((n = 0; n < LOOPS; n++)); do :; done
	echo $(($(now_ms) - begin))
	[ -z "$other" ] || { kill "$other" && wait "$other"; } 2>/dev/null
}

parallel() {
	local r each
	need receives_on 1
	bare || return
	echo "akm-spread: bare $base"
	for ((r = 1; r <= reps; r++)); do
		echo "akm-spread: together $(together) $(together also)"
		copies
		sending
		pair send aes "$r"
		for each in "${shares[@]}"; do
			at_weight "${each%:*}" "${each#*:}"
		done
	done
	one_processor
}

# ---- the run ----

need namespaces
need insmod "$out/ubench/ubench.ko"
# behind the UDP header: the datagrams' own number; akm's packet number
need b bash -c 'echo sink 9000 0 >/proc/ubench && echo sink 7700 8 >/proc/ubench && echo drain 9001 >/proc/ubench'
need insmod "$out/new/akm.ko"
ln -s "$out/new/akmctl" /run/tmp/bin/akmctl
need cipher_up aes aes-256-gcm off on
need cipher_up chacha chacha20-poly1305 off on
need insmod "$out/ubench/weight.ko"	# in place of ChaCha20-Poly1305 from here on
need cipher_up weight chacha20-poly1305 off on rx
receives=$(counters "${device[weight,rx]}" rx_spread)
mkdir -p /run/tmp/sys-b
need nsenter --net=/run/netns/b mount -t sysfs sys /run/tmp/sys-b
for n in "${device[@]}"; do
	need within 10 ping -c 1 -W 1 "10.$((100 + n)).0.2"
done
dropped_before=()
for n in "${device[@]}"; do	# what waited for keys and addresses
	read -ra after < <(counters "$n" tx_dropped tx_spread_dropped)
	dropped_before[n]=$((after[0] + after[1]))
done
taskset -p -c 0 $$ >/dev/null
if [ "$(nproc --all)" = 1 ]; then
	echo Y >$parameters/akm/parameters/spread_alone
	native
else
	parallel || end broken
fi
for n in "${device[@]}"; do
	read -ra after < <(counters "$n" tx_dropped tx_spread_dropped)
	echo "akm-spread: dropped $n $((after[0] + after[1] - dropped_before[n]))"
done
end complete
