/* SPDX-License-Identifier: GPL-2.0 */
/* Between link.c (one connection), link_tls.c (OpenSSL) and link_server.c (listening, limits). */
#ifndef AKM_LINK_INTERNAL_H
#define AKM_LINK_INTERNAL_H

#include <openssl/ssl.h>

#include "link.h"

/* "akm1:" hex(16) ":" 20 digits ":" hex(16), and the NUL */
#define LINK_IDENTITY_MAX (5 + 32 + 1 + 20 + 1 + 32 + 1)

enum link_state { LINK_CONNECTING, LINK_HANDSHAKE, LINK_UP, LINK_CLOSING, LINK_DEAD };

struct link_out {			/* one queued message */
	struct link_out *next;
	uint8_t head[4];
	struct akm_secret body;
	size_t done;			/* bytes of head and body that TLS has taken */
};

struct link {
	struct event_base *base;
	struct link_server *server;	/* NULL on the client's side, and once it has gone */
	struct link *next, **prevp;	/* in one of the server's lists */
	struct origin *origin;		/* server: of one that is pending */
	uint64_t begun_ms;		/* server: when it was taken */
	bool gave_way;			/* server: to others of its origin, which is no failure of its */
	unsigned int handshake_ms, message_ms;
	enum link_state state;
	bool up;			/* it was authenticated */
	bool busy;			/* inside drive(): whoever ends it now leaves the freeing to that */
	int fd;
	struct event *ev_read, *ev_write, *timer, *kick;

	SSL_CTX *ctx;			/* client: a reference */
	SSL *ssl;
	SSL_SESSION *session;		/* client: the PSK */
	char identity[LINK_IDENTITY_MAX];	/* offered by us, or to us */
	unsigned int asked;		/* server: how often OpenSSL asked for a PSK */
	bool psk;			/* server: a PSK was found; client: offered */

	link_key_fn key;
	struct link_ops ops;
	void *ops_ctx, *data;
	struct link_peer_info info;
	enum link_down why;		/* decided before the end shows, else 0 */
	struct akm_error err;

	uint8_t rx_head[4];
	size_t rx_head_len, rx_len, rx_want;
	struct akm_secret rx;		/* grows with what has come, up to rx_want */
	bool rx_timer;

	struct link_out *out, **out_tail;
	size_t out_bytes;
	uint64_t records;		/* written under the present traffic key */
};

/* link.c */
int link_new(struct event_base *base, int fd, struct link **ret);	/* owns @fd on success */
int link_start(struct link *l, SSL_CTX *ctx, enum link_state state);
void link_down_now(struct link *l, enum link_down why, const char *field, const char *reason);
void link_destroy(struct link *l);	/* without down() */
uint64_t link_now_ms(void);
/* "192.0.2.1:7646", "[2001:db8::1]:7646", "[fe80::1%eth0]:7646". Return: 0, -EINVAL with @err. */
int link_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len, struct akm_error *err);
void link_unmap(struct sockaddr_storage *a);	/* ::ffff:192.0.2.1 → 192.0.2.1 */

/* link_tls.c */
int link_tls_server_ctx(SSL_CTX **ret);
int link_tls_client_ctx(SSL_CTX **ret);
int link_tls_client_psk(struct link *l, uint64_t n);	/* before the handshake; link key's errors */
const char *link_tls_check(const struct link *l);	/* after it: NULL or what is missing */
void link_tls_forget_psk(struct link *l);	/* the handshake is over */
/* What a failed SSL call means. @reason for people. */
enum link_down link_tls_why(struct link *l, int ssl_error, char *reason, size_t size);

/* link_server.c */
bool link_server_may_try(struct link *l);	/* limits, per identity and address */
void link_server_up(struct link *l);		/* from the pending to the authenticated */
void link_server_gone(struct link *l, enum link_down why);

static inline void event_freep(struct event *ev)	/* NULL is fine */
{
	if (ev)
		event_free(ev);
}

#endif /* AKM_LINK_INTERNAL_H */
