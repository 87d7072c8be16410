// SPDX-License-Identifier: GPL-2.0
/* seeds DIR: writes a corpus to start from for each fuzz target, DIR/TARGET/NAME. */
#include <sys/stat.h>

#include "frame.h"
#include "fuzz.h"
#include "node_state.h"
#include "record.h"
#include "../unit/support_sample.h"

#include "../unit/keystore_fake.c"

static const char *top;

static void seed(const char *target, const char *name, unsigned int n, const void *data, size_t len)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", top, target);
	must(!mkdir(path, 0777) || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/%s/%s-%u", top, target, name, n);
	f = fopen(path, "we");
	must(f && fwrite(data, 1, len, f) == len);
	must(!fclose(f));
}

static void link_messages(void)
{
	for (enum msg_type t = MSG_HELLO; t <= MSG_TYPE_MAX; t++) {
		_cleanup_msg_ struct msg m = sample_msg(t), back = {};
		_cleanup_secret_ struct akm_secret s = {};
		struct akm_error err;

		must(!msg_encode(&m, &s) && !msg_decode(s.data, s.len, &back, &err));
		seed("fuzz_msg", "sample", t, s.data, s.len);
	}
}

static void provision_messages(void)
{
	for (enum provision_type t = PROVISION_HELLO; t <= PROVISION_ERROR; t++) {
		_cleanup_provision_msg_ struct provision_msg m = sample_provision_msg(t);
		_cleanup_(akm_blob_free) struct akm_blob payload = {}, raw = {};
		struct frame f = { 0x01020304, (uint16_t)t, NULL, 0 };
		uint8_t typed[4096];

		must(!provision_msg_encode(&m, &payload) && payload.len < sizeof(typed));
		typed[0] = (uint8_t)t;
		memcpy(typed + 1, payload.data, payload.len);
		seed("fuzz_provision_msg", "sample", t, typed, payload.len + 1);
		f.payload = payload.data;
		f.len = payload.len;
		must(!frame_encode(&f, &raw));
		seed("fuzz_frame", "sample", t, raw.data, raw.len);
	}
}

/* Nothing happens; one thing happens to each frame */
static void exchanges(void)
{
	uint8_t script[16];

	memset(script, 15, sizeof(script));
	seed("fuzz_provision", "plain", 0, script, sizeof(script));
	for (unsigned int i = 0; i < 8; i++) {
		for (uint8_t action = 1; action < 8; action++) {
			memset(script, 15, sizeof(script));
			script[i] = action;
			seed("fuzz_provision", "action", 8 * i + action, script, sizeof(script));
		}
	}
}

static void public_areas(void)
{
	static const char padding[64];

	for (unsigned int rsa = 0; rsa < 2; rsa++) {
		struct fake_tpm *t = fake_tpm_new(rsa);
		const struct akm_blob *p = fake_tpm_ek_public(t);
		uint8_t b[1024] = { (uint8_t)(p->len >> 8), (uint8_t)p->len };

		memcpy(b + 2, p->data, p->len);
		memcpy(b + 2 + p->len, padding, sizeof(padding));
		seed("fuzz_tpmpub", "ek", rsa, b, 2 + p->len + sizeof(padding));
		seed("fuzz_keystore", "public", rsa, p->data, p->len);
		fake_tpm_free(t);
	}
}

static void quotes(void)
{
	_cleanup_(keystore_quote_free) struct keystore_quote q = {};
	static const uint8_t qualifying[32];
	struct fake_tpm *t = fake_tpm_new(false);
	uint8_t b[2048];
	TPMS_ATTEST a;

	make_ak(t);
	fill_attest(t, 0x95, qualifying, &a);
	attest_as_ak(t->ak, &a, &q);
	put16(b, (unsigned int)q.attest.len);
	memcpy(b + 2, q.attest.data, q.attest.len);
	memcpy(b + 2 + q.attest.len, q.signature.data, q.signature.len);
	seed("fuzz_quote", "sample", 0, b, 2 + q.attest.len + q.signature.len);
	fake_tpm_free(t);
}

