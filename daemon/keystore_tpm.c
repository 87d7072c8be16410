// SPDX-License-Identifier: GPL-2.0
/* The keystore on a TPM 2.0, by ESAPI: open, identity, proof, HMAC, sealing. */
#include "keystore_tpm.h"

#include <openssl/crypto.h>

#define HMAC_MSG_MAX	1024	/* TPM2B_MAX_BUFFER: one TPM2_HMAC, no sequence */
#define SEAL_MAX	64
#define CREDENTIAL_LEN	32

static void digest_freep(TPM2B_DIGEST **d)
{
	if (*d)
		OPENSSL_cleanse(*d, sizeof(**d));
	Esys_Free(*d);
}

static void sensitive_freep(TPM2B_SENSITIVE_DATA **s)
{
	if (*s)
		OPENSSL_cleanse(*s, sizeof(**s));
	Esys_Free(*s);
}

static void sensitive_create_wipe(TPM2B_SENSITIVE_CREATE *s)
{
	OPENSSL_cleanse(s, sizeof(*s));
}

static void digest_wipe(TPM2B_DIGEST *d)
{
	OPENSSL_cleanse(d, sizeof(*d));
}

static int configure(const struct keystore_config *cfg, struct keystore *ks)
{
	const struct akm_blob *pinned = cfg->pinned_parent;

	ks->conf = strdup(cfg->tcti ?: "device:/dev/tpmrm0");
	if (!ks->conf)
		return -ENOMEM;
	ks->nv[KEYSTORE_INCARNATION] = cfg->counter_nv ?: KEYSTORE_COUNTER_NV;
	ks->nv[KEYSTORE_STORE] = cfg->store_nv ?: KEYSTORE_STORE_NV;
	if (!pinned)
		return 0;
	if (!pinned->len || pinned->len > sizeof(ks->srk_name.name))
		return -EINVAL;
	memcpy(ks->srk_name.name, pinned->data, pinned->len);
	ks->srk_name.size = (UINT16)pinned->len;
	return 0;
}

static int find_parent(struct keystore *ks)
{
	_cleanup_op_ struct ks_op op = {};
	int r;

	r = ks_op_begin(ks, &op);
	return r ?: ks_srk_find(&op);
}

static void keystore_closep(struct keystore **ks)
{
	keystore_close(*ks);
}

int keystore_open(const struct keystore_config *cfg, struct keystore **ret)
{
	_cleanup_(keystore_closep) struct keystore *ks = calloc(1, sizeof(*ks));
	int r;

	if (!ks)
		return -ENOMEM;
	r = configure(cfg, ks);
	if (r < 0)
		return r;
	/* tpm2-tss writes every refusal to stderr; ours reach the log once, by keystore_strerror(). */
	if (setenv("TSS2_LOG", "all+none", 0) < 0)
		return -errno;
	r = ks_tcti_open(ks->conf, &ks->tcti);
	r = r ?: ks_device_prepare(ks);
	r = r ?: find_parent(ks);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(ks);
	return 0;
}

void keystore_close(struct keystore *ks)
{
	if (!ks)
		return;
	ks_tcti_close(&ks->tcti);
	Esys_Free(ks->srk_saved);
	free(ks->conf);
	free(ks);
}

const char *keystore_strerror(struct keystore *ks)
{
	return ks->error;
}

uint64_t keystore_commands(struct keystore *ks)
{
	return __atomic_load_n(&ks->tcti.commands, __ATOMIC_RELAXED);
}

void keystore_identity_free(struct keystore_identity *id)
{
	akm_blob_free(&id->ek_public);
	akm_blob_free(&id->ek_name);
	akm_blob_free(&id->ek_cert);
	akm_blob_free(&id->parent_public);
	akm_blob_free(&id->parent_name);
}

/*
 * The ECC EK, unless the maker certified only the RSA one. keystore_identity()
 * and keystore_answer() must come to the same result: both ask here.
 */
static int ek_template(struct ks_op *op, const TPM2B_PUBLIC **ret, TPM2_HANDLE *ret_cert)
{
	bool ecc, rsa;
	int r;

	r = ks_handle_exists(op, KS_NV_EK_CERT_ECC, &ecc);
	r = r ?: ks_handle_exists(op, KS_NV_EK_CERT_RSA, &rsa);
	if (r < 0)
		return r;
	*ret = !ecc && rsa ? &ks_template_ek_rsa : &ks_template_ek_ecc;
	*ret_cert = !ecc && rsa ? KS_NV_EK_CERT_RSA : KS_NV_EK_CERT_ECC;
	return 0;
}

