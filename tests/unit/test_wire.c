// SPDX-License-Identifier: GPL-2.0
/* Negative cases first: what the reader must refuse, and where it says the fault is. */
#include "wire.h"

#include <setjmp.h>
#include <cmocka.h>

static int setup(void **state)
{
	(void)state;
	return akm_secret_init(1 << 20);
}

static int teardown(void **state)
{
	(void)state;
	akm_secret_exit();
	return 0;
}

/* ---- one value where an unsigned integer up to 1000 is expected ---- */

struct bad { const char *what; uint8_t data[16]; size_t len; const char *reason; };

static const struct bad bad_uints[] = {
	{ "empty", {}, 0, "is missing" },
	{ "one byte in two", { 0x18, 0x17 }, 2, "shortest" },
	{ "two bytes where one does", { 0x19, 0x00, 0xff }, 3, "shortest" },
	{ "four bytes where two do", { 0x1a, 0x00, 0x00, 0xff, 0xff }, 5, "shortest" },
	{ "eight bytes where four do", { 0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff }, 9, "shortest" },
	{ "too large", { 0x19, 0x03, 0xe9 }, 3, "allowed is 0 to 1000" },
	{ "negative", { 0x20 }, 1, "not used here" },
	{ "cut off", { 0x19, 0x03 }, 2, "cut off" },
	{ "reserved head", { 0x1c }, 1, "not CBOR" },
	{ "bytes", { 0x41, 0x00 }, 2, "a byte string" },
	{ "text", { 0x61, 'a' }, 2, "a text" },
	{ "array", { 0x80 }, 1, "an array" },
	{ "map", { 0xa0 }, 1, "a map" },
	{ "boolean", { 0xf5 }, 1, "a boolean" },
	{ "null", { 0xf6 }, 1, "not used here" },
	{ "undefined", { 0xf7 }, 1, "not used here" },
	{ "half float", { 0xf9, 0x3c, 0x00 }, 3, "not used here" },
	{ "double", { 0xfb, 0x3f, 0xf0 }, 9, "not used here" },
	{ "tag", { 0xc1, 0x01 }, 2, "not used here" },
	{ "break", { 0xff }, 1, "not used here" },
};

static void refuses_bad_integers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_uints); i++) {
		const struct bad *b = &bad_uints[i];
		struct akm_error err = {};
		struct wire_reader c;
		uint64_t v = 77;

		rd_init(&c, "m", b->data, b->len, &err);
		if (rd_uint(&c, "x", 0, 1000, &v) != -EBADMSG || v != 77 ||
		    strcmp(err.field, "m.x") || !strstr(err.reason, b->reason))
			fail_msg("%s: field \"%s\" reason \"%s\"", b->what, err.field, err.reason);
	}
}

static const struct bad bad_bytes[] = {
	{ "indefinite", { 0x5f, 0x41, 0x00, 0xff }, 4, "not used here" },
	{ "long length", { 0x58, 0x02, 0x00, 0x00 }, 4, "shortest" },
	{ "cut off", { 0x42, 0x00 }, 2, "cut off" },
	{ "huge length", { 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 }, 10, "cut off" },
	{ "too short", { 0x41, 0x00 }, 2, "allowed are 2 to 2" },
	{ "too long", { 0x43, 0x00, 0x00, 0x00 }, 4, "allowed are 2 to 2" },
	{ "text", { 0x62, 'a', 'b' }, 3, "a text" },
};

static void refuses_bad_byte_strings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_bytes); i++) {
		const struct bad *b = &bad_bytes[i];
		uint8_t got[2] = { 7, 7 };
		struct akm_error err = {};
		struct wire_reader c;

		rd_init(&c, "m", b->data, b->len, &err);
		if (rd_bytes(&c, "x", got, 2) != -EBADMSG || got[0] != 7 || !strstr(err.reason, b->reason))
			fail_msg("%s: reason \"%s\"", b->what, err.reason);
	}
}

