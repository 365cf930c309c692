/* SPDX-License-Identifier: MIT */
/* Vital signs (R4 observation-vitalsigns.html: "When a FHIR implementation supports any of the
 * vital signs listed below, the implementation SHALL conform to this profile for the vital sign
 * observation"): an Observation of one is judged by its profile, whether it declares that or not.
 * The page tells them by the LOINC code that each of its profiles asks for; a record that says the
 * same in SNOMED CT is of that vital sign too, and lacks the code that all can read. */
#include "validate/profile_int.h"

#define LOINC            "http://loinc.org"
#define SNOMED           "http://snomed.info/sct"
#define STRUCTURE_PREFIX "http://hl7.org/fhir/StructureDefinition/"

static const struct {
    const char *system, *code, *profile;
} vital_signs[] = {
    {LOINC, "85353-1", STRUCTURE_PREFIX "vitalspanel"},
    {LOINC, "9279-1", STRUCTURE_PREFIX "resprate"},
    {LOINC, "8867-4", STRUCTURE_PREFIX "heartrate"},
    {LOINC, "2708-6", STRUCTURE_PREFIX "oxygensat"},
    {LOINC, "8310-5", STRUCTURE_PREFIX "bodytemp"},
    {LOINC, "8302-2", STRUCTURE_PREFIX "bodyheight"},
    {LOINC, "9843-4", STRUCTURE_PREFIX "headcircum"},
    {LOINC, "29463-7", STRUCTURE_PREFIX "bodyweight"},
    {LOINC, "39156-5", STRUCTURE_PREFIX "bmi"},
    {LOINC, "85354-9", STRUCTURE_PREFIX "bp"},
    {SNOMED, "86290005", STRUCTURE_PREFIX "resprate"},
    {SNOMED, "364075005", STRUCTURE_PREFIX "heartrate"},
    {SNOMED, "431314004", STRUCTURE_PREFIX "oxygensat"},
    {SNOMED, "386725007", STRUCTURE_PREFIX "bodytemp"},
    {SNOMED, "276885007", STRUCTURE_PREFIX "bodytemp"}, /* of the core */
    {SNOMED, "50373000", STRUCTURE_PREFIX "bodyheight"},
    {SNOMED, "363812007", STRUCTURE_PREFIX "headcircum"},
    {SNOMED, "27113001", STRUCTURE_PREFIX "bodyweight"},
    {SNOMED, "60621009", STRUCTURE_PREFIX "bmi"},
    {SNOMED, "75367002", STRUCTURE_PREFIX "bp"},
};

struct slice vital_sign_profile(yyjson_val *observation)
{
    size_t i, max;
    yyjson_val *coding;
    yyjson_arr_foreach(json_get(json_get(observation, "code"), "coding"), i, max, coding)
    {
        struct slice system = json_get_string(coding, "system");
        struct slice code = json_get_string(coding, "code");
        for (size_t each = 0; each < sizeof vital_signs / sizeof *vital_signs; each++) {
            if (slice_is(code, vital_signs[each].code) &&
                slice_is(system, vital_signs[each].system)) {
                return slice_text(vital_signs[each].profile);
            }
        }
    }
    return (struct slice){NULL, 0};
}
