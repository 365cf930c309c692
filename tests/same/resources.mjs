// SPDX-License-Identifier: MIT
/**
 * Made-up resources whose values come from small pools, so that searches find some and not all:
 * dates of every precision, open periods, numbers of differing precision, several units,
 * references of every form.
 * @module
 */
import { Random } from './random.mjs';
import { UCUM } from './values.mjs';

const HL7 = 'http://terminology.hl7.org/CodeSystem';
const DATES = ['2019', '2020', '2019-12', '2020-01', '2020-02', '2020-03', '2020-06', '2020-10',
    '2019-12-31', '2020-01-01', '2020-02-29', '2020-03-28', '2020-03-29', '2020-03-30', '2020-06-15',
    '2020-10-25', '1987', '1987-06', '1987-06-05'];
const BIRTHS = ['1952', '1952-02', '1952-02-29', '1987', '1987-06', '1987-06-05', '2018-11-30'];
const TIMES = ['2020-01-01T00:00:00Z', '2020-01-01T10:00:00Z', '2020-01-01T10:00:00+02:00',
    '2020-02-29T23:59:59Z', '2020-02-29T23:30:00-01:00', '2020-03-29T00:30:00Z',
    '2020-03-29T23:30:00Z', '2020-06-14T23:30:00Z', '2020-06-15T09:15:00+01:00',
    '2020-06-15T09:15:00.250+01:00', '2020-10-25T00:30:00Z', '2020-10-25T01:30:00Z'];
const FAMILIES = ['Smith', 'Smythe', 'Müller', 'Muller', "O'Brien", 'Obrien', 'De La Cruz',
    'Núñez', 'van  Dyk', 'Smith-Jones', 'Lee, Jr'];
const GIVEN = ['Ann', 'Anna', 'Annabel', 'Zoë', 'Zoe', 'José', 'Peter', 'PETER'];
const CITIES = ['Leeds', 'leeds', 'Kingston upon Hull', 'Hull', 'Ynys Môn'];
const MEASURES = 'http://codes/measures';
const MEASURED = [['sys', 'Systolic blood pressure'], ['dia', 'Diastolic blood pressure'],
    ['wt', 'Body weight'], ['ht', 'Body height'], ['glu', 'Glucose'],
    ['temp', 'Body temperature']];
const SCT = [['386661006', 'Fever'], ['38341003', 'Hypertensive disorder'],
    ['73211009', 'Diabetes mellitus'], ['44054006', 'Type 2 diabetes mellitus']];
const AMOUNTS = ['0', '5', '5.0', '5.4', '5.40', '5.35', '5.45', '5.449', '99.5', '100', '100.0',
    '100.4', '100.5', '0.0054', '5400', '-1.5', '37', '38.2'];
const UNITS = [['mg', 'mg'], ['g', 'g'], ['kg', 'kg'], ['ug', 'µg'], ['mm[Hg]', 'mmHg'],
    ['kPa', 'kPa'], ['cm', 'cm'], ['m', 'm'], ['mmol/L', 'mmol/l'], ['Cel', '°C'], ['%', '%']];
const CREATURES = ['quokka', 'zebra', 'axolotl', 'narwhal'];
const URLS = ['http://acme.example/fhir', 'http://acme.example/fhir/ValueSet/123',
    'http://acme.example/fhir/ValueSet/123/part', 'http://acme.example/fhir/ValueSet/1234',
    'http://acme.example/fhirbook', 'http://Acme.example/fhir/ValueSet/123',
    'urn:oid:1.2.3', 'urn:oid:1.2.3.4'];
const COUNTS = { Organization: 0.04, Location: 0.05, Practitioner: 0.04, PractitionerRole: 0.02,
    Patient: 0.1, Group: 0.01, Encounter: 0.1, Condition: 0.1, Observation: 0.22,
    DiagnosticReport: 0.06, MedicationRequest: 0.06, ServiceRequest: 0.04, RiskAssessment: 0.04,
    ChargeItem: 0.03, Invoice: 0.02, ValueSet: 0.03, Questionnaire: 0.03, Provenance: 0.02,
    List: 0.01 };
