// SPDX-License-Identifier: GPL-2.0
/*
 * Netlink requests that must be refused, byte by byte: what akmctl would never send.
 *
 *   nlbad INTERFACE
 *
 * INTERFACE is an akm device that is up, has self = 1, members 1 and 2, incarnation 1, generation
 * 1 (key_id 1001) active, and no member 3. Prints one line for each case; exit status 1 if the kernel
 * took one of them, or refused it without a word about why.
 */
#include <errno.h>
#include <grp.h>
#include <linux/akm.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define UNKNOWN_ATTRIBUTE	200
#define UNKNOWN_COMMAND		99

struct request {
	uint8_t data[16384];
	size_t len;
};

static const char *interface;
static unsigned int failures;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "nlbad: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* ------------------------------------------------------------- building */

static void begin(struct request *r, uint16_t family, uint8_t command)
{
	struct nlmsghdr h = { .nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK };
	struct genlmsghdr g = { .cmd = command, .version = 1 };

	memset(r, 0, sizeof(*r));
	memcpy(r->data, &h, sizeof(h));
	memcpy(r->data + NLMSG_HDRLEN, &g, sizeof(g));
	r->len = NLMSG_HDRLEN + GENL_HDRLEN;
}

/* @claimed: the length that the attribute's header tells. */
static void put_raw(struct request *r, uint16_t type, const void *data, size_t len, size_t claimed)
{
	struct nlattr a = { .nla_type = type, .nla_len = (uint16_t)(NLA_HDRLEN + claimed) };

	memcpy(r->data + r->len, &a, sizeof(a));
	if (len)
		memcpy(r->data + r->len + NLA_HDRLEN, data, len);
	r->len += NLA_ALIGN(NLA_HDRLEN + len);
}

static void put(struct request *r, uint16_t type, const void *data, size_t len)
{
	put_raw(r, type, data, len, len);
}

static void put_u8(struct request *r, uint16_t type, uint8_t v)
{
	put(r, type, &v, sizeof(v));
}

static void put_u16(struct request *r, uint16_t type, uint16_t v)
{
	put(r, type, &v, sizeof(v));
}

static void put_u32(struct request *r, uint16_t type, uint32_t v)
{
	put(r, type, &v, sizeof(v));
}

static void put_text(struct request *r, uint16_t type, const char *text)
{
	put(r, type, text, strlen(text) + 1);
}

static size_t nest(struct request *r, uint16_t type)
{
	size_t at = r->len;

	put(r, type | NLA_F_NESTED, NULL, 0);
	return at;
}

static void nest_end(struct request *r, size_t at)
{
	uint16_t len = (uint16_t)(r->len - at);

	memcpy(r->data + at, &len, sizeof(len));
}

/* ------------------------------------------------------ parts of requests */

static void dev(struct request *r)
{
	put_text(r, AKM_A_DEV_IFNAME, interface);
}

static void prefix4(struct request *r, uint32_t addr, size_t addr_len, uint8_t len)
{
	uint8_t a[16] = { (uint8_t)(addr >> 24), (uint8_t)(addr >> 16), (uint8_t)(addr >> 8), (uint8_t)addr };
	size_t at = nest(r, AKM_A_MEMBER_PREFIX);

	put(r, AKM_A_PREFIX_ADDR, a, addr_len);
	put_u8(r, AKM_A_PREFIX_LEN, len);
	nest_end(r, at);
}

static void member3(struct request *r)
{
	dev(r);
	put_u16(r, AKM_A_MEMBER_INDEX, 3);
}

static void chain(struct request *r, uint16_t type, size_t len)
{
	uint8_t c[64];

	memset(c, 0x5a, sizeof(c));
	put(r, type, c, len);
}

static void pair(struct request *r, uint16_t index, size_t len)
{
	size_t at = nest(r, AKM_A_GENERATION_PAIR);

	put_u16(r, AKM_A_PAIR_INDEX, index);
	chain(r, AKM_A_PAIR_CHAIN, len);
	nest_end(r, at);
}

