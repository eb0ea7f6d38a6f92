/* The metrics by which an epoch can be chosen: HR or NDCG at a cutoff from 1, as "NDCG@10". */
#ifndef MODEL_METRIC_NAME_H
#define MODEL_METRIC_NAME_H

#include "core/error.h"

#include <stdint.h>

typedef struct MetricName {
    bool is_ndcg;
    uint32_t cutoff;
} MetricName;

bool metric_name_parse(MetricName *metric, const char *text, Error *error);

#endif
