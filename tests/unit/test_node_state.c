// SPDX-License-Identifier: GPL-2.0
/* What a node keeps sealed, and its provisioning record: there and back, and bad input. */
#include "node_state.h"

#include <setjmp.h>
#include <cmocka.h>

#include "kdf.h"
#include "record.h"
#include "support_dir.h"

#define MEMBERS 4

static int setup(void **state)
{
	(void)state;
	return akm_secret_init(1 << 20);
}

static void fill_prepare(struct msg_atr_prepare *p, uint32_t atr_id, uint32_t generation, size_t n_members)
{
	memset(p, 0, sizeof(*p));
	p->atr_id = atr_id;
	snprintf(p->label, sizeof(p->label), "plant-%u", atr_id);
	p->definition = generation;
	p->suite = 1;
	p->port = 7645;
	p->self = 0;
	p->generation = generation;
	p->key_id = 1000 + generation;
	p->term = 3;
	p->members = calloc(n_members, sizeof(*p->members));
	p->n_members = n_members;
	for (size_t i = 0; i < n_members; i++) {
		p->members[i].index = (uint16_t)(2 * i);
		snprintf(p->members[i].name, sizeof(p->members[i].name), "EdgeNode%zu", i);
		p->members[i].n_prefixes = 1;
		p->members[i].prefixes[0] = (struct msg_prefix){ { 10, 77, 0, (uint8_t)i }, 4, 32 };
	}
	p->n_pairs = n_members - 1;
	p->pairs = calloc(n_members, sizeof(*p->pairs));
	assert_int_equal(akm_secret_new(32, &p->chain), 0);
	memset(p->chain.data, (int)generation, 32);
	assert_int_equal(akm_secret_new(p->n_pairs * 32, &p->pair_chains), 0);
	for (size_t i = 0; i < p->n_pairs; i++) {
		p->pairs[i].index = (uint16_t)(2 * i + 2);
		memset(p->pair_chains.data + 32 * i, (int)(16 * generation + i), 32);
	}
}

static struct node_atr *add_atr(struct node_state *s, uint32_t atr_id)
{
	struct node_atr *a = node_state_new(s);

	assert_non_null(a);
	for (uint32_t g = 1; g <= 2; g++) {
		struct msg m = { .type = MSG_ATR_PREPARE };

		fill_prepare(&m.prepare, atr_id, g, MEMBERS);
		assert_int_equal(node_atr_add(a, &m.prepare), 0);
		node_atr_define(a, &m.prepare);
		msg_free(&m);
	}
	a->generations[0].active = true;
	return a;
}

static void make_state(struct node_state *s)
{
	memset(s, 0, sizeof(*s));
	memset(s->id, 0xa5, sizeof(s->id));
	s->term = 3;
	add_atr(s, 7);
	add_atr(s, 9);
}

static void test_there_and_back(void **state)
{
	_cleanup_secret_ struct akm_secret content = {}, again = {};
	struct akm_error err = {};
	struct node_state s, t;
	struct node_atr *a;

	(void)state;
	make_state(&s);
	node_state_find(&s, 7)->generations[1].armed = true;
	assert_int_equal(node_state_encode(&s, &content), 0);
	assert_int_equal(node_state_decode(&content, &t, &err), 0);
	assert_true(node_state_find(&t, 7)->generations[1].armed);
	assert_false(node_state_find(&t, 7)->generations[0].armed || node_state_find(&t, 9)->generations[1].armed);
	assert_memory_equal(t.id, s.id, sizeof(s.id));
	assert_int_equal(t.term, 3);
	a = node_state_find(&t, 7);
	assert_non_null(a);
	assert_int_equal(a->n_generations, 2);
	assert_int_equal(a->def.n_members, MEMBERS);
	assert_string_equal(a->def.label, "plant-7");
	assert_int_equal(node_atr_active(a)->number, 1);
	assert_int_equal(a->generations[1].key_id, 1002);
	assert_memory_equal(a->generations[1].pair_chains.data, node_state_find(&s, 7)->generations[1].pair_chains.data, 96);
	node_state_clear(&s);
	node_state_clear(&t);
	/* An empty one as well */
	assert_int_equal(node_state_encode(&s, &again), 0);
	assert_int_equal(node_state_decode(&again, &t, &err), 0);
	assert_null(t.first);
}

