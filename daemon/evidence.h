/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Evidence: what was noticed, kept durably (root and manager: store.h; node:
 * eventlog.h), logged, shown to followers of the control socket and passed up.
 * What strangers can cause is limited per kind and source; what was left out is
 * counted in the next record.
 */
#ifndef AKM_EVIDENCE_H
#define AKM_EVIDENCE_H

#include "ctl.h"
#include "health.h"
#include "msg.h"

struct evidence;
typedef int (*evidence_fn)(uint64_t seq, const struct msg_event *e, void *ctx);

/* Where records live. The functions of store.h, or eventlog.h, with their object as @ctx. */
struct evidence_backend {
	void *ctx;
	int (*add)(void *ctx, const struct msg_event *e, uint64_t *ret_seq);
	int (*each)(void *ctx, uint64_t since, size_t limit, evidence_fn fn, void *fn_ctx);
	int (*acked)(void *ctx, uint64_t seq);
	int (*outbox)(void *ctx, size_t limit, evidence_fn fn, void *fn_ctx);
	int (*alerts)(void *ctx, uint64_t since, evidence_fn fn, void *fn_ctx);	/* those of SEV_ALERT */
	int (*last)(void *ctx, uint64_t *ret_seq);	/* of the newest; 0: there is none */
};

/* @seen: file of which alerts were acknowledged; NULL: none, and it is forgotten at the end. */
int evidence_new(struct event_base *base, const char *name, const struct evidence_backend *backend, const char *seen,
		 struct evidence **ret);
void evidence_free(struct evidence *e);
/* Called after each record that is new here; one listener (the way up). */
void evidence_on_new(struct evidence *e, void (*fn)(void *ctx), void *ctx);
/* The same, with the record; its seq is 0 if it is our own. One listener (the policy). */
typedef void (*evidence_record_fn)(const struct msg_event *e, void *ctx);
void evidence_on_record(struct evidence *e, evidence_record_fn fn, void *ctx);
const struct evidence_backend *evidence_backend(const struct evidence *e);

struct evidence_note {
	const char *kind;
	enum msg_severity severity;
	uint32_t atr_id;		/* 0: none */
	int32_t member;			/* index in the ATR; -1: none, as EVIDENCE_NOTE() has it */
	uint64_t count;			/* 0 means 1 */
	const struct msg_packet *packet;	/* that showed it; NULL: none did */
	const char *limit;		/* at most one record of this kind and word in EVIDENCE_INTERVAL_MS; NULL: always */
};
#define EVIDENCE_INTERVAL_MS	10000
#define EVIDENCE_KEYS		128	/* (kind, word) limited one by one; beyond it, together */
#define EVIDENCE_NOTE(k, sev, ...) EVIDENCE_ABOUT(k, sev, -1, __VA_ARGS__)
#define EVIDENCE_ABOUT(k, sev, m, ...) \
	(&(struct evidence_note){ .kind = (k), .severity = (sev), .member = (m), __VA_ARGS__ })

/* A record of our own. A failure to store it is logged. */
__attribute__((format(printf, 3, 4)))
void evidence_add(struct evidence *e, const struct evidence_note *note, const char *fmt, ...);
/* A record from below. Return: 0 when it is stored, also if it already was. */
int evidence_remote(struct evidence *e, const struct msg_event *event);

/* The newest alerts that nobody has acknowledged, as JSON, oldest first */
struct json_object *evidence_alerts(const struct evidence *e);
/* They, and whether records can be stored: a monitor that cannot write down what it sees is blind. */
void evidence_health(const struct evidence *e, struct health *h);
/* Records since our start, by kind and severity. */
void evidence_metrics(const struct evidence *e, struct metrics *m);
#define EVIDENCE_KINDS	64		/* counted one by one; beyond it, together */
/* The newest @limit, oldest first, as JSON. Return: 0 or a negative errno. */
int evidence_newest(const struct evidence *e, size_t limit, struct json_object **ret);

/* The "events" command of the control socket, whole. */
void evidence_ctl(struct evidence *e, struct ctl_request *req, struct json_object *args);
#define EVIDENCE_CTL_ARGS { { "since", CTL_INT, false }, { "limit", CTL_INT, false }, { "follow", CTL_BOOL, false } }
#define EVIDENCE_LIMIT_DEFAULT	1000	/* events; without "since" the newest */
#define EVIDENCE_FOLLOW_DEFAULT	10	/* of before, where it goes on with those to come */
/* The "acknowledge" command, whole. */
void evidence_ctl_acknowledge(struct evidence *e, struct ctl_request *req, struct json_object *args);
#define EVIDENCE_ACKNOWLEDGE_ARGS { { "until", CTL_INT, false } }

#endif /* AKM_EVIDENCE_H */
