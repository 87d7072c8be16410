/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between msg.c and the msg_*.c files, each of which encodes, decodes and frees
 * one group of messages. An encoder refuses with wr_fail() what its decoder
 * would refuse. A decoder may leave a half-filled message behind: msg.c frees it.
 */
#ifndef AKM_MSG_CODEC_H
#define AKM_MSG_CODEC_H

#include "msg.h"
#include "wire.h"

struct msg_codec {
	const char *name;
	void (*encode)(struct wire_writer *w, const struct msg *m);
	int (*decode)(struct wire_reader *c, struct msg *m);
	void (*free)(struct msg *m);		/* NULL: owns nothing */
};

/* msg_link.c */
extern const struct msg_codec msg_codec_hello, msg_codec_ok, msg_codec_error, msg_codec_link_next,
	msg_codec_rotate, msg_codec_features;
/* msg_report.c */
extern const struct msg_codec msg_codec_heartbeat, msg_codec_events;
/* msg_atr.c */
extern const struct msg_codec msg_codec_prepare, msg_codec_activate, msg_codec_retire, msg_codec_delete,
	msg_codec_arm, msg_codec_roll;
/* msg_quote.c */
extern const struct msg_codec msg_codec_quote_ask, msg_codec_quote;
/* What is on record of a node's attestation, as a map */
void msg_put_baseline(struct wire_writer *w, const struct quote_baseline *b);
int msg_get_baseline(struct wire_reader *c, struct quote_baseline *ret);
/* msg_policy.c */
extern const struct msg_codec msg_codec_policy, msg_codec_policy_held;
/* msg_inventory.c */
extern const struct msg_codec msg_codec_inventory, msg_codec_takeover;

/* msg_addr.c: addresses as arrays of two. Prefix lists are a field of a map each. */
void msg_put_prefix_list(struct wire_writer *w, const struct msg_prefix *p, size_t n, bool host_bits);
int msg_get_prefix_list(struct wire_reader *c, const char *name, size_t min, bool host_bits, struct msg_prefix *ret,
			size_t *ret_n);
void msg_put_prefixes(struct wire_writer *w, uint64_t key, const struct msg_prefix *p, size_t n, bool host_bits);
int msg_get_prefixes(struct wire_reader *c, uint64_t key, const char *name, bool host_bits,
		     struct msg_prefix *ret, size_t *ret_n);
void msg_put_endpoint(struct wire_writer *w, const struct msg_endpoint *e);
int msg_get_endpoint(struct wire_reader *c, const char *name, struct msg_endpoint *ret);
void msg_put_group(struct wire_writer *w, const struct msg_group *g);
int msg_get_group(struct wire_reader *c, const char *name, struct msg_group *ret);

#endif /* AKM_MSG_CODEC_H */
