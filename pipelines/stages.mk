# The stages from a data set to figures, for the pipelines beside this file to put together.
#
# A data set and a trained model ("run") are each a name and some variables. NAME.VARIABLE is one's own value;
# where there is none, VARIABLE alone is everyone's:
#   $(call streams,NAME)  makes a data set's streams in OUT, from ITEMS, BEHAVIOURS, IMAGES and the encoders
#   $(call run,NAME)      trains on DATASET in OUT/NAME and evaluates: model.pmt, log.jsonl, valid.json, test.json
#   $(call baseline,DATASET,popularity|co-occurrence)
#   $(call summary,FOLDER,RUNS…)  results.tsv and curves.svg of runs, in the order given
# A stage is made again when its inputs change, and when its command line does: TARGET.command holds it and is
# written only when it says something else. So a new learning rate trains and evaluates, and encodes nothing.

# The folder of the tools; empty: they are on PATH.
BIN ?=
ifneq ($(BIN),)
export PATH := $(abspath $(BIN)):$(PATH)
endif
# Stages that run at the same time share the processors: threads that wait must not keep them busy.
export OMP_WAIT_POLICY ?= passive
pipelines := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
BUILD     ?= build

# ---- Settings, with the demo's sizes as defaults; SETTINGS names a makefile with others ----
ifdef SETTINGS
include $(SETTINGS)
endif
IMAGES        ?=
TOKENIZER     ?=
MAX_TOKENS    ?= $(if $(TOKENIZER),50,128)
IMAGE_SIZE    ?= 32
# An encoder is a .json (a Hugging Face config.json: fresh weights), a .pmt, or a .safetensors or .pt beside
# its config.json.
TEXT_ENCODER  ?= $(pipelines)/configs/text-small.json
IMAGE_ENCODER ?= $(pipelines)/configs/image-small.json
# How many blocks are frozen and run once; 0: the whole encoder is trained, with its embeddings.
TEXT_BLOCKS   ?= 0
IMAGE_BLOCKS  ?= 0
DTYPE         ?= f32
SEED          ?= 1
TOWER         ?= modal
FUSION        ?= merge_attn
# Training: what may differ between runs has a word of its own, all else stands in TRAIN. The encoders have the
# learning rate LR where they have none of their own.
LR            ?= 5e-4
TEXT_LR       ?=
IMAGE_LR      ?=
EPOCHS        ?= 10
OBJECTIVE     ?= dap
MAX_SEQ_LEN   ?= 20
TRAIN         ?= --dim 64 --fusion-heads 4 --fusion-intermediate 128 --user-heads 2 --user-blocks 2 \
                 --batch-size 32 --dropout 0 --schedule cosine
# A run whose model to start from, and which parts of it: full, items, user, text or image.
INIT          ?=
TRANSFER      ?= full

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: FORCE
FORCE:

# ---- What a stage is ----
of = $(if $(filter undefined,$(origin $(1).$(2))),$($(2)),$($(1).$(2)))
equal = $(and $(findstring x$(1)x,x$(2)x),$(findstring x$(2)x,x$(1)x))
# strip: make 4.3 does not always take away the newline at the end of a file that it reads.
remember = $(if $(call equal,$(strip $(file <$(1))),$(2)),,$(shell mkdir -p $(dir $(1)))$(file >$(1),$(2)))

# $(call stage,TARGETS,PREREQUISITES,COMMAND): a command that makes the first target and the others with it.
# (Grouped targets, "&:", would say so too, but under -n make 4.3 does not see what depends on them.)
stage = $(call remember,$(firstword $(1)).command,$(strip $(3)))\
  $(eval $(call stage_rule,$(firstword $(1)),$(strip $(2)),$(strip $(3)),$(wordlist 2,9,$(1))))
define stage_rule
$(1): $(2) $(1).command
	$(3)
$(if $(4),$(4): $(1)
	@[ -e $$@ ] || { $(3); }; touch $$@)
endef

# Standard output to a file that appears when it is complete.
into = > $(1).part && mv $(1).part $(1)

