#include "report/html.h"
#include "report/page_parts.h"

#include <string.h>

/* An item with its picture and title, as far as they are there. */
static bool put_item(const Report *report, uint32_t item, const float *score, FILE *page, Error *error) {
    size_t size;
    const char *name = name_table_name(report->people.names, item - 1, &size);
    const char *title = report->titles ? report->titles[item - 1] : NULL;
    fputs("<li data-item=\"", page);
    html_put(page, name, size);
    fputs("\">", page);
    if (report->posters) {
        fputs("<img class=\"poster\" alt=\"\" src=\"", page);
        if (!posters_put(report->posters, name, size, page, error)) return false;
        fputs("\">", page);
    }
    fputs("<span class=\"name\" title=\"", page);
    html_put_text(page, title ? title : name);
    fputs("\">", page);
    html_put_text(page, title ? title : name);
    fputs("</span>", page);
    if (score) fprintf(page, "<small>%.4g</small>", (double)*score);
    fputs("</li>\n", page);
    return true;
}

static bool put_person(const Report *report, const Person *person, FILE *page, Error *error) {
    bool fine = true;
    fputs("<article class=\"card person\">\n<h3>", page);
    html_put_text(page, person->name);
    fprintf(page,
            " <span>met %zu item%s</span></h3>\n<p class=\"label\">met, the newest first</p>\n<ol "
            "class=\"items\">\n",
            person->history_length, person->history_length == 1 ? "" : "s");
    for (size_t i = 0; fine && i < person->history_count; i++)
        fine = put_item(report, person->history[i], NULL, page, error);
    fputs("</ol>\n<p class=\"label\">recommended next, with scores</p>\n<ol class=\"items new\">\n", page);
    for (size_t i = 0; fine && i < person->top.count; i++)
        fine = put_item(report, person->top.best[i].item, &person->top.best[i].score, page, error);
    fputs("</ol>\n</article>\n", page);
    return fine;
}

bool page_put_people(const Report *report, FILE *page, Error *error) {
    bool fine = true;
    if (!report->people.count) return true;
    fputs("<section id=\"people\">\n<h2>Some users, and what is recommended to them</h2>\n", page);
    fputs("<p class=\"note\">By ", page);
    html_put_text(page, report->people.by);
    fputs(", after the whole history.</p>\n", page);
    for (size_t i = 0; fine && i < report->people.count; i++)
        fine = put_person(report, &report->people.list[i], page, error);
    fputs("</section>\n", page);
    return fine;
}
