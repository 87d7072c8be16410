// SPDX-License-Identifier: GPL-2.0
#include "fence.h"

#include <endian.h>
#include <string.h>

#include "clock.h"
#include "log.h"

#define COUNT_KEY	"fence"

struct fence {
	struct store *store;
	struct vault *vault;
	struct event *retry;
	uint64_t sealed;		/* the count that is */
	uint64_t writing;		/* the one under way; 0: none */
};

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	fence_seal(arg);
}

static int count_of(const struct akm_secret *content, uint64_t *ret, struct akm_error *err)
{
	uint64_t be = 0;		/* nothing was counted yet */

	if (content->len && content->len != sizeof(be))
		return akm_error_set(err, -EBADMSG, "sealed", "holds %zu bytes, not a count", content->len);
	if (content->len)
		memcpy(&be, content->data, sizeof(be));
	*ret = be64toh(be);
	return 0;
}

int fence_new(struct event_base *base, struct store *s, struct vault *v, const struct akm_secret *content,
	      struct fence **ret, struct akm_error *err)
{
	uint64_t sealed = 0, counted = 0;
	struct fence *f;
	int r;

	r = count_of(content, &sealed, err) ?: store_get_u64(s, COUNT_KEY, &counted);
	if (r < 0)
		return r;
	if (counted < sealed)
		return akm_error_set(err, -ESTALE, "akm.db", "is a backup from before %llu evictions, removals or new keys",
				     (unsigned long long)(sealed - counted));
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	*f = (struct fence){ .store = s, .vault = v, .sealed = sealed };
	f->retry = evtimer_new(base, on_retry, f);
	if (!f->retry) {
		free(f);
		return -ENOMEM;
	}
	fence_seal(f);			/* the power went in between */
	*ret = f;
	return 0;
}

void fence_free(struct fence *f)
{
	if (!f)
		return;
	event_free(f->retry);
	free(f);
}

int fence_count(struct store *s)
{
	uint64_t n;

	return store_get_u64(s, COUNT_KEY, &n) ?: store_set_u64(s, COUNT_KEY, n + 1);
}

static void later(struct fence *f, int r, const char *why)
{
	log_warning("cannot seal how many were evicted, again in %u s reason=%s error=%s", FENCE_RETRY_MS / 1000, why,
		    strerror(-r));
	timer_set(f->retry, FENCE_RETRY_MS);
}

static void on_written(void *ctx, int r, const struct akm_error *err)
{
	struct fence *f = ctx;

	if (!r)
		f->sealed = f->writing;
	f->writing = 0;
	if (r < 0)
		later(f, r, err->reason);
	else
		fence_seal(f);
}

static int seal(struct fence *f, uint64_t count)
{
	_cleanup_secret_ struct akm_secret content = {};
	uint64_t be = htobe64(count);
	int r = akm_secret_new(sizeof(be), &content);

	if (r < 0)
		return r;
	memcpy(content.data, &be, sizeof(be));
	return vault_write(f->vault, &content, on_written, f);
}

void fence_seal(struct fence *f)
{
	uint64_t count;
	int r;

	if (f->writing)
		return;			/* on_written() looks again */
	r = store_get_u64(f->store, COUNT_KEY, &count);
	if (!r && count == f->sealed)
		return;
	r = r ?: seal(f, count);
	if (r < 0)
		later(f, r, "");
	else
		f->writing = count;
}
