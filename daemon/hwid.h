/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The hardware value: SHA-256 over what is unique to this machine. Which sources
 * count is configured, as a comma-separated list, order matters:
 *   ek              the EK's name (given by the caller)
 *   dmi:FIELD       /sys/class/dmi/id/FIELD, e.g. product_uuid, board_serial; without
 *                   white space at its ends; a maker's filler ("Default string") is refused
 *   mac:IFACE       permanent MAC (ETHTOOL_GPERMADDR), else the current one; its 6 bytes
 *   file:PATH       the contents of a file as they are, e.g. a fuse or device-tree serial;
 *                   at most HWID_CONTENT_MAX bytes; PATH has no comma
 * value = SHA-256("akm1 hardware" | for each: u16 len | name | u16 len | content), big-endian.
 */
#ifndef AKM_HWID_H
#define AKM_HWID_H

#include "util.h"

#define HWID_SOURCES_MAX 16
#define HWID_CONTENT_MAX 4096

/* @sysfs: "/sys" but for tests. An absent or empty source is an error that names it. */
int hwid_value(const char *sources, const struct akm_blob *ek_name, const char *sysfs,
	       uint8_t ret_value[AKM_DIGEST_LEN], struct akm_error *err);
int hwid_check(const char *sources, struct akm_error *err);	/* syntax only */

#endif /* AKM_HWID_H */
