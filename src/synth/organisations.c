/* SPDX-License-Identifier: MIT */
/* The organisations of each area: a hospital trust, a community trust, practices, pharmacies and
 * care homes, and who works there. None of them exists: their codes, and the
 * numbers of those who work there, are of systems of our own, as any that look like an ODS code or
 * a register's number may be somebody's. */
#include <stdio.h>

#include "synth/synth_int.h"

#define WORLD_STREAM UINT64_MAX

const struct specialty synth_specialties[CONSULTANTS] = {
    {"320", "Cardiology"},
    {"340", "Respiratory Medicine"},
    {"302", "Endocrinology and Diabetes"},
    {"400", "Neurology"},
    {"110", "Trauma and Orthopaedics"},
    {"370", "Medical Oncology"},
    {"430", "Geriatric Medicine"},
    {"501", "Obstetrics"},
    {"420", "Paediatrics"},
    {"410", "Rheumatology"},
    {"301", "Gastroenterology"},
    {"180", "Emergency Medicine"},
};

static const char *const practice_names[PRACTICES] = {
    "Riverside Surgery", "The Old Mill Practice",      "Park Lane Medical Centre",
    "Hillcrest Surgery", "Station Road Practice",      "Meadowview Health Centre",
    "St Anne's Surgery", "Canalside Medical Practice",
};
static const char *const pharmacy_names[PHARMACIES] = {
    "High Street Pharmacy", "Parade Chemist",       "Market Square Pharmacy",
    "Wellfield Pharmacy",   "Corner House Chemist",
};
static const char *const care_home_names[CARE_HOMES] = {
    "The Laurels Care Home",
    "Beechcroft House",
    "Willowmere Nursing Home",
    "Sunnybank Lodge",
};

/* What the maker of the world carries along. */
struct builder {
    struct world *world;
    struct random random;
    struct person ids; /* of whom only the numbering of ids is used */
    unsigned code;
    unsigned registration;
};

static struct uuid next_uuid(struct builder *builder)
{
    struct uuid id;
    person_uuid(builder->world, &builder->ids, &id);
    return id;
}

static void make_site(struct builder *builder, const struct place *place, const char *name,
                      const char *prefix, struct site *ret_site)
{
    struct random *random = &builder->random;
    ret_site->id = next_uuid(builder);
    ret_site->location = next_uuid(builder);
    snprintf(ret_site->name, sizeof ret_site->name, "%s", name);
    snprintf(ret_site->code, sizeof ret_site->code, "%s%03u", prefix, builder->code++ % 1000);
    snprintf(ret_site->line, sizeof ret_site->line, "%u %s", 1 + pick(random, 180),
             synth_streets[pick(random, synth_street_count)]);
    static const char letters[] = "ABDEFGHJLNPQRSTUWXYZ";
    snprintf(ret_site->postcode, sizeof ret_site->postcode, "%s%u %u%c%c", place->postcode_area,
             1 + pick(random, 20), pick(random, 10), letters[pick(random, 20)],
             letters[pick(random, 20)]);
}

static void make_staff(struct builder *builder, struct staff *ret_staff)
{
    struct random *random = &builder->random;
    /* Drawn as the population is, at ages of work. */
    unsigned share = pick(random, 10000);
    unsigned group = 0;
    while (group + 1 < ETHNIC_GROUPS && share >= synth_ethnic_groups[group].per_10000) {
        share -= synth_ethnic_groups[group].per_10000;
        group++;
    }
    char ethnicity = synth_ethnic_groups[group].code;
    ret_staff->id = next_uuid(builder);
    ret_staff->role = next_uuid(builder);
    ret_staff->female = chance(random, 57);
    ret_staff->given =
        name_given(random, ret_staff->female, ethnicity, 1965 + (int)pick(random, 28));
    ret_staff->family = name_family(random, ethnicity);
}

