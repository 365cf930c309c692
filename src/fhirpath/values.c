/* SPDX-License-Identifier: MIT */
/* When two values are equal, equivalent, or one before the other (FHIRPath N1, sections 6.1 and
 * 6.2). */
#include "fhirpath/fhirpath_int.h"

/* ---- dates ------------------------------------------------------------------------------------
 */

static bool has_clock(const struct partial_date *date)
{
    return date->precision >= PRECISION_HOUR;
}

static int64_t minutes_of(const struct partial_date *date)
{
    return calendar_days(date->year, date->month, date->day) * 1440 + date->hour * 60 +
           date->minute;
}

/* The same moment with a clock that shows UTC. */
static struct partial_date in_utc(const struct partial_date *date)
{
    struct partial_date utc = *date;
    int64_t minutes = minutes_of(date) - date->zone_minutes;
    int64_t days = minutes / 1440 - (minutes % 1440 < 0);
    int64_t year;
    unsigned month, day;
    calendar_date(days, &year, &month, &day);
    minutes -= days * 1440;
    utc.year = (int16_t)year;
    utc.month = (uint8_t)month;
    utc.day = (uint8_t)day;
    utc.hour = (uint8_t)(minutes / 60);
    utc.minute = (uint8_t)(minutes % 60);
    return utc;
}

static enum order order_of(int64_t a, int64_t b)
{
    return a < b ? ORDER_LESS : a > b ? ORDER_GREATER : ORDER_SAME;
}

/* Part by part, from the left; where only one has the next part it is not known (section 6.2).
 * Seconds and their fraction are one part. */
static enum order parts_order(const struct partial_date *a, const struct partial_date *b)
{
    static const enum precision precisions[] = {PRECISION_YEAR, PRECISION_MONTH,  PRECISION_DAY,
                                                PRECISION_HOUR, PRECISION_MINUTE, PRECISION_SECOND};
    const int64_t parts[2][6] = {
        {a->year, a->month, a->day, a->hour, a->minute, a->second * INT64_C(1000000) + a->micros},
        {b->year, b->month, b->day, b->hour, b->minute, b->second * INT64_C(1000000) + b->micros}};
    for (size_t i = 0; i < 6; i++) {
        bool has_a = a->precision >= precisions[i], has_b = b->precision >= precisions[i];
        if (!has_a || !has_b) {
            return has_a == has_b ? ORDER_SAME : ORDER_UNKNOWN;
        }
        if (parts[0][i] != parts[1][i]) {
            return order_of(parts[0][i], parts[1][i]);
        }
    }
    return ORDER_SAME;
}

/* One of them has a zone. No zone is further from UTC than 14 hours: what is further apart than
 * that has an order whichever zone was meant. */
static enum order order_without_zone(const struct partial_date *a, const struct partial_date *b)
{
    struct partial_date utc_a = in_utc(a), utc_b = in_utc(b);
    int64_t apart = minutes_of(&utc_a) - minutes_of(&utc_b);
    return apart > 14 * 60 ? ORDER_GREATER : apart < -14 * 60 ? ORDER_LESS : ORDER_UNKNOWN;
}

static enum order date_order(const struct partial_date *a, const struct partial_date *b)
{
    if (!has_clock(a) || !has_clock(b) || a->year == 0 ||
        (a->has_zone == b->has_zone && a->zone_minutes == b->zone_minutes)) {
        return parts_order(a, b);
    }
    if (a->has_zone != b->has_zone) {
        return order_without_zone(a, b);
    }
    struct partial_date utc_a = in_utc(a), utc_b = in_utc(b);
    return parts_order(&utc_a, &utc_b);
}

/* ---- order ------------------------------------------------------------------------------------
 */

static bool is_number(const struct fhirpath_value *value)
{
    return value->kind == FHIRPATH_INTEGER || value->kind == FHIRPATH_DECIMAL;
}

static bool is_date(const struct fhirpath_value *value)
{
    return value->kind == FHIRPATH_DATE || value->kind == FHIRPATH_DATETIME;
}

static struct decimal decimal_of(const struct fhirpath_value *number)
{
    return number->kind == FHIRPATH_INTEGER ? decimal_from_integer(number->integer)
                                            : number->decimal;
}

static struct fhirpath_quantity quantity_of(const struct fhirpath_value *value)
{
    return value->kind == FHIRPATH_QUANTITY
               ? *value->quantity
               : (struct fhirpath_quantity){.value = decimal_of(value), .unit = SLICE("1")};
}

