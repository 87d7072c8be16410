// SPDX-License-Identifier: GPL-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* accept4 */
#endif
#include "enroll.h"

#include <sys/socket.h>

#include "clock.h"
#include "log.h"
#include "report.h"
#include "wire.h"

struct issuer {
	struct issuer_config c;
	/* The one exchange that runs, if any */
	struct ctl_request *req;	/* NULL: the client went away */
	struct provision *exchange;
	struct event *accept;		/* waiting for the other end */
	int listen_fd;
	bool busy;
	char name[AKM_NAME_LEN], replaces[AKM_NAME_LEN];
	struct msg_endpoint endpoint;
	uint8_t hardware[AKM_DIGEST_LEN];
	bool hardware_given;
	struct store_node made;		/* what commit() recorded */
};

int issuer_new(const struct issuer_config *cfg, struct issuer **ret)
{
	struct issuer *i = calloc(1, sizeof(*i));

	if (!i)
		return -ENOMEM;
	i->c = *cfg;
	i->listen_fd = -1;
	*ret = i;
	return 0;
}

const char *issuer_replaces(const struct issuer *i)
{
	return i->replaces;
}

static void stop_accept(struct issuer *i)
{
	if (i->accept)
		event_free(i->accept);
	i->accept = NULL;
	enroll_close_listener(&i->listen_fd);
}

static void finish(struct issuer *i, int r, const struct akm_error *err)
{
	struct ctl_request *req = TAKE_PTR(i->req);
	struct json_object *node = NULL;

	stop_accept(i);
	i->exchange = NULL;
	i->busy = false;
	if (req)
		ctl_on_gone(req, NULL, NULL);
	if (!r) {
		node = i->c.report(&i->made, i->c.ctx);
		if (req)
			ctl_ok(req, node);
		else
			json_object_put(node);
	} else {
		log_warning("provisioning failed name=%s field=%s reason=%s", i->name,
			    err ? err->field : "", err ? err->reason : strerror(-r));
		if (req)
			ctl_fail(req, r, err);
	}
	store_node_free(&i->made);
	memset(&i->made, 0, sizeof(i->made));
}

void issuer_free(struct issuer *i)
{
	if (!i)
		return;
	if (i->exchange)
		provision_cancel(i->exchange);
	else if (i->busy)
		finish(i, -ECANCELED, NULL);
	free(i);
}

/* ---- the exchange's questions ---- */

static void on_progress(void *ctx, const char *text)
{
	struct issuer *i = ctx;

	log_info("provisioning: %s name=%s", text, i->name);
	if (i->req)
		ctl_progress(i->req, text);
}

static int admit(void *ctx, const struct keystore_identity *peer, const uint8_t hardware[AKM_DIGEST_LEN],
		 bool again, struct akm_error *err)
{
	struct issuer *i = ctx;
	_cleanup_(store_node_free) struct store_node same = {}, named = {};
	int r;

	if (i->hardware_given && memcmp(hardware, i->hardware, AKM_DIGEST_LEN))
		return akm_error_set(err, -EKEYREJECTED, "hardware", "the hardware value is not the expected one");
	r = store_node_by_ek(i->c.store, &peer->ek_name, &same);
	if (!r && same.state == NODE_PROVISIONED && strcmp(same.name, i->name))
		return akm_error_set(err, -EEXIST, "name", "this TPM is provisioned as %s: evict that first", same.name);
	if (r < 0 && r != -ENOENT)
		return akm_error_set(err, r, "database", "%s", strerror(-r));
	r = store_node_by_name(i->c.store, i->name, &named);
	if (!r && named.state == NODE_PROVISIONED &&
	    (named.ek_name.len != peer->ek_name.len ||
	     memcmp(named.ek_name.data, peer->ek_name.data, named.ek_name.len)))
		return akm_error_set(err, -EEXIST, "name", "%s is another machine: evict it first, or choose another name",
				     i->name);
	if (r < 0 && r != -ENOENT)
		return akm_error_set(err, r, "database", "%s", strerror(-r));
	if (again)
		on_progress(i, "the other end is already provisioned and allows to replace that");
	return 0;
}

static int copy_blobs(const struct provision_grant *g, struct store_node *n)
{
	return akm_blob_dup(g->key.data, g->key.len, &n->key) ?:
	       akm_blob_dup(g->peer.ek_name.data, g->peer.ek_name.len, &n->ek_name) ?:
	       akm_blob_dup(g->peer.ek_public.data, g->peer.ek_public.len, &n->ek_public) ?:
	       akm_blob_dup(g->peer.parent_public.data, g->peer.parent_public.len, &n->parent_public) ?:
	       akm_blob_dup(g->peer.parent_name.data, g->peer.parent_name.len, &n->parent_name);
}

