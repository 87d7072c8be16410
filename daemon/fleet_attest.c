// SPDX-License-Identifier: GPL-2.0
/*
 * What nodes' TPMs say of their PCRs: asked after each connect and every interval, one question at a time, and held
 * against the baseline that the node was provisioned with, or that an operator has accepted since.
 */
#include "fleet_internal.h"

#include <openssl/rand.h>

#include "clock.h"
#include "log.h"
#include "pulse.h"
#include "report.h"

#define ANSWER_MIN_MS	60000		/* a TPM can stall for 30 s, and other work may be before this */
#define HEX_LEN		(2 * AKM_DIGEST_LEN + 1)

enum attest_state { ATTEST_UNKNOWN, ATTEST_GOOD, ATTEST_CHANGED, ATTEST_BAD, ATTEST_MISSED };

static const char *const state_names[] = {
	[ATTEST_UNKNOWN] = "not asked yet", [ATTEST_GOOD] = "good", [ATTEST_CHANGED] = "changed", [ATTEST_BAD] = "bad",
	[ATTEST_MISSED] = "no answer",
};

/* One node that attests. It outlives its links, not its provisioning. */
struct fleet_attest {
	struct fleet_attest *next;
	struct fleet *fleet;
	uint8_t id[AKM_ID_LEN];
	char name[AKM_NAME_LEN];
	struct event *timer;
	struct quote_baseline baseline;	/* as stored, but for a clock that went on */
	bool asked, quoted;		/* a question is open; a quote has come for it */
	uint64_t asked_ms;		/* monotonic */
	uint8_t nonce[AKM_DIGEST_LEN];
	enum attest_state state;
	uint64_t since_ms;		/* CLOCK_REALTIME, of @state; 0: never asked */
	char reason[200];		/* of ATTEST_BAD, ATTEST_MISSED */
	bool heard;			/* @digest is of the last quote that verified */
	uint8_t digest[AKM_DIGEST_LEN];
	bool told;			/* on this link, of a @digest that is not the baseline's */
};

/* IDs are random. */
static struct fleet_attest **bucket(struct fleet *f, const uint8_t id[AKM_ID_LEN])
{
	return &f->attests[(id[0] << 8 | id[1]) % FLEET_ATTEST_BUCKETS];
}

static struct fleet_attest *find(struct fleet *f, const uint8_t id[AKM_ID_LEN])
{
	struct fleet_attest *a = *bucket(f, id);

	while (a && memcmp(a->id, id, AKM_ID_LEN))
		a = a->next;
	return a;
}

static void destroy(struct fleet_attest *a)
{
	if (a->timer)
		event_free(a->timer);
	quote_baseline_free(&a->baseline);
	free(a);
}

void fleet_attest_forget(struct fleet *f, const uint8_t id[AKM_ID_LEN])
{
	for (struct fleet_attest **p = bucket(f, id); *p; p = &(*p)->next) {
		struct fleet_attest *a = *p;

		if (memcmp(a->id, id, AKM_ID_LEN))
			continue;
		*p = a->next;
		destroy(a);
		return;
	}
}

void fleet_attest_free(struct fleet *f)
{
	for (size_t i = 0; i < FLEET_ATTEST_BUCKETS; i++) {
		while (f->attests[i]) {
			struct fleet_attest *a = f->attests[i];

			f->attests[i] = a->next;
			destroy(a);
		}
	}
}

/* ---- evidence ---- */

__attribute__((format(printf, 3, 4)))
static void tell(const struct fleet_attest *a, const struct evidence_note *note, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fleet_tell(a->fleet, a->id, a->name, note, text);
}

static void enter(struct fleet_attest *a, enum attest_state state, const char *reason)
{
	if (a->state != state || !a->since_ms)
		a->since_ms = wall_ms();
	a->state = state;
	snprintf(a->reason, sizeof(a->reason), "%s", reason);
}

static void bad(struct fleet_attest *a, const char *field, const char *reason)
{
	char text[sizeof(a->reason)];

	snprintf(text, sizeof(text), "%s %s", field, reason);
	enter(a, ATTEST_BAD, text);
	tell(a, EVIDENCE_NOTE("quote-bad", SEV_ALERT), "%s: what it gives for a quote of its TPM is none: %s", a->name, text);
}

