# Settings for films where a run takes a minute and a half of one processor: texts as what formats/examples/terms_stage.py makes
# of their terms, in one hidden state each, posters of 32 pixels in four patches and an encoder of one block for them,
# trained from nothing, and the user encoder of the ID tower to start from.
#   make dataset ITEMS=items.tsv BEHAVIOURS=users.tsv IMAGES=images/ SETTINGS=pipelines/films-terms.mk
ENCODE_TEXT    ?= python3 formats/examples/terms_stage.py --width 2048 --length 3
IMAGE_ENCODER  ?= $(pipelines)/configs/image-coarse.json
TOKENIZER      ?= tests/golden/tokens/items2k.model
MAX_TOKENS     ?= 128
IMAGE_SIZE     ?= 32
FUSION         ?= concat
LR             ?= 1e-3
EPOCHS         ?= 20
MAX_SEQ_LEN    ?= 50
TRAIN          ?= --dim 64 --batch-size 32 --dropout 0.2 --schedule cosine
TOWERS         ?= modal id id-long
modal.INIT     ?= id
modal.TRANSFER ?= user
# The ID tower with as many epochs as both have together.
override id-long.TOWER := id
id-long.EPOCHS ?= 40