/* A generation that would be taken, but for what the case adds or leaves out. */
static void generation(struct request *r, uint32_t number, uint32_t key_id)
{
	dev(r);
	put_u32(r, AKM_A_GENERATION_NUMBER, number);
	put_u32(r, AKM_A_GENERATION_KEY_ID, key_id);
}

static void generation2(struct request *r)
{
	generation(r, 2, 2002);
	chain(r, AKM_A_GENERATION_CHAIN, AKM_CHAIN_LEN);
}

/* ------------------------------------------------------------------ cases */

static void no_device(struct request *r) { put_u32(r, AKM_A_DEV_EPOCH_GRACE, 5); }
static void no_such_device(struct request *r) { put_text(r, AKM_A_DEV_IFNAME, "nothere0"); put_u32(r, AKM_A_DEV_FWMARK, 1); }
static void foreign_device(struct request *r) { put_text(r, AKM_A_DEV_IFNAME, "lo"); put_u32(r, AKM_A_DEV_FWMARK, 1); }
static void names_disagree(struct request *r) { dev(r); put_u32(r, AKM_A_DEV_IFINDEX, if_nametoindex("lo")); put_u32(r, AKM_A_DEV_FWMARK, 1); }
static void index_zero(struct request *r) { put_u32(r, AKM_A_DEV_IFINDEX, 0); }
static void name_unterminated(struct request *r) { put(r, AKM_A_DEV_IFNAME, "0123456789abcdefghij", 20); }
static void name_empty(struct request *r) { put_text(r, AKM_A_DEV_IFNAME, ""); }
static void attribute_unknown(struct request *r) { dev(r); put_u32(r, UNKNOWN_ATTRIBUTE, 1); }
static void attribute_output(struct request *r) { dev(r); put_u32(r, AKM_A_DEV_MEMBERS, 1); }
static void attribute_short(struct request *r) { dev(r); put_u16(r, AKM_A_DEV_FWMARK, 1); }
static void attribute_long(struct request *r) { uint64_t v = 1; dev(r); put(r, AKM_A_DEV_FWMARK, &v, sizeof(v)); }
static void attribute_empty(struct request *r) { dev(r); put(r, AKM_A_DEV_FWMARK, NULL, 0); }
static void attribute_twice(struct request *r) { dev(r); put_u32(r, AKM_A_DEV_FWMARK, 1); put_u32(r, AKM_A_DEV_FWMARK, 2); }
static void attribute_overrun(struct request *r) { uint32_t v = 1; dev(r); put_raw(r, AKM_A_DEV_FWMARK, &v, sizeof(v), 400); }
static void attribute_header(struct request *r) { dev(r); put_raw(r, AKM_A_DEV_FWMARK, NULL, 0, (size_t)-2); }
static void trailing(struct request *r) { dev(r); memset(r->data + r->len, 0xff, 3); r->len += 3; }
static void atr_zero(struct request *r) { dev(r); put_u32(r, AKM_A_DEV_ATR_ID, 0); }
static void atr_other(struct request *r) { dev(r); put_u32(r, AKM_A_DEV_ATR_ID, 7); }
static void label_long(struct request *r) { char t[66]; memset(t, 'x', 64); t[64] = 0; dev(r); put_text(r, AKM_A_DEV_LABEL, t); }
static void self_invalid(struct request *r) { dev(r); put_u16(r, AKM_A_DEV_SELF, 0xffff); }
static void self_other(struct request *r) { dev(r); put_u16(r, AKM_A_DEV_SELF, 9); }
static void suite_zero(struct request *r) { dev(r); put_u32(r, AKM_A_DEV_SUITE, 0); }
static void suite_unknown(struct request *r) { dev(r); put_u32(r, AKM_A_DEV_SUITE, 99); }
static void suite_other(struct request *r) { dev(r); put_u32(r, AKM_A_DEV_SUITE, AKM_SUITE_CHACHA20POLY1305); }
static void port_zero(struct request *r) { dev(r); put_u16(r, AKM_A_DEV_PORT, 0); }
static void port_while_up(struct request *r) { dev(r); put_u16(r, AKM_A_DEV_PORT, 9999); }
static void incarnation_zero(struct request *r) { dev(r); put_u32(r, AKM_A_DEV_INCARNATION, 0); }
static void incarnation_big(struct request *r) { dev(r); put_u32(r, AKM_A_DEV_INCARNATION, AKM_INCARNATION_MAX + 1); }
static void incarnation_used(struct request *r) { dev(r); put_u32(r, AKM_A_DEV_INCARNATION, 1); }

