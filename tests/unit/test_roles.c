// SPDX-License-Identifier: GPL-2.0
/* The three roles together: the story, and what may go wrong in it. */
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "shown.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define C (&world.nodes[2])
#define M (&world.manager)
#define R (&world.root)


static int begin_fresh(void **state)
{
	(void)state;
	world_begin(2);
	return 0;
}

/* ---- the story ---- */

static void test_story(void **state)
{
	struct json_object *answer;

	(void)state;
	answer = ask(M, "node-list", "{}");
	assert_int_equal(json_object_array_length(at(answer, "nodes")), 3);
	assert_string_equal(text_at(answer, "nodes.0.label"), "MgmtMod-EdgeNodeA");
	assert_string_equal(text_at(answer, "nodes.0.link"), "up");
	json_object_put(answer);

	answer = ask(M, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeB\"]}");
	assert_int_equal(number_at(answer, "id"), 1);
	assert_string_equal(text_at(answer, "label"), "EdgeNodeA-EdgeNodeB");
	assert_int_equal(number_at(answer, "generation"), 1);
	assert_string_equal(text_at(answer, "subnet4"), "10.77.1.0/24");
	assert_string_equal(text_at(answer, "members.0.addresses.0"), "10.77.1.1/24");
	assert_string_equal(text_at(answer, "members.1.state"), "current");
	json_object_put(answer);
	until(hears_all(2));
	world_watch("akm1", 2);

	answer = ask(M, "atr-add", "{\"atr\":\"#1\",\"node\":\"EdgeNodeC\"}");
	assert_int_equal(number_at(answer, "generation"), 2);
	json_object_put(answer);
	until(all_on(3, 2));
	assert_false(fake_kernel_holds(C->kernel, "akm1", 1));
	world_watch("akm1", 3);

	ask_ok(M, "atr-rekey", "{\"atr\":\"EdgeNodeA-EdgeNodeB\"}");
	until(all_only_on(3, 3));

	world_watch("akm1", 2);
	ask_ok(M, "atr-remove", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	until(all_only_on(2, 4));
	until(!fake_kernel_active(C->kernel, "akm1"));

	world_watch(NULL, 0);
	ask_ok(M, "atr-delete", "{\"atr\":\"1\"}");
	until(!fake_kernel_active(A->kernel, "akm1") && !fake_kernel_active(B->kernel, "akm1"));
	ask_refused(M, "ENOENT", "atr", "atr-show", "{\"atr\":\"1\"}");
	/* Numbers are not used again. */
	ask_refused(M, "EEXIST", "id", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"id\":1}");
	answer = ask(M, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeB\"],\"suite\":\"chacha20-poly1305\",\"label\":\"two\"}");
	assert_int_equal(number_at(answer, "id"), 2);
	assert_string_equal(text_at(answer, "suite"), "chacha20-poly1305");
	json_object_put(answer);

	/* What happened is known to the root. */
	until(events_of(R, "atr-create") == 2 && events_of(R, "rekey") == 1 && events_of(R, "atr-delete") == 1);
	until(events_of(R, "provisioned") == 8);
	answer = ask(R, "node-list", "{}");
	assert_int_equal(json_object_array_length(at(answer, "nodes")), 4);
	json_object_put(answer);
}

static void test_evict(void **state)
{
	struct msg_endpoint e;
	struct json_object *answer;
	uint64_t decided;

	(void)state;
	create_abc();
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeB\",\"EdgeNodeC\"],\"label\":\"second\"}");
	world_watch("akm1", 2);
	/* It takes no orders any more. */
	fake_kernel_fail(C->kernel, AKM_CMD_MEMBER_SET, -EIO, 1000);
	decided = now_ms();
	answer = ask(M, "node-evict", "{\"node\":\"EdgeNodeC\",\"reason\":\"stolen\"}");
	assert_true(now_ms() < decided + 2000);
	assert_int_equal(json_object_array_length(at(answer, "plans")), 2);
	assert_true(json_object_get_boolean(at(answer, "plans.0.done")));
	json_object_put(answer);
	assert_true(all_only_on(2, 2));
	assert_false(fake_kernel_shares_key(C->kernel, A->kernel, "akm1"));
	/* nor under the generation that retires: those who stay know it no more */
	assert_true(fake_kernel_endpoint(A->kernel, "akm1", 1, &e));
	assert_false(fake_kernel_endpoint(A->kernel, "akm1", 2, &e));
	assert_false(fake_kernel_endpoint(B->kernel, "akm1", 2, &e));
	assert_false(fake_kernel_holds(B->kernel, "akm2", 1));
	until(is_down(C));
	until(events_of(M, "link-unknown") > 0);
	ask_refused(M, "EINVAL", "node", "node-evict", "{\"node\":\"EdgeNodeC\"}");
	ask_refused(M, "EINVAL", "node", "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	answer = ask(M, "node-show", "{\"node\":\"EdgeNodeC\"}");
	assert_string_equal(text_at(answer, "state"), "evicted");
	json_object_put(answer);

	/* It comes back over the direct connection, as somebody new. */
	actor_stop(C);
	actor_forget(C);
	fake_kernel_reboot(C->kernel);
	assert_int_equal(actor_start(C), 0);
	until(C->ready);
	ask_ok(M, "node-provision", "{\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\"}", C->via);
	until(!is_down(C));
	ask_ok(M, "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	until(all_on(3, 3));
}

/* ---- restarted, away ---- */

/* kill -9 and restart change nothing for traffic. */
static void test_restart_leaves_the_kernel_alone(void **state)
{
	unsigned int before;
	uint32_t incarnation;

	(void)state;
	create_abc();
	world_watch("akm1", 3);
	before = fake_kernel_changes(A->kernel);
	incarnation = fake_kernel_incarnation(A->kernel, "akm1");
	for (int i = 0; i < 3; i++) {
		actor_stop(A);
		for (int t = 0; t < 20; t++)
			world_turn();
		assert_int_equal(actor_start(A), 0);
		until(A->ready && member_is("EdgeNodeA", "current"));
	}
	assert_int_equal(fake_kernel_changes(A->kernel), before);
	assert_int_equal(fake_kernel_incarnation(A->kernel, "akm1"), incarnation);
}

static void test_reboot_without_the_manager(void **state)
{
	uint32_t incarnation;

	(void)state;
	create_abc();
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	settle(2);
	actor_stop(M);
	actor_stop(R);
	incarnation = fake_kernel_incarnation(B->kernel, "akm1");
	actor_reboot(B);
	until(B->ready);
	until(all_on(3, 2));
	assert_true(fake_kernel_incarnation(B->kernel, "akm1") > incarnation);
	assert_false(fake_kernel_holds(B->kernel, "akm1", 1));
}

static void test_manager_away_then_back(void **state)
{
	(void)state;
	create_abc();
	world_watch("akm1", 3);
	actor_stop(M);
	for (int i = 0; i < 300; i++)
		world_turn();
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	until(member_is("EdgeNodeA", "current") && member_is("EdgeNodeB", "current") && member_is("EdgeNodeC", "current"));
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	until(all_on(3, 2));
}

static void test_root_away_then_back(void **state)
{
	(void)state;
	actor_stop(R);
	create_abc();
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	until(all_on(3, 2));
	assert_int_equal(actor_start(R), 0);
	until(R->ready);
	until(events_of(R, "atr-create") == 1 && events_of(R, "rekey") == 1);
}

/* A member that was away is not waited for long, and catches up. */
static void test_member_away(void **state)
{
	struct json_object *answer;

	(void)state;
	create_abc();
	actor_stop(C);
	until(member_is("EdgeNodeC", "absent"));
	world_watch("akm1", 2);
	answer = ask(M, "atr-rekey", "{\"atr\":\"1\"}");
	assert_true(json_object_get_boolean(json_object_object_get(answer, "ok")));
	assert_string_equal(text_at(answer, "members.2.state"), "absent");
	json_object_put(answer);
	until(all_only_on(2, 2));
	assert_int_equal(fake_kernel_active(C->kernel, "akm1"), 1);
	assert_int_equal(actor_start(C), 0);
	settle(2);
}

static void test_removed_while_away(void **state)
{
	(void)state;
	create_abc();
	actor_stop(C);
	until(member_is("EdgeNodeC", "absent"));
	ask_ok(M, "atr-remove", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	until(all_only_on(2, 2));
	assert_int_equal(fake_kernel_active(C->kernel, "akm1"), 1);
	assert_int_equal(actor_start(C), 0);
	until(!fake_kernel_active(C->kernel, "akm1"));
	/* And again: another index, and nothing older than its coming back. */
	ask_ok(M, "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	until(all_on(3, 3));
	assert_false(fake_kernel_holds(C->kernel, "akm1", 2));
}

/* Removed and added again while it could not be told: it has another membership then. */
static void test_readded_while_away(void **state)
{
	(void)state;
	create_abc();
	actor_stop(C);
	until(member_is("EdgeNodeC", "absent"));
	ask_ok(M, "atr-remove", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	ask_ok(M, "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeC\"}");
	assert_int_equal(actor_start(C), 0);
	settle(3);
	assert_false(fake_kernel_holds(C->kernel, "akm1", 1));
}

/* ---- identity ---- */

static void test_hardware_changed(void **state)
{
	unsigned int before;

	(void)state;
	create_abc();
	world_watch("akm1", 3);
	before = fake_kernel_changes(B->kernel);
	actor_stop(B);
	actor_set_hardware(B, "another board");
	assert_int_equal(actor_start(B), 0);
	until(B->ready);
	until(events_of(M, "link-psk") == 1);
	until(events_of(B, "hardware-mismatch") == 1);
	assert_true(is_down(B));
	/* The kernel keeps what it has. */
	assert_int_equal(fake_kernel_changes(B->kernel), before);
	actor_stop(B);
	actor_set_hardware(B, B->name);
	assert_int_equal(actor_start(B), 0);
	until(B->ready && !is_down(B));
}

static void test_another_tpm(void **state)
{
	struct fake_tpm *right = B->tpm, *wrong = fake_tpm_new(false);
	unsigned int before;

	(void)state;
	create_abc();
	actor_stop(B);
	before = fake_kernel_changes(B->kernel);
	B->tpm = wrong;
	if (!actor_start(B))
		until(B->failed);
	assert_int_equal(B->failed, -ENOKEY);
	assert_false(B->ready);
	actor_stop(B);
	B->tpm = right;
	fake_tpm_free(wrong);
	assert_int_equal(actor_start(B), 0);
	until(B->ready && !is_down(B));
	assert_int_equal(fake_kernel_changes(B->kernel), before);
}

static void test_provisioned_again(void **state)
{
	(void)state;
	create_abc();
	world_watch("akm1", 2);
	/* Its disk was lost: the same TPM comes with nothing. */
	actor_stop(C);
	actor_forget(C);
	fake_kernel_reboot(C->kernel);
	assert_int_equal(actor_start(C), 0);
	until(C->ready);
	ask_refused(M, "EEXIST", "name", "node-provision", "{\"name\":\"Other\",\"via\":\"unix:%s\"}", C->via);
	assert_int_equal(events_of(M, "provision-failed"), 1);
	until(events_of(R, "provision-failed") == 1);
	ask_ok(M, "node-provision", "{\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\"}", C->via);
	until(all_on(3, 1) && member_is("EdgeNodeC", "current"));

	/* Provisioned, it does not let anybody replace that, unless it was allowed on the spot. */
	ask_refused(M, "EEXIST", "peer", "node-provision", "{\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\"}", C->via);
	assert_true(all_on(3, 1));
	ask_ok(C, "provision-allow", "{\"seconds\":60}");
	ask_ok(M, "node-provision", "{\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\"}", C->via);
	until(all_on(3, 1));
}

static void test_no_module(void **state)
{
	struct fake_kernel *kernel = A->kernel;

	(void)state;
	actor_stop(A);
	A->kernel = NULL;
	assert_int_equal(actor_start(A), -ENOPKG);
	A->kernel = kernel;
	assert_int_equal(actor_start(A), 0);
}

static bool link_n_is(struct actor *a, int64_t n)
{
	struct json_object *answer = ask(a, "status", "{}");
	bool is = number_at(answer, "peer.link_n") == n;

	json_object_put(answer);
	return is;
}

static void test_link_key_moves_on(void **state)
{
	(void)state;
	create_abc();
	world_watch("akm1", 3);
	actor_stop(M);
	M->config.link_next_s = 1;
	assert_int_equal(actor_start(M), 0);
	until(link_n_is(A, 3) && link_n_is(B, 3));
	/* Killed at either end, they find each other with what they have. */
	actor_stop(A);
	assert_int_equal(actor_start(A), 0);
	until(A->ready && !is_down(A));
	until(link_n_is(A, 5));
	actor_stop(M);
	M->config.link_next_s = 86400;
	assert_int_equal(actor_start(M), 0);
	until(!is_down(A) && !is_down(B) && !is_down(C));
}

/* ---- the kernel ---- */

static void test_kernel_refuses(void **state)
{
	struct json_object *answer;

	(void)state;
	create_abc();
	world_watch("akm1", 2);
	fake_kernel_fail(C->kernel, AKM_CMD_GENERATION_INSTALL, -EOPNOTSUPP, 3);
	answer = ask(M, "atr-rekey", "{\"atr\":\"1\"}");
	assert_true(json_object_get_boolean(json_object_object_get(answer, "ok")));
	json_object_put(answer);
	until(events_of(M, "node-refused") > 0);
	settle(2);
}

static void test_device_removed_by_hand(void **state)
{
	(void)state;
	create_abc();
	/* It mends that itself, also without the manager. */
	actor_stop(M);
	fake_kernel_remove(B->kernel, "akm1");
	until(all_on(3, 1));
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(A) && !is_down(B) && !is_down(C));
	until(events_of(M, "device-gone") == 1);
	ask_ok(M, "atr-rekey", "{\"atr\":\"1\"}");
	settle(2);
	/* While the daemon is not there as well */
	actor_stop(B);
	fake_kernel_remove(B->kernel, "akm1");
	assert_int_equal(actor_start(B), 0);
	until(all_on(3, 2));
}

/* Removed and loaded again under a daemon that runs: it gets everything back, and no number comes twice. P1 */
static void test_module_reloaded(void **state)
{
	struct json_object *answer;
	struct asked *rekey;
	uint32_t before;

	(void)state;
	create_abc();
	actor_stop(M);
	before = fake_kernel_incarnation(B->kernel, "akm1");
	fake_kernel_unload(B->kernel);
	for (int t = 0; t < 50; t++)
		world_turn();
	answer = ask(B, "status", "{}");
	assert_string_equal(text_at(answer, "atrs.0.state"), "not in kernel");
	assert_int_equal(json_object_array_length(at(answer, "kernel")), 0);
	json_object_put(answer);
	fake_kernel_load(B->kernel);
	until(all_on(3, 1));
	assert_true(fake_kernel_incarnation(B->kernel, "akm1") > before);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(A) && !is_down(B) && !is_down(C));
	until(events_of(M, "module") == 2);
	/* A change meanwhile is refused for that reason, and comes through when the module is back. */
	fake_kernel_unload(B->kernel);
	rekey = ask_begin(M, "atr-rekey", "{\"atr\":\"1\"}");
	until(events_of(M, "node-refused") > 0);
	fake_kernel_load(B->kernel);
	json_object_put(ask_end(rekey));
	settle(2);
}

static void test_state_lost(void **state)
{
	uint32_t before;

	(void)state;
	create_abc();
	before = fake_kernel_incarnation(A->kernel, "akm1");
	fake_kernel_lose_state(A->kernel, "akm1");
	until(fake_kernel_incarnation(A->kernel, "akm1") > before);
	assert_true(hears_all(3));
	until(events_of(M, "state-lost") == 1);
}

static void test_epochs_are_sealed(void **state)
{
	(void)state;
	create_abc();
	for (int i = 0; i < 3; i++) {
		fake_kernel_roll(A->kernel, "akm1");
		fake_kernel_roll(B->kernel, "akm1");
		fake_kernel_roll(C->kernel, "akm1");
		for (int t = 0; t < 60; t++)
			world_turn();
	}
	actor_reboot(A);
	until(A->ready);
	until(hears_all(3));
	assert_int_equal(fake_kernel_epoch(A->kernel, "akm1"), 3);
	/* The manager has moved forward as well: one that lost everything gets the chain of now. */
	actor_stop(C);
	actor_forget(C);
	fake_kernel_reboot(C->kernel);
	assert_int_equal(actor_start(C), 0);
	until(C->ready);
	ask_ok(M, "node-provision", "{\"name\":\"EdgeNodeC\",\"via\":\"unix:%s\"}", C->via);
	until(hears_all(3));
	assert_int_equal(fake_kernel_epoch(C->kernel, "akm1"), 3);
}

static void test_epochs_while_away(void **state)
{
	(void)state;
	create_abc();
	actor_stop(B);
	fake_kernel_roll(B->kernel, "akm1");
	fake_kernel_roll(B->kernel, "akm1");
	assert_int_equal(actor_start(B), 0);
	until(B->ready);
	for (int t = 0; t < 60; t++)
		world_turn();
	actor_reboot(B);
	until(B->ready);
	assert_int_equal(fake_kernel_epoch(B->kernel, "akm1"), 2);
}

static void roll_all(unsigned int n)
{
	while (n--)
		for (size_t i = 0; i < 3; i++)
			fake_kernel_roll(world.nodes[i].kernel, "akm1");
}

/* Wait until @a has sealed all it has to: the TPM is at rest. */
static void quiet(struct actor *a)
{
	for (int still = 0; still < 25; still++) {
		world_turn();
		if (tpmq_depth(a->env.q))
			still = 0;
	}
}

/* The daemon was away for longer than one turn can make up for. */
static void test_many_epochs_while_away(void **state)
{
	(void)state;
	create_abc();
	actor_stop(B);
	roll_all(5000);
	assert_int_equal(actor_start(B), 0);
	until(B->ready);
	quiet(B);
	roll_all(1);
	quiet(B);
	assert_int_equal(events_of(B, "kernel"), 0);
	actor_reboot(B);
	until(B->ready);
	assert_int_equal(fake_kernel_epoch(B->kernel, "akm1"), 5001);
	assert_true(hears_all(3));
}

/* It was off for long: what it has is further back than a packet could bring it forward. */
static void slept(bool manager_too)
{
	create_abc();
	quiet(B);
	actor_stop(B);
	if (manager_too)
		actor_stop(M);
	for (int i = 0; i < 300; i++) {
		fake_kernel_roll(A->kernel, "akm1");
		fake_kernel_roll(C->kernel, "akm1");
	}
	fake_kernel_reboot(B->kernel);
	assert_int_equal(actor_start(B), 0);
	until(B->ready);
	assert_false(hears_all(3));
	if (manager_too)
		assert_int_equal(actor_start(M), 0);
	until(hears_all(3));
	assert_in_range(fake_kernel_epoch(B->kernel, "akm1"), 299, 301);
	quiet(B);
	/* And it is sealed. */
	actor_stop(M);
	actor_reboot(B);
	until(B->ready);
	assert_true(hears_all(3));
}

static void test_a_node_slept(void **state)
{
	(void)state;
	slept(false);
}

static void test_a_node_and_the_manager_slept(void **state)
{
	(void)state;
	slept(true);
}

/* A virtual machine goes back to a snapshot, its disk does not: the kernel's chains are the older ones. */
static void test_kernel_behind_the_store(void **state)
{
	struct fake_kernel *before;

	(void)state;
	create_abc();
	quiet(B);
	before = fake_kernel_snapshot(B->kernel);
	roll_all(1000);
	quiet(B);
	actor_stop(B);
	fake_kernel_put_back(B->kernel, before);
	fake_kernel_free(before);
	assert_false(hears_all(3));
	assert_int_equal(actor_start(B), 0);
	until(hears_all(3));
	assert_int_equal(fake_kernel_epoch(B->kernel, "akm1"), 1000);
}

/* A TPM's NV memory wears: one write for an epoch, none for what is known or does not matter. */
static void test_writes_are_few(void **state)
{
	struct nl_event e = { .type = AKM_EVENT_EPOCH, .atr_id = 1, .member = -1, .generation = 1, .epoch = 1 };
	unsigned int before;

	(void)state;
	create_abc();
	roll_all(1);
	quiet(A);
	before = fake_tpm_calls(A->tpm);
	for (int i = 0; i < 10; i++)
		fake_kernel_event(A->kernel, &e);
	e.generation = 7;
	e.epoch = 9;
	fake_kernel_event(A->kernel, &e);
	quiet(A);
	assert_int_equal(fake_tpm_calls(A->tpm), before);
	fake_kernel_roll(A->kernel, "akm1");
	quiet(A);
	assert_int_equal(fake_tpm_calls(A->tpm), before + 1);
}

/* The kernel would want the chain that it was given at first, which nobody has any more. */
static void test_definition_changes_epochs_later(void **state)
{
	struct msg_endpoint e = {}, now = { { 192, 0, 2, 7 }, 4, 9000 };

	(void)state;
	create_abc();
	roll_all(3);
	quiet(A);
	quiet(C);
	actor_stop(B);
	B->config.endpoints[0] = now;
	B->config.n_endpoints = 1;
	assert_int_equal(actor_start(B), 0);
	until(fake_kernel_endpoint(A->kernel, "akm1", 1, &e) && !memcmp(e.addr, now.addr, 4) && e.port == 9000);
	until(fake_kernel_endpoint(C->kernel, "akm1", 1, &e) && e.port == 9000);
	quiet(A);
	assert_int_equal(events_of(M, "node-refused"), 0);
}

static void test_following_members_is_the_nodes_choice(void **state)
{
	(void)state;
	create_abc();
	assert_false(fake_kernel_roams(A->kernel));
	assert_int_equal(fake_kernel_keepalive(A->kernel), 0);
	assert_int_equal(fake_kernel_flow_ports(A->kernel, "akm1"), 0);
	assert_false(fake_kernel_spreads(A->kernel, "akm1"));
	actor_stop(A);
	A->config.roaming = true;
	A->config.keepalive_s = 25;
	A->config.flow_port_low = 1;
	A->config.flow_port_high = 2;
	A->config.spread = true;
	assert_int_equal(actor_start(A), 0);
	assert_true(fake_kernel_roams(A->kernel));
	assert_int_equal(fake_kernel_keepalive(A->kernel), 25000);
	until(fake_kernel_flow_ports(A->kernel, "akm1") == (1 << 16 | 2));
	until(fake_kernel_spreads(A->kernel, "akm1"));
	assert_int_equal(fake_kernel_flow_ports(B->kernel, "akm1"), 0);
	assert_false(fake_kernel_spreads(B->kernel, "akm1"));
	assert_false(fake_kernel_roams(B->kernel));
	assert_int_equal(fake_kernel_keepalive(B->kernel), 0);
}

/* Of a generation with many pairs the second request did not come through. */
static void test_pairs_missing(void **state)
{
	(void)state;
	create_abc();
	fake_kernel_fail(C->kernel, AKM_CMD_PAIR_SET, -ENOMEM, 1);
	json_object_put(ask(M, "atr-rekey", "{\"atr\":\"1\"}"));
	settle(2);
	/* The same, and the daemon dies before it can try again. */
	fake_kernel_fail(C->kernel, AKM_CMD_PAIR_SET, -ENOMEM, 1);
	ask_drop(ask_begin(M, "atr-rekey", "{\"atr\":\"1\"}"));
	until(fake_kernel_holds(C->kernel, "akm1", 3));
	actor_stop(C);
	assert_int_equal(actor_start(C), 0);
	settle(3);
}

static void test_endpoint_changes(void **state)
{
	struct msg_endpoint e = {}, now = { { 192, 0, 2, 7 }, 4, 9000 };

	(void)state;
	create_abc();
	assert_true(fake_kernel_endpoint(A->kernel, "akm1", 1, &e));
	assert_int_equal(e.port, AKM_DEFAULT_PORT);
	world_watch("akm1", 3);
	actor_stop(B);
	B->config.endpoints[0] = now;
	B->config.n_endpoints = 1;
	assert_int_equal(actor_start(B), 0);
	until(fake_kernel_endpoint(A->kernel, "akm1", 1, &e) && !memcmp(e.addr, now.addr, 4) && e.port == 9000);
	until(fake_kernel_endpoint(C->kernel, "akm1", 1, &e) && e.port == 9000);
	/* No new generation for that */
	assert_true(all_on(3, 1));
}

/* ---- policy ---- */

static void test_breach_attempt(void **state)
{
	(void)state;
	create_abc();
	world_watch("akm1", 3);
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 99);
	for (int t = 0; t < 100; t++)
		world_turn();
	assert_true(all_on(3, 1));
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 1);
	until(all_only_on(3, 2));
	assert_int_equal(events_of(M, "alert"), 1);
	until(events_of(R, "alert") == 1 && events_of(R, "rekey") == 1);

	/* More of it: an alert, but the hold-down forbids another rekey yet. */
	fake_kernel_count(C->kernel, "akm1", AKM_A_STATS_RX_REPLAY, 100000);
	until(events_of(M, "alert") == 2);
	for (int t = 0; t < 100; t++)
		world_turn();
	assert_true(all_only_on(3, 2));
}

/* P3: who may have received under a generation before has to ask its senders; after a mere rekey nobody has. */
static void test_only_the_new_is_unused(void **state)
{
	(void)state;
	create_abc();
	/* the first: this node may have been provisioned before, and have held it */
	assert_false(fake_kernel_unused(B->kernel, "akm1", 1));
	json_object_put(ask(M, "atr-rekey", "{\"atr\":\"1\"}"));
	until(all_only_on(3, 2));
	assert_true(fake_kernel_unused(B->kernel, "akm1", 2));
	actor_reboot(B);
	until(all_only_on(3, 2));
	assert_false(fake_kernel_unused(B->kernel, "akm1", 2));
	assert_true(fake_kernel_unused(A->kernel, "akm1", 2));
}

/* What the operator said about an ATR is what its members' kernels do, also after they were made anew. */
static void test_freshness_reaches_the_kernel(void **state)
{
	(void)state;
	ask_refused(M, "EINVAL", "freshness", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"freshness\":\"stale\"}");
	create_abc();
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeB\"],\"label\":\"second\",\"freshness\":\"epoch\"}");
	for (int i = 0; i < 2; i++) {
		until(fake_kernel_active(B->kernel, "akm1") == 1 && fake_kernel_active(B->kernel, "akm2") == 1);
		assert_int_equal(fake_kernel_freshness(B->kernel, "akm1"), AKM_FRESHNESS_STRICT);
		assert_int_equal(fake_kernel_freshness(B->kernel, "akm2"), AKM_FRESHNESS_EPOCH);
		actor_reboot(B);
	}
}

