// SPDX-License-Identifier: GPL-2.0
/*
 * The daemon's netlink side against messages made from Documentation/netlink/specs/akm.yaml by
 * another program, and against a kernel played by this file: sendmsg() and recvmsg() of netlink
 * sockets end here. Messages are host byte order; these are of a little-endian machine.
 */
#define _GNU_SOURCE
#include "nl_internal.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/genl/genl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <cmocka.h>

#define FAMILY 0x1d

#define REQ_RESOLVE \
	"0301000008000200616b6d00"

#define REQ_DEV_SET \
	"0201000009000200616b6d31000000000800030001000000080006000300000008000800efcdab00080009007700000008000a00" \
	"60ea000008000b008813000008001200020000000e000400412d422d432d442d4500000006000500feff000006000700dd1d0000"

#define REQ_MEMBER_V4 \
	"0401000009000200616b6d310000000006000300030000000e000400456467654e6f64654300000014000580080001000a4d0003" \
	"05000200200000002000058014000100fd01000000000000000000000000000305000200800000001400060002001dddc0000203" \
	"0000000000000000"

#define REQ_MEMBER_V6 \
	"0401000009000200616b6d31000000000600030004000000200006000a0000090000000020010db8000000000000000000000004" \
	"00000000"

#define REQ_MEMBER_DEL \
	"0501000009000200616b6d31000000000600030004000000"

#define REQ_INSTALL \
	"0701000009000200616b6d3100000000080003000900000008000400efbeadde0c00050008070605040302012400060040414243" \
	"4445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f300007800600010000000000240002001111111111111111" \
	"1111111111111111111111111111111111111111111111113000078006000100feff000024000200222222222222222222222222" \
	"2222222222222222222222222222222222222222"

#define REQ_ACTIVATE \
	"0801000009000200616b6d310000000008000300090000000800090088130000"

#define REQ_ANNOUNCE \
	"0801000009000200616b6d31000000000800030009000000080008000900000004000f00"

#define REQ_RETIRE \
	"0901000009000200616b6d31000000000800030009000000"

#define REQ_ROLL \
	"0b01000009000200616b6d310000000008000800" "09000000"

/* No chain: only pairs, and where they stand. */
#define REQ_PAIRS \
	"0a01000009000200616b6d310000000008000300090000000c0005000807060504030201" \
	"300007800600010000000000240002001111111111111111111111111111111111111111111111111111111111111111"

#define ANS_DEV \
	"01010000080001000500000009000200616b6d310000000008000300010000000e000400412d422d432d442d4500000006000500" \
	"0200000008000600010000001600110067656e657269632d67636d2d6165736e6900000006000700dd1d0000080008000c000000" \
	"080009000000000008000a0060ea000008000b008813000008000c000500000008000d000200000008000e000700000008006300" \
	"01000000b8000f800c00020064000000000000000c00030065000000000000000c00040066000000000000000c00050067000000" \
	"000000000c00060068000000000000000c00070069000000000000000c0008006a000000000000000c0009006b00000000000000" \
	"0c000a006c000000000000000c000b006d000000000000000c000c006e000000000000000c000d006f000000000000000c000e00" \
	"70000000000000000c000f0071000000000000000c0010007200000000000000" \
	"08001300ef07062d08001400020000000500150003000000"

#define ANS_DEV_BARE \
	"01010000080001000600000009000200616b6d3200000000"

#define ANS_MEMBER \
	"03010000080001000500000009000200616b6d310000000006000300030000000e000400456467654e6f64654300000014000580" \
	"080001000a4d00030500020020000000b80007800c00020007000000000000000c00030007000000000000000c00040007000000" \
	"000000000c00050007000000000000000c00060007000000000000000c00070007000000000000000c0008000700000000000000" \
	"0c00090007000000000000000c000a0007000000000000000c000b0007000000000000000c000c0007000000000000000c000d00" \
	"07000000000000000c000e0007000000000000000c000f0007000000000000000c00100007000000000000000c0008007b000000" \
	"00000000"

#define ANS_GENERATION \
	"06010000080001000500000009000200616b6d3100000000080003000900000008000400efbeadde0c0005000000000000010000" \
	"08000a000200000008000b00040000000c000c008813000000000000"

#define ANS_EVENT \
	"0c0100000800010002000000080002000500000009000300616b6d31000000000800040001000000060005000300000008000600" \
	"0900000008000700efbeadde0c00080004000000000000000c000900070000000001000020000b000a000fa00000000020010db8" \
	"000000000000000000000009000000000c000c004d0000000000000008000d00030000000c000e0000002a36fe9c9717"

#define ANS_EVENT_PACKET \
	"0c0100000800010005000000" \
	"080011005c000000140010001105000300001234000001000000004d080012000a4d0009" \
	""

#define ANS_EVENT_BARE \
	"0c0100000800010004000000"

#define ANS_FAMILY \
	"0102000008000200616b6d00060001001d0000000800030001000000080004000000000008000500000000001c00070018000100" \
	"080002000b0000000b0001006576656e74730000"

/* Loaded again: other numbers */
#define ANS_FAMILY_NEW \
	"0102000008000200616b6d00060001001e0000000800030001000000080004000000000008000500000000001c00070018000100" \
	"080002000c0000000b0001006576656e74730000"

#define ANS_FAMILY_GONE \
	"0202000008000200616b6d00060001001d000000"

#define ANS_FAMILY_STRANGER \
	"020200000b0002006e6c383032313100060001001b000000"

/* ifinfomsg, IFNAME, LINKINFO { KIND } */
#define ANS_LINK_GONE \
	"0000000005000000000000000000000009000300616b6d31000000000c00128008000100616b6d00"

#define ANS_LINK_GONE_VETH \
	"0000000005000000000000000000000009000300616b6d3100000000100012800900010076657468000000"

/* ifinfomsg, IFNAME */
#define ANS_ETH0 "000000000500000000000000000000000900030065746830" "00000000"
#define ANS_ETH1 "000000000600000000000000000000000900030065746831" "00000000"
#define ANS_ETH0_PORT "070000000500000000000000000000000900030065746830" "00000000"
#define ANS_ETH0_RENAMED "00000000050000000000000000000000090003006c616e30" "00000000"

/* … NEW_NETNSID: it moved */
#define ANS_LINK_MOVED \
	"0000000005000000000000000000000009000300616b6d310000000008002d00010000000c00128008000100616b6d00"

#define ANS_FAMILY_OTHER \
	"0102000008000200616b6d00060001001d0000001c00070018000100080002000b0000000a0001006f74686572000000"

#define REQ_LINK_ADD \
	"0000000000000000000000000000000009000300616b6d31000000000c00128008000100616b6d00"

#define REQ_LINK_UP \
	"0000000000000000010000000100000009000300616b6d3100000000"

#define REQ_LINK_DEL \
	"0000000000000000000000000000000009000300616b6d3100000000"

/* The kernel's side */

struct answer { uint8_t bytes[NL_ANSWER_MAX]; size_t len; int error; uint32_t pid; };

static bool real_kernel;		/* netlink goes to the machine's own */
static uint8_t sent[64][NL_REQUEST_MAX + 64];
static size_t n_sent;
static struct answer queue[64];
static size_t queue_head, queue_tail;
static void (*kernel)(const struct nlmsghdr *request);
static int group_joined;
static bool dirty;			/* a message was freed with contents */

