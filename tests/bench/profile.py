#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What profile.sh sampled, by part and by function.

    profile.py SECONDS CONSOLE SYMBOLS SAMPLES

CONSOLE has the modules' symbols as bench-init.sh prints them, SYMBOLS is what nm says of the kernel, and SAMPLES
has a time and an address on each line. The row is what the machine did last, SECONDS long: of it the middle counts.
"""
import bisect
import collections
import re
import sys

LARGEST = 1 << 16       # a function is not longer
HOST = 1 << 63          # addresses from here on are the host's kernel
STOPPING = 0.7          # seconds that the machine needs to unload and to end
FUNCTIONS = 40
# The first that matches; the rest is the network stack
PARTS = (
    ("host", r"\(host\)"), ("akm", r"\[akm\]"), ("load", r"\[ubench\]"),
    ("crypto API", r"scatterwalk|skcipher|crypto_|simd_|sg_|sgvec|kernel_fpu|memneq|aead"),
    ("cipher", r"^_(?!_|raw_)|aesni|gcm|ghash|key_256|aes_|chacha|poly1305"),
    ("copies, sums", r"memcpy|memmove|copy_bits|csum|_copy_|copy_(from|to)"),
    ("memory", r"kmem|kmalloc|kfree|slab|memset|alloc|get_page|free_page"),
    ("UML interrupts", r"um_set|unblock_signals|block_signals|time_travel"),
)


def symbols(console, kernel):
    """[(address, name)] sorted"""
    found = []
    for line in console:
        words = re.match(r"akm-bench: symbol ([0-9a-f]+) [tTwW] (\S+)\s+(\[\w+\])", line)
        if words:
            found.append((int(words[1], 16), f"{words[2]} {words[3]}"))
    for line in kernel:
        words = line.split()
        if len(words) == 3 and words[1] in "tTwW":
            found.append((int(words[0], 16), words[2]))
    return sorted(found)


def name_of(table, addresses, address):
    if address >= HOST:
        return "(host)"
    i = bisect.bisect(addresses, address) - 1
    if i < 0 or address - addresses[i] >= LARGEST:
        return "?"
    return table[i][1]


def count(samples, table, seconds):
    rows = [(float(words[0]), int(words[1], 16)) for words in map(str.split, samples) if len(words) == 2]
    addresses = [address for address, _ in table]
    end = rows[-1][0] - STOPPING
    return collections.Counter(name_of(table, addresses, address) for time, address in rows
                               if end - seconds * 0.8 < time < end)


def part_of(name):
    return next((part for part, pattern in PARTS if re.search(pattern, name)), "stack")


def main(seconds, console, kernel, samples):
    with open(console, errors="replace", encoding="utf-8") as c, open(kernel, encoding="utf-8") as k:
        table = symbols(c, k)
    with open(samples, encoding="utf-8") as f:
        counts = count(f, table, float(seconds))
    total, parts = sum(counts.values()), collections.Counter()
    for name, n in counts.items():
        parts[part_of(name)] += n
    for title, each in (("part", parts.most_common()), ("function", counts.most_common(FUNCTIONS))):
        print(f"{title} ({total} samples)")
        for name, n in each:
            print(f"  {100 * n / total:6.2f} %  {name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
