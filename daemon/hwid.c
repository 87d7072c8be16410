// SPDX-License-Identifier: GPL-2.0
#include "hwid.h"

#include <ctype.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <openssl/evp.h>

#define SOURCES_LEN_MAX	2048
#define MAC_LEN		6

struct content {
	uint8_t data[HWID_CONTENT_MAX];
	size_t len;
};

/* What one source is read with. */
struct from {
	const struct akm_blob *ek_name;
	const char *sysfs;
};

typedef int (*read_fn)(const char *source, const char *arg, const struct from *from, struct content *ret,
		       struct akm_error *err);

static void md_freep(EVP_MD_CTX **md)
{
	EVP_MD_CTX_free(*md);
}

static int read_path(const char *source, const char *path, struct content *ret, struct akm_error *err)
{
	uint8_t buf[HWID_CONTENT_MAX + 1];
	_cleanup_close_ int fd = -1;
	size_t len = 0;
	ssize_t n;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return akm_error_set(err, -errno, source, "%s: %s", path, strerror(errno));
	do {
		n = read(fd, buf + len, sizeof(buf) - len);
		if (n < 0 && errno != EINTR)
			return akm_error_set(err, -errno, source, "%s: %s", path, strerror(errno));
		len += n > 0 ? (size_t)n : 0;
	} while (n != 0 && len < sizeof(buf));
	if (len > HWID_CONTENT_MAX)
		return akm_error_set(err, -EFBIG, source, "%s: more than %d bytes", path, HWID_CONTENT_MAX);
	if (!len)
		return akm_error_set(err, -ENODATA, source, "%s is empty", path);
	memcpy(ret->data, buf, len);
	ret->len = len;
	return 0;
}

static int read_ek(const char *source, const char *arg, const struct from *from, struct content *ret,
		   struct akm_error *err)
{
	(void)arg;
	if (!from->ek_name || !from->ek_name->len)
		return akm_error_set(err, -ENODATA, source, "the TPM's endorsement key is not known");
	if (from->ek_name->len > sizeof(ret->data))
		return akm_error_set(err, -EFBIG, source, "a name of %zu bytes", from->ek_name->len);
	memcpy(ret->data, from->ek_name->data, from->ek_name->len);
	ret->len = from->ek_name->len;
	return 0;
}

static void trim(struct content *c)
{
	size_t start = 0;

	while (c->len && isspace(c->data[c->len - 1]))
		c->len--;
	while (start < c->len && isspace(c->data[start]))
		start++;
	c->len -= start;
	memmove(c->data, c->data + start, c->len);
}

/* What makers leave in fields that they did not fill: the same on every board. */
static bool is_filler(const struct content *c)
{
	static const char *const fillers[] = {
		"default string", "none", "not applicable", "not specified", "not available", "n/a", "na",
		"o.e.m.", "oem", "to be filled by o.e.m.", "system serial number", "base board serial number",
		"chassis serial number", "unknown", "0123456789", "123456789",
		"03000200-0400-0500-0006-000700080009",
	};
	bool all_same = true;

	for (size_t i = 0; i < ARRAY_SIZE(fillers); i++)
		if (strlen(fillers[i]) == c->len && !strncasecmp((const char *)c->data, fillers[i], c->len))
			return true;
	/* 00000000-0000-…, FFFFFFFF-…, "........", "0" */
	for (size_t i = 0; i < c->len; i++)
		all_same = all_same && (c->data[i] == '-' || toupper(c->data[i]) == toupper(c->data[0]));
	return all_same;
}

static int read_dmi(const char *source, const char *arg, const struct from *from, struct content *ret,
		    struct akm_error *err)
{
	char path[512];
	int r;

	snprintf(path, sizeof(path), "%s/class/dmi/id/%s", from->sysfs, arg);
	r = read_path(source, path, ret, err);
	if (r < 0)
		return r;
	trim(ret);
	if (!ret->len)
		return akm_error_set(err, -ENODATA, source, "%s is empty", path);
	if (is_filler(ret))
		return akm_error_set(err, -ENODATA, source, "%s holds a filler, \"%.*s\": not unique", path,
				     (int)(ret->len < 64 ? ret->len : 64), (const char *)ret->data);
	return 0;
}