static void member_no_index(struct request *r) { dev(r); }
static void member_invalid(struct request *r) { dev(r); put_u16(r, AKM_A_MEMBER_INDEX, 0xffff); }
static void member_name_long(struct request *r) { char t[66]; memset(t, 'x', 64); t[64] = 0; member3(r); put_text(r, AKM_A_MEMBER_NAME, t); }
static void prefix_host_bits(struct request *r) { member3(r); prefix4(r, 0x0a4d0301, 4, 24); }
static void prefix_too_long(struct request *r) { member3(r); prefix4(r, 0x0a4d0301, 4, 33); }
static void prefix_odd(struct request *r) { member3(r); prefix4(r, 0x0a4d0301, 5, 8); }
static void prefix_taken(struct request *r) { member3(r); prefix4(r, 0x0a4d0002, 4, 32); }
static void prefix_flat(struct request *r) { member3(r); put_u32(r, AKM_A_MEMBER_PREFIX, 5); }

static void prefix_no_length(struct request *r)
{
	size_t at;

	member3(r);
	at = nest(r, AKM_A_MEMBER_PREFIX);
	put_u32(r, AKM_A_PREFIX_ADDR, 0);
	nest_end(r, at);
}

static void prefix_no_address(struct request *r)
{
	size_t at;

	member3(r);
	at = nest(r, AKM_A_MEMBER_PREFIX);
	put_u8(r, AKM_A_PREFIX_LEN, 8);
	nest_end(r, at);
}

static void prefix_many(struct request *r)
{
	member3(r);
	for (uint32_t i = 0; i <= AKM_PREFIXES_MAX; i++)
		prefix4(r, 0x0a630000 + i, 4, 32);
}

static void endpoint_of(struct request *r, sa_family_t family, size_t len, uint16_t port)
{
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} a = { .in = { .sin_family = family, .sin_port = htons(port), .sin_addr.s_addr = htonl(0xc0000203) } };

	member3(r);
	put(r, AKM_A_MEMBER_ENDPOINT, &a, len);
}

static void endpoint_short(struct request *r) { endpoint_of(r, AF_INET, sizeof(struct sockaddr_in) - 1, 7645); }
static void endpoint_family(struct request *r) { endpoint_of(r, AF_UNIX, sizeof(struct sockaddr_in), 7645); }
static void endpoint_mixed(struct request *r) { endpoint_of(r, AF_INET, sizeof(struct sockaddr_in6), 7645); }
static void endpoint_no_port(struct request *r) { endpoint_of(r, AF_INET, sizeof(struct sockaddr_in), 0); }

static void member_absent(struct request *r) { dev(r); put_u16(r, AKM_A_MEMBER_INDEX, 33); }

