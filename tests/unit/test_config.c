// SPDX-License-Identifier: GPL-2.0
#include "config.h"

#include <setjmp.h>
#include <cmocka.h>

#include "log.h"
#include "support_dir.h"

#define NODE	"[akmd]\nrole = node\nname = EdgeNodeA\n"
#define MANAGER	"[akmd]\nrole = manager\nname = MgmtMod\n"
#define ROOT	"[akmd]\nrole = root\nname = Backend\n"
#define NO_PASSWORDS ": the page knows no passwords. Reach it from elsewhere through ssh -L"
#define SECTIONS ", there are akmd, tpm, hardware, link, provision, heartbeat, atr, attest, web, policy"
#define AKMD_KEYS ", this section has role, name, state, socket, user, log, secret_memory"
#define X50	"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static int load_bytes(const void *text, size_t len, struct config *ret, struct akm_error *err)
{
	scratch_write("akmd.conf", text, len);
	return config_load(scratch_path("akmd.conf"), ret, err);
}

static void accept_text(const char *text, struct config *ret)
{
	struct akm_error err = {};
	int r = load_bytes(text, strlen(text), ret, &err);

	if (r < 0)
		print_error("%s: %s\n", err.field, err.reason);
	assert_int_equal(r, 0);
}

/* @field without the path in front */
static void refuse_bytes(const char *text, size_t len, const char *field, const char *reason)
{
	struct config c, keep;
	struct akm_error err = {};
	const char *got;
	int r;

	memset(&c, 0x5a, sizeof(c));
	keep = c;
	r = load_bytes(text, len, &c, &err);
	got = strstr(err.field, "akmd.conf");
	if (r != -EINVAL || !got || strcmp(got + 9, field) != 0 || strcmp(err.reason, reason) != 0) {
		print_error("returned %d\n  field  %s\n  reason %s\nnot\n  field  %s\n  reason %s\n", r, err.field, err.reason,
			    field, reason);
		fail();
	}
	assert_memory_equal(&c, &keep, sizeof(c));
}

static void test_defaults_node(void **state)
{
	struct config c;

	(void)state;
	accept_text(NODE, &c);
	assert_int_equal(c.role, ROLE_NODE);
	assert_string_equal(c.name, "EdgeNodeA");
	assert_string_equal(c.state, "/var/lib/akm/EdgeNodeA");
	assert_string_equal(c.socket, "/run/akm/EdgeNodeA.sock");
	assert_string_equal(c.tcti, "device:/dev/tpmrm0");
	assert_string_equal(c.sources, "ek,dmi:product_uuid");
	assert_null(c.user);
	assert_null(c.ek_ca);
	assert_null(c.listen);
	assert_null(c.provision);
	assert_int_equal(c.log_level, AKM_LOG_INFO);
	assert_int_equal(c.secret_memory, 1 << 20);
	assert_int_equal(c.counter_nv, 0x01c0a4b0);
	assert_int_equal(c.store_nv, 0x01c0a4b1);
	assert_int_equal(c.n_announce, 0);
	assert_int_equal(c.n_endpoints, 0);
	assert_true(c.roaming);
	assert_false(c.spread);
	assert_int_equal(c.keepalive_s, 0);
	assert_int_equal(c.flow_port_low, 0);
	assert_string_equal(c.group_link, "");
	assert_int_equal(c.heartbeat_ms, 1000);
	assert_int_equal(c.heartbeat_missed, 5);
	config_free(&c);
	config_free(&c);
}

