// SPDX-License-Identifier: GPL-2.0
/*
 * What one node costs a manager, among few and among many: the same. The fleet and its database are the manager's; who
 * speaks is made here. Times are of this thread's processor, of the best of several rounds, and compared with each
 * other only.
 */
#include "fleet.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "fleet_internal.h"
#include "linkkeys.h"
#include "log.h"
#include "support_dir.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */

#define FEW		250
#define MANY		8000		/* a walk of all would cost 32 times as much */
#define DEARER		4		/* so much more is noise: what is in no cache costs more */
#define ROUNDS		7
#define OPERATIONS	400

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The best round of what @op costs, called OPERATIONS times with numbers that go on */
static uint64_t cost_of(void (*op)(unsigned int i))
{
	uint64_t best = UINT64_MAX;
	unsigned int n = 0;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t begin = cpu_ns(), took;

		for (int i = 0; i < OPERATIONS; i++)
			op(n++);
		took = cpu_ns() - begin;
		if (took < best)
			best = took;
	}
	return best / OPERATIONS;
}

static void compare(const char *what, uint64_t few, uint64_t many)
{
	print_message("%s: %llu ns among %d, %llu among %d\n", what, (unsigned long long)few, FEW, (unsigned long long)many,
		      MANY);
	if (many > DEARER * few)
		fail_msg("%s is dearer among many", what);
}

/* ---- a fleet ---- */

static struct event_base *base;
static struct store *store;
static struct evidence *evidence;
static struct fake_tpm *tpm;
static struct tpmq *q;
static struct fleet *fleet;
static struct peers *peers;
static struct peer speaker;
static struct msg_atr_state said;
static uint32_t members;

static int no_add(void *ctx, const struct msg_event *e, uint64_t *ret_seq)
{
	(void)ctx, (void)e;
	*ret_seq = 1;
	return 0;
}

static int no_alerts(void *ctx, uint64_t since, evidence_fn fn, void *fn_ctx)
{
	(void)ctx, (void)since, (void)fn, (void)fn_ctx;
	return 0;
}

static int no_last(void *ctx, uint64_t *ret_seq)
{
	(void)ctx;
	*ret_seq = 0;
	return 0;
}

