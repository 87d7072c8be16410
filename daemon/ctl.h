/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control socket (include/akm-ctl.h): accepts akmctl, checks who it is
 * (SO_PEERCRED: root or our own user), parses and answers JSON lines. A role gives
 * a table of commands; ctl.c checks names and types of args against it.
 */
#ifndef AKM_CTL_H_DAEMON
#define AKM_CTL_H_DAEMON

#include <event2/event.h>
#include <json-c/json.h>
#include "util.h"

struct ctl;
struct ctl_request;			/* one open request; ends with ctl_ok or ctl_fail, or when the client goes */

enum ctl_type { CTL_STRING, CTL_INT, CTL_BOOL, CTL_STRINGS };
struct ctl_arg { const char *name; enum ctl_type type; bool required; };

struct ctl_command {
	const char *name;
	struct ctl_arg args[12];	/* ends with a NULL name */
	/* @args is checked and owned by the request. Must lead to exactly one ctl_ok/ctl_fail, now or later. */
	void (*run)(struct ctl_request *req, struct json_object *args, void *ctx);
};

int ctl_new(struct event_base *base, const char *path, const struct ctl_command *table, void *ctx, struct ctl **ret,
	    struct akm_error *err);
void ctl_free(struct ctl *c);

/* All take ownership of the JSON object. */
void ctl_ok(struct ctl_request *req, struct json_object *result);		/* NULL: {} */
void ctl_fail(struct ctl_request *req, int r, const struct akm_error *err);	/* @err may be NULL */
void ctl_progress(struct ctl_request *req, const char *text);
void ctl_item(struct ctl_request *req, struct json_object *item);
/* The client went away before the answer: fn is called once, the request is gone after it. */
void ctl_on_gone(struct ctl_request *req, void (*fn)(struct ctl_request *req, void *data), void *data);

const char *ctl_str(struct json_object *args, const char *name);	/* NULL if absent */
int64_t ctl_int(struct json_object *args, const char *name, int64_t absent);
bool ctl_bool(struct json_object *args, const char *name);

#endif /* AKM_CTL_H_DAEMON */
