// SPDX-License-Identifier: GPL-2.0
#include "peers_internal.h"

#include "clock.h"
#include "linkkeys.h"
#include "log.h"
#include "pulse.h"
#include "report.h"

#define TICK_MS		1000
#define RETURN_MS	10000		/* after our start: longer than a peer's backoff, superior.h … */
#define RETURN_EACH_MS	5		/* … and for each of them, that all have their turn; measured: performance.rst */

/* ---- the table ---- */

static struct peer **bucket(struct peers *p, const uint8_t id[AKM_ID_LEN])
{
	return &p->hash[(id[0] << 8 | id[1]) % PEERS_HASH_SIZE];	/* IDs are random */
}

struct peer *peers_find(struct peers *p, const uint8_t id[AKM_ID_LEN])
{
	for (struct peer *peer = *bucket(p, id); peer; peer = peer->hash_next)
		if (!memcmp(peer->id, id, AKM_ID_LEN))
			return peer;
	return NULL;
}

void peers_each(struct peers *p, void (*fn)(struct peer *peer, void *ctx), void *ctx)
{
	for (size_t i = 0; i < PEERS_HASH_SIZE; i++) {
		for (struct peer *peer = p->hash[i], *next; peer; peer = next) {
			next = peer->hash_next;
			fn(peer, ctx);
		}
	}
}

struct by_name { const char *name; struct peer *found; };

static void match_name(struct peer *peer, void *ctx)
{
	struct by_name *b = ctx;

	if (!strcmp(peer->name, b->name))
		b->found = peer;
}

struct peer *peers_by_name(struct peers *p, const char *name)
{
	struct by_name b = { name, NULL };

	peers_each(p, match_name, &b);
	return b.found;
}

static void count_up(struct peer *peer, void *ctx)
{
	*(size_t *)ctx += peer->up;
}

size_t peers_count(const struct peers *p, bool up_only)
{
	size_t n = 0;

	if (!up_only)
		return p->n;
	peers_each((struct peers *)p, count_up, &n);
	return n;
}

/* ---- one peer ---- */

static void on_key(void *ctx, int r)
{
	struct peer *peer = ctx;

	if (!r)
		return;
	log_warning("the TPM cannot make a link key peer=%s error=%s", peer->name, strerror(-r));
	evidence_add(peer->peers->c.evidence, EVIDENCE_NOTE("tpm", SEV_ALERT, .limit = peer->name),
		     "The TPM cannot make the link key of %s: %s", peer->name, strerror(-r));
}

static void session_end(struct peer *peer)
{
	bool was_up = peer->up;

	peer->link = NULL;
	peer->up = false;
	peer->reported = false;
	free(peer->heartbeat.atrs);
	memset(&peer->heartbeat, 0, sizeof(peer->heartbeat));
	calls_abort(&peer->calls);
	rotation_end(peer);
	if (!was_up)
		return;
	peer->since_ms = wall_ms();
	peer->peers->c.ops.down(peer, peer->peers->c.ctx);
}

static void peer_free(struct peer *peer)
{
	if (peer->link) {
		link_set_data(peer->link, NULL);
		link_free(peer->link);
	}
	peer->link = NULL;
	calls_abort(&peer->calls);
	places_end(&peer->places);
	linkkey_free(peer->key);
	free(peer->heartbeat.atrs);
	free(peer);
}

static void on_two_places(void *ctx, const char *text)
{
	struct peer *peer = ctx;
	struct peers *p = peer->peers;

	if (p->c.ops.two_places)
		p->c.ops.two_places(peer, text, p->c.ctx);
	else
		evidence_add(p->c.evidence, EVIDENCE_NOTE("two-places", SEV_ALERT, .limit = peer->name),
			     "%s is in two places: %s", peer->name, text);
}

