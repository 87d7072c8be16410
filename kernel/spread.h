/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One heavy flow on several processors: parcels (large packets of the stack, each of which
 * becomes a batch; or such batches, from the underlay) are sealed, or opened, by whichever
 * processor is free, and go in the order in which they came. Knows no sibling but proto.h.
 *
 *	who brings them ──► line of the member:  1 ready   2 under work   3 ready   4 waits
 *	                      │                                                       │
 *	                      ▼ first to last, on the processor where they came       ▼
 *	                   underlay, or stack              works, one on each processor, and
 *	                                                   who brings them if too many wait
 *
 * What leaves from several processors has several queues on its way, of a card or of the
 * stack, and is out of order at their ends: so a line goes from one.
 * A device has one of this for what it sends, and one for what it receives: what others send
 * it takes nothing of what it may have handed over itself.
 * Documentation/performance.rst, "One flow on several processors".
 */
#ifndef _AKM_SPREAD_H
#define _AKM_SPREAD_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include "proto.h"

/* Fewer packets take less time than to wake another processor does. */
#define AKM_SPREAD_MIN		8
/*
 * What may wait or be under way, for each processor that may take it; then who brings more takes
 * of it. Three large packets fill a socket's usual send buffer: with two processors one of them is
 * for the sender, who would only sleep otherwise.
 */
#define AKM_SPREAD_WAIT		2
/* What lets go in one stretch, soft interrupts disabled */
#define AKM_SPREAD_BUDGET	8
/* What a device may have handed over: parcels, and the memory that they hold */
#define AKM_SPREAD_PARCELS	512
#define AKM_SPREAD_BYTES	(16 << 20)
/*
 * Packets in one line: what is sealed beside it (keepalives, answers) may overtake so many,
 * and they still have to be in the receiver's window, with as much to spare.
 */
#define AKM_SPREAD_PACKETS	(AKM_REPLAY_WINDOW / 2)
/* After a forgery in its name, so many of a member's batches are opened where they are. */
#define AKM_SPREAD_DOUBT	8

struct akm_parcel;
struct akm_spread;

/* BH disabled, RCU, no lock held. */
struct akm_parcel_ops {
	/* Seal or open it, on any processor; ends with akm_parcel_ready(), at once or later. */
	void (*crypt)(struct akm_parcel *parcel);
	/* It goes: those of one line one after the other, in order, on the line's processor. */
	void (*go)(struct akm_parcel *parcel);
	/* Free it, and let go of what keeps its line. */
	void (*end)(struct akm_parcel *parcel);
};

/* What goes to one member, or comes from it, in order */
struct akm_line {
	spinlock_t lock;		/* protects all but the last two, and akm_parcel.ready */
	struct list_head parcels;	/* that have not gone; read without: only whether there are */
	unsigned int packets;		/* of them together */
	int cpu;			/* from which they go; where the first came */
	bool going;			/* somebody lets go what is ready */
	atomic_t beside;		/* packets and batches under way that are not in it */
	u8 doubt;			/* batches that are not handed over for now; lossy */
};

/* Everything is set by akm_spread_add() but the first three. Keeps its line, and its device. */
struct akm_parcel {
	const struct akm_parcel_ops *ops;
	unsigned int packets;
	unsigned int bytes;		/* of memory */
	int cpu;			/* that it came from */
	bool elsewhere;			/* another one does it; or a work, if spread_alone */
	bool ready;
	struct akm_spread *spread;
	struct akm_line *line;
	struct list_head list;		/* in akm_line.parcels */
	struct list_head waiting;	/* in akm_spread.waiting, until somebody takes it, and */
};					/* in akm_spread_worker.firsts */

struct akm_spread_worker {
	struct akm_spread *spread;
	struct work_struct crypt;	/* of what waits in the device */
	struct work_struct go;		/* of lines that go from this processor */
	spinlock_t lock;		/* protects the next */
	struct list_head firsts;	/* struct akm_parcel: ready, and the first of its line */
};

struct akm_spread {
	bool on;			/* otherwise only what is there is brought to its end */
	unsigned int last;		/* processor that was woken; lossy */
	spinlock_t lock;		/* protects the next two */
	struct list_head waiting;	/* struct akm_parcel, oldest first */
	unsigned int count;
	atomic_t awake;			/* works that have one parcel each */
	atomic_t parcels;
	atomic_t bytes;
	struct akm_spread_worker __percpu *workers;
};

/* Hand over also where there is no other processor, to a work on this one: for tests. */
extern bool akm_spread_alone;

enum akm_spread_way {
	AKM_SPREAD_BESIDE,		/* seal or open it here, and let it go at once */
	AKM_SPREAD_BEHIND,		/* here as well, and let it go in its turn */
	AKM_SPREAD_ELSEWHERE,
};

int akm_spread_init(void);
void akm_spread_exit(void);

void akm_line_init(struct akm_line *line);

/* Process context. Return: one that is off, or NULL. */
struct akm_spread *akm_spread_create(void);
/* There are no parcels any more. Process context; NULL is fine. */
void akm_spread_free(struct akm_spread *spread);

/**
 * akm_spread_way() - what is to be done with what is to be sent, or has come
 * @spread: of the device
 * @line: of the member
 * @packets: in how many it is split, or how many it is
 *
 * What goes beside the line has to be counted there until it has gone: nothing of its flow
 * may overtake it.
 *
 * Context: BH disabled.
 */
enum akm_spread_way akm_spread_way(const struct akm_spread *spread, struct akm_line *line,
				   unsigned int packets);

/* A packet in the member's name was none of it: others' time is not for such. */
static inline void akm_line_doubt(struct akm_line *line)
{
	WRITE_ONCE(line->doubt, AKM_SPREAD_DOUBT);
}

/**
 * akm_spread_add() - put a parcel at the end of a line, and have it sealed or opened
 * @spread: of the device
 * @line: of the member
 * @parcel: with @ops, @packets and @bytes; taken over on success
 * @elsewhere: others may do it; otherwise it is done here, now
 *
 * Context: BH disabled, RCU.
 * Return: false if there is too much already.
 */
bool akm_spread_add(struct akm_spread *spread, struct akm_line *line, struct akm_parcel *parcel,
		    bool elsewhere);

/* It is done, or has failed. The last that whoever does it does with it. BH disabled, RCU. */
void akm_parcel_ready(struct akm_parcel *parcel);

#endif /* _AKM_SPREAD_H */
