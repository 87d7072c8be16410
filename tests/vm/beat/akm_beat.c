// SPDX-License-Identifier: GPL-2.0
/*
 * A steady beat of datagrams that are sent and received in soft interrupts, as those of a
 * network card are: whatever holds up soft interrupts holds them up. How long each was under
 * way is told. A command is written to /proc/akm_beat, in the network namespace it is about:
 *
 *	hear PORT			in the receiver's, once
 *	begin ADDR PORT EVERY LATE	in the sender's: a datagram each EVERY microseconds, until
 *	end				and what was under way has come, or is lost
 *
 * Reading gives words "name value" of the last beat: what was sent and heard, how often some
 * of them in a row were held up, which is to say that their work took more than LATE
 * microseconds, and in microseconds, median and longest,
 *
 *	work	processor time from the interrupt of the timer to the arrival, and what the
 *		processor did before while it let no interrupt in. One User-Mode Linux
 *		processor is one thread of the host, so what other processes take does not
 *		count; elsewhere it is real time
 *	wait	real time, from when the timer was due
 */
#include <linux/hrtimer.h>
#include <linux/inet.h>
#include <linux/interrupt.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/unistd.h>
#include <net/net_namespace.h>
#include <net/route.h>
#include <net/sock.h>
#include <net/udp_tunnel.h>

#define UNDER_WAY	4096		/* beats whose beginning is remembered */
#define TIMES		20000		/* the longest time that is told exactly, in microseconds */
#define PATIENCE	HZ
#define APART		100		/* beats: what is held up so much later was held up again */
#define ROOM		128		/* for the headers of what the datagram passes through */

struct beat {
	u32 number;
	bool open;			/* sent, and not heard */
	u64 due;			/* ktime_get_ns() */
	u64 work;			/* busy_ns() */
};

struct times {
	u32 took[TIMES + 1];		/* how many took so many microseconds */
	u64 longest;			/* likewise */
};

static DEFINE_MUTEX(command_lock);	/* one at a time; protects the sockets and what is fixed below */
static struct socket *hearer;
static struct socket *sender;
static __be32 to_addr;
static __be16 to_port;
static ktime_t interval;
static u32 late_us;
static struct hrtimer timer;

static DEFINE_SPINLOCK(lock);		/* protects the rest; the timer's interrupt takes it */
static struct beat beats[UNDER_WAY];
static u64 last_tick;			/* busy_ns() */
static u32 begun, sent, heard;		/* so many; a beat's number is how many were begun before */
static struct times work, wait;
static u32 held, last_held;		/* how often; the number of the last one that was */

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

/* ---- hearing ---- */

static u64 note(struct times *times, u64 begin, u64 end)
{
	u64 us = end > begin ? div_u64(end - begin, NSEC_PER_USEC) : 0;

	times->took[min_t(u64, us, TIMES)]++;
	times->longest = max(times->longest, us);
	return us;
}

static void note_held(u32 number)
{
	if (!held || number - last_held > APART)
		held++;
	last_held = number;
}

static int hear(struct sock *sk, struct sk_buff *skb)
{
	u64 now = ktime_get_ns(), busy = busy_ns();
	struct beat *beat;
	const u32 *number;
	u32 copy;

	number = skb_header_pointer(skb, sizeof(struct udphdr), sizeof(copy), &copy);
	spin_lock_irq(&lock);
	beat = number ? &beats[*number % UNDER_WAY] : NULL;
	if (beat && beat->open && beat->number == *number) {
		beat->open = false;
		heard++;
		if (note(&work, beat->work, busy) > late_us)
			note_held(*number);
		note(&wait, beat->due, now);
	}
	spin_unlock_irq(&lock);
	kfree_skb(skb);
	return 0;
}

static int open_socket(u16 port, struct socket **ret_sock)
{
	struct udp_port_cfg config = { .family = AF_INET, .local_udp_port = htons(port) };
	struct udp_tunnel_sock_cfg tunnel = { .encap_type = 1, .encap_rcv = hear };
	struct net *net = current->nsproxy->net_ns;
	int err;

	if (*ret_sock)
		return -EBUSY;
	err = udp_sock_create(net, &config, ret_sock);
	if (!err)
		setup_udp_tunnel_sock(net, *ret_sock, &tunnel);
	return err;
}

static void close_socket(struct socket **sock)
{
	if (*sock)
		udp_tunnel_sock_release(*sock);
	*sock = NULL;
}

/* ---- sending: a soft interrupt ---- */

