// SPDX-License-Identifier: GPL-2.0
/*
 * What the control path costs as an ATR grows: the daemon's own netlink code puts ATRs of 10 to
 * 10,000 members into the kernel, and asks ubench.ko how much processor time that took of it.
 *
 *	growth REPETITIONS MEMBERS...
 *
 * Process 1 is growth-init.sh; the result is lines for growth.py:
 *
 *	akm-growth: time TEST KIND MEMBERS NS
 *	akm-growth: bytes KIND MEMBERS BYTES	of each member
 *
 * In kind "idle" nobody talks, and the members have what their keys are made from; "talking" has
 * the keys of all of them made, in every epoch (warm.h). An interface is down: nothing is sent.
 */
#include "nl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IFNAME		"akm0"
#define BIT(n)		(1U << (n))
#define EPOCH		5
#define WARM_MEMBERS	"/sys/module/akm/parameters/warm_members"

static struct nl *nl;
static struct akm_error error;
static struct msg_atr_prepare prepare;
static uint32_t incarnation;		/* of the namespace: only ever grows */

static const struct kind {
	const char *name, *warm_members;
} kinds[] = { { "idle", "0" }, { "talking", "65535" } };

static void die(const char *what)
{
	printf("akm-growth: broken %s: %s %s: %s\n", what, error.field, error.reason, strerror(errno));
	exit(1);
}

static void need(const char *what, int r)
{
	if (r < 0) {
		errno = -r;
		die(what);
	}
}

#define NEED(call) need(#call, call)

/* ---- the machine's own figures ---- */

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) < 0)
		die(path);
}

