/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs of the VM lane say about their arguments, and of what went wrong. */
#ifndef AKM_TEST_ARGS_H
#define AKM_TEST_ARGS_H

extern const char usage_text[];			/* the program's own: "NAME ARGUMENTS" */

_Noreturn void usage(void);			/* exits with 2 */
_Noreturn void die(const char *what);		/* says errno as well; exits with 1 */
/* A decimal number from 1 to @max, or usage(). */
unsigned long number(const char *text, unsigned long max);

#endif /* AKM_TEST_ARGS_H */
