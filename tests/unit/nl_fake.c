// SPDX-License-Identifier: GPL-2.0
#include "nl_fake.h"

#include <arpa/inet.h>

#include "clock.h"
#include "kdf.h"

#define FAKE_DEVICES	8
#define FAKE_MEMBERS	16

struct fake_generation {
	uint32_t number, key_id, state;		/* number 0: unused */
	uint64_t epoch, deadline_ms;
	bool unused;
	uint8_t chain[AKM_CHAIN_LEN], install_chain[AKM_CHAIN_LEN];
	size_t n_pairs;
	uint16_t pair[FAKE_MEMBERS];
	uint8_t pair_chain[FAKE_MEMBERS][AKM_CHAIN_LEN];
};

struct fake_member { bool used; struct msg_member m; };

struct fake_device {
	bool used, up;
	struct nl_dev d;
	bool has_self;
	uint32_t newest;
	struct fake_member members[FAKE_MEMBERS];
	struct fake_generation generations[AKM_GENERATIONS_MAX];
	size_t n_addresses;
	uint32_t flow_ports;
	bool spread;
	unsigned int joined;		/* on which link's life: a membership ends with it */
};

struct fake_kernel {
	struct fake_device devices[FAKE_DEVICES];
	uint32_t incarnation, next_ifindex;	/* of the namespace */
	struct nl *listener;
	bool no_module;
	unsigned int changes;
	int fail_cmd, fail_r;
	unsigned int fail_times;
	bool cutting;
	unsigned int cut_after;
	bool members_roam;
	bool spread;			/* that the next device gets */
	unsigned int announces;
	uint32_t members_keepalive;
	uint32_t flow_ports;		/* low << 16 | high, that the next device gets */
	uint32_t link;			/* of groups: ifindex, 0: there is none */
	unsigned int link_life;		/* counts them */
	bool no_multicast;
};

struct nl {
	struct fake_kernel *k;
	nl_event_fn event;
	nl_change_fn change;
	void *ctx;
	char group_link[16];
	uint32_t group_ifindex;		/* as it was last asked for */
};

static struct fake_kernel *kernel_in_use;

static void boot(struct fake_kernel *k)
{
	memset(k, 0, sizeof(*k));
	k->link = k->next_ifindex = 2;
	k->link_life = 1;
}

/* ---- the test's side ---- */

struct fake_kernel *fake_kernel_new(void)
{
	struct fake_kernel *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	boot(k);
	return k;
}

void fake_kernel_free(struct fake_kernel *k)
{
	free(k);
}

void fake_kernel_reboot(struct fake_kernel *k)
{
	if (k->listener)
		abort();			/* a reboot takes the daemon with it */
	boot(k);
}

void fake_kernel_use(struct fake_kernel *k)
{
	kernel_in_use = k;
}

static void expire(struct fake_device *d)
{
	for (size_t i = 0; i < AKM_GENERATIONS_MAX; i++)
		if (d->generations[i].state == AKM_GEN_RETIRING && now_ms() >= d->generations[i].deadline_ms)
			memset(&d->generations[i], 0, sizeof(d->generations[i]));
}

static struct fake_device *find(struct fake_kernel *k, const char *ifname)
{
	for (size_t i = 0; i < FAKE_DEVICES; i++) {
		if (k->devices[i].used && !strcmp(k->devices[i].d.ifname, ifname)) {
			expire(&k->devices[i]);
			return &k->devices[i];
		}
	}
	return NULL;
}

static struct fake_generation *generation(struct fake_device *d, uint32_t number)
{
	for (size_t i = 0; number && i < AKM_GENERATIONS_MAX; i++)
		if (d->generations[i].number == number)
			return &d->generations[i];
	return NULL;
}

static struct fake_generation *active(struct fake_device *d)
{
	for (size_t i = 0; i < AKM_GENERATIONS_MAX; i++)
		if (d->generations[i].state == AKM_GEN_ACTIVE)
			return &d->generations[i];
	return NULL;
}

static const struct msg_member *member(const struct fake_device *d, uint16_t index)
{
	for (size_t i = 0; i < FAKE_MEMBERS; i++)
		if (d->members[i].used && d->members[i].m.index == index)
			return &d->members[i].m;
	return NULL;
}

