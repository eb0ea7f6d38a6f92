#include "report/html.h"
#include "report/page_parts.h"

#include <string.h>

static void put_word(const json_t *object, const char *key, const char *before, FILE *page) {
    const char *text = json_string_value(json_object_get(object, key));
    if (!text) return;
    fputs(before, page);
    html_put_text(page, text);
}

static void put_value(const json_t *value, FILE *page) {
    if (json_is_string(value)) {
        html_put_text(page, json_string_value(value));
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(7));
        html_put_text(page, text);
        free(text);
    }
}

/* key value, … */
static void put_options(const json_t *options, FILE *page) {
    const char *key, *before = "<br><code>";
    json_t *value;
    json_object_foreach((json_t *)options, key, value) {
        fputs(before, page);
        html_put_text(page, key);
        putc(' ', page);
        put_value(value, page);
        before = ", ";
    }
    if (json_object_size(options)) fputs("</code>", page);
}

/* What something was made of, and that of what. */
static void put_inputs(const json_t *provenance, FILE *page) {
    const json_t *inputs = json_object_get(provenance, "inputs");
    const char *role;
    json_t *input;
    if (!json_object_size(inputs)) return;
    fputs("<ul class=\"tree\">\n", page);
    json_object_foreach((json_t *)inputs, role, input) {
        fputs("<li><b>", page);
        html_put_text(page, role);
        fputs("</b>", page);
        put_word(input, "tool", " by ", page);
        put_word(input, "version", " ", page);
        fputs(" <code>", page);
        put_word(input, "hash", "", page);
        fputs("</code>", page);
        put_options(json_object_get(input, "options"), page);
        put_inputs(input, page);
        fputs("</li>\n", page);
    }
    fputs("</ul>\n", page);
}

static void put_run(const Run *run, FILE *page) {
    const json_t *provenance = json_object_get(run->header, "provenance");
    fputs("<details class=\"card\"><summary>", page);
    html_put_text(page, run->folder);
    fputs("</summary>\n<p>model.pmt", page);
    put_word(provenance, "tool", " by ", page);
    put_word(provenance, "version", " ", page);
    fputs(" <code>", page);
    put_word(provenance, "hash", "", page);
    fputs("</code>", page);
    put_options(json_object_get(provenance, "options"), page);
    fputs("</p>\n", page);
    put_inputs(provenance, page);
    fputs("</details>\n", page);
}

void page_put_lineage(const Report *report, FILE *page) {
    bool any = false;
    for (size_t i = 0; i < report->count; i++)
        for (size_t n = 0; n < report->rows[i].group.count; n++) {
            const Run *run = &report->rows[i].group.runs[n];
            if (!run->header) continue;
            if (!any) fputs("<section id=\"lineage\">\n<h2>How each model came about</h2>\n", page);
            any = true;
            put_run(run, page);
        }
    if (any) fputs("</section>\n", page);
}
