/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one thread that owns the keystore, and its queue. work() runs there, may
 * block; done() runs on the event loop, always, also at shutdown with -ECANCELED.
 */
#ifndef AKM_TPMQ_H
#define AKM_TPMQ_H

#include <event2/event.h>
#include "keystore.h"

struct tpmq;
typedef int (*tpmq_work_fn)(struct keystore *ks, void *arg);
typedef void (*tpmq_done_fn)(void *arg, int r);

/* Takes ownership of @ks. */
int tpmq_new(struct event_base *base, struct keystore *ks, struct tpmq **ret);
/*
 * Waits for the running job, cancels the others, calls every done() that is due,
 * closes the keystore. On the loop's thread, but not from inside a done(). NULL is fine.
 */
void tpmq_free(struct tpmq *q);
/*
 * From the loop's thread. Jobs run in the order of their submission.
 * Return: 0, -ENOMEM, -EBUSY (TPMQ_MAX jobs are waiting), -ESHUTDOWN (in tpmq_free()).
 * On failure done() is not called.
 */
int tpmq_submit(struct tpmq *q, tpmq_work_fn work, tpmq_done_fn done, void *arg);
/* Jobs submitted whose done() has not been called yet. */
size_t tpmq_depth(const struct tpmq *q);
#define TPMQ_MAX 4096
/* ms since the running job, or the first that waits, should have moved on; 0: nothing is under way. */
uint64_t tpmq_waiting_ms(const struct tpmq *q);
struct tpmq_stats { uint64_t jobs, failed, sum_us, max_us; };	/* of jobs that were done; how long work() took */
struct tpmq_stats tpmq_stats(const struct tpmq *q);
/* What the last job that was done returned, 0 before the first: for showing. */
int tpmq_last(const struct tpmq *q);

#endif /* AKM_TPMQ_H */
