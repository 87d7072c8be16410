/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A software TPM (swtpm) of one's own, behind a relay that stands for the bus: it
 * records what passes, answers in the TPM's place when told to, and stays there
 * while the TPM loses power. Every failure ends the test program.
 */
#ifndef SUPPORT_TPM_H
#define SUPPORT_TPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tpm;

struct tpm *tpm_start(void);		/* new state, ready when this returns */
void tpm_stop(struct tpm *t);		/* and forget its state */
const char *tpm_conf(const struct tpm *t);	/* for keystore_config.tcti */

void tpm_power_off(struct tpm *t);	/* SIGKILL: no orderly shutdown */
void tpm_power_on(struct tpm *t);	/* the same TPM again */

uint64_t tpm_commands(struct tpm *t);	/* that came from our side */

/* The bus capture: both directions, since the last reset. */
void tpm_bus_reset(struct tpm *t);
bool tpm_bus_saw(struct tpm *t, const void *what, size_t len);

/* The next @n commands of kind @cc (0: any) are not executed, but answered with @rc. */
void tpm_refuse(struct tpm *t, uint32_t cc, uint32_t rc, unsigned int n);
/* One bit of the next response to @cc is flipped, at byte @at from its end. */
void tpm_corrupt(struct tpm *t, uint32_t cc, size_t at);
/* After the next @n commands the connection is closed instead of answered. */
void tpm_hang_up(struct tpm *t, unsigned int n);

#endif /* SUPPORT_TPM_H */
