/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a subject (node, manager) keeps of its provisioning: who it is and whom it
 * follows. No secret: the key is wrapped by the TPM. Strict CBOR and its SHA-256; a
 * node keeps it in a file (record_load, record_save), a manager in its database.
 */
#ifndef AKM_RECORD_H
#define AKM_RECORD_H

#include "provision.h"

#define RECORD_VERSION	1
#define RECORD_MAX	32768

struct record {
	uint8_t id[AKM_ID_LEN];			/* provisioning ATR ID */
	char label[2 * AKM_NAME_LEN];
	char issuer[AKM_NAME_LEN], subject[AKM_NAME_LEN];
	uint8_t hardware[AKM_DIGEST_LEN];	/* as the issuer recorded it: for showing, never for keys */
	uint64_t term;				/* the issuer's at provisioning; a manager's own */
	uint64_t link_n;			/* current n of the link key */
	char addresses[ENDPOINTS_MAX][64];
	size_t n_addresses;
	struct akm_blob key;			/* K */
	struct akm_blob domain;			/* manager: the domain storage key; else empty */
	struct akm_blob ak;			/* node: its attestation key; empty: it has none */
	struct akm_blob next_key;		/* offered: K from link key n + 1 on, beside @key; empty: there is none */
	uint64_t next_term;			/* of the manager that offered it */
};

void record_free(struct record *r);
/*
 * Steps of a rotation (superior.h): @key is offered (NULL: not any more); it is the key, and n is @n. @save makes a record
 * durable; if that fails, @r is what it was.
 */
typedef int (*record_save_fn)(const struct record *r, void *ctx);
int record_offer(struct record *r, const struct akm_blob *key, uint64_t term, record_save_fn save, void *ctx);
int record_rotate(struct record *r, uint64_t n, record_save_fn save, void *ctx);
int record_from_grant(const struct provision_grant *g, struct record *ret);
int record_encode(const struct record *r, struct akm_blob *ret);
int record_decode(const uint8_t *data, size_t len, struct record *ret, struct akm_error *err);
int record_save(const char *path, const struct record *r);
int record_load(const char *path, struct record *ret, struct akm_error *err);	/* -ENOENT: not provisioned */

#endif /* AKM_RECORD_H */
