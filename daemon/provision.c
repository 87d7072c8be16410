// SPDX-License-Identifier: GPL-2.0
#include "provision.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "provision_internal.h"
#include "wire.h"

#define FLUSH_MS	2000		/* for the last words */

/* ---- making and freeing ---- */

void provision_grant_free(struct provision_grant *g)
{
	akm_blob_free(&g->key);
	akm_blob_free(&g->domain);
	akm_blob_free(&g->ak);
	quote_baseline_free(&g->attest);
	keystore_identity_free(&g->peer);
	*g = (struct provision_grant) {};
}

static void event_freep(struct event *ev)
{
	if (ev)
		event_free(ev);
}

void provision_free(struct provision *p)
{
	provision_step_drop(p);
	event_freep(p->ev_read);
	event_freep(p->ev_write);
	event_freep(p->silence);
	event_freep(p->gap);
	event_freep(p->resend);
	if (p->out)
		evbuffer_free(p->out);
	if (p->fd >= 0) {
		/* On a pseudo terminal provision_open()'s TIOCEXCL would outlive us, and refuse the next one. */
		(void)ioctl(p->fd, TIOCNXCL);
		close(p->fd);
	}
	provision_grant_free(&p->grant);
	akm_blob_free(&p->domain);
	akm_blob_free(&p->last);
	akm_secret_free(&p->credential);
	free(p->ek_ca_file);
	free(p->sources);
	free(p);
}

/* ---- the end ---- */

static void finish(struct provision *p)
{
	void (*done)(void *ctx, int r, const struct akm_error *err) = p->ops.done;
	struct akm_error err = p->err;
	void *ctx = p->ctx;
	int r = p->result;

	provision_free(p);
	done(ctx, r, &err);
}

static void enter(struct provision *p)
{
	p->busy++;
}

static void leave(struct provision *p)
{
	if (!--p->busy && p->over)
		finish(p);
}

static void set_timer(struct event *ev, unsigned int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	if (event_add(ev, &tv) < 0)
		event_active(ev, EV_TIMEOUT, 0);	/* no memory: as if its time had come */
}

int provision_fail(struct provision *p, int r, const char *field, const char *fmt, ...)
{
	char reason[sizeof(p->err.reason)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	return akm_error_set(&p->err, r, field, "%s", reason);
}

static void flush(struct provision *p);

/* What is queued still goes out, for a short time. The first end counts. */
void provision_end(struct provision *p, int r)
{
	const char *more = r < 0 && p->side->after_end ? p->side->after_end(p) : NULL;
	size_t len;

	if (p->ending)
		return;
	p->ending = true;
	p->result = r;
	p->await = 0;
	if (r < 0 && !p->err.field[0])
		provision_fail(p, r, "provisioning", "%s", strerror(-r));
	len = strlen(p->err.reason);
	if (more)
		snprintf(p->err.reason + len, sizeof(p->err.reason) - len, "; %s", more);
	provision_step_drop(p);
	event_del(p->ev_read);
	event_del(p->gap);
	event_del(p->resend);
	set_timer(p->silence, FLUSH_MS);
	flush(p);
}

/* Ends it and tells the peer why. */
static void refuse(struct provision *p, int r)
{
	struct provision_msg m = { .type = PROVISION_ERROR, .failure = { .code = -r } };

	if (p->ending)
		return;
	if (!p->err.field[0])
		provision_fail(p, r, "provisioning", "%s", strerror(-r));
	snprintf(m.failure.field, sizeof(m.failure.field), "%s", p->err.field);
	snprintf(m.failure.reason, sizeof(m.failure.reason), "%s", p->err.reason);
	wire_text_clean(m.failure.field);
	wire_text_clean(m.failure.reason);
	/* Before the first hello there is no exchange to speak in. */
	if (p->exchange)
		(void)provision_send(p, &m, false);
	provision_end(p, r);
}

/* A handler's result */
static void outcome(struct provision *p, int r)
{
	if (r < 0)
		refuse(p, r);
}

void provision_cancel(struct provision *p)
{
	enter(p);
	provision_fail(p, -ECANCELED, "provisioning", "was cancelled");
	refuse(p, -ECANCELED);
	p->over = true;
	leave(p);
}

/* ---- transcript ---- */

/* T_0 = SHA-256("akm1 provision"), T_k = SHA-256(T_k-1 | be16 type | payload) */
void provision_note(struct provision *p, unsigned int type, const void *payload, size_t len)
{
	uint8_t be[2] = { (uint8_t)(type >> 8), (uint8_t)type };
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	memcpy(p->before, p->transcript, sizeof(p->before));
	/* A digest that fails gives a transcript that nobody shares: the exchange fails, nothing is trusted. */
	if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(md, p->before, sizeof(p->before)) != 1 || EVP_DigestUpdate(md, be, 2) != 1 ||
	    EVP_DigestUpdate(md, payload, len) != 1 || EVP_DigestFinal_ex(md, p->transcript, NULL) != 1)
		memset(p->transcript, 0, sizeof(p->transcript));
	EVP_MD_CTX_free(md);
}

