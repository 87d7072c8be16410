// SPDX-License-Identifier: GPL-2.0
/* The credential hierarchy on four software TPMs: what works, and what must fail. */
#include "keystore_tpm.h"

#include "quote.h"
#include "support_keystore.h"

static struct party root, mgr, mgr2, node;

/* Made once, in the order of the story. */
static struct {
	struct akm_blob root_domain, mgr_dup, mgr_domain, key, node_dup, node_key, sealed;
	struct akm_secret plain;
} made;

static void make_hierarchy(void)
{
	assert_ks(&root, keystore_domain_create(root.ks, &made.root_domain), 0);
	assert_ks(&root, keystore_domain_duplicate(root.ks, &made.root_domain, &mgr.id, &made.mgr_dup), 0);
	assert_ks(&mgr, keystore_domain_import(mgr.ks, &made.mgr_dup, &made.mgr_domain), 0);
	assert_ks(&mgr, keystore_pair_create(mgr.ks, &made.mgr_domain, &node.id, &made.key, &made.node_dup), 0);
	assert_ks(&node, keystore_pair_import(node.ks, &made.node_dup, &made.node_key), 0);
	assert_int_equal(akm_secret_random(64, &made.plain), 0);
	assert_ks(&node, keystore_seal(node.ks, &made.plain, &made.sealed), 0);
}

static int group_setup(void **state)
{
	(void)state;
	assert_int_equal(akm_secret_init(1 << 16), 0);
	party_start(&root);
	party_start(&mgr);
	party_start(&mgr2);
	party_start(&node);
	make_hierarchy();
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	akm_blob_free(&made.root_domain);
	akm_blob_free(&made.mgr_dup);
	akm_blob_free(&made.mgr_domain);
	akm_blob_free(&made.key);
	akm_blob_free(&made.node_dup);
	akm_blob_free(&made.node_key);
	akm_blob_free(&made.sealed);
	akm_secret_free(&made.plain);
	party_stop(&root);
	party_stop(&mgr);
	party_stop(&mgr2);
	party_stop(&node);
	akm_secret_exit();
	return 0;
}

/* After every test: nothing is left loaded anywhere. */
static int assert_clean(void **state)
{
	(void)state;
	party_assert_clean(&root);
	party_assert_clean(&mgr);
	party_assert_clean(&mgr2);
	party_assert_clean(&node);
	return 0;
}

static void assert_same_hmac(struct party *a, const struct akm_blob *a_domain, const struct akm_blob *a_key,
			     struct party *b, const struct akm_blob *b_domain, const struct akm_blob *b_key)
{
	_cleanup_secret_ struct akm_secret x = {}, y = {}, other = {};

	assert_ks(a, keystore_hmac(a->ks, a_domain, a_key, "transcript", 10, &x), 0);
	assert_ks(b, keystore_hmac(b->ks, b_domain, b_key, "transcript", 10, &y), 0);
	assert_int_equal(x.len, 32);
	assert_true(secret_equal(&x, &y));
	assert_ks(b, keystore_hmac(b->ks, b_domain, b_key, "transcripu", 10, &other), 0);
	assert_false(secret_equal(&x, &other));
}

static void wrong_tpm_is_refused(void **state)
{
	_cleanup_blob_ struct akm_blob out = {};
	_cleanup_secret_ struct akm_secret s = {};

	(void)state;
	assert_ks(&mgr2, keystore_domain_import(mgr2.ks, &made.mgr_dup, &out), -ENOKEY);
	assert_ks(&mgr2, keystore_pair_import(mgr2.ks, &made.node_dup, &out), -ENOKEY);
	assert_ks(&mgr2, keystore_hmac(mgr2.ks, &made.mgr_domain, &made.key, "m", 1, &s), -ENOKEY);
	assert_ks(&mgr2, keystore_hmac(mgr2.ks, NULL, &made.node_key, "m", 1, &s), -ENOKEY);
	assert_ks(&mgr2, keystore_unseal(mgr2.ks, &made.sealed, &s), -ENOKEY);
	assert_ks(&mgr, keystore_domain_duplicate(mgr.ks, &made.root_domain, &mgr2.id, &out), -ENOKEY);
	assert_null(out.data);
	assert_null(s.data);
	/* The reason is there for the log. */
	assert_ptr_not_equal(strstr(keystore_strerror(mgr2.ks), "another TPM"), NULL);
}

