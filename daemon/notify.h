/* SPDX-License-Identifier: GPL-2.0 */
/* The service manager's notification socket, sd_notify(3): one datagram, not worth a library. */
#ifndef AKM_NOTIFY_H
#define AKM_NOTIFY_H

/* Sends @state ("READY=1") to $NOTIFY_SOCKET. Return: 0, also if there is none; negative errno. */
int notify_send(const char *state);

#endif /* AKM_NOTIFY_H */
