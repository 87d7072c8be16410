// SPDX-License-Identifier: GPL-2.0
/* akmctl: words to values, what must be refused first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <linux/akm.h>

#include "../../tools/command.h"
#include "../../tools/parse.h"
#include "support_akmctl.h"

/* ------------------------------------------------------------ values */

static void refuse_prefix(const char *text, const char *why)
{
	struct akm_prefix p, before;
	struct akm_error e = {};

	memset(&p, 0xa5, sizeof(p));
	before = p;
	if (akm_parse_prefix(text, &p, &e) >= 0)
		fail_msg("prefix \"%s\" was accepted", text);
	if (!strstr(e.reason, why))
		fail_msg("prefix \"%s\": \"%s\" does not say \"%s\"", text, e.reason, why);
	assert_memory_equal(&p, &before, sizeof(p));
}

static void test_prefix_refused(void **state)
{
	(void)state;
	refuse_prefix("", "not an address prefix");
	refuse_prefix("/", "not an address prefix");
	refuse_prefix("/24", "not an address prefix");
	refuse_prefix("10.77.1", "not an address prefix");
	refuse_prefix("10.77.1.256/32", "not an address prefix");
	refuse_prefix("10.77.1.3 /32", "not an address prefix");
	refuse_prefix("host/32", "not an address prefix");
	refuse_prefix("10.77.1.3/", "prefix length");
	refuse_prefix("10.77.1.3/33", "0 to 32");
	refuse_prefix("10.77.1.3/-1", "prefix length");
	refuse_prefix("10.77.1.3/+1", "prefix length");
	refuse_prefix("10.77.1.3/ 32", "prefix length");
	refuse_prefix("10.77.1.3/0x20", "decimal");
	refuse_prefix("10.77.1.3/32/32", "prefix length");
	refuse_prefix("10.77.1.3/32 ", "prefix length");
	refuse_prefix("10.77.1.3/18446744073709551648", "prefix length");
	refuse_prefix("fd00::3/129", "0 to 128");
	refuse_prefix("fd00::3%lo/128", "not an address prefix");
	refuse_prefix("[fd00::3]/128", "not an address prefix");
	refuse_prefix("10.77.1.3/24", "did you mean 10.77.1.0/24?");
	refuse_prefix("10.77.1.1/0", "did you mean 0.0.0.0/0?");
	refuse_prefix("10.77.1.1/31", "did you mean 10.77.1.0/31?");
	refuse_prefix("fd00::3/64", "did you mean fd00::/64?");
	refuse_prefix("fd00::8000:0:0:0/64", "did you mean fd00::/64?");
	refuse_prefix("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/1", "not an address prefix");
}

static void test_prefix(void **state)
{
	static const uint8_t v4[4] = { 10, 77, 1, 3 };
	struct akm_prefix p;
	struct akm_error e = {};

	(void)state;
	assert_int_equal(akm_parse_prefix("10.77.1.3/32", &p, &e), 0);
	assert_int_equal(p.addr_len, 4);
	assert_int_equal(p.len, 32);
	assert_memory_equal(p.addr, v4, 4);
	assert_int_equal(akm_parse_prefix("10.77.1.3", &p, &e), 0);
	assert_int_equal(p.len, 32);
	assert_int_equal(akm_parse_prefix("0.0.0.0/0", &p, &e), 0);
	assert_int_equal(p.len, 0);
	assert_int_equal(akm_parse_prefix("fd00::3", &p, &e), 0);
	assert_int_equal(p.addr_len, 16);
	assert_int_equal(p.len, 128);
	assert_int_equal(p.addr[15], 3);
	assert_int_equal(akm_parse_prefix("fd00:0:0:8000::/48", &p, &e), -EINVAL);
	assert_int_equal(akm_parse_prefix("fd00:0:0:8000::/49", &p, &e), 0);
}

