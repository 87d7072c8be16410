// SPDX-License-Identifier: GPL-2.0
/*
 * The provisioning exchange with software keystores: what must fail, what may be
 * cut anywhere, and what comes out. test_provision_tpm.c runs it on software TPMs.
 */
#include "provision.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>

#include "provision_msg.h"
#include "support_dir.h"
#include "support_provision.h"
#include "tpmpub.h"
#include "wire.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */

static struct fake_tpm *mgmt_tpm, *node_tpm;
static struct party_end M, N;		/* manager: issuer; node: subject */

static int setup(void **state)
{
	(void)state;
	loop_begin();
	mgmt_tpm = fake_tpm_new(false);
	node_tpm = fake_tpm_new(false);
	end_begin(&M, "MgmtMod", fake_keystore(mgmt_tpm));
	end_begin(&N, "-", fake_keystore(node_tpm));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	end_finish(&M);
	end_finish(&N);
	fake_tpm_free(mgmt_tpm);
	fake_tpm_free(node_tpm);
	loop_end();
	return 0;
}

/* Every byte; valgrind has not the time for it. */
static size_t stride(void)
{
	return getenv("VALGRIND") ? 23 : 1;
}

static void forget_all(void)
{
	end_forget(&M);
	end_forget(&N);
}

static void assert_nothing_made(void)
{
	assert_int_not_equal(M.record, COMMITTED);
	assert_int_equal(N.record, NOTHING);
}

static void assert_rerun_works(void)
{
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	if (M.r || N.r)
		fail_msg("rerun: %s %s / %s %s", M.err.field, M.err.reason, N.err.field, N.err.reason);
	assert_agree(&M, &N);
}

/* ---- refused ---- */

static void unexpected_hardware_is_refused(void **state)
{
	(void)state;
	M.admit_r = -EKEYREJECTED;
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_int_equal(M.r, -EKEYREJECTED);
	assert_string_equal(M.err.field, "hardware");
	/* The other end says why as well. */
	assert_int_equal(N.r, -EKEYREJECTED);
	assert_string_equal(N.err.field, "peer");
	assert_non_null(strstr(N.err.reason, "hardware: is not the expected one"));
	assert_nothing_made();
	M.admit_r = 0;
	assert_rerun_works();
}

/* The node shows its own EK and the storage parent of another TPM, whose key it might know. */
static void parent_of_another_tpm_is_refused(void **state)
{
	struct fake_tpm *other = fake_tpm_new(false);

	(void)state;
	fake_tpm_lie_about_parent(node_tpm, other);
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_int_equal(M.r, -EKEYREJECTED);
	assert_string_equal(M.err.field, "proof");
	assert_int_equal(N.r, -EKEYREJECTED);
	assert_nothing_made();
	assert_int_equal(M.record, NOTHING);
	fake_tpm_lie_about_parent(node_tpm, node_tpm);
	assert_rerun_works();
	fake_tpm_free(other);
}

/* ---- attestation ---- */

static void what_runs_there_is_the_baseline(void **state)
{
	uint8_t digest[AKM_DIGEST_LEN];

	(void)state;
	fake_tpm_measure(node_tpm, 0xa7);
	assert_rerun_works();
	memset(digest, 0xa7, sizeof(digest));
	assert_memory_equal(M.grant.attest.facts.digest, digest, sizeof(digest));
	assert_int_equal(M.grant.attest.pcrs, 0x95);
	assert_int_equal(M.grant.attest.ak_public.len, node_tpm->ak_public.len);
	assert_memory_equal(M.grant.attest.ak_public.data, node_tpm->ak_public.data, node_tpm->ak_public.len);
	assert_non_null(strstr(M.said, "attests to sha256:0,2,4,7"));
	assert_int_equal(N.grant.attest.pcrs, 0);	/* that is the issuer's to know */
}

static void nothing_is_attested_where_nobody_asks(void **state)
{
	(void)state;
	M.pcrs = 0;
	assert_rerun_works();
	assert_int_equal(fake_tpm_quotes(node_tpm), 0);
	assert_null(strstr(M.said, "attest"));
}

/* An AK that is not in that TPM: the credential for it cannot be opened there. */
static void key_of_another_tpm_is_refused(void **state)
{
	struct fake_tpm *other = fake_tpm_new(false);
	struct akm_blob own, own_name;

	(void)state;
	make_ak(node_tpm);
	make_ak(other);
	own = node_tpm->ak_public;
	own_name = node_tpm->ak_name;
	node_tpm->ak_public = other->ak_public;
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_int_equal(N.r, -EKEYREJECTED);
	assert_true(M.r < 0);
	assert_int_equal(M.record, NOTHING);
	assert_nothing_made();
	/* Nor does it help to say something else. */
	fake_tpm_forge(node_tpm);
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_int_equal(M.r, -EKEYREJECTED);
	assert_string_equal(M.err.field, "proof");
	assert_non_null(strstr(M.err.reason, "attestation key"));
	assert_int_equal(M.record, NOTHING);
	fake_tpm_forge(node_tpm);
	node_tpm->ak_public = own;
	node_tpm->ak_name = own_name;
	assert_rerun_works();
	fake_tpm_free(other);
}

static void forged_first_quote_is_refused(void **state)
{
	(void)state;
	fake_tpm_forge(node_tpm);
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_int_equal(M.r, -EKEYREJECTED);
	assert_string_equal(M.err.field, "confirm.attest");
	assert_non_null(strstr(M.err.reason, "signature"));
	assert_int_equal(N.r, -EKEYREJECTED);
	assert_nothing_made();
	fake_tpm_forge(node_tpm);
	assert_rerun_works();
}

