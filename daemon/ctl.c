// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "ctl.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <poll.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "bounds.h"
#include "unixsock.h"

#define BACKLOG	16
#define ID_MAX	((INT64_C(1) << 53) - 1)	/* RFC 8259, 6: what every reader of JSON holds exactly */

struct client {
	LIST_ENTRY(client) entry;
	struct ctl *ctl;
	struct bufferevent *bev;
	struct event *reaper;			/* ends the client from the loop */
	LIST_HEAD(, ctl_request) requests;
	unsigned int n_requests;
	bool finished;				/* asks nothing more: goes when all is answered and read */
	bool dead;				/* goes with the reaper */
};

struct ctl_request {
	LIST_ENTRY(ctl_request) entry;
	struct client *client;			/* NULL: gone */
	int64_t id;
	struct json_object *args;
	void (*gone)(struct ctl_request *req, void *data);
	void *gone_data;
};

struct ctl {
	struct event_base *base;
	const struct ctl_command *table;
	void *ctx;
	struct evconnlistener *listener;
	LIST_HEAD(, client) clients;
	unsigned int n_clients;
	struct unixsock_place place;
};

/* Clients */

static void request_free(struct ctl_request *req)
{
	if (req->client) {
		LIST_REMOVE(req, entry);
		req->client->n_requests--;
	}
	json_object_put(req->args);
	free(req);
}

static void request_orphan(struct ctl_request *req)
{
	LIST_REMOVE(req, entry);
	req->client = NULL;
	if (!req->gone)
		return;
	req->gone(req, req->gone_data);
	request_free(req);
}

static void client_free(struct client *cl)
{
	struct ctl_request *req;

	while ((req = LIST_FIRST(&cl->requests)))
		request_orphan(req);
	LIST_REMOVE(cl, entry);
	cl->ctl->n_clients--;
	if (cl->reaper)
		event_free(cl->reaper);
	bufferevent_free(cl->bev);
	free(cl);
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	client_free(arg);
}

/* The callers of ctl_ok() and the others hold pointers into what goes: not now, but from the loop. */
static void client_kill(struct client *cl)
{
	if (cl->dead)
		return;
	cl->dead = true;
	bufferevent_disable(cl->bev, EV_READ | EV_WRITE);
	event_active(cl->reaper, EV_TIMEOUT, 0);
}

static void client_done(struct client *cl)
{
	if (cl->finished && LIST_EMPTY(&cl->requests) &&
	    !evbuffer_get_length(bufferevent_get_output(cl->bev)))
		client_kill(cl);
}

/* Answers */