static void missed(struct fleet_attest *a, const char *reason)
{
	enter(a, ATTEST_MISSED, reason);
	tell(a, EVIDENCE_NOTE("quote-missed", SEV_WARNING), "%s gave no quote of its TPM: %s", a->name, reason);
}

static void changed(struct fleet_attest *a, const uint8_t digest[AKM_DIGEST_LEN])
{
	bool news = !a->told || memcmp(a->digest, digest, AKM_DIGEST_LEN);
	char was[HEX_LEN], is[HEX_LEN], pcrs[QUOTE_TEXT_MAX];

	enter(a, ATTEST_CHANGED, "");
	if (!news)
		return;
	a->told = true;
	report_hex(a->baseline.facts.digest, AKM_DIGEST_LEN, was);
	report_hex(digest, AKM_DIGEST_LEN, is);
	quote_pcrs_text(a->baseline.pcrs, pcrs);
	tell(a, EVIDENCE_NOTE("pcr-changed", SEV_ALERT), "%s runs something else: %s is %s, not %s", a->name, pcrs, is, was);
}

/* ---- judging ---- */

/* Counts are kept when they change, at each start of the node; the clock, which always does, goes with them. */
static void keep_counts(struct fleet_attest *a, const struct quote_facts *now)
{
	struct quote_facts *f = &a->baseline.facts, before = *f;
	int r;

	f->clock_ms = now->clock_ms;
	f->resets = now->resets;
	f->restarts = now->restarts;
	f->firmware = now->firmware;
	if (before.resets == now->resets && before.restarts == now->restarts && before.firmware == now->firmware)
		return;
	r = store_attest_put(a->fleet->c.store, a->id, &a->baseline);
	if (r < 0)
		log_err("cannot store what a node attests node=%s error=%s", a->name, store_strerror(a->fleet->c.store));
	evidence_add(a->fleet->c.evidence, EVIDENCE_NOTE("tpm-reset", SEV_INFO, .limit = a->name),
		     "The TPM of %s was started again since its last quote: %u resets, %u resumes%s", a->name,
		     now->resets - before.resets, now->resets == before.resets ? now->restarts - before.restarts : 0,
		     before.firmware == now->firmware ? "" : "; its firmware is another one");
}

static void judge(struct fleet_attest *a, const struct quote_facts *now)
{
	struct akm_error err = {};

	if (quote_follows(&a->baseline.facts, now, &err) < 0) {
		bad(a, err.field, err.reason);
		return;
	}
	keep_counts(a, now);
	if (memcmp(now->digest, a->baseline.facts.digest, AKM_DIGEST_LEN)) {
		changed(a, now->digest);
	} else {
		enter(a, ATTEST_GOOD, "");
		a->told = false;
	}
	memcpy(a->digest, now->digest, AKM_DIGEST_LEN);
	a->heard = true;
}

void fleet_attest_quote(struct fleet *f, struct peer *p, const struct keystore_quote *q)
{
	struct fleet_attest *a = find(f, p->id);
	struct quote_expect want = {};
	uint8_t binding[AKM_KEY_LEN];
	struct quote_facts facts;
	struct akm_error err = {};
	int r;

	if (!a || !a->asked || a->quoted) {
		log_debug("a quote that nobody waits for peer=%s", p->name);	/* it was too late */
		return;
	}
	a->quoted = true;
	want.ak_public = a->baseline.ak_public;
	want.signer = a->baseline.signer;
	want.pcrs = a->baseline.pcrs;
	r = link_binding(p->link, binding) ?: quote_link_qualifying(a->nonce, p->id, binding, want.qualifying);
	if (r < 0) {
		log_err("cannot judge a quote peer=%s error=%s", p->name, strerror(-r));
		return;
	}
	if (quote_verify(&want, &q->attest, &q->signature, &facts, &err) < 0)
		bad(a, err.field, err.reason);
	else
		judge(a, &facts);
}

/* ---- asking ---- */

/* Longer than a link lasts on which nothing gets through: silence is the node's own, and not the wire's. */
static uint64_t answer_ms(const struct config *c)
{
	uint64_t link_ms = (uint64_t)c->heartbeat_ms * (c->heartbeat_missed + 1);

	return link_ms > ANSWER_MIN_MS ? link_ms : ANSWER_MIN_MS;
}

