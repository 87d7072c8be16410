#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A member of an operational ATR without the kernel module: akm.py over a UDP socket.

  member.py keys WORLD INDEX DIRECTORY          chain and pairs of INDEX for akmctl, as files
  member.py ping WORLD INDEX INCARNATION ADDRESS [EPOCH]
                                                an echo under EPOCH's pair key, or group key for a
                                                multicast ADDRESS; shows who answered, and how
  member.py answer WORLD INDEX INCARNATION      answers echoes until it is killed
  member.py open WORLD WIRE.pcap INSIDE.pcap INDEX
                                                opens what the wire carried to INDEX, and compares
                                                it with what INDEX's interface delivered

WORLD is a JSON file: atr_id, generation, key_id, suite, generation_secret, pair_root, and
members {index: {"endpoint": address, "overlay": [addresses]}}.
"""
import collections
import ipaddress
import json
import os
import socket
import struct
import sys

import akm

PORT = 7645
WAIT = 60                               # s; for an answer that comes at once on a fast machine
ECHO = {4: (8, 0), 6: (128, 129)}       # ICMP types: request, reply
PROTOCOL = {4: 1, 6: 58}
EPOCHS = 8                              # how many are worked out, from 0


def address(text):
    return ipaddress.ip_address(text)


# ---- the ATR ----

class World:
    def __init__(self, path):
        with open(path, encoding='utf-8') as f:
            w = json.load(f)
        self.generation = akm.Generation(w['atr_id'], w['generation'], w['key_id'], w['suite'])
        self.pair_root = bytes.fromhex(w['pair_root'])
        self.chain = akm.chain_start(bytes.fromhex(w['generation_secret']))
        self.endpoint = {int(i): m['endpoint'] for i, m in w['members'].items()}
        self.owner = {address(a): int(i) for i, m in w['members'].items() for a in m['overlay']}

    def pair_chain(self, i, j):
        return akm.pair_start(self.generation.pairwise(self.pair_root, i, j))

    def key(self, kind, epoch, sender, receiver):
        g = self.generation
        chain = g.at_epoch(self.chain, epoch)
        if kind == akm.GROUP:
            return g.group_key(chain, sender)
        return g.pair_key(chain, g.at_epoch(self.pair_chain(sender, receiver), epoch),
                          sender, receiver)

    def open(self, packet, receiver):
        """"Receiver" of protocol.rst, but for the replay window. Returns the header with the whole
        epoch, and the inner packet, or the body of a packet that carries no data."""
        header = akm.Header.parse(packet)
        epoch = header.epoch
        if header.key_id != self.generation.key_id or epoch >= EPOCHS or \
                header.sender not in self.endpoint or header.sender == receiver:
            raise akm.Refused('unknown key')
        key = self.key(header.kind, epoch, header.sender, receiver)
        text = akm.unseal(self.generation, key, packet)
        if header.kind not in (akm.PAIR, akm.GROUP):
            return header, text
        inner = whole_packet(text)
        source, destination = addresses(inner)
        group = destination not in self.owner
        if self.owner.get(source) != header.sender or group != (header.kind == akm.GROUP) or \
                not group and self.owner[destination] != receiver:
            raise akm.Refused('prefix')
        return header, inner


# ---- inner packets ----

def version(packet):
    return packet[0] >> 4


def whole_packet(plaintext):
    """Cuts off what follows the IP packet."""
    if len(plaintext) >= 20 and version(plaintext) == 4:
        length = struct.unpack('>H', plaintext[2:4])[0]
    elif len(plaintext) >= 40 and version(plaintext) == 6:
        length = 40 + struct.unpack('>H', plaintext[4:6])[0]
    else:
        raise akm.Refused('malformed: no IP packet inside')
    if length > len(plaintext):
        raise akm.Refused('malformed: cut short')
    return plaintext[:length]


def addresses(packet):
    if version(packet) == 4:
        return address(packet[12:16]), address(packet[16:20])
    return address(packet[8:24]), address(packet[24:40])


def checksum(data):
    total = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ip_packet(source, destination, payload):
    v = source.version
    if v == 6:
        return struct.pack('>IHBB', 6 << 28, len(payload), PROTOCOL[v], 64) + \
            source.packed + destination.packed + payload
    head = struct.pack('>BBHIBBH', 0x45, 0, 20 + len(payload), 0, 64, PROTOCOL[v], 0)
    head += source.packed + destination.packed
    return head[:10] + struct.pack('>H', checksum(head)) + head[12:] + payload


def icmp(source, destination, kind, rest):
    message = struct.pack('>BBH', kind, 0, 0) + rest
    pseudo = b''
    if source.version == 6:
        pseudo = source.packed + destination.packed + struct.pack('>II', len(message), 58)
    total = checksum(pseudo + message)
    return ip_packet(source, destination, message[:2] + struct.pack('>H', total) + message[4:])


def echo_of(packet):
    """Type, and what follows the checksum, of an ICMP message without extension headers."""
    v = version(packet)
    at, protocol = (packet[0] % 16 * 4, packet[9]) if v == 4 else (40, packet[6])
    if protocol != PROTOCOL[v] or len(packet) < at + 8:
        return None, b''
    return packet[at], packet[at + 4:]


# ---- a member ----

class Member:
    def __init__(self, world, index, incarnation):
        self.world, self.index = world, index
        self.incarnation = incarnation
        self.sequence = collections.Counter()   # per key
        self.epoch = 0
        family = socket.AF_INET6 if ':' in world.endpoint[index] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((world.endpoint[index], PORT))

    def next_number(self, receiver):
        return akm.packet_number(self.incarnation, self.sequence[self.epoch, receiver])

    def send(self, inner):
        destination = addresses(inner)[1]
        receiver = self.world.owner.get(destination)
        self.send_as(akm.GROUP if receiver is None else akm.PAIR, receiver, inner)

    def send_as(self, kind, receiver, inner):
        number = self.next_number(receiver)
        self.sequence[self.epoch, receiver] += 1
        if kind == akm.HELLO_ACK:
            inner = akm.hello_ack(inner, self.epoch, self.next_number(receiver),
                                  self.next_number(None))
        header = akm.Header(kind, self.epoch, self.index, self.world.generation.key_id, number)
        key = self.world.key(kind, self.epoch, self.index, receiver)
        packet = akm.seal(self.world.generation, key, header, inner)
        for i, endpoint in self.world.endpoint.items():
            if i != self.index and receiver in (None, i):
                self.socket.sendto(packet, (endpoint, PORT))

    def receive(self):
        """The next packet that is for us; follows the sender into a newer epoch."""
        while True:
            packet = self.socket.recv(65535)
            try:
                header, inner = self.world.open(packet, self.index)
            except akm.Refused as e:
                print(f'refused: {e}', flush=True)
                continue
            self.epoch = max(self.epoch, header.epoch)
            if header.kind == akm.HELLO:
                self.send_as(akm.HELLO_ACK, header.sender, inner)
            elif header.kind in (akm.PAIR, akm.GROUP):
                return header, inner

    def own(self, v):
        return next(a for a, i in self.world.owner.items() if i == self.index and a.version == v)

    def ping(self, destination):
        source = self.own(destination.version)
        rest = os.urandom(64)
        request, reply = ECHO[destination.version]
        waiting = set(self.world.endpoint) - {self.index} if destination.is_multicast else \
            {self.world.owner[destination]}
        self.send(icmp(source, destination, request, rest))
        self.socket.settimeout(WAIT)
        while waiting:
            header, inner = self.receive()
            if echo_of(inner) == (reply, rest):
                print(f'member {header.sender} answers from {addresses(inner)[0]}, '
                      f'epoch {header.epoch}')
                waiting.discard(header.sender)

    def answer(self):
        print('listening', flush=True)
        while True:
            _, inner = self.receive()
            kind, rest = echo_of(inner)
            source, destination = addresses(inner)
            if kind == ECHO[source.version][0] and destination in self.world.owner:
                self.send(icmp(destination, source, ECHO[source.version][1], rest))


# ---- captures ----

def frames(path):
    """Link type and frames of a pcap file, as tcpdump writes it on this machine."""
    with open(path, 'rb') as f:
        magic, _, _, _, _, _, link = struct.unpack('=IHHIIII', f.read(24))
        if magic != 0xa1b2c3d4:
            raise ValueError(f'{path} is no pcap file of this machine')
        while head := f.read(16):
            if len(head) < 16:
                break                   # tcpdump was stopped in the midst of it
            yield link, f.read(struct.unpack('=IIII', head)[2])


def udp_payload(frame):
    """Outer destination and payload of an AKM packet in an Ethernet frame, or None."""
    packet = frame[14:]
    ethertype = struct.unpack('>H', frame[12:14])[0]
    if ethertype == 0x800 and packet[9] == 17:
        at = packet[0] % 16 * 4
    elif ethertype == 0x86dd and packet[6] == 17:
        at = 40
    else:
        return None
    port, length = struct.unpack('>HH', packet[at + 2:at + 6])
    return (addresses(packet)[1], packet[at + 8:at + length]) if port == PORT else None


def opened(world, path, index):
    found = (udp_payload(frame) for _, frame in frames(path))
    for destination, packet in filter(None, found):
        if destination == address(world.endpoint[index]):
            header, inner = world.open(packet, index)
            if header.kind in (akm.PAIR, akm.GROUP):
                yield header, inner


def inside(path):
    for link, frame in frames(path):
        if link not in (12, 101):       # raw IP
            raise ValueError(f'{path} has link type {link}')
        yield frame


def compare(world, wire, delivered, index):
    seen, kinds = collections.Counter(), collections.Counter()
    for header, inner in opened(world, wire, index):
        seen[inner] += 1
        kinds[header.kind, version(inner), header.epoch] += 1
    there = collections.Counter(inside(delivered))
    for (kind, v, epoch), n in sorted(kinds.items()):
        print(f'{n} packets of type {kind}, IPv{v} inside, epoch {epoch}')
    for what, packets in (('only on the wire', seen - there), ('only inside', there - seen)):
        for packet in packets:
            print(f'{what}: {packet.hex()}')
    return bool(seen) and seen == there


def write_keys(world, index, directory):
    with open(f'{directory}/chain', 'w', encoding='ascii') as f:
        f.write(world.chain.hex() + '\n')
    with open(f'{directory}/pairs', 'w', encoding='ascii') as f:
        for i in world.endpoint:
            if i != index:
                f.write(f'{i} {world.pair_chain(index, i).hex()}\n')


def main(command, path, *words):
    world = World(path)
    if command == 'keys':
        write_keys(world, int(words[0]), words[1])
    elif command == 'open':
        return 0 if compare(world, *words[:2], int(words[2])) else 1
    else:
        member = Member(world, int(words[0]), int(words[1]))
        if command == 'ping':
            member.epoch = int(words[3]) if len(words) > 3 else 0
            member.ping(address(words[2]))
        elif command == 'answer':
            member.answer()
        else:
            raise ValueError(f'no such command: {command}')
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
