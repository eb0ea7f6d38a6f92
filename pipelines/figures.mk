# The figures of README.md, made again.
#   make figures                   of made-up data: build/figures/{demo,demo-bf16,transfer,ablation}.tsv
#   make figures DATA=ml1m         and of films: {films,films-bf16,films-transfer}.tsv. DATA holds items.tsv, users.tsv and
#                                  images/ of all, and of two domains without a common item in serious/ and comedy/
#   make figures DATA=ml1m build/figures/films.tsv   of films alone
# Each is the table of a pipeline, with the mean (lowest … highest) of SEEDS. What is there already is not made again.
BUILD ?= build
OUT   ?= $(BUILD)/figures
SEEDS ?= 1 2 3
DATA  ?=
pipelines := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
MADE_UP := demo demo-bf16 transfer ablation
FILMS   := $(if $(DATA),films films-bf16 films-transfer)

.DEFAULT_GOAL := figures
.PHONY: figures FORCE
figures: $(foreach name,$(MADE_UP) $(FILMS),$(OUT)/$(name).tsv)
	@for table in $(^:$(OUT)/%=%); do echo "== $${table%.tsv}"; $(pipelines)/results --show $(OUT)/$$table; done
FORCE:

# $(call pipeline,NAME,FOLDER,VARIABLES): the pipeline NAME with its results in FOLDER.
pipeline = $(MAKE) --no-print-directory -f $(pipelines)/$(1).mk OUT=$(OUT)/$(2) SEEDS= $(3) $(1)

# Made-up data are others with each seed, too.
$(OUT)/transfer.tsv: $(SEEDS:%=$(OUT)/transfer-%/target/results.tsv)
$(OUT)/ablation.tsv: $(SEEDS:%=$(OUT)/ablation-%/results.tsv)
$(OUT)/transfer.tsv $(OUT)/ablation.tsv:
	@$(pipelines)/results --mean $^ > $@.part && mv $@.part $@
$(OUT)/transfer-%/target/results.tsv: FORCE
	+@$(call pipeline,transfer,transfer-$*,SEED=$* SOURCE_SYNTH="--domain A --items 1200 --users 2500 --seed $*" \
	    TARGET_SYNTH="--domain B --items 600 --users 600 --seed $*")
$(OUT)/ablation-%/results.tsv: FORCE
	+@$(call pipeline,ablation,ablation-$*,SEED=$* SYNTH="--domain A --items 1200 --users 2500 --seed $*")

# The same data for every seed.
$(OUT)/%.tsv: FORCE
	+@$(call $*_figure)
	@cp $(OUT)/$(or $($*_folder),$*)/results.tsv $@
demo_figure      = $(call pipeline,demo,demo,SEEDS="$(SEEDS)")
demo-bf16_figure = $(call pipeline,demo,demo-bf16,SEEDS="$(SEEDS)" TRAIN_USER="pm-train-user --dtype bf16")
films            = ITEMS=$(DATA)/items.tsv BEHAVIOURS=$(DATA)/users.tsv IMAGES=$(DATA)/images \
  SETTINGS=$(pipelines)/films-terms.mk SEEDS="$(SEEDS)"
films_figure      = $(call pipeline,dataset,films,$(films))
films-bf16_figure = $(call pipeline,dataset,films-bf16,$(films) TRAIN_USER="pm-train-user --dtype bf16")
domain           = $(1).ITEMS=$(DATA)/$(2)/items.tsv $(1).BEHAVIOURS=$(DATA)/$(2)/users.tsv $(1).IMAGES=$(DATA)/images
films-transfer_figure = $(call pipeline,transfer,films-transfer,$(call domain,source,serious) $(call domain,target,comedy) \
  SETTINGS=$(pipelines)/films.mk EPOCHS=4 PRETRAIN_EPOCHS=15 SEEDS="$(SEEDS)")
films-transfer_folder = films-transfer/target
