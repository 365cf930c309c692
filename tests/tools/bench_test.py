# SPDX-License-Identifier: MIT
"""bench/: the SQLite floor copies every row, and the scripts count and judge right."""
import gzip
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time

import tap

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'bench'))
import benchlib as lib  # noqa: E402 (found by the line above)
import shapes  # noqa: E402

FLOOR = sys.argv[1]
BENCH = sys.argv[2]

SCHEMA = '''
CREATE TABLE resource(rid INTEGER PRIMARY KEY, change INTEGER NOT NULL, body BLOB, note TEXT);
CREATE TABLE token(parameter INTEGER, rid INTEGER, PRIMARY KEY(parameter, rid)) WITHOUT ROWID;
CREATE TABLE code(number INTEGER PRIMARY KEY, code TEXT UNIQUE, weight REAL);
CREATE INDEX resource_by_change ON resource(change);
'''


def _store(path, resources):
    store = sqlite3.connect(path)
    store.executescript('PRAGMA page_size=8192;' + SCHEMA)
    for number in range(1, resources + 1):
        rid = number * 1000003 % 65521
        store.execute('INSERT INTO resource VALUES(?,?,?,?)',
                      (rid, resources - number, os.urandom(number % 300),
                       None if number % 7 == 0 else 'note \u00e9 %d' % number))
        store.executemany('INSERT INTO token VALUES(?,?)', [(p, rid) for p in range(number % 4)])
        store.execute('INSERT INTO code VALUES(?,?,?)', (number, 'c%d' % number, number / 3))
    store.execute('INSERT INTO token VALUES(9, 999999)')  # about a place where nothing lives
    store.commit()
    store.close()


def _floor(*arguments):
    return subprocess.run([FLOOR, *arguments], capture_output=True, text=True, check=False)


def _content(path):
    store = sqlite3.connect(path)
    content = {name: store.execute('SELECT * FROM ' + name).fetchall()
               for name in ('resource', 'token', 'code')}
    schema = store.execute('SELECT type, name, sql FROM sqlite_master ORDER BY 2').fetchall()
    size = store.execute('PRAGMA page_size').fetchone()
    store.close()
    return content, schema, size


def the_floor_inserts_every_row_of_every_table_with_the_same_schema():
    with tempfile.TemporaryDirectory() as folder:
        old, new = os.path.join(folder, 'old.db'), os.path.join(folder, 'new.db')
        _store(old, 2500)
        done = _floor('--per-commit', '1000', old, new)
        assert done.returncode == 0, done.stderr
        figures = json.loads(done.stdout)
        assert _content(old) == _content(new)
        assert figures['resources'] == 2500
        assert figures['rows'] == sum(len(rows) for rows in _content(old)[0].values())


def the_floor_writes_resources_in_the_order_of_their_changes():
    with tempfile.TemporaryDirectory() as folder:
        old, new = os.path.join(folder, 'old.db'), os.path.join(folder, 'new.db')
        store = sqlite3.connect(old)
        # The implicit rowid of `trace` shows the order in which rows came.
        store.executescript('CREATE TABLE resource(rid INTEGER PRIMARY KEY, change INTEGER);'
                            'CREATE TABLE trace(rid INTEGER);')
        store.executemany('INSERT INTO resource VALUES(?,?)', [(n, 100 - n) for n in range(1, 51)])
        store.executemany('INSERT INTO trace VALUES(?)', [(n,) for n in range(1, 51)])
        store.commit()
        store.close()
        assert _floor(old, new).returncode == 0
        store = sqlite3.connect(new)
        order = [row[0] for row in store.execute('SELECT rid FROM trace ORDER BY rowid')]
        store.close()
        assert order == list(range(50, 0, -1)), order


def the_floor_refuses_to_overwrite_and_what_is_no_store():
    with tempfile.TemporaryDirectory() as folder:
        old, new = os.path.join(folder, 'old.db'), os.path.join(folder, 'new.db')
        _store(old, 10)
        assert _floor(old, old).returncode == 2
        assert _floor('--group', 'nothing', old, new).returncode == 1
        assert _floor(os.path.join(folder, 'absent.db'), new + '2').returncode == 1
        assert _floor('--per-commit', '0', old, new + '3').returncode == 2
        assert _floor(old).returncode == 2


