// SPDX-License-Identifier: GPL-2.0
#include "wire.h"

#include <cbor.h>

/* ---- text rules ---- */

bool wire_name_ok(const char *s, size_t len)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	if (len < 1 || len >= AKM_NAME_LEN)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!s[i] || !strchr(allowed, s[i]))
			return false;
	return true;
}

/* Length of the UTF-8 sequence at @s (RFC 3629), 0 if it is none or a control character. */
static size_t utf8_len(const unsigned char *s, size_t left)
{
	uint32_t cp, least;
	size_t n;

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if ((s[0] & 0xe0) == 0xc0) {
		n = 2; cp = s[0] & 0x1f; least = 0xa0;	/* C1 controls end at 0x9f */
	} else if ((s[0] & 0xf0) == 0xe0) {
		n = 3; cp = s[0] & 0x0f; least = 0x800;
	} else if ((s[0] & 0xf8) == 0xf0) {
		n = 4; cp = s[0] & 0x07; least = 0x10000;
	} else {
		return 0;
	}
	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (s[i] & 0x3f);
	}
	if (cp < least || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	return n;
}

bool wire_text_ok(const char *s, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_len((const unsigned char *)s + i, len - i);
		if (!n)
			return false;
	}
	return true;
}

void wire_text_clean(char *s)
{
	size_t len = strlen(s), n;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_len((const unsigned char *)s + i, len - i);
		if (!n) {
			s[i] = '?';
			n = 1;
		}
	}
}

/* ---- writer ---- */

void wr_init(struct wire_writer *w, size_t max)
{
	*w = (struct wire_writer) { .max = max };
}

void wr_free(struct wire_writer *w)
{
	akm_secret_free(&w->buf);
	w->len = 0;
}

void wr_fail(struct wire_writer *w, int error)
{
	if (!w->error)
		w->error = error;
}

/* Room for @n more bytes. The old buffer is wiped when it is left. */
static bool reserve(struct wire_writer *w, size_t n)
{
	_cleanup_secret_ struct akm_secret bigger = {};
	size_t size;
	int r;

	if (w->error)
		return false;
	if (n > w->max - w->len) {
		wr_fail(w, -EMSGSIZE);
		return false;
	}
	if (n <= w->buf.len - w->len)
		return true;
	for (size = w->buf.len ?: 256; size < w->len + n; size *= 2)
		;
	r = akm_secret_new(size, &bigger);
	if (r < 0) {
		wr_fail(w, r);
		return false;
	}
	if (w->len)
		memcpy(bigger.data, w->buf.data, w->len);
	akm_secret_free(&w->buf);
	w->buf = akm_secret_take(&bigger);
	return true;
}

typedef size_t (*head_fn)(size_t, unsigned char *, size_t);
#define HEAD_MAX 9

static void head(struct wire_writer *w, head_fn encode, size_t v)
{
	if (reserve(w, HEAD_MAX))
		w->len += encode(v, w->buf.data + w->len, HEAD_MAX);
}

static void raw(struct wire_writer *w, const void *p, size_t len)
{
	if (!len || !reserve(w, len))
		return;
	memcpy(w->buf.data + w->len, p, len);
	w->len += len;
}

void wr_array(struct wire_writer *w, size_t n)
{
	head(w, cbor_encode_array_start, n);
}

void wr_map(struct wire_writer *w, size_t n)
{
	head(w, cbor_encode_map_start, n);
}

void wr_uint(struct wire_writer *w, uint64_t v)
{
	if (reserve(w, HEAD_MAX))
		w->len += cbor_encode_uint(v, w->buf.data + w->len, HEAD_MAX);
}

void wr_bool(struct wire_writer *w, bool v)
{
	if (reserve(w, HEAD_MAX))
		w->len += cbor_encode_bool(v, w->buf.data + w->len, HEAD_MAX);
}

void wr_bytes(struct wire_writer *w, const void *p, size_t len)
{
	head(w, cbor_encode_bytestring_start, len);
	raw(w, p, len);
}

static void put_text(struct wire_writer *w, const char *s, size_t len)
{
	head(w, cbor_encode_string_start, len);
	raw(w, s, len);
}

