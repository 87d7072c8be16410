#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Do summary.py, growth.py and scale.py compute what they say?"""
import unittest
import xml.dom.minidom

import growth
import plot
import scale
import summary


def log_of(*lines):
    return summary.Log("akm-bench: " + line for line in lines)


def rows_of(*lines):
    return {(r["test"], r["kind"]): r for r in summary.summarise([log_of(*lines)])}


def udp(kind, *values, test="udp64"):
    return [f"row {test} {kind} {i}.1 {v}" for i, v in enumerate(values)]


class Ratios(unittest.TestCase):
    def test_paired_not_ratio_of_medians(self):
        rows = rows_of(*udp("wireguard", 100, 10, 1000), *udp("akm-aes256gcm", 200, 15, 1100))
        row = rows["udp64", "akm-aes256gcm"]
        self.assertEqual(row["ratio"]["wireguard"], 1.5)
        self.assertEqual((row["median"], row["min"], row["max"]), (200, 15, 1100))

    def test_missing_repetition_makes_no_pair(self):
        rows = rows_of("row udp64 wireguard 1.1 100", "row udp64 wireguard 2.1 100",
                       "row udp64 akm-aes256gcm 2.1 300")
        self.assertEqual(rows["udp64", "akm-aes256gcm"]["ratio"]["wireguard"], 3)

    def test_base_and_copies_are_ratios_not_rows(self):
        rows = rows_of("row group64 akm-aes256gcm 1.1 30", "row group64 akm-aes256gcm-copies 1.1 10",
                       "row group64 akm-aes256gcm@base 1.1 20", "row group64 akm-aes256gcm-underlay 1.1 250")
        self.assertEqual(list(rows), [("group64", "akm-aes256gcm")])
        self.assertEqual(rows["group64", "akm-aes256gcm"]["ratio"],
                         {"unicast-copies": 3, "base": 1.5, "underlay-group": 25})

    def test_p99(self):
        rows = rows_of("row rtt wireguard 1.1 100 400", "row rtt akm-aes256gcm 1.1 50 100")
        row = rows["rtt", "akm-aes256gcm"]
        self.assertEqual(row["ratio"], {"wireguard": 0.5, "wireguard-p99": 0.25})
        self.assertIsNone(row["share_of_limit"])


class Limit(unittest.TestCase):
    aead = ["aead akm-aes256gcm 0.1 64 244 250 x", "aead akm-aes256gcm 0.1 1400 904 1000 x"]

    def share(self, test, bare, value):
        rows = rows_of(*self.aead, "mtu 1440", *udp("vxlan", bare, test=test),
                       *udp("akm-aes256gcm", value, test=test))
        return rows[test, "akm-aes256gcm"]["share_of_limit"]

    def test_udp(self):
        # 1000 ns without crypto and 244 ns for the pair
        self.assertEqual(self.share("udp64", 1e6, 1e9 / 1244), 1)

    def test_group_seals_once(self):
        self.assertEqual(self.share("group4", 1e6, 1e9 / (1000 + 452)), 1)

    def test_tcp(self):
        # 11104 bits of payload in a segment
        self.assertAlmostEqual(self.share("tcp1", 11104, 11104 / 2), 1, 3)

    def test_no_aead_no_limit(self):
        rows = rows_of(*udp("vxlan", 1e6), *udp("akm-aes256gcm", 1e5))
        self.assertIsNone(rows["udp64", "akm-aes256gcm"]["share_of_limit"])


class Noise(unittest.TestCase):
    def calm(self):
        lines = udp("wireguard", *[100] * 5)
        for kind, ratio in summary.KNOWN["udp64"].items():
            lines += udp(kind, *[100 * ratio] * 5)
        return lines

    def test_known_ratios_are_calm(self):
        self.assertEqual(summary.noisy_tests([log_of(*self.calm())]), [])

    def test_peer_that_strays(self):
        log = log_of(*self.calm(), *udp("macsec256", *[100] * 5))
        self.assertEqual(summary.noisy_tests([log]), ["udp64"])

    def test_spread(self):
        log = log_of(*self.calm(), *udp("akm-aes256gcm", 60, 100, 150, 200, 300))
        self.assertEqual(summary.noisy_tests([log]), ["udp64"])

    def test_calmest_log_counts(self):
        noisy = log_of(*self.calm(), *udp("macsec256", *[100] * 5))
        rows = summary.summarise([noisy, log_of(*self.calm())])
        macsec = [r for r in rows if r["kind"] == "macsec256"]
        self.assertEqual(macsec[0]["ratio"]["wireguard"], 1.59)
        self.assertEqual(summary.noisy_tests([noisy, log_of(*self.calm())]), [])


