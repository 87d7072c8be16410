#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Process 1 of the bench lane (tests/bench/bench.sh): tunnels side by side between
# this network namespace and namespace b, each over a veth pair of its own, and rows
# of measurements from ubench.ko and iperf3. One row is
#
#	akm-bench: row TEST KIND REPETITION VALUE [P99]
#	akm-bench: aead KIND REPETITION SIZE PAIR-NS WALL-NS DRIVER
#
# VALUE is packets/s, messages/s (group), Mbit/s (tcp) or ns (rtt, with P99). A pair
# is one seal and one opening. A repetition of a short test is several slices, N.1 and so on.
#
#	underlay  10.N.0.1 ── 10.N.0.2    overlay  10.(100+N).0.1 ── .2
#	group     10.10.1.1 … all lead to sinks in b, which count sealed datagrams
#
# Kernel arguments: akm_top= akm_out= akm_reps= akm_slices= akm_ms= akm_bytes=
# akm_tests=a:b akm_kinds=a:b, and akm_builds=new[:base], directories in akm_out with akm.ko and akmctl.
# shellcheck source=tests/bench/machine.sh
. "$(dirname "$0")/machine.sh"

out=$(word akm_out) reps=$(word akm_reps) ms=$(word akm_ms)
slices=$(word akm_slices) bytes=$(word akm_bytes)
IFS=: read -ra tests <<<"$(word akm_tests)"
IFS=: read -ra kinds <<<"$(word akm_kinds)"
IFS=: read -ra builds <<<"$(word akm_builds)"

# ---- the tunnels: up_KIND, and the address behind each ----

declare -A address=(
	[plain]=10.1.0.2 [wireguard]=10.102.0.2 [macsec256]=10.104.0.2 [esp-transport]=10.5.0.2
	[esp-tunnel]=10.106.0.2 [vxlan]=10.107.0.2 [akm-aes256gcm]=10.108.0.2
	[akm-chacha20poly1305]=10.109.0.2
)

up_plain() {
	underlay 1
}

up_wireguard() {
	underlay 2 || return
	wg genkey >/run/tmp/wg1 && wg genkey >/run/tmp/wg2 || return
	ip link add wg0 type wireguard && b ip link add wg0 type wireguard &&
		wg set wg0 private-key /run/tmp/wg1 listen-port 1001 peer "$(wg pubkey </run/tmp/wg2)" \
			allowed-ips 10.102.0.2/32 endpoint 10.2.0.2:1002 &&
		b wg set wg0 private-key /run/tmp/wg2 listen-port 1002 peer "$(wg pubkey </run/tmp/wg1)" \
			allowed-ips 10.102.0.1/32 endpoint 10.2.0.1:1001 &&
		overlay 2 wg0
}

macsec_end() { # UNDERLAY TX RX RX-MAC: in the caller's namespace
	ip link add link "$1" ms0 type macsec port 11 encrypt on cipher gcm-aes-256 &&
		ip macsec add ms0 tx sa 0 pn 1 on key "$2" "$key" &&
		ip macsec add ms0 rx port 11 address "$4" &&
		ip macsec add ms0 rx port 11 address "$4" sa 0 pn 1 on key "$3" "$key"
}

up_macsec256() {
	underlay 4 && macsec_end v4 01 02 02:00:00:00:04:02 &&
		b bash -c "key=$key; $(declare -f macsec_end); macsec_end w4 02 01 02:00:00:00:04:01" &&
		overlay 4 ms0
}

esp_states() { # N MODE
	local spi
	for spi in 1 2; do
		ip xfrm state add src "10.$1.0.$spi" dst "10.$1.0.$((3 - spi))" proto esp spi "0x${1}00$spi" \
			reqid "$1" mode "$2" replay-window 32 aead 'rfc4106(gcm(aes))' "0x${key}01020304" 128 || return
	done
}

esp_policy() { # N MODE LOCAL-END LOCAL REMOTE
	local there=$((3 - $3))
	ip xfrm policy add src "$4" dst "$5" dir out \
		tmpl src "10.$1.0.$3" dst "10.$1.0.$there" proto esp reqid "$1" mode "$2" &&
		ip xfrm policy add src "$5" dst "$4" dir in \
			tmpl src "10.$1.0.$there" dst "10.$1.0.$3" proto esp reqid "$1" mode "$2"
}

esp() { # N MODE HERE THERE: traffic between these addresses
	underlay "$1" && esp_states "$1" "$2" && esp_policy "$1" "$2" 1 "$3" "$4" &&
		b bash -c "key=$key; $(declare -f esp_states esp_policy)
			esp_states $1 $2 && esp_policy $1 $2 2 $4 $3"
}

up_esp-transport() {
	esp 5 transport 10.5.0.1/32 10.5.0.2/32
}

