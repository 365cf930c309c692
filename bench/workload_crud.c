/* SPDX-License-Identifier: MIT */
/* Nine linked resources: created in the order of their references, read, updated, and deleted in
 * the opposite order, so that a server with referential integrity plays along. */
#include "workload.h"

/* In a template ' stands for ", and {Type} for the reference to what this round created of that
 * type. {id} is `"id":"...",` in an update and nothing in a create; {n} is a number that differs
 * from round to round and between create and update. */
struct template
{
    const char *type;
    const char *text;
    const char *steps[4]; /* names, in the order of enum act */
};

#define STEPS(type)                                                                                \
    {                                                                                              \
        "create " type, "read " type, "update " type, "delete " type                               \
    }

static const struct template templates[] = {
    {"Patient",
     "{'resourceType':'Patient',{id}'active':true,'name':[{'use':'official','family':'Load{n}',"
     "'given':['Bench']}],'gender':'female','birthDate':'1970-03-04','address':[{'line':"
     "['1 High Street'],'city':'Leeds','postalCode':'LS1 1AA'}]}",
     STEPS("Patient")},
    {"Encounter",
     "{'resourceType':'Encounter',{id}'status':'finished','class':{'system':"
     "'http://terminology.hl7.org/CodeSystem/v3-ActCode','code':'AMB'},'subject':{'reference':"
     "'{Patient}'},'period':{'start':'2024-05-01T09:00:00Z','end':'2024-05-01T09:30:00Z'},"
     "'reasonCode':[{'text':'Review {n}'}]}",
     STEPS("Encounter")},
    {"Condition",
     "{'resourceType':'Condition',{id}'clinicalStatus':{'coding':[{'system':"
     "'http://terminology.hl7.org/CodeSystem/condition-clinical','code':'active'}]},'code':"
     "{'coding':[{'system':'http://snomed.info/sct','code':'38341003','display':"
     "'Hypertensive disorder'}]},'subject':{'reference':'{Patient}'},'encounter':{'reference':"
     "'{Encounter}'},'onsetDateTime':'2020-01-15','note':[{'text':'Note {n}'}]}",
     STEPS("Condition")},
    {"Observation",
     "{'resourceType':'Observation',{id}'status':'final','code':{'coding':[{'system':"
     "'http://loinc.org','code':'8867-4','display':'Heart rate'}]},'subject':{'reference':"
     "'{Patient}'},'encounter':{'reference':'{Encounter}'},'effectiveDateTime':"
     "'2024-05-01T09:10:00Z','valueQuantity':{'value':{n}.5,'unit':'/min','system':"
     "'http://unitsofmeasure.org','code':'/min'}}",
     STEPS("Observation")},
    {"MedicationRequest",
     "{'resourceType':'MedicationRequest',{id}'status':'active','intent':'order',"
     "'medicationCodeableConcept':{'coding':[{'system':'http://snomed.info/sct','code':"
     "'386864001','display':'Amlodipine'}]},'subject':{'reference':'{Patient}'},'encounter':"
     "{'reference':'{Encounter}'},'reasonReference':[{'reference':'{Condition}'}],'authoredOn':"
     "'2024-05-01','dosageInstruction':[{'text':'One a day, {n}'}]}",
     STEPS("MedicationRequest")},
    {"Procedure",
     "{'resourceType':'Procedure',{id}'status':'completed','code':{'coding':[{'system':"
     "'http://snomed.info/sct','code':'46973005','display':'Blood pressure taking'}]},'subject':"
     "{'reference':'{Patient}'},'encounter':{'reference':'{Encounter}'},'performedDateTime':"
     "'2024-05-01T09:12:00Z','note':[{'text':'Note {n}'}]}",
     STEPS("Procedure")},
    {"Immunization",
     "{'resourceType':'Immunization',{id}'status':'completed','vaccineCode':{'coding':[{'system':"
     "'http://snomed.info/sct','code':'1181000221105','display':'Influenza vaccine'}]},'patient':"
     "{'reference':'{Patient}'},'encounter':{'reference':'{Encounter}'},'occurrenceDateTime':"
     "'2024-05-01','lotNumber':'L{n}'}",
     STEPS("Immunization")},
    {"AllergyIntolerance",
     "{'resourceType':'AllergyIntolerance',{id}'clinicalStatus':{'coding':[{'system':"
     "'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical','code':'active'}]},"
     "'code':{'coding':[{'system':'http://snomed.info/sct','code':'91936005','display':"
     "'Allergy to penicillin'}]},'patient':{'reference':'{Patient}'},'note':[{'text':'Note {n}'}]}",
     STEPS("AllergyIntolerance")},
    {"DiagnosticReport",
     "{'resourceType':'DiagnosticReport',{id}'status':'final','code':{'coding':[{'system':"
     "'http://loinc.org','code':'34117-2','display':'History and physical note'}]},'subject':"
     "{'reference':'{Patient}'},'encounter':{'reference':'{Encounter}'},'result':[{'reference':"
     "'{Observation}'}],'issued':'2024-05-01T09:40:00Z','conclusion':'Report {n}'}",
     STEPS("DiagnosticReport")},
};

#define KINDS (sizeof templates / sizeof *templates)

enum act { ACT_CREATE, ACT_READ, ACT_UPDATE, ACT_DELETE, ACT_COUNT };

#define ID_MAX 160 /* "Type/" and an id of 64 characters, generously */