static bool is_quantity_pair(const struct fhirpath_value *a, const struct fhirpath_value *b)
{
    bool quantity_a = a->kind == FHIRPATH_QUANTITY, quantity_b = b->kind == FHIRPATH_QUANTITY;
    return (quantity_a || quantity_b) && (quantity_a || is_number(a)) &&
           (quantity_b || is_number(b));
}

static enum order time_order(struct partial_date a, struct partial_date b)
{
    a.year = b.year = 0; /* the parts before the hour are the same */
    return parts_order(&a, &b);
}

/* Of System values. */
static enum order system_order(const struct fhirpath_value *a, const struct fhirpath_value *b)
{
    if (a->kind == b->kind) {
        switch (a->kind) {
        case FHIRPATH_STRING:
            return order_of(slice_compare(a->string, b->string), 0);
        case FHIRPATH_INTEGER:
            return order_of(a->integer, b->integer);
        case FHIRPATH_DECIMAL:
            return order_of(decimal_compare(a->decimal, b->decimal), 0);
        case FHIRPATH_DATE:
        case FHIRPATH_DATETIME:
            return date_order(&a->date, &b->date);
        case FHIRPATH_TIME:
            return time_order(a->date, b->date);
        case FHIRPATH_QUANTITY:
            return quantity_order(a->quantity, b->quantity);
        default:
            return ORDER_WRONG;
        }
    }
    if (is_number(a) && is_number(b)) {
        return order_of(decimal_compare(decimal_of(a), decimal_of(b)), 0);
    }
    if (is_date(a) && is_date(b)) {
        return date_order(&a->date, &b->date);
    }
    if (is_quantity_pair(a, b)) {
        struct fhirpath_quantity quantity_a = quantity_of(a), quantity_b = quantity_of(b);
        return quantity_order(&quantity_a, &quantity_b);
    }
    return ORDER_WRONG;
}

static bool is_valueless(const struct fhirpath_value *value)
{
    return value->kind == FHIRPATH_NODE && value->node.value == NULL;
}

