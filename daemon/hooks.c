// SPDX-License-Identifier: GPL-2.0
#include "hooks.h"

#include <sys/socket.h>

#include "../include/akm-hook.h"
#include "clock.h"
#include "runner.h"

struct order {
	uint64_t id;			/* 0: unused */
	uint32_t atr_id;
	char name[POLICY_NAME_LEN];
};

struct hooks {
	struct evidence *evidence;
	const char *directory;
	int fd;				/* -1: the runner is gone */
	struct event *event;
	uint64_t last_id, gone_ms;
	struct order open[HOOKS_OPEN_MAX];
	uint64_t ended[RUNNER_REFUSED + 1], failed, dropped;
};

#define REMEDY	"Restart akmd: it must not start programs itself, so it cannot start another runner. The policy acts as before."

/* Nothing is run until a restart, and that is an alarm: who relies on being paged is not. */
static void lose_runner(struct hooks *h, const char *why)
{
	if (h->fd < 0)
		return;
	event_free(h->event);
	h->event = NULL;
	close(h->fd);
	h->fd = -1;
	h->gone_ms = wall_ms();
	memset(h->open, 0, sizeof(h->open));
	evidence_add(h->evidence, EVIDENCE_NOTE("hook", SEV_ALERT),
		     "The runner of programs is gone (%s): none is run until akmd is started again", why);
}

static struct order *find(struct hooks *h, uint64_t id)
{
	for (size_t i = 0; i < HOOKS_OPEN_MAX; i++)
		if (h->open[i].id == id)
			return &h->open[i];
	return NULL;
}

static void put_end(const struct runner_result *r, char ret[64])
{
	switch ((enum runner_end)r->end) {
	case RUNNER_READY:
		break;
	case RUNNER_EXITED:
		snprintf(ret, 64, r->code ? "failed with status %d" : "ended well", r->code);
		return;
	case RUNNER_KILLED:
		snprintf(ret, 64, "was killed by signal %d", r->code);
		return;
	case RUNNER_TIMED_OUT:
		snprintf(ret, 64, "was killed: it took too long");
		return;
	case RUNNER_REFUSED:
		snprintf(ret, 64, "was not started");
		return;
	}
	ret[0] = '\0';
}

static void take_result(struct hooks *h, const struct order *o, const struct runner_result *r)
{
	bool well = r->end == RUNNER_EXITED && !r->code;
	char ended[64];

	h->ended[r->end]++;
	h->failed += !well;
	put_end(r, ended);
	evidence_add(h->evidence, EVIDENCE_NOTE("hook", well ? SEV_INFO : SEV_WARNING, .atr_id = o->atr_id),
		     "Program %s %s after %u ms%s%s", o->name, ended, r->ms, r->said[0] ? ": " : "", r->said);
}

/* The runner has fewer rights than we have: what it says is looked at. */
static bool result_ok(const struct runner_result *r)
{
	return r->id && r->end > RUNNER_READY && r->end <= RUNNER_REFUSED && memchr(r->said, '\0', sizeof(r->said));
}

static void on_result(evutil_socket_t fd, short what, void *arg)
{
	struct runner_result r;
	struct hooks *h = arg;
	struct order *o, done;
	ssize_t n = recv(fd, &r, sizeof(r), MSG_DONTWAIT);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lose_runner(h, n && errno != ECONNRESET ? strerror(errno) : "it ended");
		return;
	}
	o = n == sizeof(r) && result_ok(&r) ? find(h, r.id) : NULL;
	if (!o) {
		lose_runner(h, "it said what it should not");
		return;
	}
	done = *o;
	memset(o, 0, sizeof(*o));
	take_result(h, &done, &r);
}

static void drop(struct hooks *h, const char *name, uint32_t atr_id, const char *why)
{
	h->dropped++;
	evidence_add(h->evidence, EVIDENCE_NOTE("hook", SEV_WARNING, .atr_id = atr_id, .limit = name),
		     "Program %s was not started: %s", name, why);
}

