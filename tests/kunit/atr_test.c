// SPDX-License-Identifier: GPL-2.0
/*
 * Whose an inner address is, on a real device whose members change: a guess may spare a
 * look-up, never change its result. Mutants: mutants.txt.
 */
#include "inner.h"

#include <linux/inet.h>
#include <linux/slab.h>

#include "util.h"

#define NET	1		/* has the network, and the first of its addresses */
#define HOST	2		/* has one other address of that network */

static void add_prefix(struct kunit *test, struct akm_member_config *config, const char *addr,
		       u8 len)
{
	bool v6 = strchr(addr, ':');
	struct akm_prefix *prefix = kzalloc(sizeof(*prefix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, prefix);
	prefix->key.family = v6 ? AF_INET6 : AF_INET;
	prefix->key.len = len;
	if (v6)
		KUNIT_ASSERT_EQ(test, in6_pton(addr, -1, (u8 *)prefix->key.addr, -1, NULL), 1);
	else
		prefix->key.addr[0] = in_aton(addr);
	list_add_tail(&prefix->list, &config->prefixes);
	config->prefix_count++;
}

static void set_member(struct kunit *test, struct akm_member_config *config)
{
	struct akm_device *akm = test->priv;
	int err;

	mutex_lock(&akm->lock);
	err = akm_member_set(akm, config, NULL);
	mutex_unlock(&akm->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

/* With its whole addresses, or with a shorter prefix that has them */
static void set_net(struct kunit *test, bool whole)
{
	struct akm_member_config config = { .index = NET };

	INIT_LIST_HEAD(&config.prefixes);
	add_prefix(test, &config, "10.1.0.0", 16);
	add_prefix(test, &config, "fd00::", 64);
	if (whole) {
		add_prefix(test, &config, "10.1.0.1", 32);
		add_prefix(test, &config, "fd00::1", 128);
	}
	set_member(test, &config);
}

static void set_host(struct kunit *test, const char *addr4, const char *addr6)
{
	struct akm_member_config config = { .index = HOST };

	INIT_LIST_HEAD(&config.prefixes);
	if (addr4)
		add_prefix(test, &config, addr4, 32);
	if (addr6)
		add_prefix(test, &config, addr6, 128);
	set_member(test, &config);
}

/* Whoever is guessed, it is @owner's. */
static void expect_owner(struct kunit *test, const char *addr, u16 owner)
{
	struct akm_member *found, *guess;
	struct akm_device *akm = test->priv;
	struct in6_addr in6;
	u16 index;

	rcu_read_lock();
	for (index = 0; index <= HOST; index++) {
		guess = akm_member_find(akm, index);	/* of 0 there is none */
		if (in6_pton(addr, -1, in6.s6_addr, -1, NULL))
			found = akm_inner_owner6(akm, &in6, guess);
		else
			found = akm_inner_owner4(akm, in_aton(addr), guess);
		KUNIT_EXPECT_EQ_MSG(test, found ? found->index : 0, owner, "%s, guess %u", addr,
				    index);
	}
	rcu_read_unlock();
}

static void atr_owner_is_who_has_the_longest(struct kunit *test)
{
	set_net(test, true);
	set_host(test, "10.1.0.2", "fd00::2");
	expect_owner(test, "10.1.0.1", NET);
	expect_owner(test, "10.1.0.2", HOST);
	expect_owner(test, "10.1.0.3", NET);
	expect_owner(test, "10.2.0.1", 0);
	expect_owner(test, "fd00::1", NET);
	expect_owner(test, "fd00::2", HOST);
	expect_owner(test, "fd00::3", NET);
	expect_owner(test, "fd01::1", 0);
}

static void atr_owner_changes(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	set_net(test, true);
	set_host(test, "10.1.0.2", "fd00::2");
	set_net(test, false);
	set_host(test, "10.1.0.1", "fd00::1");		/* what was the other's */
	expect_owner(test, "10.1.0.1", HOST);
	expect_owner(test, "10.1.0.2", NET);
	expect_owner(test, "fd00::1", HOST);
	expect_owner(test, "fd00::2", NET);

	set_host(test, "10.1.0.0", "fd00::");		/* how the other's prefixes are written */
	expect_owner(test, "10.1.0.0", HOST);
	expect_owner(test, "fd00::", HOST);

	set_host(test, NULL, "fd00::1");		/* of one family only */
	expect_owner(test, "10.1.0.1", NET);
	expect_owner(test, "fd00::1", HOST);

	mutex_lock(&akm->lock);
	akm_member_delete(akm, akm_member_find(akm, HOST));
	mutex_unlock(&akm->lock);
	expect_owner(test, "fd00::1", NET);
}

/* Who is deleted may be held, by a key, for longer. */
static void atr_deleted_owns_nothing(struct kunit *test)
{
	struct akm_device *akm = test->priv;
	struct akm_member *member;

	set_host(test, "10.1.0.2", "fd00::2");
	mutex_lock(&akm->lock);
	member = akm_member_find(akm, HOST);
	akm_member_get(member);
	akm_member_delete(akm, member);
	mutex_unlock(&akm->lock);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(member->host4));
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(member->host6));
	akm_member_put(member);
}

static int atr_init(struct kunit *test)
{
	test->priv = netdev_priv(akm_test_device(test, "akma0"));
	return 0;
}

static void atr_exit(struct kunit *test)
{
	struct akm_device *akm = test->priv;

	if (akm)
		akm_test_device_delete(akm->dev);
}

static struct kunit_case atr_cases[] = {
	KUNIT_CASE(atr_owner_is_who_has_the_longest),
	KUNIT_CASE(atr_owner_changes),
	KUNIT_CASE(atr_deleted_owns_nothing),
	{}
};

struct kunit_suite akm_atr_suite = {
	.name = "akm_atr",
	.suite_init = akm_test_module_init,
	.suite_exit = akm_test_module_exit,
	.init = atr_init,
	.exit = atr_exit,
	.test_cases = atr_cases,
};
