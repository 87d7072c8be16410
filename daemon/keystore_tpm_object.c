// SPDX-License-Identifier: GPL-2.0
/* Templates, names and policy digests. Pure: no TPM is asked. */
#include "keystore_tpm.h"

#include <openssl/evp.h>
#include <tss2/tss2_mu.h>

const TPMT_SYM_DEF_OBJECT ks_inner_wrapper = {
	.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB,
};

#define ECC_STORAGE_PARAMETERS {					\
	.eccDetail = {							\
		.symmetric = {						\
			.algorithm = TPM2_ALG_AES,			\
			.keyBits.aes = 128,				\
			.mode.aes = TPM2_ALG_CFB,			\
		},							\
		.scheme.scheme = TPM2_ALG_NULL,				\
		.curveID = TPM2_ECC_NIST_P256,				\
		.kdf.scheme = TPM2_ALG_NULL,				\
	},								\
}

/*
 * TCG TPM v2.0 Provisioning Guidance, 7.5.1: the EK template L-2 with
 * userWithAuth and noDA in place of the EK's policy; x and y are 32 zero bytes.
 */
const TPM2B_PUBLIC ks_template_srk = {
	.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
			TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
			TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
		.parameters = ECC_STORAGE_PARAMETERS,
		.unique.ecc = { .x.size = 32, .y.size = 32 },
	},
};

#define EK_ATTRIBUTES (TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | \
		       TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)

/* TCG EK Credential Profile, B.6.2, PolicyA: PolicySecret(TPM_RH_ENDORSEMENT). */
#define EK_POLICY {							\
	.size = 32,							\
	.buffer = {							\
		0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8,		\
		0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,		\
		0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64,		\
		0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,		\
	},								\
}

/* TCG EK Credential Profile, B.3.4 (template L-2). */
const TPM2B_PUBLIC ks_template_ek_ecc = {
	.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = EK_ATTRIBUTES,
		.authPolicy = EK_POLICY,
		.parameters = ECC_STORAGE_PARAMETERS,
		.unique.ecc = { .x.size = 32, .y.size = 32 },
	},
};

/* TCG EK Credential Profile, B.3.3 (template L-1). */
const TPM2B_PUBLIC ks_template_ek_rsa = {
	.publicArea = {
		.type = TPM2_ALG_RSA,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = EK_ATTRIBUTES,
		.authPolicy = EK_POLICY,
		.parameters.rsaDetail = {
			.symmetric = {
				.algorithm = TPM2_ALG_AES,
				.keyBits.aes = 128,
				.mode.aes = TPM2_ALG_CFB,
			},
			.scheme.scheme = TPM2_ALG_NULL,
			.keyBits = 2048,
		},
		.unique.rsa.size = 256,
	},
};

/*
 * noDA on everything of ours: all auth values are empty, so the dictionary attack
 * counter protects nothing here, and somebody else's wrong guesses at another
 * object must not stop the fleet.
 */
const TPM2B_PUBLIC ks_template_signer = {
	.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
			TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
			TPMA_OBJECT_SIGN_ENCRYPT,
		.parameters.eccDetail = {
			.symmetric.algorithm = TPM2_ALG_NULL,
			.scheme = { .scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = TPM2_ALG_SHA256 },
			.curveID = TPM2_ECC_NIST_P256,
			.kdf.scheme = TPM2_ALG_NULL,
		},
	},
};

/* Its policy, PolicyAuthorize(signer), is added at creation. */
const TPM2B_PUBLIC ks_template_domain = {
	.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
			TPMA_OBJECT_NODA | TPMA_OBJECT_ENCRYPTEDDUPLICATION |
			TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
		.authPolicy.size = 32,
		.parameters = ECC_STORAGE_PARAMETERS,
	},
};

/* Its policy, PolicyDuplicationSelect(peer's parent), is added at creation. */
const TPM2B_PUBLIC ks_template_pair = {
	.publicArea = {
		.type = TPM2_ALG_KEYEDHASH,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
			TPMA_OBJECT_NODA | TPMA_OBJECT_ENCRYPTEDDUPLICATION | TPMA_OBJECT_SIGN_ENCRYPT,
		.authPolicy.size = 32,
		.parameters.keyedHashDetail.scheme = {
			.scheme = TPM2_ALG_HMAC, .details.hmac.hashAlg = TPM2_ALG_SHA256,
		},
	},
};

const TPM2B_PUBLIC ks_template_sealed = {
	.publicArea = {
		.type = TPM2_ALG_KEYEDHASH,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
			TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA,
		.parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL,
	},
};

/*
 * An attestation key: sign and restricted (part 2, 8.3, TPMA_OBJECT), so that it signs nothing that begins with
 * TPM_GENERATED_VALUE but what this TPM has made itself.
 */
const TPM2B_PUBLIC ks_template_ak = {
	.publicArea = {
		.type = TPM2_ALG_ECC,
		.nameAlg = TPM2_ALG_SHA256,
		.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
			TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA |
			TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_SIGN_ENCRYPT,
		.parameters.eccDetail = {
			.symmetric.algorithm = TPM2_ALG_NULL,
			.scheme = { .scheme = TPM2_ALG_ECDSA, .details.ecdsa.hashAlg = TPM2_ALG_SHA256 },
			.curveID = TPM2_ECC_NIST_P256,
			.kdf.scheme = TPM2_ALG_NULL,
		},
	},
};

