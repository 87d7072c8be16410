// SPDX-License-Identifier: GPL-2.0
#include "root_policy.h"

#include <openssl/sha.h>

#include "clock.h"
#include "log.h"
#include "policy_load.h"
#include "report.h"

#define SETTING		"policy"
#define ANSWER_MS	10000		/* a manager checks it, and writes it down once */

/* What a manager last said */
struct told {
	struct told *next;
	uint8_t id[AKM_ID_LEN];
	char name[AKM_NAME_LEN];
	uint64_t held;			/* 0: none of ours */
	uint64_t refused;		/* the number; 0: none */
	uint64_t asked;			/* the one that is under way; 0: none */
	uint64_t since_ms;		/* wall clock */
	char reason[TEXT_MAX];
};

struct root_policy {
	struct store *store;
	struct evidence *evidence;
	const struct config *config;
	uint64_t number;		/* 0: there never was a file */
	struct akm_blob text;
	uint8_t digest[AKM_DIGEST_LEN];
	size_t n_rules, n_atrs;
	uint64_t ahead;			/* a manager has this one, which is not ours: set back; 0: nobody */
	char ahead_at[AKM_NAME_LEN];
	uint64_t ahead_ms;
	struct told *told;
	struct ctl_request *reload;	/* answered when nothing is under way */
	size_t waiting;
};

/* ---- ours ---- */

static int load_kept(struct root_policy *p, struct akm_error *err)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	_cleanup_msg_ struct msg m = {};
	int r = store_get(p->store, SETTING, &b);

	if (r == -ENOENT)
		return 0;
	r = r ?: msg_decode(b.data, b.len, &m, err);
	if (!r && m.type != MSG_POLICY)
		r = akm_error_set(err, -EBADMSG, SETTING, "is another message");
	if (r < 0)
		return r;
	p->number = m.policy.number;
	p->text = m.policy.text;
	m.policy.text = (struct akm_blob){};
	SHA256(p->text.data, p->text.len, p->digest);
	return 0;
}

static int keep(struct root_policy *p, uint64_t number, const struct akm_blob *text)
{
	_cleanup_secret_ struct akm_secret encoded = {};
	const struct msg m = { .type = MSG_POLICY, .policy = { number, *text } };

	return msg_encode(&m, &encoded) ?: store_set(p->store, SETTING, encoded.data, encoded.len);
}

static bool is_same(const struct akm_blob *a, const struct akm_blob *b)
{
	return a->len == b->len && !memcmp(a->data, b->data, a->len);
}

/* A number of its own, if it is another text or a person @insists. */
static int number_it(struct root_policy *p, struct akm_blob *text, bool insists, struct akm_error *err)
{
	uint64_t last = p->ahead > p->number ? p->ahead : p->number;
	int r;

	if (p->number && is_same(text, &p->text) && !(insists && p->ahead))
		return 0;
	if (last >= POLICY_NUMBER_MAX)
		return akm_error_set(err, -ERANGE, "policy", "has no number left");
	r = keep(p, last + 1, text);
	if (r < 0)
		return akm_error_set(err, r, "database", "%s", store_strerror(p->store));
	p->number = last + 1;
	p->ahead = 0;
	akm_blob_free(&p->text);
	p->text = *text;
	*text = (struct akm_blob){};
	SHA256(p->text.data, p->text.len, p->digest);
	return 0;
}

static int read_file(struct root_policy *p, bool insists, struct akm_error *err)
{
	_cleanup_(akm_blob_free) struct akm_blob text = {};
	_cleanup_(policy_free) struct policy rules = {};
	int r = policy_read(p->config, &text, err) ?: policy_of_root(&text, p->config->policy_file, &rules, err) ?:
		number_it(p, &text, insists, err);

	if (!r) {
		p->n_rules = rules.n;
		p->n_atrs = rules.n_atrs;
	}
	return r;
}

/* ---- the managers ---- */

static struct told *told_of(const struct root_policy *p, const uint8_t id[AKM_ID_LEN])
{
	struct told *t = p->told;

	while (t && memcmp(t->id, id, AKM_ID_LEN))
		t = t->next;
	return t;
}

static struct told *told_or_new(struct root_policy *p, const struct peer *peer)
{
	struct told *t = told_of(p, peer->id);

	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	memcpy(t->id, peer->id, AKM_ID_LEN);
	memcpy(t->name, peer->name, sizeof(t->name));
	t->next = p->told;
	p->told = t;
	return t;
}

void root_policy_forget(struct root_policy *p, const uint8_t id[AKM_ID_LEN])
{
	for (struct told **at = &p->told; *at; at = &(*at)->next) {
		struct told *t = *at;

		if (memcmp(t->id, id, AKM_ID_LEN))
			continue;
		if (!strcmp(t->name, p->ahead_at))
			p->ahead = 0;		/* whoever else says so will */
		*at = t->next;
		free(t);
		return;
	}
}

