// SPDX-License-Identifier: GPL-2.0
/* What is wrong with nodes and ATRs. */
#include "fleet_internal.h"

#include "clock.h"

#define BEHIND_MS	5000		/* beyond prepare_timeout */
#define NAMES_MAX	160		/* bytes of names in one finding */

struct names { char text[NAMES_MAX]; size_t n, len; };

/* As many as fit, and how many more there are */
static void add_name(struct names *l, const char *name)
{
	size_t len = strlen(name);

	l->n++;
	if (l->len + len + 3 > NAMES_MAX - 24)
		return;
	l->len += (size_t)snprintf(l->text + l->len, NAMES_MAX - l->len, "%s%s", l->len ? ", " : "", name);
}

/* Does the kernel of a member have the ATR in use? */
static bool has_traffic(const struct fleet_atr *a, const struct peer *p)
{
	for (size_t i = 0; i < p->heartbeat.n_atrs; i++)
		if (p->heartbeat.atrs[i].atr_id == a->def.id)
			return p->heartbeat.atrs[i].generation;
	return false;
}

/* Longer ago than an ordinary rekey takes */
static bool overdue(const struct fleet_atr *a, size_t g)
{
	uint64_t now = wall_ms(), limit = (uint64_t)a->plan.prepare_timeout_ms + BEHIND_MS;

	return now > a->generations[g].created_ms && now - a->generations[g].created_ms > limit;
}

static void find_mute(const struct fleet_atr *a, size_t m, struct health *h)
{
	const struct peer *p = a->fleet->peers ? peers_find(a->fleet->peers, a->members[m].node) : NULL;
	int current = rekey_current(&a->plan);

	if (current < 0 || !overdue(a, (size_t)current) || !p || !p->up || !p->reported || has_traffic(a, p))
		return;
	health_find(h, HEALTH_FINDING("no-traffic", SEV_ALERT, .subject = a->members[m].name,
				      .remedy = "On that node: akmctl doctor, modprobe akm. It gets its keys back by itself."),
		    "its kernel does not have #%u %s: it has no traffic there", a->def.id, a->def.label);
}

/* Members that do not use the newest generation long after it was made */
static void find_behind(const struct fleet_atr *a, struct health *h)
{
	int g = rekey_next(&a->plan) >= 0 ? rekey_next(&a->plan) : rekey_current(&a->plan);
	struct names behind = {};
	const char *failure = "";
	char remedy[320], subject[AKM_NAME_LEN + 16];
	size_t up = 0;

	if (g < 0 || !overdue(a, (size_t)g))
		return;
	for (size_t m = 0; m < a->plan.n_members; m++) {
		if (a->plan.members[m].step[g] == STEP_ACTIVATED)
			continue;
		add_name(&behind, a->members[m].name);
		up += a->plan.members[m].up;
		if (a->members[m].failure[0])
			failure = a->members[m].failure;
	}
	if (!behind.n)
		return;
	snprintf(subject, sizeof(subject), "#%u %s", a->def.id, a->def.label);
	snprintf(remedy, sizeof(remedy), "%s%s%s", up ? "akmctl status on the node says what it lacks; it is asked again by itself." :
		 "Absent nodes get it when they return; one that will not: akmctl node evict.",
		 failure[0] ? " It said: " : "", failure);
	health_find(h, HEALTH_FINDING("half-rekeyed", SEV_WARNING, .subject = subject,
				      .since_ms = a->generations[g].created_ms, .remedy = remedy),
		    "%zu of %zu members are not on generation %u: %s%s", behind.n, a->plan.n_members,
		    a->generations[g].number, behind.text, strlen(behind.text) + 24 < NAMES_MAX ? "" : " …");
}

static int count_unserved(const struct store_node *n, void *ctx)
{
	struct { struct fleet *f; struct health *h; } *c = ctx;

	if (n->state == NODE_PROVISIONED && !peers_find(c->f->peers, n->id))
		health_find(c->h, HEALTH_FINDING("unserved", SEV_ALERT, .subject = n->name, .since_ms = n->since_ms,
						 .remedy = "Restart akmd here: it could not be taken on while running."),
			    "provisioned, and refused");
	return 0;
}

void fleet_health(struct fleet *f, struct health *h)
{
	struct { struct fleet *f; struct health *h; } c = { f, h };
	int r;

	if (!f->peers)
		return;
	peers_health(f->peers, h);
	r = store_node_each(f->c.store, count_unserved, &c);
	if (r < 0)
		health_find(h, HEALTH_FINDING("database", SEV_ALERT,
					      .remedy = "Look at the disk of the state directory; the backup of akm.db has the fleet."),
			    "the database cannot be read: %s", store_strerror(f->c.store));
	fleet_attest_health(f, h);
	fleet_root_policy_health(f, h);
	fleet_hook_health(f, h);
	fleet_quarantine_health(f, h);
	fleet_lock_health(f, h);
	for (const struct fleet_atr *a = f->first; a; a = a->next) {
		for (size_t m = 0; m < a->plan.n_members; m++)
			find_mute(a, m, h);
		find_behind(a, h);
	}
}
