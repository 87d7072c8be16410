// SPDX-License-Identifier: GPL-2.0
/*
 * A manager with something to show, for a browser: serve ADDRESS. Four nodes, two ATRs, one node silent, one thrown
 * out for a reason that is markup, an alert, counters. Says "ready" and serves until its standard input ends.
 */
#include "support_world.h"

#include <fcntl.h>

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define M (&world.manager)

static bool input_ended(void)
{
	char c;
	ssize_t n = read(STDIN_FILENO, &c, 1);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

static bool missed(void)
{
	return events_of(M, "heartbeat-missed") > 0;
}

int main(int argc, char **argv)
{
	struct nl_event clone = { .type = AKM_EVENT_CLONE, .atr_id = 1, .member = 1 };

	if (argc != 2)
		return 2;
	world_begin(4);
	world_provision();
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeB\",\"EdgeNodeC\"],\"label\":\"plant\"}");
	ask_ok(M, "atr-create", "{\"members\":[\"EdgeNodeA\",\"EdgeNodeB\"],\"label\":\"office\"}");
	ask_ok(M, "node-evict", "{\"node\":\"EdgeNodeD\",\"reason\":\"<img src=x onerror=alert(1)><script>alert(2)</script>\"}");
	actor_stop(M);
	M->config.web = strdup(argv[1]);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && !is_down(A) && !is_down(B));
	fake_kernel_count(A->kernel, "akm1", AKM_A_STATS_RX_CLONE, 1);
	fake_kernel_event(A->kernel, &clone);
	actor_stop(B);
	until(missed());
	puts("ready");
	fflush(stdout);
	assert_true(fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) == 0);
	while (!input_ended())
		world_turn();
	world_end();
	free(M->config.web);
	return 0;
}
