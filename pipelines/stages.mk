# The stages from a data set to figures, for the pipelines beside this file to put together.
#
# A data set and a trained model ("run") are each a name and some variables. NAME.VARIABLE is one's own value;
# where there is none, that of NAME.PARENT, and at last VARIABLE alone, which is everyone's:
#   $(call streams,NAME)  makes a data set's streams in OUT, from ITEMS, BEHAVIOURS, IMAGES and the encoders
#   $(call runs,NAMES)    trains on DATASET in OUT/NAME and evaluates: model.pmt, log.jsonl, valid.json, test.json
#   $(call baseline,DATASET,popularity|co-occurrence)
#   $(call runs_of,NAMES) the runs of a grid: each name with each of LRS, FUSIONS, OBJECTIVES … and SEEDS
#   $(call summary,FOLDER,RUNS…,LOGGED…)  results.tsv, curves.svg and report.html of runs, in the order given
# A stage is made again when the content of its inputs changes, and when its command does: TARGET.command holds the
# command that made the target, with the version of its tool. So a new learning rate trains and evaluates, and encodes
# nothing. make why GOAL says what would be made, and because of what.

# The folder of the tools; empty: they are on PATH.
BIN ?=
ifneq ($(BIN),)
export PATH := $(abspath $(BIN)):$(PATH)
endif
# Stages that run at the same time share the processors: threads that wait must not keep them busy for long.
export GOMP_SPINCOUNT ?= 300
# What a tool's messages say it is at work on.
export PM_LABEL = $(@:$(OUT)/%=%)

# ---- Settings, with the demo's sizes as defaults; SETTINGS names a makefile with others ----
ifdef SETTINGS
include $(SETTINGS)
endif
IMAGES        ?=
TOKENIZER     ?=
MAX_TOKENS    ?= $(if $(filter --bytes,$(tokenizer)),128,50)
IMAGE_SIZE    ?= 32
# Ready streams, which other programs made, in place of what would be made of ITEMS and IMAGES.
TEXT          ?=
IMAGE         ?=
# An encoder is a .json (a Hugging Face config.json: fresh weights), a .pmt, a Hugging Face folder, or a .safetensors
# or .pt beside its config.json. Streams from elsewhere have none, but where it is said.
foreign.TEXT  := $(ENCODE_TEXT)
foreign.IMAGE := $(ENCODE_IMAGE)
TEXT_ENCODER  ?= $(if $(foreign.TEXT)$(call the,TEXT),,$(pipelines)/configs/text-small.json)
IMAGE_ENCODER ?= $(if $(foreign.IMAGE)$(call the,IMAGE),,$(pipelines)/configs/image-small.json)
# How many blocks are frozen and run once; 0: the whole encoder is trained, with its embeddings.
TEXT_BLOCKS   ?= 0
IMAGE_BLOCKS  ?= 0
DTYPE         ?= f32
# An item without an image, an image that cannot be read: error, zero, skip. Items of users that are nowhere: error, drop.
MISSING       ?= error
BROKEN        ?= error
UNKNOWN_ITEMS ?= $(if $(filter skip,$(call the,MISSING) $(call the,BROKEN)),drop,error)
# Where training keeps streams of hidden states unpacked, for all runs; empty: nowhere.
CACHE         ?= $(out)/cache
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

# ---- The stages' commands. Any other program takes the place of one that reads the same and has -o FILE ----
# The line that a stage ends in: items.tsv or a stream on standard input, or the store of images as an operand.
TOKENIZE     ?= pm-tokenize $(tokenizer) --max-tokens $(call the,MAX_TOKENS)
IMGPACK      ?= pm-imgpack --resume --size $(call the,IMAGE_SIZE) --missing $(call the,MISSING) --broken $(call the,BROKEN)
ENCODE_TEXT  ?= pm-encode-text --resume --encoder $(call encoder,TEXT) --blocks $(call the,TEXT_BLOCKS) \
                --dtype $(call the,DTYPE)
ENCODE_IMAGE ?= pm-encode-image --resume --encoder $(call encoder,IMAGE) --blocks $(call the,IMAGE_BLOCKS) \
                --dtype $(call the,DTYPE)
TRAIN_USER   ?= pm-train-user
FUSE         ?= pm-fuse
EVALUATE     ?= pm-eval

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: FORCE
FORCE:

