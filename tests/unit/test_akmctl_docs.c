// SPDX-License-Identifier: GPL-2.0
/*
 * The table of commands against the manual page and the completions, and the options
 * and configuration keys of the daemon against theirs. Runs in the source tree
 * (or AKM_SRCDIR).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tools/command.h"

#define MACRO_WORDS	"Ar|Cm|Fl|Op|No|Xo|Xc"

static char *slurp(const char *name)
{
	const char *dir = getenv("AKM_SRCDIR");
	char path[512], *text;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir ? dir : ".", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s cannot be read", path);
	text = calloc(1, 1 << 20);
	assert_non_null(text);
	n = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	assert_true(n > 0 && n < (1 << 20) - 1);
	return text;
}

static void append(char *buf, size_t size, const char *word)
{
	size_t n = strlen(buf);

	assert_true(n + strlen(word) + 2 < size);
	snprintf(buf + n, size - n, "%s%s", n ? " " : "", word);
}

static void command_name(const struct akm_command *c, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s", c->object, c->verb ? " " : "", c->verb ? c->verb : "");
}

/* "index name prefix endpoint": the keywords in the order of the table. */
static void keywords(const struct akm_command *c, char *buf, size_t size)
{
	const struct akm_arg *a;

	buf[0] = '\0';
	for (a = c->args; a && a->word; a++) {
		if (!a->positional)
			append(buf, size, a->word);
	}
}

static bool is_macro(const char *word)
{
	return strlen(word) == 2 && strstr(MACRO_WORDS, word);
}

/*
 * What one item of the manual page says: its command words (Cm, Fl) into @words,
 * its placeholders (Ar) into @metas. @item begins after ".It Xo".
 */
