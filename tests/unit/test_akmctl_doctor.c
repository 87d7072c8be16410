// SPDX-License-Identifier: GPL-2.0
#define _XOPEN_SOURCE 700		/* nftw() */
#define _DEFAULT_SOURCE
/* akmctl doctor on machines made of files: what is missing is found, with a way to mend it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <json-c/json.h>

#include "../../tools/doctor.h"
#include "../../tools/records.h"

#define GCM_SLOW \
	"name         : gcm(aes)\ndriver       : gcm_base(ctr(aes-generic),ghash-generic)\n" \
	"module       : gcm\npriority     : 100\ntype         : aead\n\n"
#define GCM_FAST \
	"name         : gcm(aes)\ndriver       : generic-gcm-aesni\nmodule       : aesni_intel\n" \
	"priority     : 400\ntype         : aead\n\n"
#define CHACHA_FAST \
	"name         : rfc7539(chacha20,poly1305)\ndriver       : rfc7539(chacha20-simd,poly1305-simd)\n" \
	"priority     : 300\ntype         : aead\n\n"
/* an algorithm of the same name that is no AEAD */
#define GCM_OTHER_TYPE \
	"name         : gcm(aes)\ndriver       : trick\npriority     : 9000\ntype         : skcipher\n\n"

static char root[128];

