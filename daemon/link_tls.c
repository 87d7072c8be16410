// SPDX-License-Identifier: GPL-2.0
#include "link_internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "kdf.h"

static const unsigned char suite_id[2] = { 0x13, 0x02 };	/* TLS_AES_256_GCM_SHA384, RFC 8446 B.4 */
#define SUITE_NAME "TLS_AES_256_GCM_SHA384"

/* ---- identity ---- */

static int identity_make(struct link *l, uint64_t n)
{
	uint8_t nonce[16];
	size_t at;

	if (RAND_bytes(nonce, sizeof(nonce)) != 1)
		return -EIO;
	at = (size_t)sprintf(l->identity, "akm1:");
	for (size_t i = 0; i < AKM_ID_LEN; i++)
		at += (size_t)sprintf(l->identity + at, "%02x", l->info.id[i]);
	at += (size_t)sprintf(l->identity + at, ":%llu:", (unsigned long long)n);
	for (size_t i = 0; i < sizeof(nonce); i++)
		at += (size_t)sprintf(l->identity + at, "%02x", nonce[i]);
	return 0;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 32 lower-case hexadecimal digits; *p moves behind them. */
static bool parse_hex16(const char **p, uint8_t ret[16])
{
	for (size_t i = 0; i < 16; i++) {
		int hi = nibble(*(*p)++), lo = hi < 0 ? -1 : nibble(*(*p)++);

		if (lo < 0)
			return false;
		ret[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

/* Decimal, no leading zero, so at least 1; *p moves behind it. */
static bool parse_n(const char **p, uint64_t *ret)
{
	uint64_t n = 0;

	if (**p == '0')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++)
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, (uint64_t)(**p - '0'), &n))
			return false;
	*ret = n;
	return n > 0;
}

/* Only the one spelling that identity_make() gives */
static bool identity_parse(const char *s, uint8_t ret_id[AKM_ID_LEN], uint64_t *ret_n)
{
	uint8_t nonce[16];

	if (strncmp(s, "akm1:", 5))
		return false;
	s += 5;
	return parse_hex16(&s, ret_id) && *s++ == ':' && parse_n(&s, ret_n) && *s++ == ':' &&
	       parse_hex16(&s, nonce) && !*s;
}

/* ---- the PSK as a session ---- */

static SSL_SESSION *session_new(SSL *ssl, const uint8_t psk[AKM_KEY_LEN])
{
	const SSL_CIPHER *suite = SSL_CIPHER_find(ssl, suite_id);
	SSL_SESSION *s = SSL_SESSION_new();

	if (s && suite && SSL_SESSION_set1_master_key(s, psk, AKM_KEY_LEN) &&
	    SSL_SESSION_set_cipher(s, suite) && SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION))
		return s;
	SSL_SESSION_free(s);
	return NULL;
}

/* The link key's errors, -ENOMEM */
static int session_for(struct link *l, uint64_t n, SSL_SESSION **ret)
{
	_cleanup_secret_ struct akm_secret key = {}, psk = {};
	SSL_SESSION *s;
	int r;

	r = akm_secret_new(AKM_KEY_LEN, &key) ?: akm_secret_new(AKM_KEY_LEN, &psk);
	r = r ?: l->key(l->ops_ctx, l->info.id, n, key.data);
	r = r ?: kdf_link_psk(key.data, l->identity, psk.data);
	if (r < 0)
		return r;
	s = session_new(l->ssl, psk.data);
	if (!s)
		return -ENOMEM;
	*ret = s;
	return 0;
}

static void refuse(struct link *l, enum link_down why, const char *reason)
{
	l->why = why;
	akm_error_set(&l->err, 0, "identity", "%s", reason);
}

/* OpenSSL goes on without a PSK, finds no certificate either, and says handshake_failure. */
#define GO_ON_WITHOUT 1
/* OpenSSL says internal_error: to a peer that asks too early or too often. */
#define GIVE_UP 0
#define FOUND 1

