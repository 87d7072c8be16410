// SPDX-License-Identifier: GPL-2.0
#include "link_room.h"

#include <netinet/in.h>

void room_init(struct room *r)
{
	memset(r, 0, sizeof(*r));
	TAILQ_INIT(&r->lists);
}

/* IPv4 is mapped into IPv6. */
void room_key(const struct sockaddr_storage *a, uint8_t ret[ORIGIN_LEN])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	const struct sockaddr_in *four = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;

	memset(ret, 0, ORIGIN_LEN);
	if (a->ss_family == AF_INET) {
		memcpy(ret, mapped, sizeof(mapped));
		memcpy(ret + sizeof(mapped), &four->sin_addr, 4);
	} else if (a->ss_family == AF_INET6) {
		memcpy(ret, &six->sin6_addr, IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) ? 16 : 8);
	}
}

/*
 * FNV-1a. A stranger could choose addresses for one bucket: it has as many in it as there are connections, which are
 * few (LINK_PENDING_MAX, LINK_WAITING_MAX).
 */
static struct origin **bucket(struct room *r, const uint8_t key[ORIGIN_LEN])
{
	uint32_t h = 0x811c9dc5;

	for (size_t i = 0; i < ORIGIN_LEN; i++)
		h = (h ^ key[i]) * 0x01000193;
	return &r->hash[(h ^ h >> 16) % ROOM_BUCKETS];
}

static struct origin *find(struct room *r, const uint8_t key[ORIGIN_LEN])
{
	struct origin *o = *bucket(r, key);

	while (o && memcmp(o->key, key, ORIGIN_LEN))
		o = o->hash_next;
	return o;
}

static struct origin *obtain(struct room *r, const struct sockaddr_storage *a)
{
	uint8_t key[ORIGIN_LEN];
	struct origin *o;

	room_key(a, key);
	o = find(r, key);
	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	memcpy(o->key, key, ORIGIN_LEN);
	STAILQ_INIT(&o->line);
	o->hash_next = *bucket(r, key);
	*bucket(r, key) = o;
	return o;
}

static void drop_if_unused(struct room *r, struct origin *o)
{
	struct origin **p = bucket(r, o->key);

	if (o->pending || o->waits)
		return;
	while (*p != o)
		p = &(*p)->hash_next;
	*p = o->hash_next;
	free(o);
}

struct origin *room_enter(struct room *r, const struct sockaddr_storage *a)
{
	struct origin *o = obtain(r, a);

	if (o)
		o->pending++;
	return o;
}

void room_leave(struct room *r, struct origin *o)
{
	o->pending--;
	drop_if_unused(r, o);
}

bool room_is_free(struct room *r, const struct sockaddr_storage *a)
{
	uint8_t key[ORIGIN_LEN];
	const struct origin *o;

	room_key(a, key);
	o = find(r, key);
	return !o || (!o->waits && o->pending < LINK_PENDING_PER_IP);
}

int room_wait(struct room *r, int fd, const struct sockaddr_storage *a, uint64_t now_ms)
{
	struct origin *o = obtain(r, a);
	struct waiting *w;

	if (!o)
		return -ENOMEM;
	if (r->waits >= LINK_WAITING_MAX || o->waits >= LINK_WAITING_PER_IP) {
		drop_if_unused(r, o);
		return -EBUSY;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		drop_if_unused(r, o);
		return -ENOMEM;
	}
	w->fd = fd;
	w->remote = *a;
	w->since_ms = now_ms;
	STAILQ_INSERT_TAIL(&o->line, w, next);
	if (!o->waits++)
		TAILQ_INSERT_TAIL(&r->lists, o, lists);
	r->waits++;
	return 0;
}

bool room_next(struct room *r, struct origin *o, struct waiting *ret)
{
	struct waiting *w = STAILQ_FIRST(&o->line);

	if (!w)
		return false;
	STAILQ_REMOVE_HEAD(&o->line, next);
	*ret = *w;
	free(w);
	r->waits--;
	if (!--o->waits)
		TAILQ_REMOVE(&r->lists, o, lists);
	drop_if_unused(r, o);
	return true;
}

static size_t expire_at(struct room *r, struct origin *o, uint64_t since_ms)
{
	size_t n = 0, waits = o->waits;		/* with the last one @o may go */
	struct waiting w;

	while (n < waits && STAILQ_FIRST(&o->line)->since_ms < since_ms) {
		(void)room_next(r, o, &w);
		close(w.fd);
		n++;
	}
	return n;
}

size_t room_expire(struct room *r, uint64_t since_ms)
{
	struct origin *o, *next;
	size_t n = 0;

	for (o = TAILQ_FIRST(&r->lists); o; o = next) {
		next = TAILQ_NEXT(o, lists);
		n += expire_at(r, o, since_ms);
	}
	return n;
}

void room_empty(struct room *r)
{
	(void)room_expire(r, UINT64_MAX);
}
