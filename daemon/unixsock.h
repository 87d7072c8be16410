/* SPDX-License-Identifier: GPL-2.0 */
/* Unix sockets in the file system. */
#ifndef AKM_UNIXSOCK_H
#define AKM_UNIXSOCK_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "util.h"

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

/* Where we serve: what is removed in the end is ours. */
struct unixsock_place {
	char path[sizeof_field(struct sockaddr_un, sun_path)];
	dev_t dev;
	ino_t ino;
};

/*
 * Makes @path's directory (mode 0700) where it is missing, replaces a socket that nobody serves, and listens; not
 * blocking. @err names @field. Return: 0, -EADDRINUSE, -EPERM (others may write to the directory), -EEXIST (@path
 * is no socket), …
 */
int unixsock_serve(const char *path, const char *field, int backlog, struct unixsock_place *ret, int *ret_fd,
		   struct akm_error *err);
void unixsock_withdraw(const struct unixsock_place *p);		/* zeroed is fine */

#endif /* AKM_UNIXSOCK_H */
