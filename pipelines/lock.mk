# What each pipeline includes first, with OUT set. Its goals are made by another make that holds the lock of OUT, so
# that two of them never mix their results; what is wrong with the command line is found before anything is written.
# A pipeline's own work stands between ifdef WORK and endif.
BUILD     ?= build
pipelines := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
DRY       := $(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS))))
MAKEFLAGS += --no-builtin-rules

$(if $(word 2,$(OUT)),$(error OUT is "$(OUT)": a path must have no spaces))
ifneq ($(DRY)$(filter $(OUT),$(LOCKED)),)
WORK := yes
include $(pipelines)/stages.mk
else
pipeline := $(firstword $(MAKEFILE_LIST))
goals    := $(or $(MAKECMDGOALS),$(notdir $(basename $(pipeline))))
remake   := $(MAKE) --no-print-directory -f $(pipeline)
.PHONY: $(goals)
$(wordlist 2,99,$(goals)): $(firstword $(goals))
	@:
$(firstword $(goals)):
	@$(remake) -n $(goals) > /dev/null
	+@mkdir -p $(OUT); flock --nonblock --conflict-exit-code 99 $(OUT)/.lock $(remake) LOCKED=$(OUT) $(goals); \
	status=$$?; [ $$status -ne 99 ] || echo "$(OUT) is in use by another make: wait for it, or say another OUT" >&2; \
	exit $$status
endif
