// SPDX-License-Identifier: GPL-2.0
/*
 * akmctl's netlink side, against a struct akm_nl that keeps what is sent and
 * answers from a script: encoding is parsed back, refusals are explained, secrets
 * are gone from the buffers afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#include <linux/akm.h>

#include "../../tools/command.h"
#include "../../tools/nl.h"
#include "../../tools/records.h"
#include "../../tools/secretfile.h"
#include "support_akmctl.h"

#define FAMILY		0x1f
#define SENT_MAX	32

/* ------------------------------------------------------------ the fake kernel */

static struct fake {
	struct akm_nl nl;
	struct sent {
		int proto;
		struct nlmsghdr *copy;
	} sent[SENT_MAX];
	size_t n;
	int fail_at;			/* which request is refused; -1: none */
	int fail_code;
	int family_result;
	int interrupt;			/* how many dumps are interrupted */
	struct nl_msg *replies[8];	/* to every request of that command */
	size_t n_replies;
} fake;

static int fake_family(struct akm_nl *nl, struct akm_error *e)
{
	(void)nl;
	if (fake.family_result < 0)
		return akm_error_set(e, -fake.family_result, "module", "not there");
	return fake.family_result;
}

static int send_replies(uint8_t cmd, akm_nl_reply_fn reply, void *arg, struct akm_error *e)
{
	size_t i;
	int r = 0;

	for (i = 0; r >= 0 && reply && i < fake.n_replies; i++) {
		struct nlmsghdr *h = nlmsg_hdr(fake.replies[i]);

		if (genlmsg_hdr(h)->cmd == cmd)
			r = reply(h, arg, e);
	}
	return r;
}

static int fake_talk(struct akm_nl *nl, int proto, struct nl_msg *msg, akm_nl_reply_fn reply, void *arg,
		     struct akm_error *e)
{
	struct nlmsghdr *h = nlmsg_hdr(msg);
	int r;

	(void)nl;
	assert_true(fake.n < SENT_MAX);
	fake.sent[fake.n].proto = proto;
	fake.sent[fake.n].copy = malloc(h->nlmsg_len);
	assert_non_null(fake.sent[fake.n].copy);
	memcpy(fake.sent[fake.n++].copy, h, h->nlmsg_len);
	if (fake.fail_at == (int)fake.n - 1)
		return akm_error_set(e, fake.fail_code, NULL, "refused on purpose");
	if (proto != NETLINK_GENERIC)
		return 0;
	r = send_replies(genlmsg_hdr(h)->cmd, reply, arg, e);
	if (r >= 0 && h->nlmsg_flags & NLM_F_DUMP && fake.interrupt-- > 0)
		return akm_error_set(e, EAGAIN, NULL, "interrupted");
	return r;
}

static int setup(void **state)
{
	(void)state;
	memset(&fake, 0, sizeof(fake));
	fake.nl.family = fake_family;
	fake.nl.talk = fake_talk;
	fake.family_result = FAMILY;
	fake.fail_at = -1;
	return 0;
}

static int teardown(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < fake.n; i++)
		free(fake.sent[i].copy);
	for (i = 0; i < fake.n_replies; i++)
		nlmsg_free(fake.replies[i]);
	return 0;
}

/* A reply of the module's, to be filled. */
static struct nl_msg *reply(uint8_t cmd)
{
	struct nl_msg *msg = nlmsg_alloc_size(8192);

	assert_non_null(msg);
	assert_non_null(genlmsg_put(msg, 0, 0, FAMILY, 0, 0, cmd, AKM_GENL_VERSION));
	assert_true(fake.n_replies < ARRAY_SIZE(fake.replies));
	fake.replies[fake.n_replies++] = msg;
	return msg;
}

/* ------------------------------------------------------------ running commands */

static char *out;
static size_t out_len;

/* Output, and what is said on standard error, is in @out until the next run. */
static int run(const char *line, struct akm_error *e)
{
	struct akm_ctx ctx = { .nl = &fake.nl };
	int r;

	free(out);
	out = NULL;
	ctx.out = open_memstream(&out, &out_len);
	assert_non_null(ctx.out);
	ctx.err = ctx.out;
	r = run_line(&ctx, line, e);
	fclose(ctx.out);
	return r;
}

static void run_ok(const char *line)
{
	struct akm_error e;

	if (run(line, &e) < 0)
		fail_msg("\"%s\": %s: %s", line, e.field, e.reason);
}

static void parse_sent(size_t i, uint8_t cmd, struct nlattr **tb, int max)
{
	struct nlmsghdr *h;

	assert_true(i < fake.n);
	h = fake.sent[i].copy;
	assert_int_equal(fake.sent[i].proto, NETLINK_GENERIC);
	assert_int_equal(h->nlmsg_type, FAMILY);
	assert_int_equal(genlmsg_hdr(h)->cmd, cmd);
	assert_int_equal(genlmsg_hdr(h)->version, AKM_GENL_VERSION);
	assert_int_equal(genlmsg_parse(h, 0, tb, max, NULL), 0);
}

/* Number of top-level attributes of that type. */
static int count_attrs(size_t i, int type)
{
	struct genlmsghdr *g = nlmsg_data(fake.sent[i].copy);
	struct nlattr *a;
	int n = 0, rem;

	nla_for_each_attr(a, genlmsg_attrdata(g, 0), genlmsg_attrlen(g, 0), rem)
		n += nla_type(a) == type;
	return n;
}

/* ------------------------------------------------------------ encoding */

