// SPDX-License-Identifier: GPL-2.0
/*
 * A machine that was copied with its TPM: both have links, by turns. A node that moves is not taken for two. And members
 * that go back and forth in the data plane.
 */
#include "support_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "clock.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define C (&world.nodes[2])
#define M (&world.manager)
#define R (&world.root)

static struct actor twin;

static void start_both(void)
{
	actor_stop(C);
	world_copy(C, &twin);
	assert_int_equal(actor_start(C), 0);
	until(!is_down(C));
	assert_int_equal(actor_start(&twin), 0);
}

static bool records(struct actor *who, const char *what)
{
	struct json_object *answer = ask(who, "events", "{}");
	bool found = strstr(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE), what);

	json_object_put(answer);
	return found;
}

static int end_world(void **state)
{
	if (twin.tpm)
		actor_drop(&twin);
	memset(&twin, 0, sizeof(twin));
	M->config.policy_file = NULL;
	return world_teardown(state);
}

static bool says(struct actor *who, const char *what)
{
	struct json_object *answer = ask(who, "status", "{}"), *alerts = at(answer, "alerts");
	const char *text = alerts ? json_object_to_json_string(alerts) : "";
	bool found = strstr(text, what);

	json_object_put(answer);
	return found;
}

static void test_a_copied_machine(void **state)
{
	(void)state;
	create_abc();
	world_watch("akm1", 2);			/* nobody else has anything to do with it */
	start_both();
	until(events_of(M, "two-places") && events_of(R, "two-places"));
	assert_true(says(M, "EdgeNodeC is in two places: who was linked from 127.0.0.1:"));
	/* However often they take it from each other: one record in EVIDENCE_INTERVAL_MS. */
	for (int i = 0; i < 200; i++)
		world_turn();
	assert_in_range(events_of(M, "two-places"), 1, 2);
	assert_int_equal(events_of(M, "link-limit"), 0);
	assert_false(is_down(A));
}

#define LINKS_MAX	16		/* of the nodes, and those that nobody closed */

/* The processes' ends of links to the manager. Return: how many. */
static int links_to(uint16_t port, int fds[LINKS_MAX])
{
	int n = 0;

	for (int fd = 3; fd < 256 && n < LINKS_MAX; fd++) {
		struct sockaddr_in peer = {};
		socklen_t len = sizeof(peer);

		if (!getpeername(fd, (struct sockaddr *)&peer, &len) && peer.sin_family == AF_INET &&
		    peer.sin_port == htons(port))
			fds[n++] = fd;
	}
	return n;
}

/* The same, but its end of the link stays open. Return: that. */
static int stop_silently(struct actor *a)
{
	int fds[LINKS_MAX], copies[LINKS_MAX], silent = -1, n = links_to(actor_port(M), fds);

	for (int i = 0; i < n; i++) {
		copies[i] = dup(fds[i]);
		assert_true(copies[i] > 0);
	}
	actor_stop(a);
	for (int i = 0; i < n; i++) {
		if (fcntl(fds[i], F_GETFD) < 0 && silent < 0)
			silent = copies[i];
		else
			close(copies[i]);
	}
	assert_true(silent > 0);
	return silent;
}

static bool has_ended(int fd)
{
	char bytes[4096];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		;
	return !n || errno != EAGAIN;
}

/*
 * Its old connection stays as it is, as one does of which the path was cut or whose address is another's now: nobody
 * closes it, and nobody answers there.
 */
static void test_a_node_that_moved(void **state)
{
	int old;

	(void)state;
	create_abc();
	old = stop_silently(C);
	assert_int_equal(actor_start(C), 0);
	until(!is_down(C));
	assert_false(has_ended(old));
	until(has_ended(old));			/* the manager has waited for its answer */
	close(old);
	assert_false(is_down(C));
	assert_int_equal(events_of(M, "two-places"), 0);
	assert_int_equal(events_of(M, "link-limit"), 0);
}

/* Neither is one whose line is so bad that it does so again and again. */
static void test_a_node_that_moves_on(void **state)
{
	int old[4];

	(void)state;
	create_abc();
	for (size_t i = 0; i < ARRAY_SIZE(old); i++) {
		old[i] = stop_silently(C);
		assert_int_equal(actor_start(C), 0);
		until(!is_down(C));
	}
	for (size_t i = 0; i < ARRAY_SIZE(old); i++) {
		until(has_ended(old[i]));
		close(old[i]);
	}
	assert_int_equal(events_of(M, "two-places"), 0);
	assert_int_equal(events_of(M, "link-limit"), 0);
}

