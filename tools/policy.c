// SPDX-License-Identifier: GPL-2.0
/* akmctl policy check and test: a policy file without a daemon. */
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <akm-hook.h>
#include <akm-policy.h>

#include "format.h"
#include "records.h"

#define FILE_MAX	(256U << 10)	/* as the daemon has it */
#define EVENT_MAX	(64U << 10)	/* bytes of a line */
#define FLEET		0		/* the ID that stands for all ATRs */

/* ------------------------------------------------------------ the file */

static FILE *open_input(const char *path, const char *field, struct akm_error *e)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;

	if (!f)
		akm_error_set(e, errno, field, "%s", strerror(errno));
	return f;
}

static void close_input(FILE **f)
{
	if (*f && *f != stdin)
		fclose(*f);
}

static int slurp(const char *path, char **ret, size_t *ret_len, struct akm_error *e)
{
	_cleanup_(close_input) FILE *f = open_input(path, "file", e);
	char *text = f ? malloc(FILE_MAX + 1) : NULL;
	size_t len;

	if (!f)
		return -e->code;
	if (!text)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	len = fread(text, 1, FILE_MAX + 1, f);
	if (!ferror(f) && len <= FILE_MAX) {
		*ret = text;
		*ret_len = len;
		return 0;
	}
	free(text);
	return akm_error_set(e, ferror(f) ? EIO : EFBIG, "file",
			     ferror(f) ? "cannot be read" : "has more than %u bytes", FILE_MAX);
}

static void put_int(struct json_object *o, const char *name, uint64_t v)
{
	json_object_object_add(o, name, json_object_new_uint64(v));
}

static void put_text(struct json_object *o, const char *name, const char *v)
{
	json_object_object_add(o, name, json_object_new_string(v));
}

static void complain_json(struct akm_ctx *ctx, const char *path, const struct policy_error *why)
{
	_cleanup_(akm_json_freep) struct json_object *o = json_object_new_object();
	struct json_object *error = json_object_new_object();

	put_text(error, "code", "EINVAL");
	put_text(error, "file", path);
	put_int(error, "line", why->line);
	put_int(error, "column", why->column);
	put_text(error, "field", why->field);
	put_text(error, "reason", why->reason);
	json_object_object_add(o, "error", error);
	akm_json_print(ctx->out, o);
}

/* FILE:LINE:COLUMN: field: reason, as compilers do it, so that editors find the place. */
static int complain(struct akm_ctx *ctx, const char *path, const struct policy_error *why, struct akm_error *e)
{
	if (ctx->json)
		complain_json(ctx, path, why);
	akm_put_clean(ctx->err, path);
	fprintf(ctx->err, ":%u:%u: ", why->line, why->column);
	akm_put_clean(ctx->err, why->field);
	fputs(": ", ctx->err);
	akm_put_clean(ctx->err, why->reason);
	fputc('\n', ctx->err);
	akm_error_set(e, EINVAL, why->field, "%s", why->reason);
	e->silent = true;
	return -EINVAL;
}

/* @root NULL: a file that stands alone, or is the root's */
static int load_one(struct akm_ctx *ctx, const char *path, const struct policy *root, struct policy *ret,
		    struct akm_error *e)
{
	struct policy_error why = {};
	char *text = NULL;
	size_t len = 0;
	int r = slurp(path, &text, &len, e);

	if (r < 0)
		return r;
	r = root ? policy_parse_over(text, len, root, ret, &why) : policy_parse(text, len, ret, &why);
	free(text);
	if (r == -EINVAL)
		return complain(ctx, path, &why, e);
	return r < 0 ? akm_error_set(e, -r, NULL, "%s", strerror(-r)) : 0;
}

/* FILE, or a manager's FILE on top of --root FILE */
static int load(struct akm_ctx *ctx, const struct akm_values *v, struct policy *ret, struct akm_error *e)
{
	_cleanup_(policy_free) struct policy root = {}, own = {};
	const char *path = akm_value_text(v, "file"), *root_path = akm_value_text(v, "--root");
	int r;

	if (!root_path)
		return load_one(ctx, path, NULL, ret, e);
	r = load_one(ctx, root_path, NULL, &root, e);
	r = r ? r : load_one(ctx, path, &root, &own, e);
	if (r < 0)
		return r;
	r = policy_merge(&root, &own, ret);
	return r < 0 ? akm_error_set(e, -r, NULL, "%s", strerror(-r)) : 0;
}

static size_t count(const struct policy *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += !p->rules[i].off;
	return n;
}

/* With the eyes of who runs them. Return: how many of the programs that @p names cannot be. */
static size_t check_hooks(struct akm_ctx *ctx, const char *directory, const struct policy *p, struct json_object *ret)
{
	char reason[HOOK_REASON_LEN];
	size_t bad = 0;

	for (size_t i = 0; directory && i < p->n_hooks; i++) {
		struct json_object *o = json_object_new_object();
		int fd = hookfile_open(directory, p->hooks[i], reason);

		put_text(o, "hook", p->hooks[i]);
		if (fd < 0)
			put_text(o, "reason", reason);
		json_object_array_add(ret, o);
		bad += fd < 0;
		if (fd >= 0) {
			close(fd);
			continue;
		}
		fprintf(ctx->err, "hook %s: ", p->hooks[i]);
		akm_put_clean(ctx->err, reason);
		fputc('\n', ctx->err);
	}
	return bad;
}

