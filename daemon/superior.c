// SPDX-License-Identifier: GPL-2.0
#include "superior.h"

#include <openssl/rand.h>

#include "clock.h"
#include "linkkeys.h"
#include "log.h"
#include "outbox.h"
#include "rotate_subject.h"

#define FORGET_AFTER	8		/* links without an answer */
#define PLAIN_MS	3600000		/* so long a link with a plain hello lasts: it may have been cut off for another reason */

struct superior {
	struct superior_config c;
	char name[AKM_NAME_LEN], issuer[AKM_NAME_LEN];
	struct linkkeys *keys;
	struct linkkey *key;
	struct event *retry, *beat;
	struct link *link;
	bool proven;			/* who is at the other end of the link has the key */
	bool up;			/* hello was exchanged */
	bool key_ready;
	bool heard;			/* on this link more than a hello came: ours was understood */
	uint64_t up_ms;			/* monotonic, since when it is up */
	bool plain;			/* our hello says what every version understands, and no more */
	bool knows_features;		/* some link told of them */
	unsigned int unanswered;	/* links in a row on which nothing but a hello came */
	uint32_t features;		/* theirs, on this link; 0: not told */
	bool next_held;			/* a key was offered, for the n after the current one: rotate.h */
	bool prefer_next;		/* the next attempt is with it */
	bool on_next;			/* so is, or was, this link */
	bool going;			/* as soon as its link key is there, from this link to one with it */
	uint64_t next_term, term;	/* of who offered it; of the superior that we follow */
	struct rotate_job *taking;	/* what was offered is being taken in */
	uint32_t taking_request;
	struct calls calls;
	struct outbox outbox;
	size_t address;			/* the next to try */
	uint64_t backoff_ms, seq, started_ms, instance;
	struct superior_status status;
};

