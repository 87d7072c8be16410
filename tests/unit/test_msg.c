// SPDX-License-Identifier: GPL-2.0
/* Every link message: what must be refused, and that what passes means one thing only. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* memmem */
#endif
#include "msg.h"

#include <openssl/crypto.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support_cddl.h"
#include "support_sample.h"

static struct akm_secret encoded(const struct msg *m)
{
	struct akm_secret s = {};
	int r = msg_encode(m, &s);

	if (r < 0)
		fail_msg("%s: %s", msg_type_name(m->type), strerror(-r));
	return s;
}

static struct akm_secret encoded_sample(enum msg_type type)
{
	_cleanup_msg_ struct msg m = sample_msg(type);

	return encoded(&m);
}

/* ---- refused by the reader ---- */

/* Either it is refused, or it is exactly what its meaning is encoded as. */
static bool canonical(const uint8_t *data, size_t len, const char *what, size_t at)
{
	_cleanup_secret_ struct akm_secret again = {};
	_cleanup_msg_ struct msg m = {};
	struct akm_error err = {};
	int r = msg_decode(data, len, &m, &err);

	if (r < 0) {
		if (r != -EBADMSG || !err.field[0] || !err.reason[0])
			fail_msg("%s %zu: %d \"%s\" \"%s\"", what, at, r, err.field, err.reason);
		return false;
	}
	again = encoded(&m);
	if (again.len != len || memcmp(again.data, data, len))
		fail_msg("%s %zu is accepted, but is not its encoding", what, at);
	return true;
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	for (enum msg_type t = MSG_HELLO; t <= MSG_TYPE_MAX; t++) {
		_cleanup_secret_ struct akm_secret s = encoded_sample(t);

		for (size_t len = 0; len < s.len; len++)
			if (canonical(s.data, len, msg_type_name(t), len))
				fail_msg("%s: the first %zu of %zu bytes are accepted", msg_type_name(t), len, s.len);
	}
}

