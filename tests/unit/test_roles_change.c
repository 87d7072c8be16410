// SPDX-License-Identifier: GPL-2.0
/* Changes of what is there already: shown first, made under traffic, and got by those who return. */
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "rekey.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define C (&world.nodes[2])
#define M (&world.manager)
#define R (&world.root)

static bool has_interval(struct actor *a, uint32_t ms)
{
	return fake_kernel_dev(a->kernel, "akm1")->epoch_interval_ms == ms;
}

static void away(struct actor *a)
{
	actor_stop(a);
	until(member_is(a->name, "absent"));
}

static void back(struct actor *a)
{
	assert_int_equal(actor_start(a), 0);
	until(a->ready && !is_down(a));
}

/* What the manager has of ATRs and nodes, and how often it has changed that */
static char *everything_of_manager(void)
{
	static const char *const kinds[] = { "rekey", "rename", "evict", "atr-create", "atr-add", "atr-remove", "atr-set",
					     "atr-delete" };
	struct json_object *atrs = ask(M, "atr-list", "{}"), *nodes = ask(M, "node-list", "{}");
	unsigned int changes = 0;
	static char text[1 << 16];
	int n;

	for (size_t i = 0; i < json_object_array_length(at(nodes, "nodes")); i++)
		json_object_object_del(json_object_array_get_idx(at(nodes, "nodes"), i), "last_seen");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		changes += events_of(M, kinds[i]);
	n = snprintf(text, sizeof(text), "%s %s %u", json_object_to_json_string(atrs), json_object_to_json_string(nodes),
		     changes);
	assert_in_range(n, 1, sizeof(text) - 1);
	json_object_put(atrs);
	json_object_put(nodes);
	return strdup(text);
}

/* ---- settings ---- */

static void test_live_settings(void **state)
{
	struct json_object *answer;

	(void)state;
	create_abc();
	settle(1);
	world_watch("akm1", 3);
	answer = ask(M, "atr-set", "{\"atr\":\"1\",\"epoch_interval\":7000,\"epoch_grace\":900,\"label\":\"plant\"}");
	assert_int_equal(number_at(answer, "epoch_interval"), 7000);
	assert_int_equal(number_at(answer, "epoch_grace"), 900);
	assert_string_equal(text_at(answer, "label"), "plant");
	assert_int_equal(number_at(answer, "generation"), 1);
	json_object_put(answer);
	/* It answers when all have it. */
	assert_true(has_interval(A, 7000) && has_interval(B, 7000) && has_interval(C, 7000));
	assert_int_equal(events_of(M, "atr-set"), 1);

	away(B);
	ask_ok(M, "atr-set", "{\"atr\":\"plant\",\"epoch_interval\":9000}");
	assert_true(has_interval(A, 9000) && has_interval(B, 7000) && has_interval(C, 9000));
	back(B);
	until(has_interval(B, 9000));
	assert_true(all_only_on(3, 1));
	until(events_of(R, "atr-set") == 2);
}

/* Kernels take freshness for generations that they are given afterwards. */
static void test_freshness_makes_a_generation(void **state)
{
	(void)state;
	create_abc();
	settle(1);
	world_watch("akm1", 3);
	ask_ok(M, "atr-set", "{\"atr\":\"1\",\"freshness\":\"epoch\"}");
	until(all_only_on(3, 2));
	assert_int_equal(fake_kernel_freshness(A->kernel, "akm1"), AKM_FRESHNESS_EPOCH);
	assert_int_equal(fake_kernel_freshness(C->kernel, "akm1"), AKM_FRESHNESS_EPOCH);
}

static bool fallback_is(const char *what)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"1\"}");
	bool is = !strcmp(text_at(answer, "fallback_state"), what) && !strcmp(text_at(answer, "state"), "stable");

	json_object_put(answer);
	return is;
}

