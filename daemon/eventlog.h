/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A node's durable record of evidence: the newest EVENTLOG_MAX events, and up to
 * which of them the manager has them. One file of checked frames that is appended
 * to and now and then rewritten; power may go at any instant. Holds no secret, so
 * it costs no TPM command (whose NV memory strangers could wear out).
 *
 * Signatures as evidence.h wants them.
 */
#ifndef AKM_EVENTLOG_H
#define AKM_EVENTLOG_H

#include "msg.h"

#define EVENTLOG_MAX 1024

struct eventlog;

/* *ret_damaged: bytes that could not be read were dropped (and numbers jumped ahead). */
int eventlog_open(const char *path, struct eventlog **ret, bool *ret_damaged, struct akm_error *err);
void eventlog_close(struct eventlog *l);

int eventlog_add(void *log, const struct msg_event *e, uint64_t *ret_seq);
int eventlog_each(void *log, uint64_t since, size_t limit,
		  int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx), void *ctx);
int eventlog_alerts(void *log, uint64_t since, int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx),
		    void *ctx);
int eventlog_last(void *log, uint64_t *ret_seq);
int eventlog_acked(void *log, uint64_t seq);
int eventlog_outbox(void *log, size_t limit,
		    int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx), void *ctx);

#endif /* AKM_EVENTLOG_H */
