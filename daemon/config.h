/* SPDX-License-Identifier: GPL-2.0 */
/*
 * akmd.conf: INI (libinih), strict. Unknown sections and keys, duplicates, values out of
 * range, keys that mean nothing for the role are refused with file, line, key and reason.
 * Comments start with # or ; ("; " after a value as well). Documented for people in akmd.conf(5).
 * Key = meaning (roles; default). "!" must be given.
 *
 *   [akmd]      role = root|manager|node (!)
 *               name = NAME (!; 1 … 63 of A-Z a-z 0-9 . _ -, not starting with a dot)
 *               state = DIR (/var/lib/akm/NAME)
 *               socket = PATH (/run/akm/NAME.sock)
 *               user = NAME (stay who we are)
 *               log = err|warning|notice|info|debug (info)
 *               secret_memory = BYTES, a power of two, 65536 … 2^30 (node: 1 MiB, manager and root: 16 MiB)
 *   [tpm]       tcti = TCTI (device:/dev/tpmrm0)
 *               counter_nv = HANDLE (0x01c0a4b0)   store_nv = HANDLE (0x01c0a4b1); 0x01000000 … 0x01ffffff, not the same
 *               ek_ca = FILE (root, manager; EK certificates are not checked)
 *   [hardware]  sources = LIST, see hwid.h (manager, node; ek,dmi:product_uuid)
 *   [link]      listen = ADDR:PORT (root, manager; [::]:7646)
 *               announce = HOST:PORT[,…] told to subjects (root, manager; none)
 *               endpoint = ADDR[:PORT][,…] of its data plane, port 0: the ATR's (node; the link's local address)
 *               roaming = yes|no, follow members that move (node; yes)
 *               keepalive = SECONDS, 0 … 86400, without a packet to a member until it is sent an empty one, 0: never (node; 0)
 *               flow_ports = LOW-HIGH|none, outer source ports by inner flow, as the other members have them (node; none)
 *               spread = yes|no, large packets are sealed and opened by several processors (node; no)
 *               group_link = INTERFACE on which the multicast groups of ATRs are (node; none: those that have one are refused)
 *               next_n = SECONDS, 60 … 31536000, how often the link key moves on (root, manager; 86400)
 *   [provision] listen = VIA where it waits while unprovisioned (manager, node; nowhere)
 *   [heartbeat] interval = MS, 100 … 3600000 (1000)
 *               missed = N, 2 … 1000 (5)
 *   [atr]       prepare_timeout = MS, 100 … 600000 (manager; 1000)
 *               grace = MS, 0 … 3600000, how long a replaced generation is still received (manager; 5000)
 *               epoch_interval = MS, 0 or 1000 … 2^31-1, 0: no timer (manager; 0)
 *               epoch_grace = MS, 0 … 3600000 (manager; 5000)
 *               fallback = yes|no, does a new ATR have one? (manager; yes)
 *   [attest]    pcrs = sha256:N[,N…]|none, of nodes that are provisioned from then on (manager; sha256:0,2,4,7)
 *               interval = SECONDS, 0 or 10 … 604800, between two quotes beside the one after each connect, 0: only that
 *                          (manager; 3600)
 *   [web]       listen = unix:/PATH or a loopback ADDR:PORT for page and metrics (root, manager; nowhere)
 *   [policy]    auth_fail, replay, clone, unknown_key, epoch_stale = COUNT/SECONDS:alert|rekey or off (manager)
 *               (auth_fail, replay: 100/10:rekey; clone: 1/60:rekey; unknown_key: 100/10:alert;
 *               epoch_stale: 1000/10:alert)
 *               hold_down = SECONDS, 0 … 86400, between two automatic rekeys of an ATR (manager; 60)
 *               fallback_after = MS, 1000 … 3600000, for how long the manager has to be away before a fallback is
 *                                entered (node; 15000)
 *               file = PATH of a policy, in place of all these; a root's goes to its managers, whose own is then read on
 *                      top of it; see akm-policy(5) (all; none)
 *               hooks = DIR of the programs that the policy may run (manager; none: it runs none)
 *               hooks_user = NAME as whom they are run (manager; nobody)
 */
#ifndef AKM_CONFIG_H
#define AKM_CONFIG_H

#include "bounds.h"
#include "msg.h"
#include "util.h"

#define CONFIG_LINES_MAX	4096
#define LINK_NAME_MAX		16		/* IFNAMSIZ: with the NUL */

enum config_action { ACTION_NONE, ACTION_ALERT, ACTION_REKEY };

struct config_rule { uint32_t count, seconds; enum config_action action; };	/* count 0: no rule */

struct config {
	enum msg_role role;
	char name[AKM_NAME_LEN];
	char *state, *socket, *user, *tcti, *ek_ca, *sources, *listen, *provision, *policy_file, *web, *hooks, *hooks_user;	/* owned, NULL if absent */
	int log_level;
	size_t secret_memory;
	uint32_t counter_nv, store_nv;
	char announce[ENDPOINTS_MAX][64]; size_t n_announce;
	struct msg_endpoint endpoints[ENDPOINTS_MAX]; size_t n_endpoints;
	bool roaming;
	uint32_t keepalive_s;
	uint16_t flow_port_low, flow_port_high;		/* 0: none */
	bool spread;
	char group_link[LINK_NAME_MAX];			/* empty: none */
	uint32_t link_next_s;
	uint32_t heartbeat_ms, heartbeat_missed;
	uint32_t prepare_timeout_ms, grace_ms, epoch_interval_ms, epoch_grace_ms, fallback_after_ms;
	bool fallback;
	uint32_t pcrs, attest_interval_s;	/* 0: none; only after connecting */
	struct config_rule auth_fail, replay, clone, unknown_key, epoch_stale;
	uint32_t hold_down_s;
};

/*
 * @err's field is "FILE:LINE: [section] key", or "FILE" where no line is to blame.
 * Return: 0, -EINVAL, -ENOMEM or why the file cannot be read.
 */
int config_load(const char *path, struct config *ret, struct akm_error *err);
void config_free(struct config *c);

#endif /* AKM_CONFIG_H */
