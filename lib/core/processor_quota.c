#include "core/processor_quota.h"

#include "core/memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The first numbers of a file; how many there are. "max" is none. */
static int read_numbers(const char *folder, const char *name, double *first, double *second) {
    char *path = memory_format("%s/%s", folder, name);
    FILE *file = fopen(path, "re");
    const int count = file ? fscanf(file, "%lf %lf", first, second) : 0;
    if (file) fclose(file);
    free(path);
    return count;
}

static int quota_of(const char *folder) {
    double quota = 0, period = 0, unused;
    if (read_numbers(folder, "cpu.max", &quota, &period) < 2) {
        if (read_numbers(folder, "cpu.cfs_quota_us", &quota, &unused) < 1 ||
            read_numbers(folder, "cpu.cfs_period_us", &period, &unused) < 1)
            return 0;
    }
    if (quota <= 0 || period <= 0) return 0;
    return quota >= 65536 * period ? 65536 : (int)((quota + period - 1) / period);
}

/* The least of a cgroup and all above it; of a container that sees only its own, `root` is that. */
static int least_quota(const char *root, const char *cgroup) {
    int least = 0;
    char *folder = memory_format("%s%s", root, cgroup);
    for (;;) {
        const int quota = quota_of(folder);
        if (quota && (!least || quota < least)) least = quota;
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= strlen(root) || !slash) break;
        *slash = 0;
    }
    free(folder);
    return least;
}

/* Whether "cpu" is one of the controllers of a line ("cpu,cpuacct"). */
static bool names_cpu(const char *controllers) {
    for (const char *at = controllers;; at++) {
        const size_t size = strcspn(at, ",");
        if (size == 3 && !strncmp(at, "cpu", size)) return true;
        at += size;
        if (!*at) return false;
    }
}

/* A line is NUMBER:CONTROLLERS:/PATH; version 2 names no controllers. */
static int quota_of_line(char *line, const char *root) {
    char *controllers = strchr(line, ':');
    char *cgroup = controllers ? strchr(++controllers, ':') : NULL;
    if (!cgroup) return 0;
    *cgroup++ = 0;
    cgroup[strcspn(cgroup, "\n")] = 0;
    if (*controllers && !names_cpu(controllers)) return 0;
    char *mounted = memory_format("%s%s", root, *controllers ? "/cpu" : "");
    const int quota = least_quota(mounted, cgroup);
    free(mounted);
    return quota;
}

int processor_quota(const char *memberships, const char *root) {
    FILE *file = fopen(memberships, "re");
    char *line = NULL;
    size_t capacity = 0;
    int least = 0;
    while (file && getline(&line, &capacity, file) > 0) {
        const int quota = quota_of_line(line, root);
        if (quota && (!least || quota < least)) least = quota;
    }
    free(line);
    if (file) fclose(file);
    return least;
}
