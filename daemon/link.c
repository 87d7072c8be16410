// SPDX-License-Identifier: GPL-2.0
#include "link.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <time.h>

#include "link_internal.h"

#define RX_FIRST	16384		/* first piece of a message's buffer: one TLS record */
#define TURN_BYTES	(256U << 10)	/* read for one link before others have their turn */
#define RECORDS_PER_KEY	(1U << 16)	/* far below AES-GCM's 2^24.5 records, RFC 8446, 5.5 */

const char *link_down_name(enum link_down why)
{
	static const char *const names[] = {
		[LINK_DOWN_CLOSED] = "closed", [LINK_DOWN_LOST] = "lost", [LINK_DOWN_PSK] = "psk",
		[LINK_DOWN_UNKNOWN] = "unknown", [LINK_DOWN_STALE] = "stale", [LINK_DOWN_PROTOCOL] = "protocol",
		[LINK_DOWN_LIMIT] = "limit", [LINK_DOWN_NOT_READY] = "not-ready",
	};

	return why >= LINK_DOWN_CLOSED && why <= LINK_DOWN_MAX ? names[why] : "?";
}

uint64_t link_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- life and death ---- */

static void free_queue(struct link *l)
{
	struct link_out *o;

	while ((o = l->out)) {
		l->out = o->next;
		akm_secret_free(&o->body);
		free(o);
	}
	l->out_tail = &l->out;
	l->out_bytes = 0;
}

static void unlist(struct link *l)
{
	if (!l->prevp)
		return;
	*l->prevp = l->next;
	if (l->next)
		l->next->prevp = l->prevp;
	l->prevp = NULL;
}

static void release(struct link *l)
{
	l->state = LINK_DEAD;
	unlist(l);
	if (l->busy)
		return;			/* drive() comes back here */
	event_freep(l->ev_read);
	event_freep(l->ev_write);
	event_freep(l->timer);
	event_freep(l->kick);
	free_queue(l);
	akm_secret_free(&l->rx);
	SSL_free(l->ssl);
	SSL_SESSION_free(l->session);
	SSL_CTX_free(l->ctx);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}

void link_destroy(struct link *l)
{
	release(l);
}

void link_free(struct link *l)
{
	if (!l || l->state == LINK_DEAD)
		return;
	if (l->server)
		link_server_gone(l, LINK_DOWN_CLOSED);
	release(l);
}

void link_down_now(struct link *l, enum link_down why, const char *field, const char *reason)
{
	struct akm_error err = l->err;

	if (l->state == LINK_DEAD)
		return;
	if (!*err.field)
		akm_error_set(&err, 0, field, "%s", reason);
	l->state = LINK_DEAD;
	if (l->server)
		link_server_gone(l, why);
	l->ops.down(l, why, &err, &l->info, l->ops_ctx);
	release(l);
}

static void set_timer(struct link *l, unsigned int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (event_add(l->timer, &tv) < 0)
		event_active(l->timer, EV_TIMEOUT, 0);	/* no memory: as if its time had come */
}

/* ---- writing ---- */

/* A TLS call could not go on. Return: 0 it waits for the network, else the link is down. */
static int blocked(struct link *l, int ret)
{
	int e = SSL_get_error(l->ssl, ret);
	enum link_down why;
	char reason[128];

	if (e == SSL_ERROR_WANT_READ)
		return 0;
	if (e == SSL_ERROR_WANT_WRITE) {
		if (event_add(l->ev_write, NULL) < 0)
			link_down_now(l, LINK_DOWN_LOST, "connection", strerror(ENOMEM));
		return l->state == LINK_DEAD ? -ENOTCONN : 0;
	}
	if (e == SSL_ERROR_ZERO_RETURN) {
		why = l->rx_head_len ? LINK_DOWN_LOST : LINK_DOWN_CLOSED;
		link_down_now(l, why, "connection", "was closed by the peer");
		return -ENOTCONN;
	}
	why = link_tls_why(l, e, reason, sizeof(reason));
	link_down_now(l, l->why ?: why, l->state == LINK_HANDSHAKE ? "handshake" : "connection", reason);
	return -ENOTCONN;
}

static int write_some(struct link *l, struct link_out *o)
{
	const uint8_t *p = o->head + o->done;
	size_t len = sizeof(o->head) - o->done, n = 0;

	if (o->done >= sizeof(o->head)) {
		p = o->body.data + (o->done - sizeof(o->head));
		len = o->body.len - (o->done - sizeof(o->head));
	}
	ERR_clear_error();
	errno = 0;
	if (SSL_write_ex(l->ssl, p, len, &n) != 1)
		return 0;
	l->records += 1 + n / SSL3_RT_MAX_PLAIN_LENGTH;
	o->done += n;
	l->out_bytes -= n;
	return 1;
}

