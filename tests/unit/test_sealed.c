// SPDX-License-Identifier: GPL-2.0
/*
 * The sealed store against a TPM of a few lines, whose counter is in memory that
 * forked children share. Power failures are played by children that end at their
 * k-th write, fsync, rename, unlink or count, for every k.
 */
#define _GNU_SOURCE
#include "sealed.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <cmocka.h>

#include "bounds.h"
#include "support_dir.h"

#define HEAP	(1 << 20)
#define HEADER	68	/* bytes before the ciphertext, sealed.h */
#define TAG	16
#define STEPS_MAX 64

/* The TPM */

struct keystore {
	uint8_t id;
	uint64_t counter;
	int fail_before, fail_after, fail_read;	/* errno of the next count, before or after it counted; of the next reading */
	bool others;			/* somebody else counts as well */
};

static struct keystore *tpm;

static int take(int *once)
{
	int e = *once;

	*once = 0;
	return e;
}

int keystore_seal(struct keystore *ks, const struct akm_secret *secret, struct akm_blob *ret)
{
	uint8_t buf[65] = { ks->id };
	size_t i;

	for (i = 0; i < secret->len; i++)
		buf[1 + i] = secret->data[i] ^ 0xff;
	return akm_blob_dup(buf, 1 + secret->len, ret);
}

int keystore_unseal(struct keystore *ks, const struct akm_blob *sealed, struct akm_secret *ret)
{
	size_t i;
	int r;

	if (sealed->data[0] != ks->id)
		return -ENOKEY;
	r = akm_secret_dup(sealed->data + 1, sealed->len - 1, ret);
	for (i = 0; !r && i < ret->len; i++)
		ret->data[i] ^= 0xff;
	return r;
}

int keystore_counter_read(struct keystore *ks, enum keystore_counter c, uint64_t *ret)
{
	assert_int_equal(c, KEYSTORE_STORE);
	if (ks->fail_read)
		return -take(&ks->fail_read);
	*ret = ks->counter;
	return 0;
}

static bool power_step(void);
static void power_off(void);

int keystore_counter_next(struct keystore *ks, enum keystore_counter c, uint64_t *ret)
{
	assert_int_equal(c, KEYSTORE_STORE);
	if (power_step())
		power_off();
	if (ks->fail_before)
		return -take(&ks->fail_before);
	ks->counter += ks->others ? 2 : 1;
	if (ks->fail_after)
		return -take(&ks->fail_after);
	*ret = ks->counter;
	return 0;
}

const char *keystore_strerror(struct keystore *ks)
{
	(void)ks;
	return "TPM says no";
}

/* Power: these stand before libc's. A cut write leaves half of it, a cut fsync of a file half of the file. */

static int steps_left = -1;	/* -1: no failure planned */

static void power_off(void)
{
	kill(getpid(), SIGKILL);
}

static bool power_step(void)
{
	return steps_left >= 0 && steps_left-- == 0;
}

ssize_t write(int fd, const void *buf, size_t n)
{
	if (power_step()) {
		syscall(SYS_write, fd, buf, n / 2);
		power_off();
	}
	return syscall(SYS_write, fd, buf, n);
}

int fsync(int fd)
{
	struct stat st;

	if (power_step()) {
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && ftruncate(fd, st.st_size / 2) < 0)
			_exit(43);
		power_off();
	}
	return (int)syscall(SYS_fsync, fd);
}

