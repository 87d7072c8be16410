// SPDX-License-Identifier: GPL-2.0
/* What the manager makes of what nodes' TPMs say: evidence, policy, and the way back. */
#include "support_world.h"

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "record.h"
#include "superior.h"
#include "support_clock.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define M (&world.manager)
#define R (&world.root)

static bool shows_at(struct actor *who, struct actor *node, const char *what, const char *wanted)
{
	struct json_object *answer = ask(who, "node-show", "{\"node\":\"%s\"}", node->name);
	bool is;

	is = !strcmp(text_at(answer, what), wanted);
	json_object_put(answer);
	return is;
}

static bool shows(struct actor *node, const char *what, const char *wanted)
{
	return shows_at(M, node, what, wanted);
}

static bool attests(struct actor *node, const char *state)
{
	return shows(node, "attestation", state);
}

static unsigned int complaints(struct actor *who)
{
	return events_of(who, "pcr-changed") + events_of(who, "quote-bad") + events_of(who, "quote-missed");
}

/* What the TPM sees of a machine that is switched off and on */
static void reboot(struct actor *node)
{
	actor_stop(node);
	fake_tpm_reset(node->tpm);
	actor_reboot(node);
}

static void reboot_into(struct actor *node, uint8_t what)
{
	fake_tpm_measure(node->tpm, what);
	reboot(node);
}

static char *digest_of(uint8_t what)
{
	static char text[65];

	for (int i = 0; i < 32; i++)
		sprintf(text + 2 * i, "%02x", what);
	return text;
}

static bool finds(const char *kind)
{
	struct json_object *answer = ask(M, "status", "{}"), *found = at(answer, "health.findings");
	bool there = false;

	for (size_t i = 0; found && i < json_object_array_length(found); i++)
		if (!strcmp(json_object_get_string(json_object_object_get(json_object_array_get_idx(found, i), "check")), kind))
			there = true;
	json_object_put(answer);
	return there;
}

static size_t members(int atr)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"%d\"}", atr);
	size_t n = json_object_array_length(at(answer, "members"));

	json_object_put(answer);
	return n;
}

static void sound_nodes_cause_nothing(void **state)
{
	(void)state;
	until(attests(A, "good") && attests(B, "good"));
	assert_true(shows(A, "pcrs", "sha256:0,2,4,7"));
	assert_true(shows(A, "pcrs_accepted", digest_of(0)));
	assert_true(shows(A, "pcrs_measured", digest_of(0)));
	assert_int_equal(fake_tpm_quotes(A->tpm), 2);	/* at provisioning, and on the link */
	/* A restart of the daemon is none of the TPM; a reboot is, and nothing bad. */
	actor_reboot(A);
	until(fake_tpm_quotes(A->tpm) == 3 && attests(A, "good"));
	assert_int_equal(events_of(M, "tpm-reset"), 0);
	reboot(A);
	until(events_of(M, "tpm-reset") == 1);
	until(attests(A, "good"));
	/* That is on record: after a restart of the manager, it is not told again. */
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && attests(A, "good"));
	assert_int_equal(events_of(M, "tpm-reset"), 1);
	assert_int_equal(complaints(M), 0);
	assert_int_equal(complaints(R), 0);
	assert_false(finds("pcrs"));
}