/* An earlier life was shown the next one before it was sealed: it may have received under it. */
static void test_shown_before_is_not_unused(void **state)
{
	char store[sizeof(B->dir) + 8];
	uint32_t before;

	(void)state;
	create_abc();
	snprintf(store, sizeof(store), "%s/sealed", B->dir);
	assert_int_equal(shown_raise(store, 1, 2, &before), 0);
	assert_int_equal(before, 1);
	json_object_put(ask(M, "atr-rekey", "{\"atr\":\"1\"}"));
	until(all_only_on(3, 2));
	assert_false(fake_kernel_unused(B->kernel, "akm1", 2));
	json_object_put(ask(M, "atr-rekey", "{\"atr\":\"1\"}"));
	until(all_only_on(3, 3));
	assert_true(fake_kernel_unused(B->kernel, "akm1", 3));
}

/* One clone is enough, by default. */
static void test_clone_is_answered(void **state)
{
	(void)state;
	create_abc();
	world_watch("akm1", 3);
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_CLONE, 1);
	until(all_only_on(3, 2));
	assert_int_equal(events_of(M, "alert"), 1);
	assert_int_equal(events_of(M, "rekey"), 1);
}

static void test_rekey_is_owed(void **state)
{
	(void)state;
	actor_stop(M);
	M->config.hold_down_s = 2;
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	create_abc();
	world_watch("akm1", 3);
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_REPLAY, 100);
	until(all_only_on(3, 2));
	fake_kernel_count(C->kernel, "akm1", AKM_A_STATS_RX_AUTH_FAIL, 100);
	until(events_of(M, "alert") == 2);
	assert_true(all_only_on(3, 2));
	until(all_only_on(3, 3));
}

