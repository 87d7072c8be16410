/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Generations, their epochs, and the traffic keys in them.
 * Documentation/protocol.rst, "Key schedule" and "Generations".
 *
 *	generation ── previous, current, next epoch ── per member: receive pair,
 *	                        │                      receive group, transmit pair
 *	                        └── transmit group
 *
 * Everything is derived and replaced in process context under the device lock,
 * and read by the packet path under RCU. The keys of the next epoch exist before
 * they are needed.
 *
 * A key holds its member and its epoch, an epoch its generation, a generation the
 * device; a request under way holds the key. Each is unpublished first, and freed
 * when a grace period has passed and the last holder has let go.
 */
#ifndef _AKM_KEYS_H
#define _AKM_KEYS_H

#include <linux/bits.h>
#include <linux/kref.h>
#include <linux/llist.h>
#include <linux/netlink.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include "aead.h"
#include "ahead.h"
#include "atr.h"
#include "kdf.h"
#include "proto.h"
#include "replay.h"
#include "announce.h"

struct akm_asking;
struct akm_device;
struct akm_net;

/*
 * RFC 9001 section 6.6 and appendix B.1: AES-GCM keeps its margin up to 2^28
 * packets of at most 2^11 bytes per key. The epoch is rolled early at that count.
 */
#define AKM_ROLL_PACKETS	BIT_ULL(28)
/* Keeps epoch arithmetic far from wrapping */
#define AKM_EPOCH_MAX		BIT_ULL(62)

/* Packet numbers outlive the key's transform: a member deleted and added again goes on. */
struct akm_tx {
	atomic64_t next;		/* next sequence number */
};

struct akm_rx {
	spinlock_t lock;		/* protects replay and prints */
	struct akm_replay replay;
	struct akm_prints *prints;	/* of a pair key, from its first packet on; or NULL */
};

struct akm_key {
	struct akm_aead aead;
	refcount_t refs;		/* the slot's, and one per packet under way */
	struct akm_epoch *epoch;	/* held */
	struct akm_member *member;	/* the other side, held; NULL: own group key */
	enum akm_packet_type type;	/* what it seals or opens */
	bool waits;			/* packets that came before it go first; akm_warm.lock */
	struct akm_traffic *traffic;	/* NULL: own group key */
	union {
		struct akm_tx *tx;
		struct akm_rx *rx;
	};
	union {				/* once the last hold is gone */
		struct rcu_head rcu;
		struct llist_node unused;
	};
};

enum akm_use {
	AKM_UNUSED,
	AKM_USED,			/* something was authentic: its number must not be forgotten */
	AKM_TALKS,			/* data came or went: the next epoch's keys will be wanted */
};

/*
 * What has to be remembered of the packets between a member and us in one epoch. There is
 * one from the first key on, and it lives as long as the epoch, unless nothing that came
 * under its keys was authentic, and no data went: then its packet number is all that stays.
 */
struct akm_traffic {
	u8 use;				/* enum akm_use; grows */
	bool trial;			/* made for a packet that nobody had authenticated; device lock */
	struct akm_asking *asking;	/* NULL: nothing can be a replay from before we knew it */
	struct akm_rx rx_group;
	struct akm_rx rx_pair;
	struct akm_tx tx_pair;
	struct akm_key *hidden[3];	/* while it is found out whether they are used; device lock */
};

/*
 * What an epoch has for one member; lives as long as the epoch. No more than that of a
 * member that is cold (warm.h).
 */
struct akm_peer {
	struct akm_key __rcu *rx_group;
	struct akm_key __rcu *rx_pair;
	struct akm_key __rcu *tx_pair;
	struct akm_traffic *traffic;	/* device lock; NULL: it never was warm */
	bool has_group;			/* keys are there, or can be made; device lock, and */
	bool has_pair;			/* read without: only a hint there */
	bool waits;			/* the keys that are made have to wait; device lock */
	u64 tx_next;			/* of a traffic that was forgotten: its tx_pair.next */
	u8 chain[AKM_KDF_LEN];		/* R_ij,e if has_pair; secret */
};

