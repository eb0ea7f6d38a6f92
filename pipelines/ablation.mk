# Ablation: what each objective of pre-training is worth on one data set. All of them together, each left out in
# turn, DAP alone, and the ablations of NICL in its place.
#   make ablation                  build/ablation/results.tsv and curves.svg
# Without files of one's own (ITEMS, BEHAVIOURS, IMAGES) the data set is the source domain of make transfer.
BUILD ?= build
OUT   ?= $(BUILD)/ablation
include $(dir $(lastword $(MAKEFILE_LIST)))lock.mk
ifdef WORK

SYNTH ?= --domain A --items 1200 --users 2500
data  := $(OUT)/data

ifeq ($(ITEMS),)
ITEMS      := $(data)/items.tsv
BEHAVIOURS := $(data)/users.tsv
IMAGES     := $(data)/images
TOKENIZER  := $(data)/vocab.txt
$(call stage,$(ITEMS) $(BEHAVIOURS) $(TOKENIZER) $(IMAGES),,pm-synth data $(data) $(SYNTH))
endif

OBJECTIVE_RUNS := all without-nicl without-nid without-rcl dap vcl icl ncl
all.OBJECTIVE          := dap,nicl=0.1,nid=1,rcl=0.1
without-nicl.OBJECTIVE := dap,nid=1,rcl=0.1
without-nid.OBJECTIVE  := dap,nicl=0.1,rcl=0.1
without-rcl.OBJECTIVE  := dap,nicl=0.1,nid=1
dap.OBJECTIVE          := dap
vcl.OBJECTIVE          := dap,vcl=0.1,nid=1,rcl=0.1
icl.OBJECTIVE          := dap,icl=0.1,nid=1,rcl=0.1
ncl.OBJECTIVE          := dap,ncl=0.1,nid=1,rcl=0.1
$(foreach name,$(OBJECTIVE_RUNS),$(eval $(name).DATASET := ablation))

.PHONY: ablation
.DEFAULT_GOAL := ablation
ablation: $(OUT)/results.tsv $(OUT)/curves.svg $(OUT)/report.html
	$(call show,$(OUT))

RUNS := $(call runs_of,$(OBJECTIVE_RUNS))
$(call streams,ablation)
$(call runs,$(RUNS))
$(call summary,$(OUT),$(RUNS),$(RUNS))

endif
