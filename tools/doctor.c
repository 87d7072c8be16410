// SPDX-License-Identifier: GPL-2.0
#include "doctor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/if_alg.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <akm-ctl.h>
#include <akm-hook.h>
#include <linux/akm.h>

#include "command.h"
#include "ctl.h"
#include "format.h"
#include "records.h"

#define DEFAULT_TPM	"/dev/tpmrm0"
#define DEFAULT_HOOKS	"/etc/akm/hooks"
#define EPOCH_2025	1735689600	/* no clock that is right shows less */
#define MEMLOCK_WANTED	(8UL << 20)	/* akmd --role manager with 1,000 nodes */
#define CAP_IPC_LOCK_BIT 14

enum state { OK, WARN, FAIL };

__attribute__((format(printf, 5, 6)))
static void find(struct akm_doctor *d, const char *check, enum state state, const char *mend, const char *fmt, ...)
{
	static const char *const words[] = { [OK] = "ok", [WARN] = "warn", [FAIL] = "fail" };
	struct json_object *o = json_object_new_object();
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_object_object_add(o, "check", json_object_new_string(check));
	json_object_object_add(o, "state", json_object_new_string(words[state]));
	json_object_object_add(o, "text", json_object_new_string(text));
	if (mend)
		json_object_object_add(o, "mend", json_object_new_string(mend));
	json_object_array_add(d->findings, o);
}

/* First @size - 1 bytes of a file below the root, without the final newline. */
static bool read_text(const struct akm_doctor *d, const char *path, char *buf, size_t size)
{
	char full[PATH_MAX];
	ssize_t n;
	int fd;

	snprintf(full, sizeof(full), "%s%s", d->root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		return false;
	while (n && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return true;
}

static bool exists(const struct akm_doctor *d, const char *path)
{
	char full[PATH_MAX];

	snprintf(full, sizeof(full), "%s%s", d->root, path);
	return !access(full, F_OK);
}

/* Whether a line of the file contains @word; the line goes to @ret if wanted. */
static bool grep(const struct akm_doctor *d, const char *path, const char *word, char *ret, size_t size)
{
	char full[PATH_MAX], line[4096];
	bool found = false;
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", d->root, path);
	f = fopen(full, "re");
	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, word);
	if (f)
		fclose(f);
	if (found && ret)
		snprintf(ret, size, "%.*s", (int)size - 1, line);
	return found;
}

/* ------------------------------------------------------------ kernel, module */

static void check_kernel(struct akm_doctor *d)
{
	unsigned int major = 0, minor = 0;

	if (sscanf(d->release, "%u.%u", &major, &minor) != 2)
		find(d, "kernel", WARN, NULL, "release \"%s\" is of an unknown form", d->release);
	else if (major < 6 || (major == 6 && minor < 1))
		find(d, "kernel", FAIL, "Install Linux 6.1 or later.", "Linux %s is too old", d->release);
	else
		find(d, "kernel", OK, NULL, "Linux %s", d->release);
}

static bool module_installed(const struct akm_doctor *d)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", d->release);
	return grep(d, path, "/akm.ko", NULL, 0);
}

static void check_module(struct akm_doctor *d)
{
	char disabled[8];

	if (exists(d, "/sys/module/akm"))
		find(d, "module", OK, NULL, "akm is loaded");
	else if (!exists(d, "/sys/module"))
		find(d, "module", FAIL, "Nodes need a kernel with CONFIG_MODULES; root and manager run without it.",
		     "this kernel cannot load modules");
	else if (read_text(d, "/proc/sys/kernel/modules_disabled", disabled, sizeof(disabled)) && disabled[0] == '1')
		find(d, "module", FAIL, "Reboot, and load akm before kernel.modules_disabled is set.",
		     "akm is not loaded, and loading is switched off until the next boot");
	else if (module_installed(d))
		find(d, "module", WARN, "modprobe akm", "akm.ko is installed but not loaded");
	else
		find(d, "module", FAIL, "make module && make install, then modprobe akm. Root and manager run without it.",
		     "there is no akm.ko for %s", d->release);
}