struct akm_epoch {
	struct kref refs;		/* the generation's, and one per key */
	struct akm_generation *gen;	/* held */
	u64 number;
	s64 began;			/* when it became current: ms of CLOCK_BOOTTIME; device lock */
	bool heard;			/* others were, in it */
	u8 chain[AKM_KDF_LEN];		/* C_e; secret; wiped once no key is to be made from it */
	struct akm_key __rcu *tx_group_key;
	struct akm_tx tx_group;
	struct xarray peers;		/* struct akm_peer by member index */
	union {
		struct rcu_head rcu;
		struct work_struct free_work;
	};
};

enum akm_epoch_slot {
	AKM_EPOCH_PREVIOUS,		/* receive only, until previous_deadline */
	AKM_EPOCH_CURRENT,
	AKM_EPOCH_NEXT,			/* ready, receives; who uses it first pulls us along */
	AKM_EPOCH_AHEAD,		/* being made, for a jump; not for the packet path */
	AKM_EPOCH_SLOTS,
};

struct akm_generation {
	struct kref refs;		/* the device's, and one per epoch */
	struct akm_device *akm;
	netdevice_tracker tracker;	/* of the reference on its net_device */
	struct list_head list;		/* in akm_device.generations */
	struct hlist_node hash;		/* in akm_net.generations */
	struct akm_kdf_ctx ctx;		/* atr_id, generation number, key_id */
	u32 state;			/* enum akm_gen_state */
	u32 suite;
	u16 self;
	unsigned long installed;	/* jiffies */
	unsigned long deadline;		/* jiffies, if retiring */
	unsigned long previous_deadline;	/* jiffies, if there is a previous epoch */
	bool unused;			/* no kernel state of ours had it: nobody has to be asked */
	struct xarray asking;		/* struct akm_asking by member index; written under the */
					/* device lock, freed with the generation */
	bool gone;			/* akm_device.hello_lock: nobody may begin to ask */
	struct akm_ahead ahead;		/* device lock */
	u64 install_epoch;
	u8 install_print[AKM_KDF_LEN];	/* one-way fingerprint of the chain installed */
	struct akm_epoch __rcu *epoch[AKM_EPOCH_SLOTS];
	u32 current_number;		/* low half of the current epoch, for lockless readers */
	u32 wanted;			/* low half of the epoch that a packet asks for */
	u32 filled;			/* and of the one that we want: a key is used up soon */
	struct akm_announce tell;		/* device lock */
	u32 teller;			/* notice.c; lossy */
	struct rcu_work put_work;
};

struct akm_pair {
	u16 index;
	bool added;			/* by this request, so far */
	const u8 *chain;		/* AKM_CHAIN_LEN bytes inside the request */
	const struct nlattr *attr;	/* for messages */
};

struct akm_install {
	u32 number;
	u32 key_id;
	u64 epoch;
	bool unused;			/* as in struct akm_generation */
	const u8 *chain;		/* AKM_CHAIN_LEN bytes; NULL: pairs only */
	struct akm_pair *pairs;
	u32 pair_count;
};

/*
 * keys.c: epochs and keys. Device locked, process context. Functions that return
 * int return 0 or a negative errno and then have changed nothing.
 */
struct akm_epoch *akm_epoch_create(struct akm_generation *gen, u64 number,
				   const u8 chain[AKM_KDF_LEN]);
/* Keys to receive from, and if @pair_chain is given to send to, one member. */
int akm_epoch_add_member(struct akm_epoch *epoch, struct akm_member *member,
			 const u8 *pair_chain);
/*
 * Make the keys of a cold member; @trial: because of packets that nobody has authenticated.
 * akm_epoch_let_go() has to follow.
 */
