// SPDX-License-Identifier: GPL-2.0
/* The policy that the root sends: kept, checked, and what the manager's own file makes of it. */
#include "fleet_internal.h"

#include <openssl/sha.h>

#include "clock.h"
#include "log.h"
#include "policy_load.h"

#define SETTING		"policy"
#define CALLED		"root policy"	/* in errors that name a place in it */

/* ---- what is kept ---- */

static int keep(struct store *s, const struct msg_policy *p)
{
	_cleanup_secret_ struct akm_secret encoded = {};	/* it is none: that is what encoders make */
	const struct msg m = { .type = MSG_POLICY, .policy = *p };

	return msg_encode(&m, &encoded) ?: store_set(s, SETTING, encoded.data, encoded.len);
}

/* -ENOENT: none was sent ever. */
static int kept(struct store *s, struct msg *ret, struct akm_error *err)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	int r = store_get(s, SETTING, &b);

	r = r ?: msg_decode(b.data, b.len, ret, err);
	if (!r && ret->type != MSG_POLICY)
		r = akm_error_set(err, -EBADMSG, SETTING, "is another message");
	return r;
}

static void take(struct fleet_root_policy *to, uint64_t number, const struct akm_blob *text, struct policy *rules)
{
	policy_free(&to->rules);
	to->number = number;
	to->rules = *rules;
	to->unusable = false;
	memset(rules, 0, sizeof(*rules));
	SHA256(text->data, text->len, to->digest);
}

static int load_kept(struct fleet *f, struct akm_error *err)
{
	_cleanup_(policy_free) struct policy rules = {};
	_cleanup_msg_ struct msg m = {};
	int r = kept(f->c.store, &m, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = policy_of_root(&m.policy.text, CALLED, &rules, err);
	take(&f->root_policy, m.policy.number, &m.policy.text, &rules);
	return r;
}

/* ---- what is in force ---- */

static void leave_out(struct fleet *f, const struct akm_error *why)
{
	struct fleet_root_policy *p = &f->root_policy;

	if (p->left_out.reason[0] && !strcmp(p->left_out.field, why->field) && !strcmp(p->left_out.reason, why->reason))
		return;
	p->left_out = *why;
	p->left_out_ms = wall_ms();
	evidence_add(f->c.evidence, EVIDENCE_NOTE("policy-local", SEV_ALERT),
		     "The policy %llu of the root is in force without the own file on top of it: %s: %s",
		     (unsigned long long)p->number, why->field, why->reason);
}

/* Never none: if the own file cannot be used with it, the root's policy is in force alone, and people are told. */
static int root_first(struct fleet *f, const struct policy *rules, struct policy *ret, struct akm_error *why)
{
	int r = policy_load_over(f->c.config, rules, ret, why);

	if (!r || r == -ENOMEM)
		return r;
	if (!why->reason[0])
		akm_error_set(why, r, "policy", "%s", strerror(-r));
	return policy_load_root_alone(f->c.config, rules, ret);
}

static void told(struct fleet *f, const struct akm_error *why)
{
	if (why->reason[0])
		leave_out(f, why);
	else
		f->root_policy.left_out = (struct akm_error){};
}

/*
 * A kept policy that cannot be read, as after an older akmd was put back: it cannot be known what the root allows, so
 * the built-in rules are in force and the own file is not. The root hears that there is none, sends it again, and is
 * told what is wrong with it.
 */
static int without_kept(struct fleet *f, int r, const struct akm_error *err, struct policy *ret)
{
	struct config plain = *f->c.config;
	struct akm_error why;

	if (r == -ENOMEM)
		return r;
	plain.policy_file = NULL;
	f->root_policy.unusable = true;
	akm_error_set(&why, r, "policy", "the one in the database cannot be used: %.40s: %.100s", err->field,
		      err->reason[0] ? err->reason : strerror(-r));
	leave_out(f, &why);
	return policy_load(&plain, ret, &why);
}

int fleet_root_policy_begin(struct fleet *f, struct policy *ret, struct akm_error *err)
{
	struct akm_error why = {};
	int r = load_kept(f, err);

	if (r < 0)
		return without_kept(f, r, err, ret);
	if (!f->root_policy.number)
		return policy_load(f->c.config, ret, err);
	r = root_first(f, &f->root_policy.rules, ret, &why);
	if (!r)
		told(f, &why);
	return r;
}

int fleet_root_policy_reload(struct fleet *f, struct policy *ret, struct akm_error *err)
{
	if (f->root_policy.unusable)
		return akm_error_set(err, -EBADMSG, "policy", "what the root sent cannot be read again: it sends it, or another");
	if (!f->root_policy.number)
		return policy_load(f->c.config, ret, err);
	return policy_load_over(f->c.config, &f->root_policy.rules, ret, err);
}

void fleet_root_policy_reloaded(struct fleet *f)
{
	f->root_policy.left_out = (struct akm_error){};
}

int fleet_policy_check(struct store *s, const struct config *c, struct akm_error *err)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	struct policy p = {};
	int r = store_get(s, SETTING, &b);

	if (r != -ENOENT)
		return r;		/* what is in force does not hang on the own file */
	r = policy_load(c, &p, err);
	policy_free(&p);
	return r;
}