/* Somebody in between leaves out what was asked for. */
static bool without_attestation(struct wire *w, int to, struct frame *f, uint8_t *payload)
{
	_cleanup_provision_msg_ struct provision_msg m = {};
	static struct akm_blob changed;
	struct akm_error err;

	(void)payload, (void)to;
	if (f->type != w->arg[0])
		return true;
	assert_int_equal(provision_msg_decode(f->type, f->payload, f->len, &m, &err), 0);
	if (f->type == PROVISION_HELLO)
		m.hello.pcrs = 0;
	if (f->type == PROVISION_IDENTITY)
		akm_blob_free(&m.identity.ak_public);
	if (f->type == PROVISION_CHALLENGE)
		akm_blob_free(&m.challenge.ak);
	if (f->type == PROVISION_CONFIRM)
		akm_blob_free(&m.confirm.attest);
	akm_blob_free(&changed);
	assert_int_equal(provision_msg_encode(&m, &changed), 0);
	f->payload = changed.data;
	f->len = changed.len;
	return true;
}

static void attestation_cannot_be_left_out(void **state)
{
	static const struct { enum provision_type type; bool subject; const char *field; } cases[] = {
		{ PROVISION_HELLO, false, "identity.ak-public" }, { PROVISION_IDENTITY, false, "identity.ak-public" },
		{ PROVISION_CHALLENGE, true, "challenge.ak-credential" }, { PROVISION_CONFIRM, false, "confirm.attest" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct wire w = { .cut_after = { NEVER, NEVER }, .between = without_attestation, .arg = { cases[i].type } };
		const struct party_end *e = cases[i].subject ? &N : &M;

		forget_all();
		run_exchange(&M, &N, "EdgeNodeA", &w);
		assert_int_equal(e->r, -EPROTO);
		assert_string_equal(e->err.field, cases[i].field);
		assert_nothing_made();
	}
	assert_rerun_works();
}

static void second_provisioning_needs_permission(void **state)
{
	uint8_t first[AKM_ID_LEN];

	(void)state;
	assert_rerun_works();
	memcpy(first, N.grant.id, sizeof(first));
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_int_equal(N.r, -EEXIST);
	assert_int_equal(M.r, -EEXIST);
	assert_memory_equal(N.grant.id, first, sizeof(first));
	assert_memory_equal(M.grant.id, first, sizeof(first));
	assert_agree(&M, &N);

	N.allow = true;
	assert_rerun_works();
	assert_true(M.saw_again);
	assert_memory_not_equal(N.grant.id, first, sizeof(first));
}

static void missing_hardware_source_is_named(void **state)
{
	(void)state;
	snprintf(N.sources, sizeof(N.sources), "ek,file:/nonexistent/serial");
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_true(N.r < 0 && M.r < 0);
	if (!strstr(N.err.field, "serial") && !strstr(N.err.reason, "serial"))
		fail_msg("%s: %s", N.err.field, N.err.reason);
	assert_nothing_made();
}

static void bad_configuration_is_refused(void **state)
{
	struct provision_issuer_config cfg = { .issuer = "Mgmt", .subject = "a", .give_domain = true };
	struct provision_ops none = {};
	struct provision *p;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(provision_issue(loop, M.q, pair[0], &cfg, &none, NULL, &p), -EINVAL);
	assert_int_equal(fcntl(pair[0], F_GETFD), -1);	/* it owned it */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, &pair[0]), 0);
	cfg.give_domain = false;
	cfg.issuer = "not a name";
	assert_int_equal(provision_issue(loop, M.q, pair[0], &cfg, &none, NULL, &p), -EINVAL);
	close(pair[1]);
}

/* ---- what fails underneath ---- */

static void failing_records_make_nothing(void **state)
{
	(void)state;
	M.pending_r = -EIO;
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_int_equal(M.r, -EIO);
	assert_int_equal(N.r, -EIO);
	assert_nothing_made();
	M.pending_r = 0;
	M.commit_r = -ENOSPC;
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_int_equal(M.r, -ENOSPC);
	assert_string_equal(M.err.field, "commit");
	assert_nothing_made();
	M.commit_r = 0;
	N.commit_r = -ENOSPC;
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_int_equal(N.r, -ENOSPC);
	assert_int_equal(M.r, -ENOSPC);
	assert_non_null(strstr(M.err.reason, "run this again"));
	assert_int_equal(N.record, NOTHING);
	N.commit_r = 0;
	assert_rerun_works();
}

static void every_failing_tpm_command_makes_nothing(void **state)
{
	struct fake_tpm *t[] = { mgmt_tpm, node_tpm };

	(void)state;
	for (int who = 0; who < 2; who++) {
		unsigned int before = fake_tpm_calls(t[who]), calls;

		forget_all();
		assert_rerun_works();
		calls = fake_tpm_calls(t[who]) - before - 1;	/* one was assert_agree()'s */
		assert_true(calls >= 4);
		for (unsigned int i = 0; i < calls; i++) {
			forget_all();
			fake_tpm_fail_after(t[who], i, -EIO);
			run_exchange(&M, &N, "EdgeNodeA", NULL);
			assert_int_equal((who ? &N : &M)->r, -EIO);
			assert_true(M.r < 0 && N.r < 0);
			assert_int_equal(N.record, NOTHING);
			assert_rerun_works();
		}
	}
}

/* ---- cut anywhere ---- */