static void every_flipped_bit_is_refused_or_means_something_else(void **state)
{
	size_t refused = 0;

	(void)state;
	for (enum msg_type t = MSG_HELLO; t <= MSG_TYPE_MAX; t++) {
		_cleanup_secret_ struct akm_secret s = encoded_sample(t);

		for (size_t bit = 0; bit < 8 * s.len; bit++) {
			s.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			refused += !canonical(s.data, s.len, msg_type_name(t), bit);
			s.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	assert_true(refused > 1000);
}

static void every_other_byte_value_is_survived(void **state)
{
	static const uint8_t values[] = { 0x00, 0x17, 0x18, 0x1b, 0x3b, 0x40, 0x5b, 0x5f, 0x7b, 0x7f, 0x80, 0x9b, 0x9f,
					  0xa0, 0xbb, 0xbf, 0xc0, 0xdb, 0xf4, 0xf6, 0xf9, 0xfb, 0xff };

	(void)state;
	for (enum msg_type t = MSG_HELLO; t <= MSG_TYPE_MAX; t++) {
		_cleanup_secret_ struct akm_secret s = encoded_sample(t);

		for (size_t i = 0; i < s.len; i++) {
			uint8_t old = s.data[i];

			for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
				s.data[i] = values[v];
				canonical(s.data, s.len, msg_type_name(t), i);
			}
			s.data[i] = old;
		}
	}
}

static void trailing_bytes_are_refused(void **state)
{
	struct akm_error err = {};
	struct msg m;

	(void)state;
	for (enum msg_type t = MSG_HELLO; t <= MSG_TYPE_MAX; t++) {
		_cleanup_secret_ struct akm_secret s = encoded_sample(t), more = {};

		assert_int_equal(akm_secret_new(s.len + 1, &more), 0);
		memcpy(more.data, s.data, s.len);
		assert_int_equal(msg_decode(more.data, more.len, &m, &err), -EBADMSG);
		assert_string_equal(err.reason, "has trailing bytes");
	}
}

/* Raw messages that the encoder would not make: field and reason are what a person would be shown. */
struct bad { const char *what; const char *data; size_t len; const char *field; const char *reason; };
#define RAW(s) s, sizeof(s) - 1

static const struct bad bad_messages[] = {
	{ "empty", RAW(""), "message", "is missing" },
	{ "two elements", RAW("\x82\x02\x00"), "message", "allowed are 3 to 3" },
	{ "four elements", RAW("\x84\x02\x00\xa0\x00"), "message", "allowed are 3 to 3" },
	{ "type 0", RAW("\x83\x00\x00\xa0"), "message.type", "is 0" },
	{ "type 21", RAW("\x83\x15\x00\xa0"), "message.type", "is 21" },
	{ "policy 0", RAW("\x83\x10\x00\xa2\x01\x00\x02\x40"), "message.policy.number", "is 0" },
	{ "held with a short digest", RAW("\x83\x11\x00\xa2\x01\x00\x02\x41\x00"), "message.policy-held.digest", "" },
	{ "rotate to the first n", RAW("\x83\x12\x00\xa3\x01\x01"), "message.rotate.n", "is 1" },
	{ "ask with a short nonce", RAW("\x83\x0e\x00\xa2\x01\x41\x00\x02\x01"), "message.quote-ask.nonce", "" },
	{ "quote of nothing", RAW("\x83\x0f\x00\xa2\x01\x40\x02\x41\x00"), "message.quote.attest", "allowed" },
	{ "quote without signature", RAW("\x83\x0f\x00\xa1\x01\x41\x00"), "message.quote.signature", "missing" },
	{ "step to nothing", RAW("\x83\x13\x00\xa3\x01\x01\x02\x01\x03\x00"), "message.atr-roll.epoch", "is 0" },
	{ "arm of nothing", RAW("\x83\x0d\x00\xa2\x01\x01\x02\x00"), "message.atr-arm.generation", "is 0" },
	{ "request too large", RAW("\x83\x02\x1b\x00\x00\x00\x01\x00\x00\x00\x00\xa0"), "message.request",
	  "allowed is 0 to 4294967295" },
	{ "ok with a field", RAW("\x83\x02\x00\xa1\x01\x00"), "message.ok", "unknown, duplicate" },
	{ "link-next 0", RAW("\x83\x0a\x00\xa1\x01\x00"), "message.link-next.n", "is 0" },
	{ "link-next twice", RAW("\x83\x0a\x00\xa2\x01\x01\x01\x02"), "message.link-next", "unknown, duplicate" },
	{ "error code 0", RAW("\x83\x03\x00\xa3\x01\x00\x02\x60\x03\x60"), "message.error.code", "is 0" },
	{ "error with escapes", RAW("\x83\x03\x00\xa3\x01\x01\x02\x61\x1b\x03\x60"), "message.error.field",
	  "printable" },
	{ "no events", RAW("\x83\x05\x00\xa1\x01\x80"), "message.events.events", "allowed are 1 to 256" },
	{ "257 events", RAW("\x83\x05\x00\xa1\x01\x99\x01\x01"), "message.events.events", "allowed are 1 to 256" },
	{ "more events than bytes", RAW("\x83\x05\x00\xa1\x01\x98\xff"), "message.events.events", "more elements" },
	{ "heartbeat with 65 ATRs", RAW("\x83\x04\x00\xa3\x01\x00\x02\x00\x03\x98\x41"), "message.heartbeat.atrs",
	  "allowed are 0 to 64" },
	{ "huge inventory", RAW("\x83\x0b\x00\xa3\x01\x00\x02\x9b\x7f\xff\xff\xff\xff\xff\xff\xff"),
	  "message.inventory.nodes", "allowed are 0 to 16384" },
	{ "16384 nodes in no bytes", RAW("\x83\x0b\x00\xa3\x01\x00\x02\x99\x40\x00"), "message.inventory.nodes",
	  "more elements" },
};

static void bad_messages_are_refused_and_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_messages); i++) {
		const struct bad *b = &bad_messages[i];
		struct msg m = { .type = MSG_TYPE_MAX + 1 };
		struct akm_error err = {};
		int r = msg_decode((const uint8_t *)b->data, b->len, &m, &err);

		if (r != -EBADMSG || strcmp(err.field, b->field) || !strstr(err.reason, b->reason))
			fail_msg("%s: %d \"%s\" \"%s\"", b->what, r, err.field, err.reason);
		assert_int_equal(m.type, MSG_TYPE_MAX + 1);	/* untouched */
	}
}