static void test_tpm_fails(void **state)
{
	(void)state;
	create_abc();
	world_watch("akm1", 3);
	fake_tpm_fail_after(B->tpm, 0, -EIO);
	json_object_put(ask(M, "atr-rekey", "{\"atr\":\"1\"}"));
	settle(2);
	assert_int_equal(events_of(B, "sealed-store"), 1);
	until(events_of(M, "node-refused") == 1);
	/* And it is sealed: a reboot finds it. */
	world_watch(NULL, 0);
	actor_reboot(B);
	until(all_only_on(3, 2));
}

/* Who is evicted is refused before the TPM has sealed anything. */
static void test_leaver_is_refused_at_once(void **state)
{
	struct asked *q;
	const char *why;

	(void)state;
	create_abc();
	fake_tpm_fail_after(A->tpm, 0, -EIO);
	q = ask_begin(M, "node-evict", "{\"node\":\"EdgeNodeC\"}");
	until(!fake_kernel_hears(C->kernel, A->kernel, "akm1", &why));
	json_object_put(ask_end(q));
	until(all_only_on(2, 2));
}

static bool goes_ahead(struct actor *a, struct actor *of)
{
	fake_tpm_fail_after(of->tpm, 0, -EIO);		/* once more, and again */
	return fake_kernel_active(a->kernel, "akm1") == 2;
}