/* One line. Takes @o. */
static void client_send(struct client *cl, struct json_object *o)
{
	struct evbuffer *out = bufferevent_get_output(cl->bev);
	const char *s;
	size_t len;

	if (cl->dead)
		goto end;
	s = json_object_to_json_string_length(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	if (!s || evbuffer_get_length(out) + len >= CTL_OUTPUT_MAX ||
	    evbuffer_add(out, s, len) < 0 || evbuffer_add(out, "\n", 1) < 0)
		client_kill(cl);
end:
	json_object_put(o);
}

/* Owned by the result, also where memory is short: then it lacks the member, and the client sees that. */
static void put(struct json_object *o, const char *key, struct json_object *value)
{
	if (json_object_object_add(o, key, value) < 0)
		json_object_put(value);
}

static struct json_object *line_new(int64_t id)
{
	struct json_object *o = json_object_new_object();

	put(o, "id", json_object_new_int64(id));
	return o;
}

static const char *code_name(int r, char buf[16])
{
	const char *name = strerrorname_np(-r);

	snprintf(buf, 16, "E%d", -r);
	return name ? name : buf;
}

static void refuse(struct client *cl, int64_t id, int r, const char *field, const char *reason)
{
	struct json_object *o = line_new(id), *error = json_object_new_object();
	char buf[16];

	put(error, "code", json_object_new_string(code_name(r, buf)));
	put(error, "field", json_object_new_string(field));
	put(error, "reason", json_object_new_string(reason));
	put(o, "ok", json_object_new_boolean(false));
	put(o, "error", error);
	client_send(cl, o);
}

static void request_end(struct ctl_request *req)
{
	struct client *cl = req->client;

	request_free(req);
	if (cl)
		client_done(cl);
}

static bool fits_line(struct json_object *o)
{
	size_t len;

	/* Room for {"id":…,"ok":true,"result":…} */
	return json_object_to_json_string_length(
		       o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len) &&
	       len < AKM_CTL_LINE_MAX - 128;
}

void ctl_ok(struct ctl_request *req, struct json_object *result)
{
	struct json_object *o;

	if (!result)
		result = json_object_new_object();
	if (!req->client) {
		json_object_put(result);
	} else if (!fits_line(result)) {
		json_object_put(result);
		refuse(req->client, req->id, -EMSGSIZE, "result", "is longer than a line may be: ask for less");
	} else {
		o = line_new(req->id);
		put(o, "ok", json_object_new_boolean(true));
		put(o, "result", result);
		client_send(req->client, o);
	}
	request_end(req);
}

void ctl_fail(struct ctl_request *req, int r, const struct akm_error *err)
{
	if (req->client)
		refuse(req->client, req->id, r, err ? err->field : "",
		       err && err->reason[0] ? err->reason : strerror(-r));
	request_end(req);
}

void ctl_progress(struct ctl_request *req, const char *text)
{
	struct json_object *o;

	if (!req->client)
		return;
	o = line_new(req->id);
	put(o, "progress", json_object_new_string(text));
	client_send(req->client, o);
}

void ctl_item(struct ctl_request *req, struct json_object *item)
{
	struct json_object *o;

	if (!req->client || !fits_line(item)) {
		json_object_put(item);
		return;
	}
	o = line_new(req->id);
	put(o, "item", item);
	client_send(req->client, o);
}

void ctl_on_gone(struct ctl_request *req, void (*fn)(struct ctl_request *req, void *data), void *data)
{
	req->gone = fn;
	req->gone_data = data;
}

/* Arguments */

static struct json_object *arg(struct json_object *args, const char *name)
{
	struct json_object *v;

	return json_object_object_get_ex(args, name, &v) ? v : NULL;
}

const char *ctl_str(struct json_object *args, const char *name)
{
	struct json_object *v = arg(args, name);

	return v ? json_object_get_string(v) : NULL;
}

int64_t ctl_int(struct json_object *args, const char *name, int64_t absent)
{
	struct json_object *v = arg(args, name);

	return v ? json_object_get_int64(v) : absent;
}

bool ctl_bool(struct json_object *args, const char *name)
{
	struct json_object *v = arg(args, name);

	return v && json_object_get_boolean(v);
}

static int check_string(struct json_object *v, const char *name, struct akm_error *err)
{
	const char *s;
	size_t len;

	if (!json_object_is_type(v, json_type_string))
		return akm_error_set(err, -EINVAL, name, "must be a string");
	s = json_object_get_string(v);
	len = (size_t)json_object_get_string_len(v);
	if (len > CTL_STRING_MAX)
		return akm_error_set(err, -EINVAL, name, "is longer than %d bytes", CTL_STRING_MAX);
	if (strlen(s) != len)
		return akm_error_set(err, -EINVAL, name, "holds a NUL");
	return 0;
}

static int check_strings(struct json_object *v, const char *name, struct akm_error *err)
{
	size_t i, n;
	int r = 0;

	if (!json_object_is_type(v, json_type_array))
		return akm_error_set(err, -EINVAL, name, "must be an array of strings");
	n = json_object_array_length(v);
	if (n > MEMBERS_MAX)
		return akm_error_set(err, -EINVAL, name, "has more than %d items", MEMBERS_MAX);
	for (i = 0; !r && i < n; i++)
		r = check_string(json_object_array_get_idx(v, i), name, err);
	return r;
}

static int check_int(struct json_object *v, const char *name, struct akm_error *err)
{
	int64_t i;

	if (!json_object_is_type(v, json_type_int))
		return akm_error_set(err, -EINVAL, name, "must be a whole number");
	/* json-c turns what is too big into the biggest. */
	i = json_object_get_int64(v);
	if (i > ID_MAX || i < -ID_MAX)
		return akm_error_set(err, -EINVAL, name, "is beyond 2^53");
	return 0;
}

static int check_arg(const struct ctl_arg *a, struct json_object *v, struct akm_error *err)
{
	switch (a->type) {
	case CTL_STRING:
		return check_string(v, a->name, err);
	case CTL_INT:
		return check_int(v, a->name, err);
	case CTL_BOOL:
		if (json_object_is_type(v, json_type_boolean))
			return 0;
		return akm_error_set(err, -EINVAL, a->name, "must be true or false");
	case CTL_STRINGS:
		return check_strings(v, a->name, err);
	}
	return akm_error_set(err, -EINVAL, a->name, "has no type");
}

static const struct ctl_arg *find_arg(const struct ctl_command *c, const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(c->args) && c->args[i].name; i++)
		if (strcmp(c->args[i].name, name) == 0)
			return &c->args[i];
	return NULL;
}