up_esp-tunnel() {
	esp 6 tunnel 10.106.0.1/32 10.106.0.2/32 &&
		ip addr add 10.106.0.1/32 dev lo && b ip addr add 10.106.0.2/32 dev lo &&
		ip route add 10.106.0.2/32 dev v6 via 10.6.0.2 src 10.106.0.1 &&
		b ip route add 10.106.0.1/32 dev w6 via 10.6.0.1 src 10.106.0.2
}

up_vxlan() {
	underlay 7 && ip link add vx type vxlan id 7 remote 10.7.0.2 local 10.7.0.1 dstport 4789 &&
		b ip link add vx type vxlan id 7 remote 10.7.0.1 local 10.7.0.2 dstport 4789 &&
		overlay 7 vx
}

# ---- akm ----

# One device with COUNT members beside itself, all in b's sinks, and further words for "dev set"
akm_group() { # N COUNT [WORD…]
	local members=("200,10.$1.0.200/32,10.10.0.1:7645") i
	for ((i = 1; i <= $2; i++)); do
		members+=("$i,10.$1.0.$i/32,10.10.1.$i:7700")
	done
	akm_end "$1" 200 "akm$1" aes-256-gcm "${members[@]}" &&
		if [ $# -gt 2 ]; then akmctl dev set "akm$1" "${@:3}"; fi &&
		ip addr add "10.$1.0.200/24" dev "akm$1" && ip link set "akm$1" up &&
		ip route add "239.$1.0.0/16" dev "akm$1"
}

akm_loaded=
underlay_group=239.200.0.1

akm_load() { # BUILD: its module and its devices
	[ "$akm_loaded" != "$1" ] || return 0
	akm_unload && ln -sfn "$out/$1/akmctl" /run/tmp/bin/akmctl && insmod "$out/$1/akm.ko" || return
	akm_loaded=$1
	if wanted akm-aes256gcm; then akm_pair 8 aes-256-gcm || return; fi
	if wanted akm-chacha20poly1305; then akm_pair 9 chacha20-poly1305 || return; fi
	# the second of each has the same members in a group of the underlay
	if tested group4; then
		akm_group 14 4 && akm_group 15 4 port 7702 group "$underlay_group%v10" || return
	fi
	if tested group64; then
		akm_group 164 64 && akm_group 165 64 port 7702 group "$underlay_group%v10" || return
	fi
}

akm_unload() {
	[ -n "$akm_loaded" ] || return 0
	local name
	for name in $(ip -br link show type akm | cut -d' ' -f1); do
		ip link del "$name"
	done
	for name in $(b ip -br link show type akm | cut -d' ' -f1); do
		b ip link del "$name"
	done
	akm_loaded=
	within 20 rmmod akm
}

up_akm-aes256gcm() {
	underlay 8
}

up_akm-chacha20poly1305() {
	underlay 9
}

# ---- group ----

# A VXLAN that floods to COUNT ends: what the copies cost without a seal
vxlan_group() { # N COUNT
	local i
	ip link add "vx$1" type vxlan id "$1" local 10.10.0.1 dstport 7701 &&
		ip addr add "10.$((200 + $1)).0.1/24" dev "vx$1" && ip link set "vx$1" up &&
		ip route add "238.$1.0.0/16" dev "vx$1" || return
	for ((i = 1; i <= $2; i++)); do
		bridge fdb append 00:00:00:00:00:00 dev "vx$1" dst "10.10.1.$i" || return
	done
}

up_group() {
	underlay 10 && ip route add 10.10.1.0/24 via 10.10.0.2 && b ip route add local 10.10.1.0/24 dev lo &&
		b ip addr add "$underlay_group/32" dev w10 autojoin &&
		b bash -c 'echo sink 7700 >/proc/ubench && echo sink 7701 >/proc/ubench && echo sink 7702 >/proc/ubench' ||
		return
	if tested group4; then vxlan_group 14 4 || return; fi
	if tested group64; then vxlan_group 24 64 || return; fi
}

# ---- rows ----

wanted() { # KIND
	[[ " ${kinds[*]} " == *" $1 "* ]]
}

tested() { # TEST
	[[ " ${tests[*]} " == *" $1 "* ]]
}

row_udp() { # KIND SIZE
	load flow "${address[$1]}" 1 9000 "$2" 1 "$ms" && result rate
}

row_rtt() { # KIND
	load rtt "${address[$1]}" "$((ms * 10))" && echo "$(result p50) $(result p99)"
}

row_tcp() { # KIND STREAMS
	local amount=(-t "$((ms < 1000 ? 1 : ms / 1000))")
	[ -z "$bytes" ] || amount=(-n "$bytes")
	iperf3 -c "${address[$1]}" -P "$2" "${amount[@]}" -J 2>/dev/null |
		jq -er '.end.sum_received.bits_per_second / 1e6 | select(. > 0)'
}

# TCP from inside the kernel, timed by what the processor spent on it
row_ktcp() { # KIND STREAMS
	load tcp "${address[$1]}" "$2" 9001 "$ms" && echo "$(($(result rate) / 1000000))"
}

# Messages to COUNT members: in copies, by the underlay's group (of which the sink gets one), or a datagram to each
row_group() { # KIND COUNT
	local n=14 v=14
	[ "$2" = 4 ] || n=164 v=24
	case $1 in
	akm-aes256gcm-underlay) load flow "239.$((n + 1)).0.1" 1 9000 1400 1 "$ms" ;;
	akm-aes256gcm) load flow "239.$n.0.1" 1 9000 1400 "$2" "$ms" ;;
	akm-aes256gcm-copies) load flow "10.$n.0.1" "$2" 9000 1400 1 "$ms" ;;
	vxlan) load flow "238.$v.0.1" 1 9000 1400 "$2" "$ms" ;;
	esac && result rate
}

