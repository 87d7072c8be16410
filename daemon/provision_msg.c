// SPDX-License-Identifier: GPL-2.0
#include "provision_msg.h"

#include "quote.h"
#include "wire.h"

#define ERRNO_MAX 4095

/* ---- 1 hello ---- */

static void put_hello(struct wire_writer *w, const struct provision_msg *m)
{
	wr_map(w, 3u + !!m->hello.pcrs);
	wr_key_uint(w, 1, PROVISION_VERSION);
	wr_key_name(w, 2, m->hello.issuer);
	wr_key_bytes(w, 3, m->hello.nonce, sizeof(m->hello.nonce));
	if (m->hello.pcrs)
		wr_key_range(w, 4, m->hello.pcrs, 1, QUOTE_PCRS_ALL);
}

/* First of all, so that another version is told apart from garbage */
static int get_version(struct wire_reader *c)
{
	uint64_t v;
	int r;

	r = rd_key_u64(c, 1, "version", 0, UINT64_MAX, &v);
	if (r < 0)
		return r;
	if (v != PROVISION_VERSION)
		return rd_refuse(c, "version", "is %llu, this side speaks %d", (unsigned long long)v,
				 PROVISION_VERSION);
	return 0;
}

static int get_pcrs(struct wire_reader *c, uint32_t *ret)
{
	return rd_has(c, 4) ? rd_key_u32(c, 4, "pcrs", 1, QUOTE_PCRS_ALL, ret) : 0;
}

static int get_hello(struct wire_reader *c, struct provision_msg *m)
{
	return get_version(c) ?:
	       rd_key_name(c, 2, "issuer", m->hello.issuer, sizeof(m->hello.issuer)) ?:
	       rd_key_bytes(c, 3, "nonce", m->hello.nonce, sizeof(m->hello.nonce)) ?:
	       get_pcrs(c, &m->hello.pcrs);
}

/* ---- 2 identity ---- */

static void put_identity(struct wire_writer *w, const struct provision_msg *m)
{
	const struct provision_identity *i = &m->identity;

	wr_map(w, 6u + !!i->ek_cert.len + i->provisioned + !!i->ak_public.len);
	wr_key_uint(w, 1, PROVISION_VERSION);
	wr_key_bytes(w, 2, i->nonce, sizeof(i->nonce));
	wr_key_bytes(w, 3, i->hardware, sizeof(i->hardware));
	wr_key_text(w, 4, i->sources);
	wr_key_blob(w, 5, &i->ek_public);
	if (i->ek_cert.len)
		wr_key_blob(w, 6, &i->ek_cert);
	wr_key_blob(w, 7, &i->parent_public);
	if (i->provisioned)
		wr_key_bytes(w, 8, i->id, sizeof(i->id));
	if (i->ak_public.len)
		wr_key_blob(w, 9, &i->ak_public);
}

/* A blob that may be absent */
static int get_optional(struct wire_reader *c, uint64_t key, const char *name, struct akm_blob *ret)
{
	return rd_has(c, key) ? rd_key_blob(c, key, name, 1, BLOB_MAX, ret) : 0;
}

static int get_provisioned(struct wire_reader *c, struct provision_identity *i)
{
	i->provisioned = rd_has(c, 8);
	return i->provisioned ? rd_key_bytes(c, 8, "provisioned", i->id, sizeof(i->id)) : 0;
}

static int get_identity(struct wire_reader *c, struct provision_msg *m)
{
	struct provision_identity *i = &m->identity;

	return get_version(c) ?:
	       rd_key_bytes(c, 2, "nonce", i->nonce, sizeof(i->nonce)) ?:
	       rd_key_bytes(c, 3, "hardware", i->hardware, sizeof(i->hardware)) ?:
	       rd_key_text(c, 4, "sources", i->sources, sizeof(i->sources)) ?:
	       rd_key_blob(c, 5, "ek-public", 1, BLOB_MAX, &i->ek_public) ?:
	       get_optional(c, 6, "ek-cert", &i->ek_cert) ?:
	       rd_key_blob(c, 7, "parent-public", 1, BLOB_MAX, &i->parent_public) ?:
	       get_provisioned(c, i) ?:
	       get_optional(c, 9, "ak-public", &i->ak_public);
}