/* Each side has all or nothing, and never the subject alone. */
static void assert_consistent(const char *what, size_t at)
{
	if (N.record == COMMITTED && M.record != COMMITTED)
		fail_msg("%s %zu: the subject has committed, the issuer has not", what, at);
	if (N.record == PENDING)
		fail_msg("%s %zu: the subject is half provisioned", what, at);
	if (N.record == COMMITTED)
		assert_agree(&M, &N);
	if (!M.r && N.record != COMMITTED)
		fail_msg("%s %zu: the issuer believes in a subject that has nothing", what, at);
	if (M.record == COMMITTED && M.r && !strstr(M.err.reason, "run this again"))
		fail_msg("%s %zu: the issuer does not say what to do", what, at);
}

static void cut_after_every_byte(int to)
{
	struct wire w = { .cut_after = { NEVER, NEVER } };
	size_t total, runs = 0, refused = 0;

	run_exchange(&M, &N, "EdgeNodeA", &w);
	assert_int_equal(M.r, 0);
	total = w.passed[to];
	assert_true(total > 200);
	for (size_t n = 0; n < total; n += stride(), runs++) {
		forget_all();
		w = (struct wire) { .cut_after = { NEVER, NEVER } };
		w.cut_after[to] = n;
		run_exchange(&M, &N, "EdgeNodeA", &w);
		assert_consistent("cut after byte", n);
		refused += M.r < 0;
		if (N.record == COMMITTED)
			continue;
		assert_rerun_works();
	}
	assert_int_equal(refused, runs);
}

static void cut_towards_the_subject_after_every_byte(void **state)
{
	(void)state;
	cut_after_every_byte(TO_SUBJECT);
}

static void cut_towards_the_issuer_after_every_byte(void **state)
{
	(void)state;
	cut_after_every_byte(TO_ISSUER);
}

/* A serial line does not tell that its other end has gone. */
static void silence_before_every_message_times_out(void **state)
{
	(void)state;
	M.timeout_ms = N.timeout_ms = 150;
	for (unsigned int type = PROVISION_HELLO; type <= PROVISION_DONE; type++) {
		struct wire w = { .cut_after = { NEVER, NEVER }, .silent = true };

		forget_all();
		w.cut_before[type % 2 ? TO_SUBJECT : TO_ISSUER] = type;
		run_exchange(&M, &N, "EdgeNodeA", &w);
		assert_int_equal(M.r, -ETIMEDOUT);
		if (type == PROVISION_DONE)
			assert_int_equal(N.r, 0);
		else
			assert_int_equal(N.r, -ETIMEDOUT);
		assert_int_equal(M.record, type <= PROVISION_GRANT - 1 ? NOTHING :
				 type <= PROVISION_CONFIRM ? PENDING : COMMITTED);
		assert_consistent("silence before message", type);
		if (N.record != COMMITTED)
			assert_rerun_works();
	}
}

/* The commit got lost: the issuer has a record, the subject is fresh. The new record takes the old one's place. */
static void lost_commit_is_healed_by_another_run(void **state)
{
	struct wire w = { .cut_after = { NEVER, NEVER }, .cut_before = { [TO_SUBJECT] = PROVISION_COMMIT } };
	uint8_t lost[AKM_ID_LEN];

	(void)state;
	run_exchange(&M, &N, "EdgeNodeA", &w);
	assert_int_equal(M.record, COMMITTED);
	assert_int_equal(N.record, NOTHING);
	assert_int_equal(M.r, -EPIPE);
	assert_non_null(strstr(M.err.reason, "did not acknowledge"));
	memcpy(lost, M.grant.id, sizeof(lost));
	assert_rerun_works();
	assert_false(M.saw_again);
	assert_memory_not_equal(M.grant.id, lost, sizeof(lost));
}

/* The same when a provisioned subject was provisioned again: it keeps what it had. */
static void lost_commit_of_a_second_run_keeps_the_first(void **state)
{
	struct wire w = { .cut_after = { NEVER, NEVER }, .cut_before = { [TO_SUBJECT] = PROVISION_COMMIT } };
	uint8_t first[AKM_ID_LEN];

	(void)state;
	assert_rerun_works();
	memcpy(first, N.grant.id, sizeof(first));
	N.allow = true;
	run_exchange(&M, &N, "EdgeNodeA", &w);
	assert_memory_equal(N.grant.id, first, sizeof(first));
	assert_rerun_works();
	assert_true(M.saw_again);
}

/* ---- somebody in between ---- */

/* Inverts one byte of one frame's payload; arg: type, index. */
static bool flip(struct wire *w, int to, struct frame *f, uint8_t *payload)
{
	(void)to;
	if (f->type == w->arg[0] && w->arg[1] < f->len)
		payload[w->arg[1]] ^= 0xff;
	return true;
}

static size_t payload_len[PROVISION_DONE + 1];

static bool measure(struct wire *w, int to, struct frame *f, uint8_t *payload)
{
	(void)w;
	(void)to;
	(void)payload;
	payload_len[f->type] = f->len;
	return true;
}

static void every_changed_byte_is_noticed(void **state)
{
	struct wire w = { .cut_after = { NEVER, NEVER }, .between = measure };

	(void)state;
	run_exchange(&M, &N, "EdgeNodeA", &w);
	assert_int_equal(M.r, 0);
	for (unsigned int type = PROVISION_HELLO; type <= PROVISION_COMMIT; type++) {
		for (size_t i = 0; i < payload_len[type]; i += stride()) {
			forget_all();
			w = (struct wire) { .cut_after = { NEVER, NEVER }, .between = flip, .arg = { type, i } };
			run_exchange(&M, &N, "EdgeNodeA", &w);
			if (!M.r || N.record != NOTHING || (M.record == COMMITTED && type < PROVISION_COMMIT))
				fail_msg("byte %zu of %s was changed: issuer %d %d, subject %d %d", i,
					 provision_type_name(type), M.r, M.record, N.r, N.record);
		}
	}
	forget_all();
	assert_rerun_works();
}