static void refuse_endpoint(const char *text, const char *why)
{
	struct akm_endpoint ep;
	struct akm_error e = {};

	if (akm_parse_endpoint(text, &ep, &e) >= 0)
		fail_msg("endpoint \"%s\" was accepted", text);
	if (!strstr(e.reason, why))
		fail_msg("endpoint \"%s\": \"%s\" does not say \"%s\"", text, e.reason, why);
}

static void test_endpoint_refused(void **state)
{
	(void)state;
	refuse_endpoint("", "not an endpoint");
	refuse_endpoint(":7645", "not an endpoint");
	refuse_endpoint("192.0.2", "not an endpoint");
	refuse_endpoint("node.example:7645", "not an endpoint");
	refuse_endpoint("192.0.2.3:", "port");
	refuse_endpoint("192.0.2.3:0", "port");
	refuse_endpoint("192.0.2.3:65536", "port");
	refuse_endpoint("192.0.2.3:7645:1", "port");
	refuse_endpoint("192.0.2.3:-1", "port");
	refuse_endpoint("192.0.2.3:7645 ", "port");
	refuse_endpoint("0.0.0.0:7645", "unspecified");
	refuse_endpoint("[::]:7645", "unspecified");
	refuse_endpoint("fd00::3", "[ADDRESS]:PORT");
	refuse_endpoint("fd00::3:7645", "[ADDRESS]:PORT");
	refuse_endpoint("[fd00::3", "not an endpoint");
	refuse_endpoint("[fd00::3]7645", "not an endpoint");
	refuse_endpoint("[192.0.2.3]:7645", "not an endpoint");
	refuse_endpoint("[fe80::1]:7645", "link-local");
	refuse_endpoint("[fe80::1%no-such-if]:7645", "no interface");
	refuse_endpoint("[fd00::3]:", "port");
}

static void test_endpoint(void **state)
{
	struct akm_endpoint ep;
	struct akm_error e = {};

	(void)state;
	assert_int_equal(akm_parse_endpoint("192.0.2.3:1234", &ep, &e), 0);
	assert_int_equal(ep.len, sizeof(struct sockaddr_in));
	assert_int_equal(ntohs(ep.in.sin_port), 1234);
	assert_int_equal(ntohl(ep.in.sin_addr.s_addr), 0xc0000203);
	assert_int_equal(akm_parse_endpoint("192.0.2.3", &ep, &e), 0);
	assert_int_equal(ntohs(ep.in.sin_port), AKM_DEFAULT_PORT);
	assert_int_equal(akm_parse_endpoint("[2001:db8::3]:65535", &ep, &e), 0);
	assert_int_equal(ep.len, sizeof(struct sockaddr_in6));
	assert_int_equal(ntohs(ep.in6.sin6_port), 65535);
	assert_int_equal(akm_parse_endpoint("[2001:db8::3]", &ep, &e), 0);
	assert_int_equal(ntohs(ep.in6.sin6_port), AKM_DEFAULT_PORT);
	assert_int_equal(akm_parse_endpoint("[fe80::1%lo]:7645", &ep, &e), 0);
	assert_int_not_equal(ep.in6.sin6_scope_id, 0);
}

