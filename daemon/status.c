// SPDX-License-Identifier: GPL-2.0
#include "status.h"

#include "clock.h"

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
	json_object_object_add(tpm, "waiting_ms", json_object_new_uint64(tpmq_waiting_ms(env->q)));
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

	superior_status(s, &st);
	report_put_text(peer, "state", !record ? "not provisioned" : st.up ? "up" : "down");
	if (record) {
		report_put_text(peer, "name", record->issuer);
		report_put_text(peer, "label", record->label);
		put_hex(peer, "id", record->id, AKM_ID_LEN);
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

/* ---- health ---- */

static void find_tpm(const struct role_env *env, struct health *h)
{
	uint64_t waiting = tpmq_waiting_ms(env->q);
	int last = tpmq_last(env->q);

	if (waiting >= STATUS_TPM_SLOW_MS)
		health_find(h, HEALTH_FINDING("tpm", SEV_ALERT, .since_ms = wall_ms() - waiting,
					      .remedy = "Some TPMs stall for half a minute; one that does not come back wants a power "
							"cycle. Traffic goes on with the keys that the kernels have."),
			    "the TPM has not answered for %llu s", (unsigned long long)waiting / 1000);
	if (last == -EAGAIN)
		health_find(h, HEALTH_FINDING("tpm", SEV_ALERT,
					      .remedy = "Wait for the end of its lockout, or reset it (tpm2_dictionarylockout -c). "
							"Nothing is tried in a hurry."),
			    "the TPM is locked out or busy");
	else if (last == -ENODEV || last == -EIO || last == -ENOKEY)
		health_find(h, HEALTH_FINDING("tpm", SEV_ALERT,
					      .remedy = "akmctl doctor looks at the TPM; what the journal says of it has its own words."),
			    "the last job of the TPM failed: %s", strerror(-last));
}

void status_health(const struct role_env *env, struct health *h)
{
	find_tpm(env, h);
	pulse_health(env->pulse, h);
	if (env->config->role != ROLE_ROOT && !env->hardware_known)
		health_find(h, HEALTH_FINDING("hardware", SEV_ALERT,
					      .remedy = "Mend what [hardware] sources names: without it there is no link."),
			    "a source of the hardware value cannot be read");
}

static void find_unprovisioned(const struct role_env *env, struct health *h)
{
	bool node = env->config->role == ROLE_NODE;
	char remedy[256];

	snprintf(remedy, sizeof(remedy), "On %s: akmctl %s provision %s via VIA, over a direct connection.",
		 node ? "its manager" : "the root", node ? "node" : "manager", env->config->name);
	health_find(h, HEALTH_FINDING("not-provisioned", SEV_WARNING, .remedy = remedy), "not provisioned yet");
}

static void find_down(const struct role_env *env, const struct superior *s, const struct record *record,
		      struct health *h)
{
	bool node = env->config->role == ROLE_NODE;
	struct superior_status st;
	char remedy[384];

	superior_status(s, &st);
	if (st.up || (s && wall_ms() - st.since_ms < STATUS_LINK_DOWN_MS))
		return;
	snprintf(remedy, sizeof(remedy), "%s Look at %s, its akmd and the way to %s.",
		 node ? "Traffic goes on without it, for weeks; nothing can be changed meanwhile." :
			"Nodes lack nothing, for weeks; what happened is delivered later.",
		 record->issuer, st.address[0] ? st.address : "it");
	health_find(h, HEALTH_FINDING(node ? "manager-away" : "root-away", SEV_WARNING, .subject = record->issuer,
				      .since_ms = st.since_ms, .remedy = remedy),
		    "no link to %s%s%s", record->issuer, st.reason[0] ? ": " : "", st.reason);
}

void status_health_peer(const struct role_env *env, const struct superior *s, const struct record *record,
			struct health *h)
{
	if (!record) {
		find_unprovisioned(env, h);
		return;
	}
	if (env->hardware_known && memcmp(env->hardware, record->hardware, AKM_DIGEST_LEN))
		health_find(h, HEALTH_FINDING("hardware", SEV_ALERT,
					      .remedy = "If a board or a card was swapped: provision this machine again. If not: "
							"this is a copied disk, or a moved TPM."),
			    "this machine's hardware value is not the one that it was provisioned with");
	find_down(env, s, record, h);
}

/* ---- metrics ---- */

void status_metrics(const struct role_env *env, uint64_t term, struct metrics *m)
{
	struct tpmq_stats stats = tpmq_stats(env->q);

	metrics_family(m, "akm_build_info", "gauge", "Version, role and name of this akmd.");
	metrics_put(m, 1, "version", AKM_VERSION, "role", role_name(env->config->role), "name", env->config->name);
	metrics_family(m, "akm_term", "gauge", "Term: each manager has a higher one than the one before.");
	metrics_put(m, term);
	metrics_family(m, "akm_tpm_commands_total", "counter", "Commands sent to the TPM.");
	metrics_put(m, keystore_commands(env->keystore));
	metrics_family(m, "akm_tpm_job_seconds", "summary", "How long the TPM's jobs took, of a few commands each.");
	metrics_put_summary(m, stats.jobs, stats.sum_us);
	metrics_family(m, "akm_tpm_job_longest_seconds", "gauge", "The longest of them.");
	metrics_put_ms(m, stats.max_us / 1000);
	metrics_family(m, "akm_tpm_jobs_failed_total", "counter", "Jobs of the TPM that failed, or were refused.");
	metrics_put(m, stats.failed);
	metrics_family(m, "akm_tpm_queue", "gauge", "Jobs under way or waiting.");
	metrics_put(m, tpmq_depth(env->q));
	metrics_family(m, "akm_tpm_waiting_seconds", "gauge", "Since when the TPM owes an answer.");
	metrics_put_ms(m, tpmq_waiting_ms(env->q));
}

void status_metrics_peer(const struct superior *s, struct metrics *m)
{
	struct superior_status st;

	superior_status(s, &st);
	metrics_family(m, "akm_superior_up", "gauge", "1 while the link upwards is there.");
	metrics_put(m, st.up);
}
