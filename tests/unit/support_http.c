// SPDX-License-Identifier: GPL-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE			/* strcasestr, memmem */
#endif
#include "support_http.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "util.h"

#define ANSWER_MAX	(8U << 20)
#define WAIT_MS		60000

void http_free(struct http_answer *a)
{
	free(a->head);
	free(a->body);
	memset(a, 0, sizeof(*a));
}

int http_connect(const char *address)
{
	struct sockaddr_storage a = {};
	struct sockaddr_un *un = (struct sockaddr_un *)&a;
	int len = sizeof(a), fd;

	if (!strncmp(address, "unix:", 5)) {
		un->sun_family = AF_UNIX;
		strcpy(un->sun_path, address + 5);
		len = sizeof(*un);
	} else {
		assert_int_equal(evutil_parse_sockaddr_port(address, (struct sockaddr *)&a, &len), 0);
	}
	fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&a, (socklen_t)len) < 0)
		fail_msg("cannot connect to %s: %s", address, strerror(errno));
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

const char *http_header(const struct http_answer *a, const char *name)
{
	static char value[512];
	char key[64];
	const char *p;

	snprintf(key, sizeof(key), "\r\n%s:", name);
	p = a->head ? strcasestr(a->head, key) : NULL;
	if (!p)
		return NULL;
	p += strlen(key);
	p += strspn(p, " ");
	snprintf(value, sizeof(value), "%.*s", (int)strcspn(p, "\r\n"), p);
	return value;
}

/* Splits what has come; is it an answer as a whole? */
static bool whole(struct http_answer *a, const char *buf, size_t len, bool head_only)
{
	const char *end = memmem(buf, len, "\r\n\r\n", 4), *length;
	size_t head;

	if (!end)
		return false;
	head = (size_t)(end - buf);
	free(a->head);
	a->head = strndup(buf, head);
	assert_int_equal(sscanf(a->head, "HTTP/1.%*1[01] %3d", &a->status), 1);
	length = http_header(a, "Content-Length");
	a->len = head_only ? 0 : length ? strtoul(length, NULL, 10) : 0;
	return len - head - 4 >= a->len;
}

struct http_answer http_talk(struct event_base *base, int fd, const char *request, size_t len)
{
	char *buf = malloc(ANSWER_MAX);
	struct http_answer a = {};
	uint64_t until = now_ms() + WAIT_MS;
	size_t sent = 0, got = 0;
	bool head_only = len > 5 && !memcmp(request, "HEAD ", 5), done = false;
	ssize_t n;

	assert_non_null(buf);
	while (!done && !a.closed) {
		assert_true(now_ms() < until);
		n = sent < len ? send(fd, request + sent, len - sent, MSG_NOSIGNAL) : 0;
		sent += n > 0 ? (size_t)n : 0;
		event_base_loop(base, EVLOOP_NONBLOCK);
		n = recv(fd, buf + got, ANSWER_MAX - got, 0);
		a.closed = n == 0 || (n < 0 && errno != EAGAIN);
		got += n > 0 ? (size_t)n : 0;
		assert_true(got < ANSWER_MAX);
		done = whole(&a, buf, got, head_only);
	}
	if (a.status) {
		size_t head = strlen(a.head) + 4;

		assert_true(got >= head + a.len);
		a.body = strndup(buf + head, a.len);
	}
	free(buf);
	return a;
}

struct http_answer http_get(struct event_base *base, const char *address, const char *path)
{
	char request[512];
	int fd = http_connect(address);
	struct http_answer a;
	int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path);

	a = http_talk(base, fd, request, (size_t)len);
	close(fd);
	return a;
}

/* ---- metrics ---- */

struct family { char name[128], type[16]; bool sampled, ended; };
#define FAMILIES 256

struct check {
	struct family families[FAMILIES];
	size_t n;
	struct family *now;
	char **seen;			/* samples, as they are written */
	size_t n_seen;
};

static size_t name_len(const char *s, bool label)
{
	size_t n = 0;

	while (isalpha((unsigned char)s[n]) || s[n] == '_' || (!label && s[n] == ':') || (n && isdigit((unsigned char)s[n])))
		n++;
	return n;
}

static struct family *family_named(struct check *c, const char *name, size_t len)
{
	for (size_t i = 0; i < c->n; i++)
		if (strlen(c->families[i].name) == len && !memcmp(c->families[i].name, name, len))
			return &c->families[i];
	return NULL;
}

