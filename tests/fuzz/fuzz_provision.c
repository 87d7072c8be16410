// SPDX-License-Identifier: GPL-2.0
/*
 * Both state machines of the provisioning exchange against each other, with somebody
 * in between who does to the frames what the input says: pass, drop, repeat, replay,
 * change, make up. The subject never has a record that the issuer does not have, and
 * a record means that nobody has changed anything. Synchronous: the TPM thread is
 * played here, the keystore is the fake one.
 */
#include "fuzz.h"
#include "provision.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include "frame.h"
#include "provision_msg.h"

#include "../unit/keystore_fake.c"

/* ---- the TPM thread ---- */

struct tpmq { struct event_base *base; struct keystore *ks; size_t depth; };
struct job { struct tpmq *q; tpmq_done_fn done; void *arg; int r; };

static void deliver(evutil_socket_t fd, short what, void *arg)
{
	struct job *j = arg;

	(void)fd;
	(void)what;
	j->q->depth--;
	j->done(j->arg, j->r);
	free(j);
}

int tpmq_submit(struct tpmq *q, tpmq_work_fn work, tpmq_done_fn done, void *arg)
{
	struct timeval now = { 0 };
	struct job *j = calloc(1, sizeof(*j));

	must(j);
	*j = (struct job) { q, done, arg, work(q->ks, arg) };
	q->depth++;
	must(!event_base_once(q->base, -1, EV_TIMEOUT, deliver, j, &now));
	return 0;
}

/* ---- the parties ---- */

struct party { bool done, committed; int r; uint8_t id[AKM_ID_LEN]; struct provision *p; };

static int on_admit(void *ctx, const struct keystore_identity *peer, const uint8_t hardware[AKM_DIGEST_LEN],
		    bool again, struct akm_error *err)
{
	(void)ctx;
	(void)hardware;
	(void)again;
	(void)err;
	must(peer->ek_name.len && peer->parent_name.len);
	return 0;
}

static int on_pending(void *ctx, const struct provision_grant *g)
{
	(void)ctx;
	must(g->key.len);
	return 0;
}

static int on_commit(void *ctx, const struct provision_grant *g)
{
	struct party *p = ctx;

	must(!p->committed && !p->done);
	p->committed = true;
	memcpy(p->id, g->id, sizeof(p->id));
	return 0;
}

static void on_done(void *ctx, int r, const struct akm_error *err)
{
	struct party *p = ctx;

	must(!p->done && (r >= 0 || err->field[0]));
	p->done = true;
	p->r = r;
}

static void on_progress(void *ctx, const char *text)
{
	(void)ctx;
	must(*text);
}

/* ---- in between ---- */

#define KEPT 16

struct between {
	struct fuzz_input in;
	int fd[2];			/* towards issuer, towards subject */
	struct frame_reader reader[2];
	struct akm_blob kept[KEPT];
	unsigned int n_kept;
	bool changed;			/* anything but passing happened to a payload */
};