# ---- From a data set to streams ----
# The file that an encoder is read from, made beside the streams when it is not a .pmt yet.
encoder = $(or $(filter %.pmt,$(call of,$(1),$(2)_ENCODER)),$(call of,$(1),OUT)/$(3)-encoder.pmt)
make_encoder = $(if $(filter %.pmt,$(2)),,$(if $(filter %.json,$(2)),\
  $(call stage,$(1),$(2),pm-synth encoder $(2) --seed $(SEED) -o $(1)),\
  $(call stage,$(1),$(2) $(dir $(2))config.json,pm-import --encoder $(2) --config $(dir $(2))config.json -o $(1))))

# What training reads of texts and of images: hidden states when blocks are frozen, else tokens and images.
frozen = $(filter-out 0,$(call of,$(1),$(2)_BLOCKS))
text_source = $(call of,$(1),OUT)/$(if $(call frozen,$(1),TEXT),text,tokens).pmt
image_source = $(call of,$(1),OUT)/$(if $(call frozen,$(1),IMAGE),image.pmt,images.lmdb)

# FORCE when a file in the folder of images was added, changed or removed since the store was made.
images_changed = $(if $(shell find -L $(1) -newer $(2) -print -quit 2>&1),FORCE)

streams = $(call text_streams,$(1),$(call of,$(1),OUT))\
  $(if $(call of,$(1),IMAGES),$(call image_streams,$(1),$(call of,$(1),OUT)))

define text_streams
$(call stage,$(2)/tokens.pmt,$(call of,$(1),ITEMS) $(call of,$(1),TOKENIZER),
  pm-tokenize $(if $(call of,$(1),TOKENIZER),--model $(call of,$(1),TOKENIZER),--bytes)
    --max-tokens $(call of,$(1),MAX_TOKENS) -o $(2)/tokens.pmt < $(call of,$(1),ITEMS))
$(call make_encoder,$(2)/text-encoder.pmt,$(call of,$(1),TEXT_ENCODER))
$(if $(call frozen,$(1),TEXT),$(call stage,$(2)/text.pmt,$(2)/tokens.pmt $(call encoder,$(1),TEXT,text),
  pm-encode-text --encoder $(call encoder,$(1),TEXT,text) --blocks $(call of,$(1),TEXT_BLOCKS)
    --dtype $(call of,$(1),DTYPE) -o $(2)/text.pmt < $(2)/tokens.pmt))
endef

define image_streams
$(call stage,$(2)/images.lmdb,$(call of,$(1),ITEMS) $(call images_changed,$(call of,$(1),IMAGES),$(2)/images.lmdb),
  pm-imgpack --images $(call of,$(1),IMAGES) --items $(call of,$(1),ITEMS)
    --size $(call of,$(1),IMAGE_SIZE) -o $(2)/images.lmdb)
$(call make_encoder,$(2)/image-encoder.pmt,$(call of,$(1),IMAGE_ENCODER))
$(if $(call frozen,$(1),IMAGE),$(call stage,$(2)/image.pmt,$(2)/images.lmdb $(call encoder,$(1),IMAGE,image),
  pm-encode-image --encoder $(call encoder,$(1),IMAGE,image) --blocks $(call of,$(1),IMAGE_BLOCKS)
    --dtype $(call of,$(1),DTYPE) -o $(2)/image.pmt $(2)/images.lmdb))
endef

# ---- From streams to a trained model and its figures ----
folder = $(call of,$(call of,$(1),DATASET),OUT)/$(1)
has_text = $(filter modal text-only,$(call of,$(1),TOWER))
has_image = $(filter modal image-only,$(call of,$(1),TOWER))
init_model = $(if $(call of,$(1),INIT),$(call folder,$(call of,$(1),INIT))/model.pmt)

run = $(call run_stages,$(1),$(call of,$(1),DATASET),$(call folder,$(1)))
run_stages = $(call train,$(1),$(2),$(3))$(call vectors,$(1),$(2),$(3))\
  $(foreach split,valid test,$(call evaluate,$(1),$(2),$(3),$(split)))

