# SPDX-License-Identifier: PostgreSQL
#
# One Makefile, no recursion. "make" on a fresh clone writes configure, runs it
# and builds build/matriarchd and build/matriarch. HACKING.md tells what is where.
#
#	make			the programs, in $(B)
#	make deps		install what debian/control lists
#	make check		all that CI runs, from nothing
#	make demo		three nodes, a switchover, a failover, from nothing
#	make B=build/asan CONFIGURE_ARGS=--enable-sanitizers unit
#				another build beside the first

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
B ?= build
comma = ,
PYTHON ?= /usr/bin/python3
JOBS ?= $(shell nproc)

# These goals do their work, or call make again, without a configured tree.
PLAIN_GOALS = deps check check-long check-model demo fuzz model clean distclean format lint check-format \
	check-layers check-man check-rules check-shell
ifneq ($(filter-out $(PLAIN_GOALS),$(or $(MAKECMDGOALS),all)),)
CONFIGURED = yes
include $(B)/config.mk		# make builds it first, by the rule below
endif

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wswitch-enum -Wvla -Wpointer-arith -Wwrite-strings -Wformat=2
MT_CPPFLAGS = -D_GNU_SOURCE -I$(B) -Ilib -I. $(UV_CFLAGS) $(JANSSON_CFLAGS) \
	$(YAML_CFLAGS) $(PQ_CFLAGS) $(H2O_CFLAGS) $(SSL_CFLAGS) $(CURL_CFLAGS) \
	$(RAFT_CFLAGS) $(SQLITE_CFLAGS) $(SYSTEMD_CFLAGS) $(CHECK_CFLAGS) \
	$(CPPFLAGS)
MT_CFLAGS = -std=gnu11 $(WARN) $(WERROR) $(SANITIZE) $(CFLAGS) -pthread
MT_LDFLAGS = $(SANITIZE) $(LDFLAGS) -pthread

# Each folder of lib/ is one archive. A row here is also what a layer's unit
# tests link, so that an include against the table in HACKING.md breaks the link.
LAYERS = base client conf consensus core http peer pg
LINK_base = base
LINK_conf = conf base
LINK_core = core conf base
LINK_consensus = consensus base
LINK_peer = peer base
LINK_pg = pg conf base
LINK_http = http base
LINK_client = client base
EXT_base = $(JANSSON_LIBS) $(YAML_LIBS)
EXT_conf = $(EXT_base)
EXT_core = $(EXT_base)
EXT_consensus = $(EXT_base) $(RAFT_LIBS) $(SQLITE_LIBS)
EXT_peer = $(EXT_base) $(UV_LIBS) $(SSL_LIBS)
EXT_pg = $(EXT_base) $(UV_LIBS) $(PQ_LIBS)
EXT_http = $(EXT_base) $(H2O_LIBS) $(UV_LIBS) $(SSL_LIBS)
EXT_client = $(EXT_base) $(CURL_LIBS)

