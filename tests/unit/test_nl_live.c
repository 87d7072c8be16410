// SPDX-License-Identifier: GPL-2.0
/*
 * The daemon's netlink side against the kernel module itself. Runs where the module is (the
 * scenario daemon-netlink of the VM and UML lanes), as root, in a network namespace of its own;
 * elsewhere every test is skipped.
 */
#define _GNU_SOURCE
#include "nl.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>

#include <setjmp.h>
#include <cmocka.h>

#define IFNAME	"akm7"
#define PAIRS	2500		/* several messages' worth */
#define BIT(n)	(1U << (n))
#define DEADLINE_MS 60000

static struct event_base *base;
static struct nl *nl;
static struct akm_error err;
static struct nl_event last;
static size_t n_events, n_lost, n_gone;

static void on_event(void *ctx, const struct nl_event *e)
{
	(void)ctx;
	last = *e;
	n_events++;
}

static void on_change(void *ctx, enum nl_change change)
{
	(void)ctx;
	if (change == NL_DEVICE_GONE)
		n_gone++;
	else
		n_lost++;
}

#define OK(call) do { int r_ = (call); if (r_ < 0) fail_msg("%s: %d %s: %s", #call, r_, err.field, err.reason); } while (0)

static void expect_refusal(int r, int want, const char *field)
{
	if (r != want || strcmp(err.field, field))
		print_error("%d %s: %s\n", r, err.field, err.reason);
	assert_int_equal(r, want);
	assert_string_equal(err.field, field);
	assert_true(err.reason[0] != '\0');
}

static int group_setup(void **state)
{
	(void)state;
	base = event_base_new();
	if (unshare(CLONE_NEWNET) < 0 || nl_open(base, on_event, on_change, NULL, &nl, &err) < 0) {
		print_message("skipped: %s %s\n", strerror(errno), err.reason);
		nl = NULL;
	}
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	nl_free(nl);
	event_base_free(base);
	return 0;
}

static const struct nl_dev identity = {
	.ifname = IFNAME, .atr_id = 7, .self = 0, .suite = AKM_SUITE_CHACHA20POLY1305, .port = 17645, .incarnation = 5,
	.label = "A-B", .epoch_interval_ms = 60000, .epoch_grace_ms = 4000, .fwmark = 9,
	.freshness = AKM_FRESHNESS_EPOCH,
};

static int setup(void **state)
{
	uint32_t all = BIT(AKM_A_DEV_ATR_ID) | BIT(AKM_A_DEV_SELF) | BIT(AKM_A_DEV_SUITE) | BIT(AKM_A_DEV_PORT) |
		       BIT(AKM_A_DEV_LABEL) | BIT(AKM_A_DEV_EPOCH_INTERVAL) | BIT(AKM_A_DEV_EPOCH_GRACE) | BIT(AKM_A_DEV_FWMARK) |
		       BIT(AKM_A_DEV_FRESHNESS);
	struct nl_dev d = identity;
	static uint32_t incarnation = 100;	/* of the namespace: only ever grows */

	(void)state;
	if (!nl)
		return 0;
	n_events = n_lost = 0;
	memset(&err, 0, sizeof(err));
	d.incarnation = ++incarnation;
	OK(nl_dev_add(nl, IFNAME, &err));
	OK(nl_dev_set(nl, &d, all | BIT(AKM_A_DEV_INCARNATION), &err));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (!nl)
		return 0;
	OK(nl_dev_del(nl, IFNAME, &err));
	return n_lost ? -1 : 0;
}

#define NEED_MODULE() do { if (!nl) skip(); } while (0)

static void set_member(uint16_t index)
{
	struct msg_member m = {
		.index = index, .n_prefixes = 1,
		.prefixes = { { .addr = { 10, 77, (uint8_t)(index >> 8), (uint8_t)index }, .addr_len = 4, .prefix_len = 32 } },
		.endpoint = { .addr = { 192, 0, 2, 1 }, .addr_len = 4 },
	};

	snprintf(m.name, sizeof(m.name), "EdgeNode%u", index);
	OK(nl_member_set(nl, IFNAME, &m, 7645, &err));
}

