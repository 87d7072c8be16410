// SPDX-License-Identifier: GPL-2.0
/* The link over real loopback sockets: who is refused and why each side thinks so, limits, and messages. */
#include "link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "bounds.h"
#include "clock.h"
#include "kdf.h"
#include "link_limit.h"
#include "link_room.h"
#include "support_clock.h"

#define DEADLINE_MS 60000
#define SITE_ID 0x51			/* nodes whose IDs begin with it are known as well */

static const uint8_t node_id[AKM_ID_LEN] = { 0xa1, 1, 2, 3 }, stranger_id[AKM_ID_LEN] = { 0xff };

/* ---- one side's notes ---- */

struct side {
	unsigned int up, down, messages, keys;
	enum link_down why;
	struct akm_error err;
	struct link_peer_info info;
	struct link *link;		/* the last that came up, or connected */
	struct msg_link_next last;
	struct msg_atr_prepare *prepare;	/* the last message's is compared here */
	int key_result;			/* what the key function says */
	uint8_t key_byte;		/* the key is made of it */
	void (*on_message)(struct link *l, struct side *s);
	void (*on_up)(struct link *l, struct side *s);
};

static struct event_base *base;
static struct link_server *server;
static struct side S, C;
static char address[64];

static int key_fn(void *ctx, const uint8_t id[AKM_ID_LEN], uint64_t n, uint8_t ret_key[AKM_KEY_LEN])
{
	struct side *s = ctx;

	s->keys++;
	if (s->key_result < 0)
		return s->key_result;
	if (memcmp(id, node_id, AKM_ID_LEN) && id[0] != SITE_ID)
		return -ENOENT;
	if (n < 4 || n > 6)
		return -ESTALE;
	memset(ret_key, s->key_byte + (int)n, AKM_KEY_LEN);
	return 0;
}

/* The client believes in its key whatever number it has. */
static int client_key_fn(void *ctx, const uint8_t id[AKM_ID_LEN], uint64_t n, uint8_t ret_key[AKM_KEY_LEN])
{
	struct side *s = ctx;

	(void)id;
	if (s->key_result < 0)
		return s->key_result;
	memset(ret_key, s->key_byte + (int)n, AKM_KEY_LEN);
	return 0;
}

static void on_up(struct link *l, void *ctx)
{
	struct side *s = ctx;

	s->up++;
	s->link = l;
	s->info = *link_info(l);
	if (s->on_up)
		s->on_up(l, s);
}

static void on_message(struct link *l, struct msg *m, void *ctx)
{
	struct side *s = ctx;

	s->messages++;
	if (m->type == MSG_LINK_NEXT)
		s->last = m->next;
	if (s->on_message)
		s->on_message(l, s);
}

static void on_down(struct link *l, enum link_down why, const struct akm_error *err,
		    const struct link_peer_info *info, void *ctx)
{
	struct side *s = ctx;

	s->down++;
	s->why = why;
	s->err = *err;
	s->info = *info;
	if (s->link == l)
		s->link = NULL;
}

static const struct link_ops ops = { on_up, on_message, on_down };

/* ---- the loop, with a deadline ---- */

static void tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static bool held;			/* time stands still while others have the processor: support_clock.h */

static void turn(void)
{
	struct timeval tv = { .tv_usec = 2000 };

	clock_turn(held ? 4 : UINT_MAX);
	assert_int_equal(event_base_once(base, -1, EV_TIMEOUT, tick, NULL, &tv), 0);
	assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
}

#define until(condition) do { \
		uint64_t _end = now_ms() + DEADLINE_MS; \
		while (!(condition)) { \
			if (now_ms() > _end) \
				fail_msg("waited in vain for: %s (server %u up %u down %s: %s %s; client %u up %u down %s: %s %s)", \
					 #condition, S.up, S.down, link_down_name(S.why), S.err.field, S.err.reason, \
					 C.up, C.down, link_down_name(C.why), C.err.field, C.err.reason); \
			turn(); \
		} \
	} while (0)

static void serve(const char *where, unsigned int handshake_ms, unsigned int message_ms)
{
	struct link_server_config cfg = {
		.address = where, .key = key_fn, .ops = ops, .ctx = &S,
		.handshake_ms = handshake_ms, .message_ms = message_ms,
	};
	const struct sockaddr_storage *a;
	struct akm_error err = {};

	if (link_server_new(base, &cfg, &server, &err) < 0)
		fail_msg("%s: %s", err.field, err.reason);
	a = link_server_address(server);
	if (a->ss_family == AF_INET)
		snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(((const struct sockaddr_in *)a)->sin_port));
	else
		snprintf(address, sizeof(address), "[::1]:%u", ntohs(((const struct sockaddr_in6 *)a)->sin6_port));
}

static int connect_as(const uint8_t *id, uint64_t n, struct link **ret)
{
	struct link_client_config cfg = { .address = address, .n = n, .key = client_key_fn, .ops = ops, .ctx = &C };
	struct akm_error err;

	memcpy(cfg.id, id, AKM_ID_LEN);
	return link_connect(base, &cfg, ret, &err);
}

static void dial(const uint8_t *id, uint64_t n)
{
	assert_int_equal(connect_as(id, n, &C.link), 0);
}

