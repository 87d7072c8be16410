// SPDX-License-Identifier: GPL-2.0
/*
 * The issuer's side of a rotation: rotate.h, and Documentation/protocol.rst, "Rotation".
 *
 *   WANTED    asked for; the peer is away, or its turn has not come
 *   OFFERED   K' is on record, and accepted for n + 1, before it is sent; K for all up to n
 *   SETTLING  the peer came with n + 1: K' is its key, of K nothing is left here. It goes on to n + 2 (link-next), by
 *             which it erases K, as soon as who may replace us knows K'
 *
 * Each step is one transaction. An offer whose session ended before the peer came with it is made anew, with another K'.
 */
#include "peers_internal.h"

#include <openssl/rand.h>

#include "clock.h"
#include "linkkeys.h"
#include "log.h"
#include "report.h"
#include "rotate.h"

#define RETRY_MIN_MS	10000
#define RETRY_MAX_MS	3600000
#define SETTLING_MS	5000		/* a command does not wait longer for whom we cannot hurry: the root */
#define CHECK_MS	100		/* of commands that wait */

struct rotation_job {			/* the TPM thread's until done */
	struct peers *peers;		/* NULL: freed meanwhile */
	uint8_t id[AKM_ID_LEN];
	struct akm_blob domain, old;	/* copies */
	struct keystore_identity parent;
	struct rotate_context c;
	struct akm_blob key, dup, wrapped;
	struct akm_error err;
};

static void kick(struct peers *p);

static void job_free(struct rotation_job *job)
{
	akm_blob_free(&job->domain);
	akm_blob_free(&job->old);
	keystore_identity_free(&job->parent);
	akm_blob_free(&job->key);
	akm_blob_free(&job->dup);
	akm_blob_free(&job->wrapped);
	free(job);
}

bool rotation_holds(const struct peer *peer)
{
	return peer->rotation.job || peer->rotation.state == ROTATION_OFFERED;
}

/* ---- failures ---- */

static void failed(struct peer *peer, int r, const struct akm_error *err)
{
	struct peer_rotation *o = &peer->rotation;
	uint64_t delay = RETRY_MIN_MS;

	for (unsigned int i = 0; i < o->failures && delay < RETRY_MAX_MS; i++)
		delay *= 2;
	o->failures++;
	o->offered = false;
	o->retry_ms = now_ms() + (delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS);
	snprintf(o->failure, sizeof(o->failure), "%.40s: %.110s", err && err->field[0] ? err->field : "tpm",
		 err && err->reason[0] ? err->reason : strerror(-r));
	evidence_add(peer->peers->c.evidence, EVIDENCE_NOTE("rotate-failed", SEV_WARNING, .limit = peer->name),
		     "%s has the key that it had, and is given another one later: %s", peer->name, o->failure);
}

/* ---- the offer ---- */

static void on_answer(void *ctx, int r, const struct akm_error *err)
{
	struct peer *peer = ctx;

	if (!r)
		log_info("the new key is in the other end's TPM peer=%s", peer->name);
	else if (r != -ENOTCONN)
		failed(peer, r, err);
}

static int put_state(struct peer *peer, enum store_rotation_state state, const struct akm_blob *key, uint64_t n)
{
	_cleanup_(store_rotation_free) struct store_rotation row = {};
	int r = store_rotation_get(peer->peers->c.store, peer->id, &row);
	struct store_rotation next = row;

	if (r < 0)
		return r;
	next.state = state;
	next.key = key ? *key : (struct akm_blob) {};
	next.n = n;
	return store_rotation_put(peer->peers->c.store, peer->id, &next);
}

/* On record, and accepted, before it is sent: the peer may come with it whatever happens to us. */
static int offer(struct peer *peer, const struct rotation_job *job)
{
	struct msg m = { .type = MSG_ROTATE, .rotate = { .n = job->c.n, .wrapped = job->wrapped } };	/* a view */
	int r = put_state(peer, ROTATION_OFFERED, &job->key, 0);

	if (r < 0)
		return r;
	peer->rotation.state = ROTATION_OFFERED;
	memcpy(m.rotate.nonce, job->c.nonce, sizeof(m.rotate.nonce));
	r = linkkey_offer(peer->key, &job->key) ?: peer_call(peer, &m, 0, on_answer, peer);
	peer->rotation.offered = !r;
	return r;
}