static int hooks_wrong(size_t bad, struct akm_error *e)
{
	if (!bad)
		return 0;
	akm_error_set(e, EACCES, "hooks", "%zu programs cannot be run", bad);
	e->silent = true;		/* each was named */
	return -EACCES;
}

int akm_run_policy_check(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
			 struct akm_error *e)
{
	_cleanup_(akm_json_freep) struct json_object *o = json_object_new_object();
	_cleanup_(policy_free) struct policy p = {};
	struct json_object *hooks = json_object_new_array();
	const char *path = akm_value_text(v, "file");
	int r = load(ctx, v, &p, e);
	size_t bad;

	(void)cmd;
	json_object_object_add(o, "hooks", hooks);
	if (r < 0)
		return r;
	bad = check_hooks(ctx, akm_value_text(v, "hooks"), &p, hooks);
	put_text(o, "file", path);
	put_int(o, "rules", count(&p));
	put_int(o, "atrs", p.n_atrs);
	if (ctx->json) {
		akm_json_print(ctx->out, o);
	} else if (!bad) {
		akm_put_clean(ctx->out, path);
		fprintf(ctx->out, ": ok: %zu rules, %zu ATRs with their own\n", count(&p), p.n_atrs);
	}
	return hooks_wrong(bad, e);
}

/* ------------------------------------------------------------ what would happen */

struct replay {
	struct akm_ctx *ctx;
	const struct policy *policy;
	struct atr {
		struct atr *next;
		uint32_t id;
		struct policy_state *state;
	} *first;
	uint32_t atr_id;		/* of the decision at hand */
	struct policy_time now;
	uint64_t line, judged, decisions;
};

static void replay_free(struct replay *p)
{
	while (p->first) {
		struct atr *a = p->first;

		p->first = a->next;
		policy_state_free(a->state);
		free(a);
	}
}

static struct policy_state *state_of(struct replay *p, uint32_t id)
{
	struct atr *a;

	for (a = p->first; a; a = a->next)
		if (a->id == id)
			return a->state;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->id = id;
	a->state = policy_state_new(p->policy, id);
	if (!a->state) {
		free(a);
		return NULL;
	}
	a->next = p->first;
	p->first = a;
	return a->state;
}

static bool goes_into(const struct policy_decision *d)
{
	return d->action == POLICY_DO_QUARANTINE && d->rule->into[0];
}