static bool is_netlink(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return !real_kernel && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	size_t len;

	if (!is_netlink(fd))
		return syscall(SYS_sendmsg, fd, m, flags);
	len = m->msg_iov[0].iov_len;
	assert_true(n_sent < 64 && len <= NL_REQUEST_MAX);
	memcpy(sent[n_sent], m->msg_iov[0].iov_base, len);
	assert_int_equal(((struct nlmsghdr *)sent[n_sent])->nlmsg_len, len);
	n_sent++;
	if (kernel)
		kernel((struct nlmsghdr *)sent[n_sent - 1]);
	return (ssize_t)len;
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	struct sockaddr_nl *from = m->msg_name;
	struct answer *a;

	if (!is_netlink(fd))
		return syscall(SYS_recvmsg, fd, m, flags);
	if (queue_head == queue_tail) {
		errno = EAGAIN;
		return -1;
	}
	a = &queue[queue_head++ % 64];
	if (a->error) {
		errno = a->error;
		return -1;
	}
	*from = (struct sockaddr_nl){ .nl_family = AF_NETLINK, .nl_pid = a->pid };
	m->msg_flags = a->len > m->msg_iov[0].iov_len ? MSG_TRUNC : 0;
	memcpy(m->msg_iov[0].iov_base, a->bytes, m->msg_flags ? m->msg_iov[0].iov_len : a->len);
	return (ssize_t)a->len;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (level == SOL_NETLINK && name == NETLINK_ADD_MEMBERSHIP) {
		memcpy(&group_joined, value, sizeof(group_joined));
		return 0;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

/* What is freed must have been wiped. */
void nlmsg_free(struct nl_msg *msg)
{
	static void (*real)(struct nl_msg *msg);
	const uint8_t *p;
	size_t i;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "nlmsg_free");
	if (msg) {
		p = (const uint8_t *)nlmsg_hdr(msg);
		for (i = 0; i < nlmsg_get_max_size(msg); i++)
			dirty |= p[i] != 0;
	}
	real(msg);
}

static struct answer *next_answer(void)
{
	struct answer *a = &queue[queue_tail++ % 64];

	memset(a, 0, sizeof(*a));
	return a;
}

static size_t unhex(const char *hex, uint8_t *ret)
{
	size_t i, len = strlen(hex) / 2;

	for (i = 0; i < len; i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &ret[i]), 1);
	return len;
}

/* Appends a message to @a */
static struct nlmsghdr *put_message(struct answer *a, int type, int flags, uint32_t seq, const void *payload, size_t len)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(a->bytes + a->len);

	*h = (struct nlmsghdr){ .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + len), .nlmsg_type = (uint16_t)type,
				.nlmsg_flags = (uint16_t)flags, .nlmsg_seq = seq };
	memcpy(h + 1, payload, len);
	a->len += NLMSG_ALIGN(h->nlmsg_len);
	return h;
}

static void put_hex(struct answer *a, int flags, uint32_t seq, const char *hex)
{
	uint8_t bytes[4096];

	put_message(a, FAMILY, flags, seq, bytes, unhex(hex, bytes));
}

static void put_hex_typed(struct answer *a, int type, const char *hex)
{
	uint8_t bytes[4096];

	put_message(a, type, 0, 0, bytes, unhex(hex, bytes));
}

/* An NLMSG_ERROR with the request's header, and attributes */
static void put_error(struct answer *a, const struct nlmsghdr *request, int error, const char *text, uint32_t offset, uint32_t missing)
{
	struct nlmsgerr e = { .error = error, .msg = *request };
	uint8_t payload[512];
	struct nlattr *at = (struct nlattr *)(payload + sizeof(e));
	int flags = text || offset || missing ? NLM_F_ACK_TLVS | NLM_F_CAPPED : NLM_F_CAPPED;

	memset(payload, 0, sizeof(payload));
	memcpy(payload, &e, sizeof(e));
	if (text) {
		at->nla_len = (uint16_t)(NLA_HDRLEN + strlen(text) + 1);
		at->nla_type = NLMSGERR_ATTR_MSG;
		strcpy((char *)(at + 1), text);
		at = (struct nlattr *)((uint8_t *)at + NLA_ALIGN(at->nla_len));
	}
	if (offset || missing) {
		at->nla_len = NLA_HDRLEN + 4;
		at->nla_type = offset ? NLMSGERR_ATTR_OFFS : NLMSGERR_ATTR_MISS_TYPE;
		memcpy(at + 1, offset ? &offset : &missing, 4);
		at = (struct nlattr *)((uint8_t *)at + NLA_HDRLEN + 4);
	}
	put_message(a, NLMSG_ERROR, flags, request->nlmsg_seq, payload, (size_t)((uint8_t *)at - payload));
}

static void ack(const struct nlmsghdr *request)
{
	put_error(next_answer(), request, 0, NULL, 0, 0);
}

static void done(struct answer *a, int flags, uint32_t seq, int error)
{
	put_message(a, NLMSG_DONE, NLM_F_MULTI | flags, seq, &error, sizeof(error));
}

/* Set-up */

static struct nl *nl;
static struct event_base *base;
static struct nl_event events[8];
static size_t n_events, n_lost, n_changed[NL_GROUP_LINK_THERE + 1];
static bool event_asks;
static struct akm_error err;

static void on_event(void *ctx, const struct nl_event *e)
{
	struct nl_dev d;

	assert_string_equal(ctx, "ctx");
	assert_true(n_events < 8);
	events[n_events++] = *e;
	if (event_asks)
		assert_int_equal(nl_dev_get(nl, "akm1", &d, &err), 0);
}

static void on_change(void *ctx, enum nl_change change)
{
	assert_string_equal(ctx, "ctx");
	n_changed[change]++;
	n_lost = n_changed[NL_EVENTS_LOST];
}

static void reset(void)
{
	n_sent = queue_head = queue_tail = n_events = n_lost = 0;
	memset(n_changed, 0, sizeof(n_changed));
	kernel = NULL;
	dirty = false;
	memset(&err, 0, sizeof(err));
	memset(sent, 0, sizeof(sent));
}

static void answer_family(const struct nlmsghdr *request)
{
	struct answer *a = next_answer();

	put_hex(a, 0, request->nlmsg_seq, ANS_FAMILY);
	ack(request);
}

