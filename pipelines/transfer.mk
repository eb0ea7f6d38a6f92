# Transfer: a model pre-trained with all objectives on a source data set, and what each of its parts is worth
# on a target that shares no item and no user with it.
#   make pretrain                  build/transfer/source/pretrain/model.pmt
#   make transfer                  build/transfer/target/results.tsv and curves.svg
# Without files of one's own, source and target are two made-up domains. Others:
#   make transfer source.ITEMS=… source.BEHAVIOURS=… source.IMAGES=… target.ITEMS=… target.BEHAVIOURS=…
#                 target.IMAGES=… TOKENIZER=… SETTINGS=pipelines/paper.mk
BUILD ?= build
OUT   ?= $(BUILD)/transfer
include $(dir $(lastword $(MAKEFILE_LIST)))lock.mk
ifdef WORK

source.OUT := $(OUT)/source
target.OUT := $(OUT)/target

# $(call domain,DATASET,OPTIONS): made-up data for a data set that has no files of its own.
domain = $(if $($(1).ITEMS),,$(call made_up,$(1),$($(1).OUT)/data,$(2)))
define made_up
$(eval $(1).ITEMS := $(2)/items.tsv)
$(eval $(1).BEHAVIOURS := $(2)/users.tsv)
$(eval $(1).IMAGES := $(2)/images)
$(eval $(1).TOKENIZER := $(2)/vocab.txt)
$(call stage,$(2)/items.tsv $(2)/users.tsv $(2)/vocab.txt $(2)/images,,pm-synth data $(2) $(3))
endef
$(call domain,source,$(or $(SOURCE_SYNTH),--domain A --items 1200 --users 2500))
$(call domain,target,$(or $(TARGET_SYNTH),--domain B --items 600 --users 600))

# ---- Pre-training ----
PRETRAIN_OBJECTIVE ?= dap,nicl=0.1,nid=1,rcl=0.1
PRETRAIN_EPOCHS    ?= $(EPOCHS)
pretrain.DATASET   := source
pretrain.OBJECTIVE := $(PRETRAIN_OBJECTIVE)
pretrain.EPOCHS    := $(PRETRAIN_EPOCHS)

# ---- What is transferred: everything, the item encoders, the user encoder, or one modality ----
TRANSFERS := scratch full items user text-only image-only
full.TRANSFER       := full
items.TRANSFER      := items
user.TRANSFER       := user
text-only.TRANSFER  := text
image-only.TRANSFER := image
text-only.TOWER     := text-only
image-only.TOWER    := image-only
$(foreach name,$(TRANSFERS),$(eval $(name).DATASET := target))
$(foreach name,$(filter-out scratch,$(TRANSFERS)),$(eval $(name).INIT := pretrain))

.PHONY: pretrain transfer
.DEFAULT_GOAL := transfer
pretrain: $(OUT)/source/results.tsv $(OUT)/source/curves.svg $(OUT)/source/report.html
	$(call show,$(OUT)/source)
transfer: $(OUT)/target/results.tsv $(OUT)/target/curves.svg $(OUT)/target/report.html
	$(call show,$(OUT)/target)

SOURCE_RUNS := $(call runs_of,pretrain)
TARGET_RUNS := $(call runs_of,$(TRANSFERS))
$(call streams,source)
$(call streams,target)
$(call runs,$(SOURCE_RUNS) $(TARGET_RUNS))
$(foreach set,source target,$(foreach name,popularity co-occurrence,$(call baseline,$(set),$(name))))
$(call summary,$(OUT)/source,$(SOURCE_RUNS) popularity co-occurrence,$(SOURCE_RUNS))
$(call summary,$(OUT)/target,$(TARGET_RUNS) popularity co-occurrence,$(TARGET_RUNS))

endif
