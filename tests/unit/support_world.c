// SPDX-License-Identifier: GPL-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "ctl.h"
#include "hardware.h"
#include "log.h"
#include "support_clock.h"
#include "support_dir.h"

struct world world;

/* ---- actors ---- */

static uint16_t free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(a);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

static char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	assert_true(vasprintf(&s, fmt, ap) >= 0);
	va_end(ap);
	return s;
}

static void set_listen(struct config *c, uint16_t port)
{
	if (!port)
		port = free_port();
	free(c->listen);
	c->listen = text("127.0.0.1:%u", port);
	snprintf(c->announce[0], sizeof(c->announce[0]), "127.0.0.1:%u", port);
	c->n_announce = 1;
}

void actor_set_hardware(struct actor *a, const char *hardware)
{
	char name[AKM_NAME_LEN + 4];

	snprintf(name, sizeof(name), "hw-%s", a->name);
	scratch_write(name, hardware, strlen(hardware));
}

static void actor_init(struct actor *a, const char *name, enum msg_role role, const struct role_ops *ops)
{
	struct config *c = &a->config;

	memset(a, 0, sizeof(*a));
	snprintf(a->name, sizeof(a->name), "%s", name);
	snprintf(c->name, sizeof(c->name), "%s", name);
	a->ops = ops;
	a->tpm = fake_tpm_new(false);
	snprintf(a->dir, sizeof(a->dir), "%s/%s", scratch_dir(), name);
	snprintf(a->via, sizeof(a->via), "%s/%s.prov", scratch_dir(), name);
	assert_int_equal(mkdir(a->dir, 0700), 0);
	actor_set_hardware(a, name);
	c->role = role;
	c->state = text("%s", a->dir);
	c->socket = text("%s/%s.sock", scratch_dir(), name);
	c->sources = text("ek,file:%s/hw-%s", scratch_dir(), name);
	c->heartbeat_ms = 50;
	c->heartbeat_missed = 40;
	c->prepare_timeout_ms = 500;
	c->grace_ms = 100;
	c->epoch_grace_ms = 1000;
	c->link_next_s = 86400;
	c->auth_fail = c->replay = (struct config_rule){ 100, 10, ACTION_REKEY };
	c->clone = (struct config_rule){ 1, 60, ACTION_REKEY };
	c->unknown_key = (struct config_rule){ 100, 10, ACTION_ALERT };
	c->epoch_stale = (struct config_rule){ 1000, 10, ACTION_ALERT };
	c->hold_down_s = 60;
	c->fallback_after_ms = 200;
	if (role == ROLE_NODE)
		snprintf(c->group_link, sizeof(c->group_link), "eth0");
	c->pcrs = 0x95;
	c->attest_interval_s = 3600;
	if (role != ROLE_NODE)
		set_listen(c, 0);
	if (role != ROLE_ROOT)
		c->provision = text("unix-listen:%s", a->via);
	if (role == ROLE_NODE)
		a->kernel = fake_kernel_new();
}

void actor_set_port(struct actor *a, uint16_t port)
{
	assert_null(a->role);
	set_listen(&a->config, port);
}

uint16_t actor_port(const struct actor *a)
{
	return (uint16_t)atoi(strrchr(a->config.listen, ':') + 1);
}

void actor_drop(struct actor *a)
{
	actor_stop(a);
	fake_tpm_free(a->tpm);
	fake_kernel_free(a->kernel);
	free(a->config.state);
	free(a->config.socket);
	free(a->config.sources);
	free(a->config.listen);
	free(a->config.provision);
}

static void on_ready(void *ctx)
{
	struct actor *a = ctx;

	assert_false(a->ready);
	a->ready = true;
}

static void on_failed(void *ctx, int r)
{
	struct actor *a = ctx;

	a->failed = r;
}

static void drop_env(struct actor *a)
{
	tpmq_free(a->env.q);
	akm_blob_free(&a->env.ek_name);
	memset(&a->env, 0, sizeof(a->env));
}

int actor_start(struct actor *a)
{
	struct keystore *ks = fake_keystore(a->tpm);
	struct keystore_identity id = {};
	struct akm_error err = {};
	int r;

	assert_null(a->role);
	a->ready = false;
	a->failed = 0;
	a->env = (struct role_env){ .base = world.base, .config = &a->config, .keystore = ks,
				    .hooks_fd = a->hooked ? a->hooks_fd : -1, .ready = on_ready, .failed = on_failed, .ctx = a };
	a->hooked = false;
	assert_int_equal(keystore_identity(ks, &id), 0);
	assert_int_equal(akm_blob_dup(id.ek_name.data, id.ek_name.len, &a->env.ek_name), 0);
	keystore_identity_free(&id);
	if (a->config.role != ROLE_ROOT)
		assert_int_equal(hardware_read(&a->env, &err), 0);
	assert_int_equal(tpmq_new(world.base, ks, &a->env.q), 0);
	fake_kernel_use(a->kernel);
	r = a->ops->start(&a->env, &a->role, &err);
	fake_kernel_use(NULL);
	if (r < 0) {
		a->role = NULL;
		drop_env(a);
	}
	return r;
}