static int record_of(const struct issuer *i, const struct provision_grant *g, enum store_node_state state,
		     struct store_node *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->id, g->id, AKM_ID_LEN);
	snprintf(ret->name, sizeof(ret->name), "%s", g->subject);
	snprintf(ret->label, sizeof(ret->label), "%s", g->label);
	snprintf(ret->sources, sizeof(ret->sources), "%s", g->sources);
	memcpy(ret->hardware, g->hardware, AKM_DIGEST_LEN);
	ret->state = state;
	ret->link_n = 1;
	ret->since_ms = wall_ms();
	ret->endpoint = i->endpoint;
	return copy_blobs(g, ret);
}

/* Earlier attempts with the same TPM that came to nothing */
static int drop_pending(struct issuer *i, const struct akm_blob *ek_name)
{
	_cleanup_(store_node_free) struct store_node n = {};
	int r = store_node_by_ek(i->c.store, ek_name, &n);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	return n.state == NODE_PENDING ? store_node_delete(i->c.store, n.id) : 0;
}

static int pending(void *ctx, const struct provision_grant *g)
{
	struct issuer *i = ctx;
	_cleanup_(store_node_free) struct store_node n = {};
	int r;

	r = drop_pending(i, &g->peer.ek_name);
	return r ?: record_of(i, g, NODE_PENDING, &n) ?: store_node_put(i->c.store, &n);
}

/* The record of the same TPM that the new one takes the place of */
static int find_old(struct issuer *i, const struct store_node *n, struct store_node *ret)
{
	int r = store_node_by_name(i->c.store, n->name, ret);

	if (r == -ENOENT || (!r && memcmp(ret->id, n->id, AKM_ID_LEN) && ret->state == NODE_PROVISIONED))
		return r == -ENOENT ? 0 : 1;
	store_node_free(ret);
	memset(ret, 0, sizeof(*ret));
	return r < 0 ? r : 0;
}

static int commit_in(struct issuer *i, const struct store_node *n, const struct quote_baseline *b,
		     const struct store_node *old)
{
	int r = store_begin(i->c.store);

	if (r < 0)
		return r;
	r = old ? store_node_delete(i->c.store, old->id) : 0;
	r = r ?: store_node_put(i->c.store, n);
	if (!r && b->pcrs)
		r = store_attest_put(i->c.store, n->id, b);
	r = r ?: i->c.commit(n, old, i->c.ctx);
	r = r ?: store_commit(i->c.store);
	if (r < 0)
		store_rollback(i->c.store);
	return r;
}

static int commit(void *ctx, const struct provision_grant *g)
{
	struct issuer *i = ctx;
	_cleanup_(store_node_free) struct store_node n = {}, old = {};
	bool replaces;
	int r;

	r = record_of(i, g, NODE_PROVISIONED, &n);
	r = r ?: find_old(i, &n, &old);
	if (r < 0)
		return r;
	replaces = r > 0;
	r = commit_in(i, &n, &g->attest, replaces ? &old : NULL);
	if (r < 0)
		return r;
	i->c.committed(&n, replaces ? &old : NULL, i->c.ctx);
	evidence_add(i->c.evidence, EVIDENCE_NOTE("provisioned", SEV_INFO),
		     "%s was %s over a direct connection (%s)", n.name, replaces ? "provisioned again" : "provisioned",
		     n.label);
	i->made = n;
	memset(&n, 0, sizeof(n));
	return 0;
}

/* Somebody at the direct connection was refused, or it broke: not only who asked for it should know. */
static void on_done(void *ctx, int r, const struct akm_error *err)
{
	struct issuer *i = ctx;

	if (r < 0 && r != -ECANCELED)
		evidence_add(i->c.evidence, EVIDENCE_NOTE("provision-failed", SEV_WARNING, .limit = i->name),
			     "Provisioning %s failed: %s: %s", i->name, err ? err->field : "",
			     err ? err->reason : strerror(-r));
	finish(i, r, err);
}

/* ---- the command ---- */

