// SPDX-License-Identifier: GPL-2.0
/* akmctl show, stats and member show: what the kernel holds, for a person or as JSON. */
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include <net/if.h>

#include <linux/akm.h>

#include "format.h"
#include "records.h"

/* Counters that say "refused" or "could not", with the words for them. */
static const struct {
	const char *name, *words;
} troubles[] = {
	{ "rx_auth_fail", "failed authentication" },
	{ "rx_replay", "replayed" },
	{ "rx_unknown_key", "unknown key" },
	{ "rx_malformed", "malformed" },
	{ "rx_prefix", "foreign inner address" },
	{ "rx_dropped", "dropped on receipt" },
	{ "tx_no_key", "no key to send with" },
	{ "tx_no_member", "no member for destination" },
	{ "tx_no_endpoint", "member without endpoint" },
	{ "tx_exhausted", "packet numbers used up" },
	{ "tx_too_big", "too large for the path" },
	{ "tx_dropped", "dropped on sending" },
	{ "rx_clone", "of another holder of the keys" },
	{ "rx_wait_dropped", "waited in vain for a hello-ack" },
	{ "rx_epoch_stale", "of an epoch that is over" },
	{ "tx_spread_dropped", "too many for other processors" },
	{ "rx_spread_dropped", "too many came for other processors" },
};

__attribute__((format(printf, 3, 4)))
static void line(struct akm_ctx *ctx, const char *name, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	fputs("  ", ctx->out);
	akm_put_coloured(ctx->out, ctx->colour, AKM_BOLD, name);
	fputs(": ", ctx->out);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	akm_put_clean(ctx->out, text);
	fputc('\n', ctx->out);
}

static void heading(struct akm_ctx *ctx, enum akm_colour colour, const char *name, const char *value)
{
	akm_put_coloured(ctx->out, ctx->colour, colour, name);
	fputs(": ", ctx->out);
	akm_put_coloured(ctx->out, ctx->colour, colour, value);
}

static void put_traffic(struct akm_ctx *ctx, struct json_object *stats)
{
	char rx[AKM_SIZE_STRLEN], tx[AKM_SIZE_STRLEN];
	bool any = false;
	size_t i;

	line(ctx, "transfer", "%s received (%" PRIu64 " packets), %s sent (%" PRIu64 " packets)",
	     akm_format_size(akm_json_u64(stats, "rx_bytes"), rx), akm_json_u64(stats, "rx_packets"),
	     akm_format_size(akm_json_u64(stats, "tx_bytes"), tx), akm_json_u64(stats, "tx_packets"));
	for (i = 0; i < ARRAY_SIZE(troubles); i++) {
		uint64_t n = akm_json_u64(stats, troubles[i].name);

		if (!n)
			continue;
		fputs(any ? ", " : "  ", ctx->out);
		if (!any) {
			akm_put_coloured(ctx->out, ctx->colour, AKM_BOLD, "not delivered");
			fputs(": ", ctx->out);
		}
		fprintf(ctx->out, "%" PRIu64 " ", n);
		akm_put_coloured(ctx->out, ctx->colour, AKM_YELLOW, troubles[i].words);
		any = true;
	}
	if (any)
		fputc('\n', ctx->out);
}

static const char *text_or(struct json_object *o, const char *name, const char *otherwise)
{
	const char *s = akm_json_str(o, name);

	return s && *s ? s : otherwise;
}

static void put_epochs(struct akm_ctx *ctx, struct json_object *dev)
{
	char interval[AKM_DURATION_STRLEN], grace[AKM_DURATION_STRLEN];
	uint64_t ms = akm_json_u64(dev, "epoch_interval");

	line(ctx, "epochs", "%s%s, the previous one accepted for %s", ms ? "every " : "",
	     ms ? akm_format_duration(ms, interval) : "no timer",
	     akm_format_duration(akm_json_u64(dev, "epoch_grace"), grace));
}

static void put_group(struct akm_ctx *ctx, struct json_object *dev)
{
	uint64_t index = akm_json_u64(dev, "group_link");
	char link[IF_NAMESIZE];

	if (!akm_json_has(dev, "group"))
		return;
	if (!if_indextoname((unsigned int)index, link))		/* gone, or of another namespace */
		snprintf(link, sizeof(link), "%" PRIu64, index);
	line(ctx, "group", "%s%%%s, TTL %" PRIu64, text_or(dev, "group", "?"), link, akm_json_u64(dev, "group_ttl"));
}

