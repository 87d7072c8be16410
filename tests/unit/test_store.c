// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "store.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <cmocka.h>

#include "support_dir.h"

static struct store *st;

static const char *path(void)
{
	return scratch_path("store.db");
}

static struct store *open_store(void)
{
	struct akm_error err = {};
	struct store *s = NULL;
	int r = store_open(path(), &s, &err);

	if (r < 0)
		print_error("%s: %s\n", err.field, err.reason);
	assert_int_equal(r, 0);
	return s;
}

static void reopen(void)
{
	store_close(st);
	st = open_store();
}

static int setup(void **state)
{
	(void)state;
	scratch_make();
	st = open_store();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	store_close(st);
	st = NULL;
	scratch_remove();
	return 0;
}

/* Something else writes to the file while the store is closed. */
static void tamper(const char *sql)
{
	sqlite3 *db;
	char *message = NULL;

	store_close(st);
	st = NULL;
	assert_int_equal(sqlite3_open(path(), &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
		print_error("%s\n", message);
	assert_null(message);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void refuse_open(int want, const char *words)
{
	struct store *s = (struct store *)1;
	struct akm_error err = {};
	int r = store_open(path(), &s, &err);

	if (r != want || !strstr(err.reason, words))
		print_error("%d %s: %s\n", r, err.field, err.reason);
	assert_int_equal(r, want);
	assert_string_equal(err.field, "database");
	assert_non_null(strstr(err.reason, words));
	assert_ptr_equal(s, (struct store *)1);
}

static void blob(struct akm_blob *b, const char *text)
{
	assert_int_equal(akm_blob_dup(text, strlen(text), b), 0);
}

static struct store_node node(uint8_t id, const char *name, enum store_node_state state)
{
	struct store_node n = { .state = state, .link_n = 3, .since_ms = 1700000000000 + id };

	memset(n.id, id, sizeof(n.id));
	memset(n.hardware, 0x11, sizeof(n.hardware));
	snprintf(n.name, sizeof(n.name), "%s", name);
	snprintf(n.label, sizeof(n.label), "MgmtMod-%.60s", name);
	snprintf(n.sources, sizeof(n.sources), "ek,mac:eth0");
	n.endpoint = (struct msg_endpoint){ .addr = { 192, 0, 2, id }, .addr_len = 4, .port = 7645 };
	return n;
}

static int put_node(uint8_t id, const char *name, enum store_node_state state)
{
	struct store_node n = node(id, name, state);

	return store_node_put(st, &n);
}

static struct store_atr atr(uint32_t id, struct store_member *members, size_t n)
{
	struct store_atr a = {
		.id = id, .suite = 1, .port = 7645, .epoch_interval_ms = UINT32_MAX, .epoch_grace_ms = 5000,
		.freshness = 2, .fallback = false, .group = { { 239, 7, 6, 45 }, 4, 3 }, .locked_ms = 77, .locked_why = "clone", .definition = 9, .last_generation = 4, .n_members = n, .members = members,
		.subnet4 = { .addr = { 10, 77, 0, 0 }, .addr_len = 4, .prefix_len = 16 },
		.subnet6 = { .addr = { 0xfd, 1 }, .addr_len = 16, .prefix_len = 64 },
	};

	snprintf(a.label, sizeof(a.label), "A-B-C-%u", id);
	return a;
}

static struct store_member member(uint16_t index, uint8_t node_id)
{
	struct store_member m = {
		.index = index, .n_addresses = 2,
		.addresses = {
			{ .addr = { 10, 77, 0, (uint8_t)index }, .addr_len = 4, .prefix_len = 16 },
			{ .addr = { 0xfd, 1, [15] = (uint8_t)index }, .addr_len = 16, .prefix_len = 64 },
		},
	};

	memset(m.node, node_id, sizeof(m.node));
	return m;
}

static void put_atr(uint32_t id)
{
	struct store_atr a = atr(id, NULL, 0);

	assert_int_equal(store_atr_put(st, &a), 0);
}

static struct store_generation generation(uint32_t atr_id, uint32_t number, uint32_t key_id)
{
	struct store_generation g = {
		.atr_id = atr_id, .number = number, .key_id = key_id, .state = GEN_PREPARING, .epoch = 5, .created_ms = 77,
		.reason = "create",
	};

	return g;
}

static struct msg_event event(const char *source, uint64_t seq)
{
	struct msg_event e = {
		.seq = seq, .time_ms = 1000 + seq, .severity = SEV_ALERT, .atr_id = 1, .member = -1, .count = 12,
		.kind = "replay", .text = "twelve replays",
	};

	snprintf(e.source, sizeof(e.source), "%s", source);
	return e;
}

/* Opening */

static void test_new_file(void **state)
{
	struct stat s;

	(void)state;
	put_atr(1);
	assert_int_equal(stat(path(), &s), 0);
	assert_int_equal(s.st_mode & 07777, 0600);
	assert_int_equal(stat(scratch_path("store.db-wal"), &s), 0);
	assert_int_equal(s.st_mode & 07777, 0600);
	reopen();
	store_close(NULL);
}

static void test_settings_of_the_file(void **state)
{
	sqlite3_stmt *q;
	sqlite3 *db;

	(void)state;
	store_close(st);
	st = NULL;
	assert_int_equal(sqlite3_open(path(), &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(q, 0), "wal");
	sqlite3_finalize(q);
	sqlite3_close(db);
}

static void test_file_mode(void **state)
{
	(void)state;
	store_close(st);
	st = NULL;
	assert_int_equal(chmod(path(), 0640), 0);
	refuse_open(-EPERM, "mode 0600");
	assert_int_equal(chmod(path(), 0600), 0);
	assert_int_equal(rename(path(), scratch_path("other.db")), 0);
	assert_int_equal(symlink("other.db", path()), 0);
	refuse_open(-ELOOP, "cannot be opened");
	assert_int_equal(unlink(path()), 0);
	assert_int_equal(mkfifo(path(), 0600), 0);
	refuse_open(-EBADMSG, "not a plain file");
}

static void test_no_directory(void **state)
{
	struct akm_error err = {};
	struct store *s;

	(void)state;
	assert_int_equal(store_open(scratch_path("no/store.db"), &s, &err), -ENOENT);
	assert_non_null(strstr(err.reason, "No such file"));
}

static void test_not_a_database(void **state)
{
	char junk[8192];

	(void)state;
	store_close(st);
	st = NULL;
	memset(junk, 'x', sizeof(junk));
	scratch_write("store.db", junk, sizeof(junk));
	refuse_open(-EBADMSG, "not a database");
	scratch_write("store.db", "x", 1);
	refuse_open(-EBADMSG, "is damaged: 1 bytes");
}

static void test_other_program(void **state)
{
	char before[65536], after[65536];
	size_t n;

	(void)state;
	store_close(st);
	st = NULL;
	assert_int_equal(unlink(path()), 0);
	assert_int_equal(close(open(path(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	tamper("CREATE TABLE t (x); PRAGMA application_id = 77");
	n = scratch_read("store.db", before, sizeof(before));
	refuse_open(-EBADMSG, "belongs to another program");
	/* Not touched. */
	assert_int_equal(scratch_read("store.db", after, sizeof(after)), n);
	assert_memory_equal(before, after, n);
}

static void test_versions(void **state)
{
	(void)state;
	tamper("PRAGMA user_version = 10");
	refuse_open(-EBADMSG, "has schema version 10, this akmd knows 9: use the newer akmd");
	tamper("PRAGMA user_version = 0");
	refuse_open(-EBADMSG, "damaged: schema version 0");
	tamper("PRAGMA user_version = -1");
	refuse_open(-EBADMSG, "damaged: schema version -1");
}

static void test_other_tables(void **state)
{
	(void)state;
	tamper("CREATE TABLE extra (x)");
	refuse_open(-EBADMSG, "its tables are not akmd's");
	tamper("DROP TABLE extra; CREATE TRIGGER t AFTER INSERT ON node BEGIN DELETE FROM event; END");
	refuse_open(-EBADMSG, "its tables are not akmd's");
	tamper("DROP TRIGGER t; DROP INDEX node_name");
	refuse_open(-EBADMSG, "its tables are not akmd's");
	tamper("CREATE INDEX node_name ON node (name)");
	refuse_open(-EBADMSG, "its tables are not akmd's");
	tamper("DROP TABLE step");
	refuse_open(-EBADMSG, "its tables are not akmd's");
}

static void test_statistics_are_fine(void **state)
{
	(void)state;
	put_atr(1);
	tamper("ANALYZE");
	st = open_store();
}

static void test_second_process(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	pid = fork();
	if (pid == 0) {
		struct akm_error err = {};
		struct store *s;
		int r = store_open(path(), &s, &err);

		_exit(r == -EBUSY && strstr(err.reason, "in use by another process") ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int count_events(uint64_t seq, const struct msg_event *e, void *ctx)
{
	(void)seq;
	(void)e;
	++*(size_t *)ctx;
	return 0;
}

/* Every page of a filled database, one after the other, gets a stretch of noise. */
static void test_damage(void **state)
{
	static uint8_t good[1 << 20], bad[1 << 20];
	struct msg_event e = event("me", 0);
	struct akm_error err;
	size_t n, page, refused = 0, pages = 0, events;
	uint64_t seq;
	int i, r;

	(void)state;
	for (i = 0; i < 300; i++)
		assert_int_equal(store_event_add(st, &e, &seq), 0);
	assert_int_equal(put_node(1, "A", NODE_PROVISIONED), 0);
	store_close(st);
	n = scratch_read("store.db", good, sizeof(good));
	assert_true(n > 10 * 4096);
	for (page = 0; page < n; page += 4096, pages++) {
		memcpy(bad, good, n);
		memset(bad + page, 0xa5, 200);
		scratch_write("store.db", bad, n);
		memset(&err, 0, sizeof(err));
		r = store_open(path(), &st, &err);
		if (r < 0) {
			assert_int_equal(r, -EBADMSG);
			assert_true(err.reason[0] != '\0');
			refused++;
			continue;
		}
		/* What is not noticed at once must at least not be served as records. */
		events = 0;
		r = store_event_each(st, 0, SIZE_MAX, count_events, &events);
		assert_true(r == -EBADMSG || (r == 0 && events == 300));
		store_close(st);
	}
	assert_true(refused + 3 > pages);
	scratch_write("store.db", good, n - 4096);
	st = NULL;
	refuse_open(-EBADMSG, "");
	scratch_write("store.db", good, n);
	st = open_store();
}

/* Settings and transactions */

static void test_settings(void **state)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {}, c = {};
	char key[80];
	uint64_t v = 1;

	(void)state;
	assert_int_equal(store_get(st, "domain", &b), -ENOENT);
	assert_null(b.data);
	assert_int_equal(store_set(st, "domain", "one", 3), 0);
	assert_int_equal(store_set(st, "domain", "\0two", 4), 0);
	reopen();
	assert_int_equal(store_get(st, "domain", &b), 0);
	assert_int_equal(b.len, 4);
	assert_memory_equal(b.data, "\0two", 4);
	assert_int_equal(store_set(st, "empty", NULL, 0), 0);
	assert_int_equal(store_get(st, "empty", &c), 0);
	assert_int_equal(c.len, 0);
	assert_int_equal(store_get_u64(st, "term", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(store_set_u64(st, "term", UINT64_MAX - 1), 0);
	assert_int_equal(store_get_u64(st, "term", &v), 0);
	assert_true(v == UINT64_MAX - 1);
	assert_int_equal(store_get_u64(st, "domain", &v), -EBADMSG);
	assert_true(v == UINT64_MAX - 1);
	memset(key, 'k', sizeof(key));
	key[64] = '\0';
	assert_int_equal(store_set(st, key, "x", 1), -EINVAL);
	assert_int_equal(store_set(st, "", "x", 1), -EINVAL);
	assert_int_equal(store_set(st, "big", key, SETTING_MAX + 1), -EINVAL);
}

static void test_transaction(void **state)
{
	uint64_t v = 1;

	(void)state;
	store_rollback(st);
	assert_int_equal(store_begin(st), 0);
	assert_int_equal(store_begin(st), -EALREADY);
	assert_int_equal(store_set_u64(st, "a", 1), 0);
	store_rollback(st);
	store_rollback(st);
	assert_int_equal(store_get_u64(st, "a", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(store_begin(st), 0);
	assert_int_equal(store_set_u64(st, "a", 2), 0);
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(store_begin(st), 0);
	assert_int_equal(store_set_u64(st, "a", 3), 0);
	reopen();	/* closes without commit */
	assert_int_equal(store_get_u64(st, "a", &v), 0);
	assert_int_equal(v, 2);
	assert_true(store_commit(st) < 0);
}

/* A failed change inside a transaction undoes itself and nothing else. */
static void test_failed_change_in_transaction(void **state)
{
	struct store_member m[2] = { member(1, 1), member(1, 1) };
	struct store_atr a = atr(1, m, 2), got;
	uint64_t v = 0;

	(void)state;
	assert_int_equal(put_node(1, "A", NODE_PROVISIONED), 0);
	assert_int_equal(store_begin(st), 0);
	assert_int_equal(store_set_u64(st, "a", 2), 0);
	assert_int_equal(store_atr_put(st, &a), -EINVAL);
	assert_int_equal(store_set_u64(st, "b", 3), 0);
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(store_atr_get(st, 1, &got), -ENOENT);
	assert_int_equal(store_get_u64(st, "a", &v), 0);
	assert_int_equal(v, 2);
	assert_int_equal(store_get_u64(st, "b", &v), 0);
	assert_int_equal(v, 3);
}

/* Nodes */

static void test_node(void **state)
{
	struct store_node n = node(1, "EdgeNodeA", NODE_PROVISIONED), got;

	(void)state;
	blob(&n.key, "wrapped key");
	blob(&n.ek_name, "ek name");
	blob(&n.ek_public, "ek public");
	blob(&n.parent_public, "parent public");
	assert_int_equal(store_node_put(st, &n), 0);
	reopen();
	assert_int_equal(store_node_get(st, n.id, &got), 0);
	assert_memory_equal(got.id, n.id, sizeof(n.id));
	assert_string_equal(got.name, "EdgeNodeA");
	assert_string_equal(got.label, "MgmtMod-EdgeNodeA");
	assert_int_equal(got.state, NODE_PROVISIONED);
	assert_memory_equal(got.hardware, n.hardware, sizeof(n.hardware));
	assert_string_equal(got.sources, "ek,mac:eth0");
	assert_int_equal(got.key.len, 11);
	assert_memory_equal(got.key.data, "wrapped key", 11);
	assert_memory_equal(got.ek_name.data, "ek name", 7);
	assert_memory_equal(got.ek_public.data, "ek public", 9);
	assert_memory_equal(got.parent_public.data, "parent public", 13);
	assert_int_equal(got.parent_name.len, 0);
	assert_int_equal(got.link_n, 3);
	assert_int_equal(got.since_ms, n.since_ms);
	assert_int_equal(got.endpoint.addr_len, 4);
	assert_memory_equal(got.endpoint.addr, n.endpoint.addr, 16);
	assert_int_equal(got.endpoint.port, 7645);
	store_node_free(&got);
	n.link_n = 4;
	n.endpoint.addr_len = 0;
	assert_int_equal(store_node_put(st, &n), 0);
	assert_int_equal(store_node_by_ek(st, &n.ek_name, &got), 0);
	assert_int_equal(got.link_n, 4);
	assert_int_equal(got.endpoint.addr_len, 0);
	store_node_free(&got);
	store_node_free(&n);
}

static void test_node_out_of_range(void **state)
{
	struct store_node n = node(1, "A", NODE_PROVISIONED), got;

	(void)state;
	n.state = 4;
	assert_int_equal(store_node_put(st, &n), -EINVAL);
	n = node(1, "", NODE_PROVISIONED);
	assert_int_equal(store_node_put(st, &n), -EINVAL);
	n = node(1, "A", NODE_PROVISIONED);
	n.endpoint.addr_len = 5;
	assert_int_equal(store_node_put(st, &n), -EINVAL);
	n = node(1, "A", NODE_PROVISIONED);
	n.link_n = (uint64_t)INT64_MAX + 1;
	assert_int_equal(store_node_put(st, &n), -EINVAL);
	assert_int_equal(store_node_get(st, n.id, &got), -ENOENT);
	/* A failure leaves nothing behind in the prepared statement. */
	n.link_n = INT64_MAX;
	assert_int_equal(store_node_put(st, &n), 0);
}

static void test_node_names(void **state)
{
	struct store_node got;

	(void)state;
	assert_int_equal(store_node_by_name(st, "A", &got), -ENOENT);
	assert_int_equal(put_node(1, "A", NODE_EVICTED), 0);
	assert_int_equal(put_node(2, "A", NODE_EVICTED), 0);
	assert_int_equal(store_node_by_name(st, "A", &got), 0);
	assert_int_equal(got.id[0], 2);
	store_node_free(&got);
	assert_int_equal(put_node(3, "A", NODE_PROVISIONED), 0);
	assert_int_equal(put_node(4, "A", NODE_PROVISIONED), -EEXIST);
	assert_int_equal(put_node(2, "A", NODE_PROVISIONED), -EEXIST);
	assert_int_equal(put_node(4, "A", NODE_PENDING), 0);
	assert_int_equal(store_node_by_name(st, "A", &got), 0);
	assert_int_equal(got.id[0], 3);
	store_node_free(&got);
	assert_int_equal(put_node(3, "A", NODE_EVICTED), 0);
	assert_int_equal(store_node_by_name(st, "A", &got), 0);
	assert_int_equal(got.id[0], 4);
	store_node_free(&got);
}

static void test_node_by_ek(void **state)
{
	struct store_node n = node(1, "A", NODE_PENDING), got;

	(void)state;
	blob(&n.ek_name, "ek");
	assert_int_equal(store_node_by_ek(st, &n.ek_name, &got), -ENOENT);
	assert_int_equal(store_node_put(st, &n), 0);
	memset(n.id, 2, sizeof(n.id));
	n.since_ms++;
	assert_int_equal(store_node_put(st, &n), 0);
	assert_int_equal(store_node_by_ek(st, &n.ek_name, &got), 0);
	assert_int_equal(got.id[0], 2);
	store_node_free(&got);
	n.state = NODE_EVICTED;
	assert_int_equal(store_node_put(st, &n), 0);
	assert_int_equal(store_node_by_ek(st, &n.ek_name, &got), 0);
	assert_int_equal(got.id[0], 1);
	store_node_free(&got);
	store_node_free(&n);
}

static void test_node_delete(void **state)
{
	struct store_member m[1] = { member(0, 1) };
	struct store_atr a = atr(1, m, 1);
	struct store_node n = node(1, "A", NODE_PROVISIONED);

	(void)state;
	assert_int_equal(store_node_delete(st, n.id), -ENOENT);
	assert_int_equal(store_node_put(st, &n), 0);
	assert_int_equal(store_node_delete(st, n.id), 0);
	assert_int_equal(store_node_put(st, &n), 0);
	assert_int_equal(store_atr_put(st, &a), 0);
	assert_int_equal(store_node_delete(st, n.id), -EBUSY);
	/* Its place can be taken inside one transaction, in any order. */
	assert_int_equal(store_begin(st), 0);
	assert_int_equal(store_node_delete(st, n.id), 0);
	memset(m[0].node, 2, sizeof(m[0].node));
	assert_int_equal(store_atr_put(st, &a), 0);
	assert_int_equal(put_node(2, "A", NODE_PROVISIONED), 0);
	assert_int_equal(store_commit(st), 0);
	assert_int_equal(store_begin(st), 0);
	memset(n.id, 2, sizeof(n.id));
	assert_int_equal(store_node_delete(st, n.id), 0);
	assert_int_equal(store_commit(st), -ENOENT);
	assert_int_equal(store_begin(st), 0);
	store_rollback(st);
}

struct names { char text[64]; int stop_at; };

static int collect(const struct store_node *n, void *ctx)
{
	struct names *names = ctx;

	strcat(names->text, n->name);
	return names->stop_at && --names->stop_at == 0 ? 42 : 0;
}

/* Asks and changes the store from inside an iteration. */
static int collect_nested(const struct store_node *n, void *ctx)
{
	struct names inner = {};
	struct store_node got;

	assert_int_equal(store_node_each(st, collect, &inner), 0);
	assert_string_equal(inner.text, "ABC");
	assert_int_equal(store_node_get(st, n->id, &got), 0);
	got.link_n++;
	assert_int_equal(store_node_put(st, &got), 0);
	store_node_free(&got);
	return collect(n, ctx);
}

static void test_node_each(void **state)
{
	struct names names = {};
	struct store_node got;

	(void)state;
	assert_int_equal(store_node_each(st, collect, &names), 0);
	assert_string_equal(names.text, "");
	assert_int_equal(put_node(1, "B", NODE_PROVISIONED), 0);
	assert_int_equal(put_node(2, "A", NODE_PROVISIONED), 0);
	assert_int_equal(put_node(3, "C", NODE_PENDING), 0);
	names.stop_at = 2;
	assert_int_equal(store_node_each(st, collect, &names), 42);
	assert_string_equal(names.text, "AB");
	memset(&names, 0, sizeof(names));
	assert_int_equal(store_node_each(st, collect_nested, &names), 0);
	assert_string_equal(names.text, "ABC");
	assert_int_equal(store_node_by_name(st, "C", &got), 0);
	assert_int_equal(got.link_n, 4);
	store_node_free(&got);
}

/* ATRs */

static void three_nodes(void)
{
	assert_int_equal(put_node(1, "A", NODE_PROVISIONED), 0);
	assert_int_equal(put_node(2, "B", NODE_PROVISIONED), 0);
	assert_int_equal(put_node(3, "C", NODE_PROVISIONED), 0);
}

/* A rotation goes with its node; what its states need to have, and must not, the database knows as well. */
static void test_rotation(void **state)
{
	static uint8_t key[] = "wrapped";
	struct store_rotation r = { .state = ROTATION_WANTED, .since_ms = 5, .reason = "operator" }, got = {};
	uint8_t id[AKM_ID_LEN], stranger[AKM_ID_LEN] = { 0xee };

	(void)state;
	three_nodes();
	memset(id, 1, sizeof(id));
	assert_int_equal(store_rotation_get(st, id, &got), -ENOENT);
	assert_int_equal(store_rotation_put(st, stranger, &r), -ENOENT);
	assert_int_equal(store_rotation_put(st, id, &r), 0);
	r.state = ROTATION_OFFERED;
	assert_int_equal(store_rotation_put(st, id, &r), -EINVAL);
	r.key = (struct akm_blob) { key, sizeof(key) };
	assert_int_equal(store_rotation_put(st, id, &r), 0);
	reopen();
	assert_int_equal(store_rotation_get(st, id, &got), 0);
	assert_int_equal(got.state, ROTATION_OFFERED);
	assert_int_equal(got.key.len, sizeof(key));
	assert_memory_equal(got.key.data, key, sizeof(key));
	assert_int_equal(got.since_ms, 5);
	assert_string_equal(got.reason, "operator");
	store_rotation_free(&got);
	r.state = ROTATION_SETTLING;
	r.n = 7;
	assert_int_equal(store_rotation_put(st, id, &r), -EINVAL);
	r.key = (struct akm_blob) {};
	assert_int_equal(store_rotation_put(st, id, &r), 0);
	assert_int_equal(store_rotation_get(st, id, &got), 0);
	assert_int_equal(got.n, 7);
	store_rotation_free(&got);
	r.n = 0;
	assert_int_equal(store_rotation_put(st, id, &r), -EINVAL);
	assert_int_equal(store_node_delete(st, id), 0);
	assert_int_equal(store_rotation_get(st, id, &got), -ENOENT);
	assert_int_equal(store_rotation_delete(st, id), 0);
}

/* What a node attests to is kept to the last bit, and goes with it. */
static void test_attest(void **state)
{
	struct quote_baseline b = { .pcrs = 0x95, .facts = { .digest = { 1 }, .firmware = UINT64_MAX - 1, .clock_ms = 3,
				    .resets = UINT32_MAX, .restarts = 4 } }, got = {};
	uint8_t id[AKM_ID_LEN], stranger[AKM_ID_LEN] = { 99 };

	(void)state;
	memset(id, 1, sizeof(id));
	three_nodes();
	blob(&b.ak_public, "ak");
	blob(&b.signer, "signer");
	assert_int_equal(store_attest_get(st, id, &got), -ENOENT);
	assert_int_equal(store_attest_put(st, stranger, &b), -ENOENT);
	assert_int_equal(store_attest_put(st, id, &b), 0);
	b.facts.resets = 6;
	assert_int_equal(store_attest_put(st, id, &b), 0);
	reopen();
	assert_int_equal(store_attest_get(st, id, &got), 0);
	assert_memory_equal(&got.facts, &b.facts, sizeof(b.facts));
	assert_int_equal(got.pcrs, 0x95);
	assert_int_equal(got.ak_public.len, 2);
	assert_memory_equal(got.signer.data, "signer", 6);
	quote_baseline_free(&got);
	b.pcrs = 0;
	assert_int_equal(store_attest_put(st, id, &b), -EINVAL);
	b.pcrs = QUOTE_PCRS_ALL + 1;
	assert_int_equal(store_attest_put(st, id, &b), -EINVAL);
	/* A change of the node is none of it; its end is. */
	assert_int_equal(put_node(1, "A2", NODE_PROVISIONED), 0);
	assert_int_equal(store_attest_get(st, id, &got), 0);
	quote_baseline_free(&got);
	assert_int_equal(store_node_delete(st, id), 0);
	assert_int_equal(store_attest_get(st, id, &got), -ENOENT);
	quote_baseline_free(&b);
}

static void test_atr(void **state)
{
	struct store_member m[3] = { member(0, 1), member(1, 2), member(65534, 3) };
	struct store_atr a = atr(1, m, 3), got = {};

	(void)state;
	three_nodes();
	m[1].removed = true;
	m[2].n_addresses = 0;
	m[2].n_prefixes = ADDRESSES_MAX;
	for (uint8_t i = 0; i < ADDRESSES_MAX; i++)
		m[2].prefixes[i] = (struct msg_prefix){ { 192, 168, i }, 4, 24 };
	assert_int_equal(store_atr_get(st, 1, &got), -ENOENT);
	assert_int_equal(store_atr_put(st, &a), 0);
	reopen();
	assert_int_equal(store_atr_get(st, 1, &got), 0);
	assert_int_equal(got.id, 1);
	assert_string_equal(got.label, "A-B-C-1");
	assert_int_equal(got.suite, 1);
	assert_int_equal(got.port, 7645);
	assert_memory_equal(&got.subnet4, &a.subnet4, sizeof(a.subnet4));
	assert_memory_equal(&got.subnet6, &a.subnet6, sizeof(a.subnet6));
	assert_int_equal(got.epoch_interval_ms, UINT32_MAX);
	assert_int_equal(got.epoch_grace_ms, 5000);
	assert_int_equal(got.freshness, 2);
	assert_memory_equal(&got.group, &a.group, sizeof(a.group));
	assert_false(got.fallback);
	assert_int_equal(got.definition, 9);
	assert_int_equal(got.last_generation, 4);
	assert_false(got.deleted);
	assert_int_equal(got.n_members, 3);
	assert_int_equal(got.members[0].index, 0);
	assert_memory_equal(got.members[0].node, m[0].node, AKM_ID_LEN);
	assert_int_equal(got.members[0].n_addresses, 2);
	assert_memory_equal(got.members[0].addresses, m[0].addresses, sizeof(m[0].addresses));
	assert_true(got.members[1].removed);
	assert_int_equal(got.members[2].index, 65534);
	assert_int_equal(got.members[2].n_addresses, 0);
	assert_int_equal(got.members[0].n_prefixes, 0);
	assert_int_equal(got.members[2].n_prefixes, ADDRESSES_MAX);
	assert_memory_equal(got.members[2].prefixes, m[2].prefixes, sizeof(m[2].prefixes));
	store_atr_free(&got);
}

/* A database of an older version is brought up to date where it lies, and is the same as a new one afterwards. */
static void test_upgrade(void **state)
{
	static const char *const to_version[] = {
		NULL, "PRAGMA user_version = 1", "PRAGMA user_version = 2", "PRAGMA user_version = 3", "PRAGMA user_version = 4",
		"PRAGMA user_version = 5", "PRAGMA user_version = 6", "PRAGMA user_version = 7",
		"PRAGMA user_version = 8",
	};
	struct store_member m[1] = { member(0, 1) };
	struct store_atr a = atr(1, m, 1), got;
	struct quote_baseline attest = {};
	uint8_t a_node[AKM_ID_LEN];

	(void)state;
	memset(a_node, 1, sizeof(a_node));
	three_nodes();
	assert_int_equal(store_atr_put(st, &a), 0);
	for (int version = 1; version <= 8; version++) {
		tamper("ALTER TABLE atr DROP COLUMN locked_why; ALTER TABLE atr DROP COLUMN locked_ms");
		if (version <= 7)
			tamper("DROP TABLE rotation");
		if (version <= 6)
			tamper("ALTER TABLE event DROP COLUMN packet; ALTER TABLE event DROP COLUMN packet_len");
		if (version <= 5)
			tamper("ALTER TABLE member DROP COLUMN prefixes");
		if (version <= 4)
			tamper("DROP TABLE attest");
		if (version <= 3)
			tamper("ALTER TABLE atr DROP COLUMN group_ttl; ALTER TABLE atr DROP COLUMN group_addr");
		if (version <= 2)
			tamper("ALTER TABLE atr DROP COLUMN fallback");
		if (version <= 1)
			tamper("ALTER TABLE atr DROP COLUMN freshness");
		tamper(to_version[version]);
		reopen();
		assert_int_equal(store_atr_get(st, 1, &got), 0);
		assert_int_equal(got.definition, 9);
		assert_int_equal(got.freshness, 1);	/* as it was: strict */
		assert_true(got.fallback);		/* as every new one has it */
		assert_int_equal(got.group.addr_len, 0);
		assert_int_equal(got.members[0].n_prefixes, 0);
		assert_true(!got.locked_ms && !got.locked_why[0]);
		assert_int_equal(store_attest_get(st, a_node, &attest), -ENOENT);	/* nodes of before have none */
		store_atr_free(&got);
	}
	assert_int_equal(store_atr_put(st, &a), 0);
}

static void test_atr_members(void **state)
{
	struct store_member m[3] = { member(0, 1), member(1, 2), member(2, 3) };
	struct store_atr a = atr(1, m, 2), got;

	(void)state;
	three_nodes();
	assert_int_equal(store_atr_put(st, &a), 0);
	a.n_members = 3;
	a.definition++;
	assert_int_equal(store_atr_put(st, &a), 0);
	/* Leaving one out, giving one twice: nothing changes. */
	a.n_members = 2;
	a.definition++;
	assert_int_equal(store_atr_put(st, &a), -EINVAL);
	a.n_members = 3;
	m[2].index = 0;
	assert_int_equal(store_atr_put(st, &a), -EINVAL);
	m[2].index = 65535;
	assert_int_equal(store_atr_put(st, &a), -EINVAL);
	m[2] = member(2, 9);	/* no such node */
	assert_int_equal(store_atr_put(st, &a), -ENOENT);
	m[2] = member(2, 3);
	m[2].addresses[0].addr_len = 5;
	assert_int_equal(store_atr_put(st, &a), -EINVAL);
	m[2].addresses[0].addr_len = 4;
	m[2].addresses[0].prefix_len = 33;
	assert_int_equal(store_atr_put(st, &a), -EINVAL);
	m[2].n_addresses = ADDRESSES_MAX + 1;
	assert_int_equal(store_atr_put(st, &a), -EINVAL);
	m[2].n_addresses = 0;
	m[2].n_prefixes = ADDRESSES_MAX + 1;
	assert_int_equal(store_atr_put(st, &a), -EINVAL);
	assert_int_equal(store_atr_get(st, 1, &got), 0);
	assert_int_equal(got.n_members, 3);
	assert_int_equal(got.definition, 10);
	store_atr_free(&got);
	m[2] = member(2, 1);
	m[2].removed = true;
	assert_int_equal(store_atr_put(st, &a), 0);
	assert_int_equal(store_atr_get(st, 1, &got), 0);
	assert_true(got.members[2].removed);
	assert_int_equal(got.members[2].node[0], 1);
	store_atr_free(&got);
}

static int atr_ids(const struct store_atr *a, void *ctx)
{
	*(uint64_t *)ctx = *(uint64_t *)ctx * 10 + a->id;
	return a->id == 3 ? -EINTR : 0;
}

static void test_atr_labels_and_each(void **state)
{
	struct store_atr a = atr(2, NULL, 0), b = atr(1, NULL, 0);
	uint64_t ids = 0;

	(void)state;
	assert_int_equal(store_atr_put(st, &a), 0);
	strcpy(b.label, a.label);
	assert_int_equal(store_atr_put(st, &b), -EEXIST);
	a.deleted = true;
	assert_int_equal(store_atr_put(st, &a), 0);
	assert_int_equal(store_atr_put(st, &b), 0);
	put_atr(3);
	put_atr(4);
	assert_int_equal(store_atr_each(st, atr_ids, &ids), -EINTR);
	assert_int_equal(ids, 123);
	b.id = 0;
	assert_int_equal(store_atr_put(st, &b), -EINVAL);
}

/* Generations and steps */

static void test_generation(void **state)
{
	struct store_generation g = generation(1, 7, 0xdeadbeef), got = {};

	(void)state;
	blob(&g.secret, "wrapped secret");
	assert_int_equal(store_generation_put(st, &g), -ENOENT);
	put_atr(1);
	assert_int_equal(store_generation_get(st, 1, 7, &got), -ENOENT);
	assert_int_equal(store_generation_put(st, &g), 0);
	reopen();
	assert_int_equal(store_generation_get(st, 1, 7, &got), 0);
	assert_int_equal(got.atr_id, 1);
	assert_int_equal(got.number, 7);
	assert_int_equal(got.key_id, 0xdeadbeef);
	assert_int_equal(got.state, GEN_PREPARING);
	assert_int_equal(got.epoch, 5);
	assert_int_equal(got.secret.len, 14);
	assert_memory_equal(got.secret.data, "wrapped secret", 14);
	assert_int_equal(got.created_ms, 77);
	assert_string_equal(got.reason, "create");
	store_generation_free(&got);
	g.number = 0;
	assert_int_equal(store_generation_put(st, &g), -EINVAL);
	g.number = 8;
	assert_int_equal(store_generation_put(st, &g), -EEXIST);	/* key_id */
	store_generation_free(&g);
}

static bool file_has(const char *name, const char *text)
{
	static uint8_t buf[1 << 20];

	if (access(scratch_path(name), F_OK) < 0)
		return false;
	return memmem(buf, scratch_read(name, buf, sizeof(buf)), text, strlen(text)) != NULL;
}

static void test_retired_secret_is_gone(void **state)
{
	struct store_generation g = generation(1, 1, 1), got;

	(void)state;
	put_atr(1);
	blob(&g.secret, "the-wrapped-secret");
	assert_int_equal(store_generation_put(st, &g), 0);
	assert_true(file_has("store.db", "the-wrapped-secret") || file_has("store.db-wal", "the-wrapped-secret"));
	g.state = GEN_RETIRED;
	assert_int_equal(store_begin(st), 0);
	assert_int_equal(store_generation_put(st, &g), 0);
	assert_int_equal(store_commit(st), 0);
	assert_false(file_has("store.db", "the-wrapped-secret"));
	assert_false(file_has("store.db-wal", "the-wrapped-secret"));
	assert_int_equal(store_generation_get(st, 1, 1, &got), 0);
	assert_int_equal(got.secret.len, 0);
	assert_int_equal(got.state, GEN_RETIRED);
	store_generation_free(&got);
	store_generation_free(&g);
	/* Its key_id is free again. */
	g = generation(1, 2, 1);
	assert_int_equal(store_generation_put(st, &g), 0);
}

static int generation_numbers(const struct store_generation *g, void *ctx)
{
	*(uint64_t *)ctx = *(uint64_t *)ctx * 10 + g->number;
	return g->number == 8 ? 1 : 0;
}

/* Retires while it iterates: the erasing waits for the reader, and is not forgotten. */
static int retire(const struct store_generation *g, void *ctx)
{
	struct store_generation copy = *g;

	(void)ctx;
	copy.state = GEN_RETIRED;
	return store_generation_put(st, &copy);
}

static void test_generation_each(void **state)
{
	struct store_generation g;
	uint64_t numbers = 0;
	uint32_t i;

	(void)state;
	put_atr(1);
	put_atr(2);
	for (i = 9; i > 5; i--) {
		g = generation(1, i, i);
		blob(&g.secret, "the-wrapped-secret");
		assert_int_equal(store_generation_put(st, &g), 0);
		store_generation_free(&g);
	}
	g = generation(2, 1, 100);
	assert_int_equal(store_generation_put(st, &g), 0);
	assert_int_equal(store_generation_each(st, 1, generation_numbers, &numbers), 1);
	assert_int_equal(numbers, 678);
	assert_int_equal(store_generation_each(st, 1, retire, NULL), 0);
	g.number = 2;
	g.key_id = 101;
	assert_int_equal(store_generation_put(st, &g), 0);
	assert_false(file_has("store.db", "the-wrapped-secret"));
	assert_false(file_has("store.db-wal", "the-wrapped-secret"));
}

static void test_steps(void **state)
{
	struct store_generation g = generation(1, 1, 1);
	uint8_t id[AKM_ID_LEN] = { 1 };
	enum store_step step = STEP_RETIRED;

	(void)state;
	put_atr(1);
	assert_int_equal(store_step_set(st, 1, 1, id, STEP_PREPARED), -ENOENT);
	assert_int_equal(store_generation_put(st, &g), 0);
	assert_int_equal(store_step_get(st, 1, 1, id, &step), 0);
	assert_int_equal(step, STEP_NONE);
	assert_int_equal(store_step_set(st, 1, 1, id, STEP_PREPARED), 0);
	assert_int_equal(store_step_set(st, 1, 1, id, STEP_ACTIVATED), 0);
	reopen();
	assert_int_equal(store_step_get(st, 1, 1, id, &step), 0);
	assert_int_equal(step, STEP_ACTIVATED);
	assert_int_equal(store_step_set(st, 1, 1, id, 4), -EINVAL);
	/* Changing the generation keeps its steps. */
	g.state = GEN_ACTIVE;
	assert_int_equal(store_generation_put(st, &g), 0);
	assert_int_equal(store_step_get(st, 1, 1, id, &step), 0);
	assert_int_equal(step, STEP_ACTIVATED);
}

/* Events */

struct seen { size_t n; uint64_t seq[16]; struct msg_event e[16]; };

static int see(uint64_t seq, const struct msg_event *e, void *ctx)
{
	struct seen *seen = ctx;

	assert_true(seen->n < 16);
	seen->seq[seen->n] = seq;
	seen->e[seen->n++] = *e;
	return 0;
}

static void test_events(void **state)
{
	struct msg_event own = event("MgmtMod", 0), remote = event("EdgeNodeA", 500);
	struct seen seen = {};
	uint64_t seq = 0;

	(void)state;
	assert_int_equal(store_event_add(st, &own, &seq), 0);
	assert_int_equal(seq, 1);
	remote.member = 65534;
	remote.packet = (struct msg_packet){ .len = 65535, .n = 64, .bytes = { 1, [63] = 64 } };
	assert_int_equal(store_event_add(st, &remote, &seq), 0);
	assert_int_equal(seq, 2);
	assert_int_equal(store_event_add(st, &remote, &seq), -EEXIST);
	assert_int_equal(seq, 2);
	/* The same number at another time: the node was set up anew and counts from the start. */
	remote.time_ms++;
	assert_int_equal(store_event_add(st, &remote, &seq), 0);
	assert_int_equal(store_event_add(st, &own, &seq), 0);
	reopen();
	assert_int_equal(store_event_each(st, 0, 100, see, &seen), 0);
	assert_int_equal(seen.n, 4);
	assert_int_equal(seen.e[0].seq, seen.seq[0]);
	assert_string_equal(seen.e[0].source, "MgmtMod");
	assert_int_equal(seen.e[1].seq, 500);
	assert_string_equal(seen.e[1].source, "EdgeNodeA");
	assert_int_equal(seen.e[1].time_ms, 1500);
	assert_string_equal(seen.e[1].kind, "replay");
	assert_int_equal(seen.e[1].severity, SEV_ALERT);
	assert_int_equal(seen.e[1].atr_id, 1);
	assert_int_equal(seen.e[1].member, 65534);
	assert_int_equal(seen.e[0].member, -1);
	assert_int_equal(seen.e[1].count, 12);
	assert_string_equal(seen.e[1].text, "twelve replays");
	assert_int_equal(seen.e[0].packet.len, 0);
	assert_int_equal(seen.e[1].packet.len, 65535);
	assert_int_equal(seen.e[1].packet.n, 64);
	assert_int_equal(seen.e[1].packet.bytes[0], 1);
	assert_int_equal(seen.e[1].packet.bytes[63], 64);
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(store_event_each(st, 1, 2, see, &seen), 0);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.seq[0], 2);
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(store_event_each(st, UINT64_MAX, SIZE_MAX, see, &seen), 0);
	assert_int_equal(seen.n, 0);
	own.severity = 0;
	assert_int_equal(store_event_add(st, &own, &seq), -EINVAL);
}

static void test_outbox(void **state)
{
	struct msg_event e = event("me", 0);
	struct seen seen = {};
	uint64_t seq, i;

	(void)state;
	for (i = 0; i < 5; i++)
		assert_int_equal(store_event_add(st, &e, &seq), 0);
	assert_int_equal(store_outbox_each(st, 3, see, &seen), 0);
	assert_int_equal(seen.n, 3);
	assert_int_equal(store_outbox_acked(st, 4), 0);
	assert_int_equal(store_outbox_acked(st, 2), 0);
	reopen();
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(store_outbox_each(st, 10, see, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.seq[0], 5);
}

static void test_old_events_go(void **state)
{
	struct msg_event e = event("me", 0);
	struct seen seen = {};
	char sql[128];
	uint64_t seq, last = (EVENTS_KEPT / 1024 + 1) * 1024;

	(void)state;
	assert_int_equal(store_event_add(st, &e, &seq), 0);
	snprintf(sql, sizeof(sql), "UPDATE sqlite_sequence SET seq = %llu", (unsigned long long)last - 2);
	tamper(sql);
	st = open_store();
	assert_int_equal(store_event_add(st, &e, &seq), 0);
	assert_int_equal(store_event_each(st, 0, 10, see, &seen), 0);
	assert_int_equal(seen.n, 2);
	assert_int_equal(store_event_add(st, &e, &seq), 0);
	assert_int_equal(seq, last);
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(store_event_each(st, 0, 10, see, &seen), 0);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.seq[0], last - 1);
}

/* A row that akmd would not write, in a file that is otherwise whole */
static void test_bad_rows(void **state)
{
	struct store_node n;
	struct akm_blob b = {};
	struct seen seen = {};
	struct msg_event e = event("me", 0);
	uint8_t id[AKM_ID_LEN];
	uint64_t seq;

	(void)state;
	memset(id, 1, sizeof(id));
	assert_int_equal(put_node(1, "A", NODE_PROVISIONED), 0);
	assert_int_equal(store_event_add(st, &e, &seq), 0);
	tamper("UPDATE node SET sources = printf('%.300c', 'x'); UPDATE event SET kind = char(65, 0, 66)");
	st = open_store();
	assert_int_equal(store_node_get(st, id, &n), -EBADMSG);
	assert_int_equal(store_event_each(st, 0, 10, see, &seen), -EBADMSG);
	assert_int_equal(seen.n, 0);
	assert_int_equal(store_get(st, "none", &b), -ENOENT);
}

/* Backup, and being killed */

static void test_backup(void **state)
{
	struct akm_error err = {};
	struct store_node got;
	struct stat s;

	(void)state;
	three_nodes();
	assert_int_equal(store_begin(st), 0);
	assert_int_equal(store_backup(st, scratch_path("backup.db"), &err), -EBUSY);
	store_rollback(st);
	assert_int_equal(store_backup(st, scratch_path("backup.db"), &err), 0);
	assert_int_equal(store_backup(st, scratch_path("backup.db"), &err), -EEXIST);
	assert_int_equal(store_backup(st, scratch_path("no/backup.db"), &err), -ENOENT);
	assert_string_equal(err.field, "backup");
	assert_int_equal(stat(scratch_path("backup.db"), &s), 0);
	assert_int_equal(s.st_mode & 07777, 0600);
	/* The original goes on and the copy opens as a store. */
	assert_int_equal(put_node(4, "D", NODE_PROVISIONED), 0);
	store_close(st);
	assert_int_equal(rename(scratch_path("backup.db"), path()), 0);
	st = open_store();
	assert_int_equal(store_node_by_name(st, "C", &got), 0);
	store_node_free(&got);
	assert_int_equal(store_node_by_name(st, "D", &got), -ENOENT);
}

/* The child tells each event it has stored; what it told must be there after SIGKILL. */
static uint64_t write_until_killed(int kill_after)
{
	struct msg_event e = event("me", 0);
	uint64_t seq = 0, last = 0;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		struct store *s = open_store();

		for (;;) {
			if (store_begin(s) < 0 || store_event_add(s, &e, &seq) < 0 || store_set_u64(s, "last", seq) < 0 ||
			    store_commit(s) < 0 || write(fds[1], &seq, sizeof(seq)) != sizeof(seq))
				_exit(1);
		}
	}
	close(fds[1]);
	while (kill_after-- && read(fds[0], &seq, sizeof(seq)) == sizeof(seq))
		last = seq;
	kill(pid, SIGKILL);
	while (read(fds[0], &seq, sizeof(seq)) == sizeof(seq))
		last = seq;
	close(fds[0]);
	waitpid(pid, NULL, 0);
	return last;
}

static void test_kill(void **state)
{
	size_t events = 0;
	uint64_t told, last = 0;
	int round;

	(void)state;
	store_close(st);
	st = NULL;
	for (round = 1; round <= 5; round++) {
		told = write_until_killed(7 * round);
		assert_true(told >= (uint64_t)(7 * round));
		st = open_store();
		assert_int_equal(store_get_u64(st, "last", &last), 0);
		assert_true(last == told || last == told + 1);
		events = 0;
		assert_int_equal(store_event_each(st, 0, SIZE_MAX, count_events, &events), 0);
		assert_int_equal(events, last);
		store_close(st);
		st = NULL;
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_new_file), T(test_settings_of_the_file), T(test_file_mode), T(test_no_directory), T(test_not_a_database),
		T(test_other_program), T(test_versions), T(test_upgrade), T(test_attest), T(test_rotation), T(test_other_tables), T(test_statistics_are_fine), T(test_second_process),
		T(test_damage), T(test_settings), T(test_transaction), T(test_failed_change_in_transaction),
		T(test_node), T(test_node_out_of_range), T(test_node_names), T(test_node_by_ek), T(test_node_delete), T(test_node_each),
		T(test_atr), T(test_atr_members), T(test_atr_labels_and_each),
		T(test_generation), T(test_retired_secret_is_gone), T(test_generation_each), T(test_steps),
		T(test_events), T(test_outbox), T(test_old_events_go), T(test_bad_rows), T(test_backup), T(test_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
