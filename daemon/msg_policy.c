// SPDX-License-Identifier: GPL-2.0
#include "msg_codec.h"

/* ---- policy ---- */

static void put_policy(struct wire_writer *w, const struct msg *m)
{
	if (m->policy.text.len > POLICY_FILE_MAX) {
		wr_fail(w, -EINVAL);
		return;
	}
	wr_map(w, 2);
	wr_key_range(w, 1, m->policy.number, 1, POLICY_NUMBER_MAX);
	wr_key_blob(w, 2, &m->policy.text);
}

static int get_policy(struct wire_reader *c, struct msg *m)
{
	return rd_key_u64(c, 1, "number", 1, POLICY_NUMBER_MAX, &m->policy.number) ?:
	       rd_key_blob(c, 2, "text", 0, POLICY_FILE_MAX, &m->policy.text);
}

static void free_policy(struct msg *m)
{
	akm_blob_free(&m->policy.text);
}

const struct msg_codec msg_codec_policy = { "policy", put_policy, get_policy, free_policy };

/* ---- policy-held ---- */

static void put_held(struct wire_writer *w, const struct msg *m)
{
	wr_map(w, 2);
	wr_key_range(w, 1, m->held.number, 0, POLICY_NUMBER_MAX);
	wr_key_bytes(w, 2, m->held.digest, sizeof(m->held.digest));
}

static int get_held(struct wire_reader *c, struct msg *m)
{
	return rd_key_u64(c, 1, "number", 0, POLICY_NUMBER_MAX, &m->held.number) ?:
	       rd_key_bytes(c, 2, "digest", m->held.digest, sizeof(m->held.digest));
}

const struct msg_codec msg_codec_policy_held = { "policy-held", put_held, get_held, NULL };
