// SPDX-License-Identifier: GPL-2.0
#include "status.h"

static const char *role_name(enum msg_role role)
{
	switch (role) {
	case ROLE_ROOT:
		return "root";
	case ROLE_MANAGER:
		return "manager";
	case ROLE_NODE:
		return "node";
	}
	return "?";
}

static void put_hex(struct json_object *o, const char *key, const uint8_t *p, size_t len)
{
	char text[2 * AKM_DIGEST_LEN + 1];

	report_hex(p, len, text);
	report_put_text(o, key, text);
}

struct json_object *status_new(const struct role_env *env, uint64_t term)
{
	struct json_object *o = json_object_new_object(), *tpm = json_object_new_object();

	report_put_text(o, "role", role_name(env->config->role));
	report_put_text(o, "name", env->config->name);
	report_put_text(o, "version", AKM_VERSION);
	report_put_text(tpm, "state", tpmq_last(env->q) < 0 ? strerror(-tpmq_last(env->q)) : "ok");
	json_object_object_add(tpm, "commands", json_object_new_uint64(keystore_commands(env->keystore)));
	json_object_object_add(tpm, "depth", json_object_new_uint64(tpmq_depth(env->q)));
	json_object_object_add(o, "tpm", tpm);
	json_object_object_add(o, "term", json_object_new_uint64(term));
	if (env->hardware_known)
		put_hex(o, "hardware", env->hardware, AKM_DIGEST_LEN);
	return o;
}

/* The TPM object that both ends name alike; absent if the blob does not decode. */
static void put_key_name(struct json_object *o, const struct akm_blob *key)
{
	_cleanup_free_ char *name = NULL;

	if (!keystore_key_name(key, &name))
		report_put_text(o, "key_name", name);
}

void status_add_peer(struct json_object *o, const struct superior *s, const struct record *record,
		     const char *progress)
{
	struct json_object *peer = json_object_new_object();
	struct superior_status st;
	char *key_name = NULL;

	superior_status(s, &st);
	report_put_text(peer, "state", !record ? "not provisioned" : st.up ? "up" : "down");
	if (record) {
		report_put_text(peer, "name", record->issuer);
		report_put_text(peer, "label", record->label);
		put_hex(peer, "id", record->id, AKM_ID_LEN);
		if (!keystore_key_name(&record->key, &key_name))
			report_put_text(peer, "key_name", key_name);
		free(key_name);
		put_key_name(peer, &record->key);
		report_put_text(peer, "address", st.address);
		json_object_object_add(peer, "link_n", json_object_new_uint64(record->link_n));
	}
	json_object_object_add(peer, "since", report_time(st.since_ms));
	if (st.reason[0])
		report_put_text(peer, "reason", st.reason);
	if (progress && progress[0])
		report_put_text(peer, "provisioning", progress);
	json_object_object_add(o, "peer", peer);
}
