// SPDX-License-Identifier: GPL-2.0
/*
 * A machine takes the place of a node that is lost: its memberships, addresses and networks are the new one's, and what
 * the lost one knows is over. (Seen failing: the lost one's row left as it was; the lost one not evicted; the new one let
 * into an ATR that is locked.)
 */
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "support_dir.h"
#include "support_disk.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define NEW (&world.nodes[2])		/* EdgeNodeC: fresh; the third of all_on() once it is in the place of … */
#define LOST (&world.nodes[3])		/* … EdgeNodeD */
#define M (&world.manager)
#define R (&world.root)

#define REPLACE "{\"replaces\":\"EdgeNodeD\",\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\"}", NEW->via

static void provision(struct actor *by, struct actor *a)
{
	ask_ok(by, "node-provision", "{\"name\":\"%s\",\"via\":\"unix:%s\"}", a->name, a->via);
	until(!is_down(a));
}

static bool holds(struct actor *a, uint32_t generation)
{
	return fake_kernel_holds(a->kernel, "akm1", generation);
}

static bool lost_hears(struct actor *a)
{
	const char *why;

	return fake_kernel_hears(LOST->kernel, a->kernel, "akm1", &why);
}

static int begin(void **state)
{
	(void)state;
	world_begin(4);
	provision(R, M);
	provision(M, A);
	provision(M, B);
	provision(M, LOST);
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeB\",\"EdgeNodeD\"]}");
	until(lost_hears(A) && lost_hears(B) && hears_all(2));
	return 0;
}

static int end(void **state)
{
	(void)state;
	world_end();
	return 0;
}

static void shows(const char *path, const char *what)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"1\"}");

	assert_string_equal(text_at(answer, path), what);
	json_object_put(answer);
}

static bool is_state(struct actor *at_whom, const char *node, const char *what)
{
	struct json_object *answer = ask(at_whom, "node-show", "{\"node\":\"%s\"}", node);
	bool is = !strcmp(text_at(answer, "state"), what);

	json_object_put(answer);
	return is;
}

static bool given_nothing_before(uint32_t generation)
{
	while (--generation)
		assert_false(holds(NEW, generation));
	return true;
}

/* Its machine is in somebody else's hands, and goes on running. */
static void test_stolen(void **state)
{
	(void)state;
	ask_ok(M, "atr-set", "{\"atr\":\"1\",\"member\":\"EdgeNodeD\",\"prefixes\":[\"192.168.5.0/24\"]}");
	world_watch("akm1", 2);
	actor_stop(LOST);			/* off the link; its kernel talks on */
	ask_ok(M, "node-replace", REPLACE);
	until(given_nothing_before(2) && all_on(3, 2));
	until(!holds(A, 1) && !holds(B, 1));
	world_watch("akm1", 3);
	assert_true(holds(LOST, 1));
	assert_false(lost_hears(A) || lost_hears(B));
	shows("members.2.node", "EdgeNodeC");
	shows("members.2.addresses.0", "10.77.1.3/24");
	shows("members.2.prefixes.0", "192.168.5.0/24");
	assert_true(is_state(M, "EdgeNodeD", "evicted") && is_state(M, "EdgeNodeC", "provisioned"));
	until(is_state(R, "EdgeNodeD", "evicted") && is_state(R, "EdgeNodeC", "provisioned"));
	assert_int_equal(events_of(M, "node-replaced"), 1);
	until(events_of(R, "node-replaced") == 1);

	/* It comes back, and is a stranger; so it is after a restart of the manager. */
	assert_int_equal(actor_start(LOST), 0);
	until(events_of(M, "link-unknown") >= 1);
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(A) && !is_down(B) && !is_down(NEW));
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	until(all_on(3, 3));
	assert_true(is_down(LOST) && !holds(LOST, 2) && !holds(LOST, 3));
}

