// SPDX-License-Identifier: GPL-2.0
/*
 * Message IDs of the journal: each is one, none is given twice, every kind of evidence that
 * the sources name has one, and operations.rst has them all. Runs in the source tree (or AKM_SRCDIR).
 */
#include "logid.h"

#include <ctype.h>
#include <glob.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include "util.h"

#define ID_LEN		32
#define SOURCE_MAX	(1 << 20)

static const struct { const char *name, *id; } own[] = {
	{ "(another)", LOGID_EVENT }, { "(start)", LOGID_READY }, { "(stop)", LOGID_STOPPING },
	{ "(no start)", LOGID_FAILED },
};

static char *slurp(const char *path)
{
	char *text = calloc(1, SOURCE_MAX);
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f || !text)
		fail_msg("%s cannot be read", path);
	n = fread(text, 1, SOURCE_MAX - 1, f);
	fclose(f);
	assert_in_range(n, 1, SOURCE_MAX - 2);
	return text;
}

static char *source(const char *name)
{
	const char *dir = getenv("AKM_SRCDIR");
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir ?: ".", name);
	return slurp(path);
}

/* A random UUID without hyphens: RFC 9562, 5.4 */
static void assert_id(const char *id)
{
	assert_int_equal(strlen(id), ID_LEN);
	assert_int_equal(strspn(id, "0123456789abcdef"), ID_LEN);
	assert_int_equal(id[12], '4');
	assert_non_null(strchr("89ab", id[16]));
}

static void test_unique(void **state)
{
	const char *ids[256], *kind;
	size_t n = 0;

	(void)state;
	for (; n < ARRAY_SIZE(own); n++)
		ids[n] = own[n].id;
	for (size_t i = 0; logid_each(i, &kind, &ids[n]); i++, n++)
		assert_true(n + 1 < ARRAY_SIZE(ids));
	assert_true(n > 40);
	for (size_t i = 0; i < n; i++) {
		assert_id(ids[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(ids[i], ids[k]);
	}
}

static void test_lookup(void **state)
{
	const char *kind, *id;

	(void)state;
	for (size_t i = 0; logid_each(i, &kind, &id); i++)
		assert_ptr_equal(logid_of_kind(kind), id);
	assert_string_equal(logid_of_kind("of-a-newer-version"), LOGID_EVENT);
	assert_string_equal(logid_of_kind(""), LOGID_EVENT);
}

/* "``clone``   9fe1…": the row says the kind, and its ID in the next column. */
static void assert_documented(const char *page, const char *name, const char *id)
{
	const char *row;
	char both[160];

	snprintf(both, sizeof(both), "\n%-22s %s ", name, id);
	row = strstr(page, both);
	if (!row)
		fail_msg("operations.rst has no row \"%s\"", both + 1);
	assert_null(strstr(row + strlen(both), id));
}

static void test_documented(void **state)
{
	char *page = source("Documentation/operations.rst"), name[64];
	const char *kind, *id;
	size_t i, rows = 0;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(own); i++)
		assert_documented(page, own[i].name, own[i].id);
	for (i = 0; logid_each(i, &kind, &id); i++) {
		snprintf(name, sizeof(name), "``%s``", kind);
		assert_documented(page, name, id);
	}
	/* and no row of what is not in the table any more */
	for (const char *p = strstr(page, "``MESSAGE_ID``  "); p && *p; p++)
		rows += strspn(p, "0123456789abcdef") == ID_LEN && !isalnum((unsigned char)p[-1]);
	assert_int_equal(rows, i + ARRAY_SIZE(own));
	free(page);
}

/* Every `BEFORE"kind"` of @text: it must be in the table. Return: how many. */
static size_t find_kinds(const char *text, const char *before, size_t *seen)
{
	const char *kind, *id;
	char word[64];
	size_t n = 0, i;

	for (const char *p = text; (p = strstr(p, before)); n++) {
		p += strlen(before);
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(p, "\""), p);
		for (i = 0; logid_each(i, &kind, &id); i++) {
			if (strcmp(kind, word))
				continue;
			seen[i]++;
			break;
		}
		if (!logid_each(i, &kind, &id))
			fail_msg("evidence of kind \"%s\" has no message ID: daemon/logid.c", word);
	}
	return n;
}

/* Whoever adds a kind of evidence adds its ID, and whoever drops one drops it. */
static void test_complete(void **state)
{
	const char *dir = getenv("AKM_SRCDIR"), *kind, *id;
	size_t seen[256] = {}, notes = 0;
	char pattern[512];
	glob_t g = {};

	(void)state;
	snprintf(pattern, sizeof(pattern), "%s/daemon/*.c", dir ?: ".");
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char *text = slurp(g.gl_pathv[i]);

		notes += find_kinds(text, "EVIDENCE_NOTE(\"", seen);
		notes += find_kinds(text, "EVIDENCE_ABOUT(\"", seen);
		if (strstr(g.gl_pathv[i], "/role_node.c"))
			assert_true(find_kinds(strstr(text, "kernel_events[] = {"), "] = { \"", seen) >= 11);
		free(text);
	}
	globfree(&g);
	assert_true(notes > 40);
	for (size_t i = 0; logid_each(i, &kind, &id); i++)
		if (!seen[i])
			fail_msg("nothing records \"%s\" any more", kind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unique),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_documented),
		cmocka_unit_test(test_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