static int start_exchange(struct issuer *i, int fd)
{
	const struct config *c = i->c.config;
	struct provision_issuer_config cfg = {
		.issuer = c->name,
		.subject = i->name,
		.n_addresses = c->n_announce,
		.term = i->c.term(i->c.ctx),
		.domain = i->c.domain,
		.give_domain = i->c.give_domain,
		.pcrs = c->role == ROLE_MANAGER ? c->pcrs : 0,
		.ek_ca_file = c->ek_ca,
	};
	struct provision_ops ops = { on_progress, admit, pending, commit, on_done };

	for (size_t k = 0; k < c->n_announce; k++)
		cfg.addresses[k] = c->announce[k];
	return provision_issue(i->c.base, i->c.q, fd, &cfg, &ops, i, &i->exchange);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct issuer *i = arg;
	struct akm_error err = {};
	int conn, r;

	if (what & EV_TIMEOUT) {
		akm_error_set(&err, 0, "via", "nobody connected within %d s", ISSUER_ACCEPT_MS / 1000);
		finish(i, -ETIMEDOUT, &err);
		return;
	}
	conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (conn < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return;				/* the event stays */
	r = conn < 0 ? -errno : 0;
	stop_accept(i);
	r = r ?: start_exchange(i, conn);
	if (r < 0)
		finish(i, r, &err);
}

static int wait_for_peer(struct issuer *i, int fd)
{
	struct timeval tv = { .tv_sec = ISSUER_ACCEPT_MS / 1000 };

	i->listen_fd = fd;
	i->accept = event_new(i->c.base, fd, EV_READ | EV_PERSIST, on_accept, i);
	if (!i->accept || event_add(i->accept, &tv) < 0)
		return -ENOMEM;
	ctl_progress(i->req, "waiting for the other end to connect");
	return 0;
}

static void on_gone(struct ctl_request *req, void *data)
{
	struct issuer *i = data;

	(void)req;
	i->req = NULL;
	if (i->exchange)
		provision_cancel(i->exchange);
	else
		finish(i, -ECANCELED, NULL);
}

static int parse_args(struct issuer *i, struct json_object *args, struct akm_error *err)
{
	const char *name = ctl_str(args, "name"), *endpoint = ctl_str(args, "endpoint");
	const char *hardware = ctl_str(args, "hardware"), *replaces = ctl_str(args, "replaces");

	if (!wire_name_ok(name, strlen(name)))
		return akm_error_set(err, -EINVAL, "name", "must be 1 … 63 of A-Z a-z 0-9 . _ -");
	if (!strcmp(name, i->c.config->name))
		return akm_error_set(err, -EINVAL, "name", "is our own");
	if (!i->c.config->n_announce)
		return akm_error_set(err, -EINVAL, "[link] announce",
				     "is not configured: the other end could not find us");
	memset(&i->endpoint, 0, sizeof(i->endpoint));
	if (endpoint && report_parse_endpoint(endpoint, &i->endpoint) < 0)
		return akm_error_set(err, -EINVAL, "endpoint", "must be ADDRESS or ADDRESS:PORT");
	if (hardware && report_parse_hex(hardware, i->hardware, AKM_DIGEST_LEN) < 0)
		return akm_error_set(err, -EINVAL, "hardware", "must be %d hexadecimal digits", 2 * AKM_DIGEST_LEN);
	i->hardware_given = hardware;
	snprintf(i->replaces, sizeof(i->replaces), "%s", replaces ?: "");
	snprintf(i->name, sizeof(i->name), "%s", name);
	return 0;
}

static int begin(struct issuer *i, struct json_object *args, struct akm_error *err)
{
	bool listening;
	int fd, r;

	r = parse_args(i, args, err);
	r = r ?: provision_open(ctl_str(args, "via"), &fd, &listening, err);
	if (r < 0)
		return r;
	i->busy = true;
	r = listening ? wait_for_peer(i, fd) : start_exchange(i, fd);
	if (r < 0) {
		stop_accept(i);
		i->busy = false;
	}
	return r;
}

void issuer_ctl(struct issuer *i, struct ctl_request *req, struct json_object *args)
{
	struct akm_error err = {};
	int r;

	if (i->busy) {
		akm_error_set(&err, 0, "via", "%s is being provisioned now: one at a time", i->name);
		ctl_fail(req, -EBUSY, &err);
		return;
	}
	i->req = req;
	r = begin(i, args, &err);
	if (r < 0) {
		i->req = NULL;
		ctl_fail(req, r, err.reason[0] ? &err : NULL);
		return;
	}
	if (i->req)
		ctl_on_gone(req, on_gone, i);
}
