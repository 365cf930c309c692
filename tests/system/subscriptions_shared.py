# SPDX-License-Identifier: MIT
"""Subscribers of several processes on one PostgreSQL server: one process tells them, whatever dies.

usage: subscriptions_shared.py PROGRAM [DEATHS], inside tests/postgresql/with_server
"""
import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

from server import run, tap
from subscriber import (BACKPORT, DATABASES, POSTGRESQL, ask_database, check_order, events_of,
                        make_database, serve, subscription_to, topic_of, value_of, Endpoint)

PROGRAM = sys.argv[1]
DEATHS = int(sys.argv[2]) if len(sys.argv) > 2 else 4
LEASE = 2
LONG = 30  # for who must not lose a lease because the machine is slow


# ---- several processes ---------------------------------------------------------------------------

@contextlib.contextmanager
def _several(endpoint, *options, count=2, lease=LEASE):
    """Servers over folders of their own, on one database."""
    if not POSTGRESQL:
        raise tap.Skipped('no PostgreSQL server: run it by tests/postgresql/with_server')
    database = make_database(PROGRAM)
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(_again(serve(
            PROGRAM, '--subscription-endpoint', endpoint.url, '--subscription-retry', '20',
            '--subscription-retry-most', '1', '--subscription-attempts', '100000',
            '--subscription-lease', str(lease), *options, database=database)))
               for _ in range(count)]


@contextlib.contextmanager
def _again(server):
    """A server that may be killed and started anew meanwhile."""
    try:
        yield server.start()
        if server.process.poll() is None:
            server.stop()
    finally:
        server.discard()


def _ask(server, method, path, body=None):
    """As server.ask; None when it is not there."""
    try:
        return server.ask(method, path, body)
    except (OSError, http.client.HTTPException):
        return None


def _must(server, resource, status=(200, 201)):
    answer = server.ask('PUT', '%s/%s' % (resource['resourceType'], resource['id']), resource)
    assert answer.status in status, answer
    return answer


def _delivers(server):
    answer = _ask(server, 'GET', '/metrics')
    return answer is not None and b'subscriptions_deliverer 1\n' in answer.body


def _deliverer(servers, seconds=60):
    """The one of them that tells, and the others."""
    until = time.monotonic() + seconds
    while True:
        found = [server for server in servers if _delivers(server)]
        if len(found) == 1:
            return found[0], [server for server in servers if server is not found[0]]
        assert time.monotonic() < until, '%d of them tell' % len(found)
        time.sleep(0.05)


def _until_active(server, id_, seconds=30):
    until = time.monotonic() + seconds
    while server.ask('GET', 'Subscription/' + id_).json['status'] != 'active':
        assert time.monotonic() < until, server.ask('GET', 'Subscription/' + id_)
        time.sleep(0.05)


def _subscribe(server, endpoint, content='id-only', **more):
    _must(server, topic_of('patients', {'resource': 'Patient'}))
    _must(server, dict(subscription_to('patients', endpoint, content, **more), id='s'))
    if endpoint is not None:
        _until_active(server, 's')


def _status(server):
    answer = server.ask('GET', 'Subscription/s/$status')
    assert answer.status == 200, answer
    return {each['name']: value_of(each)
            for each in answer.json['entry'][0]['resource']['parameter']}


def _resource(number):
    return {'resourceType': 'Patient', 'id': 'p%d' % number}


# ---- cases ---------------------------------------------------------------------------------------

def one_tells_and_every_one_answers():
    with Endpoint() as endpoint, _several(endpoint, count=3, lease=LONG) as servers:
        _must(servers[0], topic_of('patients', {'resource': 'Patient'}))
        # A topic that another process has just taken in counts here at once.
        _must(servers[1], dict(subscription_to('patients', endpoint.url), id='s'))
        _until_active(servers[2], 's')
        for number in range(30):
            _must(servers[number % 3], _resource(number))
        endpoint.wait(lambda e: len(e.events()) >= 30)
        time.sleep(1)
        check_order(endpoint.events(), 30)
        assert len(endpoint.events()) == 30, 'nobody died and something was told twice'
        assert len(endpoint.of_type('handshake')) == 1
        for server in servers:
            said = _status(server)
            assert said['events-since-subscription-start'] == '30', said
            assert said['events-waiting'] == '0' and said['status'] == 'active', said
            kept = server.ask('GET', 'Subscription/s/$events')
            assert kept.status == 200 and events_of(kept.json) == endpoint.events(), kept
            assert server.ask('GET', 'Subscription/$status').json['total'] == 1
        # One that ends hands on without waiting for a lease to run out.
        first, others = _deliverer(servers)
        first.stop()
        begun = time.monotonic()
        _deliverer(others, LONG * 2)
        assert time.monotonic() - begun < LONG, 'it waited for the lease'
        _must(others[0], _resource(30))
        endpoint.wait(lambda e: len(e.events()) >= 31)
        check_order(endpoint.events(), 31)


