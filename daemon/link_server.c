// SPDX-License-Identifier: GPL-2.0
#include "link.h"

#include <openssl/rand.h>
#include <poll.h>

#include "link_internal.h"
#include "link_limit.h"
#include "link_room.h"

#define ACCEPT_TURN	16		/* connections taken before others have their turn */
#define ACCEPT_PAUSE_MS	100		/* when the process has no descriptor or memory left */
#define ROOM_TICK_MS	500		/* while anybody waits: has somebody been too slow? */
#define LINKS_BUCKETS	4096		/* NODES_MAX / 4 */

struct link_server {
	struct event_base *base;
	struct link_server_config cfg;
	SSL_CTX *ctx;
	int fd;
	struct event *ev, *pause, *room_turn, *room_tick;
	struct sockaddr_storage address;
	struct room room;		/* by origin: how many are pending, and who waits */
	struct link *pending;		/* newest first */
	struct link *links[LINKS_BUCKETS];	/* by identity, which is authenticated: random; newest first */
	struct limit by_origin;		/* failures of an address */
	struct limit by_identity;	/* failures of an identity from an address */
	struct link_server_stats stats;
};

/* ---- limits ---- */

static void attempt_key(const struct link *l, uint8_t ret[ORIGIN_LEN + AKM_ID_LEN])
{
	room_key(&l->info.remote, ret);
	memcpy(ret + ORIGIN_LEN, l->info.id, AKM_ID_LEN);
}

bool link_server_may_try(struct link *l)
{
	uint8_t key[ORIGIN_LEN + AKM_ID_LEN];

	if (!l->server)
		return false;
	attempt_key(l, key);
	return limit_allows(&l->server->by_identity, key, sizeof(key), link_now_ms());
}

/* An attempt that failed for a reason that lies with the peer */
static void charge(struct link *l, enum link_down why)
{
	uint8_t key[ORIGIN_LEN + AKM_ID_LEN];
	uint64_t now = link_now_ms();

	if (why == LINK_DOWN_NOT_READY || why == LINK_DOWN_CLOSED)
		return;
	attempt_key(l, key);
	limit_charge(&l->server->by_origin, key, ORIGIN_LEN, now);
	if (l->info.n)
		limit_charge(&l->server->by_identity, key, sizeof(key), now);
}

static bool may_begin(const struct link_server *s, const uint8_t origin[ORIGIN_LEN])
{
	return limit_allows(&s->by_origin, origin, ORIGIN_LEN, link_now_ms());
}

/*
 * When all places are taken the oldest gives its up: a peer that knows its key needs a place for a round trip only, a
 * crowd of idlers does not keep it out.
 */
static void make_place(struct link_server *s)
{
	struct link *oldest = s->pending;

	if (s->stats.pending < LINK_PENDING_MAX)
		return;
	while (oldest->next)
		oldest = oldest->next;
	link_down_now(oldest, LINK_DOWN_LIMIT, "handshake", "gave way to a newer connection");
}

/* ---- lists ---- */

static void list(struct link *l, struct link **head)
{
	l->next = *head;
	if (l->next)
		l->next->prevp = &l->next;
	l->prevp = head;
	*head = l;
}

/* It is pending no more: whoever waits for its place has it. From the event loop, as this is inside of anything. */
static void leave_room(struct link *l)
{
	struct link_server *s = l->server;

	s->stats.pending--;
	room_leave(&s->room, l->origin);
	l->origin = NULL;
	if (s->room.waits)
		event_active(s->room_turn, EV_TIMEOUT, 0);
}

static struct link **links_of(struct link_server *s, const uint8_t id[AKM_ID_LEN])
{
	return &s->links[(id[0] << 8 | id[1]) % LINKS_BUCKETS];
}

void link_server_gone(struct link *l, enum link_down why)
{
	struct link_server *s = l->server;

	s->stats.down[why]++;
	if (l->up) {
		s->stats.links--;
	} else {
		leave_room(l);
		if (!l->gave_way)
			charge(l, why);
	}
	l->server = NULL;
}

/* The oldest of its identity, if there are more than may be */
static struct link *surplus(struct link_server *s, const uint8_t id[AKM_ID_LEN])
{
	struct link *oldest = NULL;
	size_t n = 0;

	for (struct link *l = *links_of(s, id); l; l = l->next) {
		if (memcmp(l->info.id, id, AKM_ID_LEN))
			continue;
		oldest = l;
		n++;
	}
	return n > LINK_PER_IDENTITY ? oldest : NULL;
}

