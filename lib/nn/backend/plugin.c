#include "nn/backend/plugin.h"

#include "core/cleanup.h"
#include "core/ranks.h"
#include "core/shared_object.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ON_HOST[] = "cuda-on-host", CARDS[] = "pm-cuda.so";

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

/* The card may be in any state, and the libraries that use it would wait for it at their end. */
static void give_up(const char *message) {
    Error error;
    error_set(&error, "%s", message);
    ranks_end(false, &error);
    cleanup_and_fail();
}

/* A plug-in of this build. */
static void *load(const char *name, Error *error) {
    void *plugin = shared_object_open(name, "CUDA's nvcc", error);
    if (!plugin) return NULL;
    const unsigned *version = dlsym(plugin, "pm_backend_version");
    if (version && *version == BACKEND_VERSION) return plugin;
    shared_object_refuse(name, error);
    return NULL;
}

const char *plugin_describe(void) {
    static char text[3 * PATH_MAX];
    char path[2 * PATH_MAX];
    Error error;
    if (!shared_object_find(CARDS, path, sizeof path)) return "no plug-in";
    void *plugin = load(CARDS, &error);
    const PluginLibrary library = plugin ? (PluginLibrary)dlsym(plugin, "pm_exchange_library") : NULL;
    if (library)
        snprintf(text, sizeof text, "%s; between cards: %s", path, library());
    else
        snprintf(text, sizeof text, "%s", error.message);
    return text;
}

const Backend *plugin_backend(const char *device, const char *dtype, Error *error) {
    char message[sizeof error->message / 2] = "";
    PluginRequest request = {.bf16 = !strcmp(dtype, "bf16"), .give_up = give_up};
    if (!parse_card(device, &request.card)) {
        error_set(error, "there is no device '%s'", device);
        return NULL;
    }
    void *plugin = load(strcmp(device, ON_HOST) ? CARDS : "pm-cuda-on-host.so", error);
    const PluginOpen open = plugin ? (PluginOpen)dlsym(plugin, "pm_backend_open") : NULL;
    const Backend *backend = open ? open(&request, message, sizeof message) : NULL;
    if (open && !backend) error_set(error, "%s", message);
    if (!backend) error_prefix(error, "--device %s: ", device);
    return backend;
}
