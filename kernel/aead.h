/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One direction of one traffic key as a crypto API AEAD, and the way of a packet
 * through it: sk_buff → request → completion. Requests may complete later
 * (on 6.1 the fast AES-GCM goes to cryptd where SIMD cannot be used).
 */
#ifndef _AKM_AEAD_H
#define _AKM_AEAD_H

#include <crypto/aead.h>
#include <linux/akm.h>
#include <linux/netlink.h>
#include <linux/skbuff.h>
#include "proto.h"

/* Requests that may wait behind full crypto queues, on the whole machine, each to seal and to open */
#define AKM_BACKLOG_MAX		1024

struct akm_aead {
	struct crypto_aead *tfm;
	u8 iv[AKM_NONCE_LEN];		/* derived; the packet number is XORed in */
};

/* Length of a suite's keys in bytes; 0 if there is no such suite. */
size_t akm_suite_key_len(u32 suite);

/**
 * akm_aead_probe() - can this machine serve a suite, and fast?
 * @suite: enum akm_suite
 * @ret_driver: the driver's name, CRYPTO_MAX_ALG_NAME bytes
 * @extack: says why not
 *
 * AES-GCM from table look-ups is slow and leaks through the cache, so it is
 * refused. The portable ChaCha20-Poly1305 is accepted: the crypto API hands it
 * out only where no better one exists, and it is constant-time.
 *
 * Context: process, may load modules.
 * Return: 0, -EOPNOTSUPP, or another negative errno.
 */
int akm_aead_probe(u32 suite, char *ret_driver, struct netlink_ext_ack *extack);

/**
 * akm_aead_init() - make a key usable
 * @aead: uninitialised
 * @suite: enum akm_suite
 * @key: akm_suite_key_len() bytes
 * @iv: derived IV
 *
 * Context: process.
 * Return: 0 or a negative errno, and @aead is as before.
 */
int akm_aead_init(struct akm_aead *aead, u32 suite, const u8 *key,
		  const u8 iv[AKM_NONCE_LEN]);
/* Erase the key. No request may be under way. Any context. */
void akm_aead_free(struct akm_aead *aead);

/* Called once, BH disabled, for a request that was answered with -EINPROGRESS. */
typedef void (*akm_aead_done_t)(struct sk_buff *skb, int err);

/**
 * akm_aead_seal() - encrypt a packet in place
 * @aead: the key
 * @skb: inner packet; 16 bytes of headroom
 * @header: what to put before it, authenticated
 * @done: called if this returns -EINPROGRESS
 *
 * Afterwards @skb is header, ciphertext, tag.
 *
 * Context: BH disabled. The caller holds @aead until the end of the request.
 * Return: 0 or a negative errno (@skb remains the caller's), or -EINPROGRESS
 * (@skb belongs to the request until @done).
 */
int akm_aead_seal(const struct akm_aead *aead, struct sk_buff *skb,
		  const struct akm_header *header, akm_aead_done_t done);

/**
 * akm_aead_open() - check and decrypt a packet in place
 * @aead: the key
 * @skb: header, ciphertext, tag; the header is in the linear part
 * @done: called if this returns -EINPROGRESS
 *
 * Afterwards @skb is header, plaintext, tag.
 *
 * Context: BH disabled. The caller holds @aead until the end of the request.
 * Return: 0, -EBADMSG if it is not authentic, another negative errno, or
 * -EINPROGRESS (@skb belongs to the request until @done).
 */
int akm_aead_open(const struct akm_aead *aead, struct sk_buff *skb,
		  akm_aead_done_t done);

/*
 * One packet of a batch. The text of what is sealed lies in a buffer already; what
 * is opened is a range of an sk_buff that is left as it is, and goes to a buffer.
 */
struct akm_job {
	void (*done)(struct akm_job *job, int err);	/* as akm_aead_done_t; @job is a copy */
	u8 *buffer;			/* header, text, (sealing only) room for the tag */
	unsigned int text_len;
	struct sk_buff *skb;		/* opening: source, the caller's otherwise */
	unsigned int offset;		/* opening: of the header in @skb; the caller's otherwise */
	void *key;			/* the caller's */
	u64 number;			/* packet number */
	u16 print;			/* the caller's, like the next */
	u8 type;			/* enum akm_packet_type */
	u8 tos;
};

/*
 * The buffers are in the kernel's direct mapping. The contents of @job are copied.
 * When opening, the header's place in the buffer is not written to.
 * Context and return value as of akm_aead_seal() and akm_aead_open().
 */
int akm_aead_seal_job(const struct akm_aead *aead, const struct akm_job *job);
int akm_aead_open_job(const struct akm_aead *aead, const struct akm_job *job);

/* Free what is cached per CPU. No request may be under way. */
void akm_aead_exit(void);

#endif /* _AKM_AEAD_H */