static void put_dev(struct akm_ctx *ctx, struct json_object *dev)
{
	struct json_object *stats;

	heading(ctx, AKM_GREEN, "interface", text_or(dev, "ifname", "?"));
	fputc('\n', ctx->out);
	if (akm_json_u64(dev, "atr_id"))
		line(ctx, "ATR", "%s (#%" PRIu64 ")", text_or(dev, "label", "without label"),
		     akm_json_u64(dev, "atr_id"));
	else
		line(ctx, "ATR", "none yet");
	if (akm_json_has(dev, "self"))
		line(ctx, "self", "member %" PRIu64, akm_json_u64(dev, "self"));
	line(ctx, "suite", "%s, driver %s", text_or(dev, "suite", "none"), text_or(dev, "driver", "not in use yet"));
	line(ctx, "port", "%" PRIu64, akm_json_u64(dev, "port"));
	if (akm_json_u64(dev, "incarnation"))
		line(ctx, "incarnation", "%" PRIu64, akm_json_u64(dev, "incarnation"));
	else
		line(ctx, "incarnation", "none yet: nothing is sent");
	put_epochs(ctx, dev);
	if (akm_json_u64(dev, "fwmark"))
		line(ctx, "fwmark", "0x%" PRIx64, akm_json_u64(dev, "fwmark"));
	if (akm_json_has(dev, "flow_port_low"))
		line(ctx, "flow ports", "%" PRIu64 "-%" PRIu64, akm_json_u64(dev, "flow_port_low"),
		     akm_json_u64(dev, "flow_port_high"));
	if (!strcmp(text_or(dev, "spread", "off"), "on"))
		line(ctx, "spread", "large packets are sealed and opened by several processors");
	put_group(ctx, dev);
	if (json_object_object_get_ex(dev, "stats", &stats))
		put_traffic(ctx, stats);
}

static void put_generation(struct akm_ctx *ctx, struct json_object *g)
{
	const char *state = text_or(g, "state", "unknown");
	char number[24], age[AKM_DURATION_STRLEN];

	snprintf(number, sizeof(number), "%" PRIu64, akm_json_u64(g, "number"));
	fputc('\n', ctx->out);
	heading(ctx, AKM_CYAN, "generation", number);
	fputs(", ", ctx->out);
	akm_put_coloured(ctx->out, ctx->colour, akm_colour_of_state(state), state);
	fputc('\n', ctx->out);
	line(ctx, "key id", "0x%08" PRIx64, akm_json_u64(g, "key_id"));
	line(ctx, "epoch", "%" PRIu64, akm_json_u64(g, "epoch"));
	line(ctx, "installed", "%s ago", akm_format_duration(akm_json_u64(g, "age"), age));
	line(ctx, "pair chains", "%" PRIu64, akm_json_u64(g, "pairs"));
}

/* "a, b, c" into @buf; what does not fit is cut off with an ellipsis. */
static const char *join(struct json_object *o, const char *name, char *buf, size_t size)
{
	struct json_object *array;
	size_t i, n = 0, count;

	buf[0] = '\0';
	if (!json_object_object_get_ex(o, name, &array) || !json_object_is_type(array, json_type_array))
		return buf;
	count = json_object_array_length(array);
	for (i = 0; i < count; i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(array, i));

		if (n + strlen(s) + sizeof(", …") > size) {
			snprintf(buf + n, size - n, "…");
			break;
		}
		n += (size_t)snprintf(buf + n, size - n, "%s%s", s, i + 1 < count ? ", " : "");
	}
	return buf;
}

static const char *last_rx(struct json_object *m, char buf[AKM_DURATION_STRLEN + 8])
{
	char ago[AKM_DURATION_STRLEN];

	if (!akm_json_has(m, "last_rx"))
		return "never";
	snprintf(buf, AKM_DURATION_STRLEN + 8, "%s ago", akm_format_duration(akm_json_u64(m, "last_rx"), ago));
	return buf;
}