int akm_epoch_warm_member(struct akm_epoch *epoch, struct akm_member *member, bool trial);
/* Give those their keys in @next that talk in @now. For whom there is no memory stays cold. */
void akm_epoch_warm_talkers(struct akm_epoch *next, struct akm_epoch *now);
/* Nothing waits for the keys of a member (any more): they may be used. */
void akm_epoch_let_go(struct akm_epoch *epoch, u16 index);
/* Have data gone to, or come from, a member? RCU, or the device lock. */
bool akm_epoch_talks(struct akm_epoch *epoch, u16 index);
/*
 * Take the keys away that were made on trial, and have not been used. Return: how many
 * members are concerned; then akm_epoch_cool() has to follow, after a grace period.
 */
unsigned int akm_epoch_hide_unused(struct akm_epoch *epoch);
/* What was hidden and not used up to the end is let go. Return: how many still are on trial. */
unsigned int akm_epoch_cool(struct akm_epoch *epoch);
void akm_epoch_remove_pair(struct akm_epoch *epoch, u16 index);
void akm_epoch_remove_member(struct akm_epoch *epoch, u16 index);
/* The epoch that follows @epoch, for the members that are left. */
struct akm_epoch *akm_epoch_step(struct akm_epoch *epoch);
/* Its chains are not needed any more, but those of cold members; it goes on receiving. */
void akm_epoch_wipe_chains(struct akm_epoch *epoch);
/* Already unpublished: erase its keys and let it go. NULL is fine. */
void akm_epoch_destroy(struct akm_epoch *epoch);

/*
 * Bring a chain that stands at epoch @from to @to, at most AKM_CATCH_UP_MAX steps. Process
 * context. On failure it is somewhere between.
 */
int akm_chain_step(const struct akm_kdf_ctx *ctx, u8 chain[AKM_KDF_LEN], u64 from, u64 to);

/* generation.c: all of these with the device locked, in process context. */
int akm_generation_install(struct akm_device *akm, const struct akm_install *install,
			   struct netlink_ext_ack *extack);
int akm_generation_add_pairs(struct akm_device *akm, const struct akm_install *install,
			     struct netlink_ext_ack *extack);
int akm_generation_activate(struct akm_device *akm, u32 number, u32 grace_ms,
			    struct netlink_ext_ack *extack);
int akm_generation_retire(struct akm_device *akm, u32 number,
			  struct netlink_ext_ack *extack);
int akm_generation_roll(struct akm_device *akm, struct netlink_ext_ack *extack);
/* What akm_ahead_judge() wants to know; what was heard in the current epoch is noted. */
void akm_generation_now(struct akm_generation *gen, struct akm_ahead_now *ret_now);
/* The epoch in AKM_EPOCH_AHEAD has the keys of all members: go there. */
void akm_generation_go_ahead(struct akm_generation *gen);
void akm_generation_drop_ahead(struct akm_generation *gen);

struct akm_generation *akm_generation_find(struct akm_device *akm, u32 number);
struct akm_generation *akm_generation_active(struct akm_device *akm);
/* How many pair chains it holds. */
u32 akm_generation_pairs(struct akm_generation *gen);
void akm_generation_put(struct akm_generation *gen);

/* Make the keys of a cold member in every generation and epoch; as akm_epoch_warm_member(). */
int akm_generations_warm(struct akm_device *akm, struct akm_member *member, bool trial);
void akm_generations_let_go(struct akm_device *akm, u16 index);
bool akm_generations_talk(struct akm_device *akm, u16 index);
/* Return: how many keys of members still are on trial. May sleep for a grace period. */
unsigned int akm_generations_cool(struct akm_device *akm);
/* A member's keys in every generation and epoch. */
int akm_generations_add_member(struct akm_device *akm, struct akm_member *member);
void akm_generations_remove_member(struct akm_device *akm, struct akm_member *member);
/* The device is dead. */
void akm_generations_destroy(struct akm_device *akm);