/* Somebody in between who plays both roles with identities of his own: the fingerprints differ. */
static char *fingerprint(struct party_end *e)
{
	char *p = strstr(e->said, "fingerprint ");

	assert_non_null(p);
	p[strlen("fingerprint ") + 39] = '\0';
	return p;
}

static void fingerprints_are_equal_exactly_without_somebody_in_between(void **state)
{
	struct fake_tpm *tpm = fake_tpm_new(false);
	struct party_end evil_issuer, evil_subject;

	(void)state;
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_string_equal(fingerprint(&M), fingerprint(&N));
	end_begin(&evil_issuer, "MgmtMod", fake_keystore(tpm));
	end_begin(&evil_subject, "-", fake_keystore(tpm));
	forget_all();
	run_exchange(&M, &evil_subject, "EdgeNodeA", NULL);
	run_exchange(&evil_issuer, &N, "EdgeNodeA", NULL);
	assert_string_not_equal(fingerprint(&M), fingerprint(&N));
	end_finish(&evil_issuer);
	end_finish(&evil_subject);
	fake_tpm_free(tpm);
}

/* ---- one scripted end ---- */

static int script_fd;

static void script_send(uint32_t exchange, uint16_t type, const void *payload, size_t len)
{
	struct frame f = { exchange, type, payload, len };
	_cleanup_(akm_blob_free) struct akm_blob b = {};

	assert_int_equal(frame_encode(&f, &b), 0);
	assert_int_equal(write(script_fd, b.data, b.len), (ssize_t)b.len);
}

static void script_say(uint32_t exchange, const struct provision_msg *m)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};

	assert_int_equal(provision_msg_encode(m, &b), 0);
	script_send(exchange, (uint16_t)m->type, b.data, b.len);
}

/* The next frame from the other end; payload is decoded into @ret. */
static void script_hear(struct frame_reader *r, struct frame *ret_frame, struct provision_msg *ret)
{
	uint64_t end = now_ms() + 60000;
	struct akm_error err;

	while (!frame_next(r, ret_frame)) {
		size_t room;
		uint8_t *to = frame_room(r, &room);
		ssize_t n;

		loop_turn();
		n = read(script_fd, to, room);
		assert_true(n > 0 || (n < 0 && errno == EAGAIN));
		assert_true(now_ms() < end);
		if (n > 0)
			frame_filled(r, (size_t)n);
	}
	assert_int_equal(provision_msg_decode(ret_frame->type, ret_frame->payload, ret_frame->len, ret, &err), 0);
}

static int script_pair(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	script_fd = pair[0];
	return pair[1];
}

static const struct provision_msg hello_msg = { .type = PROVISION_HELLO, .hello = { .issuer = "Mgmt" } };

struct bad_hello { const char *what; const char *data; size_t len; int r; const char *reason; };

static const struct bad_hello bad_hellos[] = {
	{ "another version", "\xa1\x01\x02", 3, -EPROTO, "is 2, this side speaks 1" },
	{ "empty", "", 0, -EPROTO, "is missing" },
	{ "not a map", "\x80", 1, -EPROTO, "an array" },
	{ "garbage", "\xff\xff\xff", 3, -EPROTO, "" },
	{ "no name", "\xa1\x01\x01", 3, -EPROTO, "is missing" },
	{ "bad name", "\xa3\x01\x01\x02\x61 ", 6, -EPROTO, "is not a name" },
};

static void bad_hellos_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_hellos); i++) {
		const struct bad_hello *b = &bad_hellos[i];
		struct frame_reader r = {};
		struct provision_msg m;
		struct frame f;

		end_receive(&N, script_pair());
		script_send(77, PROVISION_HELLO, b->data, b->len);
		script_hear(&r, &f, &m);
		assert_int_equal(m.type, PROVISION_ERROR);
		assert_int_equal(f.exchange, 77);
		loop_until(N.done);
		if (N.r != b->r || !strstr(N.err.reason, b->reason) || strncmp(N.err.field, "hello", 5))
			fail_msg("%s: %d %s %s", b->what, N.r, N.err.field, N.err.reason);
		close(script_fd);
	}
	assert_int_equal(N.record, NOTHING);
}

/* Messages out of turn are not acted on, and do not stop the right ones. */
static void messages_out_of_turn_are_ignored(void **state)
{
	struct provision_msg commit = { .type = PROVISION_COMMIT }, m;
	struct frame_reader r = {};
	struct frame f;

	(void)state;
	end_receive(&N, script_pair());
	for (uint16_t type = 0; type < 300; type++) {
		if (type != PROVISION_HELLO)
			script_send(0, type, "\xa0", 1);
		if (type % 32 == 31)
			loop_turn();
	}
	script_say(5, &commit);
	script_say(5, &hello_msg);
	script_say(5, &commit);
	script_hear(&r, &f, &m);
	assert_int_equal(m.type, PROVISION_IDENTITY);
	provision_msg_free(&m);
	script_say(5, &commit);
	loop_turn();
	assert_false(N.done);
	provision_cancel(N.exchange);
	assert_int_equal(N.r, -ECANCELED);
	close(script_fd);
}