static void make_area(struct builder *builder, const struct place *place, struct area *ret_area)
{
    struct area *area = ret_area;
    char name[64];
    area->place = place;
    snprintf(name, sizeof name, "%s Synthetic Hospital NHS Trust", place->name);
    make_site(builder, place, name, "ZH", &area->hospital);
    area->emergency = next_uuid(builder);
    area->ward = next_uuid(builder);
    for (unsigned i = 0; i < CONSULTANTS; i++) {
        area->services[i] = next_uuid(builder);
        make_staff(builder, &area->consultants[i]);
    }
    snprintf(name, sizeof name, "%s Synthetic Community Health Team", place->name);
    make_site(builder, place, name, "ZC", &area->community);
    area->community_service = next_uuid(builder);
    for (unsigned i = 0; i < COMMUNITY_STAFF; i++) {
        make_staff(builder, &area->community_staff[i]);
    }
    for (unsigned i = 0; i < PHARMACIES; i++) {
        make_site(builder, place, pharmacy_names[i], "ZF", &area->pharmacies[i]);
    }
    for (unsigned i = 0; i < CARE_HOMES; i++) {
        make_site(builder, place, care_home_names[i], "ZN", &area->care_homes[i]);
    }
    for (unsigned i = 0; i < PRACTICES; i++) {
        struct practice *practice = &area->practices[i];
        make_site(builder, place, practice_names[i], "ZA0", &practice->site);
        practice->service = next_uuid(builder);
        practice->pharmacy = &area->pharmacies[i % PHARMACIES];
        for (unsigned gp = 0; gp < PRACTICE_GPS; gp++) {
            make_staff(builder, &practice->gps[gp]);
        }
        make_staff(builder, &practice->nurse);
    }
}

/* One area for every ten thousand people, so that a small population is one town's and every
 * practice has patients. */
static unsigned areas_for(uint64_t people)
{
    uint64_t wanted = 1 + people / 10000;
    return wanted < PLACES ? (unsigned)wanted : PLACES;
}

struct world *world_create(const struct synth_options *options, day_number until,
                           struct arena *arena)
{
    struct world *world = ARENA_NEW(arena, struct world);
    if (world == NULL) {
        return NULL;
    }
    world->seed = options->seed;
    world->people = options->people;
    world->until = until;
    world->area_count = areas_for(options->people);
    world->areas = arena_array(arena, world->area_count, sizeof *world->areas);
    world->nhs_suffixes = nhs_suffixes(arena);
    if (world->areas == NULL || world->nhs_suffixes == NULL) {
        return NULL;
    }
    struct builder builder = {.world = world, .ids = {.index = WORLD_STREAM}};
    random_seed(&builder.random, world->seed, WORLD_STREAM);
    world->nhs_offset = (uint32_t)random_below(&builder.random, synth_nhs_capacity());
    for (unsigned i = 0; i < world->area_count; i++) {
        make_area(&builder, &synth_places[i], &world->areas[i]);
    }
    return world;
}

/* ---- writing ------------------------------------------------------------------------------- */

static void put_address(struct buffer *out, const struct site *site, const struct place *place)
{
    PUT(out, "{\"use\":\"work\",\"line\":[\"");
    put_text(out, site->line);
    PUT(out, "\"],\"city\":\"");
    put_text(out, place->name);
    PUT(out, "\",\"district\":\"");
    put_text(out, place->county);
    PUT(out, "\",\"postalCode\":\"");
    put_text(out, site->postcode);
    PUT(out, "\",\"country\":\"England\"}");
}