static void test_defaults_manager(void **state)
{
	struct config c;

	(void)state;
	accept_text(MANAGER, &c);
	assert_string_equal(c.listen, "[::]:7646");
	assert_int_equal(c.secret_memory, 16 << 20);
	assert_int_equal(c.link_next_s, 86400);
	assert_int_equal(c.prepare_timeout_ms, 1000);
	assert_int_equal(c.grace_ms, 5000);
	assert_int_equal(c.epoch_interval_ms, 0);
	assert_int_equal(c.epoch_grace_ms, 5000);
	assert_int_equal(c.auth_fail.count, 100);
	assert_int_equal(c.auth_fail.seconds, 10);
	assert_int_equal(c.auth_fail.action, ACTION_REKEY);
	assert_int_equal(c.clone.count, 1);
	assert_int_equal(c.unknown_key.action, ACTION_ALERT);
	assert_int_equal(c.epoch_stale.action, ACTION_ALERT);
	assert_int_equal(c.epoch_stale.count, 1000);
	assert_true(c.fallback);
	assert_int_equal(c.pcrs, 0x95);			/* 0, 2, 4, 7 */
	assert_int_equal(c.attest_interval_s, 3600);
	assert_int_equal(c.hold_down_s, 60);
	config_free(&c);
}

static void test_defaults_root(void **state)
{
	struct config c;

	(void)state;
	accept_text(ROOT, &c);
	assert_string_equal(c.listen, "[::]:7646");
	assert_null(c.sources);
	config_free(&c);
}

static void test_everything_node(void **state)
{
	struct config c;

	(void)state;
	accept_text("\xef\xbb\xbf# comment\n; another\n\n[akmd] ; one more\nrole=node\nname = a.B_c-9\nstate = /s\nsocket = /run/x.sock\n"
		    "user = akm ; and here\nlog = debug\nsecret_memory = 65536\n"
		    "[tpm]\ntcti = swtpm:host=127.0.0.1,port=2321\ncounter_nv = 0x01800001\nstore_nv = 0x01800002\n"
		    "[hardware]\nsources = ek,mac:eth0\n"
		    "[link]\nendpoint = 192.0.2.1, 192.0.2.2:7000 ,2001:db8::1,[2001:db8::2]:7001\n"
		    "roaming = no\nkeepalive = 25\nflow_ports = 49152-65535\nspread = yes\ngroup_link = enp0s31f6.4094\n"
		    "[provision]\nlisten = serial:/dev/ttyUSB0,115200\n"
		    "[heartbeat]\ninterval = 100\nmissed = 1000\n[akmd]\n", &c);
	assert_string_equal(c.name, "a.B_c-9");
	assert_string_equal(c.state, "/s");
	assert_string_equal(c.socket, "/run/x.sock");
	assert_string_equal(c.user, "akm");
	assert_int_equal(c.log_level, AKM_LOG_DEBUG);
	assert_int_equal(c.secret_memory, 65536);
	assert_string_equal(c.tcti, "swtpm:host=127.0.0.1,port=2321");
	assert_int_equal(c.counter_nv, 0x01800001);
	assert_int_equal(c.store_nv, 0x01800002);
	assert_string_equal(c.sources, "ek,mac:eth0");
	assert_string_equal(c.provision, "serial:/dev/ttyUSB0,115200");
	assert_int_equal(c.n_endpoints, 4);
	assert_false(c.roaming);
	assert_true(c.spread);
	assert_int_equal(c.keepalive_s, 25);
	assert_int_equal(c.flow_port_low, 49152);
	assert_int_equal(c.flow_port_high, 65535);
	assert_string_equal(c.group_link, "enp0s31f6.4094");
	assert_int_equal(c.endpoints[0].addr_len, 4);
	assert_memory_equal(c.endpoints[0].addr, "\xc0\x00\x02\x01", 4);
	assert_int_equal(c.endpoints[0].port, 0);
	assert_int_equal(c.endpoints[1].port, 7000);
	assert_int_equal(c.endpoints[2].addr_len, 16);
	assert_int_equal(c.endpoints[2].port, 0);
	assert_int_equal(c.endpoints[3].addr[15], 2);
	assert_int_equal(c.endpoints[3].port, 7001);
	assert_int_equal(c.heartbeat_ms, 100);
	assert_int_equal(c.heartbeat_missed, 1000);
	config_free(&c);
}