static void ask(struct fleet_attest *a);

static void on_answer(void *ctx, int r, const struct akm_error *err)
{
	struct fleet_attest *a = ctx;
	bool quoted = a->quoted;
	char text[sizeof(a->reason)];

	a->asked = a->quoted = false;
	if (r == -ENOTCONN || (!r && quoted))
		return;
	if (!r) {
		bad(a, "answer", "says that all is well, and there is no quote");
		return;
	}
	/* The time is up, and was long ago: it is we who stood still. */
	if (r == -ETIMEDOUT && now_ms() - a->asked_ms > answer_ms(a->fleet->c.config) + PULSE_LATE_MS) {
		ask(a);
		return;
	}
	if (r == -ETIMEDOUT)
		snprintf(text, sizeof(text), "no answer within %llu s",
			 (unsigned long long)answer_ms(a->fleet->c.config) / 1000);
	else
		snprintf(text, sizeof(text), "it says: %.40s: %.140s", err ? err->field : "",
			 err ? err->reason : strerror(-r));
	missed(a, text);
}

static void ask(struct fleet_attest *a)
{
	struct peer *p = peers_find(a->fleet->peers, a->id);
	struct msg m = { .type = MSG_QUOTE_ASK, .ask = { .pcrs = a->baseline.pcrs } };
	int r;

	if (!p || !p->up || a->asked)
		return;
	if (RAND_bytes(a->nonce, sizeof(a->nonce)) != 1) {
		log_err("no randomness to ask for a quote with peer=%s", p->name);
		return;
	}
	memcpy(m.ask.nonce, a->nonce, sizeof(m.ask.nonce));
	r = peer_call(p, &m, answer_ms(a->fleet->c.config), on_answer, a);
	if (r < 0)
		log_debug("a quote is asked for later peer=%s error=%s", p->name, strerror(-r));
	a->asked = !r;
	a->asked_ms = now_ms();
}

/* With up to an eighth more, so that nodes that came together do not answer together for ever. */
static void ask_later(struct fleet_attest *a)
{
	uint64_t ms = a->fleet->c.config->attest_interval_s * 1000ULL;
	uint16_t spread = 0;

	if (!ms)
		return;
	(void)RAND_bytes((unsigned char *)&spread, sizeof(spread));
	timer_set(a->timer, ms + ms * spread / (8ULL << 16));
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	ask(arg);
	ask_later(arg);
}

/* What is on record of a node that is here for the first time. Return: NULL if it does not attest, or there is no memory. */
static struct fleet_attest *load(struct fleet *f, const struct peer *p)
{
	struct quote_baseline baseline = {};
	struct fleet_attest *a;
	int r = store_attest_get(f->c.store, p->id, &baseline);

	if (r < 0) {
		if (r != -ENOENT)
			log_err("cannot read what a node attests node=%s error=%s", p->name, store_strerror(f->c.store));
		return NULL;
	}
	a = calloc(1, sizeof(*a));
	if (a)
		a->timer = evtimer_new(f->c.base, on_timer, a);
	if (!a || !a->timer) {
		free(a);
		quote_baseline_free(&baseline);
		log_err("no memory to ask a node for quotes node=%s", p->name);
		return NULL;
	}
	a->fleet = f;
	a->baseline = baseline;
	memcpy(a->id, p->id, AKM_ID_LEN);
	memcpy(a->name, p->name, sizeof(a->name));
	a->next = *bucket(f, p->id);
	*bucket(f, p->id) = a;
	return a;
}

void fleet_attest_up(struct fleet *f, struct peer *p)
{
	struct fleet_attest *a = find(f, p->id) ?: load(f, p);

	if (!a)
		return;
	a->told = false;
	ask(a);
	ask_later(a);
}

/* ---- for people ---- */

static struct json_object *digest_json(const uint8_t digest[AKM_DIGEST_LEN])
{
	char text[HEX_LEN];

	report_hex(digest, AKM_DIGEST_LEN, text);
	return json_object_new_string(text);
}

