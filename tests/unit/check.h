/* A unit test is a program of TEST functions; it prints TAP, which tests/run counts. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures;

/* Reports a failed check and goes on with the test. */
#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            check_failures++;                                                                                \
            printf("# %s:%d: %s: ", __FILE__, __LINE__, #condition);                                         \
            printf(" " __VA_ARGS__);                                                                         \
            putchar('\n');                                                                                   \
        }                                                                                                    \
    } while (0)

typedef struct Test {
    const char *name;
    void (*run)(void);
} Test;

#define TEST(function)                                                                                       \
    { #function, function }

static int run_tests(const Test *tests, int count) {
    int failed = 0;
    printf("1..%d\n", count);
    for (int i = 0; i < count; i++) {
        check_failures = 0;
        tests[i].run();
        if (check_failures) failed++;
        printf("%s %d - %s\n", check_failures ? "not ok" : "ok", i + 1, tests[i].name);
        fflush(stdout);
    }
    return failed > 0;
}

#define RUN_TESTS(...)                                                                                       \
    int main(void) {                                                                                         \
        const Test tests[] = {__VA_ARGS__};                                                                  \
        return run_tests(tests, (int)(sizeof tests / sizeof *tests));                                        \
    }

/* The largest difference of two arrays, as a fraction of the largest magnitude in `want`. */
static inline double relative_difference(const float *got, const float *want, size_t count) {
    double difference = 0, magnitude = 1e-30;
    for (size_t i = 0; i < count; i++) {
        const double d = fabs((double)got[i] - (double)want[i]);
        if (!(d <= difference)) difference = d; /* also takes a NaN */
        if (fabs((double)want[i]) > magnitude) magnitude = fabs((double)want[i]);
    }
    return difference / magnitude;
}

#endif
