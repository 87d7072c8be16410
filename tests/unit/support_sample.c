// SPDX-License-Identifier: GPL-2.0
#include "support_sample.h"

static void must(int r)
{
	if (r < 0)
		abort();
}

/* ---- link ---- */

static void *copy(const void *p, size_t len)
{
	void *q = malloc(len);

	if (!q)
		abort();
	return memcpy(q, p, len);
}

static struct msg_endpoint endpoint(uint16_t port)
{
	return (struct msg_endpoint) { { 192, 0, 2, 1 }, 4, port };
}

static struct msg_prefix prefix6(void)
{
	return (struct msg_prefix) { { 0x20, 0x01, 0x0d, 0xb8 }, 16, 32 };
}

static void sample_prepare(struct msg_atr_prepare *p)
{
	static const struct msg_pair pairs[] = { { 1 }, { 300 } };
	struct msg_member m[] = { { .index = 1, .name = "A" }, { .index = 2, .name = "B" }, { .index = 300, .name = "C" } };

	*p = (struct msg_atr_prepare) {
		.atr_id = 1, .label = "A-B-C", .definition = 7, .suite = 1, .port = 7645,
		.epoch_interval_ms = 60000, .epoch_grace_ms = 5000, .self = 2, .generation = 3, .key_id = 0xdeadbeef,
		.epoch = 1ULL << 33, .term = 2, .freshness = 2,
		.group = { { 239, 7, 6, 45 }, 4, 3 }, .n_addresses = 1, .n_members = 3, .n_pairs = 2,
	};
	p->addresses[0] = (struct msg_prefix) { { 10, 0, 0, 2 }, 4, 24 };
	for (size_t i = 0; i < 3; i++) {
		m[i].n_prefixes = 2;
		m[i].prefixes[0] = (struct msg_prefix) { { 10, 0, 0, (uint8_t)(i + 1) }, 4, 32 };
		m[i].prefixes[1] = prefix6();
		m[i].prefixes[1].prefix_len = 128;
		m[i].prefixes[1].addr[15] = (uint8_t)i;
	}
	m[0].endpoint = endpoint(7645);
	p->members = copy(m, sizeof(m));
	p->pairs = copy(pairs, sizeof(pairs));
	must(akm_secret_new(AKM_KEY_LEN, &p->chain));
	must(akm_secret_new(2 * AKM_KEY_LEN, &p->pair_chains));
	memset(p->chain.data, 0xc1, AKM_KEY_LEN);
	memset(p->pair_chains.data, 0xd1, AKM_KEY_LEN);
	memset(p->pair_chains.data + AKM_KEY_LEN, 0xd2, AKM_KEY_LEN);
}

static struct quote_baseline sample_baseline(void)
{
	struct quote_baseline b = {
		.pcrs = 0x95, .facts = { .digest = { 7 }, .firmware = UINT64_MAX, .clock_ms = 1000, .resets = 5, .restarts = 2 },
	};

	must(akm_blob_dup("ak", 2, &b.ak_public));
	must(akm_blob_dup("signer", 6, &b.signer));
	return b;
}

static void sample_inventory(struct msg_inventory *v)
{
	struct msg_inventory_node n[2] = { { .name = "A", .link_n = 2, .label = "M-A", .endpoint = endpoint(0) },
					   { .name = "B", .evicted = true, .fixed = true } };
	struct msg_inventory_member m[2] = { { .index = 0 }, { .index = 7, .removed = true, .n_prefixes = 1,
					       .prefixes = { { { 192, 168, 5 }, 4, 24 } } } };
	struct msg_inventory_atr a = { .atr_id = 1, .label = "A-B", .generation = 4, .definition = 9, .json = "{\"suite\": 1}" };

	for (size_t i = 0; i < 2; i++) {
		memset(n[i].id, 0x10 + (int)i, sizeof(n[i].id));
		memset(n[i].hardware, 0x20 + (int)i, sizeof(n[i].hardware));
		memset(m[i].node, 0x10 + (int)i, sizeof(m[i].node));
		must(akm_blob_dup("wrapped", 7, &n[i].key));
		must(akm_blob_dup("name", i ? 0 : 4, &n[i].ek_name));
	}
	n[0].attest = sample_baseline();
	must(akm_blob_dup("parent", 6, &n[0].parent_public));
	a.n_members = 2;
	a.members = copy(m, sizeof(m));
	*v = (struct msg_inventory) { .version = 5, .n_nodes = 2, .nodes = copy(n, sizeof(n)), .n_atrs = 1,
				      .atrs = copy(&a, sizeof(a)), .locked = "command" };
}

static void sample_reports(struct msg *m)
{
	struct msg_atr_state s = { 1, 3, 4, 1ULL << 40, 0xffffff, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14 };
	struct msg_event e[2] = {
		{ .seq = 1, .time_ms = 1700000000000, .source = "EdgeNodeA", .kind = "auth-fail", .severity = SEV_ALERT,
		  .atr_id = 1, .member = 0xfffe, .count = 12, .text = "12 packets from 192.0.2.7 do not verify",
		  .packet = { .len = 92, .n = 16, .bytes = { 0x11, 5, 0, 3, 0, 0, 0x12, 0x34, 0, 0, 1, 0, 0, 0, 0, 77 } } },
		{ .seq = UINT64_MAX, .source = "B", .kind = "rekey", .severity = SEV_INFO, .member = -1 },
	};

	if (m->type == MSG_HEARTBEAT)
		m->heartbeat = (struct msg_heartbeat) { 5, 60000, 1, copy(&s, sizeof(s)), true };
	else
		m->events = (struct msg_events) { 2, copy(e, sizeof(e)) };
}

