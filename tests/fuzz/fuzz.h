/* SPDX-License-Identifier: GPL-2.0 */
/* What fuzz targets share. A target aborts where a promise is broken; the sanitizers do the rest. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define must(condition) do { if (!(condition)) abort(); } while (0)

static inline void fuzz_secrets(void)
{
	static bool ready;

	if (!ready)
		must(!akm_secret_init(1 << 22));
	ready = true;
}

/* A cursor over the input: at its end there are only zeros. */
struct fuzz_input { const uint8_t *pos, *end; };

static inline uint8_t fuzz_byte(struct fuzz_input *i)
{
	return i->pos < i->end ? *i->pos++ : 0;
}

#endif /* FUZZ_H */
