// SPDX-License-Identifier: GPL-2.0
#include "alerts.h"

#include "durable.h"
#include "log.h"
#include "report.h"

#define SEEN_MAX 24			/* decimal digits of a u64, and a newline */

static uint64_t parse(const struct akm_blob *b)
{
	char text[SEEN_MAX + 1] = "", *end;
	unsigned long long v;

	memcpy(text, b->data, b->len);
	errno = 0;
	v = strtoull(text, &end, 10);
	return end == text || *end != '\n' || errno ? 0 : v;
}

int alerts_open(struct alerts *a, const char *path)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	int r;

	memset(a, 0, sizeof(*a));
	if (!path)
		return 0;
	a->path = strdup(path);
	if (!a->path)
		return -ENOMEM;
	r = durable_read(path, SEEN_MAX, &b);
	if (!r)
		a->seen = parse(&b);
	else if (r != -ENOENT)
		log_warning("cannot read which alerts were acknowledged: all of them stand path=%s error=%s", path,
			    strerror(-r));
	return 0;
}

void alerts_close(struct alerts *a)
{
	free(a->path);
	a->path = NULL;
}

static struct alert_group *group_of(struct alerts *a, const char *kind)
{
	for (size_t i = 0; i < ALERT_KINDS; i++)
		if (!a->groups[i].n || !strcmp(a->groups[i].last.event.kind, kind))
			return &a->groups[i];
	return &a->groups[ALERT_KINDS];
}

void alerts_add(struct alerts *a, uint64_t seq, const struct msg_event *e)
{
	struct alert_group *g = group_of(a, e->kind);

	if (!g->n++)
		g->first_seq = seq;
	g->last = (struct alert){ seq, *e };
	a->newest[a->total++ % ALERTS_SHOWN] = g->last;
}

static void clear(struct alerts *a)
{
	a->total = 0;
	memset(a->groups, 0, sizeof(a->groups));
}

int alerts_acknowledge(struct alerts *a, uint64_t seq)
{
	char text[SEEN_MAX];
	int len = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)seq), r;

	r = a->path ? durable_write(a->path, text, (size_t)len) : 0;
	if (r < 0)
		return r;
	a->seen = seq;
	clear(a);
	return 0;
}

void alerts_health(const struct alerts *a, struct health *h)
{
	for (size_t i = 0; i <= ALERT_KINDS; i++) {
		const struct alert_group *g = &a->groups[i];
		const struct msg_event *e = &g->last.event;
		char remedy[160];

		if (!g->n)
			continue;
		snprintf(remedy, sizeof(remedy), "Look at it: akmctl events since %llu. Then akmctl acknowledge until %llu.",
			 (unsigned long long)g->first_seq - 1, (unsigned long long)g->last.seq);
		health_find(h, HEALTH_FINDING("alert", SEV_ALERT, .subject = e->source, .since_ms = e->time_ms,
					      .remedy = remedy),
			    "%llu × %s, the last: %s", (unsigned long long)g->n, i < ALERT_KINDS ? e->kind : "other kinds",
			    e->text);
	}
}

struct json_object *alerts_list(const struct alerts *a)
{
	struct json_object *list = json_object_new_array();
	uint64_t i = a->total > ALERTS_SHOWN ? a->total - ALERTS_SHOWN : 0;

	for (; i < a->total; i++)
		json_object_array_add(list, report_event(a->newest[i % ALERTS_SHOWN].seq,
							 &a->newest[i % ALERTS_SHOWN].event));
	return list;
}
