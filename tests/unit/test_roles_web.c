// SPDX-License-Identifier: GPL-2.0
/* What manager and root serve over HTTP is what akmctl shows, and metrics that Prometheus can read. */
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "report.h"
#include "support_dir.h"
#include "support_http.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define M (&world.manager)
#define R (&world.root)

/* Starts @a again, with a page. */
static void serve(struct actor *a)
{
	char path[160];

	actor_stop(a);
	snprintf(path, sizeof(path), "unix:%s/%s.web", scratch_dir(), a->name);
	free(a->config.web);
	a->config.web = strdup(path);
	assert_int_equal(actor_start(a), 0);
	until(a->ready);
}

static int setup(void **state)
{
	world_setup(state);
	create_abc();
	serve(M);
	serve(R);
	until(!is_down(A) && !is_down(B) && !is_down(M));
	settle(1);
	return 0;
}

static int teardown(void **state)
{
	actor_stop(M);
	actor_stop(R);
	free(M->config.web);
	free(R->config.web);
	M->config.web = R->config.web = NULL;
	return world_teardown(state);
}

static struct json_object *get_json(struct actor *a, const char *path)
{
	struct http_answer answer = http_get(world.base, a->config.web, path);
	struct json_object *o = answer.status == 200 ? json_tokener_parse(answer.body) : NULL;

	if (!o)
		fail_msg("%s: %d", path, answer.status);
	http_free(&answer);
	return o;
}

static const char *member_text(struct json_object *o, const char *name)
{
	return json_object_get_string(json_object_object_get(o, name)) ?: "";
}

static void test_json(void **state)
{
	struct json_object *status, *list, *nodes, *answer;

	(void)state;
	status = get_json(M, "/api/status.json");
	answer = ask(M, "status", "{}");
	assert_string_equal(member_text(status, "role"), "manager");
	assert_int_equal(json_object_array_length(json_object_object_get(status, "atrs")),
			 json_object_array_length(at(answer, "atrs")));
	assert_string_equal(member_text(json_object_object_get(status, "health"), "state"), text_at(answer, "health.state"));
	json_object_put(status);
	json_object_put(answer);
	list = get_json(M, "/api/nodes.json");
	nodes = json_object_object_get(list, "nodes");
	assert_int_equal(json_object_array_length(nodes), 3);
	assert_string_equal(member_text(json_object_array_get_idx(nodes, 0), "name"), "EdgeNodeA");
	json_object_put(list);
	status = get_json(R, "/api/status.json");
	assert_string_equal(member_text(status, "role"), "root");
	json_object_put(status);
	list = get_json(R, "/api/nodes.json");
	nodes = json_object_object_get(list, "nodes");
	assert_int_equal(json_object_array_length(nodes), 4);
	json_object_put(list);
}

/* Keeps the answer that has it. */
static bool counts(struct http_answer *a, const char *sample, double value)
{
	*a = http_get(world.base, M->config.web, "/metrics");
	assert_int_equal(a->status, 200);
	if (metrics_value(a->body, sample) == value && metrics_value(a->body, "akm_nodes{state=\"up\"}") == 3)
		return true;
	http_free(a);
	return false;
}

