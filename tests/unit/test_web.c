// SPDX-License-Identifier: GPL-2.0
/* The page's server against clients of every kind: who is answered, what, and for how long. */
#include "web.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "log.h"
#include "priv.h"
#include "support_dir.h"
#include "support_http.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED	1
#else
#define SANITIZED	0
#endif

static struct event_base *base;
static struct web *web;
static char address[160];
static unsigned int made;
static int failure;

static int make_data(FILE *f, void *ctx)
{
	(void)ctx;
	made++;
	return failure ?: fprintf(f, "{\"n\":%u}", made) < 0 ? -EIO : 0;
}

static int make_big(FILE *f, void *ctx)
{
	(void)ctx;
	for (int i = 0; i < 400000; i++)
		fputs("0123456789", f);
	return 0;
}

static const struct web_resource resources[] = {
	{ "/api/data.json", WEB_JSON, make_data },
	{ "/big", "text/plain", make_big },
	{ .path = NULL }
};

static int setup(void **state)
{
	struct akm_error err = {};

	(void)state;
	akm_log_init("test", AKM_LOG_ERR);
	scratch_make();
	made = 0;
	failure = 0;
	base = event_base_new();
	snprintf(address, sizeof(address), "unix:%s", scratch_path("web.sock"));
	if (web_new(base, address, resources, NULL, &web, &err) < 0)
		fail_msg("%s: %s", err.field, err.reason);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	web_free(web);
	web = NULL;
	assert_int_equal(scratch_count(""), 0);	/* its socket is gone as well */
	event_base_free(base);
	scratch_remove();
	return 0;
}

/* One request, whole, on a connection of its own */
static struct http_answer talk(const char *request)
{
	int fd = http_connect(address);
	struct http_answer a = http_talk(base, fd, request, strlen(request));

	close(fd);
	return a;
}

static void expect(const char *request, int status)
{
	struct http_answer a = talk(request);

	if (a.status != status)
		fail_msg("%d, not %d, to:\n%s", a.status, status, request);
	http_free(&a);
}

/* ---- what is there ---- */

