/* SPDX-License-Identifier: GPL-2.0 */
/* A line of words through akmctl's table, for the tests of the tool. Included behind cmocka.h. */
#ifndef SUPPORT_AKMCTL_H
#define SUPPORT_AKMCTL_H

#include <string.h>

#include "../../tools/command.h"
#include "../../tools/error.h"
#include "../../tools/report.h"

#define WORDS_MAX	200
#define WORDS_BYTES	4096

/* The values point into a copy of @line that lasts until the next one. */
static inline int parse_line(struct akm_ctx *ctx, const char *line, const struct akm_command **ret_cmd,
			     struct akm_values *ret, struct akm_error *e)
{
	static char copy[WORDS_BYTES];
	char *argv[WORDS_MAX], *save = NULL, *p;
	int argc = 0, used = 0, r;

	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	memset(e, 0, sizeof(*e));
	for (p = strtok_r(copy, " ", &save); p && argc < WORDS_MAX; p = strtok_r(NULL, " ", &save))
		argv[argc++] = p;
	r = akm_command_find(argc, argv, ret_cmd, &used, e);
	return r < 0 ? r : akm_args_parse(*ret_cmd, ctx, argc - used, argv + used, ret, e);
}

/* As main() does it, with what is refused reported in @ctx. */
static inline int run_line(struct akm_ctx *ctx, const char *line, struct akm_error *e)
{
	const struct akm_command *cmd = NULL;
	static struct akm_values v;
	int r = parse_line(ctx, line, &cmd, &v, e);

	r = r < 0 ? r : cmd->run(ctx, cmd, &v, e);
	if (r < 0)
		akm_report(ctx, cmd, &v, e);
	return r;
}

#endif /* SUPPORT_AKMCTL_H */
