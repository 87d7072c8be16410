// SPDX-License-Identifier: GPL-2.0
/*
 * The key of a provisioning ATR is replaced over the link: the operator's command, absent nodes, who must not be able to
 * do it (a holder of a leaked link key, a replayed offer, a manager that was replaced), TPMs that fail and power that goes
 * at every call and every write, and a manager that is lost in the middle. Whatever happens, both can link afterwards, with
 * the old key or with the new one; and when it is over, the old one is good for nothing.
 */
#include "support_world.h"

#include <stdlib.h>

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "kdf.h"
#include "link.h"
#include "record.h"
#include "rotate.h"
#include "support_disk.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define M (&world.manager)
#define R (&world.root)

#define CUTS_MAX 400

static struct actor old;

static int begin(void **state)
{
	(void)state;
	world_begin(3);
	world_provision();
	create_abc();
	world_watch("akm1", 3);
	return 0;
}

static int end(void **state)
{
	(void)state;
	world_watch(NULL, 0);
	if (old.tpm)
		actor_drop(&old);
	memset(&old, 0, sizeof(old));
	world_end();
	return 0;
}

static void turn(int n)
{
	while (n--)
		world_turn();
}

/* ---- what is on record, and what can be done with it ---- */

static struct record record_of(const struct actor *a)
{
	struct record r = {};
	struct akm_error err = {};
	char path[200];

	snprintf(path, sizeof(path), "%s/provision", a->dir);
	assert_int_equal(record_load(path, &r, &err), 0);
	return r;
}

