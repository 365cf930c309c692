// SPDX-License-Identifier: MIT
/**
 * Where the program is known to read R4 in another way. `ask` makes a question that shows it: the
 * run fails when the program's answer to that is R4's. An answer that differs from R4 is taken for a
 * known one only where the evaluation gives it by that reading too; or, with `refuses`, where the
 * program refuses the question.
 * @module
 */
export const KNOWN = [
    {
        name: 'contained',
        reason: 'a chain is evaluated inside contained resources too (R4, Searching, contained '
            + 'resources); the program follows it to stored resources only',
        ask: () => ({ types: ['MedicationRequest'], criteria: [['medication.status', 'active']] }),
    },
    {
        name: 'missing',
        reason: 'where a parameter takes references of one type only, `.where(resolve() is Patient)`, '
            + ':missing asks of these; the program counts references of every type',
        ask: () => ({ types: ['Provenance'], criteria: [['patient:missing', 'false']] }),
    },
    {
        name: 'membership',
        reason: 'the compartment of a patient is what its CompartmentDefinition lists; the program '
            + 'adds what mentions the patient in other ways: as one of a group, by an identifier in '
            + 'place of a reference in whatever element, or over what it refers to',
        ask: (world) => {
            const groups = world.byType.get('Encounter').map((one) => world.resolve(
                world.readReference(one.subject.reference ?? '')))
                .filter((one) => one?.resourceType === 'Group');
            const id = groups[0].member[0].entity.reference.split('/')[1];
            return { types: ['Encounter'], compartment: { type: 'Patient', id }, criteria: [] };
        },
    },
    {
        name: 'any type',
        reason: 'a chain through any type asks of those that what follows, _has or a reference to a '
            + 'type, can be asked of; the program wants that of all of them',
        refuses: (name, text) => /(?:^|\.)[\w-]+\./.test(name)
            && /leads to what is searched|of a type that it may refer to/.test(text),
        ask: () => ({ types: ['Provenance'],
            criteria: [['agent._has:Observation:performer:date', 'ge2019']] }),
    },
];
