/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): families with HELP and TYPE,
 * samples with labels, escaped as it says. Knows no sibling.
 */
#ifndef AKM_METRICS_H
#define AKM_METRICS_H

#include "util.h"

#define METRICS_TYPE		"text/plain; version=0.0.4; charset=utf-8"
#define METRICS_SAMPLES_MAX	50000	/* of all families; what is beyond is left out, and that is a sample */

struct metrics {
	FILE *f;
	const char *family;		/* that samples now belong to */
	size_t samples, left_out;
};

/* All samples of a family follow it. @type: "gauge", "counter" or "summary". */
void metrics_family(struct metrics *m, const char *name, const char *type, const char *help);
/* Labels are pairs of strings, name and value. The functions want a NULL behind them, which the macros put there. */
__attribute__((sentinel)) void metrics_put_list(struct metrics *m, uint64_t value, ...);
#define metrics_put(m, ...) metrics_put_list(m, __VA_ARGS__, (const char *)NULL)
/* Seconds, from milliseconds. */
__attribute__((sentinel)) void metrics_put_ms_list(struct metrics *m, uint64_t ms, ...);
#define metrics_put_ms(m, ...) metrics_put_ms_list(m, __VA_ARGS__, (const char *)NULL)
/* A summary without quantiles: how often, and seconds in all */
void metrics_put_summary(struct metrics *m, uint64_t count, uint64_t sum_us);
void metrics_end(struct metrics *m);

#endif /* AKM_METRICS_H */
