/* What is drawn from the seed of a training, each from a stream of its own. */
#ifndef TRAIN_SEED_H
#define TRAIN_SEED_H

enum { SEED_ORDER = 1, SEED_DROPOUT, SEED_CORRUPTION, SEED_VALIDATION };

#endif
