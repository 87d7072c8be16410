// SPDX-License-Identifier: GPL-2.0
#include "support_provision.h"

#include <fcntl.h>
#include <sys/socket.h>

struct event_base *loop;

/* ---- loop ---- */

void loop_begin(void)
{
	loop = event_base_new();
	assert_non_null(loop);
}

void loop_end(void)
{
	event_base_free(loop);
	loop = NULL;
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

void loop_turn(void)
{
	struct timeval tv = { .tv_usec = 5000 };
	struct event *t = event_new(loop, -1, 0, tick, NULL);

	assert_non_null(t);
	event_add(t, &tv);
	assert_true(event_base_loop(loop, EVLOOP_ONCE) >= 0);
	event_free(t);
}

/* ---- a party ---- */

void end_begin(struct party_end *e, const char *name, struct keystore *ks)
{
	*e = (struct party_end) { .name = name, .sources = "ek", .pcrs = 0x95 };
	assert_int_equal(tpmq_new(loop, ks, &e->q), 0);
}

void end_forget(struct party_end *e)
{
	provision_grant_free(&e->grant);
	e->record = NOTHING;
}

void end_finish(struct party_end *e)
{
	if (e->exchange)
		provision_cancel(e->exchange);
	tpmq_free(e->q);
	end_forget(e);
	akm_blob_free(&e->domain);
}

static void on_progress(void *ctx, const char *text)
{
	struct party_end *e = ctx;
	size_t at = strlen(e->said);

	snprintf(e->said + at, sizeof(e->said) - at, "%s\n", text);
	if (e->cancel_when_said && strstr(text, e->cancel_when_said))
		provision_cancel(e->exchange);
}

static int on_admit(void *ctx, const struct keystore_identity *peer, const uint8_t hardware[AKM_DIGEST_LEN],
		    bool again, struct akm_error *err)
{
	struct party_end *e = ctx;

	assert_true(peer->ek_name.len && peer->parent_name.len);
	e->saw_again = again;
	if (e->admit_r < 0)
		return akm_error_set(err, e->admit_r, "hardware", "is not the expected one (%02x…)", hardware[0]);
	return 0;
}

static void keep(struct party_end *e, const struct provision_grant *g, enum record record)
{
	struct provision_grant *to = &e->grant;

	end_forget(e);
	*to = *g;
	to->key = to->domain = to->ak = (struct akm_blob) {};
	to->attest = (struct quote_baseline) {};
	to->peer = (struct keystore_identity) {};
	assert_int_equal(akm_blob_dup(g->key.data, g->key.len, &to->key), 0);
	assert_int_equal(akm_blob_dup(g->domain.data, g->domain.len, &to->domain), 0);
	assert_int_equal(akm_blob_dup(g->ak.data, g->ak.len, &to->ak), 0);
	assert_int_equal(quote_baseline_copy(&g->attest, &to->attest), 0);
	e->record = record;
}

/* A record that was committed stays until another is: pending is beside it. */
static int on_pending(void *ctx, const struct provision_grant *g)
{
	struct party_end *e = ctx;

	if (!e->pending_r && e->record != COMMITTED)
		keep(e, g, PENDING);
	return e->pending_r;
}

static int on_commit(void *ctx, const struct provision_grant *g)
{
	struct party_end *e = ctx;

	if (!e->commit_r)
		keep(e, g, COMMITTED);
	return e->commit_r;
}

static void on_done(void *ctx, int r, const struct akm_error *err)
{
	struct party_end *e = ctx;

	assert_false(e->done);		/* once */
	e->done = true;
	e->r = r;
	e->err = *err;
	e->exchange = NULL;
}

static const struct provision_ops ops = { on_progress, on_admit, on_pending, on_commit, on_done };

static void reset(struct party_end *e)
{
	e->done = false;
	e->said[0] = '\0';
	e->err = (struct akm_error) {};
}

void end_issue(struct party_end *e, const char *subject, int fd)
{
	struct provision_issuer_config cfg = {
		.issuer = e->name, .subject = subject, .addresses = { "192.0.2.1:7646", "[2001:db8::1]:7646" },
		.n_addresses = 2, .term = 3, .domain = e->domain.len ? &e->domain : NULL, .give_domain = e->give_domain,
		.pcrs = e->pcrs, .ek_ca_file = e->ek_ca_file, .timeout_ms = e->timeout_ms ?: 5000,
	};

	reset(e);
	assert_int_equal(provision_issue(loop, e->q, fd, &cfg, &ops, e, &e->exchange), 0);
}

void end_receive(struct party_end *e, int fd)
{
	struct provision_subject_config cfg = {
		.sources = e->sources, .provisioned_id = e->record == COMMITTED ? e->grant.id : NULL, .allow = e->allow,
		.timeout_ms = e->timeout_ms ?: 5000,
	};

	reset(e);
	assert_int_equal(provision_receive(loop, e->q, fd, &cfg, &ops, e, &e->exchange), 0);
}

/* ---- the wire ---- */

static void cut(struct wire *w)
{
	w->cut = true;
	for (int i = 0; i < 2; i++) {
		event_del(w->ev[i]);
		if (!w->silent)
			shutdown(w->fd[i], SHUT_RDWR);
	}
}

static void put(int fd, const uint8_t *p, size_t len)
{
	/* A party that has ended does not listen any more. */
	if (len && send(fd, p, len, MSG_NOSIGNAL) < 0)
		assert_true(errno == EPIPE || errno == ECONNRESET);
}

/* Bytes pass one by one as far as the cut is concerned. */
static void pass(struct wire *w, int to, const uint8_t *p, size_t len)
{
	size_t room = w->cut_after[to] - w->passed[to], n = len < room ? len : room;

	put(w->fd[!to], p, n);
	w->passed[to] += n;
	if (w->passed[to] == w->cut_after[to])
		cut(w);
}

static void pass_frames(struct wire *w, int to)
{
	struct frame f;

	while (!w->cut && frame_next(&w->in[to], &f)) {
		_cleanup_(akm_blob_free) struct akm_blob payload = {}, raw = {};

		assert_int_equal(akm_blob_dup(f.payload, f.len, &payload), 0);
		f.payload = payload.data;
		w->frames[to]++;
		if (w->cut_before[to] == f.type) {
			cut(w);
			return;
		}
		if (w->between && !w->between(w, to, &f, payload.data))
			continue;
		assert_int_equal(frame_encode(&f, &raw), 0);
		pass(w, to, raw.data, raw.len);
	}
}

static void on_wire(struct wire *w, int to)
{
	ssize_t n;

	do {
		size_t len;
		uint8_t *room = frame_room(&w->in[to], &len);

		n = read(w->fd[to], room, len);
		if (n > 0) {
			frame_filled(&w->in[to], (size_t)n);
			pass_frames(w, to);
		}
	} while (n > 0 && !w->cut);
	/* One end has closed: the other end sees it, but only what was sent before. */
	if (!n && !w->cut) {
		event_del(w->ev[to]);
		shutdown(w->fd[!to], SHUT_WR);
	}
}

static void on_from_issuer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	on_wire(arg, TO_SUBJECT);
}

