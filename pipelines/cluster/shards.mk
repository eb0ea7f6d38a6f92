# The parts as targets of make, on one machine or with a make that has jobs on others:
#   make -j4 -f pipelines/cluster/shards.mk SHARDS=16 ITEMS=… OUT=… TEXT_ENCODER=…
SHARDS ?= 8
shard  := $(dir $(lastword $(MAKEFILE_LIST)))shard
parts  := $(foreach part,$(shell seq $(SHARDS)),$(OUT)/parts/$(part)-of-$(SHARDS))
export ITEMS OUT TEXT_ENCODER TEXT_BLOCKS IMAGES IMAGE_ENCODER IMAGE_BLOCKS TOKENIZER MAX_TOKENS IMAGE_SIZE DTYPE DEVICE

.PHONY: joined $(parts)
joined: $(parts)
	@$(shard) --join $(SHARDS)
$(parts): $(OUT)/parts/%-of-$(SHARDS):
	@$(shard) $* $(SHARDS)
