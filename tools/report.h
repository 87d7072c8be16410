/* SPDX-License-Identifier: GPL-2.0 */
/* Usage and refusals, as text and as JSON. */
#ifndef AKMCTL_REPORT_H
#define AKMCTL_REPORT_H

#include "command.h"

/* Of one @object, or of everything with the options (NULL). */
void akm_usage(FILE *f, const char *object);

/*
 * Says why a command failed: on standard error for a person, and with -j as an
 * object on standard output too. @cmd may be NULL.
 */
void akm_report(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v, struct akm_error *e);

#endif /* AKMCTL_REPORT_H */