static const uint8_t *pair(const struct fake_generation *g, uint16_t index)
{
	for (size_t i = 0; i < g->n_pairs; i++)
		if (g->pair[i] == index)
			return g->pair_chain[i];
	return NULL;
}

/* A receiver has the keys of the epoch before and after its own as well. */
static bool same_chain(const struct fake_device *d, const struct fake_generation *g, const uint8_t *one, uint64_t one_at,
		       const uint8_t *other, uint64_t other_at)
{
	struct kdf_ctx ctx = { d->d.atr_id, g->number, g->key_id };
	uint8_t a[AKM_CHAIN_LEN], b[AKM_CHAIN_LEN];

	memcpy(a, one, AKM_CHAIN_LEN);
	memcpy(b, other, AKM_CHAIN_LEN);
	if (one_at + 1 == other_at && kdf_next(&ctx, a, a) < 0)
		abort();
	if (other_at + 1 == one_at && kdf_next(&ctx, b, b) < 0)
		abort();
	return !memcmp(a, b, AKM_CHAIN_LEN);
}

static const char *why_deaf(struct fake_device *from, struct fake_device *to)
{
	struct fake_generation *g, *h;
	const struct msg_member *m;

	if (!from || !from->up || !to || !to->up)
		return "no device, or it is down";
	g = active(from);
	if (!g)
		return "nothing to send with";
	if (!from->d.incarnation)
		return "no incarnation";
	m = member(from, to->d.self);
	if (!m || !m->endpoint.addr_len || !m->n_prefixes)
		return "the sender does not know where to send";
	if (from->d.suite != to->d.suite)
		return "another suite";
	h = generation(to, g->number);
	if (!h)
		return "the receiver does not hold the generation";
	if (h->key_id != g->key_id || !same_chain(to, h, h->chain, h->epoch, g->chain, g->epoch))
		return "other chains";
	if (!pair(g, to->d.self) || !pair(h, from->d.self) ||
	    !same_chain(to, h, pair(h, from->d.self), h->epoch, pair(g, to->d.self), g->epoch))
		return "other pair chains";
	return member(to, from->d.self) ? NULL : "the receiver does not know the sender";
}

bool fake_kernel_hears(struct fake_kernel *from, struct fake_kernel *to, const char *ifname, const char **ret_why)
{
	*ret_why = why_deaf(find(from, ifname), find(to, ifname));
	return !*ret_why;
}

bool fake_kernel_shares_key(struct fake_kernel *k, struct fake_kernel *other, const char *ifname)
{
	struct fake_device *d = find(k, ifname), *e = find(other, ifname);

	for (size_t i = 0; d && e && i < AKM_GENERATIONS_MAX; i++) {
		struct fake_generation *g = generation(e, d->generations[i].number);

		if (g && !memcmp(g->chain, d->generations[i].chain, AKM_CHAIN_LEN))
			return true;
	}
	return false;
}

bool fake_kernel_holds(struct fake_kernel *k, const char *ifname, uint32_t number)
{
	struct fake_device *d = find(k, ifname);

	return d && generation(d, number);
}

uint32_t fake_kernel_active(struct fake_kernel *k, const char *ifname)
{
	struct fake_device *d = find(k, ifname);
	struct fake_generation *g = d ? active(d) : NULL;

	return g ? g->number : 0;
}

const struct nl_dev *fake_kernel_dev(struct fake_kernel *k, const char *ifname)
{
	struct fake_device *d = find(k, ifname);

	return d ? &d->d : NULL;
}

const struct msg_member *fake_kernel_member(struct fake_kernel *k, const char *ifname, uint16_t index)
{
	struct fake_device *d = find(k, ifname);

	return d ? member(d, index) : NULL;
}

uint32_t fake_kernel_incarnation(struct fake_kernel *k, const char *ifname)
{
	struct fake_device *d = find(k, ifname);

	return d ? d->d.incarnation : 0;
}

uint32_t fake_kernel_freshness(struct fake_kernel *k, const char *ifname)
{
	struct fake_device *d = find(k, ifname);

	return d ? d->d.freshness : 0;
}

bool fake_kernel_has_group(struct fake_kernel *k, const char *ifname)
{
	const struct fake_device *d = find(k, ifname);

	return d && d->d.group.addr_len;
}