/* Sets up akm_device.tend, which does what is due: rolls, ends of grace periods. */
void akm_generations_init(struct akm_device *akm);
/* Have it look now. Any context. */
void akm_generations_tend(struct akm_device *akm);
/* The interval has changed, or there is a new active generation. */
void akm_generations_schedule_roll(struct akm_device *akm);

/*
 * The packet path, RCU. A key that is returned is held; release it with
 * akm_key_put() or akm_key_put_many().
 */
struct akm_generation *akm_generation_lookup(struct akm_net *an, u32 key_id);
struct akm_epoch *akm_epoch_lookup(struct akm_generation *gen, u8 low_byte);
struct akm_key *akm_key_rx(struct akm_epoch *epoch, u16 sender, enum akm_packet_type type);
struct akm_key *akm_key_tx_pair(struct akm_epoch *epoch, u16 member, unsigned int refs);
/* There is no key, but there would be one if the member were warm. */
bool akm_key_is_cold(struct akm_epoch *epoch, u16 member, enum akm_packet_type type);
struct akm_key *akm_key_tx_group(struct akm_epoch *epoch, unsigned int refs);
void akm_key_put_many(struct akm_key *key, unsigned int refs);

/* One hold more; the caller has one. */
static inline void akm_key_get(struct akm_key *key)
{
	refcount_inc(&key->refs);
}

static inline void akm_key_put(struct akm_key *key)
{
	akm_key_put_many(key, 1);
}

/**
 * akm_key_reserve() - take sequence numbers
 * @key: a transmit key
 * @n: how many, not 0
 * @ret_first: the first of them
 *
 * Return: false if they are used up: the key may not encrypt any more.
 */
bool akm_key_reserve(struct akm_key *key, unsigned int n, u64 *ret_first);
/* The header of packet @number under a transmit key. */
struct akm_header akm_key_header(const struct akm_key *key, enum akm_packet_type type,
				 u64 number);

enum akm_verdict {
	AKM_NEW,			/* and now marked as seen */
	AKM_SEEN,			/* or too old, or from before we asked */
	AKM_CLONED,			/* seen, and another packet than the one before */
	AKM_WAITS,			/* nobody can tell before the sender has answered */
};
/**
 * akm_key_accept() - judge a packet after authentication
 * @key: a receive key
 * @number: packet number
 * @print: akm_print() of its tag
 *
 * Context: BH disabled.
 */
enum akm_verdict akm_key_accept(struct akm_key *key, u64 number, u16 print);

enum akm_guess {
	AKM_OPEN,			/* it may be new */
	AKM_DUPLICATE,			/* a packet that was received, as far as can be seen */
	AKM_DOUBTFUL,			/* not new; only opening it tells replay, clone, forgery */
};
/* The same before authentication, without lock. */
enum akm_guess akm_key_guess(const struct akm_key *key, u64 number, u16 print);

/*
 * akm_key_accept() took @number: has the other side sent nothing later that is authentic?
 * Under a generation or epoch that is on its way out the answer is no.
 */
bool akm_key_newest(const struct akm_key *key, u64 number);

/* Something authentic came under a key, or data go under it. Own group keys have no such memory. */
static inline void akm_key_use(const struct akm_key *key, enum akm_use use)
{
	/* written only if it changes: the cache line is shared */
	if (unlikely(READ_ONCE(key->traffic->use) < use))
		WRITE_ONCE(key->traffic->use, use);
}

/* What has to be asked of the other side of any key but our own group key; or NULL. */
struct akm_asking *akm_key_asking(const struct akm_key *key);
/* An authentic packet came under @epoch: follow it if it is ahead of us. */
void akm_epoch_seen(struct akm_epoch *epoch);
/* And it was no replay. */
static inline void akm_epoch_heard(struct akm_epoch *epoch)
{
	/* written only if it changes: the cache line is shared */
	if (unlikely(!READ_ONCE(epoch->heard)))
		WRITE_ONCE(epoch->heard, true);
}

#endif /* _AKM_KEYS_H */
