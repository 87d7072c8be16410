/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An HTTP client of its own for the tests of the page: plain sockets, whole answers, one thread with the event loop
 * that serves. And a strict reader of Prometheus' text format. Every failure ends the test.
 */
#ifndef SUPPORT_HTTP_H
#define SUPPORT_HTTP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

struct http_answer {
	int status;			/* 0: the connection ended without an answer */
	char *head, *body;		/* owned; head without the empty line */
	size_t len;			/* of the body */
	bool closed;			/* by the server, after the answer */
};

void http_free(struct http_answer *a);
int http_connect(const char *address);		/* unix:/PATH or 127.0.0.1:PORT; not blocking */
/* Writes it, whatever happens to it, and reads an answer or up to the end; the loop turns meanwhile. */
struct http_answer http_talk(struct event_base *base, int fd, const char *request, size_t len);
struct http_answer http_get(struct event_base *base, const char *address, const char *path);	/* on a connection of its own */
/* Value of a header, in a buffer that lasts until the next call; NULL if it is not there. */
const char *http_header(const struct http_answer *a, const char *name);

/*
 * Checks every line against the format: names, one HELP and TYPE for each family and in front of its samples, families
 * in one piece, no sample twice, labels and their escapes, values, counters' names. Return: how many samples.
 */
size_t metrics_check(const char *text);
/* The value of the sample that is written so ("akm_nodes{state=\"up\"}"); -1 if it is not there */
double metrics_value(const char *text, const char *sample);

#endif /* SUPPORT_HTTP_H */
