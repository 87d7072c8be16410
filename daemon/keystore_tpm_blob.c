// SPDX-License-Identifier: GPL-2.0
/*
 * The blobs that the keystore hands out, for stores and peers to carry:
 *
 *   "AKMK" | version (8) | type (8) | fields … | SHA-256 of all before
 *   field: tag (8) | length (16) | a marshalled TPM structure
 *
 * A type has exactly the fields of its row below, in that order. The digest finds
 * bit rot; forgery is for the TPM to find, whose own integrity values cover what
 * is inside. That digest also lets "damaged" and "for another TPM" be told apart.
 */
#include "keystore_tpm.h"

#include <openssl/crypto.h>
#include <tss2/tss2_mu.h>

static const uint8_t magic[] = { 'A', 'K', 'M', 'K', KS_BLOB_VERSION };

#define TYPE_AT		sizeof(magic)
#define FIELDS_AT	(sizeof(magic) + 1)
#define FIELD_HEADER	3
#define FIELDS_MAX	5

enum kind { KIND_NAME, KIND_PUBLIC, KIND_PRIVATE, KIND_DATA, KIND_SECRET, KIND_CREDENTIAL };

struct field {
	uint8_t tag;
	uint8_t kind;
	uint16_t offset;
};

#define FIELD(t, k, member) { (t), (k), offsetof(struct ks_parts, member) }
#define F_PARENT	FIELD(1, KIND_NAME, parent)
#define F_PUBLIC	FIELD(2, KIND_PUBLIC, public)
#define F_PRIVATE	FIELD(3, KIND_PRIVATE, private)
#define F_SIGNER_PUBLIC	FIELD(4, KIND_PUBLIC, signer_public)
#define F_SIGNER_PRIVATE FIELD(5, KIND_PRIVATE, signer_private)
#define F_INNER		FIELD(6, KIND_DATA, inner)
#define F_SEED		FIELD(7, KIND_SECRET, seed)
#define F_CREDENTIAL	FIELD(8, KIND_CREDENTIAL, credential)

/* Tag 0 ends a row. */
static const struct field schema[][FIELDS_MAX + 1] = {
	[KS_BLOB_ROOT_DOMAIN] = { F_PARENT, F_PUBLIC, F_PRIVATE, F_SIGNER_PUBLIC, F_SIGNER_PRIVATE },
	[KS_BLOB_DOMAIN] = { F_PARENT, F_PUBLIC, F_PRIVATE },
	[KS_BLOB_KEY] = { F_PARENT, F_PUBLIC, F_PRIVATE },
	[KS_BLOB_SEALED] = { F_PARENT, F_PUBLIC, F_PRIVATE },
	[KS_BLOB_DUP_DOMAIN] = { F_PARENT, F_PUBLIC, F_PRIVATE, F_INNER, F_SEED },
	[KS_BLOB_DUP_KEY] = { F_PARENT, F_PUBLIC, F_PRIVATE, F_INNER, F_SEED },
	[KS_BLOB_CHALLENGE] = { F_CREDENTIAL, F_SEED },
	[KS_BLOB_AK] = { F_PARENT, F_PUBLIC, F_PRIVATE },
};

static TSS2_RC marshal(enum kind kind, const void *part, uint8_t *buf, size_t size, size_t *at)
{
	switch (kind) {
	case KIND_NAME:
		return Tss2_MU_TPM2B_NAME_Marshal(part, buf, size, at);
	case KIND_PUBLIC:
		return Tss2_MU_TPM2B_PUBLIC_Marshal(part, buf, size, at);
	case KIND_PRIVATE:
		return Tss2_MU_TPM2B_PRIVATE_Marshal(part, buf, size, at);
	case KIND_DATA:
		return Tss2_MU_TPM2B_DATA_Marshal(part, buf, size, at);
	case KIND_SECRET:
		return Tss2_MU_TPM2B_ENCRYPTED_SECRET_Marshal(part, buf, size, at);
	case KIND_CREDENTIAL:
		return Tss2_MU_TPM2B_ID_OBJECT_Marshal(part, buf, size, at);
	}
	return TSS2_MU_RC_BAD_VALUE;
}

static TSS2_RC unmarshal(enum kind kind, const uint8_t *buf, size_t size, size_t *at, void *part)
{
	switch (kind) {
	case KIND_NAME:
		return Tss2_MU_TPM2B_NAME_Unmarshal(buf, size, at, part);
	case KIND_PUBLIC:
		return Tss2_MU_TPM2B_PUBLIC_Unmarshal(buf, size, at, part);
	case KIND_PRIVATE:
		return Tss2_MU_TPM2B_PRIVATE_Unmarshal(buf, size, at, part);
	case KIND_DATA:
		return Tss2_MU_TPM2B_DATA_Unmarshal(buf, size, at, part);
	case KIND_SECRET:
		return Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(buf, size, at, part);
	case KIND_CREDENTIAL:
		return Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(buf, size, at, part);
	}
	return TSS2_MU_RC_BAD_VALUE;
}

