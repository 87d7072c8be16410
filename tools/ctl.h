/* SPDX-License-Identifier: GPL-2.0 */
/* The client's half of the control protocol of akm-ctl.h. */
#ifndef AKMCTL_CTL_H
#define AKMCTL_CTL_H

#include <json-c/json.h>
#include <stddef.h>

#include "error.h"

#define AKM_CTL_PATH_MAX	108	/* sun_path */

/*
 * Which socket: @option (--socket), else @env (AKM_SOCKET), else the only *.sock
 * in @dir. Both may be NULL.
 */
int akm_ctl_find(const char *option, const char *env, const char *dir, char ret_path[AKM_CTL_PATH_MAX],
		 struct akm_error *e);

/* Return: file descriptor, or a negative errno with the way out in @e. */
int akm_ctl_connect(const char *path, struct akm_error *e);

/*
 * What is asked over @fd from now on is answered within AKM_CTL_HURRY_S, or -ETIMEDOUT: the daemon hangs.
 * Return: @fd, or a negative errno, and it is closed.
 */
int akm_ctl_hurry(int fd, struct akm_error *e);
#define AKM_CTL_HURRY_S		5	/* one that is alive answers at once */

/* A whole progress or item line; a negative result ends the request. */
typedef int (*akm_ctl_line_fn)(struct json_object *line, void *arg, struct akm_error *e);

/*
 * Sends one request and reads up to its answer. Takes ownership of @args (NULL: {}).
 * A refusal becomes @e, and -errno of its code.
 */
int akm_ctl_request(int fd, const char *cmd, struct json_object *args, akm_ctl_line_fn on_line, void *arg,
		    struct json_object **ret_result, struct akm_error *e);

#endif /* AKMCTL_CTL_H */
