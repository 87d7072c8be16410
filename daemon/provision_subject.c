// SPDX-License-Identifier: GPL-2.0
#include "provision.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "hwid.h"
#include "provision_internal.h"

/* ---- 7 → 8: commit ---- */

static int check_commit(struct keystore *ks, struct provision_step *s)
{
	return provision_key_mac(ks, s, COMMIT_LABEL, s->hash[0], &s->mac[0]);
}

static int commit(struct provision *p, struct provision_step *s)
{
	struct provision_msg m = { .type = PROVISION_DONE };
	int r = provision_commit(p, s, "commit");

	if (r <= 0)
		return r;
	provision_say(p, "%s is provisioned", p->grant.label);
	/* From here on nothing can fail: an acknowledgement that is lost changes neither side. */
	(void)provision_send(p, &m, false);
	p->err = (struct akm_error) {};
	provision_end(p, 0);
	return 0;
}

static int with_key(struct provision *p, const char *what, int (*work)(struct keystore *, struct provision_step *),
		    int (*then)(struct provision *, struct provision_step *), const uint8_t hash[AKM_DIGEST_LEN])
{
	struct provision_step *s = provision_step_new(p, what);

	if (!s)
		return -ENOMEM;
	s->work = work;
	s->then = then;
	memcpy(s->hash[0], hash, AKM_DIGEST_LEN);
	if (akm_blob_dup(p->grant.key.data, p->grant.key.len, &s->key) < 0) {
		provision_step_free(s);
		return -ENOMEM;
	}
	return provision_step_run(p, s);
}

static int on_commit(struct provision *p, const struct provision_msg *m)
{
	memcpy(p->mac, m->mac, sizeof(p->mac));
	return with_key(p, "checking the other end's key", check_commit, commit, p->before);
}

/* ---- 5 → 6: confirm ---- */

static int import(struct keystore *ks, struct provision_step *s)
{
	int r = 0;

	if (s->in_domain.len)
		r = keystore_domain_import(ks, &s->in_domain, &s->dup_domain);
	r = r ?: keystore_pair_import(ks, &s->in, &s->key) ?:
	    provision_key_mac(ks, s, CONFIRM_LABEL, s->hash[0], &s->mac[0]);
	return r || !s->pcrs ? r : keystore_quote(ks, &s->ak, s->pcrs, s->qualifying, &s->quote);
}

static int confirm(struct provision *p, struct provision_step *s)
{
	struct provision_msg m = { .type = PROVISION_CONFIRM };
	int r;

	p->grant.key = s->key;
	p->grant.domain = s->dup_domain;
	s->key = s->dup_domain = (struct akm_blob) {};
	memcpy(m.confirm.mac, s->mac[0].data, sizeof(m.confirm.mac));
	m.confirm.attest = s->quote.attest;	/* views: the step keeps them */
	m.confirm.signature = s->quote.signature;
	r = provision_send(p, &m, false);
	if (r < 0)
		return r;
	provision_say(p, "key imported into this TPM");
	provision_await(p, PROVISION_COMMIT);
	return 0;
}

static int check_offer(struct provision *p, const struct provision_offer *o)
{
	char label[2 * AKM_NAME_LEN];

	provision_label(p->grant.issuer, o->subject, label);
	if (strcmp(label, o->label))
		return provision_fail(p, -EPROTO, "grant.label", "is not made of the two names");
	if (CRYPTO_memcmp(o->hardware, p->grant.hardware, AKM_DIGEST_LEN))
		return provision_fail(p, -EKEYREJECTED, "grant.hardware", "is not the hardware value of this machine");
	return 0;
}