struct msg sample_msg(enum msg_type type)
{
	struct msg m = { .type = type, .request = 0x01020304 };

	switch (type) {
	case MSG_HELLO:
		m.hello = (struct msg_hello) { LINK_VERSION, ROLE_NODE, "EdgeNodeA", 3, 1, 1, { endpoint(0) }, 0x1122334455667788,
						FEATURES_ALL };
		break;
	case MSG_OK:
		break;
	case MSG_ERROR:
		m.error = (struct msg_error) { ESTALE, "generation", "is older than the installed one" };
		break;
	case MSG_HEARTBEAT:
	case MSG_EVENTS:
		sample_reports(&m);
		break;
	case MSG_ATR_PREPARE:
		sample_prepare(&m.prepare);
		break;
	case MSG_ATR_ACTIVATE:
		m.activate = (struct msg_atr_activate) { 1, 3, 5000 };
		break;
	case MSG_ATR_RETIRE:
		m.retire = (struct msg_atr_retire) { 1, 2 };
		break;
	case MSG_ATR_DELETE:
		m.del = (struct msg_atr_delete) { 1 };
		break;
	case MSG_LINK_NEXT:
		m.next = (struct msg_link_next) { 2 };
		break;
	case MSG_INVENTORY:
		sample_inventory(&m.inventory);
		break;
	case MSG_TAKEOVER:
		sample_inventory(&m.takeover.inventory);
		snprintf(m.takeover.from, sizeof(m.takeover.from), "MgmtMod");
		break;
	case MSG_ATR_ARM:
		m.arm = (struct msg_atr_arm) { 1, 4 };
		break;
	case MSG_QUOTE_ASK:
		m.ask = (struct msg_quote_ask) { { 8 }, QUOTE_PCRS_ALL };
		break;
	case MSG_QUOTE:
		must(akm_blob_dup("attest", 6, &m.quote.quote.attest));
		must(akm_blob_dup("signature", 9, &m.quote.quote.signature));
		break;
	case MSG_POLICY:
		m.policy.number = 3;
		must(akm_blob_dup("budget 6\n", 9, &m.policy.text));
		break;
	case MSG_POLICY_HELD:
		m.held = (struct msg_policy_held) { 3, { 9 } };
		break;
	case MSG_FEATURES:
		m.features = (struct msg_features) { FEATURES_ALL };
		break;
	case MSG_ATR_ROLL:
		m.roll = (struct msg_atr_roll) { 1, 3, 8 };
		break;
	case MSG_ROTATE:
		m.rotate = (struct msg_rotate) { .n = 2, .nonce = { 9 } };
		must(akm_blob_dup("wrapped", 7, &m.rotate.wrapped));
		break;
	}
	return m;
}

/* ---- provisioning ---- */

static struct akm_blob blob(const char *s)
{
	struct akm_blob b = {};

	must(akm_blob_dup(s, strlen(s), &b));
	return b;
}

struct provision_msg sample_provision_msg(enum provision_type type)
{
	struct provision_msg m = { .type = type };

	switch (type) {
	case PROVISION_HELLO:
		m.hello = (struct provision_hello) { .issuer = "MgmtMod", .nonce = { 1 }, .pcrs = 0x95 };
		break;
	case PROVISION_IDENTITY:
		m.identity = (struct provision_identity) {
			.nonce = { 2 }, .hardware = { 3 }, .sources = "ek,dmi:product_uuid", .ek_public = blob("ek"),
			.ek_cert = blob("cert"), .parent_public = blob("parent"), .provisioned = true, .id = { 4 },
			.ak_public = blob("ak"),
		};
		break;
	case PROVISION_CHALLENGE:
		m.challenge = (struct provision_challenge) { blob("credential"), blob("ak-credential") };
		break;
	case PROVISION_PROOF:
	case PROVISION_COMMIT:
		memset(m.mac, 0x5a, sizeof(m.mac));
		break;
	case PROVISION_CONFIRM:
		m.confirm = (struct provision_confirm) { { 0x5a }, blob("attest"), blob("signature") };
		break;
	case PROVISION_GRANT:
		m.offer = (struct provision_offer) {
			.id = { 5 }, .label = "MgmtMod-A", .subject = "A", .key = blob("key"), .domain = blob("domain"),
			.n_addresses = 2, .addresses = { "192.0.2.1:7646", "[::1]:1" }, .term = 3, .hardware = { 6 },
		};
		break;
	case PROVISION_DONE:
		break;
	case PROVISION_ERROR:
		m.failure = (struct provision_failure) { EEXIST, "state", "is provisioned" };
		break;
	}
	return m;
}
