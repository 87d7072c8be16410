#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the rows of spread-init.sh say.

    spread.py --shares NATIVE                       NAME:PER-MILLE[,…], weights for the other machine
    spread.py [--json FILE] NATIVE PARALLEL         tables, and "passed NAME" or "failed NAME: why"

Off and on are compared in pairs, of one repetition. The model, for sending: a datagram costs P without sealing,
of which K, copy and sum, is handed over as well, C to seal, and H to be handed over; all but K and C stays on the
processor of the flow. With n processors it takes

    max(P - K + H, (P + C + H) / n)

because who sends seals, too, when others do not keep up. H is what handing over to the only processor costs.
Where two processors that work at the same time are slower than one by itself, because they share something or
because the host has other work, so is what they do together: "here" is what is expected then.
"""
import argparse
import json
import re
import statistics
import sys

PROCESSORS = (2, 3, 4)
CIPHERS = ("aes", "chacha")


class Log:
    """rows[test, cipher, mode][repetition] = {rate, sealed, …} as in spread-init.sh, and what else a machine said"""

    def __init__(self, path):
        self.rows, self.copies, self.weights, self.together, self.dropped = {}, [], {}, [], {}
        with open(path, errors="replace", encoding="utf-8") as f:
            for line in f:
                words = re.sub(r"\r", "", line).split()
                if words[:1] == ["akm-spread:"]:
                    self.take(words[1], words[2:])

    def take(self, what, words):
        if what == "row":
            test, cipher, mode, repetition = words[:4]
            rate, sealed, elsewhere, idle0, idle1, us = map(int, words[4:10])
            self.rows.setdefault((test, cipher, mode), {})[repetition] = {
                "rate": rate, "sealed": sealed, "elsewhere": elsewhere, "idle": (idle0, idle1), "us": us,
                "disorder": int(words[10])}
        elif what == "copy":
            self.copies.append(int(words[0]))
        elif what == "weight":
            self.weights[words[0]] = (int(words[1]), words[2])
        elif what == "dropped":
            self.dropped[words[0]] = [int(word) for word in words[1:]]
        elif what == "together":
            self.together.append(int(words[0]) / int(words[1]))

    def ns(self, cipher, mode, repetition):
        """What a datagram takes that is sent"""
        return 1e9 / self.rows["send", cipher, mode][repetition]["rate"]

    def least_ns(self, cipher, mode):
        """Whatever else the host has to do only adds to it."""
        return min(self.ns(cipher, mode, r) for r in self.rows["send", cipher, mode])

    def ciphers(self, test, mode):
        return [cipher for t, cipher, m in self.rows if t == test and m == mode]

    def ratios(self, test, cipher, on="on"):
        off = self.rows.get((test, cipher, "off"), {})
        other = self.rows.get((test, cipher, on), {})
        return [other[r]["rate"] / off[r]["rate"] for r in off if r in other and off[r]["rate"]]


class Model:
    """P, K, H of a machine, nanoseconds of a datagram"""

    def __init__(self, log):
        self.bare = log.least_ns("0", "off")
        self.copy = min(log.copies)
        handing = [log.least_ns(cipher, "alone") - log.least_ns(cipher, "off")
                   for cipher in log.ciphers("send", "alone")]
        self.handing = max(statistics.median(handing), 0.0)

    def seal(self, log, cipher):
        return max(log.least_ns(cipher, "off") - self.bare, 0.0)

    def speedup(self, seal, n):
        stays = self.bare - self.copy + self.handing
        return (self.bare + seal) / max(stays, (self.bare + seal + self.handing) / n)


def shares(log):
    model = Model(log)
    return ",".join(f"{cipher}:{round(1000 * model.seal(log, cipher) / model.bare)}" for cipher in CIPHERS)


def spoken(ratios):
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} … {max(ratios):.2f})" if ratios else "--"


def total(log, key, field):
    return sum(row[field] for row in log.rows.get(key, {}).values())


def elsewhere(log, *key):
    """Per cent of what was sealed, or opened"""
    return 100 * total(log, key, "elsewhere") / max(total(log, key, "sealed"), 1)


def idle(log, test, cipher, mode):
    """Per cent of the time, of both processors"""
    rows = list(log.rows[test, cipher, mode].values())
    return [100 * statistics.median(row["idle"][i] / row["us"] for row in rows) for i in (0, 1)]


def native_table(log, model):
    print(f"native: sending takes {model.bare:.0f} ns for a datagram without sealing, of which {model.copy:.0f} ns are"
          f" copy and sum; handing over {model.handing:.0f} ns")
    rows = []
    for cipher in CIPHERS:
        seal = model.seal(log, cipher)
        expected = {n: round(model.speedup(seal, n), 2) for n in PROCESSORS}
        alone = log.ratios("send", cipher, "alone")
        told = ", ".join(f"{n} processors {x:.2f}" for n, x in expected.items())
        print(f"  {cipher:7} {seal:5.0f} ns to seal; expected with {told}; handed over on one {spoken(alone)}")
        rows.append({"cipher": cipher, "seal_ns": round(seal), "expected": expected, "alone": alone})
    return rows


def sending_table(log, model):
    speed = statistics.median(log.together)
    print(f"parallel, sending: {model.bare:.0f} ns without sealing, copy {model.copy:.0f} ns, handing over"
          f" {model.handing:.0f} ns; two processors at once have each {100 * speed:.0f} % of the speed of one")
    print("  seal, ns  per mille  on : off             expected  here  elsewhere  idle off   idle on")
    rows = []
    for cipher in sorted(log.ciphers("send", "on"), key=lambda c: model.seal(log, c)):
        seal, ratios = model.seal(log, cipher), log.ratios("send", cipher)
        expected, other = model.speedup(seal, 2), elsewhere(log, "send", cipher, "on")
        idles = [idle(log, "send", cipher, mode) for mode in ("off", "on")]
        per_mille, here = 1000 * seal / model.bare, expected * speed
        print(f"  {seal:8.0f}  {per_mille:9.0f}  {spoken(ratios):20}  {expected:7.2f}  {here:4.2f}  {other:7.0f} %"
              f"  {idles[0][0]:3.0f} {idles[0][1]:4.0f}   {idles[1][0]:3.0f} {idles[1][1]:4.0f}   {cipher}")
        rows.append({"cipher": cipher, "seal_ns": round(seal), "ratios": ratios, "expected": round(expected, 3),
                     "elsewhere": round(other, 1)})
    return rows


def ends_table(log):
    rows = []
    for name, (per_mille, cipher) in log.weights.items():
        print(f"parallel, sealing as dear as {name} is at native speed ({per_mille} per mille)")
        for test, mode in sorted({(t, m) for t, c, m in log.rows if c == cipher and m in ("on", "rx")}):
            ratios, other = log.ratios(test, cipher, mode), elsewhere(log, test, cipher, mode)
            idles = [idle(log, test, cipher, each) for each in ("off", mode)]
            print(f"  {test:10} {mode:2}  {spoken(ratios):20}  {other:4.0f} % elsewhere;"
                  f" idle {idles[0][0]:3.0f} {idles[0][1]:4.0f} off {idles[1][0]:3.0f} {idles[1][1]:4.0f} {mode}")
            rows.append({"weight": name, "test": test, "mode": mode, "ratios": ratios, "elsewhere": round(other, 1)})
    return rows


def verdicts(native, parallel):
    """(name, what is wrong or None)"""
    for name, log in (("native", native), ("parallel", parallel)):
        dropped = {n: counts for n, counts in log.dropped.items() if any(counts)}
        yield f"{name}: nothing is dropped", f"by {dropped}" if dropped or not log.dropped else None
        for (test, cipher, mode), rows in log.rows.items():
            count = sum(row["disorder"] for row in rows.values())
            yield f"{name}: {test} {cipher} {mode} is in order", f"{count} came late" if count else None
    for test, cipher, mode in parallel.rows:
        if mode in ("on", "rx"):
            others = total(parallel, (test, cipher, mode), "elsewhere")
            yield f"{test} {cipher} {mode}: others help", None if others else "none did"
    for name, (_, cipher) in parallel.weights.items():
        ratios = parallel.ratios("send", cipher)
        pays = ratios and statistics.median(ratios) > 1
        yield f"sending at the weight of {name} is faster with two", None if pays else spoken(ratios)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shares", action="store_true")
    parser.add_argument("--json")
    parser.add_argument("log", nargs="+")
    args = parser.parse_args()
    logs = [Log(path) for path in args.log]
    if args.shares:
        print(shares(logs[0]))
        return
    native, parallel = logs
    models = [Model(log) for log in logs]
    result = {"native": native_table(native, models[0]), "sending": sending_table(parallel, models[1]),
              "ends": ends_table(parallel),
              "models": [{k: round(v) for k, v in vars(model).items()} for model in models]}
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)
    for name, wrong in verdicts(native, parallel):
        print(f"failed {name}: {wrong}" if wrong else f"passed {name}")


if __name__ == "__main__":
    sys.exit(main())