static void gen_no_number(struct request *r) { dev(r); put_u32(r, AKM_A_GENERATION_KEY_ID, 5); chain(r, AKM_A_GENERATION_CHAIN, AKM_CHAIN_LEN); }
static void gen_zero(struct request *r) { generation(r, 0, 5); chain(r, AKM_A_GENERATION_CHAIN, AKM_CHAIN_LEN); }
static void gen_no_key_id(struct request *r) { dev(r); put_u32(r, AKM_A_GENERATION_NUMBER, 2); chain(r, AKM_A_GENERATION_CHAIN, AKM_CHAIN_LEN); }
static void gen_key_id_zero(struct request *r) { generation(r, 2, 0); chain(r, AKM_A_GENERATION_CHAIN, AKM_CHAIN_LEN); }
static void gen_key_id_taken(struct request *r) { generation(r, 2, 1001); chain(r, AKM_A_GENERATION_CHAIN, AKM_CHAIN_LEN); }
static void gen_no_chain(struct request *r) { generation(r, 2, 2002); }
static void gen_chain_short(struct request *r) { generation(r, 2, 2002); chain(r, AKM_A_GENERATION_CHAIN, AKM_CHAIN_LEN - 1); }
static void gen_chain_long(struct request *r) { generation(r, 2, 2002); chain(r, AKM_A_GENERATION_CHAIN, AKM_CHAIN_LEN + 1); }
static void gen_chain_twice(struct request *r) { generation2(r); chain(r, AKM_A_GENERATION_CHAIN, AKM_CHAIN_LEN); }
static void gen_epoch_short(struct request *r) { generation2(r); put_u32(r, AKM_A_GENERATION_EPOCH, 1); }
static void gen_changed(struct request *r) { generation(r, 1, 1001); chain(r, AKM_A_GENERATION_CHAIN, AKM_CHAIN_LEN); }
static void pair_short(struct request *r) { generation2(r); pair(r, 2, AKM_CHAIN_LEN - 1); }
static void pair_long(struct request *r) { generation2(r); pair(r, 2, AKM_CHAIN_LEN + 1); }
static void pair_self(struct request *r) { generation2(r); pair(r, 1, AKM_CHAIN_LEN); }
static void pair_stranger(struct request *r) { generation2(r); pair(r, 0xffff, AKM_CHAIN_LEN); }
static void pair_twice(struct request *r) { generation2(r); pair(r, 2, AKM_CHAIN_LEN); pair(r, 2, AKM_CHAIN_LEN); }
static void pair_flat(struct request *r) { generation2(r); put_u32(r, AKM_A_GENERATION_PAIR, 5); }

static void pair_no_chain(struct request *r)
{
	size_t at;

	generation2(r);
	at = nest(r, AKM_A_GENERATION_PAIR);
	put_u16(r, AKM_A_PAIR_INDEX, 2);
	nest_end(r, at);
}

static void pair_no_index(struct request *r)
{
	size_t at;

	generation2(r);
	at = nest(r, AKM_A_GENERATION_PAIR);
	chain(r, AKM_A_PAIR_CHAIN, AKM_CHAIN_LEN);
	nest_end(r, at);
}

static void number_absent(struct request *r) { dev(r); put_u32(r, AKM_A_GENERATION_NUMBER, 77); }
static void number_missing(struct request *r) { dev(r); }
static void expect_wrong(struct request *r) { dev(r); put_u32(r, AKM_A_GENERATION_NUMBER, 1); put_u32(r, AKM_A_GENERATION_EXPECT, 9); }
static void pair_set_absent(struct request *r) { dev(r); put_u32(r, AKM_A_GENERATION_NUMBER, 77); pair(r, 2, AKM_CHAIN_LEN); }

