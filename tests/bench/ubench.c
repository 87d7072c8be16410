// SPDX-License-Identifier: GPL-2.0
/*
 * Load and clock inside the kernel. In User-Mode Linux a system call costs more
 * than a packet, so the bench lane sends, counts and times from here. A command
 * is written to /proc/ubench, in the network namespace it is about, and blocks
 * until it is done; reading gives the last result as words "name value".
 *
 *	sink PORT [OFFSET]		count the UDP datagrams that come to PORT, and those whose number,
 *					64 bits at OFFSET behind the UDP header, is not higher than
 *					that of the one before; but for short ones, which may be
 *					something else
 *	flow ADDR N PORT SIZE COPIES MS	closed loop of UDP datagrams, SIZE with their IP
 *					header: a message is one datagram to each of
 *					the N addresses from ADDR on, and COPIES of
 *					each arrive at a sink
 *	batches ADDR PORT SIZE MS	likewise one flow of UDP datagrams to one address, as many at a
 *					time as fit in 64 KiB (UDP GSO), numbered at their beginning;
 *					its messages are datagrams
 *	copy SIZE MS			copy and sum SIZE bytes
 *	rtt ADDR COUNT			ICMP echoes, one after the other
 *	aead NAME KEYLEN SIZE MS	seal and open SIZE bytes, 16 more authenticated
 *	tcp ADDR STREAMS PORT MS	TCP to a "drain PORT" in another namespace, from
 *					the processors on which this is called
 *	drain PORT			take TCP connections, and throw away what they bring
 *	busy				processor time so far, once there is nothing left to do
 *
 * Rates are per second of processor time where that can be had: one User-Mode
 * Linux CPU is one host thread, and what other processes take from it does not
 * count. Round trips are in real time.
 */
#include <crypto/aead.h>
#include <linux/completion.h>
#include <linux/icmp.h>
#include <linux/inet.h>
#include <linux/ip.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/tick.h>
#include <linux/udp.h>
#include <linux/unistd.h>
#include <linux/wait.h>
#include <net/checksum.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#define SINKS_MAX	16
#define TARGETS_MAX	256
#define SIZE_LEAST	(sizeof(struct iphdr) + sizeof(struct udphdr))
#define SIZE_MAX_UDP	65000
#define NUMBERED_LEAST	512
/* What one message of UDP takes, without its headers */
#define BATCH_BYTES	(64000U)
#define ECHOES_MAX	100000
#define TAG_LEN		16
#define ASSOC_LEN	16
#define NONCE_LEN	12
/* Datagrams under way at most: a tunnel that queues shall not have to drop */
#define WINDOW		256
/* How long to wait for a datagram before it counts as lost */
#define PATIENCE	(HZ / 10)
/* A tunnel may have to shake hands before its first packet comes through */
#define FIRST_TRIES	100
#define IDLE_CPUS	2
#define SETTLE_TICKS	2
#define SETTLE_ROUNDS	1000
#define BURST		32
#define STREAMS_MAX	16
#define STREAM_CHUNK	(32 * 1024)

static DEFINE_MUTEX(lock);		/* one command at a time; protects all but the counters */
static char result[256];
static u8 *buffer;			/* SIZE_MAX_UDP + ASSOC_LEN + TAG_LEN; for scatter lists */
static struct sink {
	struct socket *sock;
	int offset;			/* of the number, or -1 */
	u64 last;			/* number; its flow comes on one processor */
} sinks[SINKS_MAX];
static unsigned int sink_count;
static u64 next_number = 1;		/* of a datagram of batches */

static atomic64_t arrived;		/* at all sinks */
static atomic64_t disordered;
static s64 goal = -1;			/* of arrived */
static u64 goal_reached;		/* busy_ns() then, or 0 */
static DECLARE_WAIT_QUEUE_HEAD(goal_wait);

/* ---- clock ---- */

#ifdef CONFIG_UML
/* The host's clock_gettime(CLOCK_THREAD_CPUTIME_ID): this kernel is a host thread. */
static u64 busy_ns(void)
{
	struct __kernel_timespec ts;
	long ret;

	asm volatile("syscall" : "=a" (ret)
		     : "a" (__NR_clock_gettime), "D" (CLOCK_THREAD_CPUTIME_ID), "S" (&ts)
		     : "rcx", "r11", "memory");
	return ret ? 0 : ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}