/* An issuer that was cut and started again speaks on the same line, with what is left of the old one. */
static void new_hello_begins_anew(void **state)
{
	struct provision_msg challenge = { .type = PROVISION_CHALLENGE }, m;
	uint8_t nonce[AKM_DIGEST_LEN];
	struct frame_reader r = {};
	struct frame f;

	(void)state;
	assert_int_equal(akm_blob_dup("x", 1, &challenge.challenge.parent), 0);
	end_receive(&N, script_pair());
	script_say(5, &hello_msg);
	script_hear(&r, &f, &m);
	assert_int_equal(f.exchange, 5);
	memcpy(nonce, m.identity.nonce, sizeof(nonce));
	provision_msg_free(&m);

	script_say(5, &hello_msg);		/* the same again: the same answer again */
	script_hear(&r, &f, &m);
	assert_memory_equal(m.identity.nonce, nonce, sizeof(nonce));
	provision_msg_free(&m);

	script_say(6, &hello_msg);
	script_say(5, &challenge);		/* late, of the old exchange */
	script_hear(&r, &f, &m);
	assert_int_equal(f.exchange, 6);
	assert_memory_not_equal(m.identity.nonce, nonce, sizeof(nonce));
	provision_msg_free(&m);
	loop_turn();
	assert_false(N.done);
	provision_msg_free(&challenge);
	provision_cancel(N.exchange);
	close(script_fd);
}

/* One hello is one TPM job; the next is heard when that is done. */
static void hellos_do_not_pile_up_tpm_work(void **state)
{
	struct frame_reader r = {};
	struct provision_msg m;
	struct frame f;

	(void)state;
	end_receive(&N, script_pair());
	for (uint32_t exchange = 1; exchange <= 100; exchange++)
		script_say(exchange, &hello_msg);
	script_hear(&r, &f, &m);
	assert_int_equal(m.type, PROVISION_IDENTITY);
	assert_int_equal(f.exchange, 1);
	provision_msg_free(&m);
	loop_turn();
	assert_int_equal(tpmq_depth(N.q), 0);
	assert_int_equal(fake_tpm_calls(node_tpm), 1);
	script_say(200, &hello_msg);
	script_hear(&r, &f, &m);
	assert_int_equal(f.exchange, 200);
	provision_msg_free(&m);
	provision_cancel(N.exchange);
	close(script_fd);
}

/* An issuer that recorded another hardware value, or made up a label, is not obeyed. */
static void false_grants_are_refused(void **state)
{
	static const char *const fields[] = { "grant.hardware", "grant.label" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct provision_msg offer = { .type = PROVISION_GRANT, .offer = { .subject = "a", .label = "Mgmt-a" } };
		struct provision_msg challenge = { .type = PROVISION_CHALLENGE }, m;
		struct keystore *ks = fake_keystore(mgmt_tpm);
		_cleanup_secret_ struct akm_secret secret = {};
		struct keystore_identity peer = {};
		struct frame_reader r = {};
		struct frame f;

		end_receive(&N, script_pair());
		script_say(5, &hello_msg);
		script_hear(&r, &f, &m);
		memcpy(offer.offer.hardware, m.identity.hardware, AKM_DIGEST_LEN);
		if (i == 0)
			offer.offer.hardware[31] ^= 1;
		else
			strcpy(offer.offer.label, "Mgmt-b");
		assert_int_equal(tpmpub_name(&m.identity.ek_public, &peer.ek_name), 0);
		assert_int_equal(tpmpub_name(&m.identity.parent_public, &peer.parent_name), 0);
		provision_msg_free(&m);
		assert_int_equal(keystore_challenge(ks, &peer, &challenge.challenge.parent, &secret), 0);
		script_say(5, &challenge);
		script_hear(&r, &f, &m);
		assert_int_equal(m.type, PROVISION_PROOF);
		assert_int_equal(akm_blob_dup("x", 1, &offer.offer.key), 0);
		script_say(5, &offer);
		script_hear(&r, &f, &m);
		assert_int_equal(m.type, PROVISION_ERROR);
		assert_string_equal(m.failure.field, fields[i]);
		loop_until(N.done);
		assert_int_equal(N.record, NOTHING);
		provision_msg_free(&challenge);
		provision_msg_free(&offer);
		keystore_identity_free(&peer);
		keystore_close(ks);
		close(script_fd);
	}
}

static void error_texts_for_people_are_clean(void **state)
{
	struct provision_msg m = { .type = PROVISION_ERROR, .failure = { .code = EIO, .field = "x", .reason = "\x1b[2J" } };
	_cleanup_(akm_blob_free) struct akm_blob b = {};

	(void)state;
	assert_int_equal(provision_msg_encode(&m, &b), -EINVAL);
	end_receive(&N, script_pair());
	script_say(5, &hello_msg);
	/* {1: 5, 2: "x", 3: "ESC[2J"} */
	loop_turn();
	script_send(5, PROVISION_ERROR, "\xa3\x01\x05\x02\x61x\x03\x64\x1b[2J", 11);
	loop_until(N.done);
	assert_null(strchr(N.err.reason, '\x1b'));
	close(script_fd);
}