static int setup(void **state)
{
	(void)state;
	reset();
	base = event_base_new();
	kernel = answer_family;
	if (nl_open(base, on_event, on_change, (void *)"ctx", &nl, &err) < 0) {
		print_error("%s: %s\n", err.field, err.reason);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nl_free(nl);
	nl = NULL;
	event_base_free(base);
	return dirty ? -1 : 0;
}

static void expect_request(size_t i, int type, int flags, const char *hex)
{
	const struct nlmsghdr *h = (struct nlmsghdr *)sent[i];
	uint8_t want[4096];
	size_t len = unhex(hex, want);

	assert_true(i < n_sent);
	assert_int_equal(h->nlmsg_type, type);
	assert_int_equal(h->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | flags);
	assert_int_equal(h->nlmsg_len, NLMSG_HDRLEN + len);
	assert_memory_equal(h + 1, want, len);
}

static void expect_error(int r, int want, const char *field, const char *reason)
{
	if (r != want || strcmp(err.field, field) || strcmp(err.reason, reason))
		print_error("%d %s: %s\n", r, err.field, err.reason);
	assert_int_equal(r, want);
	assert_string_equal(err.field, field);
	assert_string_equal(err.reason, reason);
	memset(&err, 0, sizeof(err));
}

/* Opening */

static void test_open(void **state)
{
	(void)state;
	expect_request(0, GENL_ID_CTRL, 0, REQ_RESOLVE);
	assert_int_equal(nl->family, FAMILY);
	assert_int_equal(group_joined, 11);
	nl_free(NULL);
}

static void answer_enoent(const struct nlmsghdr *request)
{
	put_error(next_answer(), request, -ENOENT, NULL, 0, 0);
}

static void answer_other_family(const struct nlmsghdr *request)
{
	put_hex(next_answer(), 0, request->nlmsg_seq, ANS_FAMILY_OTHER);
	ack(request);
}

static void test_open_refused(void **state)
{
	struct nl *other = (struct nl *)1;
	int r;

	(void)state;
	kernel = answer_enoent;
	r = nl_open(base, on_event, on_change, NULL, &other, &err);
	expect_error(r, -ENOPKG, "kernel", "the module akm is not loaded: try modprobe akm; akmctl doctor says what hinders it");
	kernel = answer_other_family;
	r = nl_open(base, on_event, on_change, NULL, &other, &err);
	expect_error(r, -EPROTO, "kernel", "the family akm is not the one this akmd knows");
	assert_ptr_equal(other, (struct nl *)1);
}

/* Requests */

static void test_dev_set(void **state)
{
	const struct nl_dev d = {
		.ifname = "akm1", .atr_id = 1, .suite = 3, .incarnation = 0xabcdef, .fwmark = 0x77, .epoch_interval_ms = 60000,
		.epoch_grace_ms = 5000, .freshness = 2, .label = "A-B-C-D-E", .self = 0xfffe, .port = 7645,
	};
	uint32_t all = 1U << AKM_A_DEV_ATR_ID | 1U << AKM_A_DEV_LABEL | 1U << AKM_A_DEV_SELF | 1U << AKM_A_DEV_SUITE |
		       1U << AKM_A_DEV_PORT | 1U << AKM_A_DEV_INCARNATION | 1U << AKM_A_DEV_FWMARK | 1U << AKM_A_DEV_EPOCH_INTERVAL |
		       1U << AKM_A_DEV_EPOCH_GRACE | 1U << AKM_A_DEV_FRESHNESS;
	int r;

	(void)state;
	reset();
	kernel = ack;
	assert_int_equal(nl_dev_set(nl, &d, all, &err), 0);
	expect_request(0, FAMILY, 0, REQ_DEV_SET);
	assert_int_equal(nl_dev_set(nl, &d, 1U << AKM_A_DEV_PORT, &err), 0);
	expect_request(1, FAMILY, 0, "0201000009000200616b6d310000000006000700dd1d0000");
	nl_flow_ports(nl, 0x4e20, 0x4e5f);
	assert_int_equal(nl_dev_set(nl, &d, 1U << AKM_A_DEV_FLOW_PORT_LOW, &err), 0);
	nl_flow_ports(nl, 0, 0);
	expect_request(2, FAMILY, 0, "0201000009000200616b6d310000000006001600204e0000060017005f4e0000");
	nl_spread(nl, true);
	assert_int_equal(nl_dev_set(nl, &d, 1U << AKM_A_DEV_SPREAD, &err), 0);
	nl_spread(nl, false);
	expect_request(3, FAMILY, 0, "0201000009000200616b6d31000000000800180002000000");
	r = nl_dev_set(nl, &d, 1U << AKM_A_DEV_STATS | 1U << AKM_A_DEV_PORT, &err);
	expect_error(r, -EINVAL, "akm1", "fields 0x8000 cannot be set");
	assert_int_equal(n_sent, 4);
}

static void test_dev_set_group(void **state)
{
	struct nl_dev d = { .ifname = "akm1", .group = { { 239, 7, 6, 45 }, 4, 3 }, .group_link = 2 };

	(void)state;
	reset();
	kernel = ack;
	assert_int_equal(nl_dev_set(nl, &d, 1U << AKM_A_DEV_GROUP, &err), 0);
	expect_request(0, FAMILY, 0, "0201000009000200616b6d310000000008001300ef07062d08001400020000000500150003000000");
	d.group.addr_len = 0;
	assert_int_equal(nl_dev_set(nl, &d, 1U << AKM_A_DEV_GROUP, &err), 0);
	expect_request(1, FAMILY, 0, "0201000009000200616b6d310000000004001300");
}

static void test_member(void **state)
{
	struct msg_member m = {
		.index = 3, .name = "EdgeNodeC", .n_prefixes = 2,
		.prefixes = {
			{ .addr = { 10, 77, 0, 3 }, .addr_len = 4, .prefix_len = 32 },
			{ .addr = { 0xfd, 1, [15] = 3 }, .addr_len = 16, .prefix_len = 128 },
		},
		.endpoint = { .addr = { 192, 0, 2, 3 }, .addr_len = 4 },
	};

	(void)state;
	reset();
	kernel = ack;
	assert_int_equal(nl_member_set(nl, "akm1", &m, 7645, &err), 0);
	expect_request(0, FAMILY, 0, REQ_MEMBER_V4);
	m = (struct msg_member){ .index = 4, .endpoint = { .addr = { 0x20, 1, 0x0d, 0xb8, [15] = 4 }, .addr_len = 16, .port = 9 } };
	assert_int_equal(nl_member_set(nl, "akm1", &m, 7645, &err), 0);
	expect_request(1, FAMILY, 0, REQ_MEMBER_V6);
	nl_members_roam(nl, true);
	assert_int_equal(nl_member_set(nl, "akm1", &m, 7645, &err), 0);
	expect_request(2, FAMILY, 0, REQ_MEMBER_V6 "04000c00");
	nl_members_roam(nl, false);
	nl_members_keepalive(nl, 25000);
	assert_int_equal(nl_member_set(nl, "akm1", &m, 7645, &err), 0);
	expect_request(3, FAMILY, 0, REQ_MEMBER_V6 "08000e00a8610000");
	nl_members_keepalive(nl, 0);
	assert_int_equal(nl_member_del(nl, "akm1", 4, &err), 0);
	expect_request(4, FAMILY, 0, REQ_MEMBER_DEL);
}

static struct akm_secret secret(uint8_t *data, size_t len)
{
	return (struct akm_secret){ .data = data, .len = len };
}

static void test_install(void **state)
{
	struct msg_pair pairs[2] = { { 0 }, { 65534 } };
	uint8_t chain[32], chains[64];
	struct msg_atr_prepare p = {
		.generation = 9, .key_id = 0xdeadbeef, .epoch = 0x0102030405060708, .n_pairs = 2, .pairs = pairs,
		.chain = secret(chain, 32), .pair_chains = secret(chains, 64),
	};
	size_t i;
	int r;

	(void)state;
	reset();
	kernel = ack;
	for (i = 0; i < 32; i++)
		chain[i] = (uint8_t)(0x40 + i);
	memset(chains, 0x11, 32);
	memset(chains + 32, 0x22, 32);
	assert_int_equal(nl_generation_install(nl, "akm1", &p, &err), 0);
	expect_request(0, FAMILY, 0, REQ_INSTALL);
	assert_int_equal(n_sent, 1);
	p.pair_chains.len = 63;
	r = nl_generation_install(nl, "akm1", &p, &err);
	expect_error(r, -EINVAL, "chain", "32 and 63 bytes for 2 pairs");
	p.pair_chains.len = 64;
	p.chain.len = 31;
	r = nl_generation_install(nl, "akm1", &p, &err);
	expect_error(r, -EINVAL, "chain", "31 and 64 bytes for 2 pairs");
	assert_int_equal(n_sent, 1);
	assert_int_equal(nl_generation_activate(nl, "akm1", 9, 5000, &err), 0);
	expect_request(1, FAMILY, 0, REQ_ACTIVATE);
	assert_int_equal(nl_generation_retire(nl, "akm1", 9, &err), 0);
	expect_request(2, FAMILY, 0, REQ_RETIRE);
	assert_int_equal(nl_epoch_roll(nl, "akm1", 9, &err), 0);
	expect_request(3, FAMILY, 0, REQ_ROLL);
	p.chain.len = 32;
	p.n_pairs = 1;
	p.pair_chains.len = 32;
	assert_int_equal(nl_generation_pairs(nl, "akm1", &p, &err), 0);
	expect_request(4, FAMILY, 0, REQ_PAIRS);
	assert_int_equal(nl_generation_announce(nl, "akm1", 9, &err), 0);
	expect_request(5, FAMILY, 0, REQ_ANNOUNCE);
	p.pair_chains.len = 31;
	expect_error(nl_generation_pairs(nl, "akm1", &p, &err), -EINVAL, "chain", "32 and 31 bytes for 1 pairs");
}

/* 9,999 pairs: each in exactly one message, with its own chain. */
static void test_install_large(void **state)
{
	static struct msg_pair pairs[MEMBERS_MAX - 1];
	static uint8_t chains[sizeof(pairs) / sizeof(pairs[0]) * 32], seen[MEMBERS_MAX];
	uint8_t chain[32] = {};
	struct msg_atr_prepare p = {
		.generation = 9, .key_id = 1, .n_pairs = ARRAY_SIZE(pairs), .pairs = pairs,
		.chain = secret(chain, 32), .pair_chains = secret(chains, sizeof(chains)),
	};
	struct nlattr *tb[AKM_A_PAIR_MAX + 1], *a;
	struct genlmsghdr *g;
	uint16_t index;
	size_t i;
	int left;

	(void)state;
	reset();
	kernel = ack;
	memset(seen, 0, sizeof(seen));
	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		pairs[i].index = (uint16_t)i;
		memset(chains + 32 * i, (int)(i % 251), 32);
	}
	assert_int_equal(nl_generation_install(nl, "akm1", &p, &err), 0);
	assert_true(n_sent >= 15 && n_sent <= 16);
	for (i = 0; i < n_sent; i++) {
		g = nlmsg_data((struct nlmsghdr *)sent[i]);
		assert_int_equal(g->cmd, i ? AKM_CMD_PAIR_SET : AKM_CMD_GENERATION_INSTALL);
		nla_for_each_attr(a, genlmsg_attrdata(g, 0), genlmsg_attrlen(g, 0), left) {
			if (nla_type(a) != AKM_A_GENERATION_PAIR)
				continue;
			assert_int_equal(nla_parse_nested(tb, AKM_A_PAIR_MAX, a, NULL), 0);
			index = nla_get_u16(tb[AKM_A_PAIR_INDEX]);
			assert_int_equal(nla_len(tb[AKM_A_PAIR_CHAIN]), 32);
			assert_memory_equal(nla_data(tb[AKM_A_PAIR_CHAIN]), chains + 32 * index, 32);
			seen[index]++;
		}
	}
	for (i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_int_equal(seen[i], 1);
}

static size_t refuse_at;

static void ack_until(const struct nlmsghdr *request)
{
	if (n_sent == refuse_at)
		put_error(next_answer(), request, -ENOMEM, NULL, 0, 0);
	else
		ack(request);
}

static void test_install_stops(void **state)
{
	static struct msg_pair pairs[2000];
	static uint8_t chains[sizeof(pairs) / sizeof(pairs[0]) * 32];
	uint8_t chain[32] = { 1 };
	struct msg_atr_prepare p = {
		.generation = 9, .key_id = 1, .n_pairs = ARRAY_SIZE(pairs), .pairs = pairs,
		.chain = secret(chain, 32), .pair_chains = secret(chains, sizeof(chains)),
	};
	int r;

	(void)state;
	reset();
	kernel = ack_until;
	refuse_at = 2;
	r = nl_generation_install(nl, "akm1", &p, &err);
	expect_error(r, -ENOMEM, "akm1", "Cannot allocate memory");
	assert_int_equal(n_sent, 2);
}

static void test_request_too_long(void **state)
{
	char name[300];
	int r;

	(void)state;
	reset();
	memset(name, 'x', sizeof(name));
	name[299] = '\0';
	r = nl_member_del(nl, name, 1, &err);
	assert_int_equal(r, -EMSGSIZE);
	assert_int_equal(n_sent, 0);
}

/* Answers */

static void answer_dev(const struct nlmsghdr *request)
{
	put_hex(next_answer(), 0, request->nlmsg_seq, ANS_DEV);
	ack(request);
}

static void test_dev_get(void **state)
{
	struct nl_dev d;
	int i;

	(void)state;
	reset();
	kernel = answer_dev;
	assert_int_equal(nl_dev_get(nl, "akm1", &d, &err), 0);
	expect_request(0, FAMILY, 0, "0101000009000200616b6d3100000000");
	assert_string_equal(d.ifname, "akm1");
	assert_int_equal(d.ifindex, 5);
	assert_int_equal(d.atr_id, 1);
	assert_string_equal(d.label, "A-B-C-D-E");
	assert_int_equal(d.self, 2);
	assert_int_equal(d.suite, 1);
	assert_int_equal(d.port, 7645);
	assert_int_equal(d.incarnation, 12);
	assert_int_equal(d.fwmark, 0);
	assert_int_equal(d.epoch_interval_ms, 60000);
	assert_int_equal(d.epoch_grace_ms, 5000);
	assert_int_equal(d.members, 5);
	assert_int_equal(d.generations, 2);
	assert_int_equal(d.active, 7);
	assert_int_equal(d.group.addr_len, 4);
	assert_memory_equal(d.group.addr, "\xef\x07\x06\x2d", 4);
	assert_int_equal(d.group.ttl, 3);
	assert_int_equal(d.group_link, 2);
	for (i = AKM_A_STATS_RX_PACKETS; i <= AKM_A_STATS_TX_DROPPED; i++)
		assert_int_equal(d.stats.v[i], 100 + i - AKM_A_STATS_RX_PACKETS);
	for (; i <= AKM_A_STATS_MAX; i++)	/* an older module does not count these */
		assert_int_equal(d.stats.v[i], 0);
}

static void test_dev_get_nothing(void **state)
{
	struct nl_dev d, keep;
	int r;

	(void)state;
	reset();
	memset(&d, 0x5a, sizeof(d));
	keep = d;
	kernel = ack;
	r = nl_dev_get(nl, "akm1", &d, &err);
	expect_error(r, -EPROTO, "akm1", "the kernel's answer is empty");
	assert_memory_equal(&d, &keep, sizeof(d));
}

/* Answers that break the interface: cut at every byte, and a changed length at every byte. */
static void test_broken_answers(void **state)
{
	static struct { struct nlmsghdr h; uint8_t payload[1024]; } m;
	uint8_t good[1024];
	struct nl_event e;
	struct nl_dev d;
	size_t len = unhex(ANS_DEV, good), i;

	(void)state;
	reset();
	m.h = (struct nlmsghdr){ .nlmsg_type = FAMILY };
	for (i = 0; i < len; i++) {
		memcpy(m.payload, good, len);
		m.h.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + i);
		(void)nl_decode_dev(&m.h, &d);
		m.payload[i] ^= 0x80;
		m.h.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + len);
		(void)nl_decode_dev(&m.h, &d);
		if (nl_decode_event(&m.h, &e) == 0)
			assert_int_equal(((struct genlmsghdr *)(void *)m.payload)->cmd, AKM_CMD_EVENT);
	}
	m.h.nlmsg_len = NLMSG_HDRLEN + 2;
	assert_int_equal(nl_decode_dev(&m.h, &d), -EPROTO);
	/* No name; a name without its end; a short number */
	memcpy(m.payload, good, len);
	m.h.nlmsg_len = NLMSG_HDRLEN + 12;
	assert_int_equal(nl_decode_dev(&m.h, &d), -EPROTO);
	m.h.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + len);
	m.payload[20] = 'x';
	assert_int_equal(nl_decode_dev(&m.h, &d), -EPROTO);
	memcpy(m.payload, good, len);
	m.payload[4] = 6;
	assert_int_equal(nl_decode_dev(&m.h, &d), -EPROTO);
}