/* As large as a file may be, empty, and no larger */
static void a_policy_has_a_size(void **state)
{
	static const size_t good[] = { 0, POLICY_FILE_MAX }, bad = POLICY_FILE_MAX + 1;
	uint8_t *text = calloc(1, bad);
	struct msg m = { .type = MSG_POLICY, .policy = { POLICY_NUMBER_MAX, { text, bad } } };
	struct akm_error err = {};

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_secret_ struct akm_secret s = {};
		_cleanup_msg_ struct msg back = {};

		m.policy.text.len = good[i];
		assert_int_equal(msg_encode(&m, &s), 0);
		assert_int_equal(msg_decode(s.data, s.len, &back, &err), 0);
		assert_int_equal(back.policy.text.len, good[i]);
		assert_true(back.policy.number == POLICY_NUMBER_MAX);
	}
	for (int i = 0; i < 2; i++) {
		_cleanup_secret_ struct akm_secret s = {};

		m.policy.text.len = i ? 0 : bad;
		m.policy.number = i ? 0 : 1;
		assert_int_equal(msg_encode(&m, &s), -EINVAL);
	}
	free(text);
}

static void oversized_message_is_refused(void **state)
{
	uint8_t byte = 0x83;
	struct akm_error err = {};
	struct msg m;

	(void)state;
	/* Refused by its length: the byte behind it is all there is. */
	assert_int_equal(msg_decode(&byte, (size_t)LINK_MESSAGE_MAX + 1, &m, &err), -EBADMSG);
}

/* Changes to a sound message, found by what is unique around them. */
struct edit { const char *what, *find; size_t len; const char *put; const char *field, *reason; };

static const struct edit edits[] = {
	{ "member host bits", RAW("\x82\x44\x0a\x00\x00\x01\x18\x20"), "\x82\x44\x0a\x00\x00\x01\x18\x18",
	  "atr-prepare.members[0].prefixes[0].address", "has host bits" },
	{ "prefix too long", RAW("\x82\x44\x0a\x00\x00\x01\x18\x20"), "\x82\x44\x0a\x00\x00\x01\x18\x21",
	  "atr-prepare.members[0].prefixes[0].length", "allowed is 0 to 32" },
	{ "address of 5 bytes", RAW("\x82\x44\x0a\x00\x00\x01\x18\x20"), "\x82\x45\x0a\x00\x00\x01\x18\x20",
	  "atr-prepare.members[0].prefixes[0].address", "allowed are 4 or 16" },
	{ "member twice", RAW("\x01\x02\x02\x61\x42"), "\x01\x01\x02\x61\x42", "atr-prepare.members", "ascending" },
	{ "member without order", RAW("\x01\x01\x02\x61\x41"), "\x01\x17\x02\x61\x41", "atr-prepare.members", "ascending" },
	{ "name with a slash", RAW("\x02\x61\x42"), "\x02\x61\x2f", "atr-prepare.members[1].name", "is not a name" },
	{ "index 65535", RAW("\x01\x19\x01\x2c"), "\x01\x19\xff\xff", "atr-prepare.members[2].index", "allowed is 0 to 65534" },
	{ "self is nobody", RAW("\x08\x02\x09"), "\x08\x03\x09", "atr-prepare.self", "is not the index of a member" },
	{ "pair with oneself", RAW("\x82\x01\x58\x20\xd1"), "\x82\x02\x58\x20\xd1", "atr-prepare.pairs", "the receiver itself" },
	{ "pair with nobody", RAW("\x82\x01\x58\x20\xd1"), "\x82\x00\x58\x20\xd1", "atr-prepare.pairs", "no member's" },
	{ "suite 0", RAW("\x04\x01\x05"), "\x04\x00\x05", "atr-prepare.suite", "is 0" },
	{ "suite 4", RAW("\x04\x01\x05"), "\x04\x04\x05", "atr-prepare.suite", "is 4" },
	{ "ATR 0", RAW("\xb2\x01\x01\x02"), "\xb2\x01\x00\x02", "atr-prepare.atr-id", "is 0" },
	{ "freshness that goes without saying", RAW("\x11\x02"), "\x11\x01", "atr-prepare.freshness", "is 1" },
	{ "group that is an address", RAW("\x82\x44\xef\x07\x06"), "\x82\x44\xf0\x07\x06", "atr-prepare.group.address",
	  "is no multicast group" },
	{ "group with TTL 0", RAW("\x06\x2d\x03"), "\x06\x2d\x00", "atr-prepare.group.ttl", "is 0" },
	{ "generation 0", RAW("\x0b\x03\x0c"), "\x0b\x00\x0c", "atr-prepare.generation", "is 0" },
};

