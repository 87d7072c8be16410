#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Counters: the interface's, the members' and ip's agree with what was sent; ethtool and ip show what they should.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

member_counter() { # NODE INDEX NAME
	on "$1" akmctl -j member show akm0 index "$2" | field "$3"
}

ip_counter() { # NODE rx|tx packets|bytes
	ip -n "$1" -s -j link show akm0 | jq ".[0].stats64.$2.$3"
}

group_up "a b c"
tx=$(counter a tx_packets) rx=$(counter b rx_packets)
to_b=$(member_counter a 2 tx_packets) to_c=$(member_counter a 3 tx_packets)
need "100 echoes of 972 bytes from a to b" on a ping -q -c 100 -i 0.01 -W 5 -s 972 "$(overlay b)"
claim "a sent 100 more" equal "$(counter a tx_packets)" $((tx + 100))
claim "b received 100 more" equal "$(counter b rx_packets)" $((rx + 100))
claim "a counts them for member b" equal "$(member_counter a 2 tx_packets)" $((to_b + 100))
claim "and none for member c" equal "$(member_counter a 3 tx_packets)" "$to_c"
claim "bytes are those of the inner packets: 100 x 1000 at least" at_least "$(counter a tx_bytes)" 100000
claim "ip -s says the same: packets" equal "$(ip_counter a tx packets)" "$(counter a tx_packets)"
claim "ip -s says the same: bytes" equal "$(ip_counter b rx bytes)" "$(counter b rx_bytes)"
claim "drops show in ip -s as well" sh -c "ip -n a route add 10.88.0.0/24 dev akm0 && nsenter --net=/run/netns/a ping -q -c 2 -i 0.1 -W 1 10.88.0.1; ip -n a -s -j link show akm0 | jq -e '.[0].stats64.tx | .dropped + .errors >= 2'"
claim "the link type is akm" sh -c "ip -n a -d link show akm0 | grep -qw akm"
claim "a second interface counts for itself" sh -c "nsenter --net=/run/netns/a akmctl dev add akm1 && [ \"\$(nsenter --net=/run/netns/a akmctl -j stats akm1 | grep -c '\"tx_packets\": *0')\" = 1 ]"
