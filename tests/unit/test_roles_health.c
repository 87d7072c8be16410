// SPDX-License-Identifier: GPL-2.0
/* "Is my fleet healthy, and if not, what do I do": what each role says when something is wrong. */
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define C (&world.nodes[2])
#define M (&world.manager)
#define R (&world.root)

static bool is_healthy(struct actor *a)
{
	struct json_object *answer = ask(a, "status", "{}");
	bool healthy = !strcmp(text_at(answer, "health.state"), "healthy");

	assert_int_equal(healthy, !json_object_array_length(at(answer, "health.findings")));
	assert_int_equal(healthy, !number_at(answer, "health.alerts") && !number_at(answer, "health.warnings"));
	json_object_put(answer);
	return healthy;
}

/* Does @a find that something is wrong with @subject, and says what to do? */
static bool finds(struct actor *a, const char *severity, const char *check, const char *subject)
{
	struct json_object *answer = ask(a, "status", "{}"), *findings = at(answer, "health.findings");
	bool found = false;

	for (size_t i = 0; i < json_object_array_length(findings); i++) {
		char path[64];

		snprintf(path, sizeof(path), "health.findings.%zu.check", i);
		if (strcmp(text_at(answer, path), check))
			continue;
		snprintf(path, sizeof(path), "health.findings.%zu.subject", i);
		if (strcmp(text_at(answer, path), subject))
			continue;
		snprintf(path, sizeof(path), "health.findings.%zu.severity", i);
		assert_string_equal(text_at(answer, path), severity);
		snprintf(path, sizeof(path), "health.findings.%zu.text", i);
		assert_true(strlen(text_at(answer, path)) > 10);
		snprintf(path, sizeof(path), "health.findings.%zu.remedy", i);
		assert_true(strlen(text_at(answer, path)) > 10);
		found = true;
	}
	json_object_put(answer);
	return found;
}

static void test_healthy(void **state)
{
	(void)state;
	create_abc();
	until(is_healthy(M) && is_healthy(R) && is_healthy(A) && is_healthy(B) && is_healthy(C));
}

static void test_unprovisioned(void **state)
{
	(void)state;
	world_begin(1);
	assert_true(finds(M, "warning", "not-provisioned", ""));
	assert_true(finds(A, "warning", "not-provisioned", ""));
	assert_true(is_healthy(R));
	world_end();
}

static void test_silent(void **state)
{
	(void)state;
	create_abc();
	until(is_healthy(M));
	actor_stop(B);
	until(finds(M, "warning", "silent", "EdgeNodeB"));
	assert_false(finds(M, "warning", "silent", "EdgeNodeA"));
	/* What it misses is another finding, and tells how far the others are. */
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	until(finds(M, "warning", "half-rekeyed", "#1 EdgeNodeA-EdgeNodeB-EdgeNodeC"));
	assert_int_equal(actor_start(B), 0);
	until(is_healthy(M));
}

/* The root watches the manager: one that is dead, and one that is lost from the start. */
static void test_dead_manager(void **state)
{
	(void)state;
	until(is_healthy(R));
	actor_stop(M);
	until(finds(R, "warning", "silent", "MgmtMod"));
	actor_stop(R);
	assert_int_equal(actor_start(R), 0);
	until(R->ready);
	until(finds(R, "warning", "silent", "MgmtMod"));
	assert_int_equal(actor_start(M), 0);
	until(is_healthy(R));
}

static void test_no_module(void **state)
{
	(void)state;
	create_abc();
	until(is_healthy(M) && is_healthy(A));
	fake_kernel_unload(A->kernel);
	until(finds(A, "alert", "module", ""));
	until(finds(M, "alert", "no-traffic", "EdgeNodeA"));
	fake_kernel_load(A->kernel);
	until(!finds(M, "alert", "no-traffic", "EdgeNodeA") && !finds(A, "alert", "module", ""));
	/* That it happened stays until somebody has looked. */
	assert_true(finds(M, "alert", "alert", "EdgeNodeA"));
	assert_true(finds(A, "alert", "alert", "EdgeNodeA"));
}