/* A slow TPM holds up sealing, not receiving: those who go ahead are heard. It counts as prepared once it is sealed. */
static void test_slow_tpm_hears_the_others(void **state)
{
	struct asked *q;
	const char *why;

	(void)state;
	create_abc();
	fake_tpm_fail_after(A->tpm, 0, -EIO);
	q = ask_begin(M, "node-evict", "{\"node\":\"EdgeNodeC\"}");
	until(goes_ahead(B, A));
	assert_int_equal(fake_kernel_active(A->kernel, "akm1"), 1);
	assert_true(fake_kernel_hears(B->kernel, A->kernel, "akm1", &why));
	assert_false(member_is("EdgeNodeA", "current"));
	fake_tpm_fail_after(A->tpm, 0, 0);
	json_object_put(ask_end(q));
	until(all_only_on(2, 2));
}

/* One that stands still for as long as the others wait for it */
static void test_late_answers_are_evidence(void **state)
{
	struct asked *q;

	(void)state;
	create_abc();
	assert_int_equal(events_of(M, "ack-late"), 0);
	fake_tpm_hold(A->tpm, true);
	q = ask_begin(M, "node-evict", "{\"node\":\"EdgeNodeC\"}");
	until(fake_kernel_active(B->kernel, "akm1") == 2);
	fake_tpm_hold(A->tpm, false);
	json_object_put(ask_end(q));
	until(all_only_on(2, 2));
	until(events_of(M, "ack-late") == 1);		/* B was not late */
	until(events_of(R, "ack-late") == 1);
}

