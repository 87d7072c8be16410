// SPDX-License-Identifier: GPL-2.0
/* A superior of before: it ends the link on a word that it does not know. It is not told any, until it is another one. */
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "calls.h"
#include "clock.h"
#include "kdf.h"
#include "link.h"
#include "record.h"
#include "store.h"
#include "support_clock.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define M (&world.manager)
#define R (&world.root)

struct superior_of_before {
	uint8_t key[AKM_KEY_LEN];
	const struct actor *as;
	enum msg_role role;
	struct link_server *server;
	struct link *link;
	uint32_t features;		/* it is a newer one, and tells of these */
	bool cuts;			/* its links, right behind the hello */
	unsigned int full, plain, beats, inventories, held;
	bool locked;			/* said the last inventory */
};

static int key_of(void *ctx, const uint8_t id[AKM_ID_LEN], uint64_t n, uint8_t ret_key[AKM_KEY_LEN])
{
	const struct superior_of_before *s = ctx;

	(void)id, (void)n;
	memcpy(ret_key, s->key, AKM_KEY_LEN);
	return 0;
}

static void on_up(struct link *l, void *ctx)
{
	struct superior_of_before *s = ctx;
	struct msg m = { .type = MSG_HELLO, .hello = { .version = LINK_VERSION, .role = s->role, .term = 1, .link_n = 1 } };

	snprintf(m.hello.name, sizeof(m.hello.name), "%s", s->as->name);
	s->link = l;
	assert_int_equal(link_send(l, &m), 0);
}

static void take_hello(struct superior_of_before *s, struct link *l, const struct msg_hello *h)
{
	struct msg m = { .type = MSG_FEATURES, .features = { s->features } };
	bool full = h->features || h->instance;

	s->full += full;
	s->plain += !full;
	if (s->cuts || (full && !s->features))
		link_close(l);
	else if (h->features)
		assert_int_equal(link_send(l, &m), 0);
}

static void on_message(struct link *l, struct msg *m, void *ctx)
{
	struct superior_of_before *s = ctx;

	if (m->type == MSG_HELLO)
		take_hello(s, l, &m->hello);
	s->beats += m->type == MSG_HEARTBEAT;
	s->inventories += m->type == MSG_INVENTORY;
	s->held += m->type == MSG_POLICY_HELD;
	if (m->type == MSG_INVENTORY)
		s->locked = m->inventory.locked[0];
	if (m->request)
		(void)reply_ok(l, m->request);	/* a link that was just closed takes none */
}

static void on_down(struct link *l, enum link_down why, const struct akm_error *err, const struct link_peer_info *info,
		    void *ctx)
{
	struct superior_of_before *s = ctx;

	(void)why, (void)err, (void)info;
	if (s->link == l)
		s->link = NULL;
}

/* It stands where @as is, which is stopped, and knows what @below has. */
static void stand_in(struct superior_of_before *s, struct actor *as, enum msg_role role, struct actor *below,
		     const uint8_t hardware[AKM_DIGEST_LEN], const struct record *r)
{
	_cleanup_secret_ struct akm_secret mac = {};
	struct link_server_config cfg = { .address = as->config.listen, .key = key_of,
					  .ops = { on_up, on_message, on_down }, .ctx = s };
	uint8_t message[KDF_LINK_MSG_LEN];
	struct keystore *ks = fake_keystore(below->tpm);
	struct akm_error err = {};

	*s = (struct superior_of_before){ .as = as, .role = role };
	kdf_link_message(hardware, 1, message);
	assert_int_equal(keystore_hmac(ks, NULL, &r->key, message, sizeof(message), &mac), 0);
	memcpy(s->key, mac.data, AKM_KEY_LEN);
	keystore_close(ks);
	actor_stop(as);
	assert_int_equal(link_server_new(world.base, &cfg, &s->server, &err), 0);
}

static void go(struct superior_of_before *s)
{
	link_server_free(s->server);
	assert_int_equal(actor_start((struct actor *)s->as), 0);
	until(s->as->ready);
}

static void cut(struct superior_of_before *s)
{
	assert_non_null(s->link);
	link_close(s->link);
}

/* First all, then what everybody knows; all again after each link that was good. Then it is a new one, and stays that. */
static void test_manager_of_before(void **state)
{
	uint8_t hardware[AKM_DIGEST_LEN];
	struct superior_of_before s;
	struct akm_error err = {};
	struct record r = {};
	char path[200];
	unsigned int full;

	(void)state;
	snprintf(path, sizeof(path), "%s/provision", A->dir);
	assert_int_equal(record_load(path, &r, &err), 0);
	memcpy(hardware, A->env.hardware, sizeof(hardware));	/* a start works it out again */
	for (size_t i = 0; i < world.n_nodes; i++)
		actor_stop(&world.nodes[i]);
	stand_in(&s, M, ROLE_MANAGER, A, hardware, &r);
	record_free(&r);
	assert_int_equal(actor_start(A), 0);
	until(s.beats >= 3);
	assert_int_equal(s.full, 1);
	assert_int_equal(s.plain, 1);
	cut(&s);
	until(s.plain == 2);
	assert_int_equal(s.full, 2);
	until(s.beats >= 5);
	/* Brought up to date without the link noticing */
	s.features = FEATURES_ALL;
	clock_wind(3600000);
	until(s.full == 3 && s.beats >= 8);
	/* Who cuts links from now on does not make it forget that soon. */
	s.cuts = true;
	cut(&s);
	full = s.full;
	until(s.full == full + 4);
	assert_int_equal(s.plain, 2);
	go(&s);
	until(!is_down(A));
}

/* The root's policy and the fleet's lock are for who knows of them. */
static void test_root_of_before(void **state)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	struct superior_of_before s;
	struct akm_error err = {};
	struct record r = {};
	uint8_t hardware[AKM_DIGEST_LEN];
	struct store *store;
	char path[200];

	(void)state;
	ask_ok(M, "lock", "{}");
	memcpy(hardware, M->env.hardware, sizeof(hardware));
	actor_stop(M);
	snprintf(path, sizeof(path), "%s/akm.db", M->dir);
	assert_int_equal(store_open(path, &store, &err), 0);
	assert_int_equal(store_get(store, "provision", &b), 0);
	assert_int_equal(record_decode(b.data, b.len, &r, &err), 0);
	store_close(store);
	stand_in(&s, R, ROLE_ROOT, M, hardware, &r);
	record_free(&r);
	assert_int_equal(actor_start(M), 0);
	until(s.inventories && s.beats >= 3);
	assert_int_equal(s.held, 0);
	assert_false(s.locked);
	s.features = FEATURE_POLICY | 1u << 31;	/* and what is not known yet */
	cut(&s);
	until(s.held == 1);
	assert_false(s.locked);
	s.features = FEATURES_ALL;
	cut(&s);
	until(s.held == 2 && s.locked);
	go(&s);
	until(!is_down(M));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_manager_of_before, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_root_of_before, world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
