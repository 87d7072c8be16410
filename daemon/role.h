/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What main.c gives a role, and what a role gives main.c. Roles never include
 * roles; what two of them share is a module of its own (superior, peers, enroll,
 * evidence).
 */
#ifndef AKM_ROLE_H
#define AKM_ROLE_H

#include <event2/event.h>
#include "config.h"
#include "pulse.h"
#include "tpmq.h"

struct role_env {
	struct event_base *base;
	const struct config *config;
	struct tpmq *q;
	struct keystore *keystore;		/* the queue's; here for keystore_commands() alone */
	struct pulse *pulse;			/* NULL in tests */
	int hooks_fd;				/* of runner_start(): the role takes it, and leaves -1; -1: none */
	/* This machine's EK name and hardware value, computed at this start, never from a record. */
	struct akm_blob ek_name;
	uint8_t hardware[AKM_DIGEST_LEN];
	bool hardware_known;			/* else a source is absent: try again */
	/* The role serves now; once. */
	void (*ready)(void *ctx);
	/* The role cannot go on: orderly exit with failure. The role has logged why. */
	void (*failed)(void *ctx, int r);
	void *ctx;
};

struct role_ops {
	const char *name;
	bool net_admin;				/* needs CAP_NET_ADMIN after start */
	/* @env outlives the role. May go on asynchronously; then ready() or failed() is called. */
	int (*start)(struct role_env *env, void **ret, struct akm_error *err);
	void (*stop)(void *role);
};

extern const struct role_ops role_root, role_manager, role_node;

#endif /* AKM_ROLE_H */