static void another_system_is_noticed_and_accepted(void **state)
{
	(void)state;
	create_abc();
	until(attests(A, "good"));
	reboot_into(A, 7);
	until(events_of(M, "pcr-changed") == 1);
	until(events_of(R, "pcr-changed") == 1);
	assert_true(attests(A, "changed"));
	assert_true(attests(B, "good"));
	assert_true(shows(A, "pcrs_accepted", digest_of(0)));
	assert_true(shows(A, "pcrs_measured", digest_of(7)));
	assert_true(finds("pcrs"));
	/* Who looked at something else than is there now does not accept what he has not seen. */
	ask_refused(M, "ESTALE", "digest", "node-accept-pcrs", "{\"node\":\"%s\",\"digest\":\"%s\"}", A->name, digest_of(6));
	ask_refused(M, "EINVAL", "digest", "node-accept-pcrs", "{\"node\":\"%s\",\"digest\":\"07\"}", A->name);
	ask_refused(M, "EALREADY", "node", "node-accept-pcrs", "{\"node\":\"%s\"}", B->name);
	ask_refused(M, "ENOENT", "node", "node-accept-pcrs", "{\"node\":\"Nobody\"}");
	assert_int_equal(events_of(M, "pcrs-accepted"), 0);
	ask_ok(M, "node-accept-pcrs", "{\"node\":\"%s\",\"digest\":\"%s\"}", A->name, digest_of(7));
	assert_true(attests(A, "good"));
	assert_false(finds("pcrs"));
	assert_int_equal(events_of(M, "pcrs-accepted"), 1);
	until(events_of(R, "pcrs-accepted") == 1);
	until(shows_at(R, A, "pcrs_accepted", digest_of(7)));
	/* It stays so over restarts of both, and what was good before is not good any more. */
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	until(M->ready && attests(A, "good"));
	reboot(A);
	until(events_of(M, "tpm-reset") == 2 && attests(A, "good"));
	assert_int_equal(events_of(M, "pcr-changed"), 1);
	reboot_into(A, 0);
	until(events_of(M, "pcr-changed") == 2);
}

/* Told once on each link and for each digest, not with each quote. */
static void the_same_is_told_once(void **state)
{
	unsigned int quotes;

	(void)state;
	actor_stop(M);
	M->config.attest_interval_s = 1;
	assert_int_equal(actor_start(M), 0);
	until(M->ready && attests(A, "good"));
	fake_tpm_measure(A->tpm, 9);
	until(events_of(M, "pcr-changed") == 1);
	quotes = fake_tpm_quotes(A->tpm);
	until(fake_tpm_quotes(A->tpm) >= quotes + 2);
	assert_int_equal(events_of(M, "pcr-changed"), 1);
	fake_tpm_measure(A->tpm, 0);			/* and back: all is well by itself */
	until(attests(A, "good"));
}

static void no_tpm_of_its_own_is_noticed(void **state)
{
	(void)state;
	until(attests(A, "good"));
	fake_tpm_forge(A->tpm);
	actor_reboot(A);
	until(events_of(M, "quote-bad") == 1);
	until(events_of(R, "quote-bad") == 1);
	assert_true(attests(A, "bad"));
	assert_true(finds("quote"));
	/* What did not verify is not to be accepted. */
	ask_refused(M, "EALREADY", "node", "node-accept-pcrs", "{\"node\":\"%s\"}", A->name);
	fake_tpm_forge(A->tpm);
	actor_reboot(A);
	until(attests(A, "good"));
}

/* What was right once is not right again: another question, and another session. */
static void an_old_quote_is_noticed(void **state)
{
	(void)state;
	until(attests(A, "good"));
	fake_tpm_replay(A->tpm);
	fake_tpm_measure(A->tpm, 4);
	reboot(A);
	until(events_of(M, "quote-bad") == 1);
	assert_true(attests(A, "bad"));
	assert_int_equal(events_of(M, "pcr-changed"), 0);
	fake_tpm_replay(A->tpm);
	actor_reboot(A);
	until(events_of(M, "pcr-changed") == 1);
}

/* ---- a node that does not keep to it: A's record and TPM, and no akmd ---- */

struct liar {
	struct record record;
	struct tpmq *q;
	struct evidence *evidence;
	struct superior *superior;
	unsigned int asked;
	struct keystore_quote quote;	/* what it sends first, if anything */
	bool silent;			/* a question is not answered at all, for … */
	uint32_t patience;		/* … so many heartbeats that it waits itself; 0: 40 */
};

static int no_each(void *ctx, uint64_t since, size_t limit, evidence_fn fn, void *fn_ctx)
{
	(void)ctx, (void)since, (void)limit, (void)fn, (void)fn_ctx;
	return 0;
}

