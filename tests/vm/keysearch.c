// SPDX-License-Identifier: GPL-2.0
/*
 * Looks for an HMAC-SHA-256 key that nobody can show us, by what it does: every 32 and every 64 bytes,
 * at every offset, are tried as the key of a message whose HMAC is known.
 *
 *   keysearch MESSAGE-HEX HMAC-HEX WHERE…
 *   keysearch -k KEYS WHERE…
 *
 * With -k it looks for the keys of file KEYS, which are known: lines of 64 hexadecimal digits and a name.
 * It says of each whether it was found. WHERE is a file, or pid:N for all writable memory of a process. One line for each says how much was
 * searched. Exit status: 0 the key is nowhere there, 1 it was found, 2 the search could not be made.
 * The SHA-256 here (FIPS 180-4) is scalar on purpose: under emulation it outruns vector code.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK		64
#define DIGEST		32
#define MESSAGE_MAX	(BLOCK - 9)	/* so that it ends in one block */
#define CHUNK		(1 << 20)
/*
 * What does not look random is not tried: of 32 random bytes more than 4 are zero, or fewer than 3 have
 * their highest bit set, once in some million keys. That leaves out pointers, counters and text.
 */
#define ZEROS_MAX	4
#define HIGH_MIN	3

#define NAME_LEN	64
#define PREFIXES	(1U << 24)

struct key {
	uint8_t bytes[DIGEST];
	char name[NAME_LEN];
	uint64_t hits;
};

struct oracle {
	uint32_t message[16];		/* padded, as the second block of the inner hash */
	uint32_t mac[8];
	struct key *keys;		/* sorted; or NULL: the two above */
	size_t key_count;
	uint8_t *prefix;		/* a bit for each first three bytes that one of the keys has */
};

struct found {
	uint64_t searched, hits;
};

static const uint32_t round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t initial[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "keysearch: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint32_t rotate(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static uint32_t load32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void compress(uint32_t state[8], const uint32_t block[16])
{
	uint32_t w[64], s[8];

	memcpy(w, block, 64);
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
		       (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
	memcpy(s, state, sizeof(s));
	for (int i = 0; i < 64; i++) {
		uint32_t t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) +
			      ((s[4] & s[5]) ^ (~s[4] & s[6])) + round_constants[i] + w[i];
		uint32_t t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
			      ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

		s[7] = s[6];
		s[6] = s[5];
		s[5] = s[4];
		s[4] = s[3] + t1;
		s[3] = s[2];
		s[2] = s[1];
		s[1] = s[0];
		s[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		state[i] += s[i];
}

/* RFC 2104 for a key of up to one block and a message of one. */
static bool is_key(const struct oracle *o, const uint8_t *key, size_t len)
{
	uint32_t block[16] = {}, padded[16], inner[8], outer[8];

	for (size_t i = 0; i < len / 4; i++)
		block[i] = load32(key + 4 * i);
	memcpy(inner, initial, sizeof(inner));
	for (int i = 0; i < 16; i++)
		padded[i] = block[i] ^ 0x36363636;
	compress(inner, padded);
	compress(inner, o->message);
	memcpy(outer, initial, sizeof(outer));
	for (int i = 0; i < 16; i++)
		padded[i] = block[i] ^ 0x5c5c5c5c;
	compress(outer, padded);
	memset(padded, 0, sizeof(padded));
	memcpy(padded, inner, sizeof(inner));
	padded[8] = 0x80000000;
	padded[15] = (BLOCK + DIGEST) * 8;
	compress(outer, padded);
	return !memcmp(outer, o->mac, sizeof(outer));
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, DIGEST);
}

static uint32_t prefix_of(const uint8_t *b)
{
	return (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
}

static void search_known(const struct oracle *o, const uint8_t *data, size_t n, struct found *f)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t p = prefix_of(data + i);
		struct key *k;

		if (!(o->prefix[p / 8] >> p % 8 & 1))
			continue;
		k = bsearch(data + i, o->keys, o->key_count, sizeof(*k), compare_keys);
		if (k) {
			k->hits++;
			f->hits++;
		}
	}
	f->searched += n;
}

/* Tries every offset below @n; @data holds BLOCK bytes more than that, or zeros. */
static void search_unknown(const struct oracle *o, const uint8_t *data, size_t n, const char *where, uint64_t base, struct found *f)
{
	int zeros = 0, high = 0;

	for (size_t i = 0; i < DIGEST - 1; i++) {
		zeros += !data[i];
		high += data[i] >> 7;
	}
	for (size_t i = 0; i < n; i++) {
		zeros += !data[i + DIGEST - 1];
		high += data[i + DIGEST - 1] >> 7;
		if (zeros <= ZEROS_MAX && high >= HIGH_MIN && (is_key(o, data + i, DIGEST) || is_key(o, data + i, BLOCK))) {
			printf("%s: the key is at %#" PRIx64 "\n", where, base + i);
			f->hits++;
		}
		zeros -= !data[i];
		high -= data[i] >> 7;
	}
	f->searched += n;
}

static void search_range(const struct oracle *o, int fd, const char *where, uint64_t from, uint64_t to, struct found *f)
{
	static uint8_t data[CHUNK + BLOCK];
	ssize_t n;

	for (uint64_t at = from; at < to; at += CHUNK) {
		size_t want = to - at < CHUNK + BLOCK ? (size_t)(to - at) : CHUNK + BLOCK;

		n = pread(fd, data, want, (off_t)at);
		if (n <= 0)
			return;		/* the end of a file; a region that cannot be read */
		memset(data + n, 0, sizeof(data) - (size_t)n);
		if (o->keys)
			search_known(o, data, (size_t)n < CHUNK ? (size_t)n : CHUNK, f);
		else
			search_unknown(o, data, (size_t)n < CHUNK ? (size_t)n : CHUNK, where, at, f);
	}
}

static void search_process(const struct oracle *o, const char *pid, struct found *f)
{
	char path[64], line[512], rights[8], where[64];
	uint64_t from, to;
	FILE *maps;
	int fd;

	snprintf(where, sizeof(where), "process %s", pid);
	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	maps = fopen(path, "re");
	snprintf(path, sizeof(path), "/proc/%s/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!maps || fd < 0)
		die(path);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, rights) == 3 && rights[1] == 'w')
			search_range(o, fd, where, from, to, f);
	}
	fclose(maps);
	close(fd);
}

