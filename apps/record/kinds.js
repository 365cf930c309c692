// SPDX-License-Identifier: MIT
/**
 * What each type of resource is called, when it happened and how it reads in one line. One table:
 * timeline, headings and resource pages all read it.
 * @module
 */
import { choice, choiceText, conceptText, dateOf, dosageText, periodText, quantityText } from
    '../shared/datatypes.js';
import { formatName, plural, words } from '../shared/format.js';

const first = (...values) => values.find((value) => value !== undefined && value !== '');
const when = (resource, ...names) => {
    for (const name of names) {
        const date = dateOf(resource[name] ?? choice(resource, name)?.value);
        if (date !== undefined) {
            return date;
        }
    }
    return resource.meta?.lastUpdated;
};
const list = (items) => items.filter(Boolean).join(', ');
const medicine = (resource, names) => first(conceptText(resource.medicationCodeableConcept),
    names(resource.medicationReference), 'Medicine not named');
const reasons = (resource, names) => list([...(resource.reasonCode ?? []).map(conceptText),
    ...(resource.reasonReference ?? []).map(names)]);
const because = (resource, names) => {
    const text = reasons(resource, names);
    return text && `For ${text}`;
};
/** "With Dr Gary Brown at St Anne's Surgery, for Fatigue". */
const meeting = (who, where, why) => {
    const text = [who && `with ${who}`, where && `at ${where}`].filter(Boolean).join(' ');
    const whole = list([text, why && `for ${why}`]);
    return whole.charAt(0).toUpperCase() + whole.slice(1);
};
const ofType = (type) => (one) => (one?.reference ?? '').includes(`${type}/`);
const participants = (resource) => (resource.participant ?? [])
    .map((one) => one.individual ?? one.actor ?? one.member)
    .filter((one) => one && !ofType('Patient')(one));
const others = (resource, names) => list(participants(resource).map(names));

/** The value of an Observation in words: its value, its components, or why there is none. */
export function observationValue(resource) {
    const value = choiceText(resource, 'value');
    if (value !== '') {
        return value;
    }
    const components = (resource.component ?? []).filter((one) => choice(one, 'value') !== null);
    if (isBloodPressure(resource) && components.length === 2) {
        const [upper, lower] = components.map((one) => one.valueQuantity)
            .sort((a, b) => b.value - a.value);
        return `${upper.value}/${quantityText(lower)}`;
    }
    return components.map((one) => `${conceptText(one.code)} ${choiceText(one, 'value')}`).join('; ')
        || conceptText(resource.dataAbsentReason);
}

function isBloodPressure(resource) {
    return (resource.code?.coding ?? []).some((coding) =>
        coding.code === '85354-9' || coding.code === '75367002') &&
        (resource.component ?? []).every((one) => one.valueQuantity !== undefined);
}

const results = (resource, names) => {
    const count = resource.result?.length ?? 0;
    return list([resource.conclusion, count > 0 && plural(count, 'result'),
        list((resource.performer ?? []).map(names))]);
};

const documentTitle = (resource) => first(resource.description, resource.content?.[0]?.attachment?.title,
    conceptText(resource.type), 'Document');

/**
 * type: {label, many, group, date, title, detail}. group is one of GROUPS. names turns a reference
 * into the name of what it refers to.
 */
