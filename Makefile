# SPDX-License-Identifier: GPL-2.0
# AKM: kernel module, daemon, tool and their tests. `make help` lists the targets.
# Everything that is built lies under build/.

VERSION		= 0.1.0
PREFIX		?= /usr/local
# The kernel that `make module` builds for: this machine's, else the newest with headers here.
KREL		?= $(shell tests/lib/kernels.sh default)
VM_KERNELS	?= 6.1 6.12
# Lanes joined by + run at the same time: those that use one processor, or wait, for most of their time.
VM_LANES	= $(subst $(space),+,$(addprefix check-vm-,$(VM_KERNELS)))
LANES		= check-unit+check-model+check-life-short check-static+check-fuzz+check-kunit \
		  check-kunit-debug+check-uml check-system $(VM_LANES)
# On the debug kernel: where keys, devices and namespaces come and go. UML_SCENARIOS= runs all there are.
UML_SCENARIOS	?= clone epochs fallback forged generations netns order rmmod roaming
# In short: all but prompt, which measures time and wants an idle machine. LIFE_SCENARIOS= runs that as well.
LIFE_SCENARIOS	?= clones forgeries hours nonces replays seconds thousand
# Of the whole system, those that want speed: an eviction has two seconds; in bad weather everybody talks all the time.
# SYSTEM_SCENARIOS= runs all there are.
SYSTEM_SCENARIOS ?= weather recovery refusals story group breach-pcrs
ifeq ($(origin CC),default)
CC		:= gcc
endif
# How many compilers at a time, in the targets that build by themselves.
JOBS		?= $(shell nproc)
# SAN=address,undefined builds with these sanitizers, in a directory of its own.
SAN		?=
VALGRIND	?=
# V=1 shows the commands.
V		?=
run		= @$(if $(V),set -x,printf '  %-5s %s\n' $(1) $@);

comma		:= ,
space		:= $() $()
U		:= build/userspace/$(notdir $(lastword $(CC)))$(if $(SAN),-$(subst $(comma),-,$(SAN)))

WARNINGS	= -Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wstrict-prototypes \
		  -Wmissing-prototypes -Wformat=2 -Wvla -Werror
HARDENING	= -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
SANITIZE	= -O1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
LIBRARIES	= libcbor libevent libevent_openssl libssl libcrypto tss2-esys tss2-mu tss2-rc \
		  tss2-sys tss2-tctildr sqlite3 json-c inih libseccomp libcap-ng libnl-3.0 libnl-genl-3.0 \
		  libnl-route-3.0 libmicrohttpd
# Asked of pkg-config once, at first use: `make deps` and `make help` must run without it.
LIB_CFLAGS	= $(eval LIB_CFLAGS := $(shell pkg-config --cflags $(LIBRARIES)))$(LIB_CFLAGS)
LIB_LDLIBS	= $(eval LIB_LDLIBS := $(shell pkg-config --libs $(LIBRARIES)))$(LIB_LDLIBS)

ALL_CFLAGS	= -std=gnu11 -g $(WARNINGS) $(if $(SAN),$(SANITIZE),$(HARDENING)) \
		  -Iinclude -Iinclude/uapi -DAKM_VERSION='"$(VERSION)"' $(LIB_CFLAGS) $(CFLAGS)
ALL_LDFLAGS	= $(if $(SAN),-fsanitize=$(SAN),-pie -Wl,-z,relro,-z,now) $(LDFLAGS)