# ---- What a stage is ----
of = $(if $(filter undefined,$(origin $(1).$(2))),$(if $($(1).PARENT),$(call of,$($(1).PARENT),$(2)),$($(2))),$($(1).$(2)))
# A variable of the data set, of the run, that a stage is being made for.
the = $(call of,$(dataset),$(1))
its = $(call of,$(run),$(1))

equal = $(and $(findstring x$(1)x,x$(2)x),$(findstring x$(2)x,x$(1)x))
quote = '$(subst ','\'',$(1))'
# strip: make 4.3 does not always take away the newline at the end of a file that it reads.
recorded = $(strip $(file <$(1).command))
# A command as it is recorded: with the versions of the tools in it.
signed = $(strip $(1) $(foreach tool,$(filter pm-%,$(1)),$(call version,$(tool))))
version = $(if $(filter undefined,$(origin version.$(1))),$(eval version.$(1) := \
  [$(shell $(addsuffix /,$(BIN))$(1) --version 2> /dev/null | head -n 1)]))$(version.$(1))
difference = $(if $(1),its command has "$(filter-out $(1),$(2))" where it had "$(filter-out $(2),$(1))",it is not known how it was made)
changed = $(if $(and $(wildcard $(1)),$(if $(call equal,$(call recorded,$(1)),$(2)),,yes)),$(call difference,$(call recorded,$(1)),$(2)))
# Names of prerequisites as the user knows them.
named = $(foreach file,$(filter-out FORCE,$(1)),$(if $(filter $(OUT)/inputs/%,$(file)),$(subst @,/,$(file:$(OUT)/inputs/%=%)),$(file)))

# What stands for an input: what a stage makes, itself; a file of the user's, a record of its content, so that one
# that was touched, copied or fetched again is still the same.
content = $(if $(filter $(1),$(made)),$(1),$(call record,$(OUT)/inputs/$(subst /,@,$(1)),$(1)))
record = $(if $(filter $(1),$(records)),,$(eval records += $(1))$(eval $(record_rule)))$(1)
define record_rule
$(1): $(if $(shell $(pipelines)/fingerprint $(if $(DRY),--same,--renew) $(1) $(2) || echo changed),FORCE) ; \
  $(if $(DRY),,@$(pipelines)/fingerprint --write $(1) $(2))
endef

# $(call stage,TARGETS,INPUTS,COMMAND,CHECKPOINT): a command that makes the first target and the others with it, and
# that goes on from CHECKPOINT if it was interrupted.
# (Grouped targets, "&:", would say so too, but under -n make 4.3 does not see what depends on them.)
stage = $(eval made += $(1))$(call stage_of,$(firstword $(1)),$(wordlist 2,9,$(1)),$(strip $(3)),$(strip $(4)),\
  $(strip $(foreach input,$(2),$(call content,$(input)))))
stage_of = $(call stage_rule,$(1),$(2),$(3),$(4),$(5),$(call changed,$(1),$(call signed,$(3))))
stage_rule = $(eval $(if $(WHY),$(reason_rule),$(if $(DRY),$(dry_rule),$(making_rule))))
define making_rule
$(1): $(5) $(if $(6),FORCE)
	@mkdir -p $$(@D)$(if $(wildcard $(1)),; echo $(call quote,$(1) is made again:) $(reason))
$(if $(4),	@$(pipelines)/resume $(4) $(call quote,$(3)) $$^)
	$(3)
	@printf '%s\n' $(call quote,$(call signed,$(3))) > $$@.command$(if $(4),; rm -f $(4) $(4).command)
$(if $(2),$(2): $(1)
	@[ -e $$@ ] || { $(3); }; touch $$@)
endef
define dry_rule
$(1): $(5) $(if $(6),FORCE)
	$(3)
$(if $(2),$(2): $(1) ;)
endef
define reason_rule
$(1): $(5) $(if $(6),FORCE)
	$(1): $(if $(wildcard $(1)),$(reason),it is not there yet)
$(if $(2),$(2): $(1) ;)
endef
reason = $(if $(6),$(call $(if $(WHY),strip,quote),$(6)),because of $$(call named,$$?))

# Standard output to a file that appears when it is complete.
into = > $(1).part && mv $(1).part $(1)

# ---- From a data set to streams ----
out = $(call the,OUT)
lower.TEXT  := text
lower.IMAGE := image
is_folder = $(wildcard $(addsuffix /.,$(1)))

