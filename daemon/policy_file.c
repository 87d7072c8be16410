// SPDX-License-Identifier: GPL-2.0
/* The policy's file: akm-policy(5). Accepted whole, or refused with line, column, field and reason. */
#include "../include/akm-policy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX	63
#define GIVEN_MAX	8
#define STRONGER	"roll, fallback, rekey, rotate, lockdown, quarantine or evict"
#define ALL_ACTIONS	"alert, roll, fallback, rekey, rotate, lockdown, quarantine, evict"
#define ROOTS_OWN	"is for the root's policy, which managers get from it"

struct word {
	char text[WORD_MAX + 1];	/* empty: the line's end */
	unsigned int column;
};

struct place { unsigned int line, column; };

struct parse {
	const char *text;		/* of this line */
	size_t len, pos;
	unsigned int line;
	struct policy *p;
	const struct policy *root;	/* this is read on top of; NULL: of none … */
	bool over;			/* … that is known yet, if set */
	struct policy_section *section;	/* NULL: before the first "atr" */
	struct policy_rule *rule;	/* the one that is being read, or NULL */
	struct place named, when, then, escalate, hook;	/* of that rule; then and escalate: of their actions */
	bool hold_given, budget_given;
	struct place hold_at, budget_at;	/* of those two */
	unsigned int budget_line;	/* of the section */
	struct policy_error *err;
};