/* ---- what comes ---- */

static int refused(struct fleet *f, const struct msg_policy *p, int r, struct akm_error *err)
{
	const struct evidence_note *note = r == -ESTALE ? EVIDENCE_NOTE("policy-stale", SEV_ALERT, .limit = "root") :
					   EVIDENCE_NOTE("policy-refused", SEV_ALERT, .limit = "root");

	if (!err->reason[0])
		akm_error_set(err, r, "policy", "%s", r == -ENOMEM ? strerror(-r) : store_strerror(f->c.store));
	evidence_add(f->c.evidence, note, "The policy %llu of the root was refused, %llu stays in force: %s: %s",
		     (unsigned long long)p->number, (unsigned long long)f->root_policy.number, err->field, err->reason);
	return r;
}

static int check_number(const struct fleet_root_policy *have, const struct msg_policy *p, struct akm_error *err)
{
	uint8_t digest[AKM_DIGEST_LEN];

	SHA256(p->text.data, p->text.len, digest);
	if (p->number == have->number && !memcmp(digest, have->digest, sizeof(digest)))
		return have->unusable ? 0 : -EALREADY;
	if (p->number > have->number)
		return 0;
	return akm_error_set(err, -ESTALE, "number", "%llu %s here: the root was set back to a backup",
			     (unsigned long long)p->number, p->number == have->number ? "is another policy" : "is over");
}

/* Checked, and what it leads to made, before it is durable; in force when it is. */
static int install(struct fleet *f, const struct msg_policy *p, struct akm_error *err)
{
	_cleanup_(policy_free) struct policy rules = {}, next = {};
	struct akm_error why = {};
	int r;

	r = policy_of_root(&p->text, CALLED, &rules, err) ?: root_first(f, &rules, &next, &why) ?:
	    keep(f->c.store, p);
	if (r < 0)
		return r;
	take(&f->root_policy, p->number, &p->text, &rules);
	if (fleet_policy_adopt(f, &next) < 0)
		log_err("no memory: some rules are those of before until akmctl policy reload, or a restart");
	evidence_add(f->c.evidence, EVIDENCE_NOTE("policy-pushed", SEV_INFO),
		     "The policy %llu of the root is in force: %zu rules, %zu ATRs with their own",
		     (unsigned long long)p->number, f->root_policy.rules.n, f->root_policy.rules.n_atrs);
	told(f, &why);
	return 0;
}

int fleet_root_policy_take(struct fleet *f, const struct msg_policy *p, struct akm_error *err)
{
	int r = check_number(&f->root_policy, p, err);

	if (r == -EALREADY)
		return 0;
	r = r ?: install(f, p, err);
	return r < 0 ? refused(f, p, r, err) : 0;
}

void fleet_root_policy_held(const struct fleet *f, struct msg_policy_held *ret)
{
	if (f->root_policy.unusable)
		return;
	ret->number = f->root_policy.number;
	memcpy(ret->digest, f->root_policy.digest, sizeof(ret->digest));
}

/* ---- what people see ---- */

void fleet_root_policy_health(const struct fleet *f, struct health *h)
{
	const struct fleet_root_policy *p = &f->root_policy;

	if (p->left_out.reason[0])
		health_find(h, HEALTH_FINDING("policy-local", SEV_ALERT, .since_ms = p->left_out_ms,
					      .remedy = p->unusable ? "Put the newer akmd back, or send another policy from the root." :
							"Correct the file (akmctl policy check FILE --root ROOTFILE), then "
							"akmctl policy reload."),
			    "%s: %s: %s", p->unusable ? "the built-in rules are in force" : "the own policy is left out",
			    p->left_out.field, p->left_out.reason);
}

void fleet_root_policy_free(struct fleet *f)
{
	policy_free(&f->root_policy.rules);
}