#else
static u64 busy_ns(void)
{
	return ktime_get_ns();
}
#endif

/* What the first processors did not do; without NO_HZ they do not say. */
struct idle {
	u64 us[IDLE_CPUS];
};

static struct idle idle_now(void)
{
	struct idle idle = {};
	unsigned int cpu;
	u64 us;

	for (cpu = 0; cpu < IDLE_CPUS && cpu_online(cpu); cpu++) {
		us = get_cpu_idle_time_us(cpu, NULL);
		idle.us[cpu] = us == U64_MAX ? 0 : us;
	}
	return idle;
}

/* Ends the result. */
static void tell_idle(const struct idle *since)
{
	struct idle now = idle_now();
	size_t len = strlen(result);

	snprintf(result + len, sizeof(result) - len, " idle0_us %llu idle1_us %llu",
		 now.us[0] - since->us[0], now.us[1] - since->us[1]);
}

static u64 rate(u64 count, u64 ns)
{
	return ns ? div64_u64(count * NSEC_PER_SEC, ns) : 0;
}

/* ---- sink ---- */

static void check_order(struct sink *sink, const struct sk_buff *skb)
{
	__be64 number;

	if (sink->offset < 0 || skb->len < NUMBERED_LEAST)
		return;
	if (skb_copy_bits(skb, sizeof(struct udphdr) + sink->offset, &number, sizeof(number)))
		return;
	if (be64_to_cpu(number) <= sink->last)
		atomic64_inc(&disordered);
	sink->last = be64_to_cpu(number);
}

/* Whoever waits for @goal does not miss that a batch goes beyond it. */
static int sink_receive(struct sock *sk, struct sk_buff *skb)
{
	unsigned int n = skb_is_gso(skb) ? skb_shinfo(skb)->gso_segs : 1;
	s64 now = atomic64_add_return(n, &arrived), wanted = READ_ONCE(goal);

	check_order(rcu_dereference_sk_user_data(sk), skb);
	if (now >= wanted && now - n < wanted) {
		goal_reached = busy_ns();
		wake_up(&goal_wait);
	}
	kfree_skb(skb);
	return 0;
}

static int cmd_sink(u16 port, int offset)
{
	struct udp_port_cfg config = { .family = AF_INET, .local_udp_port = htons(port) };
	struct udp_tunnel_sock_cfg tunnel = { .encap_type = 1, .encap_rcv = sink_receive };
	struct sink *sink = &sinks[sink_count];
	int err;

	if (sink_count == SINKS_MAX)
		return -ENOSPC;
	err = udp_sock_create(current->nsproxy->net_ns, &config, &sink->sock);
	if (err)
		return err;
	sink->offset = offset;
	tunnel.sk_user_data = sink;
	setup_udp_tunnel_sock(current->nsproxy->net_ns, sink->sock, &tunnel);
	udp_set_bit(ACCEPT_L4, sink->sock->sk);	/* batches as they are */
	sink_count++;
	return 0;
}

/* Return: has @wanted been reached? Then goal_reached says when, if it was not before. */
static bool await(s64 wanted)
{
	bool reached;

	goal_reached = 0;
	WRITE_ONCE(goal, wanted);
	smp_mb();			/* pairs with the full barrier of atomic64_inc_return() */
	reached = wait_event_timeout(goal_wait, atomic64_read(&arrived) >= wanted, PATIENCE);
	WRITE_ONCE(goal, -1);
	return reached;
}

/* ---- flow ---- */

struct flow {
	struct socket *target[TARGETS_MAX];
	unsigned int targets;
	size_t payload;
	unsigned int copies;		/* or datagrams of one batch */
	bool batches;
	s64 base;			/* arrived, when the flow began */
	s64 sent;			/* messages */
	s64 refused;			/* datagrams that the stack did not take */
	s64 lost;			/* datagrams */
};

/* Datagrams that @messages make at the sink */
static s64 expected(const struct flow *flow, s64 messages)
{
	return messages * flow->targets * flow->copies;
}

