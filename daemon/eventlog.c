// SPDX-License-Identifier: GPL-2.0
#include "eventlog.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "clock.h"
#include "durable.h"

/* be32 length of the payload | type | payload | be64 FNV-1a of all before */
#define FRAME_HEAD	5
#define FRAME_SUM	8
#define FRAME_MAX	4096
#define REWRITE_FACTOR	4	/* the file holds at most this many times EVENTLOG_MAX frames */

enum frame_type { FRAME_EVENT = 1, FRAME_ACK = 2 };

struct eventlog {
	char path[PATH_MAX];
	int fd;
	struct msg_event *ring;		/* EVENTLOG_MAX, oldest at first */
	size_t first, n;
	uint64_t last_seq, acked;
	size_t frames;			/* in the file */
	off_t end;
};

static uint64_t checksum(const uint8_t *p, size_t len)
{
	uint64_t h = 0xcbf29ce484222325;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3;
	return h;
}

static void put_be(uint8_t *p, size_t len, uint64_t v)
{
	while (len--) {
		p[len] = (uint8_t)v;
		v >>= 8;
	}
}

static uint64_t get_be(const uint8_t *p, size_t len)
{
	uint64_t v = 0;

	while (len--)
		v = v << 8 | *p++;
	return v;
}

static struct msg_event *nth(const struct eventlog *l, size_t i)
{
	return &l->ring[(l->first + i) % EVENTLOG_MAX];
}

static void remember(struct eventlog *l, const struct msg_event *e)
{
	if (l->n == EVENTLOG_MAX) {
		l->first = (l->first + 1) % EVENTLOG_MAX;
		l->n--;
	}
	l->n++;
	*nth(l, l->n - 1) = *e;
	l->last_seq = e->seq;
}

static int write_all(int fd, const uint8_t *p, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int put_frame(int fd, off_t *end, enum frame_type type, const uint8_t *payload, size_t len)
{
	uint8_t frame[FRAME_HEAD + FRAME_MAX + FRAME_SUM];
	size_t all = FRAME_HEAD + len + FRAME_SUM;
	int r;

	if (len > FRAME_MAX)
		return -EMSGSIZE;
	put_be(frame, 4, len);
	frame[4] = (uint8_t)type;
	memcpy(frame + FRAME_HEAD, payload, len);
	put_be(frame + FRAME_HEAD + len, FRAME_SUM, checksum(frame, FRAME_HEAD + len));
	r = write_all(fd, frame, all, *end);
	if (r < 0)
		return r;
	*end += (off_t)all;
	return 0;
}

static int put_event(int fd, off_t *end, const struct msg_event *e)
{
	struct msg_event copy = *e;
	struct msg m = { .type = MSG_EVENTS, .events = { .n = 1, .events = &copy } };
	_cleanup_secret_ struct akm_secret s = {};
	int r = msg_encode(&m, &s);

	return r < 0 ? r : put_frame(fd, end, FRAME_EVENT, s.data, s.len);
}

static int put_ack(int fd, off_t *end, uint64_t seq)
{
	uint8_t p[8];

	put_be(p, sizeof(p), seq);
	return put_frame(fd, end, FRAME_ACK, p, sizeof(p));
}

/* Only what is in the ring, in a new file that then takes the old one's name. */
static int rewrite(struct eventlog *l)
{
	char tmp[PATH_MAX + 8];
	_cleanup_close_ int fd = -1;
	off_t end = 0;
	int r = 0;

	snprintf(tmp, sizeof(tmp), "%s.new", l->path);
	fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	for (size_t i = 0; !r && i < l->n; i++)
		r = put_event(fd, &end, nth(l, i));
	r = r ?: put_ack(fd, &end, l->acked);
	if (!r && fsync(fd) < 0)
		r = -errno;
	if (!r && rename(tmp, l->path) < 0)
		r = -errno;
	if (r < 0) {
		unlink(tmp);
		return r;
	}
	close(l->fd);
	l->fd = TAKE_FD(fd);
	l->end = end;
	l->frames = l->n + 1;
	return durable_sync_parent(l->path);
}

static int take_event(struct eventlog *l, const uint8_t *p, size_t len)
{
	_cleanup_msg_ struct msg m = {};

	if (msg_decode(p, len, &m, NULL) < 0 || m.type != MSG_EVENTS || m.events.n != 1 ||
	    m.events.events[0].seq <= l->last_seq)
		return -EBADMSG;
	remember(l, &m.events.events[0]);
	return 0;
}

/* One frame from @p. Return: its length, or -EBADMSG. */
static ssize_t take_frame(struct eventlog *l, const uint8_t *p, size_t left)
{
	size_t len;
	int r;

	if (left < FRAME_HEAD + FRAME_SUM)
		return -EBADMSG;
	len = get_be(p, 4);
	if (len > FRAME_MAX || len > left - FRAME_HEAD - FRAME_SUM ||
	    get_be(p + FRAME_HEAD + len, FRAME_SUM) != checksum(p, FRAME_HEAD + len))
		return -EBADMSG;
	if (p[4] == FRAME_EVENT) {
		r = take_event(l, p + FRAME_HEAD, len);
	} else if (p[4] == FRAME_ACK && len == 8) {
		l->acked = get_be(p + FRAME_HEAD, 8);
		r = 0;
	} else {
		r = -EBADMSG;
	}
	return r < 0 ? r : (ssize_t)(FRAME_HEAD + len + FRAME_SUM);
}

static int read_all(int fd, struct akm_blob *ret)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) ||
	    st.st_size > (off_t)(REWRITE_FACTOR + 1) * EVENTLOG_MAX * (FRAME_MAX + FRAME_HEAD + FRAME_SUM))
		return -EBADMSG;
	b.data = malloc((size_t)st.st_size + 1);
	if (!b.data)
		return -ENOMEM;
	while (b.len < (size_t)st.st_size) {
		ssize_t n = pread(fd, b.data + b.len, (size_t)st.st_size - b.len, (off_t)b.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		b.len += (size_t)n;
	}
	*ret = b;
	b = (struct akm_blob){};
	return 0;
}

