// SPDX-License-Identifier: GPL-2.0
/* Addresses, suites and hex as people write them. */
#include "report.h"

#include <arpa/inet.h>

#include <setjmp.h>
#include <cmocka.h>

static void endpoint_is(const char *in, const char *out)
{
	struct msg_endpoint e = {};
	char text[REPORT_ENDPOINT_MAX];

	if (report_parse_endpoint(in, &e) < 0)
		fail_msg("%s is refused", in);
	report_endpoint_text(&e, text, sizeof(text));
	assert_string_equal(text, out);
}

static void test_endpoints(void **state)
{
	static const char *const bad[] = { "", "host", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:1x",
		"[192.0.2.1]:1", "[2001:db8::1", "[2001:db8::1]1", "2001:db8::1::2", "192.0.2.256", ":1", "[]:1",
		"2001:db8:0000:0000:0000:0000:0000:0001:00000000000000000000000000000" };
	struct msg_endpoint e;

	(void)state;
	endpoint_is("192.0.2.1", "192.0.2.1");
	endpoint_is("192.0.2.1:7645", "192.0.2.1:7645");
	endpoint_is("2001:db8::1", "2001:db8::1");
	endpoint_is("[2001:db8::1]:65535", "[2001:db8::1]:65535");
	endpoint_is("[2001:db8::1]", "2001:db8::1");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (report_parse_endpoint(bad[i], &e) != -EINVAL)
			fail_msg("\"%s\" is accepted", bad[i]);
}

static void test_prefixes(void **state)
{
	static const char *const bad[] = { "", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/24",
		"10.0.0.0/8x", "fd00::/8" };
	struct msg_prefix p = {};
	char text[REPORT_PREFIX_MAX];

	(void)state;
	assert_int_equal(report_parse_prefix("10.77.1.0/24", 4, &p), 0);
	report_prefix_text(&p, text, sizeof(text));
	assert_string_equal(text, "10.77.1.0/24");
	assert_int_equal(report_parse_prefix("fd77:1::/64", 16, &p), 0);
	report_prefix_text(&p, text, sizeof(text));
	assert_string_equal(text, "fd77:1::/64");
	assert_int_equal(report_parse_prefix("0.0.0.0/0", 4, &p), 0);
	assert_int_equal(report_parse_prefix("fd77:1::1/64", 16, &p), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (report_parse_prefix(bad[i], 4, &p) != -EINVAL)
			fail_msg("\"%s\" is accepted", bad[i]);
}

static void test_mapped_addresses(void **state)
{
	struct sockaddr_storage a = {};
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a;
	struct msg_endpoint e;
	char text[REPORT_ENDPOINT_MAX];

	(void)state;
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(99);
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &six->sin6_addr), 1);
	e = report_endpoint_of(&a, 5);
	assert_int_equal(e.addr_len, 4);
	assert_int_equal(e.port, 5);
	report_sockaddr_text(&a, true, text, sizeof(text));
	assert_string_equal(text, "192.0.2.7:99");
	memset(&a, 0, sizeof(a));
	report_sockaddr_text(&a, true, text, sizeof(text));
	assert_string_equal(text, "?");
}

static void test_hex(void **state)
{
	uint8_t in[3] = { 0x00, 0xaf, 0xff }, out[3];
	char text[7];

	(void)state;
	report_hex(in, 3, text);
	assert_string_equal(text, "00afff");
	assert_int_equal(report_parse_hex("00AFff", out, 3), 0);
	assert_memory_equal(in, out, 3);
	assert_int_equal(report_parse_hex("00af", out, 3), -EINVAL);
	assert_int_equal(report_parse_hex("00afff0", out, 3), -EINVAL);
	assert_int_equal(report_parse_hex("00afgf", out, 3), -EINVAL);
}

static void test_suites(void **state)
{
	uint32_t suite = 0;

	(void)state;
	for (uint32_t i = 1; i <= 3; i++) {
		assert_int_equal(report_parse_suite(report_suite(i), &suite), 0);
		assert_int_equal(suite, i);
	}
	assert_int_equal(report_parse_suite("null", &suite), -EINVAL);
	assert_string_equal(report_suite(0), "unknown");
	assert_string_equal(report_suite(4), "unknown");
}

static void test_time(void **state)
{
	struct json_object *o = report_time(1700000000123);

	(void)state;
	assert_string_equal(json_object_get_string(o), "2023-11-14T22:13:20.123Z");
	json_object_put(o);
	assert_null(report_time(0));
}

static void test_event(void **state)
{
	struct msg_event e = { .seq = 3, .time_ms = 1700000000123, .source = "EdgeNodeA", .kind = "replay",
			       .severity = SEV_WARNING, .atr_id = 1, .member = 2, .count = 9, .text = "text" };
	struct json_object *o = report_event(77, &e);

	(void)state;
	assert_string_equal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
			    "{\"seq\":77,\"time\":\"2023-11-14T22:13:20.123Z\",\"source\":\"EdgeNodeA\","
			    "\"severity\":\"warning\",\"kind\":\"replay\",\"atr\":1,\"member\":2,\"text\":\"text\","
			    "\"data\":{\"count\":9,\"source_seq\":3,\"time_ms\":1700000000123}}");
	json_object_put(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoints),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_mapped_addresses),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_suites),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
