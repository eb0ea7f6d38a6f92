# A data set of one's own: the towers that its files allow, trained and evaluated.
#   make dataset ITEMS=items.tsv BEHAVIOURS=users.tsv IMAGES=images/ OUT=build/mine
# Without IMAGES only texts are used. stages.mk lists what else may be set, such as TEXT_ENCODER=xlm-r.pmt
# TOKENIZER=sentencepiece.bpe.model TEXT_BLOCKS=10 FUSION=co_att EPOCHS=5.
BUILD ?= build
OUT   ?= $(BUILD)/mine
include $(dir $(lastword $(MAKEFILE_LIST)))lock.mk
ifdef WORK

ITEMS      ?=
BEHAVIOURS ?=
TOWERS     ?= $(if $(IMAGES)$(IMAGE),modal) text-only $(if $(IMAGES)$(IMAGE),image-only)

ifneq ($(and $(ITEMS),$(BEHAVIOURS)),)
.PHONY: dataset
.DEFAULT_GOAL := dataset
dataset: $(OUT)/results.tsv $(OUT)/curves.svg $(OUT)/report.html
	$(call show,$(OUT))
else
$(error say ITEMS=items.tsv BEHAVIOURS=users.tsv, and IMAGES=folder where there are images)
endif

$(foreach tower,$(TOWERS),$(eval $(tower).TOWER := $(tower))$(eval $(tower).DATASET := mine))
RUNS := $(call runs_of,$(TOWERS))
$(call streams,mine)
$(call runs,$(RUNS))
$(foreach name,popularity co-occurrence,$(call baseline,mine,$(name)))
$(call summary,$(OUT),$(RUNS) popularity co-occurrence,$(RUNS))

endif