static void test_generations_are_ordered(void **state)
{
	struct msg m = { .type = MSG_ATR_PREPARE };
	struct node_state s = {};
	struct node_atr *a = node_state_new(&s);
	static const uint32_t numbers[] = { 5, 2, 9, 4 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		fill_prepare(&m.prepare, 1, numbers[i], MEMBERS);
		assert_int_equal(node_atr_add(a, &m.prepare), 0);
		node_atr_define(a, &m.prepare);
		msg_free(&m);
		memset(&m, 0, sizeof(m));
		m.type = MSG_ATR_PREPARE;
	}
	for (size_t i = 1; i < 4; i++)
		assert_true(a->generations[i - 1].number < a->generations[i].number);
	fill_prepare(&m.prepare, 1, 10, MEMBERS);
	assert_int_equal(node_atr_add(a, &m.prepare), -ENOSPC);
	msg_free(&m);
	node_atr_drop(a, 4);
	node_atr_drop(a, 77);
	node_atr_drop_older(a, 9);
	assert_int_equal(a->n_generations, 1);
	assert_int_equal(a->generations[0].number, 9);
	node_state_clear(&s);
}

/* Who left takes the secrets shared with it along, in every generation. */
static void test_pairs_of_leavers_are_wiped(void **state)
{
	_cleanup_secret_ struct akm_secret content = {};
	struct msg m = { .type = MSG_ATR_PREPARE };
	struct akm_error err = {};
	struct node_state s, t;
	struct node_atr *a;
	uint8_t *chains;

	(void)state;
	make_state(&s);
	a = node_state_find(&s, 7);
	chains = a->generations[0].pair_chains.data;
	a->generations[1].armed = true;
	fill_prepare(&m.prepare, 7, 3, MEMBERS);
	/* The member with index 4 is gone. */
	m.prepare.members[2] = m.prepare.members[3];
	m.prepare.n_members = 3;
	node_atr_define(a, &m.prepare);
	msg_free(&m);
	/* and the fallback, which it has, too, is nothing to go to any more */
	assert_false(a->generations[1].armed);
	for (size_t g = 0; g < 2; g++) {
		assert_int_equal(a->generations[g].n_pairs, 2);
		assert_int_equal(a->generations[g].pairs[0].index, 2);
		assert_int_equal(a->generations[g].pairs[1].index, 6);
		assert_int_equal(a->generations[g].pair_chains.data[0], 16 * (g + 1));
		assert_int_equal(a->generations[g].pair_chains.data[32], 16 * (g + 1) + 2);
	}
	for (size_t i = 64; i < 96; i++)
		assert_int_equal(chains[i], 0);
	assert_int_equal(node_state_encode(&s, &content), 0);
	assert_int_equal(node_state_decode(&content, &t, &err), 0);
	node_state_clear(&s);
	node_state_clear(&t);
}

static void test_forward(void **state)
{
	struct node_state s;
	struct node_atr *a;
	struct node_generation *g;
	uint8_t chain[32], pair[32];
	struct kdf_ctx ctx = { 7, 1, 1001 };

	(void)state;
	make_state(&s);
	a = node_state_find(&s, 7);
	g = &a->generations[0];
	memcpy(chain, g->chain.data, 32);
	memcpy(pair, g->pair_chains.data + 64, 32);
	for (int i = 0; i < 5; i++) {
		kdf_next(&ctx, chain, chain);
		kdf_next(&ctx, pair, pair);
	}
	assert_int_equal(node_generation_forward(a, g, 5), 0);
	assert_int_equal(g->epoch, 5);
	assert_memory_equal(g->chain.data, chain, 32);
	assert_memory_equal(g->pair_chains.data + 64, pair, 32);
	assert_int_equal(node_generation_forward(a, g, 4), 0);
	assert_int_equal(g->epoch, 5);
	node_state_clear(&s);
}

/* Weeks away: as far as one turn may go, then further, to the same end. */
static void test_forward_by_turns(void **state)
{
	struct kdf_ctx ctx = { 7, 1, 1001 };
	struct node_generation *g;
	unsigned int turns = 1;
	struct node_state s;
	struct node_atr *a;
	uint8_t chain[32];

	(void)state;
	make_state(&s);
	a = node_state_find(&s, 7);
	g = &a->generations[0];
	memcpy(chain, g->chain.data, 32);
	for (int i = 0; i < 3 * NODE_FORWARD_DERIVATIONS; i++)
		kdf_next(&ctx, chain, chain);
	while (node_generation_forward(a, g, 3 * NODE_FORWARD_DERIVATIONS) == 1) {
		assert_true(g->epoch <= turns * (NODE_FORWARD_DERIVATIONS / MEMBERS + 1));
		turns++;
	}
	assert_int_equal(g->epoch, 3 * NODE_FORWARD_DERIVATIONS);
	assert_memory_equal(g->chain.data, chain, 32);
	assert_true(turns >= 3 * MEMBERS - 1);
	node_state_clear(&s);
}