static int work(struct keystore *ks, void *arg)
{
	struct rotation_job *job = arg;
	const struct akm_blob *domain = job->domain.len ? &job->domain : NULL;
	int r = keystore_pair_create(ks, domain, &job->parent, &job->key, &job->dup) ?:
		rotate_wrap(ks, domain, &job->old, &job->c, &job->dup, &job->wrapped);

	return r < 0 ? akm_error_set(&job->err, r, "tpm", "%s", keystore_strerror(ks)) : 0;
}

static void done(void *arg, int r)
{
	struct rotation_job *job = arg;
	struct peers *p = job->peers;
	struct peer *peer = p ? peers_find(p, job->id) : NULL;

	if (p)
		p->rotation = NULL;
	/* Else it has come again meanwhile: what we made is for a session that is over. */
	if (peer && peer->rotation.job == job) {
		peer->rotation.job = NULL;
		r = r ?: offer(peer, job);
		if (r < 0 && r != -ECANCELED)
			failed(peer, r, &job->err);
	}
	job_free(job);
	if (p && r != -ECANCELED)
		kick(p);
}

static int fill_job(struct peer *peer, struct rotation_job *job)
{
	_cleanup_(store_node_free) struct store_node n = {};
	const struct akm_blob *domain = peer->peers->c.domain;
	int r = store_node_get(peer->peers->c.store, peer->id, &n);

	if (r < 0)
		return akm_error_set(&job->err, r, "database", "%s", store_strerror(peer->peers->c.store));
	if (!n.parent_public.len)
		return akm_error_set(&job->err, -ENOKEY, "parent", "its storage parent is not on record: provision it again");
	job->peers = peer->peers;
	memcpy(job->id, peer->id, AKM_ID_LEN);
	memcpy(job->c.id, peer->id, AKM_ID_LEN);
	memcpy(job->c.hardware, n.hardware, AKM_DIGEST_LEN);
	job->c.n = peer->link_n + 1;
	if (RAND_bytes(job->c.nonce, sizeof(job->c.nonce)) != 1)
		return -EIO;
	return link_binding(peer->link, job->c.binding) ?:
	       akm_blob_dup(n.key.data, n.key.len, &job->old) ?:
	       akm_blob_dup(n.parent_public.data, n.parent_public.len, &job->parent.parent_public) ?:
	       akm_blob_dup(n.parent_name.data, n.parent_name.len, &job->parent.parent_name) ?:
	       domain ? akm_blob_dup(domain->data, domain->len, &job->domain) : 0;
}

static void begin(struct peer *peer)
{
	struct rotation_job *job = calloc(1, sizeof(*job));
	int r = job ? fill_job(peer, job) : -ENOMEM;

	r = r ?: tpmq_submit(peer->peers->c.q, work, done, job);
	if (r < 0) {
		failed(peer, r, job ? &job->err : NULL);
		if (job)
			job_free(job);
		return;
	}
	peer->rotation.job = peer->peers->rotation = job;
}

static void look(struct peer *peer, void *ctx)
{
	struct peer_rotation *o = &peer->rotation;
	uint64_t *now = ctx;

	if (peer->peers->rotation || !peer->up || !peer->next_acked || o->offered || o->retry_ms > *now)
		return;
	if (o->state == ROTATION_WANTED || o->state == ROTATION_OFFERED)
		begin(peer);
}

/* One at a time, so that other TPM work comes between. */
static void kick(struct peers *p)
{
	uint64_t now = now_ms();

	if (!p->rotation)
		peers_each(p, look, &now);
}

/* ---- the proof ---- */

static int record(struct peer *peer, uint64_t n)
{
	_cleanup_(store_rotation_free) struct store_rotation row = {};
	_cleanup_(store_node_free) struct store_node node = {};
	struct store *s = peer->peers->c.store;
	int r = store_begin(s);

	if (r < 0)
		return r;
	r = store_node_get(s, peer->id, &node) ?: store_rotation_get(s, peer->id, &row);
	if (!r) {
		akm_blob_free(&node.key);
		node.key = row.key;
		row.key = (struct akm_blob) {};
		node.link_n = row.n = n;
		row.state = ROTATION_SETTLING;
		r = store_node_put(s, &node) ?: store_rotation_put(s, peer->id, &row);
	}
	if (!r && peer->peers->c.ops.rotate)
		r = peer->peers->c.ops.rotate(peer->peers->c.ctx);
	r = r ?: store_commit(s);
	if (r < 0) {
		store_rollback(s);
		return r;
	}
	evidence_add(peer->peers->c.evidence, EVIDENCE_NOTE("rotated", SEV_INFO),
		     "%s and we have a new key (%s); the one before is erased here, and refused", peer->name, row.reason);
	return 0;
}