static void line_with_something_else_on_it_is_named(void **state)
{
	static uint8_t noise[FRAME_NOISE_MAX / 16];
	int fd;

	(void)state;
	memset(noise, 'x', sizeof(noise));
	fd = script_pair();
	end_issue(&M, "EdgeNodeA", fd);
	for (int i = 0; i < 20 && !M.done; i++) {
		assert_int_equal(write(script_fd, noise, sizeof(noise)), sizeof(noise));
		loop_turn();
	}
	loop_until(M.done);
	assert_int_equal(M.r, -EPROTO);
	assert_string_equal(M.err.field, "line");
	close(script_fd);
}

/* ---- the end by our own side ---- */

static void cancel_at_every_word(void **state)
{
	static const struct { bool issuer; const char *said; } cases[] = {
		{ true, "the other end answers" }, { true, "fingerprint" }, { true, "endorsement key is" },
		{ true, "in one TPM" }, { true, "key created" },
		{ false, "wants to provision" }, { false, "fingerprint" }, { false, "key imported" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct party_end *e = cases[i].issuer ? &M : &N;

		forget_all();
		e->cancel_when_said = cases[i].said;
		run_exchange(&M, &N, "EdgeNodeA", NULL);
		e->cancel_when_said = NULL;
		assert_int_equal(e->r, -ECANCELED);
		assert_true(M.r < 0 && N.r < 0);
		assert_nothing_made();
		assert_rerun_works();
	}
}

static void tpm_thread_may_end_first(void **state)
{
	struct fake_tpm *t = fake_tpm_new(false);
	struct party_end e;
	int fd;

	(void)state;
	end_begin(&e, "-", fake_keystore(t));
	fd = script_pair();
	end_receive(&e, fd);
	script_say(5, &hello_msg);
	while (!tpmq_depth(e.q) && !strstr(e.said, "fingerprint"))
		loop_turn();
	/* Its jobs end with -ECANCELED, which ends the exchange. */
	end_finish(&e);
	assert_true(e.done);
	fake_tpm_free(t);
	close(script_fd);
}

/* ---- done ---- */

static void provisions(void **state)
{
	(void)state;
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_int_equal(M.r, 0);
	assert_int_equal(N.r, 0);
	assert_agree(&M, &N);
	assert_string_equal(N.grant.label, "MgmtMod-EdgeNodeA");
	assert_string_equal(N.grant.issuer, "MgmtMod");
	assert_string_equal(N.grant.subject, "EdgeNodeA");
	assert_int_equal(N.grant.n_addresses, 2);
	assert_string_equal(N.grant.addresses[1], "[2001:db8::1]:7646");
	assert_int_equal(N.grant.term, 3);
	assert_int_equal(N.grant.domain.len, 0);
	assert_non_null(strstr(M.said, "name 000bfa4e"));
}

struct make_domain { struct akm_blob domain; bool done; };

static int domain_work(struct keystore *ks, void *arg)
{
	return keystore_domain_create(ks, &((struct make_domain *)arg)->domain);
}

static void domain_done(void *arg, int r)
{
	assert_int_equal(r, 0);
	((struct make_domain *)arg)->done = true;
}

/* Root → manager hands the domain key on; manager → node makes K_mn under it. */
static void whole_hierarchy(void **state)
{
	struct fake_tpm *tpm = fake_tpm_new(false);
	struct make_domain d = {};
	struct party_end R;

	(void)state;
	end_begin(&R, "Root", fake_keystore(tpm));
	assert_int_equal(tpmq_submit(R.q, domain_work, domain_done, &d), 0);
	loop_until(d.done);
	R.domain = d.domain;
	R.give_domain = true;
	run_exchange(&R, &M, "MgmtMod", NULL);
	assert_int_equal(R.r, 0);
	assert_agree(&R, &M);
	assert_true(M.grant.domain.len > 0);
	assert_int_equal(akm_blob_dup(M.grant.domain.data, M.grant.domain.len, &M.domain), 0);
	end_forget(&M);
	run_exchange(&M, &N, "EdgeNodeA", NULL);
	assert_int_equal(M.r, 0);
	assert_agree(&M, &N);
	end_finish(&R);
	fake_tpm_free(tpm);
}

/* ---- serial lines ---- */

static void pty_pair(char path[2][64], int master[2])
{
	for (int i = 0; i < 2; i++) {
		int slave;

		assert_int_equal(openpty(&master[i], &slave, path[i], NULL, NULL), 0);
		fcntl(master[i], F_SETFL, O_NONBLOCK);
		close(slave);
	}
}

/* A null modem */
static void pump(const int master[2])
{
	uint8_t buf[512];
	ssize_t n;

	for (int i = 0; i < 2; i++)
		while ((n = read(master[i], buf, sizeof(buf))) > 0)
			assert_int_equal(write(master[!i], buf, (size_t)n), n);
}

static int open_line(const char *path)
{
	struct akm_error err = {};
	bool listening = true;
	char via[80];
	int fd;

	snprintf(via, sizeof(via), "serial:%s,57600", path);
	if (provision_open(via, &fd, &listening, &err) < 0)
		fail_msg("%s: %s", err.field, err.reason);
	assert_false(listening);
	return fd;
}

/* The subject comes later, after a boot loader's words; binary data passes as it is. */
static void works_over_a_noisy_serial_line(void **state)
{
	static const char noise[] = "\r\nU-Boot 2023.01\r\nAKM1\x11\x13\x03\x04 login: ";
	int master[2], fd[2];
	char path[2][64];
	uint64_t started;

	(void)state;
	pty_pair(path, master);
	fd[0] = open_line(path[0]);
	fd[1] = open_line(path[1]);
	started = now_ms();
	end_issue(&M, "EdgeNodeA", fd[0]);
	assert_true(write(master[0], noise, sizeof(noise)) > 0);
	while (now_ms() < started + 100) {
		loop_turn();
		pump(master);
	}
	tcflush(fd[1], TCIFLUSH);	/* the first hello came when nobody listened */
	end_receive(&N, fd[1]);
	while (!M.done || !N.done) {
		loop_turn();
		pump(master);
		assert_true(now_ms() < started + 60000);
	}
	if (M.r || N.r)
		fail_msg("%s %s / %s %s", M.err.field, M.err.reason, N.err.field, N.err.reason);
	assert_agree(&M, &N);
	close(master[0]);
	close(master[1]);
}

static void subject_on_a_serial_line_waits_without_limit(void **state)
{
	int master[2];
	char path[2][64];
	uint64_t end;

	(void)state;
	pty_pair(path, master);
	N.timeout_ms = 50;
	end_receive(&N, open_line(path[1]));
	for (end = now_ms() + 300; now_ms() < end;)
		loop_turn();
	assert_false(N.done);
	provision_cancel(N.exchange);
	close(master[0]);
	close(master[1]);
}

struct bad_via { const char *via; int r; const char *reason; };

static void bad_transports_are_named(void **state)
{
	static const struct bad_via bad[] = {
		{ "", -EINVAL, "is none of" },
		{ "tcp:1.2.3.4:5", -EINVAL, "is none of" },
		{ "serial:/nonexistent", -ENOENT, "/nonexistent" },
		{ "serial:/dev/null", -ENOTTY, "not a serial line" },
		{ "serial:/dev/ttyS0,1200baud", -EINVAL, "baud" },
		{ "unix:", -EINVAL, "path" },
		{ "unix:/nonexistent/socket", -ENOENT, "/nonexistent" },
		{ "unix-listen:/nonexistent/socket", -ENOENT, "/nonexistent" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct akm_error err = {};
		bool listening;
		int fd = -1, r = provision_open(bad[i].via, &fd, &listening, &err);

		if (r != bad[i].r || fd != -1 || strcmp(err.field, "via") || !strstr(err.reason, bad[i].reason))
			fail_msg("%s: %d %s: %s", bad[i].via, r, err.field, err.reason);
	}
}

static void unix_sockets_are_private_and_replace_dead_ones(void **state)
{
	struct akm_error err = {};
	bool listening = false;
	char via[300], to[300];
	int fd, again, client;
	struct stat st;

	(void)state;
	scratch_make();
	snprintf(via, sizeof(via), "unix-listen:%s", scratch_path("line"));
	snprintf(to, sizeof(to), "unix:%s", scratch_path("line"));
	assert_int_equal(provision_open(via, &fd, &listening, &err), 0);
	assert_true(listening);
	assert_int_equal(stat(scratch_path("line"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(provision_open(via, &again, &listening, &err), -EADDRINUSE);	/* alive */
	assert_int_equal(provision_open(to, &client, &listening, &err), 0);
	assert_false(listening);
	close(client);
	close(fd);
	assert_int_equal(provision_open(to, &client, &listening, &err), -ECONNREFUSED);
	assert_int_equal(provision_open(via, &fd, &listening, &err), 0);		/* dead */
	close(fd);
	scratch_write("file", "x", 1);
	snprintf(via, sizeof(via), "unix-listen:%s", scratch_path("file"));
	assert_int_equal(provision_open(via, &fd, &listening, &err), -EADDRINUSE);	/* not ours to remove */
	scratch_remove();
}

/* ---- EK certificates ---- */

static X509 *certificate(EVP_PKEY *subject, X509 *issuer, EVP_PKEY *issuer_key, bool ca, long days)
{
	X509 *x = X509_new();
	X509_EXTENSION *ext;

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), (long)(now_ms() & 0xffffff) + 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -2 * 86400);
	X509_gmtime_adj(X509_getm_notAfter(x), days * 86400);
	X509_set_pubkey(x, subject);
	if (ca)
		X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
					   (const unsigned char *)"Maker", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer ?: x));
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, ca ? "critical,CA:TRUE" : "CA:FALSE");
	X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	/* As EK certificates have it: an empty subject, so the alternative name is critical. */
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "critical,URI:tpm:model");
	assert_non_null(ext);
	X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
	return x;
}