static bool is_key(const struct akm_blob *a, const struct akm_blob *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

/* A link key that has leaked: it was in memory once. */
static void leak(struct actor *a, const struct akm_blob *key, uint64_t n, uint8_t ret[AKM_KEY_LEN])
{
	_cleanup_secret_ struct akm_secret mac = {};
	uint8_t message[KDF_LINK_MSG_LEN];
	struct keystore *ks = fake_keystore(a->tpm);

	kdf_link_message(a->env.hardware, n, message);
	assert_int_equal(keystore_hmac(ks, NULL, key, message, sizeof(message), &mac), 0);
	memcpy(ret, mac.data, AKM_KEY_LEN);
	keystore_close(ks);
}

struct thief { uint8_t key[AKM_KEY_LEN]; bool up, over; };

static int thief_key(void *ctx, const uint8_t id[AKM_ID_LEN], uint64_t n, uint8_t ret_key[AKM_KEY_LEN])
{
	const struct thief *t = ctx;

	(void)id, (void)n;
	memcpy(ret_key, t->key, AKM_KEY_LEN);
	return 0;
}

static void thief_up(struct link *l, void *ctx)
{
	struct thief *t = ctx;

	t->up = t->over = true;
	link_close(l);
}

static void thief_message(struct link *l, struct msg *m, void *ctx)
{
	(void)l, (void)m, (void)ctx;
}

static void thief_down(struct link *l, enum link_down why, const struct akm_error *err, const struct link_peer_info *info,
		       void *ctx)
{
	(void)l, (void)why, (void)err, (void)info;
	((struct thief *)ctx)->over = true;
}

/* Does the manager let in who has link key @n of @key? */
static bool lets_in(struct actor *a, const struct akm_blob *key, uint64_t n)
{
	struct record r = record_of(a);
	struct thief t = {};
	struct link_client_config cfg = { .address = M->config.announce[0], .n = n, .key = thief_key,
					  .ops = { thief_up, thief_message, thief_down }, .ctx = &t };
	struct akm_error err = {};
	struct link *l;

	memcpy(cfg.id, r.id, AKM_ID_LEN);
	record_free(&r);
	leak(a, key, n, t.key);
	assert_int_equal(link_connect(world.base, &cfg, &l, &err), 0);
	until(t.over);
	turn(5);				/* and what it closed is gone */
	return t.up;
}

static bool rotation_is(struct actor *at_, const char *node, const char *want)
{
	struct json_object *answer = ask(at_, "node-show", "{\"node\":\"%s\"}", node);
	bool is = !strcmp(text_at(answer, "rotation"), want);

	json_object_put(answer);
	return is;
}

/* Everything is over, on both sides, and they have a link. */
static bool is_settled(struct actor *a)
{
	struct record r;
	bool is;

	if (is_down(a) || !rotation_is(M, a->name, ""))
		return false;
	r = record_of(a);
	is = !r.next_key.len;
	record_free(&r);
	return is;
}

static void rotate(struct actor *a)
{
	struct json_object *answer = ask(M, "node-rotate", "{\"node\":\"%s\"}", a->name);

	assert_string_equal(text_at(answer, "nodes.0.name"), a->name);
	assert_string_equal(text_at(answer, "nodes.0.rotation"), "done");
	json_object_put(answer);
	assert_true(is_settled(a));
}

/* ---- it works ---- */

static void test_rotate(void **state)
{
	struct record before = record_of(A), after;
	unsigned int node_calls, manager_calls;

	(void)state;
	assert_true(lets_in(A, &before.key, 1));
	until(!is_down(A));
	turn(20);
	node_calls = fake_tpm_calls(A->tpm);
	manager_calls = fake_tpm_calls(M->tpm);
	rotate(A);
	/*
	 * The offer opened and taken in, link keys 2 and 3, a quote on the new link; created, wrapped, link
	 * keys 2 to 4, and the fence is counted.
	 */
	print_message("keystore calls: node %u, manager %u\n", fake_tpm_calls(A->tpm) - node_calls,
		      fake_tpm_calls(M->tpm) - manager_calls);
	turn(20);
	assert_int_equal(fake_tpm_calls(A->tpm) - node_calls, 5);
	assert_int_equal(fake_tpm_calls(M->tpm) - manager_calls, 6);

	after = record_of(A);
	assert_false(is_key(&before.key, &after.key));
	assert_int_equal(after.link_n, 3);
	assert_memory_equal(after.id, before.id, AKM_ID_LEN);
	assert_true(is_key(&before.ak, &after.ak));
	/* Its own word, and ours: both have erased the old one. */
	until(events_of(M, "rotated") == 2);
	until(events_of(R, "rotated") == 2);
	/* Who has had a link key of the old one is out, whichever n he says. */
	for (uint64_t n = 1; n <= 5; n++)
		assert_false(lets_in(A, &before.key, n));
	assert_true(lets_in(A, &after.key, 3));
	until(!is_down(A));
	rotate(A);
	record_free(&before);
	record_free(&after);
}

static void test_restarted_afterwards(void **state)
{
	struct record r;

	(void)state;
	rotate(A);
	actor_stop(A);
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	assert_int_equal(actor_start(A), 0);
	until(!is_down(A) && !is_down(B));
	r = record_of(A);
	assert_int_equal(r.link_n, 3);
	record_free(&r);
	assert_int_equal(events_of(M, "link-psk"), 0);
}

static void test_absent(void **state)
{
	struct json_object *answer;

	(void)state;
	actor_stop(A);
	turn(5);
	answer = ask(M, "node-rotate", "{\"node\":\"EdgeNodeA\"}");
	assert_string_equal(text_at(answer, "nodes.0.rotation"), "queued: it is away");
	json_object_put(answer);
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	assert_true(rotation_is(M, "EdgeNodeA", "queued: it is away"));
	assert_int_equal(actor_start(A), 0);
	until(!is_down(A) && is_settled(A));
	until(events_of(M, "rotated") == 2);
}

static void test_all(void **state)
{
	struct json_object *answer;

	(void)state;
	ask_refused(M, "ENOENT", "node", "node-rotate", "{\"node\":\"EdgeNodeZ\"}");
	answer = ask(M, "node-rotate", "{\"node\":\"all\"}");
	assert_int_equal(json_object_array_length(at(answer, "nodes")), 3);
	json_object_put(answer);
	for (size_t i = 0; i < 3; i++)
		until(is_settled(&world.nodes[i]));
	until(events_of(M, "rotated") == 6);
	assert_int_equal(events_of(M, "rotate-failed"), 0);
}

static void test_manager(void **state)
{
	struct json_object *answer = ask(R, "manager-rotate", "{\"node\":\"MgmtMod\"}");

	(void)state;
	assert_string_equal(text_at(answer, "nodes.0.rotation"), "done");
	json_object_put(answer);
	answer = ask(M, "status", "{}");
	assert_int_equal(number_at(answer, "peer.link_n"), 3);
	json_object_put(answer);
	until(events_of(R, "rotated") == 2);
	/* The link to the root goes on after a restart of both. */
	actor_stop(M);
	actor_stop(R);
	assert_int_equal(actor_start(R), 0);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(M));
}