export const KINDS = {
    Condition: { label: 'Problem', many: 'Problems', group: 'problems',
        date: (r) => when(r, 'onset', 'recordedDate'), title: (r) => conceptText(r.code),
        detail: (r) => list([conceptText(r.severity), conceptText(r.bodySite?.[0])]) },
    AllergyIntolerance: { label: 'Allergy', many: 'Allergies', group: 'allergies',
        date: (r) => when(r, 'recordedDate', 'onset', 'lastOccurrence'),
        title: (r) => conceptText(r.code),
        detail: (r) => list([...(r.reaction ?? []).flatMap((one) =>
            (one.manifestation ?? []).map(conceptText)),
        r.criticality && `${r.criticality} criticality`]) },
    MedicationRequest: { label: 'Prescription', many: 'Prescriptions', group: 'medicines',
        date: (r) => when(r, 'authoredOn'), title: medicine,
        detail: (r, names) => list([dosageText(r.dosageInstruction?.[0]), because(r, names)]) },
    MedicationStatement: { label: 'Medicine taken', many: 'Medicines taken', group: 'medicines',
        date: (r) => when(r, 'effective', 'dateAsserted'), title: medicine,
        detail: (r, names) => list([dosageText(r.dosage?.[0]), because(r, names)]) },
    MedicationAdministration: { label: 'Medicine given', many: 'Medicines given',
        group: 'medicines', date: (r) => when(r, 'effective'), title: medicine,
        detail: (r, names) => list([r.dosage?.text, because(r, names)]) },
    MedicationDispense: { label: 'Medicine supplied', many: 'Medicines supplied',
        group: 'medicines', date: (r) => when(r, 'whenHandedOver', 'whenPrepared'),
        title: medicine, detail: (r) => list([quantityText(r.quantity)]) },
    Immunization: { label: 'Vaccination', many: 'Vaccinations', group: 'immunisations',
        date: (r) => when(r, 'occurrence', 'recorded'), title: (r) => conceptText(r.vaccineCode),
        detail: (r) => list([r.protocolApplied?.[0]?.doseNumberPositiveInt &&
            `dose ${r.protocolApplied[0].doseNumberPositiveInt}`,
        r.lotNumber && `batch ${r.lotNumber}`]) },
    Observation: { label: 'Result', many: 'Results', group: 'results',
        date: (r) => when(r, 'effective', 'issued'), title: (r) => conceptText(r.code),
        detail: observationValue },
    DiagnosticReport: { label: 'Report', many: 'Reports', group: 'results',
        date: (r) => when(r, 'effective', 'issued'), title: (r) => conceptText(r.code),
        detail: results },
    ImagingStudy: { label: 'Imaging', many: 'Imaging', group: 'results',
        date: (r) => when(r, 'started'),
        title: (r) => first(r.description, conceptText(r.procedureCode?.[0]),
            conceptText(r.modality?.[0]), 'Imaging study'),
        detail: (r) => list([plural(r.series?.length ?? 0, 'series', 'series')]) },
    Procedure: { label: 'Procedure', many: 'Procedures', group: 'procedures',
        date: (r) => when(r, 'performed'), title: (r) => conceptText(r.code), detail: because },
    Encounter: { label: 'Encounter', many: 'Encounters', group: 'encounters',
        date: (r) => when(r, 'period'),
        title: (r) => first(conceptText(r.type?.[0]), conceptText(r.serviceType),
            conceptText(r.class), 'Encounter'),
        detail: (r, names) => meeting(others(r, names), names(r.serviceProvider),
            reasons(r, names)) },
    DocumentReference: { label: 'Document', many: 'Documents', group: 'documents',
        date: (r) => when(r, 'date', 'context'), title: documentTitle,
        detail: (r, names) => list((r.author ?? []).map(names)) },
    Composition: { label: 'Document', many: 'Documents', group: 'documents',
        date: (r) => when(r, 'date'), title: (r) => first(r.title, conceptText(r.type)),
        detail: (r, names) => list((r.author ?? []).map(names)) },
    CarePlan: { label: 'Care plan', many: 'Care plans', group: 'plans',
        date: (r) => when(r, 'period', 'created'),
        title: (r) => first(r.title, conceptText(r.category?.at(-1)), 'Care plan'),
        detail: (r, names) => list([list((r.addresses ?? []).map(names)),
            r.activity && plural(r.activity.length, 'activity', 'activities')]) },
    Goal: { label: 'Goal', many: 'Goals', group: 'plans', date: (r) => when(r, 'start',
        'statusDate'), title: (r) => conceptText(r.description),
    detail: (r) => conceptText(r.achievementStatus) },
    CareTeam: { label: 'Care team', many: 'Care teams', group: 'plans',
        date: (r) => when(r, 'period'), title: (r) => first(r.name, conceptText(r.category?.[0]),
            conceptText(r.reasonCode?.[0]), 'Care team'),
        detail: others },
    ServiceRequest: { label: 'Referral or request', many: 'Referrals and requests',
        group: 'plans', date: (r) => when(r, 'authoredOn', 'occurrence'),
        title: (r) => conceptText(r.code), detail: because },
    Task: { label: 'Task', many: 'Tasks', group: 'plans', date: (r) => when(r, 'authoredOn'),
        title: (r) => first(r.description, conceptText(r.code), 'Task'), detail: because },
    Appointment: { label: 'Appointment', many: 'Appointments', group: 'appointments',
        date: (r) => when(r, 'start', 'created'),
        title: (r) => first(conceptText(r.specialty?.[0]), r.description,
            conceptText(r.serviceType?.[0]), conceptText(r.appointmentType), 'Appointment'),
        detail: (r, names) => {
            const some = participants(r);
            return meeting(list(some.filter((one) => !ofType('Location')(one)).map(names)),
                list(some.filter(ofType('Location')).map(names)), reasons(r, names));
        } },
    RelatedPerson: { label: 'Contact', many: 'Contacts', group: 'contacts',
        date: (r) => when(r, 'period'), title: (r) => formatName(r.name),
        detail: (r) => conceptText(r.relationship?.[0]) },
    Flag: { label: 'Alert', many: 'Alerts', group: 'alerts', date: (r) => when(r, 'period'),
        title: (r) => conceptText(r.code), detail: (r) => periodText(r.period) },
    FamilyMemberHistory: { label: 'Family history', many: 'Family history', group: 'problems',
        date: (r) => when(r, 'date'), title: (r) => list([conceptText(r.relationship),
            ...(r.condition ?? []).map((one) => conceptText(one.code))]), detail: () => '' },
    Patient: { label: 'Personal details', many: 'Personal details', group: 'contacts',
        date: (r) => r.meta?.lastUpdated, title: (r) => formatName(r.name), detail: () => '' },
};

