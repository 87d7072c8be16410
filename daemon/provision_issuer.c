// SPDX-License-Identifier: GPL-2.0
#include "provision.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "provision_internal.h"
#include "tpmpub.h"

static void hex(const uint8_t *p, size_t len, char *ret)
{
	for (size_t i = 0; i < len; i++)
		sprintf(ret + 2 * i, "%02x", p[i]);
}

/* ---- 6 → 7: commit ---- */

static int check_confirm(struct keystore *ks, struct provision_step *s)
{
	return provision_key_mac(ks, s, CONFIRM_LABEL, s->hash[0], &s->mac[0]) ?:
	       provision_key_mac(ks, s, COMMIT_LABEL, s->hash[1], &s->mac[1]);
}

static int commit(struct provision *p, struct provision_step *s)
{
	struct provision_msg m = { .type = PROVISION_COMMIT };
	int r = provision_commit(p, s, "confirm");

	if (r <= 0)
		return r;
	provision_say(p, "recorded; waiting for the other end to do so");
	memcpy(m.mac, s->mac[1].data, sizeof(m.mac));
	r = provision_send(p, &m, false);
	if (r < 0)
		return r;
	provision_await(p, PROVISION_DONE);
	return 0;
}

/* The first quote is the baseline: what runs there now is what the person at the line has decided to trust. */
static int take_quote(struct provision *p, const struct provision_confirm *o)
{
	struct quote_baseline *b = &p->grant.attest;
	struct quote_expect want = { .ak_public = b->ak_public, .signer = b->signer, .pcrs = p->pcrs };
	char text[QUOTE_TEXT_MAX];
	struct akm_error err = {};
	int r;

	if (!p->pcrs != !o->attest.len)
		return provision_fail(p, -EPROTO, "confirm.attest", "is %s", p->pcrs ? "missing" : "not asked for");
	if (!p->pcrs)
		return 0;
	r = quote_qualifying(QUOTE_PROVISION, p->before, sizeof(p->before), want.qualifying) ?:
	    quote_verify(&want, &o->attest, &o->signature, &b->facts, &err);
	if (r < 0)
		return err.field[0] ? provision_fail(p, r, "confirm.attest", "%s %s", err.field, err.reason) : r;
	b->pcrs = p->pcrs;
	quote_pcrs_text(b->pcrs, text);
	provision_say(p, "attests to %s", text);
	return 0;
}

static int on_confirm(struct provision *p, const struct provision_msg *m)
{
	struct provision_step *s;
	int r = take_quote(p, &m->confirm);

	if (r < 0)
		return r;
	s = provision_step_new(p, "checking the other end's key");
	if (!s)
		return -ENOMEM;
	memcpy(p->mac, m->confirm.mac, sizeof(p->mac));
	memcpy(s->hash[0], p->before, AKM_DIGEST_LEN);
	memcpy(s->hash[1], p->transcript, AKM_DIGEST_LEN);
	s->work = check_confirm;
	s->then = commit;
	if (akm_blob_dup(p->grant.key.data, p->grant.key.len, &s->key) < 0) {
		provision_step_free(s);
		return -ENOMEM;
	}
	return provision_step_run(p, s);
}

/* ---- 4 → 5: grant ---- */

/* The root's own key with a manager is under its storage parent: it is none of the domain. */
static int create(struct keystore *ks, struct provision_step *s)
{
	int r = 0;

	if (s->give_domain)
		r = keystore_domain_duplicate(ks, &s->domain, &s->identity, &s->dup_domain);
	return r ?: keystore_pair_create(ks, s->domain.data && !s->give_domain ? &s->domain : NULL, &s->identity,
					 &s->key, &s->dup);
}

static void offer(const struct provision *p, const struct provision_step *s, struct provision_offer *ret)
{
	const struct provision_grant *g = &p->grant;

	memcpy(ret->id, g->id, sizeof(ret->id));
	memcpy(ret->label, g->label, sizeof(ret->label));
	memcpy(ret->subject, g->subject, sizeof(ret->subject));
	memcpy(ret->addresses, g->addresses, sizeof(ret->addresses));
	memcpy(ret->hardware, g->hardware, sizeof(ret->hardware));
	ret->n_addresses = g->n_addresses;
	ret->term = g->term;
	ret->key = s->dup;		/* views: the step keeps them */
	ret->domain = s->dup_domain;
}

static void say_key(struct provision *p)
{
	_cleanup_free_ char *name = NULL;

	if (!keystore_key_name(&p->grant.key, &name))
		provision_say(p, "key created in the TPM, name %s, duplicable to this TPM only", name);
}

