/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Root, manager and nodes as akmd runs them, in one process and one event loop, over
 * real loopback links, unix streams and files. Only TPMs (keystore_fake.c) and kernels
 * (nl_fake.c) are not real; the test program includes both. Every failure ends the test.
 */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include <json-c/json.h>

#include "keystore_fake.h"
#include "nl_fake.h"
#include "role.h"

#define WORLD_NODES	4
#define WORLD_WAIT_MS	60000

struct actor {
	char name[AKM_NAME_LEN];
	const struct role_ops *ops;
	struct fake_tpm *tpm;
	struct fake_kernel *kernel;	/* nodes */
	struct config config;
	struct role_env env;
	bool hooked;			/* the next start takes hooks_fd: the daemon's end of a runner's socket */
	int hooks_fd;
	void *role;			/* NULL: not running */
	bool ready;
	int failed;			/* what the role could not go on for */
	char dir[128], via[160];
};

struct world {
	struct event_base *base;
	struct event *tick;
	struct actor root, manager, nodes[WORLD_NODES];
	size_t n_nodes;
	const char *watched;		/* interface: the watched nodes must hear each other after every turn */
	size_t n_watched;
	unsigned int turns;
	bool real_time;			/* how long it takes is measured: no clock is held back (support_clock.h) */
	uint64_t wait_ms;		/* how long until() waits; 0: WORLD_WAIT_MS */
};
extern struct world world;

int world_setup(void **state);			/* cmocka's: three nodes, provisioned; no ATR */
int world_teardown(void **state);
void world_begin(size_t n_nodes);		/* all are started, nobody is provisioned */
void world_provision(void);			/* manager by root, nodes by manager */
void world_end(void);
void world_turn(void);				/* of the event loop: at most a few milliseconds */
void world_watch(const char *ifname, size_t n_nodes);	/* NULL: stop watching */

int actor_start(struct actor *a);		/* Return: what the role's start() did */
void actor_stop(struct actor *a);		/* at once, whatever is under way */
void actor_reboot(struct actor *a);		/* the kernel's state is lost as well; starts again */
void actor_forget(struct actor *a);		/* while stopped: its state directory is empty */
/*
 * The manager, which is stopped, moves to @old. A fresh machine @name with its address is the world's manager now,
 * and is started. actor_drop() @old.
 */
void world_new_manager(struct actor *old, const char *name);
void actor_drop(struct actor *a);
/* @of's machine, which is off, copied whole: its TPM, its state directory and what makes its hardware value. actor_drop() it. */
void world_copy(struct actor *of, struct actor *ret);
/* @text is the manager's policy file, from its next start on; at the end, config.policy_file has to be NULL again. */
void world_set_policy(const char *text);
void world_start_with(const char *text);	/* likewise, and it is stopped and started */
void actor_set_port(struct actor *a, uint16_t port);	/* while stopped; 0: a free one */
uint16_t actor_port(const struct actor *a);
void actor_set_hardware(struct actor *a, const char *text);

/* A request on @a's control socket */
struct asked;
struct asked *ask_begin(struct actor *a, const char *cmd, const char *args_fmt, ...) __attribute__((format(printf, 3, 4)));
bool ask_done(struct asked *q);			/* also reads; call it between turns */
bool ask_granted(struct asked *q);		/* done, and it was not refused */
/* The whole last line: json_object_put() it. Turns the world until it comes. @q is gone. */
struct json_object *ask_end(struct asked *q);
void ask_drop(struct asked *q);			/* the client goes away */
struct json_object *ask(struct actor *a, const char *cmd, const char *args_fmt, ...) __attribute__((format(printf, 3, 4)));
void ask_ok(struct actor *a, const char *cmd, const char *args_fmt, ...) __attribute__((format(printf, 3, 4)));
/* It is refused with this code and field. */
void ask_refused(struct actor *a, const char *code, const char *field, const char *cmd, const char *args_fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* The value at "a.b.0.c" of an answer's result; NULL if it is not there */
struct json_object *at(struct json_object *answer, const char *path);
const char *text_at(struct json_object *answer, const char *path);	/* "" if it is not there */
int64_t number_at(struct json_object *answer, const char *path);	/* -1 if it is not there */
/* How many events of @kind @a has recorded */
unsigned int events_of(struct actor *a, const char *kind);

#define until(cond) do {							\
	uint64_t until_ = now_ms() + (world.wait_ms ?: WORLD_WAIT_MS);		\
	while (!(cond)) {							\
		if (now_ms() > until_)						\
			fail_msg("waited for %s", #cond);			\
		world_turn();							\
	}									\
} while (0)

/* For stories of #1 */
bool is_down(struct actor *a);			/* its link upwards */
bool hears_all(size_t n);			/* the first @n nodes hear each other on akm1 */
bool all_on(size_t n, uint32_t generation);	/* and send on this generation */
bool all_only_on(size_t n, uint32_t generation);	/* and hold none that is older */
void create_abc(void);
bool member_is(const char *name, const char *state);
bool atr_is(const char *state);
void settle(uint32_t generation);		/* waits until all three are on it, and the manager is done */

#endif /* SUPPORT_WORLD_H */
