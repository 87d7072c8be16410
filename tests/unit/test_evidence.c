// SPDX-License-Identifier: GPL-2.0
/* Evidence: what a flood leaves of itself, and the way up. */
#include "evidence.h"

#include <setjmp.h>
#include <cmocka.h>

#include "alerts.h"
#include "clock.h"
#include "log.h"
#include "support_dir.h"

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

static int alerts(void *ctx, uint64_t since, evidence_fn fn, void *fn_ctx)
{
	int r = 0;

	(void)ctx;
	for (size_t i = since; !r && i < n_records; i++)
		if (records[i].severity == SEV_ALERT)
			r = fn(i + 1, &records[i], fn_ctx);
	return r;
}

static int last(void *ctx, uint64_t *ret_seq)
{
	(void)ctx;
	*ret_seq = n_records;
	return 0;
}

static void on_new(void *ctx)
{
	(void)ctx;
	told++;
}

static const struct evidence_backend backend = { NULL, add, each, acked, outbox, alerts, last };

static int setup(void **state)
{
	(void)state;
	akm_log_init("test", AKM_LOG_ERR);
	n_records = told = 0;
	failure = 0;
	base = event_base_new();
	assert_int_equal(evidence_new(base, "EdgeNodeA", &backend, NULL, &evidence), 0);
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
	assert_int_equal(json_object_array_length(list), ALERTS_SHOWN);
	assert_string_equal(json_object_get_string(json_object_object_get(json_object_array_get_idx(list, 0), "text")), "44");
	assert_string_equal(json_object_get_string(json_object_object_get(json_object_array_get_idx(list, 15), "text")), "59");
	json_object_put(list);
}

static const char *health_of(char text[512])
{
	struct json_object *o = json_object_new_object();
	struct health h;

	health_init(&h);
	evidence_health(evidence, &h);
	health_end(&h, o);
	snprintf(text, 512, "%s", json_object_to_json_string_ext(json_object_object_get(o, "health"), JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	return text;
}

/* A monitor that cannot write down what it sees is no healthy one. */
static void test_store_fails(void **state)
{
	char text[512];

	(void)state;
	assert_non_null(strstr(health_of(text), "\"state\":\"healthy\""));
	failure = -ENOSPC;
	evidence_add(evidence, EVIDENCE_NOTE("a", SEV_INFO), "x");
	assert_non_null(strstr(health_of(text), "\"state\":\"alert\""));
	assert_non_null(strstr(text, "evidence-store"));
	assert_non_null(strstr(text, "No space left"));
	failure = 0;
	evidence_add(evidence, EVIDENCE_NOTE("a", SEV_INFO), "x");
	assert_non_null(strstr(health_of(text), "\"state\":\"healthy\""));
}

/* Kinds of alerts are counted one by one, and a peer cannot make up so many that others are hidden. */
static void test_alert_groups(void **state)
{
	struct json_object *status = json_object_new_object(), *o, *findings;
	struct msg_event e = { .source = "EdgeNodeB", .severity = SEV_ALERT, .member = -1, .text = "made up" };
	struct health h;

	(void)state;
	evidence_add(evidence, EVIDENCE_NOTE("link-psk", SEV_ALERT), "first");
	for (e.seq = 1; e.seq <= 100; e.seq++) {
		snprintf(e.kind, sizeof(e.kind), "kind-%d", (int)e.seq);
		assert_int_equal(evidence_remote(evidence, &e), 0);
	}
	evidence_add(evidence, EVIDENCE_NOTE("link-psk", SEV_ALERT), "second");
	health_init(&h);
	evidence_health(evidence, &h);
	health_end(&h, status);
	o = json_object_object_get(status, "health");
	findings = json_object_object_get(o, "findings");
	assert_int_equal(json_object_get_int64(json_object_object_get(o, "alerts")), ALERT_KINDS + 1);
	assert_int_equal(json_object_array_length(findings), HEALTH_PER_CHECK + 1);
	assert_string_equal(json_object_get_string(json_object_object_get(json_object_array_get_idx(findings, 0), "text")),
			    "2 × link-psk, the last: second");
	assert_string_equal(json_object_get_string(json_object_object_get(json_object_array_get_idx(findings, HEALTH_PER_CHECK),
									  "text")), "and 17 more");
	json_object_put(status);
}

/* What was acknowledged is known after a restart; numbers that begin again were acknowledged by nobody. */
static void test_seen(void **state)
{
	struct alerts a;
	struct msg_event e = { .severity = SEV_ALERT, .kind = "x" };

	(void)state;
	scratch_make();
	assert_int_equal(alerts_open(&a, scratch_path("seen")), 0);
	assert_int_equal(a.seen, 0);
	alerts_add(&a, 12, &e);
	assert_int_equal(a.total, 1);
	assert_int_equal(alerts_acknowledge(&a, 12), 0);
	assert_int_equal(a.total, 0);
	alerts_close(&a);
	assert_int_equal(alerts_open(&a, scratch_path("seen")), 0);
	assert_int_equal(a.seen, 12);
	alerts_close(&a);
	/* What cannot be read was not acknowledged. */
	for (const char **bad = (const char *[]){ "", "12", "x\n", "99999999999999999999\n", "123456789012345678901234567\n", NULL };
	     *bad; bad++) {
		scratch_write("seen", *bad, strlen(*bad));
		assert_int_equal(alerts_open(&a, scratch_path("seen")), 0);
		assert_int_equal(a.seen, 0);
		alerts_close(&a);
	}
	scratch_remove();
}

static void test_numbers_begin_again(void **state)
{
	struct json_object *list;

	(void)state;
	for (int i = 0; i < 3; i++)
		evidence_add(evidence, EVIDENCE_NOTE("a", SEV_ALERT), "x");
	evidence_free(evidence);
	/* a store of before, and an acknowledgement of what came after */
	n_records = 1;
	scratch_make();
	scratch_write("seen", "3\n", 2);
	assert_int_equal(evidence_new(base, "EdgeNodeA", &backend, scratch_path("seen"), &evidence), 0);
	evidence_add(evidence, EVIDENCE_NOTE("a", SEV_ALERT), "new");
	evidence_free(evidence);
	assert_int_equal(evidence_new(base, "EdgeNodeA", &backend, scratch_path("seen"), &evidence), 0);
	list = evidence_alerts(evidence);
	assert_int_equal(json_object_array_length(list), 1);
	json_object_put(list);
	scratch_remove();
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
		evidence_test(test_store_fails),
		evidence_test(test_alert_groups),
		evidence_test(test_seen),
		evidence_test(test_numbers_begin_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
