/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages of the link (manager–node, root–manager), as C objects. Schema:
 * Documentation/akm.cddl. Encoded as the CBOR array [type, request id, body map
 * with small unsigned keys in ascending order]; anything unknown, duplicate, out
 * of range or trailing is refused. Secrets are akm_secret and only msg_free()
 * frees them.
 */
#ifndef AKM_MSG_H
#define AKM_MSG_H

#include <netinet/in.h>
#include <sys/socket.h>
#include "bounds.h"
#include "quote.h"
#include "secret.h"
#include "util.h"

enum msg_type {
	MSG_HELLO = 1,			/* both, first in the session */
	MSG_OK = 2,			/* answer */
	MSG_ERROR = 3,			/* answer */
	MSG_HEARTBEAT = 4,		/* node → manager, manager → root */
	MSG_EVENTS = 5,			/* upwards; answered with MSG_OK once stored */
	MSG_ATR_PREPARE = 6,		/* manager → node: definition + generation, install as pending */
	MSG_ATR_ACTIVATE = 7,		/* manager → node */
	MSG_ATR_RETIRE = 8,		/* manager → node: erase a generation */
	MSG_ATR_DELETE = 9,		/* manager → node: leave the ATR, erase everything of it */
	MSG_LINK_NEXT = 10,		/* downwards: the next n of the link key */
	MSG_INVENTORY = 11,		/* manager → root: nodes (wrapped key blobs) and ATR definitions */
	MSG_TAKEOVER = 12,		/* root → manager: the inventory of the one that it replaces */
	MSG_ATR_ARM = 13,		/* manager → node: all members hold this fallback, it may be entered */
	MSG_QUOTE_ASK = 14,		/* manager → node; answered with MSG_OK after the MSG_QUOTE, or MSG_ERROR */
	MSG_QUOTE = 15,			/* node → manager: what its TPM says */
	MSG_POLICY = 16,		/* root → manager: the fleet's policy; answered with MSG_OK once stored, or MSG_ERROR */
	MSG_POLICY_HELD = 17,		/* manager → root: which of them it has */
	MSG_ROTATE = 18,		/* downwards: the key of the provisioning ATR that follows */
	MSG_ATR_ROLL = 19,		/* manager → node: step to the next epoch now */
	MSG_FEATURES = 20,		/* downwards, to who says in its hello that it has some: what the sender has */
	MSG_TYPE_MAX = MSG_FEATURES
};

/*
 * What of the messages the sender of a hello, or of MSG_FEATURES, understands beyond those of the first protocol 1. A bit
 * that is not known says nothing here.
 */
enum msg_feature {
	FEATURE_POLICY = 1,		/* policy, policy-held */
	FEATURE_ROLL = 2,		/* atr-roll */
	FEATURE_FLEET_LOCK = 4,		/* that the fleet is locked, in inventory and takeover */
};
#define FEATURES_ALL	(FEATURE_POLICY | FEATURE_ROLL | FEATURE_FLEET_LOCK)

enum msg_role { ROLE_ROOT = 1, ROLE_MANAGER = 2, ROLE_NODE = 3 };

/* An IP address, with a prefix length or a port; len 4 or 16 */
struct msg_prefix { uint8_t addr[16]; uint8_t addr_len; uint8_t prefix_len; };
struct msg_endpoint { uint8_t addr[16]; uint8_t addr_len; uint16_t port; };	/* addr_len 0: none */

struct msg_hello {
	uint32_t version;		/* LINK_VERSION */
	enum msg_role role;
	char name[AKM_NAME_LEN];
	uint64_t term;			/* manager's term; a node obeys only the highest it has seen; 0 from nodes */
	uint64_t link_n;		/* n of the link key this session was made with */
	size_t n_endpoints;
	struct msg_endpoint endpoints[ENDPOINTS_MAX];	/* node: where its data plane listens (port 0: the ATR's) */
	uint64_t instance;		/* of a subject: random, another at each start; 0: not said */
	uint32_t features;		/* likewise: enum msg_feature; 0: none, or not said */
};

struct msg_error { int code; char field[64]; char reason[TEXT_MAX]; };	/* code: positive errno */