objects		= $(patsubst %.c,$(U)/%.o,$(filter-out %/main.c,$(wildcard $(1)/*.c)))
DAEMON_OBJ	= $(call objects,daemon)
TOOLS_OBJ	= $(call objects,tools)
SUPPORT_OBJ	= $(patsubst %.c,$(U)/%.o,$(wildcard tests/unit/support*.c))
UNIT_TESTS	= $(patsubst %.c,$(U)/%,$(wildcard tests/unit/test_*.c))
VM_TOOLS	= $(addprefix $(U)/tests/vm/,inject noncelog storm nlbad relay keysearch oracle gossip crowd march vtpm)
MODULE_SRC	= Kbuild kernel include $(wildcard tests/kunit)

.PHONY: all module modules test-module daemon tools unit-tests vm-tools deps demo demo-shell install clean help \
	check check-unit check-kunit check-kunit-debug check-uml check-vm check-static check-fuzz check-model \
	check-life check-life-short check-system check-breach check-web check-bench check-crash check-scale bench \
	bench-growth bench-spread lanes FORCE
.DELETE_ON_ERROR:

all: module daemon tools		## module, daemon and tool

daemon: $(U)/akmd			## build/userspace/…/akmd
tools: $(U)/akmctl			## build/userspace/…/akmctl
module: build/module-$(KREL)/akm.ko	## akm.ko for one kernel: KREL=…
test-module: build/module-$(KREL)/later/akm_later.ko
modules:				## akm.ko for every kernel of the VM lane
	@for v in $(VM_KERNELS); do \
		k=$$(tests/lib/kernels.sh find $$v) && $(MAKE) --no-print-directory module test-module KREL=$$k || exit; \
	done
unit-tests: $(UNIT_TESTS)
vm-tools: $(VM_TOOLS) $(U)/tests/unit/test_nl_live

$(U)/akmd: $(U)/daemon/main.o $(U)/libakmd.a
$(U)/akmctl: $(U)/tools/main.o $(U)/libakmctl.a
$(U)/akmd $(U)/akmctl:
	$(call run,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIB_LDLIBS) -lm

$(U)/libakmd.a: $(DAEMON_OBJ)
# The policy's file and engine are pure, and akmctl has them as well.
$(U)/libakmctl.a: $(TOOLS_OBJ) $(addprefix $(U)/daemon/policy,.o _kind.o _file.o _limit.o _merge.o _text.o) $(U)/daemon/hookfile.o
$(U)/libsupport.a: $(SUPPORT_OBJ)
$(U)/lib%.a:
	@rm -f $@
	$(call run,AR)$(AR) rcs $@ $^

# A test finds what it needs in the archives, so it may bring its own version of a neighbour.
$(U)/tests/unit/test_akmctl_%: $(U)/tests/unit/test_akmctl_%.o $(U)/libakmctl.a
	$(call run,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcmocka $(LIB_LDLIBS) -lm
$(U)/tests/unit/test_%: $(U)/tests/unit/test_%.o $(U)/libsupport.a $(U)/libakmd.a
	$(call run,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(U)/libsupport.a -lcmocka $(LIB_LDLIBS) -lm
$(U)/tests/web/serve: $(U)/tests/web/serve.o $(U)/libsupport.a $(U)/libakmd.a
	$(call run,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(U)/libsupport.a -lcmocka $(LIB_LDLIBS) -lm
$(U)/tests/vm/inject $(U)/tests/vm/noncelog: $(U)/tests/vm/packet.o
$(addprefix $(U)/tests/vm/,crowd gossip march storm vtpm): $(U)/tests/vm/args.o
$(U)/tests/vm/oracle $(U)/tests/vm/crowd $(U)/tests/bench/growth: $(U)/libakmd.a
$(VM_TOOLS) $(U)/tests/bench/growth: $(U)/%: $(U)/%.o
	$(call run,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIB_LDLIBS) -lm

$(U)/tests/unit/test_akmctl_%.o: ALL_CFLAGS += -iquote tools
$(U)/tests/%.o: ALL_CFLAGS += -iquote daemon
$(U)/tests/web/%.o: ALL_CFLAGS += -iquote tests/unit
$(U)/daemon/web_files.o: $(wildcard daemon/web/*)
$(U)/%.o: %.c
	@mkdir -p $(@D)
	$(call run,CC)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
.SECONDARY:
-include $(shell find build/userspace -name '*.d' 2>/dev/null)

# Kbuild writes beside its sources: it gets a copy of them.
build/module-%/akm.ko: FORCE
	@tests/lib/kernels.sh need-headers $*
	@mkdir -p $(@D)/tests
	@cp -au $(filter-out tests/%,$(MODULE_SRC)) $(@D)/
	@$(if $(wildcard tests/kunit),cp -au tests/kunit $(@D)/tests/)
	$(MAKE) -C /lib/modules/$*/build M=$(CURDIR)/$(@D) modules
build/module-%/later/akm_later.ko: build/module-%/akm.ko
	@cp -au tests/vm/later $(<D)/
	$(MAKE) -C /lib/modules/$*/build M=$(CURDIR)/$(@D) modules

deps:					## install the Debian packages that are missing
	@tests/lib/install-deps.sh

demo: deps				## the whole story, checked step by step (NATIVE=1: on this kernel)
	@$(MAKE) --no-print-directory -j$(JOBS) modules daemon tools vm-tools
	@tests/vm/demo.sh
demo-shell: deps			## a shell in the demo's world
	@$(MAKE) --no-print-directory -j$(JOBS) modules daemon tools vm-tools
	@tests/vm/demo.sh --shell

check: deps				## every lane, then one line that sums them up
	@tests/lib/check.sh $(LANES)
lanes:					# what .ci/run gives to check.sh
	@echo $(LANES)

check-unit:				## userspace unit tests under sanitizers (VALGRIND=1: under valgrind)
	@$(MAKE) --no-print-directory -j$(JOBS) unit-tests $(if $(VALGRIND),SAN=,SAN=address$(comma)undefined)
	@tests/lib/unit.sh $(patsubst $(U)/%,build/userspace/$(notdir $(lastword $(CC)))$(if $(VALGRIND),,-address-undefined)/%,$(UNIT_TESTS))
check-kunit:				## KUnit on a User-Mode Linux kernel
	@tests/uml/kunit.sh
check-kunit-debug:			## the same under KASAN, UBSAN, lockdep and object debugging
	@tests/uml/kunit.sh debug
check-uml:				## the module's scenarios on that debug kernel, at native speed
	@mkdir -p build
	@flock build/.vm-build $(MAKE) --no-print-directory -j$(JOBS) daemon tools vm-tools
	@tests/uml/scenarios.sh debug $(UML_SCENARIOS)
check-system:				## the whole system's scenarios on User-Mode Linux, at native speed
	@mkdir -p build
	@flock build/.vm-build $(MAKE) --no-print-directory -j$(JOBS) daemon tools vm-tools
	@tests/uml/scenarios.sh system $(SYSTEM_SCENARIOS)
check-breach:				## breach attempts, and a table of what came of each
	@mkdir -p build
	@flock build/.vm-build $(MAKE) --no-print-directory -j$(JOBS) daemon tools vm-tools
	@tests/uml/breach.sh
check-static:				## W=1, sparse, checkpatch, shellcheck, man pages
	@tests/static/static.sh
check-model:				## spin: generations, epochs and freshness, every state
	@tests/model/model.sh
check-fuzz:				## every fuzz target for a short time
	@tests/fuzz/run.sh
check-life:				## the long lives: epochs for days, generations for minutes; figures
	@mkdir -p build
	@flock build/.vm-build $(MAKE) --no-print-directory -j$(JOBS) daemon tools vm-tools
	@tests/life/life.sh long
check-life-short:			## the same, in short (but prompt)
	@mkdir -p build
	@flock build/.vm-build $(MAKE) --no-print-directory -j$(JOBS) daemon tools vm-tools
	@tests/life/life.sh short $(LIFE_SCENARIOS)
check-crash:				## manager and root die at every write and sync of a change: hundreds of times each
	@$(MAKE) --no-print-directory -j$(JOBS) SAN=address$(comma)undefined build/userspace/$(notdir $(lastword $(CC)))-address-undefined/tests/unit/test_roles_crash
	@tests/lib/crash.sh build/userspace/$(notdir $(lastword $(CC)))-address-undefined/tests/unit/test_roles_crash
check-scale:				## one manager and 10, 100 and 1,000 nodes: time, CPU, TPM calls, memory
	@$(MAKE) --no-print-directory -j$(JOBS) $(U)/tests/unit/test_scale
	@tests/lib/scale.sh $(U)/tests/unit/test_scale
check-web:				## the page in headless Chromium (not part of check: a large package)
	@$(MAKE) --no-print-directory -j$(JOBS) $(U)/tests/web/serve
	@tests/web/web.sh $(U)/tests/web/serve
check-bench:				## the bench lane, once and shortly: are there figures?
	@tests/bench/bench.sh --smoke
check-vm: $(addprefix check-vm-,$(VM_KERNELS))	## scenarios on Debian's own kernels, in QEMU
check-vm-%:
	@mkdir -p build
	@flock build/.vm-build $(MAKE) --no-print-directory -j$(JOBS) daemon tools vm-tools module test-module KREL=$$(tests/lib/kernels.sh find $*)
	@tests/vm/lane.sh $*

bench:					## akm beside WireGuard, MACsec, ESP; BASE=<commit>: beside itself
	@tests/bench/bench.sh
bench-growth:				## the control path with 10 to 10,000 members: time, memory, a plot
	@tests/bench/bench.sh --growth
bench-spread:				## one flow on several processors: does it pay? (two idle ones, 10 minutes)
	@tests/bench/spread.sh

install: daemon tools			## into PREFIX (and the module of KREL, if it is built)
	install -Dm755 $(U)/akmd $(DESTDIR)$(PREFIX)/sbin/akmd
	install -Dm755 $(U)/akmctl $(DESTDIR)$(PREFIX)/bin/akmctl
	for m in $(wildcard Documentation/man/*.[1-8]); do \
		install -Dm644 $$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/} || exit; done
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@SBINDIR@|$(PREFIX)/sbin|' daemon/systemd/akmd@.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/akmd@.service
	install -Dm644 daemon/systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/akm.conf
	install -Dm644 daemon/systemd/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/akm.conf
	install -Dm644 tools/completion/akmctl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/akmctl
	install -Dm644 tools/completion/_akmctl $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_akmctl
	if [ -e build/module-$(KREL)/akm.ko ]; then \
		install -Dm644 build/module-$(KREL)/akm.ko $(DESTDIR)/lib/modules/$(KREL)/updates/akm.ko && \
		{ [ -n "$(DESTDIR)" ] || depmod $(KREL); }; fi

clean:					## remove build/
	rm -rf build

help:					## this text
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 16
