/* SPDX-License-Identifier: GPL-2.0 */
/* Generated from tests/vectors/vectors.json by `vectors header`: do not edit. */
#ifndef _AKM_VECTORS_H
#define _AKM_VECTORS_H

#include <linux/compiler.h>
#include <linux/types.h>

struct akm_vector_hkdf {
	const char *name;
	u64 length;
	const char *ikm;
	const char *salt;
	const char *info;
	const char *prk;
	const char *okm;
};

static const struct akm_vector_hkdf akm_vectors_hkdf[] __maybe_unused = {
	{
		.name = "RFC 5869 A.1",
		.length = 42ULL,
		.ikm = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
		.salt = "000102030405060708090a0b0c",
		.info = "f0f1f2f3f4f5f6f7f8f9",
		.prk = "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
		.okm =
			"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
			"34007208d5b887185865",
	},
	{
		.name = "RFC 5869 A.2",
		.length = 82ULL,
		.ikm =
			"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
			"202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
			"404142434445464748494a4b4c4d4e4f",
		.salt =
			"606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
			"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
			"a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		.info =
			"b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
			"d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
			"f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
		.prk = "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
		.okm =
			"b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
			"59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
			"cc30c58179ec3e87c14c01d5c1f3434f1d87",
	},
	{
		.name = "RFC 5869 A.3",
		.length = 42ULL,
		.ikm = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
		.salt = "",
		.info = "",
		.prk = "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
		.okm =
			"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
			"9d201395faa4b61a96c8",
	},
};

struct akm_vector_chain_start {
	const char *generation_secret;
	const char *chain;
};

static const struct akm_vector_chain_start akm_vectors_chain_start[] __maybe_unused = {
	{
		.generation_secret = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
	},
	{
		.generation_secret = "0000000000000000000000000000000000000000000000000000000000000000",
		.chain = "e579cafcdcf283ef3db85c179a40780880b7d0f2b838e8b7c13f77bba7b9bda1",
	},
};

struct akm_vector_pair_start {
	const char *pairwise_secret;
	const char *pair_chain;
};

static const struct akm_vector_pair_start akm_vectors_pair_start[] __maybe_unused = {
	{
		.pairwise_secret = "f0e1d2c3b4a5968778695a4b3c2d1e0f00112233445566778899aabbccddeeff",
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
	},
	{
		.pairwise_secret = "0000000000000000000000000000000000000000000000000000000000000000",
		.pair_chain = "2ed3ebe29fa07feebc6299481276567dabff59bed6a3b2bcee6a10ec7352bcc2",
	},
};

struct akm_vector_pairwise {
	u64 atr_id;
	u64 generation;
	u64 key_id;
	const char *pair_root;
	u64 i;
	u64 j;
	const char *pairwise_secret;
};

static const struct akm_vector_pairwise akm_vectors_pairwise[] __maybe_unused = {
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.pair_root = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		.i = 3ULL,
		.j = 4660ULL,
		.pairwise_secret = "ff968fa3b8e4a4700352eec9adc5b1c1a2268e758e53ecf7eb75cebefa7485cf",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.pair_root = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		.i = 4660ULL,
		.j = 3ULL,
		.pairwise_secret = "ff968fa3b8e4a4700352eec9adc5b1c1a2268e758e53ecf7eb75cebefa7485cf",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.pair_root = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		.i = 0ULL,
		.j = 65534ULL,
		.pairwise_secret = "a2d916bafdb98823eaec41fb7cbffbcb5f01488cf97a9422714a2a332d44cec3",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.pair_root = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		.i = 3ULL,
		.j = 4660ULL,
		.pairwise_secret = "7424d35cd28efd27a6c7b5b432734a8e2ab7fcb21718ab044bfca93fcdca178f",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.pair_root = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		.i = 4660ULL,
		.j = 3ULL,
		.pairwise_secret = "7424d35cd28efd27a6c7b5b432734a8e2ab7fcb21718ab044bfca93fcdca178f",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.pair_root = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		.i = 0ULL,
		.j = 65534ULL,
		.pairwise_secret = "1f02a842140395d81423157fe22888e24b30e9424e6c49e4751c61c977b166af",
	},
};

struct akm_vector_next {
	u64 atr_id;
	u64 generation;
	u64 key_id;
	const char *chain;
	u64 steps;
	const char *next;
};

