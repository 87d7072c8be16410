/* SPDX-License-Identifier: GPL-2.0 */
#ifndef AKMCTL_MONITOR_H
#define AKMCTL_MONITOR_H

#include <json-c/json.h>

#include "command.h"

/* One event, on one line, as text or as JSON. */
void akm_event_print(struct akm_ctx *ctx, struct json_object *event);
/* Says that the kernel had to drop events at @time_ns: the output has a hole here. */
void akm_event_print_lost(struct akm_ctx *ctx, uint64_t time_ns);

struct nl_sock;

/*
 * Prints the events that come over @sk, of device @ifname only unless it is NULL,
 * until there were @count (0: for ever). Takes over the socket's callbacks.
 */
int akm_monitor_receive(struct akm_ctx *ctx, struct nl_sock *sk, const char *ifname, uint64_t count,
			struct akm_error *e);

#endif /* AKMCTL_MONITOR_H */