static void wrong_parent_is_refused(void **state)
{
	_cleanup_blob_ struct akm_blob domain = {}, key = {}, dup = {};
	_cleanup_secret_ struct akm_secret s = {};

	(void)state;
	/* A key of one domain, under another domain of the same TPM. */
	assert_ks(&root, keystore_domain_create(root.ks, &domain), 0);
	assert_ks(&root, keystore_pair_create(root.ks, &made.root_domain, &mgr.id, &key, &dup), 0);
	assert_ks(&root, keystore_hmac(root.ks, &domain, &key, "m", 1, &s), -ENOKEY);
	assert_ks(&root, keystore_hmac(root.ks, NULL, &key, "m", 1, &s), -ENOKEY);
	assert_ks(&root, keystore_hmac(root.ks, &made.root_domain, &key, "m", 1, &s), 0);
}

/* @blob with the name of its parent replaced by @name, which has the same length, and the digest made right. */
static void readdress(const struct akm_blob *blob, const struct akm_blob *name, struct akm_blob *ret)
{
	const size_t at = 6 + 3 + 2;	/* magic and type, field header, size of the TPM2B_NAME */
	_cleanup_blob_ struct akm_blob copy = {};

	assert_int_equal(akm_blob_dup(blob->data, blob->len, &copy), 0);
	memcpy(copy.data + at, name->data, name->len);
	blob_bend(&copy, at, 0, true, ret);
}

static void readdressed_blob_is_refused(void **state)
{
	_cleanup_blob_ struct akm_blob dup = {}, pair = {}, sealed = {}, key = {}, out = {};
	_cleanup_secret_ struct akm_secret s = {};

	(void)state;
	readdress(&made.mgr_dup, &mgr2.id.parent_name, &dup);
	assert_ks(&mgr2, keystore_domain_import(mgr2.ks, &dup, &out), -EBADMSG);
	/* The key's own policy names the node: seen before the TPM is asked. */
	readdress(&made.node_dup, &mgr2.id.parent_name, &pair);
	assert_ks(&mgr2, keystore_pair_import(mgr2.ks, &pair, &out), -EKEYREJECTED);
	readdress(&made.sealed, &mgr2.id.parent_name, &sealed);
	assert_ks(&mgr2, keystore_unseal(mgr2.ks, &sealed, &s), -EBADMSG);
	readdress(&made.node_key, &mgr2.id.parent_name, &key);
	assert_ks(&mgr2, keystore_hmac(mgr2.ks, NULL, &key, "m", 1, &s), -EBADMSG);
}

/* The manager's own TPM, its own keys, and ESAPI in hand: still nothing goes to another parent. */
static int try_duplicate_by(struct party *p, const struct akm_blob *domain, const struct akm_blob *key,
			    struct party *select, struct party *to,
			    int (*duplicate)(struct ks_op *op, ESYS_TR object, ESYS_TR parent, struct ks_parts *dup))
{
	TPM2B_NAME name, object_name, selected;
	_cleanup_op_ struct ks_op op = {};
	ESYS_TR object, parent;
	struct ks_parts parts;
	TPM2B_PUBLIC public;

	assert_ks(p, ks_op_begin_srk(p->ks, &op), 0);
	assert_ks(p, ks_policy_session(&op), 0);
	assert_ks(p, ks_load_domain(&op, domain, &object, &object_name), 0);
	if (key) {
		ESYS_TR above = object;

		assert_int_equal(ks_blob_decode(key, KS_BLOB_KEY, &parts), 0);
		assert_ks(p, ks_load(&op, above, &parts.public, &parts.private, &object), 0);
		assert_int_equal(ks_name_of(&parts.public, &object_name), 0);
		ks_release(&op, &above);
	}
	assert_int_equal(ks_peer_parent(p->ks, &select->id, &public, &selected), 0);
	assert_int_equal(Esys_PolicyDuplicationSelect(op.esys, op.policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
						      &object_name, &selected, TPM2_NO), 0);
	assert_int_equal(ks_peer_parent(p->ks, &to->id, &public, &name), 0);
	assert_ks(p, ks_load_public(&op, &public, &parent), 0);
	return duplicate(&op, object, parent, &parts);
}

static int try_duplicate(struct party *p, const struct akm_blob *domain, const struct akm_blob *key,
			 struct party *select, struct party *to)
{
	return try_duplicate_by(p, domain, key, select, to, ks_duplicate);
}

/* Without the symmetric wrapper, only the new parent's ECC key would protect it. Return: the TPM's answer. */
static int duplicate_bare(struct ks_op *op, ESYS_TR object, ESYS_TR parent, struct ks_parts *dup)
{
	static const TPMT_SYM_DEF_OBJECT none = { .algorithm = TPM2_ALG_NULL };
	_cleanup_esys_ TPM2B_ENCRYPTED_SECRET *seed = NULL;
	_cleanup_esys_ TPM2B_PRIVATE *private = NULL;
	_cleanup_esys_ TPM2B_DATA *inner = NULL;

	(void)dup;
	assert_int_equal(ks_session_crypt(op, op->policy, KS_CRYPT_NONE), 0);
	return (int)Esys_Duplicate(op->esys, object, parent, op->policy, ESYS_TR_NONE, ESYS_TR_NONE, NULL, &none, &inner,
				   &private, &seed);
}

