// SPDX-License-Identifier: GPL-2.0
#include "secretfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHAIN_FILE_MAX	256
#define PAIR_LINE_MAX	80			/* "65534 " + 64 digits + newline, and some spaces */
#define PAIRS_FILE_MAX	((size_t)AKM_MEMBERS_MAX * PAIR_LINE_MAX)

int akm_pages_new(size_t room, struct akm_pages *ret, struct akm_error *e)
{
	void *p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	/* Both are a second line of defence: with a tight RLIMIT_MEMLOCK the work is still done. */
	(void)mlock(p, room);
	(void)madvise(p, room, MADV_DONTDUMP);
	ret->p = p;
	ret->len = 0;
	ret->room = room;
	return 0;
}

void akm_pages_free(struct akm_pages *pages)
{
	if (!pages->p)
		return;
	explicit_bzero(pages->p, pages->room);
	munmap(pages->p, pages->room);
	pages->p = NULL;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* @text has 2 × AKM_CHAIN_LEN bytes. */
static bool unhex(const uint8_t *text, uint8_t *out)
{
	size_t i;

	for (i = 0; i < AKM_CHAIN_LEN; i++) {
		int hi = hex_digit(text[2 * i]), lo = hex_digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

static bool all_zero(const uint8_t *p)
{
	uint8_t any = 0;
	size_t i;

	for (i = 0; i < AKM_CHAIN_LEN; i++)
		any |= p[i];
	return !any;
}

int akm_chain_parse(const uint8_t *data, size_t len, struct akm_pages *ret, struct akm_error *e)
{
	struct akm_pages pages;
	bool ok;
	int r = akm_pages_new(AKM_CHAIN_LEN, &pages, e);

	if (r < 0)
		return r;
	if (len == 2 * AKM_CHAIN_LEN + 1 && data[len - 1] == '\n')
		len--;
	ok = len == AKM_CHAIN_LEN || (len == 2 * AKM_CHAIN_LEN && unhex(data, pages.p));
	if (len == AKM_CHAIN_LEN)
		memcpy(pages.p, data, len);
	pages.len = AKM_CHAIN_LEN;
	if (!ok || all_zero(pages.p)) {
		r = akm_error_set(e, EINVAL, NULL, ok ? "is all zeros" :
				  "is neither 32 raw bytes nor 64 hexadecimal digits");
		akm_pages_free(&pages);
		return r;
	}
	*ret = pages;
	return 0;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Return: what is wrong with the line, or NULL. */
static const char *parse_pair(const uint8_t *line, size_t len, struct akm_pair *ret)
{
	uint32_t index = 0;
	size_t i = 0, digits;

	while (i < len && line[i] >= '0' && line[i] <= '9' && index <= AKM_INDEX_MAX)
		index = index * 10 + line[i++] - '0';
	if (!i || index > AKM_INDEX_MAX)
		return "does not begin with a member index from 0 to 65534";
	digits = i;
	while (i < len && is_space(line[i]))
		i++;
	while (len > i && is_space(line[len - 1]))
		len--;
	if (i == digits || len - i != 2 * AKM_CHAIN_LEN || !unhex(line + i, ret->chain))
		return "does not have 64 hexadecimal digits after the index";
	if (all_zero(ret->chain))
		return "has a chain of zeros";
	ret->index = (uint16_t)index;
	return NULL;
}

/* Appends the line's pair, if it has one. @seen: one bit per index. */
static int add_line(struct akm_pages *pages, const uint8_t *line, size_t len, size_t number, uint8_t *seen,
		    struct akm_error *e)
{
	struct akm_pair *pair = (struct akm_pair *)(void *)pages->p + akm_pairs_n(pages);
	const char *wrong;

	while (len && is_space(*line)) {
		line++;
		len--;
	}
	if (!len || *line == '#')
		return 0;
	if (pages->len + sizeof(*pair) > pages->room)
		return akm_error_set(e, E2BIG, NULL, "has more than %d pairs", AKM_MEMBERS_MAX);
	wrong = parse_pair(line, len, pair);
	if (wrong)
		return akm_error_set(e, EINVAL, NULL, "line %zu %s", number, wrong);
	if (seen[pair->index / 8] & 1 << pair->index % 8)
		return akm_error_set(e, EINVAL, NULL, "line %zu names member %u a second time", number, pair->index);
	seen[pair->index / 8] |= (uint8_t)(1 << pair->index % 8);
	pages->len += sizeof(*pair);
	return 0;
}

int akm_pairs_parse(const uint8_t *data, size_t len, struct akm_pages *ret, struct akm_error *e)
{
	uint8_t seen[(AKM_INDEX_MAX + 8) / 8] = {};
	struct akm_pages pages = {};
	size_t at = 0, number = 0;
	int r = akm_pages_new(AKM_MEMBERS_MAX * sizeof(struct akm_pair), &pages, e);

	while (r >= 0 && at < len) {
		const uint8_t *line = data + at, *end = memchr(line, '\n', len - at);
		size_t n = end ? (size_t)(end - line) : len - at;

		r = add_line(&pages, line, n, ++number, seen, e);
		at += n + 1;
	}
	if (r >= 0 && !pages.len)
		r = akm_error_set(e, EINVAL, NULL, "contains no pair: lines of INDEX and 64 hexadecimal digits are expected");
	if (r < 0)
		akm_pages_free(&pages);
	else
		*ret = pages;
	return r;
}

/* A secret that is typed would be seen; one that others can read is none: that is worth a word. */
static int check_source(int fd, const char *path, struct akm_error *e)
{
	struct stat st;

	if (isatty(fd))
		return akm_error_set(e, EINVAL, NULL, "%s is a terminal, which would show the secret: use a file or a pipe",
				     path);
	if (fstat(fd, &st) < 0)
		return akm_error_set(e, errno, NULL, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return akm_error_set(e, EISDIR, NULL, "%s is a directory", path);
	if (S_ISREG(st.st_mode) && st.st_mode & (S_IRWXG | S_IRWXO))
		fprintf(stderr, "akmctl: warning: %s is open to others (mode %03o): chmod 600 it\n", path,
			(unsigned int)st.st_mode & 0777);
	return 0;
}

static int read_all(int fd, const char *path, struct akm_pages *pages, struct akm_error *e)
{
	for (;;) {
		ssize_t n = read(fd, pages->p + pages->len, pages->room - pages->len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return akm_error_set(e, errno, NULL, "%s: %s", path, strerror(errno));
		if (!n)
			return 0;
		pages->len += (size_t)n;
		if (pages->len == pages->room)
			return akm_error_set(e, EFBIG, NULL, "%s is too long", path);
	}
}

static int read_secret(const char *path, size_t max, struct akm_pages *ret, struct akm_error *e)
{
	bool from_stdin = !strcmp(path, "-");
	int fd = from_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct akm_pages pages = {};
	int r;

	if (fd < 0)
		return akm_error_set(e, errno, NULL, "%s: %s", path, strerror(errno));
	r = check_source(fd, from_stdin ? "standard input" : path, e);
	r = r < 0 ? r : akm_pages_new(max + 1, &pages, e);
	r = r < 0 ? r : read_all(fd, from_stdin ? "standard input" : path, &pages, e);
	if (!from_stdin)
		close(fd);
	if (r < 0)
		akm_pages_free(&pages);
	else
		*ret = pages;
	return r;
}

int akm_chain_read(const char *path, struct akm_pages *ret, struct akm_error *e)
{
	_cleanup_(akm_pages_free) struct akm_pages text = {};
	int r = read_secret(path, CHAIN_FILE_MAX, &text, e);

	return r < 0 ? r : akm_chain_parse(text.p, text.len, ret, e);
}

int akm_pairs_read(const char *path, struct akm_pages *ret, struct akm_error *e)
{
	_cleanup_(akm_pages_free) struct akm_pages text = {};
	int r = read_secret(path, PAIRS_FILE_MAX, &text, e);

	return r < 0 ? r : akm_pairs_parse(text.p, text.len, ret, e);
}
