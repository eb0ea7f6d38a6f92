/* Backends in shared objects of their own, loaded when their device is asked for, so that tools need none of
 * the libraries that a device does. */
#ifndef NN_BACKEND_PLUGIN_H
#define NN_BACKEND_PLUGIN_H

#include "nn/backend/backend.h"

typedef struct PluginRequest {
    int card; /* counted from 0 */
    bool bf16;
    void (*give_up)(const char *message); /* ends the program; for what fails later on */
} PluginRequest;

/* What a plug-in exports as pm_backend_open; NULL with a message. A program opens one card. As
 * pm_backend_version it exports the checksum of the headers that it shares with the program. */
typedef const Backend *(*PluginOpen)(const PluginRequest *request, char *message, size_t size);

/* As pm_exchange_library it exports what names the library by which cards exchange, or says what is missing.
 * It may be called alone. */
typedef const char *(*PluginLibrary)(void);

/* The backend of the device cuda, cuda:N or cuda-on-host (the same kernels on the processor, for tests). NULL
 * with a message that says what is missing: plug-in, library, driver or card. */
const Backend *plugin_backend(const char *device, const char *dtype, Error *error);

/* Whether `device` is one of these. */
bool plugin_knows(const char *device);

/* Where the plug-in for CUDA is and by what cards exchange, or what is missing. */
const char *plugin_describe(void);

#endif
