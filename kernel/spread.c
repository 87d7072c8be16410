// SPDX-License-Identifier: GPL-2.0
#include "spread.h"

#include <linux/akm.h>
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/sched/isolation.h>
#include <linux/slab.h>

bool akm_spread_alone;
module_param_named(spread_alone, akm_spread_alone, bool, 0644);
MODULE_PARM_DESC(spread_alone,
		 "spread also where there is one processor, for tests: it costs, and brings nothing");

static struct workqueue_struct *workqueue;

/* --- processors --- */

/* The first from @from on. Isolated ones are left alone. Return: nr_cpu_ids if there is none. */
static unsigned int other_cpu(unsigned int from)
{
	unsigned int self = smp_processor_id(), cpu;

	for_each_cpu_wrap(cpu, cpu_online_mask, from % nr_cpu_ids)
		if (cpu != self && housekeeping_test_cpu(cpu, HK_TYPE_DOMAIN))
			return cpu;
	return READ_ONCE(akm_spread_alone) ? self : nr_cpu_ids;
}

/* About as many processors as may take of what waits; at least 1 */
static unsigned int others(void)
{
	return max(num_online_cpus(), 2U) - 1;
}

/*
 * If @count parcels wait, those that are awake do not keep up: one more. A processor that is
 * going offline leaves its works to those that stay.
 */
static void wake(struct akm_spread *spread, unsigned int count)
{
	unsigned int cpu = other_cpu(READ_ONCE(spread->last) + (count > 1));

	if (cpu >= nr_cpu_ids)
		cpu = smp_processor_id();
	if (READ_ONCE(spread->last) != cpu)
		WRITE_ONCE(spread->last, cpu);
	queue_work_on(cpu, workqueue, &per_cpu_ptr(spread->workers, cpu)->crypt);
}

/* --- the line --- */

void akm_line_init(struct akm_line *line)
{
	spin_lock_init(&line->lock);
	INIT_LIST_HEAD(&line->parcels);
	line->packets = 0;
	line->cpu = 0;
	line->going = false;
	atomic_set(&line->beside, 0);
	line->doubt = 0;
}

/* A line that is empty takes a parcel of any size: one that cannot go anywhere is lost. */
static bool join(struct akm_line *line, struct akm_parcel *parcel)
{
	bool fits;

	spin_lock(&line->lock);
	fits = list_empty(&line->parcels) ||
	       line->packets + parcel->packets <= AKM_SPREAD_PACKETS;
	if (list_empty(&line->parcels))
		line->cpu = smp_processor_id();
	if (fits) {
		list_add_tail(&parcel->list, &line->parcels);
		line->packets += parcel->packets;
	}
	spin_unlock(&line->lock);
	return fits;
}

/* Locked. Return: the one that may go, or NULL; @going says that somebody sees to it. */
static struct akm_parcel *first_ready(struct akm_line *line)
{
	struct akm_parcel *first = list_first_entry_or_null(&line->parcels, struct akm_parcel,
							    list);

	if (first && !first->ready)
		first = NULL;
	line->going = first;
	return first;
}

/* It has gone, and only now the line may be empty. Return: the next that may go. */
static struct akm_parcel *leave(struct akm_line *line, struct akm_parcel *parcel)
{
	struct akm_parcel *next;

	spin_lock(&line->lock);
	list_del(&parcel->list);
	line->packets -= parcel->packets;
	next = first_ready(line);
	spin_unlock(&line->lock);
	return next;
}

/* --- what a device may have in its lines --- */

static void uncharge(struct akm_spread *spread, const struct akm_parcel *parcel)
{
	atomic_dec(&spread->parcels);
	atomic_sub(parcel->bytes, &spread->bytes);
}

static bool charge(struct akm_spread *spread, const struct akm_parcel *parcel)
{
	int parcels = atomic_inc_return(&spread->parcels);
	int bytes = atomic_add_return(parcel->bytes, &spread->bytes);

	if (likely(parcels <= AKM_SPREAD_PARCELS && bytes <= AKM_SPREAD_BYTES))
		return true;
	uncharge(spread, parcel);
	return false;
}

