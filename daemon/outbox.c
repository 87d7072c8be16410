// SPDX-License-Identifier: GPL-2.0
#include "outbox.h"

#include "log.h"

void outbox_init(struct outbox *o, struct evidence *evidence, struct calls *calls)
{
	memset(o, 0, sizeof(*o));
	o->evidence = evidence;
	o->calls = calls;
}

struct batch {
	struct msg_events events;
	uint64_t last;
};

static int collect(uint64_t seq, const struct msg_event *e, void *ctx)
{
	struct batch *b = ctx;

	b->events.events[b->events.n++] = *e;
	b->last = seq;
	return 0;
}

static void on_answer(void *ctx, int r, const struct akm_error *err)
{
	struct outbox *o = ctx;
	const struct evidence_backend *backend = evidence_backend(o->evidence);

	o->busy = false;
	if (r == -ENOTCONN)
		return;				/* the same batch again on the next link */
	if (r < 0) {
		log_warning("the superior did not take events error=%s reason=%s", strerror(-r),
			    err ? err->reason : "");
		return;				/* again with the next event, or the next link */
	}
	r = backend->acked(backend->ctx, o->last);
	if (r < 0) {
		log_err("cannot record that events were delivered error=%s", strerror(-r));
		return;
	}
	outbox_kick(o);
}

void outbox_kick(struct outbox *o)
{
	const struct evidence_backend *backend = evidence_backend(o->evidence);
	struct msg m = { .type = MSG_EVENTS };
	struct batch b = {};
	int r;

	if (!o->link || o->busy)
		return;
	b.events.events = calloc(EVENTS_PER_MESSAGE, sizeof(*b.events.events));
	if (!b.events.events)
		return;				/* again with the next event */
	r = backend->outbox(backend->ctx, EVENTS_PER_MESSAGE, collect, &b);
	if (!r && b.events.n) {
		m.events = b.events;
		o->last = b.last;
		r = calls_send(o->calls, o->link, &m, 0, on_answer, o);
		o->busy = !r;
	}
	free(b.events.events);
	if (r < 0)
		log_warning("cannot send events error=%s", strerror(-r));
}

void outbox_up(struct outbox *o, struct link *l)
{
	o->link = l;
	outbox_kick(o);
}

void outbox_down(struct outbox *o)
{
	o->link = NULL;
	o->busy = false;
}