static void search_file(const struct oracle *o, const char *path, struct found *f)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	search_range(o, fd, path, 0, INT64_MAX, f);
	close(fd);
}

static size_t unhex(const char *text, uint8_t *out, size_t max)
{
	size_t n = 0;
	unsigned int b;

	for (; sscanf(text, "%2x", &b) == 1 && n < max; text += 2)
		out[n++] = (uint8_t)b;
	if (*text) {
		fprintf(stderr, "keysearch: not hexadecimal, or too long: %s\n", text);
		exit(2);
	}
	return n;
}

static void parse_oracle(const char *message, const char *mac, struct oracle *o)
{
	uint8_t block[BLOCK] = {}, digest[DIGEST];
	size_t n = unhex(message, block, MESSAGE_MAX);

	if (unhex(mac, digest, DIGEST) != DIGEST) {
		fprintf(stderr, "keysearch: an HMAC has 64 digits\n");
		exit(2);
	}
	block[n] = 0x80;
	for (int i = 0; i < 15; i++)
		o->message[i] = load32(block + 4 * i);
	o->message[15] = (uint32_t)(BLOCK + n) * 8;
	for (int i = 0; i < 8; i++)
		o->mac[i] = load32(digest + 4 * i);
}

static void load_keys(const char *path, struct oracle *o)
{
	char hex[2 * DIGEST + 1], name[NAME_LEN];
	FILE *f = fopen(path, "re");
	struct key *k;

	o->prefix = calloc(PREFIXES / 8, 1);
	if (!f || !o->prefix)
		die(path);
	while (fscanf(f, "%64s %63[^\n]", hex, name) == 2) {
		o->keys = realloc(o->keys, (o->key_count + 1) * sizeof(*k));
		if (!o->keys)
			die("memory");
		k = &o->keys[o->key_count++];
		*k = (struct key) {};
		if (unhex(hex, k->bytes, DIGEST) != DIGEST) {
			fprintf(stderr, "keysearch: %s: no key: %s\n", path, hex);
			exit(2);
		}
		memcpy(k->name, name, sizeof(k->name));
		o->prefix[prefix_of(k->bytes) / 8] |= (uint8_t)(1 << prefix_of(k->bytes) % 8);
	}
	if (!feof(f) || !o->key_count) {
		fprintf(stderr, "keysearch: %s: not a list of keys\n", path);
		exit(2);
	}
	fclose(f);
	qsort(o->keys, o->key_count, sizeof(*o->keys), compare_keys);
}

static void show_keys(const struct oracle *o)
{
	for (size_t i = 0; i < o->key_count; i++)
		printf("%s: %" PRIu64 "\n", o->keys[i].name, o->keys[i].hits);
}

int main(int argc, char **argv)
{
	struct oracle o = {};
	uint64_t hits = 0;

	if (argc < 4) {
		fprintf(stderr, "usage: keysearch {MESSAGE-HEX HMAC-HEX | -k KEYS} {FILE|pid:N}…\n");
		return 2;
	}
	if (strcmp(argv[1], "-k"))
		parse_oracle(argv[1], argv[2], &o);
	else
		load_keys(argv[2], &o);
	for (int i = 3; i < argc; i++) {
		struct found f = {};

		if (strncmp(argv[i], "pid:", 4))
			search_file(&o, argv[i], &f);
		else
			search_process(&o, argv[i] + 4, &f);
		printf("%s: %" PRIu64 " bytes, %s\n", argv[i], f.searched, f.hits ? "FOUND" : "nothing");
		hits += f.hits;
	}
	show_keys(&o);
	free(o.keys);
	free(o.prefix);
	return hits ? 1 : 0;
}