static const struct {
	const char *name;
	uint8_t command;
	void (*build)(struct request *r);
	bool framing;		/* netlink itself refuses it, maybe without words */
} cases[] = {
	{ "dev-set: no device named", AKM_CMD_DEV_SET, no_device, false },
	{ "dev-set: no such device", AKM_CMD_DEV_SET, no_such_device, false },
	{ "dev-set: a device of another kind", AKM_CMD_DEV_SET, foreign_device, false },
	{ "dev-set: name and index disagree", AKM_CMD_DEV_SET, names_disagree, false },
	{ "dev-get: index 0", AKM_CMD_DEV_GET, index_zero, false },
	{ "dev-get: name without end", AKM_CMD_DEV_GET, name_unterminated, false },
	{ "dev-get: empty name", AKM_CMD_DEV_GET, name_empty, false },
	{ "dev-set: unknown attribute", AKM_CMD_DEV_SET, attribute_unknown, false },
	{ "dev-set: attribute that is output only", AKM_CMD_DEV_SET, attribute_output, false },
	{ "dev-set: short attribute", AKM_CMD_DEV_SET, attribute_short, false },
	{ "dev-set: long attribute", AKM_CMD_DEV_SET, attribute_long, false },
	{ "dev-set: empty attribute", AKM_CMD_DEV_SET, attribute_empty, false },
	{ "dev-set: attribute given twice", AKM_CMD_DEV_SET, attribute_twice, false },
	{ "dev-set: attribute longer than the message", AKM_CMD_DEV_SET, attribute_overrun, true },
	{ "dev-set: attribute shorter than its header", AKM_CMD_DEV_SET, attribute_header, true },
	{ "dev-set: bytes after the last attribute", AKM_CMD_DEV_SET, trailing, true },
	{ "dev-set: ATR 0", AKM_CMD_DEV_SET, atr_zero, false },
	{ "dev-set: another ATR under an installed generation", AKM_CMD_DEV_SET, atr_other, false },
	{ "dev-set: label of 64 bytes", AKM_CMD_DEV_SET, label_long, false },
	{ "dev-set: self 0xffff", AKM_CMD_DEV_SET, self_invalid, false },
	{ "dev-set: another self under an installed generation", AKM_CMD_DEV_SET, self_other, false },
	{ "dev-set: suite 0", AKM_CMD_DEV_SET, suite_zero, false },
	{ "dev-set: unknown suite", AKM_CMD_DEV_SET, suite_unknown, false },
	{ "dev-set: another suite under an installed generation", AKM_CMD_DEV_SET, suite_other, false },
	{ "dev-set: port 0", AKM_CMD_DEV_SET, port_zero, false },
	{ "dev-set: another port while up", AKM_CMD_DEV_SET, port_while_up, false },
	{ "dev-set: incarnation 0", AKM_CMD_DEV_SET, incarnation_zero, false },
	{ "dev-set: incarnation of 25 bits", AKM_CMD_DEV_SET, incarnation_big, false },
	{ "dev-set: incarnation already used", AKM_CMD_DEV_SET, incarnation_used, false },
	{ "member-set: no index", AKM_CMD_MEMBER_SET, member_no_index, false },
	{ "member-set: index 0xffff", AKM_CMD_MEMBER_SET, member_invalid, false },
	{ "member-set: name of 64 bytes", AKM_CMD_MEMBER_SET, member_name_long, false },
	{ "member-set: host bits in a prefix", AKM_CMD_MEMBER_SET, prefix_host_bits, false },
	{ "member-set: prefix length 33", AKM_CMD_MEMBER_SET, prefix_too_long, false },
	{ "member-set: address of 5 bytes", AKM_CMD_MEMBER_SET, prefix_odd, false },
	{ "member-set: prefix of another member", AKM_CMD_MEMBER_SET, prefix_taken, false },
	{ "member-set: prefix that is no nest", AKM_CMD_MEMBER_SET, prefix_flat, false },
	{ "member-set: prefix without length", AKM_CMD_MEMBER_SET, prefix_no_length, false },
	{ "member-set: prefix without address", AKM_CMD_MEMBER_SET, prefix_no_address, false },
	{ "member-set: 65 prefixes", AKM_CMD_MEMBER_SET, prefix_many, false },
	{ "member-set: short endpoint", AKM_CMD_MEMBER_SET, endpoint_short, false },
	{ "member-set: endpoint of another family", AKM_CMD_MEMBER_SET, endpoint_family, false },
	{ "member-set: IPv4 endpoint of IPv6 length", AKM_CMD_MEMBER_SET, endpoint_mixed, false },
	{ "member-set: endpoint port 0", AKM_CMD_MEMBER_SET, endpoint_no_port, false },
	{ "member-get: no such member", AKM_CMD_MEMBER_GET, member_absent, false },
	{ "member-del: no such member", AKM_CMD_MEMBER_DEL, member_absent, false },
	{ "generation-install: no number", AKM_CMD_GENERATION_INSTALL, gen_no_number, false },
	{ "generation-install: number 0", AKM_CMD_GENERATION_INSTALL, gen_zero, false },
	{ "generation-install: no key_id", AKM_CMD_GENERATION_INSTALL, gen_no_key_id, false },
	{ "generation-install: key_id 0", AKM_CMD_GENERATION_INSTALL, gen_key_id_zero, false },
	{ "generation-install: key_id of another generation", AKM_CMD_GENERATION_INSTALL, gen_key_id_taken, false },
	{ "generation-install: no chain", AKM_CMD_GENERATION_INSTALL, gen_no_chain, false },
	{ "generation-install: chain of 31 bytes", AKM_CMD_GENERATION_INSTALL, gen_chain_short, false },
	{ "generation-install: chain of 33 bytes", AKM_CMD_GENERATION_INSTALL, gen_chain_long, false },
	{ "generation-install: two chains", AKM_CMD_GENERATION_INSTALL, gen_chain_twice, false },
	{ "generation-install: epoch of 32 bits", AKM_CMD_GENERATION_INSTALL, gen_epoch_short, false },
	{ "generation-install: an installed number, another secret", AKM_CMD_GENERATION_INSTALL, gen_changed, false },
	{ "generation-install: pair chain of 31 bytes", AKM_CMD_GENERATION_INSTALL, pair_short, false },
	{ "generation-install: pair chain of 33 bytes", AKM_CMD_GENERATION_INSTALL, pair_long, false },
	{ "generation-install: pair with oneself", AKM_CMD_GENERATION_INSTALL, pair_self, false },
	{ "generation-install: pair with 0xffff", AKM_CMD_GENERATION_INSTALL, pair_stranger, false },
	{ "generation-install: the same pair twice", AKM_CMD_GENERATION_INSTALL, pair_twice, false },
	{ "generation-install: pair that is no nest", AKM_CMD_GENERATION_INSTALL, pair_flat, false },
	{ "generation-install: pair without chain", AKM_CMD_GENERATION_INSTALL, pair_no_chain, false },
	{ "generation-install: pair without index", AKM_CMD_GENERATION_INSTALL, pair_no_index, false },
	{ "generation-get: no such generation", AKM_CMD_GENERATION_GET, number_absent, false },
	{ "generation-activate: no such generation", AKM_CMD_GENERATION_ACTIVATE, number_absent, false },
	{ "generation-activate: no number", AKM_CMD_GENERATION_ACTIVATE, number_missing, false },
	{ "generation-activate: another one is active than expected", AKM_CMD_GENERATION_ACTIVATE, expect_wrong, false },
	{ "generation-retire: no such generation", AKM_CMD_GENERATION_RETIRE, number_absent, false },
	{ "generation-retire: no number", AKM_CMD_GENERATION_RETIRE, number_missing, false },
	{ "pair-set: no such generation", AKM_CMD_PAIR_SET, pair_set_absent, false },
	{ "epoch-roll: no device named", AKM_CMD_EPOCH_ROLL, no_device, false },
	{ "a command that does not exist", UNKNOWN_COMMAND, member_no_index, true },
	{ "the notification as a request", AKM_CMD_EVENT, member_no_index, true },
};

