// SPDX-License-Identifier: GPL-2.0
#include "evidence.h"

#include "alerts.h"
#include "clock.h"
#include "log.h"
#include "logid.h"
#include "report.h"
#include "wire.h"

struct limit {
	uint64_t hash;			/* of kind and word; 0: unused */
	uint64_t until_ms;
	uint64_t suppressed;
	struct msg_event last;		/* what the suppressed ones looked like */
};

struct kind_count {
	char kind[sizeof_field(struct msg_event, kind)];
	uint64_t n[SEV_ALERT + 1];	/* by severity */
};

struct follower {
	struct follower *next;
	struct evidence *evidence;
	struct ctl_request *req;
};

struct evidence {
	struct evidence_backend backend;
	char name[AKM_NAME_LEN];
	struct event *timer;
	struct limit limit[EVIDENCE_KEYS + 1];	/* the last one is for what does not fit */
	struct follower *first;
	struct alerts alerts;
	struct kind_count kinds[EVIDENCE_KINDS + 1];	/* the last one is for what does not fit */
	uint64_t last_seq;
	int failure;			/* the last record could not be stored */
	uint64_t failed_ms;
	void (*on_new)(void *ctx);
	void *on_new_ctx;
	evidence_record_fn on_record;
	void *on_record_ctx;
};

static void flush_limits(evutil_socket_t fd, short what, void *arg);

static int stands(uint64_t seq, const struct msg_event *ev, void *ctx)
{
	struct evidence *e = ctx;

	alerts_add(&e->alerts, seq, ev);
	return 0;
}

static int load_alerts(struct evidence *e)
{
	return e->backend.alerts(e->backend.ctx, e->alerts.seen, stands, e);
}

