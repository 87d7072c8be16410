// SPDX-License-Identifier: GPL-2.0
#include "record.h"

#include <openssl/sha.h>

#include "durable.h"
#include "wire.h"

void record_free(struct record *r)
{
	akm_blob_free(&r->key);
	akm_blob_free(&r->domain);
	akm_blob_free(&r->ak);
	akm_blob_free(&r->next_key);
}

int record_offer(struct record *r, const struct akm_blob *key, uint64_t term, record_save_fn save, void *ctx)
{
	struct record next = *r;	/* a view, but for what changes */
	int err;

	next.next_key = (struct akm_blob) {};
	next.next_term = key ? term : 0;
	err = key ? akm_blob_dup(key->data, key->len, &next.next_key) : 0;
	err = err ?: save(&next, ctx);
	if (err < 0) {
		akm_blob_free(&next.next_key);
		return err;
	}
	akm_blob_free(&r->next_key);
	*r = next;
	return 0;
}

int record_rotate(struct record *r, uint64_t n, record_save_fn save, void *ctx)
{
	struct record next = *r;	/* likewise */
	int err;

	next.key = r->next_key;
	next.next_key = (struct akm_blob) {};
	next.next_term = 0;
	next.link_n = n;
	err = save(&next, ctx);
	if (err < 0)
		return err;
	akm_blob_free(&r->key);
	*r = next;
	return 0;
}

int record_from_grant(const struct provision_grant *g, struct record *ret)
{
	struct record r = { .term = g->term, .link_n = 1, .n_addresses = g->n_addresses };
	int err;

	memcpy(r.id, g->id, AKM_ID_LEN);
	memcpy(r.label, g->label, sizeof(r.label));
	memcpy(r.issuer, g->issuer, sizeof(r.issuer));
	memcpy(r.subject, g->subject, sizeof(r.subject));
	memcpy(r.hardware, g->hardware, AKM_DIGEST_LEN);
	memcpy(r.addresses, g->addresses, sizeof(r.addresses));
	err = akm_blob_dup(g->key.data, g->key.len, &r.key) ?:
	      akm_blob_dup(g->domain.data, g->domain.len, &r.domain) ?:
	      akm_blob_dup(g->ak.data, g->ak.len, &r.ak);
	if (err < 0) {
		record_free(&r);
		return err;
	}
	*ret = r;
	return 0;
}

/* A wrapped key with a flipped bit would be found out by the TPM, much later and in other words. */
static int add_digest(const struct akm_secret *s, struct akm_blob *ret)
{
	uint8_t *p = malloc(s->len + SHA256_DIGEST_LENGTH);

	if (!p)
		return -ENOMEM;
	memcpy(p, s->data, s->len);
	SHA256(p, s->len, p + s->len);
	*ret = (struct akm_blob){ p, s->len + SHA256_DIGEST_LENGTH };
	return 0;
}

static bool digest_matches(const uint8_t *data, size_t *len)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	if (*len < sizeof(digest))
		return false;
	*len -= sizeof(digest);
	SHA256(data, *len, digest);
	return !memcmp(data + *len, digest, sizeof(digest));
}

int record_encode(const struct record *r, struct akm_blob *ret)
{
	_cleanup_secret_ struct akm_secret s = {};
	struct wire_writer w;
	int err;

	wr_init(&w, RECORD_MAX - SHA256_DIGEST_LENGTH);
	wr_map(&w, 11 + !!r->ak.len + 2 * !!r->next_key.len);
	wr_key_uint(&w, 1, RECORD_VERSION);
	wr_key_bytes(&w, 2, r->id, AKM_ID_LEN);
	wr_key_text(&w, 3, r->label);
	wr_key_name(&w, 4, r->issuer);
	wr_key_name(&w, 5, r->subject);
	wr_key_bytes(&w, 6, r->hardware, AKM_DIGEST_LEN);
	wr_key_uint(&w, 7, r->term);
	wr_key_range(&w, 8, r->link_n, 1, UINT64_MAX);
	wr_key_array(&w, 9, r->n_addresses);
	for (size_t i = 0; i < r->n_addresses; i++)
		wr_text(&w, r->addresses[i]);
	wr_key_blob(&w, 10, &r->key);
	wr_key_blob(&w, 11, &r->domain);
	if (r->ak.len)
		wr_key_blob(&w, 12, &r->ak);
	if (r->next_key.len) {
		wr_key_blob(&w, 13, &r->next_key);
		wr_key_uint(&w, 14, r->next_term);
	}
	err = wr_finish(&w, &s);
	wr_free(&w);
	return err < 0 ? err : add_digest(&s, ret);
}

