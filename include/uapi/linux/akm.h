/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Generic netlink family "akm": the control interface of AKM network devices.
 *
 * Documentation/netlink/specs/akm.yaml is the description of record; this
 * header is checked against it by the static tests.
 *
 * One network device is one operational ATR (AKM Trust Relationship).
 * Integers are host byte order unless said otherwise. Every command needs
 * CAP_NET_ADMIN in the user namespace of the device's network namespace.
 * Secret attributes (the *_CHAIN ones) are write-only: they are wiped in the
 * request and no command or dump ever returns them.
 */
#ifndef _UAPI_LINUX_AKM_H
#define _UAPI_LINUX_AKM_H

#define AKM_GENL_NAME		"akm"
#define AKM_GENL_VERSION	1
#define AKM_MCGRP_EVENTS	"events"

#define AKM_DEFAULT_PORT	7645
#define AKM_CHAIN_LEN		32	/* bytes in C_e and R_ij,e */
#define AKM_LABEL_MAX		63	/* ATR label, without the final NUL */
#define AKM_NAME_MAX		63	/* member name, without the final NUL */
#define AKM_MEMBERS_MAX		16384	/* members of one ATR */
#define AKM_PREFIXES_MAX	64	/* overlay prefixes of one member */
#define AKM_GENERATIONS_MAX	4	/* generations of one ATR held at a time */
#define AKM_INCARNATION_MAX	0xffffff	/* 24 bits, 0 is not a value */
#define AKM_EVENT_PACKET_MAX	64	/* bytes of a packet that an event shows */
#define AKM_INDEX_MAX		0xfffe	/* member indices are 0 … this */

enum akm_cmd {
	AKM_CMD_UNSPEC,
	AKM_CMD_DEV_GET,		/* do, dump: akm_a_dev */
	AKM_CMD_DEV_SET,		/* akm_a_dev */
	AKM_CMD_MEMBER_GET,		/* do, dump: akm_a_member */
	AKM_CMD_MEMBER_SET,		/* create, or replace as a whole */
	AKM_CMD_MEMBER_DEL,		/* erases its pair chains as well */
	AKM_CMD_GENERATION_GET,		/* do, dump: akm_a_generation */
	AKM_CMD_GENERATION_INSTALL,	/* as pending: receive only */
	AKM_CMD_GENERATION_ACTIVATE,	/* send on it; the active one retires */
	AKM_CMD_GENERATION_RETIRE,	/* stop receiving on it, erase it */
	AKM_CMD_PAIR_SET,		/* more pair chains for a generation */
	AKM_CMD_EPOCH_ROLL,		/* step the active generation once */
	AKM_CMD_EVENT,			/* notification: akm_a_event */
	__AKM_CMD_MAX
};
#define AKM_CMD_MAX (__AKM_CMD_MAX - 1)

enum akm_suite {
	AKM_SUITE_AES256GCM = 1,	/* the default */
	AKM_SUITE_CHACHA20POLY1305 = 2,
	AKM_SUITE_AES128GCM = 3,
};

enum akm_gen_state {
	AKM_GEN_PENDING = 1,		/* receives, does not send */
	AKM_GEN_ACTIVE = 2,		/* receives and sends; at most one */
	AKM_GEN_RETIRING = 3,		/* receives until its deadline */
};

/* What a receiver without replay windows does with a sender's packets */
enum akm_freshness {
	AKM_FRESHNESS_STRICT = 1,	/* asks the sender first; the default */
	AKM_FRESHNESS_EPOCH = 2,	/* takes them: replays are possible within the epoch */
};

/* Who seals what an interface sends */
enum akm_spread_mode {
	AKM_SPREAD_OFF = 1,		/* the processor that sends it, or where it came; the default */
	AKM_SPREAD_ON = 2,		/* large packets of one flow: several, in order */
};

/* What is known about a member's packets */
enum akm_fresh_state {
	AKM_FRESH_UNKNOWN = 1,		/* they may be replays, and nobody has asked yet */
	AKM_FRESH_ASKING = 2,		/* a hello is under way, packets wait */
	AKM_FRESH_YES = 3,		/* new ones can be told from replays */
};