void provision_begin(struct provision *p)
{
	static const char start[] = "akm1 provision";

	if (EVP_Digest(start, sizeof(start) - 1, p->transcript, NULL, EVP_sha256(), NULL) != 1)
		memset(p->transcript, 0, sizeof(p->transcript));
}

int provision_join(struct akm_secret *parent, struct akm_secret *ak, struct akm_secret *ret)
{
	_cleanup_secret_ struct akm_secret first = akm_secret_take(parent), second = akm_secret_take(ak);
	int r;

	if (!second.len) {
		*ret = akm_secret_take(&first);
		return 0;
	}
	r = akm_secret_new(first.len + second.len, ret);
	if (r < 0)
		return r;
	memcpy(ret->data, first.data, first.len);
	memcpy(ret->data + first.len, second.data, second.len);
	return 0;
}

int provision_mac(const struct akm_secret *key, const uint8_t hash[AKM_DIGEST_LEN], uint8_t ret[AKM_DIGEST_LEN])
{
	unsigned int len = AKM_DIGEST_LEN;

	if (!HMAC(EVP_sha256(), key->data, (int)key->len, hash, AKM_DIGEST_LEN, ret, &len))
		return -EIO;
	return 0;
}

int provision_key_mac(struct keystore *ks, const struct provision_step *s, const char *label,
		      const uint8_t hash[AKM_DIGEST_LEN], struct akm_secret *ret)
{
	uint8_t msg[32 + AKM_DIGEST_LEN];
	size_t len = strlen(label);
	int r;

	memcpy(msg, label, len);
	memcpy(msg + len, hash, AKM_DIGEST_LEN);
	r = keystore_hmac(ks, s->domain.data && !s->give_domain ? &s->domain : NULL, &s->key, msg,
			  len + AKM_DIGEST_LEN, ret);
	if (!r && ret->len != AKM_DIGEST_LEN)
		return -EIO;
	return r;
}

int provision_commit(struct provision *p, const struct provision_step *s, const char *field)
{
	int r;

	if (CRYPTO_memcmp(s->mac[0].data, p->mac, sizeof(p->mac)))
		return provision_fail(p, -EKEYREJECTED, field, "the other end does not have the key");
	if (p->ending)
		return 0;
	r = p->ops.commit(p->ctx, &p->grant);
	if (r < 0)
		return provision_fail(p, r, "commit", "%s", strerror(-r));
	p->committed = true;
	return 1;
}

/* ---- words for people ---- */

void provision_say(struct provision *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!p->ops.progress)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->ops.progress(p->ctx, text);
}

/*
 * Over what both have said of themselves. 128 bits: nobody between the two can
 * find identities of his own that give the same one.
 */
void provision_show_fingerprint(struct provision *p)
{
	char text[8 * 5 + 1];

	for (size_t i = 0; i < 8; i++)
		snprintf(text + 5 * i, 6, "%02x%02x%s", p->transcript[2 * i], p->transcript[2 * i + 1],
			 i < 7 ? " " : "");
	provision_say(p, "fingerprint %s (must be the same at both ends)", text);
}

void provision_label(const char *issuer, const char *subject, char ret[2 * AKM_NAME_LEN])
{
	snprintf(ret, 2 * AKM_NAME_LEN, "%s-%s", issuer, subject);
}

/* ---- TPM steps ---- */

struct provision_step *provision_step_new(struct provision *p, const char *what)
{
	struct provision_step *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->p = p;
	s->what = what;
	s->give_domain = p->give_domain;
	s->pcrs = p->pcrs;
	if (p->domain.len && akm_blob_dup(p->domain.data, p->domain.len, &s->domain) < 0) {
		free(s);
		return NULL;
	}
	return s;
}