/* ---------------------------------------------------------------- talking */

static int open_socket(void)
{
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), on = 1;

	if (fd < 0)
		die("NETLINK_GENERIC");
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		die("setsockopt");
	return fd;
}

/* The extended acknowledgement's text, in @text; empty if there is none. */
static void words(const uint8_t *reply, size_t len, char *text, size_t size)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)reply;
	size_t at = NLMSG_HDRLEN + sizeof(struct nlmsgerr);

	text[0] = 0;
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	while (at + NLA_HDRLEN <= len) {
		const struct nlattr *a = (const struct nlattr *)(reply + at);

		if (a->nla_len < NLA_HDRLEN || at + a->nla_len > len)
			return;
		if (a->nla_type == NLMSGERR_ATTR_MSG)
			snprintf(text, size, "%s", (const char *)(reply + at + NLA_HDRLEN));
		at += NLA_ALIGN(a->nla_len);
	}
}

/* Return: the error, 0 if the kernel took the request; @text as words() has it. */
static int ask(int fd, struct request *r, char *text, size_t size)
{
	static _Alignas(struct nlmsghdr) uint8_t reply[65536];
	struct nlmsghdr h;
	struct nlmsgerr e;
	uint32_t total = (uint32_t)r->len;
	ssize_t n;

	memcpy(r->data, &total, sizeof(total));
	if (send(fd, r->data, r->len, 0) < 0)
		die("send");
	for (;;) {
		n = recv(fd, reply, sizeof(reply), 0);
		if (n < 0)
			die("no answer");
		memcpy(&h, reply, sizeof(h));
		if (h.nlmsg_type == NLMSG_ERROR)
			break;
	}
	memcpy(&e, reply + NLMSG_HDRLEN, sizeof(e));
	words(reply, (size_t)n, text, size);
	return -e.error;
}