/* lo knows no multicast, another akm device has no link to be on: what is refused here is right all the same. */
static void set_group(void)
{
	struct nl_dev d = { .ifname = IFNAME, .group = { { 239, 7, 6, 45 }, 4, 3 }, .group_link = 4711 }, got;

	expect_refusal(nl_dev_set(nl, &d, BIT(AKM_A_DEV_GROUP), &err), -ENODEV, "group-link");
	nl_group_link(nl, "lo");
	OK(nl_group_link_index(nl, &d.group_link, &err));
	assert_int_equal(d.group_link, if_nametoindex("lo"));
	expect_refusal(nl_dev_set(nl, &d, BIT(AKM_A_DEV_GROUP), &err), -EOPNOTSUPP, "group-link");
	nl_group_link(nl, "");
	d.group.addr_len = 0;
	OK(nl_dev_set(nl, &d, BIT(AKM_A_DEV_GROUP), &err));
	OK(nl_dev_get(nl, IFNAME, &got, &err));
	assert_int_equal(got.group.addr_len, 0);
}

static void test_device(void **state)
{
	struct nl_dev d;

	(void)state;
	NEED_MODULE();
	OK(nl_dev_get(nl, IFNAME, &d, &err));
	assert_int_equal(d.ifindex, if_nametoindex(IFNAME));
	assert_string_equal(d.ifname, IFNAME);
	assert_int_equal(d.atr_id, 7);
	assert_int_equal(d.self, 0);
	assert_int_equal(d.suite, AKM_SUITE_CHACHA20POLY1305);
	assert_int_equal(d.port, 17645);
	assert_true(d.incarnation > 100);
	assert_string_equal(d.label, "A-B");
	assert_int_equal(d.epoch_interval_ms, 60000);
	assert_int_equal(d.epoch_grace_ms, 4000);
	assert_int_equal(d.freshness, AKM_FRESHNESS_EPOCH);
	assert_int_equal(d.fwmark, 9);
	assert_int_equal(d.generations, 0);
	assert_int_equal(d.active, 0);
	nl_flow_ports(nl, 20000, 20063);
	OK(nl_dev_set(nl, &identity, BIT(AKM_A_DEV_FLOW_PORT_LOW), &err));
	nl_flow_ports(nl, 2, 1);
	expect_refusal(nl_dev_set(nl, &identity, BIT(AKM_A_DEV_FLOW_PORT_LOW), &err), -EINVAL, "flow-port-high");
	nl_flow_ports(nl, 0, 0);
	OK(nl_dev_set(nl, &identity, BIT(AKM_A_DEV_FLOW_PORT_LOW), &err));
	nl_spread(nl, true);
	OK(nl_dev_set(nl, &identity, BIT(AKM_A_DEV_SPREAD), &err));
	nl_spread(nl, false);
	OK(nl_dev_set(nl, &identity, BIT(AKM_A_DEV_SPREAD), &err));
	set_group();
	OK(nl_dev_up(nl, IFNAME, true, &err));
	expect_refusal(nl_dev_add(nl, IFNAME, &err), -EEXIST, IFNAME);
}

static int name_of(const struct nl_dev *d, void *ctx)
{
	assert_string_equal(d->ifname, IFNAME);
	++*(int *)ctx;
	return 0;
}

static void test_device_dump(void **state)
{
	int n = 0;

	(void)state;
	NEED_MODULE();
	OK(nl_dev_each(nl, name_of, &n, &err));
	assert_int_equal(n, 1);
}

static void test_refusals(void **state)
{
	struct msg_member m = { .index = 1, .n_prefixes = 1, .prefixes = { { .addr = { 10, 77, 0, 1 }, .addr_len = 4, .prefix_len = 16 } } };
	struct nl_dev d = identity;

	(void)state;
	NEED_MODULE();
	d.incarnation = 1;
	expect_refusal(nl_dev_set(nl, &d, BIT(AKM_A_DEV_INCARNATION), &err), -ESTALE, "incarnation");
	d.suite = 99;
	expect_refusal(nl_dev_set(nl, &d, BIT(AKM_A_DEV_SUITE), &err), -ERANGE, "suite");
	expect_refusal(nl_member_set(nl, IFNAME, &m, 7645, &err), -EINVAL, "prefix addr");
	expect_refusal(nl_member_del(nl, IFNAME, 77, &err), -ENOENT, "index");
	expect_refusal(nl_dev_get(nl, "none", &d, &err), -ENODEV, "ifname");
	expect_refusal(nl_dev_del(nl, "lo", &err), -EOPNOTSUPP, "ifname");
	assert_int_equal(if_nametoindex("lo"), 1);
}

static int count_member(uint16_t index, const char *name, const struct nl_stats *s, void *ctx)
{
	char want[32];

	snprintf(want, sizeof(want), "EdgeNode%u", index);
	assert_string_equal(name, want);
	assert_int_equal(s->v[AKM_A_STATS_RX_PACKETS], 0);
	++*(size_t *)ctx;
	return 0;
}

static int note_generation(const struct nl_generation *g, void *ctx)
{
	*(struct nl_generation *)ctx = *g;
	return 0;
}

