// SPDX-License-Identifier: GPL-2.0
#include "hwid.h"

#include <sys/stat.h>

#include <openssl/evp.h>

#include <setjmp.h>
#include <cmocka.h>

#include "support_dir.h"

#define UUID	"4c4c4544-0042-3510-8051-b7c04f4d3332"

static const uint8_t name_bytes[34] = { 0x00, 0x0b, 1, 2, 3 };
static const struct akm_blob ek_name = { .data = (uint8_t *)name_bytes, .len = sizeof(name_bytes) };

static void make_dir(const char *name)
{
	assert_int_equal(mkdir(scratch_path(name), 0700), 0);
}

static void put(const char *name, const char *text)
{
	scratch_write(name, text, strlen(text));
}

static int setup(void **state)
{
	(void)state;
	scratch_make();
	make_dir("class");
	make_dir("class/dmi");
	make_dir("class/dmi/id");
	make_dir("class/net");
	make_dir("class/net/akmtest0");
	put("class/dmi/id/product_uuid", UUID "\n");
	put("class/dmi/id/board_serial", "  .7XJ3.CN0042\n");
	put("class/net/akmtest0/address", "02:00:5e:10:00:ff\n");
	put("fuse", "raw\n");
	return 0;
}

static int value(const char *sources, uint8_t ret[AKM_DIGEST_LEN], struct akm_error *err)
{
	return hwid_value(sources, &ek_name, scratch_dir(), ret, err);
}

static void assert_value(const char *sources, const void *input, size_t len)
{
	uint8_t got[AKM_DIGEST_LEN], want[AKM_DIGEST_LEN];
	struct akm_error err = {};
	unsigned int n;

	if (value(sources, got, &err))
		fail_msg("%s: %s: %s", sources, err.field, err.reason);
	assert_int_equal(EVP_Digest(input, len, want, &n, EVP_sha256(), NULL), 1);
	assert_memory_equal(got, want, sizeof(want));
}

/* The bytes that are hashed, written out by hand: a change of them would unprovision a fleet. */
static void the_value_is_what_is_documented(void **state)
{
	static const char dmi[] = "akm1 hardware" "\0\x10" "dmi:product_uuid" "\0\x24" UUID;
	static const char serial[] = "akm1 hardware" "\0\x10" "dmi:board_serial" "\0\x0c" ".7XJ3.CN0042";
	static const char mac[] = "akm1 hardware" "\0\x0c" "mac:akmtest0" "\0\x06" "\x02\x00\x5e\x10\x00\xff";
	static const char both[] = "akm1 hardware" "\0\x0c" "mac:akmtest0" "\0\x06" "\x02\x00\x5e\x10\x00\xff"
				   "\0\x10" "dmi:product_uuid" "\0\x24" UUID;
	uint8_t ek[13 + 2 + 2 + 2 + 34] = "akm1 hardware\0\x02" "ek\0\x22";

	(void)state;
	memcpy(ek + 19, name_bytes, sizeof(name_bytes));
	assert_value("ek", ek, sizeof(ek));
	assert_value("dmi:product_uuid", dmi, sizeof(dmi) - 1);
	assert_value("dmi:board_serial", serial, sizeof(serial) - 1);
	assert_value("mac:akmtest0", mac, sizeof(mac) - 1);
	assert_value("mac:akmtest0,dmi:product_uuid", both, sizeof(both) - 1);
	assert_value(" mac:akmtest0 ,\tdmi:product_uuid ", both, sizeof(both) - 1);
}

