// SPDX-License-Identifier: GPL-2.0
/*
 * Lockdown: an ATR moves to a new generation, and until a person unlocks it nobody is added to it, it is not defined
 * anew, and who comes back provisioned anew is left out. Whoever is in stays in, and may be thrown out as before.
 * Of the fleet: the same of each ATR, and neither nodes nor ATRs are taken on.
 */
#include "fleet_internal.h"

#include "clock.h"
#include "log.h"
#include "report.h"

#define FLEET_SINCE	"lockdown"	/* settings; since 0: not locked */
#define FLEET_WHY	"lockdown-why"

/* ---- what is refused ---- */

int fleet_lock_check(const struct fleet_atr *a, struct akm_error *err)
{
	if (!a->def.locked_ms)
		return 0;
	return akm_error_set(err, -EPERM, "atr", "#%u %s is locked (%s): once you know why, akmctl atr unlock %u", a->def.id,
			     a->def.label, a->def.locked_why, a->def.id);
}

int fleet_lock_check_new(const struct fleet *f, struct akm_error *err)
{
	if (!f->locked_ms)
		return 0;
	return akm_error_set(err, -EPERM, "fleet", "is locked (%s), and takes on neither nodes nor ATRs: once you know why, "
			     "akmctl unlock", f->locked_why);
}

bool fleet_admits(struct fleet *f, struct ctl_request *req)
{
	struct akm_error err = {};
	int r = fleet_lock_check_new(f, &err);

	if (r < 0)
		ctl_fail(req, r, &err);
	return !r;
}

int fleet_admits_node(const struct fleet *f)
{
	return f->locked_ms ? -EPERM : 0;
}

/* ---- who comes back provisioned anew ---- */

/* Its row becomes the new node's, which has left: the old one is deleted. */
int fleet_lock_leave_out(struct fleet_atr *a, const struct store_node *n, const struct store_node *old)
{
	_cleanup_(store_atr_free) struct store_atr def = {};
	bool concerned = false, member = false;
	uint32_t number;
	int r = fleet_atr_copy(&a->def, &def);

	for (size_t i = 0; !r && i < def.n_members; i++) {
		if (memcmp(def.members[i].node, old->id, AKM_ID_LEN))
			continue;
		memcpy(def.members[i].node, n->id, AKM_ID_LEN);
		member |= !def.members[i].removed;
		def.members[i].removed = true;
		concerned = true;
	}
	if (r || !concerned)
		return r;
	return member ? fleet_generation_make(a->fleet, &def, "remove", &number) : store_atr_put(a->fleet->c.store, &def);
}

void fleet_lock_left_out(struct fleet_atr *a, const struct store_node *n)
{
	struct store_atr def = {};

	if (store_atr_get(a->fleet->c.store, a->def.id, &def) < 0) {
		log_err("cannot reload an ATR atr=%u: restart akmd", a->def.id);
		return;
	}
	if (def.definition != a->def.definition)
		evidence_add(a->fleet->c.evidence, EVIDENCE_NOTE("atr-remove", SEV_WARNING, .atr_id = a->def.id),
			     "%s came back provisioned anew, and is left out of #%u %s, which is locked", n->name, a->def.id,
			     a->def.label);
	fleet_adopt(a, &def);
	store_atr_free(&def);
}

/* ---- one ATR ---- */

int fleet_plan_lock(struct fleet_atr *a, const char *why, struct fleet_change *c, struct akm_error *err)
{
	struct fleet_step *s;
	int r;

	c->fleet = a->fleet;
	r = fleet_step_new(c, &a->def, "lockdown", &s, err);
	if (r < 0 || s->def.locked_ms)		/* it stays what it was first locked for */
		return r;
	s->def.locked_ms = wall_ms();
	snprintf(s->def.locked_why, sizeof(s->def.locked_why), "%s", why);
	return 0;
}

int fleet_plan_unlock(struct fleet_atr *a, struct fleet_change *c, struct akm_error *err)
{
	struct fleet_step *s;
	int r;

	if (!a->def.locked_ms)
		return akm_error_set(err, -EALREADY, "atr", "#%u %s is not locked", a->def.id, a->def.label);
	c->fleet = a->fleet;
	r = fleet_step_new(c, &a->def, NULL, &s, err);
	if (r < 0)
		return r;
	s->def.locked_ms = 0;
	memset(s->def.locked_why, 0, sizeof(s->def.locked_why));
	return 0;
}

static void note_locked(struct fleet *f, const struct fleet_step *s, const char *how)
{
	evidence_add(f->c.evidence, EVIDENCE_NOTE("lockdown", SEV_ALERT, .atr_id = s->atr_id),
		     "#%u %s is locked %s and moves to generation %u", s->atr_id, s->def.label, how, s->number);
}

/* ---- the fleet ---- */

/* Inside a transaction */
static int write_lock(struct fleet *f, uint64_t since_ms, const char *why)
{
	return store_set_u64(f->c.store, FLEET_SINCE, since_ms) ?: store_set(f->c.store, FLEET_WHY, why, strlen(why));
}

static void take_lock(struct fleet *f, uint64_t since_ms, const char *why)
{
	f->locked_ms = since_ms;
	snprintf(f->locked_why, sizeof(f->locked_why), "%s", why);
}

static int keep(struct fleet *f, uint64_t since_ms, const char *why)
{
	int r = store_begin(f->c.store);

	if (r < 0)
		return r;
	r = write_lock(f, since_ms, why) ?: store_commit(f->c.store);
	if (r < 0) {
		store_rollback(f->c.store);
		return r;
	}
	take_lock(f, since_ms, why);
	f->c.changed(f->c.ctx);			/* who replaces us is to know */
	return 0;
}

