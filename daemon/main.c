// SPDX-License-Identifier: GPL-2.0
/*
 * akmd: the start ladder, and nothing else. The order matters: harden before there
 * are secrets; TPM and hardware value (which root alone may read) before privilege
 * drops; threads after it, so that they inherit what is left.
 */
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>

#include "config.h"
#include "../include/akm-hook.h"
#include "durable.h"
#include "hardware.h"
#include "hwid.h"
#include "log.h"
#include "logid.h"
#include "notify.h"
#include "policy_load.h"
#include "priv.h"
#include "role.h"
#include "runner.h"

struct options {
	const char *config, *role;
	bool check;
};

struct daemon {
	struct config config;
	struct event_base *base;
	struct event *signals[3];
	struct role_env env;
	int hooks_fd;			/* until it is the environment's */
	const struct role_ops *ops;
	void *role;
	int result;
};

static void usage(FILE *f)
{
	fputs("Usage: akmd --config FILE [--role root|manager|node] [--check]\n"
	      "\n"
	      "  --config FILE   configuration, akmd.conf(5)\n"
	      "  --role ROLE     refuse to start if the configuration says another role\n"
	      "  --check         check the configuration and exit\n"
	      "  --version       print the version and exit\n", f);
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' }, { "role", required_argument, NULL, 'r' },
		{ "check", no_argument, NULL, 'k' }, { "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:r:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'r':
			o->role = optarg;
			break;
		case 'k':
			o->check = true;
			break;
		case 'V':
			puts("akmd " AKM_VERSION);
			exit(0);
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			return -EINVAL;
		}
	}
	if (!o->config || optind < argc) {
		usage(stderr);
		return -EINVAL;
	}
	return 0;
}

static const struct role_ops *role_of(enum msg_role role)
{
	switch (role) {
	case ROLE_ROOT:
		return &role_root;
	case ROLE_MANAGER:
		return &role_manager;
	case ROLE_NODE:
		return &role_node;
	}
	return NULL;
}

static int load_config(struct daemon *d, const struct options *o)
{
	struct akm_error err = {};
	int r = config_load(o->config, &d->config, &err);

	if (r < 0) {
		fprintf(stderr, "akmd: %s: %s\n", err.field[0] ? err.field : o->config,
			err.reason[0] ? err.reason : strerror(-r));
		return r;
	}
	d->ops = role_of(d->config.role);
	if (o->role && strcmp(o->role, d->ops->name)) {
		fprintf(stderr, "akmd: --role: %s says role %s\n", o->config, d->ops->name);
		return -EINVAL;
	}
	return 0;
}

static int check_hooks(const struct config *c, const struct policy *p)
{
	char reason[HOOK_REASON_LEN];
	int r = 0;

	for (size_t i = 0; i < p->n_hooks; i++) {
		int fd = hookfile_open(c->hooks, p->hooks[i], reason);

		if (fd < 0)
			fprintf(stderr, "akmd: hook %s: %s\n", p->hooks[i], reason);
		else
			close(fd);
		r = fd < 0 ? fd : r;
	}
	return r;
}

static int check_policy(const struct config *c)
{
	struct policy policy = {};
	struct akm_error err = {};
	int r = policy_load(c, &policy, &err);

	if (r < 0)
		fprintf(stderr, "akmd: %s: %s\n", err.field, err.reason[0] ? err.reason : strerror(-r));
	r = r ?: check_hooks(c, &policy);
	policy_free(&policy);
	return r;
}

/* ---- directories ---- */

