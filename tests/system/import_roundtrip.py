# SPDX-License-Identifier: MIT
"""What is imported is what is read back and what is exported.
usage: import_roundtrip.py PROGRAM [BUNDLES]    how many bundles of the suite (all)"""
import glob
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

from server import Server, parse, run, same, suite, tap, unparse

PROGRAM = os.path.abspath(sys.argv[1])
BUNDLES = int(sys.argv[2]) if len(sys.argv) > 2 else None
RESERVE = ('--reserve', '8M')


def _files():
    found = sorted(glob.glob(os.path.join(suite('synthea'), '*.json.gz')))
    return found[:BUNDLES] if BUNDLES else found


def _resolve(value, links):
    """A copy with references inside the bundle replaced by what they are stored under."""
    if isinstance(value, dict):
        return {name: links.get(item, item) if name == 'reference' and isinstance(item, str)
                else _resolve(item, links) for name, item in value.items()}
    if isinstance(value, list):
        return [_resolve(item, links) for item in value]
    return value


def _expected(files):
    """What the store must hold: 'Type/id' to resource. Of several with one id the last stands."""
    expected = {}
    for path in files:
        with gzip.open(path, 'rt', encoding='utf-8') as file:
            bundle = parse(file.read())
        links = {entry['fullUrl']: '%s/%s' % (entry['resource']['resourceType'],
                                              entry['resource']['id'])
                 for entry in bundle['entry']}
        for entry in bundle['entry']:
            expected[links[entry['fullUrl']]] = _resolve(entry['resource'], links)
    return expected


def _plain(resource):
    """Without what the server adds."""
    meta = {name: value for name, value in resource.get('meta', {}).items()
            if name not in ('versionId', 'lastUpdated')}
    return {name: meta if name == 'meta' else value for name, value in resource.items()
            if name != 'meta' or meta}


def _exported(folder):
    """Every line of an export: 'Type/id' to resource."""
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, '*'))):
        with open(path, encoding='utf-8') as file:
            for line in file:
                resource = parse(line)
                name = '%s/%s' % (resource['resourceType'], resource['id'])
                assert os.path.basename(path) == resource['resourceType'] + '.ndjson', path
                assert name not in found, name
                found[name] = resource
    return found


def _differences(left, right):
    names = [name for name in set(left) | set(right)
             if name not in left or name not in right or not same(left[name], right[name])]
    return sorted(names)[:5]


def _import(data, *arguments, code=0):
    answer = run(PROGRAM, 'import', '--data', data, *RESERVE, *arguments, timeout=1800)
    assert answer[0] == code, answer
    return answer


def _stored_count(output):
    return int(re.match(r'(\d+) resources stored', output).group(1))


def the_suite_is_stored_as_it_was():
    files = _files()
    expected = _expected(files)
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        _, told, _ = _import(data, *files)
        entries = 0
        for path in files:
            with gzip.open(path, 'rt', encoding='utf-8') as file:
                entries += len(json.load(file)['entry'])
        assert _stored_count(told) == entries, (told, entries)
        with open(os.path.join(data, 'rejects.ndjson'), encoding='utf-8') as file:
            assert file.read() == ''
        read = {}
        with Server(PROGRAM, *RESERVE, folder=data) as server:
            for name, resource in expected.items():
                answer = server.ask('GET', name)
                assert answer.status == 200, answer
                read[name] = answer.exact
                assert same(_plain(read[name]), _plain(resource)), '%s\n%s\n%s' % (
                    name, answer.body.decode(), unparse(resource))
        _exports_and_comes_back(folder, data, read)


def _exports_and_comes_back(folder, data, read):
    first, second = os.path.join(folder, 'first'), os.path.join(folder, 'second')
    code, told, errors = run(PROGRAM, 'export', '--data', data, *RESERVE, '--out', first)
    assert code == 0, (told, errors)
    exported = _exported(first)
    assert not _differences(exported, read), _differences(exported, read)
    other = os.path.join(folder, 'other')
    _, told, _ = _import(other, *glob.glob(os.path.join(first, '*.ndjson')))
    assert _stored_count(told) == len(exported)
    code, told, errors = run(PROGRAM, 'export', '--data', other, *RESERVE, '--out', second)
    assert code == 0, (told, errors)
    again = {name: _plain(resource) for name, resource in _exported(second).items()}
    once = {name: _plain(resource) for name, resource in exported.items()}
    assert not _differences(once, again), _differences(once, again)


def what_was_imported_is_not_imported_twice():
    files = _files()[:2]
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        stored = _stored_count(_import(data, *files)[1])
        told = _import(data, *files)[1]
        assert _stored_count(told) == 0 and 'were imported before' in told, told
        assert _stored_count(_import(data, '--again', *files)[1]) == stored
        name = next(iter(_expected(files[:1])))
        with Server(PROGRAM, *RESERVE, folder=data) as server:
            assert server.ask('GET', name).headers['etag'] in ('W/"2"', 'W/"4"')


# ---- made up input ----

def _write(folder, name, text):
    path = os.path.join(folder, name)
    with (gzip.open if name.endswith('.gz') else open)(path, 'wt', encoding='utf-8') as file:
        file.write(text if isinstance(text, str) else json.dumps(text))
    return path


def _patient(name, **more):
    return {'resourceType': 'Patient', 'id': name, **more}


def _transaction(*resources):
    return {'resourceType': 'Bundle', 'type': 'transaction', 'entry': [
        {'fullUrl': 'https://example.org/%s/%s' % (each['resourceType'], each['id']),
         'resource': each, 'request': {'method': 'PUT', 'url': '%s/%s' % (
             each['resourceType'], each['id'])}} for each in resources]}


