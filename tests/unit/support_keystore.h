/* SPDX-License-Identifier: GPL-2.0 */
/* The four parties of the credential hierarchy, each with a software TPM and a keystore on it. */
#ifndef SUPPORT_KEYSTORE_H
#define SUPPORT_KEYSTORE_H

#include "keystore_tpm.h"

#include <setjmp.h>
#include <cmocka.h>

#include "support_tpm.h"

struct party {
	struct tpm *tpm;
	struct keystore *ks;
	struct keystore_identity id;
};

#define _cleanup_blob_	_cleanup_(akm_blob_free)
#define _cleanup_party_ _cleanup_(party_stop)

/* Says what the TPM said when a call does not return what it should. */
#define assert_ks(p, call, want) do {						\
	int got_ = (call);							\
	if (got_ != (want))							\
		fail_msg("%s: %d, not %d: %s", #call, got_, (want), keystore_strerror((p)->ks)); \
} while (0)

void party_start(struct party *p);
void party_stop(struct party *p);
void party_reopen(struct party *p);
/* Nothing is loaded in its TPM, no object and no session. */
void party_assert_clean(struct party *p);

bool secret_equal(const struct akm_secret *a, const struct akm_secret *b);
/* A copy of @blob with @mask XORed onto byte @at; @repair: and a digest that is right again. */
void blob_bend(const struct akm_blob *blob, size_t at, uint8_t mask, bool repair, struct akm_blob *ret);

#endif /* SUPPORT_KEYSTORE_H */