int peers_add(struct peers *p, const struct store_node *n)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	int r;

	if (!peer)
		return -ENOMEM;
	peer->peers = p;
	memcpy(peer->id, n->id, AKM_ID_LEN);
	snprintf(peer->name, sizeof(peer->name), "%s", n->name);
	snprintf(peer->label, sizeof(peer->label), "%s", n->label);
	peer->link_n = n->link_n;
	peer->since_ms = wall_ms();
	peer->seen_ms = now_ms() + RETURN_MS;
	calls_init(&peer->calls, p->c.base);
	places_init(&peer->places, p->c.base, on_two_places, peer);
	r = linkkey_add(p->keys, p->c.domain, &n->key, n->hardware, n->link_n, on_key, peer, &peer->key);
	r = r ?: rotation_load(peer);
	if (r < 0) {
		peer_free(peer);
		return r;
	}
	peers_remove(p, n->id);
	peer->hash_next = *bucket(p, n->id);
	*bucket(p, n->id) = peer;
	p->n++;
	return 0;
}

void peers_remove(struct peers *p, const uint8_t id[AKM_ID_LEN])
{
	struct peer **pp, *peer;

	for (pp = bucket(p, id); *pp && memcmp((*pp)->id, id, AKM_ID_LEN); pp = &(*pp)->hash_next)
		;
	peer = *pp;
	if (!peer)
		return;
	*pp = peer->hash_next;
	p->n--;
	if (peer->up) {
		struct link *l = peer->link;

		session_end(peer);
		link_set_data(l, NULL);
		link_close(l);
	}
	peer_free(peer);
}

int peer_call(struct peer *p, struct msg *m, uint64_t timeout_ms, call_fn fn, void *ctx)
{
	if (!p->up)
		return -ENOTCONN;
	return calls_send(&p->calls, p->link, m, timeout_ms, fn, ctx);
}

/* ---- the link key moves on ---- */

static int store_n(struct peer *peer, uint64_t n)
{
	struct store_node node = {};
	int r = store_node_get(peer->peers->c.store, peer->id, &node);

	if (r < 0)
		return r;
	node.link_n = n;
	r = store_node_put(peer->peers->c.store, &node);
	store_node_free(&node);
	if (r < 0)
		return r;
	peer->link_n = n;
	linkkey_advance(peer->key, n);
	if (peer->peers->c.ops.moved)
		peer->peers->c.ops.moved(peer->peers->c.ctx);
	return 0;
}

static void on_next_answer(void *ctx, int r, const struct akm_error *err)
{
	struct peer *peer = ctx;

	if (!r) {
		peer->next_acked = true;
		rotation_acked(peer);
	} else if (r != -ENOTCONN) {
		log_warning("the next link key was not taken peer=%s reason=%s", peer->name,
			    err ? err->reason : strerror(-r));
	}
}

static void announce(struct peer *peer)
{
	struct msg m = { .type = MSG_LINK_NEXT, .next = { .n = peer->link_n } };

	if (peer_call(peer, &m, 0, on_next_answer, peer) < 0)
		log_debug("the next link key is announced later peer=%s", peer->name);
}

/* Stored before it is said; never two steps ahead of what the peer has confirmed. */
void peers_move_on(struct peer *peer)
{
	int r;

	if (!peer->up || !peer->next_acked || rotation_holds(peer))
		return;
	r = store_n(peer, peer->link_n + 1);
	if (r < 0) {
		log_err("cannot store the next n peer=%s error=%s", peer->name, strerror(-r));
		return;
	}
	peer->next_acked = false;
	announce(peer);
}

static void move_one(struct peer *peer, void *ctx)
{
	(void)ctx;
	peers_move_on(peer);
}

/* What n the session was made with says what the peer knows. */
static void settle_n(struct peer *peer, uint64_t session_n)
{
	peer->next_acked = session_n >= peer->link_n;
	if (session_n > peer->link_n && store_n(peer, session_n) < 0)
		log_err("cannot store the n that the peer is at peer=%s", peer->name);
	if (session_n < peer->link_n)
		announce(peer);
}

/* ---- messages ---- */