static void set_reason(struct superior *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void set_reason(struct superior *s, const char *fmt, ...)
{
	char reason[sizeof(s->status.reason)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	if (!strcmp(reason, s->status.reason))
		return;				/* once, not at each attempt */
	memcpy(s->status.reason, reason, sizeof(reason));
	log_notice("no link to %s: %s address=%s", s->issuer, reason, s->status.address);
}

/* Exponential, with a quarter of jitter so that a fleet does not come back at one instant. */
static void retry_later(struct superior *s)
{
	uint8_t random = 0;
	uint64_t delay = s->backoff_ms;

	RAND_bytes(&random, 1);
	delay = delay - delay / 4 + delay / 2 * random / 255;
	s->backoff_ms = s->backoff_ms * 2 > SUPERIOR_BACKOFF_MAX_MS ? SUPERIOR_BACKOFF_MAX_MS :
								     s->backoff_ms * 2;
	timer_set(s->retry, delay);
}

static int link_key(void *ctx, const uint8_t id[AKM_ID_LEN], uint64_t n, uint8_t ret_key[AKM_KEY_LEN])
{
	struct superior *s = ctx;

	if (memcmp(id, s->c.id, AKM_ID_LEN))
		return -ENOENT;
	return linkkey_get(s->key, n, ret_key);
}

static void refuse(struct superior *s, const struct akm_error *err)
{
	set_reason(s, "%s: %s", err->field, err->reason);
	link_close(s->link);
}

static void on_up(struct link *l, void *ctx)
{
	struct superior *s = ctx;
	struct msg m = { .type = MSG_HELLO };

	s->proven = true;
	m.hello.version = LINK_VERSION;
	m.hello.role = s->c.role;
	snprintf(m.hello.name, sizeof(m.hello.name), "%s", s->name);
	m.hello.link_n = link_info(l)->n;
	m.hello.instance = s->plain ? 0 : s->instance;
	m.hello.features = s->plain ? 0 : FEATURES_ALL;
	s->c.ops.hello(&m.hello, link_info(l), s->c.ctx);
	if (link_send(l, &m) < 0)
		link_close(l);
}

static void on_beat_answer(void *ctx, int r, const struct akm_error *err)
{
	struct superior *s = ctx;

	(void)err;
	if (r == -ETIMEDOUT && s->link) {
		set_reason(s, "it does not answer heartbeats");
		link_close(s->link);
	}
}

void superior_heartbeat(struct superior *s)
{
	struct msg m = { .type = MSG_HEARTBEAT };
	int r;

	if (!s->up)
		return;
	if (s->plain && now_ms() - s->up_ms >= PLAIN_MS) {
		link_close(s->link);
		return;
	}
	m.heartbeat.seq = ++s->seq;
	m.heartbeat.uptime_ms = now_ms() - s->started_ms;
	r = s->c.ops.heartbeat(&m.heartbeat, s->c.ctx);
	if (!r)
		r = calls_send(&s->calls, s->link, &m, (uint64_t)s->c.heartbeat_ms * s->c.heartbeat_missed,
			       on_beat_answer, s);
	free(m.heartbeat.atrs);
	if (r < 0)
		log_warning("cannot send a heartbeat error=%s", strerror(-r));
	timer_set(s->beat, s->c.heartbeat_ms);
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	superior_heartbeat(arg);
}

static int check_hello(const struct superior *s, const struct msg_hello *h, struct akm_error *err)
{
	enum msg_role want = s->c.role == ROLE_NODE ? ROLE_MANAGER : ROLE_ROOT;

	if (h->version != LINK_VERSION)
		return akm_error_set(err, -EPROTONOSUPPORT, "version", "%u, this is %u", h->version, LINK_VERSION);
	if (h->role != want)
		return akm_error_set(err, -EPROTO, "role", "not a superior of this role");
	return s->c.ops.accept(h, err, s->c.ctx);
}

/* What a superior has offered that was replaced, by one who knows nothing of it: it will never be. */
static void forget_void(struct superior *s)
{
	int r;

	if (!s->next_held || s->on_next || s->term <= s->next_term)
		return;
	r = s->c.ops.offered(NULL, 0, s->c.ctx);
	if (r < 0) {
		log_err("cannot store that a new key is void error=%s", strerror(-r));
		return;
	}
	(void)linkkey_offer(s->key, NULL);	/* of which nothing can fail */
	s->next_held = s->prefer_next = s->going = false;
}

static void take_hello(struct superior *s, const struct msg_hello *h)
{
	struct akm_error err = {};

	if (check_hello(s, h, &err) < 0) {
		refuse(s, &err);
		return;
	}
	s->term = h->term;
	forget_void(s);
	s->up = true;
	s->up_ms = now_ms();
	s->backoff_ms = SUPERIOR_BACKOFF_MIN_MS;
	s->status.up = true;
	s->status.since_ms = wall_ms();
	s->status.reason[0] = '\0';
	log_info("link to %s is up address=%s term=%llu", s->issuer, s->status.address,
		 (unsigned long long)h->term);
	s->c.ops.up(s->link, s->c.ctx);
	superior_heartbeat(s);
	outbox_up(&s->outbox, s->link);
}

/* Persisted before it is acknowledged, computed in the background. */
static int take_next(struct superior *s, uint64_t n, struct akm_error *err)
{
	uint64_t have = linkkey_n(s->key) + s->on_next;
	int r;

	if (s->next_held && !s->on_next)
		return akm_error_set(err, -ESTALE, "n", "%llu is of another key, which waits for a link", (unsigned long long)have + 1);
	if (n == have)
		return 0;
	if (n != have + 1)
		return akm_error_set(err, -ESTALE, "n", "%llu does not follow %llu", (unsigned long long)n,
				     (unsigned long long)have);
	r = s->on_next ? s->c.ops.rotated(n, s->c.ctx) : s->c.ops.next(n, s->c.ctx);
	if (r < 0)
		return akm_error_set(err, r, "n", "cannot be stored: %s", strerror(-r));
	s->key_ready = false;
	linkkey_advance(s->key, n);
	if (s->on_next)
		evidence_add(s->c.evidence, EVIDENCE_NOTE("rotated", SEV_INFO),
			     "%s and we have a new key; the one before is erased here", s->issuer);
	s->on_next = s->next_held = s->prefer_next = false;
	return 0;
}

/* ---- a key is offered ---- */

static void refuse_offer(struct superior *s, int r, const struct akm_error *err)
{
	if (r == -EKEYREJECTED && !strcmp(err->field, "offer"))
		evidence_add(s->c.evidence, EVIDENCE_NOTE("impostor", SEV_ALERT, .limit = "rotate"),
			     "Who offers a new key as %s does not have the present one, or repeats an offer", s->issuer);
	log_warning("a new key was not taken field=%s reason=%s", err->field, err->reason);
	(void)reply_error(s->link, s->taking_request, r, err);	/* a dead link says so itself */
}

/* Durable before it is acknowledged. Then it is used: by that the superior knows that we have it. */
static int keep_offer(struct superior *s, const struct akm_blob *key, struct akm_error *err)
{
	int r = s->c.ops.offered(key, s->term, s->c.ctx) ?: linkkey_offer(s->key, key);

	if (r < 0)
		return akm_error_set(err, r, "key", "cannot be stored: %s", strerror(-r));
	s->next_held = s->prefer_next = s->going = true;
	s->next_term = s->term;
	return 0;
}

static void on_taken(void *ctx, int r, const struct akm_blob *key, const struct akm_error *err)
{
	struct superior *s = ctx;
	struct akm_error e = *err;

	s->taking = NULL;
	r = r ?: keep_offer(s, key, &e);
	if (r < 0)
		refuse_offer(s, r, &e);
	else
		(void)reply_ok(s->link, s->taking_request);
}

static void take_offer(struct superior *s, const struct msg *m)
{
	struct rotate_context c = { .n = m->rotate.n };
	struct akm_error err = {};
	int r = 0;

	if (s->taking || s->on_next)
		r = akm_error_set(&err, -EBUSY, "rotate", "the one before is not over");
	else if (c.n != linkkey_n(s->key) + 1)
		r = akm_error_set(&err, -ESTALE, "n", "does not follow %llu", (unsigned long long)linkkey_n(s->key));
	memcpy(c.id, s->c.id, AKM_ID_LEN);
	memcpy(c.hardware, s->c.hardware, AKM_DIGEST_LEN);
	memcpy(c.nonce, m->rotate.nonce, sizeof(c.nonce));
	r = r ?: link_binding(s->link, c.binding) ?:
	    rotate_take(s->c.q, linkkey_key(s->key), &c, &m->rotate.wrapped, on_taken, s, &s->taking);
	if (r < 0) {
		if (!err.field[0])
			akm_error_set(&err, r, "rotate", "%s", strerror(-r));
		(void)reply_error(s->link, m->request, r, &err);
		return;
	}
	s->taking_request = m->request;
}

static void take_features(struct superior *s, uint32_t bits)
{
	s->features = bits;
	s->knows_features = true;
	if (s->c.ops.features)
		s->c.ops.features(s->link, s->c.ctx);
}

static void on_message(struct link *l, struct msg *m, void *ctx)
{
	struct superior *s = ctx;
	struct akm_error err = {};
	int r = 0;

	if (m->type == MSG_HELLO && !s->up) {
		take_hello(s, &m->hello);
		return;
	}
	s->heard = true;
	if (!s->up)
		r = -EPROTO;
	else if (m->type == MSG_FEATURES)
		take_features(s, m->features.bits);
	else if (m->type == MSG_OK || m->type == MSG_ERROR)
		r = calls_answer(&s->calls, m);
	else if (m->type == MSG_LINK_NEXT)
		r = take_next(s, m->next.n, &err) < 0 ? reply_error(l, m->request, -ESTALE, &err) :
							reply_ok(l, m->request);
	else if (m->type == MSG_ROTATE)
		take_offer(s, m);
	else
		r = s->c.ops.message(l, m, s->c.ctx);
	if (r < 0) {
		akm_error_set(&err, r, msg_type_name(m->type), "not expected here");
		refuse(s, &err);
	}
}

/*
 * Somebody is where the superior should be. Alerts are no proof of that, and what they say may be true: who is
 * told to be unknown, or to come later, records nothing.
 */
static void record_impostor(struct superior *s, enum link_down why, const char *reason)
{
	/* A key that was only offered may be one that the superior, or who replaced it, has never heard of. */
	if ((why == LINK_DOWN_PSK && !s->on_next) || why == LINK_DOWN_PROTOCOL)
		evidence_add(s->c.evidence, EVIDENCE_NOTE("impostor", SEV_ALERT, .limit = s->status.address),
			     "Who answers at %s does not prove to be %s: %s", s->status.address, s->issuer, reason);
}

/*
 * An older superior ends the link on a word of our hello that it does not know, without an answer to anything. Then the
 * next one is plain, and the one after it not: it may be brought up to date. Of one that has told of its features
 * this is believed late, as whoever cuts links could have us forget them.
 */
static void choose_hello(struct superior *s)
{
	if (s->heard)
		s->unanswered = 0;
	else if (s->proven)
		s->unanswered++;
	s->plain = !s->plain && s->unanswered >= (s->knows_features ? FORGET_AFTER : 1);
	s->heard = false;
	s->features = 0;
}

static void on_down(struct link *l, enum link_down why, const struct akm_error *err,
		    const struct link_peer_info *info, void *ctx)
{
	struct superior *s = ctx;
	bool was_up = s->up;

	(void)l, (void)info;
	choose_hello(s);
	s->link = NULL;
	s->up = false;
	event_del(s->beat);
	outbox_down(&s->outbox);
	calls_abort(&s->calls);
	rotate_drop(s->taking);
	s->taking = NULL;
	if (was_up) {
		s->status.up = false;
		s->status.since_ms = wall_ms();
		s->c.ops.down(s->c.ctx);
	}
	if (why != LINK_DOWN_CLOSED || !s->status.reason[0])
		set_reason(s, "%s%s%s", link_down_name(why), err && err->reason[0] ? ": " : "",
			   err ? err->reason : "");
	if (!s->proven)
		record_impostor(s, why, err ? err->reason : "");
	if (!s->proven && s->next_held && (why == LINK_DOWN_PSK || why == LINK_DOWN_UNKNOWN))
		s->prefer_next = !s->prefer_next;	/* one of the two it is */
	s->on_next = false;
	if (was_up && s->going)
		timer_set(s->retry, 0);
	else
		retry_later(s);
	s->going = false;
}

static void attempt(struct superior *s)
{
	struct link_client_config cfg = {
		.n = linkkey_n(s->key),
		.key = link_key,
		.ops = { on_up, on_message, on_down },
		.ctx = s,
	};
	struct akm_error err = {};
	int r;

	if (s->link || !s->key_ready || !s->c.n_addresses)
		return;
	s->on_next = s->next_held && s->prefer_next && linkkey_has(s->key, cfg.n + 1);
	cfg.n += s->on_next;
	cfg.address = s->c.addresses[s->address];
	s->address = (s->address + 1) % s->c.n_addresses;
	snprintf(s->status.address, sizeof(s->status.address), "%s", cfg.address);
	memcpy(cfg.id, s->c.id, AKM_ID_LEN);
	s->proven = false;
	r = link_connect(s->c.base, &cfg, &s->link, &err);
	if (r < 0) {
		set_reason(s, "%s", err.reason[0] ? err.reason : strerror(-r));
		retry_later(s);
	}
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	attempt(arg);
}

static void on_key(void *ctx, int r)
{
	struct superior *s = ctx;

	s->key_ready = linkkey_has(s->key, linkkey_n(s->key));
	if (!r && s->up && s->going && linkkey_has(s->key, linkkey_n(s->key) + 1))
		link_close(s->link);
	if (!r) {
		attempt(s);
		return;
	}
	set_reason(s, r == -ENOKEY ? "the TPM does not hold this party's provisioning key: %s" :
				     "the TPM cannot make the link key: %s", strerror(-r));
	evidence_add(s->c.evidence, EVIDENCE_NOTE("tpm", SEV_ALERT, .limit = "link-key"),
		     "The TPM cannot make the link key: %s", strerror(-r));
}

static void on_new_evidence(void *ctx)
{
	struct superior *s = ctx;

	outbox_kick(&s->outbox);
}

int superior_new(const struct superior_config *cfg, struct superior **ret)
{
	struct superior *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (!s)
		return -ENOMEM;
	s->c = *cfg;
	snprintf(s->name, sizeof(s->name), "%s", cfg->name);
	snprintf(s->issuer, sizeof(s->issuer), "%s", cfg->issuer);
	s->backoff_ms = SUPERIOR_BACKOFF_MIN_MS;
	s->started_ms = now_ms();
	s->status.since_ms = wall_ms();
	/* Without randomness it does not say which it is. */
	if (RAND_bytes((uint8_t *)&s->instance, sizeof(s->instance)) != 1)
		s->instance = 0;
	calls_init(&s->calls, cfg->base);
	outbox_init(&s->outbox, cfg->evidence, &s->calls);
	evidence_on_new(cfg->evidence, on_new_evidence, s);
	s->retry = evtimer_new(cfg->base, on_retry, s);
	s->beat = evtimer_new(cfg->base, on_beat, s);
	if (s->retry && s->beat)
		r = linkkeys_new(cfg->base, cfg->q, false, &s->keys);
	if (!r)
		r = linkkey_add(s->keys, NULL, cfg->key, cfg->hardware, cfg->n, on_key, s, &s->key);
	if (!r && cfg->next_key && cfg->next_key->len) {
		r = linkkey_offer(s->key, cfg->next_key);
		s->next_held = s->prefer_next = true;
		s->next_term = cfg->next_term;
	}
	if (r < 0) {
		superior_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void superior_free(struct superior *s)
{
	if (!s)
		return;
	evidence_on_new(s->c.evidence, NULL, NULL);
	calls_drop(&s->calls);
	rotate_drop(s->taking);
	link_free(s->link);
	if (s->retry)
		event_free(s->retry);
	if (s->beat)
		event_free(s->beat);
	linkkey_free(s->key);
	linkkeys_free(s->keys);
	free(s);
}

struct link *superior_link(const struct superior *s)
{
	return s && s->up ? s->link : NULL;
}

uint32_t superior_features(const struct superior *s)
{
	return s ? s->features : 0;
}

struct calls *superior_calls(struct superior *s)
{
	return &s->calls;
}

void superior_status(const struct superior *s, struct superior_status *ret)
{
	if (s)
		*ret = s->status;
	else
		memset(ret, 0, sizeof(*ret));
}