static const struct akm_vector_next akm_vectors_next[] __maybe_unused = {
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.steps = 1ULL,
		.next = "e6763e51700d81724288232e122f0a58edac764396627bac817ca4096c011bd4",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.chain = "4b3e948999ff5f5434766b6e46db6115a5a24681996be4ee4c1e3584f64ff004",
		.steps = 2ULL,
		.next = "b80779ee58c54da90043146aea8b1dc905b00398ceb3aa644a216d2d6679446d",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.steps = 1000ULL,
		.next = "1e28ce97bef38e5c9a1ce24f39db9c2cc9b79348ba47fe1e0e1f68604ffeb29e",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.chain = "4b3e948999ff5f5434766b6e46db6115a5a24681996be4ee4c1e3584f64ff004",
		.steps = 1ULL,
		.next = "8f89e0325e15b6db8bd690ee73051a94302bc8d63a47e302451ea5b7aae24373",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.steps = 2ULL,
		.next = "b1f57c026ae42a77ef8db6c50e486f80451f5a294156ee2565aa88707947d65b",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.chain = "4b3e948999ff5f5434766b6e46db6115a5a24681996be4ee4c1e3584f64ff004",
		.steps = 1000ULL,
		.next = "ef19c4537220db1bd94fa1152057dfa909bffe705a40d4dbd6eccde65cc6e199",
	},
};

struct akm_vector_group {
	u64 atr_id;
	u64 generation;
	u64 key_id;
	const char *suite;
	const char *chain;
	u64 sender;
	const char *key;
	const char *iv;
};

static const struct akm_vector_group akm_vectors_group[] __maybe_unused = {
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes256gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.key = "0c9121debe9cd6d680a7fe410a04a21993613b4ca01c6f371075262e437f7966",
		.iv = "3375fb594795b5a56a0a0ff1",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "chacha20poly1305",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 258ULL,
		.key = "45295385f9323b7b023c57b981da75a75cb3f4ed56ead4b05d7fee202c12208d",
		.iv = "4a31624012262ed68107c1d6",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes128gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.key = "0c9121debe9cd6d680a7fe410a04a219",
		.iv = "93613b4ca01c6f371075262e",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "aes256gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 258ULL,
		.key = "7303e088836e3da682b8ac5983d70276d012a7e2bb5bd48e0ff7334d557db664",
		.iv = "011861602363f00409707791",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "chacha20poly1305",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.key = "7f17c105feae5451c1eee009333cf1f0d2232a70bcc86a9e72dce6f25a14b927",
		.iv = "549f44fe9cda8a67f9f6ca39",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "aes128gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 258ULL,
		.key = "7303e088836e3da682b8ac5983d70276",
		.iv = "d012a7e2bb5bd48e0ff7334d",
	},
};

struct akm_vector_pair {
	u64 atr_id;
	u64 generation;
	u64 key_id;
	const char *suite;
	const char *chain;
	u64 sender;
	const char *pair_chain;
	u64 receiver;
	const char *key;
	const char *iv;
};

static const struct akm_vector_pair akm_vectors_pair[] __maybe_unused = {
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes256gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.key = "3a172faad28eee9f7741d28b075506bae4985067ac5f0df9bf9f5b696aba88d0",
		.iv = "2e0dac28ee4a239ce4ec775e",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "chacha20poly1305",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 258ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 3ULL,
		.key = "42ad53d5205e962fdb46f95338ef64422a463c21118a3c06b2a705489eb32d64",
		.iv = "bf176d5a2e15e73fbd966fee",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes128gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.key = "3a172faad28eee9f7741d28b075506ba",
		.iv = "e4985067ac5f0df9bf9f5b69",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "aes256gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 258ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 3ULL,
		.key = "ad03aac7bab44794d84ad694044304cff4372b3ad20a9a4eb8917d124464419c",
		.iv = "889172b17e6cc9a2732630d5",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "chacha20poly1305",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.key = "d2beaf3b27fc6687f3e5812a1759c61137eb8acca834ea7ba1afe70849a4f1cd",
		.iv = "4a871653af1b9615cfa52d8f",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "aes128gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 258ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 3ULL,
		.key = "ad03aac7bab44794d84ad694044304cf",
		.iv = "f4372b3ad20a9a4eb8917d12",
	},
};

struct akm_vector_nonce {
	const char *iv;
	u64 incarnation;
	u64 sequence;
	const char *packet_number;
	const char *nonce;
};

static const struct akm_vector_nonce akm_vectors_nonce[] __maybe_unused = {
	{
		.iv = "000000000000000000000000",
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.packet_number = "0000010000000000",
		.nonce = "000000000000010000000000",
	},
	{
		.iv = "000000000000000000000000",
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.packet_number = "0102030405060708",
		.nonce = "000000000102030405060708",
	},
	{
		.iv = "ffffffffffffffffffffffff",
		.incarnation = 16777215ULL,
		.sequence = 1099511627775ULL,
		.packet_number = "ffffffffffffffff",
		.nonce = "ffffffff0000000000000000",
	},
	{
		.iv = "a0a1a2a3a4a5a6a7a8a9aaab",
		.incarnation = 2ULL,
		.sequence = 1ULL,
		.packet_number = "0000020000000001",
		.nonce = "a0a1a2a3a4a5a4a7a8a9aaaa",
	},
};

