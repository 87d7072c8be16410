// SPDX-License-Identifier: GPL-2.0
/*
 * One keystore call: an ESYS context of its own, sessions, loaded handles.
 *
 * The ESYS context lives no longer than the call. It refuses to go on after a
 * failed response check (a manipulated bus), and it collects copies of what passed
 * through it; both end with it. It costs no TPM command.
 */
#include "keystore_tpm.h"

#include <stdarg.h>

#include <openssl/crypto.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_sys.h>

#define STACK_WIPED	16384

int ks_fail_input(struct ks_op *op, const char *command, TSS2_RC rc, int bad)
{
	struct keystore *ks = op->ks;

	if (!rc)
		return 0;
	if (ks->tcti.gave_up)
		return ks_refuse(ks, -EAGAIN, "%s: the TPM stayed busy", command);
	snprintf(ks->error, sizeof(ks->error), "%s: %s (0x%x)", command, Tss2_RC_Decode(rc), rc);
	return bad ? ks_errno_input(rc, bad) : ks_errno(rc);
}

int ks_fail(struct ks_op *op, const char *command, TSS2_RC rc)
{
	return ks_fail_input(op, command, rc, 0);
}

int ks_refuse(struct keystore *ks, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ks->error, sizeof(ks->error), fmt, ap);
	va_end(ap);
	return r;
}

/* After trouble: the connection again, and nothing left loaded from before. */
static int recover(struct keystore *ks)
{
	int r;

	if (ks->tcti.broken) {
		ks_tcti_close(&ks->tcti);
		r = ks_tcti_open(ks->conf, &ks->tcti);
		if (r < 0) {
			ks->tcti.broken = true;
			return ks_refuse(ks, r, "%s cannot be opened again", ks->conf);
		}
	}
	ks->sweep = false;
	r = ks_device_prepare(ks);
	if (r < 0)
		ks->sweep = true;
	return r;
}

int ks_op_begin(struct keystore *ks, struct ks_op *op)
{
	TSS2_RC rc;
	int r;

	*op = (struct ks_op){ .ks = ks, .srk = ESYS_TR_NONE, .session = ESYS_TR_NONE, .policy = ESYS_TR_NONE };
	if (ks->sweep || ks->tcti.broken) {
		r = recover(ks);
		if (r < 0)
			return r;
	}
	rc = Esys_Initialize(&op->esys, (TSS2_TCTI_CONTEXT *)&ks->tcti, NULL);
	return ks_fail(op, "Esys_Initialize", rc);
}

/*
 * Requests and responses are built and decrypted in one buffer, behind the SAPI
 * context, which nobody wipes: the HMAC or unsealed value of the last command is
 * still there (P8). GetContextSize(n) is the size of context and an n byte buffer.
 */
static void wipe_wire(TSS2_SYS_CONTEXT *sys)
{
	size_t context = Tss2_Sys_GetContextSize(TPM2_MAX_COMMAND_SIZE) - TPM2_MAX_COMMAND_SIZE;

	OPENSSL_cleanse((uint8_t *)sys + context, TPM2_MAX_COMMAND_SIZE);
}

/*
 * ESYS decrypts parameters in arrays on its stack, and leaves them there (P8). Its
 * frames lay where this one lies now.
 */
__attribute__((noinline))
static void wipe_stack(void)
{
	uint8_t below[STACK_WIPED];

	OPENSSL_cleanse(below, sizeof(below));
}

void ks_op_end(struct ks_op *op)
{
	TSS2_SYS_CONTEXT *sys;

	if (!op->esys)
		return;
	if (!Esys_GetSysContext(op->esys, &sys)) {
		/* By SAPI, not ESYS: that one flushes nothing any more after a failed response check. */
		while (op->n_held)
			if (Tss2_Sys_FlushContext(sys, op->held[--op->n_held].handle))
				op->ks->sweep = true;
		wipe_wire(sys);
	}
	Esys_Finalize(&op->esys);
	wipe_stack();
}

int ks_hold(struct ks_op *op, ESYS_TR tr)
{
	struct ks_held *h = &op->held[op->n_held];
	TSS2_RC rc;

	if (op->n_held == KS_HELD_MAX) {
		op->ks->sweep = true;
		return ks_refuse(op->ks, -ENOBUFS, "more than %d handles in one operation", KS_HELD_MAX);
	}
	rc = Esys_TR_GetTpmHandle(op->esys, tr, &h->handle);
	if (rc) {
		op->ks->sweep = true;
		return ks_fail(op, "Esys_TR_GetTpmHandle", rc);
	}
	h->tr = tr;
	op->n_held++;
	return 0;
}

