#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""ktap.py SUITE... <console: judge the console of a KUnit run, strictly.

Every suite named must be there, complete: a plan, results numbered 1..N without
a gap, a closing line that agrees with them. No end mark (crash, timeout), a
complaint of the kernel, a module that does not load: each is a failure. Prints
one line per case and the totals "passed failed skipped" as the last line; exit
status 1 if anything failed.
"""
import re
import sys

SUITE = re.compile(r"^# Subtest: (\S+)$")
RESULT = re.compile(r"^(ok|not ok) (\d+)(?: -)? (\S+)(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)$")
STAMP = re.compile(r"^\[ *\d+\.\d+\] ?")
COMPLAINT = re.compile(
    r"BUG:|WARNING:|INFO: |Oops|KASAN|UBSAN|Call Trace|Kernel panic|refcount_t:"
    r"|unregister_netdevice: waiting|blocked for more than|DEBUG_LOCKS_WARN"
)
END = "akm-lane: end"


class Suite:
    """What one suite's lines said, and what is wrong with them."""

    def __init__(self, name):
        self.name = name
        self.plan = None
        self.cases = []  # (name, state, detail)
        self.errors = []
        self.closed = None  # "ok" or "not ok" of the suite's own line
        self.notes = []

    def result(self, match):
        verdict, number, name, rest = match.groups()
        if int(number) != len(self.cases) + 1:
            self.errors.append(f"case {name} is number {number}, not {len(self.cases) + 1}")
        state = "failed" if verdict == "not ok" else "skipped" if "# SKIP" in rest else "passed"
        self.cases.append((name, state, list(self.notes)))
        self.notes = []

    def finish(self):
        failed = any(state == "failed" for _, state, _ in self.cases)
        if self.plan is None:
            self.errors.append("no plan")
        elif self.plan != len(self.cases):
            self.errors.append(f"{len(self.cases)} results of {self.plan} planned")
        if not self.cases:
            self.errors.append("no case")
        if self.closed is None:
            self.errors.append("does not end")
        elif (self.closed == "ok") == failed:
            self.errors.append(f'says "{self.closed}" of itself, against its cases')


def parse(lines):
    """Return: suites by name, and errors that belong to no suite."""
    suites, errors, current = {}, [], None
    for raw in lines:
        line = STAMP.sub("", raw.rstrip("\r\n"))
        text = line.strip()
        if COMPLAINT.search(text):
            errors.append(f"the kernel says: {text}")
            continue
        indent = len(line) - len(line.lstrip(" "))
        if text.startswith("akm-lane: ") and text != END:
            errors.append(text[len("akm-lane: "):])
        elif indent == 4 and (m := SUITE.match(text)):
            if m[1] in suites:
                errors.append(f"suite {m[1]} appears twice")
            current = suites[m[1]] = Suite(m[1])
        elif current is None:
            continue
        elif indent == 4 and (m := PLAN.match(text)):
            current.plan = int(m[1])
        elif indent == 4 and (m := RESULT.match(text)):
            current.result(m)
        elif indent == 0 and (m := RESULT.match(text)) and m[3] == current.name:
            current.closed = m[1]
            current = None
        elif text:
            current.notes.append(text)
    for suite in suites.values():
        suite.finish()
    return suites, errors


def judge(wanted, lines, out):
    """Return: (passed, failed, skipped)."""
    lines = list(lines)
    suites, errors = parse(lines)
    count = {"passed": 0, "failed": 0, "skipped": 0}
    if not any(STAMP.sub("", line).strip() == END for line in lines):
        errors.append("the run did not reach its end: crash or timeout")
    for name in wanted:
        suite = suites.get(name)
        if suite is None:
            errors.append(f"suite {name} is missing")
            continue
        for case, state, notes in suite.cases:
            count[state] += 1
            print(f"{state:8}{name}.{case}", file=out)
            if state == "failed":
                for note in notes:
                    print(f"        {note}", file=out)
        errors += [f"suite {name}: {e}" for e in suite.errors]
    errors += [f"suite {name} is not expected" for name in suites if name not in wanted]
    for error in errors:
        print(f"failed  {error}", file=out)
    return count["passed"], count["failed"] + len(errors), count["skipped"]


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: ktap.py SUITE... <console")
    totals = judge(sys.argv[1:], sys.stdin, sys.stdout)
    print("%d %d %d" % totals)
    sys.exit(1 if totals[1] else 0)


if __name__ == "__main__":
    main()