static bool is_zero(const uint8_t *mac)
{
	static const uint8_t zero[MAC_LEN];

	return !memcmp(mac, zero, MAC_LEN);
}

/* The address burnt in, where the driver knows one. */
static bool permanent_mac(const char *iface, uint8_t mac[MAC_LEN])
{
	union {
		struct ethtool_perm_addr head;
		uint8_t room[sizeof(struct ethtool_perm_addr) + 32];
	} perm = { .head = { .cmd = ETHTOOL_GPERMADDR, .size = 32 } };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { .ifr_data = (char *)&perm };

	if (fd < 0)
		return false;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	if (ioctl(fd, SIOCETHTOOL, &ifr) < 0 || perm.head.size != MAC_LEN)
		return false;
	memcpy(mac, perm.head.data, MAC_LEN);
	return !is_zero(mac);
}

/* The one in use; by ioctl, because a mounted sysfs shows the network namespace that it was mounted in. */
static bool current_mac(const char *iface, uint8_t mac[MAC_LEN])
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };

	if (fd < 0)
		return false;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	if (ioctl(fd, SIOCGIFHWADDR, &ifr) < 0 || ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return false;
	memcpy(mac, ifr.ifr_hwaddr.sa_data, MAC_LEN);
	return !is_zero(mac);
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (uint8_t)tolower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "xx:xx:xx:xx:xx:xx" and nothing else; sscanf() takes "0x" and blanks for digits. */
static int parse_mac(const struct content *c, uint8_t mac[MAC_LEN])
{
	if (c->len != 3 * MAC_LEN - 1)
		return -EINVAL;
	for (size_t i = 0; i < MAC_LEN; i++) {
		int high = hex_digit(c->data[3 * i]), low = hex_digit(c->data[3 * i + 1]);

		if (high < 0 || low < 0 || (i < MAC_LEN - 1 && c->data[3 * i + 2] != ':'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int read_mac(const char *source, const char *arg, const struct from *from, struct content *ret,
		    struct akm_error *err)
{
	uint8_t mac[MAC_LEN];
	char path[512];
	int r;

	if (!permanent_mac(arg, mac) && !current_mac(arg, mac)) {
		snprintf(path, sizeof(path), "%s/class/net/%s/address", from->sysfs, arg);
		r = read_path(source, path, ret, err);
		if (r < 0)
			return r;
		trim(ret);
		if (parse_mac(ret, mac) < 0 || is_zero(mac))
			return akm_error_set(err, -ENODATA, source, "%s holds no MAC address", path);
	}
	memcpy(ret->data, mac, MAC_LEN);
	ret->len = MAC_LEN;
	return 0;
}

static int read_file(const char *source, const char *arg, const struct from *from, struct content *ret,
		     struct akm_error *err)
{
	(void)from;
	return read_path(source, arg, ret, err);
}

static bool ok_none(const char *arg)
{
	return !arg;
}

static bool ok_field(const char *arg)
{
	return arg && *arg && strlen(arg) < 64 && strspn(arg, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(arg);
}

static bool ok_iface(const char *arg)
{
	if (!arg || !*arg || strlen(arg) >= IFNAMSIZ || !strcmp(arg, ".") || !strcmp(arg, ".."))
		return false;
	for (; *arg; arg++)
		if (*arg == '/' || !isgraph((unsigned char)*arg))
			return false;
	return true;
}

static bool ok_path(const char *arg)
{
	return arg && arg[0] == '/' && arg[1];
}

static const struct kind {
	const char *name;
	bool (*ok)(const char *arg);
	const char *form;
	read_fn read;
} kinds[] = {
	{ "ek", ok_none, "takes no argument", read_ek },
	{ "dmi", ok_field, "wants a field of /sys/class/dmi/id, as in dmi:product_uuid", read_dmi },
	{ "mac", ok_iface, "wants an interface, as in mac:eth0", read_mac },
	{ "file", ok_path, "wants an absolute path", read_file },
};

/* @source is cut at the colon for the comparison, and left as it was. */
static int find_kind(const char *source, const struct kind **ret_kind, const char **ret_arg, struct akm_error *err)
{
	const char *colon = strchr(source, ':'), *arg = colon ? colon + 1 : NULL;
	size_t len = colon ? (size_t)(colon - source) : strlen(source);

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strlen(kinds[i].name) != len || strncmp(kinds[i].name, source, len))
			continue;
		if (!kinds[i].ok(arg))
			return akm_error_set(err, -EINVAL, source, "%s %s", kinds[i].name, kinds[i].form);
		*ret_kind = &kinds[i];
		*ret_arg = arg;
		return 0;
	}
	return akm_error_set(err, -EINVAL, source, "is no source of a hardware value: ek, dmi:, mac: or file:");
}

struct list {
	char text[SOURCES_LEN_MAX];
	const char *source[HWID_SOURCES_MAX];
	size_t n;
};

static int add_source(struct list *l, const char *source, struct akm_error *err)
{
	if (!*source)
		return akm_error_set(err, -EINVAL, "hardware sources", "an empty entry");
	if (l->n == HWID_SOURCES_MAX)
		return akm_error_set(err, -E2BIG, "hardware sources", "more than %d", HWID_SOURCES_MAX);
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->source[i], source))
			return akm_error_set(err, -EINVAL, source, "is listed twice");
	l->source[l->n++] = source;
	return 0;
}

static int split(const char *sources, struct list *l, struct akm_error *err)
{
	char *at = l->text, *comma;
	int r = 0;

	if (strlen(sources) >= sizeof(l->text))
		return akm_error_set(err, -E2BIG, "hardware sources", "longer than %zu", sizeof(l->text) - 1);
	strcpy(l->text, sources);
	l->n = 0;
	do {
		comma = strchr(at, ',');
		if (comma)
			*comma = '\0';
		at += strspn(at, " \t");
		for (char *end = at + strlen(at); end > at && (end[-1] == ' ' || end[-1] == '\t'); end--)
			end[-1] = '\0';
		r = add_source(l, at, err);
		at = comma ? comma + 1 : NULL;
	} while (!r && at);
	return r;
}

int hwid_check(const char *sources, struct akm_error *err)
{
	const struct kind *kind;
	const char *arg;
	struct list l = {};
	int r;

	r = split(sources, &l, err);
	for (size_t i = 0; !r && i < l.n; i++)
		r = find_kind(l.source[i], &kind, &arg, err);
	return r;
}

static bool put(EVP_MD_CTX *md, const void *data, size_t len)
{
	const uint8_t be[2] = { (uint8_t)(len >> 8), (uint8_t)len };

	return EVP_DigestUpdate(md, be, sizeof(be)) && EVP_DigestUpdate(md, data, len);
}

static int add_value(EVP_MD_CTX *md, const char *source, const struct from *from, struct akm_error *err)
{
	const struct kind *kind;
	struct content content;
	const char *arg;
	int r;

	r = find_kind(source, &kind, &arg, err);
	r = r ?: kind->read(source, arg, from, &content, err);
	if (r < 0)
		return r;
	if (!put(md, source, strlen(source)) || !put(md, content.data, content.len))
		return akm_error_set(err, -EIO, source, "SHA-256 failed");
	return 0;
}

int hwid_value(const char *sources, const struct akm_blob *ek_name, const char *sysfs,
	       uint8_t ret_value[AKM_DIGEST_LEN], struct akm_error *err)
{
	static const char label[] = "akm1 hardware";
	_cleanup_(md_freep) EVP_MD_CTX *md = EVP_MD_CTX_new();
	const struct from from = { .ek_name = ek_name, .sysfs = sysfs };
	uint8_t value[AKM_DIGEST_LEN];
	struct list l = {};
	int r;

	if (!md || !EVP_DigestInit_ex(md, EVP_sha256(), NULL) || !EVP_DigestUpdate(md, label, sizeof(label) - 1))
		return akm_error_set(err, -EIO, "hardware value", "SHA-256 failed");
	r = split(sources, &l, err);
	for (size_t i = 0; !r && i < l.n; i++)
		r = add_value(md, l.source[i], &from, err);
	if (r < 0)
		return r;
	if (!EVP_DigestFinal_ex(md, value, NULL))
		return akm_error_set(err, -EIO, "hardware value", "SHA-256 failed");
	memcpy(ret_value, value, sizeof(value));
	return 0;
}