static void test_evidence_while_the_link_was_down(void **state)
{
	(void)state;
	create_abc();
	for (int t = 0; t < 60; t++)
		world_turn();
	actor_stop(B);
	fake_kernel_count(B->kernel, "akm1", AKM_A_STATS_RX_REPLAY, 1000);
	assert_int_equal(actor_start(B), 0);
	until(all_only_on(3, 2));
	until(events_of(M, "alert") == 1);
}

static void test_kernel_events_become_evidence(void **state)
{
	struct nl_event e = { .type = AKM_EVENT_AUTH_FAIL, .atr_id = 1, .member = 2, .suppressed = 4 };
	struct json_object *answer, *items;

	(void)state;
	create_abc();
	fake_kernel_event(A->kernel, &e);
	until(events_of(M, "auth-fail") == 1);
	until(events_of(R, "auth-fail") == 1);
	answer = ask(R, "events", "{}");
	items = json_object_object_get(answer, "items");
	for (size_t i = 0; i < json_object_array_length(items); i++) {
		struct json_object *o = json_object_array_get_idx(items, i);

		if (strcmp(json_object_get_string(json_object_object_get(o, "kind")), "auth-fail"))
			continue;
		assert_string_equal(json_object_get_string(json_object_object_get(o, "source")), "EdgeNodeA");
		assert_int_equal(json_object_get_int(json_object_object_get(o, "member")), 2);
		assert_int_equal(json_object_get_int(json_object_object_get(json_object_object_get(o, "data"), "count")), 5);
	}
	json_object_put(answer);
	/* A flood is one record and a count. */
	for (int i = 0; i < 1000; i++)
		fake_kernel_event(A->kernel, &e);
	for (int t = 0; t < 50; t++)
		world_turn();
	assert_int_equal(events_of(A, "auth-fail"), 1);
}

