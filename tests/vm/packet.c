// SPDX-License-Identifier: GPL-2.0
#include "packet.h"

#include <string.h>

#define ETH_LEN		14
#define ETH_IPV4	0x0800
#define ETH_IPV6	0x86dd
#define PROTO_UDP	17
#define UDP_LEN		8
#define IPV6_LEN	40

static bool parse_udp(struct packet *p, size_t left)
{
	size_t len;

	if (left < UDP_LEN)
		return false;
	len = get16(p->udp + 4);
	if (len <= UDP_LEN || len > left)
		return false;
	p->port = get16(p->udp + 2);
	p->payload = p->udp + UDP_LEN;
	p->len = len - UDP_LEN;
	return true;
}

static bool parse_v4(struct packet *p, size_t left)
{
	size_t header;

	if (left < 20)
		return false;
	header = (size_t)(p->ip[0] & 15) * 4;
	/* No fragments: neither more to come, nor an offset. */
	if (header < 20 || header > left || p->ip[9] != PROTO_UDP || (get16(p->ip + 6) & 0x3fff))
		return false;
	memset(p->dst, 0, sizeof(p->dst));
	memcpy(p->dst, p->ip + 16, 4);
	p->udp = p->ip + header;
	return parse_udp(p, left - header);
}

static bool parse_v6(struct packet *p, size_t left)
{
	if (left < IPV6_LEN || p->ip[6] != PROTO_UDP)
		return false;
	memcpy(p->dst, p->ip + 24, 16);
	p->udp = p->ip + IPV6_LEN;
	return parse_udp(p, left - IPV6_LEN);
}

bool packet_parse(uint8_t *frame, size_t len, struct packet *ret)
{
	if (len < ETH_LEN)
		return false;
	ret->ip = frame + ETH_LEN;
	switch (get16(frame + 12)) {
	case ETH_IPV4:
		ret->v6 = false;
		return parse_v4(ret, len - ETH_LEN);
	case ETH_IPV6:
		ret->v6 = true;
		return parse_v6(ret, len - ETH_LEN);
	default:
		return false;
	}
}

/* RFC 1071, over @len bytes, on top of @sum. */
static uint32_t sum16(uint32_t sum, const uint8_t *data, size_t len)
{
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += get16(data + i);
	if (i < len)
		sum += (uint32_t)data[i] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

size_t packet_finish(uint8_t *frame, struct packet *p)
{
	uint16_t udp_len = (uint16_t)(p->len + UDP_LEN), check;
	uint32_t pseudo = PROTO_UDP + udp_len;

	put16(p->udp + 4, udp_len);
	put16(p->udp + 6, 0);
	if (p->v6) {
		put16(p->ip + 4, udp_len);
		pseudo = sum16(pseudo, p->ip + 8, 32);
	} else {
		put16(p->ip + 2, (uint16_t)(p->udp - p->ip + udp_len));
		put16(p->ip + 10, 0);
		put16(p->ip + 10, fold(sum16(0, p->ip, (size_t)(p->udp - p->ip))));
		pseudo = sum16(pseudo, p->ip + 12, 8);
	}
	check = fold(sum16(pseudo, p->udp, udp_len));
	put16(p->udp + 6, check ? check : 0xffff);
	return (size_t)(p->udp + udp_len - frame);
}
