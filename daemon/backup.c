// SPDX-License-Identifier: GPL-2.0
#include "backup.h"

#include <sys/stat.h>

#include "report.h"

static int copy(struct store *s, const char *path, struct stat *ret, struct akm_error *err)
{
	int r;

	/* The directory in which akmd runs is not that of who asks. */
	if (path[0] != '/')
		return akm_error_set(err, -EINVAL, "path", "must begin with /");
	r = store_backup(s, path, err);
	if (!r && stat(path, ret) < 0)
		r = akm_error_set(err, -errno, "path", "%s: %s", path, strerror(errno));
	return r;
}

void backup_ctl(struct store *s, struct evidence *e, struct ctl_request *req, struct json_object *args)
{
	const char *path = ctl_str(args, "path");
	struct akm_error err = {};
	struct json_object *o;
	struct stat st;
	char who[CTL_WHO_MAX];
	int r = copy(s, path, &st, &err);

	if (r < 0) {
		ctl_fail(req, r, &err);
		return;
	}
	ctl_who(req, who);
	evidence_add(e, EVIDENCE_NOTE("backup", SEV_INFO), "The database was copied to %.100s by %s", path, who);
	o = json_object_new_object();
	report_put_text(o, "path", path);
	report_put_int(o, "bytes", (int64_t)st.st_size);
	ctl_ok(req, o);
}
