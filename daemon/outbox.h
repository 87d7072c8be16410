/* SPDX-License-Identifier: GPL-2.0 */
/* Evidence on its way up: in order, a batch at a time, kept here until the superior has stored it. */
#ifndef AKM_OUTBOX_H
#define AKM_OUTBOX_H

#include "calls.h"
#include "evidence.h"

struct outbox {
	struct evidence *evidence;
	struct calls *calls;
	struct link *link;		/* NULL: down */
	bool busy;			/* a batch is under way */
	uint64_t last;			/* the last seq in it */
};

void outbox_init(struct outbox *o, struct evidence *evidence, struct calls *calls);
void outbox_up(struct outbox *o, struct link *l);
void outbox_down(struct outbox *o);
void outbox_kick(struct outbox *o);	/* there may be something new */

#endif /* AKM_OUTBOX_H */