static void free_identity(struct provision_msg *m)
{
	akm_blob_free(&m->identity.ek_public);
	akm_blob_free(&m->identity.ek_cert);
	akm_blob_free(&m->identity.parent_public);
	akm_blob_free(&m->identity.ak_public);
}

/* ---- 3 challenge ---- */

static void put_challenge(struct wire_writer *w, const struct provision_msg *m)
{
	const struct provision_challenge *h = &m->challenge;

	wr_map(w, 1u + !!h->ak.len);
	wr_key_blob(w, 1, &h->parent);
	if (h->ak.len)
		wr_key_blob(w, 2, &h->ak);
}

static int get_challenge(struct wire_reader *c, struct provision_msg *m)
{
	return rd_key_blob(c, 1, "credential", 1, BLOB_MAX, &m->challenge.parent) ?:
	       get_optional(c, 2, "ak-credential", &m->challenge.ak);
}

static void free_challenge(struct provision_msg *m)
{
	akm_blob_free(&m->challenge.parent);
	akm_blob_free(&m->challenge.ak);
}

/* ---- 4 proof, 7 commit ---- */

static void put_mac(struct wire_writer *w, const struct provision_msg *m)
{
	wr_map(w, 1);
	wr_key_bytes(w, 1, m->mac, sizeof(m->mac));
}

static int get_mac(struct wire_reader *c, struct provision_msg *m)
{
	return rd_key_bytes(c, 1, "mac", m->mac, sizeof(m->mac));
}

/* ---- 5 grant ---- */

static void put_offer(struct wire_writer *w, const struct provision_msg *m)
{
	const struct provision_offer *o = &m->offer;

	if (o->n_addresses > ENDPOINTS_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 7u + !!o->domain.len);
	wr_key_bytes(w, 1, o->id, sizeof(o->id));
	wr_key_text(w, 2, o->label);
	wr_key_name(w, 3, o->subject);
	wr_key_blob(w, 4, &o->key);
	if (o->domain.len)
		wr_key_blob(w, 5, &o->domain);
	wr_key_array(w, 6, o->n_addresses);
	for (size_t i = 0; i < o->n_addresses; i++)
		wr_text(w, o->addresses[i]);
	wr_key_uint(w, 7, o->term);
	wr_key_bytes(w, 8, o->hardware, sizeof(o->hardware));
}

static int get_addresses(struct wire_reader *c, struct provision_offer *o)
{
	size_t n;
	int r;

	r = rd_key_array(c, 6, "addresses", 0, ENDPOINTS_MAX, &n);
	for (size_t i = 0; !r && i < n; i++)
		r = rd_text(c, "", o->addresses[i], sizeof(o->addresses[i]));
	r = r ?: rd_leave(c);
	if (!r)
		o->n_addresses = n;
	return r;
}

static int get_offer(struct wire_reader *c, struct provision_msg *m)
{
	struct provision_offer *o = &m->offer;

	return rd_key_bytes(c, 1, "id", o->id, sizeof(o->id)) ?:
	       rd_key_text(c, 2, "label", o->label, sizeof(o->label)) ?:
	       rd_key_name(c, 3, "subject", o->subject, sizeof(o->subject)) ?:
	       rd_key_blob(c, 4, "key", 1, BLOB_MAX, &o->key) ?:
	       get_optional(c, 5, "domain", &o->domain) ?:
	       get_addresses(c, o) ?:
	       rd_key_u64(c, 7, "term", 0, UINT64_MAX, &o->term) ?:
	       rd_key_bytes(c, 8, "hardware", o->hardware, sizeof(o->hardware));
}

static void free_offer(struct provision_msg *m)
{
	akm_blob_free(&m->offer.key);
	akm_blob_free(&m->offer.domain);
}

/* ---- 6 confirm ---- */

static void put_confirm(struct wire_writer *w, const struct provision_msg *m)
{
	const struct provision_confirm *o = &m->confirm;

	wr_map(w, o->attest.len ? 3 : 1);
	wr_key_bytes(w, 1, o->mac, sizeof(o->mac));
	if (!o->attest.len)
		return;
	wr_key_blob(w, 2, &o->attest);
	wr_key_blob(w, 3, &o->signature);
}

static int get_confirm(struct wire_reader *c, struct provision_msg *m)
{
	struct provision_confirm *o = &m->confirm;
	int r = rd_key_bytes(c, 1, "mac", o->mac, sizeof(o->mac));

	if (r < 0 || !rd_has(c, 2))
		return r;
	return rd_key_blob(c, 2, "attest", 1, QUOTE_MAX, &o->attest) ?:
	       rd_key_blob(c, 3, "signature", 1, QUOTE_MAX, &o->signature);
}