int rotation_prove(struct peer *peer, uint64_t n)
{
	struct peers *p = peer->peers;
	int r;

	if (peer->rotation.state != ROTATION_OFFERED || n != peer->link_n + 1)
		return 0;
	r = record(peer, n);
	if (r < 0) {
		log_err("cannot store the new key of a peer peer=%s error=%s", peer->name, store_strerror(p->c.store));
		return r;
	}
	peer->link_n = n;
	peer->rotation = (struct peer_rotation) { .state = ROTATION_SETTLING, .n = n, .settling_ms = now_ms() };
	linkkey_advance(peer->key, n);
	if (p->c.ops.rotated)
		p->c.ops.rotated(peer, p->c.ctx);
	return 1;
}

/* ---- until it has erased the old one ---- */

void rotation_acked(struct peer *peer)
{
	struct peer_rotation *o = &peer->rotation;

	if (o->state == ROTATION_SETTLING && peer->link_n > o->n) {
		if (store_rotation_delete(peer->peers->c.store, peer->id) < 0)
			return;			/* at its next connection */
		log_info("the key before the new one is erased at the other end peer=%s", peer->name);
		*o = (struct peer_rotation) {};
	}
	kick(peer->peers);
}

static void settle(struct peer *peer, void *ctx)
{
	struct peers *p = ctx;
	struct peer_rotation *o = &peer->rotation;

	if (o->state == ROTATION_SETTLING && peer->up && peer->next_acked && peer->link_n == o->n &&
	    (!p->c.ops.may_move || p->c.ops.may_move(p->c.ctx)))
		peers_move_on(peer);
}

void peers_may_move(struct peers *p)
{
	peers_each(p, settle, p);
}

void rotation_up(struct peer *peer)
{
	if (peer->next_acked)
		rotation_acked(peer);
	settle(peer, peer->peers);
}

void rotation_end(struct peer *peer)
{
	peer->rotation.job = NULL;
	peer->rotation.offered = false;
}

/* ---- asking for it ---- */

int rotation_load(struct peer *peer)
{
	_cleanup_(store_rotation_free) struct store_rotation row = {};
	int r = store_rotation_get(peer->peers->c.store, peer->id, &row);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	peer->rotation.state = row.state;
	peer->rotation.n = row.n;
	return row.state == ROTATION_OFFERED ? linkkey_offer(peer->key, &row.key) : 0;
}

int peers_rotate(struct peers *p, const uint8_t id[AKM_ID_LEN], const char *reason, struct akm_error *err)
{
	struct store_rotation row = { .state = ROTATION_WANTED, .since_ms = wall_ms() };
	struct peer *peer = peers_find(p, id);
	int r;

	if (!peer)
		return akm_error_set(err, -ENOENT, "node", "is not served here");
	peer->rotation.retry_ms = 0;
	peer->rotation.failures = 0;
	if (!peer->rotation.state) {
		snprintf(row.reason, sizeof(row.reason), "%s", reason);
		r = store_rotation_put(p->c.store, id, &row);
		if (r < 0)
			return akm_error_set(err, r, "database", "%s", store_strerror(p->c.store));
		peer->rotation.state = ROTATION_WANTED;
	}
	kick(p);
	return 0;
}

static const char *state_name(const struct peer *peer)
{
	switch (peer->rotation.state) {
	case ROTATION_WANTED:
		return peer->up ? "waiting" : "queued: it is away";
	case ROTATION_OFFERED:
		return "offered";
	case ROTATION_SETTLING:
		return "done, but for erasing the old key there";
	}
	return "done";
}

void peer_rotation_report(const struct peer *p, struct json_object *o)
{
	if (!p->rotation.state)
		return;
	report_put_text(o, "rotation", state_name(p));
	if (p->rotation.failure[0])
		report_put_text(o, "rotation_failure", p->rotation.failure);
}

/* ---- the command ---- */

struct rotation_wait {
	struct rotation_wait *next;
	struct peers *peers;
	struct ctl_request *req;
	struct event *timer;
	uint64_t deadline_ms;
	size_t n, room;
	uint8_t (*ids)[AKM_ID_LEN];
	int r;
	struct akm_error err;
};

