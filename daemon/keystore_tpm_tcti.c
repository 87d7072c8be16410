// SPDX-License-Identifier: GPL-2.0
/*
 * The way to the device. ESYS resends a command at most five times, without a
 * pause: too few for a TPM that is in its self test, too many for a bus. So the
 * waiting happens here, below ESYS, which sees only final answers.
 */
#include "keystore_tpm.h"

#include <time.h>

#include <tss2/tss2_tctildr.h>

#define KS_TCTI_MAGIC	0x414b4d5443544931ULL	/* "AKMTCTI1" */
#define RESPONSE_HEADER	10			/* tag (16), size (32), code (32) */

static struct ks_tcti *self(TSS2_TCTI_CONTEXT *ctx)
{
	return (struct ks_tcti *)ctx;
}

static uint32_t response_code(const uint8_t *r)
{
	return (uint32_t)r[6] << 24 | (uint32_t)r[7] << 16 | (uint32_t)r[8] << 8 | r[9];
}

/* Warnings (part 2, 6.6.3): the command was not begun, no nonce has rolled, it may be sent again as it is. */
static bool not_ready(uint32_t rc)
{
	return rc == TPM2_RC_RETRY || rc == TPM2_RC_YIELDED || rc == TPM2_RC_TESTING || rc == TPM2_RC_NV_RATE;
}

static void pause_us(unsigned int us)
{
	struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

static TSS2_RC send_command(struct ks_tcti *t)
{
	TSS2_RC rc;

	__atomic_fetch_add(&t->commands, 1, __ATOMIC_RELAXED);
	rc = Tss2_Tcti_Transmit(t->device, t->command_len, t->command);
	t->broken = rc != 0;
	return rc;
}

static TSS2_RC tcti_transmit(TSS2_TCTI_CONTEXT *ctx, size_t size, const uint8_t *command)
{
	struct ks_tcti *t = self(ctx);

	if (size > sizeof(t->command))
		return TSS2_TCTI_RC_BAD_VALUE;
	memcpy(t->command, command, size);
	t->command_len = size;
	t->response_len = 0;
	t->gave_up = false;
	return send_command(t);
}

/* The final response to the command under way, into t->response. */
static TSS2_RC await_response(struct ks_tcti *t, int32_t timeout)
{
	for (unsigned int i = 0;; i++) {
		size_t size = sizeof(t->response);
		TSS2_RC rc;

		rc = Tss2_Tcti_Receive(t->device, &size, t->response, timeout);
		t->broken = rc && rc != TSS2_TCTI_RC_TRY_AGAIN;
		if (rc)
			return rc;
		if (size < RESPONSE_HEADER || !not_ready(response_code(t->response))) {
			t->response_len = size;
			return TSS2_RC_SUCCESS;
		}
		if (i == KS_RETRY_MAX) {
			/* Not the TPM's code: ESYS would start over with its own resends. */
			t->gave_up = true;
			return TSS2_TCTI_RC_IO_ERROR;
		}
		pause_us(KS_RETRY_FIRST_US << i);
		rc = send_command(t);
		if (rc)
			return rc;
	}
}

/* SAPI asks twice: without a buffer for the size, then for the response. */
static TSS2_RC tcti_receive(TSS2_TCTI_CONTEXT *ctx, size_t *size, uint8_t *response, int32_t timeout)
{
	struct ks_tcti *t = self(ctx);
	size_t room = *size;
	TSS2_RC rc;

	if (!t->response_len) {
		rc = await_response(t, timeout);
		if (rc)
			return rc;
	}
	*size = t->response_len;
	if (!response)
		return TSS2_RC_SUCCESS;
	if (room < t->response_len)
		return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
	memcpy(response, t->response, t->response_len);
	t->response_len = 0;
	return TSS2_RC_SUCCESS;
}

static TSS2_RC tcti_cancel(TSS2_TCTI_CONTEXT *ctx)
{
	return Tss2_Tcti_Cancel(self(ctx)->device);
}

static TSS2_RC tcti_poll_handles(TSS2_TCTI_CONTEXT *ctx, TSS2_TCTI_POLL_HANDLE *handles, size_t *num)
{
	return Tss2_Tcti_GetPollHandles(self(ctx)->device, handles, num);
}

static TSS2_RC tcti_locality(TSS2_TCTI_CONTEXT *ctx, uint8_t locality)
{
	return Tss2_Tcti_SetLocality(self(ctx)->device, locality);
}

/* The device outlives the ESYS contexts on top of it: ks_tcti_close() ends it. */
static void tcti_finalize(TSS2_TCTI_CONTEXT *ctx)
{
	(void)ctx;
}

int ks_tcti_open(const char *conf, struct ks_tcti *t)
{
	TSS2_RC rc;

	*t = (struct ks_tcti){
		.commands = t->commands,
		.common.v1 = {
			.magic = KS_TCTI_MAGIC,
			.version = 2,
			.transmit = tcti_transmit,
			.receive = tcti_receive,
			.finalize = tcti_finalize,
			.cancel = tcti_cancel,
			.getPollHandles = tcti_poll_handles,
			.setLocality = tcti_locality,
		},
	};
	rc = Tss2_TctiLdr_Initialize(conf, &t->device);
	if (rc == TSS2_TCTI_RC_MEMORY)
		return -ENOMEM;
	return rc ? -ENODEV : 0;
}

void ks_tcti_close(struct ks_tcti *t)
{
	if (t->device)
		Tss2_TctiLdr_Finalize(&t->device);
}
