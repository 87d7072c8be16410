/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module answers, as JSON objects: the names here are the names in
 * the output of -j, and the text views read the same objects.
 */
#ifndef AKMCTL_RECORDS_H
#define AKMCTL_RECORDS_H

#include <json-c/json.h>

#include <linux/netlink.h>

#include "command.h"
#include "error.h"
#include "format.h"

enum akm_record { AKM_RECORD_DEV, AKM_RECORD_MEMBER, AKM_RECORD_GENERATION, AKM_RECORD_EVENT };

/* Return: 0, or -EPROTO with the attribute named in @e. The object is the caller's. */
int akm_record_decode(enum akm_record kind, struct nlmsghdr *h, struct json_object **ret, struct akm_error *e);

/*
 * Dumps everything of one kind into a JSON array; of device @ifname only unless
 * it is NULL (devices alone can be asked for so). Repeated while changes interrupt it.
 */
int akm_records_dump(struct akm_ctx *ctx, enum akm_record kind, const char *ifname, struct json_object **ret,
		     struct akm_error *e);
/* One device. */
int akm_record_dev(struct akm_ctx *ctx, const char *ifname, struct json_object **ret, struct akm_error *e);

/* Members of JSON objects, with what to take where they are absent or of another type. */
const char *akm_json_str(struct json_object *o, const char *name);	/* NULL */
uint64_t akm_json_u64(struct json_object *o, const char *name);		/* 0 */
bool akm_json_has(struct json_object *o, const char *name);

void akm_json_freep(struct json_object **o);
/* For a person with -j: indented. */
void akm_json_print(FILE *f, struct json_object *o);

/* Adds the rows for one object to a table. Return: 0 or -ENOMEM. */
typedef int (*akm_row_fn)(struct akm_table *t, struct json_object *o);
/* With -j the objects of @array as they are, else a table under @n @headings. */
int akm_records_show(struct akm_ctx *ctx, struct json_object *array, const char *const *headings, size_t n,
		     akm_row_fn row, struct akm_error *e);

#endif /* AKMCTL_RECORDS_H */