static const struct bad bad_texts[] = {
	{ "indefinite", { 0x7f, 0x61, 'a', 0xff }, 4, "not used here" },
	{ "too long", { 0x64, 'a', 'b', 'c', 'd' }, 5, "allowed are 3" },
	{ "NUL", { 0x62, 'a', 0 }, 3, "printable" },
	{ "newline", { 0x61, '\n' }, 2, "printable" },
	{ "escape", { 0x61, 0x1b }, 2, "printable" },
	{ "delete", { 0x61, 0x7f }, 2, "printable" },
	{ "C1 control", { 0x62, 0xc2, 0x9b }, 3, "printable" },
	{ "overlong slash", { 0x62, 0xc0, 0xaf }, 3, "printable" },
	{ "overlong in three", { 0x63, 0xe0, 0x80, 0xaf }, 4, "printable" },
	{ "surrogate", { 0x63, 0xed, 0xa0, 0x80 }, 4, "printable" },
	{ "lone continuation", { 0x61, 0x80 }, 2, "printable" },
	{ "cut sequence", { 0x62, 0xe2, 0x82 }, 3, "printable" },
	{ "latin-1", { 0x62, 0xe9, 'a' }, 3, "printable" },
};

static void refuses_bad_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_texts); i++) {
		const struct bad *b = &bad_texts[i];
		struct akm_error err = {};
		struct wire_reader c;
		char got[4] = "old";

		rd_init(&c, "m", b->data, b->len, &err);
		if (rd_text(&c, "x", got, sizeof(got)) != -EBADMSG || strcmp(got, "old") || !strstr(err.reason, b->reason))
			fail_msg("%s: reason \"%s\"", b->what, err.reason);
	}
}

static void knows_names_from_other_texts(void **state)
{
	char longest[AKM_NAME_LEN + 1];

	(void)state;
	memset(longest, 'a', sizeof(longest));
	assert_true(wire_name_ok("EdgeNode-A_1.x", 14));
	assert_true(wire_name_ok(longest, AKM_NAME_LEN - 1));
	assert_false(wire_name_ok(longest, AKM_NAME_LEN));
	assert_false(wire_name_ok("", 0));
	assert_false(wire_name_ok("a b", 3));
	assert_false(wire_name_ok("a/b", 3));
	assert_false(wire_name_ok("a\0b", 3));
	assert_false(wire_name_ok("\xc3\xa9", 2));
	assert_true(wire_text_ok("\xc3\xa9 \xf0\x9f\x94\x91", 7));
}

static void cleans_texts(void **state)
{
	char s[] = "a\x1b[2J\xc3\xa9\xff\n";

	(void)state;
	wire_text_clean(s);
	assert_string_equal(s, "a?[2J\xc3\xa9??");
}

/* ---- containers ---- */

static const struct bad bad_maps[] = {	/* where { 1: uint, 3: uint } is expected */
	{ "indefinite", { 0xbf, 0x01, 0x00, 0x03, 0x00, 0xff }, 6, "not used here" },
	{ "empty", { 0xa0 }, 1, "is missing" },
	{ "one missing", { 0xa1, 0x01, 0x00 }, 3, "is missing" },
	{ "unknown between", { 0xa3, 0x01, 0x00, 0x02, 0x00, 0x03, 0x00 }, 7, "field 2 is where field 3" },
	{ "unknown behind", { 0xa3, 0x01, 0x00, 0x03, 0x00, 0x04, 0x00 }, 7, "unknown, duplicate or misplaced" },
	{ "duplicate", { 0xa3, 0x01, 0x00, 0x01, 0x00, 0x03, 0x00 }, 7, "field 1 is where field 3" },
	{ "duplicate behind", { 0xa3, 0x01, 0x00, 0x03, 0x00, 0x03, 0x00 }, 7, "unknown, duplicate or misplaced" },
	{ "descending", { 0xa2, 0x03, 0x00, 0x01, 0x00 }, 5, "field 3 is where field 1" },
	{ "text key", { 0xa2, 0x61, 'a', 0x00, 0x03, 0x00 }, 6, "as its key" },
	{ "long key", { 0xa2, 0x18, 0x01, 0x00, 0x03, 0x00 }, 6, "shortest" },
	{ "trailing", { 0xa2, 0x01, 0x00, 0x03, 0x00, 0x00 }, 6, "trailing" },
	{ "no value", { 0xa2, 0x01, 0x00, 0x03 }, 4, "is missing" },
	{ "huge", { 0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00, 0x03, 0x00 }, 13,
	  "unknown, duplicate or misplaced" },
};

