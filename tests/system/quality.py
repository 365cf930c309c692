# SPDX-License-Identifier: MIT
"""Data quality is counted durably: a restart adds up, and who is killed loses a second at most.
usage: quality.py PROGRAM"""
import datetime
import json
import os
import sys
import tempfile
import time

from server import Server, run, tap

PROGRAM = os.path.abspath(sys.argv[1])
GOOD = {'resourceType': 'Patient', 'birthDate': '1980-02-20'}
BAD = {'resourceType': 'Patient', 'birthDate': '1980-02-30'}


def _report(server, more=''):
    year = datetime.date.today().year
    answer = server.ask('GET', 'Measure/data-quality/$evaluate-measure?periodStart=%d&periodEnd=%d%s'
                        % (year - 1, year, more))
    assert answer.status == 200, answer
    return answer.json['group'][0]


def _counts(group):
    """(accepted, refused)"""
    by_code = {one['code']['coding'][0]['code']: one['count'] for one in group['population']}
    return by_code['accepted'] + by_code['accepted-with-warnings'], by_code['refused']


def _send(server, resource, times):
    connection = server.connect()
    for _ in range(times):
        connection.ask('POST', 'Patient', resource)
    connection.close()


def adds_up_over_restarts():
    with Server(PROGRAM) as server:
        _send(server, GOOD, 3)
        _send(server, BAD, 2)
        server.stop()
        server.start()
        assert _counts(_report(server)) == (3, 2)
        _send(server, GOOD, 1)
        server.stop()
        server.start()
        assert _counts(_report(server)) == (4, 2)


def is_there_within_a_second():
    with Server(PROGRAM) as server:
        _send(server, GOOD, 1)
        # (The machine may be slow: what is asked is that nobody needs to do anything for it.)
        deadline = time.monotonic() + 60
        while _counts(_report(server)) != (1, 0):
            assert time.monotonic() < deadline, 'nothing was written by itself'
            time.sleep(0.05)


def a_kill_loses_the_last_second_at_most():
    with Server(PROGRAM) as server:
        for round_number in range(1, 4):
            _send(server, GOOD, 40)
            _send(server, BAD, 10)
            deadline = time.monotonic() + 60
            while _counts(_report(server)) != (40 * round_number, 10 * round_number):
                assert time.monotonic() < deadline, (round_number, _counts(_report(server)))
                time.sleep(0.05)
            server.kill()
            server.start()
            assert _counts(_report(server)) == (40 * round_number, 10 * round_number)


def a_kill_at_work_never_counts_twice():
    with Server(PROGRAM) as server:
        sent = 0
        for _ in range(3):
            _send(server, GOOD, 30)
            sent += 30
            server.kill()
            server.start()
            accepted, refused = _counts(_report(server))
            assert accepted <= sent and refused == 0, (accepted, sent)


def an_import_says_who_sent_it():
    with tempfile.TemporaryDirectory() as folder:
        data, name = os.path.join(folder, 'data'), os.path.join(folder, 'in.ndjson')
        lines = [dict(GOOD, id='p%d' % i) for i in range(7)] + [dict(BAD, id='x')]
        lines.append(dict(GOOD, id='other', meta={'source': 'https://other.example/feed#1'}))
        with open(name, 'w', encoding='utf-8') as file:
            file.writelines(json.dumps(line) + '\n' for line in lines)
        done = run(PROGRAM, 'import', '--data', data, '--source', 'RX1', name)
        assert done[0] == 1, done
        done = run(PROGRAM, 'import', '--data', data, '--source', 'RX1', name)
        assert done[0] == 0, done  # it was done before: nothing is counted again
        with Server(PROGRAM, folder=data) as server:
            assert _counts(_report(server, '&reporter=RX1')) == (7, 1)
            assert _counts(_report(server, '&reporter=https://other.example')) == (1, 0)
            assert _counts(_report(server)) == (8, 1)
        done = run(PROGRAM, 'check', '--data', data)
        assert done[0] == 0, done


def what_falls_with_its_transaction_is_not_counted_by_an_import():
    entries = [{'fullUrl': 'urn:uuid:%036d' % i, 'resource': resource,
                'request': {'method': 'POST', 'url': 'Patient'}}
               for i, resource in enumerate([GOOD, BAD, GOOD])]
    with tempfile.TemporaryDirectory() as folder:
        data, name = os.path.join(folder, 'data'), os.path.join(folder, 'in.json')
        with open(name, 'w', encoding='utf-8') as file:
            json.dump({'resourceType': 'Bundle', 'type': 'transaction', 'entry': entries}, file)
        done = run(PROGRAM, 'import', '--data', data, name)
        assert done[0] == 1, done
        with Server(PROGRAM, folder=data) as server:
            assert _counts(_report(server)) == (0, 1)
        done = run(PROGRAM, 'import', '--data', data, '--split', '--again', name)
        assert done[0] == 1, done
        with Server(PROGRAM, folder=data) as server:
            assert _counts(_report(server)) == (2, 2)


def an_import_takes_no_person_for_a_source():
    with tempfile.TemporaryDirectory() as folder:
        for source in ('9434765919', 'John Smith', ''):
            done = run(PROGRAM, 'import', '--data', folder, '--source', source, os.devnull)
            assert done[0] == 2, (source, done)


sys.exit(tap.run(sys.modules[__name__]))
