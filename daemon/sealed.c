// SPDX-License-Identifier: GPL-2.0
#include "sealed.h"

#include <endian.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "bounds.h"
#include "durable.h"
#include "kdf.h"

#define VERSION		1
#define MASTER_MAGIC	"AKMMSTR1"
#define SLOT_MAGIC	"AKMSEAL1"
#define SALT_LEN	32
#define NONCE_LEN	12
#define TAG_LEN		16
#define NO_SLOT		(-1024)	/* no slot number, no errno */

struct master_header {
	char magic[8];
	uint64_t counter;
} __attribute__((packed));

struct slot_header {
	char magic[8];
	uint16_t version, slot;
	uint32_t length;
	uint64_t counter;
	uint8_t salt[SALT_LEN], nonce[NONCE_LEN];
} __attribute__((packed));

/* One wrapped value of a database */
struct value_header {
	uint8_t version;
	uint8_t salt[SALT_LEN], nonce[NONCE_LEN];
} __attribute__((packed));

struct sealed {
	int dir;
	struct akm_secret master;
	uint64_t counter;	/* the TPM's, which the file in @slot carries */
	int slot;		/* the one in use */
	bool unsure;		/* the TPM may or may not have counted the last write */
};

static const char *const slot_names[] = { "slot0", "slot1" };

/* AES-256-GCM */

struct aead {
	const uint8_t *salt, *nonce;
	const char *label;
	const void *aad1, *aad2;
	size_t aad1_len, aad2_len;
};

static int aead_start(EVP_CIPHER_CTX *ctx, const struct akm_secret *master, const struct aead *a,
		      int encrypt)
{
	_cleanup_secret_ struct akm_secret key = {};
	int r, n;

	r = akm_secret_new(AKM_KEY_LEN, &key);
	r = r ?: kdf_store_key(master->data, a->salt, a->label, key.data);
	if (r < 0)
		return r;
	if (EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key.data, a->nonce, encrypt) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, a->aad1, (int)a->aad1_len) != 1 ||
	    EVP_CipherUpdate(ctx, NULL, &n, a->aad2, (int)a->aad2_len) != 1)
		return -EIO;
	return 0;
}

/* @in of @len bytes → @out, and the tag behind it */
static int aead_seal(const struct akm_secret *master, const struct aead *a, const uint8_t *in,
		     size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int r, n;

	if (!ctx)
		return -ENOMEM;
	r = aead_start(ctx, master, a, 1);
	if (!r && ((len && EVP_EncryptUpdate(ctx, out, &n, in, (int)len) != 1) ||
		   EVP_EncryptFinal_ex(ctx, out + len, &n) != 1 ||
		   EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out + len) != 1))
		r = -EIO;
	EVP_CIPHER_CTX_free(ctx);
	if (r < 0)
		ERR_clear_error();
	return r;
}

/* @in is ciphertext of @len bytes, and the tag behind it. *ret only if it is authentic. */
static int aead_open(const struct akm_secret *master, const struct aead *a, const uint8_t *in,
		     size_t len, struct akm_secret *ret)
{
	_cleanup_secret_ struct akm_secret out = {};
	EVP_CIPHER_CTX *ctx;
	uint8_t tag[TAG_LEN];
	int r, n;

	r = akm_secret_new(len, &out);
	if (r < 0)
		return r;
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx)
		return -ENOMEM;
	memcpy(tag, in + len, TAG_LEN);
	r = aead_start(ctx, master, a, 0);
	if (!r && ((len && EVP_DecryptUpdate(ctx, out.data, &n, in, (int)len) != 1) ||
		   EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) != 1 ||
		   EVP_DecryptFinal_ex(ctx, out.data + len, &n) != 1))
		r = -EBADMSG;
	EVP_CIPHER_CTX_free(ctx);
	if (r < 0)
		ERR_clear_error();
	else
		*ret = akm_secret_take(&out);
	return r;
}

/* Files */

static int write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int sync_dir(const struct sealed *s)
{
	return fsync(s->dir) < 0 ? -errno : 0;
}

/* The whole file on disk; its name only after sync_dir(). */
static int write_file(const struct sealed *s, const char *name, const struct akm_blob *b)
{
	_cleanup_close_ int fd = -1;
	int r;

	fd = openat(s->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, b->data, b->len);
	if (!r && fsync(fd) < 0)
		r = -errno;
	return r;
}