bool fake_kernel_in_group(struct fake_kernel *k, const char *ifname, const char *group, uint8_t ttl)
{
	const struct fake_device *d = find(k, ifname);
	uint8_t addr[16] = {};
	int family = strchr(group, ':') ? AF_INET6 : AF_INET;

	if (inet_pton(family, group, addr) != 1)
		abort();
	return d && d->up && d->d.group.addr_len == (family == AF_INET ? 4 : 16) && d->d.group.ttl == ttl &&
	       !memcmp(d->d.group.addr, addr, d->d.group.addr_len) && k->link && d->joined == k->link_life;
}

bool fake_kernel_roams(struct fake_kernel *k)
{
	return k->members_roam;
}

bool fake_kernel_spreads(struct fake_kernel *k, const char *ifname)
{
	const struct fake_device *d = find(k, ifname);

	return d && d->spread;
}

uint32_t fake_kernel_flow_ports(struct fake_kernel *k, const char *ifname)
{
	const struct fake_device *d = find(k, ifname);

	return d ? d->flow_ports : 0;
}

uint32_t fake_kernel_keepalive(struct fake_kernel *k)
{
	return k->members_keepalive;
}

bool fake_kernel_unused(struct fake_kernel *k, const char *ifname, uint32_t number)
{
	struct fake_device *d = find(k, ifname);
	struct fake_generation *g = d ? generation(d, number) : NULL;

	return g && g->unused;
}

uint64_t fake_kernel_epoch(struct fake_kernel *k, const char *ifname)
{
	struct fake_device *d = find(k, ifname);
	struct fake_generation *g = d ? active(d) : NULL;

	return g ? g->epoch : 0;
}

unsigned int fake_kernel_changes(struct fake_kernel *k)
{
	return k->changes;
}

bool fake_kernel_endpoint(struct fake_kernel *k, const char *ifname, uint16_t index, struct msg_endpoint *ret)
{
	struct fake_device *d = find(k, ifname);
	const struct msg_member *m = d ? member(d, index) : NULL;

	if (m)
		*ret = m->endpoint;
	return m;
}

void fake_kernel_count(struct fake_kernel *k, const char *ifname, int stat, uint64_t add)
{
	struct fake_device *d = find(k, ifname);

	if (!d)
		abort();
	d->d.stats.v[stat] += add;
}

void fake_kernel_event(struct fake_kernel *k, const struct nl_event *e)
{
	if (k->listener)
		k->listener->event(k->listener->ctx, e);
}

/* @from sends @to a packet. */
void fake_kernel_talk(struct fake_kernel *from, struct fake_kernel *to, const char *ifname)
{
	struct fake_device *d = find(from, ifname), *e = find(to, ifname);
	struct nl_event used = { .type = AKM_EVENT_PENDING_USED };
	const struct fake_generation *g;

	if (why_deaf(d, e))
		return;
	g = generation(e, active(d)->number);
	if (g->state != AKM_GEN_PENDING)
		return;
	used.atr_id = e->d.atr_id;
	used.member = d->d.self;
	used.generation = g->number;
	used.key_id = g->key_id;
	fake_kernel_event(to, &used);
}

unsigned int fake_kernel_announces(struct fake_kernel *k)
{
	return k->announces;
}

static void roll(struct fake_kernel *k, struct fake_device *d, struct fake_generation *g)
{
	struct nl_event e = { .type = AKM_EVENT_EPOCH, .member = -1 };
	struct kdf_ctx ctx;

	ctx = (struct kdf_ctx){ d->d.atr_id, g->number, g->key_id };
	if (kdf_next(&ctx, g->chain, g->chain) < 0)
		abort();
	for (size_t i = 0; i < g->n_pairs; i++)
		if (kdf_next(&ctx, g->pair_chain[i], g->pair_chain[i]) < 0)
			abort();
	g->epoch++;
	e.atr_id = d->d.atr_id;
	e.generation = g->number;
	e.epoch = g->epoch;
	fake_kernel_event(k, &e);
}

void fake_kernel_roll(struct fake_kernel *k, const char *ifname)
{
	struct fake_device *d = find(k, ifname);
	struct fake_generation *g = d ? active(d) : NULL;

	if (!g)
		abort();
	roll(k, d, g);
}

void fake_kernel_lose_state(struct fake_kernel *k, const char *ifname)
{
	struct fake_device *d = find(k, ifname);
	struct nl_event e = { .type = AKM_EVENT_STATE_LOST, .member = -1 };

	if (!d)
		abort();
	d->d.incarnation = 0;
	e.atr_id = d->d.atr_id;
	fake_kernel_event(k, &e);
}

