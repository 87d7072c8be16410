/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The tamper resistant storage of one party: TPM 2.0 (keystore_tpm.c; the only
 * file that speaks ESAPI) or, later, PKCS#11. Every call blocks, for as long as
 * the device takes: only the TPM thread (tpmq.h) makes them. Outputs are
 * allocated, last, and untouched on failure.
 *
 * Errors, all negative errno: -ENODEV no device, -ENOKEY the object does not
 * load here (wrong or cleared TPM), -EBADMSG integrity failure of a blob,
 * -EKEYREJECTED proof or policy failed, -EAGAIN lockout or retry later,
 * -EPROTO malformed peer input, -EIO other TPM failure (keystore_strerror()
 * has the TPM's own words).
 */
#ifndef AKM_KEYSTORE_H
#define AKM_KEYSTORE_H

#include "secret.h"
#include "util.h"

struct keystore;

struct keystore_config {
	const char *tcti;		/* "device:/dev/tpmrm0", "swtpm:host=…,port=…" */
	uint32_t counter_nv;		/* NV index of the incarnation counter */
	uint32_t store_nv;		/* NV index of the sealed store's counter */
	/*
	 * Name of the storage parent recorded at provisioning; NULL before it. Another
	 * parent is refused with -ENOKEY: the TPM was cleared or replaced, or something
	 * on the bus poses as it. Sessions that carry secrets are salted to this key.
	 */
	const struct akm_blob *pinned_parent;
};
#define KEYSTORE_COUNTER_NV	0x01c0a4b0	/* owner-defined range, TCG registry of handles */
#define KEYSTORE_STORE_NV	0x01c0a4b1

enum keystore_counter { KEYSTORE_INCARNATION, KEYSTORE_STORE };

/* What a TPM shows of itself during provisioning. All marshalled TPM2B_PUBLIC / TPM2B_NAME. */
struct keystore_identity {
	struct akm_blob ek_public;
	struct akm_blob ek_name;	/* also a source of the hardware value */
	struct akm_blob ek_cert;	/* DER, empty where the TPM has none */
	struct akm_blob parent_public;	/* the storage parent (ECC P-256 SRK) that imports */
	struct akm_blob parent_name;
};
void keystore_identity_free(struct keystore_identity *id);

int keystore_open(const struct keystore_config *cfg, struct keystore **ret);
void keystore_close(struct keystore *ks);	/* NULL is fine */
const char *keystore_strerror(struct keystore *ks);	/* the last failure, for a log; no secrets */
uint64_t keystore_commands(struct keystore *ks);	/* TPM commands sent so far */

int keystore_identity(struct keystore *ks, struct keystore_identity *ret);
int keystore_random(struct keystore *ks, uint8_t *buf, size_t len);

/*
 * Proof that @peer's storage parent and EK live in one TPM. The challenger makes
 * a credential for (EK, name of parent) around 32 random bytes; only that TPM
 * answers with them. *ret_secret is the challenger's copy, to compare in constant time.
 */
int keystore_challenge(struct keystore *ks, const struct keystore_identity *peer,
		       struct akm_blob *ret_challenge, struct akm_secret *ret_secret);
int keystore_answer(struct keystore *ks, const struct akm_blob *challenge, struct akm_secret *ret_secret);

/*
 * Attestation. The AK signs nothing but what this TPM made itself, and never leaves it. *ret_public is a marshalled
 * TPM2B_PUBLIC. keystore_ak_challenge() is keystore_challenge() for the peer's AK in place of its storage parent.
 */
int keystore_ak_create(struct keystore *ks, struct akm_blob *ret_ak, struct akm_blob *ret_public);
int keystore_ak_challenge(struct keystore *ks, const struct keystore_identity *peer, const struct akm_blob *ak_public,
			  struct akm_blob *ret_challenge, struct akm_secret *ret_secret);
int keystore_ak_answer(struct keystore *ks, const struct akm_blob *ak, const struct akm_blob *challenge,
		       struct akm_secret *ret_secret);
/* TPM2_Quote over the PCRs of the bit mask @pcrs, SHA-256 bank. quote.h judges it. */
struct keystore_quote { struct akm_blob attest, signature; };	/* marshalled TPMS_ATTEST, TPMT_SIGNATURE */
void keystore_quote_free(struct keystore_quote *q);
int keystore_quote(struct keystore *ks, const struct akm_blob *ak, uint32_t pcrs,
		   const uint8_t qualifying[AKM_DIGEST_LEN], struct keystore_quote *ret);
#define KEYSTORE_PCRS	24		/* TCG PC Client Platform TPM Profile, 4.6: PCR 0 … 23 */

/* Root: the policy signing key and the domain storage key. The blob goes to the root's store. */
int keystore_domain_create(struct keystore *ks, struct akm_blob *ret_domain);
/* Root: the domain storage key for one manager's TPM, approved by the policy signing key for it alone. */
int keystore_domain_duplicate(struct keystore *ks, const struct akm_blob *domain,
			      const struct keystore_identity *peer, struct akm_blob *ret_dup);
/* Manager: take it in. The blob loads only in this TPM; the manager cannot pass it on. */
int keystore_domain_import(struct keystore *ks, const struct akm_blob *dup, struct akm_blob *ret_domain);

/*
 * K_rm or K_mn: an HMAC-SHA-256 key made inside this TPM under @domain (NULL: under
 * the storage parent), whose policy lets it be duplicated to @peer's storage parent
 * and nowhere else. *ret_key is this side's blob, *ret_dup is for the peer.
 */
int keystore_pair_create(struct keystore *ks, const struct akm_blob *domain,
			 const struct keystore_identity *peer,
			 struct akm_blob *ret_key, struct akm_blob *ret_dup);
int keystore_pair_import(struct keystore *ks, const struct akm_blob *dup, struct akm_blob *ret_key);
/* TPM2_HMAC: the key is used, never unsealed. @domain as at its creation (NULL for imported keys). @len ≤ 1024. */
int keystore_hmac(struct keystore *ks, const struct akm_blob *domain, const struct akm_blob *key,
		  const void *msg, size_t len, struct akm_secret *ret_mac);

/* Name of a key blob's object, hex, for showing to people and to logs. */
int keystore_key_name(const struct akm_blob *key, char **ret_hex);

/* Seal at most 64 bytes to this TPM (under the storage parent, userWithAuth, no duplication). */
int keystore_seal(struct keystore *ks, const struct akm_secret *secret, struct akm_blob *ret);
int keystore_unseal(struct keystore *ks, const struct akm_blob *sealed, struct akm_secret *ret);

/* Monotonic NV counters; defined on first use. */
int keystore_counter_read(struct keystore *ks, enum keystore_counter c, uint64_t *ret);
int keystore_counter_next(struct keystore *ks, enum keystore_counter c, uint64_t *ret);

#endif /* AKM_KEYSTORE_H */