/* The Organization and its Location. */
static void write_site(struct writer *writer, const struct site *site, const struct place *place,
                       const char *type, unsigned number)
{
    struct buffer *out = writer_begin(writer, TYPE_ORGANIZATION, &site->id, "Organization");
    PUT(out, ",\"identifier\":[{\"system\":\"https://example.org/Id/synthetic-organisation\","
             "\"value\":\"");
    put_text(out, site->code);
    PUT(out, "\"}],\"active\":true,\"type\":[{\"coding\":[{\"system\":\"http://terminology.hl7.org/"
             "CodeSystem/organization-type\",\"code\":\"prov\",\"display\":\"Healthcare "
             "Provider\"}],\"text\":\"");
    put_text(out, type);
    PUT(out, "\"}],\"name\":\"");
    put_text(out, site->name);
    PUT(out, "\",\"telecom\":[{\"system\":\"phone\",\"value\":\"01632 960");
    put_decimal(out, (int64_t)(100 + number % 900), 0);
    PUT(out, "\",\"use\":\"work\"}],\"address\":[");
    put_address(out, site, place);
    PUT(out, "]");
    writer_end(writer, TYPE_ORGANIZATION, &site->id);

    out = writer_begin(writer, TYPE_LOCATION, &site->location, "Location");
    PUT(out, ",\"identifier\":[{\"system\":\"https://example.org/Id/synthetic-site\",\"value\":\"");
    put_text(out, site->code);
    PUT(out, "01\"}],\"status\":\"active\",\"name\":\"");
    put_text(out, site->name);
    PUT(out, "\",\"mode\":\"instance\",\"address\":");
    put_address(out, site, place);
    PUT(out, ",\"managingOrganization\":");
    put_reference(out, "Organization", &site->id);
    writer_end(writer, TYPE_LOCATION, &site->location);
}

/* A part of a site: a ward or a department. */
static void write_part(struct writer *writer, const struct uuid *id, const char *name,
                       const struct site *site)
{
    struct buffer *out = writer_begin(writer, TYPE_LOCATION, id, "Location");
    PUT(out, ",\"status\":\"active\",\"name\":\"");
    put_text(out, name);
    PUT(out, "\",\"mode\":\"instance\",\"managingOrganization\":");
    put_reference(out, "Organization", &site->id);
    PUT(out, ",\"partOf\":");
    put_reference(out, "Location", &site->location);
    writer_end(writer, TYPE_LOCATION, id);
}

static void write_service(struct writer *writer, const struct uuid *id, const struct site *site,
                          const char *category, const char *category_display,
                          const struct specialty *specialty)
{
    struct buffer *out = writer_begin(writer, TYPE_SERVICE, id, "HealthcareService");
    PUT(out, ",\"active\":true,\"providedBy\":");
    put_reference(out, "Organization", &site->id);
    PUT(out, ",\"category\":[{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/"
             "service-category\",\"code\":\"");
    put_text(out, category);
    PUT(out, "\",\"display\":\"");
    put_text(out, category_display);
    PUT(out, "\"}]}],\"specialty\":[{\"coding\":[{\"system\":\"https://fhir.hl7.org.uk/CodeSystem/"
             "UKCore-PracticeSettingCode\",\"code\":\"");
    put_text(out, specialty->code);
    PUT(out, "\",\"display\":\"");
    put_text(out, specialty->name);
    PUT(out, "\"}]}],\"location\":[");
    put_reference(out, "Location", &site->location);
    PUT(out, "],\"name\":\"");
    put_text(out, specialty->name);
    PUT(out, ", ");
    put_text(out, site->name);
    PUT(out, "\"");
    writer_end(writer, TYPE_SERVICE, id);
}