static void violation(struct peer *peer, const char *field, const char *reason)
{
	evidence_add(peer->peers->c.evidence, EVIDENCE_NOTE("link-protocol", SEV_WARNING, .limit = peer->name),
		     "%s sent what it must not: %s: %s", peer->name, field, reason);
	link_close(peer->link);
}

/*
 * A node that was renamed here goes on calling itself by the name in its own configuration, with which it was
 * provisioned: the end of the label. Who it is says its key.
 */
static bool is_own_name(const struct peer *peer, const char *name)
{
	size_t len = strlen(name), label = strlen(peer->label);

	if (!strcmp(name, peer->name))
		return true;
	return label > len && peer->label[label - len - 1] == '-' && !strcmp(peer->label + label - len, name);
}

/* Who says nothing of features in its hello does not know the message. */
static void tell_features(struct peer *peer)
{
	struct msg m = { .type = MSG_FEATURES, .features = { FEATURES_ALL } };

	if (peer->hello.features)
		(void)link_send(peer->link, &m);	/* a dead link says so itself */
}

static void take_hello(struct peer *peer, const struct msg_hello *h)
{
	struct peers *p = peer->peers;
	enum msg_role want = p->c.role == ROLE_ROOT ? ROLE_MANAGER : ROLE_NODE;
	uint64_t session_n = link_info(peer->link)->n;

	if (h->version != LINK_VERSION) {
		violation(peer, "version", "not one that is spoken here");
		return;
	}
	if (h->role != want || !is_own_name(peer, h->name)) {
		violation(peer, "name", "not the name or role it was provisioned with");
		return;
	}
	if (session_n > peer->link_n && rotation_prove(peer, session_n) < 0) {
		link_close(peer->link);		/* it comes again */
		return;
	}
	peer->hello = *h;
	places_hello(&peer->places, peer->link, h->instance);
	peer->up = true;
	peer->since_ms = wall_ms();
	log_info("link is up peer=%s", peer->name);
	settle_n(peer, session_n);
	tell_features(peer);
	p->c.ops.up(peer, p->c.ctx);
	rotation_up(peer);
}

static void take_heartbeat(struct peer *peer, struct msg_heartbeat *h)
{
	struct peers *p = peer->peers;

	free(peer->heartbeat.atrs);
	peer->heartbeat = *h;
	memset(h, 0, sizeof(*h));		/* taken over */
	peer->reported = true;
	if (peer->missed) {
		peer->missed = false;
		evidence_add(p->c.evidence, EVIDENCE_NOTE("heartbeat-back", SEV_INFO, .limit = peer->name),
			     "%s is heard again", peer->name);
	}
	p->c.ops.heartbeat(peer, p->c.ctx);
}

static int take_events(struct peer *peer, const struct msg_events *events)
{
	for (size_t i = 0; i < events->n; i++) {
		struct msg_event e = events->events[i];
		int r;

		if (peer->peers->c.own_events_only) {
			if (!is_own_name(peer, e.source))
				return -EPROTO;
			memcpy(e.source, peer->name, sizeof(e.source));
		}
		r = evidence_remote(peer->peers->c.evidence, &e);
		if (r < 0)
			return r;
	}
	return 0;
}

static void handle(struct peer *peer, struct msg *m)
{
	struct peers *p = peer->peers;
	uint32_t request = m->request;
	struct akm_error err = {};
	int r;

	switch (m->type) {
	case MSG_OK:
	case MSG_ERROR:
		r = calls_answer(&peer->calls, m);
		request = 0;
		break;
	case MSG_HEARTBEAT:
		(void)reply_ok(peer->link, request);
		take_heartbeat(peer, &m->heartbeat);
		return;
	case MSG_EVENTS:
		r = take_events(peer, &m->events);
		break;
	default:
		r = p->c.ops.message(peer, m, p->c.ctx);
	}
	if (r == -EPROTO || r == -ENOENT) {
		violation(peer, msg_type_name(m->type), "not expected from it");
	} else if (r < 0) {
		akm_error_set(&err, r, msg_type_name(m->type), "cannot be stored: %s", strerror(-r));
		(void)reply_error(peer->link, request, r, &err);	/* a dead link says so itself */
	} else {
		(void)reply_ok(peer->link, request);
	}
}