# The inputs are there, or it is said which is not, before anything is made.
inputs := ITEMS BEHAVIOURS IMAGES TOKENIZER TEXT IMAGE TEXT_ENCODER IMAGE_ENCODER
check = $(foreach name,$(inputs),$(call check_path,$(name),$(call the,$(name))))
check_path = $(if $(word 2,$(2)),$(error $(1) is "$(2)": a path must have no spaces))\
  $(if $(2),$(if $(filter $(2),$(made))$(wildcard $(2)),,$(error $(1) is "$(2)": there is no such file)))

tokenizer = $(strip $(if $(call the,TOKENIZER),$(if $(call is_folder,$(call the,TOKENIZER)),--encoder,--model) $(call the,TOKENIZER),\
  $(if $(call is_folder,$(call the,TEXT_ENCODER)),--encoder $(call the,TEXT_ENCODER),--bytes)))

# The file that an encoder is read from, made beside the streams when it is not a .pmt yet. Fresh weights that a run
# trains are those of the run's seed.
encoder = $(if $(call the,$(1)_ENCODER),$(or $(filter %.pmt,$(call the,$(1)_ENCODER)),$(out)/$(lower.$(1))-encoder$(fresh).pmt))
fresh = $(if $(and $(run),$(filter %.json,$(call the,$(1)_ENCODER))),$(if $(call frozen,$(1)),,$(addprefix -,$(filter-out $(call the,SEED),$(call its,SEED)))))
make_encoder = $(if $(filter $(call encoder,$(1)),$(made) $(call the,$(1)_ENCODER)),,$(call encoder_stage,$(call encoder,$(1)),$(call the,$(1)_ENCODER)))
encoder_stage = $(if $(filter %.json,$(2)),\
    $(call stage,$(1),$(2),pm-synth encoder $(2) --seed $(or $(and $(run),$(call its,SEED)),$(call the,SEED)) -o $(1)),\
  $(if $(call is_folder,$(2)),\
    $(call stage,$(1),$(wildcard $(addprefix $(2)/,*.json *.safetensors *.bin)),pm-import --encoder $(2) -o $(1)),\
    $(call stage,$(1),$(2) $(dir $(2))config.json,pm-import --encoder $(2) --config $(dir $(2))config.json -o $(1))))

# What training reads of texts and of images: a stream from elsewhere, hidden states when blocks are frozen, else tokens
# and images.
frozen = $(or $(foreign.$(1)),$(filter-out 0,$(call the,$(1)_BLOCKS)))
source = $(or $(call the,$(1)),$(out)/$(if $(call frozen,$(1)),$(lower.$(1)).pmt,$(unfrozen.$(1))))
unfrozen.TEXT  := tokens.pmt
unfrozen.IMAGE := images.lmdb

streams = $(foreach dataset,$(1),$(check)$(if $(call the,TEXT),,$(text_streams))\
  $(if $(call the,IMAGE),,$(if $(call the,IMAGES),$(image_streams))))

define text_streams
$(call stage,$(out)/tokens.pmt,$(call the,ITEMS) $(filter-out --%,$(tokenizer)),
  $(TOKENIZE) -o $(out)/tokens.pmt < $(call the,ITEMS))
$(if $(call frozen,TEXT),$(call make_encoder,TEXT)
  $(call stage,$(out)/text.pmt,$(out)/tokens.pmt $(call encoder,TEXT),
    $(ENCODE_TEXT) -o $(out)/text.pmt < $(out)/tokens.pmt,
    $(out)/text.pmt.part))
endef

define image_streams
$(call stage,$(out)/images.lmdb,$(call the,ITEMS) $(call the,IMAGES),
  $(IMGPACK) --images $(call the,IMAGES) --items $(call the,ITEMS) -o $(out)/images.lmdb,
  $(out)/images.lmdb.part)
$(if $(call frozen,IMAGE),$(call make_encoder,IMAGE)
  $(call stage,$(out)/image.pmt,$(out)/images.lmdb $(call encoder,IMAGE),
    $(ENCODE_IMAGE) -o $(out)/image.pmt $(out)/images.lmdb,
    $(out)/image.pmt.part))
endef

# ---- From streams to a trained model and its figures ----
folder = $(out)/$(run)
has_text = $(filter modal text-only,$(call its,TOWER))
has_image = $(filter modal image-only,$(call its,TOWER))
sources = $(if $(has_text),$(call source,TEXT)) $(if $(has_image),$(call source,IMAGE))
cached = $(if $(filter-out %/$(unfrozen.TEXT) %/$(unfrozen.IMAGE),$(sources)),$(addprefix --cache ,$(call the,CACHE)))
# With seeds a run starts from the model of its own seed.
init_model = $(if $(call its,INIT),$(call folder_of,$(call its,INIT)$(call its,OF_SEED))/model.pmt)
folder_of = $(call of,$(call of,$(1),DATASET),OUT)/$(1)