static void test_member_set(void **state)
{
	struct nlattr *tb[AKM_A_MEMBER_MAX + 1], *p[AKM_A_PREFIX_MAX + 1];
	static const uint8_t addr[4] = { 10, 77, 1, 3 };
	struct sockaddr_in in;

	(void)state;
	run_ok("member set akm1 index 3 name EdgeNodeC prefix 10.77.1.3/32 prefix fd00::3/128 endpoint 192.0.2.3:7645");
	assert_int_equal(fake.n, 1);
	parse_sent(0, AKM_CMD_MEMBER_SET, tb, AKM_A_MEMBER_MAX);
	assert_string_equal(nla_get_string(tb[AKM_A_MEMBER_IFNAME]), "akm1");
	assert_int_equal(nla_len(tb[AKM_A_MEMBER_INDEX]), 2);
	assert_int_equal(nla_get_u16(tb[AKM_A_MEMBER_INDEX]), 3);
	assert_string_equal(nla_get_string(tb[AKM_A_MEMBER_NAME]), "EdgeNodeC");
	assert_int_equal(nla_len(tb[AKM_A_MEMBER_ENDPOINT]), sizeof(in));
	memcpy(&in, nla_data(tb[AKM_A_MEMBER_ENDPOINT]), sizeof(in));
	assert_int_equal(in.sin_family, AF_INET);
	assert_int_equal(ntohs(in.sin_port), 7645);
	assert_null(tb[AKM_A_MEMBER_ROAMS]);
	assert_int_equal(count_attrs(0, AKM_A_MEMBER_PREFIX), 2);
	/* the last of the repeated ones is the one that was parsed */
	assert_true(tb[AKM_A_MEMBER_PREFIX]->nla_type & NLA_F_NESTED);
	assert_int_equal(nla_parse_nested(p, AKM_A_PREFIX_MAX, tb[AKM_A_MEMBER_PREFIX], NULL), 0);
	assert_int_equal(nla_len(p[AKM_A_PREFIX_ADDR]), 16);
	assert_int_equal(nla_get_u8(p[AKM_A_PREFIX_LEN]), 128);
	run_ok("member set akm1 index 3 prefix 10.77.1.3/32 endpoint [2001:db8::3]:1");
	parse_sent(1, AKM_CMD_MEMBER_SET, tb, AKM_A_MEMBER_MAX);
	assert_int_equal(nla_len(tb[AKM_A_MEMBER_ENDPOINT]), sizeof(struct sockaddr_in6));
	assert_int_equal(nla_parse_nested(p, AKM_A_PREFIX_MAX, tb[AKM_A_MEMBER_PREFIX], NULL), 0);
	assert_int_equal(nla_len(p[AKM_A_PREFIX_ADDR]), 4);
	assert_memory_equal(nla_data(p[AKM_A_PREFIX_ADDR]), addr, 4);
	assert_null(tb[AKM_A_MEMBER_NAME]);
	assert_null(tb[AKM_A_MEMBER_KEEPALIVE]);
	run_ok("member set akm1 index 3 prefix 10.77.1.3/32 keepalive 25s roams");
	parse_sent(2, AKM_CMD_MEMBER_SET, tb, AKM_A_MEMBER_MAX);
	assert_int_equal(nla_get_u32(tb[AKM_A_MEMBER_KEEPALIVE]), 25000);
	assert_non_null(tb[AKM_A_MEMBER_ROAMS]);
}

static void test_dev_set(void **state)
{
	struct nlattr *tb[AKM_A_DEV_MAX + 1];

	(void)state;
	run_ok("dev set akm1 atr-id #1 label A-B-C-D-E self 2 suite aes-128-gcm port 7646 incarnation 16777215 "
	       "fwmark 0x10 epoch-interval 1h epoch-grace 250ms");
	parse_sent(0, AKM_CMD_DEV_SET, tb, AKM_A_DEV_MAX);
	assert_string_equal(nla_get_string(tb[AKM_A_DEV_IFNAME]), "akm1");
	assert_int_equal(nla_get_u32(tb[AKM_A_DEV_ATR_ID]), 1);
	assert_string_equal(nla_get_string(tb[AKM_A_DEV_LABEL]), "A-B-C-D-E");
	assert_int_equal(nla_len(tb[AKM_A_DEV_SELF]), 2);
	assert_int_equal(nla_get_u16(tb[AKM_A_DEV_SELF]), 2);
	assert_int_equal(nla_get_u32(tb[AKM_A_DEV_SUITE]), AKM_SUITE_AES128GCM);
	assert_int_equal(nla_len(tb[AKM_A_DEV_PORT]), 2);
	assert_int_equal(nla_get_u16(tb[AKM_A_DEV_PORT]), 7646);
	assert_int_equal(nla_get_u32(tb[AKM_A_DEV_INCARNATION]), 0xffffff);
	assert_int_equal(nla_get_u32(tb[AKM_A_DEV_FWMARK]), 0x10);
	assert_int_equal(nla_get_u32(tb[AKM_A_DEV_EPOCH_INTERVAL]), 3600000);
	assert_int_equal(nla_get_u32(tb[AKM_A_DEV_EPOCH_GRACE]), 250);
}

static void test_group(void **state)
{
	struct nlattr *tb[AKM_A_DEV_MAX + 1];

	(void)state;
	run_ok("dev set akm1 group ff05::7645%lo ttl 255");
	parse_sent(0, AKM_CMD_DEV_SET, tb, AKM_A_DEV_MAX);
	assert_int_equal(nla_len(tb[AKM_A_DEV_GROUP]), 16);
	assert_int_equal(*(uint8_t *)nla_data(tb[AKM_A_DEV_GROUP]), 0xff);
	assert_int_equal(nla_get_u32(tb[AKM_A_DEV_GROUP_LINK]), 1);
	assert_int_equal(nla_len(tb[AKM_A_DEV_GROUP_TTL]), 1);
	assert_int_equal(nla_get_u8(tb[AKM_A_DEV_GROUP_TTL]), 255);
	run_ok("dev set akm1 group 239.7.6.45%lo");
	parse_sent(1, AKM_CMD_DEV_SET, tb, AKM_A_DEV_MAX);
	assert_memory_equal(nla_data(tb[AKM_A_DEV_GROUP]), "\xef\x07\x06\x2d", 4);
	assert_int_equal(nla_len(tb[AKM_A_DEV_GROUP]), 4);
	assert_null(tb[AKM_A_DEV_GROUP_TTL]);
	run_ok("dev set akm1 group none");
	parse_sent(2, AKM_CMD_DEV_SET, tb, AKM_A_DEV_MAX);
	assert_non_null(tb[AKM_A_DEV_GROUP]);
	assert_int_equal(nla_len(tb[AKM_A_DEV_GROUP]), 0);
	assert_null(tb[AKM_A_DEV_GROUP_LINK]);
}