/* --- what waits for somebody who takes it --- */

/* Return: how many do. */
static unsigned int await(struct akm_spread *spread, struct akm_parcel *parcel)
{
	unsigned int count;

	spin_lock(&spread->lock);
	list_add_tail(&parcel->waiting, &spread->waiting);
	count = ++spread->count;
	spin_unlock(&spread->lock);
	return count;
}

static struct akm_parcel *take(struct akm_spread *spread)
{
	struct akm_parcel *parcel;

	spin_lock(&spread->lock);
	parcel = list_first_entry_or_null(&spread->waiting, struct akm_parcel, waiting);
	if (parcel) {
		list_del(&parcel->waiting);
		spread->count--;
	}
	spin_unlock(&spread->lock);
	return parcel;
}

static void crypt(struct akm_parcel *parcel)
{
	parcel->elsewhere |= parcel->cpu != smp_processor_id();
	parcel->ops->crypt(parcel);
}

static bool crypt_one(struct akm_spread *spread, bool elsewhere)
{
	struct akm_parcel *parcel = take(spread);

	if (!parcel)
		return false;
	parcel->elsewhere = elsewhere;
	crypt(parcel);
	return true;
}

static void crypt_work(struct work_struct *work)
{
	struct akm_spread *spread = container_of(work, struct akm_spread_worker, crypt)->spread;
	bool more;

	atomic_inc(&spread->awake);
	do {
		local_bh_disable();
		rcu_read_lock();
		more = crypt_one(spread, READ_ONCE(akm_spread_alone));
		rcu_read_unlock();
		local_bh_enable();
		cond_resched();
	} while (more);
	atomic_dec(&spread->awake);
}

/* --- what is ready goes --- */

/* It is ready, and the first of its line: that goes on from its own processor. */
static void hand_on(struct akm_parcel *first)
{
	int cpu = first->line->cpu;
	struct akm_spread_worker *worker = per_cpu_ptr(first->spread->workers, cpu);

	spin_lock(&worker->lock);
	list_add_tail(&first->waiting, &worker->firsts);
	spin_unlock(&worker->lock);
	queue_work_on(cpu, workqueue, &worker->go);
}

/*
 * Whoever has the first that is ready is the only one who lets go of its line. If that does
 * not come to an end the rest is left to a work, which can be interrupted between two.
 */
static void let_go(struct akm_parcel *parcel)
{
	struct akm_line *line = parcel->line;
	struct akm_spread *spread = parcel->spread;
	struct akm_parcel *next;
	int n = 0;

	do {
		parcel->ops->go(parcel);
		next = leave(line, parcel);
		uncharge(spread, parcel);
		parcel->ops->end(parcel);
		parcel = next;
	} while (parcel && ++n < AKM_SPREAD_BUDGET);
	if (parcel)
		hand_on(parcel);
}

static bool let_one_go(struct akm_spread_worker *worker)
{
	struct akm_parcel *first;

	spin_lock(&worker->lock);
	first = list_first_entry_or_null(&worker->firsts, struct akm_parcel, waiting);
	if (first)
		list_del(&first->waiting);
	spin_unlock(&worker->lock);
	if (first)
		let_go(first);
	return first;
}

/* Of a processor that has gone offline meanwhile it runs on another. */
static void go_work(struct work_struct *work)
{
	struct akm_spread_worker *worker = container_of(work, struct akm_spread_worker, go);
	bool more;

	do {
		local_bh_disable();
		rcu_read_lock();
		more = let_one_go(worker);
		rcu_read_unlock();
		local_bh_enable();
		cond_resched();
	} while (more);
}