/* ---- sending it ---- */

struct offer { struct root_policy *policy; uint8_t id[AKM_ID_LEN]; uint64_t number; bool awaited; };

static struct json_object *report_holders(const struct root_policy *p);

static void answer_reload(struct root_policy *p)
{
	struct json_object *o = json_object_new_object();

	report_put_int(o, "number", (int64_t)p->number);
	report_put_int(o, "rules", (int64_t)p->n_rules);
	report_put_int(o, "atrs", (int64_t)p->n_atrs);
	json_object_object_add(o, "holders", report_holders(p));
	ctl_ok(TAKE_PTR(p->reload), o);
}

static void note_answer(struct root_policy *p, struct told *t, uint64_t number, int r, const struct akm_error *err)
{
	const struct evidence_note *note = r == -ESTALE ? EVIDENCE_NOTE("policy-stale", SEV_ALERT) :
					   EVIDENCE_NOTE("policy-refused", SEV_ALERT);
	bool again = t->refused == number;

	t->since_ms = wall_ms();
	if (!r) {
		t->held = number;
		t->refused = 0;
		evidence_add(p->evidence, EVIDENCE_NOTE("policy-pushed", SEV_INFO), "%s has policy %llu", t->name,
			     (unsigned long long)number);
		return;
	}
	t->refused = number;
	snprintf(t->reason, sizeof(t->reason), "%s: %s", err ? err->field : "", err ? err->reason : strerror(-r));
	if (!again)
		evidence_add(p->evidence, note, "%s refuses policy %llu, what it had stays in force: %s", t->name,
			     (unsigned long long)number, t->reason);
}

static void on_answer(void *ctx, int r, const struct akm_error *err)
{
	struct offer *o = ctx;
	struct root_policy *p = o->policy;
	struct told *t = told_of(p, o->id);

	if (t && t->asked == o->number)
		t->asked = 0;
	if (t && r != -ENOTCONN && r != -ETIMEDOUT)
		note_answer(p, t, o->number, r, err);
	if (o->awaited && !--p->waiting)
		answer_reload(p);
	free(o);
}

static void send_to(struct root_policy *p, struct peer *peer, struct told *t, bool awaited)
{
	struct msg m = { .type = MSG_POLICY, .policy = { p->number, p->text } };	/* a view */
	struct offer *o;
	int r;

	if (!p->number || p->ahead || t->held == p->number || t->asked == p->number)
		return;
	o = calloc(1, sizeof(*o));
	if (!o) {
		log_err("no memory: a policy is sent at the next connection manager=%s", t->name);
		return;
	}
	*o = (struct offer){ .policy = p, .number = p->number, .awaited = awaited };
	memcpy(o->id, t->id, AKM_ID_LEN);
	r = peer_call(peer, &m, ANSWER_MS, on_answer, o);
	if (r < 0) {
		log_err("cannot send a policy manager=%s error=%s", t->name, strerror(-r));
		free(o);
		return;
	}
	t->asked = p->number;
	p->waiting += awaited;
}

/* It has what we do not know: we are a backup, or it lies. How far we follow it is bounded (bounds.h). */
static void set_back(struct root_policy *p, const struct told *t, uint64_t number)
{
	bool known = p->ahead;

	if (number > p->number + POLICY_AHEAD_MAX) {
		evidence_add(p->evidence, EVIDENCE_NOTE("policy-stale", SEV_ALERT, .limit = t->name),
			     "%s says that it has policy %llu of ours, and the last one is %llu: it is not believed", t->name,
			     (unsigned long long)number, (unsigned long long)p->number);
		return;
	}
	if (number > p->ahead)
		p->ahead = number;
	if (known)
		return;
	snprintf(p->ahead_at, sizeof(p->ahead_at), "%s", t->name);
	p->ahead_ms = wall_ms();
	evidence_add(p->evidence, EVIDENCE_NOTE("policy-stale", SEV_ALERT),
		     "%s has policy %llu of ours, and ours is %llu: this root was set back to a backup. No policy is sent "
		     "before somebody looks at the file and says akmctl policy reload", t->name, (unsigned long long)number,
		     (unsigned long long)p->number);
}

void root_policy_held(struct root_policy *p, struct peer *peer, const struct msg_policy_held *h)
{
	struct told *t = told_or_new(p, peer);

	if (!t) {
		log_err("no memory: a policy is sent at the next connection manager=%s", peer->name);
		return;
	}
	t->held = h->number;
	t->since_ms = wall_ms();
	if (h->number > p->number ||
	    (h->number && h->number == p->number && memcmp(h->digest, p->digest, sizeof(p->digest))))
		set_back(p, t, h->number);
	else
		send_to(p, peer, t, false);
}

