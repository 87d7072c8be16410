// SPDX-License-Identifier: GPL-2.0
#include "node_atrs.h"

#include "calls.h"
#include "clock.h"
#include "log.h"
#include "node_fallback.h"
#include "node_group.h"
#include "node_kernel.h"
#include "shown.h"
#include "vault.h"

struct op {
	struct op *next;
	enum msg_type type;
	uint32_t atr_id, generation;
	uint64_t ticket;		/* done when this version is durable */
	struct link *link;		/* NULL: gone */
	uint32_t request;
};

struct counter_job {
	struct node_atrs *atrs;		/* NULL: freed meanwhile */
	struct counter_job *next;
	uint32_t atr_id;
	uint64_t value;
};

struct node_atrs {
	struct node_atrs_config c;
	struct vault *vault;
	struct node_state state;
	bool ready, writing, failing, no_module;
	uint64_t version, writing_version, durable;
	struct op *first, **last;
	size_t n_ops;
	struct counter_job *jobs;
	struct event *retry;
	uint64_t retry_ms;
	struct event *follow;		/* epochs are left to follow */
	struct node_fallback *fallback;
	struct event *enter;		/* one may be due, or an announcement is */
};

static void flush(struct node_atrs *a);
static void progress(struct node_atrs *a);
static void look_after_fallbacks(struct node_atrs *a);
static void announce_soon(struct node_atrs *a, struct node_atr *atr);

/* ---- answers ---- */

static void answer(struct op *op, int r, const struct akm_error *err)
{
	if (!op->link)
		return;
	/* A link that cannot take it is going down, and the manager asks again on the next. */
	if (r < 0)
		(void)reply_error(op->link, op->request, r, err);
	else
		(void)reply_ok(op->link, op->request);
}

static void op_end(struct node_atrs *a, struct op **p, int r, const struct akm_error *err)
{
	struct op *op = *p;

	*p = op->next;
	if (a->last == &op->next)
		a->last = p;
	a->n_ops--;
	if (r < 0)
		log_warning("%s failed atr=%u generation=%u field=%s reason=%s", msg_type_name(op->type),
			    op->atr_id, op->generation, err ? err->field : "", err ? err->reason : strerror(-r));
	answer(op, r, err);
	free(op);
}

/* Something in memory differs from the sealed store now. */
static uint64_t touch(struct node_atrs *a)
{
	return ++a->version;
}

static int op_add(struct node_atrs *a, struct link *l, uint32_t request, enum msg_type type, uint32_t atr_id,
		  uint32_t generation)
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op)
		return -ENOMEM;
	*op = (struct op){ .type = type, .atr_id = atr_id, .generation = generation,
			   .ticket = a->version, .link = l, .request = request };
	*a->last = op;
	a->last = &op->next;
	a->n_ops++;
	return 0;
}

void node_atrs_link_up(struct node_atrs *a)
{
	node_fallback_manager(a->fallback, true, now_ms());
}

void node_atrs_link_down(struct node_atrs *a)
{
	node_fallback_manager(a->fallback, false, now_ms());
	look_after_fallbacks(a);
	for (struct op *op = a->first; op; op = op->next)
		op->link = NULL;
}

/* ---- incarnations and fresh devices ---- */

static void note(struct node_atrs *a, const struct node_kernel_noted *noted)
{
	if (noted->changed)
		touch(a);
	if (noted->behind)
		timer_set(a->follow, 0);
}

static void retry_later(struct node_atrs *a)
{
	if (evtimer_pending(a->retry, NULL))
		return;
	timer_set(a->retry, a->retry_ms);
	a->retry_ms = a->retry_ms * 2 > NODE_ATRS_RETRY_MAX_MS ? NODE_ATRS_RETRY_MAX_MS : a->retry_ms * 2;
}

static void report_kernel(struct node_atrs *a, uint32_t atr_id, int r, const struct akm_error *err)
{
	evidence_add(a->c.evidence, EVIDENCE_NOTE("kernel", SEV_WARNING, .atr_id = atr_id, .limit = "push"),
		     "ATR #%u cannot be brought into the kernel: %s: %s", atr_id, err->field,
		     err->reason[0] ? err->reason : strerror(-r));
}

static bool waiting_for_kernel(const struct node_atrs *a)
{
	for (const struct node_atr *atr = a->state.first; atr; atr = atr->next)
		if (atr->wants_incarnation)
			return true;
	return false;
}

static void become_ready(struct node_atrs *a)
{
	if (a->ready || waiting_for_kernel(a))
		return;
	a->ready = true;
	a->c.ready(a->c.ctx, 0, NULL);
}

static int counter_work(struct keystore *ks, void *arg)
{
	struct counter_job *job = arg;

	return keystore_counter_next(ks, KEYSTORE_INCARNATION, &job->value);
}

