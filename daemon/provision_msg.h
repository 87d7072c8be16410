/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The payloads of the provisioning exchange (Documentation/akm.cddl): encode,
 * decode, free. Nothing in them is secret: keys travel wrapped for one TPM.
 */
#ifndef AKM_PROVISION_MSG_H
#define AKM_PROVISION_MSG_H

#include "bounds.h"
#include "secret.h"
#include "util.h"

enum provision_type {			/* the frame's type */
	PROVISION_HELLO = 1,
	PROVISION_IDENTITY = 2,
	PROVISION_CHALLENGE = 3,
	PROVISION_PROOF = 4,
	PROVISION_GRANT = 5,
	PROVISION_CONFIRM = 6,
	PROVISION_COMMIT = 7,
	PROVISION_DONE = 8,
	PROVISION_ERROR = 9,		/* either side, at any time: ends the exchange */
};

struct provision_hello {
	char issuer[AKM_NAME_LEN];
	uint8_t nonce[AKM_DIGEST_LEN];
	uint32_t pcrs;			/* to attest to, 0: nothing */
};

struct provision_identity {
	uint8_t nonce[AKM_DIGEST_LEN];
	uint8_t hardware[AKM_DIGEST_LEN];
	char sources[256];
	struct akm_blob ek_public, parent_public;
	struct akm_blob ek_cert;	/* empty: the TPM has none */
	bool provisioned;
	uint8_t id[AKM_ID_LEN];		/* if it is: as what */
	struct akm_blob ak_public;	/* empty: not asked for */
};

struct provision_challenge {
	struct akm_blob parent;		/* credential for (EK, storage parent) */
	struct akm_blob ak;		/* for (EK, attestation key); empty: there is none */
};

struct provision_confirm {
	uint8_t mac[AKM_DIGEST_LEN];
	struct akm_blob attest, signature;	/* the first quote; empty: there is no attestation key */
};

struct provision_offer {		/* the payload of 5 */
	uint8_t id[AKM_ID_LEN];
	char label[2 * AKM_NAME_LEN];
	char subject[AKM_NAME_LEN];
	struct akm_blob key;		/* K, duplicated to the subject */
	struct akm_blob domain;		/* the domain storage key likewise; empty: not for this subject */
	size_t n_addresses;
	char addresses[ENDPOINTS_MAX][64];
	uint64_t term;
	uint8_t hardware[AKM_DIGEST_LEN];
};

struct provision_failure { int code; char field[64]; char reason[192]; };

struct provision_msg {
	enum provision_type type;
	union {
		struct provision_hello hello;
		struct provision_identity identity;
		struct provision_challenge challenge;
		uint8_t mac[AKM_DIGEST_LEN];	/* proof, commit */
		struct provision_confirm confirm;
		struct provision_offer offer;
		struct provision_failure failure;
	};
};

const char *provision_type_name(unsigned int type);
/* Return: 0, -EINVAL (a field out of range), -ENOMEM, -EMSGSIZE. */
int provision_msg_encode(const struct provision_msg *m, struct akm_blob *ret);
/* Return: 0, -EBADMSG with @err naming the field, -ENOMEM. */
int provision_msg_decode(unsigned int type, const uint8_t *data, size_t len, struct provision_msg *ret,
			 struct akm_error *err);
void provision_msg_free(struct provision_msg *m);
#define _cleanup_provision_msg_ _cleanup_(provision_msg_free)

#endif /* AKM_PROVISION_MSG_H */