static int read_map(const uint8_t *data, size_t len, struct akm_error *err)
{
	struct wire_reader c;
	uint64_t a, b;

	rd_init(&c, "m", data, len, err);
	return rd_map(&c, "body") ?:
	       rd_key_u64(&c, 1, "one", 0, 9, &a) ?:
	       rd_key_u64(&c, 3, "three", 0, 9, &b) ?:
	       rd_leave(&c) ?: rd_end(&c);
}

static void refuses_bad_maps(void **state)
{
	static const uint8_t good[] = { 0xa2, 0x01, 0x00, 0x03, 0x00 };
	struct akm_error err = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_maps); i++) {
		const struct bad *b = &bad_maps[i];

		err = (struct akm_error) {};
		if (read_map(b->data, b->len, &err) != -EBADMSG || !strstr(err.reason, b->reason))
			fail_msg("%s: field \"%s\" reason \"%s\"", b->what, err.field, err.reason);
	}
	assert_int_equal(read_map(good, sizeof(good), &err), 0);
}

static const struct bad bad_arrays[] = {	/* where 1 to 3 integers are expected, two are read */
	{ "empty", { 0x80 }, 1, "allowed are 1 to 3" },
	{ "too many", { 0x84, 0, 0, 0, 0 }, 5, "allowed are 1 to 3" },
	{ "count beyond the bytes", { 0x83, 0, 0 }, 3, "more elements than" },
	{ "one missing", { 0x81, 0, 0 }, 3, "the list ends here" },
	{ "one more", { 0x83, 0, 0, 0 }, 4, "too many elements" },
	{ "indefinite", { 0x9f, 0, 0, 0xff }, 4, "not used here" },
	{ "huge", { 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 9, "allowed are 1 to 3" },
};

static int read_array(const uint8_t *data, size_t len, struct akm_error *err)
{
	struct wire_reader c;
	uint64_t a, b;
	size_t n;

	rd_init(&c, "m", data, len, err);
	return rd_array(&c, "list", 1, 3, &n) ?:
	       rd_uint(&c, "x", 0, 9, &a) ?:
	       rd_uint(&c, "x", 0, 9, &b) ?:
	       rd_leave(&c) ?: rd_end(&c);
}

static void refuses_bad_arrays(void **state)
{
	static const uint8_t good[] = { 0x82, 0x00, 0x01 };
	struct akm_error err = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_arrays); i++) {
		const struct bad *b = &bad_arrays[i];

		err = (struct akm_error) {};
		if (read_array(b->data, b->len, &err) != -EBADMSG || !strstr(err.reason, b->reason))
			fail_msg("%s: field \"%s\" reason \"%s\"", b->what, err.field, err.reason);
	}
	assert_int_equal(read_array(good, sizeof(good), &err), 0);
}

static void bounds_depth(void **state)
{
	uint8_t nested[WIRE_DEPTH + 2];
	struct akm_error err = {};
	struct wire_reader c;
	size_t n;
	int r = 0;

	(void)state;
	memset(nested, 0x81, sizeof(nested));
	rd_init(&c, "m", nested, sizeof(nested), &err);
	for (size_t i = 0; !r && i < WIRE_DEPTH; i++)
		r = rd_array(&c, "a", 1, 1, &n);
	assert_int_equal(r, -EBADMSG);
	assert_non_null(strstr(err.reason, "nested too deep"));
}