static void assert_headers(const struct http_answer *a)
{
	assert_string_equal(http_header(a, "Content-Security-Policy"),
			    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
	assert_string_equal(http_header(a, "X-Content-Type-Options"), "nosniff");
	assert_string_equal(http_header(a, "Referrer-Policy"), "no-referrer");
	assert_string_equal(http_header(a, "Cache-Control"), "no-store");
	assert_string_equal(http_header(a, "Cross-Origin-Resource-Policy"), "same-origin");
	assert_null(http_header(a, "Access-Control-Allow-Origin"));
	assert_null(http_header(a, "Server"));
}

static void test_files(void **state)
{
	(void)state;
	for (size_t i = 0; web_files[i].path; i++) {
		struct http_answer a = http_get(base, address, web_files[i].path);

		assert_int_equal(a.status, 200);
		assert_headers(&a);
		assert_string_equal(http_header(&a, "Content-Type"), web_files[i].type);
		assert_int_equal(a.len, web_files[i].end - web_files[i].data);
		assert_memory_equal(a.body, web_files[i].data, a.len);
		assert_non_null(strstr(a.body, "SPDX-License-Identifier"));
		/* Nothing of it is elsewhere, and nothing runs that is not a file of ours. */
		for (const char *p = a.body; (p = strstr(p, "://")); p++)
			assert_true(!strncmp(p, "://www.w3.org/2000/svg\"", 23));
		assert_null(strstr(a.body, "innerHTML ="));
		assert_null(strstr(a.body, " style="));
		assert_null(strstr(a.body, "onclick="));
		http_free(&a);
	}
}

static void test_data(void **state)
{
	struct http_answer a;

	(void)state;
	a = http_get(base, address, "/api/data.json");
	assert_int_equal(a.status, 200);
	assert_string_equal(http_header(&a, "Content-Type"), "application/json");
	assert_headers(&a);
	assert_string_equal(a.body, "{\"n\":1}");
	http_free(&a);
	a = talk("HEAD /api/data.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
	assert_int_equal(a.status, 200);
	assert_string_equal(http_header(&a, "Content-Length"), "7");
	assert_string_equal(a.body, "");
	http_free(&a);
}

/* However often it is asked for, it is made once in a while. */
static void test_made_once(void **state)
{
	uint64_t from = now_ms(), made_ms = 0;
	unsigned int n = 0;

	(void)state;
	for (; now_ms() - from < 300; n++) {
		struct http_answer a = http_get(base, address, "/api/data.json?fresh=yes");

		if (!made_ms)
			made_ms = now_ms();
		assert_int_equal(a.status, 200);
		http_free(&a);
	}
	assert_true(n > 2);
	assert_int_equal(made, 1);
	while (now_ms() - made_ms < WEB_FRESH_MS)
		event_base_loop(base, EVLOOP_NONBLOCK);
	expect("GET /api/data.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200);
	assert_int_equal(made, 2);
}

static void test_not_now(void **state)
{
	struct http_answer a;

	(void)state;
	failure = -EAGAIN;
	a = http_get(base, address, "/api/data.json");
	assert_int_equal(a.status, 503);
	assert_headers(&a);
	assert_string_equal(a.body, "not yet: akmd is starting\n");
	http_free(&a);
	failure = 0;
	expect("GET /api/data.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200);
}

static void test_keep_alive(void **state)
{
	static const char request[] = "GET /api/data.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
	int fd = http_connect(address);

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct http_answer a = http_talk(base, fd, request, strlen(request));

		assert_int_equal(a.status, 200);
		assert_false(a.closed);
		http_free(&a);
	}
	close(fd);
}

/* ---- what is refused ---- */

static void test_host(void **state)
{
	static const char *const good[] = { "localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:7647", "[::1]", "[::1]:80" };
	static const char *const bad[] = { "evil.example", "localhost.evil.example", "localhost:80@evil", "127.0.0.1.nip.io",
					   "localhost:", "localhost:8a", "[::1]x", "192.0.2.1", "127.0.0.12", "", "localhost, evil" };
	char request[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", good[i]);
		expect(request, 200);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct http_answer a;

		snprintf(request, sizeof(request), "GET /api/data.json HTTP/1.1\r\nHost: %s\r\n\r\n", bad[i]);
		a = talk(request);
		if (a.status != 421 && a.status != 400)
			fail_msg("Host: %s is answered by %d", bad[i], a.status);
		assert_null(a.body ? strstr(a.body, "\"n\"") : NULL);
		http_free(&a);
	}
	/* None, and two of them */
	expect("GET / HTTP/1.0\r\n\r\n", 421);
	expect("GET / HTTP/1.1\r\n\r\n", 400);
	expect("GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 421);
	expect("GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421);
	assert_int_equal(made, 0);
}

static void test_methods(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "get", "FOO" };
	char request[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		struct http_answer a;

		snprintf(request, sizeof(request), "%s / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", methods[i]);
		a = talk(request);
		assert_int_equal(a.status, 405);
		assert_string_equal(http_header(&a, "Allow"), "GET, HEAD");
		assert_headers(&a);
		http_free(&a);
	}
}

static void test_paths(void **state)
{
	static const char *const paths[] = { "/../../etc/passwd", "/..%2f..%2fetc/passwd", "//", "/index.html", "/./", "/app.js/",
					     "/api", "/api/", "/api/data.json/", "/%2e%2e/", "/APP.JS", "/app.js%20", "/metrics",
					     "/<script>alert(1)</script>", "/%3Cscript%3E" };
	char request[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct http_answer a;

		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", paths[i]);
		a = talk(request);
		assert_int_equal(a.status, 404);
		/* What was asked for does not come back. */
		assert_string_equal(a.body, "there is nothing here\n");
		assert_string_equal(http_header(&a, "Content-Type"), "text/plain; charset=utf-8");
		assert_headers(&a);
		http_free(&a);
	}
	assert_int_equal(made, 0);
}

static void test_bodies(void **state)
{
	(void)state;
	expect("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 200);
	expect("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", 400);
	expect("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n", 400);
	expect("GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 400);
	expect("POST /api/data.json HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nx=1", 405);
}

/* Return: status; 0: the connection was closed. */
static int talk_bytes(const char *data, size_t len)
{
	int fd = http_connect(address), status;
	struct http_answer a;

	a = http_talk(base, fd, data, len);
	status = a.status;
	http_free(&a);
	close(fd);
	return status;
}

static void test_garbage(void **state)
{
	static const char *const garbage[] = {
		"\r\n\r\n\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
		"\x16\x03\x01\x02\x01\x01\x01\xfd\x03\x03\r\n\r\n", "GET / HTTP/1.1\r\n: localhost\r\n\r\n",
		"GET / HTTP/1.1\nHost localhost\n\n", "{\"id\":1,\"cmd\":\"status\"}\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		int fd = http_connect(address);
		struct http_answer a;

		/* Nothing more follows: it must not wait for ever either. */
		a = http_talk(base, fd, garbage[i], strlen(garbage[i]));
		if (a.status == 200)
			fail_msg("answered: %s", garbage[i]);
		http_free(&a);
		close(fd);
	}
	assert_int_equal(made, 0);
	expect("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200);
}

static void test_oversize(void **state)
{
	size_t len = 4 * WEB_MEMORY, n;
	char *buf = malloc(len + 64);
	int status;

	(void)state;
	assert_non_null(buf);
	n = (size_t)sprintf(buf, "GET /");
	memset(buf + n, 'a', len);
	memcpy(buf + n + len, " HTTP/1.1\r\n\r\n", 13);
	status = talk_bytes(buf, n + len + 13);
	assert_true(status == 414 || status == 431 || status == 400 || !status);
	n = (size_t)sprintf(buf, "GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
	memset(buf + n, 'a', len - n);
	status = talk_bytes(buf, len);
	assert_true(status == 431 || status == 413 || status == 400 || !status);
	for (n = (size_t)sprintf(buf, "GET / HTTP/1.1\r\nHost: localhost\r\n"); n + 16 < len;)
		n += (size_t)sprintf(buf + n, "X-%zu: y\r\n", n);
	status = talk_bytes(buf, n);
	assert_true(status == 431 || status == 413 || status == 400 || !status);
	free(buf);
	assert_int_equal(made, 0);
	expect("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200);
}

/* ---- who is slow ---- */

static bool is_closed(int fd)
{
	char c[256];
	ssize_t n = recv(fd, c, sizeof(c), 0);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

/* A byte now and then begins no new time: a place is held for as long as one request may take. */
static void test_slow(void **state)
{
	static const char drip[] = "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
	int dripping = http_connect(address), silent = http_connect(address), reader = http_connect(address), size = 1;
	uint64_t from = now_ms(), last = 0;
	bool a = false, b = false, c = false;
	size_t n = 0;

	(void)state;
	/* who asks for much and does not read it */
	assert_int_equal(setsockopt(reader, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	assert_true(send(reader, "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n", 39, MSG_NOSIGNAL) == 39);
	while (!a || !b || !c) {
		uint64_t now = now_ms();

		assert_true(now - from < 4 * WEB_REQUEST_MS);
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		if (now - last > 200 && !a) {
			char byte = n < sizeof(drip) - 1 ? drip[n++] : 'x';

			last = now;
			a = send(dripping, &byte, 1, MSG_NOSIGNAL) < 0;
		}
		a = a || is_closed(dripping);
		b = b || is_closed(silent);
		if (now - from > WEB_REQUEST_MS + 2000)	/* then what was underway is read, up to the cut */
			c = c || is_closed(reader);
		if ((a || b || c) && now - from < WEB_REQUEST_MS - 1500)
			fail_msg("closed after %llu ms", (unsigned long long)(now - from));
	}
	assert_true(now_ms() - from < 2 * WEB_REQUEST_MS);
	close(dripping);
	close(silent);
	close(reader);
	expect("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200);
}

static size_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int connect_and_turn(void)
{
	int fd = http_connect(address);

	for (int turns = 0; turns < 20; turns++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	return fd;
}

/* More than there are places: the others wait in the kernel, and have theirs when one is free. */
static void test_many(void **state)
{
	int fds[2 * WEB_CONNECTIONS_MAX];
	size_t before = open_files(), i;
	struct http_answer a;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(fds) && i < WEB_CONNECTIONS_MAX + 8; i++)
		fds[i] = connect_and_turn();
	assert_true(open_files() - before <= i + WEB_CONNECTIONS_MAX);
	while (i > 1)
		close(fds[--i]);
	a = http_get(base, address, "/");
	assert_int_equal(a.status, 200);
	http_free(&a);
	close(fds[0]);
	for (int turns = 0; turns < 200; turns++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_in_range(open_files(), before - 1, before + 1);
}

/* ---- where it listens ---- */

static void test_socket(void **state)
{
	struct akm_error err = {};
	struct web *second = NULL;
	struct stat st;

	(void)state;
	assert_int_equal(stat(scratch_path("web.sock"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(web_new(base, address, resources, NULL, &second, &err), -EADDRINUSE);
	assert_string_equal(err.field, "web");
	expect("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200);
}

static void test_tcp(void **state)
{
	struct akm_error err = {};
	struct web *second = NULL, *third = NULL;
	struct http_answer a;
	char tcp[64];
	int port;

	(void)state;
	for (port = 20000 + getpid() % 20000;; port++) {
		snprintf(tcp, sizeof(tcp), "127.0.0.1:%d", port);
		if (!web_new(base, tcp, resources, NULL, &second, &err))
			break;
		assert_int_equal(web_new(base, tcp, resources, NULL, &second, &err), -EADDRINUSE);
	}
	a = http_get(base, tcp, "/");
	assert_int_equal(a.status, 200);
	http_free(&a);
	assert_int_equal(web_new(base, tcp, resources, NULL, &third, &err), -EADDRINUSE);
	web_free(second);
	/* It begins again at once: a restart does not wait for old connections to be forgotten. */
	assert_int_equal(web_new(base, tcp, resources, NULL, &second, &err), 0);
	web_free(second);
}

/* ---- what nobody needs to see ---- */

static void test_stripped(void **state)
{
	struct json_object *o = json_tokener_parse(
		"{\"id\":\"abcd\",\"hardware\":\"ee\",\"atrs\":[{\"id\":7,\"key_name\":\"k\",\"label\":\"x\"}],"
		"\"peer\":{\"key_name\":\"k\",\"id\":\"ff\",\"name\":\"R\"},\"sources\":\"ek\",\"ek_name\":\"e\",\"n\":null}");
	char text[256] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_int_equal(web_put_json(f, o), 0);
	fclose(f);
	assert_string_equal(text, "{\"atrs\":[{\"id\":7,\"label\":\"x\"}],\"peer\":{\"name\":\"R\"},\"n\":null}");
	f = fmemopen(text, sizeof(text), "w");
	assert_int_equal(web_put_json(f, NULL), -ENOMEM);
	fclose(f);
}

/* ---- in the daemon's cage ---- */

static int serve_caged(void)
{
	struct akm_error err = {};
	struct http_answer a;
	int fd;

	if (priv_drop(NULL, false, &err) < 0)
		return 2;
	if (web_new(base, address, resources, NULL, &web, &err) < 0)
		return 3;
	a = http_get(base, address, "/api/data.json");
	if (a.status != 200)
		return 4;
	http_free(&a);
	a = http_get(base, address, "/big");
	if (a.status != 200 || a.len != 4000000)
		return 5;
	http_free(&a);
	a = http_get(base, address, "/nowhere");
	if (a.status != 404)
		return 6;
	http_free(&a);
	/* left half way */
	fd = http_connect(address);
	if (send(fd, "GET /", 5, MSG_NOSIGNAL) != 5)
		return 7;
	event_base_loop(base, EVLOOP_NONBLOCK);
	close(fd);
	event_base_loop(base, EVLOOP_NONBLOCK);
	web_free(web);
	return 0;
}

/* No system call that akmd's filter does not have: it would be the end of the daemon. */
static void test_caged(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (SANITIZED)
		skip();			/* their own calls are not on the list */
	web_free(web);
	web = NULL;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(event_reinit(base) < 0 ? 1 : serve_caged());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_files), TEST(test_data), TEST(test_made_once), TEST(test_not_now), TEST(test_keep_alive),
		TEST(test_host), TEST(test_methods), TEST(test_paths), TEST(test_bodies), TEST(test_garbage), TEST(test_oversize),
		TEST(test_slow), TEST(test_many), TEST(test_socket), TEST(test_tcp), TEST(test_stripped), TEST(test_caged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