static void test_numbers(void **state)
{
	static const char *const bad[] = { "", " 1", "1 ", "-1", "+1", "1.0", "0x", "0xg", "1e3", "٣", "0x1 ",
					   "18446744073709551616", "99999999999999999999999" };
	struct akm_error e = {};
	uint64_t n = 7;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (akm_parse_uint(bad[i], 0, UINT64_MAX, &n, &e) >= 0)
			fail_msg("\"%s\" was accepted", bad[i]);
	}
	assert_int_equal(n, 7);
	assert_int_equal(akm_parse_uint("0", 1, 10, &n, &e), -ERANGE);
	assert_int_equal(akm_parse_uint("11", 1, 10, &n, &e), -ERANGE);
	assert_non_null(strstr(e.reason, "1 to 10"));
	assert_int_equal(akm_parse_uint("010", 1, 10, &n, &e), 0);
	assert_int_equal(n, 10);
	assert_int_equal(akm_parse_uint("0xffffffffffffffff", 0, UINT64_MAX, &n, &e), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(akm_parse_atr_id("#0", &n, &e), -ERANGE);
	assert_int_equal(akm_parse_atr_id("##1", &n, &e), -EINVAL);
	assert_int_equal(akm_parse_atr_id("#", &n, &e), -EINVAL);
	assert_int_equal(akm_parse_atr_id("#4294967296", &n, &e), -ERANGE);
	assert_int_equal(akm_parse_atr_id("#12", &n, &e), 0);
	assert_int_equal(n, 12);
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = { { "0", 0 }, { "250ms", 250 }, { "10", 10000 }, { "10s", 10000 }, { "5m", 300000 },
		     { "1h", 3600000 }, { "7d", 604800000 } };
	static const char *const bad[] = { "", "s", "10 s", "-1s", "1.5h", "10sec", "1w", "0x10s", "50d", "4294968",
					   "99999999999999999999d" };
	struct akm_error e = {};
	uint64_t ms = 0;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (akm_parse_duration(bad[i], UINT32_MAX, &ms, &e) >= 0)
			fail_msg("\"%s\" was accepted", bad[i]);
	}
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(akm_parse_duration(good[i].text, UINT32_MAX, &ms, &e), 0);
		assert_int_equal(ms, good[i].ms);
	}
}

static void test_names(void **state)
{
	char long_name[66];
	struct akm_error e = {};
	uint64_t suite = 0;

	(void)state;
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[65] = '\0';
	assert_int_equal(akm_check_name("", &e), -EINVAL);
	assert_int_equal(akm_check_name("a b", &e), -EINVAL);
	assert_int_equal(akm_check_name("a/b", &e), -EINVAL);
	assert_int_equal(akm_check_name("\033[2J", &e), -EINVAL);
	assert_int_equal(akm_check_name(long_name, &e), -ERANGE);
	assert_int_equal(akm_check_name(long_name + 2, &e), 0);
	assert_int_equal(akm_check_names("A,,B", &e), -EINVAL);
	assert_int_equal(akm_check_names("A,", &e), -EINVAL);
	assert_int_equal(akm_check_names(",A", &e), -EINVAL);
	assert_int_equal(akm_check_names("A,B,A", &e), -EINVAL);
	assert_non_null(strstr(e.reason, "\"A\" twice"));
	assert_int_equal(akm_check_names("A,AB,B", &e), 0);
	assert_int_equal(akm_check_text("a\nb", 63, &e), -EINVAL);
	assert_int_equal(akm_check_text("four", 3, &e), -ERANGE);
	assert_int_equal(akm_check_ifname("interface-name-x", &e), -EINVAL);
	assert_int_equal(akm_check_ifname("..", &e), -EINVAL);
	assert_int_equal(akm_check_ifname("a/b", &e), -EINVAL);
	assert_int_equal(akm_check_ifname("a b", &e), -EINVAL);
	assert_int_equal(akm_check_ifname("akm1", &e), 0);
	assert_int_equal(akm_check_via("ttyUSB0", &e), -EINVAL);
	assert_int_equal(akm_check_via("serial:", &e), -EINVAL);
	assert_int_equal(akm_check_via("unix:relative", &e), -EINVAL);
	assert_int_equal(akm_check_via("tcp:/x", &e), -EINVAL);
	assert_int_equal(akm_check_via("serial:/dev/ttyUSB0,115200", &e), 0);
	assert_int_equal(akm_check_via("unix-listen:/run/x", &e), 0);
	assert_int_equal(akm_parse_suite("aes", &suite, &e), -EINVAL);
	assert_int_equal(akm_parse_suite("aes-256-gcm-", &suite, &e), -EINVAL);
	assert_int_equal(akm_parse_suite("unknown", &suite, &e), -EINVAL);
	assert_int_equal(akm_parse_suite("", &suite, &e), -EINVAL);
	assert_int_equal(akm_parse_suite("AES-256-GCM", &suite, &e), 0);
	assert_int_equal(suite, AKM_SUITE_AES256GCM);
	assert_int_equal(akm_parse_suite("chacha20poly1305", &suite, &e), 0);
	assert_int_equal(suite, AKM_SUITE_CHACHA20POLY1305);
	assert_int_equal(akm_parse_suite("aes-128-gcm", &suite, &e), 0);
	assert_int_equal(suite, AKM_SUITE_AES128GCM);
}

