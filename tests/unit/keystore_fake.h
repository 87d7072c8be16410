/* SPDX-License-Identifier: GPL-2.0 */
/*
 * keystore.h in software, for tests that are not about a TPM. Included by one test
 * program, instead of linking keystore_tpm.c. What only a certain TPM can do takes
 * that fake's seed, so blobs for another fake fail as they would with another TPM.
 */
#ifndef KEYSTORE_FAKE_H
#define KEYSTORE_FAKE_H

#include "keystore.h"

struct fake_tpm;			/* outlives the keystores opened on it, as a chip outlives a daemon */

struct fake_tpm *fake_tpm_new(bool rsa_ek);
struct fake_tpm *fake_tpm_copy(struct fake_tpm *t);	/* as a software TPM can be. While no call runs */
void fake_tpm_free(struct fake_tpm *t);
struct keystore *fake_keystore(struct fake_tpm *t);	/* for tpmq_new(); keystore_close() leaves @t alone */
void fake_tpm_set_cert(struct fake_tpm *t, const struct akm_blob *der);
void fake_tpm_lie_about_parent(struct fake_tpm *t, struct fake_tpm *other);	/* shows other's storage parent */
void fake_tpm_fail_after(struct fake_tpm *t, unsigned int n, int r);	/* the call after the next @n returns @r, once */
void fake_tpm_hold(struct fake_tpm *t, bool held);	/* its calls last until it is let go. At any time */
/* Power: the calls after the next @n do nothing and fail, until it is mended. While no call runs, as the others. */
void fake_tpm_cut_after(struct fake_tpm *t, unsigned int n);
bool fake_tpm_is_cut(const struct fake_tpm *t);	/* nothing more goes through */
void fake_tpm_mend(struct fake_tpm *t);
void *fake_tpm_ek(struct fake_tpm *t);			/* EVP_PKEY */
const struct akm_blob *fake_tpm_ek_public(struct fake_tpm *t);
unsigned int fake_tpm_calls(struct fake_tpm *t);
/* What its quotes say. While no call runs, as the others. */
void fake_tpm_measure(struct fake_tpm *t, uint8_t what);	/* its PCRs are others from now on */
void fake_tpm_reset(struct fake_tpm *t);		/* TPM Reset: resetCount grows */
void fake_tpm_set_back(struct fake_tpm *t);		/* and falls: an older state of it */
void fake_tpm_forge(struct fake_tpm *t);		/* quotes are signed by another key from now on, or again not */
void fake_tpm_replay(struct fake_tpm *t);		/* the last quote is given again from now on, or again not */
unsigned int fake_tpm_quotes(struct fake_tpm *t);	/* made so far */

#endif /* KEYSTORE_FAKE_H */