define train
$(call stage,$(3)/model.pmt $(3)/log.jsonl,$(call of,$(2),BEHAVIOURS) $(call init_model,$(1))
    $(if $(call has_text,$(1)),$(call text_source,$(2)) $(call encoder,$(2),TEXT,text))
    $(if $(call has_image,$(1)),$(call image_source,$(2)) $(call encoder,$(2),IMAGE,image)),
  pm-train-user --users $(call of,$(2),BEHAVIOURS) --tower $(call of,$(1),TOWER)
    $(if $(call has_text,$(1)),--text $(call text_source,$(2)) --text-encoder $(call encoder,$(2),TEXT,text))
    $(if $(call has_image,$(1)),--image $(call image_source,$(2)) --image-encoder $(call encoder,$(2),IMAGE,image))
    $(if $(filter id,$(call of,$(1),TOWER)),--catalog $(call of,$(2),ITEMS))
    $(if $(call init_model,$(1)),--init $(call init_model,$(1)) --transfer $(call of,$(1),TRANSFER))
    --fusion $(call of,$(1),FUSION) --objective $(call of,$(1),OBJECTIVE) --epochs $(call of,$(1),EPOCHS)
    --lr $(call of,$(1),LR) $(if $(call has_text,$(1)),--text-lr $(or $(call of,$(1),TEXT_LR),$(call of,$(1),LR)))
    $(if $(call has_image,$(1)),--image-lr $(or $(call of,$(1),IMAGE_LR),$(call of,$(1),LR)))
    --max-seq-len $(call of,$(2),MAX_SEQ_LEN) $(call of,$(1),TRAIN) --seed $(call of,$(1),SEED) --log $(3)/log.jsonl -o $(3)/model.pmt)
endef

# The model's own blocks carry the streams to the top; fusion makes one vector an item of them.
define vectors
$(if $(call has_text,$(1)),$(call stage,$(3)/text-top.pmt,$(3)/model.pmt $(call text_source,$(2)),
  pm-encode-text --model $(3)/model.pmt -o $(3)/text-top.pmt < $(call text_source,$(2))))
$(if $(call has_image,$(1)),$(call stage,$(3)/image-top.pmt,$(3)/model.pmt $(call image_source,$(2)),
  pm-encode-image --model $(3)/model.pmt -o $(3)/image-top.pmt $(call image_source,$(2))))
$(call stage,$(3)/items.pmt,$(3)/model.pmt
    $(if $(call has_text,$(1)),$(3)/text-top.pmt) $(if $(call has_image,$(1)),$(3)/image-top.pmt),
  pm-fuse --model $(3)/model.pmt $(if $(call has_text,$(1)),--text $(3)/text-top.pmt)
    $(if $(call has_image,$(1)),--image $(3)/image-top.pmt) -o $(3)/items.pmt)
endef

define evaluate
$(call stage,$(3)/$(4).json,$(3)/model.pmt $(3)/items.pmt $(call of,$(2),BEHAVIOURS),
  pm-eval --model $(3)/model.pmt --users $(call of,$(2),BEHAVIOURS) --items $(3)/items.pmt --split $(4)
    --json $(call into,$(3)/$(4).json))
endef

baseline = $(foreach split,valid test,\
  $(call evaluate_baseline,$(1),$(2),$(call of,$(1),OUT)/$(2)/$(split).json,$(split)))
define evaluate_baseline
$(call stage,$(3),$(call of,$(1),BEHAVIOURS) $(call of,$(1),ITEMS),
  pm-eval --baseline $(2) --users $(call of,$(1),BEHAVIOURS) --catalog $(call of,$(1),ITEMS)
    --max-seq-len $(call of,$(1),MAX_SEQ_LEN) --split $(4) --json $(call into,$(3)))
endef

# ---- From figures to a table and a picture ----
# $(call summary,FOLDER,RUNS,LOGGED): all runs in the table, those with a training log in the picture.
define summary
$(call stage,$(1)/results.tsv,$(foreach name,$(2),$(1)/$(name)/valid.json $(1)/$(name)/test.json) $(pipelines)/results,
  $(pipelines)/results $(1) $(2) $(call into,$(1)/results.tsv))
$(call stage,$(1)/curves.svg,$(foreach name,$(3),$(1)/$(name)/log.jsonl) $(pipelines)/curves.gp $(pipelines)/log.awk,
  gnuplot -c $(pipelines)/curves.gp $(pipelines)/log.awk $(1) "$(strip $(3))" $(call into,$(1)/curves.svg))
endef

show = @$(pipelines)/results --show $(1)/results.tsv
