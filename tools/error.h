/* SPDX-License-Identifier: GPL-2.0 */
/* Why a command was refused, for a person. Knows no sibling. */
#ifndef AKMCTL_ERROR_H
#define AKMCTL_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#define _cleanup_(fn)	__attribute__((cleanup(fn)))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * Filled only by what fails. @attr is the netlink attribute that the kernel
 * complained about: whoever knows the command's words turns it into @field.
 */
struct akm_error {
	int code;			/* positive errno */
	bool usage;			/* the command line is at fault: exit status 2 */
	bool silent;			/* everything has been said on standard output */
	uint16_t attr;
	char field[64];
	char reason[384];
};

/* Return: -@code, so that a caller can return it on. */
__attribute__((format(printf, 4, 5)))
int akm_error_set(struct akm_error *e, int code, const char *field, const char *fmt, ...);

/* Fills in the field of an error which does not have one yet. */
void akm_error_field(struct akm_error *e, const char *field);

#endif /* AKMCTL_ERROR_H */