static void contradicting_prepares_are_refused(void **state)
{
	_cleanup_secret_ struct akm_secret s = encoded_sample(MSG_ATR_PREPARE);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		const struct edit *e = &edits[i];
		uint8_t *at = memmem(s.data, s.len, e->find, e->len);
		_cleanup_msg_ struct msg m = {};
		struct akm_error err = {};
		int r;

		if (!at)
			fail_msg("%s: the place is not there", e->what);
		memcpy(at, e->put, e->len);
		r = msg_decode(s.data, s.len, &m, &err);
		if (r != -EBADMSG || !strstr(err.field, e->field) || !strstr(err.reason, e->reason))
			fail_msg("%s: %d \"%s\" \"%s\"", e->what, r, err.field, err.reason);
		memcpy(at, e->find, e->len);
	}
}

/* Who reads a record of it wants to know where; what is in it stays out. */
static void whence_it_was_refused(void **state)
{
	static const uint8_t type[] = { 0x83, 0x18, 0x63, 0x00 }, trailing[] = { 0x83, 0x02, 0x00, 0xa0, 0x00 };
	struct akm_error err = {};
	struct msg m;

	(void)state;
	assert_int_equal(msg_decode_whence(type, sizeof(type), &m, &err), -EBADMSG);
	assert_non_null(strstr(err.reason, " (read up to byte 3 of 4)"));
	assert_int_equal(msg_decode_whence(trailing, sizeof(trailing), &m, &err), -EBADMSG);
	assert_non_null(strstr(err.reason, " (read up to byte 4 of 5)"));
	assert_int_equal(msg_decode_whence(trailing, sizeof(trailing) - 1, &m, &err), 0);
}

/* ---- refused by the writer ---- */

