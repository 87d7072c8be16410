// SPDX-License-Identifier: GPL-2.0
#include "linkkeys.h"

#include <sys/queue.h>

#include "clock.h"

enum { SLOT_CURRENT, SLOT_NEXT, SLOT_LAST, SLOTS };	/* in the order of urgency */

struct slot {
	uint64_t n;			/* 0: unused */
	struct akm_secret key;		/* empty: to be computed */
};

struct job {
	struct linkkeys *set;		/* NULL: freed meanwhile */
	struct linkkey *entry;		/* likewise */
	struct akm_blob domain, key;	/* copies: the job may outlive the entry and the role */
	uint8_t message[KDF_LINK_MSG_LEN];
	uint64_t n;
	struct akm_secret mac;
};

/* An entry is in one of them, or in none: it has all its keys. */
TAILQ_HEAD(line, linkkey);

struct linkkey {
	LIST_ENTRY(linkkey) all;
	TAILQ_ENTRY(linkkey) waiting;
	struct line *line;		/* in which it waits; NULL */
	struct linkkeys *set;
	const struct akm_blob *domain;
	struct akm_blob key;
	struct akm_blob next_key;	/* of the n after the current one, where that is another; empty: it is not */
	uint64_t from;			/* first n of @key */
	uint8_t hardware[AKM_DIGEST_LEN];
	struct slot slot[SLOTS];
	uint64_t retry_ms;
	linkkey_ready_fn ready;
	void *ctx;
};

struct linkkeys {
	struct event *timer;
	struct tpmq *q;
	bool window;
	LIST_HEAD(, linkkey) all;
	struct line want[SLOTS];	/* who waits for a key, by its most urgent one; first come, first served */
	struct line later;		/* whose key could not be computed: ascending by retry_ms */
	struct job *job;		/* the one under way */
};

static void fill(struct linkkeys *s);

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	fill(arg);
}

int linkkeys_new(struct event_base *base, struct tpmq *q, bool window, struct linkkeys **ret)
{
	struct linkkeys *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->q = q;
	s->window = window;
	LIST_INIT(&s->all);
	TAILQ_INIT(&s->later);
	for (size_t i = 0; i < SLOTS; i++)
		TAILQ_INIT(&s->want[i]);
	s->timer = evtimer_new(base, on_timer, s);
	if (!s->timer) {
		free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

void linkkeys_free(struct linkkeys *s)
{
	if (!s)
		return;
	while (!LIST_EMPTY(&s->all))
		linkkey_free(LIST_FIRST(&s->all));
	if (s->job)
		s->job->set = NULL;
	event_free(s->timer);
	free(s);
}

static void leave_line(struct linkkey *k)
{
	if (k->line)
		TAILQ_REMOVE(k->line, k, waiting);
	k->line = NULL;
}

static void join_line(struct linkkey *k, struct line *line)
{
	leave_line(k);
	TAILQ_INSERT_TAIL(line, k, waiting);
	k->line = line;
}

/* To the end of the line for what it wants most, if it wants anything. */
static void queue_up(struct linkkey *k)
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (k->slot[i].n && !k->slot[i].key.data) {
			join_line(k, &k->set->want[i]);
			return;
		}
	}
	leave_line(k);
}

static void job_free(struct job *job)
{
	akm_secret_free(&job->mac);
	akm_blob_free(&job->domain);
	akm_blob_free(&job->key);
	free(job);
}

static int job_work(struct keystore *ks, void *arg)
{
	struct job *job = arg;

	return keystore_hmac(ks, job->domain.data ? &job->domain : NULL, &job->key, job->message,
			     sizeof(job->message), &job->mac);
}

static struct slot *slot_of(struct linkkey *k, uint64_t n)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (k->slot[i].n == n)
			return &k->slot[i];
	return NULL;
}

static void job_done(void *arg, int r)
{
	struct job *job = arg;
	struct linkkeys *s = job->set;
	struct linkkey *k = job->entry;
	struct slot *slot = k ? slot_of(k, job->n) : NULL;
	bool told = slot && (slot == &k->slot[SLOT_CURRENT] ||
			     (slot == &k->slot[SLOT_NEXT] && k->next_key.len && !k->set->window));

	if (!r && job->mac.len != AKM_KEY_LEN)
		r = -EIO;
	if (slot && !r) {
		akm_secret_free(&slot->key);
		slot->key = akm_secret_take(&job->mac);
		queue_up(k);
	} else if (slot) {
		k->retry_ms = now_ms() + LINKKEY_RETRY_MS;
		join_line(k, &s->later);
	}
	job_free(job);
	if (!s)
		return;
	s->job = NULL;
	/* Not from here: ready() may free the entry, or the set. */
	timer_set(s->timer, 0);
	if (told && r != -ECANCELED)
		k->ready(k->ctx, r);
}

