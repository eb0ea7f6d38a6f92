#include "nn/backend/plugin.h"

#include "core/log.h"
#include "core/shared_object.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

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

const char *plugin_path_of_cuda(void) {
    static char path[2 * PATH_MAX];
    return shared_object_find("pm-cuda.so", path, sizeof path) ? path : NULL;
}

static void give_up(const char *message) {
    log_error("%s", message);
    exit(1);
}

static PluginOpen load(const char *name, Error *error) {
    void *plugin = shared_object_open(name, "CUDA's nvcc", error);
    if (!plugin) return NULL;
    const unsigned *version = dlsym(plugin, "pm_backend_version");
    void *open = dlsym(plugin, "pm_backend_open");
    if (open && version && *version == BACKEND_VERSION) return (PluginOpen)open;
    shared_object_refuse(name, error);
    return NULL;
}

const Backend *plugin_backend(const char *device, const char *dtype, Error *error) {
    char message[sizeof error->message / 2] = "";
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