/* ---- who must not be able to ---- */

/*
 * Where the manager is, somebody listens who has a link key of A's, and offers it a key: what he says is @offer, made
 * for the session as somebody else would, or not.
 */
struct impostor {
	struct thief thief;
	struct link *link;
	uint64_t term;
	bool said;
	int answer;			/* of the node: errno, 0 ok, -1 none yet */
	bool down;
	void (*make)(const uint8_t binding[AKM_KEY_LEN], struct msg_rotate *ret);
};

static void impostor_up(struct link *l, void *ctx)
{
	struct impostor *i = ctx;
	struct msg m = { .type = MSG_HELLO, .hello = { .version = LINK_VERSION, .role = ROLE_MANAGER, .name = "MgmtMod",
							 .term = i->term, .link_n = 1 } };

	i->link = l;
	assert_int_equal(link_send(l, &m), 0);
}

static void impostor_message(struct link *l, struct msg *m, void *ctx)
{
	struct impostor *i = ctx;
	struct msg offer = { .type = MSG_ROTATE, .request = 77, .rotate = { .n = 2 } };
	uint8_t binding[AKM_KEY_LEN];

	if (m->type == MSG_HEARTBEAT && !i->said) {
		i->said = true;
		assert_int_equal(link_binding(l, binding), 0);
		i->make(binding, &offer.rotate);
		assert_int_equal(link_send(l, &offer), 0);
		akm_blob_free(&offer.rotate.wrapped);
	}
	if (m->type == MSG_ERROR && m->request == 77)
		i->answer = m->error.code;
	if (m->type == MSG_OK && m->request == 77)
		i->answer = 0;
}

static void impostor_down(struct link *l, enum link_down why, const struct akm_error *err,
			  const struct link_peer_info *info, void *ctx)
{
	struct impostor *i = ctx;

	(void)why, (void)err, (void)info;
	i->down |= l == i->link;
}

/* The context in which A would open the offer */
static struct rotate_context context_of(const uint8_t binding[AKM_KEY_LEN])
{
	struct rotate_context c = { .n = 2 };
	struct record r = record_of(A);

	memcpy(c.id, r.id, AKM_ID_LEN);
	memcpy(c.hardware, A->env.hardware, AKM_DIGEST_LEN);
	memcpy(c.binding, binding, AKM_KEY_LEN);
	record_free(&r);
	return c;
}

/* A key for A's TPM that @maker's TPM made and knows, wrapped by @k of A's TPM: what who holds K can do, and nobody else */
static void make_with(struct actor *maker, const struct akm_blob *k, const struct rotate_context *c,
		      struct msg_rotate *ret)
{
	struct keystore *ks = fake_keystore(A->tpm), *own = fake_keystore(maker->tpm);
	_cleanup_(akm_blob_free) struct akm_blob key = {}, dup = {};
	struct keystore_identity id = {};

	assert_int_equal(keystore_identity(ks, &id), 0);
	assert_int_equal(keystore_pair_create(own, NULL, &id, &key, &dup), 0);
	assert_int_equal(rotate_wrap(ks, NULL, k, c, &dup, &ret->wrapped), 0);
	keystore_identity_free(&id);
	keystore_close(ks);
	keystore_close(own);
}

/* He has no K: he wraps with another key of his own. */
static void make_without_key(const uint8_t binding[AKM_KEY_LEN], struct msg_rotate *ret)
{
	struct rotate_context c = context_of(binding);
	struct record b = record_of(B);
	struct keystore *ks = fake_keystore(B->tpm);
	_cleanup_(akm_blob_free) struct akm_blob key = {}, dup = {};
	struct keystore_identity id = {};

	assert_int_equal(keystore_identity(ks, &id), 0);
	assert_int_equal(keystore_pair_create(ks, NULL, &id, &key, &dup), 0);
	assert_int_equal(rotate_wrap(ks, NULL, &b.key, &c, &dup, &ret->wrapped), 0);
	keystore_identity_free(&id);
	keystore_close(ks);
	record_free(&b);
}

/* A true offer, of another session */
static void make_replay(const uint8_t binding[AKM_KEY_LEN], struct msg_rotate *ret)
{
	struct rotate_context c = context_of(binding);
	struct record r = record_of(A);

	c.binding[0] ^= 1;
	make_with(M, &r.key, &c, ret);
	record_free(&r);
}