/* It is taken from those who hold it by going beyond it. */
static void test_fallback(void **state)
{
	(void)state;
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeB\",\"EdgeNodeC\"],\"fallback\":\"off\"}");
	settle(1);
	world_watch("akm1", 3);
	assert_true(fallback_is("none"));
	ask_ok(M, "atr-set", "{\"atr\":\"1\",\"fallback\":\"armed\"}");
	until(fallback_is("armed"));
	assert_true(all_on(3, 1) && fake_kernel_holds(C->kernel, "akm1", 2));
	ask_ok(M, "atr-set", "{\"atr\":\"1\",\"fallback\":\"off\"}");
	until(all_only_on(3, 3));
	until(fallback_is("none"));
}

static void test_group(void **state)
{
	(void)state;
	create_abc();
	settle(1);
	world_watch("akm1", 3);
	ask_ok(M, "atr-set", "{\"atr\":\"1\",\"group\":\"239.7.6.45\"}");
	assert_true(fake_kernel_in_group(A->kernel, "akm1", "239.7.6.45", 1));
	assert_true(fake_kernel_in_group(C->kernel, "akm1", "239.7.6.45", 1));
	ask_ok(M, "atr-set", "{\"atr\":\"1\",\"ttl\":9}");
	assert_true(fake_kernel_in_group(B->kernel, "akm1", "239.7.6.45", 9));
	ask_ok(M, "atr-set", "{\"atr\":\"1\",\"group\":\"none\"}");
	assert_false(fake_kernel_has_group(A->kernel, "akm1") || fake_kernel_has_group(B->kernel, "akm1"));
	ask_refused(M, "EINVAL", "ttl", "atr-set", "{\"atr\":\"1\",\"ttl\":9}");
}

static void test_refused(void **state)
{
	char *before, *after;

	(void)state;
	create_abc();
	settle(1);
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\"],\"label\":\"second\"}");
	before = everything_of_manager();
	for (int dry = 0; dry < 2; dry++) {
#define SET(code, field, what) \
		ask_refused(M, code, field, "atr-set", "{\"atr\":\"1\"," what "%s}", dry ? ",\"dry_run\":true" : "")
		SET("EINVAL", "epoch_interval", "\"epoch_interval\":999");
		SET("EINVAL", "epoch_grace", "\"epoch_grace\":3600001");
		SET("EINVAL", "freshness", "\"freshness\":\"never\"");
		SET("EINVAL", "fallback", "\"fallback\":\"maybe\"");
		SET("EINVAL", "group", "\"group\":\"192.0.2.1\"");
		SET("EINVAL", "label", "\"label\":\"17\"");
		SET("EEXIST", "label", "\"label\":\"second\"");
		SET("EINVAL", "settings", "\"freshness\":\"strict\"");
		SET("EBUSY", "suite", "\"suite\":\"aes-128-gcm\"");
		SET("EBUSY", "port", "\"port\":7000");
		SET("EINVAL", "port", "\"port\":65536,\"interrupt\":true");
		SET("EINVAL", "suite", "\"suite\":\"des\",\"interrupt\":true");
#undef SET
	}
	ask_refused(M, "EINVAL", "name", "node-rename", "{\"node\":\"EdgeNodeA\",\"name\":\"a b\"}");
	ask_refused(M, "EINVAL", "name", "node-rename", "{\"node\":\"EdgeNodeA\",\"name\":\"MgmtMod\"}");
	ask_refused(M, "EEXIST", "name", "node-rename", "{\"node\":\"EdgeNodeA\",\"name\":\"EdgeNodeB\"}");
	ask_refused(M, "EEXIST", "name", "node-rename", "{\"node\":\"EdgeNodeA\",\"name\":\"EdgeNodeA\"}");
	ask_refused(M, "ENOENT", "node", "node-rename", "{\"node\":\"nobody\",\"name\":\"x\"}");
	after = everything_of_manager();
	assert_string_equal(before, after);
	free(before);
	free(after);
}

/* ---- prefixes ---- */

