// SPDX-License-Identifier: GPL-2.0
#include "roam.h"

#include <linux/slab.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "device.h"
#include "socket.h"

bool akm_endpoint_same(const struct akm_endpoint *a, const struct akm_endpoint *b)
{
	if (!a || !b)
		return a == b;
	if (a->addr.sa.sa_family != b->addr.sa.sa_family)
		return false;
	if (a->addr.sa.sa_family == AF_INET)
		return a->addr.in4.sin_addr.s_addr == b->addr.in4.sin_addr.s_addr &&
		       a->addr.in4.sin_port == b->addr.in4.sin_port;
	return ipv6_addr_equal(&a->addr.in6.sin6_addr, &b->addr.in6.sin6_addr) &&
	       a->addr.in6.sin6_port == b->addr.in6.sin6_port &&
	       a->addr.in6.sin6_scope_id == b->addr.in6.sin6_scope_id;
}

/* Did @skb come from there? Of every packet of a member that roams. */
static bool is_from(const struct akm_endpoint *endpoint, const struct sk_buff *skb, bool any_port)
{
	if (!endpoint)
		return false;
	if (ip_hdr(skb)->version == 4)
		return endpoint->addr.sa.sa_family == AF_INET &&
		       endpoint->addr.in4.sin_addr.s_addr == ip_hdr(skb)->saddr &&
		       (any_port || endpoint->addr.in4.sin_port == udp_hdr(skb)->source);
	return endpoint->addr.sa.sa_family == AF_INET6 &&
	       ipv6_addr_equal(&endpoint->addr.in6.sin6_addr, &ipv6_hdr(skb)->saddr) &&
	       (any_port || endpoint->addr.in6.sin6_port == udp_hdr(skb)->source);
}

bool akm_member_is_at(const struct akm_device *akm, const struct akm_member *member,
		      const struct sk_buff *outer)
{
	return is_from(akm_member_whereabouts(member), outer, READ_ONCE(akm->flow_ports));
}

/* The port that its member is sent to now */
static __be16 known_port(const struct akm_device *akm, const struct akm_endpoint *endpoint)
{
	if (!endpoint)
		return htons(READ_ONCE(akm->port));
	return endpoint->addr.sa.sa_family == AF_INET ? endpoint->addr.in4.sin_port :
							endpoint->addr.in6.sin6_port;
}

/* A link-local address means something together with the interface only. */
static bool may_answer6(struct sockaddr_in6 *in, const struct sk_buff *skb)
{
	if (!akm_endpoint_valid6(in))
		return false;
	if (!(ipv6_addr_type(&in->sin6_addr) & IPV6_ADDR_LINKLOCAL))
		return true;
	in->sin6_scope_id = skb->skb_iif;
	return in->sin6_scope_id;
}

/* With @port, or where @outer came from if that is 0; @event says the same. */
static struct akm_endpoint *endpoint_of(struct akm_event *event, const struct sk_buff *outer,
					__be16 port)
{
	akm_event_source(event, outer);
	if (port && event->source.sa.sa_family == AF_INET)
		event->source.in4.sin_port = port;
	else if (port)
		event->source.in6.sin6_port = port;
	if (event->source.sa.sa_family == AF_INET)
		return akm_endpoint_valid4(&event->source.in4) ?
			akm_endpoint_create(&event->source.sa, sizeof(event->source.in4),
					    GFP_ATOMIC | __GFP_NOWARN) : NULL;
	return may_answer6(&event->source.in6, outer) ?
		akm_endpoint_create(&event->source.sa, sizeof(event->source.in6),
				    GFP_ATOMIC | __GFP_NOWARN) : NULL;
}

/* Return: true if it is there now; @endpoint is the member's or gone then, and gone otherwise. */
static bool move(struct akm_device *akm, struct akm_member *member,
		 struct akm_endpoint *endpoint)
{
	struct akm_endpoint *old = endpoint;
	bool moves;

	spin_lock(&akm->roam_lock);
	moves = member->roams && akm_bucket_take(&member->moves, AKM_MOVES_BURST,
						 AKM_MOVES_RATE, jiffies);
	if (moves)
		old = rcu_replace_pointer(member->learnt, endpoint,
					  lockdep_is_held(&akm->roam_lock));
	spin_unlock(&akm->roam_lock);
	akm_endpoint_free(old);
	return moves;
}

void akm_roam_note(struct akm_device *akm, struct akm_member *member,
		   const struct sk_buff *outer, bool control)
{
	struct akm_event event = {
		.type = AKM_EVENT_MOVED,
		.has = AKM_HAS_MEMBER,
		.member = member->index,
	};
	struct akm_endpoint *endpoint = akm_member_whereabouts(member);
	bool any_port = READ_ONCE(akm->flow_ports) && !control;

	if (likely(is_from(endpoint, outer, any_port)))
		return;
	endpoint = endpoint_of(&event, outer, any_port ? known_port(akm, endpoint) : 0);
	if (!IS_ERR_OR_NULL(endpoint) && move(akm, member, endpoint))
		akm_device_report(akm, &event);
}

void akm_roam_reset(struct akm_device *akm, struct akm_member *member, bool roams, bool keep)
{
	struct akm_endpoint *old = NULL;

	lockdep_assert_held(&akm->lock);
	spin_lock_bh(&akm->roam_lock);
	WRITE_ONCE(member->roams, roams);
	if (!keep)
		old = rcu_replace_pointer(member->learnt, NULL,
					  lockdep_is_held(&akm->roam_lock));
	spin_unlock_bh(&akm->roam_lock);
	akm_endpoint_free(old);
}
