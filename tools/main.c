// SPDX-License-Identifier: GPL-2.0
/* akmctl: options, command, exit status (0 done, 1 refused or failed, 2 misused). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "nl.h"
#include "report.h"

#ifndef AKM_VERSION
#define AKM_VERSION	"unversioned"
#endif

enum { OPT_SOCKET = 256, OPT_COLOR };

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "color", required_argument, NULL, OPT_COLOR },
	{}
};

/* NO_COLOR: https://no-color.org */
static bool terminal_wants_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb");
}

static int set_colour(struct akm_ctx *ctx, const char *when, struct akm_error *e)
{
	if (!strcmp(when, "always"))
		ctx->colour = true;
	else if (!strcmp(when, "never"))
		ctx->colour = false;
	else if (strcmp(when, "auto")) {
		akm_error_set(e, EINVAL, "--color", "\"%s\" is not one of auto, always, never", when);
		e->usage = true;
		return -EINVAL;
	}
	return 0;
}

/* Return: index of the first word after the options, 0 if all is done, or a negative errno. */
static int parse_options(struct akm_ctx *ctx, int argc, char *argv[], struct akm_error *e)
{
	int c, r = 0;

	while (r >= 0 && (c = getopt_long(argc, argv, "+jhV", options, NULL)) != -1) {
		switch (c) {
		case 'j':
			ctx->json = true;
			break;
		case 'h':
			akm_usage(ctx->out, NULL);
			return 0;
		case 'V':
			fprintf(ctx->out, "akmctl %s\n", AKM_VERSION);
			return 0;
		case OPT_SOCKET:
			ctx->socket = optarg;
			break;
		case OPT_COLOR:
			r = set_colour(ctx, optarg, e);
			break;
		default:		/* getopt has said why */
			e->silent = true;
			e->usage = true;
			return -EINVAL;
		}
	}
	return r < 0 ? r : optind;
}

static int run_words(struct akm_ctx *ctx, int argc, char *const argv[], struct akm_error *e)
{
	const struct akm_command *cmd = NULL;
	static struct akm_values values;
	int used, r;

	r = akm_command_find(argc, argv, &cmd, &used, e);
	r = r < 0 ? r : akm_args_parse(cmd, ctx, argc - used, argv + used, &values, e);
	r = r < 0 ? r : cmd->run(ctx, cmd, &values, e);
	if (r < 0)
		akm_report(ctx, cmd, &values, e);
	return r;
}

static int run(struct akm_ctx *ctx, int argc, char *argv[], struct akm_error *e)
{
	int first = parse_options(ctx, argc, argv, e);
	char word[] = "help";

	if (first < 0)
		akm_report(ctx, NULL, NULL, e);
	if (first <= 0)
		return first;
	/* "atr create --help" is "help atr", for those who expect it there. */
	if (argc - first > 1 && !strcmp(argv[argc - 1], "--help"))
		return run_words(ctx, 2, (char *[]){ word, argv[first] }, e);
	return run_words(ctx, argc - first, argv + first, e);
}

int main(int argc, char *argv[])
{
	struct akm_ctx ctx = { .out = stdout, .err = stderr, .colour = terminal_wants_colour() };
	struct akm_error e = {};
	int r = run(&ctx, argc, argv, &e);

	akm_nl_close(&ctx);
	if (fclose(stdout) && r >= 0) {
		perror("akmctl: output");
		return 1;
	}
	return r >= 0 ? 0 : e.usage ? 2 : 1;
}
