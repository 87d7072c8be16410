// SPDX-License-Identifier: GPL-2.0
#include "health.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "records.h"

#define FINDINGS_SHOWN	8
#define ATRS_SHOWN	8

static struct json_object *member(struct json_object *o, const char *name)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, name, &v);
	return v;
}

static size_t length(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static const char *or_unknown(const char *text)
{
	return text ? text : "?";
}

static void put(struct akm_ctx *ctx, const char *text)
{
	akm_put_clean(ctx->out, text);
}

/* ------------------------------------------------------------ verdict */

static void put_count(struct akm_ctx *ctx, const char *before, uint64_t n, const char *what)
{
	fprintf(ctx->out, "%s%" PRIu64 " %s%s", before, n, what, n == 1 ? "" : "s");
}

static void put_verdict(struct akm_ctx *ctx, struct json_object *o, struct json_object *health, bool healthy)
{
	uint64_t alerts = akm_json_u64(health, "alerts"), warnings = akm_json_u64(health, "warnings");

	akm_put_coloured(ctx->out, ctx->colour, healthy ? AKM_GREEN : alerts ? AKM_RED : AKM_YELLOW,
			 healthy ? "HEALTHY" : "NOT HEALTHY");
	fprintf(ctx->out, ": ");
	put(ctx, or_unknown(akm_json_str(o, "role")));
	fputc(' ', ctx->out);
	put(ctx, or_unknown(akm_json_str(o, "name")));
	if (!health)
		fputs(": its akmd does not say how it is", ctx->out);
	if (alerts)
		put_count(ctx, ", ", alerts, "alert");
	if (warnings)
		put_count(ctx, ", ", warnings, "warning");
	fputc('\n', ctx->out);
}

static void put_finding(struct akm_ctx *ctx, struct json_object *o)
{
	const char *severity = or_unknown(akm_json_str(o, "severity")), *subject = akm_json_str(o, "subject");
	const char *since = akm_json_str(o, "since"), *remedy = akm_json_str(o, "remedy");

	akm_put_coloured(ctx->out, ctx->colour, akm_colour_of_state(severity), severity);
	fprintf(ctx->out, "%*s", (int)(strlen(severity) < 8 ? 9 - strlen(severity) : 1), "");
	if (subject) {
		akm_put_coloured(ctx->out, ctx->colour, AKM_BOLD, subject);
		fputs(": ", ctx->out);
	}
	put(ctx, or_unknown(akm_json_str(o, "text")));
	if (since) {
		fputs(", since ", ctx->out);
		put(ctx, since);
	}
	fputc('\n', ctx->out);
	if (remedy && *remedy) {
		fputs("         → ", ctx->out);
		put(ctx, remedy);
		fputc('\n', ctx->out);
	}
}

static void put_findings(struct akm_ctx *ctx, struct json_object *findings)
{
	size_t i, n = length(findings);

	for (i = 0; i < n && i < FINDINGS_SHOWN; i++)
		put_finding(ctx, json_object_array_get_idx(findings, i));
	if (n > FINDINGS_SHOWN)
		fprintf(ctx->out, "… and %zu more: akmctl -j status\n", n - FINDINGS_SHOWN);
}

/* ------------------------------------------------------------ counts */

static void put_name(struct akm_ctx *ctx, const char *name)
{
	akm_put_coloured(ctx->out, ctx->colour, AKM_BOLD, name);
	fprintf(ctx->out, ":%*s", (int)(9 - strlen(name)), "");
}

static void put_self(struct akm_ctx *ctx, struct json_object *o)
{
	struct json_object *tpm = member(o, "tpm");

	put_name(ctx, "akmd");
	fputs("version ", ctx->out);
	put(ctx, or_unknown(akm_json_str(o, "version")));
	fprintf(ctx->out, ", term %" PRIu64 "; TPM ", akm_json_u64(o, "term"));
	put(ctx, or_unknown(akm_json_str(tpm, "state")));
	fprintf(ctx->out, ", %" PRIu64 " commands", akm_json_u64(tpm, "commands"));
	if (akm_json_u64(tpm, "depth"))
		fprintf(ctx->out, ", %" PRIu64 " jobs wait", akm_json_u64(tpm, "depth"));
	fputc('\n', ctx->out);
}

static void put_text(struct akm_ctx *ctx, struct json_object *o, const char *before, const char *name)
{
	const char *text = akm_json_str(o, name);

	if (!text || !*text)
		return;
	fputs(before, ctx->out);
	put(ctx, text);
}

static void put_peer(struct akm_ctx *ctx, struct json_object *peer)
{
	const char *state = or_unknown(akm_json_str(peer, "state"));

	if (!peer)
		return;
	put_name(ctx, "above");
	if (akm_json_str(peer, "name")) {
		put(ctx, akm_json_str(peer, "name"));
		fputc(' ', ctx->out);
	}
	akm_put_coloured(ctx->out, ctx->colour, akm_colour_of_state(state), state);
	put_text(ctx, peer, " since ", "since");
	put_text(ctx, peer, ", at ", "address");
	put_text(ctx, peer, "; ", "provisioning");
	fputc('\n', ctx->out);
}

static void put_nodes(struct akm_ctx *ctx, const char *role, struct json_object *nodes)
{
	if (!nodes)
		return;
	put_name(ctx, !strcmp(role, "root") ? "managers" : "nodes");
	fprintf(ctx->out, "%" PRIu64 " of %" PRIu64 " up", akm_json_u64(nodes, "up"), akm_json_u64(nodes, "total"));
	if (akm_json_u64(nodes, "evicted"))
		fprintf(ctx->out, ", %" PRIu64 " evicted", akm_json_u64(nodes, "evicted"));
	fputc('\n', ctx->out);
}

/* A list of members: "4 of 5 current"; a node knows only how many there are. */
static void put_members(struct akm_ctx *ctx, struct json_object *members)
{
	size_t i, current = 0, told = 0;

	if (json_object_is_type(members, json_type_int))
		fprintf(ctx->out, ", %" PRIu64 " members", json_object_get_uint64(members));
	for (i = 0; i < length(members); i++) {
		const char *state = akm_json_str(json_object_array_get_idx(members, i), "state");

		told += !!state;
		current += state && !strcmp(state, "current");
	}
	if (told)
		fprintf(ctx->out, ", %zu of %zu members current", current, length(members));
	else if (length(members))
		fprintf(ctx->out, ", %zu members", length(members));
}

static void put_atr(struct akm_ctx *ctx, struct json_object *o)
{
	const char *state = akm_json_str(o, "state");

	put_name(ctx, "ATR");
	fprintf(ctx->out, "#%" PRIu64 " ", akm_json_u64(o, "id"));
	put(ctx, or_unknown(akm_json_str(o, "label")));
	fprintf(ctx->out, " generation %" PRIu64, akm_json_u64(o, "generation"));
	if (state) {
		fputs(", ", ctx->out);
		akm_put_coloured(ctx->out, ctx->colour, akm_colour_of_state(state), state);
	}
	put_members(ctx, member(o, "members"));
	put_text(ctx, o, ", interface ", "interface");
	fputc('\n', ctx->out);
}

static void put_atrs(struct akm_ctx *ctx, struct json_object *atrs)
{
	size_t i, n = length(atrs);

	for (i = 0; i < n && i < ATRS_SHOWN; i++)
		put_atr(ctx, json_object_array_get_idx(atrs, i));
	if (n > ATRS_SHOWN)
		fprintf(ctx->out, "… and %zu more ATRs: akmctl atr list\n", n - ATRS_SHOWN);
}

static void put_status(struct akm_ctx *ctx, struct json_object *o, struct json_object *health, bool healthy)
{
	put_verdict(ctx, o, health, healthy);
	put_findings(ctx, member(health, "findings"));
	fputc('\n', ctx->out);
	put_self(ctx, o);
	put_peer(ctx, member(o, "peer"));
	put_nodes(ctx, or_unknown(akm_json_str(o, "role")), member(o, "nodes"));
	put_atrs(ctx, member(o, "atrs"));
}

int akm_health_show(struct akm_ctx *ctx, struct json_object *status, struct akm_error *e)
{
	struct json_object *health = member(status, "health");
	const char *state = akm_json_str(health, "state");
	bool healthy = state && !strcmp(state, "healthy");

	if (ctx->json)
		akm_json_print(ctx->out, status);
	else
		put_status(ctx, status, health, healthy);
	if (healthy)
		return 0;
	akm_error_set(e, EREMOTEIO, NULL, "not healthy");
	e->silent = true;
	return -EREMOTEIO;
}

void akm_health_none(struct akm_ctx *ctx)
{
	if (ctx->json)
		return;
	akm_put_coloured(ctx->out, ctx->colour, AKM_RED, "NOT HEALTHY");
	fputs(": akmd does not answer, so nobody watches\n", ctx->out);
}