static void keys_leave_in_two_wrappers_or_not(void **state)
{
	const int base = 0xbf;		/* of a format one code: without parameter number */

	(void)state;
	assert_int_equal(try_duplicate_by(&mgr, &made.mgr_domain, &made.key, &node, &node, duplicate_bare) & base,
			 TPM2_RC_SYMMETRIC);
	assert_ks(&mgr, try_duplicate(&mgr, &made.mgr_domain, &made.key, &node, &node), 0);
}

static void manager_cannot_pass_on(void **state)
{
	_cleanup_blob_ struct akm_blob out = {};

	(void)state;
	assert_ks(&mgr, keystore_domain_duplicate(mgr.ks, &made.mgr_domain, &mgr2.id, &out), -EPROTO);
	assert_ks(&mgr, try_duplicate(&mgr, &made.mgr_domain, NULL, &mgr2, &mgr2), -EKEYREJECTED);
	assert_ks(&mgr, try_duplicate(&mgr, &made.mgr_domain, &made.key, &mgr2, &mgr2), -EKEYREJECTED);
	/* The policy's own parent, but another one in the command. */
	assert_ks(&mgr, try_duplicate(&mgr, &made.mgr_domain, &made.key, &node, &mgr2), -EKEYREJECTED);
	/* What the policy allows does work by this very function: the three above failed for their policy. */
	assert_ks(&mgr, try_duplicate(&mgr, &made.mgr_domain, &made.key, &node, &node), 0);
	/* Not even the root, without its signature. */
	assert_ks(&root, try_duplicate(&root, &made.root_domain, NULL, &mgr2, &mgr2), -EKEYREJECTED);
}

/* A signing key of the manager's own in place of the root's: its name is not the one in the domain key's policy. */
static void forged_approval_is_refused(void **state)
{
	_cleanup_blob_ struct akm_blob own = {}, forged = {}, out = {};
	struct ks_parts theirs, mixed;

	(void)state;
	assert_ks(&mgr, keystore_domain_create(mgr.ks, &own), 0);
	assert_int_equal(ks_blob_decode(&own, KS_BLOB_ROOT_DOMAIN, &mixed), 0);
	assert_int_equal(ks_blob_decode(&made.mgr_domain, KS_BLOB_DOMAIN, &theirs), 0);
	mixed.public = theirs.public;
	mixed.private = theirs.private;
	assert_int_equal(ks_blob_encode(&mixed, &forged), 0);
	assert_ks(&mgr, keystore_domain_duplicate(mgr.ks, &forged, &mgr2.id, &out), -EKEYREJECTED);
}

static void no_key_is_unsealed(void **state)
{
	_cleanup_blob_ struct akm_blob forged = {};
	_cleanup_secret_ struct akm_secret s = {};
	struct ks_parts parts;

	(void)state;
	assert_ks(&node, keystore_unseal(node.ks, &made.node_key, &s), -EPROTO);
	/* Even called a sealed blob, an HMAC key does not come out. */
	assert_int_equal(ks_blob_decode(&made.node_key, KS_BLOB_KEY, &parts), 0);
	parts.type = KS_BLOB_SEALED;
	assert_int_equal(ks_blob_encode(&parts, &forged), 0);
	assert_int_not_equal(keystore_unseal(node.ks, &forged, &s), 0);
	assert_null(s.data);
}

/* Every use of one kind of blob. */
static int use_root_domain(const struct akm_blob *b)
{
	_cleanup_blob_ struct akm_blob out = {};

	return keystore_domain_duplicate(root.ks, b, &mgr.id, &out);
}

static int use_mgr_dup(const struct akm_blob *b)
{
	_cleanup_blob_ struct akm_blob out = {};

	return keystore_domain_import(mgr.ks, b, &out);
}

static int use_mgr_domain(const struct akm_blob *b)
{
	_cleanup_secret_ struct akm_secret s = {};

	return keystore_hmac(mgr.ks, b, &made.key, "m", 1, &s);
}

static int use_key(const struct akm_blob *b)
{
	_cleanup_secret_ struct akm_secret s = {};

	return keystore_hmac(mgr.ks, &made.mgr_domain, b, "m", 1, &s);
}

static int use_node_dup(const struct akm_blob *b)
{
	_cleanup_blob_ struct akm_blob out = {};

	return keystore_pair_import(node.ks, b, &out);
}

