// SPDX-License-Identifier: GPL-2.0
/*
 * One manager and many nodes. The manager is as akmd runs it, with a real database; its TPM is in software, and its
 * calls are counted. The nodes are what the manager sees of them: the real way up (superior.c: link, backoff,
 * heartbeats), and answers to what they are told, without a kernel and a disk. They live in a process of their own, so
 * that what this one uses is the manager's.
 *
 * SCALE_NODES says how many (make check-scale: 1,000 and others, and prints figures). They are in ATRs of ATR_MEMBERS
 * at most: every member has a secret with every other, and each is told of its own.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "support_world.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "kdf.h"
#include "log.h"
#include "store.h"
#include "record.h"
#include "superior.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define M (&world.manager)
#define R (&world.root)

#define NODES_DEFAULT	40
#define ATR_MEMBERS	1000

/* What the process of the nodes shows to this one */
struct shown {
	atomic_uint up, active;
};
static struct shown *shown;

/* One node, as its manager sees it */
struct client {
	char name[AKM_NAME_LEN];
	uint8_t id[AKM_ID_LEN];
	struct akm_blob key;		/* K, as the nodes' TPM wraps it */
	struct superior *superior;
	struct evidence *evidence;
	uint32_t atr, active, pending, port;
};

static struct {
	unsigned int n;
	struct client *clients;
	struct fake_tpm *tpm;		/* of all nodes */
	pid_t pid;			/* of their process; 0: they do not run */
	struct rusage used;		/* when the measurement began */
	unsigned int calls;
	uint64_t begun_ms;
} scale;

static unsigned int nodes_wanted(void)
{
	const char *text = getenv("SCALE_NODES");
	int n = text ? atoi(text) : NODES_DEFAULT;

	assert_in_range(n, 3, NODES_MAX);
	return (unsigned int)n;
}

/* ---- the nodes, in their process ---- */

static int no_add(void *ctx, const struct msg_event *e, uint64_t *ret_seq)
{
	(void)ctx, (void)e;
	*ret_seq = 1;
	return 0;
}

static int no_each(void *ctx, uint64_t since, size_t limit, evidence_fn fn, void *fn_ctx)
{
	(void)ctx, (void)since, (void)limit, (void)fn, (void)fn_ctx;
	return 0;
}

static int no_ack(void *ctx, uint64_t seq)
{
	(void)ctx, (void)seq;
	return 0;
}

static int no_outbox(void *ctx, size_t limit, evidence_fn fn, void *fn_ctx)
{
	return no_each(ctx, 0, limit, fn, fn_ctx);
}

static int no_alerts(void *ctx, uint64_t since, evidence_fn fn, void *fn_ctx)
{
	return no_each(ctx, since, 0, fn, fn_ctx);
}

static int no_last(void *ctx, uint64_t *ret_seq)
{
	(void)ctx;
	*ret_seq = 0;
	return 0;
}

static void client_hello(struct msg_hello *h, const struct link_peer_info *info, void *ctx)
{
	const struct client *c = ctx;

	(void)info;
	h->n_endpoints = 1;
	h->endpoints[0] = (struct msg_endpoint){ { 10, 200, (uint8_t)(c->port >> 8), (uint8_t)c->port }, 4, 0 };
}

static int client_accept(const struct msg_hello *h, struct akm_error *err, void *ctx)
{
	(void)h, (void)err, (void)ctx;
	return 0;
}

static void client_up(struct link *l, void *ctx)
{
	(void)l, (void)ctx;
	atomic_fetch_add(&shown->up, 1);
}

static void client_down(void *ctx)
{
	(void)ctx;
	atomic_fetch_sub(&shown->up, 1);
}

static void activate(struct client *c, uint32_t generation)
{
	atomic_fetch_add(&shown->active, !c->active);
	c->active = generation;
	c->pending = 0;
}

static void leave(struct client *c)
{
	if (c->active)
		atomic_fetch_sub(&shown->active, 1);
	c->atr = c->active = c->pending = 0;
}

static int client_message(struct link *l, struct msg *m, void *ctx)
{
	struct client *c = ctx;

	switch (m->type) {
	case MSG_ATR_PREPARE:
		c->atr = m->prepare.atr_id;
		if (m->prepare.generation > c->active)
			c->pending = m->prepare.generation;
		break;
	case MSG_ATR_ACTIVATE:
		activate(c, m->activate.generation);
		break;
	case MSG_ATR_RETIRE:
		break;
	case MSG_ATR_DELETE:
		leave(c);
		break;
	default:
		return -EPROTO;
	}
	return reply_ok(l, m->request);
}

static int client_heartbeat(struct msg_heartbeat *h, void *ctx)
{
	const struct client *c = ctx;

	if (!c->atr)
		return 0;
	h->atrs = calloc(1, sizeof(*h->atrs));
	if (!h->atrs)
		return -ENOMEM;
	h->n_atrs = 1;
	h->atrs[0] = (struct msg_atr_state){ .atr_id = c->atr, .generation = c->active, .pending = c->pending,
					     .incarnation = 1 };
	return 0;
}

