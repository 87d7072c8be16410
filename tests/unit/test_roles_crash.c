// SPDX-License-Identifier: GPL-2.0
/*
 * Manager and root die, or lose power, at every write and every sync of their databases while an ATR is changed:
 * rekeyed, a member added, a member removed, created and deleted, its settings changed, its interfaces made anew, a
 * node renamed, a node moved to another ATR and back. Started again all agree, what had been
 * acknowledged is there, nothing is half there, and no generation's number is used for another one. P10, P9.
 * Likewise while the root sends a policy: both have it in the end, and no number is given to two.
 * CRASH_EVERY says of how many places one is tried.
 *
 * Seen failing with synchronous=OFF: an acknowledged change was gone after a power cut.
 */
#include "support_world.h"

#include <stdlib.h>

#include <setjmp.h>
#include <cmocka.h>

#include "clock.h"
#include "support_dir.h"
#include "support_disk.h"

#include "keystore_fake.c"		/* instead of keystore_tpm.c */
#include "nl_fake.c"			/* instead of nl.c */

#define A (&world.nodes[0])
#define B (&world.nodes[1])
#define C (&world.nodes[2])
#define D (&world.nodes[3])
#define M (&world.manager)
#define R (&world.root)

#define SECOND	"{\"atr\":\"second\"}"
#define SLOW_MS	86400000
#define NAME_OF	"Pump1"		/* what A is called for a while */
#define PLACES_MAX 2000
#define FEW	199		/* one place in as many: for who has no time for more */

/* What there is: #1 of A, B and C, perhaps with D; and perhaps a second ATR of B and C, perhaps with D */
struct fleet {
	uint32_t generation;		/* of #1 */
	bool has_d, has_second, second_has_d;
	bool slow, renamed, other_port;
};

struct change {
	const char *cmd, *args;
	struct fleet (*apply)(struct fleet f);
	struct fleet (*before)(struct fleet f);		/* what it needs; NULL: anything */
	unsigned int flags;
};
#define ELSEWHERE	1		/* there has to be a second ATR, and D in the first */
#define THOROUGH	2		/* much like another: left out where few places are tried */

static struct {
	struct fleet fleet;		/* at the last agreement */
	int64_t second;			/* ID of the latest second ATR */
	unsigned int runs;
	uint64_t ms_max;
} seen;

static unsigned int every(void)
{
	const char *text = getenv("CRASH_EVERY");
	int n = text ? atoi(text) : 0;

	return n > 0 ? (unsigned int)n : FEW;
}

static void begin(void)
{
	disk_begin();
	world_begin(4);
	world_provision();
	create_abc();
	seen.fleet = (struct fleet){ .generation = 1 };
	seen.second = 0;
}

static void end(void)
{
	world_end();
	disk_end();
}

/* ---- what everybody has agreed on ---- */

static bool is_member(struct json_object *answer, const char *name)
{
	struct json_object *members = at(answer, "members");
	bool found = false;

	for (size_t i = 0; members && i < json_object_array_length(members); i++)
		found |= !strcmp(json_object_get_string(json_object_object_get(json_object_array_get_idx(members, i),
									       "node")), name);
	return found;
}

/* Do members' kernels go by what the manager says about #1? */
static bool is_defined(struct fleet *ret)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"1\"}");

	ret->slow = number_at(answer, "epoch_interval") == SLOW_MS;
	ret->other_port = number_at(answer, "port") != AKM_DEFAULT_PORT;
	ret->renamed = is_member(answer, NAME_OF);
	json_object_put(answer);
	for (size_t i = 0; i < (ret->has_d ? 4 : 3); i++) {
		const struct nl_dev *d = fake_kernel_dev(world.nodes[i].kernel, "akm1");
		const struct msg_member *m = fake_kernel_member(world.nodes[i].kernel, "akm1", 0);

		if (!d || !m || (d->epoch_interval_ms == SLOW_MS) != ret->slow ||
		    (d->port != AKM_DEFAULT_PORT) != ret->other_port || !strcmp(m->name, NAME_OF) != ret->renamed)
			return false;
	}
	return true;
}