/* A new traffic key in both directions, between two messages. */
static void refresh_key(struct link *l)
{
	if (l->records < RECORDS_PER_KEY)
		return;
	ERR_clear_error();
	if (SSL_key_update(l->ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
		l->records = 0;
}

/* Return: 1 all is written, 0 the rest waits, negative: the link is down. */
static int pump_out(struct link *l)
{
	struct link_out *o;
	int r;

	while ((o = l->out)) {
		if (!o->done)
			refresh_key(l);
		r = write_some(l, o);
		if (!r)
			return blocked(l, r);
		if (o->done < sizeof(o->head) + o->body.len)
			continue;
		l->out = o->next;
		if (!l->out)
			l->out_tail = &l->out;
		akm_secret_free(&o->body);
		free(o);
	}
	return 1;
}

/* ---- reading ---- */

static int rx_fail(struct link *l, enum link_down why, const char *field, const char *reason)
{
	link_down_now(l, why, field, reason);
	return -ENOTCONN;
}

/* A message's length has come. */
static int rx_begin(struct link *l)
{
	const uint8_t *h = l->rx_head;
	size_t want = (size_t)h[0] << 24 | (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];

	if (want < 1 || want > LINK_MESSAGE_MAX)
		return rx_fail(l, LINK_DOWN_PROTOCOL, "message", "its length is 0 or over the limit");
	l->rx_want = want;
	l->rx_len = 0;
	if (akm_secret_new(want < RX_FIRST ? want : RX_FIRST, &l->rx) < 0)
		return rx_fail(l, LINK_DOWN_LIMIT, "message", "no locked memory for it");
	return 0;
}

/* The announced length alone takes no memory: the buffer doubles as bytes come. */
static int rx_grow(struct link *l)
{
	_cleanup_secret_ struct akm_secret bigger = {};
	size_t size = l->rx.len * 2 < l->rx_want ? l->rx.len * 2 : l->rx_want;

	if (l->rx_len < l->rx.len)
		return 0;
	if (akm_secret_new(size, &bigger) < 0)
		return rx_fail(l, LINK_DOWN_LIMIT, "message", "no locked memory for it");
	memcpy(bigger.data, l->rx.data, l->rx_len);
	akm_secret_free(&l->rx);
	l->rx = akm_secret_take(&bigger);
	return 0;
}

static int rx_complete(struct link *l)
{
	_cleanup_secret_ struct akm_secret raw = akm_secret_take(&l->rx);
	_cleanup_msg_ struct msg m = {};
	int r;

	l->rx_head_len = 0;
	if (l->rx_timer)
		event_del(l->timer);
	l->rx_timer = false;
	r = msg_decode_whence(raw.data, l->rx_want, &m, &l->err);
	akm_secret_free(&raw);
	if (r < 0)
		return rx_fail(l, r == -EBADMSG ? LINK_DOWN_PROTOCOL : LINK_DOWN_LIMIT, "message", strerror(-r));
	l->ops.message(l, &m, l->ops_ctx);
	return l->state == LINK_UP ? 0 : -ENOTCONN;
}

static int read_some(struct link *l, size_t *turn)
{
	bool head = l->rx_head_len < sizeof(l->rx_head);
	size_t n = 0;
	int r;

	ERR_clear_error();
	errno = 0;
	if (head)
		r = SSL_read_ex(l->ssl, l->rx_head + l->rx_head_len, sizeof(l->rx_head) - l->rx_head_len, &n);
	else
		r = SSL_read_ex(l->ssl, l->rx.data + l->rx_len, l->rx.len - l->rx_len, &n);
	if (r != 1)
		return blocked(l, r) ?: -EAGAIN;
	*turn += n;
	if (!head) {
		l->rx_len += n;
		return l->rx_len < l->rx_want ? rx_grow(l) : rx_complete(l);
	}
	l->rx_head_len += n;
	return l->rx_head_len < sizeof(l->rx_head) ? 0 : rx_begin(l);
}

/* A message that has begun and waits must be complete in time. */
static void rx_wait(struct link *l)
{
	if (!l->rx_head_len || l->rx_timer)
		return;
	l->rx_timer = true;
	set_timer(l, l->message_ms);
}

static void pump_in(struct link *l)
{
	size_t turn = 0;
	int r = 0;

	while (!r && turn < TURN_BYTES)
		r = read_some(l, &turn);
	if (l->state != LINK_UP)
		return;
	rx_wait(l);
	if (!r)
		event_active(l->kick, EV_READ, 0);	/* others first, then the rest */
}

/* ---- states ---- */

static void connected(struct link *l)
{
	socklen_t len = sizeof(int);
	int e = 0;

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (e)
		link_down_now(l, LINK_DOWN_LOST, "connection", strerror(e));
	else
		l->state = LINK_HANDSHAKE;
}

/* An IPv4 address is shown as one, whatever the socket is. */
void link_unmap(struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;
	struct sockaddr_in four = { .sin_family = AF_INET };

	if (a->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		return;
	four.sin_port = six->sin6_port;
	memcpy(&four.sin_addr, six->sin6_addr.s6_addr + 12, 4);
	memset(a, 0, sizeof(*a));
	memcpy(a, &four, sizeof(four));
}

static void learn_addresses(struct link *l)
{
	socklen_t len = sizeof(l->info.remote);

	if (getpeername(l->fd, (struct sockaddr *)&l->info.remote, &len) < 0)
		l->info.remote.ss_family = AF_UNSPEC;
	len = sizeof(l->info.local);
	if (getsockname(l->fd, (struct sockaddr *)&l->info.local, &len) < 0)
		l->info.local.ss_family = AF_UNSPEC;
	link_unmap(&l->info.remote);
	link_unmap(&l->info.local);
}

static void handshake(struct link *l)
{
	const char *missing;
	int r;

	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(l->ssl);
	if (r != 1) {
		(void)blocked(l, r);
		return;
	}
	missing = link_tls_check(l);
	if (missing) {
		link_down_now(l, LINK_DOWN_PSK, "handshake", missing);
		return;
	}
	learn_addresses(l);
	event_del(l->timer);
	link_tls_forget_psk(l);
	l->up = true;
	l->state = LINK_UP;
	if (l->server)
		link_server_up(l);
	if (l->state == LINK_UP)
		l->ops.up(l, l->ops_ctx);
}

static void closing(struct link *l)
{
	int r = SSL_is_init_finished(l->ssl) ? pump_out(l) : 1;

	if (r <= 0)
		return;
	ERR_clear_error();
	/* close_notify; nobody waits for the peer's. */
	if (SSL_is_init_finished(l->ssl))
		(void)SSL_shutdown(l->ssl);
	link_down_now(l, LINK_DOWN_CLOSED, "connection", "was closed here");
}

/* Everything goes on from here, whatever woke it. */
static void drive(struct link *l)
{
	l->busy = true;
	if (l->state == LINK_CONNECTING)
		connected(l);
	if (l->state == LINK_HANDSHAKE)
		handshake(l);
	if (l->state == LINK_UP && pump_out(l) >= 0)
		pump_in(l);
	/* What callbacks queued goes out in the same turn. */
	if (l->state == LINK_UP)
		(void)pump_out(l);
	if (l->state == LINK_CLOSING)
		closing(l);
	l->busy = false;
	if (l->state == LINK_DEAD)
		release(l);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;

	(void)fd;
	/* Not connected yet: only a write event says how that went. */
	if (l->state == LINK_CONNECTING && !(what & EV_WRITE))
		return;
	drive(l);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;

	(void)fd;
	(void)what;
	switch (l->state) {
	case LINK_CONNECTING:
		link_down_now(l, LINK_DOWN_LOST, "connection", "the peer does not answer");
		break;
	case LINK_HANDSHAKE:
		link_down_now(l, l->server ? LINK_DOWN_LIMIT : LINK_DOWN_LOST, "handshake", "took too long");
		break;
	case LINK_UP:
		link_down_now(l, LINK_DOWN_LIMIT, "message", "took too long to arrive");
		break;
	case LINK_CLOSING:
		link_down_now(l, LINK_DOWN_CLOSED, "connection", "was closed here, the peer did not read to the end");
		break;
	case LINK_DEAD:
		break;
	}
}

/* ---- making one ---- */

static void tune(int fd)
{
	int on = 1, idle = LINK_DEAD_MS / 3000, interval = LINK_DEAD_MS / 6000, count = 4;
	unsigned int dead = LINK_DEAD_MS;

	/* Without them a dead peer is noticed later, by missed heartbeats: no reason to refuse the link. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
}

int link_new(struct event_base *base, int fd, struct link **ret)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->base = base;
	l->fd = -1;
	l->out_tail = &l->out;
	l->handshake_ms = LINK_HANDSHAKE_MS;
	l->message_ms = LINK_MESSAGE_MS;
	l->ev_read = event_new(base, fd, EV_READ | EV_PERSIST, on_io, l);
	l->ev_write = event_new(base, fd, EV_WRITE, on_io, l);
	l->timer = event_new(base, -1, 0, on_timer, l);
	l->kick = event_new(base, -1, 0, on_io, l);
	if (!l->ev_read || !l->ev_write || !l->timer || !l->kick) {
		release(l);
		return -ENOMEM;
	}
	tune(fd);
	l->fd = fd;
	*ret = l;
	return 0;
}

int link_start(struct link *l, SSL_CTX *ctx, enum link_state state)
{
	l->ssl = SSL_new(ctx);
	if (!l->ssl || SSL_set_fd(l->ssl, l->fd) != 1)
		return -ENOMEM;
	SSL_set_app_data(l->ssl, l);
	l->state = state;
	if (event_add(l->ev_read, NULL) < 0 || (state == LINK_CONNECTING && event_add(l->ev_write, NULL) < 0))
		return -ENOMEM;
	set_timer(l, l->handshake_ms);
	return 0;
}

static int bad_address(const char *text, struct akm_error *err)
{
	return akm_error_set(err, -EINVAL, "address", "\"%s\" is not ADDRESS:PORT or [ADDRESS]:PORT", text);
}

int link_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len, struct akm_error *err)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool six = len > 2 && text[0] == '[' && text[len - 1] == ']';
	struct addrinfo *a;
	char host[96];

	if (!len || len >= sizeof(host) || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strlen(colon + 1) > 5 || strtoul(colon + 1, NULL, 10) > UINT16_MAX)
		return bad_address(text, err);
	snprintf(host, sizeof(host), "%.*s", (int)(six ? len - 2 : len), text + six);
	if (!!strchr(host, ':') != six || getaddrinfo(host, colon + 1, &hints, &a))
		return bad_address(text, err);
	memcpy(ret, a->ai_addr, a->ai_addrlen);
	*ret_len = a->ai_addrlen;
	freeaddrinfo(a);
	return 0;
}

static int connect_to(const char *address, int *ret_fd, struct akm_error *err)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_storage a = {};
	socklen_t len;
	int r;

	r = link_address(address, &a, &len, err);
	if (r < 0)
		return r;
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || (connect(fd, (struct sockaddr *)&a, len) < 0 && errno != EINPROGRESS))
		return akm_error_set(err, -errno, "address", "%s: %s", address, strerror(errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int client_setup(struct link *l, const struct link_client_config *cfg, struct akm_error *err)
{
	int r;

	l->key = cfg->key;
	l->ops = cfg->ops;
	l->ops_ctx = cfg->ctx;
	l->info.n = cfg->n;
	memcpy(l->info.id, cfg->id, AKM_ID_LEN);
	r = link_tls_client_ctx(&l->ctx) ?: link_start(l, l->ctx, LINK_CONNECTING);
	if (r < 0)
		return akm_error_set(err, r, "TLS", "%s", strerror(-r));
	SSL_set_connect_state(l->ssl);
	r = link_tls_client_psk(l, cfg->n);
	if (r < 0)
		return akm_error_set(err, r, "link key", "number %llu: %s", (unsigned long long)cfg->n, strerror(-r));
	return 0;
}

int link_connect(struct event_base *base, const struct link_client_config *cfg,
		 struct link **ret, struct akm_error *err)
{
	_cleanup_close_ int fd = -1;
	struct link *l = NULL;
	int r;

	r = connect_to(cfg->address, &fd, err);
	if (r < 0)
		return r;
	r = link_new(base, fd, &l);
	if (r < 0)
		return akm_error_set(err, r, "link", "%s", strerror(-r));
	fd = -1;
	r = client_setup(l, cfg, err);
	if (r < 0) {
		release(l);
		return r;
	}
	*ret = l;
	return 0;
}

/* ---- what roles call ---- */

int link_send(struct link *l, const struct msg *m)
{
	_cleanup_secret_ struct akm_secret body = {};
	struct link_out *o;
	int r;

	if (l->state != LINK_UP)
		return -ENOTCONN;
	r = msg_encode(m, &body);
	if (r < 0)
		return r;
	if (l->out_bytes + body.len > LINK_QUEUE_MAX)
		return -ENOBUFS;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(o->head); i++)
		o->head[i] = (uint8_t)(body.len >> (24 - 8 * i));
	o->body = akm_secret_take(&body);
	l->out_bytes += sizeof(o->head) + o->body.len;
	*l->out_tail = o;
	l->out_tail = &o->next;
	event_active(l->kick, EV_WRITE, 0);
	return 0;
}

const struct link_peer_info *link_info(const struct link *l)
{
	return &l->info;
}

void link_set_data(struct link *l, void *data)
{
	l->data = data;
}

void *link_data(const struct link *l)
{
	return l->data;
}

void link_close(struct link *l)
{
	if (l->state == LINK_CLOSING || l->state == LINK_DEAD)
		return;
	l->state = LINK_CLOSING;
	event_del(l->ev_read);		/* what still comes is not read */
	set_timer(l, LINK_CLOSE_MS);
	event_active(l->kick, EV_WRITE, 0);
}