static void free_confirm(struct provision_msg *m)
{
	akm_blob_free(&m->confirm.attest);
	akm_blob_free(&m->confirm.signature);
}

/* ---- 8 done, 9 error ---- */

static void put_done(struct wire_writer *w, const struct provision_msg *m)
{
	(void)m;
	wr_map(w, 0);
}

static int get_done(struct wire_reader *c, struct provision_msg *m)
{
	(void)c;
	(void)m;
	return 0;
}

static void put_failure(struct wire_writer *w, const struct provision_msg *m)
{
	wr_map(w, 3);
	wr_key_range(w, 1, (uint64_t)m->failure.code, 1, ERRNO_MAX);
	wr_key_text(w, 2, m->failure.field);
	wr_key_text(w, 3, m->failure.reason);
}

static int get_failure(struct wire_reader *c, struct provision_msg *m)
{
	struct provision_failure *f = &m->failure;
	uint32_t code;
	int r;

	r = rd_key_u32(c, 1, "code", 1, ERRNO_MAX, &code) ?:
	    rd_key_text(c, 2, "field", f->field, sizeof(f->field)) ?:
	    rd_key_text(c, 3, "reason", f->reason, sizeof(f->reason));
	if (r < 0)
		return r;
	f->code = (int)code;
	return 0;
}

/* ---- all of them ---- */

static const struct codec {
	const char *name;
	void (*encode)(struct wire_writer *w, const struct provision_msg *m);
	int (*decode)(struct wire_reader *c, struct provision_msg *m);
	void (*free)(struct provision_msg *m);
} codecs[] = {
	[PROVISION_HELLO] = { "hello", put_hello, get_hello, NULL },
	[PROVISION_IDENTITY] = { "identity", put_identity, get_identity, free_identity },
	[PROVISION_CHALLENGE] = { "challenge", put_challenge, get_challenge, free_challenge },
	[PROVISION_PROOF] = { "proof", put_mac, get_mac, NULL },
	[PROVISION_GRANT] = { "grant", put_offer, get_offer, free_offer },
	[PROVISION_CONFIRM] = { "confirm", put_confirm, get_confirm, free_confirm },
	[PROVISION_COMMIT] = { "commit", put_mac, get_mac, NULL },
	[PROVISION_DONE] = { "done", put_done, get_done, NULL },
	[PROVISION_ERROR] = { "error", put_failure, get_failure, NULL },
};

static const struct codec *codec(unsigned int type)
{
	return type < ARRAY_SIZE(codecs) && codecs[type].name ? &codecs[type] : NULL;
}

const char *provision_type_name(unsigned int type)
{
	const struct codec *k = codec(type);

	return k ? k->name : "unknown";
}

int provision_msg_encode(const struct provision_msg *m, struct akm_blob *ret)
{
	_cleanup_secret_ struct akm_secret raw = {};
	const struct codec *k = codec(m->type);
	struct wire_writer w;
	int r;

	if (!k)
		return -EINVAL;
	wr_init(&w, FRAME_PAYLOAD_MAX);
	k->encode(&w, m);
	r = wr_finish(&w, &raw);
	return r ?: akm_blob_dup(raw.data, raw.len, ret);
}

int provision_msg_decode(unsigned int type, const uint8_t *data, size_t len, struct provision_msg *ret,
			 struct akm_error *err)
{
	_cleanup_provision_msg_ struct provision_msg m = {};
	const struct codec *k = codec(type);
	struct wire_reader c;
	int r;

	if (!k)
		return akm_error_set(err, -EBADMSG, "frame", "has the unknown type %u", type);
	m.type = (enum provision_type)type;
	rd_init(&c, k->name, data, len, err);
	r = rd_map(&c, "") ?: k->decode(&c, &m) ?: rd_leave(&c) ?: rd_end(&c);
	if (r < 0)
		return r;
	*ret = m;
	m = (struct provision_msg) {};
	return 0;
}

void provision_msg_free(struct provision_msg *m)
{
	const struct codec *k = codec(m->type);

	if (k && k->free)
		k->free(m);
	*m = (struct provision_msg) {};
}
