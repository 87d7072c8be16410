// SPDX-License-Identifier: GPL-2.0
/* akmctl monitor: the kernel's events as they come. */
#include "monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <linux/akm.h>

#include "format.h"
#include "packet.h"
#include "records.h"

#define RECEIVE_BUFFER	(1 << 20)	/* events come in bursts */
#define SEQUENCE_BITS	40		/* packet number = incarnation (24) | sequence (40) */

/* ------------------------------------------------------------ printing */

static enum akm_colour event_colour(const char *type)
{
	if (!strcmp(type, "epoch") || !strcmp(type, "generation"))
		return AKM_GREEN;
	return !strcmp(type, "no-key") || !strcmp(type, "malformed") ? AKM_YELLOW : AKM_RED;
}

/* " words N" if the event has that number. */
static void put_number(FILE *f, struct json_object *event, const char *name, const char *words)
{
	if (akm_json_has(event, name))
		fprintf(f, " %s %" PRIu64, words, akm_json_u64(event, name));
}

static void put_text(FILE *f, struct json_object *event, const char *name, const char *words)
{
	const char *s = akm_json_str(event, name);

	if (!s)
		return;
	fprintf(f, " %s", words);
	akm_put_clean(f, s);
}

/* "generation 2 active"; without a state it has been erased. */
static void put_generation(struct akm_ctx *ctx, struct json_object *event, const char *type)
{
	const char *state = akm_json_str(event, "state");
	bool subject = !strcmp(type, "generation");

	if (subject)
		fprintf(ctx->out, " %" PRIu64 " ", akm_json_u64(event, "generation"));
	else
		put_number(ctx->out, event, "generation", "generation");
	if (subject)
		akm_put_coloured(ctx->out, ctx->colour, AKM_BOLD, state ? state : "erased");
}

static void put_event(struct akm_ctx *ctx, struct json_object *event)
{
	const char *time = akm_json_str(event, "time"), *type = akm_json_str(event, "type");
	const char *ifname = akm_json_str(event, "ifname");
	FILE *f = ctx->out;

	type = type ? type : "unknown";
	fprintf(f, "%s ", time ? time : "-");
	akm_put_clean(f, ifname ? ifname : "-");
	if (akm_json_has(event, "atr_id"))
		fprintf(f, " #%" PRIu64, akm_json_u64(event, "atr_id"));
	fputc(' ', f);
	akm_put_coloured(f, ctx->colour, event_colour(type), type);
	put_number(f, event, "member", "member");
	put_text(f, event, "source", "from ");
	put_generation(ctx, event, type);
	if (akm_json_has(event, "key_id"))
		fprintf(f, " key-id 0x%08" PRIx64, akm_json_u64(event, "key_id"));
	put_number(f, event, "epoch", "epoch");
	if (akm_json_has(event, "packet_number")) {
		uint64_t n = akm_json_u64(event, "packet_number");

		fprintf(f, " packet %" PRIu64 ".%" PRIu64, n >> SEQUENCE_BITS, n & ((UINT64_C(1) << SEQUENCE_BITS) - 1));
	}
	put_text(f, event, "inner_source", "inner source ");
	put_number(f, event, "count", "count");
	if (akm_json_u64(event, "suppressed"))
		fprintf(f, " (%" PRIu64 " more were not reported)", akm_json_u64(event, "suppressed"));
	if (akm_json_has(event, "packet_len")) {
		fputs("; ", f);
		akm_put_packet(f, akm_json_str(event, "packet") ?: "", akm_json_u64(event, "packet_len"));
	}
	fputc('\n', f);
}