static void read_item(const char *item, char *words, char *metas, size_t size)
{
	const char *end = strstr(item, "\n.Xc");
	char copy[2048], *save = NULL, *w, mode = 0;

	assert_non_null(end);
	assert_true((size_t)(end - item) < sizeof(copy));
	memcpy(copy, item, (size_t)(end - item));
	copy[end - item] = '\0';
	words[0] = metas[0] = '\0';
	for (w = strtok_r(copy, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
		char flag[16];

		w += *w == '.' && is_macro(w + 1);
		if (is_macro(w)) {
			mode = *w;
			continue;
		}
		if (!strcmp(w, "...") || !strcmp(w, "|"))
			continue;
		snprintf(flag, sizeof(flag), "-%s", w);
		append(mode == 'A' ? metas : words, size, mode == 'F' ? flag : w);
	}
}

/* The item of the page whose words begin with the command, its keywords following. */
static bool page_has(const char *page, const char *expected, const char *expected_metas)
{
	char words[1024], metas[1024];
	const char *p = page;

	while ((p = strstr(p, ".It Xo\n"))) {
		p += strlen(".It Xo\n");
		read_item(p, words, metas, sizeof(words));
		if (!strcmp(words, expected))
			return !strcmp(metas, expected_metas);
	}
	return false;
}

/* "LABEL|#N" is "Ar LABEL | #N" on the page. */
static void add_meta(char *buf, size_t size, const char *meta)
{
	char copy[64], *save = NULL, *w;

	snprintf(copy, sizeof(copy), "%s", meta);
	for (w = strtok_r(copy, "|", &save); w; w = strtok_r(NULL, "|", &save))
		append(buf, size, w);
}

static void test_manual(void **state)
{
	char expected[1024], words[512], metas[1024];
	char *page = slurp("Documentation/man/akmctl.8");
	const struct akm_arg *a;
	size_t i, items = 0;
	const char *p;

	(void)state;
	for (i = 0; i < akm_commands_n; i++) {
		command_name(&akm_commands[i], expected, sizeof(expected));
		keywords(&akm_commands[i], words, sizeof(words));
		if (*words)
			append(expected, sizeof(expected), words);
		metas[0] = '\0';
		for (a = akm_commands[i].args; a && a->word; a++) {
			if (a->meta)
				add_meta(metas, sizeof(metas), a->meta);
		}
		if (!page_has(page, expected, metas))
			fail_msg("akmctl(8) has no item \"%s\" with \"%s\"", expected, metas);
	}
	for (p = page; (p = strstr(p, ".It Xo\n")); p++)
		items++;
	assert_int_equal(items, akm_commands_n);
	free(page);
}

/* Lines that begin with @open (after tabs and a quote), one for each command with keywords. */
static void check_completion(const char *name, const char *fmt)
{
	char *text = slurp(name), line[1024], command[128], words[512];
	size_t i;

	for (i = 0; i < akm_commands_n; i++) {
		command_name(&akm_commands[i], command, sizeof(command));
		keywords(&akm_commands[i], words, sizeof(words));
		if (!*words)
			continue;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(line, sizeof(line), fmt, command, words);
#pragma GCC diagnostic pop
		if (!strstr(text, line))
			fail_msg("%s has no line %s", name, line);
	}
	free(text);
}

/* Objects in the order of the table, each once; verbs of each likewise. */
static void check_objects(const char *name, const char *objects_open, const char *verbs_fmt)
{
	char *text = slurp(name), objects[512] = "", verbs[256], line[512];
	size_t i, j;

	for (i = 0; i < akm_commands_n; i++) {
		const char *object = akm_commands[i].object;

		for (j = 0; strcmp(akm_commands[j].object, object); j++)
			;
		if (j != i)
			continue;
		append(objects, sizeof(objects), object);
		verbs[0] = '\0';
		for (; j < akm_commands_n; j++) {
			if (!strcmp(akm_commands[j].object, object) && akm_commands[j].verb)
				append(verbs, sizeof(verbs), akm_commands[j].verb);
		}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(line, sizeof(line), verbs_fmt, object, verbs);
#pragma GCC diagnostic pop
		if (*verbs && !strstr(text, line))
			fail_msg("%s has no line %s", name, line);
	}
	snprintf(line, sizeof(line), "%s%s", objects_open, objects);
	if (!strstr(text, line))
		fail_msg("%s has no line %s", name, line);
	free(text);
}

static void test_bash(void **state)
{
	(void)state;
	check_completion("tools/completion/akmctl.bash", "\t\"%s\") echo \"%s\" ;;");
	check_objects("tools/completion/akmctl.bash", "_akmctl_objects=\"", "\t%s) echo \"%s\" ;;");
}

static void test_zsh(void **state)
{
	(void)state;
	check_completion("tools/completion/_akmctl", "\t'%s' '%s'\n");
	check_objects("tools/completion/_akmctl", "objects=(", "\t'%s' '%s'\n");
}

/* Each name in both directions: no line of a completion speaks of a command that is not there. */
static void test_no_more(void **state)
{
	char *text = slurp("tools/completion/akmctl.bash"), *p = text, command[128];
	size_t i, lines = 0, commands = 0;
	char words[512];

	(void)state;
	while ((p = strstr(p, "\t\""))) {
		lines += !!strstr(p, "\") echo \"") && strstr(p, "\") echo \"") < strchr(p, '\n');
		p++;
	}
	for (i = 0; i < akm_commands_n; i++) {
		command_name(&akm_commands[i], command, sizeof(command));
		keywords(&akm_commands[i], words, sizeof(words));
		commands += !!*words;
	}
	assert_int_equal(lines, commands);
	free(text);
}

/* The page's part for one section of the configuration: from its .Ss to the next. */
static bool section_has(const char *page, const char *section, const char *key)
{
	char open[64], item[64];
	const char *start, *end, *p;

	snprintf(open, sizeof(open), "\n.Ss Section %s\n", section);
	snprintf(item, sizeof(item), "\n.It Ic %s\n", key);
	start = strstr(page, open);
	if (!start)
		return false;
	end = strstr(start + 1, "\n.S");
	p = strstr(start, item);
	return p && (!end || p < end);
}

static void test_configuration(void **state)
{
	char *page = slurp("Documentation/man/akmd.conf.5"), *source = slurp("daemon/config.c");
	const char *p = strstr(source, "static const struct key keys[] = {");
	size_t keys = 0, items = 0;

	(void)state;
	assert_non_null(p);
	for (; p && strncmp(p, "\n};", 3); p = strchr(p + 1, '\n')) {
		char section[32], key[32];

		if (sscanf(p, "\n\t{ \"%31[a-z_]\", \"%31[a-z_0-9]\",", section, key) != 2)
			continue;
		keys++;
		if (!section_has(page, section, key))
			fail_msg("akmd.conf(5) does not have [%s] %s", section, key);
	}
	for (p = page; (p = strstr(p, "\n.It Ic ")); p++)
		items++;
	assert_true(keys > 10);
	assert_int_equal(keys, items);
	free(page);
	free(source);
}

/* The long options of akmd, as its source lists them. */
static void test_daemon_options(void **state)
{
	char *page = slurp("Documentation/man/akmd.8"), *source = slurp("daemon/main.c"), item[64];
	const char *p = strstr(source, "static const struct option longs[] = {"), *end;
	char option[32];
	size_t n = 0;

	(void)state;
	assert_non_null(p);
	end = strstr(p, "};\n");
	for (; (p = strstr(p, "{ \"")) && p < end; p++) {
		assert_int_equal(sscanf(p, "{ \"%31[a-z-]\"", option), 1);
		snprintf(item, sizeof(item), "\n.It Fl -%s", option);
		if (!strstr(page, item))
			fail_msg("akmd(8) does not have --%s", option);
		n++;
	}
	assert_true(n >= 3);
	free(page);
	free(source);
}

/* Two arguments of a command never share a word, an attribute or a member of the request. */
static void test_table(void **state)
{
	const struct akm_arg *a, *b;
	size_t i;

	(void)state;
	for (i = 0; i < akm_commands_n; i++) {
		const struct akm_command *c = &akm_commands[i];

		assert_non_null(c->run);
		assert_non_null(c->help);
		for (a = c->args; a && a->word; a++) {
			assert_true(a->kind == AKM_ARG_FLAG || a->meta);
			assert_false(c->ctl && !a->json);
			assert_false(c->genl && !a->attr && a->kind != AKM_ARG_SECRET_FILE);
			for (b = a + 1; b->word; b++) {
				assert_string_not_equal(a->word, b->word);
				assert_false(a->attr && a->attr == b->attr);
				assert_false(a->json && !strcmp(a->json, b->json));
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_bash),
		cmocka_unit_test(test_zsh),
		cmocka_unit_test(test_no_more),
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_daemon_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
