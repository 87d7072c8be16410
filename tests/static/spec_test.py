#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What spec.py must notice."""
import copy
import sys
import unittest

sys.dont_write_bytecode = True
from spec import compare  # noqa: E402

HEADER = """
#ifndef _UAPI_LINUX_X_H
#define _UAPI_LINUX_X_H
#define X_GENL_NAME "x"
#define X_GENL_VERSION 1
#define X_LEN 32 /* bytes, not 33 */
enum x_color { X_COLOR_RED = 1, X_COLOR_BLUE = 2 };
enum x_a_dev {
	X_A_DEV_UNSPEC,
	X_A_DEV_ONE,	/* the first, and no other */
	X_A_DEV_TWO,
	__X_A_DEV_MAX
};
#define X_A_DEV_MAX (__X_A_DEV_MAX - 1)
enum x_cmd { X_CMD_UNSPEC, X_CMD_GO, __X_CMD_MAX };
#endif
"""
SPEC = {
    "name": "x",
    "definitions": [
        {"name": "len", "type": "const", "value": 32},
        {"name": "color", "type": "enum", "value-start": 1, "entries": ["red", {"name": "blue"}]},
    ],
    "attribute-sets": [{"name": "dev", "attributes": [{"name": "one"}, {"name": "two"}]}],
    "operations": {"list": [{"name": "go"}]},
}


class Spec(unittest.TestCase):
    def changed(self, old, new):
        self.assertIn(old, HEADER)
        self.assertTrue(compare(SPEC, HEADER.replace(old, new)))

    def test_header_changes(self):
        self.changed("X_A_DEV_TWO,", "X_A_DEV_TWO,\n X_A_DEV_THREE,")
        self.changed("\tX_A_DEV_TWO,", "")
        self.changed("X_A_DEV_ONE,", "X_A_DEV_ONE = 3,")
        self.changed("X_A_DEV_TWO", "X_A_DEV_ZWEI")
        self.changed("X_COLOR_BLUE = 2", "X_COLOR_BLUE = 4")
        self.changed("X_LEN 32", "X_LEN 33")
        self.changed("#define X_LEN 32", "")
        self.changed("#define X_GENL_VERSION 1", "#define X_GENL_VERSION 2")
        self.changed("X_CMD_GO,", "X_CMD_GO, X_CMD_STOP,")
        self.changed("enum x_cmd", "enum x_command")

    def test_order(self):
        swapped = HEADER.replace("RED = 1, X_COLOR_BLUE = 2", "BLUE = 2, X_COLOR_RED = 1")
        self.assertTrue(compare(SPEC, swapped))

    def test_spec_changes(self):
        spec = copy.deepcopy(SPEC)
        spec["attribute-sets"][0]["attributes"].reverse()
        self.assertTrue(compare(spec, HEADER))

    def test_same(self):
        self.assertEqual(compare(SPEC, HEADER), [])


if __name__ == "__main__":
    unittest.main(verbosity=0)