/* A true one, of this session, for other hardware */
static void make_for_other_hardware(const uint8_t binding[AKM_KEY_LEN], struct msg_rotate *ret)
{
	struct rotate_context c = context_of(binding);
	struct record r = record_of(A);

	c.hardware[0] ^= 1;
	make_with(M, &r.key, &c, ret);
	record_free(&r);
}

/* By who has K: what he wraps is no key. */
static void make_rubbish(const uint8_t binding[AKM_KEY_LEN], struct msg_rotate *ret)
{
	static const uint8_t rubbish[300] = { 'd', 1, 2, 3 };
	struct rotate_context c = context_of(binding);
	struct akm_blob dup = { (uint8_t *)rubbish, sizeof(rubbish) };
	struct record r = record_of(A);
	struct keystore *ks = fake_keystore(A->tpm);

	assert_int_equal(rotate_wrap(ks, NULL, &r.key, &c, &dup, &ret->wrapped), 0);
	keystore_close(ks);
	record_free(&r);
}

/* That is a true one. */
static void make_true(const uint8_t binding[AKM_KEY_LEN], struct msg_rotate *ret)
{
	struct rotate_context c = context_of(binding);
	struct record r = record_of(A);

	make_with(M, &r.key, &c, ret);
	record_free(&r);
}

/* Return: what the node answers */
static int meet(void (*make)(const uint8_t binding[AKM_KEY_LEN], struct msg_rotate *ret), uint64_t term)
{
	struct impostor i = { .term = term, .answer = -1, .make = make };
	struct link_server_config cfg = { .address = M->config.listen, .key = thief_key,
					  .ops = { impostor_up, impostor_message, impostor_down }, .ctx = &i };
	struct record before = record_of(A), after;
	struct link_server *s;
	struct akm_error err = {};

	leak(A, &before.key, 1, i.thief.key);
	actor_stop(M);
	assert_int_equal(link_server_new(world.base, &cfg, &s, &err), 0);
	until(i.answer >= 0 || (i.down && !i.said));
	link_server_free(s);
	after = record_of(A);
	assert_true(is_key(&before.key, &after.key));
	assert_int_equal(after.next_key.len > 0, i.answer == 0);
	record_free(&before);
	record_free(&after);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(A));
	return i.answer;
}

static void test_without_the_key(void **state)
{
	(void)state;
	assert_int_equal(meet(make_without_key, 1), EKEYREJECTED);
	assert_int_equal(meet(make_replay, 1), EKEYREJECTED);
	assert_int_equal(meet(make_for_other_hardware, 1), EKEYREJECTED);
	until(events_of(M, "impostor") >= 1);
	rotate(A);
}

static void test_wrong_blob(void **state)
{
	unsigned int impostors = events_of(M, "impostor");

	(void)state;
	assert_int_equal(meet(make_rubbish, 1), EPROTO);
	assert_int_equal(events_of(M, "impostor"), impostors);
	rotate(A);
}

/* ---- managers that come and go ---- */

static void replace(const char *lost, const char *name)
{
	ask_ok(R, "manager-replace", "{\"replaces\":\"%s\",\"name\":\"%s\",\"via\":\"unix:%s\"}", lost, name, M->via);
}

/* Who takes over has the new keys, and can make others. Who was replaced gets none to anybody. */
static void test_replaced_afterwards(void **state)
{
	uint16_t port = actor_port(M);
	struct record before, after;

	(void)state;
	rotate(A);
	actor_stop(M);
	world_new_manager(&old, "MgmtMod2");
	replace("MgmtMod", "MgmtMod2");
	until(all_only_on(3, 2) && atr_is("stable"));
	assert_int_equal(events_of(M, "link-psk"), 0);
	rotate(A);
	rotate(B);

	before = record_of(A);
	actor_stop(M);
	actor_set_port(&old, port);
	assert_int_equal(actor_start(&old), 0);
	until(old.ready);
	json_object_put(ask(&old, "node-rotate", "{\"node\":\"all\"}"));
	until(events_of(&world.nodes[2], "stale-manager"));
	turn(50);
	assert_int_equal(events_of(&old, "rotated"), 2);		/* of before, on both sides */
	actor_stop(&old);
	after = record_of(A);
	assert_true(is_key(&before.key, &after.key) && !after.next_key.len);
	record_free(&before);
	record_free(&after);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(A) && !is_down(B));
}

