#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks valid examples in one place each and asks whether `carelayer validate` sees it there.

usage: mutation.py CARELAYER R4.tgz [COUNT [SEED [PACKAGE.tgz]...]]

The rules come from the StructureDefinitions themselves, read here without any code of the program.
Each mutation says which element becomes wrong; the verdict agrees when an error stands at that
element, inside it, or at its parent. Harmless mutations must leave the resource without errors.
"""
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile

TYPES_OF_TEXT = {'string', 'markdown', 'code', 'id', 'uri', 'url', 'canonical', 'oid', 'uuid', 'date',
                 'dateTime', 'instant', 'time', 'base64Binary', 'xhtml'}
NUMBERS = {'integer', 'positiveInt', 'unsignedInt', 'decimal'}
PRIMITIVE = TYPES_OF_TEXT | NUMBERS | {'boolean'}
BAD_FORMAT = {'date': '2026-02-30', 'dateTime': '2026-13-01', 'instant': '2026-01-01', 'time': '25:00:00',
              'id': 'not an id', 'code': ' padded', 'oid': 'urn:oid:x', 'uuid': 'urn:uuid:x',
              'base64Binary': '!!!', 'uri': 'two words', 'url': 'two words', 'canonical': 'two words',
              'positiveInt': 0, 'unsignedInt': -1, 'integer': 1.5}


class Definitions:
    """The StructureDefinitions of packages: elements by path, value sets with an answer to 'finite'."""

    def __init__(self):
        self.types = {}      # type name -> {path: element}
        self.profiles = {}   # url -> StructureDefinition
        self.examples = []   # (name, resource)
        self.sets = {}       # url -> ValueSet
        self.systems = set() # of which every code is known

    def read(self, path, base):
        with tarfile.open(path) as package:
            for member in package:
                if not member.name.endswith('.json') or member.name.endswith('package.json'):
                    continue
                text = package.extractfile(member).read()
                try:
                    resource = json.loads(text, parse_float=str_number)
                except ValueError:
                    continue
                if not isinstance(resource, dict) or 'resourceType' not in resource:
                    continue
                if resource['resourceType'] == 'StructureDefinition':
                    self.add(resource, base)
                if resource['resourceType'] == 'ValueSet' and 'url' in resource:
                    self.sets[resource['url']] = resource
                if resource['resourceType'] == 'CodeSystem' and resource.get('content') == 'complete':
                    self.systems.add(resource.get('url'))
                if resource['resourceType'] != 'StructureDefinition' and len(text) < 60000 and (base or 'example' in member.name):
                    self.examples.append((member.name, resource))

    def judged(self, canonical):
        """Can it be told that a code is not in the value set?"""
        compose = self.sets.get(canonical.split('|')[0], {}).get('compose', {})
        return bool(compose.get('include')) and all(
            'concept' in part or part.get('system') in self.systems
            for part in compose['include'] if 'system' in part)

    def add(self, definition, base):
        self.profiles[definition['url']] = definition
        if base and definition.get('derivation') != 'constraint' and 'snapshot' in definition:
            self.types[definition['type']] = {e['path']: e for e in definition['snapshot']['element']}


class str_number(float):
    """A number that is written as it was read."""

    def __new__(cls, text):
        self = super().__new__(cls, text)
        self.text = text
        return self

    def __repr__(self):
        return self.text


class Site:
    """An element of a resource: how to reach it, and its definition."""

    def __init__(self, definitions, holder, name, element, code, path, where):
        self.definitions = definitions
        self.holder, self.name, self.element = holder, name, element
        self.code = code      # type code
        self.path = path      # as an OperationOutcome names it, without indexes
        self.where = where    # of the definition: "Patient.name"

    @property
    def value(self):
        return self.holder[self.name]

    @property
    def repeats(self):
        return isinstance(self.value, list)


def sites(definitions, resource):
    found = []
    walk(definitions, resource, resource['resourceType'], resource['resourceType'],
         resource['resourceType'], found)
    return found


def walk(definitions, node, type_name, where, path, found):
    """NODE is an object whose elements are described below WHERE of type TYPE_NAME."""
    table = definitions.types.get(type_name)
    if table is None:
        return
    for name in list(node):
        if name.startswith('_') or name in ('resourceType', 'contained'):
            continue
        element, code, stem = describe(table, where, name)
        if element is None:
            continue
        inner = f'{path}.{stem}' if stem == name else f'{path}.{stem}.ofType({code})'
        found.append(Site(definitions, node, name, element, code, inner, element['path']))
        values = node[name] if isinstance(node[name], list) else [node[name]]
        for value in values:
            if isinstance(value, dict) and code not in ('Resource', 'Extension'):
                below = code in ('BackboneElement', 'Element') or code.startswith('#')
                if below:
                    target = code[1:] if code.startswith('#') else element['path']
                    walk(definitions, value, type_name, target, inner, found)
                else:
                    walk(definitions, value, code, code, inner, found)


def describe(table, where, name):
    element = table.get(f'{where}.{name}')
    if element is not None:
        if 'contentReference' in element:
            return element, element['contentReference'], name
        return element, type_code(element['type'][0]), name
    for path, element in table.items():
        if path.startswith(where + '.') and path.endswith('[x]'):
            stem = path[len(where) + 1:-3]
            if '.' in stem or not name.startswith(stem):
                continue
            for kind in element['type']:
                code = type_code(kind)
                if name == stem + code[0].upper() + code[1:]:
                    return element, code, stem
    return None, None, None


def type_code(kind):
    code = kind['code']
    return 'string' if code.startswith('http://hl7.org/fhirpath/') else code


# ---- mutations: each answers the path that becomes wrong, or None where it does not apply --------

def drop(site, chance):
    if site.element['min'] < 1 or '_' + site.name in site.holder:
        return None
    del site.holder[site.name]
    return parent_of(site.path)


def retype(site, chance):
    value = site.value
    wrong = {'x': 1} if site.code in PRIMITIVE else 'text'
    if site.code in NUMBERS:
        wrong = 'text'
    elif site.code == 'boolean':
        wrong = 'true'
    elif site.code in TYPES_OF_TEXT:
        wrong = 17
    site.holder[site.name] = [wrong] + value[1:] if isinstance(value, list) else wrong
    return site.path


def misformat(site, chance):
    if site.code not in BAD_FORMAT:
        return None
    bad = BAD_FORMAT[site.code]
    site.holder[site.name] = [bad] + site.value[1:] if site.repeats else bad
    return site.path


def duplicate(site, chance):
    if site.repeats or site.element['max'] != '1':
        return None
    site.holder[site.name] = [site.value, site.value]
    return site.path


def unknown(site, chance):
    target = site.value[0] if site.repeats else site.value
    if not isinstance(target, dict):
        return None
    target['notAnElement'] = 'x'
    return site.path


def wrong_code(site, chance):
    binding = site.element.get('binding', {})
    if site.code != 'code' or binding.get('strength') != 'required' or \
            not site.definitions.judged(binding.get('valueSet', '')):
        return None
    site.holder[site.name] = ['no-such-code'] + site.value[1:] if site.repeats else 'no-such-code'
    return site.path


def broken_fragment(site, chance):
    if site.code != 'Reference':
        return None
    target = site.value[0] if site.repeats else site.value
    if 'reference' not in target:
        return None
    target['reference'] = '#not-contained-anywhere'
    target.pop('type', None)
    return site.path


def wrong_target(site, chance):
    if site.code != 'Reference':
        return None
    kinds = [k for k in site.element.get('type', []) if k['code'] == 'Reference']
    targets = {url.rsplit('/', 1)[-1] for kind in kinds for url in kind.get('targetProfile', [])}
    target = site.value[0] if site.repeats else site.value
    if not targets or 'Resource' in targets or 'Any' in targets or 'reference' not in target:
        return None
    other = chance.choice([t for t in ('Slot', 'Basic', 'Linkage', 'Flag', 'Coverage', 'Schedule')
                           if t not in targets])
    target['reference'] = f'{other}/example'
    target.pop('type', None)
    return site.path


def period_backwards(site, chance):
    target = site.value[0] if site.repeats else site.value
    if site.code != 'Period' or not isinstance(target, dict) or 'start' not in target:
        return None
    target['start'], target['end'] = '2026-01-02', '2026-01-01'
    return site.path


def unit_without_system(site, chance):
    target = site.value[0] if site.repeats else site.value
    if site.code not in ('Quantity', 'Age', 'Duration') or 'code' not in target or \
            'system' not in target:
        return None
    del target['system']
    return site.path


def contact_without_system(site, chance):
    if site.code != 'ContactPoint':
        return None
    target = site.value[0] if site.repeats else site.value
    if 'value' not in target or 'system' not in target:
        return None
    del target['system']
    return site.path


def extension_of_two_minds(site, chance):
    if site.code != 'Extension':
        return None
    target = site.value[0] if site.repeats else site.value
    if 'extension' in target or not any(k.startswith('value') for k in target):
        return None
    target['extension'] = [{'url': 'x', 'valueString': 'x'}]
    return site.path


def empty_text(site, chance):
    if site.code not in TYPES_OF_TEXT or site.repeats:
        return None
    site.holder[site.name] = ''
    return site.path


HARMLESS = object()


def reorder(site, chance):
    members = list(site.holder.items())
    chance.shuffle(members)
    site.holder.clear()
    site.holder.update(members)
    return HARMLESS


def retext(site, chance):
    if site.name not in ('comment', 'description', 'display', 'text') or site.code not in ('string', 'markdown') \
            or site.repeats or site.where.startswith(('Coding', 'ValueSet', 'CodeSystem')):
        return None
    site.holder[site.name] = 'Other words.'
    return HARMLESS


def wrong_slice(definitions, resource):
    """Changes the code by which a required slice of a declared profile is known."""
    for url in resource.get('meta', {}).get('profile', []):
        definition = definitions.profiles.get(url.split('|')[0], {})
        elements = definition.get('snapshot', {}).get('element', [])
        for element in elements:
            parts = element['path'].split('.')
            if 'sliceName' not in element or element['min'] < 1 or len(parts) != 2:
                continue
            for inner in elements:
                pattern = inner.get('patternCodeableConcept')
                if pattern and inner['id'] == element['id'] + '.code' and \
                        spoil(resource.get(parts[1]), pattern['coding'][0]):
                    return element['path']
    return None


def spoil(values, coding):
    for value in values if isinstance(values, list) else []:
        for own in value.get('code', {}).get('coding', []):
            if own.get('code') == coding['code'] and own.get('system') == coding.get('system'):
                own['code'] = own['code'] + '-0'
                own.pop('display', None)
                return True
    return False


MUTATIONS = [drop, retype, misformat, duplicate, unknown, wrong_code, broken_fragment, wrong_target,
             period_backwards, unit_without_system, contact_without_system, extension_of_two_minds,
             empty_text, reorder, retext]
OF_PROFILES = [wrong_slice]


def parent_of(path):
    head = path.rsplit('.ofType(', 1)[0] if path.endswith(')') else path
    return head.rsplit('.', 1)[0]


# ---- verdicts ------------------------------------------------------------------------------------

def validate(program, folder, files, packages):
    """The errors of each file: a list of paths without indexes."""
    words = [program, 'validate', '--json']
    for package in packages:
        words += ['--package', package]
    answers = []
    for first in range(0, len(files), 500):
        run = subprocess.run(words + files[first:first + 500], cwd=folder, capture_output=True, text=True)
        if run.returncode not in (0, 1):
            raise SystemExit(f'Bail out! validate ended with {run.returncode}: {run.stderr[:500]}')
        answers += [json.loads(line) for line in run.stdout.split('\n') if line]
    if len(answers) != len(files):
        raise SystemExit(f'Bail out! {len(files)} files, {len(answers)} answers')
    return [[plain(path) for issue in answer['issue'] if issue['severity'] in ('error', 'fatal')
             for path in issue.get('expression', [''])] for answer in answers]


def plain(path):
    out, inside = [], False
    for letter in path:
        inside = letter == '[' or (inside and letter != ']')
        if not inside and letter != ']':
            out.append(letter)
    return ''.join(out)


def near(error, expected):
    """At the element, inside it, or at what holds it."""
    return error == expected or error.startswith(expected + '.') or error == parent_of(expected)


def write(folder, name, resource):
    with open(os.path.join(folder, name), 'w', encoding='utf-8') as out:
        out.write(dump(resource))


def dump(value):
    if isinstance(value, dict):
        return '{' + ','.join(f'{json.dumps(k)}:{dump(v)}' for k, v in value.items()) + '}'
    if isinstance(value, list):
        return '[' + ','.join(map(dump, value)) + ']'
    return repr(value) if isinstance(value, str_number) else json.dumps(value)


def copy(value):
    if isinstance(value, dict):
        return {k: copy(v) for k, v in value.items()}
    return [copy(v) for v in value] if isinstance(value, list) else value


def spread(examples, most=14):
    """At most so many of one resource type, so that lists of codes do not crowd out records."""
    counts, chosen = {}, []
    for example in examples:
        kind = example[1]['resourceType']
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] <= most:
            chosen.append(example)
    return chosen


def mutate(definitions, examples, kinds, count, chance):
    """(example, kind, mutated, expected path) COUNT times; kinds take turns."""
    made = []
    turn = 0
    while len(made) < count:
        kind = kinds[turn % len(kinds)]
        turn += 1
        if turn > count * 20:
            break  # no example has what this kind breaks
        for _ in range(200):
            name, resource = chance.choice(examples)
            changed = copy(resource)
            if kind in OF_PROFILES:
                expected = kind(definitions, changed)
            else:
                places = sites(definitions, changed)
                chance.shuffle(places)
                expected = next((e for e in (kind(site, chance) for site in places[:40]) if e), None)
            if expected:
                made.append((name, kind.__name__, changed, expected))
                break
    return made


def main():
    program, base = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 300
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    packages = [os.path.abspath(path) for path in sys.argv[5:] if os.path.exists(path)]
    chance = random.Random(seed)
    definitions = Definitions()
    definitions.read(base, True)
    for package in packages:
        definitions.read(package, False)
    chance.shuffle(definitions.examples)
    with tempfile.TemporaryDirectory() as folder:
        examples = spread(definitions.examples)
        kinds = MUTATIONS + (OF_PROFILES if packages else [])
        for number, (_, resource) in enumerate(examples):
            write(folder, f'{number}.json', resource)
        verdicts = validate(program, folder, [f'{n}.json' for n in range(len(examples))], packages)
        valid = [example for example, errors in zip(examples, verdicts) if not errors]
        made = mutate(definitions, valid, kinds, count, chance)
        for number, (_, _, resource, _) in enumerate(made):
            write(folder, f'm{number}.json', resource)
        verdicts = validate(program, folder, [f'm{n}.json' for n in range(len(made))], packages)
    report(kinds, made, verdicts, len(valid), len(examples))


def report(kinds, made, verdicts, valid, examples):
    print(f'# {valid} of {examples} examples are without errors; {len(made)} mutations of them')
    print(f'1..{len(kinds)}')
    failed = 0
    for number, kind in enumerate(kinds, 1):
        mine = [(m, v) for m, v in zip(made, verdicts) if m[1] == kind.__name__]
        wrong = [(m, v) for m, v in mine
                 if (v if m[3] is HARMLESS else not any(near(e, m[3]) for e in v))]
        failed += bool(wrong) or not mine
        print(f'{"not ok" if wrong or not mine else "ok"} {number} - {kind.__name__}: '
              f'{len(mine) - len(wrong)} of {len(mine)} verdicts agree')
        for (name, _, _, expected), errors in wrong[:12]:
            print(f'#   {name}: expected {"no error" if expected is HARMLESS else expected}, '
                  f'errors at {sorted(set(errors))[:6]}')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
