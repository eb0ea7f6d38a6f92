# pm-tools: a multi-modal recommender as Unix tools. `make help` lists the targets.

BUILD    ?= build
PREFIX   ?= /usr/local
LIBDIR   ?= $(PREFIX)/lib
DESTDIR  ?=
CC       := gcc
CXX      := g++
# The processors to build for: native are this machine's; x86-64-v2 are all since about 2009.
ARCH     ?= native
OPTIMIZE ?= -O3
SANITIZE ?=

# What Debian 12 calls what is needed: to build, and besides to test and for the pipelines' pictures.
BUILD_PACKAGES := gcc g++ make pkg-config libopenblas-openmp-dev libzstd-dev libmsgpack-dev libxxhash-dev liblmdb-dev \
                  libjansson-dev libzip-dev libjpeg62-turbo-dev libpng-dev libunistring-dev libsentencepiece-dev \
                  libdnnl-dev libarchive-dev libwebp-dev
PACKAGES       := $(BUILD_PACKAGES) bats parallel jq zstd python3 python3-msgpack python3-numpy python3-zstandard time \
                  gnuplot-nox libopenmpi-dev openmpi-bin mandoc bsdextrautils zsh
LINTERS        := clang-format clang-tidy cppcheck

# Whatever builds sees to the packages first: the file is included, so that make reads this one again when they have
# just been installed and pkg-config knows them. make -n installs nothing.
.DEFAULT_GOAL := all
GOALS := $(or $(MAKECMDGOALS),all)
ifneq ($(filter-out clean deb deps format help lint test-bare uninstall,$(GOALS)),)
ifeq ($(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),)
include $(BUILD)/$(if $(filter-out all install manuals completion,$(GOALS)),packages,build-packages).mk
endif
endif
$(BUILD)/packages.mk $(BUILD)/build-packages.mk: Makefile
	@$(MAKE) --no-print-directory deps $(if $(findstring build-packages,$@),PACKAGES='$(BUILD_PACKAGES)')
	@mkdir -p $(@D)
	@touch -r Makefile $@

# OpenBLAS must use OpenMP's threads, as our own loops do. Debian has its variants in folders of their own:
# the OpenMP one is asked for by folder, and found again at run time whichever variant the system prefers.
OPENBLAS := PKG_CONFIG_PATH=/usr/lib/$(shell $(CC) -print-multiarch)/openblas-openmp/pkgconfig pkg-config openblas
BLAS     := $(foreach folder,$(patsubst %/,%,$(shell $(OPENBLAS) --variable=libdir 2> /dev/null)), \
            -L$(folder) -Wl,-rpath,$(folder)) -lopenblas

# -Wsign-conversion is part of -Wconversion; only C++ is left out of the C warnings. Fields that are not named are zero.
WARNINGS := -Wall -Wextra -Wno-missing-field-initializers -Wshadow -Wconversion
CPPFLAGS := -Ilib -D_GNU_SOURCE $(shell $(OPENBLAS) --cflags 2> /dev/null)
# Contraction off: resizing must round as Pillow does. No fast-math: a NaN must be seen. errno of libm is not used.
CFLAGS   := -std=gnu17 $(OPTIMIZE) -g -march=$(ARCH) -fopenmp -ffp-contract=off -fno-math-errno \
            -fno-trapping-math $(WARNINGS) $(SANITIZE)
CXXFLAGS := -std=c++17 -O2 -g -Wall -Wextra $(SANITIZE)
LDFLAGS  := -fopenmp $(SANITIZE)
LDLIBS   := -lmsgpackc -lzstd -lxxhash -ljansson -lzip -larchive -llmdb -ljpeg -lpng -lwebp -lunistring \
            -lsentencepiece -lstdc++ -lm

# oneDNN multiplies faster, and in bf16. ONEDNN=0 builds with OpenBLAS instead, as does a machine that lacks libdnnl-dev.
ONEDNN ?= $(if $(wildcard /usr/include/dnnl.h),1,0)
ifeq ($(ONEDNN),1)
CPPFLAGS += -DWITH_ONEDNN
LDLIBS   += -ldnnl
else
LDLIBS   += $(BLAS)
endif

