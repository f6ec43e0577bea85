# keyway - one Makefile for everything. `make help` lists what it can do.
#
#   V=1               show the commands                CC=clang      use another compiler
#   SANITIZER=thread  address, undefined or thread:    WERROR=       let warnings pass
#                     everything goes to build/thread  LTO=          no link-time optimization
#   BUILD=/tmp/mine   build somewhere else             JOBS=1        one compiler at a time
#   KNOCKOUT=lease    a rule of the near cache left out: for the test of its test only
#   T=word            (unit) only matching tests       FUZZ_SECONDS  (fuzz) for each fuzzer
#   SECONDS=3600      (soak) how long

ifeq ($(origin CC),default)
CC := gcc
endif
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 600
SECONDS      ?= 600
PREFIX       ?= /usr/local
CFLAGS       ?= -O2 -g
WERROR       ?= -Werror
BUILD        ?= build
B            := $(BUILD)$(if $(SANITIZER),/$(SANITIZER))
Q            := $(if $(V),,@)
say           = @$(if $(V),:,printf '  %-5s %s\n' $(1) $(patsubst $(BUILD)/%,%,$@))
JOBS         ?= $(shell nproc 2>/dev/null || echo 2)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS    += -j$(JOBS)
endif

# ---- how things are compiled ----------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wswitch-enum -Wmissing-prototypes -Wstrict-prototypes \
            -Wpointer-arith -Wvla -Wundef -Wformat=2 $(WERROR)
COMMON   := -std=c11 -D_GNU_SOURCE -Isrc -I. $(WARNINGS)
ifneq ($(KNOCKOUT),)
COMMON   += -DKW_KNOCKOUT_$(shell echo '$(KNOCKOUT)' | tr a-z- A-Z_)
endif
LIBS     := -levent -levent_pthreads -lhiredis -lxxhash -llzf -lisal -luring -lpthread
DEBUG    := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all -DKW_DEBUG=1 -DKW_NO_JEMALLOC=1

ifeq ($(SANITIZER),)
# Link-time optimization only where the tool chain proves that it can link with it.
LTO      ?= $(shell echo 'int main(void) { return 0; }' | \
              $(CC) -flto=auto -x c - -o /dev/null 2>/dev/null && echo -flto=auto)
BUILD_CFLAGS := $(CFLAGS) $(LTO) -fPIE -fstack-protector-strong -U_FORTIFY_SOURCE \
                -D_FORTIFY_SOURCE=2
LINK     := -pie -Wl,-z,relro,-z,now $(LTO)
LIBS     += -ljemalloc
else
KINDS_address   := address,undefined
KINDS_undefined := undefined
KINDS_thread    := thread
KINDS    := $(or $(KINDS_$(SANITIZER)),$(error SANITIZER is address, undefined or thread))
BUILD_CFLAGS := $(DEBUG) -fsanitize=$(KINDS)
LINK     := -fsanitize=$(KINDS)
endif

# ---- what is built from what ----------------------------------------------------------------------