static int setup(void **state)
{
	(void)state;
	base = event_base_new();
	S = C = (struct side) { .key_byte = 7 };
	serve("127.0.0.1:0", 0, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	held = false;
	link_free(C.link);
	link_server_free(server);
	server = NULL;
	event_base_free(base);
	return 0;
}

static void serve_again(const char *where, unsigned int handshake_ms, unsigned int message_ms)
{
	link_server_free(server);
	serve(where, handshake_ms, message_ms);
}

static struct link_server_stats stats(void)
{
	struct link_server_stats st;

	link_server_get_stats(server, &st);
	return st;
}

/* ---- a client that speaks no AKM ---- */

static int raw_connect_from(const char *from)
{
	struct sockaddr_in a = { .sin_family = AF_INET }, b = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	a.sin_port = ((const struct sockaddr_in *)link_server_address(server))->sin_port;
	assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &a.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET, from, &b.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&b, sizeof(b)), 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

static void raw_write(int fd, const void *p, size_t len)
{
	uint64_t end = now_ms() + DEADLINE_MS;

	while (write(fd, p, len) != (ssize_t)len) {
		assert_true(errno == EAGAIN && now_ms() < end);
		turn();
	}
}

/* Return: true once the peer has ended the connection. */
static bool raw_ended(int fd)
{
	char buf[4096];
	ssize_t n;

	do
		n = read(fd, buf, sizeof(buf));
	while (n > 0);
	return !n || errno != EAGAIN;
}

/* An OpenSSL client of the test's own making, driven on the event loop until it is through or refused. */
static bool tls_client_gets_in(SSL_CTX *ctx)
{
	int fd = raw_connect_from("127.0.0.1"), r;
	uint64_t end = now_ms() + DEADLINE_MS;
	SSL *ssl = SSL_new(ctx);

	assert_non_null(ssl);
	assert_int_equal(SSL_set_fd(ssl, fd), 1);
	do {
		turn();
		r = SSL_connect(ssl);
		assert_true(now_ms() < end);
	} while (r != 1 && (SSL_get_error(ssl, r) == SSL_ERROR_WANT_READ || SSL_get_error(ssl, r) == SSL_ERROR_WANT_WRITE ||
			    (SSL_get_error(ssl, r) == SSL_ERROR_SYSCALL && (errno == ENOTCONN || errno == EINPROGRESS))));
	SSL_free(ssl);
	close(fd);
	ERR_clear_error();
	return r == 1;
}

/* ---- who is refused, and why ---- */

static void wrong_key_is_told_apart(void **state)
{
	(void)state;
	C.key_byte = 99;
	dial(node_id, 5);
	until(S.down && C.down);
	assert_int_equal(S.up + C.up, 0);
	assert_int_equal(S.why, LINK_DOWN_PSK);
	assert_int_equal(C.why, LINK_DOWN_PSK);
	assert_memory_equal(S.info.id, node_id, AKM_ID_LEN);
	assert_int_equal(S.info.n, 5);
	assert_int_equal(S.info.remote.ss_family, AF_INET);
}

static void unknown_identity_is_refused(void **state)
{
	(void)state;
	dial(stranger_id, 5);
	until(S.down && C.down);
	assert_int_equal(S.up + C.up, 0);
	assert_int_equal(S.why, LINK_DOWN_UNKNOWN);
	assert_int_equal(C.why, LINK_DOWN_UNKNOWN);
	assert_memory_equal(S.info.id, stranger_id, AKM_ID_LEN);
}

static void stale_number_is_refused(void **state)
{
	(void)state;
	dial(node_id, 3);
	until(S.down && C.down);
	assert_int_equal(S.up + C.up, 0);
	assert_int_equal(S.why, LINK_DOWN_STALE);
	assert_int_equal(C.why, LINK_DOWN_UNKNOWN);
	assert_int_equal(S.info.n, 3);
}

static void not_ready_asks_to_come_again(void **state)
{
	(void)state;
	S.key_result = -EAGAIN;
	dial(node_id, 5);
	until(S.down && C.down);
	assert_int_equal(S.why, LINK_DOWN_NOT_READY);
	assert_int_equal(C.why, LINK_DOWN_NOT_READY);
	S.key_result = 0;
	dial(node_id, 5);
	until(S.up && C.up);
}

static void client_without_key_does_not_dial(void **state)
{
	struct link *l = NULL;

	(void)state;
	C.key_result = -EAGAIN;
	assert_int_equal(connect_as(node_id, 5, &l), -EAGAIN);
	assert_null(l);
}

static void bad_addresses_are_named(void **state)
{
	static const char *const bad[] = { "", "host.example:7646", "127.0.0.1:70000", "127.0.0.1:", "127.0.0.1",
					   "127.0.0.1:+1", "[::1", "[::1]", "::1:7646", "[127.0.0.1]:1", "1.2.3:x" };
	struct akm_error err;
	struct link *l;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct link_client_config cfg = { .address = bad[i], .key = key_fn, .ops = ops, .ctx = &C };

		err = (struct akm_error) {};
		assert_int_equal(link_connect(base, &cfg, &l, &err), -EINVAL);
		assert_string_equal(err.field, "address");
	}
}

static void garbage_before_tls_ends_the_connection(void **state)
{
	uint8_t noise[512];
	int fd;

	(void)state;
	memset(noise, 0x47, sizeof(noise));
	fd = raw_connect_from("127.0.0.1");
	raw_write(fd, noise, sizeof(noise));
	until(raw_ended(fd));
	close(fd);
	assert_int_equal(S.down, 1);
	assert_int_equal(S.why, LINK_DOWN_PROTOCOL);
	assert_int_equal(S.info.n, 0);
	assert_int_equal(S.keys, 0);
}

static void tls12_is_refused(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	(void)state;
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	assert_false(tls_client_gets_in(ctx));
	SSL_CTX_free(ctx);
	until(S.down);
	assert_int_equal(S.why, LINK_DOWN_PROTOCOL);
	assert_int_equal(S.up, 0);
}

static void client_without_psk_is_refused(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	(void)state;
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	assert_false(tls_client_gets_in(ctx));
	SSL_CTX_free(ctx);
	until(S.down);
	assert_int_equal(S.why, LINK_DOWN_PROTOCOL);
	assert_int_equal(S.up + S.keys, 0);
}

/* Identities that are nearly right: another spelling of the same must not be another one. */
static const char *offered;
static uint8_t offered_psk[AKM_KEY_LEN] = { 1 };

