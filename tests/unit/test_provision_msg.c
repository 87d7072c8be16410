// SPDX-License-Identifier: GPL-2.0
/* Every provisioning message: what must be refused, and that what passes means one thing only. */
#include "provision_msg.h"

#include <setjmp.h>
#include <cmocka.h>

#include "support_cddl.h"
#include "support_sample.h"

static struct akm_blob encoded(const struct provision_msg *m)
{
	struct akm_blob b = {};

	assert_int_equal(provision_msg_encode(m, &b), 0);
	return b;
}

static struct akm_blob encoded_sample(enum provision_type type)
{
	_cleanup_provision_msg_ struct provision_msg m = sample_provision_msg(type);

	return encoded(&m);
}

static bool canonical(enum provision_type type, const uint8_t *data, size_t len)
{
	_cleanup_provision_msg_ struct provision_msg m = {};
	_cleanup_(akm_blob_free) struct akm_blob again = {};
	struct akm_error err = {};
	int r = provision_msg_decode(type, data, len, &m, &err);

	if (r < 0) {
		if (r != -EBADMSG || !err.field[0] || !err.reason[0])
			fail_msg("%s: %d \"%s\" \"%s\"", provision_type_name(type), r, err.field, err.reason);
		return false;
	}
	again = encoded(&m);
	if (again.len != len || memcmp(again.data, data, len))
		fail_msg("%s: accepted, but not its encoding", provision_type_name(type));
	return true;
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	for (enum provision_type t = PROVISION_HELLO; t <= PROVISION_ERROR; t++) {
		_cleanup_(akm_blob_free) struct akm_blob b = encoded_sample(t);

		for (size_t len = 0; len < b.len; len++)
			assert_false(canonical(t, b.data, len));
		assert_true(canonical(t, b.data, b.len));
	}
}

static void every_changed_byte_is_refused_or_means_something_else(void **state)
{
	(void)state;
	for (enum provision_type t = PROVISION_HELLO; t <= PROVISION_ERROR; t++) {
		_cleanup_(akm_blob_free) struct akm_blob b = encoded_sample(t);

		for (size_t i = 0; i < b.len; i++) {
			uint8_t old = b.data[i];

			for (unsigned int v = 0; v < 256; v++) {
				b.data[i] = (uint8_t)v;
				canonical(t, b.data, b.len);
			}
			b.data[i] = old;
		}
	}
}

static void unknown_types_are_refused(void **state)
{
	struct provision_msg m = { .type = 0 };
	struct akm_error err = {};
	struct akm_blob b = {};

	(void)state;
	assert_int_equal(provision_msg_decode(0, (const uint8_t *)"\xa0", 1, &m, &err), -EBADMSG);
	assert_int_equal(provision_msg_decode(PROVISION_ERROR + 1, (const uint8_t *)"\xa0", 1, &m, &err), -EBADMSG);
	assert_int_equal(provision_msg_encode(&m, &b), -EINVAL);
	assert_null(b.data);
}

static void another_version_is_named(void **state)
{
	static const uint8_t v2[] = { 0xa1, 0x01, 0x02 };
	struct provision_msg m;
	struct akm_error err = {};

	(void)state;
	assert_int_equal(provision_msg_decode(PROVISION_HELLO, v2, sizeof(v2), &m, &err), -EBADMSG);
	assert_string_equal(err.field, "hello.version");
	assert_string_equal(err.reason, "is 2, this side speaks 1");
	assert_int_equal(provision_msg_decode(PROVISION_IDENTITY, v2, sizeof(v2), &m, &err), -EBADMSG);
	assert_string_equal(err.field, "identity.version");
}

static void optional_fields_may_be_absent(void **state)
{
	_cleanup_provision_msg_ struct provision_msg identity = sample_provision_msg(PROVISION_IDENTITY);
	_cleanup_provision_msg_ struct provision_msg grant = sample_provision_msg(PROVISION_GRANT);
	_cleanup_(akm_blob_free) struct akm_blob a = {}, b = {};

	(void)state;
	akm_blob_free(&identity.identity.ek_cert);
	identity.identity.provisioned = false;
	akm_blob_free(&grant.offer.domain);
	grant.offer.n_addresses = 0;
	a = encoded(&identity);
	b = encoded(&grant);
	assert_true(canonical(PROVISION_IDENTITY, a.data, a.len));
	assert_true(canonical(PROVISION_GRANT, b.data, b.len));
}

static void schema_has_the_same_numbers(void **state)
{
	static const int top[] = { -1 };
	char rule[64];

	(void)state;
	cddl_load();
	for (enum provision_type t = PROVISION_HELLO; t <= PROVISION_ERROR; t++) {
		_cleanup_(akm_blob_free) struct akm_blob b = encoded_sample(t);

		snprintf(rule, sizeof(rule), "provision-%s", provision_type_name(t));
		assert_string_equal(cddl_provision_rule(t), rule);
		cddl_check(rule, b.data, b.len, top, true);
	}
	cddl_unload();
}

static int setup(void **state)
{
	(void)state;
	return akm_secret_init(1 << 20);
}

static int teardown(void **state)
{
	(void)state;
	akm_secret_exit();
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_changed_byte_is_refused_or_means_something_else),
		cmocka_unit_test(unknown_types_are_refused),
		cmocka_unit_test(another_version_is_named),
		cmocka_unit_test(optional_fields_may_be_absent),
		cmocka_unit_test(schema_has_the_same_numbers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