static void tell(struct fake_kernel *k, enum nl_change change)
{
	if (k->listener)
		k->listener->change(k->listener->ctx, change);
}

void fake_kernel_remove(struct fake_kernel *k, const char *ifname)
{
	struct fake_device *d = find(k, ifname);

	if (!d)
		abort();
	memset(d, 0, sizeof(*d));
	tell(k, NL_DEVICE_GONE);
}

void fake_kernel_unlink(struct fake_kernel *k)
{
	bool known = k->listener && k->listener->group_link[0] && k->listener->group_ifindex == k->link;

	if (!k->link)
		abort();
	k->link = 0;
	if (known)
		tell(k, NL_GROUP_LINK_GONE);
}

void fake_kernel_link(struct fake_kernel *k, uint32_t ifindex)
{
	if (k->link)
		abort();
	k->link = ifindex ?: ++k->next_ifindex;
	k->link_life++;
	if (k->listener && k->listener->group_link[0])
		tell(k, NL_GROUP_LINK_THERE);
}

void fake_kernel_relink(struct fake_kernel *k)
{
	bool told = k->listener && k->listener->group_link[0];

	if (!k->link)
		abort();
	k->link_life++;
	if (told && k->listener->group_ifindex == k->link)
		tell(k, NL_GROUP_LINK_GONE);
	if (told)
		tell(k, NL_GROUP_LINK_THERE);
}

void fake_kernel_no_multicast(struct fake_kernel *k, bool no)
{
	k->no_multicast = no;
}

void fake_kernel_unload(struct fake_kernel *k)
{
	memset(k->devices, 0, sizeof(k->devices));
	k->incarnation = 0;		/* the module remembered it */
	k->no_module = true;
	tell(k, NL_MODULE_GONE);
	tell(k, NL_DEVICE_GONE);
}

void fake_kernel_load(struct fake_kernel *k)
{
	k->no_module = false;
	tell(k, NL_MODULE_BACK);
}

void fake_kernel_fail(struct fake_kernel *k, int cmd, int r, unsigned int times)
{
	k->fail_cmd = cmd;
	k->fail_r = r;
	k->fail_times = times;
}

void fake_kernel_cut_after(struct fake_kernel *k, unsigned int n)
{
	k->cutting = true;
	k->cut_after = n;
}

bool fake_kernel_is_cut(const struct fake_kernel *k)
{
	return k->cutting && !k->cut_after;
}

void fake_kernel_mend(struct fake_kernel *k)
{
	k->cutting = false;
}

struct fake_kernel *fake_kernel_snapshot(const struct fake_kernel *k)
{
	struct fake_kernel *copy = fake_kernel_new();

	*copy = *k;
	return copy;
}

void fake_kernel_put_back(struct fake_kernel *k, const struct fake_kernel *snapshot)
{
	if (k->listener)
		abort();
	*k = *snapshot;
	k->listener = NULL;
}

/* Each request that changes something passes here. */
static int planned_failure(struct nl *n, int cmd, struct akm_error *err)
{
	if (n->k->cutting && !n->k->cut_after)
		return akm_error_set(err, -EIO, "kernel", "the power is gone");
	if (n->k->cutting)
		n->k->cut_after--;
	if (n->k->fail_cmd != cmd || !n->k->fail_times)
		return 0;
	n->k->fail_times--;
	return akm_error_set(err, n->k->fail_r, "kernel", "refused by the test");
}

/* ---- nl.h ---- */

int nl_open(struct event_base *base, nl_event_fn event, nl_change_fn change, void *ctx, struct nl **ret,
	    struct akm_error *err)
{
	struct nl *n;

	(void)base;
	if (!kernel_in_use)
		return akm_error_set(err, -ENOPKG, "kernel", "the module akm is not loaded: try modprobe akm");
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = (struct nl){ .k = kernel_in_use, .event = event, .change = change, .ctx = ctx };
	kernel_in_use->listener = n;
	*ret = n;
	return 0;
}

void nl_free(struct nl *n)
{
	if (!n)
		return;
	if (n->k->listener == n)
		n->k->listener = NULL;
	free(n);
}

