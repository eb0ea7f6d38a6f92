#include "report/html.h"
#include "report/page_parts.h"

#include <string.h>

/* An item with its picture and title, as far as they are there. */
static void put_item(const Report *report, uint32_t item, const float *score, FILE *page) {
    size_t size;
    const char *name = name_table_name(report->people.names, item - 1, &size);
    const char *title = report->titles ? report->titles[item - 1] : NULL;
    fputs("<li data-item=\"", page);
    html_put(page, name, size);
    fputs("\">", page);
    if (report->posters) {
        fputs("<img class=\"poster\" alt=\"\" src=\"", page);
        if (!posters_put(report->posters, name, size, page)) fputs("data:,", page);
        fputs("\">", page);
    }
    fputs("<span class=\"name\" title=\"", page);
    html_put_text(page, title ? title : name);
    fputs("\">", page);
    html_put_text(page, title ? title : name);
    fputs("</span>", page);
    if (score) fprintf(page, "<small>%.4g</small>", (double)*score);
    fputs("</li>\n", page);
}

static void put_person(const Report *report, const Person *person, FILE *page) {
    fputs("<article class=\"card person\">\n<h3>", page);
    html_put_text(page, person->name);
    fprintf(page,
            " <span>met %zu item%s</span></h3>\n<p class=\"label\">met, the newest first</p>\n<ol "
            "class=\"items\">\n",
            person->history_length, person->history_length == 1 ? "" : "s");
    for (size_t i = 0; i < person->history_count; i++)
        put_item(report, person->history[i], NULL, page);
    fputs("</ol>\n<p class=\"label\">recommended next, with scores</p>\n<ol class=\"items new\">\n", page);
    for (size_t i = 0; i < person->top.count; i++)
        put_item(report, person->top.best[i].item, &person->top.best[i].score, page);
    fputs("</ol>\n</article>\n", page);
}

void page_put_people(const Report *report, FILE *page) {
    if (!report->people.count) return;
    fputs("<section id=\"people\">\n<h2>Some users, and what is recommended to them</h2>\n", page);
    fputs("<p class=\"note\">By ", page);
    html_put_text(page, report->people.by);
    fputs(", after the whole history.</p>\n", page);
    for (size_t i = 0; i < report->people.count; i++)
        put_person(report, &report->people.list[i], page);
    fputs("</section>\n", page);
}