/* Has @index the IPv4 network 192.168.@net.0/24 at @a? */
static bool uses(struct actor *a, uint16_t index, uint8_t net)
{
	const struct msg_member *m = fake_kernel_member(a->kernel, "akm1", index);
	const uint8_t want[4] = { 192, 168, net, 0 };

	for (size_t i = 0; m && i < m->n_prefixes; i++)
		if (m->prefixes[i].prefix_len == 24 && !memcmp(m->prefixes[i].addr, want, sizeof(want)))
			return true;
	return false;
}

#define PREFIXES(node, list) "{\"atr\":\"1\",\"member\":\"" node "\",\"prefixes\":[" list "]}"

static void test_prefixes(void **state)
{
	struct json_object *answer;

	(void)state;
	create_abc();
	settle(1);
	world_watch("akm1", 3);
	ask_ok(M, "atr-set", PREFIXES("EdgeNodeA", "\"192.168.5.0/24\",\"fd00:5::/48\""));
	ask_ok(M, "atr-set", PREFIXES("EdgeNodeB", "\"192.168.6.0/24\",\"0.0.0.0/0\""));
	assert_true(uses(A, 0, 5) && uses(B, 0, 5) && uses(C, 0, 5) && uses(C, 1, 6));
	answer = ask(M, "atr-show", "{\"atr\":\"1\"}");
	assert_string_equal(text_at(answer, "members.0.prefixes.1"), "fd00:5::/48");
	assert_null(at(answer, "members.2.prefixes"));
	json_object_put(answer);

	/* A and B exchange theirs while C is away, and only sees the end. */
	world_watch("akm1", 2);
	away(C);
	ask_refused(M, "EEXIST", "prefix", "atr-set", PREFIXES("EdgeNodeA", "\"192.168.6.0/24\""));
	answer = ask(M, "atr-set", "{\"atr\":\"1\",\"member\":\"EdgeNodeA\",\"dry_run\":true}");
	assert_non_null(strstr(text_at(answer, "steps.0.interrupted"), "a prefix that a member has no more"));
	json_object_put(answer);
	ask_ok(M, "atr-set", "{\"atr\":\"1\",\"member\":\"EdgeNodeA\"}");
	assert_false(uses(B, 0, 5));
	ask_ok(M, "atr-set", PREFIXES("EdgeNodeB", "\"192.168.5.0/24\""));
	ask_ok(M, "atr-set", PREFIXES("EdgeNodeA", "\"192.168.6.0/24\""));
	assert_true(uses(A, 0, 6) && uses(A, 1, 5) && uses(C, 0, 5) && uses(C, 1, 6));
	back(C);
	until(uses(C, 0, 6) && uses(C, 1, 5));
	assert_false(uses(C, 0, 5) || uses(C, 1, 6));
	assert_true(member_is("EdgeNodeC", "current") && hears_all(3));
	assert_int_equal(events_of(M, "node-refused"), 0);

	ask_refused(M, "EINVAL", "settings", "atr-set", PREFIXES("EdgeNodeA", "\"192.168.6.0/24\""));
	ask_refused(M, "EINVAL", "prefix", "atr-set", PREFIXES("EdgeNodeA", "\"192.168.6.1/24\""));
	ask_refused(M, "EINVAL", "prefix", "atr-set", PREFIXES("EdgeNodeA", "\"192.168.7.0/24\",\"192.168.7.0/24\""));
	ask_refused(M, "EINVAL", "prefix", "atr-set", PREFIXES("EdgeNodeA", "\"10.77.1.200/32\""));
	ask_refused(M, "EINVAL", "prefix", "atr-set", PREFIXES("EdgeNodeA", "\"239.0.0.0/8\""));
	ask_refused(M, "EINVAL", "prefix", "atr-set", PREFIXES("EdgeNodeA", "\"127.0.0.0/8\""));
	ask_refused(M, "EINVAL", "prefix", "atr-set", PREFIXES("EdgeNodeA", "\"ff05::/16\""));
	ask_refused(M, "ENOENT", "member", "atr-set", PREFIXES("nobody", "\"192.168.7.0/24\""));
	ask_refused(M, "EINVAL", "member", "atr-set", "{\"atr\":\"1\",\"prefixes\":[\"192.168.7.0/24\"]}");
}