static void spoil_role(struct msg *m) { m->hello.role = 0; }
static void spoil_name(struct msg *m) { strcpy(m->hello.name, "a b"); }
static void spoil_no_name(struct msg *m) { m->hello.name[0] = '\0'; }
static void spoil_link_n(struct msg *m) { m->hello.link_n = 0; }
static void spoil_endpoints(struct msg *m) { m->hello.n_endpoints = ENDPOINTS_MAX + 1; }
static void spoil_endpoint(struct msg *m) { m->hello.endpoints[0].addr_len = 5; }
static void spoil_code(struct msg *m) { m->error.code = -EIO; }
static void spoil_text(struct msg *m) { strcpy(m->error.reason, "line\n"); }
static void spoil_incarnation(struct msg *m) { m->heartbeat.atrs[0].incarnation = 0x1000000; }
static void spoil_states(struct msg *m) { m->heartbeat.n_atrs = ATRS_MAX + 1; }
static void spoil_events(struct msg *m) { m->events.n = 0; }
static void spoil_many_events(struct msg *m) { m->events.n = EVENTS_PER_MESSAGE + 1; }
static void spoil_severity(struct msg *m) { m->events.events[0].severity = 4; }
static void spoil_member(struct msg *m) { m->events.events[0].member = -2; }
static void spoil_high_member(struct msg *m) { m->events.events[0].member = 0xffff; }
static void spoil_kind(struct msg *m) { m->events.events[0].kind[0] = ' '; }
static void spoil_packet(struct msg *m) { m->events.events[0].packet.n = PACKET_SHOWN_MAX + 1; }
static void spoil_longer_packet(struct msg *m) { m->events.events[0].packet.len = 15; }
static void spoil_chain(struct msg *m) { m->prepare.chain.len = 31; }
static void spoil_pairs(struct msg *m) { m->prepare.n_pairs = 1; }
static void spoil_pair_order(struct msg *m) { m->prepare.pairs[1].index = 1; }
static void spoil_self(struct msg *m) { m->prepare.self = 3; }
static void spoil_order(struct msg *m) { m->prepare.members[2].index = 1; }
static void spoil_members(struct msg *m) { m->prepare.n_members = 0; }
static void spoil_group(struct msg *m) { m->prepare.group.addr[0] = 192; }
static void spoil_prefixes(struct msg *m) { m->prepare.members[0].n_prefixes = ADDRESSES_MAX + 1; }
static void spoil_prefix(struct msg *m) { m->prepare.members[0].prefixes[0].prefix_len = 31; }
static void spoil_long_prefix(struct msg *m) { m->prepare.addresses[0].prefix_len = 33; }
static void spoil_port(struct msg *m) { m->prepare.port = 0; }
static void spoil_generation(struct msg *m) { m->activate.generation = 0; }
static void spoil_atr(struct msg *m) { m->del.atr_id = 0; }
static void spoil_next(struct msg *m) { m->next.n = 0; }
static void spoil_key(struct msg *m) { m->inventory.nodes[0].key.len = 0; }
static void spoil_json(struct msg *m) { m->inventory.atrs[0].json[0] = '\t'; }
static void spoil_nodes(struct msg *m) { m->inventory.n_nodes = NODES_MAX + 1; }

static const struct { enum msg_type type; void (*spoil)(struct msg *m); } spoilt[] = {
	{ MSG_HELLO, spoil_role }, { MSG_HELLO, spoil_name }, { MSG_HELLO, spoil_no_name }, { MSG_HELLO, spoil_link_n },
	{ MSG_HELLO, spoil_endpoints }, { MSG_HELLO, spoil_endpoint }, { MSG_ERROR, spoil_code },
	{ MSG_ERROR, spoil_text }, { MSG_HEARTBEAT, spoil_incarnation }, { MSG_HEARTBEAT, spoil_states },
	{ MSG_EVENTS, spoil_events }, { MSG_EVENTS, spoil_many_events }, { MSG_EVENTS, spoil_severity },
	{ MSG_EVENTS, spoil_member }, { MSG_EVENTS, spoil_high_member }, { MSG_EVENTS, spoil_kind },
	{ MSG_EVENTS, spoil_packet }, { MSG_EVENTS, spoil_longer_packet },
	{ MSG_ATR_PREPARE, spoil_chain }, { MSG_ATR_PREPARE, spoil_pairs }, { MSG_ATR_PREPARE, spoil_pair_order },
	{ MSG_ATR_PREPARE, spoil_self }, { MSG_ATR_PREPARE, spoil_order }, { MSG_ATR_PREPARE, spoil_members },
	{ MSG_ATR_PREPARE, spoil_group }, { MSG_ATR_PREPARE, spoil_prefixes }, { MSG_ATR_PREPARE, spoil_prefix }, { MSG_ATR_PREPARE, spoil_long_prefix },
	{ MSG_ATR_PREPARE, spoil_port }, { MSG_ATR_ACTIVATE, spoil_generation }, { MSG_ATR_DELETE, spoil_atr },
	{ MSG_LINK_NEXT, spoil_next }, { MSG_INVENTORY, spoil_key }, { MSG_INVENTORY, spoil_json },
	{ MSG_INVENTORY, spoil_nodes },
};