void wr_text(struct wire_writer *w, const char *s)
{
	size_t len = strlen(s);

	if (!wire_text_ok(s, len))
		wr_fail(w, -EINVAL);
	else
		put_text(w, s, len);
}

void wr_name(struct wire_writer *w, const char *s)
{
	size_t len = strnlen(s, AKM_NAME_LEN);

	if (!wire_name_ok(s, len))
		wr_fail(w, -EINVAL);
	else
		put_text(w, s, len);
}

void wr_key_uint(struct wire_writer *w, uint64_t key, uint64_t v)
{
	wr_uint(w, key);
	wr_uint(w, v);
}

void wr_key_range(struct wire_writer *w, uint64_t key, uint64_t v, uint64_t min, uint64_t max)
{
	if (v < min || v > max)
		wr_fail(w, -EINVAL);
	else
		wr_key_uint(w, key, v);
}

void wr_key_bool(struct wire_writer *w, uint64_t key, bool v)
{
	wr_uint(w, key);
	wr_bool(w, v);
}

void wr_key_bytes(struct wire_writer *w, uint64_t key, const void *p, size_t len)
{
	wr_uint(w, key);
	wr_bytes(w, p, len);
}

void wr_key_blob(struct wire_writer *w, uint64_t key, const struct akm_blob *b)
{
	wr_key_bytes(w, key, b->data, b->len);
}

void wr_key_text(struct wire_writer *w, uint64_t key, const char *s)
{
	wr_uint(w, key);
	wr_text(w, s);
}

void wr_key_name(struct wire_writer *w, uint64_t key, const char *s)
{
	wr_uint(w, key);
	wr_name(w, s);
}

void wr_key_array(struct wire_writer *w, uint64_t key, size_t n)
{
	wr_uint(w, key);
	wr_array(w, n);
}

void wr_key_map(struct wire_writer *w, uint64_t key, size_t n)
{
	wr_uint(w, key);
	wr_map(w, n);
}

int wr_finish(struct wire_writer *w, struct akm_secret *ret)
{
	int r = w->error;

	if (r < 0) {
		wr_free(w);
		return r;
	}
	/* The allocation keeps its size; what lies behind the length is zero and wiped with it. */
	w->buf.len = w->len;
	*ret = akm_secret_take(&w->buf);
	return 0;
}

/* ---- reader: one item through libcbor's streaming decoder ---- */

enum item_kind { ITEM_NONE, ITEM_UINT, ITEM_BYTES, ITEM_TEXT, ITEM_ARRAY, ITEM_MAP, ITEM_BOOL };

struct item {
	enum item_kind kind;
	uint64_t value;			/* integer, length, count or boolean */
	const uint8_t *data;		/* strings */
};

static void on_u8(void *ctx, uint8_t v)
{
	*(struct item *)ctx = (struct item) { ITEM_UINT, v, NULL };
}

static void on_u16(void *ctx, uint16_t v)
{
	*(struct item *)ctx = (struct item) { ITEM_UINT, v, NULL };
}

static void on_u32(void *ctx, uint32_t v)
{
	*(struct item *)ctx = (struct item) { ITEM_UINT, v, NULL };
}

static void on_u64(void *ctx, uint64_t v)
{
	*(struct item *)ctx = (struct item) { ITEM_UINT, v, NULL };
}

static void on_bytes(void *ctx, cbor_data data, size_t len)
{
	*(struct item *)ctx = (struct item) { ITEM_BYTES, len, data };
}

static void on_text(void *ctx, cbor_data data, size_t len)
{
	*(struct item *)ctx = (struct item) { ITEM_TEXT, len, data };
}

static void on_array(void *ctx, size_t n)
{
	*(struct item *)ctx = (struct item) { ITEM_ARRAY, n, NULL };
}

static void on_map(void *ctx, size_t n)
{
	*(struct item *)ctx = (struct item) { ITEM_MAP, n, NULL };
}

static void on_bool(void *ctx, bool v)
{
	*(struct item *)ctx = (struct item) { ITEM_BOOL, v, NULL };
}

/* What has no callback here stays ITEM_NONE: negative, tagged, indefinite, floating, null. */
static struct cbor_callbacks make_callbacks(void)
{
	struct cbor_callbacks cb = cbor_empty_callbacks;