SOURCES := $(filter-out lib/core/mpi/%,$(wildcard lib/*/*.c lib/*/*/*.c lib/*/*/*/*.c lib/*/*.cc))
OBJECTS := $(patsubst %,$(BUILD)/%.o,$(SOURCES))
TOOLS   := $(patsubst tools/%.c,$(BUILD)/bin/%,$(wildcard tools/pm-*.c))
UNITS   := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c)) $(BUILD)/unit/test_fibers

.PHONY: all
all: $(TOOLS) plugins ## build the tools (build/bin/pm-*) and, where CUDA is, its plug-in; the default

$(BUILD)/%.c.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/%.cc.o: %.cc $(BUILD)/flags
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libpm.a: $(OBJECTS)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/bin/%: $(BUILD)/tools/%.c.o $(BUILD)/libpm.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

# Preloaded into tools, it lets calls of the system fail.
$(BUILD)/unit/faults.so: tests/faults/shim.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -std=gnu17 -O1 -g $(WARNINGS) -shared -fPIC $< -o $@

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.c.o $(BUILD)/libpm.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

# ---- The GPU: a plug-in that --device cuda loads, built where CUDA is; CUDA=0 leaves it out ----

NVCC ?= $(firstword $(shell command -v nvcc) $(wildcard /usr/local/cuda/bin/nvcc))
CUDA ?= $(if $(NVCC),1,0)

# For cards since 2020 (sm_80) and 2022 (sm_90); what comes later compiles the PTX when it is first loaded.
NVCC_FLAGS := -std=c++17 -O3 -lineinfo --extended-lambda -gencode arch=compute_80,code=sm_80 \
              -gencode arch=compute_90,code=[sm_90,compute_90] -Werror all-warnings \
              -Xcompiler -fPIC,-Wall,-Wextra,-Werror -Xptxas -v
