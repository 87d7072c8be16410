// SPDX-License-Identifier: GPL-2.0
#include "util.h"

#include <linux/kernel.h>
#include <linux/string.h>

struct blob akm_test_hex(struct kunit *test, const char *hex)
{
	struct blob blob = { .len = strlen(hex) / 2 };

	KUNIT_ASSERT_EQ(test, strlen(hex) % 2, 0);
	blob.data = kunit_kzalloc(test, blob.len + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, blob.data);
	KUNIT_ASSERT_EQ(test, hex2bin(blob.data, hex, blob.len), 0);
	return blob;
}