static void on_from_subject(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	on_wire(arg, TO_ISSUER);
}

void wire_lay(struct wire *w, int ret_fd[2])
{
	int pair[2];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
		ret_fd[i] = pair[0];
		w->fd[i] = pair[1];
		w->ev[i] = event_new(loop, pair[1], EV_READ | EV_PERSIST, i ? on_from_subject : on_from_issuer, w);
		assert_non_null(w->ev[i]);
		event_add(w->ev[i], NULL);
		w->in[i] = (struct frame_reader) {};
		w->passed[i] = 0;
		w->frames[i] = 0;
	}
	w->cut = false;
	if (!w->cut_after[TO_SUBJECT])
		cut(w);
}

void wire_remove(struct wire *w)
{
	for (int i = 0; i < 2; i++) {
		event_free(w->ev[i]);
		close(w->fd[i]);
	}
}

void run_exchange(struct party_end *issuer, struct party_end *subject, const char *name, struct wire *w)
{
	static const struct wire plain = { .cut_after = { NEVER, NEVER } };
	struct wire local;
	int fd[2];

	if (!w) {
		local = plain;
		w = &local;
	}
	wire_lay(w, fd);
	end_receive(subject, fd[1]);
	end_issue(issuer, name, fd[0]);
	loop_until(issuer->done && subject->done);
	wire_remove(w);
}

/* ---- what they have afterwards ---- */

struct hmac_job { const struct akm_blob *domain, *key; struct akm_secret mac; bool done; int r; };

static int hmac_work(struct keystore *ks, void *arg)
{
	struct hmac_job *j = arg;

	return keystore_hmac(ks, j->domain, j->key, "same?", 5, &j->mac);
}

static void hmac_done(void *arg, int r)
{
	struct hmac_job *j = arg;

	j->r = r;
	j->done = true;
}

void end_hmac(struct party_end *e, const struct akm_blob *domain, uint8_t ret[AKM_DIGEST_LEN])
{
	struct hmac_job j = { .domain = domain, .key = &e->grant.key };

	assert_int_equal(tpmq_submit(e->q, hmac_work, hmac_done, &j), 0);
	loop_until(j.done);
	assert_int_equal(j.r, 0);
	assert_int_equal(j.mac.len, AKM_DIGEST_LEN);
	memcpy(ret, j.mac.data, AKM_DIGEST_LEN);
	akm_secret_free(&j.mac);
}

void assert_agree(struct party_end *issuer, struct party_end *subject)
{
	const struct provision_grant *a = &issuer->grant, *b = &subject->grant;
	uint8_t mac[2][AKM_DIGEST_LEN];

	assert_int_equal(issuer->record, COMMITTED);
	assert_int_equal(subject->record, COMMITTED);
	assert_memory_equal(a->id, b->id, AKM_ID_LEN);
	assert_string_equal(a->label, b->label);
	assert_string_equal(a->issuer, b->issuer);
	assert_string_equal(a->subject, b->subject);
	assert_string_equal(a->sources, b->sources);
	assert_memory_equal(a->hardware, b->hardware, AKM_DIGEST_LEN);
	assert_memory_equal(a->addresses, b->addresses, sizeof(a->addresses));
	assert_int_equal(a->n_addresses, b->n_addresses);
	assert_int_equal(a->term, b->term);
	/* What the one has recorded is what the other can sign with. */
	assert_int_equal(a->attest.pcrs, issuer->pcrs);
	assert_int_equal(!a->attest.ak_public.len, !issuer->pcrs);
	assert_int_equal(!b->ak.len, !issuer->pcrs);
	end_hmac(issuer, issuer->domain.len && !issuer->give_domain ? &issuer->domain : NULL, mac[0]);
	end_hmac(subject, NULL, mac[1]);
	assert_memory_equal(mac[0], mac[1], AKM_DIGEST_LEN);
}