static int client_next(uint64_t n, void *ctx)
{
	(void)n, (void)ctx;
	return 0;
}

static void client_start(struct client *c, struct event_base *base, struct tpmq *q, const char *address)
{
	static const struct evidence_backend backend = { NULL, no_add, no_each, no_ack, no_outbox, no_alerts, no_last };
	struct superior_config cfg = {
		.base = base, .q = q, .name = c->name, .issuer = "MgmtMod", .role = ROLE_NODE, .key = &c->key, .n = 1,
		.n_addresses = 1, .heartbeat_ms = 5000, .heartbeat_missed = 12,
		.ops = { client_hello, client_accept, client_up, client_down, client_message, client_heartbeat, client_next, NULL, NULL, NULL },
		.ctx = c,
	};

	memcpy(cfg.id, c->id, AKM_ID_LEN);
	snprintf(cfg.addresses[0], sizeof(cfg.addresses[0]), "%s", address);
	if (evidence_new(base, c->name, &backend, NULL, &c->evidence) < 0)
		exit(1);
	cfg.evidence = c->evidence;
	if (superior_new(&cfg, &c->superior) < 0)
		exit(1);
}

/* Nothing of this process's is used but its memory: descriptors, the loop and its TPM's thread stay behind. */
static void clients_run(const char *address)
{
	struct event_base *base;
	struct tpmq *q;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close_range(3, ~0U, 0);
	akm_log_init("nodes", AKM_LOG_ERR);
	base = event_base_new();
	if (!base || tpmq_new(base, fake_keystore(scale.tpm), &q) < 0)
		exit(1);
	for (unsigned int i = 0; i < scale.n; i++)
		client_start(&scale.clients[i], base, q, address);
	event_base_dispatch(base);
	exit(1);
}

static void clients_begin(void)
{
	scale.pid = fork();
	assert_true(scale.pid >= 0);
	if (!scale.pid)
		clients_run(M->config.listen);
}

static void clients_end(void)
{
	if (!scale.pid)
		return;
	kill(scale.pid, SIGKILL);
	waitpid(scale.pid, NULL, 0);
	scale.pid = 0;
	memset(shown, 0, sizeof(*shown));
}

/* ---- what is measured ---- */

static void measure(void)
{
	getrusage(RUSAGE_SELF, &scale.used);
	scale.calls = fake_tpm_calls(M->tpm);
	scale.begun_ms = now_ms();
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static void report(const char *what)
{
	struct rusage now;

	getrusage(RUSAGE_SELF, &now);
	print_message("scale: %u nodes, %s: %.2f s, %.2f s of CPU, %u TPM calls\n", scale.n, what,
		      (double)(now_ms() - scale.begun_ms) / 1e3,
		      seconds(now.ru_utime) + seconds(now.ru_stime) - seconds(scale.used.ru_utime) -
		      seconds(scale.used.ru_stime), fake_tpm_calls(M->tpm) - scale.calls);
}

static long resident_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* ---- the fleet ---- */

static struct akm_blob domain_of(struct store *s)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	struct record record = {};
	struct akm_error err = {};
	struct akm_blob domain;

	assert_int_equal(store_get(s, "provision", &b), 0);
	assert_int_equal(record_decode(b.data, b.len, &record, &err), 0);
	domain = record.domain;
	record.domain = (struct akm_blob){};
	record_free(&record);
	return domain;
}

/* As the provisioning exchange would have left it, at both ends */
static void enroll(struct store *s, const struct akm_blob *domain, const struct keystore_identity *id, unsigned int i)
{
	struct keystore *manager = fake_keystore(M->tpm), *node = fake_keystore(scale.tpm);
	_cleanup_(akm_blob_free) struct akm_blob dup = {};
	struct client *c = &scale.clients[i];
	struct store_node n = { .state = NODE_PROVISIONED, .link_n = 1, .since_ms = wall_ms() };

	snprintf(c->name, sizeof(c->name), "node-%05u", i);
	c->port = i;
	assert_int_equal(RAND_bytes(c->id, sizeof(c->id)), 1);
	memcpy(n.id, c->id, sizeof(n.id));
	snprintf(n.name, sizeof(n.name), "%s", c->name);
	snprintf(n.label, sizeof(n.label), "MgmtMod-%s", c->name);
	assert_int_equal(keystore_pair_create(manager, domain, id, &n.key, &dup), 0);
	assert_int_equal(keystore_pair_import(node, &dup, &c->key), 0);
	assert_int_equal(akm_blob_dup(id->ek_name.data, id->ek_name.len, &n.ek_name), 0);
	assert_int_equal(akm_blob_dup(id->ek_public.data, id->ek_public.len, &n.ek_public), 0);
	assert_int_equal(akm_blob_dup(id->parent_public.data, id->parent_public.len, &n.parent_public), 0);
	assert_int_equal(akm_blob_dup(id->parent_name.data, id->parent_name.len, &n.parent_name), 0);
	assert_int_equal(store_node_put(s, &n), 0);
	store_node_free(&n);
	keystore_close(manager);
	keystore_close(node);
}

