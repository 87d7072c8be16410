/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between provision.c (transport, transcript, TPM steps, the end) and the two
 * state machines, provision_issuer.c and provision_subject.c.
 */
#ifndef AKM_PROVISION_INTERNAL_H
#define AKM_PROVISION_INTERNAL_H

#include <event2/buffer.h>

#include "frame.h"
#include "provision.h"
#include "provision_msg.h"

/*
 * One job of the TPM thread. It owns all it works with: the exchange may end
 * while the TPM is still busy, and then nobody looks at the result.
 */
struct provision_step {
	struct provision *p;		/* NULL: the exchange has ended */
	const char *what;		/* for errors */
	int (*work)(struct keystore *ks, struct provision_step *s);
	int (*then)(struct provision *p, struct provision_step *s);	/* on the loop, after success */
	struct akm_error err;
	struct keystore_identity identity;
	struct akm_blob domain;		/* in; empty: none */
	bool give_domain;
	struct akm_blob in, in_domain, in_ak;	/* what came from the peer */
	struct akm_blob key, dup, dup_domain;
	uint32_t pcrs;			/* 0: no attestation */
	struct akm_blob ak, ak_public, ak_dup;	/* key, what is shown of it, credential for it */
	struct akm_secret ak_secret;
	struct keystore_quote quote;
	uint8_t qualifying[AKM_DIGEST_LEN];
	uint8_t hash[2][AKM_DIGEST_LEN];	/* transcripts to be confirmed */
	struct akm_secret secret, mac[2];
	char sources[256];
	uint8_t hardware[AKM_DIGEST_LEN];
};

struct provision_side {
	/* The awaited message has come; p->before and p->transcript are set. Negative, with p->err: the end. */
	int (*receive)(struct provision *p, struct provision_msg *m);
	/* Subject: a hello, at any time. */
	int (*hello)(struct provision *p, const struct frame *f);
	/* What to add when the exchange is cut now; NULL: nothing. */
	const char *(*after_end)(const struct provision *p);
};

struct provision {
	struct event_base *base;
	struct tpmq *q;
	int fd;
	bool tty;
	struct event *ev_read, *ev_write;
	struct event *silence;		/* the peer has said nothing for too long */
	struct event *gap;		/* a frame does not go on */
	struct event *resend;		/* issuer: hello again */
	struct frame_reader in;
	struct evbuffer *out;
	const struct provision_side *side;
	struct provision_ops ops;
	void *ctx;
	unsigned int timeout_ms;

	uint32_t exchange;
	unsigned int await;		/* type of the next message, 0: the TPM is working */
	uint8_t before[AKM_DIGEST_LEN], transcript[AKM_DIGEST_LEN];
	struct provision_step *step;
	struct akm_blob last;		/* frame to send again: hello, identity */

	unsigned int busy;		/* inside an event; the end waits for its end */
	bool ending, over;
	int result;
	struct akm_error err;

	struct provision_grant grant;
	bool committed;
	struct akm_blob domain;		/* issuer: config's, copied */
	bool give_domain;
	char *ek_ca_file;
	struct akm_secret credential;	/* issuer: what the proof must show that it knows */
	uint32_t pcrs;			/* asked for; 0: no attestation */
	uint8_t mac[AKM_DIGEST_LEN];	/* issuer: the confirm's */
	char *sources;			/* subject */
	bool allow, provisioned;
	uint8_t provisioned_id[AKM_ID_LEN];
};

/* Owns @fd, also when it fails. */
int provision_new(struct event_base *base, struct tpmq *q, int fd, const struct provision_side *side,
		  const struct provision_ops *ops, void *ctx, unsigned int timeout_ms, struct provision **ret);
void provision_free(struct provision *p);	/* before anything has happened: without done() */
void provision_begin(struct provision *p);	/* transcript as at the beginning */
int provision_send(struct provision *p, const struct provision_msg *m, bool keep);	/* @keep: in p->last */
void provision_send_again(struct provision *p);
void provision_await(struct provision *p, unsigned int type);
int provision_fail(struct provision *p, int r, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));	/* sets p->err; returns @r */
void provision_end(struct provision *p, int r);
void provision_say(struct provision *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void provision_show_fingerprint(struct provision *p);
/* Adds @msg to the transcript: of a hello, before the message is accepted. */
void provision_note(struct provision *p, unsigned int type, const void *payload, size_t len);

struct provision_step *provision_step_new(struct provision *p, const char *what);
int provision_step_run(struct provision *p, struct provision_step *s);	/* owns @s, also when it fails */
void provision_step_free(struct provision_step *s);	/* one that was not run */
void provision_step_drop(struct provision *p);	/* nobody waits for it any more */
/* What the proof is keyed with: both credentials, or the one. Takes them. */
int provision_join(struct akm_secret *parent, struct akm_secret *ak, struct akm_secret *ret);
/* HMAC-SHA-256(@key, @hash) */
int provision_mac(const struct akm_secret *key, const uint8_t hash[AKM_DIGEST_LEN], uint8_t ret[AKM_DIGEST_LEN]);
/* In the TPM thread: TPM2_HMAC(K, @label | @hash). */
int provision_key_mac(struct keystore *ks, const struct provision_step *s, const char *label,
		      const uint8_t hash[AKM_DIGEST_LEN], struct akm_secret *ret);
/*
 * The other end has shown that it has the key (@s->mac[0] is what it must have sent, in
 * @field): hand the grant to ops.commit. Return: 1, 0 if all is over, or an error in p->err.
 */
int provision_commit(struct provision *p, const struct provision_step *s, const char *field);
#define CONFIRM_LABEL	"akm1 confirm"
#define COMMIT_LABEL	"akm1 commit"

void provision_label(const char *issuer, const char *subject, char ret[2 * AKM_NAME_LEN]);

#endif /* AKM_PROVISION_INTERNAL_H */
