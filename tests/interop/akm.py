# SPDX-License-Identifier: GPL-2.0
"""AKM packets and their keys, a third time: from Documentation/protocol.rst alone.

No line is shared with the kernel module, the daemon or tests/vectors. It is written to be read
beside the sections "Key schedule", "Packet" and "Freshness"; what cannot be written here from that page is
missing there.
"""
import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

SUITES = {  # name: (key_len, AEAD)
    'aes-256-gcm': (32, AESGCM),
    'chacha20-poly1305': (32, ChaCha20Poly1305),
    'aes-128-gcm': (16, AESGCM),
}
VERSION = 1
PAIR, GROUP, HELLO, HELLO_ACK, NOTICE, KEEPALIVE = 1, 2, 3, 4, 5, 6
NONCE = 16
HEADER, TAG, IV = 16, 16, 12
SEQUENCE_BITS = 40


class Refused(Exception):
    """A packet that a receiver drops; the text names the step of "Receiver" that it fails."""


def be16(x):
    return struct.pack('>H', x)


def be32(x):
    return struct.pack('>I', x)


def be64(x):
    return struct.pack('>Q', x)


# ---- Key schedule ----

def extract(salt, ikm):
    return hmac.new(salt, ikm, hashlib.sha256).digest()


def expand(prk, info, length):
    out, block = b'', b''
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([len(out) // 32 + 1]), hashlib.sha256).digest()
        out += block
    return out[:length]


def chain_start(generation_secret):
    return extract(b'akm1 chain', generation_secret)


def pair_start(pairwise_secret):
    return extract(b'akm1 pair', pairwise_secret)


class Generation:
    """What names a generation, and the keys that follow from its chains."""

    def __init__(self, atr_id, generation, key_id, suite):
        self.ctx = be32(atr_id) + be32(generation) + be32(key_id)
        self.key_id = key_id
        self.key_len, self.aead = SUITES[suite]

    def step(self, chain):
        return expand(chain, b'akm1 next' + self.ctx, 32)

    def at_epoch(self, chain, epoch):
        for _ in range(epoch):
            chain = self.step(chain)
        return chain

    def pairwise(self, pair_root, i, j):
        info = b'akm1 pairwise' + self.ctx + be16(min(i, j)) + be16(max(i, j))
        return expand(pair_root, info, 32)

    def _split(self, okm):
        return okm[:self.key_len], okm[self.key_len:]

    def group_key(self, chain, sender):
        info = b'akm1 group' + self.ctx + be16(sender)
        return self._split(expand(chain, info, self.key_len + IV))

    def pair_key(self, chain, pair_chain, sender, receiver):
        info = b'akm1 pair' + self.ctx + be16(sender) + be16(receiver)
        return self._split(expand(extract(chain, pair_chain), info, self.key_len + IV))


# ---- Packet ----

def nonce(iv, number):
    return bytes(a ^ b for a, b in zip(iv, bytes(4) + be64(number)))


def packet_number(incarnation, sequence):
    return incarnation << SEQUENCE_BITS | sequence


class Header:
    FORMAT = '>BBHIQ'

    def __init__(self, kind, epoch, sender, key_id, number):
        self.kind, self.epoch, self.sender = kind, epoch & 0xff, sender
        self.key_id, self.number = key_id, number

    @classmethod
    def parse(cls, packet):
        if len(packet) < HEADER + TAG:
            raise Refused('malformed: too short')
        first, epoch, sender, key_id, number = struct.unpack(cls.FORMAT, packet[:HEADER])
        if first >> 4 != VERSION or not PAIR <= first & 15 <= KEEPALIVE:
            raise Refused('malformed: version or type')
        return cls(first & 15, epoch, sender, key_id, number)

    def pack(self):
        return struct.pack(self.FORMAT, VERSION << 4 | self.kind, self.epoch, self.sender,
                           self.key_id, self.number)


def seal(generation, key, header, plaintext):
    key, iv = key
    aad = header.pack()
    return aad + generation.aead(key).encrypt(nonce(iv, header.number), plaintext, aad)


def unseal(generation, key, packet):
    key, iv = key
    number = Header.parse(packet).number
    try:
        return generation.aead(key).decrypt(nonce(iv, number), packet[HEADER:], packet[:HEADER])
    except InvalidTag:
        raise Refused('authentication failure') from None


# ---- Link ----

def link_psk(link_key, identity):
    return hmac.new(link_key, identity.encode('ascii'), hashlib.sha256).digest()


# ---- Freshness ----

def hello_ack(hello, epoch, pair, group):
    if len(hello) != NONCE:
        raise Refused('malformed: hello')
    return hello + be64(epoch) + be64(pair) + be64(group)