void actor_stop(struct actor *a)
{
	if (!a->role)
		return;
	a->ops->stop(a->role);
	a->role = NULL;
	drop_env(a);
}

void actor_reboot(struct actor *a)
{
	actor_stop(a);
	fake_kernel_reboot(a->kernel);
	assert_int_equal(actor_start(a), 0);
}

void world_new_manager(struct actor *old, const char *name)
{
	assert_null(world.manager.role);
	*old = world.manager;
	actor_init(&world.manager, name, ROLE_MANAGER, &role_manager);
	actor_set_port(&world.manager, actor_port(old));
	assert_int_equal(actor_start(&world.manager), 0);
	until(world.manager.ready);
}

void world_set_policy(const char *text)
{
	static char path[256];

	scratch_write("policy", text, strlen(text));
	snprintf(path, sizeof(path), "%s/policy", scratch_dir());
	world.manager.config.policy_file = path;
}

void world_start_with(const char *text)
{
	actor_stop(&world.manager);
	world_set_policy(text);
	assert_int_equal(actor_start(&world.manager), 0);
	until(world.manager.ready);
}

void world_copy(struct actor *of, struct actor *ret)
{
	char cmd[512];

	assert_null(of->role);
	*ret = *of;
	ret->tpm = fake_tpm_copy(of->tpm);
	ret->kernel = fake_kernel_new();
	snprintf(ret->dir, sizeof(ret->dir), "%s/copy", scratch_dir());
	snprintf(ret->via, sizeof(ret->via), "%s/copy.prov", scratch_dir());
	ret->config.state = text("%s", ret->dir);
	ret->config.socket = text("%s/copy.sock", scratch_dir());
	ret->config.sources = text("%s", of->config.sources);
	ret->config.listen = NULL;
	ret->config.provision = text("unix-listen:%s", ret->via);
	snprintf(cmd, sizeof(cmd), "cp -a '%s' '%s'", of->dir, ret->dir);
	assert_int_equal(system(cmd), 0);
}

static void empty(const char *dir)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
}

void actor_forget(struct actor *a)
{
	assert_null(a->role);
	empty(a->dir);
}

/* ---- the world ---- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

void world_begin(size_t n_nodes)
{
	struct timeval tv = { .tv_usec = 2000 };
	static bool secrets;		/* once in a process */

	assert_true(n_nodes <= WORLD_NODES);
	memset(&world, 0, sizeof(world));
	scratch_make();
	signal(SIGPIPE, SIG_IGN);	/* as main.c does */
	akm_log_init("world", getenv("WORLD_LOG") ? AKM_LOG_DEBUG : AKM_LOG_ERR);
	if (!secrets)
		assert_int_equal(akm_secret_init(16 << 20), 0);
	secrets = true;
	world.base = event_base_new();
	assert_non_null(world.base);
	world.tick = event_new(world.base, -1, EV_PERSIST, on_tick, NULL);
	assert_int_equal(event_add(world.tick, &tv), 0);
	world.n_nodes = n_nodes;
	actor_init(&world.root, "Backend", ROLE_ROOT, &role_root);
	actor_init(&world.manager, "MgmtMod", ROLE_MANAGER, &role_manager);
	for (size_t i = 0; i < n_nodes; i++) {
		char name[] = "EdgeNodeA";

		name[8] = (char)('A' + i);
		actor_init(&world.nodes[i], name, ROLE_NODE, &role_node);
	}
	assert_int_equal(actor_start(&world.root), 0);
	assert_int_equal(actor_start(&world.manager), 0);
	for (size_t i = 0; i < n_nodes; i++)
		assert_int_equal(actor_start(&world.nodes[i]), 0);
	until(world.root.ready && world.manager.ready);
	for (size_t i = 0; i < n_nodes; i++)
		until(world.nodes[i].ready);
}

void world_end(void)
{
	for (size_t i = 0; i < world.n_nodes; i++)
		actor_drop(&world.nodes[i]);
	actor_drop(&world.manager);
	actor_drop(&world.root);
	event_free(world.tick);
	event_base_free(world.base);
	scratch_remove();
}

static void check_hearing(void)
{
	for (size_t i = 0; i < world.n_watched; i++) {
		for (size_t j = 0; j < world.n_watched; j++) {
			const char *why;

			if (i != j && !fake_kernel_hears(world.nodes[i].kernel, world.nodes[j].kernel, world.watched, &why))
				fail_msg("turn %u: %s is not heard by %s on %s: %s", world.turns, world.nodes[i].name,
					 world.nodes[j].name, world.watched, why);
		}
	}
}

