/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From values to text: names, addresses, durations, sizes, aligned tables,
 * colour. Pure but for the stream it writes to. Text that came from elsewhere
 * never reaches a terminal with its control characters.
 */
#ifndef AKMCTL_FORMAT_H
#define AKMCTL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#define AKM_PREFIX_STRLEN	64
#define AKM_ENDPOINT_STRLEN	96
#define AKM_DURATION_STRLEN	48
#define AKM_SIZE_STRLEN		32
#define AKM_TIME_STRLEN		48

enum akm_colour { AKM_PLAIN, AKM_BOLD, AKM_RED, AKM_GREEN, AKM_YELLOW, AKM_CYAN, AKM_DIM };

/* Return: a static name, "unknown" for what this version does not know. */
const char *akm_suite_name(uint32_t suite);
const char *akm_gen_state_name(uint32_t state);
const char *akm_freshness_name(uint32_t mode);
const char *akm_spread_name(uint32_t mode);
const char *akm_fresh_state_name(uint32_t state);
const char *akm_event_name(uint32_t type);

/* All return @buf. */
const char *akm_format_prefix(const uint8_t *addr, size_t addr_len, unsigned int len, char buf[AKM_PREFIX_STRLEN]);
/* Return: NULL if @sa is not a sockaddr_in or sockaddr_in6 of exactly its length. */
const char *akm_format_endpoint(const void *sa, size_t len, char buf[AKM_ENDPOINT_STRLEN]);
/* "250 ms", "1 minute, 5 seconds": the two largest units. */
const char *akm_format_duration(uint64_t ms, char buf[AKM_DURATION_STRLEN]);
/* "1.50 MiB" */
const char *akm_format_size(uint64_t bytes, char buf[AKM_SIZE_STRLEN]);
/* RFC 3339, UTC, microseconds */
const char *akm_format_time(uint64_t ns, char buf[AKM_TIME_STRLEN]);

/* Writes @text with control characters made visible as \xNN. */
void akm_put_clean(FILE *f, const char *text);
/* Columns that @text takes when written so. */
size_t akm_clean_width(const char *text);
/* Writes @text cleaned, and coloured if @on. */
void akm_put_coloured(FILE *f, bool on, enum akm_colour colour, const char *text);
/* Green for what is well, red for what is not, yellow in between. */
enum akm_colour akm_colour_of_state(const char *state);

#define AKM_TABLE_COLUMNS	12

struct akm_table;
/* @headings: @n column headings, static. */
struct akm_table *akm_table_new(const char *const *headings, size_t n);
void akm_table_freep(struct akm_table **t);
/* Cells are filled from left to right, row by row; text is copied. Return: 0 or -ENOMEM. */
int akm_table_cell(struct akm_table *t, enum akm_colour colour, const char *text);
__attribute__((format(printf, 3, 4)))
int akm_table_printf(struct akm_table *t, enum akm_colour colour, const char *fmt, ...);
/* Numbers are aligned to the right, everything else to the left. */
void akm_table_print(const struct akm_table *t, FILE *f, bool colour);

#endif /* AKMCTL_FORMAT_H */
