/* SPDX-License-Identifier: GPL-2.0 */
/* What the suites share. */
#ifndef _AKM_TEST_UTIL_H
#define _AKM_TEST_UTIL_H

#include <kunit/test.h>
#include <linux/types.h>

struct blob {			/* freed with the test */
	u8 *data;
	size_t len;
};

/* The bytes of a vector's hex string. Bad hex fails the test. */
struct blob akm_test_hex(struct kunit *test, const char *hex);

/* What the module's init ladder does, but for netlink; for suites. */
int akm_test_module_init(struct kunit_suite *suite);
void akm_test_module_exit(struct kunit_suite *suite);

/* A device in the first network namespace. Failure fails the test. */
struct net_device *akm_test_device(struct kunit *test, const char *name);
void akm_test_device_delete(struct net_device *dev);

/* KUNIT_EXPECT_MEMEQ is newer than Linux 6.1. */
#define AKM_EXPECT_MEMEQ(test, a, b, len) \
	KUNIT_EXPECT_TRUE_MSG(test, !memcmp(a, b, len), \
			      "%s is %*phN, %s is %*phN", #a, (int)(len), a, #b, (int)(len), b)

#define AKM_EXPECT_MEMNEQ(test, a, b, len) \
	KUNIT_EXPECT_TRUE_MSG(test, memcmp(a, b, len), "%s equals %s", #a, #b)

extern struct kunit_suite akm_aead_suite;
extern struct kunit_suite akm_ahead_suite;
extern struct kunit_suite akm_atr_suite;
extern struct kunit_suite akm_catch_up_suite;
extern struct kunit_suite akm_ecn_suite;
extern struct kunit_suite akm_flow_suite;
extern struct kunit_suite akm_fresh_suite;
extern struct kunit_suite akm_gso_suite;
extern struct kunit_suite akm_hello_suite;
extern struct kunit_suite akm_kdf_suite;
extern struct kunit_suite akm_keepalive_suite;
extern struct kunit_suite akm_keys_suite;
extern struct kunit_suite akm_monitor_suite;
extern struct kunit_suite akm_netlink_suite;
extern struct kunit_suite akm_prefix_suite;
extern struct kunit_suite akm_proto_suite;
extern struct kunit_suite akm_receiving_suite;
extern struct kunit_suite akm_refuse_suite;
extern struct kunit_suite akm_replay_suite;
extern struct kunit_suite akm_announce_suite;
extern struct kunit_suite akm_sending_suite;
extern struct kunit_suite akm_spread_suite;
extern struct kunit_suite akm_warm_suite;

#endif /* _AKM_TEST_UTIL_H */
