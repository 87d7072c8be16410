// SPDX-License-Identifier: GPL-2.0
#include <linux/genetlink.h>
#include <linux/module.h>
#include <net/rtnetlink.h>
#include "aead.h"
#include "buffer.h"
#include "device.h"
#include "kdf.h"
#include "netlink.h"

static int __init akm_init(void)
{
	int err;

	err = akm_kdf_init();
	if (err)
		return err;
	err = akm_device_init();
	if (err)
		goto err_kdf;
	err = akm_netlink_init();
	if (err)
		goto err_device;
	return 0;

err_device:
	akm_device_exit();
err_kdf:
	akm_kdf_exit();
	return err;
}

static void __exit akm_exit(void)
{
	akm_netlink_exit();
	akm_device_exit();
	akm_buffer_exit();
	akm_aead_exit();
	akm_kdf_exit();
}

module_init(akm_init);
module_exit(akm_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Autonomous key management: group tunnels with self-refreshing keys");
MODULE_VERSION(AKM_MODULE_VERSION);
MODULE_ALIAS_RTNL_LINK(KBUILD_MODNAME);
MODULE_ALIAS_GENL_FAMILY(AKM_GENL_NAME);