static int load(struct eventlog *l, bool *ret_damaged)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	size_t at = 0;
	int r = read_all(l->fd, &b);

	if (r < 0)
		return r;
	while (at < b.len) {
		ssize_t n = take_frame(l, b.data + at, b.len - at);

		if (n < 0)
			break;
		at += (size_t)n;
		l->frames++;
	}
	l->end = (off_t)at;
	*ret_damaged = at < b.len;
	if (!*ret_damaged)
		return 0;
	/* A number that may have been sent must not come again: the manager would take it for the same event. */
	if (l->last_seq < wall_ms())
		l->last_seq = wall_ms();
	return ftruncate(l->fd, l->end) < 0 ? -errno : 0;
}

int eventlog_open(const char *path, struct eventlog **ret, bool *ret_damaged, struct akm_error *err)
{
	struct eventlog *l = calloc(1, sizeof(*l));
	bool damaged = false;
	int r;

	if (!l)
		return -ENOMEM;
	snprintf(l->path, sizeof(l->path), "%s", path);
	l->ring = calloc(EVENTLOG_MAX, sizeof(*l->ring));
	l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = !l->ring ? -ENOMEM : l->fd < 0 ? -errno : load(l, &damaged);
	if (r < 0) {
		akm_error_set(err, r, "events", "%s: %s", path, strerror(-r));
		eventlog_close(l);
		return r;
	}
	*ret = l;
	*ret_damaged = damaged;
	return 0;
}

void eventlog_close(struct eventlog *l)
{
	if (!l)
		return;
	closep(&l->fd);
	free(l->ring);
	free(l);
}

static int finish(struct eventlog *l)
{
	l->frames++;
	if (l->frames > REWRITE_FACTOR * EVENTLOG_MAX)
		return rewrite(l);
	return fdatasync(l->fd) < 0 ? -errno : 0;
}

int eventlog_add(void *log, const struct msg_event *e, uint64_t *ret_seq)
{
	struct eventlog *l = log;
	struct msg_event copy = *e;
	int r;

	copy.seq = l->last_seq + 1;
	r = put_event(l->fd, &l->end, &copy);
	if (r < 0)
		return r;
	remember(l, &copy);
	r = finish(l);
	if (r < 0)
		return r;
	*ret_seq = copy.seq;
	return 0;
}

int eventlog_each(void *log, uint64_t since, size_t limit,
		  int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx), void *ctx)
{
	struct eventlog *l = log;

	for (size_t i = 0; i < l->n && limit; i++) {
		const struct msg_event *e = nth(l, i);
		int r;

		if (e->seq <= since)
			continue;
		limit--;
		r = fn(e->seq, e, ctx);
		if (r)
			return r;
	}
	return 0;
}

int eventlog_last(void *log, uint64_t *ret_seq)
{
	const struct eventlog *l = log;

	*ret_seq = l->last_seq;
	return 0;
}

int eventlog_alerts(void *log, uint64_t since, int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx), void *ctx)
{
	struct eventlog *l = log;
	int r = 0;

	for (size_t i = 0; !r && i < l->n; i++)
		if (nth(l, i)->seq > since && nth(l, i)->severity == SEV_ALERT)
			r = fn(nth(l, i)->seq, nth(l, i), ctx);
	return r;
}

int eventlog_acked(void *log, uint64_t seq)
{
	struct eventlog *l = log;
	int r;

	if (seq <= l->acked)
		return 0;
	if (seq > l->last_seq)
		return -EINVAL;
	r = put_ack(l->fd, &l->end, seq);
	if (r < 0)
		return r;
	l->acked = seq;
	return finish(l);
}

int eventlog_outbox(void *log, size_t limit,
		    int (*fn)(uint64_t seq, const struct msg_event *e, void *ctx), void *ctx)
{
	struct eventlog *l = log;

	return eventlog_each(l, l->acked, limit, fn, ctx);
}
