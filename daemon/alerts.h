/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Alerts that nobody has acknowledged: grouped by kind, counted, the newest whole. They
 * stand until a person has looked, over restarts, and whatever clock a source has.
 */
#ifndef AKM_ALERTS_H
#define AKM_ALERTS_H

#include "health.h"

#define ALERT_KINDS	32		/* told apart; beyond it, together */
#define ALERTS_SHOWN	16

struct alert {
	uint64_t seq;			/* in the store of who shows it */
	struct msg_event event;
};

struct alert_group {
	uint64_t n, first_seq;
	struct alert last;
};

struct alerts {
	char *path;			/* owned; NULL: acknowledgements are forgotten at the end */
	uint64_t seen;			/* acknowledged up to this seq */
	uint64_t total;
	struct alert_group groups[ALERT_KINDS + 1];	/* the last one is for what does not fit */
	struct alert newest[ALERTS_SHOWN];		/* at (total - 1) % ALERTS_SHOWN */
};

/* Reads from @path what was acknowledged; the caller adds the rest. What cannot be read was not. */
int alerts_open(struct alerts *a, const char *path);
void alerts_close(struct alerts *a);
void alerts_add(struct alerts *a, uint64_t seq, const struct msg_event *e);
/* Durable: up to @seq. None is left: the caller adds those after it again. */
int alerts_acknowledge(struct alerts *a, uint64_t seq);
void alerts_health(const struct alerts *a, struct health *h);
struct json_object *alerts_list(const struct alerts *a);	/* the newest, oldest first */

#endif /* AKM_ALERTS_H */
