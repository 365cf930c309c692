# SPDX-License-Identifier: MIT
"""Many clients send the same conditional create at once: always exactly one resource.
usage: conditional_create.py PROGRAM [ROUNDS]"""
import sys
import threading

from server import Server, tap

PROGRAM = sys.argv[1]
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 20
CLIENTS = 64
SYSTEM = 'https://example.org/ids'


def _patient(value):
    return {'resourceType': 'Patient', 'identifier': [{'system': SYSTEM, 'value': value}]}


class _Crowd:
    """Threads with a connection each that ask the same thing at the same moment."""

    def __init__(self, ask):
        self.ask = ask
        self.answers = [None] * CLIENTS
        self.gate = threading.Barrier(CLIENTS + 1)
        self.threads = [threading.Thread(target=self._run, args=(number,), daemon=True)
                        for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()
        self.round = 0

    def _run(self, number):
        with_closing = SERVER.connect()
        while True:
            self.gate.wait()
            if self.round < 0:
                with_closing.close()
                return
            try:
                self.answers[number] = self.ask(with_closing, self.round)
            except Exception as error:  # judged by whoever waits
                self.answers[number] = error
            self.gate.wait()

    def together(self, number):
        self.round = number
        self.gate.wait()
        self.gate.wait()
        return self.answers

    def end(self):
        self.round = -1
        self.gate.wait()
        for thread in self.threads:
            thread.join()


def _statuses(answers):
    return sorted(getattr(answer, 'status', repr(answer)) for answer in answers)


def creates_exactly_one_resource():
    def create(connection, number):
        value = 'c%d' % number
        return connection.ask('POST', 'Patient', _patient(value),
                              {'If-None-Exist': 'identifier=%s|%s' % (SYSTEM, value)})

    crowd = _Crowd(create)
    for number in range(ROUNDS):
        answers = crowd.together(number)
        assert _statuses(answers) == [200] * (CLIENTS - 1) + [201], _statuses(answers)
        ids = {answer.json['id'] for answer in answers}
        assert len(ids) == 1, ids
        assert len({answer.headers['etag'] for answer in answers}) == 1
        found = SERVER.entries('Patient?identifier=%s|c%d' % (SYSTEM, number))
        assert len(found) == 1, found
    crowd.end()
    assert len(SERVER.entries('Patient?_count=1000')) == ROUNDS


def updates_by_criteria_make_exactly_one_resource():
    def update(connection, number):
        value = 'u%d' % number
        return connection.ask('PUT', 'Patient?identifier=%s|%s' % (SYSTEM, value),
                              _patient(value))

    crowd = _Crowd(update)
    for number in range(max(1, ROUNDS // 10)):
        answers = crowd.together(number)
        assert _statuses(answers) == [200] * (CLIENTS - 1) + [201], _statuses(answers)
        assert len({answer.json['id'] for answer in answers}) == 1
        found = SERVER.entries('Patient?identifier=%s|u%d' % (SYSTEM, number))
        assert len(found) == 1, found
    crowd.end()


def lets_exactly_one_of_many_updates_of_one_version_through():
    def update(connection, number):
        return connection.ask('PUT', 'Patient/contended', {'resourceType': 'Patient',
                                                           'id': 'contended', 'active': True},
                              {'If-Match': 'W/"%d"' % (number + 1)})

    first = SERVER.ask('PUT', 'Patient/contended', {'resourceType': 'Patient', 'id': 'contended'})
    assert first.status == 201, first
    crowd = _Crowd(update)
    for number in range(max(1, ROUNDS // 10)):
        answers = crowd.together(number)
        assert _statuses(answers) == [200] + [412] * (CLIENTS - 1), _statuses(answers)
    crowd.end()
    assert SERVER.ask('GET', 'Patient/contended').headers['etag'] == \
        'W/"%d"' % (max(1, ROUNDS // 10) + 1)


def creates_exactly_one_resource_by_transactions():
    SERVER.needs('transaction')

    def transact(connection, number):
        value = 't%d' % number
        return connection.ask('POST', '/fhir', {
            'resourceType': 'Bundle', 'type': 'transaction', 'entry': [
                {'fullUrl': 'urn:uuid:6f1b1d6e-7a53-4c2e-9a55-0e6b0b3c9a01',
                 'resource': _patient(value),
                 'request': {'method': 'POST', 'url': 'Patient',
                             'ifNoneExist': 'identifier=%s|%s' % (SYSTEM, value)}}]})

    crowd = _Crowd(transact)
    for number in range(max(1, ROUNDS // 10)):
        answers = crowd.together(number)
        assert _statuses(answers) == [200] * CLIENTS, [a for a in answers if a.status != 200][0]
        inside = sorted(answer.json['entry'][0]['response']['status'][:3] for answer in answers)
        assert inside == ['200'] * (CLIENTS - 1) + ['201'], inside
        found = SERVER.entries('Patient?identifier=%s|t%d' % (SYSTEM, number))
        assert len(found) == 1, found
    crowd.end()


with Server(PROGRAM, '--reserve', '8M') as SERVER:
    CODE = tap.run(sys.modules[__name__])
sys.exit(CODE)