static void put_member(struct akm_ctx *ctx, struct json_object *m, bool self)
{
	char number[24], prefixes[900], ago[AKM_DURATION_STRLEN + 8];
	struct json_object *stats;

	snprintf(number, sizeof(number), "%" PRIu64, akm_json_u64(m, "index"));
	fputc('\n', ctx->out);
	heading(ctx, AKM_YELLOW, "member", number);
	if (akm_json_str(m, "name")) {
		fputc(' ', ctx->out);
		akm_put_coloured(ctx->out, ctx->colour, AKM_BOLD, akm_json_str(m, "name"));
	}
	fputs(self ? " (self)\n" : "\n", ctx->out);
	line(ctx, "prefixes", "%s", join(m, "prefixes", prefixes, sizeof(prefixes)));
	if (self)
		return;
	line(ctx, "endpoint", "%s%s", text_or(m, "endpoint", "none"), akm_json_has(m, "roams") ? ", roams" : "");
	if (akm_json_str(m, "learnt"))
		line(ctx, "learnt", "%s", akm_json_str(m, "learnt"));
	line(ctx, "latest packet", "%s", last_rx(m, ago));
	if (akm_json_u64(m, "keepalive"))
		line(ctx, "keepalive", "every %s", akm_format_duration(akm_json_u64(m, "keepalive"), ago));
	if (akm_json_str(m, "fresh") && strcmp(akm_json_str(m, "fresh"), "yes"))
		line(ctx, "fresh", "%s, %" PRIu64 " packets wait", akm_json_str(m, "fresh"),
		     akm_json_u64(m, "waiting"));
	if (json_object_object_get_ex(m, "stats", &stats))
		put_traffic(ctx, stats);
}

static void put_whole(struct akm_ctx *ctx, struct json_object *dev)
{
	struct json_object *list;
	size_t i;

	put_dev(ctx, dev);
	if (json_object_object_get_ex(dev, "generations", &list)) {
		for (i = 0; i < json_object_array_length(list); i++)
			put_generation(ctx, json_object_array_get_idx(list, i));
	}
	if (json_object_object_get_ex(dev, "members", &list)) {
		for (i = 0; i < json_object_array_length(list); i++) {
			struct json_object *m = json_object_array_get_idx(list, i);

			put_member(ctx, m, akm_json_has(dev, "self") &&
				   akm_json_u64(m, "index") == akm_json_u64(dev, "self"));
		}
	}
}

/* ------------------------------------------------------------ gathering */

/* Dumps records of @kind of @dev into its member @name. */
static int add_list(struct akm_ctx *ctx, struct json_object *dev, enum akm_record kind, const char *name,
		    struct akm_error *e)
{
	struct json_object *list;
	int r = akm_records_dump(ctx, kind, akm_json_str(dev, "ifname"), &list, e);

	if (r < 0)
		return r;
	if (json_object_object_add(dev, name, list)) {
		json_object_put(list);
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	}
	return 0;
}

/* Every device, or the one that is named, each with its members and, if wanted, generations. */
static int gather(struct akm_ctx *ctx, const char *ifname, bool generations, struct json_object **ret,
		  struct akm_error *e)
{
	struct json_object *dev = NULL, *all = NULL;
	size_t i;
	int r;

	if (ifname) {
		r = akm_record_dev(ctx, ifname, &dev, e);
		if (r < 0)
			return r;
		all = json_object_new_array();
		if (!all || json_object_array_add(all, dev)) {
			json_object_put(dev);
			json_object_put(all);
			return akm_error_set(e, ENOMEM, NULL, "out of memory");
		}
	} else {
		r = akm_records_dump(ctx, AKM_RECORD_DEV, NULL, &all, e);
	}
	for (i = 0; r >= 0 && i < json_object_array_length(all); i++) {
		dev = json_object_array_get_idx(all, i);
		r = generations ? add_list(ctx, dev, AKM_RECORD_GENERATION, "generations", e) : 0;
		r = r < 0 ? r : add_list(ctx, dev, AKM_RECORD_MEMBER, "members", e);
	}
	if (r < 0)
		json_object_put(all);
	else
		*ret = all;
	return r;
}

int akm_run_show(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v, struct akm_error *e)
{
	_cleanup_(akm_json_freep) struct json_object *all = NULL;
	int r = gather(ctx, akm_value_text(v, "interface"), true, &all, e);
	size_t i;

	(void)cmd;
	if (r < 0)
		return r;
	if (ctx->json) {
		akm_json_print(ctx->out, all);
		return 0;
	}
	for (i = 0; i < json_object_array_length(all); i++) {
		if (i)
			fputc('\n', ctx->out);
		put_whole(ctx, json_object_array_get_idx(all, i));
	}
	if (!i)
		fputs("There is no akm interface in this network namespace.\n", ctx->out);
	return 0;
}

/* ------------------------------------------------------------ stats */

static uint64_t counter(struct json_object *o, const char *name)
{
	struct json_object *stats;

	return json_object_object_get_ex(o, "stats", &stats) ? akm_json_u64(stats, name) : 0;
}

