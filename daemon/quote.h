/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a node's TPM says of its PCRs (TPM2_Quote), judged by who asked: protocol.rst, "Attestation". Pure: no TPM is
 * asked, nothing is stored. Structures are parsed by tss2-mu.
 */
#ifndef AKM_QUOTE_H
#define AKM_QUOTE_H

#include "keystore.h"

#define QUOTE_PCRS_ALL	((1u << KEYSTORE_PCRS) - 1)
#define QUOTE_SIGNER_MAX 64		/* a qualified name: 2 bytes and a digest */
#define QUOTE_MAX	1024		/* bytes of TPMS_ATTEST, and of TPMT_SIGNATURE: 145 and 72 here */
#define QUOTE_TEXT_MAX	80		/* "sha256:" and all of them */

/* What a quote must say. Names and keys are those that were proven at provisioning. */
struct quote_expect {
	struct akm_blob ak_public;	/* marshalled TPM2B_PUBLIC */
	struct akm_blob signer;		/* its qualified name */
	uint32_t pcrs;			/* bit mask, SHA-256 bank */
	uint8_t qualifying[AKM_DIGEST_LEN];
};

/*
 * What it says. Where the AK is not in the endorsement hierarchy, a TPM adds a number that it keeps for this AK to
 * @firmware, @resets and @restarts (part 1, "Obfuscation"): differences of them tell, modulo their size, and equality.
 */
struct quote_facts {
	uint8_t digest[AKM_DIGEST_LEN];	/* of the selected PCRs */
	uint64_t firmware;
	uint64_t clock_ms;
	uint32_t resets, restarts;
};

/* What is on record of a node's attestation. pcrs 0: it has none. */
struct quote_baseline {
	struct akm_blob ak_public, signer;
	uint32_t pcrs;
	struct quote_facts facts;	/* the digest that is good; counts and clock as last heard */
};
void quote_baseline_free(struct quote_baseline *b);
int quote_baseline_copy(const struct quote_baseline *from, struct quote_baseline *to);

/* The qualified name that AK has under the storage parent named @parent_name. Return: 0, -EPROTO, -ENOMEM. */
int quote_signer(const struct akm_blob *ak_public, const struct akm_blob *parent_name, struct akm_blob *ret);
/* qualifyingData, where @what says for which purpose: SHA-256(what | data). */
int quote_qualifying(const char *what, const void *data, size_t len, uint8_t ret[AKM_DIGEST_LEN]);
#define QUOTE_PROVISION	"akm1 quote provision"
#define QUOTE_LINK	"akm1 quote link"
/* SHA-256(QUOTE_LINK | nonce | provisioning ATR ID | the link's exported keying material) */
int quote_link_qualifying(const uint8_t nonce[AKM_DIGEST_LEN], const uint8_t id[AKM_ID_LEN],
			  const uint8_t binding[AKM_KEY_LEN], uint8_t ret[AKM_DIGEST_LEN]);

/*
 * The digest is not compared: that is for who has a baseline. Return: 0; -EPROTO (not such a structure),
 * -EKEYREJECTED, with @err naming what is wrong; -ENOMEM.
 */
int quote_verify(const struct quote_expect *want, const struct akm_blob *attest, const struct akm_blob *signature,
		 struct quote_facts *ret, struct akm_error *err);
/* Can @now have followed @before in one TPM? Return: 0, -EKEYREJECTED with @err. */
int quote_follows(const struct quote_facts *before, const struct quote_facts *now, struct akm_error *err);

/* "sha256:0,2,4,7" or "none". Return: 0, -EINVAL. */
int quote_pcrs_parse(const char *text, uint32_t *ret);
void quote_pcrs_text(uint32_t pcrs, char ret[QUOTE_TEXT_MAX]);

#endif /* AKM_QUOTE_H */