static int check_args(const struct ctl_command *c, struct json_object *args, struct akm_error *err)
{
	const struct ctl_arg *a;
	size_t i;
	int r;

	json_object_object_foreach(args, name, value) {
		a = find_arg(c, name);
		if (!a)
			return akm_error_set(err, -EINVAL, name, "is no argument of %s", c->name);
		r = check_arg(a, value, err);
		if (r < 0)
			return r;
	}
	for (i = 0; i < ARRAY_SIZE(c->args) && c->args[i].name; i++)
		if (c->args[i].required && !arg(args, c->args[i].name))
			return akm_error_set(err, -EINVAL, c->args[i].name, "is missing");
	return 0;
}

/* Requests */

/*
 * Every key of an object is followed by the only colons outside of strings. json-c also takes
 * strings in single quotes, and comments: RFC 8259 does not. False: there is one.
 */
static bool keys_in_text(const char *s, size_t len, size_t *ret)
{
	bool string = false;
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		if (string && s[i] == '\\')
			i++;
		else if (s[i] == '"')
			string = !string;
		else if (!string && (s[i] == '\'' || s[i] == '/'))
			return false;
		else if (!string && s[i] == ':')
			n++;
	}
	*ret = n;
	return true;
}

/* As deep as the parser let it be */
static size_t keys_in_tree(struct json_object *o)
{
	size_t i, n = 0;

	if (json_object_is_type(o, json_type_array)) {
		for (i = 0; i < json_object_array_length(o); i++)
			n += keys_in_tree(json_object_array_get_idx(o, i));
	} else if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, value) {
			(void)key;
			n += 1 + keys_in_tree(value);
		}
	}
	return n;
}

/* *ret is set only on success. json-c keeps the last of equal keys: then it has fewer than the text. */
static int parse_line(const char *line, size_t len, struct json_object **ret, struct akm_error *err)
{
	struct json_tokener *tok = json_tokener_new_ex(CTL_DEPTH_MAX);
	struct json_object *o;
	enum json_tokener_error e;
	size_t end, keys;

	if (!tok)
		return akm_error_set(err, -ENOMEM, "request", "%s", strerror(ENOMEM));
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tok, line, (int)len);
	e = json_tokener_get_error(tok);
	end = json_tokener_get_parse_end(tok);
	json_tokener_free(tok);
	if (e == json_tokener_continue ||
	    (e == json_tokener_success && !json_object_is_type(o, json_type_object)))
		akm_error_set(err, -EBADMSG, "request", "is not a JSON object");
	else if (e != json_tokener_success || end != len)
		akm_error_set(err, -EBADMSG, "request", "is not JSON: %s at byte %zu",
			      e == json_tokener_success ? "more text" : json_tokener_error_desc(e), end);
	else if (!keys_in_text(line, len, &keys))
		akm_error_set(err, -EBADMSG, "request", "is not JSON: single quotes or a comment");
	else if (keys != keys_in_tree(o))
		akm_error_set(err, -EBADMSG, "request", "gives a key twice");
	else
		*ret = o;
	if (*ret == o && o)
		return 0;
	json_object_put(o);
	return -EBADMSG;
}

