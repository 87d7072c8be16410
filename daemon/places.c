// SPDX-License-Identifier: GPL-2.0
#include "places.h"

#include "log.h"
#include "report.h"

static struct msg_endpoint place_of(const struct link *l)
{
	const struct sockaddr_storage *a = &link_info(l)->remote;

	/* sin_port and sin6_port lie at the same place */
	return report_endpoint_of(a, ntohs(((const struct sockaddr_in *)a)->sin_port));
}

static void tell(struct places *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void tell(struct places *p, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->two(p->ctx, text);
}

void places_init(struct places *p, struct event_base *base, places_fn two, void *ctx)
{
	memset(p, 0, sizeof(*p));
	calls_init(&p->calls, base);
	p->two = two;
	p->ctx = ctx;
}

/* What is asked of @old ends without an answer. Return: it, for the caller to end. */
static struct link *take_old(struct places *p)
{
	struct link *l = p->old;

	p->old = NULL;
	calls_drop(&p->calls);
	if (l)
		link_set_data(l, NULL);
	return l;
}

void places_end(struct places *p)
{
	link_free(take_old(p));
}

static void let_go(struct places *p)
{
	struct link *l = take_old(p);

	if (l)
		link_close(l);
}

/* An error is an answer as well. */
static void on_answer(void *ctx, int r, const struct akm_error *err)
{
	char was[REPORT_ENDPOINT_MAX], is[REPORT_ENDPOINT_MAX];
	struct places *p = ctx;

	(void)err;
	let_go(p);
	if (r == -ETIMEDOUT)
		return;
	report_endpoint_text(&p->was_at, was, sizeof(was));
	report_endpoint_text(&p->is_at, is, sizeof(is));
	tell(p, "who was linked from %s for %llu ms still answers there, and another one has a link with its key from %s",
	     was, (unsigned long long)p->lasted_ms, is);
}

void places_superseded(struct places *p, struct link *old, struct link *new, uint64_t lasted_ms, uint32_t last_id)
{
	/* The n that it has, or had: whatever it answers, nothing is changed by that. */
	struct msg question = { .type = MSG_LINK_NEXT, .next = { .n = link_info(old)->n } };

	let_go(p);			/* three within a moment: the newer ones are asked */
	p->old = old;
	p->was_at = place_of(old);
	p->is_at = place_of(new);
	p->lasted_ms = lasted_ms;
	p->calls.last_id = last_id;	/* no answer that is under way is one to this */
	if (calls_send(&p->calls, old, &question, PLACES_ANSWER_MS, on_answer, p) < 0)
		let_go(p);		/* it is not up any more, or does not read */
}

bool places_message(struct places *p, const struct link *l, const struct msg *m)
{
	if (l != p->old)
		return false;
	if (m->type == MSG_OK || m->type == MSG_ERROR)
		(void)calls_answer(&p->calls, m);
	return true;
}

bool places_down(struct places *p, const struct link *l)
{
	if (l != p->old)
		return false;
	(void)take_old(p);
	return true;
}

void places_hello(struct places *p, const struct link *l, uint64_t instance)
{
	char before[REPORT_ENDPOINT_MAX], now[REPORT_ENDPOINT_MAX];
	size_t i = 0;

	if (!instance)
		return;
	while (i < PLACES_INSTANCES - 1 && p->seen[i].id != instance)
		i++;
	/* A place that was never used has 0. */
	if (i && p->seen[i].id == instance) {
		struct msg_endpoint at = place_of(l);

		report_endpoint_text(&p->seen[0].at, before, sizeof(before));
		report_endpoint_text(&at, now, sizeof(now));
		tell(p, "who is linked from %s was linked before, and meanwhile another one was, from %s", now, before);
	}
	memmove(&p->seen[1], &p->seen[0], i * sizeof(p->seen[0]));
	p->seen[0].id = instance;
	p->seen[0].at = place_of(l);
}
