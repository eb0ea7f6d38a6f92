# A data set of one's own: the towers that its files allow, trained and evaluated.
#   make dataset ITEMS=items.tsv BEHAVIOURS=users.tsv IMAGES=images/ OUT=build/mine
# Without IMAGES only texts are used. stages.mk lists what else may be set, such as TEXT_ENCODER=xlm-r.pmt
# TOKENIZER=sentencepiece.bpe.model TEXT_BLOCKS=10 FUSION=co_att EPOCHS=5.
include $(dir $(lastword $(MAKEFILE_LIST)))stages.mk

OUT        ?= $(BUILD)/mine
ITEMS      ?=
BEHAVIOURS ?=
TOWERS     ?= $(if $(IMAGES),modal) text-only $(if $(IMAGES),image-only)

ifneq ($(and $(ITEMS),$(BEHAVIOURS)),)
.PHONY: dataset
.DEFAULT_GOAL := dataset
dataset: $(OUT)/results.tsv $(OUT)/curves.svg
	$(call show,$(OUT))
else
$(error say ITEMS=items.tsv BEHAVIOURS=users.tsv, and IMAGES=folder where there are images)
endif

$(foreach tower,$(TOWERS),$(eval $(tower).TOWER := $(tower))$(eval $(tower).DATASET := mine))
$(call streams,mine)
$(foreach tower,$(TOWERS),$(call run,$(tower)))
$(foreach name,popularity co-occurrence,$(call baseline,mine,$(name)))
$(call summary,$(OUT),$(TOWERS) popularity co-occurrence,$(TOWERS))