void ks_release(struct ks_op *op, ESYS_TR *tr)
{
	for (size_t i = 0; i < op->n_held; i++) {
		if (op->held[i].tr != *tr)
			continue;
		if (Esys_FlushContext(op->esys, *tr))
			return;		/* still held: ks_op_end() tries again */
		op->held[i] = op->held[--op->n_held];
		break;
	}
	*tr = ESYS_TR_NONE;
}

static bool raw_device(const char *conf)
{
	const char *dev = "device:/dev/tpm";

	if (!strncmp(conf, dev, strlen(dev)))
		return conf[strlen(dev)] >= '0' && conf[strlen(dev)] <= '9';
	return !strncmp(conf, "swtpm", 5) || !strncmp(conf, "mssim", 5);
}

static int flush_all(struct ks_op *op, TPM2_HANDLE first)
{
	_cleanup_esys_ TPMS_CAPABILITY_DATA *cap = NULL;
	TSS2_SYS_CONTEXT *sys;
	TSS2_RC rc;

	rc = Esys_GetCapability(op->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES, first,
				TPM2_MAX_CAP_HANDLES, NULL, &cap);
	rc = rc ?: Esys_GetSysContext(op->esys, &sys);
	for (UINT32 i = 0; !rc && i < cap->data.handles.count; i++)
		rc = Tss2_Sys_FlushContext(sys, cap->data.handles.handle[i]);
	return ks_fail(op, "TPM2_FlushContext", rc);
}

int ks_device_prepare(struct keystore *ks)
{
	_cleanup_op_ struct ks_op op = {};
	TSS2_RC rc;
	int r;

	/* A resource manager has done all this, and does not show what is not ours. */
	if (!raw_device(ks->conf))
		return 0;
	r = ks_op_begin(ks, &op);
	if (r < 0)
		return r;
	rc = Esys_Startup(op.esys, TPM2_SU_CLEAR);
	if (rc != TPM2_RC_INITIALIZE) {		/* it had been started */
		r = ks_fail(&op, "TPM2_Startup", rc);
		if (r < 0)
			return r;
	}
	r = flush_all(&op, KS_TRANSIENT_FIRST);
	return r ?: flush_all(&op, TPM2_LOADED_SESSION_FIRST);
}

int ks_primary(struct ks_op *op, ESYS_TR hierarchy, const TPM2B_PUBLIC *template,
	       ESYS_TR *ret_tr, TPM2B_PUBLIC *ret_public)
{
	static const TPM2B_SENSITIVE_CREATE no_sensitive;
	static const TPML_PCR_SELECTION no_pcr;
	static const TPM2B_DATA no_info;
	_cleanup_esys_ TPM2B_PUBLIC *public = NULL;
	ESYS_TR tr;
	TSS2_RC rc;
	int r;

	/* No session yet to encrypt with, and no secret: the hierarchies' auth values are empty. */
	rc = Esys_CreatePrimary(op->esys, hierarchy, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &no_sensitive,
				template, &no_info, &no_pcr, &tr, &public, NULL, NULL, NULL);
	r = ks_fail(op, "TPM2_CreatePrimary", rc);
	r = r ?: ks_hold(op, tr);
	if (r < 0)
		return r;
	if (!ks_public_matches(public, template, true))
		return ks_refuse(op->ks, -EIO, "TPM2_CreatePrimary: not the key that was asked for");
	*ret_public = *public;
	*ret_tr = tr;
	return 0;
}

static bool from_tpm(TSS2_RC rc)
{
	return (rc & TSS2_RC_LAYER_MASK) == TSS2_TPM_RC_LAYER || (rc & TSS2_RC_LAYER_MASK) == TSS2_RESMGR_TPM_RC_LAYER;
}

/* The salt of every session is for this key: another one in its place could read all that they hide. */
static int srk_settle(struct keystore *ks, const TPM2B_PUBLIC *public)
{
	TPM2B_NAME name;
	int r;

	r = ks_name_of(public, &name);
	if (r < 0)
		return r;
	if (ks->srk_name.size && !ks_name_equal(&name, &ks->srk_name))
		return ks_refuse(ks, -ENOKEY, "another storage parent than before: the TPM was cleared or replaced");
	ks->srk_name = name;
	ks->srk_public = *public;
	return 0;
}