KERNELS    := $(wildcard lib/nn/backend/cuda/*.cu)
CUDA_FILES := $(KERNELS:%=$(BUILD)/cuda/%.o)
ifneq ($(CUDA),0)
PLUGINS    := $(BUILD)/lib/pm-cuda.so
endif

# What ptxas says of registers and spills stands beside each object.
$(BUILD)/cuda/%.o: % $(BUILD)/flags
	@mkdir -p $(@D)
	@echo $(NVCC) -c $<
	@$(NVCC) -Ilib $(filter -DBACKEND%,$(CPPFLAGS)) $(NVCC_FLAGS) -MD -MP -MF $(@:.o=.d) -c $< -o $@ 2> $(@:.o=.ptxas) || \
	    { cat $(@:.o=.ptxas) >&2; exit 1; }

$(BUILD)/lib/pm-cuda.so: $(CUDA_FILES)
	@mkdir -p $(@D)
	$(NVCC) -shared $^ -Xlinker -rpath,$(abspath $(dir $(NVCC))../lib64) -lcublasLt -o $@

# ---- Several processes: a plug-in for what mpirun starts, built where MPI is; MPI=0 leaves it out ----

MPICC ?= $(shell command -v mpicc)
MPI   ?= $(if $(MPICC),1,0)
ifneq ($(MPI),0)
PLUGINS += $(BUILD)/lib/pm-mpi.so
endif
$(BUILD)/lib/pm-mpi.so: lib/core/mpi/transport.c lib/core/ranks_transport.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(MPICC) $(CPPFLAGS) -std=gnu17 -O2 -g -fPIC $(WARNINGS) -shared $< -o $@

# The same kernels for the host, which tests run as fibers on any machine: --device cuda-on-host. A header of ours
# stands for the CUDA runtime, OpenBLAS for cuBLASLt.
ON_HOST_FLAGS := -std=gnu++17 -O2 -g -march=$(ARCH) -fPIC -fopenmp $(WARNINGS) -Ilib/nn/backend/cuda/on_host $(SANITIZE)
ON_HOST       := $(patsubst %,$(BUILD)/on_host/%.o,$(wildcard lib/nn/backend/cuda/on_host/*.cc))
ON_HOST_FILES := $(KERNELS:%=$(BUILD)/on_host/%.o) $(ON_HOST)

$(BUILD)/on_host/%.o: % $(BUILD)/flags
	@mkdir -p $(@D)
	$(CXX) -x c++ $(CPPFLAGS) $(ON_HOST_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/lib/pm-cuda-on-host.so: $(ON_HOST_FILES)
	@mkdir -p $(@D)
	$(CXX) -shared $(LDFLAGS) $^ $(BLAS) -o $@

$(BUILD)/unit/test_fibers: $(BUILD)/on_host/tests/unit/test_fibers.cc.o $(ON_HOST)
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) $^ $(BLAS) -o $@

# What stands for NCCL between cards that are emulated.
STAND_IN := $(BUILD)/unit/libnccl-on-host.so.2
$(STAND_IN): $(BUILD)/on_host/tests/nccl/stand_in.cc.o
	@mkdir -p $(@D)
	$(CXX) -shared $(LDFLAGS) $^ -o $@

# A program refuses a plug-in that was built with other headers.
BACKEND_HEADERS := $(addprefix lib/nn/,dropout.h $(addprefix backend/,backend.h kernels.h matrix.h plugin.h ranked_key.h))
BACKEND_VERSION := $(firstword $(shell cat $(BACKEND_HEADERS) | cksum))u
VERSIONED       := $(addsuffix lib/nn/backend/plugin.c.o,$(BUILD)/ $(BUILD)/fuzz/objects/ $(BUILD)/tsan/objects/) \
                   $(patsubst %,$(BUILD)/%/lib/nn/backend/cuda/backend.cu.o,cuda on_host)
$(VERSIONED): CPPFLAGS += -DBACKEND_VERSION=$(BACKEND_VERSION)
$(VERSIONED): $(BUILD)/backend-version
$(BUILD)/backend-version: $(BACKEND_HEADERS)
	@mkdir -p $(@D)
	@touch $@

# Objects are made again when the flags change, and only then.
equal = $(and $(findstring x$(1)x,x$(2)x),$(findstring x$(2)x,x$(1)x))
FLAGS := $(strip $(CC) $(CPPFLAGS) $(CFLAGS) $(CXXFLAGS) $(ON_HOST_FLAGS) $(NVCC) $(NVCC_FLAGS))
$(BUILD)/flags: $(if $(call equal,$(strip $(file <$(BUILD)/flags)),$(FLAGS)),,FORCE)
	@mkdir -p $(@D)
	@echo '$(FLAGS)' > $@
.PHONY: FORCE
FORCE:

include tests/fuzz/fuzz.mk
include tests/tsan/tsan.mk

.SECONDARY:
-include $(OBJECTS:.o=.d) $(ON_HOST_FILES:.o=.d) $(CUDA_FILES:.o=.d) $(wildcard $(BUILD)/tools/*.d $(BUILD)/tests/unit/*.d $(BUILD)/formats/examples/*.d $(BUILD)/on_host/tests/*/*.d)

.PHONY: plugins
plugins: $(PLUGINS)