static int push(struct node_atrs *a, struct node_atr *atr, uint64_t incarnation, struct akm_error *err)
{
	struct node_kernel_noted noted = {};
	enum node_kernel_found found;
	int r;

	if (incarnation > AKM_INCARNATION_MAX)
		return akm_error_set(err, -ERANGE, "incarnation", "the TPM's counter has passed 24 bits");
	r = node_kernel_look(a->c.nl, atr, &found, err);
	if (r < 0)
		return r;
	if (found != NODE_KERNEL_SAME && found != NODE_KERNEL_MUTE)
		return node_kernel_create(a->c.nl, atr, (uint32_t)incarnation, err);
	r = node_kernel_speak(a->c.nl, atr, (uint32_t)incarnation, err) ?:
	    node_kernel_define(a->c.nl, atr, err) ?:
	    node_kernel_sync(a->c.nl, atr, &noted, err);
	note(a, &noted);
	return r;
}

static void take_incarnation(struct node_atrs *a, struct node_atr *atr, int r, uint64_t value)
{
	struct akm_error err = {};

	atr->wants_incarnation = false;
	if (r < 0)
		akm_error_set(&err, r, "TPM", "no incarnation: %s", strerror(-r));
	else
		r = push(a, atr, value, &err);
	if (r < 0) {
		report_kernel(a, atr->def.atr_id, r, &err);
		atr->in_kernel = false;
		retry_later(a);
	} else {
		log_info("ATR is in the kernel atr=%u incarnation=%llu", atr->def.atr_id,
			 (unsigned long long)value);
		atr->in_kernel = true;
		node_group_bring(a->c.nl, atr, a->c.evidence);
		a->retry_ms = NODE_ATRS_RETRY_MIN_MS;
	}
	progress(a);
	if (a->ready)
		a->c.changed(a->c.ctx);
	else
		become_ready(a);
}

static void counter_done(void *arg, int r)
{
	struct counter_job *job = arg, **p;
	struct node_atrs *a = job->atrs;
	struct node_atr *atr;

	if (a) {
		for (p = &a->jobs; *p != job; p = &(*p)->next)
			;
		*p = job->next;
		atr = node_state_find(&a->state, job->atr_id);
		if (atr)
			take_incarnation(a, atr, r, job->value);
	}
	free(job);
}

static void want_incarnation(struct node_atrs *a, struct node_atr *atr)
{
	struct counter_job *job;
	int r = -ENOMEM;

	if (atr->wants_incarnation || a->no_module)
		return;
	job = calloc(1, sizeof(*job));
	if (job) {
		job->atrs = a;
		job->atr_id = atr->def.atr_id;
		r = tpmq_submit(a->c.q, counter_work, counter_done, job);
	}
	if (r < 0) {
		free(job);
		log_err("cannot ask the TPM for an incarnation error=%s", strerror(-r));
		retry_later(a);
		return;
	}
	job->next = a->jobs;
	a->jobs = job;
	atr->wants_incarnation = true;
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct node_atrs *a = arg;

	(void)fd, (void)what;
	for (struct node_atr *atr = a->state.first; atr; atr = atr->next)
		if (!atr->in_kernel)
			want_incarnation(a, atr);
	flush(a);
}

/* ---- durability ---- */

/* What was to be prepared and could not be sealed is forgotten again. */
static void undo_prepare(struct node_atrs *a, const struct op *op)
{
	struct node_atr *atr = node_state_find(&a->state, op->atr_id);
	struct node_generation *g = atr ? node_atr_generation(atr, op->generation) : NULL;

	if (!g || g->active)
		return;
	node_atr_drop(atr, op->generation);
	if (!atr->n_generations && !atr->in_kernel)
		node_state_remove(&a->state, atr);
}

static void on_written(void *ctx, int r, const struct akm_error *err)
{
	struct node_atrs *a = ctx;

	a->writing = false;
	if (r < 0) {
		if (!a->failing)
			evidence_add(a->c.evidence, EVIDENCE_NOTE("sealed-store", SEV_ALERT, .limit = "write"),
				     "The sealed store cannot be written: %s: %s", err->field, err->reason);
		a->failing = true;
		for (struct op **p = &a->first; *p;) {
			if ((*p)->ticket > a->writing_version) {
				p = &(*p)->next;
				continue;
			}
			if ((*p)->type == MSG_ATR_PREPARE)
				undo_prepare(a, *p);
			op_end(a, p, r, err);
		}
		touch(a);
		retry_later(a);
		return;
	}
	if (a->failing)
		a->retry_ms = NODE_ATRS_RETRY_MIN_MS;
	a->failing = false;
	a->durable = a->writing_version;
	progress(a);
	flush(a);
}