static void send_one(u32 number)
{
	struct flowi4 flow = { .daddr = to_addr, .flowi4_proto = IPPROTO_UDP };
	struct sk_buff *skb = alloc_skb(ROOM + sizeof(number), GFP_ATOMIC);
	struct rtable *rt;

	if (!skb)
		return;
	rt = ip_route_output_key(sock_net(sender->sk), &flow);
	if (IS_ERR(rt)) {
		kfree_skb(skb);
		return;
	}
	skb_reserve(skb, ROOM);
	skb_put_data(skb, &number, sizeof(number));
	udp_tunnel_xmit_skb(rt, sender->sk, skb, flow.saddr, flow.daddr, 0, 64, 0,
			    inet_sk(sender->sk)->inet_sport, to_port, false, true);
}

static void send_begun(struct tasklet_struct *tasklet)
{
	u32 from, to;

	spin_lock_irq(&lock);
	from = sent;
	to = begun;
	sent = begun;
	spin_unlock_irq(&lock);
	for (; from != to; from++)
		send_one(from);
}

static DECLARE_TASKLET(sending, send_begun);

static enum hrtimer_restart begin_one(struct hrtimer *t)
{
	u64 busy = busy_ns();
	struct beat *beat;

	spin_lock(&lock);
	beat = &beats[begun % UNDER_WAY];
	*beat = (struct beat) {
		.number = begun++,
		.open = true,
		.due = ktime_to_ns(hrtimer_get_expires(t)),
		/* it cannot have worked for longer since then, but with interrupts off */
		.work = min_t(u64, busy, last_tick + ktime_to_ns(interval)),
	};
	last_tick = busy;
	spin_unlock(&lock);
	tasklet_schedule(&sending);
	hrtimer_forward_now(t, interval);
	return HRTIMER_RESTART;
}

/* ---- commands ---- */

static int begin(__be32 addr, u16 port, u32 us, u32 late)
{
	int err;

	if (!us)
		return -ERANGE;
	err = open_socket(0, &sender);
	if (err)
		return err;
	to_addr = addr;
	to_port = htons(port);
	interval = ns_to_ktime((u64)us * NSEC_PER_USEC);
	late_us = late;
	spin_lock_irq(&lock);
	memset(beats, 0, sizeof(beats));
	memset(&work, 0, sizeof(work));
	memset(&wait, 0, sizeof(wait));
	last_tick = busy_ns();
	held = 0;
	begun = 0;
	sent = 0;
	heard = 0;
	spin_unlock_irq(&lock);
	hrtimer_start(&timer, interval, HRTIMER_MODE_REL_HARD);
	return 0;
}

static int end(void)
{
	unsigned long until = jiffies + PATIENCE;

	if (!sender)
		return -ENOENT;
	hrtimer_cancel(&timer);
	tasklet_kill(&sending);
	while (READ_ONCE(heard) != READ_ONCE(sent) && time_before(jiffies, until))
		schedule_timeout_uninterruptible(1);
	close_socket(&sender);
	return 0;
}

static int run(char *text)
{
	char addr[16];
	u32 us, late;
	u16 port;

	if (sscanf(text, "hear %hu", &port) == 1)
		return open_socket(port, &hearer);
	if (sscanf(text, "begin %15s %hu %u %u", addr, &port, &us, &late) == 4)
		return begin(in_aton(addr), port, us, late);
	return strcmp(text, "end") ? -EINVAL : end();
}

static ssize_t beat_write(struct file *file, const char __user *from, size_t len, loff_t *at)
{
	char *text = memdup_user_nul(from, len);
	int err;

	if (IS_ERR(text))
		return PTR_ERR(text);
	mutex_lock(&command_lock);
	err = run(strim(text));
	mutex_unlock(&command_lock);
	kfree(text);
	return err ?: len;
}

static u32 median(const struct times *times, u32 n)
{
	u32 us = 0, rest = n / 2;

	for (; us < TIMES && times->took[us] <= rest; us++)
		rest -= times->took[us];
	return us;
}

/* Nothing is noted any more after "end". */
static int beat_show(struct seq_file *seq, void *unused)
{
	seq_printf(seq, "sent %u heard %u held %u", sent, heard, held);
	seq_printf(seq, " work_median %u work_longest %llu", median(&work, heard), work.longest);
	seq_printf(seq, " wait_median %u wait_longest %llu\n", median(&wait, heard), wait.longest);
	return 0;
}

static int beat_open(struct inode *inode, struct file *file)
{
	return single_open(file, beat_show, NULL);
}

static const struct proc_ops beat_ops = {
	.proc_open = beat_open,
	.proc_read = seq_read,
	.proc_write = beat_write,
	.proc_release = single_release,
};

static int __init beat_init(void)
{
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	timer.function = begin_one;
	return proc_create("akm_beat", 0600, NULL, &beat_ops) ? 0 : -ENOMEM;
}

static void __exit beat_exit(void)
{
	remove_proc_entry("akm_beat", NULL);
	end();
	close_socket(&hearer);
}

module_init(beat_init);
module_exit(beat_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("AKM's tests: how long datagrams are under way");