static void records(void)
{
	struct record r = { .label = "MgmtMod-A", .issuer = "MgmtMod", .subject = "A", .term = 1, .link_n = 2,
			    .addresses = { "192.0.2.1:7646" }, .n_addresses = 1 };
	_cleanup_(akm_blob_free) struct akm_blob b = {};

	must(!akm_blob_dup("key", 3, &r.key));
	must(!record_encode(&r, &b));
	seed("fuzz_record", "sample", 0, b.data, b.len);
	record_free(&r);
}

static void node_states(void)
{
	_cleanup_msg_ struct msg m = sample_msg(MSG_ATR_PREPARE);
	_cleanup_secret_ struct akm_secret content = {};
	struct node_state s = { .term = 3 };
	struct node_atr *a = node_state_new(&s);

	must(a);
	must(!node_atr_add(a, &m.prepare));
	node_atr_define(a, &m.prepare);
	must(!node_state_encode(&s, &content));
	seed("fuzz_node_state", "sample", 0, content.data, content.len);
	node_state_clear(&s);
}

static void texts(void)
{
	static const char *const configs[] = {
		"[akmd]\nrole = manager\nname = MgmtMod\n[tpm]\ntcti = device:/dev/tpmrm0\n[hardware]\nsources = ek,mac:eth0\n"
		"[link]\nlisten = [::]:7646\nannounce = 192.0.2.1:7646\n[policy]\nauth_fail = 10/5:rekey\nhold_down = 30\n",
		"[akmd]\nrole = node\nname = A\nlog = debug\n[provision]\nlisten = serial:/dev/ttyUSB0,115200\n"
		"[heartbeat]\ninterval = 1000\nmissed = 5\n",
	};
	static const char *const policies[] = {
		"budget 6\nrule noise\n\twhen auth-fail,replay rate 100/10\n\tthen rekey hold-down 60 budget 6\n"
		"atr 7\n\tbudget 2\n\trule noise off\n",
		"rule r # comment\nwhen node-refused,exhausted rate 3/7 scope member severity warning between 22:00-06:30\n"
		"then alert hold-down 5 budget 9\nescalate 4/99 evict\n",
		"limit action rekey\nlimit budget 3\nlimit hold-down 30\nlimit atr 7,9\nrule a locked\nwhen clone rate 1/1\n"
		"then rekey\nrule b\nwhen replay rate 1/1\nthen rekey\natr 7\nrule c\nwhen prefix rate 1/1\nthen alert\n|"
		"budget 2\nrule b off\natr 7\nrule c\nwhen prefix rate 1/1\nthen rekey budget 2\n",
	};
	static const char *const addresses[] = { "192.0.2.1:7646", "[2001:db8::1]:7646", "[fe80::1%lo]:1" };
	static const char identity[] =
		"akm1:a1010203000000000000000000000000:5:a1010203000000000000000000000000";
	static const char *const lines[] = {
		"{\"id\": 1, \"cmd\": \"status\", \"args\": {\"name\": \"A\", \"seconds\": 5, \"members\": [\"A\", \"B\"]}}",
		"{\"id\": 2, \"cmd\": \"status\"}",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(configs); i++)
		seed("fuzz_config", "sample", i, configs[i], strlen(configs[i]));
	for (unsigned int i = 0; i < ARRAY_SIZE(policies); i++)
		seed("fuzz_policy", "sample", i, policies[i], strlen(policies[i]));
	for (unsigned int i = 0; i < ARRAY_SIZE(addresses); i++)
		seed("fuzz_address", "sample", i, addresses[i], strlen(addresses[i]));
	for (unsigned int i = 0; i < ARRAY_SIZE(lines); i++)
		seed("fuzz_ctl", "sample", i, lines[i], strlen(lines[i]));
	seed("fuzz_identity", "sample", 0, identity, strlen(identity));
	seed("fuzz_sealed", "sample", 0, "\0\0\0content", 10);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seeds DIR\n");
		return 2;
	}
	top = argv[1];
	fuzz_secrets();
	link_messages();
	provision_messages();
	exchanges();
	public_areas();
	quotes();
	records();
	node_states();
	texts();
	return 0;
}