static int connect_to(__be32 addr, int type, int protocol, __be16 port, struct socket **ret_sock)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = addr,
	};
	struct socket *sock;
	int err;

	err = sock_create_kern(current->nsproxy->net_ns, AF_INET, type, protocol, &sock);
	if (err)
		return err;
	err = kernel_connect(sock, (struct sockaddr *)&to, sizeof(to), 0);
	if (err) {
		sock_release(sock);
		return err;
	}
	*ret_sock = sock;
	return 0;
}

static int send_bytes(struct socket *sock, void *bytes, size_t len)
{
	struct kvec part = { .iov_base = bytes, .iov_len = len };
	struct msghdr msg = {};

	return kernel_sendmsg(sock, &msg, &part, 1, len);
}

/* Consecutive numbers in the buffer, where each datagram of a batch begins */
static void number_datagrams(const struct flow *flow)
{
	size_t step = flow->payload / flow->copies;
	unsigned int i;

	for (i = 0; i < flow->copies; i++)
		*(__be64 *)(buffer + i * step) = cpu_to_be64(next_number++);
}

static void send_message(struct flow *flow)
{
	unsigned int i;

	if (flow->batches)
		number_datagrams(flow);
	for (i = 0; i < flow->targets; i++)
		if (send_bytes(flow->target[i], buffer, flow->payload) != flow->payload)
			flow->refused++;
	flow->sent++;
}

static s64 under_way(const struct flow *flow)
{
	return expected(flow, flow->sent) - flow->refused * flow->copies - flow->lost -
	       (atomic64_read(&arrived) - flow->base);
}

/* Wait until no more than @left are under way; what does not come is lost. */
static void drain(struct flow *flow, s64 left)
{
	s64 missing = under_way(flow) - left;

	if (missing > 0 && !await(atomic64_read(&arrived) + missing))
		flow->lost += max_t(s64, under_way(flow), 0);
}

/* Until one message came through whole: handshakes and neighbours are settled then. */
static int warm_up(struct flow *flow)
{
	int i;

	for (i = 0; i < FIRST_TRIES; i++) {
		flow->base = atomic64_read(&arrived);
		flow->refused = 0;
		flow->lost = 0;
		flow->sent = 0;
		send_message(flow);
		drain(flow, 0);
		if (!flow->lost && !flow->refused)
			return 0;
	}
	return -ETIMEDOUT;
}

static void send_for(struct flow *flow, unsigned int ms)
{
	unsigned int burst = expected(flow, 1) > BURST ? 1 : BURST;
	s64 window = max_t(s64, WINDOW, 4 * expected(flow, 1));
	u64 end = busy_ns() + ms * (u64)NSEC_PER_MSEC;

	do {
		unsigned int i;

		for (i = 0; i < burst; i++)
			send_message(flow);
		if (under_way(flow) > window)
			drain(flow, window / 2);
		cond_resched();
	} while (busy_ns() < end);
}

static void run_flow(struct flow *flow, unsigned int ms)
{
	struct idle idle = idle_now();
	s64 messages;
	u64 begin, ns;

	flow->base = atomic64_read(&arrived);
	flow->sent = 0;
	atomic64_set(&disordered, 0);
	begin = busy_ns();
	send_for(flow, ms);
	/* what is still queued counts, and so does the time it takes */
	goal_reached = 0;
	drain(flow, 0);
	ns = (goal_reached ?: busy_ns()) - begin;
	messages = div64_s64(atomic64_read(&arrived) - flow->base,
			     flow->batches ? 1 : expected(flow, 1));
	snprintf(result, sizeof(result),
		 "messages %lld refused %lld lost %lld ns %llu rate %llu disordered %lld",
		 messages, flow->refused, flow->lost, ns, rate(messages, ns),
		 atomic64_read(&disordered));
	tell_idle(&idle);
}

static int open_targets(struct flow *flow, __be32 first, unsigned int n, u16 port)
{
	__be32 addr;
	int err;

	while (flow->targets < n) {
		addr = htonl(ntohl(first) + flow->targets);
		err = connect_to(addr, SOCK_DGRAM, IPPROTO_UDP, htons(port),
				 &flow->target[flow->targets]);
		if (err)
			return err;
		/* the same for all: none shall pay for a sum that a NIC would compute */
		flow->target[flow->targets++]->sk->sk_no_check_tx = 1;
	}
	return 0;
}