def _names(data):
    with tempfile.TemporaryDirectory() as out:
        code, told, errors = run(PROGRAM, 'export', '--data', data, *RESERVE, '--out', out)
        assert code == 0, (told, errors)
        return sorted(_exported(out))


def every_form_of_input_is_told_by_its_content():
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        lines = ''.join(json.dumps(_patient('n%d' % number)) + '\n' for number in range(3))
        _import(data, _write(folder, 'one.json', _patient('one')),
                _write(folder, 'lines.ndjson', lines),
                _write(folder, 'packed.ndjson.gz', lines.replace('"n', '"g')),
                _write(folder, 'pretty.json', json.dumps(_patient('pretty'), indent=2)),
                _write(folder, 'bundle.json.gz', _transaction(_patient('t1'), _patient('t2'))),
                _write(folder, 'collection.json', {
                    'resourceType': 'Bundle', 'type': 'collection',
                    'entry': [{'resource': _patient('c1')}]}))
        piped = subprocess.run([PROGRAM, 'import', '--data', data, *RESERVE, '-'], check=False,
                               input=gzip.compress(json.dumps(_patient('piped')).encode()),
                               capture_output=True)
        assert piped.returncode == 0, piped
        assert _names(data) == sorted('Patient/' + name for name in (
            'one', 'n0', 'n1', 'n2', 'g0', 'g1', 'g2', 'pretty', 't1', 't2', 'c1', 'piped'))


def a_transaction_with_a_fault_is_rejected_whole_unless_split():
    bad = _patient('bad', gender='SECRETVALUE', birthDate='1970-02-30')
    with tempfile.TemporaryDirectory() as folder:
        bundle = _write(folder, 'bundle.json', _transaction(_patient('a'), bad, _patient('b')))
        for options, stored, rejected in (((), [], 3), (('--split',), ['Patient/a', 'Patient/b'], 1)):
            data = os.path.join(folder, 'data%d' % len(stored))
            _, told, errors = _import(data, *options, bundle, code=1)
            assert '%d resources rejected' % rejected in told, told
            with open(os.path.join(data, 'rejects.ndjson'), encoding='utf-8') as file:
                text = file.read()
            assert 'SECRETVALUE' not in text + told + errors and '1970-02-30' not in text
            assert '.gender"' in text and '.birthDate"' in text, text
            assert 'bundle.json' in text, text
            for line in text.splitlines():
                json.loads(line)
            assert _names(data) == stored


def a_bad_line_rejects_itself_only():
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        lines = [json.dumps(_patient('a')), '{"resourceType":"Patient"', json.dumps(_patient('b')),
                 json.dumps({'resourceType': 'Patient'}), '', 'SECRETTEXT', json.dumps(_patient('c'))]
        _, told, errors = _import(data, _write(folder, 'x.ndjson', '\n'.join(lines)), code=1)
        assert 'SECRETTEXT' not in told + errors
        names = _names(data)
        assert set(names) >= {'Patient/a', 'Patient/b', 'Patient/c'}, names
        with open(os.path.join(data, 'rejects.ndjson'), encoding='utf-8') as file:
            text = file.read()
        places = [json.loads(line).get('line') for line in text.splitlines()]
        assert 2 in places and 6 in places and 'SECRETTEXT' not in text, text


def unreadable_files_are_named():
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        good = _write(folder, 'good.json', _patient('good'))
        torn = _write(folder, 'torn.json.gz', json.dumps(_patient('x', language='x' * 9999)))
        with open(torn, 'r+b') as file:
            file.truncate(30)
        for path in (os.path.join(folder, 'absent.json'), torn, folder,
                     _write(folder, 'empty.json', ''), _write(folder, 'half.json', '{"resourceTy')):
            code, told, errors = run(PROGRAM, 'import', '--data', data, *RESERVE, path, timeout=60)
            assert code == 1 or (code == 0 and path.endswith('empty.json')), (path, code, told, errors)
            with open(os.path.join(data, 'rejects.ndjson'), encoding='utf-8') as file:
                rejects = file.read()
            assert code == 0 or os.path.basename(path) in told + errors + rejects, (
                path, told, errors, rejects)
        code, told, errors = run(PROGRAM, 'validate', torn)
        assert code == 1 and 'torn.json.gz' in told + errors, (code, told, errors)
        _import(data, good)
        assert _names(data) == ['Patient/good']


def one_process_at_a_time_has_the_store():
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        good = _write(folder, 'good.json', _patient('good'))
        with Server(PROGRAM, *RESERVE, folder=data) as server:
            code, told, errors = run(PROGRAM, 'import', '--data', data, *RESERVE, good, timeout=60)
            assert code != 0 and 'use' in told + errors, (code, told, errors)
            code, told, errors = run(PROGRAM, 'serve', '--data', data, '--port', '0', *RESERVE,
                                     timeout=60)
            assert code != 0 and 'use' in told + errors, (code, told, errors)
            assert server.ask('PUT', 'Patient/x', _patient('x')).status == 201
        _import(data, good)
        assert _names(data) == ['Patient/good', 'Patient/x']


def wrong_usage_is_exit_2():
    for arguments in (['import'], ['import', '--data', 'x'], ['import', 'x'], ['export'], ['serve'],
                      ['export', '--data', 'x'], ['unheardof'], [], ['import', '--unheardof'],
                      ['serve', '--data', 'x', '--port', 'a'], ['serve', '--data']):
        with tempfile.TemporaryDirectory() as folder:
            ended = subprocess.run([PROGRAM, *arguments], cwd=folder, capture_output=True,
                                   text=True, timeout=30, check=False)
            assert ended.returncode == 2, (arguments, ended)
            assert ended.stderr, arguments


sys.exit(tap.run(sys.modules[__name__]))
