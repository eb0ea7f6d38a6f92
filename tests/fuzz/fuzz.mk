# Fuzzing. A target is tests/fuzz/fuzz_NAME.c; build/fuzz/NAME is it with libFuzzer, AddressSanitizer and UBSan, all
# by clang, and build/replay/NAME, built as all else is, gives it the bytes of files.
FUZZERS      := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_FILES   := tests/fuzz/files.c
FUZZ_OBJECTS := $(patsubst %,$(BUILD)/fuzz/objects/%.o,$(filter-out %/on_host%,$(SOURCES)) $(FUZZ_FILES))
FUZZ_FLAGS   := -O1 -g -march=$(ARCH) -fno-math-errno -fsanitize=fuzzer-no-link,address,undefined \
                -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# Seconds for each target, and the targets.
FUZZ_TIME ?= 60
FUZZ      ?= $(FUZZERS)

# clang 14 has _Float16 on processors with AVX512-FP16 only, and no __builtin_shuffle; what needs them is built by GCC.
# Without OpenMP: one thread finds the same, and faster.
NOT_BY_CLANG := lib/core/dtype.c lib/nn/backend/cpu/small_matmul.c
$(NOT_BY_CLANG:%=$(BUILD)/fuzz/objects/%.o): $(BUILD)/fuzz/objects/%.o: % $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=gnu17 -O1 -g -march=$(ARCH) -MMD -MP -c $< -o $@
$(BUILD)/fuzz/objects/%.c.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	clang $(CPPFLAGS) -std=gnu17 $(FUZZ_FLAGS) -idirafter $(shell $(CC) -print-file-name=include) -MMD -MP -c $< -o $@
$(BUILD)/fuzz/objects/%.cc.o: %.cc $(BUILD)/flags
	@mkdir -p $(@D)
	clang++ $(CPPFLAGS) -std=c++17 $(FUZZ_FLAGS) -MMD -MP -c $< -o $@
$(BUILD)/fuzz/libpm.a: $(FUZZ_OBJECTS)
	@rm -f $@
	ar rcs $@ $^
$(BUILD)/fuzz/%: $(BUILD)/fuzz/objects/tests/fuzz/fuzz_%.c.o $(BUILD)/fuzz/libpm.a
	clang++ -fsanitize=fuzzer,address,undefined $^ $(LDLIBS) -lgomp -o $@

$(BUILD)/replay/%: $(BUILD)/tests/fuzz/fuzz_%.c.o $(BUILD)/tests/fuzz/files.c.o $(BUILD)/tests/fuzz/replay.c.o \
                   $(BUILD)/libpm.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@
units: $(FUZZERS:%=$(BUILD)/replay/%)
-include $(FUZZ_OBJECTS:.o=.d) $(wildcard $(BUILD)/tests/fuzz/*.d $(BUILD)/fuzz/objects/tests/fuzz/*.d)

.PHONY: fuzz
fuzz: ## libFuzzer over each parser: make fuzz FUZZ_TIME=600 FUZZ="stream arrays"
	@$(MAKE) --no-print-directory deps PACKAGES='$(PACKAGES) clang libclang-rt-14-dev'
	+@$(MAKE) --no-print-directory $(PARALLEL) $(FUZZ:%=$(BUILD)/fuzz/%)
	@tests/fuzz/run $(BUILD)/fuzz $(FUZZ_TIME) $(FUZZ)