static void test_policy_file(void **state)
{
	struct config c;

	(void)state;
	accept_text(MANAGER, &c);
	assert_null(c.policy_file);
	config_free(&c);
	accept_text(MANAGER "[policy]\nfile = /etc/akm/policy\n", &c);
	assert_string_equal(c.policy_file, "/etc/akm/policy");
	config_free(&c);
	accept_text(MANAGER "[policy]\nhooks = /etc/akm/hooks\nhooks_user = pager\nfile = /etc/akm/policy\n", &c);
	assert_string_equal(c.hooks, "/etc/akm/hooks");
	assert_string_equal(c.hooks_user, "pager");
	config_free(&c);
	accept_text(MANAGER "[policy]\nhooks = /etc/akm/hooks\n", &c);
	assert_string_equal(c.hooks_user, "nobody");
	config_free(&c);
	accept_text(NODE "[policy]\nfile = /etc/akm/policy\nfallback_after = 3600000\n", &c);
	assert_string_equal(c.policy_file, "/etc/akm/policy");
	assert_int_equal(c.fallback_after_ms, 3600000);
	config_free(&c);
}

static void test_web(void **state)
{
	static const char *const good[] = { "unix:/run/akm/web.sock", "127.0.0.1:7647", "127.1.2.3:1", "[::1]:65535" };
	char text[256];
	struct config c;

	(void)state;
	accept_text(MANAGER, &c);
	assert_null(c.web);
	config_free(&c);
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		snprintf(text, sizeof(text), MANAGER "[web]\nlisten = %s\n", good[i]);
		accept_text(text, &c);
		assert_string_equal(c.web, good[i]);
		config_free(&c);
	}
}

static void test_everything_manager(void **state)
{
	struct config c;

	(void)state;
	accept_text(MANAGER "[tpm]\nek_ca = /etc/akm/ek.pem\n[link]\nlisten = 192.0.2.1:1\nannounce = manager.example:7646,[2001:db8::1]:7646\n"
		    "next_n = 60\n[provision]\nlisten = unix-listen:/run/p\n"
		    "[atr]\nprepare_timeout = 100\ngrace = 0\nepoch_interval = 2147483647\nepoch_grace = 3600000\nfallback = no\n"
		    "[policy]\nauth_fail = 1/1:alert\nreplay = off\nclone = 1000000/86400:rekey\nunknown_key = 5/60:alert\nhold_down = 0\n", &c);
	assert_string_equal(c.ek_ca, "/etc/akm/ek.pem");
	assert_string_equal(c.listen, "192.0.2.1:1");
	assert_int_equal(c.n_announce, 2);
	assert_string_equal(c.announce[0], "manager.example:7646");
	assert_string_equal(c.announce[1], "[2001:db8::1]:7646");
	assert_int_equal(c.link_next_s, 60);
	assert_string_equal(c.provision, "unix-listen:/run/p");
	assert_int_equal(c.prepare_timeout_ms, 100);
	assert_int_equal(c.grace_ms, 0);
	assert_int_equal(c.epoch_interval_ms, 2147483647);
	assert_int_equal(c.epoch_grace_ms, 3600000);
	assert_false(c.fallback);
	assert_int_equal(c.auth_fail.count, 1);
	assert_int_equal(c.auth_fail.action, ACTION_ALERT);
	assert_int_equal(c.replay.count, 0);
	assert_int_equal(c.replay.action, ACTION_NONE);
	assert_int_equal(c.clone.count, 1000000);
	assert_int_equal(c.clone.seconds, 86400);
	assert_int_equal(c.hold_down_s, 0);
	config_free(&c);
}

static void test_no_last_newline(void **state)
{
	struct config c;

	(void)state;
	accept_text("[akmd]\r\nrole = root\r\nname = r", &c);
	assert_string_equal(c.name, "r");
	config_free(&c);
}

