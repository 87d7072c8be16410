/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the TPM keystore share. Nobody else includes this: everybody
 * else sees keystore.h, without a TPM type in it.
 *
 *   keystore_tpm.c		the public interface: open, identity, proof, HMAC, sealing
 *   keystore_tpm_dup.c		policies, duplication, import
 *   keystore_tpm_quote.c	the attestation key and its quotes
 *   keystore_tpm_nv.c		counters and the EK certificate in NV memory
 *   keystore_tpm_op.c		one operation: sessions, primaries, loaded handles
 *   keystore_tpm_object.c	templates, checks of a peer's public areas, policy digests
 *   keystore_tpm_blob.c	the blobs handed out: encode, decode
 *   keystore_tpm_tcti.c	the way to the device: counts, retries
 *   keystore_tpm_error.c	TPM response codes as errno and as words
 */
#ifndef AKM_KEYSTORE_TPM_H
#define AKM_KEYSTORE_TPM_H

#include <tss2/tss2_esys.h>
#include <tss2/tss2_tcti.h>

#include "keystore.h"

/* --- keystore_tpm_tcti.c: a TCTI around the real one ------------------------ */

#define KS_RETRY_MAX	12		/* resends of one command the TPM was not ready for */
#define KS_RETRY_FIRST_US 1000		/* then doubling: about 4 s in all */

struct ks_tcti {
	TSS2_TCTI_CONTEXT_COMMON_V2 common;	/* first: ESYS sees only this */
	TSS2_TCTI_CONTEXT *device;		/* owned */
	uint8_t command[TPM2_MAX_COMMAND_SIZE];	/* the one under way, for a resend */
	size_t command_len;
	uint8_t response[TPM2_MAX_RESPONSE_SIZE];
	size_t response_len;		/* 0: not there yet, or taken */
	uint64_t commands;
	bool gave_up;			/* the last failure was the TPM staying busy */
	bool broken;			/* the connection failed: open it again before the next operation */
};

int ks_tcti_open(const char *conf, struct ks_tcti *t);	/* also again, after ks_tcti_close() */
void ks_tcti_close(struct ks_tcti *t);

/* --- keystore_tpm_error.c ---------------------------------------------------- */

/* A response code without the number of the parameter, handle or session it blames. */
TPM2_RC ks_rc_base(TSS2_RC rc);
int ks_errno(TSS2_RC rc);
/* As ks_errno(), where the parameters came out of a blob or from a peer: @bad for what the TPM finds wrong in them. */
int ks_errno_input(TSS2_RC rc, int bad);

/* --- keystore_tpm_blob.c ----------------------------------------------------- */

#define KS_BLOB_MAX	8192
#define KS_BLOB_VERSION	1

enum ks_blob_type {
	KS_BLOB_ROOT_DOMAIN = 1,	/* policy signing key and domain storage key, at the root */
	KS_BLOB_DOMAIN,			/* domain storage key, at a manager */
	KS_BLOB_KEY,			/* K_rm or K_mn */
	KS_BLOB_SEALED,
	KS_BLOB_DUP_DOMAIN,		/* on its way to a manager */
	KS_BLOB_DUP_KEY,		/* on its way to a manager or node */
	KS_BLOB_CHALLENGE,
	KS_BLOB_AK,			/* attestation key, at a node */
};

/* The parts of a blob; which of them count depends on its type. No part is a secret outside its TPM. */
struct ks_parts {
	enum ks_blob_type type;
	TPM2B_NAME parent;		/* under which it loads or imports */
	TPM2B_PUBLIC public;
	TPM2B_PRIVATE private;
	TPM2B_PUBLIC signer_public;	/* ROOT_DOMAIN */
	TPM2B_PRIVATE signer_private;
	TPM2B_DATA inner;		/* DUP_*: key of the inner wrapper */
	TPM2B_ENCRYPTED_SECRET seed;	/* DUP_*, CHALLENGE: for the new parent's or the EK's private key */
	TPM2B_ID_OBJECT credential;	/* CHALLENGE */
};