/* SHA-256 of "akm1 hardware" | 0010 | "dmi:product_uuid" | 0024 | UUID, by sha256sum. */
static void known_answer(void **state)
{
	static const uint8_t want[AKM_DIGEST_LEN] = {
		0xb9, 0x4d, 0x09, 0xaf, 0x93, 0xfe, 0xc3, 0xf3,
		0x62, 0xde, 0x4e, 0xf6, 0x06, 0xa0, 0xae, 0x46,
		0x62, 0xe5, 0xb3, 0x75, 0x2a, 0xb5, 0xa3, 0xd2,
		0x53, 0x6c, 0x70, 0xa9, 0xf2, 0x89, 0xf3, 0x8e,
	};
	uint8_t got[AKM_DIGEST_LEN];

	(void)state;
	assert_int_equal(value("dmi:product_uuid", got, NULL), 0);
	assert_memory_equal(got, want, sizeof(want));
}

static void every_source_and_their_order_count(void **state)
{
	static const char *const lists[] = {
		"ek", "dmi:product_uuid", "dmi:board_serial", "mac:akmtest0", "ek,dmi:product_uuid",
		"dmi:product_uuid,ek", "ek,dmi:product_uuid,mac:akmtest0",
	};
	uint8_t v[ARRAY_SIZE(lists)][AKM_DIGEST_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		assert_int_equal(value(lists[i], v[i], NULL), 0);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(v[i], v[j], AKM_DIGEST_LEN);
	}
}

