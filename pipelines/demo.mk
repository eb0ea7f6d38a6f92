# The demo: made-up data, small encoders trained from nothing, each modality alone and both together, beside
# the baselines. make demo leaves build/demo/results.tsv and build/demo/curves.svg.
BUILD ?= build
OUT   ?= $(BUILD)/demo
include $(dir $(lastword $(MAKEFILE_LIST)))lock.mk
ifdef WORK

SYNTH ?= --items 1200 --users 2500 --seed 1

TOWERS     := modal text-only image-only
data       := $(OUT)/data
ITEMS      := $(data)/items.tsv
BEHAVIOURS := $(data)/users.tsv
IMAGES     := $(data)/images
TOKENIZER  := $(data)/vocab.txt

.PHONY: demo
.DEFAULT_GOAL := demo
demo: $(OUT)/results.tsv $(OUT)/curves.svg $(OUT)/report.html
	$(call show,$(OUT))

$(call stage,$(ITEMS) $(BEHAVIOURS) $(TOKENIZER) $(IMAGES),,pm-synth data $(data) $(SYNTH))

$(foreach tower,$(TOWERS),$(eval $(tower).TOWER := $(tower))$(eval $(tower).DATASET := demo))
RUNS := $(call runs_of,$(TOWERS))
$(call streams,demo)
$(call runs,$(RUNS))
$(foreach name,popularity co-occurrence,$(call baseline,demo,$(name)))
$(call summary,$(OUT),$(RUNS) popularity co-occurrence,$(RUNS))

endif