/* ---- what people see ---- */

static const char *state_of(const struct root_policy *p, const struct told *t)
{
	if (p->number && t->held == p->number && !p->ahead)
		return "in force";
	if (t->refused == p->number && t->refused)
		return "refused";
	return t->held > p->number ? "ahead" : p->number ? "behind" : "none";
}

static struct json_object *report_told(const struct root_policy *p, const struct told *t)
{
	struct json_object *o = json_object_new_object();

	report_put_text(o, "manager", t->name);
	report_put_int(o, "policy", (int64_t)t->held);
	report_put_text(o, "state", state_of(p, t));
	json_object_object_add(o, "since", report_time(t->since_ms));
	if (t->refused && t->refused == p->number)
		report_put_text(o, "reason", t->reason);
	return o;
}

static struct json_object *report_holders(const struct root_policy *p)
{
	struct json_object *a = json_object_new_array();

	for (const struct told *t = p->told; t; t = t->next)
		json_object_array_add(a, report_told(p, t));
	return a;
}

void root_policy_report(const struct root_policy *p, const uint8_t id[AKM_ID_LEN], struct json_object *o)
{
	const struct told *t = told_of(p, id);

	if (t)
		report_put_int(o, "policy", (int64_t)t->held);
}

void root_policy_health(const struct root_policy *p, struct health *h)
{
	if (p->ahead)
		health_find(h, HEALTH_FINDING("policy-stale", SEV_ALERT, .since_ms = p->ahead_ms,
					      .remedy = "Look at the policy file: is it the newest? Then akmctl policy reload sends it, "
							"as a new one."),
			    "%s has policy %llu, and the one here is %llu: this root was set back to a backup, and sends none",
			    p->ahead_at, (unsigned long long)p->ahead, (unsigned long long)p->number);
	for (const struct told *t = p->told; t; t = t->next)
		if (t->refused && t->refused == p->number)
			health_find(h, HEALTH_FINDING("policy-refused", SEV_ALERT, .subject = t->name, .since_ms = t->since_ms,
						      .remedy = "Correct the policy file, then akmctl policy reload; or bring that "
								"manager's akmd to this version."),
				    "it refuses policy %llu and goes on with %llu: %s", (unsigned long long)t->refused,
				    (unsigned long long)t->held, t->reason);
}

/* ---- control socket ---- */

void root_policy_ctl_show(struct root_policy *p, struct ctl_request *req)
{
	struct json_object *o = json_object_new_object();

	report_put_text(o, "file", p->config->policy_file ?: p->number ? "none any more: the last one is kept" : "none");
	report_put_int(o, "number", (int64_t)p->number);
	json_object_object_add(o, "holders", report_holders(p));
	ctl_ok(req, o);
}

static int check_reload(const struct root_policy *p, struct akm_error *err)
{
	if (!p->config->policy_file)
		return akm_error_set(err, -ENOENT, "policy", "akmd.conf names no [policy] file");
	if (p->reload)
		return akm_error_set(err, -EBUSY, "policy", "another reload waits for its managers");
	return 0;
}

static void send_each(struct peer *peer, void *ctx)
{
	struct root_policy *p = ctx;
	struct told *t = told_of(p, peer->id);

	if (peer->up && t)
		send_to(p, peer, t, true);
}

void root_policy_ctl_reload(struct root_policy *p, struct peers *peers, struct ctl_request *req)
{
	struct akm_error err = {};
	int r = check_reload(p, &err) ?: read_file(p, true, &err);

	if (r < 0) {
		ctl_fail(req, r, err.reason[0] ? &err : NULL);
		return;
	}
	evidence_add(p->evidence, EVIDENCE_NOTE("policy-reload", SEV_INFO), "Policy %llu: %zu rules, %zu ATRs with their own",
		     (unsigned long long)p->number, p->n_rules, p->n_atrs);
	p->reload = req;
	peers_each(peers, send_each, p);
	if (!p->waiting)
		answer_reload(p);
}

/* ---- begin and end ---- */

int root_policy_new(struct store *s, struct evidence *e, const struct config *c, struct root_policy **ret,
		    struct akm_error *err)
{
	struct root_policy *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	*p = (struct root_policy){ .store = s, .evidence = e, .config = c };
	r = load_kept(p, err) ?: c->policy_file ? read_file(p, false, err) : 0;
	if (r < 0) {
		root_policy_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void root_policy_free(struct root_policy *p)
{
	if (!p)
		return;
	while (p->told)
		root_policy_forget(p, p->told->id);
	akm_blob_free(&p->text);
	free(p);
}
