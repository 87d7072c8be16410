/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two parties of a provisioning exchange with what they keep over interruptions,
 * and the wire between them: it can be cut after any byte, go silent, or be
 * somebody who changes what passes. Needs a keystore, a real one or the fake.
 */
#ifndef SUPPORT_PROVISION_H
#define SUPPORT_PROVISION_H

#include "provision.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "frame.h"

enum record { NOTHING, PENDING, COMMITTED };

struct party_end {
	const char *name;		/* as issuer */
	struct tpmq *q;
	char sources[128];
	const char *ek_ca_file;
	struct akm_blob domain;		/* the issuer's, if any */
	bool give_domain, allow;
	uint32_t pcrs;			/* the issuer's */
	unsigned int timeout_ms;	/* 0: 5 s, so that a test that hangs ends */

	/* What survives an interruption */
	enum record record;
	struct provision_grant grant;

	/* The present exchange */
	struct provision *exchange;
	bool done;
	int r;
	struct akm_error err;
	char said[4096];
	bool saw_again;

	/* What goes wrong in this party */
	int admit_r, pending_r, commit_r;
	const char *cancel_when_said;
};

enum { TO_SUBJECT, TO_ISSUER };
#define NEVER SIZE_MAX

struct wire {
	int fd[2];			/* [TO_SUBJECT]: the issuer's end comes in here */
	struct event *ev[2];
	size_t passed[2];
	size_t cut_after[2];		/* bytes */
	unsigned int cut_before[2];	/* 0, or the type of a frame that does not pass any more */
	bool silent;			/* a cut is not noticed: nothing passes any more */
	bool cut;
	/* Somebody in between: may change the payload of a frame, or swallow it (false). */
	bool (*between)(struct wire *w, int to, struct frame *f, uint8_t *payload);
	size_t arg[2];			/* between()'s */
	unsigned int frames[2];
	struct frame_reader in[2];
};

extern struct event_base *loop;

void loop_begin(void);
void loop_end(void);
void loop_turn(void);
#define loop_until(condition) do { \
		uint64_t end_ = now_ms() + 60000; \
		while (!(condition)) { \
			if (now_ms() > end_) \
				fail_msg("waited in vain for: %s", #condition); \
			loop_turn(); \
		} \
	} while (0)

/* Owns @ks. */
void end_begin(struct party_end *e, const char *name, struct keystore *ks);
void end_finish(struct party_end *e);
void end_forget(struct party_end *e);	/* its record */
void end_issue(struct party_end *e, const char *subject, int fd);
void end_receive(struct party_end *e, int fd);

void wire_lay(struct wire *w, int ret_fd[2]);	/* [0] for the issuer, [1] for the subject */
void wire_remove(struct wire *w);

/* One exchange from beginning to end over a new wire that is set up by @w's fields. */
void run_exchange(struct party_end *issuer, struct party_end *subject, const char *name, struct wire *w);

/* TPM2_HMAC of the key in @e's record. @domain: as for keystore_hmac(). */
void end_hmac(struct party_end *e, const struct akm_blob *domain, uint8_t ret[AKM_DIGEST_LEN]);
/* Both have the same record and the same key. */
void assert_agree(struct party_end *issuer, struct party_end *subject);

#endif /* SUPPORT_PROVISION_H */
