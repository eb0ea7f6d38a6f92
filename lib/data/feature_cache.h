/* The rows of a stream as training reads them, in a file that any number of runs map at the same time
 * (formats/cache.md). It belongs to the stream's content: with another it is made again. */
#ifndef DATA_FEATURE_CACHE_H
#define DATA_FEATURE_CACHE_H

#include "data/feature_store.h"

/* Where the cache of a stream is in a folder: one place for each stream, whatever it holds. To be freed. */
char *feature_cache_path(const char *folder, const char *stream);

/* Fills a store, of which header and content are known, from its cache. False when there is none that is
 * whole and of this content. */
bool feature_cache_find(FeatureStore *store, const char *path);

/* Ends the program when the item's rows are not what they were when the cache was made, since it has nothing
 * right to go on with; the cache is removed. Each item is looked at once. On any thread. */
void feature_cache_check(FeatureCache *cache, size_t item, const void *rows, size_t size);

void feature_cache_close(FeatureCache *cache); /* NULL is allowed */

/* Making one: from now on the store's rows go into a file, which appears under `path` at
 * feature_cache_finish. All rows of an item are taken before it ends. */
bool feature_cache_begin(FeatureStore *store, const char *path, Error *error);
void feature_cache_take(FeatureCache *cache, const void *rows, size_t size);
void feature_cache_end_item(FeatureCache *cache);
bool feature_cache_finish(FeatureStore *store, Error *error);

#endif