static void put(const char *name, const char *text)
{
	char path[512], *p;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, name);
	for (p = path + strlen(root) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(root, sizeof(root), "%.80s/doctor-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(root));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* A machine that has everything. */
static void put_healthy(void)
{
	put("/sys/module/akm/version", "0.1\n");
	put("/proc/crypto", GCM_SLOW GCM_FAST CHACHA_FAST GCM_OTHER_TYPE);
	put("/dev/tpmrm0", "");
	put("/sys/class/tpm/tpm0/tpm_version_major", "2\n");
	put("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	put("/sys/module/module/parameters/sig_enforce", "N\n");
}

static int examine(struct akm_doctor *d)
{
	d->root = root;
	d->release = d->release ? d->release : "6.1.0-test";
	d->tpm = d->tpm ? d->tpm : "/dev/tpmrm0";
	d->port = 7645;
	d->now = d->now ? d->now : 1763932623;
	return akm_doctor_examine(d);
}

/* The finding of @check: its state and text are as expected, and what is not ok says how to mend it. */
static void expect(struct akm_doctor *d, const char *check, const char *state, const char *text)
{
	size_t i;

	for (i = 0; i < json_object_array_length(d->findings); i++) {
		struct json_object *o = json_object_array_get_idx(d->findings, i);

		if (strcmp(akm_json_str(o, "check"), check))
			continue;
		if (strcmp(akm_json_str(o, "state"), state) || !strstr(akm_json_str(o, "text"), text))
			fail_msg("%s is %s (%s), not %s (%s)", check, akm_json_str(o, "state"), akm_json_str(o, "text"),
				 state, text);
		if (strcmp(state, "ok"))
			assert_non_null(akm_json_str(o, "mend"));
		return;
	}
	fail_msg("nothing was found about %s", check);
}

static void test_bare(void **state)
{
	struct akm_doctor d = {};

	(void)state;
	assert_int_equal(examine(&d), 2);
	expect(&d, "kernel", "ok", "6.1.0-test");
	expect(&d, "module", "fail", "cannot load modules");
	expect(&d, "aes-256-gcm", "warn", "no driver");
	expect(&d, "tpm", "fail", "/dev/tpmrm0");
	expect(&d, "clock", "warn", "synchronised");
	expect(&d, "daemon", "warn", "no control socket");
	json_object_put(d.findings);
}

/* A daemon that says @answer to who asks it; the thread ends with the connection, or with the listener. */
struct talker { int listener; const char *answer; char asked[256]; pthread_t thread; };

static void *talk(void *arg)
{
	struct talker *t = arg;
	int fd = accept(t->listener, NULL, NULL);
	size_t len = 0;
	ssize_t n = 1;

	while (fd >= 0 && n > 0 && len < sizeof(t->asked) - 1 && !strchr(t->asked, '\n')) {
		n = read(fd, t->asked + len, sizeof(t->asked) - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (fd >= 0 && n > 0 && t->answer)
		n = send(fd, t->answer, strlen(t->answer), MSG_NOSIGNAL);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void talker_start(struct talker *t, const char *name, const char *answer)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	put(name, "");				/* makes the directories */
	snprintf(un.sun_path, sizeof(un.sun_path), "%.70s%.30s", root, name);
	assert_int_equal(unlink(un.sun_path), 0);
	*t = (struct talker){ .listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .answer = answer };
	assert_int_equal(bind(t->listener, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(t->listener, 1), 0);
	assert_int_equal(pthread_create(&t->thread, NULL, talk, t), 0);
}

static void talker_end(struct talker *t)
{
	shutdown(t->listener, SHUT_RDWR);
	pthread_join(t->thread, NULL);
	close(t->listener);
}

static void test_healthy(void **state)
{
	struct akm_doctor d = { .clock_synchronised = true };
	struct talker t;
	size_t i;

	(void)state;
	put_healthy();
	talker_start(&t, "/run/akm/node.sock",
		     "{\"id\":1,\"ok\":true,\"result\":{\"name\":\"EdgeNodeB\",\"health\":{\"findings\":[]}}}\n");
	assert_int_equal(examine(&d), 0);
	talker_end(&t);
	for (i = 0; i < json_object_array_length(d.findings); i++)
		assert_string_equal(akm_json_str(json_object_array_get_idx(d.findings, i), "state"), "ok");
	expect(&d, "aes-256-gcm", "ok", "generic-gcm-aesni");
	expect(&d, "daemon", "ok", "1 control socket in");
	json_object_put(d.findings);
}

static struct json_object *find_text(struct akm_doctor *d, const char *text)
{
	size_t i;

	for (i = 0; i < json_object_array_length(d->findings); i++) {
		struct json_object *o = json_object_array_get_idx(d->findings, i);

		if (strstr(akm_json_str(o, "text"), text))
			return o;
	}
	return NULL;
}

/* Daemons know what can only be known from the inside; one that hangs up, or is dead, is a finding itself. */
static void test_daemons(void **state)
{
	struct akm_doctor d = {};
	struct json_object *o;
	struct talker ill, well, mute;

	(void)state;
	talker_start(&ill, "/run/akm/node.sock",
		     "{\"id\":1,\"ok\":true,\"result\":{\"name\":\"EdgeNodeA\",\"health\":{\"findings\":["
		     "{\"severity\":\"alert\",\"check\":\"tpm\",\"text\":\"the TPM is locked out or busy\","
		     "\"remedy\":\"Wait for the end of its lockout.\"},"
		     "{\"severity\":\"warning\",\"check\":\"clock\",\"text\":\"it is early\",\"remedy\":\"Wait.\"},"
		     "{\"severity\":\"alert\",\"check\":\"node\",\"subject\":\"Another\",\"text\":\"is far away\"}]}}}\n");
	talker_start(&well, "/run/akm/other.sock",
		     "{\"id\":1,\"ok\":true,\"result\":{\"name\":\"EdgeNodeB\",\"health\":{\"findings\":[]}}}\n");
	talker_start(&mute, "/run/akm/silent.sock", NULL);
	examine(&d);
	assert_non_null(strstr(ill.asked, "\"status\""));
	o = find_text(&d, "EdgeNodeA: the TPM is locked out");
	assert_non_null(o);
	assert_string_equal(akm_json_str(o, "check"), "tpm");
	assert_string_equal(akm_json_str(o, "state"), "fail");
	assert_string_equal(akm_json_str(o, "mend"), "Wait for the end of its lockout.");
	assert_string_equal(akm_json_str(find_text(&d, "EdgeNodeA: it is early"), "state"), "warn");
	assert_null(find_text(&d, "is far away"));
	assert_string_equal(akm_json_str(find_text(&d, "EdgeNodeB finds nothing wrong"), "state"), "ok");
	o = find_text(&d, "/run/akm/silent.sock");
	assert_string_equal(akm_json_str(o, "state"), "fail");
	assert_non_null(akm_json_str(o, "mend"));
	json_object_put(d.findings);
	talker_end(&ill);
	talker_end(&well);
	talker_end(&mute);
	examine(&d);
	assert_non_null(strstr(akm_json_str(find_text(&d, "/run/akm/node.sock"), "text"), "nobody listens"));
	json_object_put(d.findings);
}

static void test_module(void **state)
{
	struct akm_doctor d = {};

	(void)state;
	put("/sys/module/module/parameters/sig_enforce", "Y\n");
	examine(&d);
	expect(&d, "module", "fail", "no akm.ko for 6.1.0-test");
	expect(&d, "signature", "warn", "sig_enforce");
	json_object_put(d.findings);
	put("/lib/modules/6.1.0-test/modules.dep", "kernel/net/other.ko:\nupdates/akm.ko: kernel/net/udp_tunnel.ko\n");
	examine(&d);
	expect(&d, "module", "warn", "not loaded");
	json_object_put(d.findings);
	put("/proc/sys/kernel/modules_disabled", "1\n");
	examine(&d);
	expect(&d, "module", "fail", "until the next boot");
	json_object_put(d.findings);
	put("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	examine(&d);
	expect(&d, "signature", "warn", "lockdown");
	json_object_put(d.findings);
	put("/sys/module/akm/version", "");
	examine(&d);
	expect(&d, "module", "ok", "loaded");
	expect(&d, "signature", "ok", "accepted");
	json_object_put(d.findings);
}

static void test_kernel(void **state)
{
	struct akm_doctor d = { .release = "5.15.0" };

	(void)state;
	examine(&d);
	expect(&d, "kernel", "fail", "too old");
	json_object_put(d.findings);
	d.release = "6.0.9";
	examine(&d);
	expect(&d, "kernel", "fail", "too old");
	json_object_put(d.findings);
	d.release = "10.0";
	examine(&d);
	expect(&d, "kernel", "ok", "10.0");
	json_object_put(d.findings);
}

static void test_crypto(void **state)
{
	struct akm_doctor d = {};

	(void)state;
	put("/proc/crypto", GCM_SLOW GCM_OTHER_TYPE);
	examine(&d);
	expect(&d, "aes-256-gcm", "warn", "aes-generic");
	expect(&d, "chacha20-poly1305", "warn", "no driver");
	json_object_put(d.findings);
	put("/proc/crypto", "garbage\n\nname\n: : :\n\n" GCM_FAST GCM_SLOW);
	examine(&d);
	expect(&d, "aes-256-gcm", "ok", "aesni");
	json_object_put(d.findings);
}

static void test_tpm(void **state)
{
	struct akm_doctor d = {};

	(void)state;
	put("/sys/class/tpm/tpm0/tpm_version_major", "1\n");
	examine(&d);
	expect(&d, "tpm", "fail", "though the kernel knows a TPM");
	json_object_put(d.findings);
	put("/dev/tpmrm0", "");
	examine(&d);
	expect(&d, "tpm", "fail", "TPM 1.2");
	json_object_put(d.findings);
	d.tpm = "/dev/tpmrm7";
	put("/dev/tpmrm7", "");
	examine(&d);
	expect(&d, "tpm", "ok", "/dev/tpmrm7");
	json_object_put(d.findings);
}

static void test_clock(void **state)
{
	struct akm_doctor d = { .now = 1000000000, .clock_synchronised = true };

	(void)state;
	examine(&d);
	expect(&d, "clock", "warn", "2001-09-09");
	json_object_put(d.findings);
	d.now = -5;
	examine(&d);
	expect(&d, "clock", "warn", "1970-01-01");
	json_object_put(d.findings);
}

#define TEST(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)

static void test_hooks(void **state)
{
	struct akm_doctor d = { .hooks = "/etc/hooks" };
	char path[512];

	(void)state;
	if (geteuid() != 0)
		skip();
	examine(&d);
	expect(&d, "hooks", "fail", "/etc/hooks: No such file or directory");
	json_object_put(d.findings);
	put("/etc/hooks/page", "#!/bin/sh\n");
	examine(&d);
	expect(&d, "hooks", "fail", "page cannot be run: ");
	json_object_put(d.findings);
	snprintf(path, sizeof(path), "%s/etc/hooks/page", root);
	assert_int_equal(chmod(path, 0755), 0);
	examine(&d);
	expect(&d, "hooks", "ok", "1 program in /etc/hooks");
	json_object_put(d.findings);
	/* The usual directory is not missed where there is none. */
	d.hooks = NULL;
	examine(&d);
	for (size_t i = 0; i < json_object_array_length(d.findings); i++)
		assert_string_not_equal(akm_json_str(json_object_array_get_idx(d.findings, i), "check"), "hooks");
	json_object_put(d.findings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bare), TEST(test_healthy), TEST(test_daemons), TEST(test_module), TEST(test_kernel), TEST(test_crypto),
		TEST(test_tpm), TEST(test_clock), TEST(test_hooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
