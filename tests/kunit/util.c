// SPDX-License-Identifier: GPL-2.0
#include "util.h"

#include <linux/kernel.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/string.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>

#include "aead.h"
#include "device.h"
#include "kdf.h"

struct blob akm_test_hex(struct kunit *test, const char *hex)
{
	struct blob blob = { .len = strlen(hex) / 2 };

	KUNIT_ASSERT_EQ(test, strlen(hex) % 2, 0);
	blob.data = kunit_kzalloc(test, blob.len + 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, blob.data);
	KUNIT_ASSERT_EQ(test, hex2bin(blob.data, hex, blob.len), 0);
	return blob;
}

int akm_test_module_init(struct kunit_suite *suite)
{
	int err = akm_kdf_init();

	if (err)
		return err;
	err = akm_device_init();
	if (err)
		akm_kdf_exit();
	return err;
}

void akm_test_module_exit(struct kunit_suite *suite)
{
	akm_device_exit();
	akm_aead_exit();
	akm_kdf_exit();
}

struct net_device *akm_test_device(struct kunit *test, const char *name)
{
	struct nlattr *tb[IFLA_MAX + 1] = {};
	struct net_device *dev;
	int err;

	rtnl_lock();
	dev = rtnl_create_link(&init_net, name, NET_NAME_USER, &akm_link_ops, tb, NULL);
	err = PTR_ERR_OR_ZERO(dev);
	if (!err)
		err = akm_link_ops.newlink(&init_net, dev, tb, NULL, NULL);
	rtnl_unlock();
	KUNIT_ASSERT_EQ(test, err, 0);
	return dev;
}

void akm_test_device_delete(struct net_device *dev)
{
	rtnl_lock();
	unregister_netdevice(dev);
	rtnl_unlock();
}
