// SPDX-License-Identifier: GPL-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* accept4 */
#endif
#include "enroll.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "clock.h"
#include "log.h"

struct subject {
	struct subject_config c;
	char *via;			/* owned; where it waits, NULL: it does not */
	uint64_t allow_until_ms;	/* monotonic; until then although provisioned. 0: not */
	int listen_fd;
	struct event *accept, *reopen;
	struct provision *exchange;
	bool begun;			/* the other end said something: its failure is worth a record */
	bool committed;
	char progress[512];
};

static void open_again(evutil_socket_t fd, short what, void *arg);

int subject_new(const struct subject_config *cfg, struct subject **ret)
{
	struct subject *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->c = *cfg;
	s->listen_fd = -1;
	s->reopen = evtimer_new(cfg->base, open_again, s);
	if (!s->reopen) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void enroll_close_listener(int *fd)
{
	struct sockaddr_un a = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof(a) - 1;

	if (*fd >= 0 && !getsockname(*fd, (struct sockaddr *)&a, &len) && a.sun_family == AF_UNIX && a.sun_path[0])
		unlink(a.sun_path);
	closep(fd);
	*fd = -1;
}

static void stop_listening(struct subject *s)
{
	if (s->accept)
		event_free(s->accept);
	s->accept = NULL;
	enroll_close_listener(&s->listen_fd);
	event_del(s->reopen);
}

static bool is_allowed(const struct subject *s)
{
	return now_ms() < s->allow_until_ms;
}

void subject_free(struct subject *s)
{
	if (!s)
		return;
	stop_listening(s);
	free(s->via);
	s->via = NULL;
	if (s->exchange)
		provision_cancel(s->exchange);
	event_free(s->reopen);
	free(s);
}

const char *subject_progress(const struct subject *s)
{
	return s->progress;
}

static void on_progress(void *ctx, const char *text)
{
	struct subject *s = ctx;

	s->begun = true;
	snprintf(s->progress, sizeof(s->progress), "%s", text);
	log_notice("provisioning: %s", text);
}

static int on_commit(void *ctx, const struct provision_grant *g)
{
	struct subject *s = ctx;
	int r = s->c.commit(g, s->c.ctx);

	s->committed = !r;
	return r;
}

static void on_done(void *ctx, int r, const struct akm_error *err)
{
	struct subject *s = ctx;
	bool committed = s->committed, begun = s->begun;

	s->exchange = NULL;
	s->begun = false;
	s->committed = false;
	/* Cut between our commit and the last message: both ends have the record. */
	if (committed) {
		s->allow_until_ms = 0;
		s->c.committed(s->c.ctx);
	} else if (r != -ECANCELED && (begun || r == -EEXIST)) {
		snprintf(s->progress, sizeof(s->progress), "failed: %s: %s", err ? err->field : "",
			 err ? err->reason : strerror(-r));
		log_warning("provisioning %s", s->progress);
		evidence_add(s->c.evidence, EVIDENCE_NOTE("provision-failed", SEV_WARNING, .limit = "provision"),
			     "Provisioning %s", s->progress);
	}
	if (s->via && s->listen_fd < 0)
		timer_set(s->reopen, SUBJECT_REOPEN_MS);
}

static int start_exchange(struct subject *s, int fd)
{
	struct provision_subject_config cfg = {
		.sources = s->c.config->sources,
		.provisioned_id = s->c.provisioned(s->c.ctx),
		.allow = is_allowed(s),
	};
	struct provision_ops ops = { .progress = on_progress, .commit = on_commit, .done = on_done };

	return provision_receive(s->c.base, s->c.q, fd, &cfg, &ops, s, &s->exchange);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct subject *s = arg;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), r;

	(void)what;
	if (conn < 0)
		return;
	if (s->exchange) {
		close(conn);			/* one at a time */
		return;
	}
	r = start_exchange(s, conn);
	if (r < 0)
		log_err("cannot start the provisioning exchange error=%s", strerror(-r));
}

static int listen_at(struct subject *s, int fd)
{
	s->listen_fd = fd;
	s->accept = event_new(s->c.base, fd, EV_READ | EV_PERSIST, on_accept, s);
	return s->accept && !event_add(s->accept, NULL) ? 0 : -ENOMEM;
}

static int open_via(struct subject *s, struct akm_error *err)
{
	bool listening;
	int fd, r;

	r = provision_open(s->via, &fd, &listening, err);
	if (r < 0)
		return r;
	return listening ? listen_at(s, fd) : start_exchange(s, fd);
}

static void open_again(evutil_socket_t fd, short what, void *arg)
{
	struct subject *s = arg;
	struct akm_error err = {};

	(void)fd, (void)what;
	if (s->exchange || s->listen_fd >= 0 || !s->via)
		return;
	if (open_via(s, &err) < 0) {
		if (strcmp(s->progress, err.reason)) {
			snprintf(s->progress, sizeof(s->progress), "%s", err.reason);
			log_warning("cannot wait for provisioning via=%s reason=%s", s->via, err.reason);
		}
		timer_set(s->reopen, SUBJECT_REOPEN_MS);
	}
}

static int wait_at(struct subject *s, const char *via)
{
	char *copy = strdup(via);

	if (!copy)
		return -ENOMEM;
	stop_listening(s);
	free(s->via);
	s->via = copy;
	open_again(-1, 0, s);
	return 0;
}

int subject_start(struct subject *s, struct akm_error *err)
{
	bool fresh = !s->c.provisioned(s->c.ctx);

	if (!s->c.config->provision)
		return !fresh ? 0 : akm_error_set(err, -ENOENT, "[provision] listen",
						  "is not configured, and this party is not provisioned");
	if (fresh)
		log_notice("not provisioned: waiting at %s", s->c.config->provision);
	return wait_at(s, s->c.config->provision);
}

void subject_ctl_allow(struct subject *s, struct ctl_request *req, struct json_object *args)
{
	const char *via = ctl_str(args, "via") ?: s->c.config->provision;
	int64_t seconds = ctl_int(args, "seconds", SUBJECT_ALLOW_S);
	struct akm_error err = {};
	int r = 0;

	if (!via)
		r = akm_error_set(&err, -EINVAL, "via", "is needed: [provision] listen is not configured");
	else if (seconds < 1 || seconds > 86400)
		r = akm_error_set(&err, -EINVAL, "seconds", "must be 1 … 86400");
	else if (s->exchange)
		r = akm_error_set(&err, -EBUSY, "via", "an exchange is running");
	if (!r)
		r = wait_at(s, via);
	if (!r)
		s->allow_until_ms = now_ms() + (uint64_t)seconds * 1000;
	if (r < 0) {
		ctl_fail(req, r, &err);
		return;
	}
	evidence_add(s->c.evidence, EVIDENCE_NOTE("provision-allowed", SEV_WARNING),
		     "Provisioning again was allowed locally for %lld s", (long long)seconds);
	ctl_ok(req, NULL);
}