enum akm_event_type {
	AKM_EVENT_AUTH_FAIL = 1,	/* known key, tag does not verify */
	AKM_EVENT_REPLAY = 2,		/* authentic, but its number was seen or is too old */
	AKM_EVENT_UNKNOWN_KEY = 3,	/* key_id, epoch or sender that is not, and was not, ours */
	AKM_EVENT_MALFORMED = 4,	/* too short, wrong version, type or length */
	AKM_EVENT_PREFIX = 5,		/* authentic, inner address not the sender's */
	AKM_EVENT_EPOCH = 6,		/* the generation stepped to a new epoch */
	AKM_EVENT_EPOCH_REFUSED = 7,	/* a jump that elapsed time cannot explain */
	AKM_EVENT_EXHAUSTED = 8,	/* packet numbers or packet limit used up */
	AKM_EVENT_GENERATION = 9,	/* installed, activated, retired (see STATE; none: erased) */
	AKM_EVENT_NO_KEY = 10,		/* wanted to send, nothing to send with */
	AKM_EVENT_STATE_LOST = 11,	/* resume or VM fork: transmit keys dropped, push a new incarnation */
	AKM_EVENT_CLONE = 12,		/* two packets with one number: two holders of one pair key */
	AKM_EVENT_MOVED = 13,		/* a member that roams is elsewhere now, see SOURCE */
	AKM_EVENT_PENDING_USED = 14,	/* authentic, under a generation that is pending here */
	AKM_EVENT_EPOCH_STALE = 15,	/* a member's, of an epoch or generation that was erased here */
};

/* A device = an ATR. IFINDEX or IFNAME names it in every request of the family. */
enum akm_a_dev {
	AKM_A_DEV_UNSPEC,
	AKM_A_DEV_IFINDEX,		/* u32 */
	AKM_A_DEV_IFNAME,		/* NUL string */
	AKM_A_DEV_ATR_ID,		/* u32, not 0; only while no generation is installed */
	AKM_A_DEV_LABEL,		/* NUL string, at most AKM_LABEL_MAX */
	AKM_A_DEV_SELF,			/* u16, own member index; only while no generation is installed */
	AKM_A_DEV_SUITE,		/* u32, enum akm_suite; only while no generation is installed */
	AKM_A_DEV_PORT,			/* u16, UDP port; only while the device is down */
	AKM_A_DEV_INCARNATION,		/* u32, 1 … AKM_INCARNATION_MAX, greater than any seen */
	AKM_A_DEV_FWMARK,		/* u32, mark of outer packets, 0 = none */
	AKM_A_DEV_EPOCH_INTERVAL,	/* u32, ms between rolls, 0 = no timer */
	AKM_A_DEV_EPOCH_GRACE,		/* u32, ms for which the previous epoch is accepted */
	AKM_A_DEV_MEMBERS,		/* u32, number of members, out only */
	AKM_A_DEV_GENERATIONS,		/* u32, number of generations, out only */
	AKM_A_DEV_ACTIVE_GENERATION,	/* u32, out only, absent if there is none */
	AKM_A_DEV_STATS,		/* nest of akm_a_stats, out only */
	AKM_A_DEV_PAD,
	AKM_A_DEV_DRIVER,		/* NUL string, crypto driver that serves the suite, out only */
	AKM_A_DEV_FRESHNESS,		/* u32, enum akm_freshness; for generations installed afterwards */
	AKM_A_DEV_GROUP,		/* 4 or 16 bytes, network order: underlay multicast; empty = none */
	AKM_A_DEV_GROUP_LINK,		/* u32, ifindex in the underlay's namespace; with GROUP */
	AKM_A_DEV_GROUP_TTL,		/* u8, TTL or hop limit, default 1; with GROUP */
	AKM_A_DEV_FLOW_PORT_LOW,	/* u16, outer source ports by inner flow: from, 0 = one port */
	AKM_A_DEV_FLOW_PORT_HIGH,	/* u16, to; with LOW */
	AKM_A_DEV_SPREAD,		/* u32, enum akm_spread_mode */
	__AKM_A_DEV_MAX
};
#define AKM_A_DEV_MAX (__AKM_A_DEV_MAX - 1)

