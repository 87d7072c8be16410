/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Provisioning as the roles use it: the issuer's command of the control socket, with
 * its records, and the subject's waiting at the direct connection. The exchange
 * itself is provision.h.
 */
#ifndef AKM_ENROLL_H
#define AKM_ENROLL_H

#include "config.h"
#include "ctl.h"
#include "evidence.h"
#include "provision.h"
#include "store.h"

/* A socket of unix-listen: takes its name with it. */
void enroll_close_listener(int *fd);

/* ---- issuer: root, manager ---- */

struct issuer;
struct issuer_config {
	struct event_base *base;
	struct tpmq *q;
	struct store *store;
	struct evidence *evidence;
	const struct config *config;
	const struct akm_blob *domain;	/* outlives the issuer */
	bool give_domain;		/* the subjects are managers */
	uint64_t (*term)(void *ctx);	/* the term that the grant tells */
	/* Inside the transaction that records @n. @old: the record of the same TPM that it replaces, or NULL. */
	int (*commit)(const struct store_node *n, const struct store_node *old, void *ctx);
	/* After it: everything is durable. */
	void (*committed)(const struct store_node *n, const struct store_node *old, void *ctx);
	/* The record as JSON for the answer; NULL: no memory. */
	struct json_object *(*report)(const struct store_node *n, void *ctx);
	void *ctx;
};
#define ISSUER_ACCEPT_MS	60000	/* unix-listen: how long it waits for the other end */

int issuer_new(const struct issuer_config *cfg, struct issuer **ret);
void issuer_free(struct issuer *i);
/* The "node-provision" command, whole. */
void issuer_ctl(struct issuer *i, struct ctl_request *req, struct json_object *args);
#define ISSUER_CTL_ARGS { { "name", CTL_STRING, true }, { "via", CTL_STRING, true }, \
			  { "endpoint", CTL_STRING, false }, { "hardware", CTL_STRING, false } }
/* The same for a party that takes the place of another: its name is the argument "replaces". */
#define ISSUER_REPLACE_ARGS { "replaces", CTL_STRING, true }, { "name", CTL_STRING, true }, { "via", CTL_STRING, true }, \
			    { "hardware", CTL_STRING, false }
/* Whose place the party in the exchange that runs takes; "": nobody's. For commit(). */
const char *issuer_replaces(const struct issuer *i);

/* ---- subject: manager, node ---- */

struct subject;
struct subject_config {
	struct event_base *base;
	struct tpmq *q;
	struct evidence *evidence;
	const struct config *config;
	/* Who we are, AKM_ID_LEN bytes, or NULL: fresh. */
	const uint8_t *(*provisioned)(void *ctx);
	int (*commit)(const struct provision_grant *g, void *ctx);	/* make it durable */
	void (*committed)(void *ctx);		/* the exchange is over, the connection closed */
	void *ctx;
};
#define SUBJECT_REOPEN_MS	1000
#define SUBJECT_ALLOW_S		300

int subject_new(const struct subject_config *cfg, struct subject **ret);
void subject_free(struct subject *s);
/*
 * Wait at the configured place; once provisioned, to refuse with a reason. Return: 0, -ENOENT none is
 * configured and this party is fresh, …
 */
int subject_start(struct subject *s, struct akm_error *err);
/* The "provision-allow" command: accept at @via (NULL: the configured place), once, although provisioned. */
void subject_ctl_allow(struct subject *s, struct ctl_request *req, struct json_object *args);
#define SUBJECT_CTL_ARGS { { "via", CTL_STRING, false }, { "seconds", CTL_INT, false } }
/* What it last said (fingerprint, failure), for status; "" if nothing. */
const char *subject_progress(const struct subject *s);

#endif /* AKM_ENROLL_H */