int evidence_new(struct event_base *base, const char *name, const struct evidence_backend *backend, const char *seen,
		 struct evidence **ret)
{
	struct evidence *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->backend = *backend;
	snprintf(e->name, sizeof(e->name), "%s", name);
	e->timer = evtimer_new(base, flush_limits, e);
	r = e->timer ? alerts_open(&e->alerts, seen) : -ENOMEM;
	r = r ?: e->backend.last(e->backend.ctx, &e->last_seq) ?: load_alerts(e);
	if (r < 0) {
		evidence_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

void evidence_free(struct evidence *e)
{
	struct follower *f;

	if (!e)
		return;
	while ((f = e->first)) {
		e->first = f->next;
		ctl_on_gone(f->req, NULL, NULL);
		ctl_ok(f->req, NULL);
		free(f);
	}
	if (e->timer)
		event_free(e->timer);
	alerts_close(&e->alerts);
	free(e);
}

void evidence_on_new(struct evidence *e, void (*fn)(void *ctx), void *ctx)
{
	e->on_new = fn;
	e->on_new_ctx = ctx;
}

void evidence_on_record(struct evidence *e, evidence_record_fn fn, void *ctx)
{
	e->on_record = fn;
	e->on_record_ctx = ctx;
}

const struct evidence_backend *evidence_backend(const struct evidence *e)
{
	return &e->backend;
}

static void log_event(const struct msg_event *ev)
{
	enum akm_log_level level = ev->severity == SEV_ALERT ? AKM_LOG_WARNING : AKM_LOG_NOTICE;

	akm_log_id(level, logid_of_kind(ev->kind), "event: %s kind=%s source=%s atr=%u count=%llu", ev->text, ev->kind,
		   ev->source, ev->atr_id, (unsigned long long)ev->count);
}

static int show(uint64_t seq, const struct msg_event *ev, void *ctx)
{
	struct json_object *o = report_event(seq, ev);

	if (!o)
		return -ENOMEM;
	ctl_item(ctx, o);
	return 0;
}

/* Numbers that begin again (a backup that was put back) were acknowledged by nobody. */
static void go_on_from(struct evidence *e, uint64_t seq)
{
	int r = seq <= e->alerts.seen ? alerts_acknowledge(&e->alerts, seq - 1) : 0;

	if (r < 0)
		log_warning("cannot take back which alerts were acknowledged error=%s", strerror(-r));
	e->last_seq = seq;
}

static void count(struct evidence *e, const struct msg_event *ev)
{
	size_t i = 0;

	while (i < EVIDENCE_KINDS && e->kinds[i].kind[0] && strcmp(e->kinds[i].kind, ev->kind))
		i++;
	snprintf(e->kinds[i].kind, sizeof(e->kinds[i].kind), "%s", i < EVIDENCE_KINDS ? ev->kind : "other");
	e->kinds[i].n[ev->severity]++;
}

static int keep(struct evidence *e, const struct msg_event *ev)
{
	uint64_t seq;
	int r = e->backend.add(e->backend.ctx, ev, &seq);

	if (r == -EEXIST)
		return 0;
	if (r < 0 && !e->failure)
		e->failed_ms = wall_ms();
	e->failure = r;
	if (r < 0)
		return r;
	log_event(ev);
	go_on_from(e, seq);
	count(e, ev);
	if (ev->severity == SEV_ALERT)
		alerts_add(&e->alerts, seq, ev);
	for (struct follower *f = e->first, *next; f; f = next) {
		next = f->next;
		(void)show(seq, ev, f->req);	/* no memory: this follower misses one, the record is kept */
	}
	if (e->on_new)
		e->on_new(e->on_new_ctx);
	if (e->on_record)
		e->on_record(ev, e->on_record_ctx);
	return 0;
}

static void keep_own(struct evidence *e, const struct msg_event *ev)
{
	int r = keep(e, ev);

	if (r < 0)
		log_err("cannot store an event: %s kind=%s error=%s", ev->text, ev->kind, strerror(-r));
}

static uint64_t hash_of(const char *kind, const char *word)
{
	uint64_t h = 0xcbf29ce484222325;	/* FNV-1a */

	for (const char *p = kind; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3;
	h = (h ^ 0xff) * 0x100000001b3;
	for (const char *p = word; *p; p++)
		h = (h ^ (uint8_t)*p) * 0x100000001b3;
	return h ? h : 1;
}

static struct limit *limit_of(struct evidence *e, uint64_t hash, uint64_t now)
{
	struct limit *unused = NULL;

	for (size_t i = 0; i < EVIDENCE_KEYS; i++) {
		struct limit *l = &e->limit[i];

		if (l->hash == hash)
			return l;
		if (!unused && (!l->hash || (now >= l->until_ms && !l->suppressed)))
			unused = l;
	}
	if (!unused)
		return &e->limit[EVIDENCE_KEYS];
	memset(unused, 0, sizeof(*unused));
	unused->hash = hash;
	return unused;
}

/* May @ev be kept now? Then it also stands for those that were not. */
static bool limit_take(struct evidence *e, const char *word, struct msg_event *ev)
{
	uint64_t now = now_ms();
	struct limit *l = limit_of(e, hash_of(ev->kind, word), now);

	if (now < l->until_ms) {
		l->suppressed += ev->count;
		l->last = *ev;
		if (!evtimer_pending(e->timer, NULL))
			timer_set(e->timer, EVIDENCE_INTERVAL_MS);
		return false;
	}
	ev->count += l->suppressed;
	l->suppressed = 0;
	l->until_ms = now + EVIDENCE_INTERVAL_MS;
	return true;
}

/* What was left out and never followed by another is told after the interval. */
static void flush_limits(evutil_socket_t fd, short what, void *arg)
{
	struct evidence *e = arg;
	uint64_t now = now_ms();
	bool more = false;

	(void)fd, (void)what;
	for (size_t i = 0; i <= EVIDENCE_KEYS; i++) {
		struct limit *l = &e->limit[i];

		if (!l->suppressed)
			continue;
		if (now < l->until_ms) {
			more = true;
			continue;
		}
		l->last.count = l->suppressed;
		l->suppressed = 0;
		l->until_ms = now + EVIDENCE_INTERVAL_MS;
		keep_own(e, &l->last);
	}
	if (more)
		timer_set(e->timer, EVIDENCE_INTERVAL_MS / 4);
}

void evidence_add(struct evidence *e, const struct evidence_note *note, const char *fmt, ...)
{
	struct msg_event ev = {
		.time_ms = wall_ms(),
		.severity = note->severity,
		.atr_id = note->atr_id,
		.member = note->member,
		.count = note->count ? note->count : 1,
	};
	va_list ap;

	snprintf(ev.source, sizeof(ev.source), "%s", e->name);
	snprintf(ev.kind, sizeof(ev.kind), "%s", note->kind);
	va_start(ap, fmt);
	vsnprintf(ev.text, sizeof(ev.text), fmt, ap);
	va_end(ap);
	wire_text_clean(ev.text);
	if (note->packet)
		ev.packet = *note->packet;
	if (!note->limit || limit_take(e, note->limit, &ev))
		keep_own(e, &ev);
}

int evidence_remote(struct evidence *e, const struct msg_event *event)
{
	return keep(e, event);
}

struct json_object *evidence_alerts(const struct evidence *e)
{
	return alerts_list(&e->alerts);
}

void evidence_health(const struct evidence *e, struct health *h)
{
	alerts_health(&e->alerts, h);
	if (e->failure < 0)
		health_find(h, HEALTH_FINDING("evidence-store", SEV_ALERT, .since_ms = e->failed_ms,
					      .remedy = "Make room on the disk of the state directory, or mend it: until then "
							"what happens is only in the journal."),
			    "events cannot be stored: %s", strerror(-e->failure));
}

void evidence_metrics(const struct evidence *e, struct metrics *m)
{
	metrics_family(m, "akm_evidence_records_total", "counter", "Records of evidence since the start, by kind.");
	for (size_t i = 0; i <= EVIDENCE_KINDS; i++)
		for (enum msg_severity s = SEV_INFO; s <= SEV_ALERT; s++)
			if (e->kinds[i].n[s])
				metrics_put(m, e->kinds[i].n[s], "kind", e->kinds[i].kind, "severity", report_severity(s));
	metrics_family(m, "akm_alerts_unacknowledged", "gauge", "Alerts that nobody has acknowledged.");
	metrics_put(m, e->alerts.total);
}

void evidence_ctl_acknowledge(struct evidence *e, struct ctl_request *req, struct json_object *args)
{
	int64_t until = ctl_int(args, "until", INT64_MAX);
	uint64_t before = e->alerts.total;
	struct json_object *o;
	struct akm_error err = {};
	int r = 0;

	if ((uint64_t)until > e->last_seq && until >= 0)
		until = (int64_t)e->last_seq;	/* what has not happened yet nobody has seen */
	if (until < 0)
		r = akm_error_set(&err, -EINVAL, "until", "must not be negative");
	else if ((uint64_t)until > e->alerts.seen)
		r = alerts_acknowledge(&e->alerts, (uint64_t)until) ?: load_alerts(e);
	if (r < 0) {
		ctl_fail(req, r, err.reason[0] ? &err : NULL);
		return;
	}
	o = json_object_new_object();
	report_put_int(o, "acknowledged", (int64_t)(before - e->alerts.total));
	report_put_int(o, "left", (int64_t)e->alerts.total);
	if (before > e->alerts.total)
		evidence_add(e, EVIDENCE_NOTE("acknowledged", SEV_INFO), "%llu alerts were acknowledged, up to event %lld",
			     (unsigned long long)(before - e->alerts.total), (long long)until);
	ctl_ok(req, o);
}

static void on_gone(struct ctl_request *req, void *data)
{
	struct follower *f = data, **p;

	(void)req;
	for (p = &f->evidence->first; *p != f; p = &(*p)->next)
		;
	*p = f->next;
	free(f);
}

static int follow(struct evidence *e, struct ctl_request *req)
{
	struct follower *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->evidence = e;
	f->req = req;
	f->next = e->first;
	e->first = f;
	ctl_on_gone(req, on_gone, f);
	return 0;
}

struct listing { struct ctl_request *req; uint64_t last; };

static int list_one(uint64_t seq, const struct msg_event *ev, void *ctx)
{
	struct listing *l = ctx;

	l->last = seq;
	return show(seq, ev, l->req);
}

/* Where to begin for somebody who wants the newest @limit. Numbers have hardly a gap. */
static uint64_t newest(const struct evidence *e, uint64_t limit)
{
	return e->last_seq > limit ? e->last_seq - limit : 0;
}

static int add_newest(uint64_t seq, const struct msg_event *ev, void *ctx)
{
	struct json_object *o = report_event(seq, ev);

	return o ? json_object_array_add(ctx, o) : -ENOMEM;
}

int evidence_newest(const struct evidence *e, size_t limit, struct json_object **ret)
{
	struct json_object *list = json_object_new_array();
	int r = e->backend.each(e->backend.ctx, newest(e, limit), limit, add_newest, list);

	if (r < 0)
		json_object_put(list);
	else
		*ret = list;
	return r;
}

/* Who follows must not miss what lies between the listing's end and what comes. */
static int list(struct evidence *e, uint64_t since, uint64_t limit, bool followed, struct ctl_request *req,
		struct akm_error *err)
{
	struct listing l = { req, since };
	int r = limit ? e->backend.each(e->backend.ctx, since, limit, list_one, &l) : 0;

	if (r < 0)
		return akm_error_set(err, r, "events", "cannot be read: %s", strerror(-r));
	if (followed && limit && l.last < e->last_seq)
		return akm_error_set(err, -EOVERFLOW, "limit", "there are more since then: go on after %llu",
				     (unsigned long long)l.last);
	return 0;
}

void evidence_ctl(struct evidence *e, struct ctl_request *req, struct json_object *args)
{
	bool followed = ctl_bool(args, "follow");
	int64_t since = ctl_int(args, "since", -1), limit;
	struct akm_error err = {};
	int r;

	limit = ctl_int(args, "limit", followed && since < 0 ? EVIDENCE_FOLLOW_DEFAULT : EVIDENCE_LIMIT_DEFAULT);
	if (limit < 0)
		r = akm_error_set(&err, -EINVAL, "limit", "must not be negative");
	else if (since < -1)
		r = akm_error_set(&err, -EINVAL, "since", "must not be negative");
	else
		r = list(e, since < 0 ? newest(e, (uint64_t)limit) : (uint64_t)since, (uint64_t)limit, followed, req,
			 &err);
	if (!r && followed)
		r = follow(e, req);
	else if (!r)
		ctl_ok(req, NULL);
	if (r < 0)
		ctl_fail(req, r, err.reason[0] ? &err : NULL);
}
