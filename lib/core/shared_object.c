#include "core/shared_object.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where plug-ins lie, seen from the program: where both were built, or where both were installed. */
static const char *const folders[] = {"../lib", "../lib/pm-tools", "."};
enum { FOLDER_COUNT = sizeof folders / sizeof *folders };

bool shared_object_find(const char *name, char *path, size_t size) {
    char program[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = 0;
    char *slash = strrchr(program, '/');
    if (slash) *slash = 0;
    for (int i = 0; i < FOLDER_COUNT; i++) {
        snprintf(path, size, "%s/%s/%s", program, folders[i], name);
        if (!access(path, R_OK)) return true;
    }
    snprintf(path, size, "%s/%s", program, folders[0]);
    return false;
}

void *shared_object_open(const char *name, const char *needs, Error *error) {
    char path[2 * PATH_MAX];
    if (!shared_object_find(name, path, sizeof path)) {
        error_set(error, "there is no plug-in %s in %s; make builds it where it finds %s", name, path, needs);
        return NULL;
    }
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) error_set(error, "the plug-in cannot be loaded: %s", dlerror());
    return object;
}

bool shared_object_refuse(const char *name, Error *error) {
    return error_set(error, "the plug-in %s is not of the same build as this program; install both together",
                     name);
}