const PLAN = Object.keys(COUNTS);

/** Digits that must not be rounded on their way through a JavaScript number. */
export const digits = (text) => `\u0000${text}\u0000`;

/** The JSON text of a resource. */
export const unparse = (value) => JSON.stringify(value).replace(/"\\u0000(.*?)\\u0000"/g, '$1');

class Maker {
    constructor(random, count, base) {
        this.random = random;
        this.base = base;
        this.ids = Object.fromEntries(PLAN.map((type) => [type, Array.from(
            { length: Math.max(4, Math.round(count * COUNTS[type])) },
            (_, at) => `${type.toLowerCase().slice(0, 4)}${at}`)]));
    }

    /** The value in a share of cases; else undefined, which JSON leaves out. */
    maybe(share, value) {
        return this.random.chance(share) ? value() : undefined;
    }

    list(most, value) {
        const made = Array.from({ length: this.random.below(most + 1) }, value);
        return made.length > 0 ? made : undefined;
    }

    to(type) {
        const id = this.random.chance(0.03) ? 'nowhere' : this.random.pick(this.ids[type]);
        return this.random.weighted([
            [80, () => ({ reference: `${type}/${id}` })],
            [5, () => ({ reference: `${type}/${id}/_history/1` })],
            [5, () => ({ reference: `${this.base}/${type}/${id}` })],
            [5, () => ({ reference: `http://elsewhere.example/fhir/${type}/${id}` })],
            [5, () => ({ identifier: this.identifier(), display: this.random.pick(FAMILIES) })],
            [5, () => ({ reference: `${type}/${id}`, display: 'Some kind of thing' })],
        ])();
    }

    date() {
        return this.random.pick(DATES);
    }

    dateTime() {
        return this.random.pick(this.random.chance(0.5) ? DATES : TIMES);
    }

    period() {
        const [first, last] = [this.dateTime(), this.dateTime()];
        const start = first.slice(0, 10) <= last.slice(0, 10) ? first : last;
        const order = first.length === last.length && first.length <= 10;
        return this.random.weighted([[2, { start: first }], [2, { end: last }],
            [4, order ? { start, end: start === first ? last : first }
                : { start: '2020-01-01', end: '2020-06' }]]);
    }

    coding([code, display], system) {
        return { system: this.random.chance(0.9) ? system : undefined, code,
            display: this.maybe(0.7, () => display) };
    }

    concept(codes, system) {
        const chosen = this.random.some(codes, this.random.chance(0.2) ? 2 : 1);
        return this.random.chance(0.06) ? { text: 'Only words of fever' }
            : { coding: chosen.map((one) => this.coding(one, system)),
                text: this.maybe(0.4, () => `Said to be ${chosen[0][1]}`) };
    }

    fixed(name, code) {
        return { coding: [{ system: `${HL7}/${name}`, code }] };
    }

    identifier() {
        return { system: this.maybe(0.8, () => this.random.pick(['http://ids/a', 'http://ids/b'])),
            value: this.random.pick(['1', '2', 'x,y', 'a|b', 'pay$', '12']),
            type: this.maybe(0.6, () => ({ ...this.fixed('v2-0203',
                this.random.pick(['MR', 'DL'])), text: this.maybe(0.5, () => 'Record number') })) };
    }

    name() {
        return { use: 'official', family: this.random.pick(FAMILIES),
            given: this.random.some(GIVEN, 1 + this.random.below(2)),
            prefix: this.maybe(0.2, () => ['Dr']), text: this.maybe(0.1, () => 'Ann of Leeds') };
    }

    address() {
        return { use: 'home', city: this.random.pick(CITIES), line: ['1 High Street'],
            postalCode: this.random.pick(['LS1 4AP', 'LS14AP', 'HU1 2AA']),
            country: this.random.pick(['GB', 'IE']) };
    }

    telecom() {
        return { system: this.random.pick(['phone', 'email']),
            value: this.random.pick(['0113 4960000', 'a@b.example', '999']) };
    }

    number() {
        return digits(this.random.pick(AMOUNTS));
    }

