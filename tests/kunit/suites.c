// SPDX-License-Identifier: GPL-2.0
/* akm_test.ko: the list of suites, one per part of the module. */
#include "util.h"

#include <linux/module.h>

kunit_test_suites(&akm_kdf_suite, &akm_proto_suite, &akm_replay_suite, &akm_aead_suite,
		  &akm_prefix_suite, &akm_monitor_suite, &akm_keys_suite,
		  &akm_netlink_suite, &akm_gso_suite, &akm_fresh_suite,
		  &akm_hello_suite, &akm_ahead_suite, &akm_catch_up_suite, &akm_announce_suite,
		  &akm_warm_suite, &akm_atr_suite, &akm_ecn_suite, &akm_keepalive_suite,
		  &akm_flow_suite, &akm_refuse_suite, &akm_spread_suite,
		  &akm_sending_suite, &akm_receiving_suite);

MODULE_DESCRIPTION("KUnit suites of Autonomous Key Management");
MODULE_LICENSE("GPL");