def a_ratio_is_judged_against_its_bar_and_errors_void_it():
    assert lib.ratio_row('w', 'x/s', 50, 100, 0.5).verdict == 'met'
    assert lib.ratio_row('w', 'x/s', 49.9, 100, 0.5).verdict == 'missed'
    assert lib.ratio_row('w', 'x/s', 90, 100, 0.5, failures=2).verdict == '2 errors'
    assert lib.ratio_row('w', 'x/s', 90, 0, 0.5).verdict == 'missed'
    assert lib.limit_row('w', 100, 100, 'ms').verdict == 'met'
    assert lib.limit_row('w', 101, 100, 'ms').verdict == 'missed'
    assert lib.times_row('w', 'x/s', 100, 2, 50).verdict == 'met'
    assert lib.times_row('w', 'x/s', 99, 2, 50).verdict == 'missed'
    assert lib.times_row('w', 'x/s', 99, 1, 50, failures=1).verdict == '1 errors'
    assert lib.absent_row('w', 'why').verdict == 'n/a'


def measures_take_turns():
    calls = []
    results = lib.alternate(3, lambda: calls.append('a') or len(calls),
                            lambda: calls.append('b') or len(calls))
    assert calls == ['a', 'b'] * 3
    assert results == [[1, 3, 5], [2, 4, 6]]


def _person(folder, number, size):
    def urn(tail):
        return 'urn:uuid:%08d-0000-4000-8000-%012d' % (number, tail)

    entries = [{'fullUrl': urn(0), 'resource': {'resourceType': 'Patient', 'id': urn(0)[9:]}},
               {'fullUrl': urn(1), 'resource': {'resourceType': 'Organization', 'id': urn(1)[9:]}}]
    entries += [{'fullUrl': urn(tail), 'resource': {
        'resourceType': 'Observation', 'id': urn(tail)[9:], 'subject': {'reference': urn(0)},
        'performer': [{'reference': urn(1)}]}} for tail in range(2, size + 1)]
    path = os.path.join(folder, '%d.json.gz' % number)
    with gzip.open(path, 'wt') as file:
        json.dump({'resourceType': 'Bundle', 'type': 'transaction', 'entry': entries}, file)
    return path


def a_long_record_is_one_person_with_as_many_resources_as_asked():
    with tempfile.TemporaryDirectory() as folder:
        files = [_person(folder, number, 60) for number in range(4)]
        paths, ids = lib.make_long_records(files, os.path.join(folder, 'long'), 2, 200)
        assert len(set(ids)) == 2
        seen = set()
        for path, patient in zip(paths, ids):
            with open(path, encoding='utf-8') as file:
                entries = json.load(file)['entry']
            kinds = [entry['resource']['resourceType'] for entry in entries]
            assert kinds.count('Patient') == 1
            assert len(kinds) - kinds.count('Organization') == 200
            urls = {entry['fullUrl'] for entry in entries}
            assert len(urls) == len(entries) and not urls & seen
            seen |= urls
            for entry in entries:
                if entry['resource']['resourceType'] == 'Observation':
                    assert entry['resource']['subject']['reference'][9:] == patient[8:]
                    assert entry['resource']['performer'][0]['reference'] in urls


def entries_that_refer_to_what_was_cut_off_are_left_out():
    def entry(name, *refers):
        return {'fullUrl': 'urn:uuid:' + name * 36, 'resource': {
            'about': [{'reference': 'urn:uuid:' + other * 36} for other in refers]}}

    kept = lib.keep_whole([entry('a'), entry('b', 'a'), entry('c', 'b', 'f'), entry('d', 'c')])
    assert [item['fullUrl'][9] for item in kept] == ['a', 'b']


def each_run_has_a_folder_of_its_own():
    with tempfile.TemporaryDirectory() as folder:
        where = os.path.join(folder, 'not', 'there', 'yet')
        first = lib.fresh_folder(where, 'bench-')
        os.makedirs(os.path.join(first, 'synthea'))
        second = lib.fresh_folder(where, 'bench-')
        assert os.listdir(second) == [] and os.path.dirname(second) == where, second