/* ------------------------------------------------------------ command lines */

static int parse(const char *line, struct akm_values *v, struct akm_error *e)
{
	const struct akm_command *cmd = NULL;
	struct akm_ctx ctx = {};

	return parse_line(&ctx, line, &cmd, v, e);
}

static void test_ports(void **state)
{
	struct akm_ports p = { 7, 8 };
	struct akm_error e;

	(void)state;
	assert_int_equal(akm_parse_ports("1-65535", &p, &e), 0);
	assert_int_equal(p.low, 1);
	assert_int_equal(p.high, 65535);
	assert_int_equal(akm_parse_ports("7645", &p, &e), 0);
	assert_int_equal(p.low, 7645);
	assert_int_equal(p.high, 7645);
	assert_int_equal(akm_parse_ports("none", &p, &e), 0);
	assert_int_equal(p.low, 0);
	assert_int_equal(p.high, 0);
}

static void refuse_group(const char *text, int err, const char *why)
{
	struct akm_group g, before;
	struct akm_error e = {};

	memset(&g, 0xa5, sizeof(g));
	before = g;
	if (akm_parse_group(text, &g, &e) != err)
		fail_msg("group \"%s\" was accepted, or refused with another number", text);
	if (!strstr(e.reason, why))
		fail_msg("group \"%s\": \"%s\" does not say \"%s\"", text, e.reason, why);
	assert_memory_equal(&g, &before, sizeof(g));
}

static void test_group(void **state)
{
	static const uint8_t v4[4] = { 239, 7, 6, 45 }, v6[16] = { 0xff, 5, [14] = 0x76, 0x45 };
	struct akm_error e = {};
	struct akm_group g;

	(void)state;
	refuse_group("", -EINVAL, "not a multicast group");
	refuse_group("eth0", -EINVAL, "not a multicast group");
	refuse_group("None", -EINVAL, "not a multicast group");
	refuse_group("223.255.255.255%lo", -EINVAL, "not a multicast group");
	refuse_group("240.0.0.0%lo", -EINVAL, "not a multicast group");
	refuse_group("fe80::1%lo", -EINVAL, "not a multicast group");
	refuse_group("[ff05::1%lo]", -EINVAL, "not a multicast group");
	refuse_group("239.7.6.45:7645%lo", -EINVAL, "not a multicast group");
	refuse_group("239.7.6.45", -EINVAL, "name its interface");
	refuse_group("ff02::1", -EINVAL, "name its interface");
	refuse_group("239.7.6.45%", -ENODEV, "no interface");
	refuse_group("239.7.6.45%no-such-if", -ENODEV, "no interface \"no-such-if\"");
	refuse_group("ff0200000000000000000000000000000000000000000000000000000000000000", -EINVAL, "too long");
	assert_int_equal(akm_parse_group("239.7.6.45%lo", &g, &e), 0);
	assert_int_equal(g.addr_len, 4);
	assert_memory_equal(g.addr, v4, 4);
	assert_int_equal(g.link, 1);
	assert_int_equal(akm_parse_group("ff05::7645%lo", &g, &e), 0);
	assert_int_equal(g.addr_len, 16);
	assert_memory_equal(g.addr, v6, 16);
	assert_int_equal(akm_parse_group("224.0.0.0%lo", &g, &e), 0);
	assert_int_equal(akm_parse_group("239.255.255.255%lo", &g, &e), 0);
	assert_int_equal(akm_parse_group("none", &g, &e), 0);
	assert_int_equal(g.addr_len, 0);
}