class Smoke(unittest.TestCase):
    def verdict(self, *lines):
        rows = summary.summarise([log_of(*lines)])
        return dict(summary.smoke(["udp64"], ["plain", "wireguard"], rows))

    def test_missing_row(self):
        self.assertEqual(self.verdict(*udp("plain", 1)), {"udp64 plain": None, "udp64 wireguard": "no figure"})

    def test_zero(self):
        self.assertIsNotNone(self.verdict(*udp("plain", 0), *udp("wireguard", 1))["udp64 plain"])

    def test_any_speed_will_do(self):
        self.assertEqual(set(self.verdict(*udp("plain", 1), *udp("wireguard", 1e9)).values()), {None})


class Chart(unittest.TestCase):
    def test_is_xml_with_a_bar_for_each_row(self):
        rows = summary.summarise([log_of(*udp("wireguard", 100), *udp("macsec256", 150))])
        document = xml.dom.minidom.parseString(plot.chart(rows))
        colours = [r.getAttribute("fill") for r in document.getElementsByTagName("rect")]
        self.assertEqual(colours.count(plot.COLOURS["macsec256"]), 2)  # and in the legend

    def test_no_rows(self):
        xml.dom.minidom.parseString(plot.chart([]))


def grown(power, *members):
    """Lines of growth.c, each of them twice, for what costs as many times more"""
    lines = [f"akm-growth: time {test} {kind} {n} {factor * 1000 * n ** power:.0f}\r" for n in members
             for kind in growth.KINDS for test in growth.TESTS for factor in (1, 2)]
    return growth.read(lines + [f"akm-growth: bytes {kind} {n} 1500" for n in members for kind in growth.KINDS])


class Growth(unittest.TestCase):
    def failed(self, grown_lines, *members):
        return [name for name, why in growth.verdicts(*grown_lines, members) if why]

    def test_linear(self):
        self.assertEqual(self.failed(grown(1, 10, 1000, 10000), 10, 1000, 10000), [])

    def test_square(self):
        failed = self.failed(grown(2, 100, 1000, 10000), 100, 1000, 10000)
        self.assertEqual(len(failed), len(growth.TESTS) * len(growth.KINDS))
        self.assertIn("roll idle grows from 1000 to 10000", failed)

    def test_missing(self):
        self.assertEqual(len(self.failed(grown(1, 1000), 1000, 10000)),
                         (len(growth.TESTS) + 1) * len(growth.KINDS))

    def test_memory(self):
        times, sizes = grown(1, 10, 1000)
        sizes["idle"] = {10: 5000, 1000: 2561}
        self.assertEqual(self.failed((times, sizes), 10, 1000), ["memory idle 1000"])

    def test_rows(self):
        rows = {(r["test"], r["kind"], r["members"]): r for r in growth.rows_of(*grown(1, 10))}
        self.assertEqual(rows["roll", "idle", 10]["median"], 15000)
        self.assertEqual(rows["roll", "idle", 10]["min"], 10000)
        self.assertEqual(rows["memory", "talking", 10]["median"], 1500)

    def test_chart_has_a_curve_for_each(self):
        document = xml.dom.minidom.parseString(growth.chart(grown(1, 10, 100)[0]))
        self.assertEqual(len(document.getElementsByTagName("polyline")), len(growth.TESTS) * len(growth.KINDS))


class Scale(unittest.TestCase):
    def test_reads_what_scale_sh_writes(self):
        figures = scale.read(["1000 nodes, rekey: 2.21 s, 2.16 s of CPU, 1 TPM calls\n",
                              "10 nodes, rekey: 0.00 s, 0.00 s of CPU, 1 TPM calls\n",
                              "1000 nodes, memory: 34 KiB a node\n"])
        self.assertEqual(figures, {"rekey": {1000: 2.16, 10: scale.LEAST}})

    def test_chart_has_a_curve_for_each(self):
        document = xml.dom.minidom.parseString(scale.chart({what: {10: 0.1, 100: 1} for what in scale.COLOURS}))
        self.assertEqual(len(document.getElementsByTagName("polyline")), len(scale.COLOURS))


if __name__ == "__main__":
    unittest.main()