void fleet_attest_report(struct fleet *f, const struct store_node *n, struct json_object *o)
{
	_cleanup_(quote_baseline_free) struct quote_baseline stored = {};
	const struct fleet_attest *a = find(f, n->id);
	char pcrs[QUOTE_TEXT_MAX];

	if (n->state != NODE_PROVISIONED)
		return;
	if (!a && store_attest_get(f->c.store, n->id, &stored) < 0) {
		report_put_text(o, "attestation", "none");
		return;
	}
	quote_pcrs_text(a ? a->baseline.pcrs : stored.pcrs, pcrs);
	report_put_text(o, "attestation", state_names[a ? a->state : ATTEST_UNKNOWN]);
	report_put_text(o, "pcrs", pcrs);
	json_object_object_add(o, "pcrs_accepted", digest_json(a ? a->baseline.facts.digest : stored.facts.digest));
	if (!a || !a->since_ms)
		return;
	json_object_object_add(o, "attested", report_time(a->since_ms));
	if (a->heard)
		json_object_object_add(o, "pcrs_measured", digest_json(a->digest));
	if (a->reason[0])
		report_put_text(o, "attestation_reason", a->reason);
}

static void find_wrong(const struct fleet_attest *a, struct health *h)
{
	char remedy[320];

	if (a->state == ATTEST_CHANGED) {
		snprintf(remedy, sizeof(remedy), "After an update that you know of: akmctl node accept-pcrs %s. If there was "
			 "none: look at the machine, akmctl node evict.", a->name);
		health_find(h, HEALTH_FINDING("pcrs", SEV_ALERT, .subject = a->name, .since_ms = a->since_ms, .remedy = remedy),
			    "it was started with other firmware or another system");
	}
	if (a->state == ATTEST_BAD)
		health_find(h, HEALTH_FINDING("quote", SEV_ALERT, .subject = a->name, .since_ms = a->since_ms,
					      .remedy = "Look at the machine; provision it again, if it is sound."),
			    "its TPM's word cannot be believed: %s", a->reason);
	if (a->state == ATTEST_MISSED)
		health_find(h, HEALTH_FINDING("quote", SEV_WARNING, .subject = a->name, .since_ms = a->since_ms,
					      .remedy = "On that node: akmctl doctor, and the journal of akmd. It is asked again by itself."),
			    "its TPM says nothing: %s", a->reason);
}

void fleet_attest_health(struct fleet *f, struct health *h)
{
	for (size_t i = 0; i < FLEET_ATTEST_BUCKETS; i++)
		for (const struct fleet_attest *a = f->attests[i]; a; a = a->next)
			find_wrong(a, h);
}

/* Only what has been proven, and told: never what the next quote may say. */
int fleet_attest_accept(struct fleet *f, const struct store_node *n, const uint8_t *digest, const char *who,
			struct akm_error *err)
{
	struct fleet_attest *a = find(f, n->id);
	struct quote_baseline next;
	char was[HEX_LEN], is[HEX_LEN];
	int r;

	if (!a || !a->heard)
		return akm_error_set(err, a ? -EAGAIN : -ENOENT, "node", a ? "%s: no quote of its TPM has come yet" :
				     "%s: no quote has come since this manager was started, or it has no attestation key: then "
				     "provision it again", n->name);
	report_hex(a->digest, AKM_DIGEST_LEN, is);
	if (digest && memcmp(digest, a->digest, AKM_DIGEST_LEN))
		return akm_error_set(err, -ESTALE, "digest", "is not what %s last measured: %s", n->name, is);
	if (!memcmp(a->digest, a->baseline.facts.digest, AKM_DIGEST_LEN))
		return akm_error_set(err, -EALREADY, "node", "%s: what it last measured is what was accepted before", n->name);
	next = a->baseline;			/* a view, with another digest */
	memcpy(next.facts.digest, a->digest, AKM_DIGEST_LEN);
	r = store_attest_put(f->c.store, n->id, &next);
	if (r < 0)
		return akm_error_set(err, r, "database", "%s", store_strerror(f->c.store));
	report_hex(a->baseline.facts.digest, AKM_DIGEST_LEN, was);
	memcpy(a->baseline.facts.digest, a->digest, AKM_DIGEST_LEN);
	if (a->state == ATTEST_CHANGED)
		enter(a, ATTEST_GOOD, "");
	evidence_add(f->c.evidence, EVIDENCE_NOTE("pcrs-accepted", SEV_WARNING),
		     "%s: %s was accepted in place of %s by %s", n->name, is, was, who);
	f->c.changed(f->c.ctx);
	return 0;
}