static void check_comment(struct check *c, const char *line)
{
	bool help = !strncmp(line, "# HELP ", 7);
	const char *name = line + 7;
	size_t len = name_len(name, false);

	if (!help && strncmp(line, "# TYPE ", 7))
		fail_msg("neither HELP nor TYPE: %s", line);
	if (!len || name[len] != ' ' || !name[len + 1])
		fail_msg("no name and text: %s", line);
	if (help) {
		if (c->now)
			c->now->ended = true;
		if (family_named(c, name, len))
			fail_msg("a family twice: %s", line);
		assert_true(c->n < FAMILIES && len < sizeof(c->families[0].name));
		c->now = &c->families[c->n++];
		memcpy(c->now->name, name, len);
		for (const char *p = name + len; (p = strchr(p, '\\')); p += 2)
			if (p[1] != '\\' && p[1] != 'n')
				fail_msg("a bad escape: %s", line);
		return;
	}
	if (!c->now || family_named(c, name, len) != c->now || c->now->type[0] || c->now->sampled)
		fail_msg("TYPE does not follow HELP: %s", line);
	snprintf(c->now->type, sizeof(c->now->type), "%s", name + len + 1);
	if (strcmp(c->now->type, "gauge") && strcmp(c->now->type, "counter") && strcmp(c->now->type, "summary"))
		fail_msg("no type of ours: %s", line);
	/* promtool check metrics */
	if (!strcmp(c->now->type, "counter") != (len > 6 && !memcmp(name + len - 6, "_total", 6)))
		fail_msg("counters, and they alone, end in _total: %s", line);
}

/* Return: what follows the closing brace. */
static const char *check_labels(const char *p, const char *line)
{
	const char *names[16];
	size_t lens[16], n = 0, i;

	while (*p != '}') {
		size_t len = name_len(p, true);

		if (!len || p[len] != '=' || p[len + 1] != '"' || n == 16)
			fail_msg("a bad label: %s", line);
		for (i = 0; i < n; i++)
			if (lens[i] == len && !memcmp(names[i], p, len))
				fail_msg("a label twice: %s", line);
		names[n] = p;
		lens[n++] = len;
		for (p += len + 2; *p != '"'; p++) {
			if (!*p)
				fail_msg("a label without its end: %s", line);
			if (*p == '\\' && !strchr("\\\"n", *++p))
				fail_msg("a bad escape: %s", line);
		}
		p++;
		if (*p == ',' && p[1] != '}')
			p++;
		else if (*p != '}')
			fail_msg("labels without a comma between them: %s", line);
	}
	return p + 1;
}

static bool of_family(const struct family *f, const char *name, size_t len)
{
	size_t own = strlen(f->name);

	if (len < own || memcmp(f->name, name, own))
		return false;
	if (strcmp(f->type, "summary"))
		return len == own;
	return (len == own + 4 && !memcmp(name + own, "_sum", 4)) || (len == own + 6 && !memcmp(name + own, "_count", 6));
}

static void check_sample(struct check *c, const char *line)
{
	size_t len = name_len(line, false);
	const char *p = line + len;
	char *end;

	if (!c->now || !c->now->type[0] || !of_family(c->now, line, len))
		fail_msg("a sample outside its family: %s", line);
	c->now->sampled = true;
	if (*p == '{')
		p = check_labels(p + 1, line);
	for (size_t i = 0; i < c->n_seen; i++)
		if (!strncmp(c->seen[i], line, (size_t)(p - line)) && c->seen[i][p - line] == '\0')
			fail_msg("a sample twice: %s", line);
	c->seen = realloc(c->seen, (c->n_seen + 1) * sizeof(*c->seen));
	assert_non_null(c->seen);
	c->seen[c->n_seen++] = strndup(line, (size_t)(p - line));
	if (*p != ' ' || !isdigit((unsigned char)p[1]))
		fail_msg("no value behind one blank: %s", line);
	strtod(p + 1, &end);
	if (*end)
		fail_msg("more behind the value: %s", line);
}

size_t metrics_check(const char *text)
{
	struct check *c = calloc(1, sizeof(*c));
	char *copy = strdup(text), *line, *next;
	size_t n;

	assert_true(c && copy);
	assert_true(*text && text[strlen(text) - 1] == '\n');
	for (line = copy; *line; line = next) {
		next = strchr(line, '\n');
		*next++ = '\0';
		if (*line == '#')
			check_comment(c, line);
		else
			check_sample(c, line);
	}
	for (size_t i = 0; i < c->n; i++)
		assert_true(c->families[i].type[0]);
	n = c->n_seen;
	for (size_t i = 0; i < n; i++)
		free(c->seen[i]);
	free(c->seen);
	free(c);
	free(copy);
	return n;
}

double metrics_value(const char *text, const char *sample)
{
	size_t len = strlen(sample);

	for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (!strncmp(p, sample, len) && p[len] == ' ')
			return strtod(p + len, NULL);
	return -1;
}