static struct akm_blob der(X509 *x)
{
	struct akm_blob b = {};
	unsigned char *p = NULL;
	int len = i2d_X509(x, &p);

	assert_true(len > 0);
	/* As read from an NV index: with some padding behind */
	b.data = calloc(1, (size_t)len + 16);
	assert_non_null(b.data);
	memcpy(b.data, p, (size_t)len);
	b.len = (size_t)len + 16;
	OPENSSL_free(p);
	return b;
}

static void ca_file(X509 *x)
{
	FILE *f = fopen(scratch_path("ca.pem"), "we");

	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, x), 1);
	fclose(f);
}

struct cert_case { bool rsa, other_key, other_ca, expired, none, no_file; int r; const char *reason; };

static const struct cert_case cert_cases[] = {
	{ .r = 0 },
	{ .rsa = true, .r = 0 },
	{ .other_key = true, .r = -EKEYREJECTED, .reason = "about another key" },
	{ .rsa = true, .other_key = true, .r = -EKEYREJECTED, .reason = "about another key" },
	{ .other_ca = true, .r = -EKEYREJECTED, .reason = "no configured CA" },
	{ .expired = true, .r = -EKEYREJECTED, .reason = "expired" },
	{ .none = true, .r = -EKEYREJECTED, .reason = "is missing" },
	{ .no_file = true, .r = -ENOENT, .reason = "no readable PEM" },
};

