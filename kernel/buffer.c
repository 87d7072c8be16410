// SPDX-License-Identifier: GPL-2.0
#include "buffer.h"

#include <linux/gfp.h>
#include <linux/percpu.h>
#include "compat/compat.h"

static DEFINE_PER_CPU(struct page_frag_cache, cache);

void *akm_buffer_alloc(unsigned int size)
{
	if (unlikely(size > AKM_BUFFER_MAX))
		return NULL;
	return page_frag_alloc(this_cpu_ptr(&cache), SKB_DATA_ALIGN(size),
			       GFP_ATOMIC | __GFP_NOWARN);
}

void akm_buffer_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		akm_page_frag_drain(per_cpu_ptr(&cache, cpu));
}
