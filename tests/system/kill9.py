# SPDX-License-Identifier: MIT
"""Killed without warning: nothing acknowledged is lost, nothing is half done, every access is
logged, and an import goes on.
usage: kill9.py PROGRAM [ROUNDS]"""
import collections
import glob
import gzip
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

import access_log
from server import Server, parse, run, suite, tap

PROGRAM = os.path.abspath(sys.argv[1])
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 5
WRITERS, READERS = 6, 2
RESERVE = ('--reserve', '8M')
RANDOM = random.Random(20260101)
STOPPED = (OSError, http.client.HTTPException)


class _Ledger:
    """What the server has acknowledged, and what it was asked when it died."""

    def __init__(self):
        self.known = {}  # path: (version, body or None when deleted), as acknowledged
        self.open = {}  # path: body of a write that was not answered
        self.logged = set()  # request ids whose entry must be there
        self.whole = {}  # transaction: paths of its resources, acknowledged or not
        self.over = False  # the server was killed: who found nothing to read yet stops too


def _writer(server, ledger, name, transactions):
    """Creates, changes and deletes resources of its own until the server is gone."""
    connection = server.connect()
    random_number = random.Random(name)
    number = 0
    try:
        while True:
            number += 1
            request = '%s-%d' % (name, number)
            if transactions and number % 5 == 0:
                _transact(connection, ledger, request)
                continue
            path = 'Patient/%s-%d' % (name, random_number.randrange(number // 2 + 1))
            _write(connection, ledger, path, request, random_number)
    except STOPPED:
        connection.close()


def _write(connection, ledger, path, request, random_number):
    body = None
    if path not in ledger.known or random_number.random() < 0.9:
        body = {'resourceType': 'Patient', 'id': path[8:],
                'name': [{'family': request, 'text': 'x' * random_number.randint(1, 3000)}]}
    ledger.open[path] = body
    answer = connection.ask('PUT' if body else 'DELETE', path, body, {'X-Request-Id': request})
    assert answer.status in (200, 201, 204), answer
    version = int(answer.headers['etag'][3:-1]) if 'etag' in answer.headers else 0
    ledger.known[path] = (version, body)
    ledger.logged.add(request)
    del ledger.open[path]


def _transact(connection, ledger, request):
    paths = ['Observation/%s-%d' % (request, part) for part in range(5)]
    entries = [{'resource': {'resourceType': 'Observation', 'id': path[12:], 'status': 'final',
                             'code': {'text': request}},
                'request': {'method': 'PUT', 'url': path}} for path in paths]
    ledger.whole[request] = (paths, False)
    answer = connection.ask('POST', '/fhir', {'resourceType': 'Bundle', 'type': 'transaction',
                                              'entry': entries}, {'X-Request-Id': request})
    assert answer.status == 200, answer
    ledger.whole[request] = (paths, True)
    ledger.logged.add(request)


def _reader(server, ledger, name):
    connection = server.connect()
    number = 0
    try:
        while not ledger.over:
            number += 1
            paths = list(ledger.known)
            if not paths:
                time.sleep(0.001)
                continue
            request = '%s-%d' % (name, number)
            path = paths[number % len(paths)]
            answer = connection.ask('GET', path, headers={'X-Request-Id': request})
            assert answer.status in (200, 410), answer
            ledger.logged.add(request)
    except STOPPED:
        connection.close()


def _round(server, ledger, number, transactions):
    faults = []

    def guarded(function, *arguments):
        try:
            function(*arguments)
        except Exception as error:  # judged by the round
            faults.append(error)

    # Each thread has a ledger of its own for what it writes: they share no path.
    threads = [threading.Thread(target=guarded, args=(
        _writer, server, ledger, 'w%d-%d' % (number, part), transactions))
        for part in range(WRITERS)]
    threads += [threading.Thread(target=guarded, args=(
        _reader, server, ledger, 'r%d-%d' % (number, part))) for part in range(READERS)]
    for thread in threads:
        thread.start()
    time.sleep(0.05 + RANDOM.random() * 0.6)
    until = time.monotonic() + 60
    while len(ledger.logged) < 30 and not faults and time.monotonic() < until:
        time.sleep(0.01)  # a slow machine has hardly begun
    server.kill()
    ledger.over = True
    for thread in threads:
        thread.join()
    assert not faults, faults[0]


def _content(answer):
    body = answer.json
    del body['meta']
    return body


def _verify(server, ledger):
    for path, (version, body) in ledger.known.items():
        answer = server.ask('GET', path)
        possible = [body] + ([ledger.open[path]] if path in ledger.open else [])
        if answer.status == 410:
            assert None in possible, 'lost: %s' % path
            continue
        assert answer.status == 200, 'lost: %s %r' % (path, answer)
        stored = int(answer.headers['etag'][3:-1])
        assert stored == version or (stored == version + 1 and path in ledger.open) or \
            version == 0, (path, stored, version)
        assert _content(answer) in possible, 'altered: %s' % path
    for paths, acknowledged in ledger.whole.values():
        found = [server.ask('GET', path).status for path in paths]
        wanted = ([200] * 5,) if acknowledged else ([200] * 5, [404] * 5)
        assert found in wanted, 'half a transaction: %r' % found


def _verify_log(folder, ledger):
    """Within seconds of the restart every access is in the log, each once."""
    until = time.monotonic() + 60
    while True:
        counted = collections.Counter(entry['request'] for entry in access_log.read(folder, False))
        missing = ledger.logged - set(counted)
        if not missing:
            break
        assert time.monotonic() < until, '%d accesses are not in the log: %r' % (
            len(missing), sorted(missing)[:5])
        time.sleep(0.2)
    twice = [request for request in ledger.logged
             if counted[request] > (5 if request in ledger.whole else 1)]
    assert not twice, 'logged twice: %r' % twice[:5]


def _check(folder):
    # Killed before it had begun the store there is nothing to check.
    if '\n  check ' in run(PROGRAM, '--help')[1] and \
            os.path.exists(os.path.join(folder, 'records.db')):
        answer = run(PROGRAM, 'check', '--data', folder)
        # Killed between making the file and its tables: it says so.
        assert answer[0] == 0 or 'nothing was ever stored' in answer[2], answer


def a_server_loses_nothing_it_acknowledged():
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        server = Server(PROGRAM, *RESERVE, folder=data)
        try:
            acknowledged = 0
            for number in range(ROUNDS):
                started = time.monotonic()
                server.start()
                assert time.monotonic() - started < 40, 'a start took too long'
                statement = server.ask('GET', 'metadata').json['rest'][0]
                transactions = 'transaction' in [each['code'] for each in statement['interaction']]
                ledger = _Ledger()
                _round(server, ledger, number, transactions)
                server.start()
                _verify(server, ledger)
                _verify_log(data, ledger)
                server.kill() if number % 2 else server.stop()
                _check(data)
                acknowledged += len(ledger.logged)
            assert acknowledged > 20 * ROUNDS, 'hardly anything happened: %d' % acknowledged
            access_log.read(data)
        finally:
            server.discard()


def _occurrences(paths):
    counted = collections.Counter()
    for path in paths:
        with open(path, encoding='utf-8') as file:
            for line in file:
                resource = json.loads(line)
                counted['%s/%s' % (resource['resourceType'], resource['id'])] += 1
    return counted


def _numbered_lines(folder, count, files):
    """NDJSON made up here: several units a file, some ids in more than one file."""
    paths = []
    for number in range(files):
        paths.append(os.path.join(folder, 'f%d.ndjson' % number))
        with open(paths[-1], 'w', encoding='utf-8') as file:
            for line in range(count):
                name = 'common-%d' % line if line % 50 == 0 else 'n%d-%d' % (number, line)
                file.write(json.dumps({'resourceType': 'Patient', 'id': name, 'name': [
                    {'family': name, 'text': 'y' * (1 + line * 37 % 400)}]}) + '\n')
    return paths


def _import_until_done(data, paths, longest):
    kills = 0
    while True:
        process = subprocess.Popen([PROGRAM, 'import', '--data', data, *RESERVE, *paths],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # The first time so soon that no machine is done by then.
        part = RANDOM.random() if kills > 0 else 0.1
        try:
            output = process.communicate(timeout=part * longest if kills < ROUNDS else None)
            assert process.returncode == 0, output
            return kills
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            _check(data)


def an_import_goes_on_and_imports_nothing_twice():
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        paths = _numbered_lines(folder, 3000, 4)
        kills = _import_until_done(data, paths, 1.5)
        assert kills > 0, 'the import was never killed'
        _compare_versions(folder, data, _occurrences(paths))


def _compare_versions(folder, data, occurrences):
    out = os.path.join(folder, 'out')
    answer = run(PROGRAM, 'export', '--data', data, *RESERVE, '--out', out)
    assert answer[0] == 0, answer
    found = {}
    for path in glob.glob(os.path.join(out, '*.ndjson')):
        with open(path, encoding='utf-8') as file:
            for line in file:
                resource = parse(line)
                found['%s/%s' % (resource['resourceType'], resource['id'])] = int(
                    resource['meta']['versionId'])
    assert set(found) == set(occurrences), sorted(set(found) ^ set(occurrences))[:5]
    wrong = [name for name in found if found[name] != occurrences[name]]
    assert not wrong, 'imported twice: %r' % wrong[:5]


def an_import_of_transactions_is_never_half():
    paths = sorted(glob.glob(os.path.join(suite('synthea'), '*.json.gz')))[:6]
    occurrences = collections.Counter()
    for path in paths:
        with gzip.open(path, 'rt', encoding='utf-8') as file:
            occurrences.update('%s/%s' % (entry['resource']['resourceType'],
                                          entry['resource']['id'])
                               for entry in json.load(file)['entry'])
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        _import_until_done(data, paths, 1.0)
        _compare_versions(folder, data, occurrences)


sys.exit(tap.run(sys.modules[__name__]))