static int grant(struct provision *p, struct provision_step *s)
{
	struct provision_msg m = { .type = PROVISION_GRANT };
	int r;

	p->grant.key = s->key;
	s->key = (struct akm_blob) {};
	say_key(p);
	if (p->ending)
		return 0;
	r = p->ops.pending(p->ctx, &p->grant);
	if (r < 0)
		return provision_fail(p, r, "record", "%s", strerror(-r));
	offer(p, s, &m.offer);
	r = provision_send(p, &m, false);
	if (r < 0)
		return r;
	provision_await(p, PROVISION_CONFIRM);
	return 0;
}

static int copy_peer(const struct keystore_identity *from, struct keystore_identity *to)
{
	return akm_blob_dup(from->ek_public.data, from->ek_public.len, &to->ek_public) ?:
	       akm_blob_dup(from->ek_name.data, from->ek_name.len, &to->ek_name) ?:
	       akm_blob_dup(from->ek_cert.data, from->ek_cert.len, &to->ek_cert) ?:
	       akm_blob_dup(from->parent_public.data, from->parent_public.len, &to->parent_public) ?:
	       akm_blob_dup(from->parent_name.data, from->parent_name.len, &to->parent_name);
}

static int with_peer(struct provision *p, const char *what, int (*work)(struct keystore *, struct provision_step *),
		     int (*then)(struct provision *, struct provision_step *))
{
	struct provision_step *s = provision_step_new(p, what);

	if (!s)
		return -ENOMEM;
	s->work = work;
	s->then = then;
	if (copy_peer(&p->grant.peer, &s->identity) < 0 ||
	    akm_blob_dup(p->grant.attest.ak_public.data, p->grant.attest.ak_public.len, &s->ak_public) < 0) {
		provision_step_free(s);
		return -ENOMEM;
	}
	return provision_step_run(p, s);
}

static int on_proof(struct provision *p, const struct provision_msg *m)
{
	uint8_t mac[AKM_DIGEST_LEN];
	int r;

	r = provision_mac(&p->credential, p->before, mac);
	akm_secret_free(&p->credential);
	if (r < 0)
		return r;
	if (CRYPTO_memcmp(mac, m->mac, sizeof(mac)))
		return provision_fail(p, -EKEYREJECTED, "proof",
				      "the storage parent%s not in the TPM that the endorsement key belongs to",
				      p->pcrs ? " or the attestation key is" : " is");
	if (RAND_bytes(p->grant.id, sizeof(p->grant.id)) != 1)
		return provision_fail(p, -EIO, "id", "no randomness");
	provision_say(p, "storage parent%s and endorsement key are in one TPM", p->pcrs ? ", attestation key" : "");
	return with_peer(p, "creating the key", create, grant);
}

/* ---- 2 → 3: challenge ---- */

static int make_challenge(struct keystore *ks, struct provision_step *s)
{
	return keystore_challenge(ks, &s->identity, &s->dup, &s->secret) ?:
	       (s->pcrs ? keystore_ak_challenge(ks, &s->identity, &s->ak_public, &s->ak_dup, &s->ak_secret) : 0);
}

static int challenge(struct provision *p, struct provision_step *s)
{
	struct provision_msg m = { .type = PROVISION_CHALLENGE, .challenge = { s->dup, s->ak_dup } };
	int r;

	r = provision_join(&s->secret, &s->ak_secret, &p->credential) ?: provision_send(p, &m, false);
	if (r < 0)
		return r;
	provision_await(p, PROVISION_PROOF);
	return 0;
}

static int take_ak(struct provision *p, struct provision_identity *i)
{
	struct quote_baseline *b = &p->grant.attest;

	if (!p->pcrs != !i->ak_public.len)
		return provision_fail(p, -EPROTO, "identity.ak-public", "is %s", p->pcrs ? "missing" : "not asked for");
	if (!p->pcrs)
		return 0;
	b->ak_public = i->ak_public;
	i->ak_public = (struct akm_blob) {};
	if (quote_signer(&b->ak_public, &p->grant.peer.parent_name, &b->signer) < 0)
		return provision_fail(p, -EPROTO, "identity.ak-public", "is no public area of a TPM object");
	return 0;
}

/* Names are worked out here, never taken from the peer. */
static int take_identity(struct provision *p, struct provision_identity *i)
{
	struct provision_grant *g = &p->grant;

	g->peer.ek_public = i->ek_public;
	g->peer.ek_cert = i->ek_cert;
	g->peer.parent_public = i->parent_public;
	i->ek_public = i->ek_cert = i->parent_public = (struct akm_blob) {};
	memcpy(g->hardware, i->hardware, sizeof(g->hardware));
	memcpy(g->sources, i->sources, sizeof(g->sources));
	if (tpmpub_name(&g->peer.ek_public, &g->peer.ek_name) < 0)
		return provision_fail(p, -EPROTO, "ek-public", "is no public area of a TPM object");
	if (tpmpub_name(&g->peer.parent_public, &g->peer.parent_name) < 0)
		return provision_fail(p, -EPROTO, "parent-public", "is no public area of a TPM object");
	return take_ak(p, i);
}