static int offer(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *len, SSL_SESSION **ret)
{
	static const unsigned char suite[2] = { 0x13, 0x02 };
	SSL_SESSION *s = SSL_SESSION_new();

	(void)md;
	SSL_SESSION_set1_master_key(s, offered_psk, sizeof(offered_psk));
	SSL_SESSION_set_cipher(s, SSL_CIPHER_find(ssl, suite));
	SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION);
	*id = (const unsigned char *)offered;
	*len = strlen(offered);
	*ret = s;
	return 1;
}

#define HEX_ID "a1010203000000000000000000000000"
static const char *const bad_identities[] = {
	"x",
	"akm1:" HEX_ID ":5:" HEX_ID "0",
	"akm1:" HEX_ID ":05:" HEX_ID,
	"akm1:" HEX_ID ":0:" HEX_ID,
	"akm1:" HEX_ID ":-5:" HEX_ID,
	"akm1:" HEX_ID ": 5:" HEX_ID,
	"akm1:" HEX_ID "::" HEX_ID,
	"akm1:" HEX_ID ":99999999999999999999:" HEX_ID,
	"akm1:A1010203000000000000000000000000:5:" HEX_ID,
	"akm1:a101020300000000000000000000000:5:" HEX_ID,
	"akm2:" HEX_ID ":5:" HEX_ID,
	"akm1:" HEX_ID ":5",
	"akm1:" HEX_ID ":5:" HEX_ID HEX_ID HEX_ID HEX_ID HEX_ID HEX_ID,
};

static void malformed_identities_are_refused(void **state)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	(void)state;
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384");
	SSL_CTX_set_psk_use_session_callback(ctx, offer);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad_identities); i++) {
		offered = bad_identities[i];
		assert_false(tls_client_gets_in(ctx));
		until(S.down == i + 1);
		assert_int_equal(S.why, LINK_DOWN_UNKNOWN);
		assert_int_equal(S.keys + S.up, 0);
	}
	/* The form itself is fine: this one is looked up. */
	offered = "akm1:" HEX_ID ":5:" HEX_ID;
	assert_false(tls_client_gets_in(ctx));
	until(S.why == LINK_DOWN_PSK);
	assert_int_equal(S.keys, 1);
	SSL_CTX_free(ctx);
}

/*
 * The right key is not enough: without a common group there is no (EC)DHE, though this client
 * would go on with the PSK alone. P13
 */
static void client_without_dhe_group_is_refused(void **state)
{
	static const struct { const char *groups; bool gets_in; } clients[] = {
		{ "X25519", true }, { "P-384:P-256", true }, { "P-384", false },
	};

	(void)state;
	offered = "akm1:" HEX_ID ":5:" HEX_ID;
	memset(offered_psk, S.key_byte + 5, sizeof(offered_psk));
	assert_int_equal(kdf_link_psk(offered_psk, offered, offered_psk), 0);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

		SSL_CTX_set_options(ctx, SSL_OP_ALLOW_NO_DHE_KEX);
		SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
		SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384");
		SSL_CTX_set1_groups_list(ctx, clients[i].groups);
		SSL_CTX_set_psk_use_session_callback(ctx, offer);
		assert_int_equal(tls_client_gets_in(ctx), clients[i].gets_in);
		until(S.down == i + 1);
		SSL_CTX_free(ctx);
	}
	assert_int_equal(S.up, 2);
	OPENSSL_cleanse(offered_psk, sizeof(offered_psk));	/* other tests look for what is left of keys */
}