__attribute__((format(printf, 4, 5)))
static int refuse(struct parse *p, struct place at, const char *field, const char *fmt, ...)
{
	va_list ap;

	p->err->line = at.line;
	p->err->column = at.column;
	snprintf(p->err->field, sizeof(p->err->field), "%s", field);
	va_start(ap, fmt);
	vsnprintf(p->err->reason, sizeof(p->err->reason), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static struct place here(const struct parse *p, const struct word *w)
{
	return (struct place){ p->line, w->column };
}

/* ---- words ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int next(struct parse *p, struct word *ret)
{
	size_t n = 0;

	while (p->pos < p->len && is_blank(p->text[p->pos]))
		p->pos++;
	ret->column = (unsigned int)p->pos + 1;
	if (p->pos < p->len && p->text[p->pos] == '#')
		p->pos = p->len;
	while (p->pos < p->len && !is_blank(p->text[p->pos])) {
		char c = p->text[p->pos];

		if (c <= ' ' || c > '~')
			return refuse(p, (struct place){ p->line, (unsigned int)p->pos + 1 }, "text",
				      "a byte that is not printable ASCII");
		if (c == ',' && n)
			break;
		if (n == WORD_MAX)
			return refuse(p, here(p, ret), "text", "a word of more than %d bytes", WORD_MAX);
		ret->text[n++] = c;
		p->pos++;
		if (c == ',')
			break;
	}
	ret->text[n] = '\0';
	return 0;
}

/* A value that must follow @field */
static int value(struct parse *p, const char *field, const char *what, struct word *ret)
{
	int r = next(p, ret);

	if (!r && (!ret->text[0] || ret->text[0] == ','))
		r = refuse(p, here(p, ret), field, "%s must follow", what);
	return r;
}

static int line_end(struct parse *p, const char *field)
{
	struct word w;
	int r = next(p, &w);

	if (!r && w.text[0])
		r = refuse(p, here(p, &w), field, "\"%s\" is not expected here", w.text);
	return r;
}

/* Digits only, up to @end. Return: the first byte after them, or NULL. */
static const char *digits(const char *s, uint64_t *ret)
{
	const char *start = s;
	uint64_t v = 0;

	while (*s >= '0' && *s <= '9' && s - start < 12)
		v = v * 10 + (uint64_t)(*s++ - '0');
	*ret = v;
	return s == start ? NULL : s;
}

static int number(struct parse *p, const struct word *w, const char *field, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	const char *end = digits(w->text, &v);

	if (!end || *end)
		return refuse(p, here(p, w), field, "\"%s\" is not a whole number", w->text);
	if (v < min || v > max)
		return refuse(p, here(p, w), field, "%s is not within %u … %u", w->text, min, max);
	*ret = (uint32_t)v;
	return 0;
}

/* COUNT/SECONDS */
static int rate(struct parse *p, const char *field, const struct word *w, uint32_t max, uint32_t *ret_count,
		uint32_t *ret_seconds)
{
	uint64_t count, seconds = 0;
	const char *end = digits(w->text, &count);

	end = end && *end == '/' ? digits(end + 1, &seconds) : NULL;
	if (!end || *end)
		return refuse(p, here(p, w), field, "\"%s\" is not COUNT/SECONDS, as 100/10", w->text);
	if (!count || count > max || !seconds || seconds > POLICY_SECONDS_MAX)
		return refuse(p, here(p, w), field, "%s is not within 1 … %u times in 1 … %u s", w->text, max,
			      POLICY_SECONDS_MAX);
	*ret_count = (uint32_t)count;
	*ret_seconds = (uint32_t)seconds;
	return 0;
}

static bool name_ok(const char *s)
{
	size_t len = strlen(s);

	return len && len < POLICY_NAME_LEN &&
	       strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

/* ---- when ---- */

static int one_kind(struct parse *p, const struct word *w)
{
	enum policy_kind kind;

	if (!policy_kind_parse(w->text, &kind))
		return refuse(p, here(p, w), "when", "\"%s\" is no kind of evidence: akm-policy(5) lists them", w->text);
	if (p->rule->kinds & 1ull << kind)
		return refuse(p, here(p, w), "when", "%s is given twice", w->text);
	p->rule->kinds |= 1ull << kind;
	return 0;
}

/* KIND[,KIND…]. Leaves the first word after them in @w. */
static int kinds(struct parse *p, struct word *w)
{
	int r;

	do {
		r = value(p, "when", "a kind of evidence", w);
		r = r ? r : one_kind(p, w);
		r = r ? r : next(p, w);
	} while (!r && !strcmp(w->text, ","));
	return r;
}

static int clock_time(const char *s, const char **ret_end, uint32_t *ret)
{
	uint64_t hour, minute;
	const char *end = digits(s, &hour);

	if (!end || end - s != 2 || *end != ':')
		return -EINVAL;
	s = end + 1;
	end = digits(s, &minute);
	if (!end || end - s != 2 || hour > 23 || minute > 59)
		return -EINVAL;
	*ret = (uint32_t)(hour * 60 + minute);
	*ret_end = end;
	return 0;
}

static int between(struct parse *p, const struct word *w)
{
	const char *end = w->text;
	int r = clock_time(end, &end, &p->rule->from);

	r = r ? r : *end == '-' ? clock_time(end + 1, &end, &p->rule->to) : -EINVAL;
	if (r < 0 || *end)
		return refuse(p, here(p, w), "between", "\"%s\" is not HH:MM-HH:MM, as 22:00-06:00 (UTC)", w->text);
	if (p->rule->from == p->rule->to)
		return refuse(p, here(p, w), "between", "%s is no time at all: leave it out for the whole day", w->text);
	return 0;
}

static int scope(struct parse *p, const struct word *w)
{
	if (strcmp(w->text, "atr") && strcmp(w->text, "member"))
		return refuse(p, here(p, w), "scope", "\"%s\" is neither atr nor member", w->text);
	p->rule->by_member = w->text[0] == 'm';
	return 0;
}

static int severity(struct parse *p, const struct word *w)
{
	enum policy_severity s;

	if (!policy_severity_parse(w->text, &s))
		return refuse(p, here(p, w), "severity", "\"%s\" is none of info, warning, alert", w->text);
	p->rule->severity = s;
	return 0;
}

static int when_rate(struct parse *p, const struct word *w)
{
	return rate(p, "rate", w, POLICY_COUNT_MAX, &p->rule->count, &p->rule->seconds);
}

/* ---- then, escalate ---- */

static int action(struct parse *p, const char *field, const struct word *w, uint32_t *ret)
{
	enum policy_action a;

	if (!policy_action_parse(w->text, &a))
		return refuse(p, here(p, w), field, "\"%s\" is none of " ALL_ACTIONS, w->text);
	*ret = a;
	return 0;
}

static int hold_down(struct parse *p, const struct word *w)
{
	p->hold_given = true;
	p->hold_at = here(p, w);
	return number(p, w, "hold-down", 0, POLICY_SECONDS_MAX, &p->rule->hold_s);
}

static int rule_budget(struct parse *p, const struct word *w)
{
	p->budget_given = true;
	p->budget_at = here(p, w);
	return number(p, w, "budget", 1, POLICY_BUDGET_MAX, &p->rule->budget);
}

static int hook_hold(struct parse *p, const struct word *w)
{
	return number(p, w, "hold-down", 0, POLICY_SECONDS_MAX, &p->rule->hook_hold_s);
}

static int hook_budget(struct parse *p, const struct word *w)
{
	return number(p, w, "budget", 1, POLICY_BUDGET_MAX, &p->rule->hook_budget);
}

struct option {
	const char *word, *what;
	int (*set)(struct parse *p, const struct word *w);
};

static const struct option when_options[] = {
	{ "rate", "COUNT/SECONDS", when_rate }, { "scope", "atr or member", scope },
	{ "severity", "info, warning or alert", severity }, { "between", "HH:MM-HH:MM", between }, {}
};

static bool label_ok(const char *s)
{
	return s[0] && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(s);
}

/* Is there such an ATR? That is for the manager to say. */
static int into(struct parse *p, const struct word *w)
{
	uint32_t id = 0;		/* not said */
	int r = 0;

	if (w->text[strspn(w->text, "0123456789")] == '\0')
		r = number(p, w, "into", 1, UINT32_MAX, &id);
	else if (!label_ok(w->text))
		r = refuse(p, here(p, w), "into", "\"%.40s\" is neither the number nor the label of an ATR", w->text);
	if (!r && id && p->section && id == p->section->atr_id)
		r = refuse(p, here(p, w), "into", "#%u is where it comes from", p->section->atr_id);
	p->rule->into_line = p->line;
	p->rule->into_column = w->column;
	snprintf(p->rule->into, sizeof(p->rule->into), "%s", w->text);
	return r;
}

static int then_into(struct parse *p, const struct word *w)
{
	if (p->rule->action == POLICY_DO_QUARANTINE)
		return into(p, w);
	return refuse(p, here(p, w), "into", "goes with quarantine, not with %s",
		      policy_action_name((enum policy_action)p->rule->action));
}

static const struct option then_options[] = {
	{ "into", "the number or label of an ATR", then_into }, { "hold-down", "a number of seconds", hold_down }, { "budget", "how many in an hour", rule_budget }, {}
};

static const struct option hook_options[] = {
	{ "hold-down", "a number of seconds", hook_hold }, { "budget", "how many in an hour", hook_budget }, {}
};

static void list_options(const struct option *o, char *ret, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; o[i].word && n < size; i++)
		n += (size_t)snprintf(ret + n, size - n, "%s%s", i ? ", " : "", o[i].word);
}

/* From @w on to the end of the line */
static int options(struct parse *p, const char *statement, const struct option *o, struct word *w)
{
	bool given[GIVEN_MAX] = {};
	char there[64];
	size_t i;
	int r = 0;

	for (; !r && w->text[0]; r = r ? r : next(p, w)) {
		struct place at = here(p, w);

		for (i = 0; o[i].word && strcmp(o[i].word, w->text); i++)
			;
		if (!o[i].word) {
			list_options(o, there, sizeof(there));
			return refuse(p, at, statement, "\"%s\" is none of %s", w->text, there);
		}
		if (given[i])
			return refuse(p, at, o[i].word, "is given twice");
		given[i] = true;
		r = value(p, o[i].word, o[i].what, w);
		r = r ? r : o[i].set(p, w);
	}
	return r;
}

/* ---- a rule as a whole ---- */

static int check_action(struct parse *p, struct place at, const char *field, uint32_t wanted)
{
	for (int k = 0; k < POLICY_KINDS; k++) {
		const char *why = p->rule->kinds & 1ull << k ?
				  policy_forbids((enum policy_kind)k, (enum policy_action)wanted) : NULL;

		if (why)
			return refuse(p, at, field, "%s %s", policy_kind_name((enum policy_kind)k), why);
	}
	if (policy_action_of_member((enum policy_action)wanted) && !p->rule->by_member)
		return refuse(p, at, field, "%s concerns one member: when … scope member must say which one is meant",
			      policy_action_name((enum policy_action)wanted));
	return 0;
}

/* ---- within the root's limits ---- */

static int over_action(struct parse *p, struct place at, const char *field, uint32_t wanted)
{
	const struct policy_limits *l = &p->root->limits;

	return refuse(p, at, field, "%s is more than the root allows: limit action %s, in line %u of its policy",
		      policy_action_name((enum policy_action)wanted), policy_action_name((enum policy_action)l->action),
		      l->action_line);
}

static int over_budget(struct parse *p, struct place at, uint32_t wanted)
{
	const struct policy_limits *l = &p->root->limits;

	return refuse(p, at, "budget", "%u is more than the root allows: limit budget %u, in line %u of its policy", wanted,
		      l->budget, l->budget_line);
}

/* What only tells people is not limited. */
static int check_limits(struct parse *p)
{
	const struct policy_limits *l = &p->root->limits;
	const struct policy_rule *r = p->rule;

	if (policy_over_action(l, r->action))
		return over_action(p, p->then, "then", r->action);
	if (policy_over_action(l, r->escalate_action))
		return over_action(p, p->escalate, "escalate", r->escalate_action);
	if (p->budget_given && (r->action > POLICY_DO_ALERT || r->escalate_count) && policy_over_budget(l, r->budget))
		return over_budget(p, p->budget_at, r->budget);
	if (p->hold_given && r->action > POLICY_DO_ALERT && policy_under_hold(l, r->hold_s))
		return refuse(p, p->hold_at, "hold-down",
			      "%u is less than the root allows: limit hold-down %u, in line %u of its policy", r->hold_s,
			      l->hold_s, l->hold_line);
	return 0;
}

/* What is left out is within them. */
static void limit_defaults(struct parse *p)
{
	const struct policy_limits *l = &p->root->limits;
	struct policy_rule *r = p->rule;

	if (policy_under_hold(l, r->hold_s))
		r->hold_s = l->hold_s;
	if ((r->action > POLICY_DO_ALERT || r->escalate_count) && policy_over_budget(l, r->budget))
		r->budget = l->budget;
}

static void defaults(struct parse *p)
{
	struct policy_rule *r = p->rule;

	/* What is said is meant for the rule's own action; that of an escalated alert is the default. */
	r->alert_hold_s = p->hold_given && r->action == POLICY_DO_ALERT ? r->hold_s : r->seconds;
	if (!p->hold_given || r->action == POLICY_DO_ALERT)
		r->hold_s = POLICY_HOLD_DEFAULT;
	if (!p->budget_given)
		r->budget = r->action == POLICY_DO_ALERT && !r->escalate_count ? POLICY_BUDGET_MAX :
			    POLICY_BUDGET_DEFAULT;
	if (!r->severity)
		r->severity = POLICY_INFO;
	if (p->root)
		limit_defaults(p);
}

static int end_rule(struct parse *p)
{
	struct policy_rule *rule = p->rule;
	int r = 0;

	p->rule = rule && rule->off ? NULL : rule;
	if (!p->rule)
		return 0;
	if (!p->when.line)
		return refuse(p, p->named, "rule", "%s has no when", rule->name);
	if (!p->then.line)
		return refuse(p, p->named, "rule", "%s has no then", rule->name);
	if (!rule->count)
		return refuse(p, p->when, "when", "rate COUNT/SECONDS is missing");
	r = check_action(p, p->then, "then", rule->action);
	if (!r && rule->escalate_count && rule->escalate_action <= rule->action)
		r = refuse(p, p->escalate, "escalate", "%s is not stronger than %s",
			   policy_action_name((enum policy_action)rule->escalate_action),
			   policy_action_name((enum policy_action)rule->action));
	if (!r && rule->escalate_count)
		r = check_action(p, p->escalate, "escalate", rule->escalate_action);
	if (!r && p->root)
		r = check_limits(p);
	if (!r)
		defaults(p);
	p->rule = NULL;
	return r;
}

/* ---- statements ---- */

static int need_rule(struct parse *p, struct place at, const char *field, unsigned int before)
{
	if (!p->rule || p->rule->off)
		return refuse(p, at, field, "stands outside of a rule");
	if (before)
		return refuse(p, at, field, "given before, in line %u", before);
	return 0;
}

static int do_when(struct parse *p, struct place at)
{
	struct word w;
	int r = need_rule(p, at, "when", p->when.line);

	p->when = at;
	r = r ? r : kinds(p, &w);
	return r ? r : options(p, "when", when_options, &w);
}

static int do_then(struct parse *p, struct place at)
{
	struct word w;
	int r = need_rule(p, at, "then", p->then.line);

	r = r ? r : value(p, "then", "alert, " STRONGER, &w);
	r = r ? r : action(p, "then", &w, &p->rule->action);
	if (r < 0)
		return r;
	p->then = here(p, &w);
	r = next(p, &w);
	return r ? r : options(p, "then", then_options, &w);
}

static int do_escalate(struct parse *p, struct place at)
{
	struct word w;
	int r = need_rule(p, at, "escalate", p->escalate.line);

	r = r ? r : value(p, "escalate", "COUNT/SECONDS", &w);
	r = r ? r : rate(p, "escalate", &w, POLICY_ESCALATE_MAX, &p->rule->escalate_count, &p->rule->escalate_s);
	r = r ? r : value(p, "escalate", STRONGER, &w);
	r = r ? r : action(p, "escalate", &w, &p->rule->escalate_action);
	p->escalate = (struct place){ p->line, w.column };
	r = r ? r : next(p, &w);
	if (!r && p->rule->escalate_action == POLICY_DO_QUARANTINE && !strcmp(w.text, "into")) {
		r = value(p, "into", "the number or label of an ATR", &w);
		r = r ? r : into(p, &w);
		return r ? r : line_end(p, "escalate");
	}
	return r || !w.text[0] ? r : refuse(p, here(p, &w), "escalate", "\"%s\" is not expected here", w.text);
}

/* The programs that a file names, each once: somebody has to look after them. */
static int note_hook(struct parse *p, const struct word *name)
{
	struct policy *policy = p->p;

	for (size_t i = 0; i < policy->n_hooks; i++)
		if (!strcmp(policy->hooks[i], name->text))
			return 0;
	if (policy->n_hooks == POLICY_HOOKS_MAX)
		return refuse(p, here(p, name), "hook", "more than %d programs", POLICY_HOOKS_MAX);
	snprintf(policy->hooks[policy->n_hooks++], POLICY_NAME_LEN, "%.*s", POLICY_NAME_LEN - 1, name->text);
	return 0;
}

static int do_hook(struct parse *p, struct place at)
{
	struct word w;
	int r = need_rule(p, at, "hook", p->hook.line);

	p->hook = at;
	r = r ? r : value(p, "hook", "the name of a program", &w);
	if (r < 0)
		return r;
	if (!policy_hook_name_ok(w.text))
		return refuse(p, here(p, &w), "hook", "a program's name is 1 … %d of A-Z a-z 0-9 . _ -, and no dot first",
			      POLICY_NAME_LEN - 1);
	r = note_hook(p, &w);
	if (r < 0)
		return r;
	snprintf(p->rule->hook, sizeof(p->rule->hook), "%.*s", POLICY_NAME_LEN - 1, w.text);
	p->rule->hook_hold_s = POLICY_HOLD_DEFAULT;
	p->rule->hook_budget = POLICY_BUDGET_DEFAULT;
	r = next(p, &w);
	return r ? r : options(p, "hook", hook_options, &w);
}

static const struct policy_rule *named(const struct policy_rule *rules, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(rules[i].name, name))
			return &rules[i];
	return NULL;
}

/* A rule of the ATR's section, or of all */
static int new_rule(struct policy *p, struct policy_section *s, struct policy_rule **ret)
{
	struct policy_rule **rules = s ? &s->rules : &p->rules;
	size_t *n = s ? &s->n : &p->n;
	struct policy_rule *more = realloc(*rules, (*n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	*rules = more;
	*ret = &more[(*n)++];
	memset(*ret, 0, sizeof(**ret));
	return 0;
}

static const struct policy_section *root_section(const struct parse *p)
{
	for (size_t i = 0; p->root && p->section && i < p->root->n_atrs; i++)
		if (p->root->atrs[i].atr_id == p->section->atr_id)
			return &p->root->atrs[i];
	return NULL;
}

static bool root_has(const struct parse *p, const char *name)
{
	const struct policy_section *s = root_section(p);

	return p->root && (named(p->root->rules, p->root->n, name) || (s && named(s->rules, s->n, name)));
}

static int check_any(struct parse *p, struct place at, const char *field)
{
	const struct policy_limits *l = &p->root->limits;

	if (!l->atr_line || l->n_atrs)
		return 0;
	return refuse(p, at, field, "the root lets no manager's own policy say anything: limit atr none, in line %u of its "
		      "policy", l->atr_line);
}

/* May a rule of that name be here, the root's being what it is? */
static int check_override(struct parse *p, const struct word *name)
{
	const struct policy_section *s = root_section(p);
	const struct policy_rule *common = named(p->root->rules, p->root->n, name->text);
	const struct policy_rule *own = s ? named(s->rules, s->n, name->text) : NULL;
	const struct policy_rule *locked = common && common->locked ? common : own && own->locked ? own : NULL;
	int r = check_any(p, here(p, name), "rule");

	if (r < 0)
		return r;
	if (locked)
		return refuse(p, here(p, name), "rule", "%s is locked by the root, in line %u of its policy", name->text,
			      locked->line);
	return 0;
}

static void note_roots(struct parse *p)
{
	if (!p->p->limits.line)
		p->p->limits.line = p->line;
}

static int lock(struct parse *p, const struct word *w)
{
	if (p->over)
		return refuse(p, here(p, w), "rule", "locked " ROOTS_OWN);
	p->rule->locked = true;
	note_roots(p);
	return line_end(p, "rule");
}

/* Behind the name of a rule */
static int rule_word(struct parse *p, const struct word *name, const struct word *w)
{
	bool unknown = p->over && !p->root;	/* it may be the root's */

	if (!strcmp(w->text, "locked"))
		return lock(p, w);
	if (strcmp(w->text, "off"))
		return refuse(p, here(p, w), "rule", "\"%s\" is not expected here", w->text);
	if (!p->section && !p->over)
		return refuse(p, here(p, w), "rule", "off is for an ATR's section: leave the rule out");
	if (!unknown && !root_has(p, name->text) && !(p->section && named(p->p->rules, p->p->n, name->text)))
		return refuse(p, here(p, name), "rule", "there is no rule %s %s that could be off here", name->text,
			      p->root ? "of the root's, or above," : "above");
	p->rule->off = true;
	return line_end(p, "rule");
}

static int do_rule(struct parse *p, struct place at)
{
	const struct policy_section *s = p->section;
	const struct policy_rule *before;
	struct word name, w;
	int r = end_rule(p);

	(void)at;
	r = r ? r : value(p, "rule", "a name", &name);
	if (r < 0)
		return r;
	if (!name_ok(name.text))
		return refuse(p, here(p, &name), "rule", "a name is 1 … %d of A-Z a-z 0-9 . _ -", POLICY_NAME_LEN - 1);
	before = s ? named(s->rules, s->n, name.text) : named(p->p->rules, p->p->n, name.text);
	if (before)
		return refuse(p, here(p, &name), "rule", "%s was given before, in line %u", name.text, before->line);
	if (p->p->n + (s ? s->n : 0) == POLICY_RULES_MAX)
		return refuse(p, here(p, &name), "rule", "more than %d rules for one ATR", POLICY_RULES_MAX);
	r = p->root ? check_override(p, &name) : 0;
	r = r ? r : new_rule(p->p, p->section, &p->rule);
	if (r < 0)
		return r;
	snprintf(p->rule->name, sizeof(p->rule->name), "%.*s", POLICY_NAME_LEN - 1, name.text);
	p->rule->line = p->line;
	p->rule->of_atr = s ? s->atr_id : 0;
	p->named = here(p, &name);
	p->when = p->then = p->escalate = p->hook = (struct place){};
	p->hold_given = p->budget_given = false;
	r = next(p, &w);
	return r || !w.text[0] ? r : rule_word(p, &name, &w);
}

static int do_budget(struct parse *p, struct place at)
{
	uint32_t *budget = p->section ? &p->section->budget : &p->p->budget;
	struct word w;
	int r = end_rule(p);

	if (!r && p->budget_line)
		r = refuse(p, at, "budget", "given before, in line %u", p->budget_line);
	p->budget_line = p->line;
	r = r ? r : value(p, "budget", "how many in an hour", &w);
	r = r ? r : number(p, &w, "budget", 1, POLICY_BUDGET_MAX, budget);
	if (!r && p->root)
		r = check_any(p, at, "budget");
	if (!r && p->root && policy_over_budget(&p->root->limits, *budget))
		r = over_budget(p, here(p, &w), *budget);
	return r ? r : line_end(p, "budget");
}

static int new_section(struct policy *p, uint32_t id, struct policy_section **ret)
{
	struct policy_section *more = realloc(p->atrs, (p->n_atrs + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	p->atrs = more;
	*ret = &more[p->n_atrs++];
	**ret = (struct policy_section){ .atr_id = id };
	return 0;
}

static int do_atr(struct parse *p, struct place at)
{
	uint32_t id = 0;
	struct word w;
	int r = end_rule(p);

	(void)at;
	r = r ? r : value(p, "atr", "the number of an ATR", &w);
	r = r ? r : number(p, &w, "atr", 1, UINT32_MAX, &id);
	for (size_t i = 0; !r && i < p->p->n_atrs; i++)
		if (p->p->atrs[i].atr_id == id)
			r = refuse(p, here(p, &w), "atr", "%u was given before: one section for each ATR", id);
	if (!r && p->p->n_atrs == POLICY_ATRS_MAX)
		r = refuse(p, here(p, &w), "atr", "more than %d ATRs", POLICY_ATRS_MAX);
	if (!r && p->root && !policy_may_override(&p->root->limits, id))
		r = refuse(p, here(p, &w), "atr", "%u is none that the root lets a manager's own policy speak of: limit atr, in "
			   "line %u of its policy", id, p->root->limits.atr_line);
	p->budget_line = 0;
	r = r ? r : new_section(p->p, id, &p->section);
	return r ? r : line_end(p, "atr");
}

/* ---- a root's limits ---- */

static int limit_action(struct parse *p, const struct word *w)
{
	return action(p, "action", w, &p->p->limits.action);
}

static int limit_budget(struct parse *p, const struct word *w)
{
	return number(p, w, "budget", 1, POLICY_BUDGET_MAX, &p->p->limits.budget);
}

static int limit_hold_down(struct parse *p, const struct word *w)
{
	return number(p, w, "hold-down", 0, POLICY_SECONDS_MAX, &p->p->limits.hold_s);
}

static int limit_one_atr(struct parse *p, const struct word *w)
{
	struct policy_limits *l = &p->p->limits;
	uint32_t id;
	int r = number(p, w, "atr", 1, UINT32_MAX, &id);

	for (size_t i = 0; !r && i < l->n_atrs; i++)
		if (l->atrs[i] == id)
			r = refuse(p, here(p, w), "atr", "%u is given twice", id);
	if (!r && l->n_atrs == POLICY_ATRS_MAX)
		r = refuse(p, here(p, w), "atr", "more than %d ATRs", POLICY_ATRS_MAX);
	if (!r)
		l->atrs[l->n_atrs++] = id;
	return r;
}

/* ID[,ID…] or none */
static int limit_atr(struct parse *p, const struct word *first)
{
	struct word w = *first;
	size_t before;
	int r = 0;

	if (!strcmp(w.text, "none"))
		return 0;
	do {
		r = r ? r : limit_one_atr(p, &w);
		before = p->pos;
		r = r ? r : next(p, &w);
		if (r || strcmp(w.text, ","))
			break;
		r = value(p, "atr", "the number of an ATR", &w);
	} while (!r);
	p->pos = before;
	return r;
}

static int do_limit(struct parse *p, struct place at)
{
	struct policy_limits *l = &p->p->limits;
	const struct {
		const char *word, *what;
		int (*set)(struct parse *p, const struct word *w);
		uint32_t *line;
	} limits[] = {
		{ "action", "alert, " STRONGER, limit_action, &l->action_line },
		{ "budget", "how many in an hour", limit_budget, &l->budget_line },
		{ "hold-down", "a number of seconds", limit_hold_down, &l->hold_line },
		{ "atr", "the number of an ATR, or none,", limit_atr, &l->atr_line },
	};
	struct word w;
	int r = end_rule(p);

	if (!r && p->over)
		r = refuse(p, at, "limit", ROOTS_OWN);
	if (!r && p->section)
		r = refuse(p, at, "limit", "stands before the first atr: it is for all");
	r = r ? r : value(p, "limit", "action, budget, hold-down or atr", &w);
	for (size_t i = 0; !r && i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (strcmp(limits[i].word, w.text))
			continue;
		if (*limits[i].line)
			return refuse(p, at, "limit", "%s given before, in line %u", w.text, *limits[i].line);
		*limits[i].line = p->line;
		note_roots(p);
		r = value(p, limits[i].word, limits[i].what, &w);
		r = r ? r : limits[i].set(p, &w);
		return r ? r : line_end(p, "limit");
	}
	return r ? r : refuse(p, here(p, &w), "limit", "\"%s\" is none of action, budget, hold-down, atr", w.text);
}

static const struct {
	const char *word;
	int (*run)(struct parse *p, struct place at);
} statements[] = {
	{ "rule", do_rule }, { "when", do_when }, { "then", do_then }, { "escalate", do_escalate },
	{ "hook", do_hook }, { "budget", do_budget }, { "atr", do_atr }, { "limit", do_limit },
};

static int line(struct parse *p)
{
	struct word w;
	int r;

	if (p->line > POLICY_LINES_MAX)
		return refuse(p, (struct place){ p->line, 1 }, "text", "more than %d lines", POLICY_LINES_MAX);
	if (p->len > POLICY_LINE_MAX)
		return refuse(p, (struct place){ p->line, POLICY_LINE_MAX + 1 }, "text", "a line of more than %d bytes",
			      POLICY_LINE_MAX);
	r = next(p, &w);
	if (r < 0 || !w.text[0])
		return r;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (!strcmp(statements[i].word, w.text))
			return statements[i].run(p, here(p, &w));
	return refuse(p, here(p, &w), "text", "\"%.40s\" is none of rule, when, then, escalate, hook, budget, atr, limit", w.text);
}

static int parse(struct parse *p, const char *text, size_t len, struct policy *ret)
{
	int r = 0;


	while (!r && len) {
		const char *end = memchr(text, '\n', len);

		p->text = text;
		p->len = end ? (size_t)(end - text) : len;
		p->pos = 0;
		p->line++;
		r = line(p);
		len -= end ? p->len + 1 : p->len;
		text += end ? p->len + 1 : p->len;
	}
	r = r ? r : end_rule(p);
	if (!r)
		*ret = *p->p;
	else
		policy_free(p->p);
	return r;
}

int policy_parse(const char *text, size_t len, struct policy *ret, struct policy_error *err)
{
	struct policy policy = { .budget = POLICY_BUDGET_DEFAULT };
	struct parse p = { .p = &policy, .err = err };

	return parse(&p, text, len, ret);
}

int policy_parse_over(const char *text, size_t len, const struct policy *root, struct policy *ret,
		      struct policy_error *err)
{
	struct policy policy = { .budget = root ? 0 : POLICY_BUDGET_DEFAULT };
	struct parse p = { .p = &policy, .root = root, .over = true, .err = err };

	return parse(&p, text, len, ret);
}

void policy_free(struct policy *p)
{
	for (size_t i = 0; i < p->n_atrs; i++)
		free(p->atrs[i].rules);
	free(p->atrs);
	free(p->rules);
	if (p->root)
		policy_free(p->root);
	free(p->root);
	memset(p, 0, sizeof(*p));
}

int policy_add(struct policy *p, enum policy_kind kind, uint32_t count, uint32_t seconds, enum policy_action act,
	       uint32_t hold_s)
{
	struct policy_rule *rule;
	int r = new_rule(p, NULL, &rule);

	if (r < 0)
		return r;
	if (!p->budget)
		p->budget = POLICY_BUDGET_DEFAULT;
	snprintf(rule->name, sizeof(rule->name), "%s", policy_kind_name(kind));
	rule->kinds = 1ull << kind;
	rule->count = count;
	rule->seconds = rule->alert_hold_s = seconds;
	rule->severity = POLICY_INFO;
	rule->origin = POLICY_FROM_DEFAULT;
	rule->action = act;
	rule->hold_s = hold_s;
	rule->budget = act == POLICY_DO_ALERT ? POLICY_BUDGET_MAX : POLICY_BUDGET_DEFAULT;
	return 0;
}