/* On a busy machine the others may be missed as well, but they come back. */
static unsigned int missing(void)
{
	return events_of(M, "heartbeat-missed") - events_of(M, "heartbeat-back");
}

static void test_heartbeats_missed(void **state)
{
	(void)state;
	actor_stop(M);
	M->config.heartbeat_missed = 4;
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(C));
	actor_stop(C);
	until(missing() == 1);
	assert_int_equal(actor_start(C), 0);
	until(missing() == 0);
}

/* ---- bad input ---- */

static void test_refusals(void **state)
{
	(void)state;
	ask_refused(M, "ENOENT", "node", "node-show", "{\"node\":\"Nobody\"}");
	ask_refused(M, "ENOENT", "node", "node-evict", "{\"node\":\"Nobody\"}");
	ask_refused(M, "EINVAL", "members", "atr-create", "{}");
	ask_refused(M, "EINVAL", "members", "atr-create", "{\"members\":[]}");
	ask_refused(M, "EINVAL", "members", "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeA\"]}");
	ask_refused(M, "ENOENT", "members", "atr-create", "{\"members\":[\"EdgeNodeA\",\"Nobody\"]}");
	ask_refused(M, "EINVAL", "suite", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"suite\":\"des\"}");
	ask_refused(M, "EINVAL", "port", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"port\":70000}");
	ask_refused(M, "EINVAL", "id", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"id\":-1}");
	ask_refused(M, "EINVAL", "label", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"label\":\"a b\"}");
	ask_refused(M, "EINVAL", "label", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"label\":\"12\"}");
	ask_refused(M, "EINVAL", "subnet4", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"subnet4\":\"10.0.0.1/24\"}");
	ask_refused(M, "EINVAL", "subnet6", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"subnet6\":\"10.0.0.0/24\"}");
	ask_refused(M, "ENOSPC", "subnet4", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"subnet4\":\"10.0.0.0/31\"}");
	ask_refused(M, "EINVAL", "epoch_interval", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"epoch_interval\":1}");
	ask_refused(M, "ENOENT", "atr", "atr-rekey", "{\"atr\":\"1\"}");
	create_abc();
	ask_refused(M, "EEXIST", "node", "atr-add", "{\"atr\":\"1\",\"node\":\"EdgeNodeA\"}");
	ask_refused(M, "EEXIST", "id", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"id\":1}");
	ask_refused(M, "EEXIST", "subnet4", "atr-create", "{\"members\":[\"EdgeNodeA\"],\"subnet4\":\"10.77.0.0/16\"}");
	ask_refused(M, "EINVAL", "reason", "atr-rekey", "{\"atr\":\"1\",\"reason\":\"evict\"}");
	ask_refused(M, "EINVAL", "name", "node-provision", "{\"name\":\"a b\",\"via\":\"unix:/x\"}");
	ask_refused(M, "EINVAL", "name", "node-provision", "{\"name\":\"MgmtMod\",\"via\":\"unix:/x\"}");
	ask_refused(M, "EINVAL", "hardware", "node-provision", "{\"name\":\"D\",\"via\":\"unix:/x\",\"hardware\":\"00\"}");
	ask_refused(M, "EINVAL", "endpoint", "node-provision", "{\"name\":\"D\",\"via\":\"unix:/x\",\"endpoint\":\"x\"}");
	ask_refused(M, "EINVAL", "limit", "events", "{\"limit\":-1}");
	ask_refused(A, "EINVAL", "seconds", "provision-allow", "{\"seconds\":0}");
	/* Nothing of it changed anything. */
	assert_true(all_on(3, 1));
}

