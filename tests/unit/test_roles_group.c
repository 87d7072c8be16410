// SPDX-License-Identifier: GPL-2.0
/* The multicast group of the underlay: said to the manager once, and in every member's kernel whatever its link does. */
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

#define GROUP	"239.7.6.45"
#define ABC	"\"members\":[\"EdgeNodeA\",\"EdgeNodeB\",\"EdgeNodeC\"]"

static bool in_group(struct actor *a)
{
	return fake_kernel_in_group(a->kernel, "akm1", GROUP, 1);
}

static bool all_in_group(void)
{
	return in_group(A) && in_group(B) && in_group(C);
}

static void create_with_group(void)
{
	ask_ok(M, "atr-create", "{" ABC ",\"group\":\"" GROUP "\"}");
	until(all_on(3, 1) && all_in_group());
	world_watch("akm1", 3);
}

/* Does @a's status say that it is out of the group? */
static bool finds_it_out(struct actor *a)
{
	struct json_object *answer = ask(a, "status", "{}");
	bool out = !strcmp(text_at(answer, "health.findings.0.check"), "group");

	if (out)
		assert_string_equal(text_at(answer, "health.findings.0.subject"), "#1 EdgeNodeA-EdgeNodeB-EdgeNodeC");
	json_object_put(answer);
	return out;
}

static void test_arguments(void **state)
{
	(void)state;
	ask_refused(M, "EINVAL", "group", "atr-create", "{" ABC ",\"group\":\"192.0.2.1\"}");
	ask_refused(M, "EINVAL", "group", "atr-create", "{" ABC ",\"group\":\"ff01::1\"}");
	ask_refused(M, "EINVAL", "group", "atr-create", "{" ABC ",\"group\":\"ff00::1\"}");
	ask_refused(M, "EINVAL", "group", "atr-create", "{" ABC ",\"group\":\"\"}");
	ask_refused(M, "EINVAL", "group", "atr-create", "{" ABC ",\"group\":\"" GROUP "%%eth0\"}");
	ask_refused(M, "EINVAL", "ttl", "atr-create", "{" ABC ",\"group\":\"" GROUP "\",\"ttl\":0}");
	ask_refused(M, "EINVAL", "ttl", "atr-create", "{" ABC ",\"group\":\"" GROUP "\",\"ttl\":256}");
	ask_refused(M, "EINVAL", "ttl", "atr-create", "{" ABC ",\"ttl\":3}");
}

/* What the operator said about an ATR is what its members' kernels do, also after they were made anew. */
static void test_group_reaches_the_kernel(void **state)
{
	struct json_object *answer;

	(void)state;
	create_with_group();
	ask_ok(M, "atr-create", "{" ABC ",\"label\":\"six\",\"group\":\"ff05::7645\",\"ttl\":7}");
	ask_ok(M, "atr-create", "{" ABC ",\"label\":\"none\"}");
	world_watch(NULL, 0);
	for (int i = 0; i < 2; i++) {
		until(in_group(B) && fake_kernel_in_group(B->kernel, "akm2", "ff05::7645", 7) &&
		      fake_kernel_active(B->kernel, "akm3") == 1);
		assert_false(fake_kernel_has_group(B->kernel, "akm3"));
		actor_reboot(B);
	}
	answer = ask(M, "atr-show", "{\"atr\":\"six\"}");
	assert_string_equal(text_at(answer, "group"), "ff05::7645");
	assert_int_equal(number_at(answer, "ttl"), 7);
	json_object_put(answer);
	answer = ask(M, "atr-show", "{\"atr\":\"none\"}");
	assert_null(at(answer, "group"));
	json_object_put(answer);
	until(all_in_group());
	fake_kernel_remove(A->kernel, "akm1");
	until(in_group(A));
	assert_int_equal(events_of(A, "group"), 0);
}

/* What is not the ATR's is not left in the kernel. */
static void test_no_other_group_stays(void **state)
{
	struct nl_dev d = { .ifname = "akm1", .group = { { 239, 1, 1, 1 }, 4, 1 }, .group_link = 2 };
	struct nl by_hand = { .k = A->kernel };
	struct akm_error err;

	(void)state;
	create_abc();
	assert_int_equal(nl_dev_set(&by_hand, &d, 1u << AKM_A_DEV_GROUP, &err), 0);
	assert_true(fake_kernel_has_group(A->kernel, "akm1"));
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	assert_false(fake_kernel_has_group(A->kernel, "akm1"));
	assert_int_equal(events_of(A, "group"), 0);
}