static int check_members(struct json_object *o, struct akm_error *err)
{
	json_object_object_foreach(o, key, value) {
		(void)value;
		if (strcmp(key, "id") && strcmp(key, "cmd") && strcmp(key, "args"))
			return akm_error_set(err, -EINVAL, key, "is none of id, cmd, args");
	}
	return 0;
}

/* 0: none, or not usable */
static int64_t read_id(struct json_object *o)
{
	struct json_object *v = arg(o, "id");
	int64_t id = v && json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 0;

	return id < 1 || id > ID_MAX ? 0 : id;
}

static bool id_open(const struct client *cl, int64_t id)
{
	const struct ctl_request *req;

	LIST_FOREACH(req, &cl->requests, entry)
		if (req->id == id)
			return true;
	return false;
}

static int find_command(const struct ctl *c, struct json_object *o, const struct ctl_command **ret,
			struct akm_error *err)
{
	struct json_object *cmd = arg(o, "cmd");
	const struct ctl_command *t;

	if (!json_object_is_type(cmd, json_type_string))
		return akm_error_set(err, -EINVAL, "cmd", cmd ? "must be a string" : "is missing");
	for (t = c->table; t->name; t++) {
		if (strcmp(t->name, json_object_get_string(cmd)) == 0) {
			*ret = t;
			return 0;
		}
	}
	return akm_error_set(err, -EOPNOTSUPP, "cmd", "%.64s: this daemon has no such command, akmctl status shows its role",
			     json_object_get_string(cmd));
}

static int check_request(struct client *cl, struct json_object *o, const struct ctl_command **ret,
			 struct json_object **ret_args, struct akm_error *err)
{
	struct json_object *args = arg(o, "args");
	int r;

	r = check_members(o, err);
	if (r < 0)
		return r;
	if (!read_id(o))
		return akm_error_set(err, -EINVAL, "id", "must be a whole number, 1 … 2^53 - 1");
	if (id_open(cl, read_id(o)))
		return akm_error_set(err, -EINVAL, "id", "is that of a request still open");
	if (cl->n_requests >= CTL_REQUESTS_MAX)
		return akm_error_set(err, -EBUSY, "id", "%d requests are open already", CTL_REQUESTS_MAX);
	r = find_command(cl->ctl, o, ret, err);
	if (r < 0)
		return r;
	if (arg(o, "args") ? !json_object_is_type(args, json_type_object)
			   : json_object_object_get_ex(o, "args", NULL))
		return akm_error_set(err, -EINVAL, "args", "must be an object");
	args = args ? json_object_get(args) : json_object_new_object();
	r = check_args(*ret, args, err);
	if (r < 0)
		json_object_put(args);
	else
		*ret_args = args;
	return r;
}

static void run_request(struct client *cl, const struct ctl_command *c, int64_t id,
			struct json_object *args)
{
	struct ctl_request *req = calloc(1, sizeof(*req));

	if (!req) {
		json_object_put(args);
		refuse(cl, id, -ENOMEM, "", strerror(ENOMEM));
		return;
	}
	req->client = cl;
	req->id = id;
	req->args = args;
	LIST_INSERT_HEAD(&cl->requests, req, entry);
	cl->n_requests++;
	c->run(req, args, cl->ctl->ctx);
}

static void handle_line(struct client *cl, const char *line, size_t len)
{
	struct json_object *o = NULL, *args = NULL;
	const struct ctl_command *c = NULL;
	struct akm_error err = {};
	int64_t id = 0;
	int r;

	r = parse_line(line, len, &o, &err);
	if (!r) {
		id = read_id(o);
		r = check_request(cl, o, &c, &args, &err);
		json_object_put(o);
	}
	if (r < 0)
		refuse(cl, id, r, err.field, err.reason);
	else
		run_request(cl, c, id, args);
}

/* Input */

static void on_read(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct client *cl = arg;
	size_t len;
	char *line;

	while (!cl->dead && !cl->finished && (line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF))) {
		handle_line(cl, line, len);
		free(line);
	}
	if (cl->dead || cl->finished || evbuffer_get_length(in) < AKM_CTL_LINE_MAX)
		return;
	refuse(cl, 0, -EMSGSIZE, "request", "is longer than a line may be");
	bufferevent_disable(bev, EV_READ);
	cl->finished = true;
	client_done(cl);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	(void)bev;
	client_done(arg);
}