static void on_message(struct link *l, struct msg *m, void *ctx)
{
	struct peer *peer = link_data(l);

	(void)ctx;
	if (!peer || places_message(&peer->places, l, m))
		return;			/* superseded, and on its way out */
	peer->last_seen_ms = wall_ms();
	peer->seen_ms = now_ms();
	if (peer->up)
		handle(peer, m);
	else if (m->type == MSG_HELLO)
		take_hello(peer, &m->hello);
	else
		violation(peer, msg_type_name(m->type), "hello comes first");
}

/* ---- connections ---- */

static int link_key(void *ctx, const uint8_t id[AKM_ID_LEN], uint64_t n, uint8_t ret_key[AKM_KEY_LEN])
{
	struct peer *peer = peers_find(ctx, id);

	return peer ? linkkey_get(peer->key, n, ret_key) : -ENOENT;
}

static void on_up(struct link *l, void *ctx)
{
	struct peers *p = ctx;
	struct peer *peer = peers_find(p, link_info(l)->id);
	struct msg m = { .type = MSG_HELLO };
	struct link *old;

	if (!peer) {
		link_close(l);			/* evicted during the handshake */
		return;
	}
	/* The peer came back before its old connection was found dead, or there are two of it. The newest has the link. */
	old = peer->link;
	if (old) {
		uint64_t lasted_ms = now_ms() - peer->linked_ms;

		session_end(peer);
		places_superseded(&peer->places, old, l, lasted_ms, peer->calls.last_id);
	}
	peer->linked_ms = now_ms();
	peer->link = l;
	link_set_data(l, peer);
	m.hello.version = LINK_VERSION;
	m.hello.role = p->c.role;
	snprintf(m.hello.name, sizeof(m.hello.name), "%s", p->c.name);
	m.hello.link_n = link_info(l)->n;
	p->c.ops.hello(&m.hello, p->c.ctx);
	if (link_send(l, &m) < 0)
		link_close(l);
}

/* Evidence: who tried what. Everything here comes from strangers as well, so it is limited. */
static void record_refusal(struct peers *p, enum link_down why, const struct akm_error *err,
			   const struct link_peer_info *info, const struct peer *linked_as)
{
	struct peer *peer = info ? peers_find(p, info->id) : NULL;
	char from[REPORT_ENDPOINT_MAX] = "?", linked[REPORT_ENDPOINT_MAX] = "";

	if (info)
		report_sockaddr_text(&info->remote, false, from, sizeof(from));
	if (peer && peer->up)
		report_sockaddr_text(&link_info(peer->link)->remote, false, linked, sizeof(linked));
	if (why == LINK_DOWN_PSK)
		evidence_add(p->c.evidence, EVIDENCE_NOTE("link-psk", SEV_ALERT, .limit = peer ? peer->name : from),
			     "Refused a link as %s from %s: hardware mismatch or wrong key%s%s",
			     peer ? peer->name : "?", from, linked[0] ? "; it is linked from " : "", linked);
	else if (why == LINK_DOWN_UNKNOWN)
		evidence_add(p->c.evidence, EVIDENCE_NOTE("link-unknown", SEV_WARNING, .limit = from),
			     "Refused a link from %s: its identity is unknown or evicted", from);
	else if (why == LINK_DOWN_STALE)
		evidence_add(p->c.evidence, EVIDENCE_NOTE("link-stale", SEV_WARNING, .limit = peer ? peer->name : from),
			     "Refused a link as %s from %s: its link key is not one of the last, the current and the next",
			     peer ? peer->name : "?", from);
	else if (why == LINK_DOWN_PROTOCOL)
		evidence_add(p->c.evidence, EVIDENCE_NOTE("link-protocol", SEV_WARNING, .limit = from),
			     "Dropped a link%s%s from %s: it breaks the protocol%s%s%s%s", linked_as ? " of " : "",
			     linked_as ? linked_as->name : "", from, err ? ": " : "", err ? err->field : "",
			     err && err->field[0] ? ": " : "", err ? err->reason : "");
	else if (why == LINK_DOWN_LIMIT)
		evidence_add(p->c.evidence, EVIDENCE_NOTE("link-limit", SEV_WARNING, .limit = from),
			     "Dropped a link from %s: too many or too slow", from);
}