/* It is connected: told to leave, and erases what it has. Who is away hears of it at return. */
static void test_connected(void **state)
{
	(void)state;
	actor_stop(B);
	ask_ok(M, "node-replace", REPLACE);
	until(fake_kernel_active(A->kernel, "akm1") == 2 && fake_kernel_active(NEW->kernel, "akm1") == 2);
	until(!holds(LOST, 1));
	assert_int_equal(actor_start(B), 0);
	until(all_only_on(3, 2));
}

static bool is_armed(uint32_t generation)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"1\"}");
	bool is = number_at(answer, "fallback_generation") == generation &&
		  !strcmp(text_at(answer, "fallback_state"), "armed");

	json_object_put(answer);
	return is;
}

/* A fallback lies ready, which the lost one has as well: it is over too, and there is another. */
static void test_fallback(void **state)
{
	(void)state;
	ask_ok(M, "atr-set", "{\"atr\":\"1\",\"fallback\":\"armed\"}");
	until(is_armed(2));
	assert_true(holds(LOST, 2));
	actor_stop(LOST);
	ask_ok(M, "node-replace", REPLACE);
	until(given_nothing_before(3) && is_armed(4));
	assert_true(all_on(3, 3) && given_nothing_before(3) && holds(NEW, 4));
}

/* Nobody is let into what is locked; the lost one leaves it all the same. */
static void test_locked(void **state)
{
	(void)state;
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeB\",\"EdgeNodeD\"],\"label\":\"second\"}");
	ask_ok(M, "atr-lock", "{\"atr\":\"1\"}");
	until(all_on(2, 2));
	actor_stop(LOST);
	ask_ok(M, "node-replace", REPLACE);
	until(all_only_on(2, 3));
	assert_int_equal(fake_kernel_active(NEW->kernel, "akm1"), 0);
	until(fake_kernel_active(NEW->kernel, "akm2") == 2);
	assert_int_equal(events_of(M, "atr-remove"), 1);
	ask_ok(M, "lock", "{}");
	ask_refused(M, "EPERM", "fleet", "node-replace", "{\"replaces\":\"EdgeNodeA\",\"name\":\"Other\",\"via\":\"unix:%s\"}",
		    NEW->via);
}

static void test_refused(void **state)
{
	struct json_object *plan;

	(void)state;
#define TO(lost, name) "node-replace", "{\"replaces\":\"" lost "\",\"name\":\"" name "\",\"via\":\"unix:%s\"}"
	ask_refused(M, "ENOENT", "node", TO("EdgeNodeX", "EdgeNodeC"), NEW->via);
	ask_refused(M, "EINVAL", "name", TO("EdgeNodeD", "EdgeNodeD"), NEW->via);
	ask_refused(M, "EEXIST", "name", TO("EdgeNodeD", "EdgeNodeA"), NEW->via);
	ask_refused(M, "EINVAL", "name", TO("EdgeNodeD", "a name"), NEW->via);
	/* The machine at the other end is the very one. */
	ask_ok(LOST, "provision-allow", "{\"seconds\":60}");
	ask_refused(M, "EEXIST", "name", TO("EdgeNodeD", "EdgeNodeC"), LOST->via);
	/* Nothing came of any of them, nor comes of looking. */
	plan = ask(M, "node-replace", "{\"replaces\":\"EdgeNodeD\",\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\",\"dry_run\":true}",
		   NEW->via);
	assert_string_equal(text_at(plan, "node"), "EdgeNodeC takes the place of EdgeNodeD, which is refused from now on");
	assert_string_equal(text_at(plan, "steps.0.joins"), "EdgeNodeC");
	assert_string_equal(text_at(plan, "steps.0.leaves"), "EdgeNodeD");
	assert_int_equal(number_at(plan, "steps.0.generation"), 2);
	assert_string_equal(text_at(plan, "steps.0.at_return.0"), "EdgeNodeC");
	json_object_put(plan);
	assert_true(is_state(M, "EdgeNodeD", "provisioned"));
	assert_true(holds(LOST, 1) && !holds(A, 2));
	assert_int_equal(events_of(M, "node-replaced"), 0);
	/* An exchange that breaks off changes nothing either, and the next one is right. */
	ask_drop(ask_begin(M, "node-replace", REPLACE));
	for (int i = 0; i < 50; i++)
		world_turn();
	assert_true(holds(LOST, 1) && lost_hears(A));
	ask_ok(M, "node-replace", REPLACE);
	until(all_on(3, 2));
	ask_refused(M, "ENOENT", "node", TO("EdgeNodeD", "EdgeNodeE"), NEW->via);
}