int ks_blob_encode(const struct ks_parts *parts, struct akm_blob *ret);
/* Return: 0, -EPROTO (not such a blob), -EBADMSG (damaged). */
int ks_blob_decode(const struct akm_blob *blob, enum ks_blob_type type, struct ks_parts *ret);
/* A peer's marshalled TPM2B_PUBLIC. Return: 0 or -EPROTO; the encoding must be the only one possible. */
int ks_public_decode(const struct akm_blob *blob, TPM2B_PUBLIC *ret);
int ks_public_encode(const TPM2B_PUBLIC *public, struct akm_blob *ret);

/* --- keystore_tpm_object.c: pure --------------------------------------------- */

extern const TPM2B_PUBLIC ks_template_srk;
extern const TPM2B_PUBLIC ks_template_ek_ecc;	/* L-2 */
extern const TPM2B_PUBLIC ks_template_ek_rsa;	/* L-1 */
extern const TPM2B_PUBLIC ks_template_signer;
extern const TPM2B_PUBLIC ks_template_domain;
extern const TPM2B_PUBLIC ks_template_pair;
extern const TPM2B_PUBLIC ks_template_sealed;
extern const TPM2B_PUBLIC ks_template_ak;
extern const TPMT_SYM_DEF_OBJECT ks_inner_wrapper;

/* Same kind, attributes and policy as @template; the key material and size fields of unique may differ. */
bool ks_public_matches(const TPM2B_PUBLIC *public, const TPM2B_PUBLIC *template, bool with_policy);
int ks_name_of(const TPM2B_PUBLIC *public, TPM2B_NAME *ret);
bool ks_name_equal(const TPM2B_NAME *a, const TPM2B_NAME *b);

/* TPM 2.0 part 3, 23.15: @object NULL leaves includeObject clear. */
int ks_policy_duplication_select(const TPM2B_NAME *object, const TPM2B_NAME *parent, TPM2B_DIGEST *ret);
/* Part 3, 23.16, with an empty policyRef. */
int ks_policy_authorize(const TPM2B_NAME *signer, TPM2B_DIGEST *ret);
int ks_sha256(const void *data, size_t len, TPM2B_DIGEST *ret);
/* Part 1, "Qualified Name": that of a key named @key under a primary storage key named @parent of the owner's hierarchy. */
int ks_qualified_name(const TPM2B_NAME *parent, const TPM2B_NAME *key, TPM2B_NAME *ret);

/* --- keystore_tpm_op.c: one operation and what it holds in the TPM ------------ */

struct keystore {
	struct ks_tcti tcti;
	char *conf;
	uint32_t nv[2];			/* by enum keystore_counter */
	TPM2B_NAME srk_name;		/* pinned, or the first one seen; every later one must be it */
	TPM2B_PUBLIC srk_public;
	TPMS_CONTEXT *srk_saved;	/* a loaded primary, saved: cheaper than making it again */
	bool srk_persistent;		/* it sits at KS_SRK_PERSISTENT */
	bool sweep;			/* something may have been left loaded: sweep before the next operation */
	char error[256];
};

#define KS_SRK_PERSISTENT 0x81000001	/* TCG TPM v2.0 Provisioning Guidance, 7.8 */
#define KS_TRANSIENT_FIRST 0x80000000u	/* TPM2_TRANSIENT_FIRST, whose definition shifts into the sign bit */
#define KS_HELD_MAX	6

/*
 * Lives on the stack of one keystore call. Whatever it loaded is flushed when it
 * ends, on every way out: without a resource manager a TPM has room for three
 * objects, and a leaked one is gone until the next reset.
 */
struct ks_op {
	struct keystore *ks;
	ESYS_CONTEXT *esys;
	ESYS_TR srk;
	ESYS_TR session;		/* HMAC, salted to the SRK */
	ESYS_TR policy;			/* policy, salted likewise */
	struct ks_held {
		ESYS_TR tr;
		TPM2_HANDLE handle;
	} held[KS_HELD_MAX];
	size_t n_held;
};

enum ks_crypt { KS_CRYPT_NONE = 0, KS_CRYPT_COMMAND = 1, KS_CRYPT_RESPONSE = 2, KS_CRYPT_BOTH = 3 };