/* An impostor that listens where the manager should: it has a certificate, no key. */
static void server_without_psk_is_refused(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	socklen_t len = sizeof(a);
	int lfd, fd = -1, r = 0;
	SSL *ssl;

	(void)state;
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	lfd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	assert_int_equal(bind(lfd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(lfd, 1), 0);
	getsockname(lfd, (struct sockaddr *)&a, &len);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(a.sin_port));
	dial(node_id, 5);
	until((fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	until((r = SSL_accept(ssl)) == 1 || C.down);
	until(C.down);
	assert_int_equal(C.up, 0);
	assert_int_equal(C.why, LINK_DOWN_PSK);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	X509_free(cert);
	EVP_PKEY_free(key);
	ERR_clear_error();
	close(fd);
	close(lfd);
}

/* A recorded first flight of a genuine client, sent again: it is answered, and leads nowhere. */
static void replayed_hello_gets_nowhere(void **state)
{
	static const uint8_t nonsense[] = { 0x17, 0x03, 0x03, 0x00, 0x20, [36] = 1 };
	struct sockaddr_in a = { .sin_family = AF_INET };
	int lfd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), tap = -1, fd;
	socklen_t len = sizeof(a);
	uint8_t hello[4096];
	ssize_t n = 0;

	(void)state;
	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	assert_int_equal(bind(lfd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(lfd, 1), 0);
	getsockname(lfd, (struct sockaddr *)&a, &len);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(a.sin_port));
	dial(node_id, 5);
	until((tap = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
	until((n = read(tap, hello, sizeof(hello))) > 100);
	close(tap);
	close(lfd);
	for (unsigned int i = 1; i <= LINK_IDENTITY_BURST + 2; i++) {
		fd = raw_connect_from("127.0.0.1");
		raw_write(fd, hello, (size_t)n);
		until(S.keys == i || S.down == i);
		raw_write(fd, nonsense, sizeof(nonsense));
		until(S.down == i);
		close(fd);
		assert_int_equal(S.why, i <= LINK_IDENTITY_BURST ? LINK_DOWN_PSK : LINK_DOWN_LIMIT);
	}
	assert_int_equal(S.up, 0);
	assert_int_equal(S.keys, LINK_IDENTITY_BURST);
}

static void nobody_there_is_lost(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);

	(void)state;
	/* A port that nobody listens on: bound, not listening. */
	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(a.sin_port));
	dial(node_id, 5);
	until(C.down);
	assert_int_equal(C.why, LINK_DOWN_LOST);
	assert_non_null(strstr(C.err.reason, strerror(ECONNREFUSED)));
	close(fd);
}

/* ---- strangers cost little ---- */

static void slow_stranger_is_cut_off(void **state)
{
	static const uint8_t start[] = { 0x16, 0x03, 0x01, 0x02 };	/* of a handshake record that never comes */
	uint64_t begin = now_ms();
	int fd;

	(void)state;
	serve_again("127.0.0.1:0", 300, 0);
	fd = raw_connect_from("127.0.0.1");
	for (size_t i = 0; i < sizeof(start); i++)
		raw_write(fd, &start[i], 1);
	until(raw_ended(fd));
	close(fd);
	assert_true(now_ms() - begin >= 250);	/* the loop's clock is a little coarse */
	assert_int_equal(S.down, 1);
	assert_int_equal(S.why, LINK_DOWN_LIMIT);
	assert_int_equal(stats().pending, 0);
}

static void one_address_has_few_pending(void **state)
{
	int fd[LINK_PENDING_PER_IP + 8];
	struct link_server_stats st;

	(void)state;
	held = true;
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = raw_connect_from("127.0.0.1");
	until(stats().accepted + stats().waiting == ARRAY_SIZE(fd));
	assert_int_equal(stats().pending, LINK_PENDING_PER_IP);
	assert_int_equal(stats().waiting, 8);
	/* Who waits and goes again is not charged with an attempt. */
	close(fd[ARRAY_SIZE(fd) - 1]);
	for (size_t i = 0; i < 8; i++)
		close(fd[i]);
	until(!stats().waiting);
	st = stats();
	assert_int_equal(st.accepted, LINK_PENDING_PER_IP + 7);
	assert_int_equal(st.refused, 0);
	until(stats().pending == LINK_PENDING_PER_IP - 1);
	assert_int_equal(S.down, 8);
	for (size_t i = 8; i < ARRAY_SIZE(fd) - 1; i++)
		close(fd[i]);
	until(stats().pending == 0);
}

/* All places of an address are taken by idlers: who has its key gets in from there, soon, and the address is not given up. */
static void idlers_give_way_to_who_waits(void **state)
{
	int fd[LINK_PENDING_PER_IP], more[LINK_PENDING_PER_IP + 1];

	(void)state;
	held = true;
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = raw_connect_from("127.0.0.1");
	until(stats().pending == LINK_PENDING_PER_IP);
	dial(node_id, 5);
	until(stats().waiting);
	assert_int_equal(S.up, 0);
	clock_wind(LINK_YIELD_MS);
	until(S.up && C.up);
	assert_int_equal(stats().down[LINK_DOWN_LIMIT], LINK_PENDING_PER_IP);
	assert_int_equal(stats().refused, 0);
	/* They do not keep out who comes later, either. */
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++) {
		close(fd[i]);
		fd[i] = raw_connect_from("127.0.0.1");
	}
	until(stats().pending == LINK_PENDING_PER_IP);
	/* With nobody waiting at their address they have their time, whoever waits somewhere else. */
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		more[i] = raw_connect_from("127.4.0.1");
	until(stats().waiting == 1);
	clock_wind(LINK_YIELD_MS);
	until(!stats().waiting);
	assert_int_equal(stats().down[LINK_DOWN_LIMIT], 2 * LINK_PENDING_PER_IP);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		close(more[i]);
}

/* A site comes back, all of it from one address, at one instant: nobody is refused, and few are at it at a time. */
static void site_behind_one_address_gets_in(void **state)
{
	enum { SITE = 8 * LINK_PENDING_PER_IP };
	uint8_t id[AKM_ID_LEN] = { SITE_ID };
	struct link *l[SITE];

	(void)state;
	held = true;
	for (size_t i = 0; i < SITE; i++) {
		id[1] = (uint8_t)(i >> 8);
		id[2] = (uint8_t)i;
		assert_int_equal(connect_as(id, 5, &l[i]), 0);
	}
	while (S.up < SITE || C.up < SITE) {
		assert_int_equal(C.down, 0);
		assert_true(stats().pending <= LINK_PENDING_PER_IP);
		turn();
	}
	assert_int_equal(stats().refused, 0);
	assert_int_equal(stats().links, SITE);
	for (size_t i = 0; i < SITE; i++)
		link_free(l[i]);
	C.link = NULL;
}

static struct sockaddr_storage four(const char *text)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct sockaddr_storage ret = {};

	assert_int_equal(inet_pton(AF_INET, text, &a.sin_addr), 1);
	memcpy(&ret, &a, sizeof(a));
	return ret;
}

static void room_is_bounded(void **state)
{
	struct sockaddr_storage site = four("192.0.2.1"), other = four("192.0.2.2"), third = four("192.0.2.3");
	static struct room room;
	struct origin *o = NULL;
	struct waiting w;

	(void)state;
	room_init(&room);
	for (int i = 0; i < LINK_PENDING_PER_IP; i++) {
		assert_true(room_is_free(&room, &site));
		o = room_enter(&room, &site);
	}
	assert_false(room_is_free(&room, &site));
	for (uint64_t i = 0; i < LINK_WAITING_PER_IP; i++)
		assert_int_equal(room_wait(&room, -1, &site, i), 0);
	assert_int_equal(room_wait(&room, -1, &site, 0), -EBUSY);
	for (size_t i = LINK_WAITING_PER_IP; i < LINK_WAITING_MAX; i++)
		assert_int_equal(room_wait(&room, -1, &other, 5), 0);
	assert_int_equal(room_wait(&room, -1, &third, 5), -EBUSY);
	assert_true(room_is_free(&room, &third));
	/* In the order in which they came; nobody who comes now overtakes them. */
	room_leave(&room, o);
	assert_false(room_is_free(&room, &site));
	for (uint64_t i = 0; i < 3; i++) {
		assert_true(room_next(&room, o, &w));
		assert_int_equal(w.since_ms, i);
	}
	assert_int_equal(room_expire(&room, 100), 97 + LINK_WAITING_MAX - LINK_WAITING_PER_IP);
	assert_true(room_next(&room, o, &w));
	assert_int_equal(w.since_ms, 100);
	room_empty(&room);
	assert_int_equal(room.waits, 0);
	for (int i = 1; i < LINK_PENDING_PER_IP; i++)
		room_leave(&room, o);
	assert_true(room_is_free(&room, &site));
}