struct msg_atr_state {			/* one ATR as the node's kernel has it */
	uint32_t atr_id;
	uint32_t generation;		/* active, 0: none */
	uint32_t pending;		/* newest pending, 0: none */
	uint64_t epoch;
	uint32_t incarnation;
	uint64_t rx_packets, tx_packets;
	uint64_t rx_auth_fail, rx_replay, rx_unknown_key, rx_malformed, rx_prefix, tx_exhausted;
	uint64_t rx_clone, rx_epoch_stale;
};

struct msg_heartbeat {
	uint64_t seq, uptime_ms;
	size_t n_atrs;
	struct msg_atr_state *atrs;	/* owned */
	bool blind;			/* does not hear its kernel: what it counts is not told */
};

enum msg_severity { SEV_INFO = 1, SEV_WARNING = 2, SEV_ALERT = 3 };

/* The packet that showed it: the beginning of its UDP payload, which nobody decrypted. len 0: there is none */
struct msg_packet { uint16_t len; uint8_t n, bytes[PACKET_SHOWN_MAX]; };

struct msg_event {			/* one record of evidence */
	uint64_t seq;			/* per source, durable, starts at 1 */
	uint64_t time_ms;		/* CLOCK_REALTIME of the source */
	char source[AKM_NAME_LEN];	/* who noticed */
	char kind[32];			/* "auth-fail", "replay", "link-psk", "hardware-mismatch", "rekey", … */
	enum msg_severity severity;
	uint32_t atr_id;		/* 0: none */
	int32_t member;			/* index, -1: none */
	uint64_t count;			/* how many this record stands for */
	char text[TEXT_MAX];
	struct msg_packet packet;	/* the last one, of several */
};

struct msg_events {
	size_t n;
	struct msg_event *events;	/* owned */
};

struct msg_member {
	uint16_t index;
	char name[AKM_NAME_LEN];
	size_t n_prefixes;
	struct msg_prefix prefixes[ADDRESSES_MAX];	/* overlay addresses it may use */
	struct msg_endpoint endpoint;			/* addr_len 0: unknown yet */
};

/* A multicast group of the underlay. addr_len 0: none */
struct msg_group { uint8_t addr[16], addr_len, ttl; };
#define GROUP_TTL	1		/* unless said: the link, and no further */
/* Is it one that packets can leave the node by, and has it a TTL? */
bool msg_group_valid(const struct msg_group *g);

struct msg_pair { uint16_t index; };	/* with 32 bytes at the same position in pair_chains */

struct msg_atr_prepare {
	uint32_t atr_id;
	char label[AKM_NAME_LEN];
	uint64_t definition;		/* version of the definition, monotonic */
	uint32_t suite;			/* enum akm_suite */
	uint16_t port;
	uint32_t epoch_interval_ms, epoch_grace_ms;
	uint16_t self;			/* the receiver's member index */
	size_t n_addresses;
	struct msg_prefix addresses[ADDRESSES_MAX];	/* the receiver's interface addresses, with the subnet's length */
	size_t n_members;
	struct msg_member *members;	/* owned; ascending by index, the receiver included */
	uint32_t generation, key_id;
	uint64_t epoch;
	uint64_t term;			/* fencing: the manager's */
	uint32_t freshness;		/* enum akm_freshness */
	struct msg_group group;		/* the link is each node's own */
	bool unused;			/* not sent: no kernel state of the receiver has held the generation */
	struct akm_secret chain;	/* 32 bytes, C_epoch */
	size_t n_pairs;
	struct msg_pair *pairs;		/* owned; ascending by index, members other than the receiver */
	struct akm_secret pair_chains;	/* n_pairs × 32 bytes, R_ij,epoch */
};

struct msg_atr_activate { uint32_t atr_id, generation; uint32_t grace_ms; };
struct msg_atr_retire { uint32_t atr_id, generation; };
struct msg_atr_delete { uint32_t atr_id; };
struct msg_atr_arm { uint32_t atr_id, generation; };
struct msg_atr_roll { uint32_t atr_id, generation; uint64_t epoch; };	/* @epoch: the one to step to */
struct msg_features { uint32_t bits; };	/* enum msg_feature */
struct msg_link_next { uint64_t n; };
struct msg_quote_ask { uint8_t nonce[AKM_DIGEST_LEN]; uint32_t pcrs; };
struct msg_quote { struct keystore_quote quote; };	/* owned */
struct msg_rotate {			/* rotate.h */
	uint64_t n;			/* the first link key of the new key */
	uint8_t nonce[AKM_DIGEST_LEN];
	struct akm_blob wrapped;	/* owned; no secret, but for who has the key before it */
};

