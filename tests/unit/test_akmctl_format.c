// SPDX-License-Identifier: GPL-2.0
/* akmctl: values to text, tables, and the views of the daemon's answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <linux/akm.h>

#include "../../tools/command.h"
#include "../../tools/format.h"
#include "../../tools/monitor.h"
#include "../../tools/records.h"
#include "../../tools/report.h"
#include "../../tools/view.h"

static char *out;
static size_t out_len;

static struct akm_ctx open_ctx(void)
{
	struct akm_ctx ctx = { .out = open_memstream(&out, &out_len) };

	assert_non_null(ctx.out);
	ctx.err = ctx.out;
	return ctx;
}

static void expect_out(struct akm_ctx *ctx, const char *text)
{
	fclose(ctx->out);
	assert_string_equal(out, text);
	free(out);
}

static struct json_object *json(const char *text)
{
	struct json_object *o = json_tokener_parse(text);

	assert_non_null(o);
	return o;
}

static void test_endpoint(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(7645) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(1) };
	char buf[AKM_ENDPOINT_STRLEN];

	(void)state;
	inet_pton(AF_INET, "192.0.2.3", &in.sin_addr);
	inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr);
	assert_null(akm_format_endpoint(&in, 0, buf));
	assert_null(akm_format_endpoint(&in, sizeof(in) - 1, buf));
	in6.sin6_family = AF_INET;	/* the length of one family, the number of the other */
	assert_null(akm_format_endpoint(&in6, sizeof(in6), buf));
	in6.sin6_family = AF_INET6;
	assert_null(akm_format_endpoint(&in6, sizeof(in), buf));
	assert_null(akm_format_endpoint(&in6, sizeof(in6) - 4, buf));
	assert_string_equal(akm_format_endpoint(&in, sizeof(in), buf), "192.0.2.3:7645");
	assert_string_equal(akm_format_endpoint(&in6, sizeof(in6), buf), "[fe80::1]:1");
	in6.sin6_scope_id = 1;
	assert_string_equal(akm_format_endpoint(&in6, sizeof(in6), buf), "[fe80::1%lo]:1");
	in6.sin6_scope_id = 0x7ffffff0;
	assert_string_equal(akm_format_endpoint(&in6, sizeof(in6), buf), "[fe80::1%2147483632]:1");
}

static void test_durations(void **state)
{
	char buf[AKM_DURATION_STRLEN];

	(void)state;
	assert_string_equal(akm_format_duration(0, buf), "0 ms");
	assert_string_equal(akm_format_duration(999, buf), "999 ms");
	assert_string_equal(akm_format_duration(1000, buf), "1 second");
	assert_string_equal(akm_format_duration(65000, buf), "1 minute, 5 seconds");
	assert_string_equal(akm_format_duration(3600000, buf), "1 hour");
	assert_string_equal(akm_format_duration(UINT64_C(86400000) * 3 + 7200000 + 59000, buf), "3 days, 2 hours");
	assert_true(strlen(akm_format_duration(UINT64_MAX, buf)) < sizeof(buf) - 1);
}

static void test_sizes_and_times(void **state)
{
	char buf[AKM_SIZE_STRLEN], time[AKM_TIME_STRLEN];

	(void)state;
	assert_string_equal(akm_format_size(1023, buf), "1023 B");
	assert_string_equal(akm_format_size(1536, buf), "1.50 KiB");
	assert_string_equal(akm_format_size(UINT64_MAX, buf), "16.00 EiB");
	assert_string_equal(akm_format_time(0, time), "1970-01-01T00:00:00.000000Z");
	assert_string_equal(akm_format_time(UINT64_C(1763932623123456789), time), "2025-11-23T21:17:03.123456Z");
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(akm_suite_name(AKM_SUITE_AES256GCM), "aes-256-gcm");
	assert_string_equal(akm_suite_name(0), "unknown");
	assert_string_equal(akm_suite_name(4), "unknown");
	assert_string_equal(akm_gen_state_name(AKM_GEN_RETIRING), "retiring");
	assert_string_equal(akm_gen_state_name(UINT32_MAX), "unknown");
	assert_string_equal(akm_event_name(AKM_EVENT_STATE_LOST), "state-lost");
	assert_string_equal(akm_event_name(AKM_EVENT_CLONE), "clone");
	assert_string_equal(akm_event_name(AKM_EVENT_MOVED), "moved");
	assert_string_equal(akm_event_name(AKM_EVENT_PENDING_USED), "pending-used");
	assert_string_equal(akm_event_name(AKM_EVENT_EPOCH_STALE), "epoch-stale");
	assert_string_equal(akm_event_name(AKM_EVENT_EPOCH_STALE + 1), "unknown");
}