enum akm_a_member {
	AKM_A_MEMBER_UNSPEC,
	AKM_A_MEMBER_IFINDEX,		/* u32 */
	AKM_A_MEMBER_IFNAME,		/* NUL string */
	AKM_A_MEMBER_INDEX,		/* u16 */
	AKM_A_MEMBER_NAME,		/* NUL string, at most AKM_NAME_MAX */
	AKM_A_MEMBER_PREFIX,		/* nest of akm_a_prefix, repeated, at most AKM_PREFIXES_MAX */
	AKM_A_MEMBER_ENDPOINT,		/* struct sockaddr_in or sockaddr_in6, exact length */
	AKM_A_MEMBER_STATS,		/* nest of akm_a_stats, out only */
	AKM_A_MEMBER_LAST_RX,		/* u64, ms since the last authentic packet, out only */
	AKM_A_MEMBER_PAD,
	AKM_A_MEMBER_FRESH,		/* u32, enum akm_fresh_state in the active generation, out only */
	AKM_A_MEMBER_WAITING,		/* u32, packets that wait for a hello-ack, out only */
	AKM_A_MEMBER_ROAMS,		/* flag: send to where its newest packet came from */
	AKM_A_MEMBER_LEARNT,		/* struct sockaddr_in or sockaddr_in6, that place, out only */
	AKM_A_MEMBER_KEEPALIVE,		/* u32, ms without a packet to it after which an empty one is sent, 0 = none */
	__AKM_A_MEMBER_MAX
};
#define AKM_A_MEMBER_MAX (__AKM_A_MEMBER_MAX - 1)

enum akm_a_prefix {
	AKM_A_PREFIX_UNSPEC,
	AKM_A_PREFIX_ADDR,		/* 4 or 16 bytes, network order; host bits must be 0 */
	AKM_A_PREFIX_LEN,		/* u8, 0 … 32 or 128 */
	__AKM_A_PREFIX_MAX
};
#define AKM_A_PREFIX_MAX (__AKM_A_PREFIX_MAX - 1)

enum akm_a_generation {
	AKM_A_GENERATION_UNSPEC,
	AKM_A_GENERATION_IFINDEX,	/* u32 */
	AKM_A_GENERATION_IFNAME,	/* NUL string */
	AKM_A_GENERATION_NUMBER,	/* u32, not 0; monotonic fencing token */
	AKM_A_GENERATION_KEY_ID,	/* u32, not 0; unique in the network namespace */
	AKM_A_GENERATION_EPOCH,		/* u64, epoch at which CHAIN stands; default 0 */
	AKM_A_GENERATION_CHAIN,		/* AKM_CHAIN_LEN bytes, C_e; write-only */
	AKM_A_GENERATION_PAIR,		/* nest of akm_a_pair, repeated; write-only */
	AKM_A_GENERATION_EXPECT,	/* u32, compare-and-set: refuse with ESTALE unless this is the active number (0: none) */
	AKM_A_GENERATION_GRACE,		/* u32, ms that the replaced generation still receives; default 10000 */
	AKM_A_GENERATION_STATE,		/* u32, enum akm_gen_state, out only */
	AKM_A_GENERATION_PAIRS,		/* u32, number of pair chains held, out only */
	AKM_A_GENERATION_AGE,		/* u64, ms since it was installed, out only */
	AKM_A_GENERATION_PAD,
	AKM_A_GENERATION_UNUSED,	/* flag: no kernel state of this member has held it before */
	AKM_A_GENERATION_ANNOUNCE,	/* flag: send every member a hello under it */
	__AKM_A_GENERATION_MAX
};
#define AKM_A_GENERATION_MAX (__AKM_A_GENERATION_MAX - 1)

enum akm_a_pair {
	AKM_A_PAIR_UNSPEC,
	AKM_A_PAIR_INDEX,		/* u16, the other member */
	AKM_A_PAIR_CHAIN,		/* AKM_CHAIN_LEN bytes, R_ij,e; write-only */
	__AKM_A_PAIR_MAX
};
#define AKM_A_PAIR_MAX (__AKM_A_PAIR_MAX - 1)