/*
 * The root was away when the key was replaced, and the manager is lost before it comes back. The node has kept both: it
 * goes on with the old one, what the lost one offered is void, and the new manager gives it another one.
 */
static void test_replaced_in_between(void **state)
{
	struct record r;

	(void)state;
	actor_stop(R);
	until(is_down(M));
	json_object_put(ask(M, "node-rotate", "{\"node\":\"EdgeNodeA\"}"));
	until(rotation_is(M, "EdgeNodeA", "done, but for erasing the old key there"));
	r = record_of(A);
	assert_true(r.next_key.len && r.link_n == 1);
	assert_false(lets_in(A, &r.key, 1));
	record_free(&r);
	actor_stop(M);
	assert_int_equal(actor_start(R), 0);
	until(R->ready);
	world_new_manager(&old, "MgmtMod2");
	replace("MgmtMod", "MgmtMod2");
	until(all_only_on(3, 2) && atr_is("stable"));
	r = record_of(A);
	assert_true(!r.next_key.len && r.link_n == 1);
	record_free(&r);
	assert_int_equal(events_of(M, "impostor"), 0);
	rotate(A);
}

/* While the root is away the node has both keys, whoever is started again. */
static void test_root_is_away(void **state)
{
	struct record before = record_of(A), r;

	(void)state;
	actor_stop(R);
	until(is_down(M));
	json_object_put(ask(M, "node-rotate", "{\"node\":\"EdgeNodeA\"}"));
	until(rotation_is(M, "EdgeNodeA", "done, but for erasing the old key there"));
	for (int i = 0; i < 2; i++) {
		actor_stop(i ? M : A);
		assert_int_equal(actor_start(i ? M : A), 0);
		until(M->ready && A->ready && !is_down(A));
		r = record_of(A);
		assert_true(r.next_key.len && is_key(&before.key, &r.key));
		record_free(&r);
		assert_false(lets_in(A, &before.key, 1));
		until(!is_down(A));
	}
	assert_int_equal(actor_start(R), 0);
	until(is_settled(A));
	record_free(&before);
}

/* A key that the manager has never heard of (its database is older): the node goes on with the old one. */
static void test_unknown_offer(void **state)
{
	struct record r;

	(void)state;
	assert_int_equal(meet(make_true, 1), 0);
	until(!is_down(A));
	r = record_of(A);
	assert_int_equal(r.link_n, 1);
	record_free(&r);
	assert_int_equal(events_of(A, "impostor"), 0);	/* one of B's or C's link keys he does not have */
	rotate(A);
}

/* ---- TPMs that fail ---- */

/* What failed is tried again after a while; who asks does not wait for that. */
static void ask_again(void)
{
	if (!is_settled(A))
		ask_ok(M, "node-rotate", "{\"node\":\"EdgeNodeA\"}");
}

/* One call of @who's TPM fails. Return: was there such a call? */
static bool fail_once(struct actor *who, unsigned int n)
{
	unsigned int calls;
	struct asked *q;

	until(is_settled(A));
	turn(20);
	calls = fake_tpm_calls(who->tpm);
	fake_tpm_fail_after(who->tpm, n, -EIO);
	q = ask_begin(M, "node-rotate", "{\"node\":\"EdgeNodeA\"}");
	until(fake_tpm_calls(who->tpm) - calls > n || (ask_done(q) && is_settled(A)));
	calls = fake_tpm_calls(who->tpm) - calls;
	turn(20);
	ask_drop(q);
	fake_tpm_fail_after(who->tpm, 0, 0);
	/* It is tried again, a link key after a minute; who does not want to wait starts it again. */
	if (!is_settled(A)) {
		actor_stop(who);
		assert_int_equal(actor_start(who), 0);
		until(who->ready && !is_down(A));
		ask_again();
	}
	return calls > n;
}

static void fail_everywhere(struct actor *who)
{
	unsigned int n = 0;

	while (fail_once(who, n))
		assert_true(++n < CUTS_MAX);
	print_message("%u calls\n", n);
	assert_true(n >= 4);
	assert_int_equal(events_of(M, "link-psk"), 0);
	assert_int_equal(events_of(A, "impostor"), 0);
}

static void test_node_tpm_fails(void **state)
{
	(void)state;
	fail_everywhere(A);
}

