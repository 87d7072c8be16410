/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The highest generation of each ATR that this node's kernel may have held, whether or not it was
 * ever sealed: a new one may be in use before the TPM has sealed it. Durable before the kernel
 * gets it; plain, beside the sealed store. P3
 */
#ifndef AKM_SHOWN_H
#define AKM_SHOWN_H

#include "util.h"

/* From now on @number may be held. @ret_before: the highest before that, 0: none. */
int shown_raise(const char *store, uint32_t atr_id, uint32_t number, uint32_t *ret_before);

#endif /* AKM_SHOWN_H */