static void test_flow_ports(void **state)
{
	struct nlattr *tb[AKM_A_DEV_MAX + 1];

	(void)state;
	run_ok("dev set akm1 flow-ports 49152-65535");
	parse_sent(0, AKM_CMD_DEV_SET, tb, AKM_A_DEV_MAX);
	assert_int_equal(nla_len(tb[AKM_A_DEV_FLOW_PORT_LOW]), 2);
	assert_int_equal(nla_get_u16(tb[AKM_A_DEV_FLOW_PORT_LOW]), 49152);
	assert_int_equal(nla_len(tb[AKM_A_DEV_FLOW_PORT_HIGH]), 2);
	assert_int_equal(nla_get_u16(tb[AKM_A_DEV_FLOW_PORT_HIGH]), 65535);
	run_ok("dev set akm1 flow-ports none");
	parse_sent(1, AKM_CMD_DEV_SET, tb, AKM_A_DEV_MAX);
	assert_int_equal(nla_get_u16(tb[AKM_A_DEV_FLOW_PORT_LOW]), 0);
	assert_int_equal(nla_get_u16(tb[AKM_A_DEV_FLOW_PORT_HIGH]), 0);
}

static void test_spread(void **state)
{
	struct nlattr *tb[AKM_A_DEV_MAX + 1];

	(void)state;
	run_ok("dev set akm1 spread on");
	parse_sent(0, AKM_CMD_DEV_SET, tb, AKM_A_DEV_MAX);
	assert_int_equal(nla_len(tb[AKM_A_DEV_SPREAD]), 4);
	assert_int_equal(nla_get_u32(tb[AKM_A_DEV_SPREAD]), AKM_SPREAD_ON);
	run_ok("dev set akm1 spread off");
	parse_sent(1, AKM_CMD_DEV_SET, tb, AKM_A_DEV_MAX);
	assert_int_equal(nla_get_u32(tb[AKM_A_DEV_SPREAD]), AKM_SPREAD_OFF);
}

static void test_generation_words(void **state)
{
	struct nlattr *tb[AKM_A_GENERATION_MAX + 1];

	(void)state;
	run_ok("generation activate akm1 number 2 expect 1 grace 5s");
	parse_sent(0, AKM_CMD_GENERATION_ACTIVATE, tb, AKM_A_GENERATION_MAX);
	assert_int_equal(nla_get_u32(tb[AKM_A_GENERATION_NUMBER]), 2);
	assert_int_equal(nla_get_u32(tb[AKM_A_GENERATION_EXPECT]), 1);
	assert_int_equal(nla_get_u32(tb[AKM_A_GENERATION_GRACE]), 5000);
	run_ok("generation retire akm1 number 2");
	parse_sent(1, AKM_CMD_GENERATION_RETIRE, tb, AKM_A_GENERATION_MAX);
	assert_null(tb[AKM_A_GENERATION_EXPECT]);
	run_ok("epoch roll akm1");
	parse_sent(2, AKM_CMD_EPOCH_ROLL, tb, AKM_A_GENERATION_MAX);
	assert_string_equal(nla_get_string(tb[AKM_A_GENERATION_IFNAME]), "akm1");
}

static void test_dev_add(void **state)
{
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];
	struct nlmsghdr *h;

	(void)state;
	run_ok("dev add akm1");
	assert_int_equal(fake.n, 1);
	h = fake.sent[0].copy;
	assert_int_equal(fake.sent[0].proto, NETLINK_ROUTE);
	assert_int_equal(h->nlmsg_type, RTM_NEWLINK);
	assert_int_equal(h->nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL), NLM_F_CREATE | NLM_F_EXCL);
	assert_int_equal(nlmsg_parse(h, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL), 0);
	assert_string_equal(nla_get_string(tb[IFLA_IFNAME]), "akm1");
	assert_int_equal(nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL), 0);
	assert_string_equal(nla_get_string(info[IFLA_INFO_KIND]), "akm");
	run_ok("dev add akm2 label x");
	assert_int_equal(fake.n, 3);
	assert_int_equal(fake.sent[2].proto, NETLINK_GENERIC);
}

/* All or nothing: an interface that cannot be set up is not left behind. */
static void test_dev_add_undone(void **state)
{
	struct akm_error e;

	(void)state;
	fake.fail_at = 1;
	fake.fail_code = EINVAL;
	assert_int_equal(run("dev add akm1 label x", &e), -EINVAL);
	assert_int_equal(fake.n, 3);
	assert_int_equal(fake.sent[2].proto, NETLINK_ROUTE);
	assert_int_equal(fake.sent[2].copy->nlmsg_type, RTM_DELLINK);
	assert_null(strstr(out, "left behind"));
}

static void test_dev_add_refused(void **state)
{
	struct akm_error e;

	(void)state;
	fake.fail_at = 0;
	fake.fail_code = EOPNOTSUPP;
	assert_int_equal(run("dev add akm1 label x", &e), -ENOPKG);
	assert_string_equal(out, "akmctl: dev add: module: the akm module is not loaded: modprobe akm\n");
	fake.fail_at = 1;
	fake.fail_code = EEXIST;
	assert_int_equal(run("dev add akm1", &e), -EEXIST);
	assert_string_equal(out, "akmctl: dev add: interface akm1: an interface of this name exists already\n");
	assert_int_equal(fake.n, 2);
}