/* The manager is done with #1, its members hear each other on what it says, and D has nothing it should not have. */
static bool is_first_agreed(struct fleet *ret)
{
	struct json_object *answer = ask(M, "atr-show", "{\"atr\":\"1\"}");
	bool stable = !strcmp(text_at(answer, "state"), "stable");
	int64_t generation = number_at(answer, "generation");

	ret->has_d = is_member(answer, D->name);
	json_object_put(answer);
	if (!stable || generation <= 0 || !all_only_on(ret->has_d ? 4 : 3, (uint32_t)generation))
		return false;
	ret->generation = (uint32_t)generation;
	return (ret->has_d || !fake_kernel_active(D->kernel, "akm1")) && is_defined(ret);
}

static bool is_second_agreed(struct fleet *ret)
{
	struct json_object *answer = ask(M, "atr-show", SECOND);
	bool stable = !strcmp(text_at(answer, "state"), "stable");
	int64_t id = number_at(answer, "id");
	char ifname[24];
	const char *why;

	ret->second_has_d = is_member(answer, D->name);
	json_object_put(answer);
	ret->has_second = id > 0;
	if (ret->has_second)
		seen.second = id;
	snprintf(ifname, sizeof(ifname), "akm%lld", (long long)seen.second);
	if (!ret->has_second)
		return !fake_kernel_active(B->kernel, ifname) && !fake_kernel_active(C->kernel, ifname);
	if (ret->second_has_d ? !fake_kernel_hears(B->kernel, D->kernel, ifname, &why) ||
				!fake_kernel_hears(D->kernel, C->kernel, ifname, &why) :
				fake_kernel_active(D->kernel, ifname) > 0)
		return false;
	return stable && fake_kernel_hears(B->kernel, C->kernel, ifname, &why) &&
	       fake_kernel_hears(C->kernel, B->kernel, ifname, &why);
}

static bool is_agreed(struct fleet *ret)
{
	return is_first_agreed(ret) && is_second_agreed(ret);
}