/*
 * The end of input may be half of it (a shell's pipe that waits for its answer) or all: only
 * then the kernel reports POLLHUP.
 */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct pollfd p = { .fd = bufferevent_getfd(bev) };
	struct client *cl = arg;

	if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
		return;
	if ((what & BEV_EVENT_ERROR) || poll(&p, 1, 0) < 0 || (p.revents & (POLLHUP | POLLERR))) {
		client_kill(cl);
		return;
	}
	cl->finished = true;
	client_done(cl);
}

/* Accepting */

static bool peer_uid(int fd, uid_t *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	*ret = cred.uid;
	return true;
}

static bool peer_allowed(int fd)
{
	uid_t uid;

	return peer_uid(fd, &uid) && (uid == 0 || uid == geteuid());
}

void ctl_who(const struct ctl_request *req, char ret[CTL_WHO_MAX])
{
	uid_t uid;

	if (req->client && peer_uid(bufferevent_getfd(req->client->bev), &uid))
		snprintf(ret, CTL_WHO_MAX, "uid %u", uid);
	else
		snprintf(ret, CTL_WHO_MAX, "somebody");
}

static struct client *client_new(struct ctl *c, int fd)
{
	struct client *cl = calloc(1, sizeof(*cl));

	if (!cl)
		return NULL;
	cl->ctl = c;
	cl->reaper = event_new(c->base, -1, 0, on_reap, cl);
	cl->bev = bufferevent_socket_new(c->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!cl->reaper || !cl->bev) {
		if (cl->reaper)
			event_free(cl->reaper);
		if (cl->bev)
			bufferevent_free(cl->bev);
		else
			close(fd);
		free(cl);
		return NULL;
	}
	LIST_INIT(&cl->requests);
	LIST_INSERT_HEAD(&c->clients, cl, entry);
	c->n_clients++;
	return cl;
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
		      void *arg)
{
	static const char full[] =
		"{\"id\":0,\"ok\":false,\"error\":{\"code\":\"EBUSY\",\"field\":\"connection\",\"reason\":\"too many clients\"}}\n";
	struct ctl *c = arg;
	struct client *cl;

	(void)l;
	(void)sa;
	(void)len;
	if (!peer_allowed(fd) || c->n_clients >= CTL_CLIENTS_MAX) {
		/* A stranger is told nothing; who may come is told why not now. Not heard: no harm. */
		if (peer_allowed(fd))
			(void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		return;
	}
	cl = client_new(c, fd);
	if (!cl)
		return;
	bufferevent_setcb(cl->bev, on_read, on_written, on_event, cl);
	bufferevent_setwatermark(cl->bev, EV_READ, 0, AKM_CTL_LINE_MAX);
	bufferevent_enable(cl->bev, EV_READ | EV_WRITE);
}

int ctl_new(struct event_base *base, const char *path, const struct ctl_command *table, void *ctx,
	    struct ctl **ret, struct akm_error *err)
{
	struct ctl *c = calloc(1, sizeof(*c));
	int fd, r;

	if (!c)
		return akm_error_set(err, -ENOMEM, "socket", "%s", strerror(ENOMEM));
	c->base = base;
	c->table = table;
	c->ctx = ctx;
	LIST_INIT(&c->clients);
	r = unixsock_serve(path, "socket", BACKLOG, &c->place, &fd, err);
	if (r < 0) {
		ctl_free(c);
		return r;
	}
	c->listener = evconnlistener_new(base, on_accept, c,
					 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!c->listener) {
		close(fd);
		ctl_free(c);
		return akm_error_set(err, -ENOMEM, "socket", "%s", strerror(ENOMEM));
	}
	*ret = c;
	return 0;
}

void ctl_free(struct ctl *c)
{
	struct client *cl;

	if (!c)
		return;
	while ((cl = LIST_FIRST(&c->clients)))
		client_free(cl);
	if (c->listener)
		evconnlistener_free(c->listener);
	unixsock_withdraw(&c->place);
	free(c);
}