/* @op is to be ended also when these fail. */
int ks_op_begin(struct keystore *ks, struct ks_op *op);		/* no SRK yet */
int ks_op_begin_srk(struct keystore *ks, struct ks_op *op);	/* SRK and session ready */
void ks_op_end(struct ks_op *op);
#define _cleanup_op_ _cleanup_(ks_op_end)

int ks_fail(struct ks_op *op, const char *command, TSS2_RC rc);
int ks_fail_input(struct ks_op *op, const char *command, TSS2_RC rc, int bad);
__attribute__((format(printf, 3, 4)))
int ks_refuse(struct keystore *ks, int r, const char *fmt, ...);

int ks_hold(struct ks_op *op, ESYS_TR tr);
void ks_release(struct ks_op *op, ESYS_TR *tr);
/* A raw device is ours alone: start it up if nobody has, flush what a killed predecessor left. */
int ks_device_prepare(struct keystore *ks);

/*
 * Which parameters the next command with @op->session has encrypted. The bus
 * between CPU and TPM can be sniffed (P7): a command whose first parameter is a
 * secret wants KS_CRYPT_COMMAND, one that answers with a secret KS_CRYPT_RESPONSE.
 */
int ks_session_crypt(struct ks_op *op, ESYS_TR session, enum ks_crypt crypt);
int ks_policy_session(struct ks_op *op);

int ks_srk_find(struct ks_op *op);	/* for keystore_open(): settles srk_name */
int ks_primary(struct ks_op *op, ESYS_TR hierarchy, const TPM2B_PUBLIC *template,
	       ESYS_TR *ret_tr, TPM2B_PUBLIC *ret_public);
int ks_create(struct ks_op *op, ESYS_TR parent, const TPM2B_PUBLIC *template,
	      const TPM2B_SENSITIVE_CREATE *sensitive, TPM2B_PUBLIC *ret_public, TPM2B_PRIVATE *ret_private);
int ks_load(struct ks_op *op, ESYS_TR parent, const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private,
	    ESYS_TR *ret);
int ks_load_public(struct ks_op *op, const TPM2B_PUBLIC *public, ESYS_TR *ret);
/* The domain key of a root or manager, under the SRK, which it releases. */
int ks_load_domain(struct ks_op *op, const struct akm_blob *domain, ESYS_TR *ret, TPM2B_NAME *ret_name);
int ks_handle_exists(struct ks_op *op, TPM2_HANDLE handle, bool *ret);

/* Frees what ESYS allocated. For secrets there are wiping ones in keystore_tpm.c. */
static inline void ks_esys_freep(void *p)
{
	Esys_Free(*(void **)p);
}
#define _cleanup_esys_ _cleanup_(ks_esys_freep)

/* --- keystore_tpm_dup.c ------------------------------------------------------- */

/* @object, for which @op->policy is ready, to @parent. Its own function so that a test can try what must fail. */
int ks_duplicate(struct ks_op *op, ESYS_TR object, ESYS_TR parent, struct ks_parts *dup);
int ks_peer_parent(struct keystore *ks, const struct keystore_identity *peer, TPM2B_PUBLIC *ret_public,
		   TPM2B_NAME *ret_name);

/* --- keystore_tpm.c, for keystore_tpm_quote.c ----------------------------------- */

int ks_challenge(struct keystore *ks, const struct keystore_identity *peer, const TPM2B_NAME *object,
		 struct akm_blob *ret_challenge, struct akm_secret *ret_secret);
/* @object: what the credential is about; with @op ready, whose SRK stays loaded. */
int ks_answer(struct ks_op *op, ESYS_TR object, const struct ks_parts *challenge, struct akm_secret *ret_secret);

/* --- keystore_tpm_nv.c --------------------------------------------------------- */

#define KS_NV_EK_CERT_RSA 0x01c00002	/* TCG EK Credential Profile, 2.2.1.4 */
#define KS_NV_EK_CERT_ECC 0x01c0000a
#define KS_EK_CERT_MAX	4096

int ks_ek_cert(struct ks_op *op, TPM2_HANDLE index, struct akm_blob *ret);

#endif /* AKM_KEYSTORE_TPM_H */