static bool root_is_told(void)
{
	static const char *const kinds[] = { "rekey", "atr-create", "atr-add", "atr-remove", "atr-delete",
					     "atr-set", "rename", "node-move" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (events_of(R, kinds[i]) != events_of(M, kinds[i]))
			return false;
	return true;
}

static void agree(void)
{
	uint64_t begun = now_ms(), took;

	until(is_agreed(&seen.fleet));
	took = now_ms() - begun;
	if (took > seen.ms_max)
		seen.ms_max = took;
	until(root_is_told());
	/* A number that is used twice is another generation the second time, and refused. */
	assert_int_equal(events_of(M, "node-refused"), 0);
}

static bool is_same(struct fleet a, struct fleet b)
{
	return a.generation == b.generation && a.has_d == b.has_d && a.has_second == b.has_second &&
	       a.second_has_d == b.second_has_d && a.slow == b.slow && a.renamed == b.renamed &&
	       a.other_port == b.other_port;
}

/* ---- the changes ---- */

static struct fleet next(struct fleet f)
{
	f.generation++;
	return f;
}

static struct fleet with_d(struct fleet f)
{
	f.generation += !f.has_d;
	f.has_d = true;
	return f;
}

static struct fleet without_d(struct fleet f)
{
	f.generation += f.has_d;
	f.has_d = false;
	return f;
}

static struct fleet with_second(struct fleet f)
{
	f.has_second = true;
	return f;
}

static struct fleet without_second(struct fleet f)
{
	f.has_second = f.second_has_d = false;
	return f;
}

static struct fleet slow(struct fleet f)
{
	f.slow = true;
	return f;
}

static struct fleet not_slow(struct fleet f)
{
	f.slow = false;
	return f;
}

static struct fleet renamed(struct fleet f)
{
	f.renamed = true;
	return f;
}

static struct fleet not_renamed(struct fleet f)
{
	f.renamed = false;
	return f;
}

static struct fleet other_port(struct fleet f)
{
	f.generation += !f.other_port;
	f.other_port = true;
	return f;
}

static struct fleet usual_port(struct fleet f)
{
	f.generation += f.other_port;
	f.other_port = false;
	return f;
}

static struct fleet moved(struct fleet f)
{
	f.generation += f.has_d;
	f.has_d = false;
	f.second_has_d = true;
	return f;
}

static struct fleet moved_back(struct fleet f)
{
	f.generation += !f.has_d;
	f.has_d = true;
	f.second_has_d = false;
	return f;
}

#define ADD_D "{\"atr\":\"1\",\"node\":\"EdgeNodeD\"}"
#define CREATE_SECOND "{\"members\":[\"EdgeNodeB\",\"EdgeNodeC\"],\"label\":\"second\"}"
#define MOVE(from, to) "{\"node\":\"EdgeNodeD\",\"from\":\"" from "\",\"to\":\"" to "\"}"
#define RENAME(from, to) "{\"node\":\"" from "\",\"name\":\"" to "\"}"

/* In this order each finds, the first time, what it needs. */
static const struct change changes[] = {
	{ "atr-rekey", "{\"atr\":\"1\"}", next, NULL, 0 },
	{ "atr-add", ADD_D, with_d, without_d, 0 },
	{ "atr-remove", "{\"atr\":\"1\",\"node\":\"EdgeNodeD\"}", without_d, with_d, 0 },
	{ "atr-create", CREATE_SECOND, with_second, without_second, 0 },
	{ "atr-delete", SECOND, without_second, with_second, 0 },
	{ "atr-set", "{\"atr\":\"1\",\"epoch_interval\":86400000}", slow, not_slow, THOROUGH },
	{ "atr-set", "{\"atr\":\"1\",\"epoch_interval\":3600000}", not_slow, slow, THOROUGH },
	{ "node-rename", RENAME("EdgeNodeA", NAME_OF), renamed, not_renamed, 0 },
	{ "node-rename", RENAME(NAME_OF, "EdgeNodeA"), not_renamed, renamed, THOROUGH },
	{ "atr-set", "{\"atr\":\"1\",\"port\":7000,\"interrupt\":true}", other_port, usual_port, 0 },
	{ "atr-set", "{\"atr\":\"1\",\"port\":7645,\"interrupt\":true}", usual_port, other_port, THOROUGH },
	{ "node-move", MOVE("1", "second"), moved, moved_back, ELSEWHERE },
	{ "node-move", MOVE("second", "1"), moved_back, moved, ELSEWHERE | THOROUGH },
};

/* Undisturbed, until it is as @c needs it */
static void prepare(const struct change *c)
{
	struct fleet want;

	if (!c->before)
		return;
	want = c->before(seen.fleet);
	for (size_t i = 0; i < ARRAY_SIZE(changes) && !is_same(seen.fleet, want); i++) {
		if (changes[i].apply != c->before)
			continue;
		ask_ok(M, changes[i].cmd, "%s", changes[i].args);
		agree();
	}
	assert_true(is_same(seen.fleet, want));
}

/* Return: was there a place to die at? */
static bool crash_once(const struct change *c, struct actor *victim, unsigned int place, enum disk_loss loss)
{
	struct fleet before = seen.fleet, after = c->apply(before), now;
	bool came, acknowledged;
	struct asked *q;

	disk_cut_after(victim->dir, place);
	q = ask_begin(M, c->cmd, "%s", c->args);
	until(disk_is_cut() || (ask_done(q) && is_agreed(&now) && root_is_told()));
	came = disk_is_cut();
	acknowledged = ask_granted(q);
	actor_stop(victim);
	disk_mend(loss, place);
	ask_drop(q);
	assert_int_equal(actor_start(victim), 0);
	until(victim->ready);
	agree();
	seen.runs++;
	if (!is_same(seen.fleet, after) && (acknowledged || !is_same(seen.fleet, before)))
		fail_msg("%s %s, %s dies at step %u: generation %u%s%s", c->cmd, c->args, victim->name, place, seen.fleet.generation,
			 seen.fleet.has_d ? ", D is in it" : "", seen.fleet.has_second ? ", the second is there" : "");
	return came;
}

static void crash_everywhere(const struct change *c, struct actor *victim, enum disk_loss loss)
{
	unsigned int place = 0;
	bool came;

	do {
		prepare(c);
		came = crash_once(c, victim, place, loss);
		assert_true(came || place);
		place += every();
		assert_true(place < PLACES_MAX);
	} while (came);
}

static void crash_change(const struct change *c, struct actor *victim, enum disk_loss loss)
{
	if (c->flags & ELSEWHERE && !seen.fleet.second_has_d && !seen.fleet.has_second) {
		ask_ok(M, "atr-create", "%s", CREATE_SECOND);
		ask_ok(M, "atr-add", "%s", ADD_D);
		agree();
	}
	crash_everywhere(c, victim, loss);
}

/* A new world for each change: what it remembers grows with every run, and with it the time that asking takes. */
static void everything(struct actor *victim, enum disk_loss loss)
{
	bool thorough = every() < FEW;

	memset(&seen, 0, sizeof(seen));
	if (!thorough)
		begin();
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		if (changes[i].flags & THOROUGH && !thorough)
			continue;
		if (thorough)
			begin();
		crash_change(&changes[i], victim, loss);
		if (thorough)
			end();
	}
	if (!thorough)
		end();
	print_message("%u runs, agreed again after %llu ms at most\n", seen.runs, (unsigned long long)seen.ms_max);
}

