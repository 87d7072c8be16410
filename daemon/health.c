// SPDX-License-Identifier: GPL-2.0
#include "health.h"

#include "report.h"

void health_init(struct health *h)
{
	memset(h, 0, sizeof(*h));
	h->alerts = json_object_new_array();
	h->warnings = json_object_new_array();
}

static struct health_check *check_of(struct health *h, const char *name)
{
	for (size_t i = 0; i < h->n_checks; i++)
		if (!strcmp(h->checks[i].name, name))
			return &h->checks[i];
	if (h->n_checks < HEALTH_CHECKS)
		h->checks[h->n_checks++].name = name;
	return &h->checks[h->n_checks - 1];
}

static void add(struct health *h, const struct health_finding *f, const char *text)
{
	struct json_object *o = json_object_new_object();

	report_put_text(o, "severity", f->severity == SEV_ALERT ? "alert" : "warning");
	report_put_text(o, "check", f->check);
	if (f->subject)
		report_put_text(o, "subject", f->subject);
	if (f->since_ms)
		json_object_object_add(o, "since", report_time(f->since_ms));
	report_put_text(o, "text", text);
	report_put_text(o, "remedy", f->remedy);
	json_object_array_add(f->severity == SEV_ALERT ? h->alerts : h->warnings, o);
}

void health_find(struct health *h, const struct health_finding *f, const char *fmt, ...)
{
	struct health_check *c = check_of(h, f->check);
	char text[TEXT_MAX];
	va_list ap;

	if (c->worst < f->severity)
		c->worst = f->severity;
	if (c->n++ >= HEALTH_PER_CHECK)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add(h, f, text);
}

/* A fleet that is down as a whole is told in few words. */
static void add_rest(struct health *h)
{
	char text[64];

	for (size_t i = 0; i < h->n_checks; i++) {
		const struct health_check *c = &h->checks[i];
		struct health_finding f = { .check = c->name, .severity = c->worst,
					    .remedy = "akmctl node list and akmctl atr list show all of them." };

		if (c->n <= HEALTH_PER_CHECK)
			continue;
		snprintf(text, sizeof(text), "and %zu more", c->n - HEALTH_PER_CHECK);
		add(h, &f, text);
	}
}

void health_end(struct health *h, struct json_object *status)
{
	struct json_object *o = json_object_new_object();
	size_t alerts = 0, warnings = 0;

	add_rest(h);
	for (size_t i = 0; i < h->n_checks; i++)
		*(h->checks[i].worst == SEV_ALERT ? &alerts : &warnings) += h->checks[i].n;
	report_put_text(o, "state", alerts ? "alert" : warnings ? "warning" : "healthy");
	report_put_int(o, "alerts", (int64_t)alerts);
	report_put_int(o, "warnings", (int64_t)warnings);
	for (size_t i = 0; i < json_object_array_length(h->warnings); i++)
		json_object_array_add(h->alerts, json_object_get(json_object_array_get_idx(h->warnings, i)));
	json_object_put(h->warnings);
	json_object_object_add(o, "findings", h->alerts);
	json_object_object_add(status, "health", o);
	memset(h, 0, sizeof(*h));
}

void health_metrics(const struct health *h, struct metrics *m)
{
	metrics_family(m, "akm_healthy", "gauge", "1 if akmctl status says that all is well.");
	metrics_put(m, !h->n_checks);
	metrics_family(m, "akm_findings", "gauge", "What is wrong now, by check.");
	for (size_t i = 0; i < h->n_checks; i++)
		metrics_put(m, h->checks[i].n, "check", h->checks[i].name, "severity",
			    h->checks[i].worst == SEV_ALERT ? "alert" : "warning");
}

void health_drop(struct health *h)
{
	json_object_put(h->alerts);
	json_object_put(h->warnings);
	memset(h, 0, sizeof(*h));
}