int fleet_lock_inherit_write(struct fleet *f, const char *why)
{
	return why[0] && !f->locked_ms ? write_lock(f, wall_ms(), why) : 0;
}

void fleet_lock_inherit(struct fleet *f, const char *why)
{
	if (!why[0] || f->locked_ms)
		return;
	take_lock(f, wall_ms(), why);
	evidence_add(f->c.evidence, EVIDENCE_NOTE("lockdown", SEV_ALERT),
		     "The fleet was locked (%s) when its manager was replaced, and stays so: neither nodes nor ATRs are taken on",
		     why);
}

int fleet_lock_load(struct fleet *f)
{
	_cleanup_(akm_blob_free) struct akm_blob why = {};
	int r = store_get_u64(f->c.store, FLEET_SINCE, &f->locked_ms) ?: store_get(f->c.store, FLEET_WHY, &why);

	if (!r)
		snprintf(f->locked_why, sizeof(f->locked_why), "%.*s", (int)why.len, (const char *)why.data);
	return r == -ENOENT ? 0 : r;
}

static int apply(struct fleet *f, int r, struct fleet_change *c, const char *how, struct akm_error *err)
{
	r = r || !c->n ? r : fleet_apply(c, err);
	for (size_t i = 0; !r && i < c->n; i++)
		note_locked(f, &c->steps[i], how);
	return r;
}

/* First that nobody comes in, then all ATRs at once. */
static int lock_all(struct fleet *f, const char *why, const char *how, struct akm_error *err)
{
	_cleanup_change_ struct fleet_change c = {};
	int r = f->locked_ms ? 0 : keep(f, wall_ms(), why);

	if (r < 0)
		return akm_error_set(err, r, "database", "%s", store_strerror(f->c.store));
	evidence_add(f->c.evidence, EVIDENCE_NOTE("lockdown", SEV_ALERT),
		     "The fleet is locked %s: neither nodes nor ATRs are taken on", how);
	for (struct fleet_atr *a = f->first; !r && a; a = a->next)
		r = fleet_plan_lock(a, why, &c, err);
	return apply(f, r, &c, how, err);
}

int fleet_lockdown(struct fleet *f, struct fleet_atr *a, const char *what, struct akm_error *err)
{
	_cleanup_change_ struct fleet_change c = {};
	char how[80];

	snprintf(how, sizeof(how), "by policy (%s)", what);
	if (!a)
		return lock_all(f, what, how, err);
	return apply(f, fleet_plan_lock(a, what, &c, err), &c, how, err);
}

/* ---- commands for the fleet; those for one ATR are with the others of it ---- */

static void answer(struct fleet *f, struct ctl_request *req, int r, const struct akm_error *err)
{
	struct json_object *o;
	int64_t locked = 0, n = 0;

	if (r < 0) {
		ctl_fail(req, r, err->reason[0] ? err : NULL);
		return;
	}
	o = json_object_new_object();
	for (const struct fleet_atr *a = f->first; a; a = a->next, n++)
		locked += a->def.locked_ms != 0;
	json_object_object_add(o, "locked", json_object_new_boolean(f->locked_ms != 0));
	report_put_int(o, "atrs", n);
	report_put_int(o, "atrs_locked", locked);
	ctl_ok(req, o);
}

void fleet_ctl_lock(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	struct akm_error err = {};

	(void)args;
	answer(f, req, lock_all(f, "command", "by command", &err), &err);
}

void fleet_ctl_unlock(struct fleet *f, struct ctl_request *req, struct json_object *args)
{
	_cleanup_change_ struct fleet_change c = {};
	struct akm_error err = {};
	int r = 0;

	(void)args;
	for (struct fleet_atr *a = f->first; !r && a; a = a->next)
		r = a->def.locked_ms ? fleet_plan_unlock(a, &c, &err) : 0;
	r = r || !c.n ? r : fleet_apply(&c, &err);
	r = r ?: keep(f, 0, "");			/* last: until then nobody comes in */
	if (!r)
		evidence_add(f->c.evidence, EVIDENCE_NOTE("unlocked", SEV_INFO), "The fleet was unlocked, and every ATR");
	answer(f, req, r, &err);
}

/* ---- shown ---- */

void fleet_lock_report(const struct store_atr *def, struct json_object *o)
{
	if (!def->locked_ms)
		return;
	report_put_text(o, "locked", def->locked_why);
	json_object_object_add(o, "locked_since", report_time(def->locked_ms));
}

void fleet_lock_health(const struct fleet *f, struct health *h)
{
	char subject[AKM_NAME_LEN + 16], remedy[128];

	if (f->locked_ms)
		health_find(h, HEALTH_FINDING("locked", SEV_WARNING, .since_ms = f->locked_ms,
					      .remedy = "Find out what happened (akmctl events); then akmctl unlock."),
			    "the fleet is locked (%s): neither nodes nor ATRs are taken on", f->locked_why);
	for (const struct fleet_atr *a = f->first; a; a = a->next) {
		if (!a->def.locked_ms)
			continue;
		snprintf(subject, sizeof(subject), "#%u %s", a->def.id, a->def.label);
		snprintf(remedy, sizeof(remedy), "Find out what happened (akmctl events); then akmctl atr unlock %u.",
			 a->def.id);
		health_find(h, HEALTH_FINDING("locked", SEV_WARNING, .subject = subject, .since_ms = a->def.locked_ms,
					      .remedy = remedy),
			    "it is locked (%s): nobody is added to it", a->def.locked_why);
	}
}