static int make_directory(const char *path, const char *user)
{
	struct passwd *pw = user ? getpwnam(user) : NULL;
	char part[PATH_MAX];

	if ((size_t)snprintf(part, sizeof(part), "%s", path) >= sizeof(part))
		return -ENAMETOOLONG;
	for (char *p = strchr(part + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	if (mkdir(part, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (pw && chown(part, pw->pw_uid, pw->pw_gid) < 0)
		return -errno;
	return 0;
}

static void explain_directory(const char *what, const char *path, int r)
{
	log_err("cannot make the %s%s path=%s error=%s", what,
		r == -EACCES || r == -EPERM ? ": start akmd as root, it gives up what it does not need" : "",
		path, strerror(-r));
}

static int make_directories(const struct config *c)
{
	char dir[PATH_MAX];
	char *slash;
	int r = make_directory(c->state, c->user);

	if (r < 0) {
		explain_directory("state directory", c->state, r);
		return r;
	}
	snprintf(dir, sizeof(dir), "%s", c->socket);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	if (access(dir, F_OK) == 0)
		return 0;			/* somebody prepared it: ctl.c checks it */
	r = make_directory(dir, c->user);
	if (r < 0)
		explain_directory("socket's directory", dir, r);
	return r;
}

/* ---- TPM ---- */

static void explain_tpm(const struct config *c, int r)
{
	if (r == -ENOKEY)
		log_err("this state directory belongs to another TPM, or the TPM was cleared: a copied disk, or a "
			"replaced board. Put the TPM back, or remove the state directory and provision again "
			"tcti=%s state=%s", c->tcti, c->state);
	else if (r == -ENODEV)
		log_err("no TPM answers: check [tpm] tcti, the device's permissions and that the driver is loaded; "
			"akmctl doctor looks for it tcti=%s", c->tcti);
	else if (r == -EAGAIN)
		log_err("the TPM is locked out or busy: try again later, or reset its lockout tcti=%s", c->tcti);
	else
		log_err("the TPM cannot be used tcti=%s error=%s", c->tcti, strerror(-r));
}

#define PARENT_NAME_MAX 256

/* The storage parent is pinned at the first start: another one is another TPM, or somebody on its bus. */
static int open_keystore(const struct config *c, struct keystore **ret, struct keystore_identity *ret_id)
{
	struct keystore_config cfg = { .tcti = c->tcti, .counter_nv = c->counter_nv, .store_nv = c->store_nv };
	_cleanup_(akm_blob_free) struct akm_blob pinned = {};
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/parent", c->state);
	r = durable_read(path, PARENT_NAME_MAX, &pinned);
	if (r < 0 && r != -ENOENT) {
		log_err("cannot read the pinned name of the storage parent path=%s error=%s", path, strerror(-r));
		return r;
	}
	cfg.pinned_parent = r ? NULL : &pinned;
	r = keystore_open(&cfg, ret);
	if (r < 0) {
		explain_tpm(c, r);
		return r;
	}
	r = keystore_identity(*ret, ret_id);
	if (!r && !cfg.pinned_parent)
		r = durable_write(path, ret_id->parent_name.data, ret_id->parent_name.len);
	if (r < 0)
		log_err("the TPM's identity cannot be read or pinned error=%s detail=%s", strerror(-r),
			keystore_strerror(*ret));
	return r;
}

static int read_identity(struct daemon *d, struct keystore_identity *id)
{
	struct akm_error err = {};
	int r = akm_blob_dup(id->ek_name.data, id->ek_name.len, &d->env.ek_name);

	if (r < 0 || d->config.role == ROLE_ROOT)
		return r;
	r = hardware_read(&d->env, &err);
	if (r < 0)
		log_err("the hardware value cannot be computed yet field=%s reason=%s", err.field, err.reason);
	return 0;				/* the role tries again: the data plane goes on meanwhile */
}

/* ---- the loop ---- */

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	akm_log_id(AKM_LOG_NOTICE, LOGID_STOPPING, "stopping signal=%d", (int)sig);
	event_base_loopbreak(d->base);
}

static void on_ready(void *ctx)
{
	struct daemon *d = ctx;
	int r = notify_send("READY=1");

	if (r < 0)
		log_warning("cannot tell the service manager that we are ready error=%s", strerror(-r));
	akm_log_id(AKM_LOG_NOTICE, LOGID_READY, "ready role=%s name=%s version=%s", d->ops->name, d->config.name,
		   AKM_VERSION);
}

static void on_failed(void *ctx, int r)
{
	struct daemon *d = ctx;

	d->result = r;
	event_base_loopbreak(d->base);
}

static int set_up_loop(struct daemon *d)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	signal(SIGPIPE, SIG_IGN);
	d->base = event_base_new();
	if (!d->base)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		d->signals[i] = evsignal_new(d->base, signals[i], on_signal, d);
		if (!d->signals[i] || event_add(d->signals[i], NULL) < 0)
			return -ENOMEM;
	}
	d->env = (struct role_env){ .base = d->base, .config = &d->config, .hooks_fd = TAKE_FD(d->hooks_fd),
				    .ready = on_ready, .failed = on_failed, .ctx = d };
	return 0;
}

static const char *way_out(int r, const struct akm_error *err)
{
	if (r == -EBADMSG && !strcmp(err->field, "database"))
		return ". Put its backup in its place, or remove the state directory and provision again";
	return "";
}

static int run_role(struct daemon *d)
{
	struct akm_error err = {};
	int r = d->ops->start(&d->env, &d->role, &err);

	if (r < 0) {
		akm_log_id(AKM_LOG_ERR, LOGID_FAILED, "cannot start field=%s reason=%s%s", err.field,
			   err.reason[0] ? err.reason : strerror(-r), way_out(r, &err));
		return r;
	}
	event_base_dispatch(d->base);
	(void)notify_send("STOPPING=1");	/* nobody is left to tell about a failure */
	d->ops->stop(d->role);
	return d->result;
}

static int drop_privilege(const struct daemon *d)
{
	struct akm_error err = {};
	int r = priv_drop(d->config.user, d->ops->net_admin, &err);

	if (r < 0)
		log_err("cannot drop privilege field=%s reason=%s", err.field, err.reason);
	return r;
}

static int run(struct daemon *d)
{
	struct keystore_identity id = {};
	struct keystore *ks = NULL;
	int r;

	r = make_directories(&d->config) ?: set_up_loop(d);
	r = r ?: open_keystore(&d->config, &ks, &id);
	r = r ?: read_identity(d, &id) ?: drop_privilege(d);
	keystore_identity_free(&id);
	r = r ?: tpmq_new(d->base, ks, &d->env.q);
	if (r < 0) {
		keystore_close(ks);
		return r;
	}
	d->env.keystore = ks;			/* the queue owns it now */
	r = pulse_new(d->base, &d->env.pulse) ?: run_role(d);
	tpmq_free(d->env.q);
	pulse_free(d->env.pulse);
	return r;
}

/* The process that may start programs: a copy of this one, from before there is anything to copy. */
static int start_runner(struct daemon *d)
{
	const struct runner_config c = { .directory = d->config.hooks, .user = d->config.hooks_user,
					 .daemon_user = d->config.user, .timeout_ms = RUNNER_TIMEOUT_MS };
	struct akm_error err = {};
	int r = d->config.hooks ? runner_start(&c, &d->hooks_fd, &err) : 0;

	if (r < 0)
		log_err("cannot start the runner of the policy's programs field=%s reason=%s", err.field, err.reason);
	return r;
}

static int start(struct daemon *d)
{
	struct akm_error err = {};
	int r = priv_harden(&err);

	if (r < 0) {
		log_err("cannot harden the process field=%s reason=%s", err.field, err.reason);
		return r;
	}
	if (r > 0)
		log_warning("hardening is incomplete field=%s reason=%s", err.field, err.reason);
	r = start_runner(d);
	if (r < 0)
		return r;
	r = akm_secret_init(d->config.secret_memory);
	if (r < 0) {
		log_err("cannot lock memory for secrets: raise the memlock limit to %zu bytes error=%s",
			d->config.secret_memory, strerror(-r));
		return r;
	}
	r = run(d);
	for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
		if (d->signals[i])
			event_free(d->signals[i]);
	if (d->base)
		event_base_free(d->base);
	akm_blob_free(&d->env.ek_name);
	akm_secret_exit();
	return r;
}

int main(int argc, char **argv)
{
	struct options o = {};
	struct daemon d = { .hooks_fd = -1 };
	int r;

	if (parse_options(argc, argv, &o) < 0)
		return 2;
	r = load_config(&d, &o);
	if (!r && o.check) {
		r = check_policy(&d.config);
		if (!r)
			printf("%s: ok\n", o.config);
	} else if (!r) {
		akm_log_init("akmd", (enum akm_log_level)d.config.log_level);
		r = start(&d);
		akm_log_exit();
	}
	config_free(&d.config);
	return r < 0 ? 1 : 0;
}