	cb.uint8 = on_u8;
	cb.uint16 = on_u16;
	cb.uint32 = on_u32;
	cb.uint64 = on_u64;
	cb.byte_string = on_bytes;
	cb.string = on_text;
	cb.array_start = on_array;
	cb.map_start = on_map;
	cb.boolean = on_bool;
	return cb;
}

static size_t shortest_head(const struct item *it)
{
	if (it->kind == ITEM_BOOL || it->value < 24)
		return 1;
	if (it->value <= UINT8_MAX)
		return 2;
	if (it->value <= UINT16_MAX)
		return 3;
	return it->value <= UINT32_MAX ? 5 : 9;
}

/* Why the item at @pos is unacceptable, or NULL with *ret and its size. */
static const char *item_read(const uint8_t *pos, const uint8_t *end, struct item *ret, size_t *ret_size)
{
	const struct cbor_callbacks cb = make_callbacks();
	struct cbor_decoder_result res;
	struct item it = {};
	size_t body;

	if (pos == end)
		return "is missing: the message ends here";
	res = cbor_stream_decode(pos, (size_t)(end - pos), &cb, &it);
	if (res.status == CBOR_DECODER_NEDATA)
		return "is cut off";
	if (res.status != CBOR_DECODER_FINISHED)
		return "is not CBOR";
	if (it.kind == ITEM_NONE)
		return "has a kind of value that is not used here";
	body = it.data ? it.value : 0;
	if (res.read - body != shortest_head(&it))
		return "is not in the shortest encoding";
	*ret = it;
	*ret_size = res.read;
	return NULL;
}

/* ---- reader: position and errors ---- */

void rd_init(struct wire_reader *c, const char *name, const uint8_t *data, size_t len, struct akm_error *err)
{
	*c = (struct wire_reader) { .pos = data, .end = data + len, .err = err };
	c->level[0] = (struct wire_level) { .name = name, .left = 1 };
}

/*
 * "message.prepare.members[3].name". @name "" is the element of a list that has no
 * name of its own, NULL the present container itself.
 */
static void path(const struct wire_reader *c, const char *name, char *buf, size_t size)
{
	size_t at = 0;

	for (unsigned int i = 0; i <= c->depth && at < size; i++) {
		const struct wire_level *l = &c->level[i];
		const char *inner;

		if (*l->name)
			at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? "." : "", l->name);
		/* An element without a name of its own goes by its index. */
		inner = i < c->depth ? l[1].name : name;
		if (i && !l->map && l->index && at < size && inner && !*inner)
			at += (size_t)snprintf(buf + at, size - at, "[%zu]", l->index - 1);
	}
	if (name && *name && at < size)
		snprintf(buf + at, size - at, ".%s", name);
}

static int refuse(struct wire_reader *c, const char *name, const char *reason)
{
	char field[sizeof(c->err->field)];

	path(c, name, field, sizeof(field));
	return akm_error_set(c->err, -EBADMSG, field, "%s", reason);
}