static int on_grant(struct provision *p, struct provision_offer *o)
{
	struct provision_grant *g = &p->grant;
	struct provision_step *s;
	int r;

	r = check_offer(p, o);
	if (r < 0)
		return r;
	s = provision_step_new(p, "importing the key");
	if (!s)
		return -ENOMEM;
	memcpy(g->id, o->id, sizeof(g->id));
	memcpy(g->label, o->label, sizeof(g->label));
	memcpy(g->subject, o->subject, sizeof(g->subject));
	memcpy(g->addresses, o->addresses, sizeof(g->addresses));
	g->n_addresses = o->n_addresses;
	g->term = o->term;
	s->work = import;
	s->then = confirm;
	s->in = o->key;
	s->in_domain = o->domain;
	o->key = o->domain = (struct akm_blob) {};
	memcpy(s->hash[0], p->transcript, AKM_DIGEST_LEN);
	r = quote_qualifying(QUOTE_PROVISION, p->transcript, AKM_DIGEST_LEN, s->qualifying) ?:
	    akm_blob_dup(g->ak.data, g->ak.len, &s->ak);
	if (r < 0) {
		provision_step_free(s);
		return r;
	}
	return provision_step_run(p, s);
}

/* ---- 3 → 4: proof ---- */

static int answer(struct keystore *ks, struct provision_step *s)
{
	return keystore_answer(ks, &s->in, &s->secret) ?:
	       (s->pcrs ? keystore_ak_answer(ks, &s->ak, &s->in_ak, &s->ak_secret) : 0);
}

static int proof(struct provision *p, struct provision_step *s)
{
	struct provision_msg m = { .type = PROVISION_PROOF };
	_cleanup_secret_ struct akm_secret credential = {};
	int r;

	r = provision_join(&s->secret, &s->ak_secret, &credential) ?:
	    provision_mac(&credential, p->transcript, m.mac) ?: provision_send(p, &m, false);
	if (r < 0)
		return r;
	provision_await(p, PROVISION_GRANT);
	return 0;
}

static int on_challenge(struct provision *p, struct provision_challenge *h)
{
	struct provision_step *s;

	if (!p->pcrs != !h->ak.len)
		return provision_fail(p, -EPROTO, "challenge.ak-credential", "is %s", p->pcrs ? "missing" : "not asked for");
	s = provision_step_new(p, "answering the challenge");
	if (!s)
		return -ENOMEM;
	s->work = answer;
	s->then = proof;
	s->in = h->parent;
	s->in_ak = h->ak;
	*h = (struct provision_challenge) {};
	if (akm_blob_dup(p->grant.ak.data, p->grant.ak.len, &s->ak) < 0) {
		provision_step_free(s);
		return -ENOMEM;
	}
	return provision_step_run(p, s);
}

/* ---- 1 → 2: identity ---- */

static int identify(struct keystore *ks, struct provision_step *s)
{
	return keystore_identity(ks, &s->identity) ?:
	       hwid_value(s->sources, &s->identity.ek_name, "/sys", s->hardware, &s->err) ?:
	       (s->pcrs ? keystore_ak_create(ks, &s->ak, &s->ak_public) : 0);
}

static int identity(struct provision *p, struct provision_step *s)
{
	struct provision_msg m = { .type = PROVISION_IDENTITY };
	struct provision_identity *i = &m.identity;
	int r;

	if (RAND_bytes(i->nonce, sizeof(i->nonce)) != 1)
		return provision_fail(p, -EIO, "nonce", "no randomness");
	memcpy(i->hardware, s->hardware, sizeof(i->hardware));
	memcpy(p->grant.hardware, s->hardware, sizeof(p->grant.hardware));
	memcpy(i->sources, s->sources, sizeof(i->sources));
	memcpy(p->grant.sources, s->sources, sizeof(p->grant.sources));
	i->ek_public = s->identity.ek_public;	/* views: the step keeps them */
	i->ek_cert = s->identity.ek_cert;
	i->parent_public = s->identity.parent_public;
	i->provisioned = p->provisioned;
	memcpy(i->id, p->provisioned_id, sizeof(i->id));
	i->ak_public = s->ak_public;
	p->grant.ak = s->ak;
	s->ak = (struct akm_blob) {};
	r = provision_send(p, &m, true);
	if (r < 0)
		return r;
	provision_show_fingerprint(p);
	provision_await(p, PROVISION_CHALLENGE);
	return 0;
}

