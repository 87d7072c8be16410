/* SPDX-License-Identifier: GPL-2.0 */
/* Unix sockets in the file system. */
#ifndef AKM_UNIXSOCK_H
#define AKM_UNIXSOCK_H

#include <sys/socket.h>
#include <sys/un.h>

/**
 * unixsock_listen() - bind to a path, for the daemon's user alone, and listen
 * @fd: a stream socket
 * @a: where
 * @backlog: see listen(2)
 *
 * The file has mode 0600 before anybody can connect. The umask stays as it is: it is the
 * process's, and another thread may be making files and directories of its own.
 *
 * Return: 0 or a negative errno.
 */
int unixsock_listen(int fd, const struct sockaddr_un *a, int backlog);

#endif /* AKM_UNIXSOCK_H */