static int read_all(int fd, uint8_t *buf, size_t len)
{
	ssize_t n;

	while (len) {
		n = read(fd, buf, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

/* -ENOENT absent; -EBADMSG not a plain file of @min … @max bytes */
static int read_file(const struct sealed *s, const char *name, size_t min, size_t max,
		     struct akm_blob *ret)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	fd = openat(s->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)min || st.st_size > (off_t)max)
		return -EBADMSG;
	b.len = (size_t)st.st_size;
	b.data = malloc(b.len);
	if (!b.data)
		return -ENOMEM;
	r = read_all(fd, b.data, b.len);
	if (r < 0)
		return r;
	*ret = b;
	b = (struct akm_blob){};
	return 0;
}

/* Zeros over the old bytes, on disk, before the name goes. Absent is fine. */
static int erase_file(const struct sealed *s, const char *name)
{
	static const uint8_t zeros[4096];
	_cleanup_close_ int fd = -1;
	struct stat st;
	size_t left, n;
	int r = 0;

	fd = openat(s->dir, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno != ELOOP)
		return errno == ENOENT ? 0 : -errno;
	if (fd >= 0 && fstat(fd, &st) < 0)
		return -errno;
	for (left = fd >= 0 && S_ISREG(st.st_mode) ? (size_t)st.st_size : 0; !r && left; left -= n) {
		n = left < sizeof(zeros) ? left : sizeof(zeros);
		r = write_all(fd, zeros, n);
	}
	if (!r && fd >= 0 && fsync(fd) < 0 && errno != EINVAL)
		r = -errno;
	if (!r && unlinkat(s->dir, name, 0) < 0)
		r = -errno;
	return r ?: sync_dir(s);
}

/* Slots */

static struct aead slot_aead(const struct slot_header *h)
{
	return (struct aead){
		.salt = h->salt,
		.nonce = h->nonce,
		.label = "akm1 sealed store",
		.aad1 = h,
		.aad1_len = sizeof(*h),
		.aad2 = "",
	};
}

static int slot_encode(const struct sealed *s, int slot, uint64_t counter,
		       const struct akm_secret *content, struct akm_blob *ret)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	struct slot_header h = {
		.version = htobe16(VERSION),
		.slot = htobe16((uint16_t)slot),
		.length = htobe32((uint32_t)content->len),
		.counter = htobe64(counter),
	};
	struct aead a = slot_aead(&h);
	int r;

	if (content->len > SEALED_FILE_MAX - sizeof(h) - TAG_LEN)
		return -EFBIG;
	memcpy(h.magic, SLOT_MAGIC, sizeof(h.magic));
	if (RAND_bytes(h.salt, sizeof(h.salt)) != 1 || RAND_bytes(h.nonce, sizeof(h.nonce)) != 1)
		return -EIO;
	b.len = sizeof(h) + content->len + TAG_LEN;
	b.data = malloc(b.len);
	if (!b.data)
		return -ENOMEM;
	memcpy(b.data, &h, sizeof(h));
	r = aead_seal(&s->master, &a, content->data, content->len, b.data + sizeof(h));
	if (r < 0)
		return r;
	*ret = b;
	b = (struct akm_blob){};
	return 0;
}

static int slot_decode(const struct sealed *s, int slot, const struct akm_blob *b,
		       uint64_t *ret_counter, struct akm_secret *ret)
{
	struct slot_header h;
	struct aead a = slot_aead(&h);
	int r;

	memcpy(&h, b->data, sizeof(h));
	if (memcmp(h.magic, SLOT_MAGIC, sizeof(h.magic)) != 0 || be16toh(h.version) != VERSION ||
	    be16toh(h.slot) != slot || be32toh(h.length) != b->len - sizeof(h) - TAG_LEN)
		return -EBADMSG;
	r = aead_open(&s->master, &a, b->data + sizeof(h), b->len - sizeof(h) - TAG_LEN, ret);
	if (r < 0)
		return r;
	*ret_counter = be64toh(h.counter);
	return 0;
}

struct slot {
	int r;			/* 0, -ENOENT, -EBADMSG; others end the opening */
	uint64_t counter;
	struct akm_secret content;
};