static void enroll_all(void)
{
	struct keystore *node = fake_keystore(scale.tpm);
	struct keystore_identity id = {};
	struct akm_error err = {};
	struct akm_blob domain;
	struct store *s;
	char path[200];

	snprintf(path, sizeof(path), "%s/akm.db", M->dir);
	assert_int_equal(store_open(path, &s, &err), 0);
	domain = domain_of(s);
	assert_int_equal(keystore_identity(node, &id), 0);
	assert_int_equal(store_begin(s), 0);
	for (unsigned int i = 0; i < scale.n; i++)
		enroll(s, &domain, &id, i);
	assert_int_equal(store_commit(s), 0);
	store_close(s);
	keystore_identity_free(&id);
	akm_blob_free(&domain);
	keystore_close(node);
}

static int begin(void **state)
{
	(void)state;
	memset(&scale, 0, sizeof(scale));
	scale.n = nodes_wanted();
	scale.clients = calloc(scale.n, sizeof(*scale.clients));
	scale.tpm = fake_tpm_new(false);
	shown = mmap(NULL, sizeof(*shown), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(scale.clients && shown != MAP_FAILED);
	world_begin(0);
	world.real_time = true;
	world.wait_ms = WORLD_WAIT_MS + 60ULL * scale.n;
	ask_ok(R, "node-provision", "{\"name\":\"MgmtMod\",\"via\":\"unix:%s\"}", M->via);
	until(!is_down(M));
	actor_stop(M);
	M->config.heartbeat_ms = 5000;
	M->config.heartbeat_missed = 12;
	M->config.prepare_timeout_ms = 10000;
	enroll_all();
	return 0;
}

static int end(void **state)
{
	(void)state;
	clients_end();
	world_end();
	for (unsigned int i = 0; i < scale.n; i++)
		akm_blob_free(&scale.clients[i].key);
	free(scale.clients);
	fake_tpm_free(scale.tpm);
	munmap(shown, sizeof(*shown));
	return 0;
}

/* All of them come at once, to a manager that has just started. */
static void storm(void)
{
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	until(atomic_load(&shown->up) == scale.n);
}

static unsigned int atrs(void)
{
	return (scale.n + ATR_MEMBERS - 1) / ATR_MEMBERS;
}

/* ATR @number, from 0, has the next so many nodes */
static struct asked *create(unsigned int number)
{
	const unsigned int first = number * ATR_MEMBERS, end = first + ATR_MEMBERS;
	char *args = malloc(64 + (size_t)ATR_MEMBERS * (AKM_NAME_LEN + 3));
	struct asked *q;
	size_t at = 0;

	assert_non_null(args);
	at += (size_t)sprintf(args, "{\"label\":\"all-%u\",\"members\":[", number);
	for (unsigned int i = first; i < scale.n && i < end; i++)
		at += (size_t)sprintf(args + at, "%s\"%s\"", i > first ? "," : "", scale.clients[i].name);
	sprintf(args + at, "]}");
	q = ask_begin(M, "atr-create", "%s", args);
	free(args);
	return q;
}

static struct asked *rekey(unsigned int number)
{
	return ask_begin(M, "atr-rekey", "{\"atr\":\"all-%u\"}", number);
}

static void finish(struct asked *q, const char *what)
{
	struct json_object *answer = ask_end(q);

	if (!json_object_get_boolean(json_object_object_get(answer, "ok")))
		fail_msg("%s: %s", what, json_object_to_json_string(answer));
	json_object_put(answer);
}

static void each_atr(struct asked *(*ask_for)(unsigned int number), const char *what)
{
	measure();
	for (unsigned int i = 0; i < atrs(); i++)
		finish(ask_for(i), what);
	report(what);
}

static void test_scale(void **state)
{
	long before = resident_kib(), after;

	(void)state;
	clients_begin();
	measure();
	storm();
	report("come at once");

	each_atr(create, "in ATRs");
	assert_int_equal(atomic_load(&shown->active), scale.n);
	each_atr(rekey, "rekey");

	measure();
	finish(ask_begin(M, "node-evict", "{\"node\":\"%s\"}", scale.clients[0].name), "one is evicted");
	report("one is evicted");

	after = resident_kib();
	print_message("scale: %u nodes, memory: %ld KiB a node\n", scale.n, (after - before) / (long)scale.n);

	/* The manager dies, and they all come back. */
	actor_stop(M);
	until(!atomic_load(&shown->up));
	measure();
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	until(atomic_load(&shown->up) == scale.n - 1);
	report("come back at once");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_scale, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
