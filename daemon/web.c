// SPDX-License-Identifier: GPL-2.0
#include "web.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "clock.h"
#include "log.h"
#include "unixsock.h"

#define BACKLOG		16
#define TEXT_LEN	128		/* bytes of an answer that says why not */

struct conn {
	LIST_ENTRY(conn) entry;
	int fd;
	uint64_t until_ms;		/* then it is cut */
};

struct made {				/* what a resource last was */
	struct MHD_Response *response;
	uint64_t at_ms;
};

struct web {
	struct event_base *base;
	struct MHD_Daemon *mhd;
	struct unixsock_place place;
	int fd;				/* until it is libmicrohttpd's */
	struct event *ready, *timer, *sweep;
	LIST_HEAD(, conn) conns;
	const struct web_resource *resources;
	void *ctx;
	struct made made[WEB_RESOURCES_MAX];
	struct MHD_Response *files[WEB_RESOURCES_MAX];
};

/* ---- answers ---- */

/* The page loads from here alone, is put in nobody's frame, and tells nobody where it was. */
static const struct { const char *name, *value; } headers[] = {
	{ MHD_HTTP_HEADER_CONTENT_SECURITY_POLICY,
	  "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'" },
	{ MHD_HTTP_HEADER_X_CONTENT_TYPE_OPTIONS, "nosniff" },
	{ MHD_HTTP_HEADER_X_FRAME_OPTIONS, "DENY" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ MHD_HTTP_HEADER_CACHE_CONTROL, "no-store" },
};

/* Return: NULL: no memory. */
static struct MHD_Response *response_new(const char *type, const void *data, size_t len, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, (void *)data, mode);
	bool ok = r && MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES;

	for (size_t i = 0; ok && i < ARRAY_SIZE(headers); i++)
		ok = MHD_add_response_header(r, headers[i].name, headers[i].value) == MHD_YES;
	if (r && !ok) {
		MHD_destroy_response(r);
		return NULL;
	}
	return r;
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned int status, struct MHD_Response *r)
{
	return r ? MHD_queue_response(c, status, r) : MHD_NO;	/* MHD_NO closes the connection */
}

/* Why not, and the connection ends: nothing more is read from one that does not do as it should. */
static enum MHD_Result refuse(struct MHD_Connection *c, unsigned int status, const char *why)
{
	struct MHD_Response *r;
	enum MHD_Result done;
	char text[TEXT_LEN];
	int len = snprintf(text, sizeof(text), "%s\n", why);

	r = response_new("text/plain; charset=utf-8", text, (size_t)len, MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	done = answer(c, status, r);
	MHD_destroy_response(r);
	return done;
}

/* ---- requests ---- */

struct header { const char *name, *value; size_t n; };

static enum MHD_Result find_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct header *h = cls;

	(void)kind;
	if (!strcasecmp(name, h->name)) {
		h->value = value;
		h->n++;
	}
	return MHD_YES;
}

static struct header header_of(struct MHD_Connection *c, const char *name)
{
	struct header h = { .name = name };

	MHD_get_connection_values(c, MHD_HEADER_KIND, find_header, &h);
	return h;
}

/*
 * A page of somebody else's whose name was made to resolve to this machine (DNS rebinding) sends that name. Any port:
 * ssh -L takes one of its own.
 */
static bool host_allowed(struct MHD_Connection *c)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };
	struct header h = header_of(c, MHD_HTTP_HEADER_HOST);

	if (h.n != 1 || !h.value)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i]);
		const char *rest = h.value + len;

		if (strncasecmp(h.value, names[i], len))
			continue;
		if (!*rest || (*rest == ':' && rest[1] && strspn(rest + 1, "0123456789") == strlen(rest + 1)))
			return true;
	}
	return false;
}