/* Two ticks and some work. An eviction's two seconds (P5) are four hundred turns, then, on any machine. */
#define TURN_MS_MAX 5

void world_turn(void)
{
	clock_turn(world.real_time ? UINT_MAX : TURN_MS_MAX);
	world.turns++;
	event_base_loop(world.base, EVLOOP_ONCE);
	if (world.watched)
		check_hearing();
}

void world_watch(const char *ifname, size_t n_nodes)
{
	world.watched = ifname;
	world.n_watched = n_nodes;
	if (ifname)
		check_hearing();
}

static bool link_is_up(struct actor *a)
{
	struct json_object *answer = ask(a, "status", "{}");
	bool up = !strcmp(text_at(answer, "peer.state"), "up");

	json_object_put(answer);
	return up;
}

void world_provision(void)
{
	ask_ok(&world.root, "node-provision", "{\"name\":\"MgmtMod\",\"via\":\"unix:%s\"}", world.manager.via);
	until(link_is_up(&world.manager));
	for (size_t i = 0; i < world.n_nodes; i++) {
		ask_ok(&world.manager, "node-provision", "{\"name\":\"%s\",\"via\":\"unix:%s\"}", world.nodes[i].name,
		       world.nodes[i].via);
		until(link_is_up(&world.nodes[i]));
	}
}

/* ---- control socket ---- */

struct asked {
	int fd;
	char *buf;
	size_t len, size;
	struct json_object *answer, *items;
};

static int connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

__attribute__((format(printf, 3, 0)))
static struct asked *vask(struct actor *a, const char *cmd, const char *args_fmt, va_list ap)
{
	struct asked *q = calloc(1, sizeof(*q));
	char *args, *line;

	assert_non_null(q);
	q->fd = connect_to(a->config.socket);
	q->size = 1 << 20;
	q->buf = malloc(q->size);
	q->items = json_object_new_array();
	assert_non_null(q->buf);
	assert_true(vasprintf(&args, args_fmt, ap) >= 0);
	line = text("{\"id\":1,\"cmd\":\"%s\",\"args\":%s}\n", cmd, args);
	assert_int_equal(write(q->fd, line, strlen(line)), (ssize_t)strlen(line));
	free(args);
	free(line);
	return q;
}

struct asked *ask_begin(struct actor *a, const char *cmd, const char *args_fmt, ...)
{
	struct asked *q;
	va_list ap;

	va_start(ap, args_fmt);
	q = vask(a, cmd, args_fmt, ap);
	va_end(ap);
	return q;
}

static void take_line(struct asked *q, char *line)
{
	struct json_object *o = json_tokener_parse(line), *item;

	assert_non_null(o);
	if (json_object_object_get_ex(o, "ok", NULL)) {
		assert_null(q->answer);
		q->answer = o;
		return;
	}
	if (json_object_object_get_ex(o, "item", &item))
		json_object_array_add(q->items, json_object_get(item));
	json_object_put(o);
}

bool ask_done(struct asked *q)
{
	ssize_t n;
	char *end;

	while (!q->answer && (n = read(q->fd, q->buf + q->len, q->size - q->len - 1)) > 0) {
		q->len += (size_t)n;
		q->buf[q->len] = '\0';
		while ((end = strchr(q->buf, '\n'))) {
			*end = '\0';
			take_line(q, q->buf);
			q->len -= (size_t)(end + 1 - q->buf);
			memmove(q->buf, end + 1, q->len + 1);
		}
		assert_true(q->len < q->size - 1);
	}
	return q->answer;
}

bool ask_granted(struct asked *q)
{
	return ask_done(q) && json_object_get_boolean(json_object_object_get(q->answer, "ok"));
}

void ask_drop(struct asked *q)
{
	close(q->fd);
	free(q->buf);
	json_object_put(q->items);
	json_object_put(q->answer);
	free(q);
}

struct json_object *ask_end(struct asked *q)
{
	struct json_object *answer;

	until(ask_done(q));
	answer = json_object_get(q->answer);
	if (json_object_array_length(q->items))
		json_object_object_add(answer, "items", json_object_get(q->items));
	ask_drop(q);
	return answer;
}

__attribute__((format(printf, 3, 0)))
static struct json_object *vask_end(struct actor *a, const char *cmd, const char *args_fmt, va_list ap)
{
	return ask_end(vask(a, cmd, args_fmt, ap));
}

struct json_object *ask(struct actor *a, const char *cmd, const char *args_fmt, ...)
{
	struct json_object *answer;
	va_list ap;

	va_start(ap, args_fmt);
	answer = vask_end(a, cmd, args_fmt, ap);
	va_end(ap);
	return answer;
}