/* ---- the interface anew ---- */

static bool has_suite(struct actor *a, uint32_t suite, uint16_t port)
{
	const struct nl_dev *d = fake_kernel_dev(a->kernel, "akm1");

	return d && d->suite == suite && d->port == port;
}

static void test_suite_and_port(void **state)
{
	uint32_t incarnation, elsewhere;
	uint64_t begun;

	(void)state;
	create_abc();
	settle(1);
	incarnation = fake_kernel_incarnation(A->kernel, "akm1");
	elsewhere = fake_kernel_incarnation(B->kernel, "akm1");
	away(B);
	begun = now_ms();
	ask_ok(M, "atr-set", "{\"atr\":\"1\",\"suite\":\"chacha20-poly1305\",\"port\":7000,\"interrupt\":true}");
	/* While some have it and others do not, nobody is heard: B, which left just now, is not waited for. */
	assert_true(now_ms() < begun + REKEY_RETURN_MS - 1000);
	assert_true(fake_kernel_active(A->kernel, "akm1") == fake_kernel_active(C->kernel, "akm1"));
	assert_true(has_suite(A, AKM_SUITE_CHACHA20POLY1305, 7000) && has_suite(C, AKM_SUITE_CHACHA20POLY1305, 7000));
	assert_true(has_suite(B, AKM_SUITE_AES256GCM, AKM_DEFAULT_PORT));
	back(B);
	until(hears_all(3) && has_suite(B, AKM_SUITE_CHACHA20POLY1305, 7000));
	world_watch("akm1", 3);
	/* No packet number comes twice, whatever the key. */
	assert_true(fake_kernel_incarnation(A->kernel, "akm1") > incarnation);
	assert_true(fake_kernel_incarnation(B->kernel, "akm1") > elsewhere);
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	actor_stop(A);
	assert_int_equal(actor_start(A), 0);
	until(A->ready && !is_down(A) && member_is(A->name, "current"));
	assert_true(hears_all(3));
}

/* ---- names ---- */

static bool is_called(struct actor *a, uint16_t index, const char *name)
{
	return !strcmp(fake_kernel_member(a->kernel, "akm1", index)->name, name);
}

static unsigned int records_from(struct actor *a, const char *source)
{
	struct json_object *answer = ask(a, "events", "{}"), *items = json_object_object_get(answer, "items");
	unsigned int n = 0;

	for (size_t i = 0; i < json_object_array_length(items); i++)
		n += !strcmp(json_object_get_string(json_object_object_get(json_object_array_get_idx(items, i), "source")),
			     source);
	json_object_put(answer);
	return n;
}

static void test_rename(void **state)
{
	struct json_object *answer;

	(void)state;
	create_abc();
	settle(1);
	world_watch("akm1", 3);
	away(C);
	ask_ok(M, "node-rename", "{\"node\":\"EdgeNodeB\",\"name\":\"Pump3\"}");
	assert_true(is_called(A, 1, "Pump3") && is_called(B, 1, "Pump3") && is_called(C, 1, "EdgeNodeB"));
	assert_true(member_is("Pump3", "current"));
	back(C);
	until(is_called(C, 1, "Pump3"));
	answer = ask(M, "node-show", "{\"node\":\"Pump3\"}");
	assert_string_equal(text_at(answer, "label"), "MgmtMod-EdgeNodeB");
	assert_string_equal(text_at(answer, "link"), "up");
	json_object_put(answer);
	ask_refused(M, "ENOENT", "node", "node-show", "{\"node\":\"EdgeNodeB\"}");
	until(events_of(R, "rename") == 1);

	/* It calls itself what its configuration says, and what it tells is known to be Pump3's. */
	actor_stop(B);
	back(B);
	until(member_is("Pump3", "current"));
	fake_kernel_remove(B->kernel, "akm1");
	until(events_of(B, "device-gone") == 1 && events_of(M, "device-gone") == 1);
	assert_int_equal(events_of(M, "link-protocol"), 0);
	until(member_is("Pump3", "current"));
	assert_true(records_from(M, "Pump3") > 0);

	/* Also after the manager was restarted, and when its configuration has the new name. */
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(B) && member_is("Pump3", "current"));
	actor_stop(B);
	snprintf(B->config.name, sizeof(B->config.name), "Pump3");
	back(B);
	until(member_is("Pump3", "current") && hears_all(3));
	assert_int_equal(events_of(M, "link-protocol"), 0);
	/* The name of before is somebody else's to have; not that of a third. */
	ask_ok(M, "node-rename", "{\"node\":\"EdgeNodeC\",\"name\":\"EdgeNodeB\"}");
	actor_stop(A);
	snprintf(A->config.name, sizeof(A->config.name), "NodeA");	/* only the end of what it is */
	assert_int_equal(actor_start(A), 0);
	until(events_of(M, "link-protocol") > 0);
	assert_true(is_down(A));
}

