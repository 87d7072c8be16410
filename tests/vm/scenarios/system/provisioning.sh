#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# P10 for the provisioning exchange: the line is pulled before, after and in the midst of each message; every time
# both sides are as before or as afterwards, and the next run goes through. A second provisioning is refused
# until the node's own operator allows it.
# shellcheck source=tests/vm/world.sh
. "$(dirname "$0")/../../world.sh"
trap scenario_end EXIT

configure_node() { # LETTER: provisioned over a Unix stream, so that a relay can stand in between
	write_config "EdgeNode$1" node <<-CONF
		[hardware]
		sources = ek,mac:eth0
		[link]
		endpoint = $(underlay "$1")
		[provision]
		listen = unix-listen:$world/serial/$1.sock
	CONF
}

provision_through() { # RELAY-OPTIONS…: provision A through a relay; its result is the command's
	local status
	start "$world/log/relay" relay "$@" "$world/serial/relay.sock" "$world/serial/A.sock"
	local relay=$started
	within 60 says waiting "$world/log/relay" || return
	akm MgmtMod node provision EdgeNodeA via "unix:$world/serial/relay.sock"
	status=$?
	within 60 ended "$relay" || stop "$relay"
	return "$status"
}

listening() { # the node waits for the next connection
	[ -S "$world/serial/A.sock" ] && akm EdgeNodeA -j status | field role
}

need "the world is up" world_up "A"
need "the root runs" daemon_up Root
need "the management module runs" daemon_up MgmtMod
claim "a manager without credentials provisions nobody" refused 'provision|domain|root' \
	akm MgmtMod node provision EdgeNodeA via "unix:$world/serial/A.sock"
need "the root provisions it" provision_manager
need "EdgeNodeA runs" daemon_up EdgeNodeA

for n in 0 1 2 3 4 5 6; do
	for partial in "" -p; do
		need "the node waits" within 60 listening
		claim "cut after $n messages${partial:+ and a half}: an error that says so" \
			refused 'closed|cut|lost|connection|timed|ended|hung' provision_through -n "$n" $partial
		claim "the node is not provisioned" says 'not provisioned' <(akm EdgeNodeA -j status)
	done
done
need "the node waits" within 60 listening
claim "an uncut run goes through" provision_through
claim "and the link comes up" within 60 node_linked A
claim "both sides name the same ATR" equal "$(akm MgmtMod -j node show EdgeNodeA | field id)" "$(akm EdgeNodeA -j status | field id)"

claim "a second provisioning is refused, by name" refused 'provisioned|allow' provision_through
claim "the link is still up" node_linked A
need "the node's operator allows it" akm EdgeNodeA provision allow for 60s
within 60 listening
claim "then it goes through" provision_through
claim "and the link comes up again" within 60 node_linked A
claim "there is one node of that name" equal "$(akm MgmtMod -j node list | grep -c '"name": *"EdgeNodeA"')" 1
