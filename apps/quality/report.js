// SPDX-License-Identifier: MIT
/**
 * A MeasureReport of data quality as the page shows it.
 * @module
 */
const ODS = 'https://fhir.nhs.uk/Id/ods-organization-code';
const OURS = 'urn:carelayer:quality';

const codeOf = (concept) => concept?.coding?.[0]?.code ?? '';

/**
 * @typedef {{sent: number, accepted: number, warned: number, refused: number}} Counts accepted:
 *     without a warning
 * @param {object[]} populations of a group or stratum
 * @returns {Counts}
 */
function readCounts(populations = []) {
    const count = (code) => Number(populations.find((one) => codeOf(one.code) === code)?.count ?? 0);
    return { sent: count('initial-population'), accepted: count('accepted'),
        warned: count('accepted-with-warnings'), refused: count('refused') };
}

/**
 * The part of what was sent that was accepted.
 * @param {Counts} counts
 * @returns {number|null} 0 to 1; null: nothing was sent
 */
export function rateOf({ sent, refused }) {
    return sent === 0 ? null : (sent - refused) / sent;
}

/** "99.9%": cut and not rounded, so that 100% means all. */
export function formatRate(rate) {
    return rate === null ? '-' : `${(Math.floor(rate * 1000 + 1e-9) / 10).toString()}%`;
}

/** "1.4%": rounded, and never 0 of something. */
export function formatShare(share) {
    return share > 0 && share < 0.001 ? 'less than 0.1%' : `${Math.round(share * 1000) / 10}%`;
}

/**
 * What a source is called and how the API is asked for it.
 * @param {object} concept value of its stratum
 * @returns {{name: string, kind: string, reporter: string}}
 */
export function readSource(concept) {
    const { system, code = '' } = concept?.coding?.[0] ?? {};
    if (system === ODS) {
        return { name: code, kind: 'Organisation with this ODS code', reporter: code };
    }
    if (system === OURS) {
        return code === 'other' ? { name: 'Other sources', kind: 'More sources than a day has room for',
            reporter: code } : { name: 'Source not known', kind: 'Neither the resources nor the import ' +
            'say who sent them', reporter: 'unknown' };
    }
    return { name: code.replace(/^https?:\/\//, ''), kind: code.startsWith('urn:oid:') ?
        'Organisation or system with this OID' : 'System at this address', reporter: code };
}

function component(stratum, name) {
    return (stratum.component ?? []).find((one) => codeOf(one.code) === name)?.value;
}

const typeName = (concept) =>
    (concept?.coding?.[0]?.system === OURS ? 'Type not known' : codeOf(concept));

/** Every day of a period, those without entries too. */
function fillDays(strata, period) {
    const known = new Map(strata.map((stratum) => [codeOf(stratum.value),
        readCounts(stratum.population)]));
    const days = [];
    const last = Date.parse(period.end);
    for (let at = Date.parse(period.start); at <= last; at += 86400000) {
        const day = new Date(at).toISOString().slice(0, 10);
        days.push({ day, counts: known.get(day) ?? readCounts() });
    }
    return days;
}

/**
 * @param {object} report MeasureReport
 * @returns {{counts: Counts, sources: object[], types: object[], mends: object[], days: object[]}}
 */
export function readReport(report) {
    const group = report.group?.[0] ?? {};
    const strata = (name) => (group.stratifier ?? [])
        .find((one) => codeOf(one.code?.[0]) === name)?.stratum ?? [];
    return {
        counts: readCounts(group.population),
        sources: strata('source').map((one) => ({ ...readSource(one.value),
            counts: readCounts(one.population) })),
        types: strata('resource-type').map((one) => ({ type: typeName(one.value),
            counts: readCounts(one.population) })),
        mends: strata('rule-and-resource-type').map((one) => ({
            rule: codeOf(component(one, 'rule')),
            words: component(one, 'rule')?.text ?? '',
            type: typeName(component(one, 'resource-type')),
            counts: readCounts(one.population),
        })),
        days: fillDays(strata('day'), report.period),
    };
}