static void test_manager_unprovisioned(void **state)
{
	(void)state;
	ask_refused(M, "EAGAIN", "manager", "node-list", "{}");
	ask_refused(M, "EAGAIN", "manager", "node-provision", "{\"name\":\"EdgeNodeA\",\"via\":\"unix:%s\"}", A->via);
	world_provision();
	ask_ok(M, "node-list", "{}");
}

static void test_expected_hardware(void **state)
{
	(void)state;
	ask_ok(R, "node-provision", "{\"name\":\"MgmtMod\",\"via\":\"unix:%s\"}", M->via);
	ask_refused(M, "EKEYREJECTED", "hardware", "node-provision",
		    "{\"name\":\"EdgeNodeA\",\"via\":\"unix:%s\",\"hardware\":\"%064d\"}", A->via, 0);
	ask_ok(M, "node-provision", "{\"name\":\"EdgeNodeA\",\"via\":\"unix:%s\"}", A->via);
}

static bool is_fresh(struct actor *a)
{
	struct json_object *answer = ask(a, "status", "{}");
	bool fresh = !strcmp(text_at(answer, "peer.state"), "not provisioned");

	json_object_put(answer);
	return fresh;
}

/* The operator gives up, or a party dies, in the middle of an exchange: doing it again is always right. */
static void test_provisioning_cut_anywhere(void **state)
{
	(void)state;
	ask_ok(R, "node-provision", "{\"name\":\"MgmtMod\",\"via\":\"unix:%s\"}", M->via);
	for (unsigned int turns = 0; turns < 25; turns++) {
		struct asked *q = ask_begin(M, "node-provision", "{\"name\":\"EdgeNodeA\",\"via\":\"unix:%s\"}", A->via);

		for (unsigned int i = 0; i < turns; i++)
			world_turn();
		ask_drop(q);
		if (turns % 3 == 1) {
			actor_stop(A);
			assert_int_equal(actor_start(A), 0);
		} else if (turns % 3 == 2) {
			actor_stop(M);
			assert_int_equal(actor_start(M), 0);
			until(M->ready);
		}
		until(A->ready);
		for (int t = 0; t < 5; t++)
			world_turn();
		if (is_fresh(A))
			ask_ok(M, "node-provision", "{\"name\":\"EdgeNodeA\",\"via\":\"unix:%s\"}", A->via);
		until(!is_down(A));
		actor_stop(A);
		actor_forget(A);
		assert_int_equal(actor_start(A), 0);
		until(A->ready);
	}
}