static int find_failed(struct link *l, int r)
{
	switch (r) {
	case -ENOENT:
		refuse(l, LINK_DOWN_UNKNOWN, "is not known here, or was evicted");
		return GO_ON_WITHOUT;
	case -ESTALE:
		refuse(l, LINK_DOWN_STALE, "names a link key number that is not accepted any more, or not yet");
		return GO_ON_WITHOUT;
	case -EAGAIN:
		refuse(l, LINK_DOWN_NOT_READY, "is known, its link key is not computed yet");
		return GIVE_UP;
	default:
		refuse(l, LINK_DOWN_NOT_READY, strerror(-r));
		return GIVE_UP;
	}
}

/*
 * Server: the client offers @identity. One client, one identity: a list of them
 * would let a stranger multiply the look-ups. After a HelloRetryRequest OpenSSL
 * asks again for the same one.
 */
static int find_session(SSL *ssl, const unsigned char *identity, size_t len, SSL_SESSION **ret)
{
	struct link *l = SSL_get_app_data(ssl);
	char text[LINK_IDENTITY_MAX] = "";
	struct link_peer_info claim = {};
	int r;

	*ret = NULL;
	if (len < sizeof(text) && !memchr(identity, '\0', len))
		memcpy(text, identity, len);
	if (l->asked++ && (l->asked > 2 || strcmp(text, l->identity))) {
		refuse(l, LINK_DOWN_PROTOCOL, "is one of several");
		return GIVE_UP;
	}
	if (!identity_parse(text, claim.id, &claim.n)) {
		refuse(l, LINK_DOWN_UNKNOWN, "is malformed");
		return GO_ON_WITHOUT;
	}
	strcpy(l->identity, text);
	l->info.n = claim.n;
	memcpy(l->info.id, claim.id, sizeof(claim.id));
	if (!link_server_may_try(l)) {
		refuse(l, LINK_DOWN_LIMIT, "was tried too often from this address");
		return GIVE_UP;
	}
	r = session_for(l, l->info.n, ret);
	if (r < 0)
		return find_failed(l, r);
	l->psk = true;
	return FOUND;
}

/* Client: offer the one PSK. @md is set after a HelloRetryRequest: then it must be the PSK's hash. */
static int use_session(SSL *ssl, const EVP_MD *md, const unsigned char **ret_id, size_t *ret_len, SSL_SESSION **ret)
{
	struct link *l = SSL_get_app_data(ssl);

	*ret = NULL;
	if (md && !EVP_MD_is_a(md, "SHA384"))
		return 0;
	if (!SSL_SESSION_up_ref(l->session))
		return 0;
	*ret = l->session;
	*ret_id = (const unsigned char *)l->identity;
	*ret_len = strlen(l->identity);
	return 1;
}

int link_tls_client_psk(struct link *l, uint64_t n)
{
	int r;

	r = identity_make(l, n);
	r = r ?: session_for(l, n, &l->session);
	if (r < 0)
		return r;
	l->psk = true;
	return 0;
}

/* ---- contexts ---- */

/*
 * CLEANSE_PLAINTEXT: what was decrypted does not stay in OpenSSL's ordinary heap
 * (what is sent is encrypted in place there). RELEASE_BUFFERS: an idle link holds
 * no record buffers.
 */
static int ctx_new(const SSL_METHOD *method, SSL_CTX **ret)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (!ctx)
		return -ENOMEM;
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				 SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_clear_options(ctx, SSL_OP_ENABLE_MIDDLEBOX_COMPAT | SSL_OP_ALLOW_NO_DHE_KEX);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(ctx, SUITE_NAME) != 1 ||
	    SSL_CTX_set1_groups_list(ctx, "X25519:P-256") != 1 ||
	    SSL_CTX_set_num_tickets(ctx, 0) != 1) {
		SSL_CTX_free(ctx);
		return -EIO;
	}
	*ret = ctx;
	return 0;
}

int link_tls_server_ctx(SSL_CTX **ret)
{
	SSL_CTX *ctx;
	int r;

	r = ctx_new(TLS_server_method(), &ctx);
	if (r < 0)
		return r;
	SSL_CTX_set_psk_find_session_callback(ctx, find_session);
	*ret = ctx;
	return 0;
}