static void test_manager_killed(void **state)
{
	(void)state;
	everything(M, DISK_KILLED);
}

static void test_manager_without_power(void **state)
{
	(void)state;
	everything(M, DISK_POWER);
}

static void test_root_killed(void **state)
{
	(void)state;
	everything(R, DISK_KILLED);
}

static void test_root_without_power(void **state)
{
	(void)state;
	everything(R, DISK_POWER);
}

/* ---- a policy is sent ---- */

#define POLICY_EVERY 7			/* it is a few dozen steps, of events' records for the most part */

static void write_policy(unsigned int hold_down)
{
	char text[128];

	snprintf(text, sizeof(text), "rule noise\nwhen auth-fail rate 100/10\nthen rekey hold-down %u\n", hold_down);
	scratch_write("policy", text, strlen(text));
}

/* The number that both have, if what is in force says @hold_down; else 0 */
static int64_t policy_agreed(unsigned int hold_down)
{
	struct json_object *ours = ask(R, "policy-show", "{}"), *theirs = ask(M, "policy-show", "{}");
	int64_t n = number_at(ours, "number");
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "rekey hold-down %u budget 12", hold_down);
	if (n != number_at(theirs, "root") || strcmp(text_at(theirs, "rules.0.then"), wanted))
		n = 0;
	json_object_put(ours);
	json_object_put(theirs);
	return n;
}

static bool policy_crash_once(struct actor *victim, unsigned int place, enum disk_loss loss)
{
	static int64_t last;
	struct asked *q;
	bool came;

	write_policy(place + 1);
	last = place ? last : 0;
	disk_cut_after(victim->dir, place);
	q = ask_begin(R, "policy-reload", "{}");
	until(disk_is_cut() || (ask_done(q) && policy_agreed(place + 1)));
	came = disk_is_cut();
	actor_stop(victim);
	disk_mend(loss, place);
	ask_drop(q);
	assert_int_equal(actor_start(victim), 0);
	until(victim->ready);
	ask_ok(R, "policy-reload", "{}");
	until(policy_agreed(place + 1) > last);
	last = policy_agreed(place + 1);
	assert_int_equal(events_of(M, "policy-stale") + events_of(R, "policy-stale"), 0);
	seen.runs++;
	return came;
}

static void policy_crash_everywhere(struct actor *victim, enum disk_loss loss)
{
	char path[256];
	unsigned int place = 0;
	bool came;

	begin();
	snprintf(path, sizeof(path), "%s/policy", scratch_dir());
	write_policy(86400);
	actor_stop(R);
	R->config.policy_file = path;
	assert_int_equal(actor_start(R), 0);
	until(policy_agreed(86400));
	do {
		came = policy_crash_once(victim, place, loss);
		assert_true(came || place);
		place += every() < POLICY_EVERY ? every() : POLICY_EVERY;
		assert_true(place < PLACES_MAX);
	} while (came);
	R->config.policy_file = NULL;
	end();
}

static void policy_everything(enum disk_loss loss)
{
	memset(&seen, 0, sizeof(seen));
	policy_crash_everywhere(M, loss);
	policy_crash_everywhere(R, loss);
	print_message("%u runs, the policy was the same everywhere after each\n", seen.runs);
}

static void test_policy_killed(void **state)
{
	(void)state;
	policy_everything(DISK_KILLED);
}

static void test_policy_without_power(void **state)
{
	(void)state;
	policy_everything(DISK_POWER);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manager_killed),
		cmocka_unit_test(test_manager_without_power),
		cmocka_unit_test(test_root_killed),
		cmocka_unit_test(test_root_without_power),
		cmocka_unit_test(test_policy_killed),
		cmocka_unit_test(test_policy_without_power),
	};

	if (argc > 1 && !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
			printf("%s\n", tests[i].name);
		return 0;
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
