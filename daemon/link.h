/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The link: TLS 1.3 with an external PSK and (EC)DHE (psk_dhe_ke only),
 * TLS_AES_256_GCM_SHA384, no certificates, no resumption, no 0-RTT; inside it
 * msg.h messages, each behind a 32-bit big-endian length.
 * identity = "akm1:" hex(provisioning ATR ID) ":" n ":" hex(128-bit nonce)
 * PSK = HMAC-SHA-256(link key n, identity). Documentation/protocol.rst, "Link".
 * Event loop context; nothing here blocks or calls the TPM. The process ignores SIGPIPE.
 */
#ifndef AKM_LINK_H
#define AKM_LINK_H

#include <event2/event.h>
#include "msg.h"

struct link;
struct link_server;

/*
 * Link key n of the provisioning ATR @id, 32 bytes. Return: 0; -ENOENT unknown id
 * or evicted; -ESTALE n outside {last, current, next}; -EAGAIN not computed yet
 * (the peer is told nothing and tries again). Must answer from memory.
 */
typedef int (*link_key_fn)(void *ctx, const uint8_t id[AKM_ID_LEN], uint64_t n, uint8_t ret_key[AKM_KEY_LEN]);

struct link_peer_info {
	uint8_t id[AKM_ID_LEN];
	uint64_t n;			/* 0: no identity was claimed, id says nothing */
	struct sockaddr_storage remote, local;
};

/* Why a connection or handshake ended, for evidence */
enum link_down {
	LINK_DOWN_CLOSED = 1,		/* orderly, or by us */
	LINK_DOWN_LOST,			/* transport error, timeout */
	LINK_DOWN_PSK,			/* known identity, binder does not verify: wrong key or hardware value */
	LINK_DOWN_UNKNOWN,		/* identity unknown, evicted or malformed */
	LINK_DOWN_STALE,		/* n outside the window */
	LINK_DOWN_PROTOCOL,		/* message or TLS violation; err says which field */
	LINK_DOWN_LIMIT,		/* too many, too slow */
	LINK_DOWN_NOT_READY,		/* link key not computed yet */
	LINK_DOWN_MAX = LINK_DOWN_NOT_READY
};
const char *link_down_name(enum link_down why);

struct link_ops {
	/* Authenticated; link_info() is valid. Server side: the link is new, @ctx is the server's. */
	void (*up)(struct link *l, void *ctx);
	/* @m is the callee's to read; link.c frees it afterwards. */
	void (*message)(struct link *l, struct msg *m, void *ctx);
	/* Last call for this link; it is freed after return. @info: never NULL; before up() what the peer *claimed*. */
	void (*down)(struct link *l, enum link_down why, const struct akm_error *err,
		     const struct link_peer_info *info, void *ctx);
};

struct link_server_config {
	const char *address;		/* "[::]:7646", "192.0.2.1:7646" */
	link_key_fn key;
	struct link_ops ops;
	void *ctx;
	unsigned int handshake_ms, message_ms;	/* 0: LINK_HANDSHAKE_MS, LINK_MESSAGE_MS */
};
int link_server_new(struct event_base *base, const struct link_server_config *cfg,
		    struct link_server **ret, struct akm_error *err);
void link_server_free(struct link_server *s);	/* drops its links without down(); not from their callbacks */
const struct sockaddr_storage *link_server_address(const struct link_server *s);	/* bound; port 0 was replaced */

struct link_server_stats {
	uint64_t accepted, refused;	/* refused: by the limits per address, before a byte was read */
	uint64_t up;
	uint64_t down[LINK_DOWN_MAX + 1];
	size_t pending, waiting, links;	/* now; who waits is not accepted yet */
};
void link_server_get_stats(const struct link_server *s, struct link_server_stats *ret);

struct link_client_config {
	const char *address;		/* host literal and port */
	uint8_t id[AKM_ID_LEN];
	uint64_t n;
	link_key_fn key;
	struct link_ops ops;
	void *ctx;
};
/*
 * One attempt; reconnecting is the caller's (with backoff). down() tells how a
 * handshake failed, as far as an unauthenticated alert can: a server that does not
 * know the identity or its n is LINK_DOWN_UNKNOWN here, one that asks to come
 * later LINK_DOWN_NOT_READY. Return: 0; the link key's error; -EINVAL address.
 */
int link_connect(struct event_base *base, const struct link_client_config *cfg,
		 struct link **ret, struct akm_error *err);

/*
 * Encodes and queues; @m stays the caller's. Nothing is written, and no callback
 * called, before the event loop runs again.
 * Return: 0, -ENOTCONN, -ENOBUFS (peer does not read), msg_encode()'s.
 */
int link_send(struct link *l, const struct msg *m);
const struct link_peer_info *link_info(const struct link *l);
/*
 * 32 bytes that only the two ends of this TLS session know: RFC 8446, 7.5, with the label "EXPORTER-akm1-quote" and
 * no context. Valid while it is up. Return: 0, -ENOTCONN.
 */
int link_binding(const struct link *l, uint8_t ret[AKM_KEY_LEN]);
void link_set_data(struct link *l, void *data);	/* the role's per-peer state */
void *link_data(const struct link *l);
/* At once, without down(); safe in the link's own callbacks; NULL is fine. */
void link_free(struct link *l);
/* Flushes what is queued, then down(LINK_DOWN_CLOSED); safe in callbacks. */
void link_close(struct link *l);

#endif /* AKM_LINK_H */