/* The manager shows which setting a node lacks; with it, the node is a member by itself. */
static void test_node_without_a_link(void **state)
{
	struct json_object *answer;

	(void)state;
	actor_stop(C);
	C->config.group_link[0] = '\0';
	assert_int_equal(actor_start(C), 0);
	until(C->ready && !is_down(C));
	json_object_put(ask(M, "atr-create", "{" ABC ",\"group\":\"" GROUP "\"}"));
	until(all_on(2, 1) && in_group(A) && in_group(B));
	answer = ask(M, "atr-show", "{\"atr\":\"1\"}");
	assert_non_null(strstr(text_at(answer, "members.2.failure"), "group: "));
	assert_non_null(strstr(text_at(answer, "members.2.failure"), "[link] group_link"));
	json_object_put(answer);
	assert_int_equal(fake_kernel_active(C->kernel, "akm1"), 0);
	assert_true(events_of(M, "node-refused") > 0);
	actor_stop(C);
	snprintf(C->config.group_link, sizeof(C->config.group_link), "eth0");
	assert_int_equal(actor_start(C), 0);
	until(all_on(3, 1) && all_in_group());
}

/* The setting went away after a node was given the group: it talks on, without, and is helped after a long sleep. */
static void test_setting_goes_away(void **state)
{
	(void)state;
	create_with_group();
	actor_stop(B);
	B->config.group_link[0] = '\0';
	assert_int_equal(actor_start(B), 0);
	until(B->ready && !is_down(B));
	assert_true(hears_all(3));
	assert_false(fake_kernel_has_group(B->kernel, "akm1"));
	assert_true(finds_it_out(B));
	world_watch(NULL, 0);
	actor_stop(B);
	for (int i = 0; i < 300; i++) {
		fake_kernel_roll(A->kernel, "akm1");
		fake_kernel_roll(C->kernel, "akm1");
	}
	fake_kernel_reboot(B->kernel);
	assert_int_equal(actor_start(B), 0);
	until(B->ready && hears_all(3));
}

/* The link goes and comes; traffic goes on all the while. Whoever came back is in the group, without an operator. */
static void test_link_made_anew(void **state)
{
	(void)state;
	create_with_group();
	fake_kernel_unlink(B->kernel);
	/* Whoever is in no group has none: an interface that lacks its link does not come up again. */
	assert_false(fake_kernel_has_group(B->kernel, "akm1"));
	assert_int_equal(events_of(B, "group"), 1);
	assert_true(finds_it_out(B));
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	settle(2);
	fake_kernel_link(B->kernel, 0);
	assert_true(all_in_group());
	assert_false(finds_it_out(B));
	assert_int_equal(events_of(B, "group"), 2);
	until(events_of(M, "group") == 2);
}

/* It went to another namespace and came back: the same number, and nothing is left of the membership. */
static void test_link_of_the_same_number(void **state)
{
	uint32_t index;

	(void)state;
	create_with_group();
	index = B->kernel->link;
	fake_kernel_unlink(B->kernel);
	fake_kernel_link(B->kernel, index);
	assert_true(all_in_group());
	fake_kernel_relink(B->kernel);
	assert_true(all_in_group());
}

/* At start there is no link yet, or another one than before. */
static void test_link_changes_while_away(void **state)
{
	(void)state;
	create_with_group();
	actor_stop(M);				/* which would tell it again */
	actor_stop(B);
	fake_kernel_unlink(B->kernel);
	fake_kernel_link(B->kernel, 0);
	assert_false(in_group(B));
	assert_int_equal(actor_start(B), 0);
	until(all_in_group());
	actor_stop(B);
	fake_kernel_unlink(B->kernel);
	assert_int_equal(actor_start(B), 0);
	until(B->ready && finds_it_out(B));
	assert_true(hears_all(3));
	fake_kernel_link(B->kernel, 0);
	assert_true(all_in_group());
}

/* A link on which nothing can be joined is not told of when it can: it is tried again. */
static void test_link_without_multicast(void **state)
{
	(void)state;
	fake_kernel_no_multicast(C->kernel, true);
	ask_ok(M, "atr-create", "{" ABC ",\"group\":\"" GROUP "\"}");
	until(all_on(3, 1) && in_group(A) && in_group(B) && finds_it_out(C));
	assert_int_equal(events_of(C, "group"), 1);
	fake_kernel_no_multicast(C->kernel, false);
	until(all_in_group());
	assert_int_equal(events_of(C, "group"), 2);
	/* Of what it was in, nothing is left where that is no more. */
	actor_stop(C);
	fake_kernel_no_multicast(C->kernel, true);
	fake_kernel_unlink(C->kernel);
	fake_kernel_link(C->kernel, 0);
	assert_int_equal(actor_start(C), 0);
	until(C->ready && finds_it_out(C));
	assert_false(fake_kernel_has_group(C->kernel, "akm1"));
}

#define story(t) cmocka_unit_test_setup_teardown(t, world_setup, world_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		story(test_arguments),
		story(test_group_reaches_the_kernel),
		story(test_no_other_group_stays),
		story(test_node_without_a_link),
		story(test_setting_goes_away),
		story(test_link_made_anew),
		story(test_link_of_the_same_number),
		story(test_link_changes_while_away),
		story(test_link_without_multicast),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
