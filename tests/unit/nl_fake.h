/* SPDX-License-Identifier: GPL-2.0 */
/*
 * nl.h on kernels in memory that keep the rules of the uapi header, for tests of the
 * node without a module. Included by one test program, instead of linking nl.c. A
 * fake kernel outlives the daemons that talk to it, as a kernel does.
 */
#ifndef NL_FAKE_H
#define NL_FAKE_H

#include "nl.h"

struct fake_kernel;

struct fake_kernel *fake_kernel_new(void);
void fake_kernel_free(struct fake_kernel *k);
void fake_kernel_reboot(struct fake_kernel *k);		/* all state is lost */
void fake_kernel_use(struct fake_kernel *k);		/* the next nl_open() is on this one; NULL: no module */

/* Can what @from sends now on device @ifname be read by @to? Why not: *ret_why. */
bool fake_kernel_hears(struct fake_kernel *from, struct fake_kernel *to, const char *ifname, const char **ret_why);
/* @from sends something to @to, who tells its daemon what a kernel tells. */
void fake_kernel_talk(struct fake_kernel *from, struct fake_kernel *to, const char *ifname);
unsigned int fake_kernel_announces(struct fake_kernel *k);
/* Whether @k could read what is sent under any generation that @other holds there */
bool fake_kernel_shares_key(struct fake_kernel *k, struct fake_kernel *other, const char *ifname);
bool fake_kernel_holds(struct fake_kernel *k, const char *ifname, uint32_t generation);
uint32_t fake_kernel_active(struct fake_kernel *k, const char *ifname);		/* 0: no device or none */
const struct nl_dev *fake_kernel_dev(struct fake_kernel *k, const char *ifname);	/* its settings; NULL: no device */
const struct msg_member *fake_kernel_member(struct fake_kernel *k, const char *ifname, uint16_t index);	/* NULL: none */
uint32_t fake_kernel_incarnation(struct fake_kernel *k, const char *ifname);
uint32_t fake_kernel_freshness(struct fake_kernel *k, const char *ifname);	/* that generations were installed with */
/* Does @k hear what is sent to @group, and send to it with @ttl? */
bool fake_kernel_in_group(struct fake_kernel *k, const char *ifname, const char *group, uint8_t ttl);
bool fake_kernel_has_group(struct fake_kernel *k, const char *ifname);		/* it thinks so, at least */
bool fake_kernel_roams(struct fake_kernel *k);	/* the members that are set now */
bool fake_kernel_spreads(struct fake_kernel *k, const char *ifname);
uint32_t fake_kernel_flow_ports(struct fake_kernel *k, const char *ifname);	/* low << 16 | high */
uint32_t fake_kernel_keepalive(struct fake_kernel *k);	/* likewise, ms */
bool fake_kernel_unused(struct fake_kernel *k, const char *ifname, uint32_t generation);	/* was it said to be? */
uint64_t fake_kernel_epoch(struct fake_kernel *k, const char *ifname);		/* of the active one */
unsigned int fake_kernel_changes(struct fake_kernel *k);	/* requests that changed traffic: identity, install, activate, retire, delete */
bool fake_kernel_endpoint(struct fake_kernel *k, const char *ifname, uint16_t member, struct msg_endpoint *ret);

void fake_kernel_count(struct fake_kernel *k, const char *ifname, int stat, uint64_t add);	/* enum akm_a_stats */
void fake_kernel_event(struct fake_kernel *k, const struct nl_event *e);	/* to whoever listens */
void fake_kernel_roll(struct fake_kernel *k, const char *ifname);		/* one epoch, with its event */
void fake_kernel_lose_state(struct fake_kernel *k, const char *ifname);		/* resume: transmit keys dropped, with its event */
void fake_kernel_remove(struct fake_kernel *k, const char *ifname);		/* ip link del, by hand */
void fake_kernel_unlink(struct fake_kernel *k);		/* the link of groups, of whatever name, goes */
void fake_kernel_link(struct fake_kernel *k, uint32_t ifindex);	/* there is one again; 0: under a new number */
void fake_kernel_relink(struct fake_kernel *k);		/* both, under the same number, before anybody looks */
void fake_kernel_no_multicast(struct fake_kernel *k, bool no);	/* that link knows none (any more) */
void fake_kernel_unload(struct fake_kernel *k);		/* rmmod akm */
void fake_kernel_load(struct fake_kernel *k);		/* modprobe akm */
/* Virtual machine: what it was comes back. While nobody talks to @k. free() the snapshot with fake_kernel_free(). */
struct fake_kernel *fake_kernel_snapshot(const struct fake_kernel *k);
void fake_kernel_put_back(struct fake_kernel *k, const struct fake_kernel *snapshot);
/* Power: the changing requests after the next @n fail, until it is mended or rebooted. */
void fake_kernel_cut_after(struct fake_kernel *k, unsigned int n);
bool fake_kernel_is_cut(const struct fake_kernel *k);	/* nothing more goes through */
void fake_kernel_mend(struct fake_kernel *k);
void fake_kernel_fail(struct fake_kernel *k, int cmd, int r, unsigned int times);	/* enum akm_cmd */

#endif /* NL_FAKE_H */
