/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Deterministic CBOR (RFC 8949, 4.2.1) for link and provisioning messages: a
 * writer into the secure heap, and a reader that a schema can be written with.
 *
 * Only definite lengths, shortest heads, unsigned integers, byte and text
 * strings, booleans, arrays, and maps with ascending unsigned keys exist here;
 * all else is -EBADMSG with the path of the field. The caller names each field
 * it expects, in order, so unknown and duplicate fields cannot pass, and depth
 * is bounded by the schema: nothing recurses on the input.
 */
#ifndef AKM_WIRE_H
#define AKM_WIRE_H

#include "secret.h"
#include "util.h"

#define WIRE_DEPTH	10
#define _must_check_	__attribute__((warn_unused_result))

/*
 * The writer keeps its first error, so that calls can follow one another; only
 * wr_finish() tells. It owns the buffer until then.
 */
struct wire_writer {
	struct akm_secret buf;
	size_t len, max;
	int error;
};

void wr_init(struct wire_writer *w, size_t max);
void wr_free(struct wire_writer *w);
void wr_fail(struct wire_writer *w, int error);		/* keeps the first */
void wr_array(struct wire_writer *w, size_t n);
void wr_map(struct wire_writer *w, size_t n);
void wr_uint(struct wire_writer *w, uint64_t v);
void wr_bool(struct wire_writer *w, bool v);
void wr_bytes(struct wire_writer *w, const void *p, size_t len);
void wr_text(struct wire_writer *w, const char *s);	/* -EINVAL unless wire_text_ok() */
void wr_name(struct wire_writer *w, const char *s);	/* -EINVAL unless wire_name_ok() */
/* The same as one field of a map */
void wr_key_uint(struct wire_writer *w, uint64_t key, uint64_t v);
/* -EINVAL outside the range */
void wr_key_range(struct wire_writer *w, uint64_t key, uint64_t v, uint64_t min, uint64_t max);
void wr_key_bool(struct wire_writer *w, uint64_t key, bool v);
void wr_key_bytes(struct wire_writer *w, uint64_t key, const void *p, size_t len);
void wr_key_blob(struct wire_writer *w, uint64_t key, const struct akm_blob *b);
void wr_key_text(struct wire_writer *w, uint64_t key, const char *s);
void wr_key_name(struct wire_writer *w, uint64_t key, const char *s);
void wr_key_array(struct wire_writer *w, uint64_t key, size_t n);
void wr_key_map(struct wire_writer *w, uint64_t key, size_t n);
/* Return: 0 with the encoding, cut to its length; else the first error: -EINVAL, -EMSGSIZE, -ENOMEM. */
_must_check_ int wr_finish(struct wire_writer *w, struct akm_secret *ret);

/* Where the reader is, and what may still come there */
struct wire_level {
	const char *name;
	size_t left;		/* elements, or keys */
	size_t index;		/* elements begun; arrays only */
	bool map, value;	/* value: a key was read, its value is next */
};

struct wire_reader {
	const uint8_t *pos, *end;
	struct akm_error *err;
	unsigned int depth;
	struct wire_level level[WIRE_DEPTH];
};

/* @name is what errors call the whole; @data must outlive the reader. */
void rd_init(struct wire_reader *c, const char *name, const uint8_t *data, size_t len, struct akm_error *err);
/*
 * The @name of a field or element is for errors only, which show its whole path;
 * "" for the elements of a list, whose index says enough.
 */
/* Refuse a value that was read, with its path. Return: -EBADMSG. */
__attribute__((format(printf, 3, 4)))
int rd_refuse(struct wire_reader *c, const char *name, const char *fmt, ...);

_must_check_ int rd_array(struct wire_reader *c, const char *name, size_t min, size_t max, size_t *ret_n);
_must_check_ int rd_map(struct wire_reader *c, const char *name);
_must_check_ int rd_leave(struct wire_reader *c);	/* the container has nothing left */
_must_check_ int rd_end(struct wire_reader *c);		/* and neither has the message */
_must_check_ int rd_uint(struct wire_reader *c, const char *name, uint64_t min, uint64_t max, uint64_t *ret);
_must_check_ int rd_bool(struct wire_reader *c, const char *name, bool *ret);
/* A view into the message */
_must_check_ int rd_view(struct wire_reader *c, const char *name, size_t min, size_t max,
			 const uint8_t **ret, size_t *ret_len);
_must_check_ int rd_bytes(struct wire_reader *c, const char *name, uint8_t *ret, size_t len);	/* exactly @len */
_must_check_ int rd_text(struct wire_reader *c, const char *name, char *ret, size_t size);
_must_check_ int rd_name(struct wire_reader *c, const char *name, char *ret, size_t size);

/* Fields of a map, in ascending order of their keys */
_must_check_ int rd_key(struct wire_reader *c, uint64_t key, const char *name);
bool rd_has(const struct wire_reader *c, uint64_t key);	/* is @key the next one? */
_must_check_ int rd_key_u64(struct wire_reader *c, uint64_t key, const char *name,
			    uint64_t min, uint64_t max, uint64_t *ret);
_must_check_ int rd_key_u32(struct wire_reader *c, uint64_t key, const char *name,
			    uint32_t min, uint32_t max, uint32_t *ret);
_must_check_ int rd_key_u16(struct wire_reader *c, uint64_t key, const char *name,
			    uint16_t min, uint16_t max, uint16_t *ret);
_must_check_ int rd_key_bool(struct wire_reader *c, uint64_t key, const char *name, bool *ret);
_must_check_ int rd_key_bytes(struct wire_reader *c, uint64_t key, const char *name, uint8_t *ret, size_t len);
_must_check_ int rd_key_blob(struct wire_reader *c, uint64_t key, const char *name,
			     size_t min, size_t max, struct akm_blob *ret);	/* a copy; @ret is empty before */
_must_check_ int rd_key_secret(struct wire_reader *c, uint64_t key, const char *name,
			       size_t min, size_t max, struct akm_secret *ret);	/* likewise */
_must_check_ int rd_key_text(struct wire_reader *c, uint64_t key, const char *name, char *ret, size_t size);
_must_check_ int rd_key_name(struct wire_reader *c, uint64_t key, const char *name, char *ret, size_t size);
_must_check_ int rd_key_array(struct wire_reader *c, uint64_t key, const char *name,
			      size_t min, size_t max, size_t *ret_n);
_must_check_ int rd_key_map(struct wire_reader *c, uint64_t key, const char *name);

/* [A-Za-z0-9._-]{1,63}: safe in file names, logs, labels and terminals */
bool wire_name_ok(const char *s, size_t len);
/* Valid UTF-8 without control characters: it is shown on terminals and in logs */
bool wire_text_ok(const char *s, size_t len);
/* Make @s fit for wr_text(): each offending byte becomes '?' */
void wire_text_clean(char *s);

#endif /* AKM_WIRE_H */