void ask_ok(struct actor *a, const char *cmd, const char *args_fmt, ...)
{
	struct json_object *answer;
	va_list ap;

	va_start(ap, args_fmt);
	answer = vask_end(a, cmd, args_fmt, ap);
	va_end(ap);
	if (!json_object_get_boolean(json_object_object_get(answer, "ok")))
		fail_msg("%s: %s", cmd, json_object_to_json_string(answer));
	json_object_put(answer);
}

void ask_refused(struct actor *a, const char *code, const char *field, const char *cmd, const char *args_fmt, ...)
{
	struct json_object *answer, *error;
	va_list ap;

	va_start(ap, args_fmt);
	answer = vask_end(a, cmd, args_fmt, ap);
	va_end(ap);
	error = json_object_object_get(answer, "error");
	if (!error || strcmp(json_object_get_string(json_object_object_get(error, "code")), code) ||
	    strcmp(json_object_get_string(json_object_object_get(error, "field")), field) ||
	    !json_object_get_string_len(json_object_object_get(error, "reason")))
		fail_msg("%s is not refused with %s %s: %s", cmd, code, field, json_object_to_json_string(answer));
	json_object_put(answer);
}

struct json_object *at(struct json_object *answer, const char *path)
{
	struct json_object *o = json_object_object_get(answer, "result");
	char word[64];

	while (o && *path) {
		size_t len = strcspn(path, ".");

		snprintf(word, sizeof(word), "%.*s", (int)len, path);
		path += len + (path[len] == '.');
		if (json_object_is_type(o, json_type_array))
			o = json_object_array_get_idx(o, strtoul(word, NULL, 10));
		else
			o = json_object_object_get(o, word);
	}
	return o;
}

const char *text_at(struct json_object *answer, const char *path)
{
	struct json_object *o = at(answer, path);

	return o ? json_object_get_string(o) : "";
}

int64_t number_at(struct json_object *answer, const char *path)
{
	struct json_object *o = at(answer, path);

	return o ? json_object_get_int64(o) : -1;
}

unsigned int events_of(struct actor *a, const char *kind)
{
	struct json_object *answer = ask(a, "events", "{}"), *items = json_object_object_get(answer, "items");
	unsigned int n = 0;

	for (size_t i = 0; items && i < json_object_array_length(items); i++)
		n += !strcmp(json_object_get_string(json_object_object_get(json_object_array_get_idx(items, i), "kind")), kind);
	json_object_put(answer);
	return n;
}

/* ---- stories of #1 ---- */

bool is_down(struct actor *a)
{
	struct json_object *answer = ask(a, "status", "{}");
	bool down = strcmp(text_at(answer, "peer.state"), "up");

	json_object_put(answer);
	return down;
}

bool hears_all(size_t n)
{
	const char *why;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			if (i != j && !fake_kernel_hears(world.nodes[i].kernel, world.nodes[j].kernel, "akm1", &why))
				return false;
	return true;
}

bool all_on(size_t n, uint32_t generation)
{
	for (size_t i = 0; i < n; i++)
		if (fake_kernel_active(world.nodes[i].kernel, "akm1") != generation)
			return false;
	return hears_all(n);
}

bool all_only_on(size_t n, uint32_t generation)
{
	if (!all_on(n, generation))
		return false;
	for (size_t i = 0; i < n; i++)
		for (uint32_t g = 1; g < generation; g++)
			if (fake_kernel_holds(world.nodes[i].kernel, "akm1", g))
				return false;
	return true;
}

void create_abc(void)
{
	ask_ok(&world.manager, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeB\",\"EdgeNodeC\"]}");
	until(hears_all(3));
}

bool member_is(const char *name, const char *state)
{
	struct json_object *answer = ask(&world.manager, "atr-show", "{\"atr\":\"1\"}"), *members = at(answer, "members");
	bool found = false;

	for (size_t i = 0; members && i < json_object_array_length(members); i++) {
		struct json_object *m = json_object_array_get_idx(members, i);

		if (!strcmp(json_object_get_string(json_object_object_get(m, "node")), name))
			found = !strcmp(json_object_get_string(json_object_object_get(m, "state")), state);
	}
	json_object_put(answer);
	return found;
}

bool atr_is(const char *state)
{
	struct json_object *answer = ask(&world.manager, "atr-show", "{\"atr\":\"1\"}");
	bool is = !strcmp(text_at(answer, "state"), state);

	json_object_put(answer);
	return is;
}

void settle(uint32_t generation)
{
	until(all_only_on(3, generation) && atr_is("stable"));
}

int world_setup(void **state)
{
	(void)state;
	world_begin(3);
	world_provision();
	return 0;
}

int world_teardown(void **state)
{
	(void)state;
	world_end();
	return 0;
}