/* The manager has recorded it, and the new one does not know: it is provisioned again, and has its place. */
static void test_broken_off(void **state)
{
	struct json_object *answer;
	unsigned int calls = 0;

	(void)state;
	do {					/* at the last of its TPM's calls, and at each before that nothing came of it */
		assert_true(calls < 50);
		fake_tpm_fail_after(NEW->tpm, calls++, -EIO);
		json_object_put(ask(M, "node-replace", REPLACE));
	} while (!is_state(M, "EdgeNodeD", "evicted"));
	answer = ask(NEW, "status", "{}");
	assert_string_equal(text_at(answer, "peer.state"), "not provisioned");
	json_object_put(answer);
	ask_refused(M, "ENOENT", "node", "node-replace", REPLACE);
	provision(M, NEW);
	until(given_nothing_before(2) && all_on(3, 2));
}

static int begin_on_disk(void **state)
{
	disk_begin();
	return begin(state);
}

static int end_on_disk(void **state)
{
	int r = end(state);

	disk_end();
	return r;
}

#define PLACES_MAX	300
#define EVERY		29

/* Return: was it done? Then nobody else is in the ATR, and else nobody is who was not. */
static bool is_done(uint32_t *generation)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"1\"}");
	bool done = !strcmp(text_at(answer, "members.2.node"), "EdgeNodeC");

	assert_int_equal(json_object_array_length(at(answer, "members")), 3);
	assert_string_equal(text_at(answer, "members.2.node"), done ? "EdgeNodeC" : "EdgeNodeD");
	assert_true(is_state(M, "EdgeNodeD", done ? "evicted" : "provisioned"));
	*generation = (uint32_t)number_at(answer, "generation");
	json_object_put(answer);
	return done;
}

/* Return: was there a place to die at? Whatever was durable by then, somebody who says it again has it done. P10 */
static bool die_at(unsigned int place)
{
	struct asked *q;
	uint32_t generation;
	bool came, granted, done;

	disk_cut_after(M->dir, place);
	q = ask_begin(M, "node-replace", REPLACE);
	until(disk_is_cut() || ask_done(q));
	came = disk_is_cut();
	granted = ask_granted(q);
	actor_stop(M);
	disk_mend(DISK_POWER, place);
	ask_drop(q);
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	done = is_done(&generation);
	assert_true(done || !granted);
	if (!done)
		ask_ok(M, "node-replace", REPLACE);
	else if (is_down(NEW) && !granted)
		(void)json_object_put(ask(M, "node-provision", "{\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\"}", NEW->via));
	until(is_done(&generation) && given_nothing_before(generation) && all_only_on(3, generation));
	assert_int_equal(events_of(M, "node-refused"), 0);
	return came;
}

static void test_without_power(void **state)
{
	unsigned int place = 0;
	bool came;

	do {
		begin_on_disk(state);
		came = die_at(place);
		assert_true(came || place);
		place += EVERY;
		assert_true(place < PLACES_MAX);
		end_on_disk(state);
	} while (came);
}

int main(int argc, char **argv)
{
#define STORY(t) cmocka_unit_test_setup_teardown(t, begin, end)
	const struct CMUnitTest tests[] = {
		STORY(test_stolen),
		STORY(test_connected),
		STORY(test_fallback),
		STORY(test_locked),
		STORY(test_refused),
		STORY(test_broken_off),
		cmocka_unit_test(test_without_power),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