static void names_the_path_of_a_fault(void **state)
{
	/* { 1: [ {1: 0}, {1: 99} ] } */
	static const uint8_t data[] = { 0xa1, 0x01, 0x82, 0xa1, 0x01, 0x00, 0xa1, 0x01, 0x18, 0x63 };
	struct akm_error err = {};
	struct wire_reader c;
	uint64_t v;
	size_t n;
	int r;

	(void)state;
	rd_init(&c, "message", data, sizeof(data), &err);
	r = rd_map(&c, "prepare") ?: rd_key_array(&c, 1, "members", 1, 9, &n);
	for (size_t i = 0; !r && i < n; i++)
		r = rd_map(&c, "") ?: rd_key_u64(&c, 1, "index", 0, 9, &v) ?: rd_leave(&c);
	assert_int_equal(r, -EBADMSG);
	assert_string_equal(err.field, "message.prepare.members[1].index");
	assert_string_equal(err.reason, "is 99, allowed is 0 to 9");
}

/* ---- writer ---- */

static void writer_keeps_its_first_error(void **state)
{
	struct akm_secret out = {};
	struct wire_writer w;

	(void)state;
	wr_init(&w, 100);
	wr_key_range(&w, 1, 10, 0, 9);
	wr_bytes(&w, "", 0);
	wr_fail(&w, -ENOMEM);
	assert_int_equal(wr_finish(&w, &out), -EINVAL);
	assert_null(out.data);

	wr_init(&w, 100);
	wr_name(&w, "not a name");
	assert_int_equal(wr_finish(&w, &out), -EINVAL);

	wr_init(&w, 100);
	wr_text(&w, "bell\a");
	assert_int_equal(wr_finish(&w, &out), -EINVAL);

	wr_init(&w, 1000);
	for (int i = 0; i < 100; i++)
		wr_bytes(&w, "0123456789", 10);
	assert_int_equal(wr_finish(&w, &out), -EMSGSIZE);
	assert_null(out.data);
}

static void writes_what_it_reads(void **state)
{
	static const uint64_t values[] = { 0, 23, 24, 255, 256, 65535, 65536, UINT32_MAX, 1ULL << 32, UINT64_MAX };
	_cleanup_secret_ struct akm_secret out = {};
	struct akm_error err = {};
	struct wire_writer w;
	struct wire_reader c;
	uint8_t raw[300];
	char text[8];
	uint64_t v;
	bool flag;
	size_t n;

	(void)state;
	wr_init(&w, 4096);
	wr_array(&w, ARRAY_SIZE(values) + 3);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		wr_uint(&w, values[i]);
	memset(raw, 0xa5, sizeof(raw));
	wr_bytes(&w, raw, sizeof(raw));
	wr_text(&w, "caf\xc3\xa9");
	wr_bool(&w, true);
	assert_int_equal(wr_finish(&w, &out), 0);

	rd_init(&c, "m", out.data, out.len, &err);
	assert_int_equal(rd_array(&c, "list", 0, 99, &n), 0);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		assert_int_equal(rd_uint(&c, "x", 0, UINT64_MAX, &v), 0);
		assert_true(v == values[i]);
	}
	memset(raw, 0, sizeof(raw));
	assert_int_equal(rd_bytes(&c, "b", raw, sizeof(raw)), 0);
	assert_int_equal(raw[299], 0xa5);
	assert_int_equal(rd_text(&c, "t", text, sizeof(text)), 0);
	assert_string_equal(text, "caf\xc3\xa9");
	assert_int_equal(rd_bool(&c, "f", &flag), 0);
	assert_true(flag);
	assert_int_equal(rd_leave(&c), 0);
	assert_int_equal(rd_end(&c), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_bad_integers),
		cmocka_unit_test(refuses_bad_byte_strings),
		cmocka_unit_test(refuses_bad_texts),
		cmocka_unit_test(knows_names_from_other_texts),
		cmocka_unit_test(cleans_texts),
		cmocka_unit_test(refuses_bad_maps),
		cmocka_unit_test(refuses_bad_arrays),
		cmocka_unit_test(bounds_depth),
		cmocka_unit_test(names_the_path_of_a_fault),
		cmocka_unit_test(writer_keeps_its_first_error),
		cmocka_unit_test(writes_what_it_reads),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