    quantity() {
        const [code, unit] = this.random.pick(UNITS);
        return this.random.weighted([
            [8, { value: this.number(), unit, system: UCUM, code }],
            [1, { value: this.number(), unit }],
            [1, { value: this.number(), unit: 'tablets', system: 'http://units/own', code: 'tbl' }],
        ]);
    }

    meta() {
        return this.maybe(0.3, () => ({
            tag: [{ system: 'http://tags', code: this.random.pick(['a', 'b']) }],
            security: this.maybe(0.5, () => [{ system: `${HL7}/v3-Confidentiality`,
                code: this.random.pick(['N', 'R']) }]),
            source: this.maybe(0.5, () => this.random.pick(URLS)),
        }));
    }

    narrative() {
        return this.maybe(0.3, () => ({ status: 'additional', div: '<div xmlns='
            + `"http://www.w3.org/1999/xhtml"><p>A <b>${this.random.pick(CREATURES)}</b> and its ${
                this.random.pick(CREATURES)}s</p></div>` }));
    }

    // ---- types ----

    Organization() {
        return { name: this.random.pick(['Acme Hospital', 'acme clinic', 'Byte Practice', 'St. Ann’s']),
            alias: this.list(2, () => this.random.pick(['The Acme', 'Bytes'])), active: true,
            identifier: this.list(2, () => this.identifier()),
            address: this.list(1, () => ({ ...this.address(), use: 'work' })),
            partOf: this.above('Organization') };
    }

    /** A part of one made before: no circles. */
    above(type) {
        return this.at > 0 && this.random.chance(0.7)
            ? { reference: `${type}/${this.ids[type][this.random.below(this.at)]}` } : undefined;
    }

    Location() {
        return { name: this.random.pick(['Ward 1', 'Ward 10', 'Théâtre']), partOf: this.above('Location'),
            status: this.random.pick(['active', 'suspended', 'inactive']),
            address: this.maybe(0.5, () => this.address()),
            type: this.list(1, () => this.concept([['HOSP', 'Hospital'], ['ICU', 'Intensive care']],
                `${HL7}/v3-RoleCode`)), managingOrganization: this.to('Organization') };
    }

    Practitioner() {
        return { name: [this.name()], active: this.random.chance(0.8), gender: 'female',
            identifier: this.list(2, () => this.identifier()), address: [this.address()],
            telecom: this.list(2, () => this.telecom()) };
    }

    PractitionerRole() {
        return { practitioner: this.to('Practitioner'), organization: this.to('Organization'),
            period: this.maybe(0.7, () => this.period()),
            location: this.list(2, () => this.to('Location')) };
    }

    Patient() {
        return { name: this.list(2, () => this.name()), active: this.maybe(0.7, () => true),
            gender: this.maybe(0.9, () => this.random.pick(['male', 'female', 'other'])),
            birthDate: this.maybe(0.9, () => this.random.pick(BIRTHS)), address: this.list(2, () => this.address()),
            identifier: this.list(3, () => this.identifier()),
            telecom: this.list(2, () => this.telecom()),
            ...this.random.pick([{}, {}, { deceasedBoolean: false }, { deceasedBoolean: true },
                { deceasedDateTime: this.random.pick(TIMES) }, { deceasedDateTime: '2020' }]),
            generalPractitioner: this.list(2, () => this.to('Practitioner')),
            managingOrganization: this.maybe(0.6, () => this.to('Organization')),
            communication: this.list(1, () => ({ language: { coding: [{
                system: 'urn:ietf:bcp:47', code: this.random.pick(['cy', 'en-GB']) }] } })) };
    }

    Group() {
        return { type: 'person', actual: true,
            member: this.random.some(this.ids.Patient, 3)
                .map((id) => ({ entity: { reference: `Patient/${id}` } })) };
    }

