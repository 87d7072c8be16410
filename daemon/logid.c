// SPDX-License-Identifier: GPL-2.0
#include "logid.h"

#include <string.h>

#include "util.h"

/* Random UUIDs (RFC 9562, version 4). One that was published is never given to something else. */
static const struct { const char *kind, *id; } ids[] = {
	{ "ack-late", "e129d24ac7f24c4eb1d21524b476f570" },
	{ "acknowledged", "2d8e9aeb05b44728a740bf88ec9c6884" },
	{ "alert", "5f6781308e7f47bfab6a1f63be179b7c" },
	{ "atr-add", "daff8f4f2df640f3be5842f0b44c2539" },
	{ "atr-create", "66fc2e10fe934bc78100755666988688" },
	{ "atr-delete", "77208b6ea85347b28184366716bf95b8" },
	{ "atr-remove", "51695f0f87a44aa99d6a6d723fe4497f" },
	{ "atr-set", "601e4f5e6e96424390f0845bee33807e" },
	{ "auth-fail", "b134fcfe4d654e8b9d8ebf7495431c5f" },
	{ "backup", "63f6c7150d144b4880032fa894420102" },
	{ "clone", "3c322de02eea453a9d3e177ea8b6c53e" },
	{ "device-gone", "6a087e15222045a3b9b4a8ece96e8df6" },
	{ "domain", "ec63ea9f9e284d9e8723f8bbaf9572a8" },
	{ "epoch-refused", "82d019454c0d4fc6b7ce78c14b439711" },
	{ "epoch-stale", "dcbae7da751c4b3887d0260d18fef09e" },
	{ "eventlog", "043acff079ce4b43869bbf1aebab203e" },
	{ "evict", "7e2429b5870a4c5aa78b162555806781" },
	{ "exhausted", "1a4553efe47548a096ddb28210821ed8" },
	{ "fallback", "b3f36d2a6b4c4be98344c9b202ec8d47" },
	{ "fallback-entered", "5a379d1fbbf1471da53d3dd3664221ef" },
	{ "flapping", "cb70ec305e514edb9ea6d0a78a202a37" },
	{ "generation-ahead", "b0f63e19b800499ebbed5be199a9aa1b" },
	{ "group", "ede486eb35e34eb7850143f579ef9f84" },
	{ "hardware", "4f8e1f75d57b4dd1bb8f8bcd0a372408" },
	{ "hardware-mismatch", "8d0a3fe15af6417598c1c246ac937644" },
	{ "heartbeat-back", "bb80f93754f14345bacfe0d9d10e6e82" },
	{ "heartbeat-missed", "65f9290b7895405a9c0a60f90068792a" },
	{ "hook", "74b768e737644baeab25e2e247ac6ff9" },
	{ "impostor", "6834eaa05de24163aa4d8aac04ef60e2" },
	{ "kernel", "9626fe1dc92347cd92bbbb45162c9106" },
	{ "link-limit", "db0e322c1e734640ab6fc4cedab08eb0" },
	{ "link-protocol", "d69f638f668d4558a33839a56ef6e65e" },
	{ "link-psk", "d6c6626592394d00b4a49226abf685c4" },
	{ "link-stale", "daca410be03c4d11b7f02277f94fc0c3" },
	{ "link-unknown", "6689291a799d4a24bd317779c845c434" },
	{ "lockdown", "bb3024fa2a8d455c8fb847c824585f04" },
	{ "malformed", "72f6c182f8594c389437c9dc2c71421c" },
	{ "manager-replaced", "aa72585143a34e22ab4c6ea48d350096" },
	{ "manual", "5f4dfa9adadc40beae1dfca69ccdc65c" },
	{ "module", "729fce6ca5754da7899f7cd1859e281f" },
	{ "monitor-back", "fc7f683e3176403192e08073510f1552" },
	{ "monitor-blind", "3952c9b367aa49cab174fea67e529840" },
	{ "monitor-stalled", "6bd38995baab46cf8d5606cee434a7b0" },
	{ "moved", "795cb2b1fcf94cad908601639330ab85" },
	{ "no-key", "5fd0e720cd1149509a83a983b4328d7f" },
	{ "node-move", "ce6ed19c70724e79bea48f9e9e3c7fa7" },
	{ "node-refused", "0936473bacc34e0dbf954c5f85bc7860" },
	{ "node-replaced", "8ee9410f7268493299b9efc32bfb4fe4" },
	{ "pcr-changed", "925f3d84723d4c3ba39dec71958be091" },
	{ "pcrs-accepted", "570bec9e1c8a426680b4fd846208a077" },
	{ "policy", "faf8e6d2a183467fa2ae834fdad57db6" },
	{ "policy-local", "c6f9a3d5495b4a40a5b94653ccde2aa1" },
	{ "policy-pushed", "c2f09551c145426091b976bb15366b42" },
	{ "policy-refused", "c43baf74dd844a16855f25127353aa45" },
	{ "policy-reload", "5e567fe6f2994e04a9a8891795c48af9" },
	{ "policy-stale", "2c413d2d8dd045fe940c5cfa324eb75c" },
	{ "prefix", "3fdf937885ce49b98b00d1bda33a2b96" },
	{ "provision-allowed", "e056c81b76234bfc97d37085a63281ff" },
	{ "provision-failed", "e696aa2b9a9e488ab814927becf6d7e4" },
	{ "provisioned", "e56c3654997544ea9fc41243d7f168e9" },
	{ "quarantine-failed", "d3f2b5fd917d4a55aee4ab84b950fa20" },
	{ "quote-bad", "61155cc54aaa4a75a9b849451ebea505" },
	{ "quote-missed", "6c32d97e715744bb8d3833c64cd77892" },
	{ "rekey", "abcc88991f784139ac80a53c7cd3cc7f" },
	{ "rekey-failed", "bd74a8fdf89840fb8ee06e17abb42f71" },
	{ "rename", "f8916d3ea454417e86eb8ff94d73d34b" },
	{ "replay", "8a537e323b734e0b94baa9ad19f4c9c2" },
	{ "roll", "de2ddfb914e14c9a873a91ac3cf596fd" },
	{ "rotate-failed", "d9f94a60f47548de926ea2fed5575da1" },
	{ "rotated", "a77facefef724a06b3fc8d527ccedf82" },
	{ "sealed-store", "c5332c76bd9d4513bc474ffc29421002" },
	{ "stale-manager", "8e3f8f74961d40d2a706baa4af39fc4e" },
	{ "state-lost", "b07a3b9c5e7d4972875c32fe347be111" },
	{ "takeover", "8db2fa2c94574089a68260830506d810" },
	{ "takeover-failed", "015f2ad52dc14bebb5f3d856f9611272" },
	{ "tpm", "02211356953448ef8ef1b8310f206f8d" },
	{ "tpm-reset", "84d062196b364060b15fbac2b58e46ce" },
	{ "two-places", "f01e6e016cc545b482e643710304d237" },
	{ "unknown-key", "65214cef7de9467db4d7efac6c89ee9f" },
	{ "unlocked", "f37a146996e646eda8500841b743c20a" },
};

const char *logid_of_kind(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		if (!strcmp(ids[i].kind, kind))
			return ids[i].id;
	return LOGID_EVENT;
}

bool logid_each(size_t i, const char **ret_kind, const char **ret_id)
{
	if (i >= ARRAY_SIZE(ids))
		return false;
	*ret_kind = ids[i].kind;
	*ret_id = ids[i].id;
	return true;
}
