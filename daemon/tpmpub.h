/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an issuer has to know of a peer's TPM2B_PUBLIC without asking its own TPM:
 * its name, and whether a certificate is about it. TPM 2.0 Library, part 2, 12.2.
 */
#ifndef AKM_TPMPUB_H
#define AKM_TPMPUB_H

#include "util.h"

/* nameAlg | digest of the public area. Return: 0, -EPROTO, -ENOMEM. */
int tpmpub_name(const struct akm_blob *tpm_public, struct akm_blob *ret);
/*
 * Is @cert (DER) a certificate for exactly this key, issued under a CA of @ca_file
 * (PEM)? Return: 0; -EKEYREJECTED, -EPROTO, -ENOENT (no @ca_file) with @err.
 */
int tpmpub_certified(const struct akm_blob *tpm_public, const struct akm_blob *cert, const char *ca_file,
		     struct akm_error *err);

#endif /* AKM_TPMPUB_H */