/* Return: -ENOKEY where there is none, or not the one we want. */
static int srk_persistent(struct ks_op *op)
{
	_cleanup_esys_ TPM2B_PUBLIC *public = NULL;
	TSS2_RC rc;
	int r;

	rc = Esys_TR_FromTPMPublic(op->esys, KS_SRK_PERSISTENT, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &op->srk);
	rc = rc ?: Esys_ReadPublic(op->esys, op->srk, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public, NULL, NULL);
	r = ks_fail(op, "TPM2_ReadPublic", rc);
	if (r < 0)
		return from_tpm(rc) && ks_rc_base(rc) == TPM2_RC_HANDLE ? -ENOKEY : r;
	if (!ks_public_matches(public, &ks_template_srk, true))
		return -ENOKEY;
	return srk_settle(op->ks, public);
}

static int srk_primary(struct ks_op *op)
{
	struct keystore *ks = op->ks;
	TPM2B_PUBLIC public;
	TSS2_RC rc;
	int r;

	r = ks_primary(op, ESYS_TR_RH_OWNER, &ks_template_srk, &op->srk, &public);
	r = r ?: srk_settle(ks, &public);
	if (r < 0)
		return r;
	Esys_Free(TAKE_PTR(ks->srk_saved));
	rc = Esys_ContextSave(op->esys, op->srk, &ks->srk_saved);
	return ks_fail(op, "TPM2_ContextSave", rc);
}

/* The persistent one first, where there is one: it costs no key generation. */
static int srk_try_persistent(struct ks_op *op)
{
	struct keystore *ks = op->ks;
	int r;

	r = srk_persistent(op);
	ks->srk_persistent = !r;
	/* Somebody else's key, or removed: the one that the template makes may still be ours. */
	return r == -ENOKEY ? srk_primary(op) : r;
}

int ks_srk_find(struct ks_op *op)
{
	bool there;
	int r;

	r = ks_handle_exists(op, KS_SRK_PERSISTENT, &there);
	if (r < 0)
		return r;
	return there ? srk_try_persistent(op) : srk_primary(op);
}

static int srk_load(struct ks_op *op)
{
	struct keystore *ks = op->ks;
	TSS2_RC rc;

	if (ks->srk_persistent)
		return srk_try_persistent(op);
	if (!ks->srk_saved)
		return srk_primary(op);
	rc = Esys_ContextLoad(op->esys, ks->srk_saved, &op->srk);
	if (!rc)
		return ks_hold(op, op->srk);
	/* A saved context does not survive a TPM reset or clear; the primary tells which of them it was. */
	return from_tpm(rc) ? srk_primary(op) : ks_fail(op, "TPM2_ContextLoad", rc);
}

/*
 * Salted: the session key comes from a secret that only the TPM with the SRK can
 * decrypt, so whoever listens on the bus, or answers there in the TPM's place,
 * has neither the parameter encryption key nor the HMAC key.
 */
static int session_start(struct ks_op *op, TPM2_SE type, ESYS_TR *ret)
{
	static const TPMT_SYM_DEF aes = { .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB };
	ESYS_TR tr;
	TSS2_RC rc;
	int r;

	rc = Esys_StartAuthSession(op->esys, op->srk, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL,
				   type, &aes, TPM2_ALG_SHA256, &tr);
	r = ks_fail(op, "TPM2_StartAuthSession", rc);
	r = r ?: ks_hold(op, tr);
	r = r ?: ks_session_crypt(op, tr, KS_CRYPT_NONE);
	if (r < 0)
		return r;
	*ret = tr;
	return 0;
}

int ks_op_begin_srk(struct keystore *ks, struct ks_op *op)
{
	int r;

	r = ks_op_begin(ks, op);
	r = r ?: srk_load(op);
	return r ?: session_start(op, TPM2_SE_HMAC, &op->session);
}

int ks_policy_session(struct ks_op *op)
{
	return session_start(op, TPM2_SE_POLICY, &op->policy);
}

int ks_session_crypt(struct ks_op *op, ESYS_TR session, enum ks_crypt crypt)
{
	TPMA_SESSION flags = TPMA_SESSION_CONTINUESESSION;

	/* Seen from the TPM: it decrypts the command and encrypts the response. */
	if (crypt & KS_CRYPT_COMMAND)
		flags |= TPMA_SESSION_DECRYPT;
	if (crypt & KS_CRYPT_RESPONSE)
		flags |= TPMA_SESSION_ENCRYPT;
	return ks_fail(op, "Esys_TRSess_SetAttributes", Esys_TRSess_SetAttributes(op->esys, session, flags, 0xff));
}