static void one_certificate(const struct cert_case *k)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *other_key = EVP_EC_gen("P-256");
	X509 *ca = certificate(ca_key, NULL, ca_key, true, 10);
	X509 *other_ca = certificate(other_key, NULL, other_key, true, 10), *cert;
	struct fake_tpm *t = fake_tpm_new(k->rsa);
	struct akm_blob b;
	struct party_end e;

	cert = certificate(k->other_key ? other_key : fake_tpm_ek(t), ca, ca_key, false, k->expired ? -1 : 10);
	b = der(cert);
	if (!k->none)
		fake_tpm_set_cert(t, &b);
	ca_file(k->other_ca ? other_ca : ca);
	M.ek_ca_file = k->no_file ? "/nonexistent/ca.pem" : scratch_path("ca.pem");
	end_begin(&e, "-", fake_keystore(t));
	end_forget(&M);
	run_exchange(&M, &e, "EdgeNodeA", NULL);
	if (M.r != k->r || (k->reason && !strstr(M.err.reason, k->reason)))
		fail_msg("case %td: %d %s: %s", k - cert_cases, M.r, M.err.field, M.err.reason);
	assert_int_equal(e.record, k->r ? NOTHING : COMMITTED);
	end_finish(&e);
	fake_tpm_free(t);
	akm_blob_free(&b);
	X509_free(cert);
	X509_free(ca);
	X509_free(other_ca);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(other_key);
}

static void certificates_are_checked(void **state)
{
	(void)state;
	scratch_make();
	for (size_t i = 0; i < ARRAY_SIZE(cert_cases); i++)
		one_certificate(&cert_cases[i]);
	M.ek_ca_file = NULL;
	scratch_remove();
}

static void malformed_public_areas_are_refused(void **state)
{
	struct akm_blob good = *fake_tpm_ek_public(node_tpm), cut, name = {}, der_none = { (uint8_t *)"\x30", 1 };
	struct akm_error err = {};

	(void)state;
	assert_int_equal(tpmpub_name(&good, &name), 0);
	assert_int_equal(name.len, 34);
	akm_blob_free(&name);
	for (size_t len = 0; len < good.len; len++) {
		cut = (struct akm_blob) { good.data, len };
		assert_int_equal(tpmpub_name(&cut, &name), -EPROTO);
	}
	assert_int_equal(tpmpub_certified(&good, &der_none, "/nonexistent", &err), -EPROTO);
	assert_string_equal(err.field, "ek-cert");
}

/* Every byte of a public area changed, with a size that fits: an answer, never a crash. */
static void changed_public_areas_are_survived(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = certificate(key, NULL, key, true, 1);
	struct akm_blob cert = der(x);
	struct akm_error err;

	(void)state;
	for (int rsa = 0; rsa < 2; rsa++) {
		struct fake_tpm *t = fake_tpm_new(rsa);
		const struct akm_blob *good = fake_tpm_ek_public(t);

		for (size_t i = 2; i < good->len; i++) {
			for (unsigned int v = 0; v < 256; v += 17 * (unsigned int)stride()) {
				struct akm_blob b = {};

				assert_int_equal(akm_blob_dup(good->data, good->len, &b), 0);
				b.data[i] = (uint8_t)v;
				assert_true(tpmpub_certified(&b, &cert, "/nonexistent", &err) < 0);
				akm_blob_free(&b);
			}
		}
		fake_tpm_free(t);
	}
	akm_blob_free(&cert);
	X509_free(x);
	EVP_PKEY_free(key);
}

static int secrets_begin(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return akm_secret_init(1 << 20);
}

static int secrets_end(void **state)
{
	(void)state;
	akm_secret_exit();
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(unexpected_hardware_is_refused),
		T(parent_of_another_tpm_is_refused),
		T(what_runs_there_is_the_baseline), T(nothing_is_attested_where_nobody_asks),
		T(key_of_another_tpm_is_refused), T(forged_first_quote_is_refused), T(attestation_cannot_be_left_out),
		T(second_provisioning_needs_permission),
		T(missing_hardware_source_is_named),
		T(bad_configuration_is_refused),
		T(failing_records_make_nothing),
		T(every_failing_tpm_command_makes_nothing),
		T(cut_towards_the_subject_after_every_byte),
		T(cut_towards_the_issuer_after_every_byte),
		T(silence_before_every_message_times_out),
		T(lost_commit_is_healed_by_another_run),
		T(lost_commit_of_a_second_run_keeps_the_first),
		T(every_changed_byte_is_noticed),
		T(fingerprints_are_equal_exactly_without_somebody_in_between),
		T(bad_hellos_are_refused),
		T(messages_out_of_turn_are_ignored),
		T(new_hello_begins_anew),
		T(hellos_do_not_pile_up_tpm_work),
		T(false_grants_are_refused),
		T(error_texts_for_people_are_clean),
		T(line_with_something_else_on_it_is_named),
		T(cancel_at_every_word),
		T(tpm_thread_may_end_first),
		T(provisions),
		T(whole_hierarchy),
		T(works_over_a_noisy_serial_line),
		T(subject_on_a_serial_line_waits_without_limit),
		T(bad_transports_are_named),
		T(unix_sockets_are_private_and_replace_dead_ones),
		T(certificates_are_checked),
		T(malformed_public_areas_are_refused),
		T(changed_public_areas_are_survived),
	};

	return cmocka_run_group_tests(tests, secrets_begin, secrets_end);
}
