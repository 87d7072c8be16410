// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE			/* strerrorname_np() */
#include "ctl.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <akm-ctl.h>

#include "records.h"

#define REQUEST_ID	1		/* one request per connection */
#define JSON_DEPTH_MAX	32
#define ERRNO_MAX	133

/* ------------------------------------------------------------ which socket */

static int copy_path(const char *path, const char *field, char ret_path[AKM_CTL_PATH_MAX], struct akm_error *e)
{
	if (!*path || strlen(path) >= AKM_CTL_PATH_MAX) {
		akm_error_set(e, EINVAL, field, "a socket's path has 1 to %d bytes", AKM_CTL_PATH_MAX - 1);
		e->usage = true;
		return -EINVAL;
	}
	strcpy(ret_path, path);
	return 0;
}

static int several(const glob_t *g, struct akm_error *e)
{
	char list[256] = "";
	size_t i, n = 0;

	for (i = 0; i < g->gl_pathc && n < sizeof(list); i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, " %s", g->gl_pathv[i]);
	akm_error_set(e, EINVAL, "socket", "which daemon? Give --socket (or AKM_SOCKET) one of%s", list);
	e->usage = true;
	return -EINVAL;
}

int akm_ctl_find(const char *option, const char *env, const char *dir, char ret_path[AKM_CTL_PATH_MAX],
		 struct akm_error *e)
{
	char pattern[256];
	glob_t g = {};
	int r;

	if (option)
		return copy_path(option, "--socket", ret_path, e);
	if (env && *env)
		return copy_path(env, "AKM_SOCKET", ret_path, e);
	snprintf(pattern, sizeof(pattern), "%s/*.sock", dir);
	r = glob(pattern, 0, NULL, &g);
	if (r == GLOB_NOMATCH)
		r = akm_error_set(e, ENOENT, "socket", "no daemon has a control socket in %s: is akmd running, and are you root?",
				  dir);
	else if (r)
		r = akm_error_set(e, EIO, "socket", "cannot look into %s", dir);
	else if (g.gl_pathc > 1)
		r = several(&g, e);
	else
		r = copy_path(g.gl_pathv[0], "socket", ret_path, e);
	globfree(&g);
	return r;
}

int akm_ctl_connect(const char *path, struct akm_error *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, code;

	if (strlen(path) >= sizeof(un.sun_path))
		return akm_error_set(e, EINVAL, "socket", "%s is too long for a socket's path", path);
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return akm_error_set(e, errno, "socket", "%s", strerror(errno));
	if (!connect(fd, (struct sockaddr *)&un, sizeof(un)))
		return fd;
	code = errno;
	close(fd);
	if (code == ECONNREFUSED)
		return akm_error_set(e, code, "socket", "nobody listens on %s: start akmd", path);
	if (code == ENOENT)
		return akm_error_set(e, code, "socket", "%s does not exist: is akmd running?", path);
	if (code == EACCES || code == EPERM)
		return akm_error_set(e, code, "socket", "%s is open to root and the daemon's user only", path);
	return akm_error_set(e, code, "socket", "%s: %s", path, strerror(code));
}