static void slot_read(const struct sealed *s, int i, struct slot *ret)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};

	ret->r = read_file(s, slot_names[i], sizeof(struct slot_header) + TAG_LEN, SEALED_FILE_MAX, &b);
	if (!ret->r)
		ret->r = slot_decode(s, i, &b, &ret->counter, &ret->content);
}

static bool slot_current(const struct sealed *s, const struct slot *slot)
{
	return slot->r == 0 && (slot->counter == s->counter || slot->counter == s->counter + 1);
}

/*
 * The one that counts, by the TPM's counter. @fresh: nothing was ever counted, so a damaged
 * slot is a first write that was cut. Return: 0 or 1, NO_SLOT, or why there is none.
 */
static int slot_choose(const struct sealed *s, const struct slot slot[2], bool fresh,
		       struct akm_error *err)
{
	int i;

	for (i = 0; i < 2; i++)
		if (slot[i].r < 0 && slot[i].r != -ENOENT && slot[i].r != -EBADMSG)
			return akm_error_set(err, slot[i].r, slot_names[i], "cannot be read: %s", strerror(-slot[i].r));
	if (slot_current(s, &slot[0]) && slot_current(s, &slot[1]))
		return slot[1].counter > slot[0].counter;
	for (i = 0; i < 2; i++)
		if (slot_current(s, &slot[i]))
			return i;
	for (i = 0; i < 2; i++)
		if (slot[i].r == 0)
			return akm_error_set(
				err, -ESTALE, slot_names[i],
				"is number %llu, the TPM counts %llu: an old copy was put back",
				(unsigned long long)slot[i].counter, (unsigned long long)s->counter);
	for (i = 0; i < 2 && !fresh; i++)
		if (slot[i].r == -EBADMSG)
			return akm_error_set(err, -EBADMSG, slot_names[i], "is damaged, or is not this store's");
	return NO_SLOT;
}

/* Brings the counter and the other slot to where a finished write leaves them. */
static int settle(struct sealed *s, struct keystore *ks, uint64_t counter, struct akm_error *err)
{
	uint64_t now;
	int r;

	if (s->counter != counter) {
		r = keystore_counter_next(ks, KEYSTORE_STORE, &now);
		if (r < 0) {
			s->unsure = true;
			return akm_error_set(err, r, "counter", "the TPM does not count on: %s", keystore_strerror(ks));
		}
		if (now != counter) {
			s->unsure = true;
			return akm_error_set(
				err, -ESTALE, "counter",
				"the TPM counts %llu, not %llu: its index serves something else too",
				(unsigned long long)now, (unsigned long long)counter);
		}
		s->counter = counter;
	}
	return 0;
}

static int erase_other(const struct sealed *s, struct akm_error *err)
{
	const char *name = slot_names[1 - s->slot];
	int r = erase_file(s, name);

	return r < 0 ? akm_error_set(err, r, name, "the old slot cannot be erased: %s", strerror(-r)) : 0;
}

static int load_content(struct sealed *s, struct keystore *ks, uint64_t created,
			struct akm_secret *ret, struct akm_error *err)
{
	struct slot slot[2] = {};
	int i, r;

	for (i = 0; i < 2; i++)
		slot_read(s, i, &slot[i]);
	r = slot_choose(s, slot, s->counter == created, err);
	if (r >= 0) {
		s->slot = r;
		r = settle(s, ks, slot[s->slot].counter, err);
		r = r ?: erase_other(s, err);
		if (!r)
			*ret = akm_secret_take(&slot[s->slot].content);
	} else if (r == NO_SLOT && s->counter != created) {
		r = akm_error_set(err, -ESTALE, "slot0", "neither slot is there, the TPM counts %llu writes",
				  (unsigned long long)(s->counter - created));
	} else if (r == NO_SLOT) {
		r = akm_secret_new(0, ret);
	}
	for (i = 0; i < 2; i++)
		akm_secret_free(&slot[i].content);
	return r;
}

/* Master key */

static int master_write(const struct sealed *s, const struct akm_blob *sealed)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	struct master_header h = { .counter = htobe64(s->counter) };
	int r;

	if (!sealed->len || sealed->len > BLOB_MAX)
		return -EMSGSIZE;
	b.len = sizeof(h) + sealed->len;
	b.data = malloc(b.len);
	if (!b.data)
		return -ENOMEM;
	memcpy(h.magic, MASTER_MAGIC, sizeof(h.magic));
	memcpy(b.data, &h, sizeof(h));
	memcpy(b.data + sizeof(h), sealed->data, sealed->len);
	r = write_file(s, "master.new", &b);
	if (!r && renameat(s->dir, "master.new", s->dir, "master") < 0)
		r = -errno;
	return r ?: sync_dir(s);
}