# The example of the library, so that it goes on working.
$(BUILD)/examples/%: $(BUILD)/formats/examples/%.c.o $(BUILD)/libpm.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@
EXAMPLES := $(patsubst formats/examples/%.c,$(BUILD)/examples/%,$(wildcard formats/examples/*.c))

# Asks OpenBLAS how it was built.
$(BUILD)/unit/test_operators: LDLIBS += $(BLAS)

.PHONY: units
units: $(UNITS) $(EXAMPLES) $(BUILD)/lib/pm-cuda-on-host.so $(BUILD)/unit/faults.so $(STAND_IN)

.PHONY: test
test: ## set up, build, run all tests; the last line is "N passed, N failed"
	+@$(MAKE) --no-print-directory $(PARALLEL) all units
	@tests/run $(BUILD)

# As many jobs as processors, where make was not told.
PARALLEL = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: deps
deps: ## check that the packages of Debian 12 are there; root installs those that are not
	@command -v dpkg-query > /dev/null || { echo "deps: no Debian; needed are what it calls $(PACKAGES)"; exit 0; }; \
	there=" $$(dpkg-query -W -f '$${Package}=$${db:Status-Status} ' $(PACKAGES) 2> /dev/null)"; missing=; \
	for package in $(PACKAGES); do \
	    case $$there in *" $$package=installed "*) ;; *) missing="$$missing $$package" ;; esac; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	echo "missing packages:$$missing"; \
	if [ "$$(id -u)" = 0 ]; then \
	    export DEBIAN_FRONTEND=noninteractive; \
	    apt-get update -q < /dev/null && apt-get install -q -y --no-install-recommends $$missing < /dev/null; \
	else \
	    echo "install them with: sudo apt-get update && sudo apt-get install$$missing"; exit 1; \
	fi

# ---- Man pages and completion, from the tools' own tables of options ----

NAMES      := $(notdir $(TOOLS))
MANUALS    := $(NAMES:%=$(BUILD)/man/%.1)
COMPLETION := $(NAMES:%=$(BUILD)/completion/bash/%) $(NAMES:%=$(BUILD)/completion/zsh/_%)
# The day of the pages, the same for the same source where a packager says it.
DATE       := $(shell LC_ALL=C date -u -d @$${SOURCE_DATE_EPOCH:-$$(date +%s)} '+%B %-d, %Y')

.PHONY: manuals completion
manuals: $(MANUALS) ## man pages: build/man
completion: $(COMPLETION) ## completion in bash and zsh: build/completion

table = $< --option-table > $@.table && awk -v date='$(DATE)' -f $(word 2,$^) $@.table > $@ && rm $@.table
$(BUILD)/man/%.1: $(BUILD)/bin/% tools/packaging/manual.awk
	@mkdir -p $(@D)
	$(table)
$(BUILD)/completion/bash/%: $(BUILD)/bin/% tools/packaging/bash.awk
	@mkdir -p $(@D)
	$(table)
$(BUILD)/completion/zsh/_%: $(BUILD)/bin/% tools/packaging/zsh.awk
	@mkdir -p $(@D)
	$(table)

# ---- Installation ----

SHARE  := $(PREFIX)/share
SHARED := README.md LICENSE $(filter-out $(patsubst %/,%,$(wildcard pipelines/*/)),$(wildcard pipelines/* pipelines/*/*)) \
          $(wildcard lib/model/README.md formats/*.* formats/examples/*.*)

HEADERS := $(patsubst lib/%,%,$(wildcard lib/*/*.h lib/*/*/*.h))
VERSION := $(shell sed -n 's/.*PROJECT_VERSION "\(.*\)"/\1/p' lib/core/version.h)