static int absent(const struct nl *n, struct akm_error *err)
{
	if (n->k->no_module)
		return akm_error_set(err, -ENOPKG, "kernel", "the module akm is not loaded");
	return akm_error_set(err, -ENODEV, "IFNAME", "no such device");
}

int nl_dev_add(struct nl *n, const char *ifname, struct akm_error *err)
{
	int r = planned_failure(n, AKM_CMD_DEV_SET, err);

	if (r < 0)
		return r;
	if (n->k->no_module)
		return absent(n, err);
	if (find(n->k, ifname))
		return akm_error_set(err, -EEXIST, "IFNAME", "exists");
	for (size_t i = 0; i < FAKE_DEVICES; i++) {
		struct fake_device *d = &n->k->devices[i];

		if (d->used)
			continue;
		memset(d, 0, sizeof(*d));
		d->used = true;
		d->d.ifindex = ++n->k->next_ifindex;
		d->d.port = AKM_DEFAULT_PORT;
		snprintf(d->d.ifname, sizeof(d->d.ifname), "%s", ifname);
		return 0;
	}
	abort();
}

int nl_dev_del(struct nl *n, const char *ifname, struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	int r = planned_failure(n, 0, err);

	if (!d || r < 0)
		return r ?: absent(n, err);
	n->k->changes++;
	memset(d, 0, sizeof(*d));
	return 0;
}

static void fill(struct fake_device *d, struct nl_dev *ret)
{
	*ret = d->d;
	ret->members = ret->generations = 0;
	for (size_t i = 0; i < FAKE_MEMBERS; i++)
		ret->members += d->members[i].used;
	for (size_t i = 0; i < AKM_GENERATIONS_MAX; i++)
		ret->generations += d->generations[i].number != 0;
	ret->active = active(d) ? active(d)->number : 0;
}

int nl_dev_get(struct nl *n, const char *ifname, struct nl_dev *ret, struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);

	if (!d)
		return absent(n, err);
	fill(d, ret);
	return 0;
}

int nl_dev_each(struct nl *n, int (*fn)(const struct nl_dev *d, void *ctx), void *ctx, struct akm_error *err)
{
	int r = n->k->no_module ? absent(n, err) : 0;

	for (size_t i = 0; !r && i < FAKE_DEVICES; i++) {
		struct nl_dev d;

		if (!n->k->devices[i].used)
			continue;
		fill(&n->k->devices[i], &d);
		r = fn(&d, ctx);
	}
	return r;
}

static bool has(uint32_t fields, int attr)
{
	return fields & 1u << attr;
}

static int set_identity(struct fake_device *f, const struct nl_dev *d, uint32_t fields, struct akm_error *err)
{
	struct nl_dev now;

	fill(f, &now);
	if (now.generations && ((has(fields, AKM_A_DEV_ATR_ID) && d->atr_id != f->d.atr_id) ||
				(has(fields, AKM_A_DEV_SELF) && d->self != f->d.self) ||
				(has(fields, AKM_A_DEV_SUITE) && d->suite != f->d.suite)))
		return akm_error_set(err, -EBUSY, "ATR_ID", "cannot change while a generation is installed");
	if (has(fields, AKM_A_DEV_PORT) && d->port != f->d.port && f->up)
		return akm_error_set(err, -EBUSY, "PORT", "the port cannot change while the device is up");
	if (has(fields, AKM_A_DEV_ATR_ID))
		f->d.atr_id = d->atr_id;
	if (has(fields, AKM_A_DEV_SELF)) {
		f->d.self = d->self;
		f->has_self = true;
	}
	if (has(fields, AKM_A_DEV_SUITE))
		f->d.suite = d->suite;
	if (has(fields, AKM_A_DEV_PORT))
		f->d.port = d->port;
	return 0;
}

static int set_incarnation(struct nl *n, struct fake_device *f, uint32_t incarnation, struct akm_error *err)
{
	if (!incarnation || incarnation > AKM_INCARNATION_MAX)
		return akm_error_set(err, -ERANGE, "INCARNATION", "1 to 16777215");
	if (incarnation <= n->k->incarnation)
		return akm_error_set(err, -ESTALE, "INCARNATION", "is not greater than one that was used");
	n->k->incarnation = f->d.incarnation = incarnation;
	return 0;
}

