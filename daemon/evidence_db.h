/* SPDX-License-Identifier: GPL-2.0 */
/* Evidence kept in the database of root and manager. */
#ifndef AKM_EVIDENCE_DB_H
#define AKM_EVIDENCE_DB_H

#include "evidence.h"
#include "store.h"

struct evidence_backend evidence_db(struct store *s);	/* @s outlives it */

#endif /* AKM_EVIDENCE_DB_H */