/* What another party wrote cannot drive the terminal. */
static void test_clean(void **state)
{
	struct akm_ctx ctx = open_ctx();

	(void)state;
	akm_put_clean(ctx.out, "a\033[2Jb\nc\x7f\xc2\x9b" "d ä€");
	assert_int_equal(akm_clean_width("a\033[2Jb\nc\x7f\xc2\x9b" "d ä€"), 26);
	expect_out(&ctx, "a\\x1b[2Jb\\x0ac\\x7f\\x9bd ä€");
	ctx = open_ctx();
	akm_put_coloured(ctx.out, true, AKM_RED, "x");
	akm_put_coloured(ctx.out, false, AKM_RED, "y");
	akm_put_coloured(ctx.out, true, AKM_PLAIN, "z");
	expect_out(&ctx, "\033[31mx\033[0myz");
}

static void test_table(void **state)
{
	static const char *const headings[] = { "NAME", "N", "END" };
	struct akm_table *t = akm_table_new(headings, 3);
	struct akm_ctx ctx = open_ctx();

	(void)state;
	assert_non_null(t);
	assert_int_equal(akm_table_cell(t, AKM_PLAIN, "ä"), 0);
	assert_int_equal(akm_table_cell(t, AKM_PLAIN, "7"), 0);
	assert_int_equal(akm_table_cell(t, AKM_PLAIN, NULL), 0);
	assert_int_equal(akm_table_cell(t, AKM_PLAIN, "longer"), 0);
	assert_int_equal(akm_table_printf(t, AKM_PLAIN, "%d", 12345), 0);
	assert_int_equal(akm_table_cell(t, AKM_PLAIN, "x\n"), 0);
	akm_table_print(t, ctx.out, false);
	akm_table_freep(&t);
	expect_out(&ctx,
		   "NAME        N  END\n"
		   "ä           7  -\n"
		   "longer  12345  x\\x0a\n");
}

static void test_event_line(void **state)
{
	struct json_object *o = json("{\"type\":\"auth-fail\",\"ifname\":\"akm1\",\"atr_id\":1,\"member\":3,"
				     "\"source\":\"192.0.2.9:5555\",\"generation\":2,\"key_id\":4660,\"epoch\":17,"
				     "\"packet_number\":5497558138903,\"count\":12,\"suppressed\":3,"
				     "\"time_ns\":0,\"time\":\"1970-01-01T00:00:00.000000Z\"}");
	struct akm_ctx ctx = open_ctx();

	(void)state;
	akm_event_print(&ctx, o);
	expect_out(&ctx, "1970-01-01T00:00:00.000000Z akm1 #1 auth-fail member 3 from 192.0.2.9:5555 generation 2 "
		   "key-id 0x00001234 epoch 17 packet 5.23 count 12 (3 more were not reported)\n");
	json_object_put(o);
	o = json("{\"type\":\"generation\",\"generation\":2,\"ifname\":\"akm1\"}");
	ctx = open_ctx();
	akm_event_print(&ctx, o);
	expect_out(&ctx, "- akm1 generation 2 erased\n");
	json_object_put(o);
	o = json("{\"type\":\"generation\",\"generation\":2,\"state\":\"active\"}");
	ctx = open_ctx();
	akm_event_print(&ctx, o);
	expect_out(&ctx, "- - generation 2 active\n");
	ctx = open_ctx();
	ctx.json = true;
	akm_event_print(&ctx, o);
	akm_event_print_lost(&ctx, 1000);
	expect_out(&ctx, "{\"type\":\"generation\",\"generation\":2,\"state\":\"active\"}\n"
		   "{\"type\":\"lost\",\"time_ns\":1000,\"time\":\"1970-01-01T00:00:00.000001Z\"}\n");
	json_object_put(o);
}

static void view(const char *text, const char *expected)
{
	struct json_object *o = json(text);
	struct akm_ctx ctx = open_ctx();
	struct akm_error e = {};

	assert_int_equal(akm_view_object(&ctx, o, &e), 0);
	expect_out(&ctx, expected);
	json_object_put(o);
}

static void test_views(void **state)
{
	(void)state;
	view("{\"nodes\":[]}", "no nodes\n");
	view("{\"nodes\":[{\"name\":\"EdgeNodeA\",\"id\":\"00ff\",\"link\":\"up\",\"state\":\"provisioned\","
	     "\"atrs\":[\"plant\",\"office\"]},{\"name\":\"B\",\"id\":\"01\",\"link\":\"down\",\"state\":\"evicted\","
	     "\"atrs\":[],\"last_seen\":\"2025-01-01T00:00:00Z\"}]}",
	     "NAME       STATE        LINK  LAST SEEN             ATRS\n"
	     "EdgeNodeA  provisioned  up    -                     plant,office\n"
	     "B          evicted      down  2025-01-01T00:00:00Z  -\n");
	view("{\"id\":1,\"label\":\"plant\",\"key_id\":4660,\"state\":\"stable\","
	     "\"members\":[{\"index\":0,\"node\":\"A\",\"addresses\":[\"10.77.1.1/24\"],\"state\":\"current\"}]}",
	     "id:     #1\nlabel:  plant\nkey id: 0x00001234\nstate:  stable\n\nmembers:\n"
	     "INDEX  NODE  STATE    ADDRESSES\n"
	     "    0  A     current  10.77.1.1/24\n");
	view("{\"role\":\"node\",\"tpm\":{\"state\":\"ok\",\"depth\":0},\"later\":null}",
	     "role:  node\ntpm:   state ok, depth 0\nlater: -\n");
	view("{\"label\":\"x\",\"epoch_interval\":3600000,\"epoch_grace\":0,\"atrs\":[1,2]}",
	     "label:          x\nepoch interval: 1 hour\nepoch grace:    0 ms\natrs:           #1,#2\n");
	view("{\"label\":\"x\",\"epoch_interval\":0}", "label:          x\nepoch interval: no timer\n");
	view("{\"things\":[{\"a_b\":1,\"c\":[1,2]}]}", "A B  C\n  1  1,2\n");
}