/** The headings of the record, in the order they are read. */
export const GROUPS = [
    { name: 'alerts', title: 'Alerts' },
    { name: 'allergies', title: 'Allergies and adverse reactions',
        none: 'No allergies or adverse reactions are recorded. This does not mean there are none.' },
    { name: 'problems', title: 'Problems' },
    { name: 'medicines', title: 'Medications' },
    { name: 'immunisations', title: 'Immunisations' },
    { name: 'results', title: 'Investigations and results' },
    { name: 'procedures', title: 'Procedures' },
    { name: 'encounters', title: 'Encounters' },
    { name: 'documents', title: 'Documents and letters' },
    { name: 'plans', title: 'Plans, teams and requests' },
    { name: 'appointments', title: 'Appointments' },
    { name: 'contacts', title: 'Contacts' },
    { name: 'other', title: 'Other entries' },
];

const OTHER = {
    group: 'other',
    date: (r) => when(r, 'date', 'period', 'effective', 'occurrence', 'authored', 'created',
        'recorded', 'issued', 'sent', 'billablePeriod', 'dateTime'),
    title: (r) => first(r.title, conceptText(r.code), typeof r.name === 'string' ? r.name : '',
        conceptText(Array.isArray(r.type) ? r.type[0] : r.type), words(r.resourceType)),
    detail: (r) => (typeof r.description === 'string' ? r.description : ''),
};

/** The row of a type; types without one have a general row. */
export function kindOf(type) {
    return KINDS[type] ?? { label: words(type), many: words(type), ...OTHER };
}

/** Categories of Observation (R4 observation-category), in the order they are read. */
export const OBSERVATIONS = [
    { code: 'laboratory', label: 'Laboratory result', many: 'Laboratory results' },
    { code: 'imaging', label: 'Imaging result', many: 'Imaging results' },
    { code: 'procedure', label: 'Procedure result', many: 'Procedure results' },
    { code: 'exam', label: 'Examination', many: 'Examinations' },
    { code: 'vital-signs', label: 'Measurement', many: 'Measurements' },
    { code: 'survey', label: 'Assessment', many: 'Assessments' },
    { code: 'therapy', label: 'Therapy', many: 'Therapy' },
    { code: 'activity', label: 'Activity', many: 'Activity' },
    { code: 'social-history', label: 'Social history', many: 'Social history' },
    { code: undefined, label: 'Result', many: 'Other results' },
];

/** The row of OBSERVATIONS that an Observation belongs to. */
export function observationKind(resource) {
    const codes = (resource.category ?? []).flatMap((one) => one.coding ?? [])
        .map((coding) => coding.code);
    return OBSERVATIONS.find((row) => codes.includes(row.code)) ?? OBSERVATIONS.at(-1);
}

/** What a resource is called: its type's name, for an Observation that of its category. */
export function labelOf(resource) {
    return resource.resourceType === 'Observation' ? observationKind(resource).label :
        kindOf(resource.resourceType).label;
}

/** Status as a person would say it, and whether it means that the entry does not stand. */
export function statusOf(resource) {
    const coded = resource.clinicalStatus;
    const code = coded ? coded.coding?.[0]?.code : resource.status;
    const verification = resource.verificationStatus?.coding?.[0]?.code;
    if (verification === 'entered-in-error' || verification === 'refuted') {
        return { code: verification, text: words(verification), void: true };
    }
    const said = { noshow: 'Did not attend', fulfilled: 'Attended', 'not-done': 'Not done' };
    return { code, text: code ? said[code] ?? words(code) : '',
        void: ['entered-in-error', 'not-done', 'cancelled', 'noshow'].includes(code) };
}
