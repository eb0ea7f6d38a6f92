#include "nn/backend/plugin.h"

#include "core/log.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where plug-ins lie, seen from the program: where both were built, or where both were installed. */
static const char *const folders[] = {"../lib", "../lib/pm-tools", "."};
enum { FOLDER_COUNT = sizeof folders / sizeof *folders };

static const char ON_HOST[] = "cuda-on-host";

/* "cuda" is card 0, "cuda:N" card N. */
static bool parse_card(const char *device, int *card) {
    char *end;
    *card = 0;
    if (!strcmp(device, "cuda") || !strcmp(device, ON_HOST)) return true;
    if (strncmp(device, "cuda:", 5) || device[5] < '0' || device[5] > '9') return false;
    const long number = strtol(device + 5, &end, 10);
    *card = number < INT_MAX ? (int)number : INT_MAX;
    return !*end;
}

bool plugin_knows(const char *device) {
    int card;
    return parse_card(device, &card);
}

/* The plug-in's path, or else the place where it would be looked for first. */
static bool find_plugin(const char *name, char *path, size_t size) {
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

const char *plugin_path_of_cuda(void) {
    static char path[2 * PATH_MAX];
    return find_plugin("pm-cuda.so", path, sizeof path) ? path : NULL;
}

static void give_up(const char *message) {
    log_error("%s", message);
    exit(1);
}

/* The plug-in stays loaded as long as the program. */
static PluginOpen load(const char *name, Error *error) {
    char path[2 * PATH_MAX];
    if (!find_plugin(name, path, sizeof path)) {
        error_set(error, "there is no plug-in %s in %s; make builds it where it finds CUDA's nvcc", name,
                  path);
        return NULL;
    }
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!plugin) {
        error_set(error, "the plug-in cannot be loaded: %s", dlerror());
        return NULL;
    }
    const unsigned *version = dlsym(plugin, "pm_backend_version");
    void *open = dlsym(plugin, "pm_backend_open");
    if (!open || !version || *version != BACKEND_VERSION) {
        error_set(error, "the plug-in %s is not of the same build as this program; install both together",
                  path);
        return NULL;
    }
    return (PluginOpen)open;
}

const Backend *plugin_backend(const char *device, const char *dtype, Error *error) {
    char message[sizeof error->message / 2];
    PluginRequest request = {.bf16 = !strcmp(dtype, "bf16"), .give_up = give_up};
    if (!parse_card(device, &request.card)) {
        error_set(error, "there is no device '%s'", device);
        return NULL;
    }
    const PluginOpen open = load(strcmp(device, ON_HOST) ? "pm-cuda.so" : "pm-cuda-on-host.so", error);
    const Backend *backend = open ? open(&request, message, sizeof message) : NULL;
    if (open && !backend) error_set(error, "%s", message);
    if (!backend) error_prefix(error, "--device %s: ", device);
    return backend;
}