static int get_addresses(struct wire_reader *c, struct record *r)
{
	size_t n;
	int err = rd_key_array(c, 9, "addresses", 1, ENDPOINTS_MAX, &n);

	if (err < 0)
		return err;
	for (size_t i = 0; !err && i < n; i++)
		err = rd_text(c, "", r->addresses[i], sizeof(r->addresses[i]));
	r->n_addresses = n;
	return err ?: rd_leave(c);
}

static int get_ak(struct wire_reader *c, struct record *r)
{
	return rd_has(c, 12) ? rd_key_blob(c, 12, "ak", 1, BLOB_MAX, &r->ak) : 0;
}

static int get_next(struct wire_reader *c, struct record *r)
{
	if (!rd_has(c, 13))
		return 0;
	return rd_key_blob(c, 13, "next-key", 1, BLOB_MAX, &r->next_key) ?:
	       rd_key_u64(c, 14, "next-term", 0, UINT64_MAX, &r->next_term);
}

int record_decode(const uint8_t *data, size_t len, struct record *ret, struct akm_error *err)
{
	struct record r = {};
	struct wire_reader c;
	uint64_t version;
	int e;

	if (!digest_matches(data, &len))
		return akm_error_set(err, -EBADMSG, "provisioning record",
				     "is damaged: put a copy back, or remove it and provision again");
	rd_init(&c, "provisioning record", data, len, err);
	e = rd_map(&c, "") ?:
	    rd_key_u64(&c, 1, "version", RECORD_VERSION, RECORD_VERSION, &version) ?:
	    rd_key_bytes(&c, 2, "id", r.id, AKM_ID_LEN) ?:
	    rd_key_text(&c, 3, "label", r.label, sizeof(r.label)) ?:
	    rd_key_name(&c, 4, "issuer", r.issuer, sizeof(r.issuer)) ?:
	    rd_key_name(&c, 5, "subject", r.subject, sizeof(r.subject)) ?:
	    rd_key_bytes(&c, 6, "hardware", r.hardware, AKM_DIGEST_LEN) ?:
	    rd_key_u64(&c, 7, "term", 0, UINT64_MAX, &r.term) ?:
	    rd_key_u64(&c, 8, "link-n", 1, UINT64_MAX, &r.link_n) ?:
	    get_addresses(&c, &r) ?:
	    rd_key_blob(&c, 10, "key", 1, BLOB_MAX, &r.key) ?:
	    rd_key_blob(&c, 11, "domain", 0, BLOB_MAX, &r.domain) ?:
	    get_ak(&c, &r) ?:
	    get_next(&c, &r) ?:
	    rd_leave(&c) ?:
	    rd_end(&c);
	if (e < 0) {
		record_free(&r);
		return e;
	}
	*ret = r;
	return 0;
}

int record_save(const char *path, const struct record *r)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	int err = record_encode(r, &b);

	return err < 0 ? err : durable_write(path, b.data, b.len);
}

int record_load(const char *path, struct record *ret, struct akm_error *err)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	int r = durable_read(path, RECORD_MAX, &b);

	if (r < 0)
		return akm_error_set(err, r, path, "%s", strerror(-r));
	return record_decode(b.data, b.len, ret, err);
}
