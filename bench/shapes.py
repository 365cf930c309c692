# SPDX-License-Identifier: MIT
"""The search shapes of bench/shapes: each a URL, the same question as SQL written by hand on the
store's own tables, and where the values asked for come from. In SQL, {Type} is the number of a
type, {Type.code} of a search parameter's rows in the trees, {Type.code+} of its second kind of
rows; ?1, ?2 ... are the arguments in order and the last one how many rows are wanted."""
import json
import os
import random
import re
import sqlite3
import urllib.parse
import uuid

SECOND = 1_000_000  # microseconds
DAY = 86_400 * SECOND
CLOCK = sqlite3.connect(':memory:')
PATIENT = '(SELECT -(rid>>31) FROM directory WHERE type={Patient} AND id=?1)'


def code(first):
    return f'(SELECT number FROM code WHERE code=?{first} AND system=?{first + 1})'


def token(parameter, first, row):
    """The resource of ROW has the code given as two arguments from FIRST on."""
    return (f'EXISTS(SELECT 1 FROM token t WHERE t.parameter={{{parameter}}} AND '
            f't.code={code(first)} AND t.rid={row}.rid)')


def of_patient(parameter, more=''):
    return (f'SELECT r.rid FROM reference r WHERE r.parameter={{{parameter}}} AND '
            f'r.target={PATIENT} {more} ORDER BY r.rid')


def day(micros):
    """The UTC day as in a URL."""
    return CLOCK.execute(
        "SELECT strftime('%Y-%m-%d', ?/1000000, 'unixepoch')", (micros,)).fetchone()[0]


