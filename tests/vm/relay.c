// SPDX-License-Identifier: GPL-2.0
/*
 * A direct connection that is pulled: carries provisioning frames between two Unix sockets.
 *
 *   relay [-n FRAMES] [-p] [-o FILE] LISTEN CONNECT
 *
 * Waits for one connection on LISTEN, connects to CONNECT, carries FRAMES frames (both directions
 * together; default: all) and then closes both ends; with -p in the midst of the next frame.
 * FILE gets a copy of every byte.
 * Frames are told apart as Documentation/protocol.rst says: 12 bytes of head with the payload's
 * length in its last two, payload, 4 bytes of checksum. Prints how many went through.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FRAME_HEAD	12
#define FRAME_TAIL	4

struct side {
	int from, to;
	size_t in_frame;	/* bytes of the current frame that went through */
	size_t frame_len;	/* 0: its head is not complete */
	uint8_t head[FRAME_HEAD];
};

struct relay {
	struct side side[2];
	long frames, limit;
	bool partial;
	FILE *copy;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int unix_socket(const char *path, struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	*a = (struct sockaddr_un) { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(a->sun_path)) {
		errno = ENAMETOOLONG;
		die(path);
	}
	strcpy(a->sun_path, path);
	return fd;
}

static int accept_one(const char *path)
{
	struct sockaddr_un a;
	int fd = unix_socket(path, &a), one;

	unlink(path);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
		die(path);
	printf("waiting\n");
	fflush(stdout);
	one = accept(fd, NULL, NULL);
	if (one < 0)
		die("accept");
	close(fd);
	unlink(path);
	return one;
}

static int connect_to(const char *path)
{
	struct sockaddr_un a;
	int fd = unix_socket(path, &a);

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die(path);
	return fd;
}

static bool at_limit(const struct relay *r)
{
	return r->limit >= 0 && r->frames >= r->limit;
}

/* Follows the frames over one byte. Return: false when this byte must not go through any more. */
static bool follow(struct relay *r, struct side *s, uint8_t byte)
{
	if (at_limit(r) && (!r->partial || s->in_frame >= FRAME_HEAD + 1))
		return false;
	if (s->in_frame < FRAME_HEAD)
		s->head[s->in_frame] = byte;
	s->in_frame++;
	if (s->in_frame == FRAME_HEAD)
		s->frame_len = FRAME_HEAD + (size_t)(s->head[10] << 8 | s->head[11]) + FRAME_TAIL;
	if (s->frame_len && s->in_frame == s->frame_len) {
		s->in_frame = s->frame_len = 0;
		r->frames++;
	}
	return true;
}

/* Return: false when the connection is over. */
static bool carry(struct relay *r, struct side *s)
{
	uint8_t data[4096];
	ssize_t n = read(s->from, data, sizeof(data));
	size_t pass = 0;

	if (n <= 0)
		return false;
	while (pass < (size_t)n && follow(r, s, data[pass]))
		pass++;
	if (r->copy && fwrite(data, 1, pass, r->copy) != pass)
		die("the copy");
	if (pass && send(s->to, data, pass, MSG_NOSIGNAL) != (ssize_t)pass)
		return false;
	return pass == (size_t)n && (!at_limit(r) || r->partial);
}

static void run(struct relay *r)
{
	struct pollfd p[2];

	for (;;) {
		for (int i = 0; i < 2; i++)
			p[i] = (struct pollfd) { .fd = r->side[i].from, .events = POLLIN };
		if (poll(p, 2, -1) < 0)
			die("poll");
		for (int i = 0; i < 2; i++) {
			if (p[i].revents && !carry(r, &r->side[i]))
				return;
		}
	}
}

int main(int argc, char **argv)
{
	struct relay r = { .limit = -1 };
	int option, a, b;

	while ((option = getopt(argc, argv, "n:po:")) != -1) {
		if (option == 'n')
			r.limit = atol(optarg);
		else if (option == 'p')
			r.partial = true;
		else if (option == 'o')
			r.copy = fopen(optarg, "we");
		else
			return 2;
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: relay [-n FRAMES] [-p] [-o FILE] LISTEN CONNECT\n");
		return 2;
	}
	a = accept_one(argv[optind]);
	b = connect_to(argv[optind + 1]);
	r.side[0] = (struct side) { .from = a, .to = b };
	r.side[1] = (struct side) { .from = b, .to = a };
	if (!at_limit(&r) || r.partial)
		run(&r);
	close(a);
	close(b);
	if (r.copy)
		fclose(r.copy);
	printf("%ld frames\n", r.frames);
	return 0;
}
