/* What figures of users say about runs: means with their standard errors, and whether two runs differ, paired
 * over users. */
#ifndef REPORT_STATISTICS_H
#define REPORT_STATISTICS_H

#include "report/run.h"

/* Of values of users, or of their differences between two runs. Equal values give equal numbers, on any
 * number of threads: what is drawn follows from a fixed seed. */
typedef struct Estimate {
    size_t users;
    double mean, standard_error;
    double low, high; /* the middle 95 % of the means of 2000 samples drawn with replacement (bootstrap) */
    double p;         /* of a mean so far from 0, if signs were drawn: of 2000 draws (paired randomisation) */
} Estimate;

Estimate estimate(const double *values, size_t count);

/* HR@10 of the users of a group, each the mean over its runs with ranks. users 0: there are no ranks. */
Estimate estimate_group(const RunGroup *group);

/* HR@10 of a group less that of another one, over the users that both have. */
Estimate estimate_difference(const RunGroup *group, const RunGroup *reference);

#endif