def failures_are_seen_from_everywhere():
    with Endpoint() as endpoint, _several(endpoint, '--subscription-attempts', '3') as servers:
        _subscribe(servers[0], endpoint.url)
        endpoint.status = 500
        _must(servers[0], _resource(1))
        for server in servers:
            until = time.monotonic() + 30
            while _status(server)['status'] != 'error':
                assert time.monotonic() < until, _status(server)
                time.sleep(0.05)
            said = _status(server)
            assert '500' in said['error']['text'] and said['events-dead'] == '1', said
        endpoint.status = 200
        _, others = _deliverer(servers)
        found = others[0].ask('GET', 'Subscription/s').json
        _must(others[0], dict(found, status='requested'))
        endpoint.wait(lambda e: len(e.events()) == 1)


def websockets_are_for_the_one_that_tells():
    with Endpoint() as endpoint, _several(endpoint, lease=LONG) as servers:
        _subscribe(servers[0], None)
        first, (other,) = _deliverer(servers)
        _until_active(other, 's')
        refused = other.ask('GET', 'Subscription/s/$get-ws-binding-token')
        assert refused.status == 503 and 'retry-after' in refused.headers, refused
        assert 'websocket' in refused.body.decode(), refused
        assert first.ask('GET', 'Subscription/s/$get-ws-binding-token').status == 200


