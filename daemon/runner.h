/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The process that runs the programs of a policy, because akmd itself must not: it is forked before there is any
 * secret, gives up everything, and has nothing but one socket. On that it gets orders, one message each, and
 * tells how each ended. It ends with the daemon, and so do the programs that it has started.
 */
#ifndef AKM_RUNNER_H
#define AKM_RUNNER_H

#include "../include/akm-policy.h"
#include "util.h"

#define RUNNER_AT_ONCE		4	/* programs; further orders wait in the socket */
#define RUNNER_TIMEOUT_MS	30000	/* then a program and what it started are killed */
#define RUNNER_HOUR_MAX		120	/* starts in any hour, whatever the daemon asks for */
#define RUNNER_OUTPUT_MAX	65536	/* bytes that a program may print; then nobody reads any more */
#define RUNNER_SAID_LEN		160
#define RUNNER_RECORD_MAX	4096	/* bytes on a program's standard input */

struct runner_config {
	const char *directory;		/* of the programs */
	const char *user;		/* as whom they are run */
	const char *daemon_user;	/* who that must not be; NULL: root */
	uint32_t timeout_ms;		/* RUNNER_TIMEOUT_MS but in tests */
};

/* Both ends are of one binary: these are passed as they are. */
struct runner_order {
	uint64_t id;
	char name[POLICY_NAME_LEN];
	char record[RUNNER_RECORD_MAX];	/* as many as the message has */
};
#define RUNNER_ORDER_MIN	offsetof(struct runner_order, record)

enum runner_end {
	RUNNER_READY,			/* first, and of no order: @code is 0, or the negative errno of a failure */
	RUNNER_EXITED,			/* @code: its status */
	RUNNER_KILLED,			/* @code: the signal */
	RUNNER_TIMED_OUT,
	RUNNER_REFUSED,			/* not started: @said says why */
};

struct runner_result {
	uint64_t id;
	uint32_t end;			/* enum runner_end */
	int32_t code;
	uint32_t ms;			/* how long it took */
	char said[RUNNER_SAID_LEN + 4];	/* the first line that it printed */
};
_Static_assert(sizeof(struct runner_result) == 8 + 3 * 4 + RUNNER_SAID_LEN + 4, "padding would leak the stack");

/*
 * Before akm_secret_init(), and as root. Return: 0 and the daemon's end of the socket, which does not block, once the
 * runner has given up what it does not need; or a negative errno with @err.
 */
int runner_start(const struct runner_config *c, int *ret_fd, struct akm_error *err);

#endif /* AKM_RUNNER_H */
