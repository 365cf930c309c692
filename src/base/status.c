/* SPDX-License-Identifier: MIT */
#include "status.h"

#include <assert.h>

struct row {
    int http;
    const char *issue;
    const char *name;
};

static const struct row rows[STATUS_COUNT] = {
#define STATUS_ROW(name, http, issue) {http, issue, #name},
    STATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
};

static const struct row *row_of(enum status status)
{
    assert((unsigned)status < STATUS_COUNT);
    return &rows[status];
}

int status_http(enum status status)
{
    return row_of(status)->http;
}

const char *status_issue(enum status status)
{
    return row_of(status)->issue;
}

const char *status_name(enum status status)
{
    return row_of(status)->name;
}