static int add_stats_row(struct akm_table *t, struct json_object *o, const char *name)
{
	static const char *const columns[] = { "rx_packets", "rx_bytes", "tx_packets", "tx_bytes" };
	uint64_t bad = 0;
	size_t i;
	int r = akm_table_cell(t, AKM_PLAIN, name);

	for (i = 0; !r && i < ARRAY_SIZE(columns); i++)
		r = akm_table_printf(t, AKM_PLAIN, "%" PRIu64, counter(o, columns[i]));
	for (i = 0; !r && i < 5; i++) {
		uint64_t n = counter(o, troubles[i].name);

		r = akm_table_printf(t, n ? AKM_RED : AKM_PLAIN, "%" PRIu64, n);
	}
	for (i = 5; i < ARRAY_SIZE(troubles); i++)
		bad += counter(o, troubles[i].name);
	return r ? r : akm_table_printf(t, bad ? AKM_YELLOW : AKM_PLAIN, "%" PRIu64, bad);
}

static int add_dev_stats(struct akm_table *t, struct json_object *dev)
{
	struct json_object *list;
	char name[AKM_NAME_MAX + 32];
	size_t i;
	int r = add_stats_row(t, dev, akm_json_str(dev, "ifname"));

	if (!json_object_object_get_ex(dev, "members", &list))
		return r;
	for (i = 0; !r && i < json_object_array_length(list); i++) {
		struct json_object *m = json_object_array_get_idx(list, i);

		snprintf(name, sizeof(name), "  %" PRIu64 " %s", akm_json_u64(m, "index"), text_or(m, "name", ""));
		r = add_stats_row(t, m, name);
	}
	return r;
}

int akm_run_stats(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v, struct akm_error *e)
{
	static const char *const headings[] = { "INTERFACE", "RX-PACKETS", "RX-BYTES", "TX-PACKETS", "TX-BYTES",
						"AUTH-FAIL", "REPLAY", "UNKNOWN-KEY", "MALFORMED", "PREFIX", "OTHER" };
	_cleanup_(akm_json_freep) struct json_object *all = NULL;
	int r = gather(ctx, akm_value_text(v, "interface"), false, &all, e);

	(void)cmd;
	return r < 0 ? r : akm_records_show(ctx, all, headings, ARRAY_SIZE(headings), add_dev_stats, e);
}

/* ------------------------------------------------------------ member show */

static int add_member_row(struct akm_table *t, struct json_object *m)
{
	char prefixes[256], ago[AKM_DURATION_STRLEN + 8];
	int r = akm_table_printf(t, AKM_PLAIN, "%" PRIu64, akm_json_u64(m, "index"));

	r = r ? r : akm_table_cell(t, AKM_PLAIN, akm_json_str(m, "name"));
	r = r ? r : akm_table_cell(t, AKM_PLAIN, join(m, "prefixes", prefixes, sizeof(prefixes)));
	r = r ? r : akm_table_cell(t, AKM_PLAIN, text_or(m, "learnt", akm_json_str(m, "endpoint")));
	return r ? r : akm_table_cell(t, AKM_PLAIN, last_rx(m, ago));
}

/* Return: a new array of those of @all with that index. */
static struct json_object *only_index(struct json_object *all, uint64_t index)
{
	struct json_object *some = json_object_new_array();
	size_t i;

	for (i = 0; some && i < json_object_array_length(all); i++) {
		struct json_object *m = json_object_array_get_idx(all, i);

		if (akm_json_u64(m, "index") == index)
			json_object_array_add(some, json_object_get(m));
	}
	return some;
}

int akm_run_member_show(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
			struct akm_error *e)
{
	static const char *const headings[] = { "INDEX", "NAME", "PREFIXES", "ENDPOINT", "LATEST PACKET" };
	_cleanup_(akm_json_freep) struct json_object *all = NULL;
	_cleanup_(akm_json_freep) struct json_object *some = NULL;
	int r = akm_records_dump(ctx, AKM_RECORD_MEMBER, akm_value_text(v, "interface"), &all, e);

	(void)cmd;
	if (r < 0)
		return r;
	some = akm_value(v, "index") ? only_index(all, akm_value_num(v, "index", 0)) : json_object_get(all);
	if (!some)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	if (akm_value(v, "index") && !json_object_array_length(some))
		return akm_error_set(e, ENOENT, "index", "there is no such member");
	return akm_records_show(ctx, some, headings, ARRAY_SIZE(headings), add_member_row, e);
}