static void another_board_is_another_value(void **state)
{
	uint8_t a[AKM_DIGEST_LEN], b[AKM_DIGEST_LEN];

	(void)state;
	assert_int_equal(value("ek,dmi:product_uuid", a, NULL), 0);
	put("class/dmi/id/product_uuid", "4c4c4544-0042-3510-8051-b7c04f4d3333\n");
	assert_int_equal(value("ek,dmi:product_uuid", b, NULL), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	/* Only white space around it does not count. */
	put("class/dmi/id/product_uuid", " " UUID "  \n");
	assert_int_equal(value("ek,dmi:product_uuid", b, NULL), 0);
	assert_memory_equal(a, b, sizeof(a));
}

static void a_file_counts_as_it_is(void **state)
{
	uint8_t a[AKM_DIGEST_LEN], b[AKM_DIGEST_LEN];
	char source[256];

	(void)state;
	snprintf(source, sizeof(source), "file:%s", scratch_path("fuse"));
	scratch_write("fuse", "\0 raw\n", 6);
	assert_int_equal(value(source, a, NULL), 0);
	scratch_write("fuse", "\0 raw", 5);
	assert_int_equal(value(source, b, NULL), 0);
	assert_memory_not_equal(a, b, sizeof(a));
}

/* Refused with the source's name, and the output as it was. */
static void assert_refused(const char *sources, int want, const char *field)
{
	uint8_t v[AKM_DIGEST_LEN], before[AKM_DIGEST_LEN];
	struct akm_error err = {};

	memset(v, 0x5a, sizeof(v));
	memcpy(before, v, sizeof(v));
	assert_int_equal(value(sources, v, &err), want);
	assert_memory_equal(v, before, sizeof(v));
	assert_string_equal(err.field, field);
	assert_true(strlen(err.reason) > 5);
	/* Whoever does not want the reason need not. */
	assert_int_equal(value(sources, v, NULL), want);
}

static void an_absent_source_is_named(void **state)
{
	uint8_t v[AKM_DIGEST_LEN];

	(void)state;
	assert_refused("ek,dmi:chassis_serial", -ENOENT, "dmi:chassis_serial");
	assert_refused("mac:akmtest1,ek", -ENOENT, "mac:akmtest1");
	assert_refused("file:/nonexistent/fuse", -ENOENT, "file:/nonexistent/fuse");
	put("class/dmi/id/product_uuid", "");
	assert_refused("dmi:product_uuid", -ENODATA, "dmi:product_uuid");
	put("class/dmi/id/product_uuid", " \n");
	assert_refused("dmi:product_uuid", -ENODATA, "dmi:product_uuid");
	assert_int_equal(hwid_value("ek", NULL, scratch_dir(), v, NULL), -ENODATA);
	assert_int_equal(hwid_value("ek", &(struct akm_blob){}, scratch_dir(), v, NULL), -ENODATA);
}

static void a_makers_filler_is_no_identity(void **state)
{
	static const char *const fillers[] = {
		"Default string\n", "To be filled by O.E.M.\n", "System Serial Number\n", "Not Specified", "0\n",
		"00000000-0000-0000-0000-000000000000\n", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF\n",
		"ffffFFFF", "03000200-0400-0500-0006-000700080009\n", "None\n", "................\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fillers); i++) {
		put("class/dmi/id/product_uuid", fillers[i]);
		assert_refused("dmi:product_uuid", -ENODATA, "dmi:product_uuid");
	}
}

static void a_bad_mac_is_refused(void **state)
{
	static const char *const bad[] = {
		"00:00:00:00:00:00\n", "02:00:5e:10:00\n", "02:00:5e:10:00:fff\n", "02-00-5e-10-00-ff\n",
		"02:00:5e:10:00:0x\n", "0200.5e10.00ff.00\n", "\n", "02:00:5e:10:00:ff:02:00:5e:10:00:ff\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put("class/net/akmtest0/address", bad[i]);
		assert_refused("mac:akmtest0", -ENODATA, "mac:akmtest0");
	}
}

static void a_large_file_is_refused(void **state)
{
	static uint8_t data[HWID_CONTENT_MAX + 1];
	uint8_t v[AKM_DIGEST_LEN];
	char source[256];

	(void)state;
	snprintf(source, sizeof(source), "file:%s", scratch_path("fuse"));
	scratch_write("fuse", data, HWID_CONTENT_MAX);
	assert_int_equal(value(source, v, NULL), 0);
	scratch_write("fuse", data, HWID_CONTENT_MAX + 1);
	assert_int_equal(value(source, v, NULL), -EFBIG);
}

static void syntax_is_checked(void **state)
{
	static const char *const good[] = {
		"ek", "dmi:product_uuid", "mac:eth0", "mac:enp3s0f0.100", "file:/a", "ek,dmi:a,mac:b,file:/c",
	};
	static const char *const bad[] = {
		"", ",", "ek,", ",ek", "ek,,ek", "ek:", "ek:x", "EK", "e", "ekk", "dmi", "dmi:", "dmi:../x", "dmi:A",
		"dmi:a/b", "mac", "mac:", "mac:a/b", "mac:..", "mac:a b", "mac:sixteen-letters-", "file:", "file:/",
		"file:a", "disk:sda", "ek,ek", "dmi:a,mac:b,dmi:a", "dmi:product_uuid;ek", " ",
	};
	struct akm_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(hwid_check(good[i], &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err = (struct akm_error){};
		if (hwid_check(bad[i], &err) != -EINVAL)
			fail_msg("\"%s\" was accepted", bad[i]);
		assert_true(*err.field && *err.reason);
	}
}

static void limits_are_kept(void **state)
{
	char list[4096] = "ek";
	size_t len = 2;

	(void)state;
	for (int i = 1; i < HWID_SOURCES_MAX; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, ",dmi:f%d", i);
	assert_int_equal(hwid_check(list, NULL), 0);
	snprintf(list + len, sizeof(list) - len, ",dmi:more");
	assert_int_equal(hwid_check(list, NULL), -E2BIG);
	memset(list, 'a', sizeof(list) - 1);
	list[sizeof(list) - 1] = '\0';
	memcpy(list, "file:/", 6);
	assert_int_equal(hwid_check(list, NULL), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_value_is_what_is_documented, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(known_answer, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(every_source_and_their_order_count, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(another_board_is_another_value, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(a_file_counts_as_it_is, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(an_absent_source_is_named, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(a_makers_filler_is_no_identity, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(a_bad_mac_is_refused, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(a_large_file_is_refused, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(syntax_is_checked, setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(limits_are_kept, setup, scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
