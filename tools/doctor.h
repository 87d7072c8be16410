/* SPDX-License-Identifier: GPL-2.0 */
/* What is missing on this machine, and how to mend it. */
#ifndef AKMCTL_DOCTOR_H
#define AKMCTL_DOCTOR_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

struct akm_ctx;

/* What the checks look at: a test gives a tree of its own instead of the machine. */
struct akm_doctor {
	struct akm_ctx *ctx;
	const char *root;		/* "" or the directory that stands for / */
	const char *release;		/* of the running kernel */
	const char *tpm;		/* device of the TPM's resource manager */
	const char *hooks;		/* directory of the programs that a policy runs; NULL: the usual one, if it is there */
	uint16_t port;
	int64_t now;			/* seconds since 1970 */
	bool clock_synchronised;
	bool live;			/* may ask the kernel: sockets, netlink, limits */
	struct json_object *findings;	/* {check, state: ok|warn|fail, text, mend?} */
};

/* Fills d->findings, a new array. Return: how many of them failed, or -ENOMEM. */
int akm_doctor_examine(struct akm_doctor *d);

#endif /* AKMCTL_DOCTOR_H */
