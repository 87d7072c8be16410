/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control socket (include/akm-ctl.h): accepts akmctl, checks who it is
 * (SO_PEERCRED: root or our own user), parses and answers JSON lines. A role gives
 * a table of commands; ctl.c checks names and types of args against it.
 *
 * Context: the event loop. A client that does not read what it asked for is dropped,
 * never from inside a call of this file's: on_gone comes from the loop.
 */
#ifndef AKM_CTL_H_DAEMON
#define AKM_CTL_H_DAEMON

#include <event2/event.h>
#include <json-c/json.h>
#include "../include/akm-ctl.h"
#include "util.h"

#define CTL_CLIENTS_MAX		32
#define CTL_REQUESTS_MAX	16		/* open ones of a client */
#define CTL_DEPTH_MAX		6		/* of a request's JSON */
#define CTL_STRING_MAX		4096		/* bytes of one string argument */
#define CTL_WHO_MAX		32
#define CTL_OUTPUT_MAX		(4U * AKM_CTL_LINE_MAX)	/* unread bytes of a client */

struct ctl;
/*
 * One open request; ends with ctl_ok or ctl_fail. When the client goes first, its ctl_on_gone
 * function ends it; without one it lives on, mute, until ctl_ok or ctl_fail.
 */
struct ctl_request;

enum ctl_type { CTL_STRING, CTL_INT, CTL_BOOL, CTL_STRINGS };
struct ctl_arg { const char *name; enum ctl_type type; bool required; };

struct ctl_command {
	const char *name;
	struct ctl_arg args[20];	/* ends with a NULL name */
	/* @args is checked and owned by the request. Must lead to exactly one ctl_ok/ctl_fail, now or later. */
	void (*run)(struct ctl_request *req, struct json_object *args, void *ctx);
};

/*
 * Makes @path's directory (mode 0700) where it is missing; replaces a socket that nobody serves.
 * @table ends with a NULL name and stays the caller's, as @ctx does. Return: 0, -EADDRINUSE, -EPERM
 * (others may write to the directory), -EEXIST (@path is no socket), …
 */
int ctl_new(struct event_base *base, const char *path, const struct ctl_command *table, void *ctx, struct ctl **ret,
	    struct akm_error *err);
void ctl_free(struct ctl *c);

/* All take ownership of the JSON object. An item that no line could hold is left out. */
void ctl_ok(struct ctl_request *req, struct json_object *result);		/* NULL: {} */
void ctl_fail(struct ctl_request *req, int r, const struct akm_error *err);	/* @err may be NULL */
void ctl_progress(struct ctl_request *req, const char *text);
void ctl_item(struct ctl_request *req, struct json_object *item);
/*
 * The client went away before the answer: fn is called once, from the loop, the request is gone after
 * it. To be set inside run(); NULL takes it back.
 */
void ctl_on_gone(struct ctl_request *req, void (*fn)(struct ctl_request *req, void *data), void *data);

/* Who asks, as a record has it: "uid 0" */
void ctl_who(const struct ctl_request *req, char ret[CTL_WHO_MAX]);

const char *ctl_str(struct json_object *args, const char *name);	/* NULL if absent */
int64_t ctl_int(struct json_object *args, const char *name, int64_t absent);
bool ctl_bool(struct json_object *args, const char *name);

#endif /* AKM_CTL_H_DAEMON */