/* Who waited for as long as a handshake may take is sent away; it was in nobody's way who is somewhere else. */
static void waiting_ends(void **state)
{
	int fd[LINK_PENDING_PER_IP + 8];

	(void)state;
	held = true;
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = raw_connect_from("127.2.0.1");
	until(stats().accepted + stats().waiting == ARRAY_SIZE(fd));
	dial(node_id, 5);		/* from 127.0.0.1 */
	until(S.up && C.up);
	assert_int_equal(stats().waiting, 8);
	clock_wind(LINK_HANDSHAKE_MS + 1);
	until(!stats().waiting);
	assert_int_equal(stats().refused, 8);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
}

/* Where descriptors run out, who waits goes before anybody is kept out. */
static void who_waits_makes_room(void **state)
{
	int fd[LINK_PENDING_PER_IP + 24], more[4];
	struct rlimit rl, few;

	(void)state;
	held = true;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	few = rl;
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = raw_connect_from("127.2.0.1");
	until(stats().waiting == 24);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		more[i] = raw_connect_from("127.3.0.1");
	few.rlim_cur = (rlim_t)dup(more[0]);
	close((int)few.rlim_cur);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	until(stats().pending == LINK_PENDING_PER_IP + ARRAY_SIZE(more));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_int_equal(stats().waiting, 0);
	assert_int_equal(stats().refused, 24);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		close(more[i]);
}

/* Idlers from many addresses take every place; a node that knows its key still gets in. */
static void crowd_of_idlers_does_not_keep_a_node_out(void **state)
{
	int fd[LINK_PENDING_MAX + 32];
	char from[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++) {
		snprintf(from, sizeof(from), "127.1.%zu.1", i / 8 + 1);
		fd[i] = raw_connect_from(from);
		until(stats().accepted == i + 1);
		assert_true(stats().pending <= LINK_PENDING_MAX);
	}
	assert_int_equal(stats().pending, LINK_PENDING_MAX);
	assert_int_equal(stats().down[LINK_DOWN_LIMIT], 32);
	dial(node_id, 5);
	until(S.up && C.up);
	for (size_t i = 0; i < ARRAY_SIZE(fd); i++)
		close(fd[i]);
}

/*
 * A flood of well-formed hellos for a known identity with a false key: the key
 * function is called a bounded number of times, no locked memory stays in use, and
 * the same identity still gets in from where it lives.
 */
static void flood_of_false_hellos_is_bounded(void **state)
{
	size_t locked = 0;
	struct link *l;

	(void)state;
	C.key_byte = 99;
	for (unsigned int i = 0; i < 300; i++) {
		assert_int_equal(connect_as(node_id, 5, &l), 0);
		until(C.down == i + 1);
		if (!i)
			locked = CRYPTO_secure_used();	/* what OpenSSL takes once, for itself */
	}
	until(stats().pending == 0);
	/* Burst, and what was refilled while it lasted (well under 30 s) */
	assert_in_range(S.keys, LINK_IDENTITY_BURST, LINK_IDENTITY_BURST + 15);
	assert_true(stats().refused > 0);
	assert_int_equal(stats().accepted + stats().refused, 300);
	assert_int_equal(S.up, 0);
	assert_int_equal(CRYPTO_secure_used(), locked);
}

static void flood_for_one_identity_does_not_lock_it_out_elsewhere(void **state)
{
	struct limit l;
	uint8_t seed[32] = { 1 };

	(void)state;
	limit_init(&l, seed, 3, 1000);
	for (int i = 0; i < 3; i++) {
		assert_true(limit_allows(&l, "attacker", 8, 50000));
		limit_charge(&l, "attacker", 8, 50000);
	}
	assert_false(limit_allows(&l, "attacker", 8, 50000));
	assert_false(limit_allows(&l, "attacker", 8, 50999));
	assert_true(limit_allows(&l, "node", 4, 50000));
	assert_true(limit_allows(&l, "attacker", 8, 51000));
	for (int i = 0; i < 1000; i++)
		limit_charge(&l, "attacker", 8, 51000);
	assert_false(limit_allows(&l, "attacker", 8, 51999));	/* a debt has a bound as well */
	assert_true(limit_allows(&l, "attacker", 8, 52000));
}

/* ---- inside ---- */

static void connects(void **state)
{
	(void)state;
	dial(node_id, 5);
	until(S.up && C.up);
	assert_int_equal(S.down + C.down, 0);
	assert_memory_equal(link_info(S.link)->id, node_id, AKM_ID_LEN);
	assert_int_equal(link_info(S.link)->n, 5);
	assert_int_equal(link_info(C.link)->local.ss_family, AF_INET);
	assert_int_equal(S.keys, 1);
	assert_int_equal(stats().links, 1);
	link_set_data(S.link, &S);
	assert_ptr_equal(link_data(S.link), &S);
}

static void ipv6_and_mapped_addresses_work(void **state)
{
	(void)state;
	serve_again("[::]:0", 0, 0);
	dial(node_id, 4);
	until(S.up == 1 && C.up == 1);
	assert_int_equal(link_info(S.link)->remote.ss_family, AF_INET6);
	link_free(C.link);
	C.link = NULL;
	until(S.down == 1);
	snprintf(address, sizeof(address), "127.0.0.1:%u",
		 ntohs(((const struct sockaddr_in6 *)link_server_address(server))->sin6_port));
	dial(node_id, 6);
	until(S.up == 2 && C.up == 2);
	assert_int_equal(link_info(S.link)->remote.ss_family, AF_INET);
}

static struct msg next_msg(uint64_t n)
{
	return (struct msg) { .type = MSG_LINK_NEXT, .request = 1, .next = { n } };
}