struct akm_vector_packet {
	u64 atr_id;
	u64 generation;
	u64 key_id;
	const char *suite;
	const char *chain;
	u64 sender;
	const char *pair_chain;
	u64 receiver;
	const char *name;
	u64 type;
	u64 epoch;
	u64 incarnation;
	u64 sequence;
	const char *plaintext;
	const char *key;
	const char *iv;
	const char *nonce;
	const char *packet;
};

static const struct akm_vector_packet akm_vectors_packet[] __maybe_unused = {
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes256gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "aes256gcm, unicast IPv4/UDP",
		.type = 1ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext =
			"4500003d12344000401113dc0a4d00030a4d0004123400070029258b746f206f"
			"6e65206d656d6265722c20756e646572207468652070616972206b6579",
		.key = "3a172faad28eee9f7741d28b075506bae4985067ac5f0df9bf9f5b696aba88d0",
		.iv = "2e0dac28ee4a239ce4ec775e",
		.nonce = "2e0dac28ee4a229ce4ec775e",
		.packet =
			"11000003010203040000010000000000d71c3ee4cf1bd9b638c1212bd05c4029"
			"e28e84c57a357019ccf836dccebbaff600c44c255982d79fe5afd745f84e5c0c"
			"3d76c1733b8e7f25809d61d0d2728289723e548e37c1053022d857fd48",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes256gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.name = "aes256gcm, multicast IPv4/UDP",
		.type = 2ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext =
			"45000040123440004011e1280a4d0003efff4d0112340007002c5a49746f2074"
			"68652067726f75702c20756e646572207468652073656e6465722773206b6579",
		.key = "0c9121debe9cd6d680a7fe410a04a21993613b4ca01c6f371075262e437f7966",
		.iv = "3375fb594795b5a56a0a0ff1",
		.nonce = "3375fb594795b4a56a0a0ff1",
		.packet =
			"12000003010203040000010000000000a6bdebfb99f7ac059ee3b82c176e9a4f"
			"6afeae9bbe46547d7be9ab6cc7122c4ff5f13b8e3c029fd5fa9602112d16ad47"
			"e5924f74cd0d2b0f1ae2188fcecda61477a4d270b663d3cfa63d2a973b82d170",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "chacha20poly1305",
		.chain = "b12d71f2ccd21df7824db7ba35d06c7352fa22f7f959a4318cdc9a7fe16c91d1",
		.sender = 258ULL,
		.pair_chain = "2d922c0b5b11af026fb1991ae9368dfd5f5f2d69625dfdaa0e842d61c22a5bd1",
		.receiver = 3ULL,
		.name = "chacha20poly1305, unicast IPv4/UDP",
		.type = 1ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext =
			"4500003d12344000401113dc0a4d00030a4d0004123400070029258b746f206f"
			"6e65206d656d6265722c20756e646572207468652070616972206b6579",
		.key = "dd6db774ac9d3c1aa9dc1d55ed024a0f2d2ea886b0c7103c83712dc5affc48e6",
		.iv = "25663b023bfe421b48b2d09d",
		.nonce = "25663b023afc411f4db4d795",
		.packet =
			"11fe01020102030401020304050607089227f3ee101ad25d41116ac74d4b4063"
			"4352d81bf93524298ce927b3a3afab6679a4fed22251487421a04c1c06414fe1"
			"5e799c3262b6d088ec122cb5a14353f411779132a60e3c133227c4f749",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "chacha20poly1305",
		.chain = "b12d71f2ccd21df7824db7ba35d06c7352fa22f7f959a4318cdc9a7fe16c91d1",
		.sender = 258ULL,
		.name = "chacha20poly1305, multicast IPv4/UDP",
		.type = 2ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext =
			"45000040123440004011e1280a4d0003efff4d0112340007002c5a49746f2074"
			"68652067726f75702c20756e646572207468652073656e6465722773206b6579",
		.key = "b64f4d04f83b5d183c074f09ee0efb57fe28639247e115c7700e1d16a58b9c3e",
		.iv = "6cc0d695da574941c995d59e",
		.nonce = "6cc0d695db554a45cc93d296",
		.packet =
			"12fe0102010203040102030405060708fec30dcb6e06add42253e7c8822ce6c7"
			"b01e000a0a9867c07635b9885d7e81823113abfc0b25844b90a9cfc204d683ae"
			"8ca6df92df6caeded14b065f3366d84ab855fa3e2883142a250a8ac1657a15b7",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes128gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "aes128gcm, unicast IPv4/UDP",
		.type = 1ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext =
			"4500003d12344000401113dc0a4d00030a4d0004123400070029258b746f206f"
			"6e65206d656d6265722c20756e646572207468652070616972206b6579",
		.key = "3a172faad28eee9f7741d28b075506ba",
		.iv = "e4985067ac5f0df9bf9f5b69",
		.nonce = "e4985067ac5f0cf9bf9f5b69",
		.packet =
			"110000030102030400000100000000008439bf17aa331479d56bbe9244c7672f"
			"6751d32722d6203c3e328545aefb16d7ba4e804aa9030ced50ab94e274c1f0f7"
			"8ca40a4b8ea9c2e3b5bd394cd68284c85994a47091779808c9a37507cd",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes128gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.name = "aes128gcm, multicast IPv4/UDP",
		.type = 2ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext =
			"45000040123440004011e1280a4d0003efff4d0112340007002c5a49746f2074"
			"68652067726f75702c20756e646572207468652073656e6465722773206b6579",
		.key = "0c9121debe9cd6d680a7fe410a04a219",
		.iv = "93613b4ca01c6f371075262e",
		.nonce = "93613b4ca01c6e371075262e",
		.packet =
			"12000003010203040000010000000000cd17d2506be1ad23432e840aecc515a5"
			"54aac1128a09e1a2985cd65721d92f8005bf32982fdd9ee3e8dcdb7a41c225a1"
			"0578bb550b262dbc8b2d45c4b04d1149553ef7f45e00ba0a31f1cbf9ce641e7f",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "aes256gcm",
		.chain = "46504f728b22b45b793399b008d889286b66faca90a2c3b7035ac8a942432416",
		.sender = 258ULL,
		.pair_chain = "270cb32bd60f5c4e6fc76371406c3a6c609793a9673efe228c12ed937cad38ff",
		.receiver = 3ULL,
		.name = "aes256gcm, unicast IPv4/UDP",
		.type = 1ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext =
			"4500003d12344000401113dc0a4d00030a4d0004123400070029258b746f206f"
			"6e65206d656d6265722c20756e646572207468652070616972206b6579",
		.key = "106490d66d1005e2bbf89577bba2030265cd4ae27b1cfa909549c455512edbeb",
		.iv = "a3a032a68fec4a5e4bdea472",
		.nonce = "a3a032a68eee495a4ed8a37a",
		.packet =
			"11fe0102ffffffff0102030405060708f6c276df0c53995ed7b95d482df342f8"
			"d2d9df2a86e78f42c6914a151292dc85357926eaf11665c099315962a465e974"
			"bfb94ab2851770f2f03997cf9b5de6129c2b2d697b3960d6bedafac36c",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "aes256gcm",
		.chain = "46504f728b22b45b793399b008d889286b66faca90a2c3b7035ac8a942432416",
		.sender = 258ULL,
		.name = "aes256gcm, multicast IPv4/UDP",
		.type = 2ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext =
			"45000040123440004011e1280a4d0003efff4d0112340007002c5a49746f2074"
			"68652067726f75702c20756e646572207468652073656e6465722773206b6579",
		.key = "b02303bb3ce08181a14927f991a3125047cf6832d72a073dab5e0e37a7c716e9",
		.iv = "19b1199efc886fc7f20bf2ef",
		.nonce = "19b1199efd8a6cc3f70df5e7",
		.packet =
			"12fe0102ffffffff0102030405060708544f05a207a57051b2187d77521da19c"
			"55cba9d91bfd96cf84badf53fee555c9c3564771aa0da81366a7efdd01cb13ca"
			"02904a1bdb50475bf6f3f36caafabe2739629c6f9265babc1348f5a2b24331fa",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "chacha20poly1305",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "chacha20poly1305, unicast IPv4/UDP",
		.type = 1ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext =
			"4500003d12344000401113dc0a4d00030a4d0004123400070029258b746f206f"
			"6e65206d656d6265722c20756e646572207468652070616972206b6579",
		.key = "d2beaf3b27fc6687f3e5812a1759c61137eb8acca834ea7ba1afe70849a4f1cd",
		.iv = "4a871653af1b9615cfa52d8f",
		.nonce = "4a871653af1b9715cfa52d8f",
		.packet =
			"11000003ffffffff0000010000000000d191f85705240eae8ee15a9cf9091d76"
			"69ec840c001be16d27e0752522b60c53be866d28d4a8eb46c7b99ed9137e4ffe"
			"9b03619325118950e75d41c86cc42a4562acf649b3da4b4608806d8fe5",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "chacha20poly1305",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.name = "chacha20poly1305, multicast IPv4/UDP",
		.type = 2ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext =
			"45000040123440004011e1280a4d0003efff4d0112340007002c5a49746f2074"
			"68652067726f75702c20756e646572207468652073656e6465722773206b6579",
		.key = "7f17c105feae5451c1eee009333cf1f0d2232a70bcc86a9e72dce6f25a14b927",
		.iv = "549f44fe9cda8a67f9f6ca39",
		.nonce = "549f44fe9cda8b67f9f6ca39",
		.packet =
			"12000003ffffffff000001000000000083b5f6d382291ca8f7d868f3c7b01fc5"
			"93806b8161d18e8d433982b39598f5d71b962c6a7f5a6b668781b81e11010e09"
			"212235cb5806250a525be0b6d07eb327d1cc063d72551ddea46c7b2ea26351bd",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "aes128gcm",
		.chain = "46504f728b22b45b793399b008d889286b66faca90a2c3b7035ac8a942432416",
		.sender = 258ULL,
		.pair_chain = "270cb32bd60f5c4e6fc76371406c3a6c609793a9673efe228c12ed937cad38ff",
		.receiver = 3ULL,
		.name = "aes128gcm, unicast IPv4/UDP",
		.type = 1ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext =
			"4500003d12344000401113dc0a4d00030a4d0004123400070029258b746f206f"
			"6e65206d656d6265722c20756e646572207468652070616972206b6579",
		.key = "106490d66d1005e2bbf89577bba20302",
		.iv = "65cd4ae27b1cfa909549c455",
		.nonce = "65cd4ae27a1ef994904fc35d",
		.packet =
			"11fe0102ffffffff0102030405060708d3b45e4f68910e040041f63e81974b6f"
			"4fce3aca3b1573d2cf444695e9c9af6c7e17dae0d134644b4f83d907f1a851a9"
			"58e604bba0aaf6904f29944c72cbbd6562848acb01e40dad1d20884696",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "aes128gcm",
		.chain = "46504f728b22b45b793399b008d889286b66faca90a2c3b7035ac8a942432416",
		.sender = 258ULL,
		.name = "aes128gcm, multicast IPv4/UDP",
		.type = 2ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext =
			"45000040123440004011e1280a4d0003efff4d0112340007002c5a49746f2074"
			"68652067726f75702c20756e646572207468652073656e6465722773206b6579",
		.key = "b02303bb3ce08181a14927f991a31250",
		.iv = "47cf6832d72a073dab5e0e37",
		.nonce = "47cf6832d6280439ae58093f",
		.packet =
			"12fe0102ffffffff0102030405060708601cb5f09121202404592c57613e9cf3"
			"c92157a8dd767299da17d4faa3deadc17d43e15472a4ff714a242296e6dde63e"
			"69ba1f38dfff49251ee05b5cd35c1e34d26c328f685642d66fdc18f1642df478",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes256gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "aes256gcm, empty",
		.type = 1ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext = "",
		.key = "3a172faad28eee9f7741d28b075506bae4985067ac5f0df9bf9f5b696aba88d0",
		.iv = "2e0dac28ee4a239ce4ec775e",
		.nonce = "2e0dac28ee4a229ce4ec775e",
		.packet = "110000030102030400000100000000003148c84a4395c57a71991ab9a035a922",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "chacha20poly1305",
		.chain = "b12d71f2ccd21df7824db7ba35d06c7352fa22f7f959a4318cdc9a7fe16c91d1",
		.sender = 258ULL,
		.pair_chain = "2d922c0b5b11af026fb1991ae9368dfd5f5f2d69625dfdaa0e842d61c22a5bd1",
		.receiver = 3ULL,
		.name = "chacha20poly1305, empty",
		.type = 1ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext = "",
		.key = "dd6db774ac9d3c1aa9dc1d55ed024a0f2d2ea886b0c7103c83712dc5affc48e6",
		.iv = "25663b023bfe421b48b2d09d",
		.nonce = "25663b023afc411f4db4d795",
		.packet = "11fe0102010203040102030405060708d6fa76ec32bbafa3765d7a0a8401379e",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes128gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "aes128gcm, empty",
		.type = 1ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext = "",
		.key = "3a172faad28eee9f7741d28b075506ba",
		.iv = "e4985067ac5f0df9bf9f5b69",
		.nonce = "e4985067ac5f0cf9bf9f5b69",
		.packet = "11000003010203040000010000000000e995908df34068742ae9df2957a533fc",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes256gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "aes256gcm, hello",
		.type = 3ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext = "101112131415161718191a1b1c1d1e1f",
		.key = "3a172faad28eee9f7741d28b075506bae4985067ac5f0df9bf9f5b696aba88d0",
		.iv = "2e0dac28ee4a239ce4ec775e",
		.nonce = "2e0dac28ee4a229ce4ec775e",
		.packet =
			"13000003010203040000010000000000820d2ccac93a8fa160c928ecc60c5e35"
			"e4c33af816a613398aa633f0b88fbe87",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes256gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "aes256gcm, hello-ack",
		.type = 4ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext =
			"101112131415161718191a1b1c1d1e1f00000000000000000000010000000001"
			"0000010000000005",
		.key = "3a172faad28eee9f7741d28b075506bae4985067ac5f0df9bf9f5b696aba88d0",
		.iv = "2e0dac28ee4a239ce4ec775e",
		.nonce = "2e0dac28ee4a229ce4ec775e",
		.packet =
			"14000003010203040000010000000000820d2ccac93a8fa160c928ecc60c5e35"
			"e8c384c16801701eccd11257bad48f986ea16d483cefb5ff30db61b45b6f29be"
			"d259e5fb3505aa10",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "chacha20poly1305",
		.chain = "b12d71f2ccd21df7824db7ba35d06c7352fa22f7f959a4318cdc9a7fe16c91d1",
		.sender = 258ULL,
		.pair_chain = "2d922c0b5b11af026fb1991ae9368dfd5f5f2d69625dfdaa0e842d61c22a5bd1",
		.receiver = 3ULL,
		.name = "chacha20poly1305, hello",
		.type = 3ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext = "101112131415161718191a1b1c1d1e1f",
		.key = "dd6db774ac9d3c1aa9dc1d55ed024a0f2d2ea886b0c7103c83712dc5affc48e6",
		.iv = "25663b023bfe421b48b2d09d",
		.nonce = "25663b023afc411f4db4d795",
		.packet =
			"13fe0102010203040102030405060708c736e1c0163b844a191963005b1b5e7f"
			"4f404f6447ce65cf6813437d26eabb10",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "chacha20poly1305",
		.chain = "b12d71f2ccd21df7824db7ba35d06c7352fa22f7f959a4318cdc9a7fe16c91d1",
		.sender = 258ULL,
		.pair_chain = "2d922c0b5b11af026fb1991ae9368dfd5f5f2d69625dfdaa0e842d61c22a5bd1",
		.receiver = 3ULL,
		.name = "chacha20poly1305, hello-ack",
		.type = 4ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext =
			"101112131415161718191a1b1c1d1e1f00000000000001fe0102030405060709"
			"0102030000000005",
		.key = "dd6db774ac9d3c1aa9dc1d55ed024a0f2d2ea886b0c7103c83712dc5affc48e6",
		.iv = "25663b023bfe421b48b2d09d",
		.nonce = "25663b023afc411f4db4d795",
		.packet =
			"14fe0102010203040102030405060708c736e1c0163b844a191963005b1b5e7f"
			"491fd81feb0125d08dc2013cd2c68c0016c3ddbf473c2a147c340cf11ac94ad2"
			"0932637052220be2",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes128gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "aes128gcm, hello",
		.type = 3ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext = "101112131415161718191a1b1c1d1e1f",
		.key = "3a172faad28eee9f7741d28b075506ba",
		.iv = "e4985067ac5f0df9bf9f5b69",
		.nonce = "e4985067ac5f0cf9bf9f5b69",
		.packet =
			"13000003010203040000010000000000d128ad39ac12426e8d63b75552977933"
			"7f469dda7ba531182d2c5dce9a780448",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes128gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "aes128gcm, hello-ack",
		.type = 4ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext =
			"101112131415161718191a1b1c1d1e1f00000000000000000000010000000001"
			"0000010000000005",
		.key = "3a172faad28eee9f7741d28b075506ba",
		.iv = "e4985067ac5f0df9bf9f5b69",
		.nonce = "e4985067ac5f0cf9bf9f5b69",
		.packet =
			"14000003010203040000010000000000d128ad39ac12426e8d63b75552977933"
			"6d1cd32330e2203b3e1ba1ceda9436b9d42ba127cc6e6e8dd3f34479a08ec553"
			"7f88d49b4e29c15b",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "aes256gcm",
		.chain = "46504f728b22b45b793399b008d889286b66faca90a2c3b7035ac8a942432416",
		.sender = 258ULL,
		.pair_chain = "270cb32bd60f5c4e6fc76371406c3a6c609793a9673efe228c12ed937cad38ff",
		.receiver = 3ULL,
		.name = "aes256gcm, hello",
		.type = 3ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext = "101112131415161718191a1b1c1d1e1f",
		.key = "106490d66d1005e2bbf89577bba2030265cd4ae27b1cfa909549c455512edbeb",
		.iv = "a3a032a68fec4a5e4bdea472",
		.nonce = "a3a032a68eee495a4ed8a37a",
		.packet =
			"13fe0102ffffffff0102030405060708a3d364f10a72cf498fb1548f3ba35ce4"
			"1a31951a2c35a5314e48dc38622dac5c",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "aes256gcm",
		.chain = "46504f728b22b45b793399b008d889286b66faca90a2c3b7035ac8a942432416",
		.sender = 258ULL,
		.pair_chain = "270cb32bd60f5c4e6fc76371406c3a6c609793a9673efe228c12ed937cad38ff",
		.receiver = 3ULL,
		.name = "aes256gcm, hello-ack",
		.type = 4ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext =
			"101112131415161718191a1b1c1d1e1f00000000000001fe0102030405060709"
			"0102030000000005",
		.key = "106490d66d1005e2bbf89577bba2030265cd4ae27b1cfa909549c455512edbeb",
		.iv = "a3a032a68fec4a5e4bdea472",
		.nonce = "a3a032a68eee495a4ed8a37a",
		.packet =
			"14fe0102ffffffff0102030405060708a3d364f10a72cf498fb1548f3ba35ce4"
			"d894df2e94d38ebbc7ba6c9a63fbfbe35a1e0587947b07a0ba83144492864b2c"
			"f7bc2583ff13f8d0",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "chacha20poly1305",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "chacha20poly1305, hello",
		.type = 3ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext = "101112131415161718191a1b1c1d1e1f",
		.key = "d2beaf3b27fc6687f3e5812a1759c61137eb8acca834ea7ba1afe70849a4f1cd",
		.iv = "4a871653af1b9615cfa52d8f",
		.nonce = "4a871653af1b9715cfa52d8f",
		.packet =
			"13000003ffffffff00000100000000008480ea79030558b9d6e9535bef59036a"
			"74759587439b1c37acb8247cd6e63202",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "chacha20poly1305",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "chacha20poly1305, hello-ack",
		.type = 4ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext =
			"101112131415161718191a1b1c1d1e1f00000000000000000000010000000001"
			"0000010000000005",
		.key = "d2beaf3b27fc6687f3e5812a1759c61137eb8acca834ea7ba1afe70849a4f1cd",
		.iv = "4a871653af1b9615cfa52d8f",
		.nonce = "4a871653af1b9715cfa52d8f",
		.packet =
			"14000003ffffffff00000100000000008480ea79030558b9d6e9535bef59036a"
			"63a18408122fe16a27c951ae56d92c3dd0e34c45b1c589267c3a41a327b10e97"
			"d6ac9320e352d7b1",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "aes128gcm",
		.chain = "46504f728b22b45b793399b008d889286b66faca90a2c3b7035ac8a942432416",
		.sender = 258ULL,
		.pair_chain = "270cb32bd60f5c4e6fc76371406c3a6c609793a9673efe228c12ed937cad38ff",
		.receiver = 3ULL,
		.name = "aes128gcm, hello",
		.type = 3ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext = "101112131415161718191a1b1c1d1e1f",
		.key = "106490d66d1005e2bbf89577bba20302",
		.iv = "65cd4ae27b1cfa909549c455",
		.nonce = "65cd4ae27a1ef994904fc35d",
		.packet =
			"13fe0102ffffffff010203040506070886a54c616eb058135849fff997c75573"
			"8cc57d55cd2ee9ee3b5ae788db4e5e79",
	},
	{
		.atr_id = 3735928559ULL,
		.generation = 2147483649ULL,
		.key_id = 4294967295ULL,
		.suite = "aes128gcm",
		.chain = "46504f728b22b45b793399b008d889286b66faca90a2c3b7035ac8a942432416",
		.sender = 258ULL,
		.pair_chain = "270cb32bd60f5c4e6fc76371406c3a6c609793a9673efe228c12ed937cad38ff",
		.receiver = 3ULL,
		.name = "aes128gcm, hello-ack",
		.type = 4ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext =
			"101112131415161718191a1b1c1d1e1f00000000000001fe0102030405060709"
			"0102030000000005",
		.key = "106490d66d1005e2bbf89577bba20302",
		.iv = "65cd4ae27b1cfa909549c455",
		.nonce = "65cd4ae27a1ef994904fc35d",
		.packet =
			"14fe0102ffffffff010203040506070886a54c616eb058135849fff997c75573"
			"45833ace2921722bce6f601a98a0880a1170f98db459062b8a6e3d9be86c6f3a"
			"0892d789433a632d",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes256gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "aes256gcm, epoch notice",
		.type = 5ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext = "0000000000000000",
		.key = "3a172faad28eee9f7741d28b075506bae4985067ac5f0df9bf9f5b696aba88d0",
		.iv = "2e0dac28ee4a239ce4ec775e",
		.nonce = "2e0dac28ee4a229ce4ec775e",
		.packet =
			"15000003010203040000010000000000921c3ed9dd2f99b6fbd55997c0aff74f"
			"47a35724be75de5e",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "chacha20poly1305",
		.chain = "b12d71f2ccd21df7824db7ba35d06c7352fa22f7f959a4318cdc9a7fe16c91d1",
		.sender = 258ULL,
		.pair_chain = "2d922c0b5b11af026fb1991ae9368dfd5f5f2d69625dfdaa0e842d61c22a5bd1",
		.receiver = 3ULL,
		.name = "chacha20poly1305, epoch notice",
		.type = 5ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext = "00000000000001fe",
		.key = "dd6db774ac9d3c1aa9dc1d55ed024a0f2d2ea886b0c7103c83712dc5affc48e6",
		.iv = "25663b023bfe421b48b2d09d",
		.nonce = "25663b023afc411f4db4d795",
		.packet =
			"15fe0102010203040102030405060708d727f3d3022e93a320b98a20b1f4a61a"
			"f4f7b6b779376731",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes128gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "aes128gcm, epoch notice",
		.type = 5ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext = "0000000000000000",
		.key = "3a172faad28eee9f7741d28b075506ba",
		.iv = "e4985067ac5f0df9bf9f5b69",
		.nonce = "e4985067ac5f0cf9bf9f5b69",
		.packet =
			"15000003010203040000010000000000c139bf2ab8075479c2cf2cad7e38093a"
			"ed196e9630a3b4de",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes256gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "aes256gcm, keepalive",
		.type = 6ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext = "",
		.key = "3a172faad28eee9f7741d28b075506bae4985067ac5f0df9bf9f5b696aba88d0",
		.iv = "2e0dac28ee4a239ce4ec775e",
		.nonce = "2e0dac28ee4a229ce4ec775e",
		.packet = "16000003010203040000010000000000dc6d17e49df21e9ed9a26e7015c4eb4c",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "chacha20poly1305",
		.chain = "b12d71f2ccd21df7824db7ba35d06c7352fa22f7f959a4318cdc9a7fe16c91d1",
		.sender = 258ULL,
		.pair_chain = "2d922c0b5b11af026fb1991ae9368dfd5f5f2d69625dfdaa0e842d61c22a5bd1",
		.receiver = 3ULL,
		.name = "chacha20poly1305, keepalive",
		.type = 6ULL,
		.epoch = 510ULL,
		.incarnation = 66051ULL,
		.sequence = 17264150280ULL,
		.plaintext = "",
		.key = "dd6db774ac9d3c1aa9dc1d55ed024a0f2d2ea886b0c7103c83712dc5affc48e6",
		.iv = "25663b023bfe421b48b2d09d",
		.nonce = "25663b023afc411f4db4d795",
		.packet = "16fe01020102030401020304050607088e392c94581d1fbdc9d96664d04d491f",
	},
	{
		.atr_id = 1ULL,
		.generation = 1ULL,
		.key_id = 16909060ULL,
		.suite = "aes128gcm",
		.chain = "8980078fff1ae487e2d722a65bc25bbcbf53fccc5bf2d2f14f0ce791d38a657d",
		.sender = 3ULL,
		.pair_chain = "22db5d53b1e0d7b95630c39f507b05b7109a3ea659ac263264221f49a9c922e7",
		.receiver = 65534ULL,
		.name = "aes128gcm, keepalive",
		.type = 6ULL,
		.epoch = 0ULL,
		.incarnation = 1ULL,
		.sequence = 0ULL,
		.plaintext = "",
		.key = "3a172faad28eee9f7741d28b075506ba",
		.iv = "e4985067ac5f0df9bf9f5b69",
		.nonce = "e4985067ac5f0cf9bf9f5b69",
		.packet = "16000003010203040000010000000000fc582e6accdf5e71317635c0cf35360c",
	},
};

struct akm_vector_link_psk {
	const char *link_key;
	const char *identity;
	const char *psk;
};

static const struct akm_vector_link_psk akm_vectors_link_psk[] __maybe_unused = {
	{
		.link_key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		.identity =
			"akm1:00112233445566778899aabbccddeeff:1:ffeeddccbbaa998877665544"
			"33221100",
		.psk = "148e237ae1ce4aa2fe99e423e603ca2bf2776cb404e867796a81e4c8b78072be",
	},
	{
		.link_key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		.identity =
			"akm1:ffffffffffffffffffffffffffffffff:18446744073709551615:00000"
			"000000000000000000000000000",
		.psk = "fb6c3344107ab6225d1f7fc2ba9dd8090bd8186548ac3354d0cc396bc569e199",
	},
};

#endif /* _AKM_VECTORS_H */