# Those that start from another run come behind it, whatever their order.
runs = $(call runs_in_turn,$(foreach run,$(1),$(if $(call its,INIT),,$(run))) $(foreach run,$(1),$(if $(call its,INIT),$(run))))
runs_in_turn = $(foreach run,$(1),$(foreach dataset,$(call its,DATASET),\
  $(if $(has_text),$(call make_encoder,TEXT))$(if $(has_image),$(call make_encoder,IMAGE))\
  $(train)$(vectors)$(foreach split,valid test,$(evaluate))))

define train
$(call stage,$(folder)/model.pmt $(folder)/log.jsonl,$(call the,BEHAVIOURS) $(init_model)
    $(if $(has_text),$(call source,TEXT) $(call encoder,TEXT))
    $(if $(has_image),$(call source,IMAGE) $(call encoder,IMAGE))
    $(if $(filter id,$(call its,TOWER)),$(call the,ITEMS)),
  $(TRAIN_USER) --users $(call the,BEHAVIOURS) --tower $(call its,TOWER)
    $(if $(has_text),--text $(call source,TEXT) $(addprefix --text-encoder ,$(call encoder,TEXT)))
    $(if $(has_image),--image $(call source,IMAGE) $(addprefix --image-encoder ,$(call encoder,IMAGE)))
    $(if $(filter id,$(call its,TOWER)),--catalog $(call the,ITEMS))
    $(if $(init_model),--init $(init_model) --transfer $(call its,TRANSFER))
    $(if $(filter modal,$(call its,TOWER)),--fusion $(call its,FUSION)) --objective $(call its,OBJECTIVE)
    --epochs $(call its,EPOCHS) --lr $(call its,LR)
    $(if $(and $(has_text),$(call encoder,TEXT)),--text-lr $(or $(call its,TEXT_LR),$(call its,LR)))
    $(if $(and $(has_image),$(call encoder,IMAGE)),--image-lr $(or $(call its,IMAGE_LR),$(call its,LR)))
    --unknown-items $(call the,UNKNOWN_ITEMS) --max-seq-len $(call the,MAX_SEQ_LEN) $(call its,TRAIN)
    --seed $(call its,SEED) $(cached) --checkpoint $(folder)/training.pmt --log $(folder)/log.jsonl -o $(folder)/model.pmt,
  $(folder)/training.pmt)
endef

# The model's own blocks carry the streams to the top; fusion makes one vector an item of them. Streams from elsewhere
# are at the top already.
top = $(if $(call encoder,$(1)),$(folder)/$(lower.$(1))-top.pmt,$(call source,$(1)))
define vectors
$(if $(and $(has_text),$(call encoder,TEXT)),$(call stage,$(call top,TEXT),$(folder)/model.pmt $(call source,TEXT),
  pm-encode-text --resume --model $(folder)/model.pmt -o $(call top,TEXT) $(call source,TEXT),
  $(call top,TEXT).part))
$(if $(and $(has_image),$(call encoder,IMAGE)),$(call stage,$(call top,IMAGE),$(folder)/model.pmt $(call source,IMAGE),
  pm-encode-image --resume --model $(folder)/model.pmt -o $(call top,IMAGE) $(call source,IMAGE),
  $(call top,IMAGE).part))
$(call stage,$(folder)/items.pmt,$(folder)/model.pmt $(if $(has_text),$(call top,TEXT)) $(if $(has_image),$(call top,IMAGE)),
  $(FUSE) --model $(folder)/model.pmt $(if $(has_text),--text $(call top,TEXT)) $(if $(has_image),--image $(call top,IMAGE))
    -o $(folder)/items.pmt)
endef

# The ranks in the test tell whether runs differ.
ranks = $(if $(filter test,$(split)),$(folder)/ranks.tsv)

define evaluate
$(call stage,$(folder)/$(split).json $(ranks),$(folder)/model.pmt $(folder)/items.pmt $(call the,BEHAVIOURS),
  $(EVALUATE) --model $(folder)/model.pmt --users $(call the,BEHAVIOURS) --items $(folder)/items.pmt --split $(split)
    --unknown-items $(call the,UNKNOWN_ITEMS) $(addprefix --ranks ,$(ranks)) --json $(call into,$(folder)/$(split).json))
