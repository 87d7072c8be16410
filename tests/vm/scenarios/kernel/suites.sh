#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Each suite carries traffic; an ATR whose members disagree about it carries none.
# shellcheck source=tests/vm/lib.sh
. "$(dirname "$0")/../../lib.sh"

driver() { # NODE: the kernel's crypto driver that serves the suite
	on "$1" akmctl -j dev show akm0 | field driver
}

# generic-gcm-aesni is what AES-NI's own GCM is called; the slow one is put together of aes-generic and others.
fast_driver() { # NODE
	driver "$1" | grep -viE 'aes-generic|ghash-generic' | grep -i "$2"
}

for suite in aes-256-gcm aes-128-gcm chacha20-poly1305; do
	group_up "a b"
	claim "$suite: b answers a" pings a "$(overlay b)"
	claim "$suite: 256 KiB over TCP" tcp_transfer a b "$(overlay b)" 262144
	case $suite in
	aes-*) claim "$suite: the driver is the fast one, $(driver a)" fast_driver a aes ;;
	*) claim "$suite: the driver is named, $(driver a)" driver a ;;
	esac
	world_down
done

wire_up a b
suite=aes-256-gcm
need "a uses aes-256-gcm" atr_up a "a b"
suite=chacha20-poly1305
need "b uses chacha20-poly1305" atr_up b "a b"
for n in a b; do
	need "$n holds the same secrets" install_generation $n "a b" 1
	need "$n sends" activate $n 1
done
claim "suites that differ: nothing comes through" silent a "$(overlay b)"
claim "b counted authentication failures" counter_at_least b rx_auth_fail 3
claim "an unknown suite is refused by name" refused 'suite' on a akmctl dev set akm0 suite rot13