class _Load:
    """Writers of versions of a few Patients, through whichever process answers."""

    def __init__(self, servers, writers=3):
        self.servers = servers
        self.stopping = threading.Event()
        self.faults = []
        self.threads = [threading.Thread(target=self._write, args=(number,))
                        for number in range(writers)]
        for thread in self.threads:
            thread.start()

    def _write(self, number):
        count = 0
        while not self.stopping.is_set():
            server = random.choice(self.servers)
            body = dict(_resource(number), multipleBirthInteger=count)
            answer = _ask(server, 'PUT', 'Patient/p%d' % number, body)
            if answer is None or answer.status == 503:
                time.sleep(0.2)
            elif answer.status not in (200, 201):
                self.faults.append(answer)
                return
            count += 1
            time.sleep(0.02)

    def end(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults


def _everything(server):
    """Each version of each Patient that there is."""
    found = set()
    for number in range(3):
        for entry in server.entries('/fhir/Patient/p%d/_history?_count=500' % number):
            found.add(('p%d' % number, int(entry['resource']['meta']['versionId'])))
    return found


def _told(endpoint):
    """(number, Patient, version) in the order it came."""
    with endpoint.lock:
        bundles = list(endpoint.bundles)
    told = []
    for bundle in bundles:
        entries = iter(bundle['entry'][1:])
        for number, _ in events_of(bundle):
            resource = next(entries)['resource']
            told.append((number, resource['id'], int(resource['meta']['versionId'])))
    return told


def _check_told(endpoint, servers):
    """Everything that is there was told, each resource's versions in order."""
    there = _everything(servers[0])
    until = time.monotonic() + 60
    while {(id_, version) for _, id_, version in _told(endpoint)} != there:
        told = {(id_, version) for _, id_, version in _told(endpoint)}
        assert time.monotonic() < until, ('not told', sorted(there - told)[:10], len(told),
                                          'told and not there', sorted(told - there)[:10])
        time.sleep(0.1)
    told = _told(endpoint)
    check_order([(number, '%s/%d' % (id_, version)) for number, id_, version in told], len(there))
    last = {}
    for _, id_, version in sorted(set(told)):
        assert version == last.get(id_, 0) + 1, (id_, version, last)
        last[id_] = version
    return there, told


def whoever_dies_everything_is_told_in_order():
    with Endpoint() as endpoint, _several(endpoint) as servers:
        _subscribe(servers[0], endpoint.url, 'full-resource')
        load = _Load(servers)
        try:
            for death in range(DEATHS):
                time.sleep(random.uniform(0.5, 1.5))
                killed, _ = _deliverer(servers)
                killed.kill()
                if death % 2:
                    _deliverer([server for server in servers if server is not killed])
                if death % 3 == 1:
                    _control('STOP')
                    time.sleep(random.uniform(0, LEASE * 2))
                    _control('START')
                killed.start()
                if death % 3 == 2:
                    time.sleep(0.5)
                    _control('STOP')
                    _control('START')
        finally:
            load.end()
        there, told = _check_told(endpoint, servers)
        print('# %d deaths: %d events, told %d times' % (DEATHS, len(there), len(told)))
        assert len(there) > DEATHS * 5, 'nothing was written meanwhile'


def _control(what):
    subprocess.run(['bash', '-c', os.environ['CARELAYER_POSTGRESQL_' + what]], check=True)


def one_that_was_paused_tells_nothing_new():
    with Endpoint() as endpoint, _several(endpoint, lease=LEASE * 2) as servers:
        _subscribe(servers[0], endpoint.url, 'full-resource')
        for turn in range(2):
            load = _Load(servers)
            time.sleep(0.5)
            paused, others = _deliverer(servers)
            load.servers = others
            paused.process.send_signal(signal.SIGSTOP)
            try:
                until = time.monotonic() + 30
                while not _delivers(others[0]):
                    assert time.monotonic() < until, 'nobody took over'
                    time.sleep(0.05)
                time.sleep(0.5)
            finally:
                paused.process.send_signal(signal.SIGCONT)
                load.end()
            assert _deliverer(servers)[0] is others[0], 'both tell (turn %d)' % turn
        _check_told(endpoint, servers)


def what_was_written_before_a_subscription_changed_is_told():
    with Endpoint() as endpoint, _several(endpoint) as servers:
        _subscribe(servers[0], endpoint.url)
        killed, (other,) = _deliverer(servers)
        killed.kill()
        _must(other, _resource(1))
        found = other.ask('GET', 'Subscription/s').json
        _must(other, dict(found, reason='changed while nobody told'))
        _must(other, _resource(2))
        _deliverer([other])
        endpoint.wait(lambda e: len(e.events()) >= 2)
        assert endpoint.events() == [(1, 'Patient/p1'), (2, 'Patient/p2')], endpoint.events()


def one_deleted_while_nobody_told_leaves_no_header_values():
    with Endpoint() as endpoint, _several(endpoint) as servers:
        _subscribe(servers[0], endpoint.url, headers=['A: Secret'])
        database = DATABASES[servers[0].folder]
        kept = ("SELECT encode(name, 'escape') FROM carelayer.note WHERE"
                " encode(name, 'escape') LIKE 'subscribe%/s%'")
        assert ask_database(database, kept)
        killed, (other,) = _deliverer(servers)
        killed.kill()
        assert other.ask('DELETE', 'Subscription/s').status in (200, 204)
        other.kill()  # nobody has it in memory any more
        other.start()
        until = time.monotonic() + 30
        while ask_database(database, kept):
            assert time.monotonic() < until, ask_database(database, kept)
            time.sleep(0.1)


def imports_are_told_of():
    with Endpoint() as endpoint, _several(endpoint) as servers:
        _subscribe(servers[0], endpoint.url)
        folder = os.path.join(os.path.dirname(servers[0].folder), 'import')
        os.mkdir(folder)
        path = os.path.join(folder, 'patients.ndjson')
        with open(path, 'w', encoding='utf-8') as file:
            for number in range(1500):
                file.write(json.dumps(_resource(number)) + '\n')
        importing = threading.Thread(target=_import, args=(servers[0], folder, path))
        importing.start()
        for number in range(1500, 1550):
            _must(servers[number % 2], _resource(number))
        importing.join()
        endpoint.wait(lambda e: len({focus for _, focus in e.events()}) == 1550, 300)
        check_order(endpoint.events(), 1550)


def _import(server, folder, path):
    code, _, errors = run(PROGRAM, 'import', '--data', os.path.join(folder, 'data'), path,
                          environment=server.environment)
    assert code == 0, errors


if hasattr(signal, 'SIGPIPE'):
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
sys.exit(tap.run(sys.modules[__name__]))
