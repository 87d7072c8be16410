// SPDX-License-Identifier: GPL-2.0
/*
 * What may leave a TPM, and for where. A domain key only under a policy that the
 * root's signing key has approved for one manager; a pair key only to the one
 * storage parent that its own policy names. Both wrapped twice: in an AES key of
 * the TPM's choosing (encryptedDuplication asks for it) and in a seed for the new
 * parent's private key. The latter is what keeps them secret on their way; it is
 * the one place where asymmetric cryptography does (P13).
 */
#include "keystore_tpm.h"

/*
 * A storage parent is believed only with exactly the attributes of the template:
 * fixedTPM | fixedParent | restricted say that its private part never leaves a
 * TPM. That a TPM stands behind it at all is what keystore_challenge() proves.
 */
int ks_peer_parent(struct keystore *ks, const struct keystore_identity *peer, TPM2B_PUBLIC *ret_public,
		   TPM2B_NAME *ret_name)
{
	TPM2B_PUBLIC public;
	TPM2B_NAME name;

	if (ks_public_decode(&peer->parent_public, &public) || !ks_public_matches(&public, &ks_template_srk, true) ||
	    ks_name_of(&public, &name))
		return ks_refuse(ks, -EPROTO, "the peer's storage parent is no ECC P-256 storage key of a TPM");
	if (peer->parent_name.len != name.size || memcmp(peer->parent_name.data, name.name, name.size))
		return ks_refuse(ks, -EPROTO, "the peer's storage parent and its name differ");
	*ret_public = public;
	*ret_name = name;
	return 0;
}

int ks_duplicate(struct ks_op *op, ESYS_TR object, ESYS_TR parent, struct ks_parts *dup)
{
	_cleanup_esys_ TPM2B_ENCRYPTED_SECRET *seed = NULL;
	_cleanup_esys_ TPM2B_PRIVATE *private = NULL;
	_cleanup_esys_ TPM2B_DATA *inner = NULL;
	TSS2_RC rc;
	int r;

	/* The response begins with the key of the inner wrapper: not for the bus. */
	r = ks_session_crypt(op, op->policy, KS_CRYPT_RESPONSE);
	if (r < 0)
		return r;
	rc = Esys_Duplicate(op->esys, object, parent, op->policy, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
			    &ks_inner_wrapper, &inner, &private, &seed);
	r = ks_fail(op, "TPM2_Duplicate", rc);
	if (r < 0)
		return r;
	dup->private = *private;
	dup->inner = *inner;
	dup->seed = *seed;
	return 0;
}

static int policy_select(struct ks_op *op, const TPM2B_NAME *object, const TPM2B_NAME *parent, bool include)
{
	TSS2_RC rc;

	rc = Esys_PolicyDuplicationSelect(op->esys, op->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, object,
					  parent, include);
	return ks_fail(op, "TPM2_PolicyDuplicationSelect", rc);
}

int keystore_domain_create(struct keystore *ks, struct akm_blob *ret_domain)
{
	struct ks_parts parts = { .type = KS_BLOB_ROOT_DOMAIN };
	TPM2B_PUBLIC template = ks_template_domain;
	_cleanup_op_ struct ks_op op = {};
	TPM2B_NAME signer;
	int r;

	r = ks_op_begin_srk(ks, &op);
	r = r ?: ks_create(&op, op.srk, &ks_template_signer, NULL, &parts.signer_public, &parts.signer_private);
	r = r ?: ks_name_of(&parts.signer_public, &signer);
	r = r ?: ks_policy_authorize(&signer, &template.publicArea.authPolicy);
	r = r ?: ks_create(&op, op.srk, &template, NULL, &parts.public, &parts.private);
	if (r < 0)
		return r;
	parts.parent = ks->srk_name;
	return ks_blob_encode(&parts, ret_domain);
}

/*
 * Signs that the domain key may go to @parent and nowhere else. The object is
 * included in what is signed: no approval serves for another domain's key.
 */