int rd_refuse(struct wire_reader *c, const char *name, const char *fmt, ...)
{
	char reason[sizeof(c->err->reason)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	return refuse(c, name, reason);
}

static const char *const kind_name[] = {
	[ITEM_NONE] = "nothing", [ITEM_UINT] = "an unsigned integer", [ITEM_BYTES] = "a byte string",
	[ITEM_TEXT] = "a text", [ITEM_ARRAY] = "an array", [ITEM_MAP] = "a map", [ITEM_BOOL] = "a boolean",
};

/* The next value of the present container */
static int next(struct wire_reader *c, const char *name, enum item_kind want, struct item *ret)
{
	struct wire_level *l = &c->level[c->depth];
	const char *why;
	struct item it;
	size_t size;

	l->index++;
	if (l->map ? !l->value : !l->left)
		return refuse(c, name, "is missing: the list ends here");
	why = item_read(c->pos, c->end, &it, &size);
	if (why)
		return refuse(c, name, why);
	if (it.kind != want)
		return rd_refuse(c, name, "is %s, expected %s", kind_name[it.kind], kind_name[want]);
	c->pos += size;
	if (l->map)
		l->value = false;
	else
		l->left--;
	*ret = it;
	return 0;
}

static int enter(struct wire_reader *c, const char *name, bool map, size_t n)
{
	if (c->depth + 1 >= WIRE_DEPTH)
		return refuse(c, name, "is nested too deep");
	c->level[++c->depth] = (struct wire_level) { .name = name, .left = n, .map = map };
	return 0;
}

int rd_array(struct wire_reader *c, const char *name, size_t min, size_t max, size_t *ret_n)
{
	struct item it;
	int r;

	r = next(c, name, ITEM_ARRAY, &it);
	if (r)
		return r;
	if (it.value < min || it.value > max)
		return rd_refuse(c, name, "has %llu elements, allowed are %zu to %zu",
				 (unsigned long long)it.value, min, max);
	/* An element takes a byte at least: no count may cost more memory than the message itself. */
	if (it.value > (size_t)(c->end - c->pos))
		return refuse(c, name, "has more elements than the message has bytes");
	r = enter(c, name, false, it.value);
	if (r)
		return r;
	*ret_n = it.value;
	return 0;
}

int rd_map(struct wire_reader *c, const char *name)
{
	struct item it;
	int r;

	r = next(c, name, ITEM_MAP, &it);
	if (r)
		return r;
	return enter(c, name, true, it.value);
}

int rd_leave(struct wire_reader *c)
{
	struct wire_level *l = &c->level[c->depth];

	if (l->map && l->left)
		return refuse(c, NULL, "has an unknown, duplicate or misplaced field");
	if (l->left)
		return refuse(c, NULL, "has too many elements");
	c->depth--;
	return 0;
}

int rd_end(struct wire_reader *c)
{
	if (c->pos != c->end)
		return refuse(c, NULL, "has trailing bytes");
	return 0;
}

/* ---- reader: values ---- */

int rd_uint(struct wire_reader *c, const char *name, uint64_t min, uint64_t max, uint64_t *ret)
{
	struct item it;
	int r;

	r = next(c, name, ITEM_UINT, &it);
	if (r)
		return r;
	if (it.value < min || it.value > max)
		return rd_refuse(c, name, "is %llu, allowed is %llu to %llu", (unsigned long long)it.value,
				 (unsigned long long)min, (unsigned long long)max);
	*ret = it.value;
	return 0;
}

int rd_bool(struct wire_reader *c, const char *name, bool *ret)
{
	struct item it;
	int r;

	r = next(c, name, ITEM_BOOL, &it);
	if (r)
		return r;
	*ret = it.value;
	return 0;
}

int rd_view(struct wire_reader *c, const char *name, size_t min, size_t max, const uint8_t **ret, size_t *ret_len)
{
	struct item it;
	int r;

	r = next(c, name, ITEM_BYTES, &it);
	if (r)
		return r;
	if (it.value < min || it.value > max)
		return rd_refuse(c, name, "has %llu bytes, allowed are %zu to %zu",
				 (unsigned long long)it.value, min, max);
	*ret = it.data;
	*ret_len = it.value;
	return 0;
}

int rd_bytes(struct wire_reader *c, const char *name, uint8_t *ret, size_t len)
{
	const uint8_t *data = NULL;
	size_t got = 0;
	int r;

	r = rd_view(c, name, len, len, &data, &got);
	if (r)
		return r;
	memcpy(ret, data, got);
	return 0;
}

static int text(struct wire_reader *c, const char *name, bool (*ok)(const char *, size_t),
		const char *rule, char *ret, size_t size)
{
	struct item it;
	int r;

	r = next(c, name, ITEM_TEXT, &it);
	if (r)
		return r;
	if (it.value >= size)
		return rd_refuse(c, name, "has %llu bytes, allowed are %zu", (unsigned long long)it.value, size - 1);
	if (!ok((const char *)it.data, it.value))
		return refuse(c, name, rule);
	if (it.value)
		memcpy(ret, it.data, it.value);
	ret[it.value] = '\0';
	return 0;
}

int rd_text(struct wire_reader *c, const char *name, char *ret, size_t size)
{
	return text(c, name, wire_text_ok, "is not printable UTF-8", ret, size);
}

int rd_name(struct wire_reader *c, const char *name, char *ret, size_t size)
{
	return text(c, name, wire_name_ok, "is not a name (1 to 63 of A-Z a-z 0-9 . _ -)", ret, size);
}

/* ---- reader: fields of a map ---- */

bool rd_has(const struct wire_reader *c, uint64_t key)
{
	const struct wire_level *l = &c->level[c->depth];
	struct item it;
	size_t size;

	return l->map && l->left && !l->value && !item_read(c->pos, c->end, &it, &size) &&
	       it.kind == ITEM_UINT && it.value == key;
}

int rd_key(struct wire_reader *c, uint64_t key, const char *name)
{
	struct wire_level *l = &c->level[c->depth];
	struct item it = {};
	const char *why;
	size_t size;

	if (!l->map || !l->left || l->value)
		return rd_refuse(c, name, "is missing (field %llu)", (unsigned long long)key);
	why = item_read(c->pos, c->end, &it, &size);
	if (why)
		return refuse(c, name, why);
	if (it.kind != ITEM_UINT)
		return rd_refuse(c, name, "has %s as its key, expected an unsigned integer", kind_name[it.kind]);
	if (it.value != key)
		return rd_refuse(c, name, "is missing: field %llu is where field %llu should be",
				 (unsigned long long)it.value, (unsigned long long)key);
	c->pos += size;
	l->left--;
	l->value = true;
	return 0;
}

int rd_key_u64(struct wire_reader *c, uint64_t key, const char *name, uint64_t min, uint64_t max, uint64_t *ret)
{
	return rd_key(c, key, name) ?: rd_uint(c, name, min, max, ret);
}

int rd_key_u32(struct wire_reader *c, uint64_t key, const char *name, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t v;
	int r;

	r = rd_key_u64(c, key, name, min, max, &v);
	if (r)
		return r;
	*ret = (uint32_t)v;
	return 0;
}

int rd_key_u16(struct wire_reader *c, uint64_t key, const char *name, uint16_t min, uint16_t max, uint16_t *ret)
{
	uint64_t v;
	int r;

	r = rd_key_u64(c, key, name, min, max, &v);
	if (r)
		return r;
	*ret = (uint16_t)v;
	return 0;
}

int rd_key_bool(struct wire_reader *c, uint64_t key, const char *name, bool *ret)
{
	return rd_key(c, key, name) ?: rd_bool(c, name, ret);
}

int rd_key_bytes(struct wire_reader *c, uint64_t key, const char *name, uint8_t *ret, size_t len)
{
	return rd_key(c, key, name) ?: rd_bytes(c, name, ret, len);
}

int rd_key_blob(struct wire_reader *c, uint64_t key, const char *name, size_t min, size_t max, struct akm_blob *ret)
{
	const uint8_t *data;
	size_t len;
	int r;

	r = rd_key(c, key, name) ?: rd_view(c, name, min, max, &data, &len);
	if (r)
		return r;
	return akm_blob_dup(data, len, ret);
}

int rd_key_secret(struct wire_reader *c, uint64_t key, const char *name, size_t min, size_t max,
		  struct akm_secret *ret)
{
	const uint8_t *data;
	size_t len;
	int r;

	r = rd_key(c, key, name) ?: rd_view(c, name, min, max, &data, &len);
	if (r)
		return r;
	if (!len)
		return 0;
	return akm_secret_dup(data, len, ret);
}

int rd_key_text(struct wire_reader *c, uint64_t key, const char *name, char *ret, size_t size)
{
	return rd_key(c, key, name) ?: rd_text(c, name, ret, size);
}

int rd_key_name(struct wire_reader *c, uint64_t key, const char *name, char *ret, size_t size)
{
	return rd_key(c, key, name) ?: rd_name(c, name, ret, size);
}

int rd_key_array(struct wire_reader *c, uint64_t key, const char *name, size_t min, size_t max, size_t *ret_n)
{
	return rd_key(c, key, name) ?: rd_array(c, name, min, max, ret_n);
}

int rd_key_map(struct wire_reader *c, uint64_t key, const char *name)
{
	return rd_key(c, key, name) ?: rd_map(c, name);
}
