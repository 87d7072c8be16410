#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Members reach each other with IPv4 and IPv6 inside: echo, TCP, UDP. Over IPv4 outside; basic-ipv6 is the same over
# IPv6.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

udp_datagram() { # FROM TO ADDRESS: one datagram arrives as it was sent
	local text="datagram $1 $2 $3" file=$scratch/udp-$1-$2 host=$3 family=UDP4
	udp_listen "$2" "$3" 5002 "$file" || return
	[[ $3 == *:* ]] && family=UDP6 host="[$3]"
	printf '%s' "$text" | on "$1" socat -u - "$family:$host:5002" && within 10 grep -qF "$text" "$file"
}

no_failures() { # NODE
	local c
	for c in rx_auth_fail rx_replay rx_prefix rx_malformed rx_unknown_key; do
		equal "$c $(counter "$1" "$c")" "$c 0" || return
	done
}

group_up "a b c"
for pair in "a b" "b a" "a c" "c b"; do
	read -r from to <<<"$pair"
	claim "$from pings $to, IPv4 inside" pings "$from" "$(overlay "$to")"
	claim "$from pings $to, IPv6 inside" pings "$from" "$(overlay6 "$to")"
done
claim "1 MiB over TCP from a to b, IPv4 inside" tcp_transfer a b "$(overlay b)" 1048576
claim "1 MiB over TCP from c to a, IPv6 inside" tcp_transfer c a "$(overlay6 a)" 1048576
claim "a datagram from b to c, IPv4 inside" udp_datagram b c "$(overlay c)"
claim "a datagram from c to b, IPv6 inside" udp_datagram c b "$(overlay6 b)"
claim "echoes of 60000 bytes survive fragmentation inside" pings a "$(overlay b)" -s 60000
for n in a b c; do
	claim "$n counted no failure" no_failures "$n"
done