static int approve(struct ks_op *op, const struct ks_parts *root, const TPM2B_DIGEST *policy,
		   TPMT_TK_VERIFIED *ret)
{
	static const TPMT_TK_HASHCHECK unrestricted = { .tag = TPM2_ST_HASHCHECK, .hierarchy = TPM2_RH_NULL };
	static const TPMT_SIG_SCHEME keys_own = { .scheme = TPM2_ALG_NULL };
	_cleanup_esys_ TPMT_SIGNATURE *signature = NULL;
	_cleanup_esys_ TPMT_TK_VERIFIED *ticket = NULL;
	TPM2B_DIGEST digest;
	ESYS_TR signer;
	TSS2_RC rc;
	int r;

	r = ks_load(op, op->srk, &root->signer_public, &root->signer_private, &signer);
	/* aHash of part 3, 23.16: H(approvedPolicy ‖ policyRef), the latter empty. */
	r = r ?: ks_sha256(policy->buffer, policy->size, &digest);
	if (r < 0)
		return r;
	rc = Esys_Sign(op->esys, signer, op->session, ESYS_TR_NONE, ESYS_TR_NONE, &digest, &keys_own, &unrestricted,
		       &signature);
	r = ks_fail(op, "TPM2_Sign", rc);
	if (r < 0)
		return r;
	rc = Esys_VerifySignature(op->esys, signer, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest, signature,
				  &ticket);
	r = ks_fail(op, "TPM2_VerifySignature", rc);
	if (r < 0)
		return r;
	ks_release(op, &signer);
	*ret = *ticket;
	return 0;
}

static int policy_authorized(struct ks_op *op, const struct ks_parts *root, const TPM2B_NAME *object,
			     const TPM2B_NAME *parent)
{
	static const TPM2B_NONCE no_ref;
	TPMT_TK_VERIFIED ticket;
	TPM2B_DIGEST policy;
	TPM2B_NAME signer;
	TSS2_RC rc;
	int r;

	r = ks_name_of(&root->signer_public, &signer);
	r = r ?: ks_policy_duplication_select(object, parent, &policy);
	r = r ?: approve(op, root, &policy, &ticket);
	r = r ?: policy_select(op, object, parent, true);
	if (r < 0)
		return r;
	rc = Esys_PolicyAuthorize(op->esys, op->policy, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &policy, &no_ref,
				  &signer, &ticket);
	return ks_fail(op, "TPM2_PolicyAuthorize", rc);
}

int keystore_domain_duplicate(struct keystore *ks, const struct akm_blob *domain,
			      const struct keystore_identity *peer, struct akm_blob *ret_dup)
{
	struct ks_parts root, dup = { .type = KS_BLOB_DUP_DOMAIN };
	_cleanup_op_ struct ks_op op = {};
	TPM2B_PUBLIC parent_public;
	ESYS_TR object, parent;
	TPM2B_NAME name;
	int r;

	r = ks_blob_decode(domain, KS_BLOB_ROOT_DOMAIN, &root);
	r = r ?: ks_name_of(&root.public, &name);
	if (r < 0)
		return ks_refuse(ks, r, "not a root's domain key: only the root can pass one on");
	if (!ks_name_equal(&root.parent, &ks->srk_name))
		return ks_refuse(ks, -ENOKEY, "the domain key belongs to another TPM");
	r = ks_peer_parent(ks, peer, &parent_public, &dup.parent);
	r = r ?: ks_op_begin_srk(ks, &op);
	r = r ?: ks_policy_session(&op);
	r = r ?: policy_authorized(&op, &root, &name, &dup.parent);
	r = r ?: ks_load(&op, op.srk, &root.public, &root.private, &object);
	if (r < 0)
		return r;
	ks_release(&op, &op.srk);
	r = ks_load_public(&op, &parent_public, &parent);
	r = r ?: ks_duplicate(&op, object, parent, &dup);
	if (r < 0)
		return r;
	dup.public = root.public;
	return ks_blob_encode(&dup, ret_dup);
}

static int import(struct ks_op *op, struct ks_parts *parts, TPM2B_PRIVATE *ret)
{
	_cleanup_esys_ TPM2B_PRIVATE *private = NULL;
	TSS2_RC rc;
	int r;

	/* The command begins with the key of the inner wrapper: not for the bus. */
	r = ks_session_crypt(op, op->session, KS_CRYPT_COMMAND);
	if (r < 0)
		return r;
	rc = Esys_Import(op->esys, op->srk, op->session, ESYS_TR_NONE, ESYS_TR_NONE, &parts->inner, &parts->public,
			 &parts->private, &parts->seed, &ks_inner_wrapper, &private);
	r = ks_fail_input(op, "TPM2_Import", rc, -EBADMSG);
	if (r < 0)
		return r;
	*ret = *private;
	return 0;
}

