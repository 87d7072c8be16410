// SPDX-License-Identifier: GPL-2.0
/*
 * Overlay prefixes: longest match, as which addresses belong to whom decides
 * whom a packet goes to and whom it is taken from. Mutants: mutants.txt.
 */
#include "prefix.h"

#include <linux/inet.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "atr.h"
#include "util.h"

#define NOBODY	0xffff

struct entry {
	const char *text;
	u16 owner;
};

struct table {
	struct akm_prefixes prefixes;
	struct akm_member members[16];
	struct list_head list;		/* struct akm_prefix */
};

static struct akm_prefix_key key_of(struct kunit *test, const char *text)
{
	struct akm_prefix_key key = {};
	const char *slash = strchr(text, '/');
	u8 len = 0;

	KUNIT_ASSERT_NOT_NULL(test, slash);
	KUNIT_ASSERT_EQ(test, 0, kstrtou8(slash + 1, 10, &len));
	key.family = strchr(text, ':') ? AF_INET6 : AF_INET;
	key.len = len;
	if (key.family == AF_INET)
		KUNIT_ASSERT_EQ(test, 1, in4_pton(text, slash - text, (u8 *)key.addr, -1, NULL));
	else
		KUNIT_ASSERT_EQ(test, 1, in6_pton(text, slash - text, (u8 *)key.addr, -1, NULL));
	return key;
}

static struct table *table_create(struct kunit *test)
{
	struct table *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_ASSERT_EQ(test, 0, akm_prefixes_init(&t->prefixes));
	INIT_LIST_HEAD(&t->list);
	for (i = 0; i < ARRAY_SIZE(t->members); i++)
		t->members[i].index = i;
	return t;
}