static void messages_go_both_ways_in_order(void **state)
{
	struct msg m;

	(void)state;
	dial(node_id, 5);
	until(S.up && C.up);
	for (uint64_t i = 1; i <= 500; i++) {
		m = next_msg(i);
		assert_int_equal(link_send(C.link, &m), 0);
		assert_int_equal(link_send(S.link, &m), 0);
		assert_true(S.messages < i && C.messages < i);	/* never from inside link_send() */
	}
	until(S.messages == 500 && C.messages == 500);
	assert_int_equal(S.last.n, 500);
	assert_int_equal(C.last.n, 500);
}

static void traffic_keys_are_refreshed_underway(void **state)
{
	const unsigned int count = 40000;	/* two records each: more than one refresh */
	struct msg m = next_msg(1);
	unsigned int sent = 0;

	(void)state;
	dial(node_id, 5);
	until(S.up && C.up);
	while (sent < count) {
		for (unsigned int i = 0; i < 1000; i++, sent++)
			assert_int_equal(link_send(C.link, &m), 0);
		until(S.messages == sent);
	}
	m = next_msg(9);
	assert_int_equal(link_send(S.link, &m), 0);
	until(C.messages == 1);
	assert_int_equal(S.down + C.down, 0);
}

static void big_events(struct msg *m, struct msg_event *e, size_t n)
{
	memset(e, 0, n * sizeof(*e));
	for (size_t i = 0; i < n; i++) {
		e[i] = (struct msg_event) { .seq = i + 1, .source = "EdgeNodeA", .kind = "replay",
					    .severity = SEV_ALERT, .member = -1, .count = 1 };
		memset(e[i].text, 'x', TEXT_MAX - 1);
	}
	*m = (struct msg) { .type = MSG_EVENTS, .events = { n, e } };
}

static void large_messages_pass(void **state)
{
	static struct msg_event e[EVENTS_PER_MESSAGE];
	struct msg m;
	size_t locked;

	(void)state;
	big_events(&m, e, ARRAY_SIZE(e));
	dial(node_id, 5);
	until(S.up && C.up);
	locked = CRYPTO_secure_used();
	assert_int_equal(link_send(C.link, &m), 0);
	until(S.messages == 1);
	until(CRYPTO_secure_used() == locked);
}

static void peer_that_does_not_read_meets_the_queue_limit(void **state)
{
	static struct msg_event e[EVENTS_PER_MESSAGE];
	struct msg m;
	int r = 0;

	(void)state;
	big_events(&m, e, ARRAY_SIZE(e));
	dial(node_id, 5);
	until(S.up && C.up);
	/* The loop does not turn: nothing is read. */
	for (unsigned int i = 0; !r && i < LINK_QUEUE_MAX / 1024; i++)
		r = link_send(C.link, &m);
	assert_true(r == -ENOBUFS || r == -ENOMEM);
	until(S.messages > 2);
	assert_int_equal(C.down, 0);
}

static void refuses_to_send_nonsense(void **state)
{
	struct msg m = next_msg(0);

	(void)state;
	dial(node_id, 5);
	assert_int_equal(link_send(C.link, &m), -ENOTCONN);
	until(S.up && C.up);
	assert_int_equal(link_send(C.link, &m), -EINVAL);
	m.type = MSG_TYPE_MAX + 1;
	assert_int_equal(link_send(C.link, &m), -EINVAL);
}

/* An authenticated peer that breaks the rules: its raw bytes go through a session of the test's own. */
static int genuine(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *len, SSL_SESSION **ret);

static SSL *rogue_session(SSL_CTX **ret_ctx, int *ret_fd)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int fd = raw_connect_from("127.0.0.1"), r = -1;
	SSL *ssl;

	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_ciphersuites(ctx, "TLS_AES_256_GCM_SHA384");
	SSL_CTX_set_psk_use_session_callback(ctx, genuine);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	turn();
	until((r = SSL_connect(ssl)) == 1);
	until(S.up);
	*ret_ctx = ctx;
	*ret_fd = fd;
	return ssl;
}

static int genuine(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *len, SSL_SESSION **ret)
{
	static const unsigned char suite[2] = { 0x13, 0x02 };
	static const char identity[] = "akm1:" HEX_ID ":5:" HEX_ID;
	uint8_t key[32], psk[32];
	SSL_SESSION *s = SSL_SESSION_new();

	(void)md;
	memset(key, 7 + 5, sizeof(key));
	assert_int_equal(kdf_link_psk(key, identity, psk), 0);
	SSL_SESSION_set1_master_key(s, psk, sizeof(psk));
	OPENSSL_cleanse(psk, sizeof(psk));
	SSL_SESSION_set_cipher(s, SSL_CIPHER_find(ssl, suite));
	SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION);
	*id = (const unsigned char *)identity;
	*len = strlen(identity);
	*ret = s;
	return 1;
}

struct rogue { const char *what; uint8_t data[8]; size_t len; enum link_down why; const char *field; };

static const struct rogue rogues[] = {
	{ "length 0", { 0, 0, 0, 0 }, 4, LINK_DOWN_PROTOCOL, "message" },
	{ "length over the limit", { 0x00, 0x40, 0x00, 0x01 }, 4, LINK_DOWN_PROTOCOL, "message" },
	{ "length of 4 GiB", { 0xff, 0xff, 0xff, 0xff }, 4, LINK_DOWN_PROTOCOL, "message" },
	{ "not CBOR", { 0, 0, 0, 1, 0xff }, 5, LINK_DOWN_PROTOCOL, "message" },
	{ "unknown type", { 0, 0, 0, 4, 0x83, 0x18, 0x63, 0x00 }, 8, LINK_DOWN_PROTOCOL, "message.type" },
	{ "cut message", { 0, 0, 0, 9, 0x83 }, 5, LINK_DOWN_LOST, "connection" },
};