static int check_certificate(struct provision *p)
{
	const struct keystore_identity *peer = &p->grant.peer;
	int r;

	if (!p->ek_ca_file) {
		provision_say(p, "no CA list is configured: the endorsement key is %s, compare the fingerprint",
			      peer->ek_cert.len ? "certified, but not checked" : "not certified");
		return 0;
	}
	r = tpmpub_certified(&peer->ek_public, &peer->ek_cert, p->ek_ca_file, &p->err);
	if (!r)
		provision_say(p, "the endorsement key is certified by a maker in %s", p->ek_ca_file);
	return r;
}

static int on_identity(struct provision *p, struct provision_identity *i)
{
	char hardware[2 * AKM_DIGEST_LEN + 1];
	int r;

	event_del(p->resend);
	r = take_identity(p, i);
	if (r < 0)
		return r;
	hex(i->hardware, AKM_DIGEST_LEN, hardware);
	provision_say(p, "the other end answers, hardware value %s (%s)", hardware, i->sources);
	provision_show_fingerprint(p);
	r = check_certificate(p);
	r = r ?: p->ops.admit(p->ctx, &p->grant.peer, p->grant.hardware, i->provisioned, &p->err);
	return r ?: with_peer(p, "making the challenge", make_challenge, challenge);
}

/* ---- messages ---- */

static int receive(struct provision *p, struct provision_msg *m)
{
	switch (m->type) {
	case PROVISION_IDENTITY:
		return on_identity(p, &m->identity);
	case PROVISION_PROOF:
		return on_proof(p, m);
	case PROVISION_CONFIRM:
		return on_confirm(p, m);
	case PROVISION_DONE:
		provision_say(p, "%s is provisioned", p->grant.label);
		provision_end(p, 0);
		return 0;
	case PROVISION_HELLO:
	case PROVISION_CHALLENGE:
	case PROVISION_GRANT:
	case PROVISION_COMMIT:
	case PROVISION_ERROR:
		break;			/* never awaited here */
	}
	return -EPROTO;
}

static const char *after_end(const struct provision *p)
{
	return p->committed ? "recorded here, but the other end did not acknowledge: "
			      "if it says it is not provisioned, run this again" : NULL;
}

static const struct provision_side side = { receive, NULL, after_end };

static int say_hello(struct provision *p)
{
	struct provision_msg m = { .type = PROVISION_HELLO };
	struct timeval tv = { .tv_sec = HELLO_RESEND_MS / 1000, .tv_usec = HELLO_RESEND_MS % 1000 * 1000 };
	int r;

	memcpy(m.hello.issuer, p->grant.issuer, sizeof(m.hello.issuer));
	m.hello.pcrs = p->pcrs;
	if (RAND_bytes(m.hello.nonce, sizeof(m.hello.nonce)) != 1 ||
	    RAND_bytes((unsigned char *)&p->exchange, sizeof(p->exchange)) != 1)
		return -EIO;
	p->exchange |= 1;		/* never 0, which stands for none */
	r = provision_send(p, &m, true);
	if (r < 0)
		return r;
	provision_await(p, PROVISION_IDENTITY);
	return event_add(p->resend, &tv) < 0 ? -ENOMEM : 0;
}

static int configure(struct provision *p, const struct provision_issuer_config *cfg)
{
	struct provision_grant *g = &p->grant;

	if (cfg->n_addresses > ENDPOINTS_MAX || (cfg->give_domain && !cfg->domain))
		return -EINVAL;
	snprintf(g->issuer, sizeof(g->issuer), "%s", cfg->issuer);
	snprintf(g->subject, sizeof(g->subject), "%s", cfg->subject);
	provision_label(g->issuer, g->subject, g->label);
	for (size_t i = 0; i < cfg->n_addresses; i++)
		if (snprintf(g->addresses[i], sizeof(g->addresses[i]), "%s", cfg->addresses[i]) >=
		    (int)sizeof(g->addresses[i]))
			return -EINVAL;
	g->n_addresses = cfg->n_addresses;
	g->term = cfg->term;
	p->give_domain = cfg->give_domain;
	p->pcrs = cfg->pcrs;
	if (cfg->ek_ca_file && !(p->ek_ca_file = strdup(cfg->ek_ca_file)))
		return -ENOMEM;
	return cfg->domain ? akm_blob_dup(cfg->domain->data, cfg->domain->len, &p->domain) : 0;
}

int provision_issue(struct event_base *base, struct tpmq *q, int fd, const struct provision_issuer_config *cfg,
		    const struct provision_ops *ops, void *ctx, struct provision **ret)
{
	struct provision *p;
	int r;

	r = provision_new(base, q, fd, &side, ops, ctx, cfg->timeout_ms, &p);
	if (r < 0)
		return r;
	r = configure(p, cfg) ?: say_hello(p);
	if (r < 0) {
		provision_free(p);
		return r;
	}
	*ret = p;
	return 0;
}