/* Unless @err says that it could not be opened; frees it. Return: @err. */
static int run_and_close(struct flow *flow, int err, unsigned int ms)
{
	if (!err)
		run_flow(flow, ms);
	while (flow->targets)
		sock_release(flow->target[--flow->targets]);
	kfree(flow);
	return err;
}

static int cmd_flow(__be32 addr, unsigned int n, u16 port, size_t size, unsigned int copies,
		    unsigned int ms)
{
	struct flow *flow;
	int err;

	if (!n || n > TARGETS_MAX || !copies || size < SIZE_LEAST || size > SIZE_MAX_UDP)
		return -ERANGE;
	flow = kzalloc(sizeof(*flow), GFP_KERNEL);
	if (!flow)
		return -ENOMEM;
	flow->payload = size - SIZE_LEAST;
	flow->copies = copies;
	err = open_targets(flow, addr, n, port);
	if (!err)
		err = warm_up(flow);
	return run_and_close(flow, err, ms);
}

static int cmd_batches(__be32 addr, u16 port, size_t size, unsigned int ms)
{
	size_t payload = size - SIZE_LEAST;
	struct udp_sock *up;
	struct flow *flow;
	int err;

	if (size < SIZE_LEAST + sizeof(__be64) || size > BATCH_BYTES)
		return -ERANGE;
	flow = kzalloc(sizeof(*flow), GFP_KERNEL);
	if (!flow)
		return -ENOMEM;
	flow->batches = true;
	flow->copies = min_t(size_t, UDP_MAX_SEGMENTS, BATCH_BYTES / payload);
	flow->payload = flow->copies * payload;
	err = open_targets(flow, addr, 1, port);
	if (!err) {
		up = udp_sk(flow->target[0]->sk);
		up->gso_size = payload;
		up->inet.sk.sk_no_check_tx = 0;	/* what is split has a sum */
		err = warm_up(flow);
	}
	return run_and_close(flow, err, ms);
}

/* ---- what is copied and summed ---- */

/* From one buffer to another, as large as a batch, as large packets are split */
static int cmd_copy(size_t size, unsigned int ms)
{
	u64 begin = busy_ns(), now, copies = 0;
	size_t at = 0;
	__wsum sum = 0;
	u8 *to;

	if (!size || size > BATCH_BYTES)
		return -ERANGE;
	to = kmalloc(BATCH_BYTES, GFP_KERNEL);
	if (!to)
		return -ENOMEM;
	do {
		sum = csum_add(sum, csum_partial_copy_nocheck(buffer + at, to + at, size));
		at = at + 2 * size > BATCH_BYTES ? 0 : at + size;
		now = ++copies % BURST ? begin : busy_ns();
	} while (now - begin < ms * (u64)NSEC_PER_MSEC);
	kfree(to);
	snprintf(result, sizeof(result), "copies %llu ns %llu sum %x", copies,
		 div64_u64(now - begin, copies), (__force u32)sum);
	return 0;
}

/* ---- TCP ---- */

struct stream {
	struct task_struct *task;
	struct socket *sock;
	u64 end;			/* busy_ns() when to stop sending */
};

static struct socket *listener;
static struct task_struct *drainer;
static atomic64_t drained;		/* bytes */

/* One thread for each connection; it ends when the connection does. */
static int drain_stream(void *arg)
{
	struct socket *sock = arg;
	void *bytes = kmalloc(STREAM_CHUNK, GFP_KERNEL);
	struct kvec part = { .iov_base = bytes, .iov_len = STREAM_CHUNK };
	struct msghdr msg = {};
	int got = 0;

	while (bytes) {
		got = kernel_recvmsg(sock, &msg, &part, 1, STREAM_CHUNK, 0);
		if (got <= 0)
			break;
		atomic64_add(got, &drained);
	}
	sock_release(sock);
	kfree(bytes);
	module_put_and_kthread_exit(0);
}