.PHONY: install uninstall
install: all manuals completion ## tools, man pages, completion, the library, and all that README.md names, under PREFIX
	install -D -t $(DESTDIR)$(PREFIX)/bin $(TOOLS)
	$(if $(PLUGINS),install -D -t $(DESTDIR)$(PREFIX)/lib/pm-tools $(PLUGINS))
	for file in $(SHARED); do \
	    install -D -m $$(test -x $$file && echo 755 || echo 644) $$file $(DESTDIR)$(SHARE)/pm-tools/$$file || exit; \
	done
	install -D -m 644 -t $(DESTDIR)$(SHARE)/man/man1 $(MANUALS)
	install -D -m 644 -t $(DESTDIR)$(SHARE)/bash-completion/completions $(filter $(BUILD)/completion/bash/%,$(COMPLETION))
	install -D -m 644 -t $(DESTDIR)$(SHARE)/zsh/site-functions $(filter $(BUILD)/completion/zsh/%,$(COMPLETION))
	for file in $(HEADERS); do install -D -m 644 lib/$$file $(DESTDIR)$(PREFIX)/include/pm/$$file || exit; done
	install -D -m 644 -t $(DESTDIR)$(LIBDIR) $(BUILD)/libpm.a
	install -d $(DESTDIR)$(LIBDIR)/pkgconfig
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR:$(PREFIX)/%=%)|; s|@VERSION@|$(VERSION)|' -e 's|@FLAGS@|$(filter -D% -I/%,$(CPPFLAGS)) -fopenmp|' \
	    -e 's|@LIBS@|$(LDLIBS) $(LDFLAGS)|' tools/packaging/pm.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/pm.pc
	@echo 'A pipeline: make -f $(SHARE)/pm-tools/pipelines/demo.mk'
uninstall: ## remove what install copied
	rm -f $(NAMES:%=$(DESTDIR)$(PREFIX)/bin/%) $(NAMES:%=$(DESTDIR)$(SHARE)/man/man1/%.1) \
	    $(NAMES:%=$(DESTDIR)$(SHARE)/bash-completion/completions/%) $(NAMES:%=$(DESTDIR)$(SHARE)/zsh/site-functions/_%)
	rm -rf $(DESTDIR)$(SHARE)/pm-tools $(DESTDIR)$(PREFIX)/lib/pm-tools $(DESTDIR)$(PREFIX)/include/pm \
	    $(DESTDIR)$(LIBDIR)/libpm.a $(DESTDIR)$(LIBDIR)/pkgconfig/pm.pc

