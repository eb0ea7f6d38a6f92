# ThreadSanitizer over all of the library, OpenMP's loops too: by clang, whose OpenMP tells it (by libarcher) what waits
# for what. build/tsan/bin has the tools, build/tsan/unit the unit programs of what has threads of its own.
TSAN_OBJECTS := $(patsubst %,$(BUILD)/tsan/objects/%.o,$(filter-out %/on_host%,$(SOURCES)))
TSAN_FLAGS   := -O1 -g -march=$(ARCH) -ffp-contract=off -fno-math-errno -fsanitize=thread
TSAN_BIN     := $(TOOLS:$(BUILD)/%=$(BUILD)/tsan/%)
TSAN_UNITS   := $(addprefix $(BUILD)/tsan/unit/test_,stream stream_parts index join feature_store image_pack \
                  image_store pickled_images)

$(NOT_BY_CLANG:%=$(BUILD)/tsan/objects/%.o): $(BUILD)/tsan/objects/%.o: % $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -std=gnu17 $(TSAN_FLAGS) -MMD -MP -c $< -o $@
$(BUILD)/tsan/objects/%.c.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	clang $(CPPFLAGS) -std=gnu17 -fopenmp $(TSAN_FLAGS) -MMD -MP -c $< -o $@
$(BUILD)/tsan/objects/%.cc.o: %.cc $(BUILD)/flags
	@mkdir -p $(@D)
	clang++ $(CPPFLAGS) -std=c++17 $(TSAN_FLAGS) -MMD -MP -c $< -o $@
$(BUILD)/tsan/libpm.a: $(TSAN_OBJECTS)
	@rm -f $@
	ar rcs $@ $^
$(BUILD)/tsan/bin/%: $(BUILD)/tsan/objects/tools/%.c.o $(BUILD)/tsan/libpm.a
	@mkdir -p $(@D)
	clang -fopenmp -fsanitize=thread $^ $(LDLIBS) -o $@
$(BUILD)/tsan/unit/%: $(BUILD)/tsan/objects/tests/unit/%.c.o $(BUILD)/tsan/libpm.a
	@mkdir -p $(@D)
	clang -fopenmp -fsanitize=thread $^ $(LDLIBS) -o $@
-include $(TSAN_OBJECTS:.o=.d) $(wildcard $(BUILD)/tsan/objects/tools/*.d $(BUILD)/tsan/objects/tests/unit/*.d)

.PHONY: tsan
tsan: ## ThreadSanitizer (clang, libomp): the unit tests, and the tools with four threads
	@$(MAKE) --no-print-directory deps PACKAGES='$(PACKAGES) clang libclang-rt-14-dev libomp-14-dev'
	+@$(MAKE) --no-print-directory $(PARALLEL) $(TSAN_BIN) $(TSAN_UNITS)
	tests/tsan/run $(BUILD)/tsan
