// SPDX-License-Identifier: GPL-2.0
#include "flapping.h"

static bool same_place(const struct msg_endpoint *a, const struct msg_endpoint *b)
{
	return a->addr_len == b->addr_len && a->port == b->port && !memcmp(a->addr, b->addr, a->addr_len);
}

/* The one that moved longest ago makes room. */
static struct flapping_member *find(struct flapping *f, uint32_t atr_id, int32_t member)
{
	struct flapping_member *oldest = &f->members[0];

	for (size_t i = 0; i < FLAPPING_MEMBERS; i++) {
		struct flapping_member *m = &f->members[i];

		if (m->atr_id == atr_id && m->member == member)
			return m;
		if (m->moved_ms < oldest->moved_ms)
			oldest = m;
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->atr_id = atr_id;
	oldest->member = member;
	return oldest;
}

/* Puts @at first. Return: where it was before, 0 being the place that it is at; FLAPPING_PLACES: nowhere. */
static size_t go(struct flapping_member *m, const struct msg_endpoint *at)
{
	size_t was = 0;

	while (was < FLAPPING_PLACES && !same_place(&m->places[was], at))
		was++;
	memmove(&m->places[1], &m->places[0], (was < FLAPPING_PLACES ? was : FLAPPING_PLACES - 1) * sizeof(m->places[0]));
	m->places[0] = *at;
	return was;
}

unsigned int flapping_count(const struct flapping_member *m, uint64_t now_ms)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < FLAPPING_RETURNS && i < m->backs; i++)
		n += now_ms - m->back_ms[i] < FLAPPING_WINDOW_MS;
	return n;
}

bool flapping_moved(struct flapping *f, uint32_t atr_id, int32_t member, const struct msg_endpoint *at, uint64_t now_ms,
		    const struct flapping_member **ret)
{
	struct flapping_member *m;
	size_t was;

	if (!at->addr_len || !atr_id || member < 0)
		return false;
	m = find(f, atr_id, member);
	/* Where it was long ago says nothing. */
	if (now_ms - m->moved_ms >= FLAPPING_WINDOW_MS)
		memset(m->places, 0, sizeof(m->places));
	m->moved_ms = now_ms;
	was = go(m, at);
	if (!was || was == FLAPPING_PLACES)
		return false;
	m->back_ms[m->backs++ % FLAPPING_RETURNS] = now_ms;
	*ret = m;
	return flapping_count(m, now_ms) == FLAPPING_RETURNS;
}
