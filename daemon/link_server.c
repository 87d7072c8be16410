// SPDX-License-Identifier: GPL-2.0
#include "link.h"

#include <openssl/rand.h>

#include "link_internal.h"
#include "link_limit.h"

#define ACCEPT_TURN	16		/* connections taken before others have their turn */
#define ACCEPT_PAUSE_MS	100		/* when the process has no descriptor or memory left */
#define ORIGIN_LEN	16

struct link_server {
	struct event_base *base;
	struct link_server_config cfg;
	SSL_CTX *ctx;
	int fd;
	struct event *ev, *pause;
	struct sockaddr_storage address;
	struct link *pending, *links;	/* newest first */
	struct limit by_origin;		/* failures of an address */
	struct limit by_identity;	/* failures of an identity from an address */
	struct link_server_stats stats;
};

/* ---- limits ---- */

/* What one stranger can have many of is one origin: an IPv6 /64. IPv4 is mapped into IPv6. */
static void origin(const struct sockaddr_storage *a, uint8_t ret[ORIGIN_LEN])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const struct sockaddr_in *four = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;

	memset(ret, 0, ORIGIN_LEN);
	if (a->ss_family == AF_INET) {
		memcpy(ret, mapped, sizeof(mapped));
		memcpy(ret + sizeof(mapped), &four->sin_addr, 4);
	} else if (a->ss_family == AF_INET6) {
		memcpy(ret, &six->sin6_addr, IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) ? 16 : 8);
	}
}

static void attempt_key(const struct link *l, uint8_t ret[ORIGIN_LEN + AKM_ID_LEN])
{
	origin(&l->info.remote, ret);
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

static size_t pending_from(const struct link_server *s, const uint8_t from[ORIGIN_LEN], struct link **ret_oldest)
{
	uint8_t other[ORIGIN_LEN];
	size_t n = 0;

	for (struct link *l = s->pending; l; l = l->next) {
		origin(&l->info.remote, other);
		n += !memcmp(from, other, ORIGIN_LEN);
		*ret_oldest = l;
	}
	return n;
}

/*
 * May this address have one more pending connection? When all places are taken the
 * oldest gives its up: a peer that knows its key needs a place for a round trip
 * only, a crowd of idlers does not keep it out.
 */
static bool admit(struct link_server *s, const struct sockaddr_storage *remote)
{
	uint8_t from[ORIGIN_LEN];
	struct link *oldest = NULL;

	origin(remote, from);
	if (!limit_allows(&s->by_origin, from, sizeof(from), link_now_ms()))
		return false;
	if (pending_from(s, from, &oldest) >= LINK_PENDING_PER_IP)
		return false;
	if (s->stats.pending >= LINK_PENDING_MAX)
		link_down_now(oldest, LINK_DOWN_LIMIT, "handshake", "gave way to a newer connection");
	return true;
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

void link_server_gone(struct link *l, enum link_down why)
{
	struct link_server *s = l->server;

	s->stats.down[why]++;
	if (l->up) {
		s->stats.links--;
	} else {
		s->stats.pending--;
		charge(l, why);
	}
	l->server = NULL;
}

/* The oldest of its identity, if there are more than may be */
static struct link *surplus(const struct link_server *s, const uint8_t id[AKM_ID_LEN])
{
	struct link *oldest = NULL;
	size_t n = 0;

	for (struct link *l = s->links; l; l = l->next) {
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
	list(l, &s->links);
	s->stats.pending--;
	s->stats.links++;
	s->stats.up++;
	old = surplus(s, l->info.id);
	if (old)
		link_down_now(old, old->state == LINK_CLOSING ? LINK_DOWN_CLOSED : LINK_DOWN_LIMIT, "identity",
			      "has newer links");
}

/* ---- listening ---- */

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
	SSL_set_accept_state(l->ssl);
	l->server = s;
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

/* Return: false when there is nothing more to take now. */
static bool accept_one(struct link_server *s)
{
	struct sockaddr_storage remote = {};
	socklen_t len = sizeof(remote);
	int fd;

	fd = accept4(s->fd, (struct sockaddr *)&remote, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			rest(s);
		return errno == ECONNABORTED || errno == EINTR;
	}
	if (!admit(s, &remote)) {
		s->stats.refused++;
		close(fd);
		return true;
	}
	if (adopt(s, fd, &remote) < 0) {
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
	    bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 128) < 0 ||
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
	if (!s->ev || !s->pause || event_add(s->ev, NULL) < 0)
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
	while (s->pending)
		link_destroy(s->pending);
	while (s->links)
		link_destroy(s->links);
	if (s->ev)
		event_free(s->ev);
	if (s->pause)
		event_free(s->pause);
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
}
