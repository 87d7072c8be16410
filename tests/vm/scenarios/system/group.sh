#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# An ATR with a multicast group of the underlay: what is for all leaves a member once and is heard by each of the
# others, also after the link of one was deleted and made anew under its running daemon.
# shellcheck source=tests/vm/world.sh
. "$(dirname "$0")/../../world.sh"
trap scenario_end EXIT

group=239.7.6.45 all="A B C D"

joined() { # LETTER
	ip -n "EdgeNode$1" maddr show dev eth0 | grep -w "$group"
}

counter() { # LETTER NAME
	on "EdgeNode$1" akmctl -j dev show akm1 | field "$2"
}

listen_inside() { # LETTER
	start "$world/log/listen-$1" on "EdgeNode$1" socat -u UDP4-RECV:5003 "OPEN:$world/heard-$1,creat,append"
	within 20 listens "$1" -uln 5003
}

send_all() { # LETTER WORD N: so many different datagrams to the ATR's broadcast address
	on "EdgeNode$1" sh -c "for i in \$(seq $3); do echo $2 \$i | socat -u - UDP4-DATAGRAM:10.77.0.255:5003,broadcast; done"
}

heard() { # LETTER WORD N: all of them, each one once
	equal "$(grep -w "$2" "$world/heard-$1" | sort -u | wc -l) $(grep -cw "$2" "$world/heard-$1")" "$3 $3"
}

all_hear() { # LETTERS WORD N
	local n
	for n in $1; do
		claim "EdgeNode$n hears each of them, once" within 20 heard "$n" "$2" "$3"
	done
}

says_out() { # LETTER
	akm "$1" status | grep -E 'not in its multicast group'
}

fleet_up "$all"
claim "a group with a link in it is refused, and says whose setting that is" refused 'group_link in its akmd.conf' \
	atr_create "$all" group "$group%eth0"
need "ATR #1 with a group" atr_create "$all" group "$group" ttl 3
claim "the management module shows it" sh -c "AKM_SOCKET=/run/akm/MgmtMod.sock akmctl -j atr show '#1' | grep '$group'"
for n in $all; do
	claim "EdgeNode$n has joined it on its link" within 20 joined "$n"
	need "EdgeNode$n listens inside" listen_inside "$n"
done

before=$(counter A tx_group)
need "A sends 10 packets to everybody" send_all A first 10
all_hear "B C D" first 10
claim "each of them left A once" equal "$(($(counter A tx_group) - before))" 10

need "B's link is deleted" ip -n EdgeNodeB link del eth0
claim "B's daemon says that it is out of the group" within 20 says_out EdgeNodeB
need "A sends 5 more" send_all A second 5
all_hear "C D" second 5
claim "B is where it was in the ATR" equal "$(generation B)" "$(generation A)"

need "B's link is made anew" plug EdgeNodeB B eth0 "$(underlay B)" 02:00:00:00:20:12
claim "B has joined the group on it, by itself" within 20 joined B
claim "and says so" within 20 not says_out EdgeNodeB
need "A sends 5 more" send_all A third 5
all_hear "B C D" third 5
before=$(counter B tx_group)
need "B sends 5" send_all B fourth 5
all_hear "A C D" fourth 5
claim "each of them left B once" equal "$(($(counter B tx_group) - before))" 5
claim "A reaches B" reaches A B