static int use_sealed(const struct akm_blob *b)
{
	_cleanup_secret_ struct akm_secret s = {};

	return keystore_unseal(node.ks, b, &s);
}

static const struct {
	const char *name;
	const struct akm_blob *blob;
	int (*use)(const struct akm_blob *b);
} uses[] = {
	{ "root's domain", &made.root_domain, use_root_domain },
	{ "duplicated domain", &made.mgr_dup, use_mgr_dup },
	{ "manager's domain", &made.mgr_domain, use_mgr_domain },
	{ "pair key", &made.key, use_key },
	{ "duplicated pair key", &made.node_dup, use_node_dup },
	{ "sealed", &made.sealed, use_sealed },
};

static void damage_is_found_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		for (size_t at = 0; at < uses[i].blob->len; at++) {
			_cleanup_blob_ struct akm_blob bent = {};
			int r;

			blob_bend(uses[i].blob, at, (uint8_t)(1u << at % 8), false, &bent);
			r = uses[i].use(&bent);
			if (r != -EBADMSG && r != -EPROTO)
				fail_msg("%s, byte %zu: %d", uses[i].name, at, r);
		}
		assert_int_equal(uses[i].use(uses[i].blob), 0);
	}
}

/* With the digest made right again, it is for the parser and the TPM to find. */
static void forgery_is_found(void **state)
{
	const size_t stride = 17;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		for (size_t at = i; at < uses[i].blob->len - AKM_DIGEST_LEN; at += stride) {
			_cleanup_blob_ struct akm_blob bent = {};
			int r;

			blob_bend(uses[i].blob, at, (uint8_t)(1u << at % 8), true, &bent);
			r = uses[i].use(&bent);
			if (r != -EBADMSG && r != -EPROTO && r != -ENOKEY && r != -EKEYREJECTED)
				fail_msg("%s, byte %zu: %d (%s)", uses[i].name, at, r, keystore_strerror(node.ks));
		}
	}
}

static void wrong_length_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		struct akm_blob cut = *uses[i].blob;
		uint8_t longer[KS_BLOB_MAX + 1] = {};

		for (cut.len = 0; cut.len < uses[i].blob->len; cut.len++) {
			int r = uses[i].use(&cut);

			if (r != -EBADMSG && r != -EPROTO)
				fail_msg("%s cut to %zu: %d", uses[i].name, cut.len, r);
		}
		memcpy(longer, uses[i].blob->data, uses[i].blob->len);
		cut = (struct akm_blob){ .data = longer, .len = uses[i].blob->len + 1 };
		assert_int_equal(uses[i].use(&cut), -EBADMSG);
		cut.len = sizeof(longer);
		assert_int_equal(uses[i].use(&cut), -EPROTO);
	}
}

/* Trailing bytes and missing fields under a digest that is right. */
static void schema_is_strict(void **state)
{
	uint8_t buf[KS_BLOB_MAX];
	size_t body = made.sealed.len - AKM_DIGEST_LEN;
	struct akm_blob b = { .data = buf };
	struct ks_parts parts;
	TPM2B_DIGEST d;

	(void)state;
	memcpy(buf, made.sealed.data, body);
	buf[body] = 0;
	assert_int_equal(ks_sha256(buf, body + 1, &d), 0);
	memcpy(buf + body + 1, d.buffer, d.size);
	b.len = body + 1 + d.size;
	assert_int_equal(ks_blob_decode(&b, KS_BLOB_SEALED, &parts), -EPROTO);

	/* Only the first field. */
	body = 6 + 3 + 2 + 34;
	assert_int_equal(ks_sha256(buf, body, &d), 0);
	memcpy(buf + body, d.buffer, d.size);
	b.len = body + d.size;
	assert_int_equal(ks_blob_decode(&b, KS_BLOB_SEALED, &parts), -EPROTO);
	/* One blob is not taken for another kind. */
	assert_int_equal(ks_blob_decode(&made.sealed, KS_BLOB_KEY, &parts), -EPROTO);
}

static void challenge_between(struct party *who, const struct keystore_identity *about, struct party *answers, int want)
{
	_cleanup_secret_ struct akm_secret asked = {}, answered = {};
	_cleanup_blob_ struct akm_blob challenge = {};

	assert_ks(who, keystore_challenge(who->ks, about, &challenge, &asked), 0);
	assert_ks(answers, keystore_answer(answers->ks, &challenge, &answered), want);
	if (want)
		assert_null(answered.data);
	else
		assert_true(secret_equal(&asked, &answered));
}

