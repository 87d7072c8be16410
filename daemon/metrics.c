// SPDX-License-Identifier: GPL-2.0
#include "metrics.h"

/* In HELP a backslash and a newline are escaped, in a label's value a quote as well. */
static void put_escaped(FILE *f, const char *s, bool quote)
{
	for (; *s; s++) {
		if (*s == '\\' || (quote && *s == '"'))
			fprintf(f, "\\%c", *s);
		else if (*s == '\n')
			fputs("\\n", f);
		else
			fputc(*s, f);
	}
}

void metrics_family(struct metrics *m, const char *name, const char *type, const char *help)
{
	m->family = name;
	fprintf(m->f, "# HELP %s ", name);
	put_escaped(m->f, help, false);
	fprintf(m->f, "\n# TYPE %s %s\n", name, type);
}

static void put_labels(FILE *f, va_list ap)
{
	const char *name = va_arg(ap, const char *), *before = "{";

	if (!name)
		return;
	for (; name; name = va_arg(ap, const char *)) {
		fprintf(f, "%s%s=\"", before, name);
		put_escaped(f, va_arg(ap, const char *), true);
		fputc('"', f);
		before = ",";
	}
	fputc('}', f);
}

/* Labels come from many nodes: their number has an end. */
static bool may_put(struct metrics *m)
{
	if (m->samples < METRICS_SAMPLES_MAX) {
		m->samples++;
		return true;
	}
	m->left_out++;
	return false;
}

void metrics_put_list(struct metrics *m, uint64_t value, ...)
{
	va_list ap;

	if (!may_put(m))
		return;
	fputs(m->family, m->f);
	va_start(ap, value);
	put_labels(m->f, ap);
	va_end(ap);
	fprintf(m->f, " %llu\n", (unsigned long long)value);
}

void metrics_put_ms_list(struct metrics *m, uint64_t ms, ...)
{
	va_list ap;

	if (!may_put(m))
		return;
	fputs(m->family, m->f);
	va_start(ap, ms);
	put_labels(m->f, ap);
	va_end(ap);
	fprintf(m->f, " %llu.%03u\n", (unsigned long long)ms / 1000, (unsigned int)(ms % 1000));
}

void metrics_put_summary(struct metrics *m, uint64_t count, uint64_t sum_us)
{
	if (!may_put(m))
		return;
	fprintf(m->f, "%s_sum %llu.%06u\n%s_count %llu\n", m->family, (unsigned long long)sum_us / 1000000,
		(unsigned int)(sum_us % 1000000), m->family, (unsigned long long)count);
}

void metrics_end(struct metrics *m)
{
	size_t left_out = m->left_out;

	m->samples = 0;
	metrics_family(m, "akm_metrics_left_out", "gauge", "Samples that are not shown: there are too many.");
	metrics_put(m, left_out);
}
