# The demo: made-up data, small encoders trained from nothing, each modality alone and both together, beside
# the baselines. make demo leaves build/demo/results.tsv and build/demo/curves.svg.
include $(dir $(lastword $(MAKEFILE_LIST)))stages.mk

OUT   ?= $(BUILD)/demo
SYNTH ?= --items 1200 --users 2500 --seed 1

TOWERS     := modal text-only image-only
data       := $(OUT)/data
ITEMS      := $(data)/items.tsv
BEHAVIOURS := $(data)/users.tsv
IMAGES     := $(data)/images
TOKENIZER  := $(data)/vocab.txt

.PHONY: demo
.DEFAULT_GOAL := demo
demo: $(OUT)/results.tsv $(OUT)/curves.svg
	$(call show,$(OUT))

$(call stage,$(ITEMS) $(BEHAVIOURS) $(TOKENIZER),,pm-synth data $(data) $(SYNTH))

$(foreach tower,$(TOWERS),$(eval $(tower).TOWER := $(tower))$(eval $(tower).DATASET := demo))
$(call streams,demo)
$(foreach tower,$(TOWERS),$(call run,$(tower)))
$(foreach name,popularity co-occurrence,$(call baseline,demo,$(name)))
$(call summary,$(OUT),$(TOWERS) popularity co-occurrence,$(TOWERS))