static void wait_event(uint32_t type, uint32_t state)
{
	const struct timeval ms = { 0, 10000 };
	int i;

	for (i = 0; i < DEADLINE_MS / 10; i++) {
		if (n_events && last.type == type && last.state == state)
			return;
		event_base_loopexit(base, &ms);
		event_base_dispatch(base);
	}
	fail_msg("no event %u %u; the last of %zu is %u %u", type, state, n_events, last.type, last.state);
}

/* Members, a generation whose pairs need several messages, activated and retired, with its events. */
static void test_generation(void **state)
{
	static struct msg_pair pairs[PAIRS];
	static uint8_t chains[PAIRS * AKM_CHAIN_LEN];
	uint8_t chain[AKM_CHAIN_LEN] = { 1, 2, 3 };
	struct msg_atr_prepare p = {
		.generation = 4, .key_id = 0xabcdef01, .epoch = 3, .n_pairs = PAIRS, .pairs = pairs,
		.chain = { .data = chain, .len = sizeof(chain) }, .pair_chains = { .data = chains, .len = sizeof(chains) },
	};
	struct nl_generation g = {};
	struct nl_dev d;
	size_t members = 0;
	uint16_t i;

	(void)state;
	NEED_MODULE();
	for (i = 0; i <= PAIRS; i++)
		set_member(i);
	OK(nl_member_each(nl, IFNAME, count_member, &members, &err));
	assert_int_equal(members, PAIRS + 1);
	for (i = 0; i < PAIRS; i++) {
		pairs[i].index = (uint16_t)(i + 1);
		memset(chains + i * AKM_CHAIN_LEN, i, AKM_CHAIN_LEN);
	}
	OK(nl_generation_install(nl, IFNAME, &p, &err));
	OK(nl_generation_each(nl, IFNAME, note_generation, &g, &err));
	assert_int_equal(g.number, 4);
	assert_int_equal(g.key_id, 0xabcdef01);
	assert_int_equal(g.epoch, 3);
	assert_int_equal(g.pairs, PAIRS);
	assert_int_equal(g.state, AKM_GEN_PENDING);
	wait_event(AKM_EVENT_GENERATION, AKM_GEN_PENDING);
	assert_int_equal(last.generation, 4);
	assert_int_equal(last.ifindex, if_nametoindex(IFNAME));
	assert_int_equal(last.atr_id, 7);
	/* The same again is fine; another secret under the same number is not. */
	OK(nl_generation_install(nl, IFNAME, &p, &err));
	chain[0] ^= 1;
	assert_true(nl_generation_install(nl, IFNAME, &p, &err) < 0);
	OK(nl_generation_activate(nl, IFNAME, 4, 1000, &err));
	wait_event(AKM_EVENT_GENERATION, AKM_GEN_ACTIVE);
	OK(nl_dev_get(nl, IFNAME, &d, &err));
	assert_int_equal(d.active, 4);
	assert_int_equal(d.members, PAIRS + 1);
	OK(nl_generation_retire(nl, IFNAME, 4, &err));
	expect_refusal(nl_generation_activate(nl, IFNAME, 4, 0, &err), -ESTALE, "number");
	expect_refusal(nl_generation_activate(nl, IFNAME, 5, 0, &err), -ENOENT, "number");
	OK(nl_member_del(nl, IFNAME, PAIRS, &err));
}

static void test_addresses(void **state)
{
	static const struct msg_prefix a[] = {
		{ .addr = { 10, 77, 0, 1 }, .addr_len = 4, .prefix_len = 16 },
		{ .addr = { 0xfd, 1, [15] = 1 }, .addr_len = 16, .prefix_len = 64 },
	};

	(void)state;
	NEED_MODULE();
	OK(nl_dev_up(nl, IFNAME, true, &err));
	OK(nl_dev_addresses(nl, IFNAME, a, 2, &err));
	OK(nl_dev_addresses(nl, IFNAME, a, 2, &err));
	assert_int_equal(system("ip -o addr show dev " IFNAME " | grep -q ' 10.77.0.1/16 '"), 0);
	assert_int_equal(system("ip -o addr show dev " IFNAME " | grep -q ' fd01::1/64 '"), 0);
	OK(nl_dev_addresses(nl, IFNAME, a, 1, &err));
	assert_int_not_equal(system("ip -o addr show dev " IFNAME " | grep -q ' fd01::1/64 '"), 0);
	OK(nl_dev_up(nl, IFNAME, false, &err));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_device), T(test_device_dump), T(test_refusals), T(test_generation), T(test_addresses),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
