/* SPDX-License-Identifier: GPL-2.0 */
/*
 * MESSAGE_ID of what is written to the journal: stable names for those who filter and
 * alert. Documentation/operations.rst has a table of them.
 */
#ifndef AKM_LOGID_H
#define AKM_LOGID_H

#include <stdbool.h>
#include <stddef.h>

#define LOGID_EVENT		"3b5de8900a4f45f6ae6adf1e23d832fb"
#define LOGID_READY		"e89cb31a712d4b4e9bcc375cdf2d0263"
#define LOGID_STOPPING	"f6bef554eb864ceaa1cdfbdca9296c2d"
#define LOGID_FAILED		"fbe14e44b2b3406399dbe5e8e78d9b03"

/* Of evidence. Also for a kind that a newer peer reports: LOGID_EVENT. */
const char *logid_of_kind(const char *kind);
/* The table, for its test. */
bool logid_each(size_t i, const char **ret_kind, const char **ret_id);

#endif /* AKM_LOGID_H */