void provision_step_free(struct provision_step *s)
{
	keystore_identity_free(&s->identity);
	akm_blob_free(&s->domain);
	akm_blob_free(&s->in);
	akm_blob_free(&s->in_domain);
	akm_blob_free(&s->key);
	akm_blob_free(&s->dup);
	akm_blob_free(&s->dup_domain);
	akm_blob_free(&s->in_ak);
	akm_blob_free(&s->ak);
	akm_blob_free(&s->ak_public);
	akm_blob_free(&s->ak_dup);
	keystore_quote_free(&s->quote);
	akm_secret_free(&s->ak_secret);
	akm_secret_free(&s->secret);
	akm_secret_free(&s->mac[0]);
	akm_secret_free(&s->mac[1]);
	free(s);
}

/* In the TPM thread */
static int step_work(struct keystore *ks, void *arg)
{
	struct provision_step *s = arg;
	int r = s->work(ks, s);

	if (r < 0 && !s->err.field[0])
		akm_error_set(&s->err, r, "tpm", "%s: %s", s->what, keystore_strerror(ks));
	return r;
}

static void step_done(void *arg, int r)
{
	struct provision_step *s = arg;
	struct provision *p = s->p;

	if (p) {
		enter(p);
		p->step = NULL;
		if (r < 0)
			p->err = s->err;
		outcome(p, r ?: s->then(p, s));
		leave(p);
	}
	provision_step_free(s);
}

int provision_step_run(struct provision *p, struct provision_step *s)
{
	int r;

	p->await = 0;
	event_del(p->silence);
	r = tpmq_submit(p->q, step_work, step_done, s);
	if (r < 0) {
		provision_step_free(s);
		return provision_fail(p, r, "tpm", "%s", strerror(-r));
	}
	p->step = s;
	return 0;
}

void provision_step_drop(struct provision *p)
{
	if (p->step)
		p->step->p = NULL;
	p->step = NULL;
}

/* ---- sending ---- */

static void flush(struct provision *p)
{
	/* A peer that is gone shows itself at the reading side, perhaps after its last words. */
	if (evbuffer_get_length(p->out) && evbuffer_write(p->out, p->fd) < 0 && errno != EAGAIN && errno != EINTR)
		evbuffer_drain(p->out, evbuffer_get_length(p->out));
	if (evbuffer_get_length(p->out)) {
		if (event_add(p->ev_write, NULL) < 0)
			evbuffer_drain(p->out, evbuffer_get_length(p->out));
		return;
	}
	if (p->ending)
		p->over = true;
}

static int queue_frame(struct provision *p, const struct akm_blob *frame)
{
	if (evbuffer_add(p->out, frame->data, frame->len) < 0)
		return -ENOMEM;
	flush(p);
	return 0;
}

int provision_send(struct provision *p, const struct provision_msg *m, bool keep)
{
	_cleanup_(akm_blob_free) struct akm_blob payload = {}, raw = {};
	struct frame f = { .exchange = p->exchange, .type = (uint16_t)m->type };
	int r;

	r = provision_msg_encode(m, &payload);
	f.payload = payload.data;
	f.len = payload.len;
	r = r ?: frame_encode(&f, &raw) ?: queue_frame(p, &raw);
	if (r < 0)
		return provision_fail(p, r, provision_type_name(m->type), "cannot be sent: %s", strerror(-r));
	if (m->type != PROVISION_ERROR)
		provision_note(p, m->type, payload.data, payload.len);
	akm_blob_free(&p->last);
	if (keep) {
		p->last = raw;
		raw = (struct akm_blob) {};
	}
	return 0;
}

/* Not while the last one is still on its way: a line that takes nothing must not fill memory. */
void provision_send_again(struct provision *p)
{
	if (p->last.len && !evbuffer_get_length(p->out))
		(void)queue_frame(p, &p->last);
}

void provision_await(struct provision *p, unsigned int type)
{
	p->await = type;
	/* A serial line is there before anybody speaks on it. */
	if (type == PROVISION_HELLO && p->tty)
		event_del(p->silence);
	else
		set_timer(p->silence, p->timeout_ms);
}

/* ---- receiving ---- */

static int peer_failed(struct provision *p, const struct provision_failure *f)
{
	provision_fail(p, -f->code, "peer", "%s: %s", f->field, f->reason);
	provision_end(p, -f->code);
	return 0;
}

static int receive(struct provision *p, const struct frame *f)
{
	_cleanup_provision_msg_ struct provision_msg m = {};
	int r;

	if (p->side->hello && f->type == PROVISION_HELLO)
		return p->side->hello(p, f);
	/* What is left of another exchange, comes twice, or is our own echo */
	if (!f->exchange || f->exchange != p->exchange || (f->type != p->await && f->type != PROVISION_ERROR))
		return 0;
	r = provision_msg_decode(f->type, f->payload, f->len, &m, &p->err);
	if (r < 0)
		return r == -EBADMSG ? -EPROTO : r;
	if (m.type == PROVISION_ERROR)
		return peer_failed(p, &m.failure);
	event_del(p->silence);
	provision_note(p, f->type, f->payload, f->len);
	return p->side->receive(p, &m);
}