static void only_the_challenged_tpm_answers(void **state)
{
	struct keystore_identity mixed = mgr.id;

	(void)state;
	/* The EK of one TPM with the storage parent of another: neither can answer. */
	mixed.ek_public = node.id.ek_public;
	mixed.ek_name = node.id.ek_name;
	challenge_between(&root, &mgr.id, &mgr2, -EKEYREJECTED);
	challenge_between(&root, &mixed, &mgr, -EKEYREJECTED);
	challenge_between(&root, &mixed, &node, -EKEYREJECTED);
	challenge_between(&root, &mgr.id, &mgr, 0);
	challenge_between(&mgr, &node.id, &node, 0);
}

static void damaged_challenge_is_refused(void **state)
{
	_cleanup_secret_ struct akm_secret asked = {}, answered = {};
	_cleanup_blob_ struct akm_blob challenge = {};

	(void)state;
	assert_ks(&root, keystore_challenge(root.ks, &mgr.id, &challenge, &asked), 0);
	for (size_t at = 0; at < challenge.len; at++) {
		_cleanup_blob_ struct akm_blob bent = {};
		int r;

		blob_bend(&challenge, at, 0x10, false, &bent);
		r = keystore_answer(mgr.ks, &bent, &answered);
		if (r != -EBADMSG && r != -EPROTO)
			fail_msg("byte %zu: %d", at, r);
	}
	for (size_t at = 6; at < challenge.len - AKM_DIGEST_LEN; at += 5) {
		_cleanup_blob_ struct akm_blob bent = {};
		int r;

		blob_bend(&challenge, at, 0x10, true, &bent);
		r = keystore_answer(mgr.ks, &bent, &answered);
		if (r != -EKEYREJECTED && r != -EPROTO)
			fail_msg("byte %zu, forged: %d", at, r);
	}
	assert_null(answered.data);
}

/* @id with one of its parts replaced. */
static void assert_identity_refused(const struct keystore_identity *id)
{
	_cleanup_secret_ struct akm_secret s = {};
	_cleanup_blob_ struct akm_blob a = {};

	assert_ks(&root, keystore_challenge(root.ks, id, &a, &s), -EPROTO);
	assert_null(s.data);
}

static void bad_identity_is_refused(void **state)
{
	_cleanup_blob_ struct akm_blob soft = {}, a = {}, b = {};
	struct keystore_identity id = node.id;
	TPM2B_PUBLIC public;
	TPM2B_NAME name;

	(void)state;
	id.parent_name = mgr.id.parent_name;
	assert_identity_refused(&id);
	assert_ks(&mgr, keystore_pair_create(mgr.ks, NULL, &id, &a, &b), -EPROTO);
	id = node.id;
	id.ek_name = mgr.id.ek_name;
	assert_identity_refused(&id);
	id = node.id;
	id.ek_public = node.id.parent_public;
	id.ek_name = node.id.parent_name;
	assert_identity_refused(&id);
	id = node.id;
	id.parent_public = (struct akm_blob){};
	assert_identity_refused(&id);

	/* A parent that need not live in a TPM. */
	assert_int_equal(ks_public_decode(&node.id.parent_public, &public), 0);
	public.publicArea.objectAttributes &= ~(TPMA_OBJECT)(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT);
	assert_int_equal(ks_name_of(&public, &name), 0);
	assert_int_equal(ks_public_encode(&public, &soft), 0);
	id = node.id;
	id.parent_public = soft;
	id.parent_name = (struct akm_blob){ .data = name.name, .len = name.size };
	assert_identity_refused(&id);
	assert_ks(&mgr, keystore_pair_create(mgr.ks, NULL, &id, &a, &b), -EPROTO);
	assert_ks(&root, keystore_domain_duplicate(root.ks, &made.root_domain, &id, &a), -EPROTO);
	assert_null(a.data);
}

/* Right attributes and name, but the point is on no curve: only a TPM can tell. */
static void bad_point_is_refused(void **state)
{
	_cleanup_blob_ struct akm_blob bent = {}, a = {}, b = {};
	struct keystore_identity id = node.id;
	TPM2B_PUBLIC public;
	TPM2B_NAME name;

	(void)state;
	assert_int_equal(ks_public_decode(&node.id.parent_public, &public), 0);
	public.publicArea.unique.ecc.x.buffer[7] ^= 1;
	assert_int_equal(ks_name_of(&public, &name), 0);
	assert_int_equal(ks_public_encode(&public, &bent), 0);
	id.parent_public = bent;
	id.parent_name = (struct akm_blob){ .data = name.name, .len = name.size };
	assert_ks(&mgr, keystore_pair_create(mgr.ks, NULL, &id, &a, &b), -EPROTO);
}