static int dump_error, dump_interruptions;

static void answer_dump(const struct nlmsghdr *request)
{
	int flags = NLM_F_MULTI | (dump_interruptions > 0 ? NLM_F_DUMP_INTR : 0);
	struct answer *a = next_answer();

	put_hex(a, NLM_F_MULTI, request->nlmsg_seq, ANS_DEV);
	put_hex(a, flags, request->nlmsg_seq, ANS_DEV_BARE);
	a = next_answer();
	put_hex(a, NLM_F_MULTI, request->nlmsg_seq, ANS_DEV_BARE);
	done(next_answer(), 0, request->nlmsg_seq, dump_error);
	dump_interruptions -= dump_interruptions > 0;
}

struct rows { char names[64]; int stop; };

static int each_dev(const struct nl_dev *d, void *ctx)
{
	struct rows *rows = ctx;

	strcat(rows->names, d->ifname);
	return rows->stop && --rows->stop == 0 ? 42 : 0;
}

static void test_dump(void **state)
{
	struct rows rows = {};
	int r;

	(void)state;
	reset();
	kernel = answer_dump;
	assert_int_equal(nl_dev_each(nl, each_dev, &rows, &err), 0);
	expect_request(0, FAMILY, NLM_F_DUMP, "01010000");
	assert_string_equal(rows.names, "akm1akm2akm2");
	rows = (struct rows){ .stop = 2 };
	assert_int_equal(nl_dev_each(nl, each_dev, &rows, &err), 42);
	assert_string_equal(rows.names, "akm1akm2");
	dump_error = -ENODEV;
	rows = (struct rows){};
	r = nl_dev_each(nl, each_dev, &rows, &err);
	expect_error(r, -ENODEV, "kernel", "No such device");
	assert_string_equal(rows.names, "");
	dump_error = 0;
}