static void put(int fd, const struct akm_blob *b)
{
	if (send(fd, b->data, b->len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		must(errno == EPIPE || errno == ECONNRESET || errno == EAGAIN);
}

static void put_frame(struct between *b, int to, const struct frame *f, unsigned int times)
{
	_cleanup_(akm_blob_free) struct akm_blob raw = {};

	must(!frame_encode(f, &raw));
	while (times--)
		put(b->fd[to], &raw);
	if (b->n_kept < KEPT) {
		b->kept[b->n_kept++] = raw;
		raw = (struct akm_blob) {};
	}
}

/* A payload of the input's own */
static void make_up(struct between *b, int to, uint32_t exchange)
{
	struct frame f = { exchange, fuzz_byte(&b->in), b->in.pos, fuzz_byte(&b->in) };

	f.payload = b->in.pos;
	if (f.len > (size_t)(b->in.end - b->in.pos))
		f.len = (size_t)(b->in.end - b->in.pos);
	b->in.pos += f.len;
	b->changed = true;
	put_frame(b, to, &f, 1);
}

static void change(struct between *b, int to, struct frame *f)
{
	_cleanup_(akm_blob_free) struct akm_blob p = {};
	size_t at = (size_t)fuzz_byte(&b->in) << 8;
	uint8_t x;

	at |= fuzz_byte(&b->in);
	x = fuzz_byte(&b->in);
	must(!akm_blob_dup(f->payload, f->len, &p));
	if (f->len && x) {
		p.data[at % f->len] ^= x;
		b->changed = b->changed || f->type != PROVISION_DONE;
	}
	f->payload = p.data;
	put_frame(b, to, f, 1);
}

static void handle(struct between *b, int from, struct frame *f)
{
	uint8_t action = fuzz_byte(&b->in);

	switch (action % 16) {
	case 1:
		break;				/* dropped */
	case 2:
		put_frame(b, !from, f, 2);
		break;
	case 3:
		if (b->n_kept)
			put(b->fd[action & 1], &b->kept[fuzz_byte(&b->in) % b->n_kept]);
		put_frame(b, !from, f, 1);
		break;
	case 4:
	case 5:
		change(b, !from, f);
		break;
	case 6:
		make_up(b, action >> 7, f->exchange);
		put_frame(b, !from, f, 1);
		break;
	case 7:
		f->type ^= fuzz_byte(&b->in);
		b->changed = true;
		put_frame(b, !from, f, 1);
		break;
	default:
		put_frame(b, !from, f, 1);
	}
}

static bool pump(struct between *b)
{
	bool moved = false;

	for (int from = 0; from < 2; from++) {
		struct frame f;
		size_t room;
		uint8_t *to = frame_room(&b->reader[from], &room);
		ssize_t n = recv(b->fd[from], to, room, MSG_DONTWAIT);

		if (n > 0)
			frame_filled(&b->reader[from], (size_t)n);
		for (; frame_next(&b->reader[from], &f); moved = true)
			handle(b, from, &f);
	}
	return moved;
}

static void begin(struct event_base *base, struct between *b, struct tpmq q[2], struct party p[2])
{
	static const struct provision_ops ops = { on_progress, on_admit, on_pending, on_commit, on_done };
	struct provision_issuer_config issuer = { .issuer = "MgmtMod", .subject = "A", .addresses = { "192.0.2.1:1" },
						  .n_addresses = 1 };
	struct provision_subject_config subject = { .sources = "ek" };
	int pair[2][2];

	for (int i = 0; i < 2; i++) {
		must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair[i]));
		b->fd[i] = pair[i][0];
	}
	must(!provision_issue(base, &q[0], pair[0][1], &issuer, &ops, &p[0], &p[0].p));
	must(!provision_receive(base, &q[1], pair[1][1], &subject, &ops, &p[1], &p[1].p));
}

static void check(const struct between *b, const struct party p[2])
{
	must(!p[1].committed || p[0].committed);
	must(p[0].r || p[1].committed);
	if (p[1].committed)
		must(!memcmp(p[0].id, p[1].id, AKM_ID_LEN));
	/* Frames that were added and not heard change nothing; changed ones that were heard do. */
	if (p[0].committed && p[1].committed && !b->changed)
		must(!p[1].r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct fake_tpm *tpm[2];
	static struct between b;
	struct event_base *base;
	struct party p[2] = {};
	struct tpmq q[2];

	fuzz_secrets();
	base = event_base_new();
	must(base);
	b = (struct between) { .in = { data, data + len } };
	for (int i = 0; i < 2; i++) {
		tpm[i] = tpm[i] ?: fake_tpm_new(false);
		q[i] = (struct tpmq) { base, fake_keystore(tpm[i]), 0 };
	}
	begin(base, &b, q, p);
	for (int idle = 0, turns = 0; idle < 3 && turns < 200; turns++) {
		must(event_base_loop(base, EVLOOP_NONBLOCK) >= 0);
		idle = pump(&b) || q[0].depth || q[1].depth ? 0 : idle + 1;
	}
	for (int i = 0; i < 2; i++)
		if (!p[i].done)
			provision_cancel(p[i].p);
	while (q[0].depth || q[1].depth)
		must(event_base_loop(base, EVLOOP_ONCE) >= 0);
	must(p[0].done && p[1].done);
	check(&b, p);
	for (int i = 0; i < 2; i++) {
		close(b.fd[i]);
		keystore_close(q[i].ks);
	}
	for (unsigned int i = 0; i < b.n_kept; i++)
		akm_blob_free(&b.kept[i]);
	event_base_free(base);
	return 0;
}