static int table_add(struct kunit *test, struct table *t, const struct entry *e)
{
	struct akm_prefix *p = kzalloc(sizeof(*p), GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->key = key_of(test, e->text);
	p->member = &t->members[e->owner];
	err = akm_prefix_insert(&t->prefixes, p);
	if (err)
		kfree(p);
	else
		list_add_tail(&p->list, &t->list);
	return err;
}

static void table_remove(struct kunit *test, struct table *t, const char *text)
{
	struct akm_prefix_key key = key_of(test, text);
	struct akm_prefix *p = akm_prefix_find(&t->prefixes, &key);

	KUNIT_ASSERT_NOT_NULL(test, p);
	list_del(&p->list);
	akm_prefix_remove(&t->prefixes, p);
}

static void table_destroy(struct table *t)
{
	struct akm_prefix *p, *next;

	list_for_each_entry_safe(p, next, &t->list, list) {
		list_del(&p->list);
		akm_prefix_remove(&t->prefixes, p);
	}
	akm_prefixes_free(&t->prefixes);
}

static u16 lookup(struct kunit *test, struct table *t, const char *address)
{
	struct akm_member *owner;
	struct in6_addr in6;
	__be32 in4;
	u16 index;

	rcu_read_lock();
	if (strchr(address, ':')) {
		in6_pton(address, -1, in6.s6_addr, -1, NULL);
		owner = akm_prefix_lookup6(&t->prefixes, &in6);
	} else {
		in4_pton(address, -1, (u8 *)&in4, -1, NULL);
		owner = akm_prefix_lookup4(&t->prefixes, in4);
	}
	index = owner ? owner->index : NOBODY;
	rcu_read_unlock();
	return index;
}

static void expect_owners(struct kunit *test, struct table *t, const struct entry *e, int n)
{
	int i;

	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ_MSG(test, lookup(test, t, e[i].text), e[i].owner, "%s", e[i].text);
}

static const struct entry plan[] = {
	{ "10.77.0.0/16", 1 }, { "10.77.3.0/24", 2 }, { "10.77.3.4/32", 3 },
	{ "192.168.0.0/31", 4 }, { "128.0.0.0/1", 5 },
	{ "fd77::/16", 6 }, { "fd77::3:0/112", 7 }, { "fd77::3:4/128", 8 },
	{ "2001:db8:0:0:8000::/65", 9 },
};

static void prefix_owns_nothing_when_empty(struct kunit *test)
{
	struct table *t = table_create(test);
	static const struct entry want[] = {
		{ "0.0.0.0", NOBODY }, { "10.77.3.4", NOBODY }, { "::", NOBODY },
		{ "fd77::3:4", NOBODY },
	};

	expect_owners(test, t, want, ARRAY_SIZE(want));
	table_destroy(t);
}

static void prefix_refuses_twice(struct kunit *test)
{
	static const struct entry first = { "10.77.0.0/16", 1 }, again = { "10.77.0.0/16", 2 };
	struct table *t = table_create(test);

	KUNIT_EXPECT_EQ(test, table_add(test, t, &first), 0);
	KUNIT_EXPECT_EQ(test, table_add(test, t, &again), -EEXIST);
	KUNIT_EXPECT_EQ(test, lookup(test, t, "10.77.9.9"), 1);
	table_remove(test, t, "10.77.0.0/16");
	KUNIT_EXPECT_EQ(test, lookup(test, t, "10.77.9.9"), NOBODY);
	table_destroy(t);
}

static void prefix_host_bits(struct kunit *test)
{
	static const struct {
		const char *text;
		bool bad;
	} t[] = {
		{ "10.77.0.1/16", true }, { "0.0.0.1/0", true }, { "10.0.0.1/31", true },
		{ "fd77::1/64", true }, { "::1/127", true }, { "8000::/0", true },
		{ "2001:db8:0:0:8000::/64", true },
		{ "10.77.0.0/16", false }, { "0.0.0.0/0", false }, { "10.0.0.1/32", false },
		{ "::/0", false }, { "::1/128", false }, { "2001:db8:0:0:8000::/65", false },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		struct akm_prefix_key key = key_of(test, t[i].text);

		KUNIT_EXPECT_EQ_MSG(test, akm_prefix_has_host_bits(&key), t[i].bad, "%s",
				    t[i].text);
	}
}

static void prefix_longest_wins(struct kunit *test)
{
	static const struct entry want[] = {
		{ "10.77.3.4", 3 }, { "10.77.3.5", 2 }, { "10.77.3.255", 2 }, { "10.77.4.0", 1 },
		{ "10.76.255.255", NOBODY }, { "10.78.0.0", NOBODY }, { "127.255.255.255", NOBODY },
		{ "192.168.0.0", 4 }, { "192.168.0.1", 4 }, { "192.168.0.2", 5 },
		{ "128.0.0.0", 5 }, { "255.255.255.255", 5 },
		{ "fd77::3:4", 8 }, { "fd77::3:5", 7 }, { "fd77::3:ffff", 7 }, { "fd77::4:0", 6 },
		{ "fd77:ffff::", 6 }, { "fd78::", NOBODY }, { "fd76:ffff::", NOBODY },
		{ "2001:db8:0:0:8000::1", 9 }, { "2001:db8:0:0:7fff::", NOBODY },
		{ "2001:db8:0:0:ffff::", 9 },
		/* a v4 address is not the v6 address that starts with the same bytes */
		{ "a4d:304::", NOBODY },
	};
	struct table *t = table_create(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(plan); i++)
		KUNIT_ASSERT_EQ(test, table_add(test, t, &plan[i]), 0);
	expect_owners(test, t, want, ARRAY_SIZE(want));
	table_destroy(t);
}

static void prefix_default_route(struct kunit *test)
{
	static const struct entry all4 = { "0.0.0.0/0", 1 }, all6 = { "::/0", 2 };
	struct table *t = table_create(test);

	KUNIT_ASSERT_EQ(test, table_add(test, t, &all4), 0);
	KUNIT_EXPECT_EQ(test, lookup(test, t, "0.0.0.0"), 1);
	KUNIT_EXPECT_EQ(test, lookup(test, t, "255.255.255.255"), 1);
	KUNIT_EXPECT_EQ(test, lookup(test, t, "::"), NOBODY);
	KUNIT_ASSERT_EQ(test, table_add(test, t, &all6), 0);
	KUNIT_EXPECT_EQ(test, lookup(test, t, "ffff::1"), 2);
	KUNIT_EXPECT_EQ(test, lookup(test, t, "1.2.3.4"), 1);
	table_destroy(t);
}

/* What is removed falls to the next shorter prefix, and to nobody after the last. */
static void prefix_removal(struct kunit *test)
{
	struct table *t = table_create(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(plan); i++)
		KUNIT_ASSERT_EQ(test, table_add(test, t, &plan[i]), 0);
	table_remove(test, t, "10.77.3.4/32");
	KUNIT_EXPECT_EQ(test, lookup(test, t, "10.77.3.4"), 2);
	table_remove(test, t, "10.77.3.0/24");
	KUNIT_EXPECT_EQ(test, lookup(test, t, "10.77.3.4"), 1);
	table_remove(test, t, "10.77.0.0/16");
	KUNIT_EXPECT_EQ(test, lookup(test, t, "10.77.3.4"), NOBODY);
	KUNIT_EXPECT_EQ(test, lookup(test, t, "fd77::3:4"), 8);
	table_remove(test, t, "fd77::3:4/128");
	KUNIT_EXPECT_EQ(test, lookup(test, t, "fd77::3:4"), 7);
	table_destroy(t);
}

/* Two prefixes of one length: the length must outlive the first one's removal. */
static void prefix_same_length(struct kunit *test)
{
	static const struct entry a = { "10.1.0.0/16", 1 }, b = { "10.2.0.0/16", 2 };
	struct table *t = table_create(test);

	KUNIT_ASSERT_EQ(test, table_add(test, t, &a), 0);
	KUNIT_ASSERT_EQ(test, table_add(test, t, &b), 0);
	table_remove(test, t, a.text);
	KUNIT_EXPECT_EQ(test, lookup(test, t, "10.1.0.1"), NOBODY);
	KUNIT_EXPECT_EQ(test, lookup(test, t, "10.2.0.1"), 2);
	table_destroy(t);
}

static u32 prefix_mask(unsigned int len)
{
	return len ? ~0U << (32 - len) : 0;
}

/* Random tables, every answer compared with a walk over all prefixes */
static void prefix_random(struct kunit *test)
{
	struct {
		u32 net;
		unsigned int len;
		u16 owner;
	} model[64];
	struct rnd_state rnd;
	char text[64];
	int i, n, round;

	for (round = 0; round < 20; round++) {
		struct table *t = table_create(test);

		prandom_seed_state(&rnd, round);
		for (i = 0, n = 0; i < ARRAY_SIZE(model); i++) {
			unsigned int len = prandom_u32_state(&rnd) % 33;
			u32 net = prandom_u32_state(&rnd) & 0x0f0fffff & prefix_mask(len);
			struct entry e = { text, prandom_u32_state(&rnd) % 16 };
			__be32 be = cpu_to_be32(net);
			int err;

			snprintf(text, sizeof(text), "%pI4/%u", &be, len);
			err = table_add(test, t, &e);
			if (err)
				KUNIT_ASSERT_EQ(test, err, -EEXIST);
			else
				model[n++] = (typeof(model[0])){ net, len, e.owner };
		}
		for (i = 0; i < 500; i++) {
			u32 addr = prandom_u32_state(&rnd) & 0x0f0fffff;
			__be32 be = cpu_to_be32(addr);
			int best = -1, k;

			for (k = 0; k < n; k++)
				if ((addr & prefix_mask(model[k].len)) == model[k].net &&
				    (best < 0 || model[k].len > model[best].len))
					best = k;
			snprintf(text, sizeof(text), "%pI4", &be);
			KUNIT_ASSERT_EQ_MSG(test, lookup(test, t, text),
					    best < 0 ? NOBODY : model[best].owner, "%s", text);
		}
		table_destroy(t);
	}
}

static struct kunit_case prefix_cases[] = {
	KUNIT_CASE(prefix_refuses_twice),
	KUNIT_CASE(prefix_host_bits),
	KUNIT_CASE(prefix_owns_nothing_when_empty),
	KUNIT_CASE(prefix_longest_wins),
	KUNIT_CASE(prefix_default_route),
	KUNIT_CASE(prefix_removal),
	KUNIT_CASE(prefix_same_length),
	KUNIT_CASE(prefix_random),
	{}
};

struct kunit_suite akm_prefix_suite = {
	.name = "akm_prefix",
	.test_cases = prefix_cases,
};