static void wait_free(struct rotation_wait *w)
{
	struct rotation_wait **p = &w->peers->waits;

	while (*p != w)
		p = &(*p)->next;
	*p = w->next;
	if (w->timer)
		event_free(w->timer);
	free(w->ids);
	free(w);
}

static void on_gone(struct ctl_request *req, void *data)
{
	(void)req;
	wait_free(data);
}

static bool is_over(const struct peer *peer)
{
	const struct peer_rotation *o = &peer->rotation;

	return !o->state || (o->state == ROTATION_WANTED && !peer->up) || o->failures ||
	       (o->state == ROTATION_SETTLING && now_ms() > o->settling_ms + SETTLING_MS);
}

static void answer(struct rotation_wait *w)
{
	struct json_object *o = json_object_new_object(), *nodes = json_object_new_array();
	struct ctl_request *req = w->req;

	for (size_t i = 0; i < w->n; i++) {
		const struct peer *peer = peers_find(w->peers, w->ids[i]);
		struct json_object *each = json_object_new_object();

		if (peer) {
			report_put_text(each, "name", peer->name);
			report_put_text(each, "rotation", state_name(peer));
			if (peer->rotation.failure[0])
				report_put_text(each, "rotation_failure", peer->rotation.failure);
		}
		json_object_array_add(nodes, each);
	}
	json_object_object_add(o, "nodes", nodes);
	ctl_on_gone(req, NULL, NULL);
	wait_free(w);
	ctl_ok(req, o);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct rotation_wait *w = arg;
	bool over = true;

	(void)fd, (void)what;
	for (size_t i = 0; over && i < w->n; i++) {
		const struct peer *peer = peers_find(w->peers, w->ids[i]);

		over = !peer || is_over(peer);
	}
	if (over || now_ms() >= w->deadline_ms)
		answer(w);
	else
		timer_set(w->timer, CHECK_MS);
}

static void ask_for(struct peer *peer, void *ctx)
{
	struct rotation_wait *w = ctx;

	if (w->r < 0 || w->n == w->room)
		return;
	w->r = peers_rotate(w->peers, peer->id, "operator", &w->err);
	memcpy(w->ids[w->n++], peer->id, AKM_ID_LEN);
}

static int wait_new(struct peers *p, struct ctl_request *req, size_t room, struct rotation_wait **ret)
{
	struct rotation_wait *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->peers = p;
	w->req = req;
	w->room = room;
	w->deadline_ms = now_ms() + PEERS_ROTATE_WAIT_MS;
	w->next = p->waits;
	p->waits = w;
	w->ids = calloc(room + 1, sizeof(*w->ids));
	w->timer = evtimer_new(p->c.base, on_timer, w);
	if (!w->ids || !w->timer) {
		wait_free(w);
		return -ENOMEM;
	}
	ctl_on_gone(req, on_gone, w);
	*ret = w;
	return 0;
}

void peers_ctl_rotate(struct peers *p, struct ctl_request *req, struct json_object *args)
{
	const char *name = ctl_str(args, "node");
	struct peer *peer = peers_by_name(p, name);
	bool all = !peer && !strcmp(name, "all");
	struct rotation_wait *w = NULL;
	struct akm_error err = {};
	int r = 0;

	if (!peer && !all)
		r = akm_error_set(&err, -ENOENT, "node", "there is no %.63s that is provisioned", name);
	r = r ?: wait_new(p, req, all ? p->n : 1, &w);
	if (r < 0) {
		ctl_fail(req, r, err.reason[0] ? &err : NULL);
		return;
	}
	if (all)
		peers_each(p, ask_for, w);
	else
		ask_for(peer, w);
	r = w->r;
	err = w->err;
	if (!r) {
		timer_set(w->timer, 0);
		return;
	}
	ctl_on_gone(req, NULL, NULL);
	wait_free(w);
	ctl_fail(req, r, &err);
}

/* ---- time, and the end ---- */

void rotation_tick(struct peers *p)
{
	peers_each(p, settle, p);
	kick(p);
}

void rotation_free(struct peers *p)
{
	while (p->waits) {
		struct ctl_request *req = p->waits->req;
		struct akm_error err = {};

		akm_error_set(&err, 0, "akmd", "is stopping; what was asked for is recorded and goes on after its start");
		ctl_on_gone(req, NULL, NULL);
		wait_free(p->waits);
		ctl_fail(req, -ECANCELED, &err);
	}
	if (p->rotation)
		p->rotation->peers = NULL;
	p->rotation = NULL;
}
