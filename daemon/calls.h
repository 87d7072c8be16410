/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Requests on one link that wait for their answer (MSG_OK, MSG_ERROR), by request
 * id. Each is called back exactly once: answered, timed out, or ended with the link.
 */
#ifndef AKM_CALLS_H
#define AKM_CALLS_H

#include "link.h"

/* @r: 0; the peer's errno, negative, with its field and reason in @err; -ETIMEDOUT; -ENOTCONN. */
typedef void (*call_fn)(void *ctx, int r, const struct akm_error *err);

struct call;
struct calls {
	struct event_base *base;
	struct call *first;
	uint32_t last_id;
};

void calls_init(struct calls *c, struct event_base *base);
/*
 * Gives @m a request id and sends it. @timeout_ms 0: as long as the link lasts.
 * On failure @fn is not called.
 */
int calls_send(struct calls *c, struct link *l, struct msg *m, uint64_t timeout_ms, call_fn fn, void *ctx);
/* @m is MSG_OK or MSG_ERROR. Return: 0, -ENOENT no such request (a protocol violation unless it timed out). */
int calls_answer(struct calls *c, const struct msg *m);
void calls_abort(struct calls *c);		/* all of them: -ENOTCONN */
void calls_drop(struct calls *c);		/* all of them, without a word: their owner ends */

/* Answers to a request of the peer; nothing is sent for request 0. */
int reply_ok(struct link *l, uint32_t request);
int reply_error(struct link *l, uint32_t request, int r, const struct akm_error *err);

#endif /* AKM_CALLS_H */