static int identity_fill(struct keystore *ks, const TPM2B_PUBLIC *ek, struct keystore_identity *id)
{
	TPM2B_NAME name;
	int r;

	r = ks_name_of(ek, &name);
	r = r ?: ks_public_encode(ek, &id->ek_public);
	r = r ?: akm_blob_dup(name.name, name.size, &id->ek_name);
	r = r ?: ks_public_encode(&ks->srk_public, &id->parent_public);
	return r ?: akm_blob_dup(ks->srk_name.name, ks->srk_name.size, &id->parent_name);
}

int keystore_identity(struct keystore *ks, struct keystore_identity *ret)
{
	_cleanup_(keystore_identity_free) struct keystore_identity id = {};
	_cleanup_op_ struct ks_op op = {};
	const TPM2B_PUBLIC *template;
	TPM2_HANDLE cert;
	TPM2B_PUBLIC ek;
	ESYS_TR tr;
	int r;

	r = ks_op_begin(ks, &op);
	r = r ?: ek_template(&op, &template, &cert);
	r = r ?: ks_ek_cert(&op, cert, &id.ek_cert);
	r = r ?: ks_primary(&op, ESYS_TR_RH_ENDORSEMENT, template, &tr, &ek);
	r = r ?: identity_fill(ks, &ek, &id);
	if (r < 0)
		return r;
	*ret = id;
	id = (struct keystore_identity){};
	return 0;
}

int keystore_random(struct keystore *ks, uint8_t *buf, size_t len)
{
	_cleanup_op_ struct ks_op op = {};
	int r;

	r = ks_op_begin_srk(ks, &op);
	/* Whoever reads the bus must not know what we are going to use. */
	r = r ?: ks_session_crypt(&op, op.session, KS_CRYPT_RESPONSE);
	for (size_t at = 0; !r && at < len;) {
		_cleanup_(digest_freep) TPM2B_DIGEST *d = NULL;
		size_t n = len - at < AKM_DIGEST_LEN ? len - at : AKM_DIGEST_LEN;

		r = ks_fail(&op, "TPM2_GetRandom", Esys_GetRandom(op.esys, op.session, ESYS_TR_NONE, ESYS_TR_NONE,
								  (UINT16)n, &d));
		if (r < 0)
			return r;
		/* A TPM may give fewer at once than asked for, but never none. */
		if (!d->size || d->size > n)
			return ks_refuse(ks, -EIO, "TPM2_GetRandom: %u bytes instead of %zu", d->size, n);
		memcpy(buf + at, d->buffer, d->size);
		at += d->size;
	}
	return r;
}

static int peer_ek(struct keystore *ks, const struct keystore_identity *peer, TPM2B_PUBLIC *ret)
{
	TPM2B_PUBLIC ek;
	TPM2B_NAME name;

	if (ks_public_decode(&peer->ek_public, &ek) || ks_name_of(&ek, &name) ||
	    (!ks_public_matches(&ek, &ks_template_ek_ecc, true) && !ks_public_matches(&ek, &ks_template_ek_rsa, true)))
		return ks_refuse(ks, -EPROTO, "the peer's EK is none of template L-1 or L-2");
	if (peer->ek_name.len != name.size || memcmp(peer->ek_name.data, name.name, name.size))
		return ks_refuse(ks, -EPROTO, "the peer's EK and its name differ");
	*ret = ek;
	return 0;
}

static int make_credential(struct ks_op *op, ESYS_TR ek, const TPM2B_NAME *object, const struct akm_secret *secret,
			   struct ks_parts *challenge)
{
	_cleanup_(digest_wipe) TPM2B_DIGEST credential = { .size = CREDENTIAL_LEN };
	_cleanup_esys_ TPM2B_ENCRYPTED_SECRET *seed = NULL;
	_cleanup_esys_ TPM2B_ID_OBJECT *blob = NULL;
	TSS2_RC rc;
	int r;

	memcpy(credential.buffer, secret->data, CREDENTIAL_LEN);
	/* The command begins with the very secret that only the peer's TPM shall find out. */
	r = ks_session_crypt(op, op->session, KS_CRYPT_COMMAND);
	if (r < 0)
		return r;
	rc = Esys_MakeCredential(op->esys, ek, op->session, ESYS_TR_NONE, ESYS_TR_NONE, &credential, object, &blob,
				 &seed);
	r = ks_fail_input(op, "TPM2_MakeCredential", rc, -EPROTO);
	if (r < 0)
		return r;
	challenge->credential = *blob;
	challenge->seed = *seed;
	return 0;
}

