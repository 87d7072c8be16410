// SPDX-License-Identifier: GPL-2.0
/*
 * Steps 1 to 3 of the story on software TPMs: root provisions the manager, the
 * manager provisions a node, over a wire, through the TPM thread, and the link keys
 * that follow are the same at both ends. With what must fail, and the power going.
 */
#include "provision.h"

#include <signal.h>

#include "provision_msg.h"
#include "support_provision.h"
#include "support_tpm.h"

enum { ROOT, MGR, MGR2, NODE, OTHER, N_PARTIES };

static struct tpm *chip[N_PARTIES];
static struct party_end party[N_PARTIES];

static struct keystore *open_keystore(struct tpm *t)
{
	const struct keystore_config cfg = { .tcti = tpm_conf(t) };
	struct keystore *ks = NULL;

	assert_int_equal(keystore_open(&cfg, &ks), 0);
	return ks;
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

static int group_setup(void **state)
{
	static const char *const names[] = { "Root", "MgmtMod", "MgmtMod2", "-", "-" };
	struct make_domain d = {};

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(akm_secret_init(1 << 20), 0);
	loop_begin();
	for (int i = 0; i < N_PARTIES; i++) {
		chip[i] = tpm_start();
		end_begin(&party[i], names[i], open_keystore(chip[i]));
		party[i].timeout_ms = 30000;
	}
	assert_int_equal(tpmq_submit(party[ROOT].q, domain_work, domain_done, &d), 0);
	loop_until(d.done);
	party[ROOT].domain = d.domain;
	party[ROOT].give_domain = true;
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	for (int i = 0; i < N_PARTIES; i++) {
		end_finish(&party[i]);
		tpm_stop(chip[i]);
	}
	loop_end();
	akm_secret_exit();
	return 0;
}

static void provisioned(struct party_end *issuer, struct party_end *subject, const char *name)
{
	run_exchange(issuer, subject, name, NULL);
	if (issuer->r || subject->r)
		fail_msg("%s: %s %s / %s %s", name, issuer->err.field, issuer->err.reason, subject->err.field,
			 subject->err.reason);
	assert_agree(issuer, subject);
}

/* A manager takes the domain key from its record, as its role does. */
static void become_manager(struct party_end *m, const char *name)
{
	provisioned(&party[ROOT], m, name);
	assert_true(m->grant.domain.len > 0);
	akm_blob_free(&m->domain);
	assert_int_equal(akm_blob_dup(m->grant.domain.data, m->grant.domain.len, &m->domain), 0);
}

static void root_provisions_the_manager(void **state)
{
	(void)state;
	become_manager(&party[MGR], "MgmtMod");
	assert_non_null(strstr(party[ROOT].said, "key created in the TPM, name 000b"));
	assert_string_equal(party[MGR].grant.label, "Root-MgmtMod");
}

static void manager_provisions_the_node(void **state)
{
	struct party_end *m = &party[MGR], *n = &party[NODE];
	uint8_t first[AKM_DIGEST_LEN], again[AKM_DIGEST_LEN];

	(void)state;
	end_forget(m);
	provisioned(m, n, "EdgeNodeA");
	assert_string_equal(n->grant.label, "MgmtMod-EdgeNodeA");
	end_hmac(n, NULL, first);
	end_hmac(n, NULL, again);
	assert_memory_equal(first, again, sizeof(first));
}

/* The node's disk in another machine: the wrapped key does not load in that TPM. */
struct try_hmac { const struct akm_blob *key; struct akm_secret mac; int r; bool done; };

static int try_work(struct keystore *ks, void *arg)
{
	struct try_hmac *t = arg;

	return keystore_hmac(ks, NULL, t->key, "x", 1, &t->mac);
}

static void try_done(void *arg, int r)
{
	struct try_hmac *t = arg;

	t->r = r;
	t->done = true;
}

static void stolen_record_is_useless(void **state)
{
	struct try_hmac t = { .key = &party[NODE].grant.key };

	(void)state;
	assert_int_equal(tpmq_submit(party[OTHER].q, try_work, try_done, &t), 0);
	loop_until(t.done);
	assert_int_equal(t.r, -ENOKEY);
}

/* Somebody in between: keeps a part of the first message of @type, and puts it into the next ones. */
static bool swap(struct frame *f, enum provision_type type, struct akm_blob *(*part)(struct provision_msg *m),
		 struct akm_blob *foreign)
{
	_cleanup_provision_msg_ struct provision_msg m = {};
	static struct akm_blob changed;
	struct akm_error err;
	struct akm_blob *p;