static void frames(struct provision *p)
{
	struct frame f;

	while (!p->ending && frame_next(&p->in, &f))
		outcome(p, receive(p, &f));
	if (p->ending)
		return;
	if (p->in.noise > FRAME_NOISE_MAX && p->await != PROVISION_HELLO)
		outcome(p, provision_fail(p, -EPROTO, "line", "carries something else: %llu bytes without a frame",
					  (unsigned long long)p->in.noise));
	else if (frame_partial(&p->in))
		set_timer(p->gap, FRAME_GAP_MS);
	else
		event_del(p->gap);
}

static void transport_ended(struct provision *p, int e)
{
	if (e)
		provision_fail(p, -e, "connection", "%s", strerror(e));
	else
		provision_fail(p, -EPIPE, "connection", "was closed by the other end");
	provision_end(p, e ? -e : -EPIPE);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
	struct provision *p = arg;
	uint8_t *room;
	size_t len;
	ssize_t n;
	int e;

	(void)what;
	enter(p);
	do {
		room = frame_room(&p->in, &len);
		n = read(fd, room, len);
		e = errno;
		if (n > 0) {
			frame_filled(&p->in, (size_t)n);
			frames(p);
		}
	} while (n > 0 && !p->ending);
	if (!p->ending && !n)
		transport_ended(p, 0);
	else if (!p->ending && n < 0 && e != EAGAIN && e != EINTR)
		transport_ended(p, e);
	leave(p);
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
	struct provision *p = arg;

	(void)fd;
	(void)what;
	enter(p);
	flush(p);
	leave(p);
}

static void on_silence(evutil_socket_t fd, short what, void *arg)
{
	struct provision *p = arg;

	(void)fd;
	(void)what;
	enter(p);
	if (p->ending)
		p->over = true;
	else
		outcome(p, provision_fail(p, -ETIMEDOUT, "connection",
					  "the other end said nothing for %u s (awaited: %s)", p->timeout_ms / 1000, provision_type_name(p->await)));
	leave(p);
}

static void on_gap(evutil_socket_t fd, short what, void *arg)
{
	struct provision *p = arg;

	(void)fd;
	(void)what;
	enter(p);
	frame_give_up(&p->in);
	frames(p);
	leave(p);
}

static void on_resend(evutil_socket_t fd, short what, void *arg)
{
	struct provision *p = arg;
	struct timeval tv = { .tv_sec = HELLO_RESEND_MS / 1000, .tv_usec = HELLO_RESEND_MS % 1000 * 1000 };

	(void)fd;
	(void)what;
	enter(p);
	if (p->await == PROVISION_IDENTITY) {
		provision_send_again(p);
		if (event_add(p->resend, &tv) < 0)
			outcome(p, provision_fail(p, -ENOMEM, "provisioning", "%s", strerror(ENOMEM)));
	}
	leave(p);
}

static int set_up(struct provision *p)
{
	int fd = p->fd;

	p->out = evbuffer_new();
	p->ev_read = event_new(p->base, fd, EV_READ | EV_PERSIST, on_read, p);
	p->ev_write = event_new(p->base, fd, EV_WRITE, on_write, p);
	p->silence = event_new(p->base, -1, 0, on_silence, p);
	p->gap = event_new(p->base, -1, 0, on_gap, p);
	p->resend = event_new(p->base, -1, 0, on_resend, p);
	if (!p->out || !p->ev_read || !p->ev_write || !p->silence || !p->gap || !p->resend ||
	    event_add(p->ev_read, NULL) < 0)
		return -ENOMEM;
	return 0;
}

int provision_new(struct event_base *base, struct tpmq *q, int fd, const struct provision_side *side,
		  const struct provision_ops *ops, void *ctx, unsigned int timeout_ms, struct provision **ret)
{
	struct provision *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		close(fd);
		return -ENOMEM;
	}
	p->base = base;
	p->q = q;
	p->fd = fd;
	p->tty = isatty(fd);
	p->side = side;
	p->ops = *ops;
	p->ctx = ctx;
	p->timeout_ms = timeout_ms ?: PROVISION_TIMEOUT_MS;
	r = set_up(p);
	if (r < 0) {
		provision_free(p);
		return r;
	}
	provision_begin(p);
	*ret = p;
	return 0;
}