CORE     := $(filter-out src/main.c src/library/%,$(wildcard src/*.c src/*/*.c src/*/*/*.c))
LIBRARY  := $(wildcard src/library/*.c)
PUBLIC   := $(shell sed -n 's/^KEYWAY_API .*[ *]\(keyway_[a-z_]*\).\(const \)*\(struct\|enum\) .*/\1/p' \
              src/library/keyway.h)
UNIT     := $(wildcard tests/unit/*.c tests/unit/*/*.c)
CHECK    := $(wildcard tests/consistency/*.c)
FUZZERS  := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
core_o   := $(CORE:%.c=$(B)/obj/%.o)
unit_o   := $(UNIT:%.c=$(B)/obj/%.o) $(LIBRARY:%.c=$(B)/obj/%.o)
pic_o    := $(patsubst %.c,$(B)/pic/%.o,$(LIBRARY) $(wildcard src/cache/*.c src/cache/*/*.c src/base/*.c))
check_o  := $(CHECK:%.c=$(B)/obj/%.o)
plain_o  := $(CORE:%.c=$(B)/plain/%.o) $(B)/plain/src/main.o
PLAIN    := -O1 -g
KNOCKOUTS := fill-token write-through same-link-push witness pipeline coalesce haste
fuzz_o   := $(CORE:%.c=$(BUILD)/fuzz/obj/%.o)

all: $(B)/keyway library ## build/keyway and the library (the default)
library: $(B)/libkeyway.a $(B)/keyway.h ## build/libkeyway.a and keyway.h: the cache for C programs
unit-tests: $(B)/unit-tests ## build the unit tests
checker: $(B)/check ## build the consistency checker
knockouts: $(KNOCKOUTS:%=$(B)/knockout/%/keyway) ## build what it must find fault with
fuzzers: $(FUZZERS:%=$(BUILD)/fuzz/%) ## build the fuzzers

$(B)/keyway: $(B)/obj/src/main.o $(core_o) $(B)/sources.stamp
	$(call say,LINK)
	$(Q)$(CC) $(BUILD_CFLAGS) $(LINK) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS)

$(B)/unit-tests: $(unit_o) $(core_o) $(B)/sources.stamp
	$(call say,LINK)
	$(Q)$(CC) $(BUILD_CFLAGS) $(LINK) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS) -lcmocka -lm

$(B)/bench-cache: $(B)/obj/utils/bench/cache.o $(core_o) $(B)/sources.stamp
	$(call say,LINK)
	$(Q)$(CC) $(BUILD_CFLAGS) $(LINK) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBS) -lm

$(B)/check: $(check_o) $(B)/sources.stamp
	$(call say,LINK)
	$(Q)$(CC) $(BUILD_CFLAGS) $(LINK) $(LDFLAGS) -o $@ $(filter %.o,$^)

# keyway with one rule of the near cache left out: one file differs, no time is spent on speed.
$(B)/knockout/%/keyway: $(plain_o)
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)rule=KW_KNOCKOUT_$$(echo '$*' | tr a-z- A-Z_); \
	    file=$$(grep -lw "$$rule" src/*/*.c src/*/*/*.c) || exit 1; \
	    $(CC) $(COMMON) $(PLAIN) -D$$rule -c -o $(@D)/rule.o $$file && \
	    $(CC) $(LDFLAGS) -o $@ $(@D)/rule.o \
	        $$(for each in $^; do case $$each in */$${file%.c}.o) ;; *) echo $$each ;; esac; done) $(LIBS)

$(B)/plain/%.o: %.c $(B)/flags.stamp
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMMON) $(PLAIN) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# One object with what keyway.h declares and what that needs; all other names are hidden from
# programs. No link-time optimization: they may have another compiler.
$(B)/libkeyway.a: $(pic_o) src/library/keyway.h $(B)/sources.stamp
	$(call say,AR)
	$(Q)$(CC) -r -nostdlib -Wl,--gc-sections $(PUBLIC:%=-Wl,-u,%) -o $(B)/libkeyway.o $(pic_o)
	$(Q)objcopy --localize-hidden $(B)/libkeyway.o
	$(Q)rm -f $@ && ar rcs $@ $(B)/libkeyway.o

$(B)/keyway.h: src/library/keyway.h
	$(Q)cp $< $@