/* As the module: who is in it already does not join again, whatever became of the link. */
static int set_group(struct nl *n, struct fake_device *f, const struct nl_dev *d, struct akm_error *err)
{
	bool same = f->d.group.addr_len && f->d.group_link == d->group_link &&
		    !memcmp(f->d.group.addr, d->group.addr, sizeof(d->group.addr));

	if (d->group.addr_len && (!n->k->link || d->group_link != n->k->link))
		return akm_error_set(err, -ENODEV, "group-link", "the group's link is not in the namespace of the underlay");
	if (d->group.addr_len && n->k->no_multicast)
		return akm_error_set(err, -EOPNOTSUPP, "group-link", "the group's link knows no multicast");
	if (!same)
		f->joined = d->group.addr_len ? n->k->link_life : 0;
	f->d.group = d->group;
	f->d.group_link = d->group.addr_len ? d->group_link : 0;
	return 0;
}

int nl_dev_set(struct nl *n, const struct nl_dev *d, uint32_t fields, struct akm_error *err)
{
	struct fake_device *f = find(n->k, d->ifname);
	int r;

	if (!f)
		return absent(n, err);
	r = planned_failure(n, AKM_CMD_DEV_SET, err) ?: set_identity(f, d, fields, err);
	if (!r && has(fields, AKM_A_DEV_INCARNATION))
		r = set_incarnation(n, f, d->incarnation, err);
	if (!r && has(fields, AKM_A_DEV_GROUP))
		r = set_group(n, f, d, err);
	if (r < 0)
		return r;
	if (has(fields, AKM_A_DEV_LABEL))
		memcpy(f->d.label, d->label, sizeof(f->d.label));
	if (has(fields, AKM_A_DEV_EPOCH_INTERVAL))
		f->d.epoch_interval_ms = d->epoch_interval_ms;
	if (has(fields, AKM_A_DEV_EPOCH_GRACE))
		f->d.epoch_grace_ms = d->epoch_grace_ms;
	if (has(fields, AKM_A_DEV_FRESHNESS))
		f->d.freshness = d->freshness;
	if (has(fields, AKM_A_DEV_FLOW_PORT_LOW))
		f->flow_ports = n->k->flow_ports;
	if (has(fields, AKM_A_DEV_SPREAD))
		f->spread = n->k->spread;
	return 0;
}

int nl_dev_up(struct nl *n, const char *ifname, bool up, struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	int r = planned_failure(n, 0, err);

	if (!d || r < 0)
		return r ?: absent(n, err);
	d->up = up;
	return 0;
}

int nl_dev_addresses(struct nl *n, const char *ifname, const struct msg_prefix *a, size_t n_a, struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	int r;

	(void)a;
	r = planned_failure(n, 0, err);
	if (!d || r < 0)
		return r ?: absent(n, err);
	d->n_addresses = n_a;
	return 0;
}

void nl_group_link(struct nl *n, const char *ifname)
{
	snprintf(n->group_link, sizeof(n->group_link), "%s", ifname);
}

int nl_group_link_index(struct nl *n, uint32_t *ret, struct akm_error *err)
{
	n->group_ifindex = n->group_link[0] ? n->k->link : 0;
	if (!n->group_ifindex)
		return akm_error_set(err, -ENODEV, n->group_link[0] ? n->group_link : "group", "No such device");
	*ret = n->group_ifindex;
	return 0;
}

void nl_flow_ports(struct nl *n, uint16_t low, uint16_t high)
{
	n->k->flow_ports = (uint32_t)low << 16 | high;
}

void nl_spread(struct nl *n, bool on)
{
	n->k->spread = on;
}

void nl_members_roam(struct nl *n, bool roam)
{
	n->k->members_roam = roam;
}

void nl_members_keepalive(struct nl *n, uint32_t ms)
{
	n->k->members_keepalive = ms;
}

/* A prefix belongs to one member only. */
static bool is_anothers(const struct fake_device *d, const struct msg_member *m)
{
	for (size_t i = 0; i < FAKE_MEMBERS; i++) {
		const struct msg_member *other = &d->members[i].m;

		for (size_t k = 0; d->members[i].used && other->index != m->index && k < other->n_prefixes; k++)
			for (size_t l = 0; l < m->n_prefixes; l++)
				if (!memcmp(&other->prefixes[k], &m->prefixes[l], sizeof(m->prefixes[l])))
					return true;
	}
	return false;
}

