#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""keys.py EPOCH NODES: every chain and key of generation 1 of tests/vm/lib.sh, epochs 0 to EPOCH + 1.

NODES is a word of letters. Prints lines "HEX KIND EPOCH ...", for keysearch -k. The key schedule is that of
tests/interop, which shares nothing with the module.
"""
import hashlib
import itertools
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'interop'))
import akm  # noqa: E402


def secret(*words):
    return hashlib.sha256(' '.join(words).encode()).digest()


def show(key, *name):
    print(key.hex(), *name)


def index(node):
    return ord(node) - ord('a') + 1


def main():
    last, nodes = int(sys.argv[1]) + 1, sys.argv[2]
    generation = akm.Generation(1, 1, 1001, 'aes-256-gcm')
    chain = secret('chain', '1')
    pairs = {(a, b): secret('pair', '1', a, b) for a, b in itertools.combinations(nodes, 2)}
    for epoch in range(last + 1):
        show(chain, 'group-chain', epoch)
        for n in nodes:
            show(generation.group_key(chain, index(n))[0], 'group-key', epoch, 'from', index(n))
        for (a, b), pair in pairs.items():
            show(pair, 'pair-chain', epoch, 'of', a + b)
            for x, y in ((a, b), (b, a)):
                show(generation.pair_key(chain, pair, index(x), index(y))[0], 'pair-key', epoch, 'from', x, 'to', y)
        chain = generation.step(chain)
        pairs = {ab: generation.step(pair) for ab, pair in pairs.items()}


main()