void akm_parcel_ready(struct akm_parcel *parcel)
{
	struct akm_line *line = parcel->line;
	struct akm_parcel *first = NULL;
	bool here;

	spin_lock(&line->lock);
	parcel->ready = true;
	if (!line->going)
		first = first_ready(line);
	here = line->cpu == smp_processor_id();
	spin_unlock(&line->lock);
	/* from here on @parcel may be gone; @line is kept by what is first */
	if (first && here)
		let_go(first);
	else if (first)
		hand_on(first);
}

/* Lossy: what comes at several processors may count as one. */
static bool doubted(struct akm_line *line)
{
	u8 doubt = READ_ONCE(line->doubt);

	if (likely(!doubt))
		return false;
	WRITE_ONCE(line->doubt, doubt - 1);
	return true;
}

enum akm_spread_way akm_spread_way(const struct akm_spread *spread, struct akm_line *line,
				   unsigned int packets)
{
	bool pays = packets >= AKM_SPREAD_MIN && READ_ONCE(spread->on) &&
		    other_cpu(READ_ONCE(spread->last)) < nr_cpu_ids && !doubted(line);

	if (!list_empty(&line->parcels))
		return pays ? AKM_SPREAD_ELSEWHERE : AKM_SPREAD_BEHIND;
	return pays && !atomic_read(&line->beside) ? AKM_SPREAD_ELSEWHERE : AKM_SPREAD_BESIDE;
}

bool akm_spread_add(struct akm_spread *spread, struct akm_line *line, struct akm_parcel *parcel,
		    bool elsewhere)
{
	unsigned int count;

	parcel->cpu = smp_processor_id();
	parcel->elsewhere = false;
	parcel->ready = false;
	parcel->spread = spread;
	parcel->line = line;
	if (!charge(spread, parcel))
		return false;
	if (!join(line, parcel)) {
		uncharge(spread, parcel);
		return false;
	}
	let_one_go(this_cpu_ptr(spread->workers));	/* does not have to wait for its work then */
	if (!elsewhere) {
		crypt(parcel);
		return true;
	}
	count = await(spread, parcel);
	wake(spread, count);
	if (count + atomic_read(&spread->awake) > AKM_SPREAD_WAIT * others())
		crypt_one(spread, false);	/* the oldest, for which the line waits */
	return true;
}

/* --- of a device, and of the module --- */

struct akm_spread *akm_spread_create(void)
{
	struct akm_spread *spread = kzalloc(sizeof(*spread), GFP_KERNEL);
	struct akm_spread_worker *worker;
	int cpu;

	if (!spread)
		return NULL;
	spread->workers = alloc_percpu(struct akm_spread_worker);
	if (!spread->workers) {
		kfree(spread);
		return NULL;
	}
	for_each_possible_cpu(cpu) {
		worker = per_cpu_ptr(spread->workers, cpu);
		worker->spread = spread;
		INIT_WORK(&worker->crypt, crypt_work);
		INIT_WORK(&worker->go, go_work);
		spin_lock_init(&worker->lock);
		INIT_LIST_HEAD(&worker->firsts);
	}
	spin_lock_init(&spread->lock);
	INIT_LIST_HEAD(&spread->waiting);
	return spread;
}

void akm_spread_free(struct akm_spread *spread)
{
	int cpu;

	if (!spread)
		return;
	for_each_possible_cpu(cpu) {
		cancel_work_sync(&per_cpu_ptr(spread->workers, cpu)->crypt);
		/* what it was queued for may have gone with who came meanwhile */
		cancel_work_sync(&per_cpu_ptr(spread->workers, cpu)->go);
	}
	free_percpu(spread->workers);
	kfree(spread);
}

int akm_spread_init(void)
{
	/* memory may have to be written out through the tunnel before there is any */
	workqueue = alloc_workqueue("akm_spread", WQ_CPU_INTENSIVE | WQ_MEM_RECLAIM, 0);
	return workqueue ? 0 : -ENOMEM;
}

void akm_spread_exit(void)
{
	destroy_workqueue(workqueue);
}