/* The Practitioner and their PractitionerRole. */
static void write_staff(struct writer *writer, const struct staff *staff, const struct site *site,
                        const struct uuid *service, bool doctor, const struct specialty *specialty,
                        unsigned number)
{
    struct buffer *out = writer_begin(writer, TYPE_PRACTITIONER, &staff->id, "Practitioner");
    PUT(out, ",\"identifier\":[{\"system\":\"https://example.org/Id/synthetic-practitioner\","
             "\"value\":\"");
    put_text(out, doctor ? "DR" : "RN");
    put_number(out, 10000 + number);
    PUT(out, "\"}],\"active\":true,\"name\":[{\"use\":\"official\",\"family\":\"");
    put_text(out, staff->family);
    PUT(out, "\",\"given\":[\"");
    put_text(out, staff->given);
    PUT(out, "\"]");
    if (doctor) {
        PUT(out, ",\"prefix\":[\"Dr\"]");
    }
    PUT(out, "}],\"gender\":\"");
    put_text(out, staff->female ? "female" : "male");
    PUT(out, "\"");
    writer_end(writer, TYPE_PRACTITIONER, &staff->id);

    out = writer_begin(writer, TYPE_ROLE, &staff->role, "PractitionerRole");
    PUT(out, ",\"active\":true,\"practitioner\":");
    put_reference(out, "Practitioner", &staff->id);
    PUT(out, ",\"organization\":");
    put_reference(out, "Organization", &site->id);
    PUT(out, ",\"code\":[");
    if (!doctor) {
        put_concept(out, 'S', "106292003", "Professional nurse");
    } else if (strcmp(specialty->code, "600") == 0) {
        put_concept(out, 'S', "62247001", "General practitioner");
    } else {
        put_concept(out, 'S', "768839008", "Consultant");
    }
    PUT(out, "],\"specialty\":[{\"coding\":[{\"system\":\"https://fhir.hl7.org.uk/CodeSystem/"
             "UKCore-PracticeSettingCode\",\"code\":\"");
    put_text(out, specialty->code);
    PUT(out, "\",\"display\":\"");
    put_text(out, specialty->name);
    PUT(out, "\"}]}],\"location\":[");
    put_reference(out, "Location", &site->location);
    PUT(out, "],\"healthcareService\":[");
    put_reference(out, "HealthcareService", service);
    PUT(out, "]");
    writer_end(writer, TYPE_ROLE, &staff->role);
}

static void write_area(const struct area *area, struct writer *writer, unsigned *number)
{
    static const struct specialty general = {"600", "General Medical Practice"};
    static const struct specialty nursing = {"950", "Nursing"};
    static const struct specialty community = {"900", "Community Medicine"};
    const struct place *place = area->place;
    write_site(writer, &area->hospital, place, "Acute hospital", (*number)++);
    write_part(writer, &area->emergency, "Emergency department", &area->hospital);
    write_part(writer, &area->ward, "Admissions ward", &area->hospital);
    for (unsigned i = 0; i < CONSULTANTS; i++) {
        write_service(writer, &area->services[i], &area->hospital, "35", "Hospital",
                      &synth_specialties[i]);
        write_staff(writer, &area->consultants[i], &area->hospital, &area->services[i], true,
                    &synth_specialties[i], (*number)++);
    }
    write_site(writer, &area->community, place, "Community health team", (*number)++);
    write_service(writer, &area->community_service, &area->community, "7", "Community Health Care",
                  &community);
    for (unsigned i = 0; i < COMMUNITY_STAFF; i++) {
        write_staff(writer, &area->community_staff[i], &area->community, &area->community_service,
                    false, &nursing, (*number)++);
    }
    for (unsigned i = 0; i < PHARMACIES; i++) {
        write_site(writer, &area->pharmacies[i], place, "Community pharmacy", (*number)++);
    }
    for (unsigned i = 0; i < CARE_HOMES; i++) {
        write_site(writer, &area->care_homes[i], place, "Care home", (*number)++);
    }
    for (unsigned i = 0; i < PRACTICES; i++) {
        const struct practice *practice = &area->practices[i];
        write_site(writer, &practice->site, place, "General practice", (*number)++);
        write_service(writer, &practice->service, &practice->site, "17", "General Practice",
                      &general);
        for (unsigned gp = 0; gp < PRACTICE_GPS; gp++) {
            write_staff(writer, &practice->gps[gp], &practice->site, &practice->service, true,
                        &general, (*number)++);
        }
        write_staff(writer, &practice->nurse, &practice->site, &practice->service, false, &nursing,
                    (*number)++);
    }
}

void world_write(const struct world *world, struct writer *writer)
{
    unsigned number = 0;
    writer_open_bundle(writer);
    for (unsigned i = 0; i < world->area_count; i++) {
        write_area(&world->areas[i], writer, &number);
    }
    writer_close_bundle(writer);
}