/* Lockdown shows its mode in brackets: "none [integrity] confidentiality". */
static void check_signature(struct akm_doctor *d)
{
	static const char mend[] = "Sign akm.ko with a key the kernel trusts (kmodsign, mokutil --import), or do without it.";
	char lockdown[128], enforce[8];
	bool locked = read_text(d, "/sys/kernel/security/lockdown", lockdown, sizeof(lockdown)) &&
		      (strstr(lockdown, "[integrity]") || strstr(lockdown, "[confidentiality]"));
	bool enforced = read_text(d, "/sys/module/module/parameters/sig_enforce", enforce, sizeof(enforce)) &&
			enforce[0] == 'Y';

	if (!locked && !enforced)
		find(d, "signature", OK, NULL, "unsigned modules may be loaded");
	else if (exists(d, "/sys/module/akm"))
		find(d, "signature", OK, NULL, "signatures are required, and akm has been accepted");
	else
		find(d, "signature", WARN, mend, "only signed modules load (%s)",
		     locked ? "kernel lockdown, as under Secure Boot" : "module.sig_enforce");
}

/* ------------------------------------------------------------ crypto */

/* Has the kernel load the drivers that it would choose. It may have no AF_ALG: then the list stays as it is. */
static void probe_aead(const char *name)
{
	struct sockaddr_alg sa = { .salg_family = AF_ALG, .salg_type = "aead" };
	int fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	snprintf((char *)sa.salg_name, sizeof(sa.salg_name), "%s", name);
	(void)bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	close(fd);
}

struct algorithm {
	char name[128], driver[128], type[128];
	long priority;
};

static void take_crypto_line(struct algorithm *a, const char *line)
{
	char key[32], value[128];

	if (sscanf(line, "%31s : %127[^\n]", key, value) != 2)
		return;
	if (!strcmp(key, "name")) {
		memset(a, 0, sizeof(*a));
		snprintf(a->name, sizeof(a->name), "%s", value);
	} else if (!strcmp(key, "driver")) {
		snprintf(a->driver, sizeof(a->driver), "%s", value);
	} else if (!strcmp(key, "priority")) {
		a->priority = strtol(value, NULL, 10);
	} else if (!strcmp(key, "type")) {
		snprintf(a->type, sizeof(a->type), "%s", value);
	}
}

/* The driver of highest priority for AEAD @name in /proc/crypto. */
static bool best_driver(const struct akm_doctor *d, const char *name, struct algorithm *ret)
{
	struct algorithm a = {};
	char path[PATH_MAX], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/proc/crypto", d->root);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		take_crypto_line(&a, line);
		if (*line != '\n' && strncmp(line, "type", 4))
			continue;
		if (!strcmp(a.type, "aead") && !strcmp(a.name, name) && (!found || a.priority > ret->priority)) {
			*ret = a;
			found = true;
		}
	}
	if (f)
		fclose(f);
	return found;
}

/* Written in C, one byte at a time: ten and more times slower, and AES with cache-timing trouble besides. */
static bool is_slow(const char *driver)
{
	return strstr(driver, "aes-generic") || strstr(driver, "aes-fixed-time") || strstr(driver, "aes-lib") ||
	       strstr(driver, "chacha20-generic");
}

static void check_cipher(struct akm_doctor *d, const char *check, const char *name, enum state state, const char *mend)
{
	struct algorithm a;

	if (d->live)
		probe_aead(name);
	if (!best_driver(d, name, &a))
		find(d, check, WARN, "Nothing, if an akm interface with this suite comes up; else load its module "
		     "(modprobe gcm, aesni_intel, chacha20poly1305).", "no driver is loaded yet");
	else if (is_slow(a.driver))
		find(d, check, state, mend, "only the slow driver %s is there", a.driver);
	else
		find(d, check, OK, NULL, "driver %s", a.driver);
}

static void check_crypto(struct akm_doctor *d)
{
	check_cipher(d, "aes-256-gcm", "gcm(aes)", WARN,
		     "Load the CPU's AES driver (modprobe aesni_intel), or create ATRs with suite chacha20-poly1305.");
	check_cipher(d, "chacha20-poly1305", "rfc7539(chacha20,poly1305)", WARN,
		     "Load the CPU's driver (modprobe chacha_x86_64 or chacha_neon); ATRs with aes-256-gcm do not need it.");
}

