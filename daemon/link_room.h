/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who comes from where, of those that are not authenticated yet: how many of one origin are at it, and connections that
 * wait until one of them is through. A whole site may be behind one address and come back at one instant.
 * What waits costs a descriptor and a few words, and nothing of it is read. Bounds: bounds.h. Takes the time.
 */
#ifndef AKM_LINK_ROOM_H
#define AKM_LINK_ROOM_H

#include <sys/queue.h>
#include <sys/socket.h>

#include "bounds.h"
#include "util.h"

#define ORIGIN_LEN	16
#define ROOM_BUCKETS	1024

struct waiting {
	STAILQ_ENTRY(waiting) next;
	int fd;				/* owned */
	struct sockaddr_storage remote;
	uint64_t since_ms;
};

/* What one stranger can have many of: an IPv4 address, or an IPv6 /64. It is there while anybody from it is. */
struct origin {
	struct origin *hash_next;
	TAILQ_ENTRY(origin) lists;	/* of those from which somebody waits */
	uint8_t key[ORIGIN_LEN];
	size_t pending, waits;
	STAILQ_HEAD(, waiting) line;	/* oldest first */
};

struct room {
	struct origin *hash[ROOM_BUCKETS];
	TAILQ_HEAD(, origin) lists;
	size_t waits;
};

void room_init(struct room *r);
void room_empty(struct room *r);		/* closes what waits; nothing may be pending */
void room_key(const struct sockaddr_storage *a, uint8_t ret[ORIGIN_LEN]);

/* One more pending connection from @a. Return: its origin, for room_leave(); NULL: no memory. */
struct origin *room_enter(struct room *r, const struct sockaddr_storage *a);
void room_leave(struct room *r, struct origin *o);	/* it is through, or gone; @o may be as well */
/* May another one of its origin begin at once? Not while others wait, or LINK_PENDING_PER_IP are at it. */
bool room_is_free(struct room *r, const struct sockaddr_storage *a);
/* Owns @fd on success. Return: 0; -EBUSY too many wait; -ENOMEM. */
int room_wait(struct room *r, int fd, const struct sockaddr_storage *a, uint64_t now_ms);
/* Whoever waits longest at @o: it waits no more, @ret->fd is the caller's. Return: is there one? */
bool room_next(struct room *r, struct origin *o, struct waiting *ret);
/* Closes those that came before @since_ms. Return: how many. */
size_t room_expire(struct room *r, uint64_t since_ms);

#endif /* AKM_LINK_ROOM_H */