static void on_down(struct link *l, enum link_down why, const struct akm_error *err,
		    const struct link_peer_info *info, void *ctx)
{
	struct peer *peer = link_data(l);

	if (peer && places_down(&peer->places, l))
		return;			/* it was superseded: that is all there is to say */
	record_refusal(ctx, why, err, info, peer);
	if (!peer)
		return;
	log_info("link is down peer=%s reason=%s detail=%s", peer->name, link_down_name(why),
		 err ? err->reason : "");
	session_end(peer);
}

/* ---- time ---- */

static uint64_t silence_ms(const struct peers *p)
{
	return (uint64_t)p->c.config->heartbeat_ms * p->c.config->heartbeat_missed;
}

static void check_beat(struct peer *peer, void *ctx)
{
	const struct peers *p = peer->peers;
	uint64_t now = now_ms(), heard = peer->seen_ms > p->listening_ms ? peer->seen_ms : p->listening_ms;
	uint64_t silent = now > heard ? now - heard : 0;

	(void)ctx;
	if (silent < silence_ms(p))
		return;
	if (peer->up)
		link_close(peer->link);
	if (peer->missed)
		return;
	peer->missed = true;
	evidence_add(peer->peers->c.evidence, EVIDENCE_NOTE("heartbeat-missed", SEV_WARNING, .limit = peer->name),
		     "%s has not been heard for %llu ms", peer->name, (unsigned long long)silent);
}

/* From now on silence counts, once all have had the time to come back. */
static void listen_anew(struct peers *p)
{
	p->listening_ms = now_ms() + RETURN_MS + p->n * RETURN_EACH_MS;
}

static void hear_later(struct peer *peer, void *ctx)
{
	peer->seen_ms += *(const uint64_t *)ctx;
}

/*
 * The monitor watches itself: while it stood still (suspended, stopped, starved) it heard nobody, and accuses nobody of
 * that. For so long silence does not count, which still adds up. When it lasted for as long as links live without
 * heartbeats, all are as after our start.
 */
static void check_ourselves(struct peers *p, uint64_t now)
{
	uint64_t deaf = now > p->tick_ms ? now - p->tick_ms : 0;

	p->tick_ms = now + TICK_MS;
	if (deaf < PULSE_LATE_MS)
		return;
	if (deaf < silence_ms(p))
		peers_each(p, hear_later, &deaf);
	else
		listen_anew(p);
	evidence_add(p->c.evidence, EVIDENCE_NOTE("monitor-stalled", SEV_WARNING, .limit = "here"),
		     "This daemon stood still for %llu ms: nobody was heard meanwhile", (unsigned long long)deaf);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct peers *p = arg;
	uint64_t now = now_ms();

	(void)fd, (void)what;
	check_ourselves(p, now);
	peers_each(p, check_beat, NULL);
	if (now >= p->next_due_ms && (!p->c.ops.may_move || p->c.ops.may_move(p->c.ctx))) {
		p->next_due_ms = now + (uint64_t)p->c.config->link_next_s * 1000;
		peers_each(p, move_one, NULL);
	}
	rotation_tick(p);
	timer_set(p->tick, TICK_MS);
}

/* ---- health ---- */