static bool has_body(struct MHD_Connection *c)
{
	struct header length = header_of(c, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return header_of(c, MHD_HTTP_HEADER_TRANSFER_ENCODING).n ||
	       (length.n && (length.n > 1 || !length.value || strcmp(length.value, "0")));
}

static int make(struct web *w, const struct web_resource *res, struct MHD_Response **ret)
{
	_cleanup_free_ char *text = NULL;
	struct MHD_Response *r;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int e;

	if (!f)
		return -ENOMEM;
	e = res->make(f, w->ctx);
	if (fclose(f) && !e)
		e = -ENOMEM;
	if (e < 0)
		return e;
	r = response_new(res->type, text, len, MHD_RESPMEM_MUST_FREE);
	if (!r)
		return -ENOMEM;
	text = NULL;			/* the response's */
	*ret = r;
	return 0;
}

/* Who asks often gets what the others got: strangers do not decide how much we work. */
static int make_fresh(struct web *w, size_t i)
{
	struct MHD_Response *r = NULL;
	uint64_t now = now_ms();
	int e;

	if (w->made[i].response && now - w->made[i].at_ms < WEB_FRESH_MS)
		return 0;
	e = make(w, &w->resources[i], &r);
	if (e < 0)
		return e;
	if (w->made[i].response)
		MHD_destroy_response(w->made[i].response);
	w->made[i] = (struct made){ r, now };
	return 0;
}

static enum MHD_Result find_path(struct web *w, struct MHD_Connection *c, const char *path)
{
	size_t i;
	int r;

	for (i = 0; web_files[i].path; i++)
		if (!strcmp(web_files[i].path, path))
			return answer(c, MHD_HTTP_OK, w->files[i]);
	for (i = 0; w->resources[i].path && strcmp(w->resources[i].path, path); i++)
		;
	if (!w->resources[i].path)
		return refuse(c, MHD_HTTP_NOT_FOUND, "there is nothing here");
	r = make_fresh(w, i);
	if (!r)
		return answer(c, MHD_HTTP_OK, w->made[i].response);
	log_warning("cannot make what a browser asked for path=%s error=%s", w->resources[i].path, strerror(-r));
	return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE, r == -EAGAIN ? "not yet: akmd is starting" : "it cannot be made now");
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url, const char *method,
				  const char *version, const char *body, size_t *body_len, void **state)
{
	static char checked;

	(void)version, (void)body, (void)body_len;
	/* The first time the headers are there; whoever is answered already then is not read from again. */
	if (*state)
		return find_path(cls, c, url);
	if (!host_allowed(c))
		return refuse(c, MHD_HTTP_MISDIRECTED_REQUEST, "Host must be localhost, 127.0.0.1 or [::1]");
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "this is for reading: GET and HEAD");
	if (has_body(c))
		return refuse(c, MHD_HTTP_BAD_REQUEST, "a body is not wanted");
	*state = &checked;
	return MHD_YES;
}

/* ---- what is shown ---- */

static bool is_private(const char *name, struct json_object *v)
{
	static const char *const names[] = { "hardware", "sources", "ek_name", "key_name" };

	if (!strcmp(name, "id"))		/* ATRs have numbers */
		return json_object_is_type(v, json_type_string);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static void strip(struct json_object *o)
{
	if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(o); i++)
			strip(json_object_array_get_idx(o, i));
		return;
	}
	if (!json_object_is_type(o, json_type_object))
		return;
	json_object_object_foreach(o, name, v) {	/* may delete what it is at */
		if (is_private(name, v))
			json_object_object_del(o, name);
		else
			strip(v);
	}
}

int web_put_json(FILE *f, struct json_object *o)
{
	const char *text;

	strip(o);
	text = o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;
	if (text)
		fputs(text, f);
	json_object_put(o);
	return text ? 0 : -ENOMEM;
}

/* ---- connections ---- */

static struct conn *conn_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void on_connection(void *cls, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct web *w = cls;
	struct conn *conn = *context;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (conn)
			LIST_REMOVE(conn, entry);
		free(conn);
		return;
	}
	conn = calloc(1, sizeof(*conn));
	*context = conn;
	if (!conn || !info) {
		if (info)
			shutdown(info->connect_fd, SHUT_RDWR);	/* not watched: not served */
		free(conn);
		*context = NULL;
		return;
	}
	conn->fd = info->connect_fd;
	conn->until_ms = now_ms() + WEB_REQUEST_MS;
	LIST_INSERT_HEAD(&w->conns, conn, entry);
	if (!evtimer_pending(w->sweep, NULL))
		timer_set(w->sweep, WEB_REQUEST_MS);
}

/* The next request has as long again. */
static void on_completed(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	struct conn *conn = conn_of(c);

	(void)cls, (void)state, (void)why;
	if (conn)
		conn->until_ms = now_ms() + WEB_REQUEST_MS;
}

