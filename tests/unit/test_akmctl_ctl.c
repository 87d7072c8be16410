// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE			/* accept4() */
/*
 * akmctl's porcelain against a fake daemon: a thread that takes one connection,
 * keeps the request and answers from a script.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "../../include/akm-ctl.h"
#include "../../tools/command.h"
#include "../../tools/ctl.h"
#include "../../tools/health.h"
#include "../../tools/porcelain.h"
#include "../../tools/records.h"
#include "support_akmctl.h"


static char dir[128], path[AKM_CTL_PATH_MAX];
static int listener = -1;
static const char *script;		/* what the daemon says */
static size_t script_pad;		/* so many spaces in front of it */
static char request[16384];

static void *serve(void *arg)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char pad[4096];
	size_t n = 0, left;

	(void)arg;
	while (fd >= 0 && n < sizeof(request) - 1 && !memchr(request, '\n', n)) {
		ssize_t got = read(fd, request + n, sizeof(request) - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	request[n] = '\0';
	memset(pad, ' ', sizeof(pad));
	for (left = script_pad; left; left -= left < sizeof(pad) ? left : sizeof(pad)) {
		if (send(fd, pad, left < sizeof(pad) ? left : sizeof(pad), MSG_NOSIGNAL) < 0)
			break;
	}
	if (send(fd, script, strlen(script), MSG_NOSIGNAL) < 0)
		n = 0;
	close(fd);
	return NULL;
}

static int setup(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%.80s/akmctl-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%.90s/test.sock", dir);
	strcpy(un.sun_path, path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(listener, 4), 0);
	script_pad = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(listener);
	unlink(path);
	rmdir(dir);
	return 0;
}

/* ------------------------------------------------------------ running commands */

static char *out, *err;
static size_t out_len, err_len;

/* Runs @line against a daemon that says @answers. Output is in @out and @err until the next run. */
static int run(const char *line, const char *answers, struct akm_error *e)
{
	struct akm_ctx ctx = { .socket = path };
	pthread_t thread;
	int r;

	free(out);
	free(err);
	ctx.out = open_memstream(&out, &out_len);
	ctx.err = open_memstream(&err, &err_len);
	assert_non_null(ctx.out);
	assert_non_null(ctx.err);
	script = answers;
	request[0] = '\0';
	assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
	r = run_line(&ctx, line, e);
	/* a command that never connected leaves the thread in accept() */
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	fclose(ctx.out);
	fclose(ctx.err);
	return r;
}

static void expect_request(const char *line, const char *expected)
{
	struct json_object *want, *got;
	struct akm_error e;

	if (run(line, "{\"id\":1,\"ok\":true,\"result\":{}}\n", &e) < 0)
		fail_msg("\"%s\": %s: %s", line, e.field, e.reason);
	want = json_tokener_parse(expected);
	got = json_tokener_parse(request);
	assert_non_null(want);
	if (!got || !json_object_equal(want, got))
		fail_msg("\"%s\" sent %s instead of %s", line, request, expected);
	json_object_put(want);
	json_object_put(got);
}

/* ------------------------------------------------------------ requests */

#define REQUEST(name, text)							\
	static void name(void **state)						\
	{									\
		(void)state;							\
		text								\
	}

REQUEST(test_request_acknowledge,
	expect_request("acknowledge until 12", "{\"id\":1,\"cmd\":\"acknowledge\",\"args\":{\"until\":12}}");)
REQUEST(test_request_provision,
	expect_request("node provision EdgeNodeA via serial:/dev/ttyUSB0 endpoint 192.0.2.3",
		       "{\"id\":1,\"cmd\":\"node-provision\",\"args\":{\"name\":\"EdgeNodeA\",\"via\":\"serial:/dev/ttyUSB0\","
		       "\"endpoint\":\"192.0.2.3:7645\"}}");)
REQUEST(test_request_manager,
	expect_request("manager provision MgmtMod via unix:/run/x",
		       "{\"id\":1,\"cmd\":\"node-provision\",\"args\":{\"name\":\"MgmtMod\",\"via\":\"unix:/run/x\"}}");)
REQUEST(test_request_replace,
	expect_request("manager replace MgmtMod with MgmtMod2 via unix:/run/x",
		       "{\"id\":1,\"cmd\":\"manager-replace\",\"args\":{\"replaces\":\"MgmtMod\",\"name\":\"MgmtMod2\","
		       "\"via\":\"unix:/run/x\"}}");)
REQUEST(test_request_create,
	expect_request("atr create plant members A,B members C subnet 10.77.1.0/24 subnet6 fd00::/64 suite AES256GCM "
		       "port 7700 epoch-interval 1h epoch-grace 250ms freshness epoch fallback off group ff05::7645 ttl 3 id #7",
		       "{\"id\":1,\"cmd\":\"atr-create\",\"args\":{\"label\":\"plant\",\"members\":[\"A\",\"B\",\"C\"],"
		       "\"subnet4\":\"10.77.1.0/24\",\"subnet6\":\"fd00::/64\",\"suite\":\"aes-256-gcm\",\"port\":7700,"
		       "\"epoch_interval\":3600000,\"epoch_grace\":250,\"freshness\":\"epoch\",\"fallback\":\"off\",\"group\":\"ff05::7645\",\"ttl\":3,\"id\":7}}");)
REQUEST(test_request_create_id,
	expect_request("atr create #1 label A-B members A,B",
		       "{\"id\":1,\"cmd\":\"atr-create\",\"args\":{\"id\":1,\"label\":\"A-B\",\"members\":[\"A\",\"B\"]}}");)
REQUEST(test_request_add,
	expect_request("atr add #1 EdgeNodeD",
		       "{\"id\":1,\"cmd\":\"atr-add\",\"args\":{\"atr\":\"#1\",\"node\":\"EdgeNodeD\"}}");)
REQUEST(test_request_set,
	expect_request("atr set plant epoch-interval 10m suite aes-128-gcm interrupt --dry-run",
		       "{\"id\":1,\"cmd\":\"atr-set\",\"args\":{\"atr\":\"plant\",\"epoch_interval\":600000,"
		       "\"suite\":\"aes-128-gcm\",\"interrupt\":true,\"dry_run\":true}}");)
REQUEST(test_request_prefixes,
	expect_request("atr set plant member A prefix 192.168.5.0/24 prefix fd00:5::/48",
		       "{\"id\":1,\"cmd\":\"atr-set\",\"args\":{\"atr\":\"plant\",\"member\":\"A\","
		       "\"prefixes\":[\"192.168.5.0/24\",\"fd00:5::/48\"]}}");)
REQUEST(test_request_rename,
	expect_request("node rename EdgeNodeA Pump3",
		       "{\"id\":1,\"cmd\":\"node-rename\",\"args\":{\"node\":\"EdgeNodeA\",\"name\":\"Pump3\"}}");)
REQUEST(test_request_move,
	expect_request("node move EdgeNodeA from plant to #2",
		       "{\"id\":1,\"cmd\":\"node-move\",\"args\":{\"node\":\"EdgeNodeA\",\"from\":\"plant\",\"to\":\"#2\"}}");)
REQUEST(test_request_events,
	expect_request("events -f since 7 limit 3",
		       "{\"id\":1,\"cmd\":\"events\",\"args\":{\"follow\":true,\"since\":7,\"limit\":3}}");)
REQUEST(test_request_allow,
	expect_request("provision allow via serial:/dev/ttyS0 for 10m",
		       "{\"id\":1,\"cmd\":\"provision-allow\",\"args\":{\"via\":\"serial:/dev/ttyS0\",\"seconds\":600}}");)

/* What contradicts itself never reaches the daemon. */
static void test_contradictions(void **state)
{
	struct akm_error e;

	(void)state;
	assert_int_equal(run("atr create #1 id 2 members A", "", &e), -EINVAL);
	assert_true(e.usage);
	assert_non_null(strstr(e.reason, "id is given twice"));
	assert_string_equal(request, "");
}

static void test_contradictory_lists(void **state)
{
	struct akm_error e;

	(void)state;
	assert_int_equal(run("atr create x members A,B members B,C", "", &e), -EINVAL);
	assert_string_equal(e.field, "members");
	assert_string_equal(request, "");
}

/* ------------------------------------------------------------ answers */

static void refuse(const char *answers, int code, const char *why)
{
	void *none = NULL;
	struct akm_error e;
	int r;

	setup(&none);
	r = run("node list", answers, &e);
	if (r != -code || !strstr(e.reason, why))
		fail_msg("%.60s gave %d, \"%s\", not %d, \"%s\"", answers, r, e.reason, -code, why);
	assert_string_equal(out, "");
	teardown(&none);
}

static void test_bad_answers(void **state)
{
	(void)state;
	refuse("", ECONNRESET, "before it answered");
	refuse("{\"id\":1,\"ok\":true", ECONNRESET, "before it answered");
	refuse("\n", EPROTO, "no JSON object");
	refuse("[]\n", EPROTO, "no JSON object");
	refuse("{}{}\n", EPROTO, "no JSON object");
	refuse("{\"id\":1,\"ok\":true,}\n", EPROTO, "no JSON object");
	refuse("{\"id\":1,\"ok\":true,\"result\":{\"a\":\"\xff\"}}\n", EPROTO, "no JSON object");
	refuse("{\"id\":2,\"ok\":true,\"result\":{}}\n", EPROTO, "another request");
	refuse("{\"ok\":true,\"result\":{}}\n", EPROTO, "another request");
	refuse("{\"id\":1,\"ok\":\"yes\"}\n", EPROTO, "neither");
	refuse("{\"id\":1,\"ok\":true}\n", EPROTO, "no result");
	refuse("{\"id\":1,\"ok\":true,\"result\":[]}\n", EPROTO, "no result");
	refuse("{\"id\":1,\"ok\":false}\n", EPROTO, "without a reason");
	refuse("{\"id\":1,\"item\":7}\n", EPROTO, "not an object");
}

static void test_deep_answer(void **state)
{
	char deep[200] = "{\"id\":1,\"ok\":true,\"result\":{\"a\":";
	struct akm_error e;

	(void)state;
	memset(deep + strlen(deep), '[', 60);
	strcat(deep, "\n");
	assert_int_equal(run("node list", deep, &e), -EPROTO);
}

static void test_long_answer(void **state)
{
	struct akm_error e;

	(void)state;
	script_pad = AKM_CTL_LINE_MAX;
	assert_int_equal(run("node list", "{\"id\":1,\"ok\":true,\"result\":{}}\n", &e), -EMSGSIZE);
}

/* Just below the limit is fine. */
static void test_longest_answer(void **state)
{
	static const char answer[] = "{\"id\":1,\"ok\":true,\"result\":{\"nodes\":[]}}\n";
	struct akm_error e;

	(void)state;
	script_pad = AKM_CTL_LINE_MAX - strlen(answer);
	assert_int_equal(run("node list", answer, &e), 0);
	assert_string_equal(out, "no nodes\n");
}

static void test_refusal(void **state)
{
	struct akm_error e;

	(void)state;
	assert_int_equal(run("node show EdgeNodeZ", "{\"id\":1,\"ok\":false,\"error\":{\"code\":\"ENOENT\",\"field\":\"node\","
			     "\"reason\":\"there is no such node\"}}\n", &e), -ENOENT);
	assert_string_equal(err, "akmctl: node show: node EdgeNodeZ: there is no such node\n");
	assert_string_equal(out, "");
	assert_false(e.usage);
}

static void test_refusal_json(void **state)
{
	struct json_object *o, *error;
	struct akm_error e;

	(void)state;
	assert_int_equal(run("node show Z -j", "{\"id\":1,\"ok\":false,\"error\":{\"code\":\"EWEIRD\",\"field\":\"node\","
			     "\"reason\":\"odd\"}}\n", &e), -EREMOTEIO);
	o = json_tokener_parse(out);
	assert_true(json_object_object_get_ex(o, "error", &error));
	assert_string_equal(akm_json_str(error, "field"), "node");
	assert_string_equal(akm_json_str(error, "reason"), "odd");
	json_object_put(o);
}

static void test_progress(void **state)
{
	struct akm_error e;

	(void)state;
	assert_int_equal(run("node provision A via unix:/x",
			     "{\"id\":1,\"progress\":\"fingerprint 12-34\\u001b\"}\n{\"id\":1,\"progress\":\"key made\"}\n"
			     "{\"id\":1,\"ok\":true,\"result\":{\"name\":\"A\",\"state\":\"provisioned\"}}\n", &e), 0);
	assert_string_equal(err, "fingerprint 12-34\\x1b\nkey made\n");
	assert_string_equal(out, "name:  A\nstate: provisioned\n");
}

static void test_progress_json(void **state)
{
	struct akm_error e;

	(void)state;
	assert_int_equal(run("node provision A -j via unix:/x",
			     "{\"id\":1,\"progress\":\"half\",\"step\":2}\n{\"id\":1,\"ok\":true,\"result\":{\"n\":1}}\n", &e), 0);
	assert_string_equal(err, "{\"id\":1,\"progress\":\"half\",\"step\":2}\n");
	assert_string_equal(out, "{\n  \"n\": 1\n}\n");
}

static void test_plan(void **state)
{
	struct akm_error e;

	(void)state;
	assert_int_equal(run("node evict C --dry-run",
			     "{\"id\":1,\"ok\":true,\"result\":{\"dry_run\":true,\"node\":\"C is refused\\u001b\",\"steps\":["
			     "{\"atr\":1,\"label\":\"pl\\u0007nt\",\"change\":\"rekeyed\",\"generation\":8,\"definition\":12,"
			     "\"leaves\":\"C\",\"now\":[\"A\",\"D\"],\"at_return\":[\"B\"],\"until_return\":\"take it\","
			     "\"interrupted\":\"nothing\"},"
			     "{\"atr\":2,\"label\":\"x\",\"change\":\"definition only\",\"now\":[],\"at_return\":[]}]}}\n",
			     &e), 0);
	assert_string_equal(out, "This would be done; nothing is done now.\n"
			    "C is refused\\x1b.\n"
			    "1. #1 pl\\x07nt: rekeyed, generation 8, definition 12\n"
			    "   leaves:          C\n"
			    "   now:             A, D\n"
			    "   at return:       B\n"
			    "   until then, can: take it\n"
			    "   interrupted:     nothing\n"
			    "2. #2 x: definition only\n");
}

#define STATUS(health, rest) "{\"id\":1,\"ok\":true,\"result\":{\"role\":\"manager\",\"name\":\"Mg\\u001b[2J\"," \
	"\"version\":\"1\",\"term\":3,\"tpm\":{\"state\":\"ok\",\"commands\":41,\"depth\":0},\"health\":" health rest "}}\n"

static void test_status(void **state)
{
	static const char answer[] = STATUS(
		"{\"state\":\"alert\",\"alerts\":1,\"warnings\":2,\"findings\":["
		"{\"severity\":\"alert\",\"check\":\"blind\",\"subject\":\"Ed\\u0007ge\",\"text\":\"does\\nnot hear\",\"remedy\":\"restart it\"},"
		"{\"severity\":\"warning\",\"check\":\"silent\",\"subject\":\"B\",\"since\":\"T1\",\"text\":\"not heard\",\"remedy\":\"see to it\"}]}",
		",\"peer\":{\"state\":\"up\",\"name\":\"Root\",\"address\":\"192.0.2.1:7646\",\"since\":\"T0\"},"
		"\"nodes\":{\"total\":3,\"up\":2,\"evicted\":1},\"atrs\":[{\"id\":1,\"label\":\"plant\",\"generation\":4,"
		"\"state\":\"stable\",\"members\":[{\"state\":\"current\"},{\"state\":\"absent\"}]}],\"alerts\":[]");
	struct akm_error e;

	(void)state;
	assert_true(run("status", answer, &e) < 0);
	assert_false(e.usage);		/* exit status 1 */
	assert_string_equal(err, "");
	assert_string_equal(out, "NOT HEALTHY: manager Mg\\x1b[2J, 1 alert, 2 warnings\n"
			    "alert    Ed\\x07ge: does\\x0anot hear\n         → restart it\n"
			    "warning  B: not heard, since T1\n         → see to it\n\n"
			    "akmd:     version 1, term 3; TPM ok, 41 commands\n"
			    "above:    Root up since T0, at 192.0.2.1:7646\n"
			    "nodes:    2 of 3 up, 1 evicted\n"
			    "ATR:      #1 plant generation 4, stable, 1 of 2 members current\n");
}

static void test_status_healthy(void **state)
{
	struct akm_error e;

	(void)state;
	assert_int_equal(run("status", STATUS("{\"state\":\"healthy\",\"alerts\":0,\"warnings\":0,\"findings\":[]}", ""), &e), 0);
	assert_string_equal(out, "HEALTHY: manager Mg\\x1b[2J\n\nakmd:     version 1, term 3; TPM ok, 41 commands\n");
}

/* A daemon that does not say, or is not ready, is not well. */
static void test_status_unknown(void **state)
{
	struct akm_error e;

	(void)state;
	assert_true(run("status", STATUS("{\"state\":\"splendid\"}", ""), &e) < 0);
	assert_non_null(strstr(out, "NOT HEALTHY"));
}

static void test_status_absent(void **state)
{
	struct akm_error e;

	(void)state;
	assert_true(run("status", STATUS("null", ""), &e) < 0);
	assert_non_null(strstr(out, "NOT HEALTHY"));
}

static void test_status_refused(void **state)
{
	struct akm_error e;

	(void)state;
	assert_true(run("status", "{\"id\":1,\"ok\":false,\"error\":{\"code\":\"EAGAIN\",\"field\":\"root\",\"reason\":\"is starting\"}}\n", &e) < 0);
	assert_string_equal(out, "NOT HEALTHY: akmd does not answer, so nobody watches\n");
	assert_string_equal(err, "akmctl: status: root: is starting\n");
}

/* One screen, however bad it is */
static void test_status_screen(void **state)
{
	static char answer[65536];
	struct akm_error e;
	size_t n, i, lines = 0;

	(void)state;
	n = (size_t)snprintf(answer, sizeof(answer), "{\"id\":1,\"ok\":true,\"result\":{\"role\":\"manager\",\"name\":\"M\",\"health\":"
			     "{\"state\":\"alert\",\"alerts\":100,\"warnings\":0,\"findings\":[");
	for (i = 0; i < 100; i++)
		n += (size_t)snprintf(answer + n, sizeof(answer) - n, "%s{\"severity\":\"alert\",\"text\":\"x\",\"remedy\":\"y\"}", i ? "," : "");
	n += (size_t)snprintf(answer + n, sizeof(answer) - n, "]},\"atrs\":[");
	for (i = 0; i < 100; i++)
		n += (size_t)snprintf(answer + n, sizeof(answer) - n, "%s{\"id\":%zu,\"label\":\"x\"}", i ? "," : "", i);
	snprintf(answer + n, sizeof(answer) - n, "]}}\n");
	assert_true(run("status", answer, &e) < 0);
	for (const char *p = out; (p = strchr(p, '\n')); p++)
		lines++;
	assert_in_range(lines, 20, 30);
	assert_non_null(strstr(out, "… and 92 more: akmctl -j status\n"));
}

static void test_status_json(void **state)
{
	struct json_object *o;
	struct akm_error e;

	(void)state;
	assert_true(run("status -j", STATUS("{\"state\":\"warning\"}", ""), &e) < 0);
	assert_string_equal(err, "");
	o = json_tokener_parse(out);
	assert_int_equal(akm_json_u64(o, "term"), 3);
	json_object_put(o);
}

static void test_status_json_healthy(void **state)
{
	struct akm_error e;

	(void)state;
	assert_int_equal(run("status -j", STATUS("{\"state\":\"healthy\"}", ""), &e), 0);
}

/* It accepts, and never says a word: the kernel does that for a program that hangs. */
static void test_status_hangs(void **state)
{
	struct akm_ctx ctx = { .socket = path };
	struct akm_error e;
	time_t from = time(NULL);

	(void)state;
	free(out);
	free(err);
	ctx.out = open_memstream(&out, &out_len);
	ctx.err = open_memstream(&err, &err_len);
	assert_true(run_line(&ctx, "status", &e) < 0);
	fclose(ctx.out);
	fclose(ctx.err);
	assert_in_range(time(NULL) - from, AKM_CTL_HURRY_S - 1, AKM_CTL_HURRY_S + 20);
	assert_string_equal(out, "NOT HEALTHY: akmd does not answer, so nobody watches\n");
	assert_string_equal(err, "akmctl: status: answer: the daemon does not answer: it hangs, or its machine does\n");
}

static void test_items(void **state)
{
	static const char answers[] =
		"{\"id\":1,\"item\":{\"seq\":1,\"time\":\"T1\",\"source\":\"A\",\"severity\":\"info\",\"kind\":\"rekey\",\"text\":\"x\"}}\n"
		"{\"id\":1,\"item\":{\"seq\":2,\"time\":\"T2\",\"source\":\"B\",\"severity\":\"alert\",\"kind\":\"replay\"}}\n"
		"{\"id\":1,\"ok\":true,\"result\":{}}\n";
	struct akm_error e;

	(void)state;
	assert_int_equal(run("events", answers, &e), 0);
	assert_string_equal(out, "1 T1 info A rekey: x\n2 T2 alert B replay\n");
}

static void test_items_json(void **state)
{
	struct akm_error e;

	(void)state;
	assert_int_equal(run("events -j", "{\"id\":1,\"item\":{\"seq\":1}}\n{\"id\":1,\"item\":{\"seq\":2}}\n"
			     "{\"id\":1,\"ok\":true,\"result\":{}}\n", &e), 0);
	assert_string_equal(out, "{\"seq\":1}\n{\"seq\":2}\n");
}

static void test_done(void **state)
{
	struct akm_error e;

	(void)state;
	assert_int_equal(run("atr delete plant", "{\"id\":1,\"ok\":true,\"result\":{}}\n", &e), 0);
	assert_string_equal(out, "done\n");
}

/* ------------------------------------------------------------ which socket */

static void touch(const char *name)
{
	char file[256];
	int fd;

	snprintf(file, sizeof(file), "%s/%s", dir, name);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static void test_find(void **state)
{
	char found[AKM_CTL_PATH_MAX], second[256], long_path[200];
	struct akm_error e = {};

	(void)state;
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[199] = '\0';
	assert_int_equal(akm_ctl_find(NULL, NULL, "/nonexistent", found, &e), -ENOENT);
	assert_non_null(strstr(e.reason, "is akmd running"));
	assert_int_equal(akm_ctl_find(long_path, NULL, dir, found, &e), -EINVAL);
	assert_true(e.usage);
	assert_int_equal(akm_ctl_find("", NULL, dir, found, &e), -EINVAL);
	assert_int_equal(akm_ctl_find(NULL, "", dir, found, &e), 0);
	assert_string_equal(found, path);
	assert_int_equal(akm_ctl_find(NULL, "/from/env", dir, found, &e), 0);
	assert_string_equal(found, "/from/env");
	assert_int_equal(akm_ctl_find("/from/option", "/from/env", dir, found, &e), 0);
	assert_string_equal(found, "/from/option");
	touch("other.sock");
	assert_int_equal(akm_ctl_find(NULL, NULL, dir, found, &e), -EINVAL);
	assert_true(e.usage);
	assert_non_null(strstr(e.reason, "other.sock"));
	assert_non_null(strstr(e.reason, "test.sock"));
	snprintf(second, sizeof(second), "%s/other.sock", dir);
	unlink(second);
}

static void test_connect(void **state)
{
	struct akm_error e = {};
	char file[256];

	(void)state;
	assert_int_equal(akm_ctl_connect("/nonexistent/x.sock", &e), -ENOENT);
	assert_non_null(strstr(e.reason, "is akmd running"));
	touch("dead.sock");
	snprintf(file, sizeof(file), "%s/dead.sock", dir);
	assert_int_equal(akm_ctl_connect(file, &e), -ECONNREFUSED);
	assert_non_null(strstr(e.reason, "start akmd"));
	unlink(file);
}

static int free_output(void **state)
{
	(void)state;
	free(out);
	free(err);
	return 0;
}

#define TEST(t)	cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_request_acknowledge), TEST(test_status), TEST(test_status_healthy), TEST(test_status_screen),
		TEST(test_status_json), TEST(test_status_json_healthy), TEST(test_status_hangs), TEST(test_status_unknown),
		TEST(test_status_absent), TEST(test_status_refused), TEST(test_request_provision), TEST(test_request_manager), TEST(test_request_replace),
		TEST(test_request_create), TEST(test_request_create_id), TEST(test_request_add),
		TEST(test_request_set), TEST(test_request_prefixes), TEST(test_request_rename), TEST(test_request_move),
		TEST(test_request_events), TEST(test_request_allow), TEST(test_contradictions),
		TEST(test_contradictory_lists), cmocka_unit_test(test_bad_answers), TEST(test_deep_answer),
		TEST(test_long_answer), TEST(test_longest_answer), TEST(test_refusal), TEST(test_refusal_json),
		TEST(test_progress), TEST(test_progress_json), TEST(test_plan),
		TEST(test_items), TEST(test_items_json),
		TEST(test_done), TEST(test_find), TEST(test_connect),
	};

	return cmocka_run_group_tests(tests, NULL, free_output);
}