/*
 * tpm2-tss is lenient about sizes inside a structure. Encoding the result again
 * must give the same bytes, or two encodings would mean one object.
 */
static int decode_part(enum kind kind, const uint8_t *buf, size_t len, void *ret)
{
	uint8_t again[sizeof(TPM2B_PUBLIC) + sizeof(TPM2B_PRIVATE)];
	size_t at = 0, len_again = 0;

	if (len > sizeof(again))
		return -EPROTO;
	if (unmarshal(kind, buf, len, &at, ret) || at != len)
		return -EPROTO;
	if (marshal(kind, ret, again, sizeof(again), &len_again) || len_again != len)
		return -EPROTO;
	return memcmp(buf, again, len) ? -EPROTO : 0;
}

static int encode_field(const struct field *f, const struct ks_parts *parts, uint8_t *buf, size_t size, size_t *at)
{
	size_t start = *at + FIELD_HEADER, end = start;

	if (start > size || marshal(f->kind, (const uint8_t *)parts + f->offset, buf, size, &end))
		return -EIO;	/* sizes are ours or the TPM's: KS_BLOB_MAX holds them all */
	buf[*at] = f->tag;
	buf[*at + 1] = (uint8_t)((end - start) >> 8);
	buf[*at + 2] = (uint8_t)(end - start);
	*at = end;
	return 0;
}

int ks_blob_encode(const struct ks_parts *parts, struct akm_blob *ret)
{
	uint8_t buf[KS_BLOB_MAX];
	size_t at = FIELDS_AT, room = sizeof(buf) - AKM_DIGEST_LEN;
	TPM2B_DIGEST digest;
	int r = 0;

	memcpy(buf, magic, sizeof(magic));
	buf[TYPE_AT] = (uint8_t)parts->type;
	for (const struct field *f = schema[parts->type]; !r && f->tag; f++)
		r = encode_field(f, parts, buf, room, &at);
	r = r ?: ks_sha256(buf, at, &digest);
	if (r)
		return r;
	memcpy(buf + at, digest.buffer, AKM_DIGEST_LEN);
	return akm_blob_dup(buf, at + AKM_DIGEST_LEN, ret);
}

static int decode_field(const struct field *f, const uint8_t *buf, size_t end, size_t *at, struct ks_parts *parts)
{
	size_t len;
	int r;

	if (end - *at < FIELD_HEADER || buf[*at] != f->tag)
		return -EPROTO;
	len = (size_t)buf[*at + 1] << 8 | buf[*at + 2];
	*at += FIELD_HEADER;
	if (len > end - *at)
		return -EPROTO;
	r = decode_part(f->kind, buf + *at, len, (uint8_t *)parts + f->offset);
	*at += len;
	return r;
}

int ks_blob_decode(const struct akm_blob *blob, enum ks_blob_type type, struct ks_parts *ret)
{
	struct ks_parts parts = { .type = type };
	size_t at = FIELDS_AT, end;
	TPM2B_DIGEST digest;
	int r;

	if (blob->len < FIELDS_AT + AKM_DIGEST_LEN || blob->len > KS_BLOB_MAX ||
	    memcmp(blob->data, magic, sizeof(magic)))
		return -EPROTO;
	end = blob->len - AKM_DIGEST_LEN;
	r = ks_sha256(blob->data, end, &digest);
	if (r)
		return r;
	if (CRYPTO_memcmp(digest.buffer, blob->data + end, AKM_DIGEST_LEN))
		return -EBADMSG;
	if (blob->data[TYPE_AT] != type)
		return -EPROTO;
	for (const struct field *f = schema[type]; !r && f->tag; f++)
		r = decode_field(f, blob->data, end, &at, &parts);
	if (r)
		return r;
	if (at != end)
		return -EPROTO;
	*ret = parts;
	return 0;
}

int ks_public_decode(const struct akm_blob *blob, TPM2B_PUBLIC *ret)
{
	TPM2B_PUBLIC public = {};
	int r = decode_part(KIND_PUBLIC, blob->data, blob->len, &public);

	if (r)
		return r;
	*ret = public;
	return 0;
}

int ks_public_encode(const TPM2B_PUBLIC *public, struct akm_blob *ret)
{
	uint8_t buf[sizeof(*public)];
	size_t len = 0;

	if (Tss2_MU_TPM2B_PUBLIC_Marshal(public, buf, sizeof(buf), &len))
		return -EIO;
	return akm_blob_dup(buf, len, ret);
}