static int drain_listener(void *arg)
{
	struct task_struct *task;
	struct socket *sock;

	allow_signal(SIGKILL);
	while (!kthread_should_stop()) {
		if (kernel_accept(listener, &sock, 0))
			break;
		__module_get(THIS_MODULE);
		task = kthread_run(drain_stream, sock, "ubench-drain");
		if (IS_ERR(task)) {
			sock_release(sock);
			module_put(THIS_MODULE);
		}
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ / 10);
	return 0;
}

static int cmd_drain(u16 port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	int err;

	if (listener)
		return -EBUSY;
	err = sock_create_kern(current->nsproxy->net_ns, AF_INET, SOCK_STREAM, IPPROTO_TCP,
			       &listener);
	if (err)
		return err;
	err = kernel_bind(listener, (struct sockaddr *)&at, sizeof(at));
	err = err ?: kernel_listen(listener, STREAMS_MAX);
	if (!err) {
		drainer = kthread_run(drain_listener, NULL, "ubench-listen");
		err = PTR_ERR_OR_ZERO(drainer);
	}
	if (err) {
		sock_release(listener);
		listener = NULL;
	}
	return err;
}

static int fill_stream(void *arg)
{
	struct stream *stream = arg;

	while (busy_ns() < stream->end && send_bytes(stream->sock, buffer, STREAM_CHUNK) > 0)
		cond_resched();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int start_stream(struct stream *stream, __be32 addr, u16 port, u64 end)
{
	int err;

	stream->end = end;
	err = connect_to(addr, SOCK_STREAM, IPPROTO_TCP, htons(port), &stream->sock);
	if (err)
		return err;
	stream->task = kthread_create(fill_stream, stream, "ubench-fill");
	err = PTR_ERR_OR_ZERO(stream->task);
	if (err) {
		sock_release(stream->sock);
		return err;
	}
	set_cpus_allowed_ptr(stream->task, current->cpus_ptr);
	wake_up_process(stream->task);
	return 0;
}

static int cmd_tcp(__be32 addr, unsigned int n, u16 port, unsigned int ms)
{
	struct stream stream[STREAMS_MAX];
	u64 begin = busy_ns(), base, start, now;
	unsigned int i = 0;
	struct idle idle;
	int err = 0;

	if (!n || n > STREAMS_MAX)
		return -ERANGE;
	for (i = 0; i < n && !err; i++)
		err = start_stream(&stream[i], addr, port, begin + ms * (u64)NSEC_PER_MSEC);
	if (err)
		i--;
	/* the first quarter is for the congestion windows to open */
	while (busy_ns() < begin + ms * (u64)NSEC_PER_MSEC / 4)
		schedule_timeout_interruptible(1);
	base = atomic64_read(&drained);
	idle = idle_now();
	start = busy_ns();
	while (busy_ns() < begin + ms * (u64)NSEC_PER_MSEC)
		schedule_timeout_interruptible(1);
	now = busy_ns();
	snprintf(result, sizeof(result), "bytes %llu ns %llu rate %llu",
		 atomic64_read(&drained) - base, now - start,
		 rate(8 * (atomic64_read(&drained) - base), now - start));
	tell_idle(&idle);
	while (i--) {
		kthread_stop(stream[i].task);
		sock_release(stream[i].sock);
	}
	return err;
}

static void stop_draining(void)
{
	if (!listener)
		return;
	send_sig(SIGKILL, drainer, 1);
	kthread_stop(drainer);
	sock_release(listener);
}

/* ---- round trip ---- */

static DECLARE_COMPLETION(echoed);
static ktime_t echo_arrival;

static void echo_ready(struct sock *sk)
{
	echo_arrival = ktime_get();
	complete(&echoed);
}

/* Return: is the next packet in the queue the answer to @seq? */
static bool take_echo(struct socket *sock, u16 seq)
{
	struct {
		struct iphdr ip;
		struct icmphdr icmp;
	} reply;
	struct kvec part = { .iov_base = &reply, .iov_len = sizeof(reply) };
	struct msghdr msg = {};
	int got;

	got = kernel_recvmsg(sock, &msg, &part, 1, sizeof(reply), MSG_DONTWAIT | MSG_TRUNC);
	return got >= (int)sizeof(reply) && reply.ip.ihl == 5 &&
	       reply.icmp.type == ICMP_ECHOREPLY && reply.icmp.un.echo.sequence == htons(seq);
}

static int one_echo(struct socket *sock, u16 seq, u64 *ret_ns)
{
	struct {
		struct icmphdr icmp;
		u8 payload[56];
	} request = { .icmp = { .type = ICMP_ECHO, .un.echo.sequence = htons(seq) } };
	ktime_t begin;
	int sent;

	request.icmp.checksum = ip_compute_csum(&request, sizeof(request));
	reinit_completion(&echoed);
	begin = ktime_get();
	sent = send_bytes(sock, &request, sizeof(request));
	if (sent != sizeof(request))
		return sent < 0 ? sent : -EIO;
	if (!wait_for_completion_timeout(&echoed, HZ) || !take_echo(sock, seq))
		return -ETIMEDOUT;
	*ret_ns = ktime_sub(echo_arrival, begin);
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static int time_echoes(struct socket *sock, unsigned int count, u64 *times)
{
	unsigned int i;
	u64 first;
	int err;

	/* neighbour and handshake; the second attempt finds them settled */
	if (one_echo(sock, 0, &first))
		one_echo(sock, 0, &first);
	for (i = 0; i < count; i++) {
		err = one_echo(sock, i + 1, &times[i]);
		if (err)
			return err;
		cond_resched();
	}
	sort(times, count, sizeof(*times), compare_u64, NULL);
	snprintf(result, sizeof(result), "count %u min %llu p50 %llu p99 %llu max %llu", count,
		 times[0], times[count / 2], times[count - 1 - count / 100], times[count - 1]);
	return 0;
}

static int cmd_rtt(__be32 addr, unsigned int count)
{
	struct socket *sock;
	u64 *times;
	int err;

	if (!count || count > ECHOES_MAX)
		return -ERANGE;
	times = kvcalloc(count, sizeof(*times), GFP_KERNEL);
	if (!times)
		return -ENOMEM;
	err = connect_to(addr, SOCK_RAW, IPPROTO_ICMP, 0, &sock);
	if (!err) {
		sock->sk->sk_data_ready = echo_ready;
		err = time_echoes(sock, count, times);
		sock_release(sock);
	}
	kvfree(times);
	return err;
}

/* ---- AEAD ---- */

/* In place, as the tunnels do it: header, text, tag in one piece. */
static int seal_and_open(struct aead_request *req, size_t size, u8 *iv)
{
	struct scatterlist sg;
	int err;

	iv[NONCE_LEN - 1]++;
	sg_init_one(&sg, buffer, ASSOC_LEN + size + TAG_LEN);
	aead_request_set_ad(req, ASSOC_LEN);
	aead_request_set_crypt(req, &sg, &sg, size, iv);
	err = crypto_aead_encrypt(req);
	if (err)
		return err;
	aead_request_set_crypt(req, &sg, &sg, size + TAG_LEN, iv);
	return crypto_aead_decrypt(req);
}

static int time_aead(struct crypto_aead *tfm, size_t size, unsigned int ms)
{
	struct aead_request *req = aead_request_alloc(tfm, GFP_KERNEL);
	u8 iv[NONCE_LEN + 4] = {};
	u64 begin, now, pairs = 0;
	ktime_t wall;
	int err = 0;

	if (!req)
		return -ENOMEM;
	aead_request_set_callback(req, 0, NULL, NULL);
	wall = ktime_get();
	begin = busy_ns();
	do {
		err = seal_and_open(req, size, iv);
		now = ++pairs % BURST ? begin : busy_ns();
	} while (!err && now - begin < ms * (u64)NSEC_PER_MSEC);
	aead_request_free(req);
	if (err)
		return err == -EINPROGRESS ? -EBUSY : err;
	snprintf(result, sizeof(result), "driver %s pair_ns %llu wall_ns %llu",
		 crypto_tfm_alg_driver_name(crypto_aead_tfm(tfm)),
		 div64_u64(now - begin, pairs),
		 div64_u64(ktime_to_ns(ktime_sub(ktime_get(), wall)), pairs));
	return 0;
}

static int cmd_aead(const char *name, unsigned int key_len, size_t size, unsigned int ms)
{
	struct crypto_aead *tfm;
	u8 key[64] = { 1, 2, 3 };
	int err;

	if (key_len > sizeof(key) || size > SIZE_MAX_UDP)
		return -ERANGE;
	tfm = crypto_alloc_aead(name, 0, 0);
	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	err = crypto_aead_setkey(tfm, key, key_len);
	if (!err)
		err = crypto_aead_setauthsize(tfm, TAG_LEN);
	if (!err)
		err = time_aead(tfm, size, ms);
	crypto_free_aead(tfm);
	return err;
}

/* ---- what else there was to do ---- */

/*
 * What was put off, to the end of a grace period and to works, belongs to what caused it. It
 * is done when two ticks pass of which the processor was needed for an eighth at most.
 */
static int cmd_busy(void)
{
	u64 begin, used;
	int round;

	for (round = 0; round < SETTLE_ROUNDS; round++) {
		rcu_barrier();
		begin = busy_ns();
		schedule_timeout_uninterruptible(SETTLE_TICKS);
		used = busy_ns() - begin;
		if (used < jiffies_to_nsecs(SETTLE_TICKS) / 8) {
			snprintf(result, sizeof(result), "busy_ns %llu", begin + used);
			return 0;
		}
	}
	return -ETIMEDOUT;
}

/* ---- /proc/ubench ---- */

static int run_command(const char *text)
{
	unsigned int n, size, copies, ms, key_len;
	int offset = -1;
	char name[64];
	u16 port;

	if (sscanf(text, "sink %hu %d", &port, &offset) >= 1)
		return cmd_sink(port, offset);
	if (sscanf(text, "batches %63s %hu %u %u", name, &port, &size, &ms) == 4)
		return cmd_batches(in_aton(name), port, size, ms);
	if (sscanf(text, "copy %u %u", &size, &ms) == 2)
		return cmd_copy(size, ms);
	if (sscanf(text, "flow %63s %u %hu %u %u %u", name, &n, &port, &size, &copies, &ms) == 6)
		return cmd_flow(in_aton(name), n, port, size, copies, ms);
	if (sscanf(text, "rtt %63s %u", name, &n) == 2)
		return cmd_rtt(in_aton(name), n);
	if (sscanf(text, "drain %hu", &port) == 1)
		return cmd_drain(port);
	if (sscanf(text, "tcp %63s %u %hu %u", name, &n, &port, &ms) == 4)
		return cmd_tcp(in_aton(name), n, port, ms);
	if (!strncmp(text, "busy", 4))
		return cmd_busy();
	if (sscanf(text, "aead %63s %u %u %u", name, &key_len, &size, &ms) == 4)
		return cmd_aead(name, key_len, size, ms);
	return -EINVAL;
}

static ssize_t ubench_write(struct file *file, const char __user *user, size_t len, loff_t *pos)
{
	char *text = memdup_user_nul(user, min_t(size_t, len, PAGE_SIZE));
	int err;

	if (IS_ERR(text))
		return PTR_ERR(text);
	mutex_lock(&lock);
	result[0] = '\0';
	err = run_command(text);
	mutex_unlock(&lock);
	kfree(text);
	return err ?: len;
}

static int ubench_show(struct seq_file *seq, void *v)
{
	mutex_lock(&lock);
	seq_printf(seq, "%s\n", result);
	mutex_unlock(&lock);
	return 0;
}

static int ubench_open(struct inode *inode, struct file *file)
{
	return single_open(file, ubench_show, NULL);
}

static const struct proc_ops ubench_ops = {
	.proc_open = ubench_open,
	.proc_read = seq_read,
	.proc_write = ubench_write,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

static int __init ubench_init(void)
{
	buffer = kzalloc(SIZE_MAX_UDP + ASSOC_LEN + TAG_LEN, GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	if (!proc_create("ubench", 0600, NULL, &ubench_ops)) {
		kfree(buffer);
		return -ENOMEM;
	}
	return 0;
}

static void __exit ubench_exit(void)
{
	remove_proc_entry("ubench", NULL);
	stop_draining();
	while (sink_count)
		udp_tunnel_sock_release(sinks[--sink_count].sock);
	kfree(buffer);
}

module_init(ubench_init);
module_exit(ubench_exit);
MODULE_DESCRIPTION("AKM bench lane: load and clock inside the kernel");
MODULE_LICENSE("GPL");