static int no_outbox(void *ctx, size_t limit, evidence_fn fn, void *fn_ctx)
{
	(void)ctx, (void)limit, (void)fn, (void)fn_ctx;
	return 0;
}

static int no_alerts(void *ctx, uint64_t since, evidence_fn fn, void *fn_ctx)
{
	(void)ctx, (void)since, (void)fn, (void)fn_ctx;
	return 0;
}

static int no_last(void *ctx, uint64_t *ret_seq)
{
	(void)ctx;
	*ret_seq = 0;
	return 0;
}

static void liar_hello(struct msg_hello *h, const struct link_peer_info *info, void *ctx)
{
	(void)h, (void)info, (void)ctx;
}

static int liar_accept(const struct msg_hello *h, struct akm_error *err, void *ctx)
{
	(void)h, (void)err, (void)ctx;
	return 0;
}

static void liar_up(struct link *l, void *ctx)
{
	struct msg m = { .type = MSG_QUOTE, .quote = { ((struct liar *)ctx)->quote } };

	if (m.quote.quote.attest.len)
		assert_int_equal(link_send(l, &m), 0);	/* before it can have been asked */
}

static void liar_down(void *ctx)
{
	(void)ctx;
}

static int liar_message(struct link *l, struct msg *m, void *ctx)
{
	struct liar *liar = ctx;

	liar->asked += m->type == MSG_QUOTE_ASK;
	if (m->type != MSG_QUOTE_ASK || !liar->silent)
		(void)reply_ok(l, m->request);
	return 0;
}

static int liar_heartbeat(struct msg_heartbeat *h, void *ctx)
{
	(void)h, (void)ctx;
	return 0;
}

static int liar_next(uint64_t n, void *ctx)
{
	(void)n, (void)ctx;
	return 0;
}

static void liar_begin(struct liar *liar)
{
	static const struct evidence_backend backend = {
		.each = no_each, .outbox = no_outbox, .alerts = no_alerts, .last = no_last,
	};
	struct superior_config cfg = {
		.base = world.base, .name = A->name, .issuer = "MgmtMod", .role = ROLE_NODE, .key = &liar->record.key,
		.heartbeat_ms = 50, .heartbeat_missed = liar->patience ?: 40,
		.ops = { liar_hello, liar_accept, liar_up, liar_down, liar_message, liar_heartbeat, liar_next, NULL, NULL, NULL }, .ctx = liar,
	};
	struct akm_error err = {};
	char record[192];

	actor_stop(A);
	snprintf(record, sizeof(record), "%s/provision", A->dir);
	assert_int_equal(record_load(record, &liar->record, &err), 0);
	assert_int_equal(tpmq_new(world.base, fake_keystore(A->tpm), &liar->q), 0);
	assert_int_equal(evidence_new(world.base, A->name, &backend, NULL, &liar->evidence), 0);
	memcpy(cfg.id, liar->record.id, AKM_ID_LEN);
	memcpy(cfg.hardware, liar->record.hardware, AKM_DIGEST_LEN);
	memcpy(cfg.addresses, liar->record.addresses, sizeof(cfg.addresses));
	cfg.n_addresses = liar->record.n_addresses;
	cfg.n = liar->record.link_n;
	cfg.q = liar->q;
	cfg.evidence = liar->evidence;
	assert_int_equal(superior_new(&cfg, &liar->superior), 0);
}

static void liar_end(struct liar *liar)
{
	superior_free(liar->superior);
	tpmq_free(liar->q);
	evidence_free(liar->evidence);
	record_free(&liar->record);
	assert_int_equal(actor_start(A), 0);
}

static void a_yes_is_no_quote(void **state)
{
	struct liar liar = {};

	(void)state;
	until(attests(A, "good"));
	liar_begin(&liar);
	until(liar.asked);
	until(events_of(M, "quote-bad") == 1);
	assert_true(attests(A, "bad"));
	liar_end(&liar);
	until(attests(A, "good"));
}

