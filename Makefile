# pm-tools: a multi-modal recommender as Unix tools. `make help` lists the targets.

BUILD    ?= build
CC       := gcc
CXX      := g++
ARCH     ?= native
# -Wsign-conversion is part of -Wconversion; only the C++ shim of SentencePiece is left out of the C warnings.
WARNINGS := -Wall -Wextra -Wshadow -Wconversion
CPPFLAGS := -Ilib -D_GNU_SOURCE
# Contraction off: resizing must round as Pillow does. No fast-math: a NaN must be seen. errno of libm is not used.
CFLAGS   := -std=gnu17 -O3 -g -march=$(ARCH) -fopenmp -ffp-contract=off -fno-math-errno -fno-trapping-math \
            $(WARNINGS) $(SANITIZE)
CXXFLAGS := -std=c++17 -O2 -g -Wall -Wextra $(SANITIZE)
BLAS     := /usr/lib/x86_64-linux-gnu/openblas-openmp
LDFLAGS  := -fopenmp $(SANITIZE)
LDLIBS   := -L$(BLAS) -Wl,-rpath,$(BLAS) -lopenblas -lmsgpackc -lzstd -lxxhash -ljansson -lzip -llmdb -ljpeg \
            -lpng -lunistring -lsentencepiece -lstdc++ -lm

# oneDNN multiplies faster, and in bf16. ONEDNN=0 builds without it, as does a machine that lacks libdnnl-dev.
ONEDNN ?= $(if $(wildcard /usr/include/dnnl.h),1,0)
ifeq ($(ONEDNN),1)
CPPFLAGS += -DWITH_ONEDNN
LDLIBS   += -ldnnl
endif

SOURCES := $(wildcard lib/*/*.c lib/*/*/*.c lib/*/*.cc)
OBJECTS := $(patsubst %,$(BUILD)/%.o,$(SOURCES))
TOOLS   := $(patsubst tools/%.c,$(BUILD)/bin/%,$(wildcard tools/pm-*.c))
UNITS   := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

.PHONY: all
all: $(TOOLS)

$(BUILD)/%.c.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/%.cc.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libpm.a: $(OBJECTS)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/bin/%: $(BUILD)/tools/%.c.o $(BUILD)/libpm.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.c.o $(BUILD)/libpm.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

.SECONDARY:
-include $(OBJECTS:.o=.d) $(wildcard $(BUILD)/tools/*.d $(BUILD)/tests/unit/*.d)

.PHONY: units
units: $(UNITS)

.PHONY: test
test: all units
	tests/run $(BUILD)

.PHONY: clean
clean:
	rm -rf $(BUILD)

# ---- Pipelines: whole experiments with the tools, each described at the head of its file in pipelines/ ----

.PHONY: demo dataset pretrain transfer
demo dataset: all
	@$(MAKE) --no-print-directory -f pipelines/$@.mk BIN=$(BUILD)/bin BUILD=$(BUILD) $@
pretrain transfer: all
	@$(MAKE) --no-print-directory -f pipelines/transfer.mk BIN=$(BUILD)/bin BUILD=$(BUILD) $@

# ---- bench: each job against PyTorch (Debian's python3-torch, where installed) in one run ----

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.c.o $(BUILD)/libpm.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

.PHONY: bench
bench: $(BUILD)/bench/jobs $(BUILD)/bench/operators
	tests/bench/run $(BUILD)/bench
-include $(wildcard $(BUILD)/tests/bench/*.d)