static void refuse(const char *line, const char *field, const char *why)
{
	static struct akm_values v;
	struct akm_error e;

	v.n = 12345;
	if (parse(line, &v, &e) >= 0)
		fail_msg("\"%s\" was accepted", line);
	if (!e.usage)
		fail_msg("\"%s\" is not reported as misuse", line);
	if (strcmp(e.field, field) || !strstr(e.reason, why))
		fail_msg("\"%s\": \"%s: %s\" is not \"%s: …%s…\"", line, e.field, e.reason, field, why);
	assert_int_equal(v.n, 12345);
}

static void test_lines_refused(void **state)
{
	(void)state;
	refuse("", "", "command is missing");
	refuse("frobnicate", "frobnicate", "not a command");
	refuse("s", "s", "could be any of show, stats, status");
	refuse("dev", "dev", "add, del, set, show must follow");
	refuse("dev ad akm1", "dev", "\"ad\" is not one of");
	refuse("member set", "interface", "missing");
	refuse("member set akm1", "index", "missing");
	refuse("member set akm1 index", "index", "INDEX must follow");
	refuse("member set akm1 index 65535", "index", "out of range");
	refuse("member set akm1 index 1 index 2", "index", "twice");
	refuse("member set akm1 index 1 index 1", "index", "twice");
	refuse("member set akm1 index 1 colour red", "colour", "not one of the words index, name, prefix, endpoint");
	refuse("member set akm1 index 1 prefix 10.0.0.1/24", "prefix", "did you mean");
	refuse("member set akm1 index 1 prefix 10.0.0.1/32 prefix 10.0.0.1", "prefix", "twice");
	refuse("member set akm1 index 1 endpoint 192.0.2.1:1 endpoint 192.0.2.2:1", "endpoint", "twice");
	refuse("member set akm1 akm2 index 1", "akm2", "not one of the words");
	refuse("member set a/b index 1", "interface", "'/'");
	refuse("dev add akm1 atr-id 0", "atr-id", "out of range");
	refuse("dev add akm1 incarnation 16777216", "incarnation", "out of range");
	refuse("dev add akm1 incarnation 0", "incarnation", "out of range");
	refuse("dev add akm1 port 0", "port", "out of range");
	refuse("dev add akm1 suite rot13", "suite", "not one of");
	refuse("dev add akm1 epoch-interval 50d", "epoch-interval", "longer");
	refuse("dev set akm1 fwmark 0x100000000", "fwmark", "out of range");
	refuse("dev set akm1 spread 2", "spread", "neither off nor on");
	refuse("dev set akm1 spread On", "spread", "neither off nor on");
	refuse("dev set akm1 flow-ports 0-9", "flow-ports", "not a range of ports");
	refuse("dev set akm1 flow-ports 1-65536", "flow-ports", "not a range of ports");
	refuse("dev set akm1 flow-ports 1-2-3", "flow-ports", "not a range of ports");
	refuse("dev set akm1 flow-ports 1-", "flow-ports", "not a range of ports");
	refuse("dev set akm1 flow-ports -1", "flow-ports", "not a range of ports");
	refuse("dev set akm1 flow-ports 100000-2", "flow-ports", "not a range of ports");
	refuse("dev set akm1 flow-ports None", "flow-ports", "not a range of ports");
	refuse("dev set akm1 flow-ports 9-8", "flow-ports", "ends before it begins");
	refuse("dev set akm1 group 10.0.0.1%lo", "group", "not a multicast group");
	refuse("dev set akm1 group 239.1.1.1%lo ttl 0", "ttl", "out of range");
	refuse("dev set akm1 group 239.1.1.1%lo ttl 256", "ttl", "out of range");
	refuse("generation install akm1 number 1 key-id 1", "chain-file", "missing");
	refuse("generation install akm1 number 0 key-id 1 chain-file -", "number", "out of range");
	refuse("generation install akm1 number 1 chain-file -", "key-id", "missing");
	refuse("generation activate akm1 number 1 grace forever", "grace", "duration");
	refuse("dev del akm1 now", "now", "not expected here");
	refuse("node provision A", "via", "missing");
	refuse("node provision A via carrier-pigeon:/x", "via", "not one of");
	refuse("node evict", "node", "missing");
	refuse("atr create", "atr", "missing");
	refuse("atr create x members A,B,A", "members", "twice");
	refuse("atr create x members A subnet fd00::/64", "subnet", "not an IPv4 prefix");
	refuse("atr create x members A subnet6 10.0.0.0/8", "subnet6", "not an IPv6 prefix");
	refuse("atr add x", "node", "missing");
	refuse("atr show #0", "atr", "out of range");
	refuse("provision allow for 1500ms", "for", "whole number");
	refuse("provision allow for 0", "for", "shorter");
	refuse("provision allow for 2d", "for", "longer");
	refuse("events since -1", "since", "not a number");
	refuse("monitor akm1 count 0", "count", "out of range");
}