/* Made by a peer with software, or under another policy. */
static void foreign_pair_key_is_refused(void **state)
{
	_cleanup_blob_ struct akm_blob key = {}, dup = {}, forged = {}, out = {};
	struct ks_parts parts;

	(void)state;
	assert_ks(&mgr, keystore_pair_create(mgr.ks, NULL, &node.id, &key, &dup), 0);
	assert_int_equal(ks_blob_decode(&dup, KS_BLOB_DUP_KEY, &parts), 0);
	parts.public.publicArea.authPolicy.size = 0;
	assert_int_equal(ks_blob_encode(&parts, &forged), 0);
	assert_ks(&node, keystore_pair_import(node.ks, &forged, &out), -EKEYREJECTED);
	/* A domain key is no pair key, whatever the blob says. */
	akm_blob_free(&forged);
	assert_int_equal(ks_blob_decode(&made.mgr_dup, KS_BLOB_DUP_DOMAIN, &parts), 0);
	parts.type = KS_BLOB_DUP_KEY;
	assert_int_equal(ks_blob_encode(&parts, &forged), 0);
	assert_ks(&mgr, keystore_pair_import(mgr.ks, &forged, &out), -EKEYREJECTED);
	assert_null(out.data);
}

static void too_long_is_refused(void **state)
{
	_cleanup_secret_ struct akm_secret s = {}, mac = {};
	static const uint8_t msg[1025];
	struct akm_blob b = {};

	(void)state;
	assert_ks(&node, keystore_hmac(node.ks, NULL, &made.node_key, msg, 1025, &mac), -EMSGSIZE);
	assert_ks(&node, keystore_hmac(node.ks, NULL, &made.node_key, msg, 1024, &mac), 0);
	assert_ks(&node, keystore_seal(node.ks, &s, &b), -EMSGSIZE);
	assert_int_equal(akm_secret_new(65, &s), 0);
	assert_ks(&node, keystore_seal(node.ks, &s, &b), -EMSGSIZE);
	assert_null(b.data);
}

static void both_sides_compute_the_same(void **state)
{
	(void)state;
	assert_same_hmac(&mgr, &made.mgr_domain, &made.key, &node, NULL, &made.node_key);
}

static void replacement_manager_loads_the_same_blobs(void **state)
{
	_cleanup_blob_ struct akm_blob dup = {}, domain = {};

	(void)state;
	assert_ks(&root, keystore_domain_duplicate(root.ks, &made.root_domain, &mgr2.id, &dup), 0);
	assert_ks(&mgr2, keystore_domain_import(mgr2.ks, &dup, &domain), 0);
	assert_same_hmac(&mgr2, &domain, &made.key, &node, NULL, &made.node_key);
}

static void root_and_manager_share_a_key(void **state)
{
	_cleanup_blob_ struct akm_blob key = {}, dup = {}, imported = {};
	_cleanup_free_ char *a = NULL, *b = NULL, *other = NULL;

	(void)state;
	assert_ks(&root, keystore_pair_create(root.ks, NULL, &mgr.id, &key, &dup), 0);
	assert_ks(&mgr, keystore_pair_import(mgr.ks, &dup, &imported), 0);
	assert_same_hmac(&root, NULL, &key, &mgr, NULL, &imported);
	/* One object has one name, on both sides. */
	assert_int_equal(keystore_key_name(&key, &a), 0);
	assert_int_equal(keystore_key_name(&imported, &b), 0);
	assert_int_equal(keystore_key_name(&made.key, &other), 0);
	assert_string_equal(a, b);
	assert_string_not_equal(a, other);
	assert_int_equal(strlen(a), 68);
	assert_int_equal(memcmp(a, "000b", 4), 0);	/* TPM2_ALG_SHA256 */
}

static void sealed_comes_back(void **state)
{
	_cleanup_secret_ struct akm_secret s = {}, one = {}, back = {};
	_cleanup_blob_ struct akm_blob b = {};

	(void)state;
	assert_ks(&node, keystore_unseal(node.ks, &made.sealed, &s), 0);
	assert_true(secret_equal(&s, &made.plain));
	assert_int_equal(akm_secret_dup("x", 1, &one), 0);
	assert_ks(&node, keystore_seal(node.ks, &one, &b), 0);
	assert_ks(&node, keystore_unseal(node.ks, &b, &back), 0);
	assert_true(secret_equal(&one, &back));
}

static void random_is_random(void **state)
{
	uint8_t a[100] = {}, b[100] = {};
	size_t zero = 0;

	(void)state;
	assert_ks(&node, keystore_random(node.ks, a, sizeof(a)), 0);
	assert_ks(&node, keystore_random(node.ks, b, sizeof(b) - 1), 0);
	assert_int_not_equal(memcmp(a, b, 32), 0);
	assert_int_equal(b[99], 0);
	/* Each piece was filled: 100 zero bytes have a run of 0 nowhere near that long by chance. */
	for (size_t i = 0; i < sizeof(a); i++)
		zero += !a[i];
	assert_in_range(zero, 0, 10);
	assert_ks(&node, keystore_random(node.ks, a, 0), 0);
}