archives = $(foreach l,$(1),$(B)/lib$(l).a)
objects = $(patsubst %.c,$(B)/%.o,$(sort $(wildcard $(1)/*.c)))

SENTINEL_OBJS = $(filter $(B)/daemon/sentinel%,$(call objects,daemon))
SENTINEL_ONLY = $(SENTINEL_OBJS)
DAEMON_LIBS = consensus peer pg http core conf base
DAEMON_OBJS = $(filter-out $(SENTINEL_ONLY),$(call objects,daemon)) \
	$(call objects,daemon/api)
DAEMON_EXT = $(EXT_consensus) $(PQ_LIBS) $(H2O_LIBS) $(UV_LIBS) $(SSL_LIBS) \
	$(SYSTEMD_LIBS)
CLI_LIBS = client core conf base
CLI_OBJS = $(call objects,cli)
CLI_EXT = $(EXT_base) $(CURL_LIBS) $(PQ_LIBS) -lm
PROGRAMS = $(B)/matriarch $(B)/matriarch-sentinel $(B)/matriarchd

# What the unit tests of the programs link: all of a program but its main().
TESTED = $(LAYERS) api cli daemon
OBJS_api = $(call objects,daemon/api)
LINK_api = pg http core conf base
EXT_api = $(EXT_http) $(PQ_LIBS)
OBJS_cli = $(filter-out $(B)/cli/main.o,$(CLI_OBJS))
LINK_cli = $(CLI_LIBS)
EXT_cli = $(CLI_EXT)
OBJS_daemon = $(filter-out $(B)/daemon/main.o,$(DAEMON_OBJS))
LINK_daemon = $(DAEMON_LIBS)
EXT_daemon = $(DAEMON_EXT)

# The simulators: of the whole, and of Raft under our driver alone (raft*.c).
SIM_OBJS = $(call objects,test/sim)
# The one decision of the daemon that is none of lib/core.
SIM_DAEMON = $(B)/daemon/api/health.o
RAFTSIM_OBJS = $(filter $(B)/test/sim/raft%,$(SIM_OBJS))
SIMS = $(B)/test/sim/matriarch-sim $(B)/test/sim/raftsim

.PHONY: all programs
all: $(PROGRAMS)

configure: configure.ac
	autoconf --force --warnings=no-obsolete

# A tree that was configured before keeps the arguments that it was given.
CONFIGURE_ARGS ?=
$(B)/config.mk: configure config.mk.in config.h.in
	@mkdir -p $(B)
	cd $(B) && if [ -x config.status ] && [ -z "$(CONFIGURE_ARGS)" ]; \
	then ./config.status --recheck && ./config.status; \
	else $(CURDIR)/configure $(CONFIGURE_ARGS); fi

$(B)/%.o: %.c $(B)/config.mk
	@mkdir -p $(@D)
	$(CC) $(MT_CPPFLAGS) $(MT_CFLAGS) -MMD -MP -c -o $@ $<
.PRECIOUS: $(B)/%.o

# The sample as a string of C: what matriarchd --generate-sample-config prints.
$(B)/sample.inc: etc/matriarch.yml
	@mkdir -p $(@D)
	sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $< >$@
$(B)/lib/conf/sample.o: $(B)/sample.inc

# Any other file inside a program: $(B)/FILE.inc has its bytes, as what stands
# between the braces of an array of unsigned char. In the source file:
#	static const unsigned char text[] = {
#	#include "daemon/api/openapi.json.inc"
#	};
# and here a line for its object.
$(B)/%.inc: %
	@mkdir -p $(@D)
	od -An -v -tu1 $< | sed 's/[0-9][0-9]*/&,/g' >$@
$(B)/daemon/api/openapi.o: $(B)/daemon/api/openapi.json.inc
$(B)/daemon/api/ui.o: $(B)/daemon/api/ui.html.inc

# The daemon's source files, after which its loggers are named.
ifdef CONFIGURED
SOURCES = $(patsubst %,"%"$(comma),$(sort $(wildcard $(LAYERS:%=lib/%/*.c) \
	daemon/*.c daemon/api/*.c)))
ifneq ($(strip $(file <$(B)/sources.inc)),$(strip $(SOURCES)))
$(shell mkdir -p $(B))$(file >$(B)/sources.inc,$(strip $(SOURCES)))
endif
$(B)/sources.inc: ;
$(B)/lib/base/log_filter.o: $(B)/sources.inc
endif

$(B)/daemon/guard_spawn.o: MT_CPPFLAGS += -DMT_LIBEXECDIR='"$(libexecdir)"'

# $(call members,FILE): a list of $(FILE)'s parts that is newer than FILE once a
# source was removed or renamed: what is gone must not live on in an archive.
ifdef CONFIGURED
define members
ifneq ($$(strip $$(file <$(1).list)),$$(strip $(2)))
$$(shell mkdir -p $(dir $(1)))$$(file >$(1).list,$$(strip $(2)))
endif
$(1): $(2) $(1).list
$(1).list: ;
endef

define layer
$(call members,$(B)/lib$(1).a,$(call objects,lib/$(1)))
$(B)/lib$(1).a:
	rm -f $$@
	ar rcs $$@ $$(filter %.o,$$^)
endef
$(foreach l,$(LAYERS),$(eval $(call layer,$(l))))

# $(call program,FILE,objects,layers,libraries)
define program
$(call members,$(1),$(2))
$(1): $(call archives,$(3))
	$$(CC) $$(MT_LDFLAGS) -o $$@ $(2) $(call archives,$(3)) $(4)
endef
$(eval $(call program,$(B)/matriarch,$(CLI_OBJS),$(CLI_LIBS),$(CLI_EXT)))
$(eval $(call program,$(B)/matriarch-sentinel,$(SENTINEL_OBJS),base,$(EXT_base)))
$(eval $(call program,$(B)/matriarchd,$(DAEMON_OBJS),$(DAEMON_LIBS),$(DAEMON_EXT)))
$(eval $(call program,$(B)/test/sim/matriarch-sim,$(filter-out $(RAFTSIM_OBJS),$(SIM_OBJS)) $(SIM_DAEMON),consensus http core conf base,$(EXT_consensus)))
$(eval $(call program,$(B)/test/sim/raftsim,$(RAFTSIM_OBJS),consensus base,$(EXT_consensus)))

# Unit tests: test/unit/<layer>/check_*.c, each a program of its own; another
# .c file there is linked with all of its folder.
UNIT_SRCS = $(sort $(wildcard test/unit/*/check_*.c))
UNIT_BINS = $(patsubst %.c,$(B)/%,$(UNIT_SRCS))
helpers = $(filter-out $(B)/test/unit/$(1)/check_%,$(call objects,test/unit/$(1)))
define unit
$(B)/test/unit/$(1)/check_%: $(B)/test/unit/$(1)/check_%.o $(call helpers,$(1)) $(OBJS_$(1)) $(call archives,$(LINK_$(1)))
	$$(CC) $$(MT_LDFLAGS) -o $$@ $$^ $(EXT_$(1)) $$(CHECK_LIBS)
endef
$(foreach l,$(TESTED),$(eval $(call unit,$(l))))

C_DIRS = $(LAYERS:%=lib/%) daemon daemon/api cli test/sim \
	$(wildcard test/unit/*)
-include $(wildcard $(foreach d,$(C_DIRS),$(B)/$(d)/*.d))
endif

programs: all $(SIMS) $(UNIT_BINS)

.PHONY: bench check check-long check-model check-format check-headers check-layers check-man check-rules check-shell \
	check-browser check-versions cluster deps demo fuzz lint model mutants raftsim sim unit
deps:
	debian/install-deps.sh

demo: deps
	+$(MAKE) -j$(JOBS) all
	$(B)/matriarch demo --tour

# One stage after the other, each on its own terms: see the script.
check: deps
	+MAKE="$(MAKE)" PYTHON="$(PYTHON)" JOBS="$(JOBS)" test/tools/stages.sh

# What takes too long for each change: the better part of an hour, and npm.
check-long: deps
	+MAKE="$(MAKE)" PYTHON="$(PYTHON)" JOBS="$(JOBS)" test/tools/stages.sh \
		gcc mutants fuzz_long versions browser

# Each test is run whatever became of the one before it; the last line tells.
unit: $(UNIT_BINS)
	@bad=; for t in $(UNIT_BINS); do \
		timeout 300 $$t || bad="$$bad $$t"; \
	done; \
	[ -z "$$bad" ] || { echo "unit tests failed:$$bad" >&2; exit 1; }

# SEEDS=A-B, or N for the first N: a million before a release. Each ends after
# 30 simulated seconds; some more go on until all works again.
SEEDS ?= 20000
LIVENESS_SEEDS ?= 1000
sim: $(SIMS)
	MT_BUILD=$(abspath $(B)) test/sim/replay.sh
	MT_BUILD=$(abspath $(B)) test/sim/run --schedules
	MT_BUILD=$(abspath $(B)) test/sim/run --liveness --seeds $(LIVENESS_SEEDS)
	MT_BUILD=$(abspath $(B)) test/sim/run --seeds $(SEEDS)
RAFT_SEEDS ?= 1-5000
# Raft alone, and each of the driver's guards against the schedule it is for.
raftsim: $(B)/test/sim/raftsim
	$(B)/test/sim/raftsim --guards
	$(B)/test/sim/raftsim --mode static --seeds $(RAFT_SEEDS)
	$(B)/test/sim/raftsim --mode membership --seeds $(RAFT_SEEDS)
# The protocol's models: those of make check, and all, the large ones too.
check-model:
	test/model/run.sh check
model:
	test/model/run.sh all
# FUZZ_SECONDS for each target, two at a time.
FUZZ_SECONDS ?= 10
fuzz:
	+MAKE="$(MAKE)" B="$(B)" test/fuzz/run.sh $(FUZZ_SECONDS)
mutants: $(SIMS)
	MT_BUILD=$(abspath $(B)) test/sim/mutants.sh
	MT_BUILD=$(abspath $(B)) test/sim/replay.sh M_LOWESTLSN
# PYTEST_ARGS="-k rejoin" and the like choose among the tests.
cluster: all
	PYTHON="$(PYTHON)" test/tools/cluster.sh $(B) $(PYTEST_ARGS)

# The same cluster on each major version of PostgreSQL that npm has.
check-versions: all
	PYTHON="$(PYTHON)" test/versions/run.sh $(B) $(PYTEST_ARGS)

# Figures of this machine, beside Patroni's where that is installed; needs wrk.
# BENCH="health idle" chooses.
bench: all
	PYTHON="$(PYTHON)" test/bench/run.sh $(B) $(BENCH)

# The status page in Chromium, where that is installed.
check-browser: all
	PYTHON="$(PYTHON)" test/browser/run.sh $(B) $(PYTEST_ARGS)

lint: check-format check-layers check-man check-rules check-shell
check-format check-layers check-man check-rules check-shell:
	test/tools/$@.sh
check-headers: $(B)/config.mk
	CC="$(CC)" MT_CPPFLAGS="$(MT_CPPFLAGS)" test/tools/check-headers.sh

.PHONY: format
format:
	find lib daemon cli test -name '*.[ch]' -exec clang-format -i {} +

# The sample goes with the documents: nothing is put into /etc unasked.
.PHONY: install uninstall
PAGES = $(sort $(wildcard man/*.[1-8]))
DOCUMENTS = AUTHORS COPYING NEWS.md README.md $(sort $(wildcard doc/*.md))
EXAMPLES = $(sort $(wildcard etc/*))
PACKAGE_TARNAME = matriarch
page_dir = $(mandir)/man$(patsubst .%,%,$(suffix $(1)))
install: all
	install -D -m 755 $(B)/matriarchd $(DESTDIR)$(sbindir)/matriarchd
	install -D -m 755 $(B)/matriarch $(DESTDIR)$(bindir)/matriarch
	install -D -m 755 $(B)/matriarch-sentinel \
		$(DESTDIR)$(libexecdir)/matriarch-sentinel
	$(foreach p,$(PAGES),install -D -m 644 $(p) \
		$(DESTDIR)$(call page_dir,$(p))/$(notdir $(p)) &&) :
	install -d $(DESTDIR)$(docdir)/examples
	install -m 644 $(DOCUMENTS) $(DESTDIR)$(docdir)
	install -m 644 $(EXAMPLES) $(DESTDIR)$(docdir)/examples
uninstall:
	rm -f $(DESTDIR)$(sbindir)/matriarchd $(DESTDIR)$(bindir)/matriarch \
		$(DESTDIR)$(libexecdir)/matriarch-sentinel \
		$(foreach p,$(PAGES),$(DESTDIR)$(call page_dir,$(p))/$(notdir $(p)))
	rm -rf $(DESTDIR)$(docdir)

.PHONY: dist clean distclean
TARBALL = matriarch-$(VERSION)
dist: configure
	git archive --format=tar.gz --prefix=$(TARBALL)/ --add-file=configure \
		-o $(TARBALL).tar.gz HEAD
	@echo $(TARBALL).tar.gz
clean:
	rm -rf $(B)
distclean: clean
	rm -rf configure configure~ autom4te.cache matriarch-*.tar.gz