int nl_member_set(struct nl *n, const char *ifname, const struct msg_member *m, uint16_t default_port,
		  struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	struct fake_member *slot = NULL;
	int r = planned_failure(n, AKM_CMD_MEMBER_SET, err);

	if (!d || r < 0)
		return r ?: absent(n, err);
	if (is_anothers(d, m))
		return akm_error_set(err, -EEXIST, "prefix", "belongs to another member");
	for (size_t i = 0; i < FAKE_MEMBERS; i++) {
		if (d->members[i].used && d->members[i].m.index == m->index)
			slot = &d->members[i];
		else if (!slot && !d->members[i].used)
			slot = &d->members[i];
		if (slot && slot->used)
			break;
	}
	if (!slot)
		abort();
	slot->used = true;
	slot->m = *m;
	if (!slot->m.endpoint.port)
		slot->m.endpoint.port = default_port;
	return 0;
}

int nl_member_del(struct nl *n, const char *ifname, uint16_t index, struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	int r = planned_failure(n, AKM_CMD_MEMBER_DEL, err);

	if (!d || r < 0)
		return r ?: absent(n, err);
	for (size_t i = 0; i < FAKE_MEMBERS; i++)
		if (d->members[i].used && d->members[i].m.index == index)
			d->members[i].used = false;
	return 0;
}

int nl_member_each(struct nl *n, const char *ifname,
		   int (*fn)(uint16_t index, const char *name, const struct nl_stats *s, void *ctx), void *ctx,
		   struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	struct nl_stats none = {};
	int r = 0;

	if (!d)
		return absent(n, err);
	for (size_t i = 0; !r && i < FAKE_MEMBERS; i++)
		if (d->members[i].used)
			r = fn(d->members[i].m.index, d->members[i].m.name, &none, ctx);
	return r;
}

static int check_install(struct fake_device *d, const struct msg_atr_prepare *p, struct akm_error *err)
{
	struct nl_dev now;

	fill(d, &now);
	if (!d->d.atr_id || !d->has_self)
		return akm_error_set(err, -EINVAL, "ATR_ID", "the device needs an ATR ID and its own index first");
	if (p->generation <= d->newest)
		return akm_error_set(err, -ESTALE, "NUMBER", "%u is not newer than %u", p->generation, d->newest);
	if (now.generations >= AKM_GENERATIONS_MAX)
		return akm_error_set(err, -ENOSPC, "NUMBER", "holds as many as it can");
	for (size_t i = 0; i < p->n_pairs; i++)
		if (!member(d, p->pairs[i].index) || p->pairs[i].index == d->d.self)
			return akm_error_set(err, -ENOENT, "PAIR", "no such member");
	return 0;
}

int nl_generation_install(struct nl *n, const char *ifname, const struct msg_atr_prepare *p, struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	struct fake_generation *g;
	int r = planned_failure(n, AKM_CMD_GENERATION_INSTALL, err);

	if (!d || r < 0)
		return r ?: absent(n, err);
	g = generation(d, p->generation);
	if (g)					/* as the module: of a stepped one the first chain is what counts */
		return g->key_id == p->key_id && !memcmp(g->install_chain, p->chain.data, AKM_CHAIN_LEN) ? 0 :
		       akm_error_set(err, -EEXIST, "NUMBER", "another generation %u is installed", p->generation);
	r = check_install(d, p, err);
	if (r < 0)
		return r;
	for (g = d->generations; g->number; g++)
		;
	*g = (struct fake_generation){ .number = p->generation, .key_id = p->key_id, .state = AKM_GEN_PENDING,
				       .epoch = p->epoch, .unused = p->unused };
	memcpy(g->chain, p->chain.data, AKM_CHAIN_LEN);
	memcpy(g->install_chain, p->chain.data, AKM_CHAIN_LEN);
	d->newest = p->generation;
	n->k->changes++;
	return nl_generation_pairs(n, ifname, p, err);
}