/* Every cut and every changed byte: refused with a reason, or at least not believed blindly. */
static void test_bad_content(void **state)
{
	_cleanup_secret_ struct akm_secret content = {};
	struct node_state s, t;
	size_t len;

	(void)state;
	make_state(&s);
	assert_int_equal(node_state_encode(&s, &content), 0);
	node_state_clear(&s);
	len = content.len;
	for (content.len = 0; content.len < len; content.len++) {
		struct akm_error err = {};

		assert_int_equal(node_state_decode(&content, &t, &err), -EBADMSG);
		assert_true(err.reason[0]);
	}
	for (size_t i = 0; i < len; i++) {
		struct akm_error err = {};

		content.data[i] ^= 0x81;
		if (!node_state_decode(&content, &t, &err))
			node_state_clear(&t);
		content.data[i] ^= 0x81;
	}
	content.len = len;
}

static void test_contradictions(void **state)
{
	_cleanup_secret_ struct akm_secret two_active = {}, twice = {};
	struct akm_error err = {};
	struct node_state s, t;

	(void)state;
	make_state(&s);
	node_state_find(&s, 7)->generations[1].active = true;
	assert_int_equal(node_state_encode(&s, &two_active), 0);
	assert_int_equal(node_state_decode(&two_active, &t, &err), -EBADMSG);
	node_state_clear(&s);
	make_state(&s);
	add_atr(&s, 9);
	assert_int_equal(node_state_encode(&s, &twice), 0);
	assert_int_equal(node_state_decode(&twice, &t, &err), -EBADMSG);
	node_state_clear(&s);
}

/* ---- the provisioning record ---- */

static void make_record(struct record *r)
{
	memset(r, 0, sizeof(*r));
	memset(r->id, 1, sizeof(r->id));
	snprintf(r->label, sizeof(r->label), "MgmtMod-EdgeNodeA");
	snprintf(r->issuer, sizeof(r->issuer), "MgmtMod");
	snprintf(r->subject, sizeof(r->subject), "EdgeNodeA");
	r->term = 4;
	r->link_n = 9;
	snprintf(r->addresses[0], sizeof(r->addresses[0]), "192.0.2.1:7646");
	r->n_addresses = 1;
	assert_int_equal(akm_blob_dup("key", 3, &r->key), 0);
	assert_int_equal(akm_blob_dup("", 0, &r->domain), 0);
}

static void test_record(void **state)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	struct akm_error err = {};
	struct record r, t = {};
	static uint8_t longer[RECORD_MAX];

	(void)state;
	scratch_make();
	assert_int_equal(record_load(scratch_path("provision"), &t, &err), -ENOENT);
	make_record(&r);
	assert_int_equal(record_save(scratch_path("provision"), &r), 0);
	assert_int_equal(record_load(scratch_path("provision"), &t, &err), 0);
	assert_int_equal(t.link_n, 9);
	assert_string_equal(t.addresses[0], "192.0.2.1:7646");
	assert_int_equal(t.key.len, 3);
	record_free(&t);

	assert_int_equal(record_encode(&r, &b), 0);
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(record_decode(b.data, len, &t, &err), -EBADMSG);
	for (size_t i = 0; i < b.len; i++) {
		b.data[i] ^= 1;
		assert_int_equal(record_decode(b.data, b.len, &t, &err), -EBADMSG);
		b.data[i] ^= 1;
	}
	memcpy(longer, b.data, b.len);
	assert_int_equal(record_decode(longer, b.len + 1, &t, &err), -EBADMSG);
	record_free(&r);
	scratch_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_generations_are_ordered),
		cmocka_unit_test(test_pairs_of_leavers_are_wiped),
		cmocka_unit_test(test_forward),
		cmocka_unit_test(test_forward_by_turns),
		cmocka_unit_test(test_bad_content),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_record),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