/* ---- attestation ---- */

#define PCRS 0x010095u		/* 0, 2, 4, 7, 16: the last is the debug PCR, which a test may extend and reset */

static void quote(const struct akm_blob *ak, const struct quote_expect *want, struct quote_facts *ret)
{
	_cleanup_(keystore_quote_free) struct keystore_quote q = {};
	struct akm_error err = {};

	assert_ks(&node, keystore_quote(node.ks, ak, want->pcrs, want->qualifying, &q), 0);
	if (quote_verify(want, &q.attest, &q.signature, ret, &err) < 0)
		fail_msg("%s %s", err.field, err.reason);
}

static void extend_debug_pcr(struct party *p)
{
	TPML_DIGEST_VALUES digests = { .count = 1, .digests = { { .hashAlg = TPM2_ALG_SHA256 } } };
	_cleanup_op_ struct ks_op op = {};

	memset(&digests.digests[0].digest, 0x77, 32);
	assert_ks(p, ks_op_begin(p->ks, &op), 0);
	assert_int_equal(Esys_PCR_Extend(op.esys, ESYS_TR_PCR16, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &digests), 0);
}

static void pcrs_are_quoted(void **state)
{
	_cleanup_blob_ struct akm_blob ak = {}, public = {}, signer = {};
	struct quote_facts first, same, extended, restarted;
	struct quote_expect want = { .pcrs = PCRS, .qualifying = "of exactly 32 bytes, as it is.." };
	struct akm_error err = {};

	(void)state;
	assert_ks(&node, keystore_ak_create(node.ks, &ak, &public), 0);
	assert_int_equal(quote_signer(&public, &node.id.parent_name, &signer), 0);
	want.ak_public = public;
	want.signer = signer;
	quote(&ak, &want, &first);
	quote(&ak, &want, &same);
	assert_memory_equal(first.digest, same.digest, sizeof(first.digest));
	assert_int_equal(quote_follows(&first, &same, &err), 0);
	assert_int_equal(quote_follows(&same, &first, &err), same.clock_ms > first.clock_ms ? -EKEYREJECTED : 0);
	extend_debug_pcr(&node);
	quote(&ak, &want, &extended);
	assert_memory_not_equal(first.digest, extended.digest, sizeof(first.digest));
	/* Without that PCR it is as before. */
	want.pcrs &= ~(1u << 16);
	quote(&ak, &want, &first);
	extend_debug_pcr(&node);
	quote(&ak, &want, &same);
	assert_memory_equal(first.digest, same.digest, sizeof(first.digest));
	/* The blob and the numbers outlive the power: resetCount has grown by one. */
	tpm_power_off(node.tpm);
	tpm_power_on(node.tpm);
	party_reopen(&node);
	quote(&ak, &want, &restarted);
	assert_int_equal(restarted.resets - first.resets, 1);
	assert_true(restarted.firmware == first.firmware);
	assert_int_equal(quote_follows(&first, &restarted, &err), 0);
	assert_int_equal(quote_follows(&restarted, &first, &err), -EKEYREJECTED);
}

static void no_selection_is_refused(void **state)
{
	_cleanup_(keystore_quote_free) struct keystore_quote q = {};
	_cleanup_blob_ struct akm_blob ak = {}, public = {};
	const uint8_t nonce[32] = {};

	(void)state;
	assert_ks(&node, keystore_ak_create(node.ks, &ak, &public), 0);
	assert_ks(&node, keystore_quote(node.ks, &ak, 0, nonce, &q), -EINVAL);
	assert_ks(&node, keystore_quote(node.ks, &ak, 1u << KEYSTORE_PCRS, nonce, &q), -EINVAL);
	assert_ks(&mgr, keystore_quote(mgr.ks, &ak, 1, nonce, &q), -ENOKEY);
	assert_ks(&node, keystore_quote(node.ks, &made.node_key, 1, nonce, &q), -EPROTO);
	assert_null(q.attest.data);
}

