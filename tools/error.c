// SPDX-License-Identifier: GPL-2.0
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int akm_error_set(struct akm_error *e, int code, const char *field, const char *fmt, ...)
{
	va_list ap;

	memset(e, 0, sizeof(*e));
	e->code = code;
	if (field)
		snprintf(e->field, sizeof(e->field), "%s", field);
	va_start(ap, fmt);
	vsnprintf(e->reason, sizeof(e->reason), fmt, ap);
	va_end(ap);
	return -code;
}

void akm_error_field(struct akm_error *e, const char *field)
{
	if (!e->field[0])
		snprintf(e->field, sizeof(e->field), "%s", field);
}