static void flush(struct node_atrs *a)
{
	_cleanup_secret_ struct akm_secret content = {};
	struct akm_error err = {};
	int r;

	if (a->writing || a->durable == a->version)
		return;
	a->writing_version = a->version;
	r = node_state_encode(&a->state, &content);
	a->writing = true;
	r = r ?: vault_write(a->vault, &content, on_written, a);
	if (r < 0) {
		akm_error_set(&err, r, "sealed store", "%s", strerror(-r));
		on_written(a, r, &err);
	}
}

/* ---- what is durable goes into the kernel ---- */

/* Return: 1 it waits, 0 done, negative. */
static int finish_prepare(struct node_atrs *a, const struct op *op, struct akm_error *err)
{
	struct node_atr *atr = node_state_find(&a->state, op->atr_id);
	struct node_generation *g = atr ? node_atr_generation(atr, op->generation) : NULL;
	int r;

	if (!g)
		return akm_error_set(err, -ESTALE, "generation", "was superseded meanwhile");
	if (a->no_module)
		return akm_error_set(err, -ENOPKG, "kernel", "the module akm is not loaded");
	if (!atr->in_kernel && !atr->wants_incarnation) {
		if (evtimer_pending(a->retry, NULL))
			return akm_error_set(err, -EIO, "kernel", "the device cannot be made, see the node's log");
		want_incarnation(a, atr);
	}
	if (!atr->in_kernel)
		return 1;
	r = node_kernel_define(a->c.nl, atr, err) ?: node_kernel_install(a->c.nl, atr, g, err);
	if (!r)
		node_group_bring(a->c.nl, atr, a->c.evidence);
	if (r != -ENODEV)
		return r;
	/* Somebody removed the device: make it anew. */
	atr->in_kernel = false;
	want_incarnation(a, atr);
	return 1;
}

static void progress(struct node_atrs *a)
{
	for (struct op **p = &a->first; *p;) {
		struct akm_error err = {};
		int r = 0;

		if ((*p)->ticket > a->durable) {
			p = &(*p)->next;
			continue;
		}
		if ((*p)->type == MSG_ATR_PREPARE)
			r = finish_prepare(a, *p, &err);
		if (r == 1) {
			p = &(*p)->next;
			continue;
		}
		/* Sealed, but not what the kernel has: the next start tries again, and so does the manager. */
		op_end(a, p, r, &err);
		a->c.changed(a->c.ctx);
	}
}

/* ---- requests ---- */

static int check_prepare(const struct node_atrs *a, struct node_atr *atr, const struct msg_atr_prepare *p,
			 struct akm_error *err)
{
	const struct node_generation *g = atr ? node_atr_generation(atr, p->generation) : NULL;

	if (p->term < a->state.term)
		return akm_error_set(err, -ESTALE, "term", "%llu is not the highest seen, %llu: a replaced manager",
				     (unsigned long long)p->term, (unsigned long long)a->state.term);
	/* Who already holds it is asked again for what is done. */
	if (p->group.addr_len && !a->c.group_link[0] && !g)
		return akm_error_set(err, -ENODEV, "group",
				     "akmd.conf of this node has no [link] group_link: on which link is the ATR's group?");
	if (!atr)
		return node_atrs_count(a) < ATRS_MAX ? 0 :
		       akm_error_set(err, -ENOSPC, "atr", "this node is in %d ATRs already", ATRS_MAX);
	if (p->term == atr->def.term && p->definition < atr->def.definition)
		return akm_error_set(err, -ESTALE, "definition", "%llu is older than %llu",
				     (unsigned long long)p->definition, (unsigned long long)atr->def.definition);
	if (g && g->key_id != p->key_id)
		return akm_error_set(err, -EEXIST, "generation", "another generation %u is held", p->generation);
	if (!g && atr->n_generations && p->generation < atr->generations[atr->n_generations - 1].number)
		return akm_error_set(err, -ESTALE, "generation", "%u is older than %u, which is held", p->generation,
				     atr->generations[atr->n_generations - 1].number);
	return 0;
}

/* Another membership of the same ATR: removed and added again, meanwhile not heard of. */
static bool same_membership(const struct node_atr *atr, const struct msg_atr_prepare *p)
{
	return atr->def.self == p->self && atr->def.suite == p->suite && atr->def.port == p->port;
}

static void make_room(struct node_atr *atr)
{
	for (size_t i = 0; atr->n_generations == NODE_GENERATIONS && i < NODE_GENERATIONS; i++) {
		if (!atr->generations[i].active) {
			node_atr_drop(atr, atr->generations[i].number);
			return;
		}
	}
}

/*
 * A TPM may take its time to seal. Refusing who left need not wait for that, and neither need receiving what others
 * send on the new generation: they may be told to do so before we are ready (P9). What fails here fails again, and
 * is answered, once it is durable.
 */
