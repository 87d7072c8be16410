// SPDX-License-Identifier: GPL-2.0
/* One line on the control socket, up to the command that would be called. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* as ctl.c has it, but before the first header */
#endif
#include "fuzz.h"

#include "../../daemon/ctl.c"

static void never(struct ctl_request *req, struct json_object *args, void *ctx)
{
	(void)req;
	(void)args;
	(void)ctx;
	abort();
}

static const struct ctl_command table[] = {
	{ .name = "status", .run = never, .args = { { "name", CTL_STRING, true }, { "seconds", CTL_INT, false },
						   { "members", CTL_STRINGS, false } } },
	{},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ctl c = { .table = table };
	struct client cl = { .ctl = &c };
	const struct ctl_command *found = NULL;
	struct json_object *o = NULL, *args = NULL;
	struct akm_error err = {};
	char *line;

	if (len > 65536 || memchr(data, '\n', len))
		return 0;
	line = calloc(1, len + 1);
	must(line);
	memcpy(line, data, len);
	if (parse_line(line, len, &o, &err) < 0) {
		must(err.reason[0]);
	} else {
		if (check_request(&cl, o, &found, &args, &err) < 0)
			must(err.reason[0]);
		else
			must(found == &table[0] && args);
		json_object_put(args);
		json_object_put(o);
	}
	free(line);
	return 0;
}