    Encounter() {
        return { status: this.random.pick(['finished', 'planned', 'in-progress']),
            class: { system: `${HL7}/v3-ActCode`, code: this.random.pick(['AMB', 'IMP', 'EMER']) },
            subject: this.to(this.random.chance(0.9) ? 'Patient' : 'Group'),
            period: this.maybe(0.8, () => this.period()),
            length: this.maybe(0.5, () => ({ value: this.random.pick([digits('30'), digits('0.5'),
                digits('90')]), ...this.random.pick([{ unit: 'min', system: UCUM, code: 'min' },
                { unit: 'h', system: UCUM, code: 'h' }]) })),
            participant: this.list(2, () => ({ individual: this.to('Practitioner') })),
            location: this.list(2, () => ({ location: this.to('Location'),
                period: this.maybe(0.5, () => this.period()) })),
            serviceProvider: this.maybe(0.5, () => this.to('Organization')) };
    }

    Condition() {
        const status = this.random.pick(['active', 'recurrence', 'relapse', 'inactive', 'remission',
            'resolved']);
        return { clinicalStatus: this.fixed('condition-clinical', status),
            verificationStatus: this.fixed('condition-ver-status',
                this.random.pick(['confirmed', 'unconfirmed', 'provisional'])),
            code: this.maybe(0.9, () => this.concept(SCT, 'http://snomed.info/sct')),
            subject: this.to('Patient'), encounter: this.maybe(0.5, () => this.to('Encounter')),
            ...this.random.pick([{ onsetDateTime: this.dateTime() }, { onsetPeriod: this.period() },
                { onsetString: 'in early Spring' }, {}, { onsetAge: { value: this.random.pick([
                    digits('5'), digits('60'), digits('12')]), unit: 'y', system: UCUM,
                code: this.random.pick(['a', 'mo']) } }, { onsetRange: {
                    low: { value: digits('5'), unit: 'y', system: UCUM, code: 'a' },
                    high: { value: digits('10'), unit: 'y', system: UCUM, code: 'a' } } }]),
            recordedDate: this.maybe(0.5, () => this.dateTime()) };
    }

    value() {
        return this.random.weighted([[6, () => ({ valueQuantity: this.quantity() })],
            [2, () => ({ valueCodeableConcept: this.concept(SCT, 'http://snomed.info/sct') })],
            [1, () => ({ valueString: this.random.pick(['Positive', 'positive trace', 'None']) })],
            [1, () => ({ valueDateTime: this.dateTime() })],
            [1, () => ({ valuePeriod: this.period() })],
            [2, () => ({ dataAbsentReason: this.fixed('data-absent-reason', 'unknown') })]])();
    }

    Observation() {
        const value = this.value();
        // obs-7: the same code may stand in a component only where there is no value outside.
        const [own, inside] = value.dataAbsentReason ? [MEASURED, MEASURED]
            : [MEASURED.slice(0, 3), MEASURED.slice(3)];
        return { status: this.random.pick(['final', 'amended', 'preliminary']),
            code: this.concept(own, MEASURES), subject: this.to('Patient'),
            category: this.list(1, () => this.fixed('observation-category',
                this.random.pick(['laboratory', 'survey', 'exam']))),
            encounter: this.maybe(0.4, () => this.to('Encounter')),
            performer: this.list(2, () => this.to(this.random.pick(['Practitioner',
                'Organization']))),
            ...this.random.pick([{ effectiveDateTime: this.dateTime() },
                { effectivePeriod: this.period() }, { effectiveInstant: this.random.pick(TIMES) },
                { effectiveTiming: { event: [this.dateTime(), this.dateTime()] } }, {}]),
            ...value,
            component: this.list(3, () => ({ code: this.concept(inside, MEASURES),
                ...this.value() })) };
    }

    DiagnosticReport() {
        return { status: this.random.pick(['final', 'partial']), subject: this.to('Patient'),
            code: this.concept(MEASURED, MEASURES), issued: this.random.pick(TIMES),
            ...this.random.pick([{ effectiveDateTime: this.dateTime() },
                { effectivePeriod: this.period() }, {}]),
            result: this.list(3, () => this.to('Observation')), conclusion: this.maybe(0.3, () =>
                `Like a ${this.random.pick(CREATURES)}`) };
    }