endef

baseline = $(foreach dataset,$(1),$(foreach run,$(2),$(foreach split,valid test,$(evaluate_baseline))))
define evaluate_baseline
$(call stage,$(folder)/$(split).json $(ranks),$(call the,BEHAVIOURS) $(call the,ITEMS),
  $(EVALUATE) --baseline $(run) --users $(call the,BEHAVIOURS) --catalog $(call the,ITEMS)
    --max-seq-len $(call the,MAX_SEQ_LEN) --split $(split) --unknown-items $(call the,UNKNOWN_ITEMS)
    $(addprefix --ranks ,$(ranks)) --json $(call into,$(folder)/$(split).json))
endef

# ---- Grids: a run for each value of LRS, TEXT_LRS, IMAGE_LRS, FUSIONS, OBJECTIVES and SEEDS that is said ----
# modal with LRS="1e-3 1e-4" becomes modal-lr-1e-3 and modal-lr-1e-4; with SEEDS="1 2" each of them has the folders
# seed-1 and seed-2, which are one line of results.tsv.
varied := LR TEXT_LR IMAGE_LR FUSION OBJECTIVE
runs_of = $(call with_seeds,$(call vary,$(1),$(varied)))
vary = $(if $(2),$(call vary,$(call vary_by,$(1),$(firstword $(2))),$(wordlist 2,9,$(2))),$(1))
vary_by = $(if $($(2)S),$(foreach name,$(1),$(foreach value,$($(2)S),\
  $(call variant,$(name),$(name)-$(lower.$(2))-$(subst =,,$(subst $(comma),+,$(value))),$(2),$(value)))),$(1))
with_seeds = $(if $(SEEDS),$(foreach name,$(1),$(foreach value,$(SEEDS),\
  $(call variant,$(name),$(name)/seed-$(value),SEED,$(value))$(eval $(name)/seed-$(value).OF_SEED := /seed-$(value)))),$(1))
variant = $(eval $(2).PARENT := $(1))$(eval $(2).$(3) := $(4))$(2)
comma := ,
lower.LR        := lr
lower.TEXT_LR   := text-lr
lower.IMAGE_LR  := image-lr
lower.FUSION    := fusion
lower.OBJECTIVE := objective

# ---- From figures to a table, a picture and a page ----
# $(call summary,FOLDER,RUNS,LOGGED): all runs in the table and on the page, those with a training log as curves in the
# picture, the others as lines. Seeds are one run on the page; its recommendations are the first run's.
define summary
$(call stage,$(1)/results.tsv,$(foreach name,$(2),$(1)/$(name)/valid.json $(1)/$(name)/test.json) $(pipelines)/results,
  $(pipelines)/results $(1) $(2) $(call into,$(1)/results.tsv))
$(call stage,$(1)/curves.svg,$(foreach name,$(3),$(1)/$(name)/log.jsonl)
    $(foreach name,$(filter-out $(3),$(2)),$(1)/$(name)/valid.json) $(pipelines)/curves.gp $(pipelines)/log.awk,
  gnuplot -c $(pipelines)/curves.gp $(pipelines)/log.awk $(1) "$(strip $(3))" "$(filter-out $(3),$(2))" $(call into,$(1)/curves.svg))
$(foreach run,$(firstword $(2)),$(foreach dataset,$(call its,DATASET),
  $(call stage,$(1)/report.html,$(foreach name,$(2),$(1)/$(name)/test.json $(1)/$(name)/ranks.tsv)
      $(folder)/items.pmt $(call the,BEHAVIOURS) $(call the,ITEMS) $(pictures),
    pm-report $(addprefix $(1)/,$(call without_seeds,$(2))) --title $(notdir $(1)) --users $(call the,BEHAVIOURS)
      $(addprefix --catalog ,$(call the,ITEMS)) $(addprefix --images ,$(pictures)) -o $(1)/report.html)))
endef
pictures = $(if $(call the,IMAGES),$(if $(has_image),$(out)/images.lmdb))
# Each name once, in their order, what stands behind a slash taken off.
without_seeds = $(if $(1),$(firstword $(subst /, ,$(firstword $(1)))) \
  $(call without_seeds,$(filter-out $(firstword $(subst /, ,$(firstword $(1)))) $(firstword $(subst /, ,$(firstword $(1))))/%,$(1))))

show = $(if $(DRY),,@$(pipelines)/results --show $(1)/results.tsv)