int ks_challenge(struct keystore *ks, const struct keystore_identity *peer, const TPM2B_NAME *object,
		 struct akm_blob *ret_challenge, struct akm_secret *ret_secret)
{
	struct ks_parts challenge = { .type = KS_BLOB_CHALLENGE };
	_cleanup_secret_ struct akm_secret secret = {};
	_cleanup_op_ struct ks_op op = {};
	TPM2B_PUBLIC ek_public;
	ESYS_TR ek;
	int r;

	r = peer_ek(ks, peer, &ek_public);
	r = r ?: akm_secret_random(CREDENTIAL_LEN, &secret);
	r = r ?: ks_op_begin_srk(ks, &op);
	if (r < 0)
		return r;
	ks_release(&op, &op.srk);
	r = ks_load_public(&op, &ek_public, &ek);
	r = r ?: make_credential(&op, ek, object, &secret, &challenge);
	r = r ?: ks_blob_encode(&challenge, ret_challenge);
	if (r < 0)
		return r;
	*ret_secret = akm_secret_take(&secret);
	return 0;
}

int keystore_challenge(struct keystore *ks, const struct keystore_identity *peer,
		       struct akm_blob *ret_challenge, struct akm_secret *ret_secret)
{
	TPM2B_PUBLIC parent_public;
	TPM2B_NAME parent_name;
	int r;

	r = ks_peer_parent(ks, peer, &parent_public, &parent_name);
	return r ?: ks_challenge(ks, peer, &parent_name, ret_challenge, ret_secret);
}