static int submit(struct linkkeys *s, struct linkkey *k, const struct slot *slot)
{
	bool next = slot == &k->slot[SLOT_NEXT] && k->next_key.len;
	const struct akm_blob *key = next ? &k->next_key : &k->key;
	struct job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	job->set = s;
	job->entry = k;
	job->n = slot->n;
	kdf_link_message(k->hardware, slot->n, job->message);
	r = akm_blob_dup(key->data, key->len, &job->key);
	if (!r && k->domain)
		r = akm_blob_dup(k->domain->data, k->domain->len, &job->domain);
	if (!r)
		r = tpmq_submit(s->q, job_work, job_done, job);
	if (r < 0) {
		job_free(job);
		return r;
	}
	s->job = job;
	return 0;
}

/* Ask for the most wanted key, if none is under way. */
static void fill(struct linkkeys *s)
{
	uint64_t now = now_ms();
	struct linkkey *k;

	if (s->job)
		return;
	while ((k = TAILQ_FIRST(&s->later)) && k->retry_ms <= now)
		queue_up(k);
	for (size_t i = 0; i < SLOTS; i++) {
		struct linkkey *next = TAILQ_FIRST(&s->want[i]);

		if (!next)
			continue;
		if (submit(s, next, &next->slot[i]) < 0)
			timer_set(s->timer, 1000);	/* the queue is full: later */
		return;
	}
	if (k)
		timer_set(s->timer, k->retry_ms - now);
}

static void set_window(struct linkkey *k, uint64_t n)
{
	struct slot old[SLOTS];
	uint64_t want[SLOTS] = {
		[SLOT_CURRENT] = n,
		[SLOT_NEXT] = k->set->window || k->next_key.len ? n + 1 : 0,
		[SLOT_LAST] = k->set->window && n > 1 && n > k->from ? n - 1 : 0,
	};

	memcpy(old, k->slot, sizeof(old));
	memset(k->slot, 0, sizeof(k->slot));
	for (size_t i = 0; i < SLOTS; i++) {
		k->slot[i].n = want[i];
		for (size_t j = 0; want[i] && j < SLOTS; j++)
			if (old[j].n == want[i])
				k->slot[i].key = akm_secret_take(&old[j].key);
	}
	for (size_t j = 0; j < SLOTS; j++)
		akm_secret_free(&old[j].key);
	k->retry_ms = 0;
	queue_up(k);
	fill(k->set);
}

int linkkey_add(struct linkkeys *s, const struct akm_blob *domain, const struct akm_blob *key,
		const uint8_t hardware[AKM_DIGEST_LEN], uint64_t n, linkkey_ready_fn ready, void *ctx,
		struct linkkey **ret)
{
	struct linkkey *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	r = akm_blob_dup(key->data, key->len, &k->key);
	if (r < 0) {
		free(k);
		return r;
	}
	k->set = s;
	k->domain = domain;
	memcpy(k->hardware, hardware, AKM_DIGEST_LEN);
	k->ready = ready;
	k->ctx = ctx;
	LIST_INSERT_HEAD(&s->all, k, all);
	set_window(k, n);
	*ret = k;
	return 0;
}

void linkkey_free(struct linkkey *k)
{
	if (!k)
		return;
	leave_line(k);
	LIST_REMOVE(k, all);
	if (k->set->job && k->set->job->entry == k)
		k->set->job->entry = NULL;
	for (size_t i = 0; i < SLOTS; i++)
		akm_secret_free(&k->slot[i].key);
	akm_blob_free(&k->key);
	akm_blob_free(&k->next_key);
	free(k);
}

/* A key that is being computed is not for us any more. */
static void disown(struct linkkey *k, uint64_t n)
{
	struct linkkeys *s = k->set;

	if (s->job && s->job->entry == k && s->job->n == n)
		s->job->entry = NULL;
}

void linkkey_advance(struct linkkey *k, uint64_t n)
{
	if (n == k->slot[SLOT_CURRENT].n)
		return;
	if (k->next_key.len) {
		k->from = k->slot[SLOT_NEXT].n;
		akm_blob_free(&k->key);
		k->key = k->next_key;
		k->next_key = (struct akm_blob) {};
	}
	set_window(k, n);
}

int linkkey_offer(struct linkkey *k, const struct akm_blob *key)
{
	struct akm_blob next = {};
	int r = key ? akm_blob_dup(key->data, key->len, &next) : 0;

	if (r < 0)
		return r;
	akm_blob_free(&k->next_key);
	k->next_key = next;
	disown(k, k->slot[SLOT_CURRENT].n + 1);
	akm_secret_free(&k->slot[SLOT_NEXT].key);
	set_window(k, k->slot[SLOT_CURRENT].n);
	return 0;
}

const struct akm_blob *linkkey_key(const struct linkkey *k)
{
	return &k->key;
}

bool linkkey_has(const struct linkkey *k, uint64_t n)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (n && k->slot[i].n == n)
			return k->slot[i].key.data;
	return false;
}

uint64_t linkkey_n(const struct linkkey *k)
{
	return k->slot[SLOT_CURRENT].n;
}

int linkkey_get(const struct linkkey *k, uint64_t n, uint8_t ret_key[AKM_KEY_LEN])
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (!n || k->slot[i].n != n)
			continue;
		if (!k->slot[i].key.data)
			return -EAGAIN;
		memcpy(ret_key, k->slot[i].key.data, AKM_KEY_LEN);
		return 0;
	}
	return -ESTALE;
}