/* Compared in marshalled form: a memcmp of the C unions would see padding. */
static bool parameters_equal(const TPMT_PUBLIC *a, const TPMT_PUBLIC *b)
{
	uint8_t x[sizeof(TPMU_PUBLIC_PARMS)], y[sizeof(TPMU_PUBLIC_PARMS)];
	size_t x_len = 0, y_len = 0;

	if (Tss2_MU_TPMU_PUBLIC_PARMS_Marshal(&a->parameters, a->type, x, sizeof(x), &x_len) ||
	    Tss2_MU_TPMU_PUBLIC_PARMS_Marshal(&b->parameters, b->type, y, sizeof(y), &y_len))
		return false;
	return x_len == y_len && !memcmp(x, y, x_len);
}

bool ks_public_matches(const TPM2B_PUBLIC *public, const TPM2B_PUBLIC *template, bool with_policy)
{
	const TPMT_PUBLIC *p = &public->publicArea, *t = &template->publicArea;

	if (p->type != t->type || p->nameAlg != t->nameAlg || p->objectAttributes != t->objectAttributes ||
	    p->authPolicy.size != t->authPolicy.size)
		return false;
	if (with_policy && memcmp(p->authPolicy.buffer, t->authPolicy.buffer, t->authPolicy.size))
		return false;
	return parameters_equal(p, t);
}

int ks_sha256(const void *data, size_t len, TPM2B_DIGEST *ret)
{
	unsigned int n = 0;

	if (!EVP_Digest(data, len, ret->buffer, &n, EVP_sha256(), NULL))
		return -EIO;
	ret->size = (UINT16)n;
	return 0;
}

static void name_from(const TPM2B_DIGEST *digest, TPM2B_NAME *ret)
{
	ret->name[0] = TPM2_ALG_SHA256 >> 8;
	ret->name[1] = TPM2_ALG_SHA256 & 0xff;
	memcpy(ret->name + 2, digest->buffer, digest->size);
	ret->size = (UINT16)(2 + digest->size);
}

int ks_name_of(const TPM2B_PUBLIC *public, TPM2B_NAME *ret)
{
	uint8_t buf[sizeof(TPMT_PUBLIC)];
	TPM2B_DIGEST digest;
	size_t len = 0;
	int r;

	if (public->publicArea.nameAlg != TPM2_ALG_SHA256 ||
	    Tss2_MU_TPMT_PUBLIC_Marshal(&public->publicArea, buf, sizeof(buf), &len))
		return -EPROTO;
	r = ks_sha256(buf, len, &digest);
	if (!r)
		name_from(&digest, ret);
	return r;
}

bool ks_name_equal(const TPM2B_NAME *a, const TPM2B_NAME *b)
{
	return a->size == b->size && !memcmp(a->name, b->name, a->size);
}

/* One step down: nameAlg | SHA-256(qualified name of the parent | name) */
static int qualify(const void *above, size_t len, const TPM2B_NAME *name, TPM2B_NAME *ret)
{
	uint8_t in[2 * sizeof(TPMU_NAME)];
	TPM2B_DIGEST digest;
	int r;

	if (len + name->size > sizeof(in))
		return -EPROTO;
	memcpy(in, above, len);
	memcpy(in + len, name->name, name->size);
	r = ks_sha256(in, len + name->size, &digest);
	if (!r)
		name_from(&digest, ret);
	return r;
}

int ks_qualified_name(const TPM2B_NAME *parent, const TPM2B_NAME *key, TPM2B_NAME *ret)
{
	/* A hierarchy's name is its handle. */
	static const uint8_t owner[] = { 0x40, 0x00, 0x00, 0x01 };
	TPM2B_NAME above;
	int r = qualify(owner, sizeof(owner), parent, &above);

	return r ?: qualify(above.name, above.size, key, ret);
}

/* Room for: old digest, command code, two names, one flag. */
#define POLICY_INPUT_MAX (32 + 4 + 2 * sizeof(TPMU_NAME) + 1)

struct policy_input {
	uint8_t data[POLICY_INPUT_MAX];
	size_t len;
};

static void put(struct policy_input *in, const void *data, size_t len)
{
	memcpy(in->data + in->len, data, len);
	in->len += len;
}

/* Every policy of ours starts from the empty digest: 32 zero bytes, and the command code. */
static void put_start(struct policy_input *in, TPM2_CC cc)
{
	const uint8_t zero[32] = {}, code[4] = {
		(uint8_t)(cc >> 24), (uint8_t)(cc >> 16), (uint8_t)(cc >> 8), (uint8_t)cc,
	};

	put(in, zero, sizeof(zero));
	put(in, code, sizeof(code));
}

int ks_policy_duplication_select(const TPM2B_NAME *object, const TPM2B_NAME *parent, TPM2B_DIGEST *ret)
{
	const uint8_t include = object != NULL;
	struct policy_input in = {};

	put_start(&in, TPM2_CC_PolicyDuplicationSelect);
	if (object)
		put(&in, object->name, object->size);
	put(&in, parent->name, parent->size);
	put(&in, &include, sizeof(include));
	return ks_sha256(in.data, in.len, ret);
}

int ks_policy_authorize(const TPM2B_NAME *signer, TPM2B_DIGEST *ret)
{
	struct policy_input in = {};
	TPM2B_DIGEST first;
	int r;

	put_start(&in, TPM2_CC_PolicyAuthorize);
	put(&in, signer->name, signer->size);
	r = ks_sha256(in.data, in.len, &first);
	/* Part 3, 23.2.3 (PolicyUpdate): extended once more, by the policyRef, which is empty here. */
	return r ?: ks_sha256(first.buffer, first.size, ret);
}