static void rule_breakers_lose_the_link(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(rogues); i++) {
		const struct rogue *g = &rogues[i];
		SSL_CTX *ctx;
		SSL *ssl;
		int fd;

		S = (struct side) { .key_byte = 7 };
		ssl = rogue_session(&ctx, &fd);
		assert_int_equal(SSL_write(ssl, g->data, (int)g->len), (int)g->len);
		if (g->why == LINK_DOWN_LOST)
			SSL_shutdown(ssl);
		until(S.down);
		if (S.why != g->why || strncmp(S.err.field, g->field, strlen(g->field)) || S.messages)
			fail_msg("%s: %s %s %s", g->what, link_down_name(S.why), S.err.field, S.err.reason);
		SSL_free(ssl);
		SSL_CTX_free(ctx);
		close(fd);
	}
	ERR_clear_error();
}

static void half_a_message_runs_out_of_time(void **state)
{
	static const uint8_t half[] = { 0, 0, 0, 100, 0x83 };
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;

	(void)state;
	serve_again("127.0.0.1:0", 0, 200);
	ssl = rogue_session(&ctx, &fd);
	assert_int_equal(SSL_write(ssl, half, sizeof(half)), sizeof(half));
	until(S.down);
	assert_int_equal(S.why, LINK_DOWN_LIMIT);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
}

/* An announced length alone takes one piece of locked memory, not what it announces. */
static void announced_length_takes_no_memory(void **state)
{
	static const uint8_t announce[] = { 0x00, 0x40, 0x00, 0x00, 0x83 };
	SSL_CTX *ctx;
	size_t locked;
	SSL *ssl;
	int fd;

	(void)state;
	ssl = rogue_session(&ctx, &fd);
	locked = CRYPTO_secure_used();
	assert_int_equal(SSL_write(ssl, announce, sizeof(announce)), sizeof(announce));
	until(CRYPTO_secure_used() > locked);
	assert_true(CRYPTO_secure_used() - locked <= 16384);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	until(S.down);
	assert_true(CRYPTO_secure_used() <= locked);
}

/* ---- the end of a link ---- */

static void close_flushes_what_is_queued(void **state)
{
	struct msg m = next_msg(3);

	(void)state;
	dial(node_id, 5);
	until(S.up && C.up);
	for (int i = 0; i < 100; i++)
		assert_int_equal(link_send(C.link, &m), 0);
	link_close(C.link);
	assert_int_equal(link_send(C.link, &m), -ENOTCONN);
	until(C.down && S.down);
	assert_int_equal(S.messages, 100);
	assert_int_equal(C.why, LINK_DOWN_CLOSED);
	assert_int_equal(S.why, LINK_DOWN_CLOSED);
	assert_int_equal(stats().links, 0);
}

static void close_from(struct link *l, struct side *s)
{
	(void)s;
	link_close(l);
}

static void free_from(struct link *l, struct side *s)
{
	s->link = NULL;
	link_free(l);
}

static void links_end_from_inside_their_callbacks(void **state)
{
	struct msg m = next_msg(3);

	(void)state;
	S.on_message = close_from;
	dial(node_id, 5);
	until(S.up == 1 && C.up == 1);
	assert_int_equal(link_send(C.link, &m), 0);
	assert_int_equal(link_send(C.link, &m), 0);
	until(S.down == 1 && C.down == 1);
	assert_int_equal(S.messages, 1);	/* nothing after the close */

	S.on_message = free_from;
	dial(node_id, 5);
	until(S.up == 2 && C.up == 2);
	assert_int_equal(link_send(C.link, &m), 0);
	until(C.down == 2);
	assert_int_equal(S.down, 1);		/* freed: no down() */
	assert_int_equal(stats().links, 0);

	S.on_up = free_from;
	dial(node_id, 5);
	until(S.up == 3 && C.down == 3);
	S.on_up = close_from;
	dial(node_id, 5);
	until(S.up == 4 && S.down == 2 && C.down == 4);
}

static void close_before_the_handshake_is_fine(void **state)
{
	(void)state;
	dial(node_id, 5);
	link_close(C.link);
	until(C.down);
	assert_int_equal(C.why, LINK_DOWN_CLOSED);
	assert_int_equal(C.up, 0);
}

static void newest_links_of_an_identity_stay(void **state)
{
	struct link *l[LINK_PER_IDENTITY + 1];

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(l); i++) {
		assert_int_equal(connect_as(node_id, 5, &l[i]), 0);
		until(S.up == i + 1 && C.up == i + 1);
	}
	until(S.down && C.down);
	assert_int_equal(S.why, LINK_DOWN_LIMIT);
	assert_int_equal(stats().links, LINK_PER_IDENTITY);
	for (unsigned int i = 1; i < ARRAY_SIZE(l); i++)
		link_free(l[i]);
	C.link = NULL;
	until(stats().links == 0);
}

/* ---- secrets ---- */

/* Under valgrind this process's memory also holds valgrind, and all that it remembers. */
static void skip_under_valgrind(void)
{
	if (getenv("VALGRIND"))
		skip();
}

/* How often @needle occurs in this process's writable memory, the needle itself not counted. */
static size_t occurrences(const uint8_t needle[32])
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	static uint8_t buf[1 << 16];
	char line[512], perm[8];
	unsigned long from, to;
	size_t found = 0;

	assert_true(maps && mem >= 0);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, perm) != 3 || strncmp(perm, "rw", 2) || to - from > (256UL << 20))
			continue;
		for (unsigned long at = from; at < to; at += sizeof(buf) - 32) {
			ssize_t n = pread(mem, buf, to - at < sizeof(buf) ? to - at : sizeof(buf), (off_t)at);

			if (n < 32 || (at < (unsigned long)buf + sizeof(buf) && at + sizeof(buf) > (unsigned long)buf))
				continue;
			for (ssize_t i = 0; i + 32 <= n; i++)
				found += buf[i] == needle[0] && !memcmp(buf + i, needle, 32) &&
					 (const uint8_t *)(at + (unsigned long)i) != needle;
		}
	}
	memset(buf, 0, sizeof(buf));
	fclose(maps);
	close(mem);
	return found;
}