static void test_manager_tpm_fails(void **state)
{
	(void)state;
	fail_everywhere(M);
}

/* ---- power ---- */

/* Return: was there anything left to cut? */
static bool cut_once(struct actor *who, unsigned int n)
{
	struct asked *q;
	bool came;

	until(is_settled(A));
	turn(20);
	fake_tpm_cut_after(who->tpm, n);
	q = ask_begin(M, "node-rotate", "{\"node\":\"EdgeNodeA\"}");
	until(fake_tpm_is_cut(who->tpm) || (ask_done(q) && is_settled(A)));
	came = fake_tpm_is_cut(who->tpm);
	turn(came ? 3 : 20);
	actor_stop(who);
	fake_tpm_mend(who->tpm);
	ask_drop(q);
	assert_int_equal(actor_start(who), 0);
	until(who->ready && !is_down(A));
	ask_again();
	return came;
}

static void cut_everywhere(struct actor *who)
{
	unsigned int n = 0;

	while (cut_once(who, n))
		assert_true(++n < CUTS_MAX);
	print_message("%u cuts\n", n);
	assert_true(n >= 3);
	assert_int_equal(events_of(M, "link-psk"), 0);
	assert_int_equal(events_of(M, "impostor"), 0);
}

static void test_node_power(void **state)
{
	(void)state;
	cut_everywhere(A);
}

static void test_manager_power(void **state)
{
	(void)state;
	cut_everywhere(M);
}

/* Killed after some turns of the event loop: between the calls as well */
static void kill_everywhere(struct actor *who)
{
	for (int turns = 0; turns < 30; turns += 3) {
		struct asked *q;

		until(is_settled(A));
		q = ask_begin(M, "node-rotate", "{\"node\":\"EdgeNodeA\"}");
		turn(turns);
		actor_stop(who);
		ask_drop(q);
		turn(turns % 7);
		assert_int_equal(actor_start(who), 0);
		until(who->ready && !is_down(A));
	}
	until(is_settled(A));
	assert_int_equal(events_of(M, "link-psk"), 0);
	assert_int_equal(events_of(M, "impostor"), 0);
}

static void test_node_killed(void **state)
{
	(void)state;
	kill_everywhere(A);
}

static void test_manager_killed(void **state)
{
	(void)state;
	kill_everywhere(M);
}

/* The power goes at the manager's writes and syncs, of which CRASH_EVERY says how many there are from one to the next. */
static bool crash_once(unsigned int place)
{
	struct asked *q;
	bool came;

	until(is_settled(A));
	disk_cut_after(M->dir, place);
	q = ask_begin(M, "node-rotate", "{\"node\":\"EdgeNodeA\"}");
	until(disk_is_cut() || (ask_done(q) && is_settled(A)));
	came = disk_is_cut();
	turn(came ? (int)(place % 5) : 0);	/* what is not on disk, and was not to be told, perhaps is told */
	actor_stop(M);
	disk_mend(DISK_POWER, place);
	ask_drop(q);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(A));
	return came;
}

static void test_manager_writes(void **state)
{
	const char *text = getenv("CRASH_EVERY");
	int every = text ? atoi(text) : 0;
	unsigned int place = 0;

	(void)state;
	while (crash_once(place))
		place += every > 0 ? (unsigned int)every : 9;
	print_message("%u writes and syncs\n", place);
	assert_in_range(place, 5, 1000);
	assert_int_equal(events_of(M, "link-psk"), 0);
	assert_int_equal(events_of(A, "impostor"), 0);
}

static int begin_on_disk(void **state)
{
	disk_begin();
	return begin(state);
}

static int end_on_disk(void **state)
{
	end(state);
	disk_end();
	return 0;
}

#define story(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		story(test_rotate),
		story(test_restarted_afterwards),
		story(test_absent),
		story(test_all),
		story(test_manager),
		story(test_without_the_key),
		story(test_wrong_blob),
		story(test_replaced_afterwards),
		story(test_replaced_in_between),
		story(test_root_is_away),
		story(test_unknown_offer),
		story(test_node_tpm_fails),
		story(test_manager_tpm_fails),
		story(test_node_power),
		story(test_manager_power),
		story(test_node_killed),
		story(test_manager_killed),
		cmocka_unit_test_setup_teardown(test_manager_writes, begin_on_disk, end_on_disk),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