	if (f->type != type)
		return true;
	assert_int_equal(provision_msg_decode(f->type, f->payload, f->len, &m, &err), 0);
	p = part(&m);
	if (!foreign->len) {
		assert_int_equal(akm_blob_dup(p->data, p->len, foreign), 0);
		return true;
	}
	akm_blob_free(p);
	assert_int_equal(akm_blob_dup(foreign->data, foreign->len, p), 0);
	akm_blob_free(&changed);
	assert_int_equal(provision_msg_encode(&m, &changed), 0);
	f->payload = changed.data;
	f->len = changed.len;
	return true;
}

/* A grant that was made for another TPM */
static struct akm_blob foreign_key;

static struct akm_blob *key_of_grant(struct provision_msg *m)
{
	return &m->offer.key;
}

static bool swap_key(struct wire *w, int to, struct frame *f, uint8_t *payload)
{
	(void)w, (void)to, (void)payload;
	return swap(f, PROVISION_GRANT, key_of_grant, &foreign_key);
}

static void key_for_another_tpm_is_refused(void **state)
{
	struct wire w = { .cut_after = { NEVER, NEVER }, .between = swap_key };
	struct party_end *m = &party[MGR];

	(void)state;
	end_forget(m);
	end_forget(&party[NODE]);
	run_exchange(m, &party[OTHER], "EdgeNodeB", &w);	/* notes the key */
	assert_int_equal(m->r, 0);
	end_forget(m);
	run_exchange(m, &party[NODE], "EdgeNodeA", &w);
	assert_int_equal(party[NODE].r, -ENOKEY);
	assert_int_equal(party[NODE].record, NOTHING);
	assert_int_not_equal(m->record, COMMITTED);
	end_forget(&party[OTHER]);
	akm_blob_free(&foreign_key);
}

/* A node that shows another TPM's storage parent, with its own EK */
static struct akm_blob foreign_parent;

static struct akm_blob *parent_of_identity(struct provision_msg *m)
{
	return &m->identity.parent_public;
}

static bool swap_parent(struct wire *w, int to, struct frame *f, uint8_t *payload)
{
	(void)w, (void)to, (void)payload;
	return swap(f, PROVISION_IDENTITY, parent_of_identity, &foreign_parent);
}

static void parent_of_another_tpm_is_refused(void **state)
{
	struct wire w = { .cut_after = { NEVER, NEVER }, .between = swap_parent };
	struct party_end *m = &party[MGR];

	(void)state;
	end_forget(m);
	run_exchange(m, &party[OTHER], "EdgeNodeB", &w);	/* notes the parent */
	assert_int_equal(m->r, 0);
	end_forget(m);
	end_forget(&party[OTHER]);
	run_exchange(m, &party[NODE], "EdgeNodeA", &w);
	assert_int_equal(party[NODE].r, -EKEYREJECTED);		/* its TPM does not answer for that parent */
	assert_true(m->r < 0);
	assert_int_equal(m->record, NOTHING);
	akm_blob_free(&foreign_parent);
}

/* A node that shows another TPM's attestation key, and can so sign what it likes where that is, with its own EK */
static struct akm_blob foreign_ak;

static struct akm_blob *ak_of_identity(struct provision_msg *m)
{
	return &m->identity.ak_public;
}

static bool swap_ak(struct wire *w, int to, struct frame *f, uint8_t *payload)
{
	(void)w, (void)to, (void)payload;
	return swap(f, PROVISION_IDENTITY, ak_of_identity, &foreign_ak);
}

static void attestation_key_of_another_tpm_is_refused(void **state)
{
	struct wire w = { .cut_after = { NEVER, NEVER }, .between = swap_ak };
	struct party_end *m = &party[MGR];

	(void)state;
	end_forget(m);
	run_exchange(m, &party[OTHER], "EdgeNodeB", &w);	/* notes the key */
	assert_int_equal(m->r, 0);
	end_forget(m);
	end_forget(&party[OTHER]);
	run_exchange(m, &party[NODE], "EdgeNodeA", &w);
	assert_int_equal(party[NODE].r, -EKEYREJECTED);		/* its TPM does not answer for that key */
	assert_true(m->r < 0);
	assert_int_equal(m->record, NOTHING);
	akm_blob_free(&foreign_ak);
}

/* Takes minutes there; test_provision.c and the keystore's tests are what valgrind gets to see. */
static void skip_under_valgrind(void)
{
	if (getenv("VALGRIND"))
		skip();
}

/* Cut before each message, then run again. */
static void cut_before_every_message(void **state)
{
	struct party_end *m = &party[MGR], *n = &party[NODE];

	(void)state;
	skip_under_valgrind();
	for (unsigned int type = PROVISION_HELLO; type <= PROVISION_DONE; type++) {
		struct wire w = { .cut_after = { NEVER, NEVER } };

		end_forget(m);
		end_forget(n);
		w.cut_before[type % 2 ? TO_SUBJECT : TO_ISSUER] = type;
		run_exchange(m, n, "EdgeNodeA", &w);
		assert_int_equal(n->record, type == PROVISION_DONE ? COMMITTED : NOTHING);
		assert_int_equal(m->record == COMMITTED, type >= PROVISION_COMMIT);
		if (n->record == COMMITTED)
			assert_agree(m, n);
		else
			provisioned(m, n, "EdgeNodeA");
	}
}

/* The node's TPM loses power in the middle; its daemon reports it, and after it is back all is well. */
static void tpm_losing_power_is_survived(void **state)
{
	struct party_end *m = &party[MGR], *n = &party[NODE];
	uint64_t before = tpm_commands(chip[NODE]), all;
	unsigned int failed = 0;

	(void)state;
	skip_under_valgrind();
	end_forget(m);
	end_forget(n);
	run_exchange(m, n, "EdgeNodeA", NULL);
	assert_int_equal(n->r, 0);
	all = tpm_commands(chip[NODE]) - before;
	assert_true(all > 10);
	for (unsigned int commands = 1; commands < all; commands += 5) {
		end_forget(m);
		end_forget(n);
		tpm_hang_up(chip[NODE], commands);
		run_exchange(m, n, "EdgeNodeA", NULL);
		/* A connection lost in tidying up is opened again: that exchange succeeds. */
		failed += n->r < 0;
		assert_int_equal(n->record, n->r < 0 ? NOTHING : COMMITTED);
		tpm_power_off(chip[NODE]);
		tpm_power_on(chip[NODE]);
		n->allow = n->record == COMMITTED;
		provisioned(m, n, "EdgeNodeA");
		n->allow = false;
	}
	assert_true(failed >= 4);
}

/* A second manager gets the domain key as well; what it makes is its own. */
static void replacement_manager_takes_over(void **state)
{
	struct party_end *m2 = &party[MGR2], *n = &party[NODE];

	(void)state;
	end_forget(&party[MGR]);
	end_forget(n);
	provisioned(&party[MGR], n, "EdgeNodeA");
	end_forget(&party[ROOT]);
	become_manager(m2, "MgmtMod2");
	end_forget(m2);
	n->allow = true;
	provisioned(m2, n, "EdgeNodeA");
	assert_true(m2->saw_again);
	assert_string_equal(n->grant.label, "MgmtMod2-EdgeNodeA");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_provisions_the_manager),
		cmocka_unit_test(manager_provisions_the_node),
		cmocka_unit_test(stolen_record_is_useless),
		cmocka_unit_test(key_for_another_tpm_is_refused),
		cmocka_unit_test(parent_of_another_tpm_is_refused),
		cmocka_unit_test(attestation_key_of_another_tpm_is_refused),
		cmocka_unit_test(cut_before_every_message),
		cmocka_unit_test(tpm_losing_power_is_survived),
		cmocka_unit_test(replacement_manager_takes_over),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