static int ek_load(struct ks_op *op, ESYS_TR *ret)
{
	const TPM2B_PUBLIC *template;
	TPM2_HANDLE cert;
	TPM2B_PUBLIC ek;
	TSS2_RC rc;
	int r;

	r = ek_template(op, &template, &cert);
	r = r ?: ks_primary(op, ESYS_TR_RH_ENDORSEMENT, template, ret, &ek);
	r = r ?: ks_policy_session(op);
	if (r < 0)
		return r;
	/* PolicyA of the EK: the endorsement hierarchy's auth value, which is empty. */
	rc = Esys_PolicySecret(op->esys, ESYS_TR_RH_ENDORSEMENT, op->policy, ESYS_TR_PASSWORD, ESYS_TR_NONE,
			       ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
	return ks_fail(op, "TPM2_PolicySecret", rc);
}

int ks_answer(struct ks_op *op, ESYS_TR object, const struct ks_parts *challenge, struct akm_secret *ret_secret)
{
	_cleanup_(digest_freep) TPM2B_DIGEST *credential = NULL;
	ESYS_TR ek;
	TSS2_RC rc;
	int r;

	r = ek_load(op, &ek);
	/* The answer is the secret that proves who we are. */
	r = r ?: ks_session_crypt(op, op->session, KS_CRYPT_RESPONSE);
	if (r < 0)
		return r;
	rc = Esys_ActivateCredential(op->esys, object, ek, op->session, op->policy, ESYS_TR_NONE,
				     &challenge->credential, &challenge->seed, &credential);
	r = ks_fail_input(op, "TPM2_ActivateCredential", rc, -EKEYREJECTED);
	return r ?: akm_secret_dup(credential->buffer, credential->size, ret_secret);
}

int keystore_answer(struct keystore *ks, const struct akm_blob *challenge, struct akm_secret *ret_secret)
{
	_cleanup_op_ struct ks_op op = {};
	struct ks_parts parts;
	int r;

	r = ks_blob_decode(challenge, KS_BLOB_CHALLENGE, &parts);
	if (r < 0)
		return ks_refuse(ks, r, "not a challenge");
	r = ks_op_begin_srk(ks, &op);
	return r ?: ks_answer(&op, op.srk, &parts, ret_secret);
}

static int key_parent(struct ks_op *op, const struct akm_blob *domain, const struct ks_parts *key, ESYS_TR *ret)
{
	TPM2B_NAME name = op->ks->srk_name;
	ESYS_TR tr = op->srk;
	int r;

	if (domain) {
		r = ks_load_domain(op, domain, &tr, &name);
		if (r < 0)
			return r;
	}
	if (!ks_name_equal(&key->parent, &name))
		return ks_refuse(op->ks, -ENOKEY, "the key belongs to another %s", domain ? "domain" : "TPM");
	*ret = tr;
	return 0;
}

int keystore_hmac(struct keystore *ks, const struct akm_blob *domain, const struct akm_blob *key,
		  const void *msg, size_t len, struct akm_secret *ret_mac)
{
	_cleanup_(digest_freep) TPM2B_DIGEST *mac = NULL;
	TPM2B_MAX_BUFFER buffer = { .size = (UINT16)len };
	_cleanup_op_ struct ks_op op = {};
	ESYS_TR parent = ESYS_TR_NONE, object;
	struct ks_parts parts;
	TSS2_RC rc;
	int r;

	if (len > HMAC_MSG_MAX)
		return ks_refuse(ks, -EMSGSIZE, "%zu bytes to authenticate, %d at most", len, HMAC_MSG_MAX);
	memcpy(buffer.buffer, msg, len);
	r = ks_blob_decode(key, KS_BLOB_KEY, &parts);
	if (r < 0)
		return ks_refuse(ks, r, "not a key's blob");
	r = ks_op_begin_srk(ks, &op);
	r = r ?: key_parent(&op, domain, &parts, &parent);
	r = r ?: ks_load(&op, parent, &parts.public, &parts.private, &object);
	/* The result is a link key or a proof: who reads the bus must not have it. */
	r = r ?: ks_session_crypt(&op, op.session, KS_CRYPT_BOTH);
	if (r < 0)
		return r;
	rc = Esys_HMAC(op.esys, object, op.session, ESYS_TR_NONE, ESYS_TR_NONE, &buffer, TPM2_ALG_SHA256, &mac);
	r = ks_fail(&op, "TPM2_HMAC", rc);
	return r ?: akm_secret_dup(mac->buffer, mac->size, ret_mac);
}

int keystore_key_name(const struct akm_blob *key, char **ret_hex)
{
	static const enum ks_blob_type types[] = { KS_BLOB_KEY, KS_BLOB_DOMAIN, KS_BLOB_ROOT_DOMAIN };
	struct ks_parts parts;
	int r = -EPROTO;
	TPM2B_NAME name;
	char *hex;

	for (size_t i = 0; r == -EPROTO && i < ARRAY_SIZE(types); i++)
		r = ks_blob_decode(key, types[i], &parts);
	r = r ?: ks_name_of(&parts.public, &name);
	if (r < 0)
		return r;
	hex = malloc(2 * (size_t)name.size + 1);
	if (!hex)
		return -ENOMEM;
	for (size_t i = 0; i < name.size; i++)
		sprintf(hex + 2 * i, "%02x", name.name[i]);
	*ret_hex = hex;
	return 0;
}

int keystore_seal(struct keystore *ks, const struct akm_secret *secret, struct akm_blob *ret)
{
	_cleanup_(sensitive_create_wipe) TPM2B_SENSITIVE_CREATE sensitive = {};
	TPM2B_SENSITIVE_DATA *data = &sensitive.sensitive.data;
	struct ks_parts parts = { .type = KS_BLOB_SEALED };
	_cleanup_op_ struct ks_op op = {};
	ESYS_TR loaded;
	int r;

	if (!secret->len || secret->len > SEAL_MAX)
		return ks_refuse(ks, -EMSGSIZE, "%zu bytes to seal, 1 to %d can be", secret->len, SEAL_MAX);
	memcpy(data->buffer, secret->data, secret->len);
	data->size = (UINT16)secret->len;
	r = ks_op_begin_srk(ks, &op);
	r = r ?: ks_create(&op, op.srk, &ks_template_sealed, &sensitive, &parts.public, &parts.private);
	/*
	 * Loading shows that it can be opened again before anyone relies on it; it also
	 * overwrites the copy of @sensitive that ESYS keeps for its Finish function (P8).
	 */
	r = r ?: ks_load(&op, op.srk, &parts.public, &parts.private, &loaded);
	if (r < 0)
		return r;
	parts.parent = ks->srk_name;
	return ks_blob_encode(&parts, ret);
}

int keystore_unseal(struct keystore *ks, const struct akm_blob *sealed, struct akm_secret *ret)
{
	_cleanup_(sensitive_freep) TPM2B_SENSITIVE_DATA *data = NULL;
	_cleanup_op_ struct ks_op op = {};
	struct ks_parts parts;
	ESYS_TR object;
	TSS2_RC rc;
	int r;

	r = ks_blob_decode(sealed, KS_BLOB_SEALED, &parts);
	if (r < 0)
		return ks_refuse(ks, r, "not a sealed blob");
	if (!ks_name_equal(&parts.parent, &ks->srk_name))
		return ks_refuse(ks, -ENOKEY, "sealed by another TPM");
	r = ks_op_begin_srk(ks, &op);
	r = r ?: ks_load(&op, op.srk, &parts.public, &parts.private, &object);
	/* TPM2_Unseal has no command parameter; its response is the secret. */
	r = r ?: ks_session_crypt(&op, op.session, KS_CRYPT_RESPONSE);
	if (r < 0)
		return r;
	rc = Esys_Unseal(op.esys, object, op.session, ESYS_TR_NONE, ESYS_TR_NONE, &data);
	r = ks_fail(&op, "TPM2_Unseal", rc);
	return r ?: akm_secret_dup(data->buffer, data->size, ret);
}
