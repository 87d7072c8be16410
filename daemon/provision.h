/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The provisioning exchange over a direct physical connection: root → manager and
 * manager → node are the same one. Documentation/protocol.rst, "Provisioning".
 * "issuer" makes the credentials (root, manager), "subject" receives them
 * (manager, node). Runs on the event loop; TPM work goes through tpmq.
 *
 *   1 issuer → subject  hello      {version, issuer name, nonce, [PCRs to attest to]}
 *   2 subject → issuer  identity   {version, nonce, hardware value, sources, EK public + cert, parent public,
 *                                   state: fresh | provisioned(id), [AK public]}
 *   3 issuer → subject  challenge  {credential for (EK, parent name), [for (EK, AK name)]}
 *   4 subject → issuer  proof      {HMAC-SHA-256(secret or both secrets, transcript so far)}
 *   5 issuer → subject  grant      {provisioning ATR ID, label, subject name, duplicated key,
 *                                   [duplicated domain key], addresses, term, recorded hardware value}
 *   6 subject → issuer  confirm    {TPM2_HMAC(K, "akm1 confirm" | transcript hash), [TPM2_Quote over transcript hash]}
 *   7 issuer → subject  commit     {TPM2_HMAC(K, "akm1 commit" | transcript hash)}
 *   8 subject → issuer  done       {}
 *
 *   9 either    error      {code, field, reason}, at any time: ends it
 *
 * The issuer records the subject durably (as pending) before 5 and commits it on 6;
 * the subject commits on 7. transcript hash: T_0 = SHA-256("akm1 provision"),
 * T_k = SHA-256(T_k-1 | be16 type | payload); a message's MAC is over the T before it.
 *
 * Running it again is always safe. A hello with another exchange number begins
 * anew, whatever the subject was waiting for. Cut before 6 arrives: neither side is
 * provisioned. Cut between 6 and 7: the issuer has committed and the subject has
 * not (it is fresh, or still what it was before); the subject says so when the
 * exchange is run again, and the issuer's admit() sees the identity (EK and parent)
 * that it has on record: it must let it pass, and its commit() replaces the record.
 * Cut in 8: both are provisioned, the issuer is told that it was not acknowledged.
 * It is the subject that refuses to be provisioned a second time, unless that was
 * allowed locally.
 */
#ifndef AKM_PROVISION_H
#define AKM_PROVISION_H

#include <event2/event.h>
#include "tpmq.h"
#include "bounds.h"
#include "quote.h"
#include "util.h"

struct provision;			/* one exchange on one connected transport */

struct provision_grant {		/* what the exchange made; both sides have their version */
	uint8_t id[AKM_ID_LEN];		/* provisioning ATR ID */
	char label[2 * AKM_NAME_LEN];	/* "MgmtMod-EdgeNodeA" */
	char issuer[AKM_NAME_LEN], subject[AKM_NAME_LEN];
	uint8_t hardware[AKM_DIGEST_LEN];
	char sources[256];
	uint64_t term;			/* issuer's */
	char addresses[ENDPOINTS_MAX][64];	/* where the subject finds the issuer's link server */
	size_t n_addresses;
	struct akm_blob key;		/* this side's blob of K */
	struct akm_blob domain;		/* manager as subject: its domain blob; else empty */
	struct keystore_identity peer;	/* issuer's side only */
	struct akm_blob ak;		/* subject: the blob of its attestation key; empty: none */
	struct quote_baseline attest;	/* issuer, on commit: the subject's; pcrs 0: it does not attest */
};
void provision_grant_free(struct provision_grant *g);

struct provision_ops {
	void (*progress)(void *ctx, const char *text);	/* for a person; the fingerprint comes this way */
	/* Issuer: may this subject be provisioned now? @again: it says it already is. 0 or negative errno with @err. */
	int (*admit)(void *ctx, const struct keystore_identity *peer, const uint8_t hardware[AKM_DIGEST_LEN],
		     bool again, struct akm_error *err);
	/* Issuer before 5, durable. Not called on the subject's side. */
	int (*pending)(void *ctx, const struct provision_grant *g);
	/* Issuer on 6, subject on 7: make it durable. */
	int (*commit)(void *ctx, const struct provision_grant *g);
	/* Last call. r: 0, -ETIMEDOUT, -EKEYREJECTED, -EPROTO, … */
	void (*done)(void *ctx, int r, const struct akm_error *err);
};

struct provision_issuer_config {
	const char *issuer, *subject;			/* names */
	const char *addresses[ENDPOINTS_MAX]; size_t n_addresses;
	uint64_t term;
	const struct akm_blob *domain;	/* manager: K_mn is made under it; root: the domain itself */
	/*
	 * Root: duplicate the domain storage key to the subject. K_rm is then made under
	 * the storage parent, not under the domain (that other managers hold, too): NULL
	 * for keystore_hmac()'s domain.
	 */
	bool give_domain;
	uint32_t pcrs;			/* quote.h: the subject is to attest to these; 0: to none */
	const char *ek_ca_file;		/* PEM of EK certificate issuers, NULL: not checked */
	unsigned int timeout_ms;	/* 0: PROVISION_TIMEOUT_MS */
};
struct provision_subject_config {
	const char *sources;		/* hwid.h */
	const uint8_t *provisioned_id;	/* AKM_ID_LEN bytes, NULL: fresh */
	bool allow;			/* re-provisioning was allowed locally */
	unsigned int timeout_ms;	/* 0: PROVISION_TIMEOUT_MS */
};

/*
 * Take ownership of @fd (connected stream or configured tty), also when they fail; the
 * config is copied. After success done() is called exactly once, from the loop or from
 * provision_cancel(), and the object is gone by then. On a tty the subject waits for
 * the first hello without limit. The process ignores SIGPIPE.
 */
int provision_issue(struct event_base *base, struct tpmq *q, int fd, const struct provision_issuer_config *cfg,
		    const struct provision_ops *ops, void *ctx, struct provision **ret);
int provision_receive(struct event_base *base, struct tpmq *q, int fd, const struct provision_subject_config *cfg,
		      const struct provision_ops *ops, void *ctx, struct provision **ret);
/* done(-ECANCELED), at once or, from inside its callbacks, after them */
void provision_cancel(struct provision *p);

/*
 * "serial:/dev/ttyUSB0[,BAUD]", "unix:/path", "unix-listen:/path". Non-blocking fd, raw
 * tty. unix-listen gives the listening socket.
 */
int provision_open(const char *via, int *ret_fd, bool *ret_listening, struct akm_error *err);

#endif /* AKM_PROVISION_H */
