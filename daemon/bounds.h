/* SPDX-License-Identifier: GPL-2.0 */
/* Every size that a peer or a file could choose, capped in one place. Knows no sibling. */
#ifndef AKM_BOUNDS_H
#define AKM_BOUNDS_H

#define LINK_MESSAGE_MAX	(4U << 20)	/* bytes of one CBOR link message */
#define LINK_PORT		7646		/* TCP, manager and root */
#define LINK_VERSION		1
#define LINK_HANDSHAKE_MS	10000		/* an accepted connection has this long to authenticate */
#define LINK_PENDING_MAX	256		/* unauthenticated connections at a time */
#define LINK_PENDING_PER_IP	16		/* of one IPv4 address or IPv6 /64; others of it wait */
#define LINK_WAITING_MAX	32768		/* connections that wait: a descriptor each, nothing of them is read … */
#define LINK_WAITING_PER_IP	NODES_MAX	/* … and of one address or /64: a whole fleet may be behind one */
#define LINK_YIELD_MS		2000		/* who has not said who it is by then gives way, if others of its address wait */
#define LINK_BACKLOG		1024		/* connections that the kernel holds until they are looked at */
#define LINK_PER_IDENTITY	2		/* authenticated ones: the newest stay */
#define LINK_FAILURE_BURST	64		/* failed attempts of one address at once … */
#define LINK_FAILURE_REFILL_MS	100		/* … and then one in this time */
#define LINK_IDENTITY_BURST	8		/* the same for one identity from one address */
#define LINK_IDENTITY_REFILL_MS	2000
#define LINK_MESSAGE_MS		30000		/* a message that has begun is complete in this time */
#define LINK_CLOSE_MS		2000		/* for what is queued when a link is closed */
#define LINK_QUEUE_MAX		(8U << 20)	/* bytes queued to a peer that does not read */
#define LINK_DEAD_MS		30000		/* unacknowledged TCP data, or silence of keepalives */
#define FRAME_PAYLOAD_MAX	16384		/* bytes of one provisioning frame */
#define FRAME_NOISE_MAX		65536		/* bytes on the line that are no frame, before it is given up */
#define FRAME_GAP_MS		1000		/* pause inside a frame after which it counts as cut */
#define HELLO_RESEND_MS		1000		/* the other end may come later */
#define PROVISION_VERSION	1
#define PROVISION_TIMEOUT_MS	60000		/* silence that ends an exchange; a real TPM stalls 30 s */
#define MEMBERS_MAX		10000		/* members of one ATR */
#define NODES_MAX		16384
#define ATRS_MAX		64		/* operational ATRs on one node */
#define INVENTORY_ATRS_MAX	1024		/* operational ATRs of one manager */
#define ADDRESSES_MAX		16		/* overlay addresses or prefixes of one member in an ATR */
#define ENDPOINTS_MAX		4
#define EVENTS_PER_MESSAGE	256
#define PACKET_SHOWN_MAX	64		/* bytes of a packet that a record shows: AKM_EVENT_PACKET_MAX */
#define TEXT_MAX		512		/* bytes of any text a peer sends for people */
#define BLOB_MAX		8192		/* bytes of one TPM blob */
#define SETTING_MAX		LINK_MESSAGE_MAX	/* bytes of one setting in the database: an inventory is one */
#define POLICY_FILE_MAX		(256U << 10)	/* bytes of a policy, in a file or from the root */
#define POLICY_AHEAD_MAX	65536		/* policies that a manager may say to have beyond the root's own number */
#define EVENTS_KEPT		1000000		/* newest events in the database; older ones go */
#define SEALED_FILE_MAX		(8U << 20)

#endif /* AKM_BOUNDS_H */