/* Only what the module calls its own is deleted, and by index. */
static void test_dev_del(void **state)
{
	struct ifinfomsg *header;
	struct akm_error e;

	(void)state;
	fake.fail_at = 0;
	fake.fail_code = ENODEV;
	assert_int_equal(run("dev del eth0", &e), -ENODEV);
	assert_int_equal(fake.n, 1);
	nla_put_u32(reply(AKM_CMD_DEV_GET), AKM_A_DEV_IFINDEX, 42);
	run_ok("dev del akm1");
	assert_int_equal(fake.n, 3);
	assert_int_equal(fake.sent[2].copy->nlmsg_type, RTM_DELLINK);
	header = nlmsg_data(fake.sent[2].copy);
	assert_int_equal(header->ifi_index, 42);
}

static void test_module_missing(void **state)
{
	struct akm_error e;

	(void)state;
	fake.family_result = -ENOPKG;
	assert_int_equal(run("dev show", &e), -ENOPKG);
	assert_int_equal(run("member set akm1 index 1", &e), -ENOPKG);
	assert_int_equal(fake.n, 0);
}

/* ------------------------------------------------------------ secrets */

#define HEX32	"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

static const char *write_file(const char *name, const void *data, size_t len)
{
	static char path[2][256];
	static int turn;
	const char *dir = getenv("TMPDIR");
	int fd;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/akmctl-%d-%s", dir ? dir : "/tmp", (int)getpid(), name);
	fd = open(path[turn], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
	return path[turn];
}

static void refuse_chain(const void *data, size_t len)
{
	struct akm_pages pages = {};
	struct akm_error e = {};

	if (akm_chain_parse(data, len, &pages, &e) >= 0)
		fail_msg("a chain of %zu bytes was accepted", len);
	assert_null(pages.p);
	assert_true(e.reason[0]);
}

static void test_chain(void **state)
{
	static const uint8_t zeros[32];
	struct akm_pages pages = {};
	struct akm_error e = {};
	uint8_t raw[33];

	(void)state;
	memset(raw, 7, sizeof(raw));
	refuse_chain("", 0);
	refuse_chain(raw, 31);
	refuse_chain(raw, 33);
	refuse_chain(zeros, 32);
	refuse_chain(HEX32, 63);
	refuse_chain(HEX32 "\n\n", 66);
	refuse_chain(HEX32 " ", 65);
	refuse_chain("g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 64);
	refuse_chain("0000000000000000000000000000000000000000000000000000000000000000", 64);
	assert_int_equal(akm_chain_parse((const uint8_t *)HEX32 "\n", 65, &pages, &e), 0);
	assert_int_equal(pages.len, 32);
	assert_int_equal(pages.p[1], 0x11);
	assert_int_equal(pages.p[31], 0xff);
	akm_pages_free(&pages);
	assert_int_equal(akm_chain_parse(raw, 32, &pages, &e), 0);
	assert_memory_equal(pages.p, raw, 32);
	akm_pages_free(&pages);
}

static void refuse_pairs(const char *text, const char *why)
{
	struct akm_pages pages = {};
	struct akm_error e = {};

	if (akm_pairs_parse((const uint8_t *)text, strlen(text), &pages, &e) >= 0)
		fail_msg("\"%s\" was accepted", text);
	if (!strstr(e.reason, why))
		fail_msg("\"%s\": \"%s\" does not say \"%s\"", text, e.reason, why);
	if (strstr(e.reason, "0011"))
		fail_msg("\"%s\" tells a secret", e.reason);
	assert_null(pages.p);
}

static void test_pairs(void **state)
{
	struct akm_pages pages = {};
	struct akm_error e = {};
	static const char good[] = "# comment\n\n  0 " HEX32 "\r\n65534\t" HEX32;

	(void)state;
	refuse_pairs("", "no pair");
	refuse_pairs("# only\n", "no pair");
	refuse_pairs("x " HEX32 "\n", "line 1 does not begin with a member index");
	refuse_pairs("65535 " HEX32 "\n", "member index");
	refuse_pairs("99999999999999999999 " HEX32 "\n", "member index");
	refuse_pairs("-1 " HEX32 "\n", "member index");
	refuse_pairs("1" HEX32 "\n", "line 1");
	refuse_pairs("1 " HEX32 "0\n", "64 hexadecimal digits");
	refuse_pairs("1 0011\n", "64 hexadecimal digits");
	refuse_pairs("1 " HEX32 "\n\n1 " HEX32 "\n", "line 3 names member 1 a second time");
	refuse_pairs("1 0000000000000000000000000000000000000000000000000000000000000000", "zeros");
	assert_int_equal(akm_pairs_parse((const uint8_t *)good, strlen(good), &pages, &e), 0);
	assert_int_equal(akm_pairs_n(&pages), 2);
	assert_int_equal(akm_pairs(&pages)[0].index, 0);
	assert_int_equal(akm_pairs(&pages)[1].index, 65534);
	assert_int_equal(akm_pairs(&pages)[1].chain[31], 0xff);
	akm_pages_free(&pages);
}

static void test_secret_sources(void **state)
{
	struct akm_pages pages = {};
	struct akm_error e = {};
	char big[400];

	(void)state;
	memset(big, 'a', sizeof(big));
	assert_int_equal(akm_chain_read("/nonexistent/chain", &pages, &e), -ENOENT);
	assert_non_null(strstr(e.reason, "/nonexistent/chain"));
	assert_int_equal(akm_chain_read("/", &pages, &e), -EISDIR);
	assert_int_equal(akm_chain_read(write_file("big", big, sizeof(big)), &pages, &e), -EFBIG);
	assert_null(pages.p);
	assert_int_equal(akm_chain_read(write_file("chain", HEX32, 64), &pages, &e), 0);
	akm_pages_free(&pages);
}

static void test_install(void **state)
{
	struct nlattr *tb[AKM_A_GENERATION_MAX + 1], *p[AKM_A_PAIR_MAX + 1];
	const char *chain = write_file("chain", HEX32 "\n", 65);
	const char *pairs = write_file("pairs", "1 " HEX32 "\n4 " HEX32 "\n", 134);
	char line[700];

	(void)state;
	snprintf(line, sizeof(line), "generation install akm1 number 2 key-id 0x1234 epoch 0x100000000 expect 0 "
		 "chain-file %s pair-file %s", chain, pairs);
	run_ok(line);
	assert_int_equal(fake.n, 1);
	parse_sent(0, AKM_CMD_GENERATION_INSTALL, tb, AKM_A_GENERATION_MAX);
	assert_int_equal(nla_get_u32(tb[AKM_A_GENERATION_NUMBER]), 2);
	assert_int_equal(nla_get_u32(tb[AKM_A_GENERATION_KEY_ID]), 0x1234);
	assert_true(nla_get_u64(tb[AKM_A_GENERATION_EPOCH]) == UINT64_C(0x100000000));
	assert_int_equal(nla_get_u32(tb[AKM_A_GENERATION_EXPECT]), 0);
	assert_int_equal(nla_len(tb[AKM_A_GENERATION_CHAIN]), AKM_CHAIN_LEN);
	assert_int_equal(count_attrs(0, AKM_A_GENERATION_PAIR), 2);
	assert_int_equal(nla_parse_nested(p, AKM_A_PAIR_MAX, tb[AKM_A_GENERATION_PAIR], NULL), 0);
	assert_int_equal(nla_get_u16(p[AKM_A_PAIR_INDEX]), 4);
	assert_int_equal(nla_len(p[AKM_A_PAIR_CHAIN]), AKM_CHAIN_LEN);
	/* nothing of it is printed */
	assert_int_equal(out_len, 0);
}

/* More pairs than one request holds: the rest follows with PAIR_SET, each complete. */
static void test_install_many(void **state)
{
	struct nlattr *tb[AKM_A_GENERATION_MAX + 1];
	const char *chain = write_file("chain", HEX32, 64), *path;
	size_t room = 80 * 2500, n = 0;
	char *text = malloc(room), line[700];
	int i;

	(void)state;
	assert_non_null(text);
	for (i = 0; i < 2500; i++)
		n += (size_t)snprintf(text + n, room - n, "%d " HEX32 "\n", i);
	path = write_file("pairs", text, n);
	free(text);
	snprintf(line, sizeof(line), "generation install akm1 number 2 key-id 9 epoch 5 chain-file %s pair-file %s",
		 chain, path);
	run_ok(line);
	assert_int_equal(fake.n, 3);
	assert_int_equal(count_attrs(0, AKM_A_GENERATION_PAIR) + count_attrs(1, AKM_A_GENERATION_PAIR) +
			 count_attrs(2, AKM_A_GENERATION_PAIR), 2500);
	parse_sent(2, AKM_CMD_PAIR_SET, tb, AKM_A_GENERATION_MAX);
	assert_string_equal(nla_get_string(tb[AKM_A_GENERATION_IFNAME]), "akm1");
	assert_int_equal(nla_get_u32(tb[AKM_A_GENERATION_NUMBER]), 2);
	assert_true(nla_get_u64(tb[AKM_A_GENERATION_EPOCH]) == 5);
	assert_null(tb[AKM_A_GENERATION_KEY_ID]);
	assert_null(tb[AKM_A_GENERATION_CHAIN]);
	for (i = 0; i < 3; i++)
		assert_true(fake.sent[i].copy->nlmsg_len < 200000);
}

static void test_install_refused(void **state)
{
	struct akm_error e;

	(void)state;
	assert_int_equal(run("generation install akm1 number 2 key-id 9 chain-file - pair-file -", &e), -EINVAL);
	assert_string_equal(e.field, "pair-file");
	assert_int_equal(run("generation install akm1 number 2 key-id 9 chain-file /nonexistent", &e), -ENOENT);
	assert_string_equal(e.field, "chain-file");
	assert_int_equal(run("pair set akm1 number 2 pair-file /nonexistent", &e), -ENOENT);
	assert_string_equal(e.field, "pair-file");
	assert_int_equal(fake.n, 0);
}

/*
 * The buffer of a request is wiped before it is given back: what malloc() hands out
 * next at that place holds no byte of the secret.
 */
static void test_request_wiped(void **state)
{
	struct akm_ctx ctx = { .nl = &fake.nl };
	struct akm_error e = {};
	struct nl_msg *msg = NULL;
	uint8_t secret[32];
	const char *buf;
	size_t i;

	(void)state;
	memset(secret, 0x5a, sizeof(secret));
	assert_int_equal(akm_nl_request(&ctx, AKM_CMD_GENERATION_INSTALL, 0, AKM_MSG_ROOM, &msg, &e), 0);
	assert_int_equal(nla_put(msg, AKM_A_GENERATION_CHAIN, sizeof(secret), secret), 0);
	nlmsg_get(msg);			/* keeps the memory for a look after the free */
	buf = (const char *)nlmsg_hdr(msg);
	akm_nl_msg_freep(&msg);
	for (i = 0; i < AKM_MSG_ROOM; i++)
		assert_int_equal(buf[i], 0);
	nlmsg_free(msg);
}

/* ------------------------------------------------------------ decoding */

static void put_stats(struct nl_msg *msg, int attr, uint64_t rx, uint64_t auth_fail)
{
	struct nlattr *nest = nla_nest_start(msg, attr);

	nla_put_u64(msg, AKM_A_STATS_RX_PACKETS, rx);
	nla_put_u64(msg, AKM_A_STATS_RX_BYTES, rx * 100);
	nla_put_u64(msg, AKM_A_STATS_RX_AUTH_FAIL, auth_fail);
	nla_nest_end(msg, nest);
}

static void put_prefix(struct nl_msg *msg, const char *addr, uint8_t len)
{
	struct nlattr *nest = nla_nest_start(msg, AKM_A_MEMBER_PREFIX);
	uint8_t b[16];
	int v6 = !!strchr(addr, ':');

	inet_pton(v6 ? AF_INET6 : AF_INET, addr, b);
	nla_put(msg, AKM_A_PREFIX_ADDR, v6 ? 16 : 4, b);
	nla_put_u8(msg, AKM_A_PREFIX_LEN, len);
	nla_nest_end(msg, nest);
}

static struct nl_msg *reply_dev(void)
{
	struct nl_msg *msg = reply(AKM_CMD_DEV_GET);

	nla_put_u32(msg, AKM_A_DEV_IFINDEX, 5);
	nla_put_string(msg, AKM_A_DEV_IFNAME, "akm1");
	nla_put_u32(msg, AKM_A_DEV_ATR_ID, 1);
	nla_put_string(msg, AKM_A_DEV_LABEL, "A-B");
	nla_put_u16(msg, AKM_A_DEV_SELF, 0);
	nla_put_u32(msg, AKM_A_DEV_SUITE, AKM_SUITE_AES256GCM);
	nla_put_string(msg, AKM_A_DEV_DRIVER, "generic-gcm-aesni");
	nla_put_u16(msg, AKM_A_DEV_PORT, 7645);
	nla_put_u32(msg, AKM_A_DEV_INCARNATION, 3);
	nla_put_u32(msg, AKM_A_DEV_EPOCH_INTERVAL, 3600000);
	nla_put_u32(msg, AKM_A_DEV_EPOCH_GRACE, 30000);
	nla_put_u32(msg, AKM_A_DEV_MEMBERS, 2);
	nla_put_u32(msg, AKM_A_DEV_ACTIVE_GENERATION, 2);
	put_stats(msg, AKM_A_DEV_STATS, 10, 4);
	return msg;
}

static void reply_rest(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(7645) };
	struct nl_msg *msg = reply(AKM_CMD_GENERATION_GET);

	nla_put_u32(msg, AKM_A_GENERATION_NUMBER, 2);
	nla_put_u32(msg, AKM_A_GENERATION_KEY_ID, 0x1234);
	nla_put_u32(msg, AKM_A_GENERATION_STATE, AKM_GEN_ACTIVE);
	nla_put_u64(msg, AKM_A_GENERATION_EPOCH, 17);
	nla_put_u32(msg, AKM_A_GENERATION_PAIRS, 1);
	nla_put_u64(msg, AKM_A_GENERATION_AGE, 65000);
	msg = reply(AKM_CMD_MEMBER_GET);
	nla_put_u16(msg, AKM_A_MEMBER_INDEX, 0);
	nla_put_string(msg, AKM_A_MEMBER_NAME, "EdgeNodeA");
	put_prefix(msg, "10.77.1.1", 32);
	msg = reply(AKM_CMD_MEMBER_GET);
	inet_pton(AF_INET, "192.0.2.3", &in.sin_addr);
	nla_put_u16(msg, AKM_A_MEMBER_INDEX, 3);
	nla_put_string(msg, AKM_A_MEMBER_NAME, "EdgeNodeC");
	put_prefix(msg, "10.77.1.3", 32);
	put_prefix(msg, "fd00::3", 128);
	nla_put(msg, AKM_A_MEMBER_ENDPOINT, sizeof(in), &in);
	nla_put_u64(msg, AKM_A_MEMBER_LAST_RX, 12000);
	put_stats(msg, AKM_A_MEMBER_STATS, 10, 0);
}

static void test_show(void **state)
{
	(void)state;
	reply_dev();
	reply_rest();
	run_ok("show");
	assert_string_equal(out,
		"interface: akm1\n"
		"  ATR: A-B (#1)\n"
		"  self: member 0\n"
		"  suite: aes-256-gcm, driver generic-gcm-aesni\n"
		"  port: 7645\n"
		"  incarnation: 3\n"
		"  epochs: every 1 hour, the previous one accepted for 30 seconds\n"
		"  transfer: 1000 B received (10 packets), 0 B sent (0 packets)\n"
		"  not delivered: 4 failed authentication\n"
		"\n"
		"generation: 2, active\n"
		"  key id: 0x00001234\n"
		"  epoch: 17\n"
		"  installed: 1 minute, 5 seconds ago\n"
		"  pair chains: 1\n"
		"\n"
		"member: 0 EdgeNodeA (self)\n"
		"  prefixes: 10.77.1.1/32\n"
		"\n"
		"member: 3 EdgeNodeC\n"
		"  prefixes: 10.77.1.3/32, fd00::3/128\n"
		"  endpoint: 192.0.2.3:7645\n"
		"  latest packet: 12 seconds ago\n"
		"  transfer: 1000 B received (10 packets), 0 B sent (0 packets)\n");
	run_ok("show akm1");
	assert_non_null(strstr(out, "interface: akm1\n"));
}

/* Its link by name where there is such an interface, by number where not. */
static void test_show_group(void **state)
{
	static const uint8_t v4[4] = { 239, 7, 6, 45 }, v6[16] = { 0xff, 5, [14] = 0x76, 0x45 };
	struct nl_msg *msg = reply_dev();

	(void)state;
	nla_put(msg, AKM_A_DEV_GROUP, sizeof(v4), v4);
	nla_put_u32(msg, AKM_A_DEV_GROUP_LINK, 1);
	nla_put_u8(msg, AKM_A_DEV_GROUP_TTL, 7);
	msg = reply_dev();
	nla_put(msg, AKM_A_DEV_GROUP, sizeof(v6), v6);
	nla_put_u32(msg, AKM_A_DEV_GROUP_LINK, 4000000000u);
	nla_put_u8(msg, AKM_A_DEV_GROUP_TTL, 1);
	run_ok("show");
	assert_non_null(strstr(out, "  group: 239.7.6.45%lo, TTL 7\n"));
	assert_non_null(strstr(out, "  group: ff05::7645%4000000000, TTL 1\n"));
	run_ok("show -j");
	assert_non_null(strstr(out, "\"ff05::7645\""));
}

static void test_show_flow_ports(void **state)
{
	struct nl_msg *msg = reply_dev();

	(void)state;
	nla_put_u16(msg, AKM_A_DEV_FLOW_PORT_LOW, 49152);
	nla_put_u16(msg, AKM_A_DEV_FLOW_PORT_HIGH, 65535);
	run_ok("show");
	assert_non_null(strstr(out, "  flow ports: 49152-65535\n"));
}

static void test_show_spread(void **state)
{
	struct nl_msg *msg = reply_dev();

	(void)state;
	nla_put_u32(msg, AKM_A_DEV_SPREAD, AKM_SPREAD_ON);
	run_ok("show");
	assert_non_null(strstr(out, "  spread: large packets are sealed and opened by several processors\n"));
}

static void test_show_json(void **state)
{
	struct json_object *all, *dev, *list;

	(void)state;
	reply_dev();
	reply_rest();
	run_ok("show -j");
	all = json_tokener_parse(out);
	assert_non_null(all);
	assert_int_equal(json_object_array_length(all), 1);
	dev = json_object_array_get_idx(all, 0);
	assert_string_equal(akm_json_str(dev, "suite"), "aes-256-gcm");
	assert_int_equal(akm_json_u64(dev, "active_generation"), 2);
	assert_true(json_object_object_get_ex(dev, "members", &list));
	assert_int_equal(json_object_array_length(list), 2);
	assert_true(json_object_object_get_ex(dev, "generations", &list));
	assert_string_equal(akm_json_str(json_object_array_get_idx(list, 0), "state"), "active");
	json_object_put(all);
}

static void test_tables(void **state)
{
	struct akm_error e;

	(void)state;
	reply_dev();
	reply_rest();
	run_ok("dev show");
	assert_string_equal(out,
		"INTERFACE  ATR  LABEL  SELF  SUITE        PORT  INCARNATION  MEMBERS  GENERATION\n"
		"akm1       #1   A-B       0  aes-256-gcm  7645            3        2           2\n");
	run_ok("generation show akm1");
	assert_string_equal(out,
		"NUMBER  STATE   KEY-ID      EPOCH  PAIRS  AGE\n"
		"     2  active  0x00001234     17      1  1 minute, 5 seconds\n");
	run_ok("member show akm1 index 3");
	assert_string_equal(out,
		"INDEX  NAME       PREFIXES                   ENDPOINT        LATEST PACKET\n"
		"    3  EdgeNodeC  10.77.1.3/32, fd00::3/128  192.0.2.3:7645  12 seconds ago\n");
	assert_int_equal(run("member show akm1 index 9", &e), -ENOENT);
	assert_string_equal(e.field, "index");
	run_ok("stats");
	assert_string_equal(out,
		"INTERFACE      RX-PACKETS  RX-BYTES  TX-PACKETS  TX-BYTES  AUTH-FAIL  REPLAY  UNKNOWN-KEY  MALFORMED  PREFIX  OTHER\n"
		"akm1                   10      1000           0         0          4       0            0          0       0      0\n"
		"  0 EdgeNodeA           0         0           0         0          0       0            0          0       0      0\n"
		"  3 EdgeNodeC          10      1000           0         0          0       0            0          0       0      0\n");
}

static void test_show_nothing(void **state)
{
	(void)state;
	run_ok("show");
	assert_string_equal(out, "There is no akm interface in this network namespace.\n");
	run_ok("show -j");
	assert_string_equal(out, "[\n]\n");
}

/* A dump that a change interrupted is read again, not shown twice. */
static void test_dump_interrupted(void **state)
{
	struct akm_error e;

	(void)state;
	reply_dev();
	fake.interrupt = 2;
	run_ok("dev show");
	assert_int_equal(fake.n, 3);
	assert_non_null(strstr(out, "akm1"));
	assert_null(strstr(strstr(out, "akm1") + 1, "akm1"));
	fake.interrupt = 100;
	assert_int_equal(run("dev show", &e), -EAGAIN);
}

static void refuse_reply(const char *line)
{
	struct akm_error e;

	if (run(line, &e) != -EPROTO)
		fail_msg("\"%s\": a malformed answer was accepted", line);
	assert_true(e.reason[0]);
}

static void test_malformed_replies(void **state)
{
	static const char unterminated[] = { 'a', 'k', 'm' };
	struct nlattr *nest;

	(void)state;
	nla_put_u16(reply(AKM_CMD_DEV_GET), AKM_A_DEV_ATR_ID, 1);
	refuse_reply("dev show");
	nla_put(reply(AKM_CMD_GENERATION_GET), AKM_A_GENERATION_IFNAME, sizeof(unterminated), unterminated);
	refuse_reply("generation show akm1");
	nla_put(reply(AKM_CMD_MEMBER_GET), AKM_A_MEMBER_ENDPOINT, 7, "1234567");
	refuse_reply("member show akm1");
	teardown(state);
	setup(state);
	nest = nla_nest_start(reply(AKM_CMD_MEMBER_GET), AKM_A_MEMBER_PREFIX);
	nla_put_u8(fake.replies[0], AKM_A_PREFIX_LEN, 33);
	nla_put_u32(fake.replies[0], AKM_A_PREFIX_ADDR, 1);
	nla_nest_end(fake.replies[0], nest);
	refuse_reply("member show akm1");
	refuse_reply("dev show akm1");	/* no device in the answer */
}

static void test_unknown_attribute(void **state)
{
	(void)state;
	nla_put_u32(reply_dev(), AKM_A_DEV_MAX + 5, 1);
	run_ok("dev show");
	assert_non_null(strstr(out, "akm1"));
}

/* ------------------------------------------------------------ refusals */

struct refusal {
	struct nl_msg *request, *answer;
};

/* NLMSG_ERROR for a request with attributes IFNAME and INDEX; the request follows it unless capped. */
static struct refusal refusal(int code, bool capped)
{
	struct refusal r = { .request = nlmsg_alloc_size(512), .answer = nlmsg_alloc_size(1024) };
	struct nlmsgerr err = { .error = -code };
	struct nlmsghdr *h;

	genlmsg_put(r.request, 1, 1, FAMILY, 0, 0, AKM_CMD_MEMBER_SET, 1);
	nla_put_string(r.request, AKM_A_MEMBER_IFNAME, "akm1");
	nla_put_u16(r.request, AKM_A_MEMBER_INDEX, 3);
	h = nlmsg_hdr(r.request);
	err.msg = *h;
	nlmsg_put(r.answer, 1, 1, NLMSG_ERROR, 0, NLM_F_ACK_TLVS | (capped ? NLM_F_CAPPED : 0));
	nlmsg_append(r.answer, &err, sizeof(err), 0);
	if (!capped)
		nlmsg_append(r.answer, nlmsg_data(h), (size_t)nlmsg_datalen(h), NLMSG_ALIGNTO);
	return r;
}

static void explain(struct refusal *r, struct akm_error *e)
{
	memset(e, 0, sizeof(*e));
	akm_nl_explain(nlmsg_hdr(r->answer), nlmsg_hdr(r->request), e);
	nlmsg_free(r->request);
	nlmsg_free(r->answer);
}

static void test_explain(void **state)
{
	struct akm_error e;
	struct refusal r;
	int capped;

	(void)state;
	for (capped = 0; capped <= 1; capped++) {
		r = refusal(EINVAL, capped);
		nla_put_string(r.answer, NLMSGERR_ATTR_MSG, "index is our own");
		nla_put_u32(r.answer, NLMSGERR_ATTR_OFFS, NLMSG_HDRLEN + GENL_HDRLEN + NLA_ALIGN(NLA_HDRLEN + 5) + NLA_HDRLEN);
		explain(&r, &e);
		assert_int_equal(e.code, EINVAL);
		assert_int_equal(e.attr, AKM_A_MEMBER_INDEX);
		assert_string_equal(e.reason, "index is our own");
	}
	r = refusal(EINVAL, true);
	nla_put_u32(r.answer, NLMSGERR_ATTR_MISS_TYPE, AKM_A_MEMBER_NAME);
	explain(&r, &e);
	assert_int_equal(e.attr, AKM_A_MEMBER_NAME);
	assert_string_equal(e.reason, "is missing");
	r = refusal(EPERM, true);
	explain(&r, &e);
	assert_non_null(strstr(e.reason, "as root"));
	r = refusal(EPERM, true);
	nla_put_string(r.answer, NLMSGERR_ATTR_MSG, "no");
	explain(&r, &e);
	assert_string_equal(e.reason, "no (CAP_NET_ADMIN is needed: run akmctl as root)");
	r = refusal(ENODEV, true);
	explain(&r, &e);
	assert_non_null(strstr(e.reason, "dev show"));
	r = refusal(EINVAL, true);	/* an offset that points nowhere */
	nla_put_u32(r.answer, NLMSGERR_ATTR_OFFS, 0xffffffff);
	explain(&r, &e);
	assert_int_equal(e.attr, 0);
	assert_string_equal(e.reason, strerror(EINVAL));
}

/* The refusal names the word that was typed. */
static void test_refusal_names_word(void **state)
{
	struct akm_error e;

	(void)state;
	fake.fail_at = 0;
	fake.fail_code = EPERM;
	assert_int_equal(run("member del akm1 index 3", &e), -EPERM);
	e.attr = AKM_A_MEMBER_INDEX;
	assert_string_equal(akm_arg_of_attr(&akm_commands[5], AKM_A_MEMBER_INDEX), "index");
	assert_string_equal(out, "akmctl: member del: refused on purpose\n");
}

static int remove_files(void **state)
{
	static const char *const names[] = { "big", "chain", "pairs" };
	const char *dir = getenv("TMPDIR");
	char path[256];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/akmctl-%d-%s", dir ? dir : "/tmp", (int)getpid(), names[i]);
		unlink(path);
	}
	free(out);
	return 0;
}

#define TEST(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_member_set), TEST(test_dev_set), TEST(test_group), TEST(test_flow_ports), TEST(test_spread), TEST(test_generation_words), TEST(test_dev_add),
		TEST(test_dev_add_undone), TEST(test_dev_add_refused), TEST(test_dev_del), TEST(test_module_missing),
		TEST(test_chain), TEST(test_pairs), TEST(test_secret_sources), TEST(test_install),
		TEST(test_install_many), TEST(test_install_refused), TEST(test_request_wiped), TEST(test_show),
		TEST(test_show_group), TEST(test_show_flow_ports), TEST(test_show_spread), TEST(test_show_json), TEST(test_tables), TEST(test_show_nothing), TEST(test_dump_interrupted),
		TEST(test_malformed_replies), TEST(test_unknown_attribute), TEST(test_explain),
		TEST(test_refusal_names_word),
	};

	return cmocka_run_group_tests(tests, NULL, remove_files);
}