/* Takes @dup in; its object must look like @template, with its policy where the caller can know that. */
static int take_in(struct keystore *ks, struct ks_parts *dup, enum ks_blob_type type, const TPM2B_PUBLIC *template,
		   bool with_policy, struct akm_blob *ret)
{
	_cleanup_op_ struct ks_op op = {};
	ESYS_TR loaded;
	int r;

	if (!ks_name_equal(&dup->parent, &ks->srk_name))
		return ks_refuse(ks, -ENOKEY, "the key was duplicated to another TPM");
	if (!ks_public_matches(&dup->public, template, with_policy))
		return ks_refuse(ks, -EKEYREJECTED, "the key's kind, attributes or policy are not what they must be");
	r = ks_op_begin_srk(ks, &op);
	r = r ?: import(&op, dup, &dup->private);
	/* Import trusts the public area it is given; only loading shows that both belong together. */
	r = r ?: ks_load(&op, op.srk, &dup->public, &dup->private, &loaded);
	if (r < 0)
		return r;
	dup->type = type;
	return ks_blob_encode(dup, ret);
}

int keystore_domain_import(struct keystore *ks, const struct akm_blob *dup, struct akm_blob *ret_domain)
{
	struct ks_parts parts;
	int r;

	r = ks_blob_decode(dup, KS_BLOB_DUP_DOMAIN, &parts);
	if (r < 0)
		return ks_refuse(ks, r, "not a duplicated domain key");
	return take_in(ks, &parts, KS_BLOB_DOMAIN, &ks_template_domain, false, ret_domain);
}

int keystore_pair_import(struct keystore *ks, const struct akm_blob *dup, struct akm_blob *ret_key)
{
	TPM2B_PUBLIC template = ks_template_pair;
	struct ks_parts parts;
	int r;

	r = ks_blob_decode(dup, KS_BLOB_DUP_KEY, &parts);
	if (r < 0)
		return ks_refuse(ks, r, "not a duplicated pair key");
	/* Its policy must name this storage parent alone: a key that may go elsewhere too is not ours only. */
	r = ks_policy_duplication_select(NULL, &ks->srk_name, &template.publicArea.authPolicy);
	return r ?: take_in(ks, &parts, KS_BLOB_KEY, &template, true, ret_key);
}

static int pair_parent(struct ks_op *op, const struct akm_blob *domain, ESYS_TR *ret, TPM2B_NAME *ret_name)
{
	if (domain)
		return ks_load_domain(op, domain, ret, ret_name);
	*ret = op->srk;
	*ret_name = op->ks->srk_name;
	return 0;
}

int keystore_pair_create(struct keystore *ks, const struct akm_blob *domain,
			 const struct keystore_identity *peer,
			 struct akm_blob *ret_key, struct akm_blob *ret_dup)
{
	struct ks_parts key = { .type = KS_BLOB_KEY }, dup = { .type = KS_BLOB_DUP_KEY };
	_cleanup_(akm_blob_free) struct akm_blob key_blob = {};
	TPM2B_PUBLIC template = ks_template_pair, peer_public;
	_cleanup_op_ struct ks_op op = {};
	ESYS_TR parent, object, peer_parent;
	TPM2B_NAME name;
	int r;

	r = ks_peer_parent(ks, peer, &peer_public, &dup.parent);
	r = r ?: ks_policy_duplication_select(NULL, &dup.parent, &template.publicArea.authPolicy);
	r = r ?: ks_op_begin_srk(ks, &op);
	r = r ?: ks_policy_session(&op);
	r = r ?: pair_parent(&op, domain, &parent, &key.parent);
	r = r ?: ks_create(&op, parent, &template, NULL, &key.public, &key.private);
	r = r ?: ks_load(&op, parent, &key.public, &key.private, &object);
	if (r < 0)
		return r;
	ks_release(&op, &parent);	/* three objects at most: room for the peer's */
	r = ks_name_of(&key.public, &name);
	r = r ?: ks_load_public(&op, &peer_public, &peer_parent);
	r = r ?: policy_select(&op, &name, &dup.parent, false);
	r = r ?: ks_duplicate(&op, object, peer_parent, &dup);
	dup.public = key.public;
	r = r ?: ks_blob_encode(&key, &key_blob);
	r = r ?: ks_blob_encode(&dup, ret_dup);
	if (r < 0)
		return r;
	*ret_key = key_blob;
	key_blob = (struct akm_blob){};
	return 0;
}
