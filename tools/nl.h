/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Netlink to the akm module (generic netlink) and to rtnetlink: requests out,
 * replies in, refusals in the kernel's own words. A test replaces struct akm_nl
 * and sees the messages instead of the kernel.
 */
#ifndef AKMCTL_NL_H
#define AKMCTL_NL_H

#include <stddef.h>
#include <stdint.h>

#include <linux/netlink.h>

#include "command.h"
#include "error.h"

struct nl_msg;
struct nl_sock;

/* One reply. A negative result ends the exchange with that error, @e filled. */
typedef int (*akm_nl_reply_fn)(struct nlmsghdr *h, void *arg, struct akm_error *e);

struct akm_nl {
	/* Number of the family. Return: negative errno, ENOPKG if the module is not there. */
	int (*family)(struct akm_nl *nl, struct akm_error *e);
	/*
	 * Sends @msg over @proto and waits for the acknowledgement or the end of
	 * the dump. @reply may be NULL. -EAGAIN: a dump was interrupted by a change.
	 */
	int (*talk)(struct akm_nl *nl, int proto, struct nl_msg *msg, akm_nl_reply_fn reply, void *arg,
		    struct akm_error *e);
	void (*close)(struct akm_nl *nl);
};

/* Gives @ctx a connection to the kernel unless it has one. */
void akm_nl_open(struct akm_ctx *ctx);
void akm_nl_close(struct akm_ctx *ctx);

#define AKM_MSG_ROOM	8192		/* all but messages full of pair chains */

/* A request of the akm family; @room bytes. Return: 0, or a negative errno with @e filled. */
int akm_nl_request(struct akm_ctx *ctx, uint8_t cmd, int flags, size_t room, struct nl_msg **ret,
		   struct akm_error *e);
/* Wipes the buffer, which may hold a secret, and frees it. */
void akm_nl_msg_freep(struct nl_msg **msg);

/* Adds every value that has an attribute. */
int akm_nl_put_values(struct nl_msg *msg, const struct akm_values *v, struct akm_error *e);

/* Sends a request of the akm family. */
int akm_nl_talk(struct akm_ctx *ctx, struct nl_msg *msg, akm_nl_reply_fn reply, void *arg, struct akm_error *e);

/*
 * From a NLMSG_ERROR message to words: extack text, and the attribute of
 * @request that was at fault or missing. Pure. Return: negative errno.
 */
int akm_nl_explain(const struct nlmsghdr *err, const struct nlmsghdr *request, struct akm_error *e);

#endif /* AKMCTL_NL_H */