class Store:
    """What is in a data folder, read beside its server: values to ask for."""

    def __init__(self, server, types, seed=1):
        """TYPES: numbers of types by name."""
        self.server = server
        self.connect()
        self.types = types
        self.random = random.Random(seed)
        self.parameters = {(type, name): number for number, type, name in
                           self.rows('SELECT number, type, code FROM parameter')}
        self.systems = dict(self.rows('SELECT number, uri FROM system'))
        self.kept = {}

    def connect(self):
        file = os.path.join(self.server.data, 'records.db')
        self.db = sqlite3.connect(f'file:{file}?mode=ro', uri=True)

    def close(self):
        self.db.close()

    def key_of(self, id):
        """As it stands in the tables."""
        return uuid.UUID(id).bytes

    def written(self, sql):
        """A statement written by hand, as this engine has it."""
        return sql

    def bytes_each(self):
        return (os.path.getsize(os.path.join(self.server.data, 'records.db')) /
                self.rows('SELECT count(*) FROM resource')[0][0])

    def rows(self, sql, *arguments):
        return self.db.execute(sql, arguments).fetchall()

    def number(self, name, second=False):
        kind, parameter = name.split('.')
        return 2 * self.parameters[(self.types[kind], parameter)] + second

    def sql(self, text):
        def number(match):
            kind, parameter, second = match.groups()
            if parameter is None:
                return str(self.types[kind])
            return str(self.number(f'{kind}.{parameter}', second == '+'))
        return re.sub(r'\{(\w+)(?:\.([\w-]+)(\+?))?\}', number, text)

    def keep(self, key, make):
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def ids(self, kind, most=4000):
        """Places and ids of resources, evenly out of all."""
        def make():
            found = self.rows('SELECT rid, id FROM directory WHERE type=? AND state=1 AND '
                              'typeof(id)=\'blob\'', self.types[kind])
            return self.random.sample(found, min(most, len(found)))
        rid, bytes = self.random.choice(self.keep(('ids', kind), make))
        return rid, str(uuid.UUID(bytes=bytes)), 'x' + bytes.hex()

    def codes(self, parameter):
        """(how many resources, code, number of its system), most first."""
        def make():
            return self.rows(
                'SELECT t.n, c.code, c.system FROM (SELECT code, count(*) n FROM token WHERE '
                'parameter=? GROUP BY code) t JOIN code c ON c.number=t.code WHERE c.system>0 '
                'ORDER BY t.n DESC', self.number(parameter))
        return self.keep(('codes', parameter), make)

    def code(self, parameter, part='all'):
        """One of PARAMETER's codes: (as in a URL, arguments). PART: many or few have it."""
        codes = self.codes(parameter)
        third = max(1, len(codes) // 3)
        codes = {'all': codes, 'many': codes[:third], 'few': codes[-third:]}[part]
        _, text, system = self.random.choice(codes)
        return f'{self.systems[system]}|{text}', [f't{text}', f'i{system}']

    def text(self, parameter):
        """A text that some resource has: every one is as likely as it is frequent."""
        def make():
            # The number of a system stands behind an identifier.
            values = [value.decode('latin-1' if b'\0' in value else 'utf-8')
                      for value in self.texts(parameter)]
            return self.random.sample(values, min(20000, len(values)))
        return self.random.choice(self.keep(('text', parameter), make))

    def texts(self, parameter):
        return [bytes(value) for value, in self.rows('SELECT value FROM text WHERE parameter=?',
                                                     self.number(parameter))]

    def date(self, parameter):
        """When some resource's date begins, in microseconds."""
        def make():
            number = self.number(parameter)
            first, last = self.rows('SELECT min(low), max(low) FROM date WHERE parameter=?',
                                    number)[0]
            return [self.rows('SELECT low FROM date WHERE parameter=? AND low>=? LIMIT 1', number,
                              self.random.randint(first, last))[0][0] for _ in range(4000)]
        return self.random.choice(self.keep(('date', parameter), make))

    def quantity(self, parameter):
        def make():
            found = self.rows('SELECT value FROM quantity WHERE parameter=? AND value>-1e299',
                              self.number(parameter))
            return self.random.sample(found, min(4000, len(found)))
        return self.random.choice(self.keep(('quantity', parameter), make))[0]

    def sample(self, kind):
        """Some resource, out of two hundred."""
        return self.random.choice(self.keep(('sample', kind), lambda: [
            json.loads(self.server.get(f'{kind}/{self.ids(kind)[1]}')) for _ in range(200)]))

    def updated(self):
        """When some Observation was stored."""
        rid = self.ids('Observation')[0]
        return self.rows('SELECT updated FROM resource WHERE rid=?', rid)[0][0]


class Shape:
    def __init__(self, name, path, sql, draw, scoped=False, total=None):
        """PATH and SQL: the question; DRAW(store) gives (values for PATH, arguments for SQL).
        TOTAL: the statement that counts. SCOPED: of one patient. SQL None: there is no way to
        write it."""
        self.name, self.path, self.sql, self.draw = name, path, sql, draw
        self.scoped, self.total = scoped, total

    def statements(self, store):
        word = self.word()
        lines = []
        if self.sql:
            last = max(int(number) for number in re.findall(r'\?(\d+)', self.sql + '?0')) + 1
            lines.append(f'{word}\t' + store.written(f'{store.sql(self.sql)} LIMIT ?{last}'))
        if self.total:
            lines.append(f'{word}.total\t' + store.written(store.sql(self.total)))
        return lines

    def word(self):
        return re.sub(r'[^a-z0-9]+', '-', self.name.lower())

    def requests(self, store, count):
        """Pairs of paths: ours, and by hand. As many different ones as there are, up to COUNT."""
        pairs = {}
        for _ in range(count * 2):
            values, arguments = self.draw(store)
            ours = self.path.format(**{name: quote(value) for name, value in values.items()})
            pairs.setdefault(ours, self.by_hand(ours, arguments))
            if len(pairs) == count:
                break
        return list(pairs.items())

    def by_hand(self, ours, arguments):
        kind, _, query = ours.partition('?')
        kind = kind.rsplit('/', 1)[-1] if '/' in kind and '$' not in kind else kind
        if kind == '' or '$' in kind:
            kind = 'Patient'
        kept = [word for word in query.split('&') if word.split('=')[0] in ('_count', '_total')]
        return f'{kind}?_id=' + ','.join([f'by-hand.{self.word()}', *arguments]) + \
            ''.join('&' + word for word in kept)


def quote(value):
    return urllib.parse.quote(str(value), safe='-._~:/|,$')


def one_patient(store):
    _, id, key = store.ids('Patient')
    return {'patient': id}, [key]


def patient_and(draw):
    def both(store):
        values, arguments = one_patient(store)
        more, others = draw(store)
        return {**values, **more}, arguments + others
    return both


def one_code(parameter, part='all', name='code'):
    def draw(store):
        text, arguments = store.code(parameter, part)
        return {name: text}, arguments
    return draw


def both(*draws):
    def draw(store):
        values, arguments = {}, []
        for each in draws:
            more, others = each(store)
            values.update(more)
            arguments += others
        return values, arguments
    return draw


def days(parameter, length):
    """LENGTH days from some resource's date on. A date without time begins at a local midnight."""
    def draw(store):
        low = store.date(parameter)
        low -= low % SECOND
        high = low + length * DAY
        return {'low': instant(low), 'high': instant(high)}, [f'i{low}', f'i{high}']
    return draw


def one_day(parameter):
    def draw(store):
        low = store.date(parameter)
        return {'day': day(low + DAY // 2)}, [f'i{low}', f'i{low + DAY}']
    return draw


def a_text(parameter, length=None, skip=0):
    def draw(store):
        value = store.text(parameter)
        value = value[skip:][:length] if length and len(value) > skip + 1 else value
        end = value[:-1] + chr(ord(value[-1]) + 1)
        return {'text': value}, ['x' + value.encode().hex(), 'x' + end.encode().hex()]
    return draw


def an_identifier(parameter):
    def draw(store):
        raw = store.text(parameter)
        value, system = raw.split('\0')
        number = sum((ord(byte) & 127) << 7 * at for at, byte in enumerate(system))
        return ({'identifier': f'{store.systems[number]}|{value}'},
                ['x' + raw.encode('latin-1').hex()])
    return draw


def any_id(kind, many=1):
    def draw(store):
        ids = []
        while len(ids) < many:  # each once: an id asked for twice is asked for once
            found = store.ids(kind)
            ids += [] if found in ids else [found]
        return {'ids': ','.join(id for _, id, _ in ids)}, [key for _, _, key in ids]
    return draw


def a_word(kind):
    """A word of five letters or more beside a code, and the number under which it is kept."""
    def draw(store):
        words = []
        while not words:
            coding = store.sample(kind)['code']['coding'][0]
            words = re.findall('[a-z]{5,}', coding['display'].lower())
        word = store.random.choice(words)
        return {'word': word}, [f'i{word_number(word)}']
    return draw


def word_number(word):
    number = 0xcbf29ce484222325
    for byte in word.encode():
        number = (number ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return (number ^ number >> 33) & 0x7fffffff


def a_quantity(parameter):
    def draw(store):
        value = store.quantity(parameter)
        return {'value': repr(value)}, [f'r{value!r}']
    return draw


def code_and_value(store):
    """The code of some Observation, and its value."""
    while True:
        observation = store.sample('Observation')
        coding = observation['code']['coding'][0]
        if 'valueQuantity' in observation:
            system = {uri: number for number, uri in store.systems.items()}[coding['system']]
            value = observation['valueQuantity']['value'] * store.random.uniform(0.8, 1.2)
            return ({'code': f'{coding["system"]}|{coding["code"]}', 'value': f'{value:.2f}'},
                    [f't{coding["code"]}', f'i{system}', f'r{value:.2f}'])


def span(store):
    """Some seconds of storing."""
    low = store.updated() // 1000 * 1000
    high = low + store.random.randint(1, 5) * SECOND // 2
    return {'low': instant(low), 'high': instant(high)}, [f'i{low}', f'i{high}']


def instant(micros):
    """To the millisecond, as in a URL."""
    seconds = CLOCK.execute("SELECT strftime('%Y-%m-%dT%H:%M:%S', ?/1000000, 'unixepoch')",
                            (micros - micros % SECOND,)).fetchone()[0]
    return f'{seconds}.{micros // 1000 % 1000:03d}Z' if micros % SECOND else f'{seconds}Z'


# ---- the shapes ------------------------------------------------------------------------------

VITALS = 'http://hl7.org/fhir/ValueSet/observation-vitalsignresult'
VITAL_CODES = ('(SELECT number FROM code WHERE system=(SELECT number FROM system WHERE '
               "uri='http://loinc.org') AND code IN ('85353-1','9279-1','8867-4','2708-6',"
               "'8310-5','8302-2','9843-4','29463-7','39156-5','85354-9','8480-6','8462-4',"
               "'8478-0'))")
MEDICINE = 'MedicationRequest'


def in_range(parameter, first, second=False):
    """Places by date; low and high are two arguments from FIRST on."""
    plus = '+' if second else ''
    return (f'SELECT d.rid FROM date d WHERE d.parameter={{{parameter}{plus}}} AND d.low>=?{first}-'
            f'{DAY} AND d.low<?{first + 1} AND d.low+d.width>?{first}')


def by_code(kind, parameter, first=1, more=''):
    return (f'SELECT r.rid FROM token r WHERE r.parameter={{{kind}.{parameter}}} AND '
            f'r.code={code(first)} {more} ORDER BY r.rid')


def count_of(sql):
    """The same as a count."""
    return re.sub(r'^SELECT \w+\.rid', 'SELECT count(*)', re.sub(r' ORDER BY [\w.]+$', '', sql))


SHAPES = [
    # Of one patient.
    Shape('patient: token', 'Observation?patient={patient}&code={code}',
          of_patient('Observation.patient', 'AND ' + token('Observation.code', 2, 'r')),
          patient_and(one_code('Observation.code')), scoped=True),
    Shape('patient: date range', 'Observation?patient={patient}&date=ge{low}&date=lt{high}',
          of_patient('Observation.patient', 'AND r.rid IN (' +
                     in_range('Observation.date', 2) + ')'),
          patient_and(days('Observation.date', 365)), scoped=True),
    Shape('patient: token, quantity',
          'Observation?patient={patient}&code={code}&value-quantity=gt{value}',
          of_patient('Observation.patient', 'AND ' + token('Observation.code', 2, 'r') +
                     ' AND r.rid IN (SELECT rid FROM quantity WHERE '
                     'parameter={Observation.value-quantity} AND value>?4)'),
          patient_and(code_and_value), scoped=True),
    Shape('patient: newest first', 'Observation?patient={patient}&_sort=-date&_count=20',
          None, one_patient, scoped=True),
    Shape('patient: count', 'Condition?patient={patient}&_total=accurate',
          of_patient('Condition.patient'), one_patient, scoped=True,
          total=count_of(of_patient('Condition.patient'))),
    Shape('patient: not', 'Condition?patient={patient}&clinical-status:not=active',
          of_patient('Condition.patient', 'AND NOT EXISTS(SELECT 1 FROM token t WHERE '
                     't.parameter={Condition.clinical-status} AND t.code IN (SELECT number FROM '
                     "code WHERE code='active') AND t.rid=r.rid)"), one_patient, scoped=True),
    Shape('patient: missing', 'Observation?patient={patient}&encounter:missing=true',
          of_patient('Observation.patient', 'AND r.rid NOT IN (SELECT rid FROM reference WHERE '
                     'parameter={Observation.encounter} AND rid BETWEEN '
                     '(SELECT rid FROM directory WHERE type={Patient} AND id=?1) AND '
                     '(SELECT rid+2147483647 FROM directory WHERE type={Patient} AND id=?1))'),
          one_patient, scoped=True),
    Shape('patient: code in a value set',
          f'Observation?patient={{patient}}&code:in={VITALS}',
          of_patient('Observation.patient', 'AND EXISTS(SELECT 1 FROM token t WHERE '
                     't.parameter={Observation.code} AND t.code IN ' + VITAL_CODES +
                     ' AND t.rid=r.rid)'), one_patient, scoped=True),
    Shape('patient: words of the code', 'Condition?patient={patient}&code:text={word}',
          of_patient('Condition.patient', 'AND EXISTS(SELECT 1 FROM token t WHERE '
                     't.parameter={Condition.code} AND t.code IN (SELECT code FROM code_word '
                     'WHERE word=?2) AND t.rid=r.rid)'),
          patient_and(a_word('Condition')), scoped=True),
    Shape('patient: include', MEDICINE + '?patient={patient}&_include=' + MEDICINE + ':encounter',
          None, one_patient, scoped=True),
    Shape('patient: revinclude',
          'Encounter?patient={patient}&_revinclude=Condition:encounter&_count=20',
          None, one_patient, scoped=True),
    Shape('patient: chain', 'DiagnosticReport?patient={patient}&result.code={code}',
          None, patient_and(one_code('Observation.code')), scoped=True),
    Shape('compartment', 'Patient/{patient}/Condition?category=problem-list-item',
          of_patient('Condition.patient', 'AND EXISTS(SELECT 1 FROM token t WHERE t.parameter='
                     '{Condition.category} AND t.code IN (SELECT number FROM code WHERE '
                     "code='problem-list-item') AND t.rid=r.rid)"), one_patient, scoped=True),
    Shape('whole record, first page', 'Patient/{patient}/$everything?_count=50',
          'SELECT rid FROM resource WHERE rid BETWEEN (SELECT rid FROM directory WHERE '
          'type={Patient} AND id=?1) AND (SELECT rid+2147483647 FROM directory WHERE '
          'type={Patient} AND id=?1) UNION SELECT rid FROM member WHERE '
          f'patient=-{PATIENT} ORDER BY rid', one_patient, scoped=True),
    # Of everybody.
    Shape('ids', 'Observation?_id={ids}',
          'SELECT rid FROM directory WHERE type={Observation} AND state=1 AND '
          'id IN (?1,?2,?3,?4,?5) ORDER BY rid', any_id('Observation', 5)),
    Shape('identifier', 'Patient?identifier={identifier}',
          'SELECT rid FROM text WHERE parameter={Patient.identifier} AND value=?1 ORDER BY rid',
          an_identifier('Patient.identifier')),
    Shape('token, few', 'Condition?code={code}', by_code('Condition', 'code'),
          one_code('Condition.code', 'few')),
    Shape('token, many', 'Observation?code={code}', by_code('Observation', 'code'),
          one_code('Observation.code', 'many')),
    Shape('two tokens', 'Condition?code={code}&category={category}',
          by_code('Condition', 'code', 1, 'AND ' + token('Condition.category', 3, 'r')),
          both(one_code('Condition.code'), one_code('Condition.category', name='category'))),
    Shape('not', 'Condition?code={code}&clinical-status:not=active',
          by_code('Condition', 'code', 1, 'AND NOT EXISTS(SELECT 1 FROM token t WHERE '
                  't.parameter={Condition.clinical-status} AND t.code IN (SELECT number FROM '
                  "code WHERE code='active') AND t.rid=r.rid)"), one_code('Condition.code')),
    Shape('missing', 'Encounter?type={code}&reason-code:missing=true',
          by_code('Encounter', 'type', 1, 'AND NOT EXISTS(SELECT 1 FROM token t WHERE '
                  't.parameter={Encounter.reason-code} AND t.code IN (SELECT DISTINCT code FROM '
                  'token WHERE parameter={Encounter.reason-code}) AND t.rid=r.rid)'),
          one_code('Encounter.type')),
    Shape('code in a value set', f'Observation?code:in={VITALS}&date=ge{{low}}&date=lt{{high}}',
          in_range('Observation.date', 1) + ' AND EXISTS(SELECT 1 FROM token t WHERE '
          't.parameter={Observation.code} AND t.code IN ' + VITAL_CODES +
          ' AND t.rid=d.rid) ORDER BY d.rid', days('Observation.date', 7)),
    Shape('string', 'Patient?family={text}',
          'SELECT DISTINCT rid FROM text WHERE parameter={Patient.family} AND value>=?1 AND '
          'value<?2 ORDER BY rid', a_text('Patient.family')),
    Shape('string, two', 'Patient?family={text}&given={given}',
          'SELECT DISTINCT a.rid FROM text a JOIN text b ON b.rid=a.rid WHERE '
          'a.parameter={Patient.family} AND a.value>=?1 AND a.value<?2 AND '
          'b.parameter={Patient.given} AND b.value>=?3 AND b.value<?4 ORDER BY a.rid',
          both(a_text('Patient.family', 3), lambda store: (
              lambda values, arguments: ({'given': values['text']}, arguments))(
                  *a_text('Patient.given', 2)(store)))),
    Shape('string contains', 'Patient?family:contains={text}',
          'SELECT DISTINCT rid FROM text WHERE parameter={Patient.family} AND '
          'instr(value,?1)>0 ORDER BY rid',
          lambda store: (lambda values, arguments: (values, arguments[:1]))(
              *a_text('Patient.family', 4, 1)(store))),
    Shape('birth date', 'Patient?birthdate={day}',
          'SELECT rid FROM date WHERE parameter={Patient.birthdate} AND low>=?1 AND '
          'low+width<=?2 AND low<?2 ORDER BY rid', one_day('Patient.birthdate')),
    Shape('date range', 'Observation?date=ge{low}&date=lt{high}',
          in_range('Observation.date', 1) + ' ORDER BY d.rid', days('Observation.date', 30)),
    Shape('token, date range', 'Observation?code={code}&date=ge{low}&date=lt{high}',
          in_range('Observation.date', 3) + ' AND ' + token('Observation.code', 1, 'd') +
          ' ORDER BY d.rid', both(one_code('Observation.code'), days('Observation.date', 90))),
    Shape('token, quantity', 'Observation?code={code}&value-quantity=gt{value}',
          by_code('Observation', 'code', 1, 'AND r.rid IN (SELECT rid FROM quantity WHERE '
                  'parameter={Observation.value-quantity} AND value>?3)'), code_and_value),
    Shape('quantity', 'Observation?value-quantity=gt{value}',
          'SELECT DISTINCT rid FROM quantity WHERE parameter={Observation.value-quantity} AND value>?1 '
          'ORDER BY rid', a_quantity('Observation.value-quantity')),
    Shape('composite', 'Observation?code-value-quantity={code}$gt{value}',
          by_code('Observation', 'code', 1, 'AND r.rid IN (SELECT rid FROM quantity WHERE '
                  'parameter={Observation.value-quantity} AND value>?3)'), code_and_value),
    Shape('chain', 'Observation?code={code}&patient.family={text}',
          'SELECT DISTINCT r.rid FROM text p JOIN reference r ON '
          'r.parameter={Observation.patient} AND r.target=-(p.rid>>31) WHERE '
          'p.parameter={Patient.family} AND p.value>=?3 AND p.value<?4 AND ' +
          token('Observation.code', 1, 'r') + ' ORDER BY r.rid',
          both(one_code('Observation.code'), a_text('Patient.family'))),
    Shape('chain of two', 'DiagnosticReport?encounter.patient.birthdate={day}',
          None, one_day('Patient.birthdate')),
    Shape('_has', 'Patient?_has:Condition:patient:code={code}&birthdate=ge{low}&birthdate=lt{high}',
          None, lambda store: both(one_code('Condition.code'),
                                   days('Patient.birthdate', 3650))(store)),
    Shape('_has, few', 'Patient?_has:Condition:patient:code={code}',
          'SELECT DISTINCT r.rid>>31<<31 AS rid FROM token r WHERE r.parameter={Condition.code} '
          f'AND r.code={code(1)} ORDER BY rid', one_code('Condition.code', 'few')),
    Shape('include', 'Condition?code={code}&_include=Condition:patient',
          None, one_code('Condition.code')),
    Shape('revinclude', 'Patient?birthdate={day}&_revinclude=Condition:patient&_count=10',
          None, one_day('Patient.birthdate')),
    Shape('token, newest first', 'Observation?code={code}&_sort=-date',
          'SELECT d.rid FROM date d WHERE d.parameter={Observation.date} AND ' +
          token('Observation.code', 1, 'd') + ' ORDER BY d.low DESC',
          one_code('Observation.code')),
    Shape('two tokens, newest first', 'Condition?code={code}&category={category}&_sort=-onset-date',
          'SELECT d.rid FROM date d WHERE d.parameter={Condition.onset-date} AND ' +
          token('Condition.code', 1, 'd') + ' AND ' + token('Condition.category', 3, 'd') +
          ' ORDER BY d.low DESC',
          both(one_code('Condition.code'), one_code('Condition.category', name='category'))),
    Shape('date range, last updated first',
          'Encounter?date=ge{low}&date=lt{high}&_sort=-_lastUpdated',
          None, days('Encounter.date', 30)),
    Shape('by name', 'Patient?gender={code}&birthdate=ge{low}&_sort=family,given',
          None, both(one_code('Patient.gender'), days('Patient.birthdate', 1))),
    Shape('words of the code', 'Condition?code:text={word}',
          'SELECT DISTINCT t.rid FROM token t WHERE t.parameter={Condition.code} AND t.code IN '
          '(SELECT code FROM code_word WHERE word=?1) ORDER BY t.rid', a_word('Condition')),
    Shape('words of the content', 'Condition?_content={word}&onset-date=ge{low}&onset-date=lt{high}',
          None, both(a_word('Condition'), days('Condition.onset-date', 365))),
    Shape('last updated', 'Observation?_lastUpdated=ge{low}&_lastUpdated=lt{high}',
          'SELECT p.rid FROM place p CROSS JOIN resource r ON r.rid=p.rid WHERE '
          'p.type={Observation} AND r.updated>=?1 AND r.updated<?2 ORDER BY p.rid', span),
    Shape('tag', 'Condition?_tag={code}', by_code('Condition', '_tag'),
          one_code('Condition._tag')),
    Shape('across types', '?_type=Condition,Encounter&_tag={code}',
          'SELECT r.rid FROM token r WHERE r.parameter IN ({Condition._tag},{Encounter._tag}) AND '
          f'r.code={code(1)} ORDER BY r.rid', one_code('Condition._tag')),
    Shape('count, token', 'Observation?code={code}&_total=accurate',
          by_code('Observation', 'code'), one_code('Observation.code'),
          total=count_of(by_code('Observation', 'code'))),
    Shape('count, two tokens', 'Condition?code={code}&category={category}&_total=accurate',
          by_code('Condition', 'code', 1, 'AND ' + token('Condition.category', 3, 'r')),
          both(one_code('Condition.code', 'many'), one_code('Condition.category',
                                                            name='category')),
          total=count_of(by_code('Condition', 'code', 1,
                                 'AND ' + token('Condition.category', 3, 'r')))),
    Shape('count, date range', 'Observation?date=ge{low}&date=lt{high}&_total=accurate',
          in_range('Observation.date', 1) + ' ORDER BY d.rid', days('Observation.date', 365),
          total=count_of(in_range('Observation.date', 1))),
]
