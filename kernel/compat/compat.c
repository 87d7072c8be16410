// SPDX-License-Identifier: GPL-2.0
#include "compat.h"

#include <linux/atomic.h>

#ifdef AKM_EXTACK_RING
char *akm_extack_buffer(void)
{
	static char ring[AKM_EXTACK_RING][AKM_EXTACK_LEN];
	static atomic_t next;

	return ring[(u32)atomic_inc_return(&next) % AKM_EXTACK_RING];
}
#endif
