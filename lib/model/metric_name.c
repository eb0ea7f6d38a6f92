#include "model/metric_name.h"

#include <stdlib.h>
#include <string.h>

bool metric_name_parse(MetricName *metric, const char *text, Error *error) {
    metric->is_ndcg = !strncmp(text, "NDCG@", 5);
    const char *number = text + (metric->is_ndcg ? 5 : 3);
    char *end = NULL;
    unsigned long cutoff = 0;
    if ((metric->is_ndcg || !strncmp(text, "HR@", 3)) && *number >= '1' && *number <= '9')
        cutoff = strtoul(number, &end, 10);
    metric->cutoff = (uint32_t)cutoff;
    return (cutoff && !*end && cutoff <= UINT32_MAX) ||
           error_set(error, "'%s' is not HR@K or NDCG@K with a whole number K from 1", text);
}