int unlinkat(int dir, const char *name, int flags)
{
	if (power_step())
		power_off();
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int renameat(int from, const char *a, int to, const char *b)
{
	if (power_step())
		power_off();
	return (int)syscall(SYS_renameat, from, a, to, b);
}

/* Helpers */

static int setup(void **state)
{
	(void)state;
	scratch_make();
	memset(tpm, 0, sizeof(*tpm));
	tpm->id = 7;
	tpm->counter = 100;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	steps_left = -1;
	scratch_remove();
	return 0;
}

static const char *dir(void)
{
	return scratch_path("store");
}

static struct sealed *open_store(char ret_content[64])
{
	struct akm_secret content = {};
	struct akm_error err = {};
	struct sealed *s = NULL;
	int r = sealed_open(tpm, dir(), &s, &content, &err);

	if (r < 0)
		print_error("%s: %s\n", err.field, err.reason);
	assert_int_equal(r, 0);
	assert_true(content.len < 64);
	memcpy(ret_content, content.data, content.len);
	ret_content[content.len] = '\0';
	akm_secret_free(&content);
	return s;
}

static int write_text(struct sealed *s, const char *text, struct akm_error *err)
{
	_cleanup_secret_ struct akm_secret content = {};
	int r = akm_secret_dup(text, strlen(text), &content);

	return r ?: sealed_write(s, tpm, &content, err);
}

static void put(const char *text)
{
	char had[64];
	struct sealed *s = open_store(had);

	assert_int_equal(write_text(s, text, NULL), 0);
	sealed_close(s);
}

static void expect(const char *text)
{
	char had[64];

	sealed_close(open_store(had));
	assert_string_equal(had, text);
}

static void refuse(int want, const char *field)
{
	struct sealed *s = (struct sealed *)1;
	struct akm_secret content = { .data = (uint8_t *)1, .len = 1 };
	struct akm_error err = {};
	int r = sealed_open(tpm, dir(), &s, &content, &err);

	if (r != want || strcmp(err.field, field) != 0)
		print_error("%d %s: %s\n", r, err.field, err.reason);
	assert_int_equal(r, want);
	assert_string_equal(err.field, field);
	assert_ptr_equal(s, (struct sealed *)1);
	assert_ptr_equal(content.data, (uint8_t *)1);
}

static bool have(const char *name)
{
	return access(scratch_path(name), F_OK) == 0;
}

/* After one write into a new store slot0 is in use, after two slot1. */
static const char *slot_in_use(void)
{
	assert_true(have("store/slot0") != have("store/slot1"));
	return have("store/slot0") ? "store/slot0" : "store/slot1";
}

/* Plain use */

static void test_new(void **state)
{
	struct stat st;

	(void)state;
	expect("");
	assert_int_equal(stat(dir(), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(scratch_path("store/master"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(scratch_count("store"), 1);
	expect("");
	assert_int_equal(tpm->counter, 100);
}

static void test_write(void **state)
{
	struct stat st;
	int i;
	char text[16];

	(void)state;
	for (i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "v%d", i);
		put(text);
		expect(text);
		assert_int_equal(scratch_count("store"), 2);
		assert_int_equal(tpm->counter, 101 + i);
		assert_int_equal(stat(scratch_path(slot_in_use()), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(st.st_size, HEADER + 2 + TAG);
	}
	put("");
	expect("");
}

static void test_no_plaintext(void **state)
{
	uint8_t a[512], b[512];
	size_t n, m;

	(void)state;
	put("the quick brown fox");
	n = scratch_read(slot_in_use(), a, sizeof(a));
	assert_null(memmem(a, n, "quick", 5));
	put("the quick brown fox");
	m = scratch_read(slot_in_use(), b, sizeof(b));
	assert_int_equal(n, m);
	/* Other salt, nonce, ciphertext for the same contents */
	assert_memory_not_equal(a + 24, b + 24, 32);
	assert_memory_not_equal(a + HEADER, b + HEADER, 19);
}

static void test_old_slot_is_overwritten(void **state)
{
	uint8_t bytes[256];
	ssize_t n;
	int fd;

	(void)state;
	put("old secrets");
	fd = open(scratch_path("store/slot0"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	put("new");
	assert_false(have("store/slot0"));
	n = read(fd, bytes, sizeof(bytes));
	assert_int_equal(n, HEADER + 11 + TAG);
	while (n)
		assert_int_equal(bytes[--n], 0);
	close(fd);
}

static void test_too_big(void **state)
{
	static struct akm_secret big;
	struct akm_error err = {};
	struct sealed *s;
	char had[64];

	(void)state;
	put("small");
	s = open_store(had);
	big.data = (uint8_t *)had;	/* never read: the length is refused first */
	big.len = SEALED_FILE_MAX - HEADER - TAG + 1;
	assert_int_equal(sealed_write(s, tpm, &big, &err), -EFBIG);
	assert_string_equal(err.field, "slot1");
	sealed_close(s);
	assert_int_equal(tpm->counter, 101);
	expect("small");
}

static void test_locked(void **state)
{
	char had[64];
	struct sealed *s = open_store(had);

	(void)state;
	refuse(-EBUSY, "directory");
	sealed_close(s);
	expect("");
}

/* Refusals */

static void test_directory(void **state)
{
	struct akm_secret content = {};
	struct akm_error err = {};
	struct sealed *s;

	(void)state;
	assert_int_equal(sealed_open(tpm, scratch_path("no/store"), &s, &content, &err), -ENOENT);
	assert_string_equal(err.field, "directory");
	scratch_write("store", "", 0);
	refuse(-ENOTDIR, "directory");
	assert_int_equal(unlink(dir()), 0);
	assert_int_equal(mkdir(dir(), 0700), 0);
	assert_int_equal(chmod(dir(), 0750), 0);
	refuse(-EPERM, "directory");
	assert_int_equal(rmdir(dir()), 0);
	assert_int_equal(symlink(scratch_dir(), dir()), 0);
	refuse(-ENOTDIR, "directory");
}

static void test_other_tpm(void **state)
{
	(void)state;
	put("secret");
	tpm->id = 8;
	refuse(-ENOKEY, "master");
	tpm->id = 7;
	expect("secret");
	tpm->fail_read = ENODEV;
	refuse(-ENODEV, "counter");
}

static void test_rollback(void **state)
{
	uint8_t old[256], older[256];
	size_t n, m;

	(void)state;
	put("one");
	m = scratch_read("store/slot0", older, sizeof(older));
	put("two");
	n = scratch_read("store/slot1", old, sizeof(old));
	put("three");
	assert_int_equal(unlink(scratch_path("store/slot0")), 0);
	scratch_write("store/slot1", old, n);
	refuse(-ESTALE, "slot1");
	scratch_write("store/slot0", older, m);
	refuse(-ESTALE, "slot0");
	/* A damaged one beside it does not hide it. */
	scratch_write("store/slot0", "junk", 4);
	refuse(-ESTALE, "slot1");
	/* Both gone: not a new store. */
	assert_int_equal(unlink(scratch_path("store/slot0")), 0);
	assert_int_equal(unlink(scratch_path("store/slot1")), 0);
	refuse(-ESTALE, "slot0");
}

/* A TPM whose counter was set up anew, or belongs to someone else: the file is from the future. */
static void test_counter_behind(void **state)
{
	(void)state;
	put("one");
	put("two");
	tpm->counter = 100;
	refuse(-ESTALE, "slot1");
}

static void test_old_beside_new(void **state)
{
	uint8_t old[256];
	size_t n;

	(void)state;
	put("one");
	n = scratch_read("store/slot0", old, sizeof(old));
	put("two");
	scratch_write("store/slot0", old, n);
	expect("two");
	assert_false(have("store/slot0"));
}

static void test_every_bit_counts(void **state)
{
	uint8_t file[256];
	size_t n, i;

	(void)state;
	put("contents");
	n = scratch_read("store/slot0", file, sizeof(file));
	for (i = 0; i < n; i++) {
		file[i] ^= (uint8_t)(1 << (i % 8));
		scratch_write("store/slot0", file, n);
		refuse(-EBADMSG, "slot0");
		file[i] ^= (uint8_t)(1 << (i % 8));
	}
	for (i = 0; i < n; i++) {
		scratch_write("store/slot0", file, i);
		refuse(-EBADMSG, "slot0");
	}
	file[n] = 0;
	scratch_write("store/slot0", file, n + 1);
	refuse(-EBADMSG, "slot0");
	scratch_write("store/slot0", file, n);
	expect("contents");
}

static void test_slots_cannot_be_swapped(void **state)
{
	(void)state;
	put("contents");
	assert_int_equal(rename(scratch_path("store/slot0"), scratch_path("store/slot1")), 0);
	refuse(-EBADMSG, "slot1");
}

static void test_strange_files(void **state)
{
	int fd;

	(void)state;
	put("contents");
	/* The other slot is not in use: whatever lies there goes away. */
	assert_int_equal(symlink("/etc/passwd", scratch_path("store/slot1")), 0);
	expect("contents");
	assert_false(have("store/slot1"));
	assert_int_equal(unlink(scratch_path("store/slot0")), 0);
	assert_int_equal(mkfifo(scratch_path("store/slot0"), 0600), 0);
	refuse(-EBADMSG, "slot0");
	assert_int_equal(unlink(scratch_path("store/slot0")), 0);
	fd = open(scratch_path("store/slot0"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, SEALED_FILE_MAX + 1), 0);
	close(fd);
	refuse(-EBADMSG, "slot0");
}

static void test_master(void **state)
{
	uint8_t file[256], big[16 + BLOB_MAX + 1] = "AKMMSTR1";
	size_t n, i;

	(void)state;
	put("contents");
	n = scratch_read("store/master", file, sizeof(file));
	assert_int_equal(n, 8 + 8 + 1 + 32);
	for (i = 0; i <= 16; i++) {
		scratch_write("store/master", file, i);
		refuse(-EBADMSG, "master");
	}
	scratch_write("store/master", file, n - 1);
	refuse(-EBADMSG, "master");
	file[0] ^= 1;
	scratch_write("store/master", file, n);
	refuse(-EBADMSG, "master");
	file[0] ^= 1;
	file[30] ^= 1;
	scratch_write("store/master", file, n);
	refuse(-EBADMSG, "slot0");
	scratch_write("store/master", big, sizeof(big));
	refuse(-EBADMSG, "master");
	/* Without it the slots are lost; a fresh one beside them would hide that. */
	assert_int_equal(unlink(scratch_path("store/master")), 0);
	refuse(-EBADMSG, "master");
}

/* The TPM fails while counting */

static void test_count_fails(void **state)
{
	struct akm_error err = {};
	struct sealed *s;
	char had[64];

	(void)state;
	put("one");
	s = open_store(had);
	tpm->fail_before = EAGAIN;
	assert_int_equal(write_text(s, "two", &err), -EAGAIN);
	assert_string_equal(err.field, "counter");
	tpm->fail_read = EIO;
	assert_int_equal(write_text(s, "three", &err), -EIO);
	assert_int_equal(write_text(s, "four", &err), 0);
	assert_int_equal(tpm->counter, 102);
	sealed_close(s);
	expect("four");
}

static void test_answer_lost(void **state)
{
	struct akm_error err = {};
	struct sealed *s;
	char had[64];

	(void)state;
	put("one");
	s = open_store(had);
	tpm->fail_after = EIO;
	assert_int_equal(write_text(s, "two", &err), -EIO);
	assert_int_equal(tpm->counter, 102);
	/* The next write must not overwrite the only file that counts. */
	steps_left = 0;
	if (fork() == 0)
		_exit(write_text(s, "three", &err));
	steps_left = -1;
	assert_int_equal(wait(NULL) > 0, 1);
	assert_int_equal(write_text(s, "four", &err), 0);
	assert_int_equal(tpm->counter, 103);
	sealed_close(s);
	expect("four");
	assert_int_equal(scratch_count("store"), 2);
}

static void test_answer_lost_then_power(void **state)
{
	struct sealed *s;
	char had[64];

	(void)state;
	s = open_store(had);
	tpm->fail_after = EIO;
	assert_int_equal(write_text(s, "first", NULL), -EIO);
	sealed_close(s);
	expect("first");
}

static void test_counter_shared(void **state)
{
	struct akm_error err = {};
	struct sealed *s;
	char had[64];

	(void)state;
	put("one");
	s = open_store(had);
	tpm->others = true;
	assert_int_equal(write_text(s, "two", &err), -ESTALE);
	assert_string_equal(err.field, "counter");
	tpm->others = false;
	assert_int_equal(write_text(s, "three", &err), 0);
	sealed_close(s);
	expect("three");
}

/* Power */

/* Runs @fn in a child whose power fails at step @k. Returns true when it got to its end instead. */
static bool cut(int k, void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		steps_left = k;
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return false;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return true;
}

static void write_new(void)
{
	struct akm_secret content = {};
	struct sealed *s;

	if (sealed_open(tpm, dir(), &s, &content, NULL) < 0 || write_text(s, "new", NULL) < 0)
		_exit(1);
	akm_secret_free(&content);
	sealed_close(s);
}

static void just_open(void)
{
	struct akm_secret content = {};
	struct sealed *s;

	if (sealed_open(tpm, dir(), &s, &content, NULL) < 0)
		_exit(1);
	akm_secret_free(&content);
	sealed_close(s);
}

static size_t read_slot(const char *name, uint8_t *buf, size_t size)
{
	return have(name) ? scratch_read(name, buf, size) : 0;
}

/*
 * Who was shown the new contents is never shown the old ones: a copy of them from before the
 * opening, or of what a cut erasure left of them, is refused.
 */
static void put_back(const char *name, const uint8_t *copy, size_t n)
{
	char other[] = "store/slot0", kept[256];
	struct akm_secret content = {};
	struct akm_error err = {};
	struct sealed *s;
	size_t len;
	int r;

	other[10] ^= name[10] == other[10];
	len = read_slot(other, (uint8_t *)kept, sizeof(kept));
	assert_true(len > 0);
	assert_int_equal(unlink(scratch_path(other)), 0);
	scratch_write(name, copy, n);
	r = sealed_open(tpm, dir(), &s, &content, &err);
	assert_true(r == -ESTALE || r == -EBADMSG);
	assert_int_equal(unlink(scratch_path(name)), 0);
	scratch_write(other, kept, len);
}

/* After every cut: old or new, one slot, and the store goes on working. */
static bool check_after(const char *old, bool finished)
{
	static const char *const slots[] = { "store/slot0", "store/slot1" };
	uint8_t copy[2][256];
	size_t n[2];
	char had[64];
	bool is_new;

	for (int i = 0; i < 2; i++)
		n[i] = read_slot(slots[i], copy[i], sizeof(copy[i]));
	sealed_close(open_store(had));
	is_new = strcmp(had, "new") == 0;
	for (int i = 0; is_new && i < 2; i++)
		if (n[i] && !have(slots[i]))
			put_back(slots[i], copy[i], n[i]);
	assert_true(is_new || strcmp(had, old) == 0);
	assert_true(is_new || !finished);
	expect(had);
	assert_true(have("store/slot0") + have("store/slot1") <= 1);
	put("later");
	expect("later");
	return is_new;
}

static void fresh(const char *old)
{
	teardown(NULL);
	setup(NULL);
	if (*old)
		put(old);
}

static void cut_everywhere(const char *old)
{
	int k, first_new = -1;
	bool finished;

	for (k = 0, finished = false; !finished; k++) {
		assert_true(k < STEPS_MAX);
		fresh(old);
		finished = cut(k, write_new);
		/* Once the new contents count they stay. */
		if (check_after(old, finished) && first_new < 0)
			first_new = k;
		assert_true(check_after("later", false) == false);
	}
	print_message("%d steps, new contents from step %d on\n", k - 1, first_new);
	assert_true(k > 5);
	assert_true(first_new > 0);
}

static void test_power_first_write(void **state)
{
	(void)state;
	cut_everywhere("");
}

static void test_power_next_write(void **state)
{
	(void)state;
	cut_everywhere("old");
}

/* The power fails in a write, and then again in the opening that mends it. */
static void test_power_twice(void **state)
{
	bool written, opened;
	int k, j, n = 0;

	(void)state;
	for (k = 0, written = false; !written; k++) {
		for (j = 0, opened = false; !opened; j++, n++) {
			assert_true(k < STEPS_MAX && j < STEPS_MAX);
			fresh("old");
			written = cut(k, write_new);
			opened = cut(j, just_open);
			check_after("old", written);
		}
	}
	assert_true(n > k);
}

/* Values of a database */

static void test_wrap(void **state)
{
	_cleanup_(akm_blob_free) struct akm_blob a = {}, b = {};
	_cleanup_secret_ struct akm_secret v = {}, back = {};
	char had[64];
	struct sealed *s = open_store(had);
	struct akm_blob cut_short;
	size_t i;

	(void)state;
	assert_int_equal(akm_secret_dup("0123456789abcdef", 16, &v), 0);
	assert_int_equal(sealed_wrap(s, "atr 1 generation 2", &v, &a), 0);
	assert_int_equal(sealed_wrap(s, "atr 1 generation 2", &v, &b), 0);
	assert_int_equal(a.len, 1 + 32 + 12 + 16 + 16);
	assert_memory_not_equal(a.data + 45, b.data + 45, 16);
	assert_null(memmem(a.data, a.len, "01234", 5));
	assert_int_equal(sealed_unwrap(s, "atr 1 generation 3", &a, &back), -EBADMSG);
	assert_int_equal(sealed_unwrap(s, "", &a, &back), -EBADMSG);
	for (i = 0; i < a.len; i++) {
		a.data[i] ^= 0x40;
		assert_int_equal(sealed_unwrap(s, "atr 1 generation 2", &a, &back), -EBADMSG);
		a.data[i] ^= 0x40;
		cut_short = (struct akm_blob){ a.data, i };
		assert_int_equal(sealed_unwrap(s, "atr 1 generation 2", &cut_short, &back), -EBADMSG);
	}
	assert_null(back.data);
	sealed_close(s);
	s = open_store(had);
	assert_int_equal(sealed_unwrap(s, "atr 1 generation 2", &a, &back), 0);
	assert_int_equal(back.len, 16);
	assert_memory_equal(back.data, v.data, 16);
	sealed_close(s);
}

static void test_wrap_bounds(void **state)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	_cleanup_secret_ struct akm_secret v = {}, back = {};
	struct akm_secret big;
	char had[64];
	struct sealed *s = open_store(had);

	(void)state;
	big = (struct akm_secret){ (uint8_t *)had, BLOB_MAX - 45 - 16 + 1 };
	assert_int_equal(sealed_wrap(s, "x", &big, &b), -EMSGSIZE);
	assert_int_equal(akm_secret_new(BLOB_MAX - 45 - 16, &v), 0);
	assert_int_equal(sealed_wrap(s, "x", &v, &b), 0);
	assert_int_equal(sealed_unwrap(s, "x", &b, &back), 0);
	assert_int_equal(back.len, v.len);
	b.len++;
	assert_int_equal(sealed_unwrap(s, "x", &b, &v), -EBADMSG);
	sealed_close(s);
}

static void test_wrap_other_store(void **state)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	_cleanup_secret_ struct akm_secret v = {}, back = {};
	char had[64];
	struct sealed *s = open_store(had);

	(void)state;
	assert_int_equal(akm_secret_dup("v", 1, &v), 0);
	assert_int_equal(sealed_wrap(s, "x", &v, &b), 0);
	sealed_close(s);
	fresh("");
	s = open_store(had);
	assert_int_equal(sealed_unwrap(s, "x", &b, &back), -EBADMSG);
	sealed_close(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_new), T(test_write), T(test_no_plaintext), T(test_old_slot_is_overwritten), T(test_too_big), T(test_locked),
		T(test_directory), T(test_other_tpm), T(test_rollback), T(test_counter_behind), T(test_old_beside_new),
		T(test_every_bit_counts), T(test_slots_cannot_be_swapped), T(test_strange_files), T(test_master),
		T(test_count_fails), T(test_answer_lost), T(test_answer_lost_then_power), T(test_counter_shared),
		T(test_power_first_write), T(test_power_next_write), T(test_power_twice),
		T(test_wrap), T(test_wrap_bounds), T(test_wrap_other_store),
	};

	tpm = mmap(NULL, sizeof(*tpm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tpm == MAP_FAILED || akm_secret_init(HEAP) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
