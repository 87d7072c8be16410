// SPDX-License-Identifier: GPL-2.0
#include "frame.h"

#include <setjmp.h>
#include <cmocka.h>

static void feed(struct frame_reader *r, const void *p, size_t len)
{
	size_t room;
	uint8_t *to = frame_room(r, &room);

	assert_true(len <= room);
	memcpy(to, p, len);
	frame_filled(r, len);
}

static struct akm_blob encoded(uint32_t exchange, uint16_t type, const char *payload)
{
	struct frame f = { exchange, type, (const uint8_t *)payload, strlen(payload) };
	struct akm_blob b = {};

	assert_int_equal(frame_encode(&f, &b), 0);
	return b;
}

static void assert_frame(struct frame_reader *r, uint32_t exchange, uint16_t type, const char *payload)
{
	struct frame f;

	assert_true(frame_next(r, &f));
	assert_int_equal(f.exchange, exchange);
	assert_int_equal(f.type, type);
	assert_int_equal(f.len, strlen(payload));
	assert_memory_equal(f.payload, payload, f.len);
}

static void every_flipped_bit_is_noticed(void **state)
{
	struct akm_blob b = encoded(0x01020304, 3, "payload");
	struct frame_reader r;
	struct frame f;

	(void)state;
	for (size_t bit = 0; bit < 8 * b.len; bit++) {
		r = (struct frame_reader) {};
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		feed(&r, b.data, b.len);
		assert_false(frame_next(&r, &f));
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	akm_blob_free(&b);
}

static void every_truncation_waits(void **state)
{
	struct akm_blob b = encoded(7, 3, "payload");
	struct frame_reader r;
	struct frame f;

	(void)state;
	for (size_t len = 0; len < b.len; len++) {
		r = (struct frame_reader) {};
		feed(&r, b.data, len);
		assert_false(frame_next(&r, &f));
		assert_int_equal(frame_partial(&r), len > 0);
		feed(&r, b.data + len, b.len - len);
		assert_frame(&r, 7, 3, "payload");
		assert_false(frame_partial(&r));
	}
	akm_blob_free(&b);
}

static void oversized_length_is_noise(void **state)
{
	static const uint8_t head[] = { 'A', 'K', 'M', '1', 0, 0, 0, 1, 0, 1, 0x40, 0x01 };	/* 16385 */
	struct akm_blob b = encoded(7, 3, "x");
	struct frame f = { 1, 1, NULL, FRAME_PAYLOAD_MAX + 1 };
	struct frame_reader r = {};

	(void)state;
	feed(&r, head, sizeof(head));
	assert_false(frame_next(&r, &f));
	assert_int_equal(r.noise, sizeof(head));
	feed(&r, b.data, b.len);
	assert_frame(&r, 7, 3, "x");
	akm_blob_free(&b);
	f.len = FRAME_PAYLOAD_MAX + 1;
	assert_int_equal(frame_encode(&f, &b), -EMSGSIZE);
	assert_null(b.data);
}

static void noise_is_skipped_and_counted(void **state)
{
	static const char noise[] = "U-Boot 2023\r\nAKM AKM0 AKAKM\r\nlogin: A";
	struct akm_blob b = encoded(7, 3, "one"), c = encoded(7, 4, "AKM1");
	struct frame_reader r = {};
	struct frame f;

	(void)state;
	feed(&r, noise, sizeof(noise) - 1);
	assert_false(frame_next(&r, &f));
	assert_int_equal(r.noise, sizeof(noise) - 2);	/* the last A may be a beginning */
	feed(&r, b.data, b.len);
	feed(&r, "\xff\xff", 2);
	feed(&r, c.data, c.len);
	assert_frame(&r, 7, 3, "one");
	assert_frame(&r, 7, 4, "AKM1");
	assert_int_equal(r.noise, 0);
	akm_blob_free(&b);
	akm_blob_free(&c);
}

/* The sender was cut in the middle of a frame and begins again: the half one must not swallow the next. */
static void half_a_frame_does_not_swallow_the_next(void **state)
{
	struct akm_blob b = encoded(7, 3, "a longer payload that is cut"), c = encoded(8, 4, "whole");
	struct frame_reader r;
	struct frame f;

	(void)state;
	for (size_t len = 1; len < b.len; len++) {
		r = (struct frame_reader) {};
		feed(&r, b.data, len);
		feed(&r, c.data, c.len);
		while (!frame_next(&r, &f)) {
			assert_true(frame_partial(&r));
			frame_give_up(&r);
		}
		assert_int_equal(f.type, 4);
		assert_int_equal(f.exchange, 8);
	}
	akm_blob_free(&b);
	akm_blob_free(&c);
}

static void largest_frame_passes(void **state)
{
	static uint8_t payload[FRAME_PAYLOAD_MAX];
	struct frame f = { 9, 2, payload, sizeof(payload) }, got;
	static struct frame_reader r;
	struct akm_blob b = {};
	size_t room;

	(void)state;
	memset(payload, 'A', sizeof(payload));
	assert_int_equal(frame_encode(&f, &b), 0);
	assert_int_equal(b.len, FRAME_MAX);
	for (size_t at = 0; at < b.len; at += 1000) {
		assert_false(frame_next(&r, &got));
		frame_room(&r, &room);
		assert_true(room > 0);
		feed(&r, b.data + at, b.len - at < 1000 ? b.len - at : 1000);
	}
	assert_true(frame_next(&r, &got));
	assert_int_equal(got.len, sizeof(payload));
	assert_memory_equal(got.payload, payload, sizeof(payload));
	akm_blob_free(&b);
}

/* Check values: RFC 3720, B.4, and the catalogue's "123456789" */
static void crc_is_castagnolis(void **state)
{
	uint8_t p[32];

	(void)state;
	assert_int_equal(frame_crc32c("123456789", 9), 0xe3069283);
	memset(p, 0, sizeof(p));
	assert_int_equal(frame_crc32c(p, sizeof(p)), 0x8a9136aa);
	memset(p, 0xff, sizeof(p));
	assert_int_equal(frame_crc32c(p, sizeof(p)), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++)
		p[i] = i;
	assert_int_equal(frame_crc32c(p, sizeof(p)), 0x46dd794e);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_flipped_bit_is_noticed),
		cmocka_unit_test(every_truncation_waits),
		cmocka_unit_test(oversized_length_is_noise),
		cmocka_unit_test(noise_is_skipped_and_counted),
		cmocka_unit_test(half_a_frame_does_not_swallow_the_next),
		cmocka_unit_test(largest_frame_passes),
		cmocka_unit_test(crc_is_castagnolis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