/* Time passes, and everybody does what is due: its link lives. */
static void live(uint64_t ms)
{
	for (uint64_t end = now_ms() + ms; now_ms() < end;) {
		clock_wind(200);
		for (int i = 0; i < 5; i++)
			world_turn();
	}
}

/* It is there, and lets its TPM say nothing. */
static void silence_is_told_once(void **state)
{
	struct liar liar = { .silent = true };

	(void)state;
	until(attests(A, "good"));
	liar_begin(&liar);
	until(liar.asked);
	live(55000);
	assert_int_equal(events_of(M, "quote-missed"), 0);
	live(8000);
	until(events_of(M, "quote-missed") == 1);
	assert_true(attests(A, "no answer"));
	assert_true(finds("quote"));
	live(5000);
	assert_int_equal(events_of(M, "quote-missed"), 1);
	assert_int_equal(liar.asked, 1);
	assert_int_equal(events_of(M, "heartbeat-missed"), 0);
	liar_end(&liar);
	until(attests(A, "good"));
}

/* The time for an answer is up because the manager stood still. */
static void our_own_delay_is_not_its_silence(void **state)
{
	struct liar liar = { .silent = true, .patience = 4000 };

	(void)state;
	until(attests(A, "good"));
	liar_begin(&liar);
	until(liar.asked);
	clock_wind(120000);
	until(liar.asked == 2);
	assert_int_equal(events_of(M, "quote-missed"), 0);
	live(62000);
	until(events_of(M, "quote-missed") == 1);
	liar_end(&liar);
}

/* One that is there already when the question comes was not made for it. */
static void a_quote_in_advance_is_none(void **state)
{
	struct liar liar = {};

	(void)state;
	until(attests(A, "good"));
	liar.quote = A->tpm->last;
	liar_begin(&liar);
	until(events_of(M, "quote-bad") >= 1);
	assert_false(attests(A, "good"));
	liar_end(&liar);
	until(attests(A, "good"));
}

/* A machine's software TPM, set back to an older state of it */
static void an_older_state_is_noticed(void **state)
{
	(void)state;
	reboot(A);
	until(events_of(M, "tpm-reset") == 1);
	actor_stop(A);
	fake_tpm_set_back(A->tpm);
	actor_reboot(A);
	until(events_of(M, "quote-bad") == 1);
	assert_true(attests(A, "bad"));
}

/* It is not asked again and again: the next time is the interval's. */
static void a_failing_tpm_is_told_and_left_alone(void **state)
{
	unsigned int calls;

	(void)state;
	until(attests(A, "good"));
	actor_stop(M);
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	fake_tpm_fail_after(A->tpm, 0, -EAGAIN);	/* lockout */
	until(events_of(M, "quote-missed") == 1);
	assert_true(attests(A, "no answer"));
	assert_true(finds("quote"));
	calls = fake_tpm_calls(A->tpm);
	for (int i = 0; i < 200; i++)
		world_turn();
	assert_int_equal(fake_tpm_calls(A->tpm), calls);
	assert_int_equal(events_of(M, "quote-missed"), 1);
	actor_reboot(A);
	until(attests(A, "good"));
}

static void policy_may_quarantine(void **state)
{
	(void)state;
	world_start_with("rule boot\nwhen pcr-changed,quote-bad rate 1/3600 scope member\nthen quarantine\n");
	create_abc();
	until(attests(A, "good"));
	reboot_into(A, 3);
	until(members(1) == 2);
	until(!fake_kernel_active(A->kernel, "akm1"));
	assert_int_equal(events_of(M, "atr-remove"), 1);
	assert_true(shows(A, "state", "provisioned"));
	/* The way back */
	ask_ok(M, "node-accept-pcrs", "{\"node\":\"%s\"}", A->name);
	ask_ok(M, "atr-add", "{\"atr\":\"1\",\"node\":\"%s\"}", A->name);
	assert_int_equal(members(1), 3);
	assert_int_equal(events_of(M, "pcr-changed"), 1);
}