#define NOT_RULE(v) "'" v "' is neither COUNT/SECONDS:ACTION, as 100/10:rekey, nor off"

static const struct refusal { const char *text, *field, *reason; } refusals[] = {
	/* The file's shape */
	{ "", ": [akmd] role", "is missing: root, manager or node" },
	{ "[akmd]\nrole = node\n", ": [akmd] name", "is missing: what this party is called" },
	{ "role = node\n", ":1", "'role' stands before the first section" },
	{ "[akmd\nrole = node\n", ":1", "the section's closing bracket is missing" },
	{ NODE "[akm]\n", ":4", "unknown section [akm]" SECTIONS },
	{ NODE "[]\n", ":4", "unknown section []" SECTIONS },
	{ NODE "[akmdd]\n", ":4", "unknown section [akmdd]" SECTIONS },
	{ NODE "[web]\nlisten = unix:/x\n", ":5: [web] listen", "means nothing for this role" },
	{ MANAGER "[web]\nlisten = 0.0.0.0:80\n", ":5: [web] listen", "'0.0.0.0' is not a loopback address" NO_PASSWORDS },
	{ MANAGER "[web]\nlisten = [::]:80\n", ":5: [web] listen", "'::' is not a loopback address" NO_PASSWORDS },
	{ MANAGER "[web]\nlisten = 192.0.2.1:80\n", ":5: [web] listen", "'192.0.2.1' is not a loopback address" NO_PASSWORDS },
	{ MANAGER "[web]\nlisten = localhost:80\n", ":5: [web] listen", "'localhost' is not a loopback address" NO_PASSWORDS },
	{ MANAGER "[web]\nlisten = 127.0.0.1\n", ":5: [web] listen", "'127.0.0.1' is neither unix:/PATH nor 127.0.0.1:PORT nor [::1]:PORT" },
	{ MANAGER "[web]\nlisten = unix:web\n", ":5: [web] listen", "'web' is not an absolute path" },
	{ NODE "[tpm] x\n", ":4", "text after the section" },
	{ NODE "nonsense\n", ":4", "is neither [section] nor key = value nor a comment" },
	{ NODE "colour = red\n", ":4: [akmd] colour", "unknown key" AKMD_KEYS },
	{ NODE "tcti = x\n", ":4: [akmd] tcti", "unknown key here, it belongs to [tpm]" },
	{ NODE "Log = debug\n", ":4: [akmd] Log", "unknown key" AKMD_KEYS },
	{ NODE " = x\n", ":4", "starts with a blank: a value cannot go on in the next line" },
	{ NODE "state = /a\n /b\n", ":5", "starts with a blank: a value cannot go on in the next line" },
	{ NODE "role = node\n", ":4: [akmd] role", "given before, in line 2" },
	{ NODE "[tpm]\ntcti = a\n[akmd]\n[tpm]\ntcti = a\n", ":8: [tpm] tcti", "given before, in line 5" },
	{ NODE "state = /" X50 X50 X50 X50 "\n", ":4", "longer than 199 bytes" },
	/* Keys of another role */
	{ NODE "[link]\nlisten = [::]:1\n", ":5: [link] listen", "means nothing for this role" },
	{ NODE "[policy]\nreplay = off\n", ":5: [policy] replay", "means nothing for this role" },
	{ NODE "[atr]\ngrace = 1\n", ":5: [atr] grace", "means nothing for this role" },
	{ MANAGER "[link]\nendpoint = 192.0.2.1\n", ":5: [link] endpoint", "means nothing for this role" },
	{ ROOT "[hardware]\nsources = ek\n", ":5: [hardware] sources", "means nothing for this role" },
	{ ROOT "[provision]\nlisten = unix:/x\n", ":5: [provision] listen", "means nothing for this role" },
	/* Values */
	{ "[akmd]\nrole = boss\n", ":2: [akmd] role", "'boss' is none of root, manager, node" },
	{ "[akmd]\nrole = \n", ":2: [akmd] role", "'' is none of root, manager, node" },
	{ "[akmd]\nname = \n", ":2: [akmd] name", "must be 1 … 63 characters long" },
	{ "[akmd]\nname = " X50 "xxxxxxxxxxxxxx\n", ":2: [akmd] name", "must be 1 … 63 characters long" },
	{ "[akmd]\nname = ..\n", ":2: [akmd] name", "must not start with a dot" },
	{ "[akmd]\nname = a/b\n", ":2: [akmd] name", "may only have letters, digits, '.', '_' and '-'" },
	{ "[akmd]\nname = ä\n", ":2: [akmd] name", "may only have letters, digits, '.', '_' and '-'" },
	{ NODE "state = var/lib\n", ":4: [akmd] state", "'var/lib' is not an absolute path" },
	{ NODE "socket = /" X50 X50 "xxxxxxx\n", ":4: [akmd] socket", "is longer than 107 bytes" },
	{ NODE "user =\n", ":4: [akmd] user", "is empty" },
	{ NODE "log = loud\n", ":4: [akmd] log", "'loud' is none of err, warning, notice, info, debug" },
	{ NODE "secret_memory = 100000\n", ":4: [akmd] secret_memory", "100000 is not a power of two" },
	{ NODE "secret_memory = 32768\n", ":4: [akmd] secret_memory", "32768 is not within 65536 … 1073741824" },
	{ NODE "secret_memory = 1M\n", ":4: [akmd] secret_memory", "'1M' is not a whole number" },
	{ NODE "secret_memory = -65536\n", ":4: [akmd] secret_memory", "'-65536' is not a whole number" },
	{ NODE "secret_memory = +65536\n", ":4: [akmd] secret_memory", "'+65536' is not a whole number" },
	{ NODE "secret_memory = 0x10000\n", ":4: [akmd] secret_memory", "'0x10000' is not a whole number" },
	{ NODE "secret_memory = a\n", ":4: [akmd] secret_memory", "'a' is not a whole number" },
	{ NODE "secret_memory = 99999999999999999999\n", ":4: [akmd] secret_memory", "'99999999999999999999' is not a whole number" },
	{ NODE "secret_memory = 18446744073709617152\n", ":4: [akmd] secret_memory", "'18446744073709617152' is not a whole number" },
	{ NODE "[tpm]\ncounter_nv = 29402288\n", ":5: [tpm] counter_nv", "'29402288' is not an NV index 0x01000000 … 0x01ffffff" },
	{ NODE "[tpm]\nstore_nv = 0x81000001\n", ":5: [tpm] store_nv", "'0x81000001' is not an NV index 0x01000000 … 0x01ffffff" },
	{ NODE "[tpm]\nstore_nv = 0x\n", ":5: [tpm] store_nv", "'0x' is not an NV index 0x01000000 … 0x01ffffff" },
	{ NODE "[tpm]\nstore_nv = 0x0x1800000\n", ":5: [tpm] store_nv", "'0x0x1800000' is not an NV index 0x01000000 … 0x01ffffff" },
	{ NODE "[tpm]\nstore_nv = 0x01c0a4b0\n", ": [tpm] store_nv", "is the same NV index as counter_nv" },
	{ NODE "[tpm]\ntcti =\n", ":5: [tpm] tcti", "is empty" },
	{ ROOT "[tpm]\nek_ca = ek.pem\n", ":5: [tpm] ek_ca", "'ek.pem' is not an absolute path" },
	{ NODE "[hardware]\nsources =\n", ":5: [hardware] sources", "hardware sources: an empty entry" },
	{ NODE "[hardware]\nsources = ek,ek\n", ":5: [hardware] sources", "ek: is listed twice" },
	{ ROOT "[link]\nlisten = 7646\n", ":5: [link] listen", "'7646' is not ADDRESS:PORT, as 192.0.2.1:7646 or [::]:7646" },
	{ ROOT "[link]\nlisten = host:7646\n", ":5: [link] listen", "'host:7646' is not ADDRESS:PORT, as 192.0.2.1:7646 or [::]:7646" },
	{ ROOT "[link]\nlisten = [::]:0\n", ":5: [link] listen", "'[::]:0' is not ADDRESS:PORT, as 192.0.2.1:7646 or [::]:7646" },
	{ ROOT "[link]\nlisten = [::]:65536\n", ":5: [link] listen", "'[::]:65536' is not ADDRESS:PORT, as 192.0.2.1:7646 or [::]:7646" },
	{ ROOT "[link]\nlisten = [::]x:1\n", ":5: [link] listen", "'[::]x:1' is not ADDRESS:PORT, as 192.0.2.1:7646 or [::]:7646" },
	{ ROOT "[link]\nlisten = [::\n", ":5: [link] listen", "'[::' is not ADDRESS:PORT, as 192.0.2.1:7646 or [::]:7646" },
	{ ROOT "[link]\nannounce = host\n", ":5: [link] announce", "'host' is not HOST:PORT" },
	{ ROOT "[link]\nannounce = :1\n", ":5: [link] announce", "':1' is not HOST:PORT" },
	{ ROOT "[link]\nannounce = a:1,,b:1\n", ":5: [link] announce", "has an empty item" },
	{ ROOT "[link]\nannounce = a:1,\n", ":5: [link] announce", "has an empty item" },
	{ ROOT "[link]\nannounce = a:1,b:1,c:1,d:1,e:1\n", ":5: [link] announce", "has more than 4 items" },
	{ ROOT "[link]\nannounce = " X50 "xxxxxxxxxxx:80\n", ":5: [link] announce", "has an item longer than 63 bytes" },
	{ NODE "[link]\nkeepalive = 86401\n", ":5: [link] keepalive", "86401 is not within 0 … 86400" },
	{ NODE "[link]\nflow_ports = 7645\n", ":5: [link] flow_ports", "'7645' is neither LOW-HIGH nor none" },
	{ NODE "[link]\nflow_ports = 0-1\n", ":5: [link] flow_ports", "0 is not within 1 … 65535" },
	{ NODE "[link]\nflow_ports = 1-65536\n", ":5: [link] flow_ports", "65536 is not within 1 … 65535" },
	{ NODE "[link]\nflow_ports = 1-\n", ":5: [link] flow_ports", "'' is not a whole number" },
	{ NODE "[link]\nflow_ports = -5\n", ":5: [link] flow_ports", "'' is not a whole number" },
	{ NODE "[link]\nflow_ports = 1-2-3\n", ":5: [link] flow_ports", "'2-3' is not a whole number" },
	{ NODE "[link]\nflow_ports = 0000000000000001-2\n", ":5: [link] flow_ports", "'0000000000000001-2' is neither LOW-HIGH nor none" },
	{ NODE "[link]\nflow_ports = 9-8\n", ":5: [link] flow_ports", "9-8 ends before it begins" },
	{ NODE "[link]\ngroup_link =\n", ":5: [link] group_link", "must be 1 … 15 characters long" },
	{ NODE "[link]\ngroup_link = abcdefghijklmnop\n", ":5: [link] group_link", "must be 1 … 15 characters long" },
	{ NODE "[link]\ngroup_link = a/b\n", ":5: [link] group_link", "'a/b' cannot be the name of an interface" },
	{ NODE "[link]\ngroup_link = eth0 eth1\n", ":5: [link] group_link", "'eth0 eth1' cannot be the name of an interface" },
	{ NODE "[link]\ngroup_link = ..\n", ":5: [link] group_link", "'..' cannot be the name of an interface" },
	{ MANAGER "[link]\ngroup_link = eth0\n", ":5: [link] group_link", "means nothing for this role" },
	{ NODE "[link]\nspread = 2\n", ":5: [link] spread", "must be yes or no" },
	{ NODE "[link]\nroaming = true\n", ":5: [link] roaming", "must be yes or no" },
	{ NODE "[link]\nendpoint = 192.0.2.256\n", ":5: [link] endpoint", "'192.0.2.256' is not an IP address" },
	{ NODE "[link]\nendpoint = 192.0.2.1:x\n", ":5: [link] endpoint", "'192.0.2.1:x' is not ADDRESS or ADDRESS:PORT" },
	{ NODE "[link]\nendpoint = 192.0.2.1:\n", ":5: [link] endpoint", "'192.0.2.1:' is not ADDRESS or ADDRESS:PORT" },
	{ NODE "[link]\nendpoint = 1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1,1.1.1.1\n", ":5: [link] endpoint", "has more than 4 items" },
	{ MANAGER "[attest]\npcrs = 0,7\n", ":5: [attest] pcrs", "'0,7' is neither sha256:N[,N…], each of 0 … 23 once, nor none" },
	{ MANAGER "[attest]\npcrs = sha256:7,7\n", ":5: [attest] pcrs", "'sha256:7,7' is neither sha256:N[,N…], each of 0 … 23 once, nor none" },
	{ MANAGER "[attest]\ninterval = 9\n", ":5: [attest] interval", "9 is not within 10 … 604800" },
	{ NODE "[attest]\npcrs = none\n", ":5: [attest] pcrs", "means nothing for this role" },
	{ ROOT "[link]\nnext_n = 59\n", ":5: [link] next_n", "59 is not within 60 … 31536000" },
	{ NODE "[provision]\nlisten = tcp:1.2.3.4:5\n", ":5: [provision] listen",
	  "'tcp:1.2.3.4:5' is neither serial:/DEVICE[,BAUD] nor unix:/PATH nor unix-listen:/PATH" },
	{ NODE "[heartbeat]\ninterval = 99\n", ":5: [heartbeat] interval", "99 is not within 100 … 3600000" },
	{ NODE "[heartbeat]\nmissed = 1\n", ":5: [heartbeat] missed", "1 is not within 2 … 1000" },
	{ MANAGER "[atr]\nprepare_timeout = 600001\n", ":5: [atr] prepare_timeout", "600001 is not within 100 … 600000" },
	{ MANAGER "[atr]\ngrace = 3600001\n", ":5: [atr] grace", "3600001 is not within 0 … 3600000" },
	{ MANAGER "[atr]\nepoch_interval = 999\n", ":5: [atr] epoch_interval", "999 is not within 1000 … 2147483647" },
	{ MANAGER "[atr]\nepoch_grace = -1\n", ":5: [atr] epoch_grace", "'-1' is not a whole number" },
	{ MANAGER "[policy]\nauth_fail = 10\n", ":5: [policy] auth_fail", NOT_RULE("10") },
	{ MANAGER "[policy]\nauth_fail = 10/:alert\n", ":5: [policy] auth_fail", NOT_RULE("10/:alert") },
	{ MANAGER "[policy]\nauth_fail = 10/ 1:alert\n", ":5: [policy] auth_fail", NOT_RULE("10/ 1:alert") },
	{ MANAGER "[policy]\nauth_fail = -1/1:alert\n", ":5: [policy] auth_fail", NOT_RULE("-1/1:alert") },
	{ MANAGER "[policy]\nreplay = 1/1:alertt-\n", ":5: [policy] replay", NOT_RULE("1/1:alertt-") },
	{ MANAGER "[policy]\nreplay = 1/1:evict\n", ":5: [policy] replay", "'evict' is neither alert nor rekey" },
	{ MANAGER "[policy]\nclone = 0/1:alert\n", ":5: [policy] clone", "0/1 is not within 1 … 1000000 events in 1 … 86400 s" },
	{ MANAGER "[policy]\nclone = 1/86401:alert\n", ":5: [policy] clone", "1/86401 is not within 1 … 1000000 events in 1 … 86400 s" },
	{ MANAGER "[policy]\nunknown_key = Off\n", ":5: [policy] unknown_key", NOT_RULE("Off") },
	{ MANAGER "[policy]\nhold_down = 86401\n", ":5: [policy] hold_down", "86401 is not within 0 … 86400" },
	{ MANAGER "[policy]\nhooks = hooks\n", ":5: [policy] hooks", "'hooks' is not an absolute path" },
	{ MANAGER "[policy]\nhooks_user =\n", ":5: [policy] hooks_user", "is empty" },
	{ NODE "[policy]\nhooks = /etc/akm/hooks\n", ":5: [policy] hooks", "means nothing for this role" },
	{ MANAGER "[policy]\nfile = policy\n", ":5: [policy] file", "'policy' is not an absolute path" },
	{ NODE "[atr]\nfallback = no\n", ":5: [atr] fallback", "means nothing for this role" },
	{ MANAGER "[policy]\nfallback_after = 1000\n", ":5: [policy] fallback_after", "means nothing for this role" },
	{ NODE "[policy]\nfallback_after = 999\n", ":5: [policy] fallback_after", "999 is not within 1000 … 3600000" },
	{ MANAGER "[policy]\nfile = /etc/akm/policy\nhold_down = 5\n", ":6: [policy] hold_down",
	  "has no effect beside [policy] file: say it there" },
	{ MANAGER "[policy]\nclone = off\nfile = /etc/akm/policy\n", ":5: [policy] clone",
	  "has no effect beside [policy] file: say it there" },
};