static void test_dump_interrupted(void **state)
{
	struct rows rows = {};
	int r;

	(void)state;
	reset();
	kernel = answer_dump;
	dump_interruptions = 2;
	assert_int_equal(nl_dev_each(nl, each_dev, &rows, &err), 0);
	assert_int_equal(n_sent, 3);
	assert_string_equal(rows.names, "akm1akm2akm2");
	dump_interruptions = 1000;
	r = nl_dev_each(nl, each_dev, &rows, &err);
	expect_error(r, -EAGAIN, "kernel", "changes faster than it can be read");
	dump_interruptions = 0;
}

static int each_dev_asks(const struct nl_dev *d, void *ctx)
{
	struct rows inner = {};

	assert_int_equal(nl_dev_each(nl, each_dev, &inner, &err), 0);
	assert_string_equal(inner.names, "akm1akm2akm2");
	return each_dev(d, ctx);
}

static void test_dump_nested(void **state)
{
	struct rows rows = {};

	(void)state;
	reset();
	kernel = answer_dump;
	assert_int_equal(nl_dev_each(nl, each_dev_asks, &rows, &err), 0);
	assert_string_equal(rows.names, "akm1akm2akm2");
}

static void answer_member_dump(const struct nlmsghdr *request)
{
	put_hex(next_answer(), NLM_F_MULTI, request->nlmsg_seq, ANS_MEMBER);
	done(next_answer(), 0, request->nlmsg_seq, 0);
}

static int each_member(uint16_t index, const char *name, const struct nl_stats *s, void *ctx)
{
	assert_int_equal(index, 3);
	assert_string_equal(name, "EdgeNodeC");
	assert_int_equal(s->v[AKM_A_STATS_RX_REPLAY], 7);
	++*(int *)ctx;
	return 0;
}

static void test_member_each(void **state)
{
	int n = 0;

	(void)state;
	reset();
	kernel = answer_member_dump;
	assert_int_equal(nl_member_each(nl, "akm1", each_member, &n, &err), 0);
	expect_request(0, FAMILY, NLM_F_DUMP, "0301000009000200616b6d3100000000");
	assert_int_equal(n, 1);
}

static void answer_generation_dump(const struct nlmsghdr *request)
{
	put_hex(next_answer(), NLM_F_MULTI, request->nlmsg_seq, ANS_GENERATION);
	done(next_answer(), 0, request->nlmsg_seq, 0);
}

static int each_generation(const struct nl_generation *g, void *ctx)
{
	*(struct nl_generation *)ctx = *g;
	return 0;
}

static void test_generation_each(void **state)
{
	struct nl_generation g = {};

	(void)state;
	reset();
	kernel = answer_generation_dump;
	assert_int_equal(nl_generation_each(nl, "akm1", each_generation, &g, &err), 0);
	assert_int_equal(g.number, 9);
	assert_int_equal(g.key_id, 0xdeadbeef);
	assert_int_equal(g.state, AKM_GEN_ACTIVE);
	assert_int_equal(g.pairs, 4);
	assert_int_equal(g.epoch, 1ULL << 40);
	assert_int_equal(g.age_ms, 5000);
}

static void answer_bad_row(const struct nlmsghdr *request)
{
	put_hex(next_answer(), NLM_F_MULTI, request->nlmsg_seq, "06010000");
	put_hex(next_answer(), NLM_F_MULTI, request->nlmsg_seq, ANS_GENERATION);
	done(next_answer(), 0, request->nlmsg_seq, 0);
}

