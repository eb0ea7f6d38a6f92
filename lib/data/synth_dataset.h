/* A made-up data set in a folder: items.tsv, users.tsv, images/ITEM.jpg, and vocab.txt with the words of all
 * domains as a WordPiece vocabulary. */
#ifndef DATA_SYNTH_DATASET_H
#define DATA_SYNTH_DATASET_H

#include "core/error.h"
#include "data/synth_catalogue.h"

/* Makes the folder when it is not there. The .tsv files of an earlier run go first and the new ones come
 * last, so that a run that was cut short never looks finished. */
bool synth_dataset_write(const char *folder, const SynthCatalogue *catalogue, size_t users, int image_size,
                         Error *error);

#endif