/* It is in the TPM of that EK, and restricted, or the answer is not to be had. */
static void ak_is_proven(void **state)
{
	_cleanup_secret_ struct akm_secret expected = {}, secret = {}, none = {};
	_cleanup_blob_ struct akm_blob ak = {}, public = {}, other = {}, other_public = {}, challenge = {}, loose = {};
	TPM2B_PUBLIC area;

	(void)state;
	assert_ks(&node, keystore_ak_create(node.ks, &ak, &public), 0);
	assert_ks(&node, keystore_ak_create(node.ks, &other, &other_public), 0);
	assert_ks(&mgr, keystore_ak_challenge(mgr.ks, &node.id, &public, &challenge, &expected), 0);
	assert_ks(&node, keystore_ak_answer(node.ks, &ak, &challenge, &secret), 0);
	assert_true(secret_equal(&expected, &secret));
	/* Neither with another key, nor for the storage parent, nor in another TPM. */
	assert_ks(&node, keystore_ak_answer(node.ks, &other, &challenge, &none), -EKEYREJECTED);
	assert_ks(&node, keystore_answer(node.ks, &challenge, &none), -EKEYREJECTED);
	assert_ks(&mgr2, keystore_ak_answer(mgr2.ks, &ak, &challenge, &none), -ENOKEY);
	assert_null(none.data);
	/* One that signs anything, and what is none at all. */
	assert_int_equal(ks_public_decode(&public, &area), 0);
	area.publicArea.objectAttributes &= ~(TPMA_OBJECT)TPMA_OBJECT_RESTRICTED;
	assert_int_equal(ks_public_encode(&area, &loose), 0);
	akm_blob_free(&challenge);
	assert_ks(&mgr, keystore_ak_challenge(mgr.ks, &node.id, &loose, &challenge, &none), -EPROTO);
	assert_ks(&mgr, keystore_ak_challenge(mgr.ks, &node.id, &node.id.parent_public, &challenge, &none), -EPROTO);
	assert_null(challenge.data);
}

/* A key that somebody has outside the TPM does not get in as one: the premise of the proof. */
static void software_ak_is_not_loaded(void **state)
{
	TPM2B_SENSITIVE sensitive = { .sensitiveArea = { .sensitiveType = TPM2_ALG_ECC } };
	TPM2B_PUBLIC public = ks_template_ak;
	_cleanup_op_ struct ks_op op = {};
	ESYS_TR tr;
	TSS2_RC rc;

	(void)state;
	sensitive.sensitiveArea.sensitive.ecc.size = 32;
	memset(sensitive.sensitiveArea.sensitive.ecc.buffer, 1, 32);
	public.publicArea.unique.ecc.x.size = public.publicArea.unique.ecc.y.size = 32;
	assert_ks(&node, ks_op_begin(node.ks, &op), 0);
	rc = Esys_LoadExternal(op.esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, &public, ESYS_TR_RH_NULL, &tr);
	assert_int_equal(ks_rc_base(rc), TPM2_RC_ATTRIBUTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(wrong_tpm_is_refused, assert_clean),
		cmocka_unit_test_teardown(wrong_parent_is_refused, assert_clean),
		cmocka_unit_test_teardown(readdressed_blob_is_refused, assert_clean),
		cmocka_unit_test_teardown(manager_cannot_pass_on, assert_clean),
		cmocka_unit_test_teardown(keys_leave_in_two_wrappers_or_not, assert_clean),
		cmocka_unit_test_teardown(forged_approval_is_refused, assert_clean),
		cmocka_unit_test_teardown(no_key_is_unsealed, assert_clean),
		cmocka_unit_test_teardown(damage_is_found_at_every_byte, assert_clean),
		cmocka_unit_test_teardown(forgery_is_found, assert_clean),
		cmocka_unit_test_teardown(wrong_length_is_refused, assert_clean),
		cmocka_unit_test_teardown(schema_is_strict, assert_clean),
		cmocka_unit_test_teardown(only_the_challenged_tpm_answers, assert_clean),
		cmocka_unit_test_teardown(damaged_challenge_is_refused, assert_clean),
		cmocka_unit_test_teardown(bad_identity_is_refused, assert_clean),
		cmocka_unit_test_teardown(bad_point_is_refused, assert_clean),
		cmocka_unit_test_teardown(foreign_pair_key_is_refused, assert_clean),
		cmocka_unit_test_teardown(too_long_is_refused, assert_clean),
		cmocka_unit_test_teardown(both_sides_compute_the_same, assert_clean),
		cmocka_unit_test_teardown(replacement_manager_loads_the_same_blobs, assert_clean),
		cmocka_unit_test_teardown(root_and_manager_share_a_key, assert_clean),
		cmocka_unit_test_teardown(sealed_comes_back, assert_clean),
		cmocka_unit_test_teardown(random_is_random, assert_clean),
		cmocka_unit_test_teardown(pcrs_are_quoted, assert_clean),
		cmocka_unit_test_teardown(no_selection_is_refused, assert_clean),
		cmocka_unit_test_teardown(ak_is_proven, assert_clean),
		cmocka_unit_test_teardown(software_ak_is_not_loaded, assert_clean),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