static void test_metrics(void **state)
{
	struct nl_event e = { .type = AKM_EVENT_CLONE, .atr_id = 1, .member = 1 };
	struct http_answer a;

	(void)state;
	fake_kernel_count(A->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 7);
	fake_kernel_count(A->kernel, "akm1", AKM_A_STATS_RX_EPOCH_STALE, 8);
	fake_kernel_event(A->kernel, &e);
	until(events_of(M, "clone") == 1);
	until(counts(&a, "akm_kernel_refused_packets_total{atr=\"1\",node=\"EdgeNodeA\",reason=\"auth-fail\"}", 7));
	assert_true(metrics_value(a.body, "akm_kernel_refused_packets_total{atr=\"1\",node=\"EdgeNodeA\","
					  "reason=\"epoch-stale\"}") == 8);
	assert_string_equal(http_header(&a, "Content-Type"), METRICS_TYPE);
	assert_true(metrics_check(a.body) > 60);
	assert_true(metrics_value(a.body, "akm_nodes{state=\"up\"}") == 3);
	assert_true(metrics_value(a.body, "akm_atr_generation{atr=\"1\"}") == 1);
	assert_true(metrics_value(a.body, "akm_atr_members{atr=\"1\"}") == 3);
	assert_true(metrics_value(a.body, "akm_evidence_records_total{kind=\"clone\",severity=\"alert\"}") == 1);
	assert_true(metrics_value(a.body, "akm_healthy") == 0);
	assert_true(metrics_value(a.body, "akm_superior_up") == 1);
	assert_true(metrics_value(a.body, "akm_peer_blind{peer=\"EdgeNodeB\"}") == 0);
	assert_true(metrics_value(a.body, "akm_tpm_commands_total") >= 0);
	assert_true(metrics_value(a.body, "akm_metrics_left_out") == 0);
	http_free(&a);
	a = http_get(world.base, R->config.web, "/metrics");
	assert_int_equal(a.status, 200);
	assert_true(metrics_check(a.body) > 10);
	assert_true(metrics_value(a.body, "akm_peer_up{peer=\"MgmtMod\"}") == 1);
	http_free(&a);
}

/* What tells machines apart, and markup that somebody sends: neither is served as it is. */
static void test_private(void **state)
{
	static const char *const paths[] = { "/api/status.json", "/api/nodes.json", "/api/events.json", "/metrics" };
	struct json_object *answer = ask(M, "node-show", "{\"node\":\"EdgeNodeA\"}");

	(void)state;
	assert_int_equal(strlen(text_at(answer, "hardware")), 2 * AKM_DIGEST_LEN);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct http_answer a = http_get(world.base, M->config.web, paths[i]);

		assert_int_equal(a.status, 200);
		assert_null(strstr(a.body, text_at(answer, "hardware")));
		assert_null(strstr(a.body, text_at(answer, "ek_name")));
		assert_null(strstr(a.body, text_at(answer, "id")));
		http_free(&a);
	}
	json_object_put(answer);
}

static void test_markup(void **state)
{
	struct json_object *events;
	const char *last;

	(void)state;
	ask_ok(M, "node-evict", "{\"node\":\"EdgeNodeC\",\"reason\":\"<img src=x onerror=alert(1)>\\\"\"}");
	events = get_json(M, "/api/events.json");
	last = "";
	for (size_t i = 0; i < json_object_array_length(events); i++)
		if (!strcmp(member_text(json_object_array_get_idx(events, i), "kind"), "evict"))
			last = member_text(json_object_array_get_idx(events, i), "text");
	/* It is data, of a type that no browser takes for a page: the page makes text of it. */
	assert_string_equal(last, "EdgeNodeC was evicted: <img src=x onerror=alert(1)>\"");
	json_object_put(events);
}

static void test_escapes(void **state)
{
	struct metrics m = {};
	char text[1024] = "";

	(void)state;
	m.f = fmemopen(text, sizeof(text), "w");
	metrics_family(&m, "akm_x", "gauge", "a \\ and\na newline \"quoted\"");
	metrics_put(&m, 1, "name", "say \"hi\"\n\\ {}=,", "other", "größe", NULL);
	metrics_put_ms(&m, 1005, NULL);
	fclose(m.f);
	assert_string_equal(text, "# HELP akm_x a \\\\ and\\na newline \"quoted\"\n# TYPE akm_x gauge\n"
			    "akm_x{name=\"say \\\"hi\\\"\\n\\\\ {}=,\",other=\"größe\"} 1\nakm_x 1.005\n");
	assert_int_equal(metrics_check(text), 2);
}

#define world_test(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_json),
		world_test(test_metrics),
		world_test(test_private),
		world_test(test_markup),
		cmocka_unit_test(test_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
