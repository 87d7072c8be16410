// SPDX-License-Identifier: GPL-2.0
#include "calls.h"

#include "clock.h"
#include "wire.h"

struct call {
	struct call *next;
	struct calls *calls;
	struct event *timer;
	uint32_t id;
	call_fn fn;
	void *ctx;
};

void calls_init(struct calls *c, struct event_base *base)
{
	memset(c, 0, sizeof(*c));
	c->base = base;
}

static void call_unlink(struct call *call)
{
	struct call **p = &call->calls->first;

	while (*p != call)
		p = &(*p)->next;
	*p = call->next;
}

static void call_free(struct call *call)
{
	if (call->timer)
		event_free(call->timer);
	free(call);
}

static void call_end(struct call *call, int r, const struct akm_error *err)
{
	call_fn fn = call->fn;
	void *ctx = call->ctx;

	call_unlink(call);
	call_free(call);
	fn(ctx, r, err);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct akm_error err = {};

	(void)fd, (void)what;
	akm_error_set(&err, -ETIMEDOUT, "link", "no answer in time");
	call_end(arg, -ETIMEDOUT, &err);
}

static uint32_t next_id(struct calls *c)
{
	c->last_id++;
	if (!c->last_id)
		c->last_id = 1;
	return c->last_id;
}

int calls_send(struct calls *c, struct link *l, struct msg *m, uint64_t timeout_ms, call_fn fn, void *ctx)
{
	struct call *call = calloc(1, sizeof(*call));
	int r = -ENOMEM;

	if (!call)
		return -ENOMEM;
	call->calls = c;
	call->fn = fn;
	call->ctx = ctx;
	call->id = next_id(c);
	if (timeout_ms) {
		call->timer = evtimer_new(c->base, on_timeout, call);
		if (!call->timer || timer_set(call->timer, timeout_ms) < 0)
			goto fail;
	}
	m->request = call->id;
	r = link_send(l, m);
	if (r < 0)
		goto fail;
	call->next = c->first;
	c->first = call;
	return 0;
fail:
	call_free(call);
	return r;
}

int calls_answer(struct calls *c, const struct msg *m)
{
	struct akm_error err = {};
	struct call *call;

	for (call = c->first; call; call = call->next)
		if (call->id == m->request)
			break;
	if (!call)
		return m->request && m->request <= c->last_id ? 0 : -ENOENT;
	if (m->type == MSG_OK) {
		call_end(call, 0, NULL);
		return 0;
	}
	akm_error_set(&err, 0, m->error.field, "%.190s", m->error.reason);
	call_end(call, m->error.code ? -m->error.code : -EIO, &err);
	return 0;
}

void calls_abort(struct calls *c)
{
	struct akm_error err = {};

	akm_error_set(&err, -ENOTCONN, "link", "the link went down");
	while (c->first)
		call_end(c->first, -ENOTCONN, &err);
}

void calls_drop(struct calls *c)
{
	while (c->first) {
		struct call *call = c->first;

		call_unlink(call);
		call_free(call);
	}
}

int reply_ok(struct link *l, uint32_t request)
{
	struct msg m = { .type = MSG_OK, .request = request };

	return request ? link_send(l, &m) : 0;
}

int reply_error(struct link *l, uint32_t request, int r, const struct akm_error *err)
{
	struct msg m = { .type = MSG_ERROR, .request = request };

	if (!request)
		return 0;
	m.error.code = r < 0 ? -r : EIO;
	snprintf(m.error.field, sizeof(m.error.field), "%s", err && err->field[0] ? err->field : "request");
	snprintf(m.error.reason, sizeof(m.error.reason), "%s",
		 err && err->reason[0] ? err->reason : strerror(m.error.code));
	wire_text_clean(m.error.field);
	wire_text_clean(m.error.reason);
	return link_send(l, &m);
}
