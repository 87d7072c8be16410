// SPDX-License-Identifier: GPL-2.0
/* Aligned tables. */
#include "format.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct cell {
	char *text;
	enum akm_colour colour;
};

struct akm_table {
	const char *const *headings;
	size_t columns;
	size_t n, room;
	struct cell *cells;
};

struct akm_table *akm_table_new(const char *const *headings, size_t n)
{
	struct akm_table *t = calloc(1, sizeof(*t));

	if (t) {
		t->headings = headings;
		t->columns = n;
	}
	return t;
}

void akm_table_freep(struct akm_table **t)
{
	size_t i;

	if (!*t)
		return;
	for (i = 0; i < (*t)->n; i++)
		free((*t)->cells[i].text);
	free((*t)->cells);
	free(*t);
}

int akm_table_cell(struct akm_table *t, enum akm_colour colour, const char *text)
{
	char *copy = strdup(text && *text ? text : "-");

	if (!copy)
		return -ENOMEM;
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		struct cell *more = reallocarray(t->cells, room, sizeof(*more));

		if (!more) {
			free(copy);
			return -ENOMEM;
		}
		t->cells = more;
		t->room = room;
	}
	t->cells[t->n].text = copy;
	t->cells[t->n++].colour = colour;
	return 0;
}

int akm_table_printf(struct akm_table *t, enum akm_colour colour, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return akm_table_cell(t, colour, text);
}

static size_t column_width(const struct akm_table *t, size_t c)
{
	size_t i, w = strlen(t->headings[c]);

	for (i = c; i < t->n; i += t->columns) {
		size_t n = akm_clean_width(t->cells[i].text);

		w = n > w ? n : w;
	}
	return w;
}

/* A column of nothing but decimal numbers (or "-") reads best aligned to the right. */
static bool column_is_numeric(const struct akm_table *t, size_t c)
{
	bool any = false;
	size_t i;

	for (i = c; i < t->n; i += t->columns) {
		const char *s = t->cells[i].text;

		if (s[strspn(s, "0123456789")] && strcmp(s, "-"))
			return false;
		any = true;
	}
	return any;
}

static void put_cell(FILE *f, bool on, enum akm_colour colour, const char *text, size_t width, bool right, bool last)
{
	size_t n = akm_clean_width(text), pad = width > n ? width - n : 0;

	if (right)
		fprintf(f, "%*s", (int)pad, "");
	akm_put_coloured(f, on, colour, text);
	if (!last)
		fprintf(f, "%*s", right ? 2 : (int)pad + 2, "");
}

void akm_table_print(const struct akm_table *t, FILE *f, bool colour)
{
	size_t width[AKM_TABLE_COLUMNS], c, i;
	bool right[AKM_TABLE_COLUMNS];

	for (c = 0; c < t->columns; c++) {
		width[c] = column_width(t, c);
		right[c] = column_is_numeric(t, c);
	}
	for (c = 0; c < t->columns; c++)
		put_cell(f, colour, AKM_BOLD, t->headings[c], width[c], right[c], c + 1 == t->columns);
	fputc('\n', f);
	for (i = 0; i < t->n; i++) {
		c = i % t->columns;
		put_cell(f, colour, t->cells[i].colour, t->cells[i].text, width[c], right[c], c + 1 == t->columns);
		if (c + 1 == t->columns)
			fputc('\n', f);
	}
}