static void writer_refuses_what_the_reader_would(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(spoilt); i++) {
		struct msg whole = sample_msg(spoilt[i].type), m = whole;
		struct akm_secret s = {};
		int r;

		spoilt[i].spoil(&m);
		r = msg_encode(&m, &s);
		if (r != -EINVAL || s.data)
			fail_msg("case %zu (%s): %d", i, msg_type_name(m.type), r);
		/* Some spoil what free needs: restore the counts first. */
		if (m.type == MSG_INVENTORY)
			m.inventory.n_nodes = 2;
		if (m.type == MSG_ATR_PREPARE)
			m.prepare.chain.len = AKM_KEY_LEN;
		msg_free(&m);
	}
	assert_int_equal(msg_encode(&(struct msg) { .type = 0 }, &(struct akm_secret) {}), -EINVAL);
	assert_int_equal(msg_encode(&(struct msg) { .type = MSG_TYPE_MAX + 1 }, &(struct akm_secret) {}), -EINVAL);
}

/* ---- accepted ---- */

static void every_message_comes_back_as_it_was(void **state)
{
	(void)state;
	for (enum msg_type t = MSG_HELLO; t <= MSG_TYPE_MAX; t++) {
		_cleanup_secret_ struct akm_secret s = encoded_sample(t);

		assert_true(canonical(s.data, s.len, msg_type_name(t), 0));
		assert_true(CRYPTO_secure_allocated(s.data));
		assert_string_not_equal(msg_type_name(t), "unknown");
	}
	assert_string_equal(msg_type_name(0), "unknown");
	assert_string_equal(msg_type_name(MSG_TYPE_MAX + 1), "unknown");
}

static void prepare_keeps_its_meaning(void **state)
{
	_cleanup_secret_ struct akm_secret s = encoded_sample(MSG_ATR_PREPARE);
	_cleanup_msg_ struct msg m = {};
	struct msg_atr_prepare *p = &m.prepare;
	struct akm_error err;

	(void)state;
	assert_int_equal(msg_decode(s.data, s.len, &m, &err), 0);
	assert_int_equal(m.request, 0x01020304);
	assert_int_equal(p->key_id, 0xdeadbeef);
	assert_true(p->epoch == 1ULL << 33);
	assert_int_equal(p->n_members, 3);
	assert_int_equal(p->members[0].endpoint.port, 7645);
	assert_int_equal(p->members[1].endpoint.addr_len, 0);
	assert_int_equal(p->members[2].index, 300);
	assert_int_equal(p->members[2].prefixes[1].addr[15], 2);
	assert_int_equal(p->addresses[0].prefix_len, 24);
	assert_int_equal(p->pairs[1].index, 300);
	assert_int_equal(p->pair_chains.data[AKM_KEY_LEN], 0xd2);
	assert_int_equal(p->chain.data[31], 0xc1);
	assert_true(CRYPTO_secure_allocated(p->chain.data));
	assert_true(CRYPTO_secure_allocated(p->pair_chains.data));
}

static void strict_freshness_is_not_written(void **state)
{
	_cleanup_secret_ struct akm_secret s = {}, with = encoded_sample(MSG_ATR_PREPARE);
	_cleanup_msg_ struct msg m = {}, again = {};
	struct akm_error err;

	(void)state;
	assert_int_equal(msg_decode(with.data, with.len, &m, &err), 0);
	assert_int_equal(m.prepare.freshness, 2);
	m.prepare.freshness = 1;
	s = encoded(&m);
	assert_int_equal(s.len, with.len - 2);
	assert_int_equal(msg_decode(s.data, s.len, &again, &err), 0);
	assert_int_equal(again.prepare.freshness, 1);
}

static void no_group_is_not_written(void **state)
{
	_cleanup_secret_ struct akm_secret s = {}, with = encoded_sample(MSG_ATR_PREPARE);
	_cleanup_msg_ struct msg m = {}, again = {};
	struct akm_error err;

	(void)state;
	assert_int_equal(msg_decode(with.data, with.len, &m, &err), 0);
	assert_int_equal(m.prepare.group.addr_len, 4);
	assert_int_equal(m.prepare.group.ttl, 3);
	m.prepare.group.addr_len = 0;
	s = encoded(&m);
	assert_int_equal(s.len, with.len - 8);
	assert_int_equal(msg_decode(s.data, s.len, &again, &err), 0);
	assert_int_equal(again.prepare.group.addr_len, 0);
}

