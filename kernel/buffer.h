/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Buffers for batches of packets: pieces of pages from a per-CPU cache, each with a
 * reference of its own, so that they can become fragments of an sk_buff.
 */
#ifndef _AKM_BUFFER_H
#define _AKM_BUFFER_H

#include <linux/mm.h>
#include <linux/skbuff.h>

#define AKM_BUFFER_MAX	32768		/* what one page of the cache holds */

/* BH disabled. Return: @size bytes, or NULL; certainly NULL if that is over AKM_BUFFER_MAX. */
void *akm_buffer_alloc(unsigned int size);

/* One reference more. Any context. */
static inline void akm_buffer_get(void *buffer)
{
	get_page(virt_to_head_page(buffer));
}

/* Any context. */
static inline void akm_buffer_free(void *buffer)
{
	put_page(virt_to_head_page(buffer));
}

/*
 * Append @len bytes at @data, which lie in a buffer, to @skb, which takes over the
 * reference; @truesize is the share of the buffer. @skb has room for a fragment.
 */
static inline void akm_buffer_attach(struct sk_buff *skb, void *data, unsigned int len,
				     unsigned int truesize)
{
	struct page *page = virt_to_head_page(data);

	skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, data - page_address(page), len,
			truesize);
}

/* Nothing allocates any more. */
void akm_buffer_exit(void);

#endif /* _AKM_BUFFER_H */