$(B)/pic/%.o: %.c $(B)/flags.stamp
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMMON) $(filter-out $(LTO) -fPIE,$(BUILD_CFLAGS)) -fPIC -fvisibility=hidden \
	    -ffunction-sections -fdata-sections $(CPPFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/%.o: %.c $(B)/flags.stamp
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMMON) $(BUILD_CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/%: tests/fuzz/%.c $(fuzz_o) $(B)/sources.stamp
	$(call say,FUZZ)
	$(Q)$(FUZZ_CC) $(COMMON) $(DEBUG) $(CPPFLAGS) -Wno-missing-prototypes \
	    -fsanitize=fuzzer,address,undefined -MMD -MP -MF $@.d -o $@ $< $(fuzz_o) $(LIBS:-ljemalloc=)

$(BUILD)/fuzz/obj/%.o: %.c $(B)/fuzz.stamp
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(COMMON) $(DEBUG) $(CPPFLAGS) -fsanitize=fuzzer-no-link,address,undefined \
	    -MMD -MP -c -o $@ $<

# A stamp changes when its text does: other flags rebuild, another list of sources links again.
STAMP_flags   := $(CC) $(COMMON) $(BUILD_CFLAGS) $(CPPFLAGS)
STAMP_fuzz    := $(FUZZ_CC) $(COMMON) $(DEBUG) $(CPPFLAGS)
STAMP_sources := $(CORE) $(UNIT) $(CHECK) $(LINK) $(LDFLAGS) $(LIBS)
$(B)/%.stamp: FORCE
	@mkdir -p $(@D)
	@echo '$(STAMP_$*)' | cmp -s - $@ || echo '$(STAMP_$*)' > $@

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- what people do with it -----------------------------------------------------------------------

run: ## install what is missing, build, and run keyway before a local cluster
	@deps/install.sh run
	@$(MAKE) --no-print-directory all
	@utils/run-local --keyway $(B)/keyway $(ARGS)

test: ## install what is missing, build, and run every test
	@deps/install.sh test
	@$(MAKE) --no-print-directory all unit-tests checker $(if $(SANITIZER),,knockouts fuzzers)
	@tests/run --build $(BUILD) $(if $(SANITIZER),--sanitizer $(SANITIZER))

unit: $(B)/unit-tests ## unit tests; T=word runs those whose file or name has the word
	@$(B)/unit-tests $(T)

embedded: $(B)/keyway ## the embedded store beside a redis-server: random streams, several clients
	@tests/embedded/run --keyway $(B)/keyway $(ARGS)

wire: $(B)/keyway ## wire tests (no redis needed)
	@tests/wire/run --keyway $(B)/keyway $(ARGS)

commands: $(B)/keyway ## every row of the command table, beside a redis-server
	@tests/commands/run --keyway $(B)/keyway $(ARGS)

cluster: $(B)/keyway ## tests with real redis clusters
	@tests/cluster/run --keyway $(B)/keyway $(ARGS)

consistency: $(B)/keyway $(B)/check $(if $(SANITIZER),,knockouts) ## is the near cache ever old? with faults, for a minute
	@tests/consistency/run --build $(B) $(ARGS)

soak: $(B)/keyway $(B)/check ## the same with faults only, for SECONDS
	@tests/consistency/run --build $(B) --soak --seconds $(SECONDS) $(ARGS)

fuzz: fuzzers ## fuzz for FUZZ_SECONDS each
	@tests/fuzz/run --build $(BUILD) --seconds-each $(FUZZ_SECONDS) $(FUZZERS)

lint: all ## the house rules: layers, sizes, words, headers, state, format
	@utils/lint --build $(B)

format: ## let clang-format rewrite what lint-format complains about
	@utils/lint-format --write

generate: ## write the generated files again
	@utils/lint-generated --write --before-build
	@$(MAKE) --no-print-directory all
	@utils/lint-generated --write --build $(B)

bench: ## measure keyway beside nutcracker, haproxy and no proxy
	@deps/install.sh bench
	@$(MAKE) --no-print-directory all
	@utils/bench/bench $(ARGS)

bench-cache: $(B)/bench-cache ## miss ratios of the cache's policies beside GDSF and Belady; cost of a hit
	@$(B)/bench-cache $(ARGS)

bench-near: ## cost of a near cache hit beside redis-server and memcached; what it takes off servers
	@deps/install.sh bench
	@$(MAKE) --no-print-directory all
	@KEYWAY=$(abspath $(B)/keyway) utils/bench/near $(ARGS)

bench-embedded: ## keyway without a cluster beside redis-server and memcached
	@deps/install.sh bench
	@$(MAKE) --no-print-directory all
	@KEYWAY=$(abspath $(B)/keyway) utils/bench/embedded $(ARGS)

install: $(B)/keyway ## install keyway under PREFIX
	install -D -m 755 $(B)/keyway $(DESTDIR)$(PREFIX)/bin/keyway
	install -D -m 644 redis.conf.example $(DESTDIR)$(PREFIX)/share/keyway/redis.conf.example

clean: ## remove build/
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

FORCE:
.PHONY: all library run test unit unit-tests checker knockouts consistency soak embedded wire commands cluster fuzz fuzzers lint format generate bench bench-cache bench-near bench-embedded install clean help FORCE
.SECONDARY:
