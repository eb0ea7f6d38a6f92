#include "report/html.h"
#include "report/page_parts.h"

#include <inttypes.h>
#include <math.h>

static int64_t whole(const json_t *object, const char *key) {
    return (int64_t)json_integer_value(json_object_get(object, key));
}

/* The data set, as the first run that was tested saw it. */
static void put_data_set(const Report *report, FILE *page) {
    for (size_t i = 0; i < report->count; i++)
        for (size_t n = 0; n < report->rows[i].group.count; n++) {
            const json_t *test = report->rows[i].group.runs[n].test;
            if (!test) continue;
            fprintf(page,
                    "<p class=\"soft\">%" PRId64 " users, each tested with the last item against %" PRId64
                    " items</p>\n",
                    whole(test, "users"), whole(test, "items"));
            return;
        }
}

bool report_put_page(const Report *report, FILE *page, Error *error) {
    fputs(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\">\n<title>",
        page);
    html_put_text(page, report->request->title);
    fprintf(page, "</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n<h1>", page_style);
    html_put_text(page, report->request->title);
    fputs("</h1>\n", page);
    put_data_set(report, page);
    page_put_table(report, page);
    if (!page_put_charts(report, page, error) || !page_put_people(report, page, error)) return false;
    page_put_lineage(report, page);
    fputs("<footer class=\"note\">made by pm-report</footer>\n</main>\n</body>\n</html>\n", page);
    return true;
}