/* ------------------------------------------------------------ TPM */

static void check_tpm_version(struct akm_doctor *d)
{
	char path[PATH_MAX], version[8];
	const char *number = d->tpm + strcspn(d->tpm, "0123456789");

	snprintf(path, sizeof(path), "/sys/class/tpm/tpm%s/tpm_version_major", number);
	if (*number && read_text(d, path, version, sizeof(version)) && strcmp(version, "2"))
		find(d, "tpm", FAIL, "Switch to TPM 2.0 in the firmware setup, or fit one.", "%s is a TPM 1.2", d->tpm);
	else
		find(d, "tpm", OK, NULL, "%s can be used", d->tpm);
}

static void check_tpm(struct akm_doctor *d)
{
	char full[PATH_MAX];
	int fd;

	snprintf(full, sizeof(full), "%s%s", d->root, d->tpm);
	fd = open(full, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		check_tpm_version(d);
	} else if (errno == EACCES || errno == EPERM) {
		find(d, "tpm", WARN, "Run akmctl doctor as root; add the daemon's user to the group tss.",
		     "%s may not be opened by this user", d->tpm);
	} else if (errno == EBUSY) {
		find(d, "tpm", FAIL, "Use the resource manager, /dev/tpmrm0, and stop what holds the TPM (fuser -v).",
		     "%s is held by another program", d->tpm);
	} else if (exists(d, "/sys/class/tpm/tpm0")) {
		find(d, "tpm", FAIL, "Name the device with \"tpm PATH\", and in the daemon's configuration.",
		     "%s: %s, though the kernel knows a TPM", d->tpm, strerror(errno));
	} else {
		find(d, "tpm", FAIL, "Switch the TPM on in the firmware setup (also called PTT or fTPM), "
		     "or load its driver (modprobe tpm_tis, tpm_crb).", "%s: %s", d->tpm, strerror(errno));
	}
}

/* ------------------------------------------------------------ clock, port, memory, daemon */

static void check_clock(struct akm_doctor *d)
{
	char time[AKM_TIME_STRLEN];

	if (d->now < EPOCH_2025)
		find(d, "clock", WARN, "Set it (timedatectl set-ntp true). Keys do not depend on it, the time of events does.",
		     "it shows %s, which is past", akm_format_time((uint64_t)(d->now < 0 ? 0 : d->now) * 1000000000, time));
	else if (!d->clock_synchronised)
		find(d, "clock", WARN, "timedatectl set-ntp true. Keys do not depend on it, the time of events does.",
		     "nothing keeps it synchronised");
	else
		find(d, "clock", OK, NULL, "synchronised");
}

/* An akm interface on the port is what it is there for. */
static bool port_is_ours(struct akm_doctor *d, char *ret, size_t size)
{
	_cleanup_(akm_json_freep) struct json_object *all = NULL;
	struct akm_error e = {};
	size_t i;

	if (akm_records_dump(d->ctx, AKM_RECORD_DEV, NULL, &all, &e) < 0)
		return false;
	for (i = 0; i < json_object_array_length(all); i++) {
		struct json_object *dev = json_object_array_get_idx(all, i);

		if (akm_json_u64(dev, "port") != d->port || !akm_json_str(dev, "ifname"))
			continue;
		snprintf(ret, size, "%s", akm_json_str(dev, "ifname"));
		return true;
	}
	return false;
}

/* Return: 0 or an errno. */
static int try_bind(uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;
	bool v6 = fd >= 0;

	if (!v6)
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return errno;
	r = bind(fd, v6 ? (struct sockaddr *)&any : (struct sockaddr *)&any4, v6 ? sizeof(any) : sizeof(any4));
	r = r < 0 ? errno : 0;
	close(fd);
	return r;
}