static void test_bad_row(void **state)
{
	struct nl_generation g = {};
	int r;

	(void)state;
	reset();
	kernel = answer_bad_row;
	r = nl_generation_each(nl, "akm1", each_generation, &g, &err);
	expect_error(r, -EPROTO, "akm1", "the kernel's answer is not understood: Protocol error");
	/* Read to the end: the next request has its own answer. */
	assert_int_equal(queue_head, queue_tail);
	kernel = ack;
	assert_int_equal(nl_generation_retire(nl, "akm1", 1, &err), 0);
}

/* Errors */

static struct { int error; const char *text; uint32_t offset, missing; } refusal;

static void answer_refusal(const struct nlmsghdr *request)
{
	put_error(next_answer(), request, refusal.error, refusal.text, refusal.offset, refusal.missing);
}

static int refused_member(int error, const char *text, uint32_t offset, uint32_t missing)
{
	struct msg_member m = {
		.index = 3, .name = "EdgeNodeC", .n_prefixes = 2,
		.prefixes = {
			{ .addr = { 10, 77, 0, 3 }, .addr_len = 4, .prefix_len = 32 },
			{ .addr = { 0xfd, 1, [15] = 3 }, .addr_len = 16, .prefix_len = 128 },
		},
		.endpoint = { .addr = { 192, 0, 2, 3 }, .addr_len = 4 },
	};

	refusal.error = error;
	refusal.text = text;
	refusal.offset = offset;
	refusal.missing = missing;
	kernel = answer_refusal;
	return nl_member_set(nl, "akm1", &m, 7645, &err);
}

static void test_errors(void **state)
{
	(void)state;
	reset();
	/* Offsets into REQ_MEMBER_V4, which begins 16 bytes into the message */
	expect_error(refused_member(-ENODEV, "no such device", 20, 0), -ENODEV, "ifname", "no such device");
	expect_error(refused_member(-EINVAL, "taken", 32, 0), -EINVAL, "index", "taken");
	expect_error(refused_member(-EINVAL, "twice", 56, 0), -EINVAL, "prefix", "twice");
	expect_error(refused_member(-EINVAL, "host bits", 60, 0), -EINVAL, "prefix addr", "host bits");
	expect_error(refused_member(-EINVAL, "too long", 68, 0), -EINVAL, "prefix len", "too long");
	expect_error(refused_member(-EINVAL, "not unicast", 108, 0), -EINVAL, "endpoint", "not unicast");
	expect_error(refused_member(-EINVAL, "missing", 0, AKM_A_MEMBER_INDEX), -EINVAL, "index", "missing");
	expect_error(refused_member(-EINVAL, "odd", 0, 77), -EINVAL, "attribute", "odd");
	expect_error(refused_member(-EINVAL, "beyond", 4000, 0), -EINVAL, "akm1", "beyond");
	expect_error(refused_member(-ESTALE, "expected active generation 1, it is 2", 0, 0), -ESTALE, "akm1",
		     "expected active generation 1, it is 2");
	expect_error(refused_member(-EPERM, NULL, 0, 0), -EPERM, "akm1", "Operation not permitted");
	expect_error(refused_member(-EINVAL, NULL, 32, 0), -EINVAL, "index", "Invalid argument");
	expect_error(refused_member(7, NULL, 0, 0), -EPROTO, "akm1", "the kernel's answer is cut short");
	assert_int_equal(refused_member(0, "a warning", 0, 0), 0);
}

static void answer_short_error(const struct nlmsghdr *request)
{
	put_message(next_answer(), NLMSG_ERROR, 0, request->nlmsg_seq, "\0\0\0\0", 4);
}

/* Not capped: the request follows, and then the attributes. */
static void answer_long_error(const struct nlmsghdr *request)
{
	uint8_t payload[1024] = {};
	struct nlmsgerr *e = (struct nlmsgerr *)payload;
	size_t body = request->nlmsg_len - NLMSG_HDRLEN;
	struct nlattr *a = (struct nlattr *)(payload + sizeof(*e) + NLMSG_ALIGN(body));

	e->error = -EBUSY;
	e->msg = *request;
	memcpy(e + 1, request + 1, body);
	a->nla_len = NLA_HDRLEN + 5;
	a->nla_type = NLMSGERR_ATTR_MSG;
	memcpy(a + 1, "busy", 5);
	put_message(next_answer(), NLMSG_ERROR, NLM_F_ACK_TLVS, request->nlmsg_seq, payload,
		    (size_t)((uint8_t *)a - payload) + a->nla_len);
}

static void test_odd_errors(void **state)
{
	(void)state;
	reset();
	kernel = answer_short_error;
	expect_error(nl_member_del(nl, "akm1", 1, &err), -EPROTO, "akm1", "the kernel's answer is cut short");
	kernel = answer_long_error;
	expect_error(nl_member_del(nl, "akm1", 1, &err), -EBUSY, "akm1", "busy");
	assert_int_equal(nl_member_del(nl, "akm1", 1, NULL), -EBUSY);
}

static void test_silence(void **state)
{
	(void)state;
	reset();
	expect_error(nl_member_del(nl, "akm1", 1, &err), -ETIMEDOUT, "akm1", "no answer from the kernel: Connection timed out");
}

static void answer_late(const struct nlmsghdr *request)
{
	struct nlmsghdr before = *request;
	struct answer *a;

	/* An answer to what was given up, and one that another process made up */
	before.nlmsg_seq--;
	put_error(next_answer(), &before, -EIO, NULL, 0, 0);
	a = next_answer();
	put_error(a, request, -EIO, NULL, 0, 0);
	a->pid = 4711;
	ack(request);
}

static void test_answers_of_others(void **state)
{
	(void)state;
	reset();
	kernel = answer_late;
	assert_int_equal(nl_member_del(nl, "akm1", 1, &err), 0);
}

/* Events */

static struct answer *event_message(const char *hex)
{
	struct answer *a = next_answer();

	put_hex(a, 0, 0, hex);
	return a;
}

