#include "train/run_identity.h"

#include "core/ranks_agree.h"

#include <stdlib.h>
#include <string.h>

static void add(json_t *object, const char *key, json_t *value) {
    if (value) json_object_set(object, key, value);
}

json_t *run_contents(const TrainInputs *inputs, const TrainWeights *weights) {
    json_t *contents = json_object();
    add(contents, "users", inputs->behaviours.content);
    for (const Side *side = inputs->sides; side < inputs->sides + MODALITIES; side++) {
        if (side->store) add(contents, side->kind->name, side->store->content);
        add(contents, side->kind->encoder_option, side->weights_content);
    }
    if (inputs->vectors) add(contents, "items", inputs->vectors->content);
    add(contents, "catalog", inputs->catalogue.content);
    add(contents, "init", weights->init_content);
    return contents;
}

/* Settings of training alone may be lengthened where the rates do not follow from the length. */
static bool is_free(const Settings *settings, const char *name) {
    if (!strcmp(name, "patience")) return true;
    return !strcmp(name, "epochs") && !settings_depend_on_epochs(settings);
}

json_t *run_identity(const TrainRequest *request, const TrainInputs *inputs, const TrainWeights *weights) {
    json_t *identity = json_object(), *contents = run_contents(inputs, weights);
    json_t *record = settings_record(&request->settings);
    Settings copy = request->settings;
    Option *options = settings_options(&copy, NULL);
    for (const Option *option = options; option->name; option++) {
        json_t *value = json_object_get(record, option->name);
        if (option->kind == OPTION_PATH || is_free(&request->settings, option->name)) continue;
        json_object_set_new(identity, option->name, value ? json_incref(value) : json_null());
    }
    for (const Side *side = inputs->sides; side < inputs->sides + MODALITIES; side++)
        add(identity, side->kind->config_option, side->encoder_json);
    json_object_set_new(identity, "keep", json_string(request->keep));
    json_object_set_new(identity, "unknown-items",
                        json_string(request->unknown_items == UNKNOWN_ITEMS_DROP ? "drop" : "error"));
    json_object_set_new(identity, "transfer",
                        request->transfer ? json_string(request->transfer) : json_null());
    json_object_update(identity, contents);
    json_decref(contents);
    json_decref(record);
    free(options);
    return identity;
}

bool run_identity_agrees(const json_t *identity, const TrainRequest *request, Error *error) {
    json_t *own = json_copy((json_t *)identity);
    json_object_set_new(own, "epochs", json_integer(request->settings.epochs));
    json_object_set_new(own, "patience", json_integer(request->settings.patience));
    json_object_set_new(own, "checkpoint", json_boolean(request->checkpoint));
    json_object_set_new(own, "checkpoint-every", json_integer(request->checkpoint_every));
    json_object_set_new(own, "restart", json_boolean(request->restart));
    json_object_set_new(own, "check-numerics", json_boolean(request->check_numerics));
    const bool agrees = ranks_agree(request->ranks, own, error);
    json_decref(own);
    return agrees;
}
