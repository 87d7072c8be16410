// SPDX-License-Identifier: GPL-2.0
/* When one identity is in two places, and when it has moved, or is back. In a fleet: test_roles_places.c */
#include "places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "link_internal.h"

struct told {
	struct event_base *base;
	struct places places;
	unsigned int n;
	char text[TEXT_MAX];
};

static void on_two(void *ctx, const char *text)
{
	struct told *t = ctx;

	t->n++;
	snprintf(t->text, sizeof(t->text), "%s", text);
}

static int begin(void **state)
{
	struct told *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->base = event_base_new();
	assert_non_null(t->base);
	places_init(&t->places, t->base, on_two, t);
	*state = t;
	return 0;
}

static int end(void **state)
{
	struct told *t = *state;

	places_end(&t->places);
	event_base_free(t->base);
	free(t);
	return 0;
}

/* An authenticated link from 192.0.2.@host that nobody serves: what is sent over it stays in its queue. */
static struct link *a_link(struct told *t, uint8_t host)
{
	struct sockaddr_in *from;
	struct link *l;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	close(fds[1]);
	assert_int_equal(link_new(t->base, fds[0], &l), 0);
	l->state = LINK_UP;
	l->info.n = 3;
	from = (struct sockaddr_in *)&l->info.remote;
	from->sin_family = AF_INET;
	from->sin_port = htons(1000 + host);
	from->sin_addr.s_addr = htonl(0xc0000200 + host);
	return l;
}

static void answer(struct told *t, struct link *l, enum msg_type type, uint32_t request)
{
	struct msg m = { .type = type, .request = request };

	assert_true(places_message(&t->places, l, &m));
}

static void test_both_answer(void **state)
{
	struct told *t = *state;
	struct link *old = a_link(t, 1), *new = a_link(t, 2);

	places_superseded(&t->places, old, new, 42, 7);
	assert_ptr_equal(t->places.old, old);
	assert_non_null(old->out);		/* it is asked … */
	assert_null(new->out);
	answer(t, old, MSG_HEARTBEAT, 9);	/* … and what it says of itself is no answer */
	assert_int_equal(t->n, 0);
	answer(t, old, MSG_OK, 8);
	assert_int_equal(t->n, 1);
	assert_string_equal(t->text, "who was linked from 192.0.2.1:1001 for 42 ms still answers there, and another one has "
			    "a link with its key from 192.0.2.2:1002");
	assert_null(t->places.old);
	assert_int_equal(old->state, LINK_CLOSING);
	assert_int_equal(new->state, LINK_UP);
	link_free(old);
	link_free(new);
}

/* It had moved on meanwhile: it refuses the number that it is asked about, and is there. */
static void test_an_error_is_an_answer(void **state)
{
	struct told *t = *state;
	struct link *old = a_link(t, 1), *new = a_link(t, 2);

	places_superseded(&t->places, old, new, 42, 0);
	answer(t, old, MSG_ERROR, 1);
	assert_int_equal(t->n, 1);
	link_free(old);
	link_free(new);
}

/* What was sent before it closed that link may come later than its new one. */
static void test_earlier_answers(void **state)
{
	struct told *t = *state;
	struct link *old = a_link(t, 1), *new = a_link(t, 2);

	places_superseded(&t->places, old, new, 42, 7);
	for (uint32_t request = 0; request <= 7; request++)
		answer(t, old, MSG_OK, request);
	assert_int_equal(t->n, 0);
	assert_ptr_equal(t->places.old, old);
	link_free(new);
}

static void test_only_the_old_one(void **state)
{
	struct told *t = *state;
	struct link *old = a_link(t, 1), *new = a_link(t, 2);
	struct msg m = { .type = MSG_OK, .request = 1 };

	assert_false(places_message(&t->places, new, &m));
	assert_false(places_down(&t->places, new));
	places_superseded(&t->places, old, new, 42, 0);
	assert_false(places_message(&t->places, new, &m));
	assert_false(places_down(&t->places, new));
	assert_int_equal(t->n, 0);
	assert_true(places_down(&t->places, old));
	assert_null(t->places.old);
	assert_int_equal(t->n, 0);
	link_free(old);
	link_free(new);
}

/* Three within a moment, of a bad line: the newest two count, and no more than one is waited for. */
static void test_many_at_once(void **state)
{
	struct told *t = *state;
	struct link *l[3] = { a_link(t, 1), a_link(t, 2), a_link(t, 3) };

	places_superseded(&t->places, l[0], l[1], 42, 0);
	places_superseded(&t->places, l[1], l[2], 42, 5);
	assert_int_equal(l[0]->state, LINK_CLOSING);
	assert_null(link_data(l[0]));
	assert_ptr_equal(t->places.old, l[1]);
	answer(t, l[1], MSG_OK, 6);
	assert_int_equal(t->n, 1);
	for (int i = 0; i < 3; i++)
		link_free(l[i]);
}

/* A link that is on its way out cannot be asked. */
static void test_it_is_closing(void **state)
{
	struct told *t = *state;
	struct link *old = a_link(t, 1), *new = a_link(t, 2);

	link_close(old);
	places_superseded(&t->places, old, new, 42, 0);
	assert_null(t->places.old);
	assert_int_equal(t->n, 0);
	link_free(old);
	link_free(new);
}

/* Instances in the order that they say hello in, and how often two places are told then */
static const struct { uint64_t hellos[8]; unsigned int told; } sequences[] = {
	{ { 1, 1, 1, 1 }, 0 },			/* cuts */
	{ { 1, 2, 3, 4, 5, 6 }, 0 },		/* restarts */
	{ { 1, 1, 2, 2, 3, 3 }, 0 },
	{ { 1, 2, 1 }, 1 },
	{ { 1, 2, 1, 2, 1 }, 3 },
	{ { 1, 2, 2, 1, 1 }, 1 },
	{ { 1, 2, 3, 4, 1 }, 1 },		/* the oldest that is remembered */
	{ { 1, 2, 3, 4, 5, 1 }, 0 },		/* and one that is forgotten */
};

static void test_instances(void **state)
{
	struct told *t = *state;
	struct link *l = a_link(t, 1), *other = a_link(t, 2);

	for (size_t i = 0; i < ARRAY_SIZE(sequences); i++) {
		places_init(&t->places, t->base, on_two, t);
		t->n = 0;
		for (const uint64_t *hello = sequences[i].hellos; *hello; hello++) {
			places_hello(&t->places, *hello == 1 ? l : other, *hello);
			places_hello(&t->places, l, 0);		/* one that does not say */
		}
		if (t->n != sequences[i].told)
			fail_msg("sequence %zu: told %u times, not %u", i, t->n, sequences[i].told);
	}
	places_hello(&t->places, other, 77);
	places_hello(&t->places, l, 5);
	assert_string_equal(t->text, "who is linked from 192.0.2.1:1001 was linked before, and meanwhile another one was, "
			    "from 192.0.2.2:1002");
	link_free(l);
	link_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_answer, begin, end),
		cmocka_unit_test_setup_teardown(test_an_error_is_an_answer, begin, end),
		cmocka_unit_test_setup_teardown(test_earlier_answers, begin, end),
		cmocka_unit_test_setup_teardown(test_only_the_old_one, begin, end),
		cmocka_unit_test_setup_teardown(test_many_at_once, begin, end),
		cmocka_unit_test_setup_teardown(test_it_is_closing, begin, end),
		cmocka_unit_test_setup_teardown(test_instances, begin, end),
	};

	if (akm_secret_init(1 << 20) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
