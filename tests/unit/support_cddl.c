// SPDX-License-Identifier: GPL-2.0
#include "support_cddl.h"

#include <cbor.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PATH "Documentation/akm.cddl"

static char *text;
static char name[64];

void cddl_load(void)
{
	FILE *f = fopen(PATH, "re");
	long len;

	if (!f)
		fail_msg("%s (tests run in the top directory)", PATH);
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	text = calloc(1, (size_t)len + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)len, f), (size_t)len);
	fclose(f);
}

void cddl_unload(void)
{
	free(text);
	text = NULL;
}

/* What follows "RULE = " at the beginning of a line, or NULL */
static const char *find_rule(const char *rule)
{
	char want[80];
	const char *p = text;

	snprintf(want, sizeof(want), "\n%s = ", rule);
	p = strstr(text, want);
	return p ? p + strlen(want) : NULL;
}

const char *cddl_link_rule(unsigned int type)
{
	const char *p = strstr(text, "\nlink-message =");
	unsigned int n;

	assert_non_null(p);
	for (p = strchr(p + 1, '\n'); p && p[1] == '\t'; p = strchr(p + 1, '\n'))
		if (sscanf(p, "\n\t[ %u, request, %63[a-z-] ]", &n, name) == 2 && n == type)
			return name;
	fail_msg("%s has no link message %u", PATH, type);
	return NULL;
}

const char *cddl_provision_rule(unsigned int type)
{
	const char *p = strstr(text, "\nprovision-payload =");
	unsigned int n;

	assert_non_null(p);
	for (p = strchr(p + 1, '\n'); p && p[1] == '\t'; p = strchr(p + 1, '\n'))
		if (sscanf(p, "\n\t%63[a-z-] / ; %u", name, &n) == 2 || sscanf(p, "\n\t%63[a-z-] ; %u", name, &n) == 2)
			if (n == type)
				return name;
	fail_msg("%s has no provisioning message %u", PATH, type);
	return NULL;
}

struct field { unsigned int key; bool optional; char element[64]; };

/* One "? 7: [ 0*16 prefix ]," of a rule; @line moves behind it. False: the rule ends. */
static bool next_field(const char **line, struct field *ret)
{
	const char *end = strchr(*line, '\n');
	const char *p = *line + strspn(*line, "\t ");
	int n;

	*ret = (struct field) {};
	if (*p == '}' || !end)
		return false;
	if (*p == '?') {
		ret->optional = true;
		p += 1 + strspn(p + 1, " ");
	}
	if (sscanf(p, "%u: %n", &ret->key, &n) != 1)
		fail_msg("%s: cannot read \"%.40s\"", PATH, *line);
	if (sscanf(p + n, "[ %*u*%*u %63[a-z-] ]", ret->element) != 1)
		ret->element[0] = '\0';
	*line = end + 1;
	return true;
}

static void check_map(const char *rule, cbor_item_t *map, bool full);

static void check_list(const struct field *f, cbor_item_t *value, bool full)
{
	const char *body = f->element[0] ? find_rule(f->element) : NULL;

	if (!body || *body != '{')
		return;
	assert_true(cbor_isa_array(value));
	for (size_t i = 0; i < cbor_array_size(value); i++) {
		cbor_item_t *e = cbor_array_get(value, i);

		check_map(f->element, e, full && i == 0);
		cbor_decref(&e);
	}
}

static void check_map(const char *rule, cbor_item_t *map, bool full)
{
	const char *line = find_rule(rule);
	struct cbor_pair *pairs;
	struct field f;
	size_t at = 0;

	if (!line || *line != '{')
		fail_msg("%s has no map \"%s\"", PATH, rule);
	if (!cbor_isa_map(map))
		fail_msg("%s is no map", rule);
	pairs = cbor_map_handle(map);
	if (line[1] == '}') {
		assert_int_equal(cbor_map_size(map), 0);
		return;
	}
	for (line = strchr(line, '\n') + 1; next_field(&line, &f);) {
		if (at < cbor_map_size(map) && cbor_get_int(pairs[at].key) == f.key)
			check_list(&f, pairs[at++].value, full);
		else if (!f.optional || full)
			fail_msg("%s: field %u of %s is not in the encoding", rule, f.key, PATH);
	}
	if (at < cbor_map_size(map))
		fail_msg("%s: field %lu is not in %s", rule, (unsigned long)cbor_get_int(pairs[at].key), PATH);
}

void cddl_check(const char *rule, const uint8_t *data, size_t len, const int *path, bool full)
{
	struct cbor_load_result res;
	cbor_item_t *all = cbor_load(data, len, &res), *at = all;

	assert_non_null(all);
	assert_int_equal(res.error.code, CBOR_ERR_NONE);
	for (; *path >= 0; path++)
		at = cbor_array_handle(at)[*path];
	check_map(rule, at, full);
	cbor_decref(&all);
}