static void find_silent(const struct peer *peer, struct health *h)
{
	bool node = peer->peers->c.role == ROLE_MANAGER;
	char remedy[320];

	snprintf(remedy, sizeof(remedy), "See to its machine, its akmd (akmctl status there) and the way to it. "
		 "If it is lost: akmctl %s %s%s.", node ? "node evict" : "manager replace", peer->name,
		 node ? "" : " with NAME via VIA");
	health_find(h, HEALTH_FINDING("silent", SEV_WARNING, .subject = peer->name, .since_ms = peer->last_seen_ms,
				      .remedy = remedy),
		    "%s", peer->last_seen_ms ? "not heard any more" : "not heard since akmd was started here");
}

static void find_ill(struct peer *peer, void *ctx)
{
	struct health *h = ctx;

	if (peer->missed)
		find_silent(peer, h);
	if (peer->up && peer->heartbeat.blind)
		health_find(h, HEALTH_FINDING("blind", SEV_ALERT, .subject = peer->name,
					      .remedy = "Restart akmd there (systemctl restart akmd): breach attempts are counted "
							"by its kernel, and not told."),
			    "does not hear its kernel");
}

void peers_health(const struct peers *p, struct health *h)
{
	peers_each((struct peers *)p, find_ill, h);
}

static void put_up(struct peer *peer, void *ctx)
{
	metrics_put(ctx, peer->up, "peer", peer->name);
}

static void put_seen(struct peer *peer, void *ctx)
{
	if (peer->last_seen_ms)
		metrics_put_ms(ctx, peer->last_seen_ms, "peer", peer->name);
}

static void put_blind(struct peer *peer, void *ctx)
{
	if (peer->reported)
		metrics_put(ctx, peer->heartbeat.blind, "peer", peer->name);
}

void peers_metrics(const struct peers *p, struct metrics *m)
{
	struct peers *all = (struct peers *)p;

	metrics_family(m, "akm_peer_up", "gauge", "1 while the link of a node (at a manager) or manager (at the root) is there.");
	peers_each(all, put_up, m);
	metrics_family(m, "akm_peer_last_seen_timestamp_seconds", "gauge", "When it was last heard.");
	peers_each(all, put_seen, m);
	metrics_family(m, "akm_peer_blind", "gauge", "1 if it does not hear its kernel.");
	peers_each(all, put_blind, m);
}

/* ---- start and end ---- */

static int load_one(const struct store_node *n, void *ctx)
{
	return n->state == NODE_PROVISIONED ? peers_add(ctx, n) : 0;
}

static int listen_for_peers(struct peers *p, struct akm_error *err)
{
	struct link_server_config cfg = {
		.address = p->c.config->listen,
		.key = link_key,
		.ops = { on_up, on_message, on_down },
		.ctx = p,
	};

	return link_server_new(p->c.base, &cfg, &p->server, err);
}

int peers_new(const struct peers_config *cfg, struct peers **ret, struct akm_error *err)
{
	struct peers *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->c = *cfg;
	p->next_due_ms = now_ms() + (uint64_t)cfg->config->link_next_s * 1000;
	p->tick = evtimer_new(cfg->base, on_tick, p);
	r = p->tick ? linkkeys_new(cfg->base, cfg->q, true, &p->keys) : -ENOMEM;
	r = r ?: store_node_each(cfg->store, load_one, p);
	r = r ?: listen_for_peers(p, err);
	if (r < 0) {
		if (err && !err->reason[0])
			akm_error_set(err, r, "peers", "cannot be loaded: %s", strerror(-r));
		peers_free(p);
		return r;
	}
	listen_anew(p);
	p->tick_ms = now_ms() + TICK_MS;
	timer_set(p->tick, TICK_MS);
	*ret = p;
	return 0;
}

static void free_one(struct peer *peer, void *ctx)
{
	(void)ctx;
	peer_free(peer);
}

void peers_free(struct peers *p)
{
	if (!p)
		return;
	rotation_free(p);
	peers_each(p, free_one, NULL);
	link_server_free(p->server);
	linkkeys_free(p->keys);
	if (p->tick)
		event_free(p->tick);
	free(p);
}

const struct sockaddr_storage *peers_address(const struct peers *p)
{
	return link_server_address(p->server);
}
