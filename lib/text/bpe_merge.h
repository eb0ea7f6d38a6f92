/* Byte-pair merges: which neighbours become one, and in which order (Sennrich et al. 2016). */
#ifndef TEXT_BPE_MERGE_H
#define TEXT_BPE_MERGE_H

#include "stream/content_hash.h"
#include "text/tokenizer.h"

#include <jansson.h>

typedef struct BpeMerges BpeMerges;

/* From merges.txt (two pieces a line, the first merge first), whose pieces are keys of `vocabulary`. The file
 * is added to `hash`. */
BpeMerges *bpe_merges_read(const char *path, const json_t *vocabulary, ContentHash *hash, Error *error);
void bpe_merges_free(BpeMerges *merges);

/* Merges the ids of a word until no merge applies: always the earliest of the list, from the left. */
void bpe_merge(const BpeMerges *merges, TokenIds *word);

#endif
