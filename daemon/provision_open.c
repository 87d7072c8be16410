// SPDX-License-Identifier: GPL-2.0
#include "provision.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>

#include "unixsock.h"

#define BAUD_DEFAULT "115200"

static const struct { const char *name; speed_t speed; } bauds[] = {
	{ "9600", B9600 }, { "19200", B19200 }, { "38400", B38400 }, { "57600", B57600 },
	{ "115200", B115200 }, { "230400", B230400 }, { "460800", B460800 }, { "921600", B921600 },
};

static int find_baud(const char *name, speed_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(bauds); i++) {
		if (!strcmp(name, bauds[i].name)) {
			*ret = bauds[i].speed;
			return 0;
		}
	}
	return -EINVAL;
}

/* Raw, 8 data bits, no parity, no flow control, modem lines ignored; for us alone; what lay there is thrown away. */
static int make_raw(int fd, speed_t speed)
{
	struct termios t;

	if (tcgetattr(fd, &t) < 0)
		return -errno;
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	t.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (cfsetspeed(&t, speed) < 0 || tcsetattr(fd, TCSANOW, &t) < 0 || tcflush(fd, TCIOFLUSH) < 0 ||
	    ioctl(fd, TIOCEXCL) < 0)
		return -errno;
	return 0;
}

static int open_serial(const char *spec, int *ret_fd, struct akm_error *err)
{
	_cleanup_free_ char *path = strdup(spec);
	_cleanup_close_ int fd = -1;
	const char *baud = BAUD_DEFAULT;
	speed_t speed;
	char *comma;
	int r;

	if (!path)
		return akm_error_set(err, -ENOMEM, "via", "%s", strerror(ENOMEM));
	comma = strrchr(path, ',');
	if (comma) {
		*comma = '\0';
		baud = comma + 1;
	}
	if (find_baud(baud, &speed) < 0)
		return akm_error_set(err, -EINVAL, "via", "\"%s\" is no usual baud rate (9600 … 921600)", baud);
	fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return akm_error_set(err, -errno, "via", "%s: %s", path, strerror(errno));
	r = make_raw(fd, speed);
	if (r < 0)
		return akm_error_set(err, r, "via", "%s: %s", path, r == -ENOTTY ? "not a serial line" : strerror(-r));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int unix_socket(const char *path, struct sockaddr_un *ret_addr, int *ret_fd, struct akm_error *err)
{
	int fd;

	*ret_addr = (struct sockaddr_un) { .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof(ret_addr->sun_path))
		return akm_error_set(err, -EINVAL, "via", "a Unix socket's path has 1 to %zu bytes",
				     sizeof(ret_addr->sun_path) - 1);
	strcpy(ret_addr->sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return akm_error_set(err, -errno, "via", "%s", strerror(errno));
	*ret_fd = fd;
	return 0;
}

static int open_unix(const char *path, int *ret_fd, struct akm_error *err)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un a;
	int r;

	r = unix_socket(path, &a, &fd, err);
	if (r < 0)
		return r;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return akm_error_set(err, -errno, "via", "%s: %s", path, strerror(errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* A socket that a dead process left behind is in the way; anything else stays. */
static void remove_stale(const struct sockaddr_un *a)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd >= 0 && !lstat(a->sun_path, &st) && S_ISSOCK(st.st_mode) &&
	    connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 && errno == ECONNREFUSED)
		(void)unlink(a->sun_path);
}

static int open_unix_listen(const char *path, int *ret_fd, struct akm_error *err)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un a;
	int r;

	r = unix_socket(path, &a, &fd, err);
	if (r < 0)
		return r;
	remove_stale(&a);
	r = unixsock_listen(fd, &a, 1);
	if (r < 0)
		return akm_error_set(err, r, "via", "%s: %s", path, strerror(-r));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int provision_open(const char *via, int *ret_fd, bool *ret_listening, struct akm_error *err)
{
	static const struct {
		const char *prefix;
		int (*open)(const char *rest, int *ret_fd, struct akm_error *err);
		bool listening;
	} kinds[] = {
		{ "serial:", open_serial, false },
		{ "unix:", open_unix, false },
		{ "unix-listen:", open_unix_listen, true },
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strncmp(via, kinds[i].prefix, strlen(kinds[i].prefix)))
			continue;
		r = kinds[i].open(via + strlen(kinds[i].prefix), ret_fd, err);
		if (!r)
			*ret_listening = kinds[i].listening;
		return r;
	}
	return akm_error_set(err, -EINVAL, "via",
			     "\"%s\" is none of serial:DEVICE[,BAUD], unix:PATH, unix-listen:PATH", via);
}