static uint16_t family_id(int fd)
{
	_Alignas(struct nlmsghdr) uint8_t reply[8192];
	struct request r;
	struct nlmsghdr h;
	uint32_t total;
	uint16_t id;
	ssize_t n;
	size_t at = NLMSG_HDRLEN + GENL_HDRLEN;

	begin(&r, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	put_text(&r, CTRL_ATTR_FAMILY_NAME, AKM_GENL_NAME);
	total = (uint32_t)r.len;
	memcpy(r.data, &total, sizeof(total));
	if (send(fd, r.data, r.len, 0) < 0)
		die("send");
	n = recv(fd, reply, sizeof(reply), 0);
	memcpy(&h, reply, sizeof(h));
	if (n < 0 || h.nlmsg_type == NLMSG_ERROR)
		die("the kernel has no family akm");
	while (at + NLA_HDRLEN <= (size_t)n) {
		const struct nlattr *a = (const struct nlattr *)(reply + at);

		if (a->nla_type == CTRL_ATTR_FAMILY_ID) {
			memcpy(&id, reply + at + NLA_HDRLEN, sizeof(id));
			if (recv(fd, reply, sizeof(reply), 0) < 0)	/* its acknowledgement */
				die("acknowledgement");
			return id;
		}
		at += NLA_ALIGN(a->nla_len);
	}
	die("family without id");
}

static void judge(const char *name, int error, const char *text, bool framing)
{
	bool good = error && (framing || *text);

	printf("%s %s: %s%s%s\n", good ? "ok  " : "FAIL", name, error ? strerror(error) : "it was taken",
	       *text ? ", " : "", *text ? text : (error ? ", without a word" : ""));
	if (!good)
		failures++;
}

static void run_cases(int fd, uint16_t family)
{
	struct request r;
	char text[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(&r, family, cases[i].command);
		cases[i].build(&r);
		judge(cases[i].name, ask(fd, &r, text, sizeof(text)), text, cases[i].framing);
	}
}

/* Every command, well formed but empty, from someone without CAP_NET_ADMIN. */
static void run_unprivileged(uint16_t family)
{
	struct request r;
	char text[256];
	int fd;

	if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
		die("dropping privilege");
	fd = open_socket();
	for (uint8_t command = AKM_CMD_DEV_GET; command < AKM_CMD_EVENT; command++) {
		int error;

		begin(&r, family, command);
		dev(&r);
		error = ask(fd, &r, text, sizeof(text));
		printf("%s command %u without CAP_NET_ADMIN: %s\n", error == EPERM ? "ok  " : "FAIL", command,
		       error ? strerror(error) : "it was taken");
		if (error != EPERM)
			failures++;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	uint16_t family;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: nlbad INTERFACE\n");
		return 2;
	}
	interface = argv[1];
	fd = open_socket();
	family = family_id(fd);
	run_cases(fd, family);
	close(fd);
	run_unprivileged(family);
	printf("%u of the requests were not refused as they should\n", failures);
	return failures ? 1 : 0;
}