void link_server_up(struct link *l)
{
	struct link_server *s = l->server;
	struct link *old;

	*l->prevp = l->next;
	if (l->next)
		l->next->prevp = l->prevp;
	list(l, links_of(s, l->info.id));
	leave_room(l);
	s->stats.links++;
	s->stats.up++;
	old = surplus(s, l->info.id);
	if (old)
		link_down_now(old, old->state == LINK_CLOSING ? LINK_DOWN_CLOSED : LINK_DOWN_LIMIT, "identity",
			      "has newer links");
}

/* ---- listening ---- */

/* Owns @fd. */
static int adopt(struct link_server *s, int fd, const struct sockaddr_storage *remote)
{
	struct link *l;
	int r;

	r = link_new(s->base, fd, &l);
	if (r < 0) {
		close(fd);
		return r;
	}
	l->key = s->cfg.key;
	l->ops = s->cfg.ops;
	l->ops_ctx = s->cfg.ctx;
	l->info.remote = *remote;
	link_unmap(&l->info.remote);
	l->handshake_ms = s->cfg.handshake_ms ?: LINK_HANDSHAKE_MS;
	l->message_ms = s->cfg.message_ms ?: LINK_MESSAGE_MS;
	r = link_start(l, s->ctx, LINK_HANDSHAKE);
	if (r < 0) {
		link_destroy(l);
		return r;
	}
	l->origin = room_enter(&s->room, remote);
	if (!l->origin) {
		link_destroy(l);
		return -ENOMEM;
	}
	SSL_set_accept_state(l->ssl);
	l->server = s;
	l->begun_ms = link_now_ms();
	list(l, &s->pending);
	s->stats.pending++;
	s->stats.accepted++;
	return 0;
}

static void rest(struct link_server *s)
{
	struct timeval tv = { .tv_usec = ACCEPT_PAUSE_MS * 1000 };

	event_del(s->ev);
	if (event_add(s->pause, &tv) < 0)
		(void)event_add(s->ev, NULL);
}

static void on_pause(evutil_socket_t fd, short what, void *arg)
{
	struct link_server *s = arg;

	(void)fd;
	(void)what;
	if (event_add(s->ev, NULL) < 0)
		rest(s);
}

/* Has who waited closed its end? It would be charged with an attempt that it did not make. */
static bool has_gone(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0;
}

static void room_tick_later(struct link_server *s)
{
	struct timeval tv = { .tv_usec = ROOM_TICK_MS * 1000 };

	if (!event_pending(s->room_tick, EV_TIMEOUT, NULL) && event_add(s->room_tick, &tv) < 0)
		event_active(s->room_tick, EV_TIMEOUT, 0);
}

static int refuse(struct link_server *s, int fd)
{
	s->stats.refused++;
	close(fd);
	return 0;
}

/* Owns @fd. Return: 0 it has a place, waits for one or was refused; negative: there is no memory. */
static int admit(struct link_server *s, int fd, const struct sockaddr_storage *remote)
{
	uint8_t key[ORIGIN_LEN];
	int r;

	room_key(remote, key);
	if (!may_begin(s, key))
		return refuse(s, fd);
	if (room_is_free(&s->room, remote)) {
		make_place(s);
		return adopt(s, fd, remote);
	}
	r = room_wait(&s->room, fd, remote, link_now_ms());
	if (r == -EBUSY)
		return refuse(s, fd);
	if (r < 0)
		close(fd);
	else
		room_tick_later(s);
	return r;
}

/* Those that wait at @o, as far as there are places. @o may be gone then. */
static void call_in(struct link_server *s, struct origin *o)
{
	size_t places = o->pending < LINK_PENDING_PER_IP ? LINK_PENDING_PER_IP - o->pending : 0;
	uint8_t key[ORIGIN_LEN];
	struct waiting w;

	memcpy(key, o->key, sizeof(key));
	for (size_t left = o->waits; left && places && may_begin(s, key); left--) {
		(void)room_next(&s->room, o, &w);
		if (has_gone(w.fd)) {
			close(w.fd);
			continue;
		}
		places--;
		make_place(s);
		if (adopt(s, w.fd, &w.remote) < 0)
			return;			/* the next tick goes on, if anybody waits still */
	}
}

static void on_room_turn(evutil_socket_t fd, short what, void *arg)
{
	struct link_server *s = arg;
	struct origin *o, *next;

	(void)fd, (void)what;
	for (o = TAILQ_FIRST(&s->room.lists); o; o = next) {
		next = TAILQ_NEXT(o, lists);
		call_in(s, o);
	}
}

/*
 * Who does not say who it is does not keep others of its address out. It may be slow for no fault of its own, and is not
 * charged. Who has waited for as long as a handshake may take has given us up.
 */