static void sends_a_chain(const uint8_t chain[AKM_KEY_LEN])
{
	static struct msg_member members[2] = { { .index = 0, .name = "A" }, { .index = 1, .name = "B" } };
	static struct msg_pair pairs[1] = { { 1 } };
	_cleanup_secret_ struct akm_secret c = {}, p = {};
	struct msg m = { .type = MSG_ATR_PREPARE, .request = 7, .prepare = {
		.atr_id = 1, .label = "A-B", .definition = 1, .suite = 1, .port = 7645, .n_members = 2, .members = members,
		.generation = 1, .key_id = 9, .n_pairs = 1, .pairs = pairs } };

	assert_int_equal(akm_secret_dup(chain, AKM_KEY_LEN, &c), 0);
	assert_int_equal(akm_secret_dup(chain, AKM_KEY_LEN, &p), 0);
	m.prepare.chain = c;
	m.prepare.pair_chains = p;
	assert_int_equal(link_send(S.link, &m), 0);
}

static void secrets_leave_no_trace(void **state)
{
	static uint8_t chain[AKM_KEY_LEN];
	uint8_t copy[AKM_KEY_LEN];

	(void)state;
	skip_under_valgrind();
	assert_int_equal(RAND_bytes(chain, sizeof(chain)), 1);
	memcpy(copy, chain, sizeof(copy));
	assert_true(occurrences(chain) >= 1);	/* the search does find: here is the copy */
	OPENSSL_cleanse(copy, sizeof(copy));
	assert_int_equal(occurrences(chain), 0);

	dial(node_id, 5);
	until(S.up && C.up);
	sends_a_chain(chain);
	until(C.messages == 1);
	assert_int_equal(occurrences(chain), 0);
	link_free(C.link);
	C.link = NULL;
	until(S.down);
	assert_int_equal(occurrences(chain), 0);
}

static void link_keys_leave_no_trace(void **state)
{
	static const char identity[] = "akm1:" HEX_ID ":5:" HEX_ID;
	static uint8_t psk[32];
	uint8_t key[32];
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;

	(void)state;
	skip_under_valgrind();
	memset(key, 7 + 5, sizeof(key));
	assert_int_equal(kdf_link_psk(key, identity, psk), 0);
	ssl = rogue_session(&ctx, &fd);
	SSL_free(ssl);			/* the test's own client keeps its copies until here */
	SSL_CTX_free(ctx);
	assert_int_equal(S.down, 0);	/* the server's link still stands */
	assert_int_equal(occurrences(psk), 0);
	close(fd);
	until(S.down);
}

static int secrets_begin(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	return akm_secret_init(1 << 23);
}

static int secrets_end(void **state)
{
	(void)state;
	akm_secret_exit();
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/*
 * The daemon is linked with -z now: lazy binding saves vector registers on the
 * stack, and what a copy left in them. Sanitizer builds are not, so ask for it.
 */
static void bind_now(char **argv)
{
	if (getenv("LD_BIND_NOW"))
		return;
	setenv("LD_BIND_NOW", "1", 1);
	execv(argv[0], argv);
	perror("execv");
	exit(1);
}

/* What both ends derive from the session is the same, and another session's is another. */
static void sessions_have_a_binding_of_their_own(void **state)
{
	uint8_t first[AKM_KEY_LEN], server_end[AKM_KEY_LEN], second[AKM_KEY_LEN];

	(void)state;
	dial(node_id, 5);
	assert_int_equal(link_binding(C.link, first), -ENOTCONN);
	until(S.up == 1 && C.up == 1);
	assert_int_equal(link_binding(C.link, first), 0);
	assert_int_equal(link_binding(S.link, server_end), 0);
	assert_memory_equal(first, server_end, sizeof(first));
	link_free(C.link);
	until(S.down == 1);
	dial(node_id, 5);
	until(S.up == 2 && C.up == 2);
	assert_int_equal(link_binding(C.link, second), 0);
	assert_memory_not_equal(first, second, sizeof(first));
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		T(wrong_key_is_told_apart), T(sessions_have_a_binding_of_their_own),
		T(unknown_identity_is_refused),
		T(stale_number_is_refused),
		T(not_ready_asks_to_come_again),
		T(client_without_key_does_not_dial),
		T(bad_addresses_are_named),
		T(garbage_before_tls_ends_the_connection),
		T(tls12_is_refused),
		T(client_without_psk_is_refused),
		T(malformed_identities_are_refused),
		T(client_without_dhe_group_is_refused),
		T(server_without_psk_is_refused),
		T(replayed_hello_gets_nowhere),
		T(nobody_there_is_lost),
		T(slow_stranger_is_cut_off),
		T(one_address_has_few_pending),
		T(idlers_give_way_to_who_waits),
		T(site_behind_one_address_gets_in),
		T(room_is_bounded),
		T(waiting_ends),
		T(who_waits_makes_room),
		T(crowd_of_idlers_does_not_keep_a_node_out),
		T(flood_of_false_hellos_is_bounded),
		T(flood_for_one_identity_does_not_lock_it_out_elsewhere),
		T(connects),
		T(ipv6_and_mapped_addresses_work),
		T(messages_go_both_ways_in_order),
		T(traffic_keys_are_refreshed_underway),
		T(large_messages_pass),
		T(peer_that_does_not_read_meets_the_queue_limit),
		T(refuses_to_send_nonsense),
		T(rule_breakers_lose_the_link),
		T(half_a_message_runs_out_of_time),
		T(announced_length_takes_no_memory),
		T(close_flushes_what_is_queued),
		T(links_end_from_inside_their_callbacks),
		T(close_before_the_handshake_is_fine),
		T(newest_links_of_an_identity_stay),
		T(secrets_leave_no_trace),
		T(link_keys_leave_no_trace),
	};

	(void)argc;
	bind_now(argv);
	return cmocka_run_group_tests(tests, secrets_begin, secrets_end);
}
