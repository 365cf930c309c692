/* SPDX-License-Identifier: MIT */
/* fixed[x] and pattern[x] (R4 elementdefinition.html): a fixed value is met exactly, with no more
 * and no less, precision of decimals included; of a pattern every member must be there, and every
 * item of its arrays somewhere in the value's. */
#include "validate/profile_int.h"

static bool same_scalar(yyjson_val *a, yyjson_val *b)
{
    if (yyjson_is_str(a) || yyjson_is_str(b)) {
        return yyjson_is_str(a) && yyjson_is_str(b) && slice_equals(json_string(a), json_string(b));
    }
    if (yyjson_is_bool(a) || yyjson_is_bool(b)) {
        return yyjson_is_bool(a) && yyjson_is_bool(b) && yyjson_get_bool(a) == yyjson_get_bool(b);
    }
    struct slice left = json_number(a), right = json_number(b);
    return left.length > 0 ? slice_equals(left, right)
                           : yyjson_get_type(a) == yyjson_get_type(b) && right.length == 0;
}

bool value_is_fixed(yyjson_val *fixed, yyjson_val *value)
{
    size_t i, max;
    yyjson_val *key, *each;
    if (fixed == NULL || value == NULL) {
        return fixed == value;
    }
    if (yyjson_is_obj(fixed)) {
        if (!yyjson_is_obj(value) || yyjson_obj_size(fixed) != yyjson_obj_size(value)) {
            return false;
        }
        yyjson_obj_foreach(fixed, i, max, key, each)
        {
            if (!value_is_fixed(each,
                                yyjson_obj_getn(value, yyjson_get_str(key), yyjson_get_len(key)))) {
                return false;
            }
        }
        return true;
    }
    if (yyjson_is_arr(fixed)) {
        if (!yyjson_is_arr(value) || yyjson_arr_size(fixed) != yyjson_arr_size(value)) {
            return false;
        }
        yyjson_arr_foreach(fixed, i, max, each)
        {
            if (!value_is_fixed(each, yyjson_arr_get(value, i))) {
                return false;
            }
        }
        return true;
    }
    return same_scalar(fixed, value);
}

static bool some_item_has(yyjson_val *pattern, yyjson_val *array)
{
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(array, i, max, item)
    {
        if (value_has_pattern(pattern, item)) {
            return true;
        }
    }
    return false;
}

bool value_has_pattern(yyjson_val *pattern, yyjson_val *value)
{
    size_t i, max;
    yyjson_val *key, *each;
    if (pattern == NULL || value == NULL) {
        return pattern == NULL;
    }
    if (yyjson_is_obj(pattern)) {
        yyjson_obj_foreach(pattern, i, max, key, each)
        {
            yyjson_val *own = yyjson_obj_getn(value, yyjson_get_str(key), yyjson_get_len(key));
            if (!value_has_pattern(each, own)) {
                return false;
            }
        }
        return yyjson_is_obj(value);
    }
    if (yyjson_is_arr(pattern)) {
        yyjson_arr_foreach(pattern, i, max, each)
        {
            if (!some_item_has(each, value)) {
                return false;
            }
        }
        return yyjson_is_arr(value);
    }
    return same_scalar(pattern, value);
}