static void test_refusals(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(refusals); i++)
		refuse_bytes(refusals[i].text, strlen(refusals[i].text), refusals[i].field, refusals[i].reason);
}

static void test_refuse_nul(void **state)
{
	static const char text[] = NODE "user = a\0b\n";

	(void)state;
	refuse_bytes(text, sizeof(text) - 1, ":4", "a NUL byte");
}

static void test_refuse_many_lines(void **state)
{
	static char text[sizeof(NODE) + CONFIG_LINES_MAX];

	(void)state;
	memset(text, '\n', sizeof(text));
	memcpy(text, NODE, sizeof(NODE) - 1);
	refuse_bytes(text, sizeof(text), ":4097", "more than 4096 lines");
}

static void test_unreadable(void **state)
{
	struct akm_error err = {};
	struct config c;

	(void)state;
	assert_int_equal(config_load(scratch_path("absent"), &c, &err), -ENOENT);
	assert_non_null(strstr(err.field, "absent"));
	assert_string_equal(err.reason, "No such file or directory");
	assert_int_equal(config_load(scratch_dir(), &c, &err), -EISDIR);
	assert_int_equal(config_load(scratch_dir(), &c, NULL), -EISDIR);
}

static void test_long_path(void **state)
{
	const char *dir = scratch_path(X50), *file = scratch_path(X50 "/akmd.conf");
	char command[600];
	struct akm_error err = {};
	struct config c;

	(void)state;
	snprintf(command, sizeof(command), "mkdir %.250s", dir);
	assert_int_equal(system(command), 0);
	scratch_write(X50 "/akmd.conf", "[heartbeat]\ninterval = 0\n", 25);
	assert_int_equal(config_load(file, &c, &err), -EINVAL);
	assert_string_equal(err.field, "akmd.conf:2: [heartbeat] interval");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_node),
		cmocka_unit_test(test_defaults_manager),
		cmocka_unit_test(test_defaults_root),
		cmocka_unit_test(test_everything_node),
		cmocka_unit_test(test_policy_file),
		cmocka_unit_test(test_web),
		cmocka_unit_test(test_everything_manager),
		cmocka_unit_test(test_no_last_newline),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_refuse_nul),
		cmocka_unit_test(test_refuse_many_lines),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_long_path),
	};

	return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
