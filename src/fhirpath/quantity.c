/* SPDX-License-Identifier: MIT */
/* Quantities: values with a unit of UCUM or a word of the calendar (FHIRPath N1, "Quantity"). */
#include "fhirpath/fhirpath_int.h"
#include "ucum/ucum.h"

static bool same_unit(const struct fhirpath_quantity *a, const struct fhirpath_quantity *b)
{
    return a->calendar == b->calendar && slice_equals(a->unit, b->unit);
}

/* Years and months of the calendar have no definite length: they compare with each other only (a
 * year is twelve months), never with 'a' and 'mo' (section 6.1.1, "Quantity Equality"). */
static bool is_indefinite(const struct fhirpath_quantity *quantity)
{
    bool definite;
    (void)quantity_ucum(quantity, &definite);
    return !definite;
}

static struct decimal in_months(const struct fhirpath_quantity *quantity)
{
    struct decimal months = quantity->value;
    if (slice_is(quantity->unit, "year") &&
        !decimal_multiply(months, decimal_from_integer(12), &months)) {
        return quantity->value;
    }
    return months;
}

static enum order order_of(int order)
{
    return order < 0 ? ORDER_LESS : order > 0 ? ORDER_GREATER : ORDER_SAME;
}

enum order quantity_order(const struct fhirpath_quantity *a, const struct fhirpath_quantity *b)
{
    if (same_unit(a, b)) {
        return order_of(decimal_compare(a->value, b->value));
    }
    bool loose_a = is_indefinite(a), loose_b = is_indefinite(b);
    if (loose_a && loose_b) {
        return order_of(decimal_compare(in_months(a), in_months(b)));
    }
    int order;
    bool definite;
    if (loose_a || loose_b ||
        ucum_compare(a->value, quantity_ucum(a, &definite), b->value, quantity_ucum(b, &definite),
                     NULL, &order) != STATUS_OK) {
        return ORDER_UNKNOWN;
    }
    return order_of(order);
}

/* B in the unit of A. */
static bool convert(const struct fhirpath_quantity *a, const struct fhirpath_quantity *b,
                    struct decimal *ret_value)
{
    bool definite;
    if (same_unit(a, b)) {
        *ret_value = b->value;
        return true;
    }
    return ucum_convert(b->value, quantity_ucum(b, &definite), quantity_ucum(a, &definite), NULL,
                        ret_value) == STATUS_OK;
}

bool quantity_equivalent(const struct fhirpath_quantity *a, const struct fhirpath_quantity *b)
{
    struct decimal value;
    if (is_indefinite(a) && is_indefinite(b)) {
        return decimal_equivalent(in_months(a), in_months(b));
    }
    return convert(a, b, &value) && decimal_equivalent(a->value, value);
}

bool quantity_comparable(const struct fhirpath_quantity *a, const struct fhirpath_quantity *b)
{
    struct ucum_unit unit_a, unit_b;
    bool definite;
    if (same_unit(a, b)) {
        return true;
    }
    return is_indefinite(a) == is_indefinite(b) &&
           ucum_parse(quantity_ucum(a, &definite), NULL, &unit_a) == STATUS_OK &&
           ucum_parse(quantity_ucum(b, &definite), NULL, &unit_b) == STATUS_OK &&
           ucum_commensurable(&unit_a, &unit_b);
}

static bool is_one(const struct fhirpath_quantity *quantity)
{
    return !quantity->calendar && slice_is(quantity->unit, "1");
}

bool quantity_multiply(const struct fhirpath_quantity *a, const struct fhirpath_quantity *b,
                       bool divide, struct arena *arena, struct fhirpath_quantity *ret_product)
{
    bool definite;
    /* A factor without a unit leaves the other's alone. */
    if (is_one(b) || (is_one(a) && !divide)) {
        const struct fhirpath_quantity *with_unit = is_one(b) ? a : b;
        *ret_product = *with_unit;
        return divide
                   ? decimal_divide(a->value, b->value, 28, DECIMAL_HALF_EVEN, &ret_product->value)
                   : decimal_multiply(a->value, b->value, &ret_product->value);
    }
    *ret_product = (struct fhirpath_quantity){.calendar = false};
    enum status status = (divide ? ucum_divide : ucum_multiply)(
        a->value, quantity_ucum(a, &definite), b->value, quantity_ucum(b, &definite), arena, NULL,
        &ret_product->value, &ret_product->unit);
    return status == STATUS_OK;
}

bool quantity_add(const struct fhirpath_quantity *a, const struct fhirpath_quantity *b,
                  bool subtract, struct fhirpath_quantity *ret_sum)
{
    struct decimal other;
    *ret_sum = *a;
    if (!same_unit(a, b) && (is_indefinite(a) || is_indefinite(b))) {
        return false;
    }
    return convert(a, b, &other) &&
           (subtract ? decimal_subtract : decimal_add)(a->value, other, &ret_sum->value);
}

/* ---- text -------------------------------------------------------------------------------------
 */

static size_t number_length(struct slice text)
{
    size_t at = text.length > 0 && (text.at[0] == '-' || text.at[0] == '+') ? 1 : 0;
    while (at < text.length && ((text.at[at] >= '0' && text.at[at] <= '9') || text.at[at] == '.')) {
        at++;
    }
    return at;
}

/* Section 5.5.5, toQuantity: (?'value'(\+|-)?\d+(\.\d+)?)\s*('(?'unit'[^']+)'|(?'time'[a-zA-Z]+))?
 */
bool quantity_read(struct slice text, struct fhirpath_quantity *ret_quantity)
{
    size_t length = number_length(text);
    struct slice number = slice_head(text, length);
    struct slice unit = slice_trim(slice_from(text, length));
    if (number.length > 0 && number.at[0] == '+') {
        number = slice_from(number, 1);
    }
    *ret_quantity = (struct fhirpath_quantity){.unit = SLICE("1")};
    if (!decimal_parse(number, &ret_quantity->value)) {
        return false;
    }
    if (unit.length == 0) {
        return length == text.length;
    }
    if (unit.at[0] == '\'') {
        ret_quantity->unit = slice_of(unit.at + 1, unit.length - 1);
        size_t end = slice_index(ret_quantity->unit, '\'');
        bool whole = end > 0 && end + 1 == ret_quantity->unit.length;
        ret_quantity->unit.length = end;
        return whole && ucum_valid(ret_quantity->unit);
    }
    ret_quantity->unit = calendar_word(unit);
    ret_quantity->calendar = true;
    return ret_quantity->unit.length > 0;
}

void quantity_write(const struct fhirpath_quantity *quantity, struct buffer *out)
{
    decimal_write(quantity->value, out);
    buffer_add_byte(out, ' ');
    if (!quantity->calendar) {
        buffer_add_byte(out, '\'');
    }
    buffer_add(out, quantity->unit);
    buffer_add_text(out, quantity->calendar ? "" : "'");
}