/* Return: NULL, or why it was not sent. */
static const char *send_order(struct hooks *h, struct order *o, const char *name, const char *record)
{
	struct runner_order order = { .id = h->last_id + 1 };
	size_t len = strlen(record);

	if (len + 1 > sizeof(order.record))
		return "its record is too long";
	snprintf(order.name, sizeof(order.name), "%s", name);
	memcpy(order.record, record, len);
	order.record[len++] = '\n';
	if (send(h->fd, &order, RUNNER_ORDER_MIN + len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return errno == EAGAIN ? "too many wait for their turn" : strerror(errno);
	o->id = ++h->last_id;
	snprintf(o->name, sizeof(o->name), "%s", name);
	return NULL;
}

void hooks_run(struct hooks *h, const char *name, uint32_t atr_id, struct json_object *record)
{
	struct order *o = h ? find(h, 0) : NULL;
	const char *why;

	if (!h)
		return;
	if (h->fd < 0)
		why = "the runner is gone";
	else if (!o)
		why = "too many wait for their turn";
	else
		why = send_order(h, o, name, json_object_to_json_string_ext(record, JSON_C_TO_STRING_PLAIN |
									    JSON_C_TO_STRING_NOSLASHESCAPE));
	if (why)
		drop(h, name, atr_id, why);
	else
		o->atr_id = atr_id;
}

void hooks_check(struct hooks *h, const char (*names)[POLICY_NAME_LEN], size_t n)
{
	char reason[HOOK_REASON_LEN];

	for (size_t i = 0; h && i < n; i++) {
		int fd = hookfile_open(h->directory, names[i], reason);

		if (fd >= 0)
			close(fd);
		else
			evidence_add(h->evidence, EVIDENCE_NOTE("hook", SEV_WARNING),
				     "Program %s cannot be run: %s", names[i], reason);
	}
}

void hooks_health(const struct hooks *h, const char (*names)[POLICY_NAME_LEN], size_t n, struct health *health)
{
	char reason[HOOK_REASON_LEN];

	if (h && h->fd < 0)
		health_find(health, HEALTH_FINDING("hooks", SEV_ALERT, .since_ms = h->gone_ms, .remedy = REMEDY),
			    "the runner of the policy's programs is gone: none is run");
	for (size_t i = 0; h && i < n; i++) {
		int fd = hookfile_open(h->directory, names[i], reason);

		if (fd >= 0)
			close(fd);
		else
			health_find(health, HEALTH_FINDING("hook-file", SEV_WARNING, .subject = names[i],
							   .remedy = "It must be an executable file of root's in [policy] hooks, writable "
								     "by nobody else: akm-policy(5), HOOKS."),
				    "the policy's program cannot be run: %s", reason);
	}
}

void hooks_metrics(const struct hooks *h, struct metrics *m)
{
	static const struct { enum runner_end end; const char *name; } ends[] = {
		{ RUNNER_EXITED, "exited" }, { RUNNER_KILLED, "killed" }, { RUNNER_TIMED_OUT, "timed-out" },
		{ RUNNER_REFUSED, "refused" },
	};

	if (!h)
		return;
	metrics_family(m, "akm_hooks_total", "counter", "Programs of the policy, by how they ended.");
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		metrics_put(m, h->ended[ends[i].end], "end", ends[i].name);
	metrics_family(m, "akm_hooks_failed_total", "counter", "Those that did not exit with status 0.");
	metrics_put(m, h->failed);
	metrics_family(m, "akm_hooks_dropped_total", "counter", "Those that the runner could not take.");
	metrics_put(m, h->dropped);
	metrics_family(m, "akm_hooks_runner_up", "gauge", "1 if the runner of programs is there.");
	metrics_put(m, h->fd >= 0);
}

int hooks_new(struct event_base *base, struct evidence *e, const char *directory, int fd, struct hooks **ret)
{
	struct hooks *h = calloc(1, sizeof(*h));

	if (!h) {
		close(fd);
		return -ENOMEM;
	}
	*h = (struct hooks){ .evidence = e, .directory = directory, .fd = fd };
	h->event = event_new(base, fd, EV_READ | EV_PERSIST, on_result, h);
	if (!h->event || event_add(h->event, NULL) < 0) {
		hooks_free(h);
		return -ENOMEM;
	}
	*ret = h;
	return 0;
}

void hooks_free(struct hooks *h)
{
	if (!h)
		return;
	if (h->event)
		event_free(h->event);
	closep(&h->fd);
	free(h);
}