def the_peak_of_memory_is_seen():
    with lib.MemoryWatch(os.getpid()) as watch:
        block = bytearray(os.urandom(1 << 16)) * 512
        time.sleep(0.2)
    assert watch.peak_kb * 1024 >= len(block), watch.peak_kb


def the_driver_says_what_is_wrong_with_its_arguments():
    def usage(*words):
        done = subprocess.run([BENCH, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 2 and done.stderr, (words, done.returncode)

    usage()
    usage('http://127.0.0.1:1/fhir')
    usage('http://127.0.0.1:1/fhir', 'nonsense')
    usage('http://192.0.2.1/fhir', 'crud')
    usage('--concurrency', '0', 'http://127.0.0.1:1/fhir', 'crud')
    usage('--seconds', 'soon', 'http://127.0.0.1:1/fhir', 'crud')
    usage('--header', 'no colon', 'http://127.0.0.1:1/fhir', 'crud')
    done = subprocess.run([BENCH, '--help'], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and 'everything' in done.stdout


def a_server_that_is_not_there_is_an_error_and_not_a_figure():
    done = subprocess.run([BENCH, '--json', f'http://127.0.0.1:{lib.free_port()}/fhir', 'crud'],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and 'stopped answering' in done.stderr
    assert json.loads(done.stdout)['per_second'] == 0


TABLES = """
CREATE TABLE directory(type, id, rid, state);
CREATE TABLE resource(rid, updated);
CREATE TABLE place(type, rid);
CREATE TABLE member(patient, rid);
CREATE TABLE system(number, uri);
CREATE TABLE code(number, system, code);
CREATE TABLE code_word(word, code);
CREATE TABLE token(parameter, code, rid);
CREATE TABLE reference(parameter, target, rid);
CREATE TABLE text(parameter, value, rid);
CREATE TABLE date(parameter, low, width, rid);
CREATE TABLE quantity(parameter, value, unit, rid);
"""


class _Numbered(shapes.Store):
    """Of a store without a file: any type and parameter has a number."""

    def __init__(self):
        self.types = {kind: at for at, kind in enumerate(
            ['Patient', 'Observation', 'Condition', 'Encounter', 'DiagnosticReport'], 1)}

    def number(self, name, second=False):
        return 2 * (sum(name.encode()) % 1000) + second


def every_statement_written_by_hand_can_be_asked():
    store, empty, names = _Numbered(), sqlite3.connect(':memory:'), set()
    empty.executescript(TABLES)
    for shape in shapes.SHAPES:
        for line in shape.statements(store):
            name, sql = line.split('\t')
            assert name not in names, name
            names.add(name)
            asked = empty.execute(sql, [0] * max(int(word) for word in
                                                 shapes.re.findall(r'\?(\d+)', sql)))
            assert asked.fetchall() == ([(0,)] if name.endswith('.total') else []), name
    assert len(shapes.SHAPES) >= 30 and len(names) >= 30


def shapes_ask_for_different_values_both_ways():
    class Counting:
        number = 0

    def draw(store):
        store.number += 1
        return {'word': f'a{store.number} b'}, [f't{store.number}']
    shape = shapes.Shape('one: of-all', 'Patient/x/Condition?a={word}&_count=5', 'SELECT ?1', draw)
    pairs = shape.requests(Counting(), 3)
    assert pairs == [(f'Patient/x/Condition?a=a{at}%20b&_count=5',
                      f'Condition?_id=by-hand.one-of-all,t{at}&_count=5') for at in (1, 2, 3)]


def shapes_write_times_and_words_as_the_store_keeps_them():
    assert shapes.instant(1_500_000_000_250_000) == '2017-07-14T02:40:00.250Z'
    assert shapes.instant(-1_000_000) == '1969-12-31T23:59:59Z'
    assert shapes.day(-1_000_000) == '1969-12-31'
    hash = 0xcbf29ce484222325  # FNV-1a of the empty text, folded to 31 bits
    assert shapes.word_number('') == (hash ^ hash >> 33) & 0x7fffffff
    assert shapes.quote('a|b c\u00e9') == 'a|b%20c%C3%A9'


if __name__ == '__main__':
    sys.exit(tap.run(sys.modules[__name__]))
