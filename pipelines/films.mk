# Settings for films: titles, genres and abstracts in 40 tokens, posters of 64 pixels, encoders of two blocks of 64
# trained from nothing, as for the transfer from serious films to comedies. films-terms.mk does better in less time, but
# what it learns of texts cannot go to another data set.
TEXT_ENCODER  ?= $(pipelines)/configs/text-films.json
IMAGE_ENCODER ?= $(pipelines)/configs/image-films.json
TOKENIZER     ?= tests/golden/tokens/items2k.model
MAX_TOKENS    ?= 40
IMAGE_SIZE    ?= 64
EPOCHS        ?= 15