static void print_json(struct replay *p, const struct policy_decision *d, const char *time)
{
	_cleanup_(akm_json_freep) struct json_object *o = json_object_new_object();

	put_text(o, "time", time);
	if (p->atr_id)
		put_int(o, "atr", p->atr_id);
	put_text(o, "rule", d->rule->name);
	put_int(o, "line", d->rule->line);
	put_text(o, "kind", policy_kind_name(d->kind));
	if (d->subject[0])
		put_text(o, "subject", d->subject);
	put_int(o, "count", d->count);
	put_int(o, "seconds", d->rule->seconds);
	put_text(o, "action", policy_action_name(d->action));
	if (goes_into(d))
		put_text(o, "into", d->rule->into);
	json_object_object_add(o, "alert", json_object_new_boolean(d->alert));
	json_object_object_add(o, "escalated", json_object_new_boolean(d->escalated));
	json_object_object_add(o, "owed", json_object_new_boolean(d->owed));
	put_text(o, "outcome", policy_outcome_name(d->outcome));
	put_int(o, "wait_ms", d->wait_ms);
	fprintf(p->ctx->out, "%s\n",
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void print_text(struct replay *p, const struct policy_decision *d, const char *time)
{
	FILE *f = p->ctx->out;

	fprintf(f, "%s ", time);
	if (p->atr_id)
		fprintf(f, "#%u ", p->atr_id);
	fprintf(f, "rule %s (line %u): ", d->rule->name, d->rule->line);
	if (d->owed)
		fprintf(f, "%s of before", policy_kind_name(d->kind));
	else
		fprintf(f, "%" PRIu64 " %s within %u s", d->count, policy_kind_name(d->kind), d->rule->seconds);
	if (d->subject[0]) {
		fputs(", last at ", f);
		akm_put_clean(f, d->subject);
	}
	fprintf(f, ": %s", policy_action_name(d->action));
	if (goes_into(d))
		fprintf(f, " into %s", d->rule->into);
	fputs(d->escalated ? " (escalated)" : "", f);
	if (d->outcome != POLICY_DUE)
		fprintf(f, ": %s for %" PRIu64 " s%s", policy_outcome_name(d->outcome), (d->wait_ms + 999) / 1000,
			d->alert ? "; an alert instead" : "");
	fputc('\n', f);
}

static void on_decision(const struct policy_decision *d, void *arg)
{
	struct replay *p = arg;
	char time[AKM_TIME_STRLEN];

	p->decisions++;
	akm_format_time(p->now.ms * 1000000, time);
	if (p->ctx->json)
		print_json(p, d, time);
	else
		print_text(p, d, time);
}

static void set_time(struct replay *p, uint64_t ms)
{
	p->now = (struct policy_time){ ms, (uint32_t)(ms / 60000 % 1440) };
}

/* Rekeys that are owed by then, in the order of their time */
static void advance(struct replay *p, uint64_t until_ms)
{
	for (;;) {
		struct atr *next = NULL;
		uint64_t at = UINT64_MAX;

		for (struct atr *a = p->first; a; a = a->next) {
			uint64_t due = policy_due_ms(a->state, p->now.ms);

			if (due < at)
				next = a;
			at = due < at ? due : at;
		}
		if (!next || at > until_ms)
			break;
		set_time(p, at);
		p->atr_id = next->id;
		policy_due(next->state, p->now, on_decision, p);
	}
}

static int line_wrong(const struct replay *p, struct akm_error *e, const char *what)
{
	return akm_error_set(e, EINVAL, "events", "line %" PRIu64 " %s", p->line, what);
}

/* As the daemon takes them: what concerns an ATR needs one, members go by index or by their own name. */
static int judge(struct replay *p, struct json_object *o, enum policy_kind kind, struct akm_error *e)
{
	struct policy_evidence ev = { .kind = kind, .subject = "" };
	const char *severity = akm_json_str(o, "severity"), *source = akm_json_str(o, "source");
	uint64_t atr = policy_kind_of_atr(kind) ? akm_json_u64(o, "atr") : FLEET, time;
	struct json_object *data = NULL;
	struct policy_state *s;
	char member[32];

	json_object_object_get_ex(o, "data", &data);
	time = data ? akm_json_u64(data, "time_ms") : 0;
	ev.count = data ? akm_json_u64(data, "count") : 0;
	if (!severity || !policy_severity_parse(severity, &ev.severity) || !time || !ev.count || !source)
		return line_wrong(p, e, "has no severity, source, data.time_ms or data.count");
	if (policy_kind_of_atr(kind) && (!atr || atr > UINT32_MAX))
		return 0;
	if (!policy_kind_index(kind)) {
		ev.subject = source;
	} else if (akm_json_has(o, "member")) {
		snprintf(member, sizeof(member), "member %" PRIu64, akm_json_u64(o, "member"));
		ev.subject = member;
	}
	s = state_of(p, (uint32_t)atr);
	if (!s)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	/* A node that was away tells later: the daemon judges what it hears when it hears it. */
	if (time < p->now.ms)
		time = p->now.ms;
	advance(p, time);
	set_time(p, time);
	p->atr_id = (uint32_t)atr;
	p->judged++;
	policy_feed(s, &ev, p->now, on_decision, p);
	return 0;
}

static int take_line(struct replay *p, const char *line, struct akm_error *e)
{
	_cleanup_(akm_json_freep) struct json_object *o = NULL;
	const char *kind;
	enum policy_kind k;

	p->line++;
	if (!line[strspn(line, " \t\r\n")])
		return 0;
	o = json_tokener_parse(line);
	if (!json_object_is_type(o, json_type_object))
		return line_wrong(p, e, "is no JSON object: it takes what akmctl -j events prints");
	kind = akm_json_str(o, "kind");
	if (!kind)
		return line_wrong(p, e, "has no kind");
	return policy_kind_parse(kind, &k) ? judge(p, o, k, e) : 0;
}

static int take_lines(struct replay *p, FILE *f, struct akm_error *e)
{
	char *line = malloc(EVENT_MAX);
	int r = line ? 0 : akm_error_set(e, ENOMEM, NULL, "out of memory");

	while (!r && fgets(line, EVENT_MAX, f)) {
		if (strlen(line) == EVENT_MAX - 1 && line[EVENT_MAX - 2] != '\n') {
			p->line++;
			r = line_wrong(p, e, "is too long");
		} else {
			r = take_line(p, line, e);
		}
	}
	if (!r && ferror(f))
		r = akm_error_set(e, EIO, "events", "cannot be read");
	free(line);
	return r;
}

int akm_run_policy_test(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
			struct akm_error *e)
{
	_cleanup_(policy_free) struct policy policy = {};
	_cleanup_(replay_free) struct replay p = { .ctx = ctx, .policy = &policy };
	_cleanup_(close_input) FILE *f = NULL;
	int r = load(ctx, v, &policy, e);

	(void)cmd;
	if (r < 0)
		return r;
	f = open_input(akm_value_text(v, "--events"), "--events", e);
	if (!f)
		return -e->code;
	r = take_lines(&p, f, e);
	if (r < 0)
		return r;
	advance(&p, UINT64_MAX - 1);
	if (!ctx->json)
		fprintf(ctx->out, "%" PRIu64 " records, %" PRIu64 " of them evidence, %" PRIu64 " decisions\n", p.line,
			p.judged, p.decisions);
	return 0;
}