static uint64_t term(void *ctx)
{
	(void)ctx;
	return 1;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void id_of(uint32_t i, uint8_t ret[AKM_ID_LEN])
{
	uint32_t words[AKM_ID_LEN / 4] = { i * 0x9e3779b1, i };	/* its beginning looks random, as that of an ID is */

	memcpy(ret, words, sizeof(words));
}

/* Nodes that no peer is: what is to be sent to them is not sent. */
static void put_nodes(struct store_atr *atr)
{
	for (uint32_t i = 0; i < members; i++) {
		struct store_node n = { .state = NODE_PENDING, .link_n = 1, .since_ms = 1 };
		struct store_member *m = &atr->members[atr->n_members++];

		id_of(i, n.id);
		snprintf(n.name, sizeof(n.name), "node-%u", i);
		snprintf(n.label, sizeof(n.label), "M-node-%u", i);
		assert_int_equal(store_node_put(store, &n), 0);
		memcpy(m->node, n.id, AKM_ID_LEN);
		m->index = (uint16_t)i;
	}
}

/* One ATR, whose members all are on its generation */
static void put_fleet(void)
{
	static uint8_t secret[100];
	struct store_generation g = { .atr_id = 1, .number = 1, .key_id = 77, .state = GEN_ACTIVE, .created_ms = 1,
				      .reason = "create", .secret = { secret, sizeof(secret) } };
	struct store_atr atr = { .id = 1, .label = "all", .suite = 1, .port = 4755, .epoch_interval_ms = 60000,
				 .freshness = 1, .definition = 1, .last_generation = 1 };

	atr.members = calloc(members, sizeof(*atr.members));
	assert_non_null(atr.members);
	assert_int_equal(store_begin(store), 0);
	put_nodes(&atr);
	assert_int_equal(store_atr_put(store, &atr), 0);
	assert_int_equal(store_generation_put(store, &g), 0);
	for (uint32_t i = 0; i < members; i++)
		assert_int_equal(store_step_set(store, 1, 1, atr.members[i].node, STEP_ACTIVATED), 0);
	assert_int_equal(store_commit(store), 0);
	store_atr_free(&atr);
}

static void heartbeat(unsigned int i)
{
	id_of(i % members, speaker.id);
	speaker.heartbeat.atrs = &said;
	speaker.heartbeat.n_atrs = 1;
	fleet_peer_heartbeat(fleet, &speaker);
	assert_true(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
}

static void fleet_begin(uint32_t n)
{
	static struct config config = { .heartbeat_ms = 1000, .heartbeat_missed = 5, .prepare_timeout_ms = 1000,
					.grace_ms = 1000, .listen = "127.0.0.1:0", .link_next_s = 86400 };
	struct fleet_config cfg = { .config = &config, .term = term, .changed = nothing, .moved = nothing };
	struct peers_config below = { .config = &config, .name = "M", .role = ROLE_MANAGER };
	const struct evidence_backend backend = { .add = no_add, .alerts = no_alerts, .last = no_last };
	struct akm_error err = {};

	members = n;
	scratch_make();
	base = event_base_new();
	tpm = fake_tpm_new(false);
	assert_int_equal(tpmq_new(base, fake_keystore(tpm), &q), 0);
	assert_int_equal(store_open(scratch_path("db"), &store, &err), 0);
	put_fleet();
	assert_int_equal(evidence_new(base, "M", &backend, NULL, &evidence), 0);
	cfg.base = below.base = base;
	cfg.store = below.store = store;
	cfg.evidence = below.evidence = evidence;
	below.q = q;
	assert_int_equal(fleet_new(&cfg, &fleet, &err), 0);
	assert_int_equal(peers_new(&below, &peers, &err), 0);
	fleet_set_peers(fleet, peers);
	said = (struct msg_atr_state){ .atr_id = 1, .generation = 1, .incarnation = 1 };
	/* They are here, and have what they should. */
	for (uint32_t i = 0; i < n; i++) {
		fleet_find(fleet, 1)->plan.members[i].up = true;
		fleet_find(fleet, 1)->plan.members[i].stale = false;
	}
}

static void fleet_end(void)
{
	fleet_free(fleet);
	peers_free(peers);
	evidence_free(evidence);
	store_close(store);
	tpmq_free(q);
	fake_tpm_free(tpm);
	event_base_free(base);
	scratch_remove();
}

/* It has lost its generation, and has it again the next time. */
static void news(unsigned int i)
{
	said.generation = i & 1;
	heartbeat(i / 2);
}

/* The epoch is ahead of what is stored, of nobody else. */
static void early(unsigned int i)
{
	said.epoch = 5;
	heartbeat(i);
	said.epoch = 0;
}

struct costs { uint64_t heartbeat, news, early; };

static struct costs fleet_costs(uint32_t n)
{
	struct costs c = {};

	fleet_begin(n);
	c.heartbeat = cost_of(heartbeat);
	c.early = cost_of(early);
	/* What the disk's sync takes is another matter. */
	assert_int_equal(store_begin(store), 0);
	c.news = cost_of(news);
	assert_int_equal(store_commit(store), 0);
	fleet_end();
	return c;
}

static void heartbeats_cost_the_same(void **state)
{
	struct costs few = fleet_costs(FEW), many = fleet_costs(MANY);

	(void)state;
	compare("a heartbeat without news", few.heartbeat, many.heartbeat);
	compare("one that is ahead", few.early, many.early);
	compare("one with news", few.news, many.news);
}

/* ---- link keys ---- */

static struct linkkeys *keys;
static struct linkkey **entry;
static unsigned int n_entries;

static void on_ready(void *ctx, int r)
{
	(void)ctx;
	assert_int_equal(r, 0);
}

/* The key of one moves on, and is computed. */
static void advance(unsigned int i)
{
	struct linkkey *k = entry[i % n_entries];
	uint64_t n = linkkey_n(k) + 1;

	linkkey_advance(k, n);
	while (!linkkey_has(k, n))
		assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
}

static uint64_t key_cost(unsigned int n)
{
	static const uint8_t hardware[AKM_DIGEST_LEN] = { 7 };
	_cleanup_(akm_blob_free) struct akm_blob key = {}, dup = {};
	struct keystore_identity id = {};
	struct keystore *ks;
	uint64_t cost;

	tpm = fake_tpm_new(false);
	base = event_base_new();
	ks = fake_keystore(tpm);
	assert_int_equal(keystore_identity(ks, &id), 0);
	assert_int_equal(keystore_pair_create(ks, NULL, &id, &key, &dup), 0);
	keystore_identity_free(&id);
	assert_int_equal(tpmq_new(base, ks, &q), 0);
	assert_int_equal(linkkeys_new(base, q, false, &keys), 0);
	n_entries = n;
	entry = calloc(n, sizeof(struct linkkey *));
	assert_non_null(entry);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(linkkey_add(keys, NULL, &key, hardware, 1, on_ready, NULL, &entry[i]), 0);
	for (unsigned int i = 0; i < n; i++)
		while (!linkkey_has(entry[i], 1))
			assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
	cost = cost_of(advance);
	linkkeys_free(keys);
	free(entry);
	tpmq_free(q);
	event_base_free(base);
	fake_tpm_free(tpm);
	return cost;
}

static void link_keys_cost_the_same(void **state)
{
	(void)state;
	compare("a link key", key_cost(FEW), key_cost(MANY));
}

static int once(void **state)
{
	(void)state;
	akm_log_init("test", AKM_LOG_ERR);
	return akm_secret_init(1 << 22);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heartbeats_cost_the_same),
		cmocka_unit_test(link_keys_cost_the_same),
	};

	return cmocka_run_group_tests(tests, once, NULL);
}