static int master_create(struct sealed *s, struct keystore *ks, struct akm_error *err)
{
	_cleanup_(akm_blob_free) struct akm_blob sealed = {};
	struct stat st;
	int i, r;

	for (i = 0; i < 2; i++)
		if (fstatat(s->dir, slot_names[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			return akm_error_set(err, -EBADMSG, "master", "is missing beside %s", slot_names[i]);
	r = akm_secret_random(AKM_KEY_LEN, &s->master);
	if (r < 0)
		return akm_error_set(err, r, "master", "%s", strerror(-r));
	r = keystore_seal(ks, &s->master, &sealed);
	if (r < 0)
		return akm_error_set(err, r, "master", "cannot be sealed: %s", keystore_strerror(ks));
	r = master_write(s, &sealed);
	return r < 0 ? akm_error_set(err, r, "master", "cannot be written: %s", strerror(-r)) : 0;
}

static int master_unseal(struct sealed *s, struct keystore *ks, const struct akm_blob *file,
			 struct akm_error *err)
{
	const struct akm_blob sealed = {
		.data = file->data + sizeof(struct master_header),
		.len = file->len - sizeof(struct master_header),
	};
	int r;

	r = keystore_unseal(ks, &sealed, &s->master);
	if (r < 0)
		return akm_error_set(err, r, "master", "the TPM does not unseal it: %s", keystore_strerror(ks));
	if (s->master.len != AKM_KEY_LEN)
		return akm_error_set(err, -EBADMSG, "master", "%zu bytes, not %d", s->master.len, AKM_KEY_LEN);
	return 0;
}

static int load_master(struct sealed *s, struct keystore *ks, uint64_t *ret_created,
		       struct akm_error *err)
{
	_cleanup_(akm_blob_free) struct akm_blob file = {};
	struct master_header h;
	int r;

	r = read_file(s, "master", sizeof(h) + 1, sizeof(h) + BLOB_MAX, &file);
	if (r == -ENOENT) {
		*ret_created = s->counter;
		return master_create(s, ks, err);
	}
	if (!r) {
		memcpy(&h, file.data, sizeof(h));
		r = memcmp(h.magic, MASTER_MAGIC, sizeof(h.magic)) ? -EBADMSG : 0;
	}
	if (r < 0)
		return akm_error_set(err, r, "master", "%s", r == -EBADMSG ? "is damaged" : strerror(-r));
	*ret_created = be64toh(h.counter);
	return master_unseal(s, ks, &file, err);
}

/* Directory */

static int open_dir(struct sealed *s, const char *dir, struct akm_error *err)
{
	bool made = mkdir(dir, 0700) == 0;
	struct stat st;
	int r = 0;

	if (!made && errno != EEXIST)
		return akm_error_set(err, -errno, "directory", "%s cannot be made: %s", dir, strerror(errno));
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->dir < 0 || fstat(s->dir, &st) < 0)
		return akm_error_set(err, -errno, "directory", "%s cannot be opened: %s", dir, strerror(errno));
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return akm_error_set(err, -EPERM, "directory", "%s must be ours, with mode 0700", dir);
	if (flock(s->dir, LOCK_EX | LOCK_NB) < 0)
		return akm_error_set(err, errno == EWOULDBLOCK ? -EBUSY : -errno, "directory",
				     "%s is in use by another process", dir);
	/* A new directory is only there for good when its parent is on disk. */
	if (made)
		r = durable_sync_parent(dir);
	return r < 0 ? akm_error_set(err, r, "directory", "%s: its parent cannot be synchronized: %s", dir, strerror(-r))
		     : 0;
}

int sealed_open(struct keystore *ks, const char *dir, struct sealed **ret,
		struct akm_secret *ret_content, struct akm_error *err)
{
	_cleanup_secret_ struct akm_secret content = {};
	struct sealed *s = calloc(1, sizeof(*s));
	uint64_t created = 0;
	int r;

	if (!s)
		return akm_error_set(err, -ENOMEM, "memory", "%s", strerror(ENOMEM));
	s->dir = -1;
	s->slot = NO_SLOT;
	r = open_dir(s, dir, err);
	if (!r) {
		r = keystore_counter_read(ks, KEYSTORE_STORE, &s->counter);
		if (r < 0)
			akm_error_set(err, r, "counter", "cannot be read: %s", keystore_strerror(ks));
	}
	r = r ?: load_master(s, ks, &created, err);
	r = r ?: load_content(s, ks, created, &content, err);
	if (r < 0) {
		sealed_close(s);
		return r;
	}
	*ret = s;
	*ret_content = akm_secret_take(&content);
	return 0;
}

void sealed_close(struct sealed *s)
{
	if (!s)
		return;
	closep(&s->dir);
	akm_secret_free(&s->master);
	free(s);
}

/* The TPM's answer to the last count was lost or refused: ask what it stands at. */
static int ask_again(struct sealed *s, struct keystore *ks, struct akm_error *err)
{
	uint64_t now;
	int r = keystore_counter_read(ks, KEYSTORE_STORE, &now);

	if (r < 0)
		return akm_error_set(err, r, "counter", "cannot be read: %s", keystore_strerror(ks));
	if (now == s->counter + 1)
		s->slot = s->slot == NO_SLOT ? 0 : 1 - s->slot;
	s->counter = now;
	s->unsure = false;
	return 0;
}

int sealed_write(struct sealed *s, struct keystore *ks, const struct akm_secret *content,
		 struct akm_error *err)
{
	_cleanup_(akm_blob_free) struct akm_blob file = {};
	uint64_t counter;
	int slot, r;

	r = s->unsure ? ask_again(s, ks, err) : 0;
	if (r < 0)
		return r;
	slot = s->slot == NO_SLOT ? 0 : 1 - s->slot;
	counter = s->counter + 1;
	r = slot_encode(s, slot, counter, content, &file);
	if (!r)
		r = write_file(s, slot_names[slot], &file);
	if (!r)
		r = sync_dir(s);
	if (r < 0)
		return akm_error_set(err, r, slot_names[slot], "cannot be written: %s", strerror(-r));
	r = settle(s, ks, counter, err);
	if (r < 0)
		return r;
	s->slot = slot;
	return erase_other(s, err);
}

/* Values of a database */

static struct aead value_aead(const struct value_header *h, const char *aad)
{
	return (struct aead){
		.salt = h->salt, .nonce = h->nonce, .label = "akm1 sealed value",
		.aad1 = h, .aad1_len = sizeof(*h), .aad2 = aad, .aad2_len = strlen(aad),
	};
}

int sealed_wrap(const struct sealed *s, const char *aad, const struct akm_secret *value,
		struct akm_blob *ret)
{
	_cleanup_(akm_blob_free) struct akm_blob b = {};
	struct value_header h = { .version = VERSION };
	struct aead a = value_aead(&h, aad);
	int r;

	if (value->len > BLOB_MAX - sizeof(h) - TAG_LEN)
		return -EMSGSIZE;
	if (RAND_bytes(h.salt, sizeof(h.salt)) != 1 || RAND_bytes(h.nonce, sizeof(h.nonce)) != 1)
		return -EIO;
	b.len = sizeof(h) + value->len + TAG_LEN;
	b.data = malloc(b.len);
	if (!b.data)
		return -ENOMEM;
	memcpy(b.data, &h, sizeof(h));
	r = aead_seal(&s->master, &a, value->data, value->len, b.data + sizeof(h));
	if (r < 0)
		return r;
	*ret = b;
	b = (struct akm_blob){};
	return 0;
}

int sealed_unwrap(const struct sealed *s, const char *aad, const struct akm_blob *wrapped,
		  struct akm_secret *ret)
{
	struct value_header h;
	struct aead a = value_aead(&h, aad);

	if (wrapped->len < sizeof(h) + TAG_LEN || wrapped->len > BLOB_MAX)
		return -EBADMSG;
	memcpy(&h, wrapped->data, sizeof(h));
	if (h.version != VERSION)
		return -EBADMSG;
	return aead_open(&s->master, &a, wrapped->data + sizeof(h),
			 wrapped->len - sizeof(h) - TAG_LEN, ret);
}
