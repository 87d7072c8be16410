// SPDX-License-Identifier: GPL-2.0
/*
 * akmctl monitor on a real netlink socket: events are multicast in NETLINK_USERSOCK
 * by the test itself, in the shape the module gives them. Needs CAP_NET_ADMIN to join
 * a group, and is skipped without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <linux/akm.h>

#include "../../tools/command.h"
#include "../../tools/monitor.h"

#define GROUP		1
#define FAMILY		0x1f
#define MANY		20000

static struct nl_sock *in, *to;
static bool joined;			/* may do so */
static char *out;
static size_t out_len;

static int teardown(void **state)
{
	(void)state;
	nl_socket_free(in);
	nl_socket_free(to);
	free(out);
	out = NULL;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	in = nl_socket_alloc();
	to = nl_socket_alloc();
	assert_non_null(in);
	assert_non_null(to);
	assert_int_equal(nl_connect(in, NETLINK_USERSOCK), 0);
	assert_int_equal(nl_connect(to, NETLINK_USERSOCK), 0);
	joined = !nl_socket_add_membership(in, GROUP);
	nl_socket_set_peer_port(to, 0);
	nl_socket_set_peer_groups(to, 1 << (GROUP - 1));
	return 0;
}

/* Nobody sits at the port that goes with the group, and a full receiver is its own business. */
static void send_off(struct nl_msg *msg)
{
	(void)nl_send(to, msg);
	nlmsg_free(msg);
}

static void emit(const char *ifname, uint64_t count)
{
	struct nl_msg *msg = nlmsg_alloc();

	assert_non_null(msg);
	genlmsg_put(msg, 0, 0, FAMILY, 0, 0, AKM_CMD_EVENT, 1);
	nla_put_u32(msg, AKM_A_EVENT_TYPE, AKM_EVENT_REPLAY);
	if (ifname)
		nla_put_string(msg, AKM_A_EVENT_IFNAME, ifname);
	nla_put_u64(msg, AKM_A_EVENT_COUNT, count);
	send_off(msg);
}

static int receive(const char *ifname, uint64_t count, bool json, struct akm_error *e)
{
	struct akm_ctx ctx = { .out = open_memstream(&out, &out_len), .json = json };
	int r;

	assert_non_null(ctx.out);
	memset(e, 0, sizeof(*e));
	r = akm_monitor_receive(&ctx, in, ifname, count, e);
	fclose(ctx.out);
	return r;
}

static void test_events(void **state)
{
	struct akm_error e;

	(void)state;
	if (!joined)
		skip();
	emit("akm1", 1);
	emit(NULL, 2);
	assert_int_equal(receive(NULL, 2, false, &e), 0);
	assert_string_equal(out, "- akm1 replay count 1\n- - replay count 2\n");
}

static void test_filter(void **state)
{
	struct akm_error e;

	(void)state;
	if (!joined)
		skip();
	emit("akm2", 1);
	emit(NULL, 2);
	emit("akm1", 3);
	assert_int_equal(receive("akm1", 1, true, &e), 0);
	assert_string_equal(out, "{\"type\":\"replay\",\"ifname\":\"akm1\",\"count\":3}\n");
}

static void test_malformed(void **state)
{
	struct nl_msg *msg;
	struct akm_error e;

	(void)state;
	if (!joined)
		skip();
	msg = nlmsg_alloc();
	genlmsg_put(msg, 0, 0, FAMILY, 0, 0, AKM_CMD_EVENT, 1);
	nla_put_u16(msg, AKM_A_EVENT_TYPE, 1);
	send_off(msg);
	assert_int_equal(receive(NULL, 1, false, &e), -EPROTO);
	assert_string_equal(e.field, "event");
	free(out);
	msg = nlmsg_alloc();
	genlmsg_put(msg, 0, 0, FAMILY, 0, 0, AKM_CMD_DEV_GET, 1);
	send_off(msg);
	assert_int_equal(receive(NULL, 1, false, &e), -EPROTO);
	assert_string_equal(out, "");
}

/* More than the socket holds: the hole is announced, and what is there is still printed. */
static void test_lost(void **state)
{
	struct akm_error e;
	uint64_t i;

	(void)state;
	if (!joined)
		skip();
	for (i = 0; i < MANY; i++)
		emit("akm1", i);
	assert_int_equal(receive(NULL, 2, true, &e), 0);
	assert_non_null(strstr(out, "{\"type\":\"lost\",\"time_ns\":"));
	assert_non_null(strstr(out, "{\"type\":\"replay\",\"ifname\":\"akm1\",\"count\":0}\n"));
}

static void test_nobody_reads(void **state)
{
	struct akm_ctx ctx = {};
	struct akm_error e = {};

	(void)state;
	if (!joined)
		skip();
	ctx.out = fopen("/dev/full", "w");
	assert_non_null(ctx.out);
	emit("akm1", 1);
	assert_int_equal(akm_monitor_receive(&ctx, in, NULL, 0, &e), -EPIPE);
	fclose(ctx.out);
}

#define TEST(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_events), TEST(test_filter), TEST(test_malformed), TEST(test_lost), TEST(test_nobody_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
