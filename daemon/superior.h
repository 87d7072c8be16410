/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The way up, of a node to its manager and of a manager to the root: link key,
 * connection with backoff, hello, heartbeats (answered: a dead link is noticed),
 * the next n of the link key, evidence. What else comes is the role's.
 */
#ifndef AKM_SUPERIOR_H
#define AKM_SUPERIOR_H

#include "calls.h"
#include "evidence.h"
#include "tpmq.h"

struct superior;

struct superior_ops {
	/* Fill in term and endpoints of our hello. */
	void (*hello)(struct msg_hello *h, const struct link_peer_info *info, void *ctx);
	/* Theirs: follow this superior? The link is closed if not. */
	int (*accept)(const struct msg_hello *h, struct akm_error *err, void *ctx);
	void (*up)(struct link *l, void *ctx);		/* after accept() */
	void (*down)(void *ctx);			/* after up() only */
	/* All but hello, answers and link-next. -EPROTO: not a message for us, the link is closed. */
	int (*message)(struct link *l, struct msg *m, void *ctx);
	/* Fill in the ATRs (allocated, freed by the caller). */
	int (*heartbeat)(struct msg_heartbeat *h, void *ctx);
	/* Make it durable that the link key's n is now @n. */
	int (*next)(uint64_t n, void *ctx);
	/*
	 * A rotation (protocol.rst). Make it durable, beside the present key, that from the n after the current one on the
	 * key is @key, as a superior of @term says (NULL: not after all).
	 */
	int (*offered)(const struct akm_blob *key, uint64_t term, void *ctx);
	/* Make it durable that this is the key, that the one before is gone, and that n is now @n. */
	int (*rotated)(uint64_t n, void *ctx);
	void (*features)(struct link *l, void *ctx);	/* superior_features() are known now; NULL: it does not matter */
};

struct superior_config {
	struct event_base *base;
	struct tpmq *q;
	const char *name;			/* ours */
	const char *issuer;			/* theirs, as provisioned */
	enum msg_role role;			/* ours */
	uint8_t id[AKM_ID_LEN];
	const struct akm_blob *key;
	uint8_t hardware[AKM_DIGEST_LEN];	/* of this machine, now */
	uint64_t n;
	const struct akm_blob *next_key;	/* offered before; NULL or empty: there is none */
	uint64_t next_term;
	char addresses[ENDPOINTS_MAX][64];
	size_t n_addresses;
	uint32_t heartbeat_ms, heartbeat_missed;
	struct evidence *evidence;
	struct superior_ops ops;
	void *ctx;
};
#define SUPERIOR_BACKOFF_MIN_MS	250
#define SUPERIOR_BACKOFF_MAX_MS	5000	/* rekey.h waits for longer */

/* Copies @cfg and what it points to, but for evidence. Connects as soon as the TPM has made the link key. */
int superior_new(const struct superior_config *cfg, struct superior **ret);
void superior_free(struct superior *s);		/* NULL is fine; no callback afterwards */
struct link *superior_link(const struct superior *s);	/* NULL unless up */
uint32_t superior_features(const struct superior *s);	/* enum msg_feature, of who is at the other end of the link */
struct calls *superior_calls(struct superior *s);
void superior_heartbeat(struct superior *s);	/* one now: something changed */

struct superior_status {
	bool up;
	char address[64];		/* the one that is or was tried */
	uint64_t since_ms;		/* wall clock, of the last change */
	char reason[256];		/* why it is down */
};
void superior_status(const struct superior *s, struct superior_status *ret);

#endif /* AKM_SUPERIOR_H */