/* ---- elsewhere ---- */

/* P5 in the one that it leaves, also while somebody is absent, and in the one that it comes to. */
static void test_move(void **state)
{
	struct json_object *answer;

	(void)state;
	create_abc();
	settle(1);
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeB\"],\"label\":\"apart\"}");
	world_watch("akm1", 2);
	answer = ask(M, "node-move", "{\"node\":\"EdgeNodeC\",\"from\":\"1\",\"to\":\"apart\",\"dry_run\":true}");
	assert_int_equal(json_object_array_length(at(answer, "steps")), 2);
	assert_string_equal(text_at(answer, "steps.0.leaves"), "EdgeNodeC");
	assert_string_equal(text_at(answer, "steps.1.joins"), "EdgeNodeC");
	assert_int_equal(number_at(answer, "steps.1.atr"), 2);
	json_object_put(answer);
	assert_int_equal(fake_kernel_active(C->kernel, "akm2"), 0);
	answer = ask(M, "node-move", "{\"node\":\"EdgeNodeC\",\"from\":\"1\",\"to\":\"apart\"}");
	assert_true(json_object_get_boolean(at(answer, "plans.0.done")));
	assert_true(json_object_get_boolean(at(answer, "plans.1.done")));
	json_object_put(answer);
	assert_true(all_only_on(2, 2));
	assert_int_equal(fake_kernel_active(C->kernel, "akm1"), 0);
	assert_int_equal(fake_kernel_active(C->kernel, "akm2"), 2);
	assert_int_equal(fake_kernel_active(B->kernel, "akm2"), 2);
	assert_false(fake_kernel_holds(C->kernel, "akm2", 1));
	until(events_of(R, "node-move") == 1);

	ask_refused(M, "ENOENT", "node", "node-move", "{\"node\":\"EdgeNodeC\",\"from\":\"1\",\"to\":\"apart\"}");
	ask_refused(M, "EEXIST", "node", "node-move", "{\"node\":\"EdgeNodeB\",\"from\":\"1\",\"to\":\"apart\"}");
	ask_refused(M, "EINVAL", "to", "node-move", "{\"node\":\"EdgeNodeB\",\"from\":\"1\",\"to\":\"1\"}");
	ask_refused(M, "ENOENT", "from", "node-move", "{\"node\":\"EdgeNodeB\",\"from\":\"9\",\"to\":\"1\"}");
	ask_refused(M, "ENOENT", "to", "node-move", "{\"node\":\"EdgeNodeB\",\"from\":\"1\",\"to\":\"9\"}");
	assert_true(all_only_on(2, 2));
}

/* ---- shown, not done ---- */

#define DRY(cmd, fmt, ...) ask(M, cmd, "{\"dry_run\":true," fmt "}", ##__VA_ARGS__)