enum order values_order(struct arena *arena, const struct fhirpath_value *a,
                        const struct fhirpath_value *b)
{
    struct fhirpath_value room_a, room_b;
    if (is_valueless(a) || is_valueless(b)) {
        return ORDER_UNKNOWN;
    }
    const struct fhirpath_value *system_a = as_system(a, arena, &room_a);
    const struct fhirpath_value *system_b = as_system(b, arena, &room_b);
    return system_a != NULL && system_b != NULL ? system_order(system_a, system_b) : ORDER_WRONG;
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

static bool fold_equal(struct slice a, struct slice b);

static bool number_equal(struct slice a, struct slice b, bool loosely)
{
    struct decimal x, y;
    if (!decimal_parse(a, &x) || !decimal_parse(b, &y)) {
        return slice_equals(a, b);
    }
    if (loosely) {
        x = decimal_normalise(x);
        y = decimal_normalise(y);
        int32_t scale = x.scale < y.scale ? x.scale : y.scale;
        return decimal_round(x, scale, DECIMAL_HALF_UP, &x) &&
               decimal_round(y, scale, DECIMAL_HALF_UP, &y) && decimal_compare(x, y) == 0;
    }
    return decimal_compare(x, y) == 0;
}

static bool json_same(yyjson_val *a, yyjson_val *b, bool loosely);

static bool object_same(yyjson_val *a, yyjson_val *b, bool loosely)
{
    size_t i, max;
    yyjson_val *key, *value;
    if (yyjson_obj_size(a) != yyjson_obj_size(b)) {
        return false;
    }
    yyjson_obj_foreach(a, i, max, key, value)
    {
        yyjson_val *other = yyjson_obj_getn(b, yyjson_get_str(key), yyjson_get_len(key));
        if (other == NULL || !json_same(value, other, loosely)) {
            return false;
        }
    }
    return true;
}

#define LOOSE_MOST 64u

/* Each item of A somewhere in B, each of B once. */
static bool array_same_loosely(yyjson_val *a, yyjson_val *b)
{
    uint64_t taken = 0;
    size_t i, j, most, others;
    yyjson_val *item, *other;
    yyjson_arr_foreach(a, i, most, item)
    {
        bool found = false;
        yyjson_arr_foreach(b, j, others, other)
        {
            if ((taken >> j & 1) == 0 && json_same(item, other, true)) {
                taken |= UINT64_C(1) << j;
                found = true;
                break;
            }
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

/* Equivalence does not depend on order (section 6.1.2); of more than 64 items it does here, because
 * every item would be looked for among as many. */
static bool array_same(yyjson_val *a, yyjson_val *b, bool loosely)
{
    yyjson_arr_iter first, second;
    yyjson_val *item;
    if (yyjson_arr_size(a) != yyjson_arr_size(b)) {
        return false;
    }
    if (loosely && yyjson_arr_size(a) <= LOOSE_MOST) {
        return array_same_loosely(a, b);
    }
    first = yyjson_arr_iter_with(a);
    second = yyjson_arr_iter_with(b);
    while ((item = yyjson_arr_iter_next(&first)) != NULL) {
        if (!json_same(item, yyjson_arr_iter_next(&second), loosely)) {
            return false;
        }
    }
    return true;
}

static bool json_same(yyjson_val *a, yyjson_val *b, bool loosely)
{
    if (a == b) {
        return true;
    }
    if (a == NULL || b == NULL || yyjson_get_type(a) != yyjson_get_type(b)) {
        return false;
    }
    if (yyjson_is_obj(a)) {
        return object_same(a, b, loosely);
    }
    if (yyjson_is_arr(a)) {
        return array_same(a, b, loosely);
    }
    if (yyjson_is_str(a)) {
        return loosely ? fold_equal(json_string(a), json_string(b))
                       : slice_equals(json_string(a), json_string(b));
    }
    if (yyjson_is_bool(a)) {
        return yyjson_get_bool(a) == yyjson_get_bool(b);
    }
    return yyjson_is_null(a) || number_equal(json_number(a), json_number(b), loosely);
}

/* ---- equality ---------------------------------------------------------------------------------
 */

static enum truth system_equal(const struct fhirpath_value *a, const struct fhirpath_value *b)
{
    if (a->kind == b->kind) {
        switch (a->kind) {
        case FHIRPATH_BOOLEAN:
            return truth(a->boolean == b->boolean);
        case FHIRPATH_STRING:
            return truth(a->string.length == b->string.length &&
                         bytes_equal(a->string.at, b->string.at, a->string.length));
        case FHIRPATH_INTEGER:
            return truth(a->integer == b->integer);
        case FHIRPATH_TYPE:
            return truth(slice_equals(a->type.space, b->type.space) &&
                         slice_equals(a->type.name, b->type.name));
        default:
            break;
        }
    }
    enum order order = system_order(a, b);
    return order == ORDER_UNKNOWN ? TRUTH_EMPTY : truth(order == ORDER_SAME);
}

static bool is_complex(const struct fhirpath_node *node)
{
    return node->type->kind != TYPE_PRIMITIVE && !type_is_quantity(node->type);
}

/* Where one of them at least is something of a resource. */
static enum truth nodes_equal(struct arena *arena, const struct fhirpath_value *a,
                              const struct fhirpath_value *b)
{
    struct fhirpath_value room_a, room_b;
    bool nodes = a->kind == FHIRPATH_NODE && b->kind == FHIRPATH_NODE;
    if (nodes && a->node.value == b->node.value && a->node.sibling == b->node.sibling) {
        return TRUTH_TRUE;
    }
    if (!nodes || !is_complex(&a->node) || !is_complex(&b->node)) {
        const struct fhirpath_value *system_a = as_system(a, arena, &room_a);
        const struct fhirpath_value *system_b = as_system(b, arena, &room_b);
        if (system_a != NULL && system_b != NULL) {
            return system_equal(system_a, system_b);
        }
        if (!nodes || system_a != NULL || system_b != NULL) {
            return TRUTH_FALSE;
        }
    }
    return truth(json_same(a->node.value, b->node.value, false) &&
                 json_same(a->node.sibling, b->node.sibling, false));
}

enum truth values_equal(struct arena *arena, const struct fhirpath_value *a,
                        const struct fhirpath_value *b)
{
    return a->kind != FHIRPATH_NODE && b->kind != FHIRPATH_NODE ? system_equal(a, b)
                                                                : nodes_equal(arena, a, b);
}

/* ---- equivalence ------------------------------------------------------------------------------
 */

/* The simple lower case of the letters of Latin, Greek and Cyrillic; others have none here. */
static uint32_t lower_case(uint32_t c)
{
    if (c < 0x80) {
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    }
    if ((c >= 0xC0 && c <= 0xDE && c != 0xD7) || (c >= 0x391 && c <= 0x3A9) ||
        (c >= 0x410 && c <= 0x42F)) {
        return c + 32;
    }
    if (c >= 0x400 && c <= 0x40F) {
        return c + 80;
    }
    bool even = (c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177) ||
                (c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF);
    if (even && c != 0x130) {
        return c | 1;
    }
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E)) {
        return c % 2 == 1 ? c + 1 : c;
    }
    return c == 0x178 ? 0xFF : c;
}

static uint32_t upper_case(uint32_t c)
{
    if (c < 0x80) {
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    }
    if (c == 0xFF) {
        return 0x178;
    }
    if (c == 0x3C2) { /* the sigma at the end of a word */
        return 0x3A3;
    }
    if (lower_case(c - 32) == c && c >= 0xE0) {
        return c - 32;
    }
    if (lower_case(c - 80) == c && c >= 0x450) {
        return c - 80;
    }
    return c >= 0x101 && lower_case(c - 1) == c ? c - 1 : c;
}

/* The character at *AT of well-formed UTF-8; *AT moves behind it. */
static uint32_t take_character(struct slice text, size_t *at)
{
    const unsigned char *bytes = (const unsigned char *)text.at + *at;
    size_t left = text.length - *at;
    size_t length = bytes[0] < 0x80 ? 1 : bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;
    if (length == 1 || length > left) {
        *at += 1;
        return bytes[0];
    }
    uint32_t code = bytes[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        code = code << 6 | (bytes[i] & 0x3Fu);
    }
    *at += length;
    return code;
}

static uint32_t fold_character(struct slice text, size_t *at)
{
    uint32_t c = take_character(text, at);
    bool space = c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0 || c == 0x3000 ||
                 (c >= 0x2000 && c <= 0x200A);
    return space ? ' ' : lower_case(c);
}

static bool fold_equal(struct slice a, struct slice b)
{
    size_t at_a = 0, at_b = 0;
    while (at_a < a.length && at_b < b.length) {
        if (fold_character(a, &at_a) != fold_character(b, &at_b)) {
            return false;
        }
    }
    return at_a == a.length && at_b == b.length;
}

void text_write_case(struct slice text, bool upper, struct buffer *out)
{
    size_t at = 0;
    while (at < text.length) {
        size_t start = at;
        uint32_t c = take_character(text, &at);
        uint32_t other = upper ? upper_case(c) : lower_case(c);
        if (other == c || (c >= 0x80 && at - start == 1)) {
            buffer_add(out, slice_of(text.at + start, at - start));
        } else {
            buffer_add_utf8(out, other);
        }
    }
}

bool decimal_equivalent(struct decimal a, struct decimal b)
{
    a = decimal_normalise(a);
    b = decimal_normalise(b);
    int32_t scale = a.scale < b.scale ? a.scale : b.scale;
    return decimal_round(a, scale, DECIMAL_HALF_UP, &a) &&
           decimal_round(b, scale, DECIMAL_HALF_UP, &b) && decimal_compare(a, b) == 0;
}

static bool system_equivalent(const struct fhirpath_value *a, const struct fhirpath_value *b)
{
    if (a->kind == FHIRPATH_STRING && b->kind == FHIRPATH_STRING) {
        return fold_equal(a->string, b->string);
    }
    if (is_number(a) && is_number(b)) {
        return decimal_equivalent(decimal_of(a), decimal_of(b));
    }
    if (is_quantity_pair(a, b)) {
        struct fhirpath_quantity quantity_a = quantity_of(a), quantity_b = quantity_of(b);
        return quantity_equivalent(&quantity_a, &quantity_b);
    }
    return system_equal(a, b) == TRUTH_TRUE;
}

bool values_equivalent(struct arena *arena, const struct fhirpath_value *a,
                       const struct fhirpath_value *b)
{
    struct fhirpath_value room_a, room_b;
    const struct fhirpath_value *system_a = as_system(a, arena, &room_a);
    const struct fhirpath_value *system_b = as_system(b, arena, &room_b);
    if (system_a != NULL && system_b != NULL) {
        return system_equivalent(system_a, system_b);
    }
    return system_a == NULL && system_b == NULL && a->kind == FHIRPATH_NODE &&
           b->kind == FHIRPATH_NODE && json_same(a->node.value, b->node.value, true) &&
           json_same(a->node.sibling, b->node.sibling, true);
}