/* Once for each of its ATRs, and the first of them may be the end of it. */
static void policy_may_evict_from_everywhere(void **state)
{
	(void)state;
	world_start_with("rule boot\nwhen pcr-changed rate 1/3600 scope member\nthen evict\n");
	create_abc();
	ask_ok(M, "atr-create", "{\"id\":2,\"label\":\"two\",\"members\":[\"%s\",\"%s\"]}", A->name, B->name);
	until(attests(A, "good"));
	reboot_into(A, 3);
	until(shows(A, "state", "evicted"));
	assert_int_equal(members(1), 2);
	assert_int_equal(members(2), 1);
	assert_int_equal(events_of(M, "pcr-changed"), 2);
	for (int i = 0; i < 20; i++)
		world_turn();
	assert_int_equal(events_of(M, "policy"), 1);	/* and none that failed */
	ask_refused(M, "EINVAL", "node", "node-accept-pcrs", "{\"node\":\"%s\"}", A->name);
}

static void provision_again(struct actor *a)
{
	ask_ok(a, "provision-allow", "{\"via\":\"unix-listen:%s\"}", a->via);
	ask_ok(M, "node-provision", "{\"name\":\"%s\",\"via\":\"unix:%s\"}", a->name, a->via);
}

/* A node of before */
static void who_has_no_key_is_left_alone(void **state)
{
	(void)state;
	actor_stop(M);
	M->config.pcrs = 0;
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	provision_again(A);
	until(shows(A, "link", "up"));
	assert_true(attests(A, "none"));
	ask_refused(M, "ENOENT", "node", "node-accept-pcrs", "{\"node\":\"%s\"}", A->name);
	reboot_into(A, 8);
	until(shows(A, "link", "up"));
	for (int i = 0; i < 50; i++)
		world_turn();
	assert_int_equal(complaints(M), 0);
	/* And with one, after all */
	actor_stop(M);
	M->config.pcrs = 1;
	assert_int_equal(actor_start(M), 0);
	until(M->ready);
	provision_again(A);
	until(attests(A, "good"));
	assert_true(shows(A, "pcrs", "sha256:0"));
	assert_true(shows(A, "pcrs_accepted", digest_of(8)));
}

/* The one that takes over knows what is good, from the root. */
static void a_replacement_knows_the_baseline(void **state)
{
	struct actor old;

	(void)state;
	create_abc();
	until(attests(A, "good"));
	reboot_into(A, 5);
	until(events_of(M, "pcr-changed") == 1);
	ask_ok(M, "node-accept-pcrs", "{\"node\":\"%s\"}", A->name);
	until(shows_at(R, A, "pcrs_accepted", digest_of(5)));
	actor_stop(M);
	world_new_manager(&old, "MgmtMod2");
	ask_ok(R, "manager-replace", "{\"replaces\":\"MgmtMod\",\"name\":\"MgmtMod2\",\"via\":\"unix:%s\"}", M->via);
	until(events_of(M, "takeover") == 1);
	until(attests(A, "good") && attests(B, "good"));
	assert_true(shows(A, "pcrs_accepted", digest_of(5)));
	assert_int_equal(complaints(M), 0);
	reboot_into(A, 0);
	until(events_of(M, "pcr-changed") == 1);
	actor_drop(&old);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	static const struct CMUnitTest tests[] = {
		T(sound_nodes_cause_nothing), T(another_system_is_noticed_and_accepted), T(the_same_is_told_once),
		T(no_tpm_of_its_own_is_noticed), T(an_old_quote_is_noticed), T(a_yes_is_no_quote),
		T(silence_is_told_once), T(our_own_delay_is_not_its_silence),
		T(a_quote_in_advance_is_none), T(an_older_state_is_noticed), T(a_failing_tpm_is_told_and_left_alone),
		T(policy_may_quarantine), T(policy_may_evict_from_everywhere), T(who_has_no_key_is_left_alone),
		T(a_replacement_knows_the_baseline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
