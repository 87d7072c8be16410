// SPDX-License-Identifier: GPL-2.0
/* Requests of the control socket that are answered when reachable members are done. */
#include "fleet_internal.h"

#include "clock.h"

static void wait_free(struct fleet_wait *w)
{
	struct fleet_wait **p;

	for (p = &w->fleet->waits; *p != w; p = &(*p)->next)
		;
	*p = w->next;
	free(w);
}

static void on_gone(struct ctl_request *req, void *data)
{
	(void)req;
	wait_free(data);
}

static enum wait_kind kind_of(const struct fleet_step *s)
{
	if (s->leaves)
		return WAIT_SETTLED;
	if (s->reason)
		return WAIT_REACHED;		/* the definition comes with it */
	return s->ends ? WAIT_LEFT : WAIT_DEFINED;
}

int fleet_wait_new(struct ctl_request *req, const struct fleet_change *c, bool plans)
{
	struct fleet_wait *w = calloc(1, sizeof(*w));
	struct fleet *f = c->fleet;

	if (!w)
		return -ENOMEM;
	w->fleet = f;
	w->req = req;
	w->plans = plans;
	w->deadline_ms = now_ms() + FLEET_WAIT_MS;
	for (size_t i = 0; i < c->n && w->n < ARRAY_SIZE(w->atr); i++) {
		w->atr[w->n].atr_id = c->steps[i].atr_id;
		w->atr[w->n].generation = c->steps[i].number;
		w->atr[w->n++].kind = kind_of(&c->steps[i]);
	}
	w->next = f->waits;
	f->waits = w;
	ctl_on_gone(req, on_gone, w);
	fleet_wait_check(f);
	return 0;
}

/* Superseded generations are told to be erased, and everybody who is up has done so. */
static bool old_are_gone(const struct fleet_atr *a)
{
	int current = rekey_current(&a->plan);

	for (int g = 0; g < current; g++) {
		if (a->plan.generations[g].state != GEN_RETIRED)
			return false;
		for (size_t m = 0; m < a->plan.n_members; m++)
			if (a->plan.members[m].up && (a->plan.members[m].step[g] == STEP_PREPARED ||
						      a->plan.members[m].step[g] == STEP_ACTIVATED))
				return false;
	}
	return true;
}

/* Everybody who is up goes by the newest definition. */
static bool is_defined(const struct fleet_atr *a)
{
	for (size_t m = 0; m < a->plan.n_members; m++)
		if (a->plan.members[m].up && a->plan.members[m].stale)
			return false;
	return true;
}

static bool atr_done(const struct fleet_wait *w, size_t i)
{
	struct fleet_atr *a = fleet_find(w->fleet, w->atr[i].atr_id);

	if (w->atr[i].kind == WAIT_LEFT || !a)
		return !fleet_leaving(w->fleet, w->atr[i].atr_id);
	if (!a->plan.n_members)
		return true;
	if (!rekey_reached(&a->plan, w->atr[i].generation) || (w->atr[i].kind == WAIT_DEFINED && !is_defined(a)))
		return false;
	return w->atr[i].kind != WAIT_SETTLED ||
	       (old_are_gone(a) && !fleet_leaving(w->fleet, w->atr[i].atr_id));
}

static bool anybody_up(const struct fleet_atr *a)
{
	for (size_t i = 0; i < a->plan.n_members; i++)
		if (a->plan.members[i].up)
			return true;
	return false;
}

/* With nobody there, nothing will happen: the change is recorded, which is all that can be done. */
static bool hopeless(const struct fleet_wait *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct fleet_atr *a = fleet_find(w->fleet, w->atr[i].atr_id);

		if (fleet_leaving(w->fleet, w->atr[i].atr_id) || (a && anybody_up(a)))
			return false;
	}
	return true;
}

static void say(struct fleet_wait *w, const struct fleet_atr *a)
{
	size_t prepared = 0, activated = 0, up = 0;
	int next = rekey_next(&a->plan), current = rekey_current(&a->plan);
	int g = next >= 0 ? next : current;
	char text[sizeof(w->said)];

	if (g < 0)
		return;
	for (size_t i = 0; i < a->plan.n_members; i++) {
		enum store_step s = a->plan.members[i].step[g];

		up += a->plan.members[i].up;
		prepared += s == STEP_PREPARED || s == STEP_ACTIVATED;
		activated += s == STEP_ACTIVATED;
	}
	snprintf(text, sizeof(text), "#%u %s: generation %u prepared by %zu, in use by %zu of %zu members (%zu reachable)",
		 a->def.id, a->def.label, a->generations[g].number, prepared, activated, a->plan.n_members, up);
	if (!strcmp(text, w->said))
		return;
	memcpy(w->said, text, sizeof(text));
	ctl_progress(w->req, text);
}

static struct json_object *report_plans(const struct fleet_wait *w)
{
	struct json_object *o = json_object_new_object(), *plans = json_object_new_array();

	for (size_t i = 0; i < w->n; i++) {
		struct fleet_atr *a = fleet_find(w->fleet, w->atr[i].atr_id);
		struct json_object *plan = json_object_new_object();

		json_object_object_add(plan, "atr", json_object_new_int64(w->atr[i].atr_id));
		json_object_object_add(plan, "generation", json_object_new_int64(w->atr[i].generation));
		json_object_object_add(plan, "done", json_object_new_boolean(atr_done(w, i)));
		if (a) {
			json_object_object_add(plan, "label", json_object_new_string(a->def.label));
			json_object_object_add(plan, "state", json_object_new_string(fleet_atr_state(a)));
		}
		json_object_array_add(plans, plan);
	}
	json_object_object_add(o, "plans", plans);
	return o;
}

static void finish(struct fleet_wait *w)
{
	struct fleet_atr *a = w->n ? fleet_find(w->fleet, w->atr[0].atr_id) : NULL;
	struct json_object *result;
	struct ctl_request *req = w->req;

	result = w->plans ? report_plans(w) : a ? fleet_report_atr(a) : NULL;
	ctl_on_gone(req, NULL, NULL);
	wait_free(w);
	ctl_ok(req, result);
}

void fleet_wait_check(struct fleet *f)
{
	uint64_t now = now_ms();

	for (struct fleet_wait *w = f->waits, *next; w; w = next) {
		bool done = true;

		next = w->next;
		for (size_t i = 0; i < w->n; i++) {
			struct fleet_atr *a = fleet_find(f, w->atr[i].atr_id);

			if (a)
				say(w, a);
			done = done && atr_done(w, i);
		}
		if (done || now >= w->deadline_ms || hopeless(w))
			finish(w);
	}
	if (f->waits && !evtimer_pending(f->wait_timer, NULL))
		timer_set(f->wait_timer, FLEET_WAIT_MS / 40);
}

void fleet_wait_free_all(struct fleet *f)
{
	while (f->waits) {
		struct ctl_request *req = f->waits->req;
		struct akm_error err = {};

		akm_error_set(&err, 0, "akmd", "is stopping; what was asked for is recorded and goes on after its start");
		ctl_on_gone(req, NULL, NULL);
		wait_free(f->waits);
		ctl_fail(req, -ECANCELED, &err);
	}
}