static void check_port(struct akm_doctor *d)
{
	char owner[32];
	int r;

	if (!d->live)
		return;
	r = try_bind(d->port);
	if (!r)
		find(d, "port", OK, NULL, "UDP port %u is free", d->port);
	else if (port_is_ours(d, owner, sizeof(owner)))
		find(d, "port", OK, NULL, "UDP port %u is used by %s", d->port, owner);
	else if (r == EADDRINUSE)
		find(d, "port", FAIL, "Stop what uses it (ss -ulnp), or give the ATR another port.",
		     "UDP port %u is taken by another program", d->port);
	else
		find(d, "port", FAIL, "Choose a port above 1023, or run akmctl doctor as root.", "UDP port %u: %s",
		     d->port, strerror(r));
}

static bool may_lock_all(const struct akm_doctor *d)
{
	char line[64];

	return grep(d, "/proc/self/status", "CapEff:", line, sizeof(line)) &&
	       strtoull(line + strlen("CapEff:"), NULL, 16) >> CAP_IPC_LOCK_BIT & 1;
}

static void check_memlock(struct akm_doctor *d)
{
	struct rlimit limit = { .rlim_cur = RLIM_INFINITY };

	if (!d->live)
		return;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		find(d, "memlock", WARN, NULL, "cannot be read: %s", strerror(errno));
	else if (may_lock_all(d) || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= MEMLOCK_WANTED)
		find(d, "memlock", OK, NULL, "enough memory can be locked");
	else
		find(d, "memlock", WARN, "Start akmd as root or with LimitMEMLOCK=8M: secrets must not be swapped out.",
		     "only %lu KiB may be locked here", (unsigned long)limit.rlim_cur / 1024);
}

/* What it knows of its own machine, as a TPM that is locked out; of others, status tells. */
static bool take_findings(struct akm_doctor *d, const char *name, struct json_object *status)
{
	struct json_object *health = NULL, *list = NULL;
	bool any = false;
	size_t i;

	json_object_object_get_ex(status, "health", &health);
	json_object_object_get_ex(health, "findings", &list);
	for (i = 0; json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *check = akm_json_str(o, "check"), *severity = akm_json_str(o, "severity");
		const char *text = akm_json_str(o, "text");

		if (!check || !severity || !text || akm_json_str(o, "subject"))
			continue;
		find(d, check, strcmp(severity, "alert") ? WARN : FAIL, akm_json_str(o, "remedy"), "%s: %s", name, text);
		any = true;
	}
	return any;
}

static void ask_daemon(struct akm_doctor *d, const char *path)
{
	struct json_object *status = NULL;
	struct akm_error e = {};
	int fd = akm_ctl_connect(path, &e), r;
	const char *name;

	if (fd >= 0)
		fd = akm_ctl_hurry(fd, &e);
	r = fd < 0 ? fd : akm_ctl_request(fd, "status", NULL, NULL, NULL, &status, &e);
	if (fd >= 0)
		close(fd);
	if (r == -EACCES || r == -EPERM) {
		find(d, "daemon", WARN, "Run akmctl doctor as root.", "%s", e.reason);
		return;
	}
	if (r < 0) {
		find(d, "daemon", FAIL, "Look into its journal, and start it again.", "%s: %s", path,
		     e.reason);
		return;
	}
	name = akm_json_str(status, "name");
	if (!take_findings(d, name ? name : path, status))
		find(d, "daemon", OK, NULL, "%s finds nothing wrong with its machine", name ? name : path);
	json_object_put(status);
}

static void check_daemon(struct akm_doctor *d)
{
	char pattern[PATH_MAX];
	glob_t g = {};
	size_t i;
	int r;

	snprintf(pattern, sizeof(pattern), "%s%s/*.sock", d->root, AKM_CTL_DIR);
	r = glob(pattern, 0, NULL, &g);
	if (r)
		find(d, "daemon", WARN, "Start akmd (akmd.conf(5)); the kernel works without it, but nothing is kept.",
		     "no control socket in %s", AKM_CTL_DIR);
	else
		find(d, "daemon", OK, NULL, "%zu control socket%s in %s", g.gl_pathc, g.gl_pathc == 1 ? "" : "s",
		     AKM_CTL_DIR);
	for (i = 0; !r && i < g.gl_pathc; i++)
		ask_daemon(d, g.gl_pathv[i]);
	globfree(&g);
}

/* ------------------------------------------------------------ programs of a policy */