/* The kernel counts, and its events do not come: an alarm at the node, at its manager, and in what is recorded. */
static void test_blind(void **state)
{
	struct nl_event e = { .type = AKM_EVENT_AUTH_FAIL, .atr_id = 1, .member = 1 };

	(void)state;
	create_abc();
	until(is_healthy(M) && is_healthy(A));
	until((fake_kernel_count(A->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 1), finds(A, "alert", "blind", "")));
	until(finds(M, "alert", "blind", "EdgeNodeA"));
	assert_false(finds(M, "alert", "blind", "EdgeNodeB"));
	until(events_of(M, "monitor-blind") == 1 && events_of(R, "monitor-blind") == 1);
	fake_kernel_event(A->kernel, &e);
	until(!finds(A, "alert", "blind", "") && !finds(M, "alert", "blind", "EdgeNodeA"));
	assert_int_equal(events_of(A, "monitor-back"), 1);
	/* Ordinary duplicates are counted, and told to nobody. */
	fake_kernel_count(A->kernel, "akm1", AKM_A_STATS_RX_REPLAY, 1000);
	fake_kernel_event(B->kernel, &e);
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 1);
	until(events_of(M, "auth-fail") == 2);
	assert_false(finds(A, "alert", "blind", ""));
	assert_false(finds(B, "alert", "blind", ""));
}

/* An alert stands, over a restart as well, until somebody says that it was seen. */
static void test_acknowledge(void **state)
{
	struct nl_event e = { .type = AKM_EVENT_EXHAUSTED, .atr_id = 1, .member = 1 };
	struct json_object *answer;
	int64_t seq;

	(void)state;
	create_abc();
	until(is_healthy(M) && is_healthy(A));
	fake_kernel_event(A->kernel, &e);
	until(finds(M, "alert", "alert", "EdgeNodeA"));
	until(finds(R, "alert", "alert", "EdgeNodeA"));
	answer = ask(M, "status", "{}");
	seq = number_at(answer, "alerts.0.seq");
	assert_string_equal(text_at(answer, "alerts.0.kind"), "exhausted");
	json_object_put(answer);
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	assert_true(finds(M, "alert", "alert", "EdgeNodeA"));

	/* What came later was not looked at. */
	ask_ok(M, "acknowledge", "{\"until\":%lld}", (long long)seq - 1);
	assert_true(finds(M, "alert", "alert", "EdgeNodeA"));
	assert_int_equal(events_of(M, "acknowledged"), 0);
	answer = ask(M, "acknowledge", "{}");
	assert_int_equal(number_at(answer, "acknowledged"), 1);
	assert_int_equal(number_at(answer, "left"), 0);
	json_object_put(answer);
	assert_int_equal(events_of(M, "acknowledged"), 1);
	until(is_healthy(M));
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	until(is_healthy(M));
	/* Each looks for itself. */
	assert_false(is_healthy(R));
	assert_false(is_healthy(A));
	ask_ok(A, "acknowledge", "{}");
	until(is_healthy(A));
	ask_refused(M, "EINVAL", "until", "acknowledge", "{\"until\":-1}");
}

static void test_hardware(void **state)
{
	(void)state;
	create_abc();
	actor_stop(C);
	actor_set_hardware(C, "another board");
	assert_int_equal(actor_start(C), 0);
	until(C->ready);
	until(finds(C, "alert", "hardware", ""));
	until(finds(M, "alert", "alert", "MgmtMod"));		/* link-psk */
}

static int fail_work(struct keystore *ks, void *arg)
{
	(void)ks;
	return *(int *)arg;
}

static void fail_done(void *arg, int r)
{
	assert_int_equal(r, *(int *)arg);
}

/* What the TPM's last word was, as the daemon's own jobs would get it */
static void tpm_says(int r)
{
	int said = r;

	assert_int_equal(tpmq_submit(M->env.q, fail_work, fail_done, &said), 0);
	until(!tpmq_depth(M->env.q));
}

static void test_tpm(void **state)
{
	(void)state;
	until(is_healthy(M) && !tpmq_depth(M->env.q));
	tpm_says(-ENODEV);
	assert_true(finds(M, "alert", "tpm", ""));
	tpm_says(-EAGAIN);		/* lockout */
	assert_true(finds(M, "alert", "tpm", ""));
	/* That something from elsewhere was refused is not the TPM's trouble. */
	tpm_says(-EBADMSG);
	assert_true(is_healthy(M));
	tpm_says(0);
	assert_true(is_healthy(M));
}

#define world_test(t) cmocka_unit_test_setup_teardown(t, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_healthy),
		cmocka_unit_test(test_unprovisioned),
		world_test(test_silent),
		world_test(test_dead_manager),
		world_test(test_no_module),
		world_test(test_blind),
		world_test(test_acknowledge),
		world_test(test_hardware),
		world_test(test_tpm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
