# The paper's sizes: XLM-RoBERTa-base and CLIP ViT-B/32 with their two top blocks trained, for
#   make transfer SETTINGS=pipelines/paper.mk TEXT_ENCODER=xlm-r.pmt IMAGE_ENCODER=clip.pmt
#                 TOKENIZER=sentencepiece.bpe.model source.ITEMS=… …
# pm-import makes the encoders' .pmt files from the released weights.
TEXT_BLOCKS  ?= 10
IMAGE_BLOCKS ?= 10
IMAGE_SIZE   ?= 224
MAX_TOKENS   ?= 50
DTYPE        ?= bf16
FUSION       ?= merge_attn
LR           ?= 1e-4
EPOCHS       ?= 5
MAX_SEQ_LEN  ?= 20
TRAIN        ?= --fusion-heads 12 --fusion-intermediate 3072 --user-heads 2 --user-blocks 2 --batch-size 32 \
                --weight-decay 0.1 --dropout 0.1