measure() { # TEST KIND
	case $1 in
	udp*) row_udp "$2" "${1#udp}" ;;
	ktcp*) row_ktcp "$2" "${1#ktcp}" ;;
	tcp*) row_tcp "$2" "${1#tcp}" ;;
	rtt) row_rtt "$2" ;;
	group*) row_group "$2" "${1#group}" ;;
	esac
}

row() { # TEST KIND REPETITION [SUFFIX]
	local value
	if value=$(measure "$1" "$2" 2>/run/tmp/row) && [ -n "$value" ]; then
		say "row $1 $2$4 $3 $value"
	else
		say "broken $1 $2$4: $(tr '\n' ' ' </run/tmp/row) $(cat /proc/ubench)"
	fi
}

# The build that is loaded comes first: changing it takes longer than measuring it
akm_rows() { # TEST REPETITION KIND…: for each build
	local test=$1 repetition=$2 build kind suffix had=
	shift 2
	for build in "$akm_loaded" "${builds[@]}"; do
		[[ " $had " != *" $build "* ]] || continue
		had+=" $build"
		suffix=@$build
		[ "$build" != new ] || suffix=
		need akm_load "$build"
		for kind; do
			row "$test" "$kind" "$repetition" "$suffix"
		done
	done
}

kinds_of() { # TEST
	case $1 in
	group*) echo "vxlan akm-aes256gcm akm-aes256gcm-underlay akm-aes256gcm-copies" ;;
	*) echo "${kinds[*]}" ;;
	esac
}

every_kind() { # TEST REPETITION
	local kind ours=()
	for kind in $(kinds_of "$1"); do
		case $kind in
		akm-*) ours+=("$kind") ;;
		*) row "$1" "$kind" "$2" ;;
		esac
	done
	[ ${#ours[@]} -eq 0 ] || akm_rows "$1" "$2" "${ours[@]}"
}

aead_row() { # KIND NAME REPETITION SIZE
	need load aead "$2" 32 "$4" "$((ms / 10 + 5))"
	say "aead $1 $3 $4 $(result pair_ns) $(result wall_ns) $(result driver)"
}

slice() { # REPETITION
	local test size
	for size in 64 512 1400; do
		aead_row akm-aes256gcm 'gcm(aes)' "$1" "$size"
		aead_row akm-chacha20poly1305 'rfc7539(chacha20,poly1305)' "$1" "$size"
	done
	for test in "${tests[@]}"; do
		[[ $test == tcp* ]] || every_kind "$test" "$1"
	done
}

repetition() { # NUMBER
	local test i
	for ((i = 1; i <= slices; i++)); do
		slice "$1.$i"
	done
	for test in "${tests[@]}"; do
		[[ $test != tcp* ]] || every_kind "$test" "$1.1"
	done
}

# ---- the run ----

need namespaces
need insmod "$out/ubench/ubench.ko"
need b bash -c 'echo sink 9000 >/proc/ubench && echo drain 9001 >/proc/ubench'
for kind in "${kinds[@]}"; do
	need "up_$kind"
done
if tested group4 || tested group64; then need up_group; fi
need akm_load "${builds[0]}"
for kind in "${kinds[@]}"; do
	need within 10 ping -c 1 -W 1 "${address[$kind]}"
done
if tested tcp1 || tested tcp4; then
	b iperf3 -s >/dev/null 2>&1 &
	need within 10 b bash -c 'ss -ltn | grep -q :5201'
fi
say "mtu $(cat /sys/class/net/akm8/mtu 2>/dev/null)"
[ -z "$(word akm_symbols)" ] || sed -n '/\[/s/^/akm-bench: symbol /p' /proc/kallsyms
for ((r = 1; r <= reps; r++)); do
	repetition "$r"
done
need akm_unload
end complete
