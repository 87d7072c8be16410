// SPDX-License-Identifier: GPL-2.0
#include "log.h"

#include <ctype.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "util.h"

#define TEXT_BYTES	1024	/* one message, before escaping */
#define LINE_BYTES	(4 * TEXT_BYTES + 128)	/* an escaped byte takes four */
#define FIELDS_BYTES	(2 * LINE_BYTES)	/* the message, and its values once more */
#define JOURNAL_SOCKET	"/run/systemd/journal/socket"

static char log_ident[32] = "akm";
static enum akm_log_level log_max = AKM_LOG_INFO;
static int journal = -1;

struct out {
	char *buf;
	size_t size, len;
};

static void out_mem(struct out *o, const char *s, size_t n)
{
	if (n > o->size - o->len)
		n = o->size - o->len;
	memcpy(o->buf + o->len, s, n);
	o->len += n;
}

static void out_str(struct out *o, const char *s)
{
	out_mem(o, s, strlen(s));
}

/* Bytes of the printable UTF-8 sequence at @s; 0: none (control, overlong, surrogate, beyond Unicode, cut). */
static size_t utf8_printable(const unsigned char *s)
{
	static const uint32_t least[] = { 0, 0, 0xa0, 0x800,
					  0x10000 }; /* U+0080 … U+009F are controls */
	uint32_t c;
	size_t n, i;

	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
	if (!n || s[0] > 0xf4)
		return 0;
	c = s[0] & (0xffU >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

/* What a peer chose to be called must neither start a line of its own nor steer a terminal. */
static void out_escaped(struct out *o, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	char hex[5];
	size_t n;

	while (*s) {
		n = utf8_printable(s);
		if (n) {
			out_mem(o, (const char *)s, n);
			s += n;
			continue;
		}
		snprintf(hex, sizeof(hex), "\\x%02x", (unsigned int)*s++);
		out_mem(o, hex, 4);
	}
}

static const char *level_name(enum akm_log_level level)
{
	switch (level) {
	case AKM_LOG_ERR:
		return "error: ";
	case AKM_LOG_WARNING:
		return "warning: ";
	case AKM_LOG_NOTICE:
	case AKM_LOG_INFO:
		return "";
	case AKM_LOG_DEBUG:
		return "debug: ";
	}
	return "";
}

static size_t key_length(const char *word)
{
	size_t n = 0;

	while (islower((unsigned char)word[n]) || isdigit((unsigned char)word[n]) ||
	       word[n] == '_' || word[n] == '-')
		n++;
	return n && islower((unsigned char)word[0]) && word[n] == '=' ? n : 0;
}

/* Every key=value word of the message once more, as AKM_KEY=value */
static void out_fields(struct out *o, const char *text)
{
	size_t word, key, i;
	char c;

	for (; *text; text += word + strspn(text + word, " ")) {
		word = strcspn(text, " ");
		key = key_length(text);
		if (!key || key >= word)
			continue;
		out_str(o, "AKM_");
		for (i = 0; i < key; i++) {
			c = text[i] == '-' ? '_' : (char)toupper((unsigned char)text[i]);
			out_mem(o, &c, 1);
		}
		out_mem(o, text + key, word - key);
		out_str(o, "\n");
	}
}

/* The journal's native protocol: FIELD=value lines in one datagram. @text is escaped: no newline in it. */
static int to_journal(enum akm_log_level level, const char *id, const char *text)
{
	char buf[FIELDS_BYTES], priority[32];
	struct out o = { .buf = buf, .size = sizeof(buf) };

	snprintf(priority, sizeof(priority), "PRIORITY=%d\n", (int)level);
	out_str(&o, priority);
	out_str(&o, "SYSLOG_IDENTIFIER=");
	out_str(&o, log_ident);
	if (id) {
		out_str(&o, "\nMESSAGE_ID=");
		out_str(&o, id);
	}
	out_str(&o, "\nMESSAGE=");
	out_str(&o, text);
	out_str(&o, "\n");
	out_fields(&o, text);
	return send(journal, buf, o.len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)o.len ? 0 : -errno;
}

static void to_stderr(enum akm_log_level level, const char *text)
{
	char buf[LINE_BYTES];
	struct out o = { .buf = buf, .size = sizeof(buf) - 1 };

	out_str(&o, log_ident);
	out_str(&o, ": ");
	out_str(&o, level_name(level));
	out_str(&o, text);
	buf[o.len++] = '\n';
	/* One write, so that lines of several processes do not mix. Nobody is left to tell if it fails. */
	if (write(STDERR_FILENO, buf, o.len) < 0)
		return;
}

/* systemd says in JOURNAL_STREAM which stream it gave us; a redirected stderr is another one. */
static bool stderr_is_journal(void)
{
	const char *s = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return s && sscanf(s, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == dev && st.st_ino == ino;
}

int akm_log_journal(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0)
		return -errno;
	akm_log_exit();
	journal = TAKE_FD(fd);
	return 0;
}

void akm_log_init(const char *ident, enum akm_log_level max)
{
	snprintf(log_ident, sizeof(log_ident), "%s", ident);
	log_max = max;
	if (journal < 0 && stderr_is_journal())
		(void)akm_log_journal(JOURNAL_SOCKET);	/* stderr leads there as well */
}

void akm_log_exit(void)
{
	closep(&journal);
	journal = -1;
}

__attribute__((format(printf, 3, 0)))
static void write_line(enum akm_log_level level, const char *id, const char *fmt, va_list ap)
{
	char raw[TEXT_BYTES], text[4 * TEXT_BYTES + 1];
	struct out o = { .buf = text, .size = sizeof(text) - 1 };
	int saved = errno;

	vsnprintf(raw, sizeof(raw), fmt, ap);
	out_escaped(&o, raw);
	text[o.len] = '\0';
	if (journal < 0 || to_journal(level, id, text) < 0)
		to_stderr(level, text);
	errno = saved;
}

void akm_log(enum akm_log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_max)
		return;
	va_start(ap, fmt);
	write_line(level, NULL, fmt, ap);
	va_end(ap);
}

void akm_log_id(enum akm_log_level level, const char *id, const char *fmt, ...)
{
	va_list ap;

	if (level > log_max)
		return;
	va_start(ap, fmt);
	write_line(level, id, fmt, ap);
	va_end(ap);
}