/* Everything of an exchange that was cut is forgotten. */
static void restart(struct provision *p, uint32_t exchange)
{
	provision_step_drop(p);
	provision_grant_free(&p->grant);
	akm_blob_free(&p->last);
	provision_begin(p);
	p->exchange = exchange;
}

static int start(struct provision *p, const struct frame *f)
{
	_cleanup_provision_msg_ struct provision_msg m = {};
	struct provision_step *s;
	int r;

	restart(p, f->exchange);
	r = provision_msg_decode(f->type, f->payload, f->len, &m, &p->err);
	if (r < 0)
		return r == -EBADMSG ? -EPROTO : r;
	if (p->provisioned && !p->allow)
		return provision_fail(p, -EEXIST, "state",
				      "this party is provisioned already; allow another time locally first");
	provision_note(p, f->type, f->payload, f->len);
	memcpy(p->grant.issuer, m.hello.issuer, sizeof(p->grant.issuer));
	p->pcrs = m.hello.pcrs;
	provision_say(p, "%s wants to provision this party", m.hello.issuer);
	s = provision_step_new(p, "reading this TPM's identity");
	if (!s)
		return -ENOMEM;
	s->work = identify;
	s->then = identity;
	snprintf(s->sources, sizeof(s->sources), "%s", p->sources);
	return provision_step_run(p, s);
}

/*
 * A new number begins a new exchange, whatever was before. While the TPM works it is
 * not heard (the issuer says it again), so hellos cannot pile up work. The same number
 * again: our answer was lost or is on its way.
 */
static int hello(struct provision *p, const struct frame *f)
{
	if (p->step || !f->exchange)
		return 0;
	if (f->exchange != p->exchange)
		return start(p, f);
	if (p->await == PROVISION_CHALLENGE)
		provision_send_again(p);
	return 0;
}

/* ---- messages ---- */

static int receive(struct provision *p, struct provision_msg *m)
{
	switch (m->type) {
	case PROVISION_CHALLENGE:
		return on_challenge(p, &m->challenge);
	case PROVISION_GRANT:
		return on_grant(p, &m->offer);
	case PROVISION_COMMIT:
		return on_commit(p, m);
	case PROVISION_HELLO:
	case PROVISION_IDENTITY:
	case PROVISION_PROOF:
	case PROVISION_CONFIRM:
	case PROVISION_DONE:
	case PROVISION_ERROR:
		break;			/* never awaited here */
	}
	return -EPROTO;
}

static const struct provision_side side = { receive, hello, NULL };

static int configure(struct provision *p, const struct provision_subject_config *cfg)
{
	if (strlen(cfg->sources) >= sizeof(p->grant.sources))
		return -EINVAL;
	p->sources = strdup(cfg->sources);
	if (!p->sources)
		return -ENOMEM;
	p->allow = cfg->allow;
	p->provisioned = cfg->provisioned_id;
	if (cfg->provisioned_id)
		memcpy(p->provisioned_id, cfg->provisioned_id, sizeof(p->provisioned_id));
	return 0;
}

int provision_receive(struct event_base *base, struct tpmq *q, int fd, const struct provision_subject_config *cfg,
		      const struct provision_ops *ops, void *ctx, struct provision **ret)
{
	struct provision *p;
	int r;

	r = provision_new(base, q, fd, &side, ops, ctx, cfg->timeout_ms, &p);
	if (r < 0)
		return r;
	r = configure(p, cfg);
	if (r < 0) {
		provision_free(p);
		return r;
	}
	provision_await(p, PROVISION_HELLO);
	*ret = p;
	return 0;
}