/*
 * A server that answers with a certificate is not ours: nothing is trusted, everything is verified. One for all links of
 * the process: nothing of a link is in it, and to make one is dearer than the handshake.
 */
int link_tls_client_ctx(SSL_CTX **ret)
{
	static SSL_CTX *ctx;
	int r = ctx ? 0 : ctx_new(TLS_client_method(), &ctx);

	if (r < 0)
		return r;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_psk_use_session_callback(ctx, use_session);
	if (SSL_CTX_up_ref(ctx) != 1)
		return -ENOMEM;
	*ret = ctx;
	return 0;
}

const char *link_tls_check(const struct link *l)
{
	if (!l->psk || !SSL_session_reused(l->ssl))
		return "the peer did not use the pre-shared key";
	if (SSL_version(l->ssl) != TLS1_3_VERSION)
		return "the peer did not use TLS 1.3";
	if (strcmp(SSL_get_cipher_name(l->ssl), SUITE_NAME))
		return "the peer did not use " SUITE_NAME;
	return NULL;
}

/* TLS 1.3 needs the PSK for its handshake only; resumption, which would need more, is off. */
void link_tls_forget_psk(struct link *l)
{
	static const uint8_t nothing[SSL_MAX_MASTER_KEY_LENGTH];

	if (l->session)
		(void)SSL_SESSION_set1_master_key(l->session, nothing, sizeof(nothing));
	if (SSL_get_session(l->ssl))
		(void)SSL_SESSION_set1_master_key(SSL_get_session(l->ssl), nothing, sizeof(nothing));
}

/* ---- what a failure means ---- */

static enum link_down why_server(const struct link *l, int reason)
{
	switch (reason) {
	case SSL_R_BINDER_DOES_NOT_VERIFY:
		return LINK_DOWN_PSK;
	case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
	case SSL_R_DIGEST_CHECK_FAILED:
	case SSL_R_SSLV3_ALERT_BAD_RECORD_MAC:
	case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
		/* A replayed hello, or somebody in between */
		return l->psk ? LINK_DOWN_PSK : LINK_DOWN_PROTOCOL;
	default:
		return LINK_DOWN_PROTOCOL;
	}
}

/* Alerts before the server has proved itself are hints, no more. */
static enum link_down why_client(int reason)
{
	switch (reason) {
	case SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER:	/* OpenSSL's answer to a wrong binder */
	case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:		/* RFC 8446's */
	case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
	case SSL_R_DIGEST_CHECK_FAILED:
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		return LINK_DOWN_PSK;
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
	case SSL_R_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY:
		return LINK_DOWN_UNKNOWN;
	case SSL_R_TLSV1_ALERT_INTERNAL_ERROR:
		return LINK_DOWN_NOT_READY;
	default:
		return LINK_DOWN_PROTOCOL;
	}
}

enum link_down link_tls_why(struct link *l, int ssl_error, char *reason, size_t size)
{
	unsigned long e = ERR_peek_error();
	int sys = errno;

	if (ssl_error == SSL_ERROR_SYSCALL || ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING ||
	    ERR_SYSTEM_ERROR(e)) {
		snprintf(reason, size, "%s", ssl_error == SSL_ERROR_SYSCALL && sys ? strerror(sys) :
			 "the peer closed the connection without a word");
		return LINK_DOWN_LOST;
	}
	snprintf(reason, size, "%s", ERR_reason_error_string(e) ?: "TLS failure");
	if (l->state != LINK_HANDSHAKE)
		return LINK_DOWN_PROTOCOL;
	return SSL_is_server(l->ssl) ? why_server(l, ERR_GET_REASON(e)) : why_client(ERR_GET_REASON(e));
}

int link_binding(const struct link *l, uint8_t ret[AKM_KEY_LEN])
{
	static const char label[] = "EXPORTER-akm1-quote";

	if (l->state != LINK_UP ||
	    SSL_export_keying_material(l->ssl, ret, AKM_KEY_LEN, label, sizeof(label) - 1, NULL, 0, 0) != 1)
		return -ENOTCONN;
	return 0;
}