static void test_view_mixed(void **state)
{
	struct json_object *o = json("{\"nodes\":[{\"name\":\"a\"},7]}");
	struct akm_ctx ctx = open_ctx();
	struct akm_error e = {};

	(void)state;
	assert_true(akm_view_object(&ctx, o, &e) < 0);
	assert_string_equal(e.field, "nodes");
	expect_out(&ctx, "");
	json_object_put(o);
}

static void test_view_event(void **state)
{
	struct json_object *o = json("{\"seq\":7,\"time\":\"T\",\"source\":\"EdgeNodeA\",\"severity\":\"alert\","
				     "\"kind\":\"auth-fail\",\"atr\":1,\"text\":\"12\\u001b[0m forged\"}");
	struct akm_ctx ctx = open_ctx();

	(void)state;
	akm_view_event(&ctx, o);
	expect_out(&ctx, "7 T alert EdgeNodeA auth-fail ATR #1: 12\\x1b[0m forged\n");
	json_object_put(o);
}

#define HEADER "1105000300001234000001000000004d"

/* What a record says of its packet, and what people see */
static const struct { const char *packet, *line; } packets[] = {
	{ "\"length\":92,\"bytes\":\"" HEADER "\"",
	  "    packet of 92 bytes: pair-data of member 3, key-id 0x00001234, epoch *05, number 1.77\n" },
	{ "\"length\":92,\"bytes\":\"12" "050003000012340000010000000000ffff\"",
	  "    packet of 92 bytes: group-data of member 3, key-id 0x00001234, epoch *05, number 1.0\n" },
	{ "\"length\":92,\"bytes\":\"17" "05000300001234000001000000004d\"",	/* no such type */
	  "    packet of 92 bytes: 1705000300001234000001000000004d...\n" },
	{ "\"length\":92,\"bytes\":\"21" "05000300001234000001000000004d\"",	/* another version */
	  "    packet of 92 bytes: 2105000300001234000001000000004d...\n" },
	{ "\"length\":2,\"bytes\":\"1105\"", "    packet of 2 bytes: 1105\n" },
	{ "\"length\":7", "    packet of 7 bytes\n" },
	/* a daemon that is none */
	{ "\"length\":7,\"bytes\":\"\\u001b[0m\"", "    packet of 7 bytes\n" },
	{ "\"length\":7,\"bytes\":\"123\"", "    packet of 7 bytes\n" },
};

static void test_view_packet(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		struct akm_ctx ctx = open_ctx();
		char text[512], want[512];
		struct json_object *o;

		snprintf(text, sizeof(text), "{\"seq\":7,\"text\":\"t\",\"packet\":{%s}}", packets[i].packet);
		snprintf(want, sizeof(want), "7  info: t\n%s", packets[i].line);
		o = json(text);
		akm_view_event(&ctx, o);
		expect_out(&ctx, want);
		json_object_put(o);
	}
}

static void test_report(void **state)
{
	static const struct akm_arg arg = { .word = "index", .meta = "N", .attr = 3 };
	static const struct akm_arg args[] = { { .word = "index", .meta = "N", .attr = 3 }, {} };
	static const struct akm_command cmd = { .object = "member", .verb = "set", .args = args };
	static struct akm_values v = { .n = 1, .v = { { .arg = &arg, .text = "9" } } };
	struct akm_ctx ctx = open_ctx();
	struct akm_error e = {};

	(void)state;
	akm_error_set(&e, 2, NULL, "no such \033member");
	e.attr = 3;
	akm_report(&ctx, &cmd, &v, &e);
	expect_out(&ctx, "akmctl: member set: index 9: no such \\x1bmember\n");
	ctx = open_ctx();
	ctx.json = true;
	ctx.err = fopen("/dev/null", "w");
	akm_report(&ctx, &cmd, &v, &e);
	fclose(ctx.err);
	expect_out(&ctx, "{\n  \"error\": {\n    \"code\": \"ENOENT\",\n    \"field\": \"index\",\n"
		   "    \"reason\": \"no such \\u001bmember\"\n  }\n}\n");
	e.silent = true;
	ctx = open_ctx();
	akm_report(&ctx, &cmd, &v, &e);
	expect_out(&ctx, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_sizes_and_times),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_event_line),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_view_mixed),
		cmocka_unit_test(test_view_event),
		cmocka_unit_test(test_view_packet),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
