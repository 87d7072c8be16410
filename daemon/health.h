/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Is all well, and if not: what is wrong, and what does a person do about it? Every module
 * that can tell adds its findings; akmctl status, the page and the metrics show the same ones.
 */
#ifndef AKM_HEALTH_H
#define AKM_HEALTH_H

#include <json-c/json.h>

#include "metrics.h"
#include "msg.h"

#define HEALTH_PER_CHECK	16	/* findings of one check that are told one by one */
#define HEALTH_CHECKS		32

struct health_check {
	const char *name;
	enum msg_severity worst;
	size_t n;
};

struct health {
	struct json_object *alerts, *warnings;
	struct health_check checks[HEALTH_CHECKS];
	size_t n_checks;
};

struct health_finding {
	const char *check;		/* one word, static: "node-silent" */
	enum msg_severity severity;	/* SEV_WARNING or SEV_ALERT */
	const char *subject;		/* node, ATR, …; NULL: this party itself */
	uint64_t since_ms;		/* wall clock; 0: not known */
	const char *remedy;
};
#define HEALTH_FINDING(c, sev, ...) (&(struct health_finding){ .check = (c), .severity = (sev), __VA_ARGS__ })

void health_init(struct health *h);
__attribute__((format(printf, 3, 4)))
void health_find(struct health *h, const struct health_finding *f, const char *fmt, ...);
/*
 * Adds "health" to @status: {state: healthy|warning|alert, alerts, warnings,
 * findings: [{severity, check, subject?, since?, text, remedy}]}, alerts first. Ends @h.
 */
void health_end(struct health *h, struct json_object *status);
void health_metrics(const struct health *h, struct metrics *m);
void health_drop(struct health *h);		/* in place of health_end() */

#endif /* AKM_HEALTH_H */
