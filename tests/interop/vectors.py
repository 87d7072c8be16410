#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""vectors.py FILE: recomputes every output in tests/vectors/vectors.json with akm.py."""
import json
import sys

import akm

SUITE = {'aes256gcm': 'aes-256-gcm', 'chacha20poly1305': 'chacha20-poly1305',
         'aes128gcm': 'aes-128-gcm'}


def raw(v, name):
    return bytes.fromhex(v[name])


def generation(v):
    return akm.Generation(v['atr_id'], v['generation'], v['key_id'],
                          SUITE[v.get('suite', 'aes256gcm')])


def key(v):
    if v.get('type') == akm.GROUP or 'receiver' not in v:
        return generation(v).group_key(raw(v, 'chain'), v['sender'])
    return generation(v).pair_key(raw(v, 'chain'), raw(v, 'pair_chain'), v['sender'], v['receiver'])


def hkdf(v):
    prk = akm.extract(raw(v, 'salt'), raw(v, 'ikm'))
    return {'prk': prk, 'okm': akm.expand(prk, raw(v, 'info'), v['length'])}


def pairwise(v):
    return {'pairwise_secret': generation(v).pairwise(raw(v, 'pair_root'), v['i'], v['j'])}


def link_psk(v):
    return {'psk': akm.link_psk(raw(v, 'link_key'), v['identity'])}


def traffic_key(v):
    k, iv = key(v)
    return {'key': k, 'iv': iv}


def nonce(v):
    number = akm.packet_number(v['incarnation'], v['sequence'])
    return {'packet_number': akm.be64(number), 'nonce': akm.nonce(raw(v, 'iv'), number)}


def packet(v):
    number = akm.packet_number(v['incarnation'], v['sequence'])
    header = akm.Header(v['type'], v['epoch'], v['sender'], v['key_id'], number)
    if akm.unseal(generation(v), key(v), raw(v, 'packet')) != raw(v, 'plaintext'):
        raise akm.Refused('opens to something else')
    return {**traffic_key(v), 'nonce': akm.nonce(key(v)[1], number),
            'packet': akm.seal(generation(v), key(v), header, raw(v, 'plaintext'))}


SECTIONS = {
    'hkdf': hkdf,
    'chain_start': lambda v: {'chain': akm.chain_start(raw(v, 'generation_secret'))},
    'pair_start': lambda v: {'pair_chain': akm.pair_start(raw(v, 'pairwise_secret'))},
    'pairwise': pairwise,
    'next': lambda v: {'next': generation(v).at_epoch(raw(v, 'chain'), v['steps'])},
    'group': traffic_key,
    'pair': traffic_key,
    'nonce': nonce,
    'packet': packet,
    'link_psk': link_psk,
}


def main():
    with open(sys.argv[1], encoding='utf-8') as f:
        vectors = json.load(f)
    vectors = {name: rows for name, rows in vectors.items() if isinstance(rows, list)}
    wrong = 0
    if set(vectors) != set(SECTIONS):
        print('sections of the file and of this program differ:', set(vectors) ^ set(SECTIONS))
        wrong += 1
    for name in sorted(set(vectors) & set(SECTIONS)):
        for i, v in enumerate(vectors[name]):
            for field, value in SECTIONS[name](v).items():
                if value.hex() != v[field]:
                    print(f'{name}[{i}].{field} is {v[field]}, computed {value.hex()}')
                    wrong += 1
        if not vectors[name]:
            print(f'{name} is empty')
            wrong += 1
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