/* Both have proved the key, so it may cost the node its place. Neither gets in again. */
static void test_it_may_be_evicted(void **state)
{
	static const char text[] = "rule twice\nwhen two-places rate 1/3600 scope member\nthen evict\n";

	(void)state;
	world_start_with(text);
	create_abc();
	start_both();
	until(events_of(M, "evict") == 1);
	until(is_down(C) && is_down(&twin));
	until(events_of(M, "link-unknown"));
	assert_true(says(M, "EdgeNodeC is in two places"));
	until(all_only_on(2, 2));
}

/* ---- in the data plane ---- */

static void moved_to(struct actor *seen_by, int32_t member, const char *from)
{
	struct nl_event e = { .type = AKM_EVENT_MOVED, .atr_id = 1, .member = member };
	struct sockaddr_in *a = (struct sockaddr_in *)&e.source;

	a->sin_family = AF_INET;
	a->sin_port = htons(7645);
	assert_int_equal(inet_pton(AF_INET, from, &a->sin_addr), 1);
	fake_kernel_event(seen_by->kernel, &e);
	world_turn();
}

/* B hears C from two places by turns; A hears it from a new one each time. */
static void test_flapping(void **state)
{
	char from[32];

	(void)state;
	create_abc();
	for (int i = 0; i < 12; i++) {
		snprintf(from, sizeof(from), "203.0.113.%d", i);
		moved_to(A, 2, from);
	}
	for (int i = 0; i < 7; i++)
		moved_to(&world.nodes[1], 2, i % 2 ? "198.51.100.1" : "192.0.2.13");
	assert_int_equal(events_of(&world.nodes[1], "flapping"), 0);
	moved_to(&world.nodes[1], 2, "198.51.100.1");
	assert_int_equal(events_of(&world.nodes[1], "flapping"), 1);
	until(events_of(M, "flapping") == 1 && events_of(R, "flapping") == 1);
	assert_int_equal(events_of(A, "flapping"), 0);
	assert_true(records(M, "Member 2 goes back and forth: it came back to where it was 6 times within 60 s, now to "
			       "198.51.100.1:7645 from 192.0.2.13:7645"));
}

/* What the kernel shows of a packet goes with the record, up to the root; of what was inside, one address. */
static void test_the_packet_that_showed_it(void **state)
{
	struct nl_event e = { .type = AKM_EVENT_PREFIX, .atr_id = 1, .member = 2, .inner = { 10, 77, 0, 9 }, .inner_len = 4,
			      .packet = { .len = 92, .n = 16, .bytes = { 0x11, 5, 0, 2 } } };

	(void)state;
	create_abc();
	fake_kernel_event(A->kernel, &e);
	until(events_of(R, "prefix") == 1);
	assert_true(records(A, "which says 10.77.0.9"));
	for (size_t i = 0; i < 3; i++)
		assert_true(records(i ? i == 1 ? M : R : A, "\"length\": 92, \"bytes\": \"1105000200000000"));
}

/* At the manager's door: of what the TLS library says, the record has the reason. */
static void test_why_it_breaks_the_protocol(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(actor_port(M)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	static const char text[] = "GET / HTTP/1.0\r\n\r\n";
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	until(events_of(R, "link-protocol") == 1);
	assert_true(records(M, "Dropped a link from 127.0.0.1: it breaks the protocol: handshake: "));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_copied_machine, world_setup, end_world),
		cmocka_unit_test_setup_teardown(test_a_node_that_moved, world_setup, end_world),
		cmocka_unit_test_setup_teardown(test_a_node_that_moves_on, world_setup, end_world),
		cmocka_unit_test_setup_teardown(test_it_may_be_evicted, world_setup, end_world),
		cmocka_unit_test_setup_teardown(test_flapping, world_setup, end_world),
		cmocka_unit_test_setup_teardown(test_why_it_breaks_the_protocol, world_setup, end_world),
		cmocka_unit_test_setup_teardown(test_the_packet_that_showed_it, world_setup, end_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