/* The number behind @name in @path, of all lines that begin with it */
static uint64_t number_in(const char *path, const char *name)
{
	FILE *f = fopen(path, "re");
	uint64_t value = UINT64_MAX;
	char line[256];

	if (!f)
		die(path);
	while (value == UINT64_MAX && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			value = strtoull(line + strlen(name), NULL, 10);
	fclose(f);
	if (value == UINT64_MAX)
		die(name);
	return value;
}

/* Processor time of the kernel so far, when it has done what it had put off */
static uint64_t busy_ns(void)
{
	write_text("/proc/ubench", "busy");
	return number_in("/proc/ubench", "busy_ns ");
}

static uint64_t memory_bytes(void)
{
	return 1024 * (number_in("/proc/meminfo", "Slab:") + number_in("/proc/meminfo", "Percpu:") +
		       number_in("/proc/meminfo", "VmallocUsed:"));
}

/* ---- one measurement ---- */

static int count_member(uint16_t index, const char *name, const struct nl_stats *s, void *ctx)
{
	(void)index, (void)name, (void)s;
	++*(size_t *)ctx;
	return 0;
}

/* Member @index, 0 to @n: the device is 0. */
static void set_member(uint16_t index)
{
	struct msg_member m = {
		.index = index, .n_prefixes = 2,
		.prefixes = {
			{ .addr = { 10, 77, (uint8_t)(index >> 8), (uint8_t)index }, .addr_len = 4, .prefix_len = 32 },
			{ .addr = { 0xfd, 77, [14] = (uint8_t)(index >> 8), (uint8_t)index }, .addr_len = 16, .prefix_len = 128 },
		},
		.endpoint = { .addr = { 192, 0, 2, 1 }, .addr_len = 4, .port = 7645 },
	};

	snprintf(m.name, sizeof(m.name), "EdgeNode%u", index);
	NEED(nl_member_set(nl, IFNAME, &m, 7645, &error));
}

static void add_device(void)
{
	const struct nl_dev d = {
		.ifname = IFNAME, .atr_id = 7, .suite = AKM_SUITE_AES256GCM, .incarnation = ++incarnation,
	};

	NEED(nl_dev_add(nl, IFNAME, &error));
	NEED(nl_dev_set(nl, &d, BIT(AKM_A_DEV_ATR_ID) | BIT(AKM_A_DEV_SELF) | BIT(AKM_A_DEV_SUITE) |
				BIT(AKM_A_DEV_INCARNATION), &error));
	set_member(0);
}

static void do_members(size_t n)
{
	for (size_t i = 1; i <= n; i++)
		set_member((uint16_t)i);
}

static void do_install(size_t n)
{
	prepare.n_pairs = n;
	prepare.pair_chains.len = n * AKM_CHAIN_LEN;
	NEED(nl_generation_install(nl, IFNAME, &prepare, &error));
}

static void do_roll(size_t n)
{
	(void)n;
	NEED(nl_epoch_roll(nl, IFNAME, prepare.generation, &error));
}

static void do_dump(size_t n)
{
	size_t seen = 0;

	NEED(nl_member_each(nl, IFNAME, count_member, &seen, &error));
	if (seen != n + 1)
		need("all members in a dump", -EPROTO);
}

static void do_erase(size_t n)
{
	(void)n;
	NEED(nl_generation_retire(nl, IFNAME, prepare.generation, &error));
}

static void do_remove(size_t n)
{
	(void)n;
	NEED(nl_dev_del(nl, IFNAME, &error));
}

static void timed(const char *test, void (*act)(size_t n), const struct kind *kind, size_t n)
{
	uint64_t begin = busy_ns();

	act(n);
	printf("akm-growth: time %s %s %zu %" PRIu64 "\n", test, kind->name, n, busy_ns() - begin);
}

/* A generation, from its installation to its end. The second roll has an epoch to erase, as all later ones. */
static void generation(const struct kind *kind, size_t n, uint64_t *ret_memory)
{
	prepare.generation++;
	prepare.key_id = 1000 + prepare.generation;
	memset(prepare.chain.data, (int)prepare.generation, AKM_CHAIN_LEN);
	prepare.chain.len = AKM_CHAIN_LEN;
	prepare.epoch = EPOCH;
	timed("install", do_install, kind, n);
	NEED(nl_generation_activate(nl, IFNAME, prepare.generation, 0, &error));
	do_roll(n);
	*ret_memory = memory_bytes();
	timed("roll", do_roll, kind, n);
	timed("dump", do_dump, kind, n);
	timed("erase", do_erase, kind, n);
}

static void measure(const struct kind *kind, size_t n, unsigned int repetitions)
{
	uint64_t before, memory, ignored;

	write_text(WARM_MEMBERS, kind->warm_members);
	add_device();
	before = memory_bytes();
	timed("member", do_members, kind, n);
	generation(kind, n, &memory);
	printf("akm-growth: bytes %s %zu %" PRIu64 "\n", kind->name, n, memory > before ? (memory - before) / n : 0);
	while (--repetitions)
		generation(kind, n, &ignored);
	timed("remove", do_remove, kind, n);
}

static void prepare_pairs(void)
{
	uint8_t *chains = malloc(AKM_MEMBERS_MAX * AKM_CHAIN_LEN);

	prepare.pairs = calloc(AKM_MEMBERS_MAX, sizeof(*prepare.pairs));
	if (!chains || !prepare.pairs)
		need("memory", -ENOMEM);
	for (size_t i = 0; i < AKM_MEMBERS_MAX; i++) {
		prepare.pairs[i].index = (uint16_t)(i + 1);
		memset(chains + i * AKM_CHAIN_LEN, (int)i, AKM_CHAIN_LEN);
	}
	prepare.pair_chains.data = chains;
	prepare.chain.data = malloc(AKM_CHAIN_LEN);
	if (!prepare.chain.data)
		need("memory", -ENOMEM);
}

static void no_event(void *ctx, const struct nl_event *e)
{
	(void)ctx, (void)e;
}

/* Nobody reads the events: that some are lost is no surprise. */
static void no_change(void *ctx, enum nl_change change)
{
	(void)ctx, (void)change;
}

int main(int argc, char **argv)
{
	struct event_base *base = event_base_new();
	unsigned int repetitions = argc > 1 ? (unsigned int)atoi(argv[1]) : 0;
	size_t k;
	int i;

	if (argc < 3 || !repetitions) {
		fprintf(stderr, "usage: growth REPETITIONS MEMBERS...\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	NEED(nl_open(base, no_event, no_change, NULL, &nl, &error));
	prepare_pairs();
	for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (i = 2; i < argc; i++)
			measure(&kinds[k], (size_t)atoi(argv[i]), repetitions);
	nl_free(nl);
	event_base_free(base);
	free(prepare.pairs);
	free(prepare.pair_chains.data);
	free(prepare.chain.data);
	printf("akm-growth: end\n");
	return 0;
}