#define story(t) cmocka_unit_test_setup_teardown(t, world_setup, world_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		story(test_story),
		story(test_evict),
		story(test_restart_leaves_the_kernel_alone),
		story(test_reboot_without_the_manager),
		story(test_manager_away_then_back),
		story(test_root_away_then_back),
		story(test_member_away),
		story(test_removed_while_away),
		story(test_readded_while_away),
		story(test_hardware_changed),
		story(test_another_tpm),
		story(test_provisioned_again),
		story(test_no_module),
		story(test_link_key_moves_on),
		story(test_kernel_refuses),
		story(test_device_removed_by_hand),
		story(test_module_reloaded),
		story(test_state_lost),
		story(test_evidence_while_the_link_was_down),
		story(test_epochs_are_sealed),
		story(test_epochs_while_away),
		story(test_many_epochs_while_away),
		story(test_a_node_slept),
		story(test_a_node_and_the_manager_slept),
		story(test_kernel_behind_the_store),
		story(test_writes_are_few),
		story(test_definition_changes_epochs_later),
		story(test_following_members_is_the_nodes_choice),
		story(test_pairs_missing),
		story(test_endpoint_changes),
		story(test_breach_attempt),
		story(test_rekey_is_owed),
		story(test_clone_is_answered),
		story(test_only_the_new_is_unused),
		story(test_freshness_reaches_the_kernel),
		story(test_shown_before_is_not_unused),
		story(test_tpm_fails),
		story(test_leaver_is_refused_at_once),
		story(test_slow_tpm_hears_the_others),
		story(test_late_answers_are_evidence),
		story(test_kernel_events_become_evidence),
		story(test_heartbeats_missed),
		story(test_refusals),
		cmocka_unit_test_setup_teardown(test_manager_unprovisioned, begin_fresh, world_teardown),
		cmocka_unit_test_setup_teardown(test_expected_hardware, begin_fresh, world_teardown),
		cmocka_unit_test_setup_teardown(test_provisioning_cut_anywhere, begin_fresh, world_teardown),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