static size_t check_hook(struct akm_doctor *d, const char *directory, const char *name)
{
	char reason[HOOK_REASON_LEN];
	int fd = hookfile_open(directory, name, reason);

	if (fd < 0)
		find(d, "hooks", FAIL, "chown root, chmod 755, and the same for the directory: akm-policy(5), HOOKS.",
		     "%s cannot be run: %s", name, reason);
	else
		close(fd);
	return fd < 0;
}

/* All that lies there: which of them a policy names is in the daemon's file. */
static void check_hooks(struct akm_doctor *d)
{
	const char *directory = d->hooks ? d->hooks : DEFAULT_HOOKS;
	size_t n = 0, bad = 0;
	char full[PATH_MAX];
	struct dirent *e;
	DIR *dir;

	snprintf(full, sizeof(full), "%s%s", d->root, directory);
	dir = opendir(full);
	if (!dir && d->hooks)
		find(d, "hooks", FAIL, "Make it, or mend [policy] hooks.", "%s: %s", directory, strerror(errno));
	if (!dir)
		return;
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		bad += check_hook(d, full, e->d_name);
		n++;
	}
	closedir(dir);
	if (!bad)
		find(d, "hooks", OK, NULL, "%zu program%s in %s", n, n == 1 ? "" : "s", directory);
}

/* ------------------------------------------------------------ all of it */

int akm_doctor_examine(struct akm_doctor *d)
{
	static void (*const checks[])(struct akm_doctor *) = {
		check_kernel, check_module, check_signature, check_crypto, check_tpm, check_clock,
		check_port, check_memlock, check_daemon, check_hooks,
	};
	int failed = 0;
	size_t i;

	d->findings = json_object_new_array();
	if (!d->findings)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(checks); i++)
		checks[i](d);
	for (i = 0; i < json_object_array_length(d->findings); i++)
		failed += !strcmp(akm_json_str(json_object_array_get_idx(d->findings, i), "state"), "fail");
	return failed;
}

static void print(struct akm_ctx *ctx, struct json_object *findings)
{
	size_t i;

	for (i = 0; i < json_object_array_length(findings); i++) {
		struct json_object *o = json_object_array_get_idx(findings, i);
		const char *state = akm_json_str(o, "state"), *mend = akm_json_str(o, "mend");

		akm_put_coloured(ctx->out, ctx->colour, akm_colour_of_state(state), state);
		fprintf(ctx->out, "%*s%-18s ", 6 - (int)strlen(state), "", akm_json_str(o, "check"));
		akm_put_clean(ctx->out, akm_json_str(o, "text"));
		fputc('\n', ctx->out);
		if (!mend)
			continue;
		fprintf(ctx->out, "%25s→ ", "");
		akm_put_clean(ctx->out, mend);
		fputc('\n', ctx->out);
	}
}

int akm_run_doctor(struct akm_ctx *ctx, const struct akm_command *cmd, const struct akm_values *v,
		   struct akm_error *e)
{
	struct timex tx = {};
	struct utsname uts;
	struct akm_doctor d = {
		.ctx = ctx, .root = "", .live = true, .now = time(NULL),
		.tpm = akm_value_text(v, "tpm"), .hooks = akm_value_text(v, "hooks"),
		.port = (uint16_t)akm_value_num(v, "port", AKM_DEFAULT_PORT),
	};
	int failed;

	(void)cmd;
	if (uname(&uts) < 0)
		return akm_error_set(e, errno, "kernel", "%s", strerror(errno));
	d.release = uts.release;
	d.tpm = d.tpm ? d.tpm : DEFAULT_TPM;
	d.clock_synchronised = adjtimex(&tx) >= 0 && !(tx.status & STA_UNSYNC);
	failed = akm_doctor_examine(&d);
	if (failed < 0)
		return akm_error_set(e, ENOMEM, NULL, "out of memory");
	if (ctx->json)
		akm_json_print(ctx->out, d.findings);
	else
		print(ctx, d.findings);
	json_object_put(d.findings);
	if (!failed)
		return 0;
	akm_error_set(e, ENODEV, NULL, "something is missing");
	e->silent = true;		/* the findings say it better */
	return -ENODEV;
}
