/* SPDX-License-Identifier: GPL-2.0 */
/*
 * akmd.conf: INI (libinih), strict. Unknown sections and keys, duplicates, values out of
 * range are refused with file, line, key and reason. Documented for people in akmd.conf(5).
 *
 *   [akmd]    role = root|manager|node   name = NAME   state = DIR (default /var/lib/akm/NAME)
 *             socket = PATH (default /run/akm/NAME.sock)   user = NAME (optional, drop to it)
 *             log = debug|info|notice|warning|err   secret_memory = BYTES (power of two, default 1 MiB; 16 MiB for managers)
 *   [tpm]     tcti = device:/dev/tpmrm0   counter_nv = 0x01c0a4b0   store_nv = 0x01c0a4b1   ek_ca = FILE
 *   [hardware] sources = ek,dmi:product_uuid,mac:eth0      (manager and node: their own)
 *   [link]    listen = [::]:7646 (root, manager)   announce = HOST:PORT[,…] (told to subjects)
 *             endpoint = ADDR[,…] (node: of its data plane; default: the link's local address)
 *             next_n = SECONDS (manager, root: how often the link key moves on, default 86400)
 *   [provision] listen = VIA (node, manager: where it waits while unprovisioned)
 *   [heartbeat] interval = MS (default 1000)  missed = N (default 5)
 *   [atr]     prepare_timeout = MS (default 1000)  grace = MS (default 5000)  epoch_interval = MS (0)  epoch_grace = MS (5000)
 *   [policy]  auth_fail = COUNT/SECONDS:ACTION   replay = …   clone = …  unknown_key = … (ACTION alert|rekey)   hold_down = SECONDS
 */
#ifndef AKM_CONFIG_H
#define AKM_CONFIG_H

#include "bounds.h"
#include "msg.h"
#include "util.h"

enum config_action { ACTION_NONE, ACTION_ALERT, ACTION_REKEY };

struct config_rule { uint32_t count, seconds; enum config_action action; };	/* count 0: no rule */

struct config {
	enum msg_role role;
	char name[AKM_NAME_LEN];
	char *state, *socket, *user, *tcti, *ek_ca, *sources, *listen, *provision;	/* owned, NULL if absent */
	int log_level;
	size_t secret_memory;
	uint32_t counter_nv, store_nv;
	char announce[ENDPOINTS_MAX][64]; size_t n_announce;
	struct msg_endpoint endpoints[ENDPOINTS_MAX]; size_t n_endpoints;
	uint32_t link_next_s;
	uint32_t heartbeat_ms, heartbeat_missed;
	uint32_t prepare_timeout_ms, grace_ms, epoch_interval_ms, epoch_grace_ms;
	struct config_rule auth_fail, replay, clone, unknown_key;
	uint32_t hold_down_s;
};

/* @err's field is "FILE:LINE: key". */
int config_load(const char *path, struct config *ret, struct akm_error *err);
void config_free(struct config *c);

#endif /* AKM_CONFIG_H */