static void show_early(struct node_atrs *a, struct node_atr *atr, uint32_t generation)
{
	struct akm_error err = {};
	int r = node_kernel_remove_leavers(a->c.nl, atr, &err);

	r = r ?: node_kernel_define(a->c.nl, atr, &err);
	r = r ?: node_kernel_install(a->c.nl, atr, node_atr_generation(atr, generation), &err);
	if (r < 0)
		log_warning("not in the kernel before it is sealed atr=%u field=%s reason=%s", atr->def.atr_id, err.field,
			    err.reason);
}

/*
 * Whoever has held an older one all the while, and was never shown this one or a newer one, has not held it. The
 * first of an ATR may be one that this node held before it was provisioned again.
 */
static int note_unused(struct node_atrs *a, const struct node_atr *atr, struct msg_atr_prepare *p)
{
	uint32_t before;
	int r = shown_raise(a->c.dir, p->atr_id, p->generation, &before);

	p->unused = !r && atr->n_generations && before < p->generation;
	return r;
}

static int apply_prepare(struct node_atrs *a, struct node_atr *atr, struct msg_atr_prepare *p,
			 struct akm_error *err)
{
	int r;

	if (atr && !same_membership(atr, p)) {
		r = node_kernel_delete(a->c.nl, p->atr_id, err);
		if (r < 0)
			return r;
		node_state_remove(&a->state, atr);
		atr = NULL;
	}
	if (!atr)
		atr = node_state_new(&a->state);
	if (!atr)
		return -ENOMEM;
	if (!node_atr_generation(atr, p->generation)) {
		r = note_unused(a, atr, p);
		if (r < 0)
			return akm_error_set(err, r, "generation", "cannot be noted: %s", strerror(-r));
		make_room(atr);
		r = node_atr_add(atr, p);
		if (r < 0)
			return r;
	}
	node_atr_define(atr, p);
	a->state.term = p->term;
	touch(a);
	if (atr->in_kernel)
		show_early(a, atr, p->generation);
	return 0;
}

static bool is_known(const struct node_atrs *a, struct node_atr *atr, const struct msg_atr_prepare *p)
{
	return atr && same_membership(atr, p) && p->term == atr->def.term && p->term == a->state.term &&
	       p->definition == atr->def.definition && node_atr_generation(atr, p->generation);
}

/*
 * We slept, and the others are epochs further than a packet of theirs could take us. The kernel is stepped as far:
 * its traffic keys of the epochs between were never anybody's.
 */
static int catch_up(struct node_atrs *a, struct node_atr *atr, struct msg_atr_prepare *p, struct akm_error *err)
{
	struct node_generation *g = atr ? node_atr_generation(atr, p->generation) : NULL;

	if (!g || !g->active || p->epoch <= g->epoch)
		return 0;
	if (p->epoch - g->epoch > NODE_ATRS_SLEPT_MAX)
		return akm_error_set(err, -ERANGE, "epoch", "%llu is too far from %llu", (unsigned long long)p->epoch,
				     (unsigned long long)g->epoch);
	log_notice("others are further: following atr=%u generation=%u epoch=%llu from=%llu", p->atr_id, g->number,
		   (unsigned long long)p->epoch, (unsigned long long)g->epoch);
	node_generation_renew(g, p);
	touch(a);
	return timer_set(a->follow, 0) < 0 ? -ENOMEM : 0;
}

static int take_prepare(struct node_atrs *a, struct link *l, struct msg *m, struct akm_error *err)
{
	struct node_atr *atr = node_state_find(&a->state, m->prepare.atr_id);
	uint32_t atr_id = m->prepare.atr_id, generation = m->prepare.generation;
	int r;

	r = check_prepare(a, atr, &m->prepare, err) ?: catch_up(a, atr, &m->prepare, err);
	if (!r && !is_known(a, atr, &m->prepare))
		r = apply_prepare(a, atr, &m->prepare, err);
	return r ?: op_add(a, l, m->request, m->type, atr_id, generation);
}

static int take_activate(struct node_atrs *a, struct link *l, const struct msg *m, struct akm_error *err)
{
	struct node_atr *atr = node_state_find(&a->state, m->activate.atr_id);
	struct node_generation *g = atr ? node_atr_generation(atr, m->activate.generation) : NULL;
	int r;

	if (!g)
		return akm_error_set(err, -ENOENT, "generation", "%u is not prepared here", m->activate.generation);
	if (!atr->in_kernel)
		return akm_error_set(err, -EAGAIN, "kernel", "the device is not there yet");
	r = node_kernel_activate(a->c.nl, m->activate.atr_id, g->number, m->activate.grace_ms, err);
	if (r < 0)
		return r;
	if (!g->active) {
		node_atr_drop_older(atr, m->activate.generation);
		node_atr_generation(atr, m->activate.generation)->active = true;
		announce_soon(a, atr);
		touch(a);
	}
	return op_add(a, l, m->request, m->type, m->activate.atr_id, m->activate.generation);
}