    MedicationRequest() {
        const inside = this.random.chance(0.4);
        return { status: this.random.pick(['active', 'stopped']), intent: 'order',
            subject: this.to('Patient'), authoredOn: this.dateTime(),
            requester: this.maybe(0.7, () => this.to('Practitioner')),
            ...inside ? { medicationReference: { reference: '#m' }, contained: [{
                resourceType: 'Medication', id: 'm', code: this.concept(SCT, 'http://snomed.info/sct'),
                status: 'active' }] }
                : { medicationCodeableConcept: this.concept(SCT, 'http://snomed.info/sct') } };
    }

    ServiceRequest() {
        const before = this.above('ServiceRequest');
        return { status: 'active', intent: 'order', subject: this.to('Patient'),
            code: this.concept(SCT, 'http://snomed.info/sct'),
            ...this.random.pick([{ occurrenceDateTime: this.dateTime() },
                { occurrencePeriod: this.period() }, { occurrenceTiming: { repeat: {
                    boundsPeriod: this.period(), frequency: 1, period: digits('2'),
                    periodUnit: 'd' } } }, {}]),
            basedOn: before && [before] };
    }

    RiskAssessment() {
        const chance = () => this.random.pick(['0', '0.1', '0.10', '0.15', '0.149', '0.5', '1']);
        return { status: 'final', subject: this.to('Patient'),
            prediction: this.list(3, () => ({ outcome: this.concept(SCT, 'http://snomed.info/sct'),
                probabilityDecimal: digits(chance()) })) };
    }

    ChargeItem() {
        return { status: 'billable', subject: this.to('Patient'),
            code: this.concept(SCT, 'http://snomed.info/sct'), quantity: this.quantity(),
            factorOverride: this.maybe(0.7, () => this.number()),
            priceOverride: this.maybe(0.7, () => this.money()) };
    }

    money() {
        return { value: this.number(), currency: this.random.pick(['GBP', 'EUR']) };
    }

    Invoice() {
        return { status: 'issued', subject: this.to('Patient'), totalGross: this.money(),
            totalNet: this.maybe(0.5, () => this.money()), date: this.dateTime() };
    }

    ValueSet() {
        return { url: this.random.pick(URLS), status: this.random.pick(['draft', 'retired']),
            name: `Set${this.at}`, version: this.maybe(0.5, () => this.random.pick(['1', '2'])),
            title: this.maybe(0.5, () => 'A set'), date: this.date(), compose: { include: [
                { system: this.random.pick(['http://loinc.org', 'http://ids/a']) }] } };
    }

    Questionnaire() {
        return { url: `http://acme.example/Questionnaire/${this.at}`, status: 'draft',
            name: `Form${this.at}`, title: this.random.pick(['Über form', 'uber', 'Form (old)']),
            derivedFrom: this.at > 0 ? [`http://acme.example/Questionnaire/${
                this.random.below(this.at)}`] : undefined,
            effectivePeriod: this.maybe(0.7, () => this.period()) };
    }

    Provenance() {
        return { target: [this.to('Observation')], recorded: this.random.pick(TIMES),
            agent: [{ who: this.to('Practitioner') }] };
    }

    List() {
        return { status: 'current', mode: 'working', entry: this.random.some(this.ids.Condition, 4)
            .map((id) => ({ item: { reference: `Condition/${id}` } })) };
    }

    all() {
        return PLAN.flatMap((type) => this.ids[type].map((id, at) => {
            this.at = at;
            return { resourceType: type, id, meta: this.meta(), text: this.narrative(),
                ...this[type]() };
        }));
    }
}

/**
 * COUNT resources, about, of every type; `old` are first versions of some of them and `gone` the
 * names of some to be deleted again.
 * @param {number} seed
 * @param {number} count
 * @param {string} base the server's base URL, for absolute references
 */
export function makeResources(seed, count, base) {
    const random = new Random(seed);
    const made = new Maker(random, count, base).all();
    const old = new Maker(random, count, base).all().filter(() => random.chance(0.1));
    const gone = random.some(made.filter((one) => ['Observation', 'Condition'].includes(
        one.resourceType)), Math.round(count / 50)).map((one) => `${one.resourceType}/${one.id}`);
    return { made, old, gone };
}