/* u64 counters since the device or member was created */
enum akm_a_stats {
	AKM_A_STATS_UNSPEC,
	AKM_A_STATS_PAD,
	AKM_A_STATS_RX_PACKETS,
	AKM_A_STATS_RX_BYTES,
	AKM_A_STATS_TX_PACKETS,
	AKM_A_STATS_TX_BYTES,
	AKM_A_STATS_RX_AUTH_FAIL,
	AKM_A_STATS_RX_REPLAY,
	AKM_A_STATS_RX_UNKNOWN_KEY,
	AKM_A_STATS_RX_MALFORMED,
	AKM_A_STATS_RX_PREFIX,
	AKM_A_STATS_RX_DROPPED,		/* queue, memory */
	AKM_A_STATS_TX_NO_KEY,
	AKM_A_STATS_TX_NO_MEMBER,	/* no member owns the destination */
	AKM_A_STATS_TX_NO_ENDPOINT,
	AKM_A_STATS_TX_EXHAUSTED,
	AKM_A_STATS_TX_DROPPED,		/* memory, crypto queue, no route, too big */
	AKM_A_STATS_RX_CLONE,		/* numbers seen before, with another tag */
	AKM_A_STATS_RX_WAITED,		/* had to wait for a hello-ack */
	AKM_A_STATS_RX_WAIT_DROPPED,	/* waited in vain, or found no place */
	AKM_A_STATS_TX_HELLO,
	AKM_A_STATS_TX_HELLO_ACK,
	AKM_A_STATS_RX_TRIED,
	AKM_A_STATS_TX_NOTICE,
	AKM_A_STATS_RX_UNREACHABLE,	/* ICMP errors about our packets, but for their size */
	AKM_A_STATS_TX_TOO_BIG,		/* for the path, and the sender was told */
	AKM_A_STATS_TX_GROUP,		/* that went to the underlay multicast group */
	AKM_A_STATS_RX_KEEPALIVE,
	AKM_A_STATS_TX_KEEPALIVE,
	AKM_A_STATS_RX_EPOCH_STALE,	/* seemingly of members that are behind */
	AKM_A_STATS_TX_SPREAD,		/* sealed by another processor than the one that sent */
	AKM_A_STATS_TX_SPREAD_DROPPED,	/* too much waited for other processors */
	AKM_A_STATS_RX_SPREAD,		/* opened by another processor than the one where it came */
	AKM_A_STATS_RX_SPREAD_DROPPED,	/* too much waited for other processors */
	__AKM_A_STATS_MAX
};
#define AKM_A_STATS_MAX (__AKM_A_STATS_MAX - 1)

enum akm_a_event {
	AKM_A_EVENT_UNSPEC,
	AKM_A_EVENT_TYPE,		/* u32, enum akm_event_type */
	AKM_A_EVENT_IFINDEX,		/* u32, absent if no device was concerned */
	AKM_A_EVENT_IFNAME,		/* NUL string, likewise */
	AKM_A_EVENT_ATR_ID,		/* u32 */
	AKM_A_EVENT_MEMBER,		/* u16, claimed sender (proven only for REPLAY, PREFIX, EPOCH, CLONE, MOVED, PENDING_USED) */
	AKM_A_EVENT_GENERATION,		/* u32 */
	AKM_A_EVENT_KEY_ID,		/* u32 */
	AKM_A_EVENT_EPOCH,		/* u64 */
	AKM_A_EVENT_PACKET_NUMBER,	/* u64 */
	AKM_A_EVENT_STATE,		/* u32, enum akm_gen_state */
	AKM_A_EVENT_SOURCE,		/* struct sockaddr_in or sockaddr_in6, outer source */
	AKM_A_EVENT_COUNT,		/* u64, how many of this type so far on this device */
	AKM_A_EVENT_SUPPRESSED,		/* u32, how many were not reported since the last report */
	AKM_A_EVENT_TIME,		/* u64, ns, CLOCK_REALTIME */
	AKM_A_EVENT_PAD,
	AKM_A_EVENT_PACKET,		/* binary, up to AKM_EVENT_PACKET_MAX bytes: the beginning of the packet, never decrypted */
	AKM_A_EVENT_PACKET_LEN,		/* u32, of the outer UDP payload that PACKET begins */
	AKM_A_EVENT_INNER_SOURCE,	/* binary, 4 or 16 bytes (event PREFIX) */
	__AKM_A_EVENT_MAX
};
#define AKM_A_EVENT_MAX (__AKM_A_EVENT_MAX - 1)

#endif /* _UAPI_LINUX_AKM_H */