static void test_many_prefixes(void **state)
{
	char line[4096] = "member set akm1 index 1";
	static struct akm_values v;
	struct akm_error e;
	size_t n = strlen(line);
	int i;

	(void)state;
	for (i = 0; i < AKM_PREFIXES_MAX; i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, " prefix 10.0.%d.0/24", i);
	assert_int_equal(parse(line, &v, &e), 0);
	assert_int_equal(v.n, AKM_PREFIXES_MAX + 2);
	snprintf(line + n, sizeof(line) - n, " prefix 10.1.0.0/24");
	assert_int_equal(parse(line, &v, &e), -E2BIG);
	assert_string_equal(e.field, "prefix");
}

static void test_lines(void **state)
{
	static struct akm_values v;
	struct akm_error e;

	(void)state;
	assert_int_equal(parse("member set akm1 index 3 name EdgeNodeC prefix 10.77.1.3/32 prefix fd00::3/128 "
				    "endpoint 192.0.2.3:7645", &v, &e), 0);
	assert_int_equal(v.n, 6);
	assert_string_equal(akm_value_text(&v, "interface"), "akm1");
	assert_int_equal(akm_value_num(&v, "index", 0), 3);
	assert_null(akm_value(&v, "no-such-word"));
	/* words in any order, objects by their beginning */
	assert_int_equal(parse("mem set index 3 akm1", &v, &e), 0);
	assert_string_equal(akm_value_text(&v, "interface"), "akm1");
	assert_int_equal(parse("gen install akm1 chain-file - key-id 0x1234 number 2 epoch 0", &v, &e), 0);
	assert_int_equal(akm_value_num(&v, "key-id", 0), 0x1234);
	assert_int_equal(parse("events -f since 7", &v, &e), 0);
	assert_non_null(akm_value(&v, "-f"));
	assert_int_equal(parse("provision allow for 5m", &v, &e), 0);
	assert_int_equal(akm_value_num(&v, "for", 0), 300);
}

static void test_json_flag(void **state)
{
	char *argv[] = { "akm1", "-j" };
	static struct akm_values v;
	const struct akm_command *cmd;
	char *words[] = { "show" };
	struct akm_ctx ctx = {};
	struct akm_error e = {};
	int used;

	(void)state;
	assert_int_equal(akm_command_find(1, words, &cmd, &used, &e), 0);
	assert_int_equal(akm_args_parse(cmd, &ctx, 2, argv, &v, &e), 0);
	assert_true(ctx.json);
	assert_int_equal(v.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefix_refused),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_endpoint_refused),
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_group), cmocka_unit_test(test_ports),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_lines_refused),
		cmocka_unit_test(test_many_prefixes),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_json_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