int nl_generation_pairs(struct nl *n, const char *ifname, const struct msg_atr_prepare *p, struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	struct fake_generation *g = d ? generation(d, p->generation) : NULL;
	int r = planned_failure(n, AKM_CMD_PAIR_SET, err);

	if (!g || r < 0)
		return r ?: akm_error_set(err, -ENOENT, "NUMBER", "is not installed");
	if (p->epoch > g->epoch)
		return akm_error_set(err, -ERANGE, "EPOCH", "pair chains of a later epoch");
	for (size_t i = 0; i < p->n_pairs; i++) {
		struct kdf_ctx ctx = { d->d.atr_id, g->number, g->key_id };
		uint8_t chain[AKM_CHAIN_LEN];

		memcpy(chain, p->pair_chains.data + i * AKM_CHAIN_LEN, AKM_CHAIN_LEN);
		for (uint64_t e = p->epoch; e < g->epoch; e++)
			if (kdf_next(&ctx, chain, chain) < 0)
				abort();
		if (pair(g, p->pairs[i].index)) {
			if (memcmp(pair(g, p->pairs[i].index), chain, AKM_CHAIN_LEN))
				return akm_error_set(err, -EEXIST, "PAIR", "another pair chain");
			continue;
		}
		g->pair[g->n_pairs] = p->pairs[i].index;
		memcpy(g->pair_chain[g->n_pairs++], chain, AKM_CHAIN_LEN);
	}
	return 0;
}

int nl_epoch_roll(struct nl *n, const char *ifname, uint32_t number, struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	struct fake_generation *g = d ? active(d) : NULL;
	int r = planned_failure(n, AKM_CMD_EPOCH_ROLL, err);

	if (r < 0)
		return r;
	if (!g || g->number != number)
		return akm_error_set(err, -ESTALE, "EXPECT", "is not the active one");
	roll(n->k, d, g);
	return 0;
}

int nl_generation_activate(struct nl *n, const char *ifname, uint32_t number, uint32_t grace_ms,
			   struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	struct fake_generation *g, *old;
	int r = planned_failure(n, AKM_CMD_GENERATION_ACTIVATE, err);

	if (!d || r < 0)
		return r ?: absent(n, err);
	g = generation(d, number);
	old = active(d);
	if (!g)
		return akm_error_set(err, number <= d->newest ? -ESTALE : -ENOENT, "NUMBER", "is not installed");
	if (g == old)
		return 0;
	if (g->state == AKM_GEN_RETIRING || (old && number < old->number))
		return akm_error_set(err, -ESTALE, "NUMBER", "is older than the active one");
	if (!d->d.incarnation)
		return akm_error_set(err, -EINVAL, "INCARNATION", "none");
	g->state = AKM_GEN_ACTIVE;
	for (old = d->generations; old < d->generations + AKM_GENERATIONS_MAX; old++) {
		if (!old->number || old->number >= number || old->state == AKM_GEN_RETIRING)
			continue;
		old->state = AKM_GEN_RETIRING;
		old->deadline_ms = now_ms() + grace_ms;
	}
	n->k->changes++;
	return 0;
}

int nl_generation_announce(struct nl *n, const char *ifname, uint32_t number, struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	int r = planned_failure(n, 0, err);

	if (!d || r < 0)
		return r ?: absent(n, err);
	if (!active(d) || active(d)->number != number)
		return akm_error_set(err, -ESTALE, "EXPECT", "is not the active one");
	n->k->announces++;
	return 0;
}

int nl_generation_retire(struct nl *n, const char *ifname, uint32_t number, struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	int r = planned_failure(n, AKM_CMD_GENERATION_RETIRE, err);
	struct fake_generation *g;

	if (!d || r < 0)
		return r ?: absent(n, err);
	g = generation(d, number);
	if (!g)
		return number <= d->newest ? 0 : akm_error_set(err, -ENOENT, "NUMBER", "is not installed");
	memset(g, 0, sizeof(*g));
	n->k->changes++;
	return 0;
}

int nl_generation_each(struct nl *n, const char *ifname, int (*fn)(const struct nl_generation *g, void *ctx),
		       void *ctx, struct akm_error *err)
{
	struct fake_device *d = find(n->k, ifname);
	int r = 0;

	if (!d)
		return absent(n, err);
	for (size_t i = 0; !r && i < AKM_GENERATIONS_MAX; i++) {
		const struct fake_generation *f = &d->generations[i];
		struct nl_generation g = { .number = f->number, .key_id = f->key_id, .state = f->state,
					   .pairs = (uint32_t)f->n_pairs, .epoch = f->epoch };

		if (f->number)
			r = fn(&g, ctx);
	}
	return r;
}
