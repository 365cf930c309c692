/* SPDX-License-Identifier: MIT */
/* Progress that commits with the data. A file is known by its path, size and time of change. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "feed/feed_int.h"

void ledger_name(const char *path, const char *name, struct ledger *ledger)
{
    struct stat about;
    char identity[PATH_MAX + 100];
    uint8_t digest[SHA256_LENGTH];
    char real[PATH_MAX];
    *ledger = (struct ledger){.units = UINT64_MAX};
    if (name != NULL) {
        (void)snprintf(ledger->name, sizeof ledger->name, "import %s", name);
        return;
    }
    if (realpath(path, real) == NULL || stat(real, &about) != 0 || !S_ISREG(about.st_mode)) {
        return; /* stdin or a pipe: it cannot be read from the middle */
    }
    int length =
        snprintf(identity, sizeof identity, "%s %lld %lld.%09ld", real, (long long)about.st_size,
                 (long long)about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
    sha256(slice_of(identity, (size_t)length), digest);
    int at = snprintf(ledger->name, sizeof ledger->name, "import ");
    for (size_t i = 0; i < SHA256_LENGTH; i++) {
        at += snprintf(ledger->name + at, sizeof ledger->name - (size_t)at, "%02x", digest[i]);
    }
}

/* What the note says: "low;unit,unit;stored" or "whole;stored". */
static enum status read_note(struct slice value, struct ledger *ledger)
{
    struct slice low = slice_cut(&value, ';');
    ledger->low = 0;
    ledger->ahead_count = 0;
    ledger->stored = 0;
    ledger->whole = slice_is(low, "whole");
    struct slice units = ledger->whole ? (struct slice){0} : slice_cut(&value, ';');
    if ((!ledger->whole && !slice_to_unsigned(low, UINT64_MAX, &ledger->low)) ||
        (value.length > 0 && !slice_to_unsigned(value, UINT64_MAX, &ledger->stored))) {
        return STATUS_CORRUPT;
    }
    while (units.at != NULL && units.length > 0) {
        uint64_t unit;
        if (ledger->ahead_count == LEDGER_AHEAD ||
            !slice_to_unsigned(slice_cut(&units, ','), UINT64_MAX, &unit)) {
            return STATUS_CORRUPT;
        }
        ledger->ahead[ledger->ahead_count++] = unit;
    }
    return STATUS_OK;
}

enum status ledger_load(struct store_tx *tx, struct arena *arena, struct ledger *ledger)
{
    struct slice value;
    if (ledger->name[0] == '\0') {
        return STATUS_OK;
    }
    enum status status = store_note_get(tx, slice_text(ledger->name), arena, &value);
    if (status == STATUS_NOT_FOUND) {
        return STATUS_OK;
    }
    TRY(status);
    return read_note(value, ledger);
}

enum status ledger_read(struct store *store, struct arena *arena, struct ledger *ledger)
{
    struct store_reader *reader;
    struct store_tx *tx;
    TRY(store_reader_open(store, &reader));
    enum status status = store_snapshot_begin(reader, 0, &tx);
    if (status == STATUS_OK) {
        status = ledger_load(tx, arena, ledger);
        store_snapshot_end(tx);
    }
    store_reader_close(reader);
    return status;
}

bool ledger_has(const struct ledger *ledger, uint64_t unit)
{
    for (size_t i = 0; i < ledger->ahead_count; i++) {
        if (ledger->ahead[i] == unit) {
            return true;
        }
    }
    return unit < ledger->low;
}

/* Raises LOW over what is done and drops it from the list. */
static void settle(struct ledger *ledger)
{
    for (size_t i = 0; i < ledger->ahead_count;) {
        if (ledger->ahead[i] == ledger->low) {
            ledger->low++;
            ledger->ahead[i] = ledger->ahead[--ledger->ahead_count];
            i = 0;
        } else {
            i++;
        }
    }
}

static enum status write_note(struct store_tx *tx, const struct ledger *ledger)
{
    char value[32 * (LEDGER_AHEAD + 2)];
    int length = snprintf(value, sizeof value, "%llu;", (unsigned long long)ledger->low);
    for (size_t i = 0; i < ledger->ahead_count; i++) {
        length += snprintf(value + length, sizeof value - (size_t)length, "%s%llu",
                           i > 0 ? "," : "", (unsigned long long)ledger->ahead[i]);
    }
    length += snprintf(value + length, sizeof value - (size_t)length, ";%llu",
                       (unsigned long long)ledger->stored);
    return store_note_set(tx, slice_text(ledger->name), slice_of(value, (size_t)length));
}

/* The note is read anew each time: what is in memory may tell of a unit that was rolled back. */
enum status ledger_mark(struct store_tx *tx, struct arena *arena, const struct ledger *ledger,
                        uint64_t unit, uint64_t stored)
{
    struct ledger now = {.units = ledger->units};
    if (ledger->name[0] == '\0') {
        return STATUS_OK;
    }
    memcpy(now.name, ledger->name, sizeof now.name);
    TRY(ledger_load(tx, arena, &now));
    if (now.whole) { /* --again: from the front */
        now.whole = false;
        now.low = now.stored = 0;
    }
    now.stored += stored;
    if (now.ahead_count == LEDGER_AHEAD) {
        return STATUS_INTERNAL;
    }
    now.ahead[now.ahead_count++] = unit;
    settle(&now);
    return write_note(tx, &now);
}

enum status ledger_close(struct store_tx *tx, struct arena *arena, const struct ledger *ledger)
{
    struct ledger now = {0};
    if (ledger->name[0] == '\0') {
        return STATUS_OK;
    }
    memcpy(now.name, ledger->name, sizeof now.name);
    TRY(ledger_load(tx, arena, &now));
    if (now.whole || now.low < ledger->units) {
        return STATUS_OK;
    }
    const char *whole = arena_print(arena, "whole;%llu", (unsigned long long)now.stored);
    return whole != NULL ? store_note_set(tx, slice_text(ledger->name), slice_text(whole))
                         : STATUS_MEMORY;
}