static void test_plans(void **state)
{
	struct json_object *answer;
	char *before, *after;

	(void)state;
	create_abc();
	settle(1);
	away(B);
	before = everything_of_manager();

	answer = DRY("atr-remove", "\"atr\":\"1\",\"node\":\"EdgeNodeC\"");
	assert_true(json_object_get_boolean(at(answer, "dry_run")));
	assert_int_equal(json_object_array_length(at(answer, "steps")), 1);
	assert_int_equal(number_at(answer, "steps.0.generation"), 2);
	assert_string_equal(text_at(answer, "steps.0.reason"), "remove");
	assert_string_equal(text_at(answer, "steps.0.leaves"), "EdgeNodeC");
	assert_string_equal(text_at(answer, "steps.0.now.0"), "EdgeNodeA");
	assert_string_equal(text_at(answer, "steps.0.at_return.0"), "EdgeNodeB");
	assert_int_equal(json_object_array_length(at(answer, "steps.0.at_return")), 1);
	assert_non_null(strstr(text_at(answer, "steps.0.until_return"), "what EdgeNodeC sends under generation 1"));
	json_object_put(answer);

	answer = DRY("atr-set", "\"atr\":\"1\",\"epoch_interval\":5000");
	assert_string_equal(text_at(answer, "steps.0.change"), "definition only");
	assert_null(at(answer, "steps.0.generation"));
	assert_string_equal(text_at(answer, "steps.0.interrupted"), "nothing");
	json_object_put(answer);
	answer = DRY("atr-set", "\"atr\":\"1\",\"port\":5000,\"interrupt\":true");
	assert_non_null(strstr(text_at(answer, "steps.0.interrupted"), "all traffic"));
	json_object_put(answer);
	answer = DRY("node-evict", "\"node\":\"EdgeNodeA\"");
	assert_string_equal(text_at(answer, "node"), "EdgeNodeA is refused from now on");
	assert_int_equal(json_object_array_length(at(answer, "steps.0.now")), 1);
	json_object_put(answer);
	answer = DRY("node-rename", "\"node\":\"EdgeNodeA\",\"name\":\"other\"");
	assert_string_equal(text_at(answer, "node"), "EdgeNodeA is called other");
	json_object_put(answer);
	answer = DRY("atr-create", "\"members\":[\"EdgeNodeA\",\"EdgeNodeB\"],\"label\":\"second\"");
	assert_int_equal(number_at(answer, "steps.0.atr"), 2);
	assert_int_equal(number_at(answer, "steps.0.generation"), 1);
	json_object_put(answer);
	answer = DRY("atr-rekey", "\"atr\":\"1\"");
	assert_int_equal(json_object_array_length(at(answer, "steps.0.now")), 2);
	json_object_put(answer);
	answer = DRY("atr-delete", "\"atr\":\"1\"");
	assert_string_equal(text_at(answer, "steps.0.change"), "ends");
	assert_int_equal(json_object_array_length(at(answer, "steps.0.now")), 2);
	json_object_put(answer);
	ask_refused(M, "EEXIST", "node", "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeA\",\"dry_run\":true}");

	after = everything_of_manager();
	assert_string_equal(before, after);
	assert_true(all_on(3, 1));
	free(before);
	free(after);
}

/* What was shown is what is done then. */
static void test_plan_comes_true(void **state)
{
	struct json_object *plan, *done;

	(void)state;
	create_abc();
	settle(1);
	plan = DRY("atr-rekey", "\"atr\":\"1\"");
	done = ask(M, "atr-rekey", "{\"atr\":\"1\"}");
	assert_true(number_at(plan, "steps.0.generation") > 1);
	assert_int_equal(number_at(plan, "steps.0.generation"), number_at(done, "generation"));
	assert_int_equal(number_at(plan, "steps.0.definition"), number_at(done, "definition"));
	json_object_put(plan);
	json_object_put(done);
}

int main(int argc, char **argv)
{
#define WORLD(t) cmocka_unit_test_setup_teardown(t, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		WORLD(test_live_settings),
		WORLD(test_freshness_makes_a_generation),
		WORLD(test_fallback),
		WORLD(test_group),
		WORLD(test_refused),
		WORLD(test_prefixes),
		WORLD(test_suite_and_port),
		WORLD(test_rename),
		WORLD(test_move),
		WORLD(test_plans),
		WORLD(test_plan_comes_true),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