# A source package and what it builds, by the same recipe that Debian's own machines run.
DEBIAN  := $(BUILD)/deb/pm-tools-$(VERSION)
.PHONY: deb
deb: ## a Debian source package and its binary: build/deb
	@$(MAKE) --no-print-directory deps PACKAGES='$(BUILD_PACKAGES) debhelper dpkg-dev lintian'
	@rm -rf $(BUILD)/deb && mkdir -p $(DEBIAN)
	@git ls-files -z | tar -c --null --files-from=- | tar -x -C $(DEBIAN)
	@cp -r tools/packaging/debian $(DEBIAN)
	@sed -i -e 's/@BUILD_PACKAGES@/$(subst $(space),$(comma) ,$(filter-out gcc g++ make,$(BUILD_PACKAGES)))/g' \
	    -e 's/@VERSION@/$(VERSION)/' -e "s/@DATE@/$$(LC_ALL=C date -u -R -d @$${SOURCE_DATE_EPOCH:-$$(date +%s)})/" \
	    $(DEBIAN)/debian/control $(DEBIAN)/debian/changelog
	cd $(DEBIAN) && dpkg-buildpackage -us -uc
	lintian --fail-on error $(BUILD)/deb/*.changes
comma := ,
space := $(subst ,, )

# ---- The source itself ----

C_FILES   = $(shell git ls-files '*.c' '*.h' '*.cc' '*.cu' 2> /dev/null)
# clang 14 has no omp.h of its own without libomp, GCC's will do; and _Float16 it has with AVX512-FP16 only.
TIDY      = $(CPPFLAGS) -DBACKEND_VERSION=$(BACKEND_VERSION) -std=gnu17 -mavx512fp16 -fopenmp \
            $(if $(MPICC),$(subst -I,-isystem ,$(shell $(MPICC) --showme:compile))) \
            -idirafter $(shell $(CC) -print-file-name=include)

.PHONY: format lint
format: ## clang-format all C files in place
	clang-format -i $(C_FILES)
lint: ## clang-format (check), cppcheck, clang-tidy
	@$(MAKE) --no-print-directory deps PACKAGES='$(LINTERS)'
	@clang-format --dry-run -Werror $(C_FILES)
	cppcheck --quiet --error-exitcode=1 -j $(shell nproc) --std=c11 --enable=warning,performance,portability \
	    --library=tests/cppcheck.cfg --suppress=readdirCalled \
	    --suppress=invalidFunctionArg:lib/nn/backend/cpu/softmax.h -Ilib -D_GNU_SOURCE lib tools
	@printf '%s\n' $(filter-out $(NOT_BY_CLANG),$(filter lib/%.c tools/%.c,$(C_FILES))) | \
	    xargs -P $(shell nproc) -n 8 sh -c 'clang-tidy --quiet "$$@" -- $(TIDY) 2> /dev/null' tidy

# Built for looking, not for speed. No finding of AddressSanitizer (leaks too) or UBSan is suppressed.
.PHONY: sanitize
sanitize: ## build with address and undefined-behaviour sanitizers, run all tests so
	+@UBSAN_OPTIONS=print_stacktrace=1 $(MAKE) --no-print-directory test BUILD=$(BUILD)/sanitize OPTIMIZE=-O1 \
	    SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'

.PHONY: test-kills
test-kills: all ## kill every stage at random instants, COUNT=200 times, with SEED=, and run it again to the same bytes
	tests/kills $(BUILD) $(or $(COUNT),200) $(SEED)

.PHONY: test-bare
test-bare: ## as root: make demo and make test on a new Debian 12 in build/bare, which has make and nothing else
	tests/bare $(BUILD)/bare

.PHONY: clean
clean: ## remove what was built
	rm -rf $(BUILD)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14
	@echo "variables: BUILD=$(BUILD) ARCH=$(ARCH) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)"

# ---- Pipelines: whole experiments with the tools, each described at the head of its file in pipelines/ ----

.PHONY: demo dataset ablation pretrain transfer figures why
demo: all ## the whole system on made-up data: build/demo/results.tsv and curves.svg
dataset: all ## your own data: make dataset ITEMS=items.tsv BEHAVIOURS=users.tsv IMAGES=images/
ablation: all ## what each objective of pre-training is worth: build/ablation/results.tsv and curves.svg
pretrain: all ## train the model that transfer starts from
transfer: all ## pre-train on one data set, start from its parts on another
demo dataset ablation pretrain transfer:
	@$(MAKE) --no-print-directory -f pipelines/$(@:pretrain=transfer).mk $(EXPLAIN) BIN=$(BUILD)/bin BUILD=$(BUILD) $@
figures: all ## the figures of README.md made again: build/figures/*.tsv; DATA=folder for those of films
	@$(MAKE) --no-print-directory -f pipelines/figures.mk BIN=$(BUILD)/bin BUILD=$(BUILD)
why: ## make why dataset …: what make dataset … would run, and because of what
	@$(if $(filter-out why,$(MAKECMDGOALS)),:,echo "say of what: make why dataset ITEMS=…"; exit 1)
EXPLAIN := $(if $(filter why,$(MAKECMDGOALS)),-n WHY=yes)

# ---- Benchmarks ----

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.c.o $(BUILD)/libpm.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

units: $(BUILD)/bench/jobs $(BUILD)/bench/operators

# Both need a card; without one they say what is missing.
.PHONY: test-cuda bench-cuda
test-cuda: all units ## on an NVIDIA card: kernels, golden runs, compute-sanitizer
	tests/cuda/run $(BUILD)
bench-cuda: all $(BUILD)/bench/jobs ## on an NVIDIA card: the jobs of the benchmark, and their share of its product rate
	tests/cuda/bench $(BUILD)

.PHONY: bench
bench: all $(BUILD)/bench/jobs $(BUILD)/bench/operators ## each job against PyTorch (python3-torch): build/bench/results.tsv
	@rm -rf $(BUILD)/bench/data
	@$(BUILD)/bin/pm-synth data $(BUILD)/bench/data --items 300 --users 10 --image-size 240 -q
	tests/bench/run $(BUILD)/bench
	tests/bench/scale $(BUILD)
-include $(wildcard $(BUILD)/tests/bench/*.d)