struct crud {
    struct arena_mark mark; /* of scratch: what lies beyond is the request under way */
    uint64_t round;
    enum act act;
    size_t kind;
    char ids[KINDS][ID_MAX]; /* "Type/id" of what this round created */
    size_t id_lengths[KINDS];
};

static struct slice id_of(const struct crud *crud, size_t kind)
{
    return slice_of(crud->ids[kind], crud->id_lengths[kind]);
}

enum status crud_prepare(struct work *work)
{
    work->resources = 0;
    return STATUS_OK;
}

/* Which kind a reference mark "{Type}" names; KINDS when it names none. */
static size_t kind_of(struct slice name)
{
    size_t kind = 0;
    while (kind < KINDS && !slice_is(name, templates[kind].type)) {
        kind++;
    }
    return kind;
}

static void write_mark(const struct crud *crud, struct slice mark, struct buffer *out)
{
    bool update = crud->act == ACT_UPDATE;
    size_t kind = kind_of(mark);
    if (kind < KINDS) {
        buffer_add(out, id_of(crud, kind));
    } else if (slice_is(mark, "n")) {
        buffer_add_unsigned(out, 50 + (crud->round * 2 + update) % 90);
    } else if (update) { /* {id} */
        struct slice own = id_of(crud, crud->kind);
        buffer_add_text(out, "\"id\":\"");
        buffer_add(out, slice_from(own, slice_index(own, '/') + 1));
        buffer_add_text(out, "\",");
    }
}

/* A mark is a brace, letters and a brace; every other brace is JSON's own. */
static size_t mark_length(const char *at)
{
    size_t length = 1;
    while ((at[length] >= 'a' && at[length] <= 'z') || (at[length] >= 'A' && at[length] <= 'Z')) {
        length++;
    }
    return length > 1 && at[length] == '}' ? length + 1 : 0;
}

static struct slice write_body(const struct crud *crud, struct arena *arena)
{
    struct buffer body = {.arena = arena};
    for (const char *at = templates[crud->kind].text; *at != '\0'; at++) {
        size_t mark = *at == '{' ? mark_length(at) : 0;
        if (mark > 0) {
            write_mark(crud, slice_of(at + 1, mark - 2), &body);
            at += mark - 1;
        } else {
            buffer_add_byte(&body, *at == '\'' ? '"' : *at);
        }
    }
    return buffer_slice(&body);
}

static struct crud *crud_of(struct session *session)
{
    struct crud *crud = session->state;
    if (crud == NULL) {
        crud = ARENA_NEW(session->scratch, struct crud);
        session->state = crud;
        if (crud != NULL) {
            crud->mark = arena_mark(session->scratch);
        }
    }
    return crud;
}

bool crud_next(struct session *session, struct exchange *ret_exchange)
{
    static const char *const methods[] = {"POST", "GET", "PUT", "DELETE"};
    struct crud *crud = crud_of(session);
    if (crud == NULL) {
        return false;
    }
    arena_rewind(session->scratch, crud->mark);
    const struct template *template = &templates[crud->kind];
    bool has_body = crud->act == ACT_CREATE || crud->act == ACT_UPDATE;
    struct slice body = has_body ? write_body(crud, session->scratch) : SLICE("");
    struct slice path =
        crud->act == ACT_CREATE ? slice_text(template->type) : id_of(crud, crud->kind);
    struct buffer head = {.arena = session->scratch};
    target_write_head(session->work->target, methods[crud->act], path,
                      SLICE("application/fhir+json"), body.length, has_body, &head);
    ret_exchange->head = buffer_slice(&head);
    ret_exchange->body = body;
    ret_exchange->step = template->steps[crud->act];
    return buffer_ok(&head) && (!has_body || body.length > 0);
}

/* Takes "Type/id" out of ".../Type/id/_history/1" or ".../Type/id". */
static bool keep_id(struct crud *crud, struct slice location)
{
    const char *type = templates[crud->kind].type;
    struct slice rest = location;
    while (rest.at != NULL) {
        struct slice part = slice_cut(&rest, '/');
        if (rest.at == NULL || !slice_is(part, type)) {
            continue;
        }
        struct slice id = slice_head(rest, slice_index(rest, '/'));
        size_t length = part.length + 1 + id.length;
        if (id.length == 0 || length > ID_MAX) {
            return false;
        }
        memcpy(crud->ids[crud->kind], part.at, length);
        crud->id_lengths[crud->kind] = length;
        return true;
    }
    return false;
}

void crud_answer(struct session *session, const struct response *response)
{
    struct crud *crud = session->state;
    bool failed = response->status < 200 || response->status > 299;
    if (crud->act == ACT_CREATE && (failed || !keep_id(crud, response_location(response)))) {
        /* What refers to it cannot be made: the next round tries again, and the error counts. */
        crud->act = ACT_CREATE;
        crud->kind = 0;
        crud->round++;
        return;
    }
    bool backwards = crud->act == ACT_DELETE;
    if (backwards ? crud->kind > 0 : crud->kind + 1 < KINDS) {
        crud->kind = backwards ? crud->kind - 1 : crud->kind + 1;
        return;
    }
    crud->act = (crud->act + 1) % ACT_COUNT;
    crud->kind = crud->act == ACT_DELETE ? KINDS - 1 : 0;
    crud->round += crud->act == ACT_CREATE;
}
