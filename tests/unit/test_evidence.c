// SPDX-License-Identifier: GPL-2.0
/* Evidence: what a flood leaves of itself, and the way up. */
#include "evidence.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "log.h"

#define RECORDS 4096

static struct event_base *base;
static struct evidence *evidence;
static struct msg_event records[RECORDS];
static size_t n_records;
static int failure;
static unsigned int told;

static int add(void *ctx, const struct msg_event *e, uint64_t *ret_seq)
{
	(void)ctx;
	if (failure)
		return failure;
	for (size_t i = 0; e->seq && i < n_records; i++)
		if (records[i].seq == e->seq && !strcmp(records[i].source, e->source))
			return -EEXIST;
	assert_true(n_records < RECORDS);
	records[n_records++] = *e;
	*ret_seq = n_records;
	return 0;
}

static int each(void *ctx, uint64_t since, size_t limit, evidence_fn fn, void *fn_ctx)
{
	(void)ctx, (void)since, (void)limit, (void)fn, (void)fn_ctx;
	return 0;
}

static int outbox(void *ctx, size_t limit, evidence_fn fn, void *fn_ctx)
{
	(void)ctx, (void)limit, (void)fn, (void)fn_ctx;
	return 0;
}

static int acked(void *ctx, uint64_t seq)
{
	(void)ctx, (void)seq;
	return 0;
}

static void on_new(void *ctx)
{
	(void)ctx;
	told++;
}

static int setup(void **state)
{
	struct evidence_backend backend = { NULL, add, each, acked, outbox };

	(void)state;
	akm_log_init("test", AKM_LOG_ERR);
	n_records = told = 0;
	failure = 0;
	base = event_base_new();
	assert_int_equal(evidence_new(base, "EdgeNodeA", &backend, &evidence), 0);
	evidence_on_new(evidence, on_new, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	evidence_free(evidence);
	event_base_free(base);
	return 0;
}

static void test_record(void **state)
{
	(void)state;
	evidence_add(evidence, EVIDENCE_NOTE("test", SEV_ALERT, .atr_id = 7, .count = 3), "%s \x1b[31m\n", "text");
	assert_int_equal(n_records, 1);
	assert_int_equal(told, 1);
	assert_string_equal(records[0].source, "EdgeNodeA");
	assert_string_equal(records[0].kind, "test");
	/* Safe on a terminal */
	assert_string_equal(records[0].text, "text ?[31m?");
	assert_int_equal(records[0].atr_id, 7);
	assert_int_equal(records[0].member, -1);
	assert_int_equal(records[0].count, 3);
	assert_int_equal(records[0].severity, SEV_ALERT);
	assert_true(wall_ms() - records[0].time_ms < 10000);
}

static void test_unlimited(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		evidence_add(evidence, EVIDENCE_NOTE("own", SEV_INFO), "each counts");
	assert_int_equal(n_records, 100);
}

static void test_one_source(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++)
		evidence_add(evidence, EVIDENCE_NOTE("link-unknown", SEV_WARNING, .limit = "192.0.2.1"), "x");
	assert_int_equal(n_records, 1);
	/* Another kind, and another source, are not hidden by it. */
	evidence_add(evidence, EVIDENCE_NOTE("link-psk", SEV_ALERT, .limit = "192.0.2.1"), "x");
	evidence_add(evidence, EVIDENCE_NOTE("link-unknown", SEV_WARNING, .limit = "192.0.2.2"), "x");
	assert_int_equal(n_records, 3);
}

/* A flood from as many sources as it likes */
static void test_many_sources(void **state)
{
	char source[32];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(source, sizeof(source), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		evidence_add(evidence, EVIDENCE_NOTE("link-unknown", SEV_WARNING, .limit = source), "x");
	}
	assert_int_equal(n_records, EVIDENCE_KEYS + 1);
}

static void test_remote_is_kept_once(void **state)
{
	struct msg_event e = { .seq = 5, .source = "EdgeNodeB", .kind = "replay", .severity = SEV_WARNING, .member = -1 };

	(void)state;
	assert_int_equal(evidence_remote(evidence, &e), 0);
	assert_int_equal(evidence_remote(evidence, &e), 0);
	assert_int_equal(n_records, 1);
	assert_int_equal(told, 1);
	/* Not stored is not acknowledged. */
	e.seq = 6;
	failure = -ENOSPC;
	assert_int_equal(evidence_remote(evidence, &e), -ENOSPC);
	assert_int_equal(told, 1);
}

static void test_alerts(void **state)
{
	struct json_object *list;

	(void)state;
	for (int i = 0; i < 20; i++)
		evidence_add(evidence, EVIDENCE_NOTE("a", i % 2 ? SEV_ALERT : SEV_INFO), "%d", i);
	list = evidence_alerts(evidence);
	assert_int_equal(json_object_array_length(list), 10);
	json_object_put(list);
	for (int i = 20; i < 60; i++)
		evidence_add(evidence, EVIDENCE_NOTE("a", SEV_ALERT), "%d", i);
	list = evidence_alerts(evidence);
	assert_int_equal(json_object_array_length(list), EVIDENCE_ALERTS);
	assert_string_equal(json_object_get_string(json_object_object_get(json_object_array_get_idx(list, 0), "text")), "44");
	assert_string_equal(json_object_get_string(json_object_object_get(json_object_array_get_idx(list, 15), "text")), "59");
	json_object_put(list);
}

#define evidence_test(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		evidence_test(test_record),
		evidence_test(test_unlimited),
		evidence_test(test_one_source),
		evidence_test(test_many_sources),
		evidence_test(test_remote_is_kept_once),
		evidence_test(test_alerts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