static void on_room_tick(evutil_socket_t fd, short what, void *arg)
{
	unsigned int handshake_ms;
	struct link_server *s = arg;
	uint64_t now = link_now_ms();

	(void)fd, (void)what;
	handshake_ms = s->cfg.handshake_ms ?: LINK_HANDSHAKE_MS;
	s->stats.refused += room_expire(&s->room, now > handshake_ms ? now - handshake_ms : 0);
	for (struct link *l = s->pending, *next; l; l = next) {
		next = l->next;
		if (!l->origin->waits || l->asked || now - l->begun_ms < LINK_YIELD_MS)
			continue;
		l->gave_way = true;
		link_down_now(l, LINK_DOWN_LIMIT, "handshake", "gave way to others of its address");
	}
	on_room_turn(-1, 0, s);
	if (s->room.waits)
		room_tick_later(s);
}

/* Of descriptors or memory: who waits has least claim to them, and comes again. Return: false, nothing is taken now. */
static bool make_room(struct link_server *s)
{
	s->stats.refused += s->room.waits;
	room_empty(&s->room);
	rest(s);
	return false;
}

/* Return: false when there is nothing more to take now. */
static bool accept_one(struct link_server *s)
{
	struct sockaddr_storage remote = {};
	socklen_t len = sizeof(remote);
	int fd;

	fd = accept4(s->fd, (struct sockaddr *)&remote, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			return make_room(s);
		return errno == ECONNABORTED || errno == EINTR;
	}
	if (admit(s, fd, &remote) < 0) {
		rest(s);
		return false;
	}
	return true;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	for (int i = 0; i < ACCEPT_TURN && accept_one(arg); i++)
		;
}

static int listen_on(const char *address, int *ret_fd, struct sockaddr_storage *ret_bound, struct akm_error *err)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_storage a = {};
	socklen_t len, bound = sizeof(*ret_bound);
	int on = 1, off = 0, r;

	r = link_address(address, &a, &len, err);
	if (r < 0)
		return r;
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (a.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0) ||
	    bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, LINK_BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)ret_bound, &bound) < 0)
		return akm_error_set(err, -errno, "listen", "%s: %s", address, strerror(errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int server_init(struct link_server *s)
{
	uint8_t seed[2][32];
	int r;

	if (RAND_bytes(&seed[0][0], sizeof(seed)) != 1)
		return -EIO;
	limit_init(&s->by_origin, seed[0], LINK_FAILURE_BURST, LINK_FAILURE_REFILL_MS);
	limit_init(&s->by_identity, seed[1], LINK_IDENTITY_BURST, LINK_IDENTITY_REFILL_MS);
	r = link_tls_server_ctx(&s->ctx);
	if (r < 0)
		return r;
	s->ev = event_new(s->base, s->fd, EV_READ | EV_PERSIST, on_accept, s);
	s->pause = event_new(s->base, -1, 0, on_pause, s);
	s->room_turn = event_new(s->base, -1, 0, on_room_turn, s);
	s->room_tick = event_new(s->base, -1, 0, on_room_tick, s);
	if (!s->ev || !s->pause || !s->room_turn || !s->room_tick || event_add(s->ev, NULL) < 0)
		return -ENOMEM;
	return 0;
}

int link_server_new(struct event_base *base, const struct link_server_config *cfg,
		    struct link_server **ret, struct akm_error *err)
{
	struct link_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return akm_error_set(err, -ENOMEM, "listen", "%s", strerror(ENOMEM));
	s->base = base;
	room_init(&s->room);
	s->cfg = *cfg;
	s->cfg.address = NULL;		/* the caller's; not needed again */
	s->fd = -1;
	r = listen_on(cfg->address, &s->fd, &s->address, err);
	if (!r) {
		r = server_init(s);
		if (r < 0)
			akm_error_set(err, r, "listen", "%s", strerror(-r));
	}
	if (r < 0) {
		link_server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void link_server_free(struct link_server *s)
{
	if (!s)
		return;
	while (s->pending) {
		room_leave(&s->room, s->pending->origin);
		link_destroy(s->pending);
	}
	for (size_t i = 0; i < LINKS_BUCKETS; i++)
		while (s->links[i])
			link_destroy(s->links[i]);
	room_empty(&s->room);
	event_freep(s->ev);
	event_freep(s->pause);
	event_freep(s->room_turn);
	event_freep(s->room_tick);
	SSL_CTX_free(s->ctx);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

const struct sockaddr_storage *link_server_address(const struct link_server *s)
{
	return &s->address;
}

void link_server_get_stats(const struct link_server *s, struct link_server_stats *ret)
{
	*ret = s->stats;
	ret->waiting = s->room.waits;
}