static void groups_beyond_the_node(void **state)
{
	static const struct { struct msg_group g; bool valid; } groups[] = {
		{ { { 224, 0, 0, 1 }, 4, 1 }, true }, { { { 239, 255, 255, 255 }, 4, 255 }, true },
		{ { { 223, 255, 255, 255 }, 4, 1 }, false }, { { { 240, 0, 0, 0 }, 4, 1 }, false },
		{ { { 239, 7, 6, 45 }, 4, 0 }, false }, { { { 239, 7, 6, 45 }, 0, 1 }, false },
		{ { { 0xff, 0x02, [15] = 1 }, 16, 1 }, true }, { { { 0xff, 0x3e, [15] = 1 }, 16, 1 }, true },
		{ { { 0xff, 0x01, [15] = 1 }, 16, 1 }, false }, { { { 0xff, 0x31, [15] = 1 }, 16, 1 }, false },
		{ { { 0xff, 0x10, [15] = 1 }, 16, 1 }, false }, { { { 0xfe, 0x02, [15] = 1 }, 16, 1 }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (msg_group_valid(&groups[i].g) != groups[i].valid)
			fail_msg("group %zu", i);
}

static void minimal_messages_pass(void **state)
{
	struct msg m = { .type = MSG_HEARTBEAT };

	(void)state;
	for (int i = 0; i < 2; i++) {
		_cleanup_secret_ struct akm_secret s = encoded(&m);

		assert_true(canonical(s.data, s.len, "minimal", (size_t)i));
		m = (struct msg) { .type = MSG_INVENTORY };
	}
}

static void nothing_stays_in_the_secure_heap(void **state)
{
	size_t before = CRYPTO_secure_used();

	(void)state;
	for (enum msg_type t = MSG_HELLO; t <= MSG_TYPE_MAX; t++) {
		struct akm_secret s = encoded_sample(t);

		for (size_t len = 0; len <= s.len; len++)
			canonical(s.data, len, msg_type_name(t), len);
		akm_secret_free(&s);
	}
	assert_int_equal(CRYPTO_secure_used(), before);
}

static void schema_has_the_same_numbers(void **state)
{
	static const int body[] = { 2, -1 };

	(void)state;
	cddl_load();
	for (enum msg_type t = MSG_HELLO; t <= MSG_TYPE_MAX; t++) {
		_cleanup_secret_ struct akm_secret s = encoded_sample(t);
		const char *rule = cddl_link_rule(t);

		assert_string_equal(rule, msg_type_name(t));
		cddl_check(rule, s.data, s.len, body, true);
	}
	cddl_unload();
}

static int setup(void **state)
{
	(void)state;
	return akm_secret_init(1 << 20);
}

static int teardown(void **state)
{
	(void)state;
	akm_secret_exit();
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_flipped_bit_is_refused_or_means_something_else),
		cmocka_unit_test(every_other_byte_value_is_survived),
		cmocka_unit_test(trailing_bytes_are_refused),
		cmocka_unit_test(bad_messages_are_refused_and_named),
		cmocka_unit_test(a_policy_has_a_size),
		cmocka_unit_test(oversized_message_is_refused),
		cmocka_unit_test(contradicting_prepares_are_refused),
		cmocka_unit_test(whence_it_was_refused),
		cmocka_unit_test(writer_refuses_what_the_reader_would),
		cmocka_unit_test(every_message_comes_back_as_it_was),
		cmocka_unit_test(prepare_keeps_its_meaning),
		cmocka_unit_test(strict_freshness_is_not_written),
		cmocka_unit_test(no_group_is_not_written),
		cmocka_unit_test(groups_beyond_the_node),
		cmocka_unit_test(minimal_messages_pass),
		cmocka_unit_test(nothing_stays_in_the_secure_heap),
		cmocka_unit_test(schema_has_the_same_numbers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