int akm_ctl_hurry(int fd, struct akm_error *e)
{
	struct timeval limit = { .tv_sec = AKM_CTL_HURRY_S };
	int r;

	if (!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		return fd;
	r = akm_error_set(e, errno, "socket", "%s", strerror(errno));
	close(fd);
	return r;
}

/* ------------------------------------------------------------ lines */

struct reader {
	int fd;
	char *buf;
	size_t len, room;
};

static void reader_free(struct reader *rd)
{
	free(rd->buf);
}

/* Return: bytes received, 0 at the end. */
static int fill(struct reader *rd, struct akm_error *e)
{
	ssize_t n;

	if (rd->len == rd->room) {
		size_t room = rd->room ? 2 * rd->room : 4096;
		char *more = room <= 2 * AKM_CTL_LINE_MAX ? realloc(rd->buf, room) : NULL;

		if (!more)
			return akm_error_set(e, EMSGSIZE, "answer", "the daemon sent a line that is too long");
		rd->buf = more;
		rd->room = room;
	}
	do {
		n = read(rd->fd, rd->buf + rd->len, rd->room - rd->len);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return akm_error_set(e, ETIMEDOUT, "answer", "the daemon does not answer: it hangs, or its machine does");
	if (n < 0)
		return akm_error_set(e, errno, "answer", "%s", strerror(errno));
	rd->len += (size_t)n;
	return (int)n;
}

static int parse_line(const char *line, size_t len, struct json_object **ret, struct akm_error *e)
{
	struct json_tokener *tok = json_tokener_new_ex(JSON_DEPTH_MAX);
	struct json_object *o = NULL;
	enum json_tokener_error err = json_tokener_error_parse_unexpected;

	if (tok) {
		json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		o = json_tokener_parse_ex(tok, line, (int)len);
		err = json_tokener_get_error(tok);
		if (err == json_tokener_success && json_tokener_get_parse_end(tok) != len)
			err = json_tokener_error_parse_unexpected;
		json_tokener_free(tok);
	}
	if (err == json_tokener_success && json_object_is_type(o, json_type_object)) {
		*ret = o;
		return 0;
	}
	json_object_put(o);
	return akm_error_set(e, EPROTO, "answer", "the daemon sent no JSON object: %s",
			     err == json_tokener_success ? "another type" : json_tokener_error_desc(err));
}

static int next_line(struct reader *rd, struct json_object **ret, struct akm_error *e)
{
	char *end;
	int r;

	while (!(end = rd->len ? memchr(rd->buf, '\n', rd->len) : NULL)) {
		if (rd->len >= AKM_CTL_LINE_MAX)
			return akm_error_set(e, EMSGSIZE, "answer", "the daemon sent a line of more than %d bytes",
					     AKM_CTL_LINE_MAX);
		r = fill(rd, e);
		if (r < 0)
			return r;
		if (!r)
			return akm_error_set(e, ECONNRESET, "answer", "the daemon closed the connection before it answered");
	}
	r = parse_line(rd->buf, (size_t)(end - rd->buf), ret, e);
	rd->len -= (size_t)(end + 1 - rd->buf);
	memmove(rd->buf, end + 1, rd->len);
	return r;
}

static int send_all(int fd, const char *data, size_t len, struct akm_error *e)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return akm_error_set(e, errno, "request", "the daemon does not take it: %s", strerror(errno));
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_request(int fd, const char *cmd, struct json_object *args, struct akm_error *e)
{
	_cleanup_(akm_json_freep) struct json_object *o = json_object_new_object();
	const char *text;
	int r;

	if (!args)
		args = json_object_new_object();
	if (!o || !args) {
		json_object_put(args);
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	}
	json_object_object_add(o, "id", json_object_new_int(REQUEST_ID));
	json_object_object_add(o, "cmd", json_object_new_string(cmd));
	json_object_object_add(o, "args", args);
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (strlen(text) >= AKM_CTL_LINE_MAX)
		return akm_error_set(e, EMSGSIZE, "request", "is longer than %d bytes", AKM_CTL_LINE_MAX);
	r = send_all(fd, text, strlen(text), e);
	return r < 0 ? r : send_all(fd, "\n", 1, e);
}

/* ------------------------------------------------------------ answers */

static int errno_of(const char *name)
{
	int i;

	for (i = 1; name && i <= ERRNO_MAX; i++) {
		const char *known = strerrorname_np(i);

		if (known && !strcmp(known, name))
			return i;
	}
	return EREMOTEIO;
}

static int refused(struct json_object *line, struct akm_error *e)
{
	struct json_object *error;
	const char *field, *reason;

	if (!json_object_object_get_ex(line, "error", &error) || !json_object_is_type(error, json_type_object))
		return akm_error_set(e, EPROTO, "answer", "the daemon refused without a reason");
	field = akm_json_str(error, "field");
	reason = akm_json_str(error, "reason");
	return akm_error_set(e, errno_of(akm_json_str(error, "code")), field && *field ? field : NULL, "%s",
			     reason && *reason ? reason : "the daemon gave no reason");
}

static bool is_ours(struct json_object *line)
{
	struct json_object *id;

	return json_object_object_get_ex(line, "id", &id) && json_object_is_type(id, json_type_int) &&
	       json_object_get_int64(id) == REQUEST_ID;
}

/* Return: 1 if this was the answer, 0 if more follows. */
static int take_line(struct json_object *line, akm_ctl_line_fn on_line, void *arg, struct json_object **ret_result,
		     struct akm_error *e)
{
	struct json_object *ok, *result = NULL;
	int r;

	if (!is_ours(line))
		return akm_error_set(e, EPROTO, "answer", "the daemon answered another request");
	if (akm_json_has(line, "progress") || akm_json_has(line, "item")) {
		r = on_line ? on_line(line, arg, e) : 0;
		return r < 0 ? r : 0;
	}
	if (!json_object_object_get_ex(line, "ok", &ok) || !json_object_is_type(ok, json_type_boolean))
		return akm_error_set(e, EPROTO, "answer", "the daemon sent neither progress, item, answer nor refusal");
	if (!json_object_get_boolean(ok))
		return refused(line, e);
	if (!json_object_object_get_ex(line, "result", &result) || !json_object_is_type(result, json_type_object))
		return akm_error_set(e, EPROTO, "answer", "the daemon's answer has no result");
	*ret_result = json_object_get(result);
	return 1;
}

int akm_ctl_request(int fd, const char *cmd, struct json_object *args, akm_ctl_line_fn on_line, void *arg,
		    struct json_object **ret_result, struct akm_error *e)
{
	_cleanup_(reader_free) struct reader rd = { .fd = fd };
	int r = send_request(fd, cmd, args, e);

	if (r < 0)
		return r;
	do {
		_cleanup_(akm_json_freep) struct json_object *line = NULL;

		r = next_line(&rd, &line, e);
		r = r < 0 ? r : take_line(line, on_line, arg, ret_result, e);
	} while (!r);
	return r < 0 ? r : 0;
}