static int take_retire(struct node_atrs *a, struct link *l, const struct msg *m, struct akm_error *err)
{
	struct node_atr *atr = node_state_find(&a->state, m->retire.atr_id);
	char ifname[NODE_IFNAME_MAX];
	int r = 0;

	node_ifname(m->retire.atr_id, ifname);
	if (atr && atr->in_kernel)
		r = nl_generation_retire(a->c.nl, ifname, m->retire.generation, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (atr && node_atr_generation(atr, m->retire.generation)) {
		node_atr_drop(atr, m->retire.generation);
		touch(a);
	}
	return op_add(a, l, m->request, m->type, m->retire.atr_id, m->retire.generation);
}

static int take_delete(struct node_atrs *a, struct link *l, const struct msg *m, struct akm_error *err)
{
	struct node_atr *atr = node_state_find(&a->state, m->del.atr_id);
	int r = atr ? node_kernel_delete(a->c.nl, m->del.atr_id, err) : 0;

	if (r < 0)
		return r;
	if (atr) {
		node_state_remove(&a->state, atr);
		touch(a);
	}
	return op_add(a, l, m->request, m->type, m->del.atr_id, 0);
}

static int take_arm(struct node_atrs *a, struct link *l, const struct msg *m, struct akm_error *err)
{
	struct node_atr *atr = node_state_find(&a->state, m->arm.atr_id);
	struct node_generation *g = atr ? node_atr_generation(atr, m->arm.generation) : NULL;

	if (!g)
		return akm_error_set(err, -ENOENT, "generation", "%u is not prepared here", m->arm.generation);
	if (!g->armed && !g->active) {
		g->armed = true;
		touch(a);
	}
	return op_add(a, l, m->request, m->type, m->arm.atr_id, m->arm.generation);
}

/* The kernel at once; answered when no key of the epoch before is left on the disk. P4 */
static int take_roll(struct node_atrs *a, struct link *l, const struct msg *m, struct akm_error *err)
{
	struct node_atr *atr = node_state_find(&a->state, m->roll.atr_id);
	struct node_generation *g = atr ? node_atr_generation(atr, m->roll.generation) : NULL;
	int r;

	if (!g || !g->active)
		return akm_error_set(err, -ENOENT, "generation", "%u is not in use here", m->roll.generation);
	if (!atr->in_kernel)
		return akm_error_set(err, -EAGAIN, "kernel", "the device is not there yet");
	r = node_kernel_step(a->c.nl, atr, g->number, m->roll.epoch, err);
	if (r < 0)
		return r;
	if (g->epoch < m->roll.epoch) {
		r = node_generation_forward(atr, g, m->roll.epoch);
		if (r < 0)
			return akm_error_set(err, r, "epoch", "the sealed chains cannot follow: %s", strerror(-r));
		if (r > 0)
			timer_set(a->follow, 0);
		touch(a);
	}
	return op_add(a, l, m->request, m->type, m->roll.atr_id, m->roll.generation);
}

int node_atrs_message(struct node_atrs *a, struct link *l, struct msg *m)
{
	struct akm_error err = {};
	int r;

	if ((m->type < MSG_ATR_PREPARE || m->type > MSG_ATR_DELETE) && m->type != MSG_ATR_ARM &&
	    m->type != MSG_ATR_ROLL)
		return -EPROTO;
	if (!a->ready || a->n_ops >= NODE_ATRS_OPS_MAX)
		r = akm_error_set(&err, -EBUSY, "node", "too many requests are under way");
	else if (m->type == MSG_ATR_PREPARE)
		r = take_prepare(a, l, m, &err);
	else if (m->type == MSG_ATR_ACTIVATE)
		r = take_activate(a, l, m, &err);
	else if (m->type == MSG_ATR_RETIRE)
		r = take_retire(a, l, m, &err);
	else if (m->type == MSG_ATR_ARM)
		r = take_arm(a, l, m, &err);
	else if (m->type == MSG_ATR_ROLL)
		r = take_roll(a, l, m, &err);
	else
		r = take_delete(a, l, m, &err);
	if (r < 0) {
		log_warning("%s refused field=%s reason=%s", msg_type_name(m->type), err.field,
			    err.reason[0] ? err.reason : strerror(-r));
		(void)reply_error(l, m->request, r, &err);
		return 0;
	}
	progress(a);
	flush(a);
	return 0;
}

/* ---- start ---- */

static int look_at(struct node_atrs *a, struct node_atr *atr, struct akm_error *err)
{
	struct node_kernel_noted noted = {};
	enum node_kernel_found found;
	int r = node_kernel_look(a->c.nl, atr, &found, err);

	if (r < 0)
		return r;
	if (found != NODE_KERNEL_SAME) {
		atr->in_kernel = atr->in_kernel && found == NODE_KERNEL_MUTE;
		want_incarnation(a, atr);
		return 0;
	}
	r = node_kernel_define(a->c.nl, atr, err) ?: node_kernel_sync(a->c.nl, atr, &noted, err);
	note(a, &noted);
	if (r < 0)
		return r;
	atr->in_kernel = true;
	node_group_bring(a->c.nl, atr, a->c.evidence);
	log_info("ATR is in the kernel already: traffic went on atr=%u", atr->def.atr_id);
	return 0;
}

static void reconcile(struct node_atrs *a)
{
	for (struct node_atr *atr = a->state.first; atr; atr = atr->next) {
		struct akm_error err = {};
		int r = look_at(a, atr, &err);

		if (r < 0) {
			report_kernel(a, atr->def.atr_id, r, &err);
			retry_later(a);
		}
	}
}

/*
 * Epochs that came while we were away, a turn's worth. Sealed when the last is reached: a start in the middle
 * finds them again. P4
 */
static void on_follow(evutil_socket_t fd, short what, void *arg)
{
	struct node_atrs *a = arg;
	bool behind = false;

	(void)fd, (void)what;
	for (struct node_atr *atr = a->state.first; atr; atr = atr->next) {
		struct node_kernel_noted noted = {};
		struct akm_error err = {};
		int r = atr->in_kernel ? node_kernel_follow(a->c.nl, atr, &noted, &err) : 0;

		if (r < 0)
			report_kernel(a, atr->def.atr_id, r, &err);
		note(a, &noted);
		behind |= noted.behind;
	}
	if (!behind)
		flush(a);
}

/* ---- the fallback ---- */

static void announce_soon(struct node_atrs *a, struct node_atr *atr)
{
	atr->announces = NODE_FALLBACK_ANNOUNCES;
	atr->announce_ms = now_ms();
	timer_set(a->enter, 0);
}

static void go_over(struct node_atrs *a, struct node_atr *atr, uint32_t generation)
{
	struct akm_error err = {};
	int r = node_kernel_enter(a->c.nl, atr, generation, NODE_FALLBACK_GRACE_MS, &err);

	if (r < 0) {
		report_kernel(a, atr->def.atr_id, r, &err);
		timer_set(a->enter, NODE_ATRS_RETRY_MIN_MS);
		return;
	}
	announce_soon(a, atr);
	touch(a);
	a->c.changed(a->c.ctx);
}

/*
 * Who receives and is sent nothing has no other way to hear of a generation that is used now; packets get lost, so it
 * is said more than once. The manager, if it is there, tells everybody better than we can; if it goes meanwhile, it
 * may not have told them all.
 */
static void announce(struct node_atrs *a, struct node_atr *atr, uint64_t now)
{
	const struct node_generation *g = node_atr_active(atr);
	struct akm_error err = {};

	if (!atr->announces || now < atr->announce_ms)
		return;
	if (node_fallback_alone(a->fallback) && (!g || node_kernel_announce(a->c.nl, atr, g->number, &err) < 0))
		log_warning("a generation is not announced atr=%u field=%s reason=%s", atr->def.atr_id, err.field, err.reason);
	atr->announce_ms = now + ((uint64_t)NODE_FALLBACK_ANNOUNCE_MS << (NODE_FALLBACK_ANNOUNCES - atr->announces));
	atr->announces--;
}

static void enter_if_due(struct node_atrs *a, struct node_atr *atr, uint64_t now)
{
	const char *word = "";
	uint32_t generation = node_fallback_due(a->fallback, atr, now, &word);

	if (!generation)
		return;
	evidence_add(a->c.evidence, EVIDENCE_NOTE("fallback", SEV_ALERT, .atr_id = atr->def.atr_id, .limit = "enter"),
		     "ATR #%u enters its fallback, generation %u: %s, and the manager is away", atr->def.atr_id, generation,
		     word);
	go_over(a, atr, generation);
}

static void look_after_fallbacks(struct node_atrs *a)
{
	uint64_t now = now_ms(), wake = node_fallback_wake_ms(a->fallback, now);

	for (struct node_atr *atr = a->state.first; atr; atr = atr->next) {
		if (!atr->in_kernel)
			continue;
		enter_if_due(a, atr, now);
		announce(a, atr, now);
		if (atr->announces && atr->announce_ms < wake)
			wake = atr->announce_ms;
	}
	if (wake != UINT64_MAX)
		timer_set(a->enter, wake > now ? wake - now : 0);
	flush(a);
}

static void on_enter(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	look_after_fallbacks(arg);
}

/* Authentic, under what is pending here: P9 is to go along. */
static void take_pending_used(struct node_atrs *a, struct node_atr *atr, const struct nl_event *e)
{
	if (!atr->in_kernel || !node_fallback_follows(a->fallback, atr, e->generation, now_ms()))
		return;
	evidence_add(a->c.evidence, EVIDENCE_ABOUT("fallback", SEV_WARNING, e->member, .atr_id = atr->def.atr_id,
						   .limit = "follow"),
		     "ATR #%u follows member %d into generation %u", atr->def.atr_id, e->member, e->generation);
	go_over(a, atr, e->generation);
	look_after_fallbacks(a);
}

static void take_evidence(struct node_atrs *a, struct node_atr *atr, const struct nl_event *e)
{
	struct policy_time now = { now_ms(), (uint32_t)(wall_ms() / 60000 % 1440) };
	const char *word = "";
	enum node_fallback_verdict v = node_fallback_event(a->fallback, atr, e, now, &word);

	/* What it is about has its own record already, and entering the fallback gets one. */
	if (v == NODE_FALLBACK_ALERT)
		evidence_add(a->c.evidence, EVIDENCE_NOTE("alert", SEV_ALERT, .atr_id = atr->def.atr_id, .limit = word),
			     "Breach attempt on #%u %s: %s", atr->def.atr_id, atr->def.label, word);
	if (v == NODE_FALLBACK_WANTED)
		look_after_fallbacks(a);
}

/* Everything of another provisioning relationship goes. */
static void forget_all(struct node_atrs *a)
{
	for (struct node_atr *atr = a->state.first; atr; atr = atr->next) {
		struct akm_error err = {};
		int r = node_kernel_delete(a->c.nl, atr->def.atr_id, &err);

		if (r < 0)
			report_kernel(a, atr->def.atr_id, r, &err);
	}
	node_state_clear(&a->state);
	touch(a);
}

static void on_open(void *ctx, int r, struct akm_secret *content, const struct akm_error *err)
{
	struct node_atrs *a = ctx;
	struct akm_error bad = *err;

	if (!r && content->len)
		r = node_state_decode(content, &a->state, &bad);
	if (r < 0) {
		a->c.ready(a->c.ctx, r, &bad);
		return;
	}
	if (a->state.first && (!a->c.id || memcmp(a->state.id, a->c.id, AKM_ID_LEN)))
		forget_all(a);
	if (a->c.id)
		memcpy(a->state.id, a->c.id, AKM_ID_LEN);
	reconcile(a);
	flush(a);
	become_ready(a);
}

int node_atrs_new(const struct node_atrs_config *cfg, struct node_atrs **ret)
{
	struct node_atrs *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->c = *cfg;
	a->last = &a->first;
	a->retry_ms = NODE_ATRS_RETRY_MIN_MS;
	a->retry = evtimer_new(cfg->base, on_retry, a);
	a->follow = evtimer_new(cfg->base, on_follow, a);
	a->enter = evtimer_new(cfg->base, on_enter, a);
	a->fallback = node_fallback_new(cfg->policy, cfg->fallback_after_ms, now_ms());
	r = a->retry && a->follow && a->enter && a->fallback ? vault_new(cfg->q, cfg->dir, on_open, a, &a->vault) : -ENOMEM;
	if (r < 0) {
		node_atrs_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void node_atrs_free(struct node_atrs *a)
{
	struct op *op;

	if (!a)
		return;
	while ((op = a->first)) {
		a->first = op->next;
		free(op);
	}
	for (struct counter_job *job = a->jobs; job; job = job->next)
		job->atrs = NULL;
	vault_free(a->vault);
	node_state_clear(&a->state);
	if (a->retry)
		event_free(a->retry);
	if (a->follow)
		event_free(a->follow);
	if (a->enter)
		event_free(a->enter);
	node_fallback_free(a->fallback);
	free(a);
}

/* ---- what others ask ---- */

size_t node_atrs_count(const struct node_atrs *a)
{
	size_t n = 0;

	for (const struct node_atr *atr = a->state.first; atr; atr = atr->next)
		n++;
	return n;
}

void node_atrs_each(const struct node_atrs *a, void (*fn)(const struct node_atr *atr, void *ctx), void *ctx)
{
	for (const struct node_atr *atr = a->state.first; atr; atr = atr->next)
		fn(atr, ctx);
}

/* What the kernel can receive with, but the sealed store does not hold (yet), is not prepared: power may go. P10 */
static bool is_sealed(const struct node_atrs *a, struct node_atr *atr, uint32_t generation)
{
	if (!node_atr_generation(atr, generation))
		return false;
	for (const struct op *op = a->first; op; op = op->next)
		if (op->type == MSG_ATR_PREPARE && op->atr_id == atr->def.atr_id && op->generation == generation)
			return false;
	return true;
}

int node_atrs_heartbeat(struct node_atrs *a, struct msg_heartbeat *h)
{
	h->atrs = calloc(node_atrs_count(a) + 1, sizeof(*h->atrs));
	if (!h->atrs)
		return -ENOMEM;
	for (struct node_atr *atr = a->state.first; atr; atr = atr->next) {
		struct akm_error err = {};
		struct msg_atr_state *s = &h->atrs[h->n_atrs++];
		int r = node_kernel_state(a->c.nl, atr, s, &err);

		if (!is_sealed(a, atr, s->pending))
			s->pending = 0;
		/* What cannot be read is not there, as far as the manager is concerned. */
		if (r < 0 && !a->no_module)
			evidence_add(a->c.evidence, EVIDENCE_NOTE("kernel", SEV_WARNING, .limit = "read"),
				     "The kernel's state cannot be read: %s: %s", err.field,
				     err.reason[0] ? err.reason : strerror(-r));
	}
	return 0;
}

uint64_t node_atrs_term(const struct node_atrs *a)
{
	return a->state.term;
}

void node_atrs_saw_term(struct node_atrs *a, uint64_t term)
{
	if (term <= a->state.term)
		return;
	a->state.term = term;
	touch(a);
	flush(a);
}

void node_atrs_provisioned(struct node_atrs *a, const uint8_t id[AKM_ID_LEN], uint64_t term)
{
	if (memcmp(a->state.id, id, AKM_ID_LEN))
		forget_all(a);
	memcpy(a->state.id, id, AKM_ID_LEN);
	a->state.term = term;
	touch(a);
	flush(a);
}

/* Nothing is sealed for what changes nothing: a TPM's NV memory wears. */
static void take_epoch(struct node_atrs *a, struct node_atr *atr, const struct nl_event *e)
{
	struct node_generation *g = node_atr_generation(atr, e->generation);
	int r;

	if (!g || e->epoch <= g->epoch)
		return;
	r = node_generation_forward(atr, g, e->epoch);
	if (r < 0) {
		log_err("cannot follow an epoch in the sealed store atr=%u error=%s", e->atr_id, strerror(-r));
		timer_set(a->follow, a->retry_ms);
	}
	touch(a);
	if (r > 0)
		timer_set(a->follow, 0);
	else
		flush(a);
}

void node_atrs_event(struct node_atrs *a, const struct nl_event *e)
{
	struct node_atr *atr = node_state_find(&a->state, e->atr_id);

	if (!atr)
		return;
	if (e->type == AKM_EVENT_STATE_LOST)
		want_incarnation(a, atr);
	else if (e->type == AKM_EVENT_EPOCH)
		take_epoch(a, atr, e);
	else if (e->type == AKM_EVENT_PENDING_USED)
		take_pending_used(a, atr, e);
	else
		take_evidence(a, atr, e);
}

static void look_again_at(struct node_atrs *a, struct node_atr *atr)
{
	struct akm_error err = {};
	int r = look_at(a, atr, &err);

	if (r < 0)
		report_kernel(a, atr->def.atr_id, r, &err);
	else if (!atr->in_kernel)
		evidence_add(a->c.evidence, EVIDENCE_NOTE("device-gone", SEV_WARNING, .atr_id = atr->def.atr_id),
			     "The interface of ATR #%u is gone from the kernel: it is made again", atr->def.atr_id);
}

static void look_again(struct node_atrs *a)
{
	for (struct node_atr *atr = a->state.first; atr; atr = atr->next)
		if (atr->in_kernel)		/* else it has its retry already */
			look_again_at(a, atr);
}

static void bring_groups(struct node_atrs *a, bool anew)
{
	for (struct node_atr *atr = a->state.first; atr; atr = atr->next) {
		if (!atr->in_kernel)
			continue;
		if (anew)
			node_group_leave(a->c.nl, atr);
		node_group_bring(a->c.nl, atr, a->c.evidence);
	}
}

/* A link that is not there is told of when it comes. */
void node_atrs_look(struct node_atrs *a)
{
	for (struct node_atr *atr = a->state.first; atr; atr = atr->next)
		if (atr->in_kernel && atr->group_r && atr->group_r != -ENODEV)
			node_group_bring(a->c.nl, atr, a->c.evidence);
}

static void module_gone(struct node_atrs *a)
{
	a->no_module = true;
	for (struct node_atr *atr = a->state.first; atr; atr = atr->next)
		atr->in_kernel = false;
	progress(a);			/* nobody shall wait for it */
	a->c.changed(a->c.ctx);
}

static void module_back(struct node_atrs *a)
{
	a->no_module = false;
	a->retry_ms = NODE_ATRS_RETRY_MIN_MS;
	evtimer_del(a->retry);
	reconcile(a);
}

void node_atrs_kernel_changed(struct node_atrs *a, enum nl_change change)
{
	switch (change) {
	case NL_EVENTS_LOST:
	case NL_DEVICE_GONE:
		look_again(a);
		break;
	case NL_MODULE_GONE:
		module_gone(a);
		break;
	case NL_MODULE_BACK:
		module_back(a);
		break;
	case NL_GROUP_LINK_GONE:
		bring_groups(a, true);
		break;
	case NL_GROUP_LINK_THERE:
		bring_groups(a, false);
		break;
	}
	flush(a);
}
