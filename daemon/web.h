/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A page for people, its data, and metrics, over HTTP/1.1: read only, on loopback or a Unix socket, for who is on
 * this machine already (there are no passwords). libmicrohttpd, driven by the event loop; no thread of its own.
 * What is asked for is one of a fixed set of paths; files are part of the program, the rest is made at most once
 * in WEB_FRESH_MS, however often it is asked for.
 */
#ifndef AKM_WEB_H
#define AKM_WEB_H

#include <event2/event.h>

#include <json-c/json.h>

#include "metrics.h"

#define WEB_CONNECTIONS_MAX	16
#define WEB_MEMORY		(16U << 10)	/* bytes of a connection: request line and headers, and ours */
#define WEB_REQUEST_MS		10000		/* a request is read and its answer written in this time */
#define WEB_FRESH_MS		1000
#define WEB_RESOURCES_MAX	8
#define WEB_EVENTS		500	/* newest records that the page has */
#define WEB_JSON		"application/json"

struct web;

/* Something that is made when it is asked for. */
struct web_resource {
	const char *path, *type;	/* ends a table: NULL */
	/* Writes it. Return: 0 or a negative errno (the client is told 503, the log why). */
	int (*make)(FILE *f, void *ctx);
};

/*
 * @listen: as [web] listen says. @resources is the caller's, as @ctx is.
 * Return: 0, -EADDRINUSE, …
 */
int web_new(struct event_base *base, const char *listen, const struct web_resource *resources, void *ctx,
	    struct web **ret, struct akm_error *err);
void web_free(struct web *w);			/* NULL is fine */

/*
 * For web_resource.make: writes @o (and frees it) without what tells machines apart, which the control socket shows
 * and nobody needs here: hardware values (part of a link's key), TPM names, provisioning IDs. NULL: -ENOMEM.
 */
int web_put_json(FILE *f, struct json_object *o);

/* Files that are part of the program: web_files.c */
struct web_file { const char *path, *type; const char *data, *end; };
extern const struct web_file web_files[];	/* ends with a NULL path */

#endif /* AKM_WEB_H */