int ks_create(struct ks_op *op, ESYS_TR parent, const TPM2B_PUBLIC *template,
	      const TPM2B_SENSITIVE_CREATE *sensitive, TPM2B_PUBLIC *ret_public, TPM2B_PRIVATE *ret_private)
{
	static const TPM2B_SENSITIVE_CREATE no_sensitive;
	static const TPML_PCR_SELECTION no_pcr;
	static const TPM2B_DATA no_info;
	_cleanup_esys_ TPM2B_PRIVATE *private = NULL;
	_cleanup_esys_ TPM2B_PUBLIC *public = NULL;
	TSS2_RC rc;
	int r;

	/* @sensitive is the first parameter: what is to be sealed never crosses the bus in clear. */
	r = ks_session_crypt(op, op->session, KS_CRYPT_BOTH);
	if (r < 0)
		return r;
	rc = Esys_Create(op->esys, parent, op->session, ESYS_TR_NONE, ESYS_TR_NONE, sensitive ?: &no_sensitive,
			 template, &no_info, &no_pcr, &private, &public, NULL, NULL, NULL);
	r = ks_fail(op, "TPM2_Create", rc);
	if (r < 0)
		return r;
	if (!ks_public_matches(public, template, true))
		return ks_refuse(op->ks, -EIO, "TPM2_Create: not the object that was asked for");
	*ret_public = *public;
	*ret_private = *private;
	return 0;
}

int ks_load(struct ks_op *op, ESYS_TR parent, const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private,
	    ESYS_TR *ret)
{
	ESYS_TR tr;
	TSS2_RC rc;
	int r;

	/* The private part is wrapped by its parent: the session here gives integrity only. */
	r = ks_session_crypt(op, op->session, KS_CRYPT_NONE);
	if (r < 0)
		return r;
	rc = Esys_Load(op->esys, parent, op->session, ESYS_TR_NONE, ESYS_TR_NONE, private, public, &tr);
	r = ks_fail_input(op, "TPM2_Load", rc, -EBADMSG);
	r = r ?: ks_hold(op, tr);
	if (r < 0)
		return r;
	*ret = tr;
	return 0;
}

int ks_load_public(struct ks_op *op, const TPM2B_PUBLIC *public, ESYS_TR *ret)
{
	ESYS_TR tr;
	TSS2_RC rc;
	int r;

	rc = Esys_LoadExternal(op->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, public, ESYS_TR_RH_NULL,
			       &tr);
	r = ks_fail_input(op, "TPM2_LoadExternal", rc, -EPROTO);
	r = r ?: ks_hold(op, tr);
	if (r < 0)
		return r;
	*ret = tr;
	return 0;
}

int ks_load_domain(struct ks_op *op, const struct akm_blob *domain, ESYS_TR *ret, TPM2B_NAME *ret_name)
{
	struct ks_parts parts;
	TPM2B_NAME name;
	ESYS_TR tr;
	int r;

	r = ks_blob_decode(domain, KS_BLOB_DOMAIN, &parts);
	if (r == -EPROTO)
		r = ks_blob_decode(domain, KS_BLOB_ROOT_DOMAIN, &parts);
	r = r ?: ks_name_of(&parts.public, &name);
	if (r < 0)
		return ks_refuse(op->ks, r, "not a domain key's blob");
	if (!ks_name_equal(&parts.parent, &op->ks->srk_name))
		return ks_refuse(op->ks, -ENOKEY, "the domain key belongs to another TPM");
	r = ks_load(op, op->srk, &parts.public, &parts.private, &tr);
	if (r < 0)
		return r;
	ks_release(op, &op->srk);
	*ret_name = name;
	*ret = tr;
	return 0;
}

int ks_handle_exists(struct ks_op *op, TPM2_HANDLE handle, bool *ret)
{
	_cleanup_esys_ TPMS_CAPABILITY_DATA *cap = NULL;
	TSS2_RC rc;

	rc = Esys_GetCapability(op->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES, handle, 1,
				NULL, &cap);
	if (rc)
		return ks_fail(op, "TPM2_GetCapability", rc);
	*ret = cap->data.handles.count && cap->data.handles.handle[0] == handle;
	return 0;
}
