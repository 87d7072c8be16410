/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Compares encoded messages with Documentation/akm.cddl, as far as keys go: the map
 * has the keys of the rule, also in the elements of its lists. Reads only as much of
 * CDDL as that file uses. Failures end the test.
 */
#ifndef SUPPORT_CDDL_H
#define SUPPORT_CDDL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void cddl_load(void);
void cddl_unload(void);
/* The rule whose line in "link-message" begins with [ @type. */
const char *cddl_link_rule(unsigned int type);
/* The rule whose comment in "provision-payload" begins with @type. */
const char *cddl_provision_rule(unsigned int type);
/*
 * @path: indices of the map inside nested arrays, ended by -1. @full: it has the
 * optional keys too, and then every key of the rule has to be there.
 */
void cddl_check(const char *rule, const uint8_t *data, size_t len, const int *path, bool full);

#endif /* SUPPORT_CDDL_H */
