#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What ktap.py must not let pass: each case is a console and the verdict on it."""
import io
import sys
import unittest

sys.dont_write_bytecode = True
from ktap import judge  # noqa: E402

GOOD = """Checking that ptrace can change system call numbers...OK
[    0.100000] KTAP version 1
[    0.100000] 1..1
[    0.100000]     KTAP version 1
[    0.100000]     # Subtest: a
[    0.100000]     1..3
[    0.100000]     ok 1 one
[    0.100000]     ok 2 two # SKIP no such thing here
[    0.100000]         KTAP version 1
[    0.100000]         # Subtest: three
[    0.100000]         ok 1 p=1
[    0.100000]         ok 2 p=2
[    0.100000]     ok 3 three
[    0.100000] # a: pass:2 fail:0 skip:1 total:3
[    0.100000] ok 1 a
akm-lane: end
[    0.200000] reboot: System halted
"""


def verdict(text, *wanted):
    return judge(wanted or ("a",), text.splitlines(True), io.StringIO())


class Ktap(unittest.TestCase):
    def refused(self, text, *wanted):
        self.assertGreater(verdict(text, *wanted)[1], 0)

    def without(self, part):
        self.assertIn(part, GOOD)
        return "".join(l for l in GOOD.splitlines(True) if part not in l)

    def test_nothing(self):
        self.refused("")

    def test_missing_suite(self):
        self.refused(GOOD, "a", "b")

    def test_suite_nobody_asked_for(self):
        self.refused(GOOD, "b")

    def test_missing_case(self):
        self.refused(self.without("ok 3 three"))
        self.refused(self.without("ok 1 one"))

    def test_missing_plan(self):
        self.refused(self.without("1..3"))

    def test_missing_close(self):
        self.refused(self.without("ok 1 a"))

    def test_crash_or_timeout(self):
        self.refused(self.without("akm-lane: end"))
        for i in range(1, len(GOOD.splitlines()) - 1):
            self.refused("".join(GOOD.splitlines(True)[:i]))

    def test_failed_case(self):
        self.assertEqual(verdict(GOOD.replace("]     ok 1 one", "]     not ok 1 one")
                                 .replace("ok 1 a", "not ok 1 a")), (1, 1, 1))

    def test_suite_contradicts_cases(self):
        self.refused(GOOD.replace("ok 1 a", "not ok 1 a"))
        self.refused(GOOD.replace("]     ok 1 one", "]     not ok 1 one"))

    def test_kernel_complains(self):
        for text in ("BUG: KASAN: use-after-free in x", "WARNING: CPU: 0 PID: 1 at x",
                     "Kernel panic - not syncing", "INFO: rcu_sched detected stalls",
                     "unregister_netdevice: waiting for akm0 to become free"):
            self.refused(GOOD.replace("akm-lane: end", f"[    0.1] {text}\nakm-lane: end"))

    def test_script_complains(self):
        self.refused(GOOD.replace("akm-lane: end", "akm-lane: cannot load x.ko\nakm-lane: end"))

    def test_good(self):
        self.assertEqual(verdict(GOOD), (2, 0, 1))


if __name__ == "__main__":
    unittest.main(verbosity=0)