void akm_event_print(struct akm_ctx *ctx, struct json_object *event)
{
	if (ctx->json)
		fprintf(ctx->out, "%s\n", json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN |
									       JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		put_event(ctx, event);
	fflush(ctx->out);
}

void akm_event_print_lost(struct akm_ctx *ctx, uint64_t time_ns)
{
	char time[AKM_TIME_STRLEN];

	akm_format_time(time_ns, time);
	if (ctx->json) {
		fprintf(ctx->out, "{\"type\":\"lost\",\"time_ns\":%" PRIu64 ",\"time\":\"%s\"}\n", time_ns, time);
	} else {
		fprintf(ctx->out, "%s - ", time);
		akm_put_coloured(ctx->out, ctx->colour, AKM_RED, "lost");
		fputs(": events came faster than they were read, some are missing here; akmctl stats has the totals\n",
		      ctx->out);
	}
	fflush(ctx->out);
}

/* ------------------------------------------------------------ receiving */

struct monitor {
	struct akm_ctx *ctx;
	struct akm_error *e;
	const char *ifname;		/* NULL: all */
	uint64_t left;			/* 0: no limit */
	bool done;
	int r;
};

static int on_event(struct nl_msg *msg, void *arg)
{
	_cleanup_(akm_json_freep) struct json_object *event = NULL;
	struct monitor *m = arg;
	const char *ifname;

	m->r = akm_record_decode(AKM_RECORD_EVENT, nlmsg_hdr(msg), &event, m->e);
	if (m->r < 0)
		return NL_STOP;
	ifname = akm_json_str(event, "ifname");
	if (m->ifname && (!ifname || strcmp(ifname, m->ifname)))
		return NL_OK;
	akm_event_print(m->ctx, event);
	m->done = m->left && !--m->left;
	return m->done ? NL_STOP : NL_OK;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

int akm_monitor_receive(struct akm_ctx *ctx, struct nl_sock *sk, const char *ifname, uint64_t count,
			struct akm_error *e)
{
	struct monitor m = { .ctx = ctx, .e = e, .ifname = ifname, .left = count };

	nl_socket_disable_seq_check(sk);
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, on_event, &m);
	while (!m.done && m.r >= 0) {
		int r = nl_recvmsgs_default(sk);

		if (r == -NLE_NOMEM)	/* ENOBUFS */
			akm_event_print_lost(ctx, now_ns());
		else if (r < 0 && r != -NLE_INTR && m.r >= 0)
			return akm_error_set(e, EIO, "netlink", "%s", nl_geterror(r));
		if (ferror(ctx->out))
			return akm_error_set(e, EPIPE, "output", "nobody reads it any more");
	}
	return m.r;
}

static int subscribe(struct nl_sock *sk, struct akm_error *e)
{
	int r = genl_connect(sk), group;

	if (r < 0)
		return akm_error_set(e, EIO, "netlink", "cannot reach the kernel: %s", nl_geterror(r));
	group = genl_ctrl_resolve_grp(sk, AKM_GENL_NAME, AKM_MCGRP_EVENTS);
	if (group == -NLE_OBJ_NOTFOUND)
		return akm_error_set(e, ENOPKG, "module", "the akm module is not loaded: modprobe akm");
	if (group < 0)
		return akm_error_set(e, EIO, "netlink", "cannot look up the akm events: %s", nl_geterror(group));
	r = nl_socket_set_buffer_size(sk, RECEIVE_BUFFER, 0);
	r = r < 0 ? r : nl_socket_add_membership(sk, group);
	if (r == -NLE_PERM)
		return akm_error_set(e, EPERM, "events", "CAP_NET_ADMIN is needed: run akmctl as root");
	if (r < 0)
		return akm_error_set(e, EIO, "events", "cannot subscribe: %s", nl_geterror(r));
	return 0;
}

int akm_run_monitor(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
		    struct akm_error *e)
{
	struct nl_sock *sk = nl_socket_alloc();
	int r;

	(void)cmd;
	if (!sk)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	r = subscribe(sk, e);
	if (r >= 0) {
		/* whoever causes events and waits for them must know from when on none is missed */
		fputs("akmctl: listening\n", ctx->err);
		fflush(ctx->err);
		r = akm_monitor_receive(ctx, sk, akm_value_text(v, "interface"), akm_value_num(v, "count", 0), e);
	}
	nl_socket_free(sk);
	return r;
}