static void run_events(void)
{
	event_active(nl->ev, EV_READ, 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void test_events(void **state)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&events[0].source;

	(void)state;
	reset();
	put_hex(event_message(ANS_EVENT), 0, 0, ANS_EVENT_BARE);
	event_message(ANS_EVENT_BARE);
	run_events();
	assert_int_equal(n_events, 3);
	assert_int_equal(n_lost, 0);
	assert_int_equal(events[0].type, AKM_EVENT_REPLAY);
	assert_int_equal(events[0].ifindex, 5);
	assert_int_equal(events[0].atr_id, 1);
	assert_int_equal(events[0].member, 3);
	assert_int_equal(events[0].generation, 9);
	assert_int_equal(events[0].key_id, 0xdeadbeef);
	assert_int_equal(events[0].epoch, 4);
	assert_true(events[0].packet_number == 0x0000010000000007);
	assert_int_equal(events[0].count, 77);
	assert_int_equal(events[0].suppressed, 3);
	assert_true(events[0].time_ns == 1700000000000000000);
	assert_int_equal(in6->sin6_family, AF_INET6);
	assert_int_equal(ntohs(in6->sin6_port), 4000);
	assert_int_equal(in6->sin6_addr.s6_addr[15], 9);
	assert_int_equal(events[1].type, AKM_EVENT_MALFORMED);
	assert_int_equal(events[1].member, -1);
	assert_int_equal(events[1].source.ss_family, 0);
}

static void test_event_packets(void **state)
{
	(void)state;
	reset();
	event_message(ANS_EVENT_PACKET);
	event_message("0c0100000800010004000000" "0800110003000000" "0700100061626300");	/* all there is of it, and nothing */
	event_message("0c0100000800010004000000" "0800110000000000");
	run_events();
	assert_int_equal(n_events, 3);
	assert_int_equal(events[0].packet.len, 92);
	assert_int_equal(events[0].packet.n, 16);
	assert_int_equal(events[0].packet.bytes[0], 0x11);
	assert_int_equal(events[0].packet.bytes[15], 77);
	assert_int_equal(events[0].inner_len, 4);
	assert_int_equal(events[0].inner[3], 9);
	assert_int_equal(events[1].packet.len, 3);
	assert_int_equal(events[1].packet.n, 3);
	assert_int_equal(events[1].inner_len, 0);
	assert_int_equal(events[2].packet.len, 0);
	/* More than it has, or than is ever shown; a length that no datagram has; no address */
	event_message("0c0100000800010004000000" "0800110002000000" "0700100061626300");
	event_message("0c0100000800010004000000" "0700100061626300");
	event_message("0c0100000800010004000000" "08001100e8030000" "450010007878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878000000");
	event_message("0c0100000800010004000000" "0800110000000100");
	event_message("0c0100000800010004000000" "0700120061626300");
	run_events();
	assert_int_equal(n_events, 3);
	assert_int_equal(n_lost, 5);
}

static void test_events_lost(void **state)
{
	(void)state;
	reset();
	kernel = answer_family;
	next_answer()->error = ENOBUFS;
	run_events();
	assert_int_equal(n_lost, 1);
	assert_int_equal(n_sent, 1);
	event_message("0c010000");			/* no type */
	event_message("010100000800010002000000");	/* not an event */
	event_message("0c010000080001000200000006000b0001000000");	/* no address */
	run_events();
	assert_int_equal(n_lost, 4);
	assert_int_equal(n_events, 0);
	/* A message longer than events are. Each time it asks as well whether the family is still that one. */
	event_message(ANS_EVENT)->len = NL_EVENT_MAX + 4;
	run_events();
	assert_int_equal(n_lost, 5);
	/* And not from the kernel: not even noticed */
	event_message(ANS_EVENT)->pid = 4711;
	run_events();
	assert_int_equal(n_events + n_lost, 5);
}

static void expect_gone(void)
{
	struct nl_dev d;

	n_sent = 0;
	expect_error(nl_dev_get(nl, "akm1", &d, &err), -ENOPKG, "kernel",
		     "the module akm is not loaded: try modprobe akm; akmctl doctor says what hinders it");
	/* A request of type 0 would count as done. */
	assert_int_equal(n_sent, 0);
}

static void test_module_reloaded(void **state)
{
	struct nl_dev d;

	(void)state;
	reset();
	put_hex_typed(next_answer(), GENL_ID_CTRL, ANS_FAMILY_STRANGER);
	run_events();
	assert_int_equal(n_changed[NL_MODULE_GONE], 0);
	put_hex_typed(next_answer(), GENL_ID_CTRL, ANS_FAMILY_GONE);
	run_events();
	assert_int_equal(n_changed[NL_MODULE_GONE], 1);
	expect_gone();
	put_hex_typed(next_answer(), GENL_ID_CTRL, ANS_FAMILY_NEW);
	run_events();
	assert_int_equal(n_changed[NL_MODULE_BACK], 1);
	assert_int_equal(nl->family, FAMILY + 1);
	assert_int_equal(group_joined, 12);
	kernel = answer_dev;
	assert_int_equal(nl_dev_get(nl, "akm1", &d, &err), 0);
	expect_request(0, FAMILY + 1, 0, "0101000009000200616b6d3100000000");
	/* One that says something else under the same name */
	put_hex_typed(next_answer(), GENL_ID_CTRL, ANS_FAMILY_OTHER);
	run_events();
	assert_int_equal(n_changed[NL_MODULE_BACK], 1);
	assert_int_equal(n_changed[NL_MODULE_GONE], 2);
	expect_gone();
	assert_int_equal(n_lost, 0);
}

static void answer_family_new(const struct nlmsghdr *request)
{
	struct answer *a = next_answer();

	put_hex(a, 0, request->nlmsg_seq, ANS_FAMILY_NEW);
	ack(request);
}

/* It was reloaded, and the message that says so was lost. */
static void test_module_reloaded_unheard(void **state)
{
	(void)state;
	reset();
	kernel = answer_family_new;
	next_answer()->error = ENOBUFS;
	run_events();
	assert_int_equal(n_changed[NL_MODULE_BACK], 1);
	assert_int_equal(nl->family, FAMILY + 1);
	assert_int_equal(group_joined, 12);
	kernel = answer_enoent;
	next_answer()->error = ENOBUFS;
	run_events();
	assert_int_equal(n_changed[NL_MODULE_GONE], 1);
	expect_gone();
	assert_int_equal(n_lost, 0);
}

static struct answer *link_answer(void)
{
	next_answer()->error = EAGAIN;	/* the family is asked first, and has nothing to say */
	return next_answer();
}

static void run_links(void)
{
	event_active(nl->ev_links, EV_READ, 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void link_message(int type, const char *hex)
{
	put_hex_typed(link_answer(), type, hex);
	run_links();
}

static void test_device_gone(void **state)
{
	(void)state;
	reset();
	link_message(RTM_NEWLINK, ANS_LINK_GONE);
	link_message(RTM_DELLINK, ANS_LINK_GONE_VETH);
	link_message(RTM_DELLINK, ANS_LINK_MOVED);
	link_message(RTM_DELLINK, "000000000500");
	assert_int_equal(n_changed[NL_DEVICE_GONE], 0);
	link_message(RTM_DELLINK, ANS_LINK_GONE);
	assert_int_equal(n_changed[NL_DEVICE_GONE], 1);
	/* Something was lost: perhaps that. */
	link_answer()->error = ENOBUFS;
	run_links();
	assert_int_equal(n_changed[NL_DEVICE_GONE], 2);
	assert_int_equal(n_lost, 0);
}

static void answer_eth0(const struct nlmsghdr *request)
{
	uint8_t bytes[64];

	put_message(next_answer(), RTM_NEWLINK, 0, request->nlmsg_seq, bytes, unhex(ANS_ETH0, bytes));
	ack(request);
}

static void answer_no_link(const struct nlmsghdr *request)
{
	put_error(next_answer(), request, -ENODEV, NULL, 0, 0);
}

/* The link on which groups are: told when it comes, goes, is called otherwise; not what others do. */
static void test_group_link(void **state)
{
	uint32_t index = 0;
	int r;

	(void)state;
	reset();
	link_message(RTM_NEWLINK, ANS_ETH0);
	assert_int_equal(n_changed[NL_GROUP_LINK_THERE], 0);
	r = nl_group_link_index(nl, &index, &err);
	expect_error(r, -ENODEV, "group", "no link is named for it");
	nl_group_link(nl, "eth0");
	kernel = answer_eth0;
	assert_int_equal(nl_group_link_index(nl, &index, &err), 0);
	assert_int_equal(index, 5);
	link_message(RTM_NEWLINK, ANS_ETH1);
	link_message(RTM_DELLINK, ANS_ETH1);
	link_message(RTM_DELLINK, ANS_ETH0_PORT);
	assert_int_equal(n_changed[NL_GROUP_LINK_THERE] + n_changed[NL_GROUP_LINK_GONE], 0);
	link_message(RTM_DELLINK, ANS_ETH0);
	assert_int_equal(n_changed[NL_GROUP_LINK_GONE], 1);
	assert_int_equal(n_changed[NL_GROUP_LINK_THERE], 0);
	link_message(RTM_NEWLINK, ANS_ETH0);
	assert_int_equal(n_changed[NL_GROUP_LINK_THERE], 1);
	/* It has another name now. */
	link_message(RTM_NEWLINK, ANS_ETH0_RENAMED);
	assert_int_equal(n_changed[NL_GROUP_LINK_GONE], 2);
	assert_int_equal(n_changed[NL_DEVICE_GONE], 0);
	kernel = answer_no_link;
	r = nl_group_link_index(nl, &index, &err);
	expect_error(r, -ENODEV, "eth0", "No such device");
	link_message(RTM_NEWLINK, ANS_ETH0_RENAMED);
	assert_int_equal(n_changed[NL_GROUP_LINK_GONE], 2);
	nl_group_link(nl, "");
}

/* Who is told of an event asks the kernel at once; a second event waits in the same datagram. */
static void test_event_asks(void **state)
{
	(void)state;
	reset();
	kernel = answer_dev;
	event_asks = true;
	put_hex(event_message(ANS_EVENT), 0, 0, ANS_EVENT_BARE);
	run_events();
	event_asks = false;
	assert_int_equal(n_sent, 2);
	assert_int_equal(n_events, 2);
	assert_int_equal(events[1].type, AKM_EVENT_MALFORMED);
	assert_int_equal(n_lost, 0);
}

/* rtnetlink */

static void test_link_requests(void **state)
{
	int r;

	(void)state;
	reset();
	kernel = ack;
	assert_int_equal(nl_dev_add(nl, "akm1", &err), 0);
	expect_request(0, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, REQ_LINK_ADD);
	assert_int_equal(nl_dev_up(nl, "akm1", true, &err), 0);
	expect_request(1, RTM_SETLINK, 0, REQ_LINK_UP);
	/* Not before the kernel has said that it is an akm device */
	refusal.error = -EOPNOTSUPP;
	refusal.text = "not an akm device";
	refusal.offset = 20;
	kernel = answer_refusal;
	r = nl_dev_del(nl, "eth0", &err);
	expect_error(r, -EOPNOTSUPP, "ifname", "not an akm device");
	assert_int_equal(n_sent, 3);
	kernel = answer_dev;
	r = nl_dev_del(nl, "akm1", &err);
	assert_int_equal(r, 0);
	expect_request(4, RTM_DELLINK, 0, REQ_LINK_DEL);
	r = nl_dev_up(nl, "a-name-that-is-too-long", true, &err);
	expect_error(r, -ENAMETOOLONG, "a-name-that-is-too-long", "the request cannot be made: File name too long");
}

static bool has(const char *ifname, const struct msg_prefix *want, size_t n_want)
{
	char command[128], line[256], text[2048] = "", addr[INET6_ADDRSTRLEN];
	size_t i, lines = 0;
	FILE *f;

	snprintf(command, sizeof(command), "ip -o addr show dev %s scope global", ifname);
	f = popen(command, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && strlen(text) + strlen(line) < sizeof(text)) {
		strcat(text, line);
		lines++;
	}
	pclose(f);
	for (i = 0; i < n_want; i++) {
		inet_ntop(want[i].addr_len == 4 ? AF_INET : AF_INET6, want[i].addr, addr, sizeof(addr));
		snprintf(line, sizeof(line), " %s/%u ", addr, want[i].prefix_len);
		if (!strstr(text, line)) {
			print_error("%s is not in\n%s", line, text);
			return false;
		}
	}
	return lines == n_want;
}

/* A network namespace of our own, whose loopback device takes what an akm device would. */
static int addresses_for_real(void)
{
	static const struct msg_prefix all[] = {
		{ .addr = { 10, 77, 0, 1 }, .addr_len = 4, .prefix_len = 16 }, { .addr = { 10, 77, 0, 2 }, .addr_len = 4, .prefix_len = 16 },
		{ .addr = { 10, 77, 0, 3 }, .addr_len = 4, .prefix_len = 24 }, { .addr = { 0xfd, 1, [15] = 1 }, .addr_len = 16, .prefix_len = 64 },
		{ .addr = { 0xfd, 1, [15] = 2 }, .addr_len = 16, .prefix_len = 64 },
	};
	int r;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return 77;
	real_kernel = true;
	/* In the new namespace */
	nl_socket_free(nl->route);
	nl->route = nl_socket_alloc();
	if (nl_connect(nl->route, NETLINK_ROUTE) < 0)
		return 1;
	if (nl_dev_up(nl, "lo", true, &err) < 0)
		return 2;
	/* 127.0.0.1 and ::1 are of scope host: IPv4's goes, IPv6's as well. */
	if (nl_dev_addresses(nl, "lo", all, 5, &err) < 0 || !has("lo", all, 5))
		return 3;
	if (nl_dev_addresses(nl, "lo", all, 5, &err) < 0 || !has("lo", all, 5))
		return 4;
	/* The first goes, and with it what the kernel holds to be its followers. */
	if (nl_dev_addresses(nl, "lo", all + 1, 3, &err) < 0 || !has("lo", all + 1, 3))
		return 5;
	if (nl_dev_addresses(nl, "lo", NULL, 0, &err) < 0 || !has("lo", NULL, 0))
		return 6;
	r = nl_dev_addresses(nl, "none", all, 5, &err);
	if (r != -ENODEV || strcmp(err.field, "none") != 0)
		return 7;
	return nl_dev_up(nl, "none", true, &err) == -ENODEV ? 0 : 8;
}

static void test_addresses(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		status = addresses_for_real();
		if (status && status != 77)
			print_error("step %d: %s: %s\n", status, err.field, err.reason);
		nl_free(nl);
		event_base_free(base);
		_exit(status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_open), T(test_open_refused), T(test_dev_set), T(test_dev_set_group), T(test_member), T(test_install), T(test_install_large),
		T(test_install_stops), T(test_request_too_long), T(test_dev_get), T(test_dev_get_nothing), T(test_broken_answers),
		T(test_dump), T(test_dump_interrupted), T(test_dump_nested), T(test_member_each), T(test_generation_each),
		T(test_bad_row), T(test_errors), T(test_odd_errors), T(test_silence), T(test_answers_of_others), T(test_events),
		T(test_event_packets), T(test_events_lost), T(test_module_reloaded), T(test_module_reloaded_unheard), T(test_device_gone), T(test_group_link),
		T(test_event_asks), T(test_link_requests), T(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