/* libmicrohttpd's own time-out begins again with every byte; who drips them holds a place for ever. */
static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now = now_ms(), next = UINT64_MAX;
	struct web *w = arg;
	struct conn *conn;

	(void)fd, (void)what;
	LIST_FOREACH(conn, &w->conns, entry) {
		if (conn->until_ms <= now)
			shutdown(conn->fd, SHUT_RDWR);	/* it is found closed */
		else if (conn->until_ms < next)
			next = conn->until_ms;
	}
	if (next != UINT64_MAX)
		timer_set(w->sweep, next - now);
	else if (!LIST_EMPTY(&w->conns))
		timer_set(w->sweep, WEB_REQUEST_MS);
}

/* ---- the loop ---- */

static void run(struct web *w)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_run(w->mhd) != MHD_YES)
		log_warning("the web server cannot go on");
	if (MHD_get_timeout(w->mhd, &ms) == MHD_YES)
		timer_set(w->timer, ms);
	else
		event_del(w->timer);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	run(arg);
}

static int watch(struct web *w)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(w->mhd, MHD_DAEMON_INFO_EPOLL_FD);

	if (!info)
		return -EIO;
	w->ready = event_new(w->base, info->epoll_fd, EV_READ | EV_PERSIST, on_ready, w);
	if (!w->ready || event_add(w->ready, NULL) < 0)
		return -ENOMEM;
	return 0;
}

/* ---- start and end ---- */

static int listen_tcp(const char *address, int *ret_fd, struct akm_error *err)
{
	struct sockaddr_storage a = {};
	int len = sizeof(a), one = 1, r = 0;
	_cleanup_close_ int fd = -1;

	if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&a, &len) < 0)
		return akm_error_set(err, -EINVAL, "web", "%s is no address", address);
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&a, (socklen_t)len) < 0 || listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r < 0)
		return akm_error_set(err, r, "web", "%s: %s", address, strerror(-r));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int listen_at(struct web *w, const char *address, struct akm_error *err)
{
	static const char unix_[] = "unix:";

	if (strncmp(address, unix_, sizeof(unix_) - 1) == 0)
		return unixsock_serve(address + sizeof(unix_) - 1, "web", BACKLOG, &w->place, &w->fd, err);
	return listen_tcp(address, &w->fd, err);
}

static int load_files(struct web *w)
{
	for (size_t i = 0; web_files[i].path; i++) {
		const struct web_file *f = &web_files[i];

		w->files[i] = response_new(f->type, f->data, (size_t)(f->end - f->data), MHD_RESPMEM_PERSISTENT);
		if (!w->files[i])
			return -ENOMEM;
	}
	return 0;
}

static int start(struct web *w)
{
	w->timer = evtimer_new(w->base, on_ready, w);
	w->sweep = evtimer_new(w->base, on_sweep, w);
	if (!w->timer || !w->sweep)
		return -ENOMEM;
	w->mhd = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, w,
				  MHD_OPTION_LISTEN_SOCKET, w->fd,
				  MHD_OPTION_CONNECTION_LIMIT, WEB_CONNECTIONS_MAX,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEB_MEMORY,
				  MHD_OPTION_CONNECTION_TIMEOUT, WEB_REQUEST_MS / 1000,
				  MHD_OPTION_STRICT_FOR_CLIENT, 1,
				  MHD_OPTION_NOTIFY_CONNECTION, on_connection, w,
				  MHD_OPTION_NOTIFY_COMPLETED, on_completed, w,
				  MHD_OPTION_END);
	if (!w->mhd)
		return -EIO;
	w->fd = -1;
	return watch(w);
}

int web_new(struct event_base *base, const char *address, const struct web_resource *resources, void *ctx,
	    struct web **ret, struct akm_error *err)
{
	struct web *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->base = base;
	w->fd = -1;
	w->resources = resources;
	w->ctx = ctx;
	LIST_INIT(&w->conns);
	r = listen_at(w, address, err);
	r = r ?: load_files(w) ?: start(w);
	if (r < 0) {
		if (!err->reason[0])
			akm_error_set(err, r, "web", "cannot be served: %s", strerror(-r));
		web_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void web_free(struct web *w)
{
	if (!w)
		return;
	if (w->ready)
		event_free(w->ready);
	if (w->mhd)
		MHD_stop_daemon(w->mhd);	/* closes connections, and what it listens at */
	if (w->timer)
		event_free(w->timer);
	if (w->sweep)
		event_free(w->sweep);
	for (size_t i = 0; i < WEB_RESOURCES_MAX; i++) {
		if (w->made[i].response)
			MHD_destroy_response(w->made[i].response);
		if (w->files[i])
			MHD_destroy_response(w->files[i]);
	}
	closep(&w->fd);
	unixsock_withdraw(&w->place);
	free(w);
}
