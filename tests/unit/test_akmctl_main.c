// SPDX-License-Identifier: GPL-2.0
/* akmctl as a whole, in a child: options, exit status, what goes to which stream; and its bash completion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int akmctl_main(int argc, char *argv[]);
#define main akmctl_main
#include "../../tools/main.c"
#undef main

#define WORDS_MAX	64

static char out[65536], err[65536];

static void drain(FILE *f, char *buf, size_t size)
{
	size_t n;

	rewind(f);
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
}

/* In the child: words of @line as arguments. */
__attribute__((noreturn))
static void be_akmctl(const char *line, FILE *to_out, FILE *to_err)
{
	char copy[1024], program[] = "akmctl", *argv[WORDS_MAX] = { program }, *save = NULL, *p;
	int argc = 1;

	strcpy(copy, line);
	for (p = strtok_r(copy, " ", &save); p && argc < WORDS_MAX - 1; p = strtok_r(NULL, " ", &save))
		argv[argc++] = p;
	dup2(fileno(to_out), STDOUT_FILENO);
	dup2(fileno(to_err), STDERR_FILENO);
	_exit(akmctl_main(argc, argv));
}

/* Return: exit status; what was written is in @out and @err. */
static int run_akmctl(const char *line)
{
	FILE *to_out = tmpfile(), *to_err = tmpfile();
	int status = 0;
	pid_t pid;

	assert_non_null(to_out);
	assert_non_null(to_err);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		be_akmctl(line, to_out, to_err);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	drain(to_out, out, sizeof(out));
	drain(to_err, err, sizeof(err));
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_misuse(void **state)
{
	static const char *const lines[] = {
		"", "nonsense", "--nonsense", "--color", "--color sometimes show", "--socket", "dev", "dev frob",
		"member set", "member set akm1 index 1 index 1", "help nonsense", "atr create #1 id 2 members A",
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		if (run_akmctl(lines[i]) != 2)
			fail_msg("\"%s\" does not exit with 2", lines[i]);
		assert_string_equal(out, "");
		assert_string_not_equal(err, "");
	}
}

static void test_failure(void **state)
{
	(void)state;
	assert_int_equal(run_akmctl("--socket /nonexistent/akm.sock status"), 1);
	/* A monitor that is dead is an alarm. */
	assert_string_equal(out, "NOT HEALTHY: akmd does not answer, so nobody watches\n");
	assert_string_equal(err, "akmctl: status: socket: /nonexistent/akm.sock does not exist: is akmd running?\n");
	assert_int_equal(run_akmctl("-j --socket /nonexistent/akm.sock status"), 1);
	assert_non_null(strstr(out, "\"code\": \"ENOENT\""));
	setenv("AKM_SOCKET", "/nonexistent/from-env.sock", 1);
	assert_int_equal(run_akmctl("atr list"), 1);
	assert_non_null(strstr(err, "from-env.sock"));
	unsetenv("AKM_SOCKET");
}

static void test_success(void **state)
{
	static char first[sizeof(out)];
	size_t i;

	(void)state;
	assert_int_equal(run_akmctl("--version"), 0);
	assert_string_equal(out, "akmctl " AKM_VERSION "\n");
	assert_int_equal(run_akmctl("-h"), 0);
	for (i = 0; i < akm_commands_n; i++)
		assert_non_null(strstr(out, akm_commands[i].help));
	assert_string_equal(err, "");
	assert_int_equal(run_akmctl("help pair"), 0);
	assert_string_equal(out, "  akmctl pair set INTERFACE number N [epoch N] pair-file FILE [expect N]\n"
			    "      add pair chains to a generation\n");
	strcpy(first, out);
	assert_int_equal(run_akmctl("pair set --help"), 0);
	assert_string_equal(out, first);
	assert_int_equal(run_akmctl("pair --help"), 0);
	assert_string_equal(out, first);
}

/* Colour only where it was asked for: what is not a terminal gets none by itself. */
static void test_colour(void **state)
{
	(void)state;
	run_akmctl("doctor");
	assert_null(strchr(out, '\033'));
	run_akmctl("--color always doctor");
	assert_non_null(strchr(out, '\033'));
	run_akmctl("--color always --color never doctor");
	assert_null(strchr(out, '\033'));
}

static void test_output_lost(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	int status = 0;
	pid_t pid;

	(void)state;
	assert_non_null(full);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		be_akmctl("help", full, full);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	fclose(full);
}

/* ------------------------------------------------------------ completion */

static void expect_completion(const char *words, const char *expected)
{
	const char *dir = getenv("AKM_SRCDIR");
	char script[1024], line[4096] = "";
	FILE *f;

	snprintf(script, sizeof(script),
		 "bash -c '. \"%s/tools/completion/akmctl.bash\"; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "
		 "_akmctl; echo \"${COMPREPLY[*]}\"'", dir ? dir : ".", words);
	f = popen(script, "r");
	assert_non_null(f);
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	assert_int_equal(pclose(f), 0);
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, expected))
		fail_msg("%s completes to \"%s\", not \"%s\"", words, line, expected);
}

static void test_completion(void **state)
{
	(void)state;
	expect_completion("akmctl s", "show stats status");
	expect_completion("akmctl member \"\"", "set del show");
	expect_completion("akmctl member set akm1 \"\"", "index name prefix endpoint roams keepalive -j");
	expect_completion("akmctl member set akm1 index \"\"", "");
	expect_completion("akmctl member set akm1 index 3 prefix 10.0.0.0/8 \"\"", "name prefix endpoint roams keepalive -j");
	expect_completion("akmctl --socket /run/x -j atr create plant s", "suite subnet subnet6");
	expect_completion("akmctl atr create plant suite c", "chacha20-poly1305");
	expect_completion("akmctl events -f \"\"", "since limit -j");
	expect_completion("akmctl --color a", "auto always");
	expect_completion("akmctl --s", "--socket");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_colour),
		cmocka_unit_test(test_output_lost),
		cmocka_unit_test(test_completion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