struct msg_policy {
	uint64_t number;		/* only grows */
	struct akm_blob text;		/* owned; akm-policy(5), may be empty */
};
#define POLICY_NUMBER_MAX INT64_MAX

struct msg_policy_held {
	uint64_t number;		/* 0: none */
	uint8_t digest[AKM_DIGEST_LEN];	/* SHA-256 of its text; zeroes: none */
};

struct msg_inventory_node {
	uint8_t id[AKM_ID_LEN];
	char name[AKM_NAME_LEN];
	bool evicted;
	uint8_t hardware[AKM_DIGEST_LEN];
	uint64_t link_n;
	struct akm_blob key;		/* K_mn as wrapped by the domain storage key; no secret */
	char label[2 * AKM_NAME_LEN];	/* of the provisioning ATR */
	struct akm_blob ek_name;	/* owned; empty where it is not known */
	bool fixed;			/* the endpoint is the operator's */
	struct msg_endpoint endpoint;	/* of its data plane, last known */
	struct quote_baseline attest;	/* owned; pcrs 0: it does not attest */
	struct akm_blob parent_public;	/* owned; of its storage parent; empty where it is not known */
};

struct msg_inventory_member {
	uint16_t index;
	uint8_t node[AKM_ID_LEN];
	bool removed;
	size_t n_prefixes;
	struct msg_prefix prefixes[ADDRESSES_MAX];	/* beside its addresses, which its index says */
};

struct msg_inventory_atr {
	uint32_t atr_id;
	char label[AKM_NAME_LEN];
	uint32_t generation;		/* highest number ever used: a new manager starts above it */
	uint64_t definition;
	char json[4096];		/* definition for people and for a replacement: subnets, suite, times; no secret */
	size_t n_members;		/* ascending by index; those that left as well: an index is never used again */
	struct msg_inventory_member *members;	/* owned */
};

struct msg_inventory {
	uint64_t version;
	size_t n_nodes;
	struct msg_inventory_node *nodes;	/* owned */
	size_t n_atrs;
	struct msg_inventory_atr *atrs;		/* owned */
	char locked[AKM_NAME_LEN];		/* what the fleet was locked for; empty: it is not */
};

struct msg_takeover {
	char from[AKM_NAME_LEN];	/* the manager that was replaced */
	struct msg_inventory inventory;
};

struct msg {
	enum msg_type type;
	uint32_t request;		/* 0: wants no answer; answers carry the request's */
	union {
		struct msg_hello hello;
		struct msg_error error;
		struct msg_heartbeat heartbeat;
		struct msg_events events;
		struct msg_atr_prepare prepare;
		struct msg_atr_activate activate;
		struct msg_atr_retire retire;
		struct msg_atr_delete del;
		struct msg_atr_arm arm;
		struct msg_atr_roll roll;
		struct msg_link_next next;
		struct msg_features features;
		struct msg_quote_ask ask;
		struct msg_quote quote;
		struct msg_rotate rotate;
		struct msg_inventory inventory;
		struct msg_takeover takeover;
		struct msg_policy policy;
		struct msg_policy_held held;
	};
};

const char *msg_type_name(enum msg_type t);
/* The encoding may hold secrets: it is an akm_secret. Return: 0, -EINVAL (a field out of range), -ENOMEM, -EMSGSIZE. */
int msg_encode(const struct msg *m, struct akm_secret *ret);
/* Return: 0, -EBADMSG with @err naming the field, -ENOMEM. */
int msg_decode(const uint8_t *data, size_t len, struct msg *ret, struct akm_error *err);
/* The same; @err also says how far that was read. Of what the message holds, which may be secret, it says nothing. */
int msg_decode_whence(const uint8_t *data, size_t len, struct msg *ret, struct akm_error *err);
void msg_free(struct msg *m);		/* wipes secrets; fine on a zeroed one */
#define _cleanup_msg_ _cleanup_(msg_free)

#endif /* AKM_MSG_H */
