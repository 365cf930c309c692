# SPDX-License-Identifier: MIT
"""Subscribers over real sockets: what happened is told at least once and in order, whatever dies.

usage: subscriptions.py PROGRAM [DEATHS]
"""
import json
import os
import signal
import socket
import sqlite3
import struct
import sys
import tempfile
import time

import access_log
from server import SANITIZED, tap
from subscriber import DATABASES, POSTGRESQL, URL
from subscriber import Endpoint as _Endpoint
from subscriber import ask_database as _ask_database
from subscriber import check_order as _gapless
from subscriber import criteria_of as _criteria
from subscriber import events_of as _events
from subscriber import parameters_of as _said
from subscriber import serve as _serve
from subscriber import subscription_to as _subscription
from subscriber import topic_of as _topic
from subscriber import value_of as _value
from websocket import WebSocket

PROGRAM = sys.argv[1]
DEATHS = int(sys.argv[2]) if len(sys.argv) > 2 else 5


def _start(endpoint, *options, folder=None):
    return _serve(PROGRAM, '--subscription-endpoint', endpoint.url, '--subscription-retry', '20',
                  '--subscription-retry-most', '1', *options, folder=folder)


def _put(server, resource, status=(200, 201)):
    answer = server.ask('PUT', '%s/%s' % (resource['resourceType'], resource['id']), resource)
    assert answer.status in status, answer
    return answer


def _patient_topic(server):
    _put(server, _topic('patients', {'resource': 'Patient'},
                        [{'resource': 'Patient', 'filterParameter': 'gender'}]))


def _post(server, resource):
    answer = server.ask('POST', resource['resourceType'], resource)
    assert answer.status == 201, answer
    return answer.json['id']


def _until(server, id_, status, seconds=30):
    until = time.monotonic() + seconds
    while True:
        found = server.ask('GET', 'Subscription/' + id_).json
        if found['status'] == status:
            return found
        assert time.monotonic() < until, found
        time.sleep(0.05)


def _status(server, id_):
    answer = server.ask('GET', 'Subscription/%s/$status' % id_)
    assert answer.status == 200, answer
    bundle = answer.json
    assert bundle['type'] == 'searchset' and bundle['total'] == 1, bundle
    return {each['name']: _value(each)
            for each in bundle['entry'][0]['resource']['parameter'] if 'part' not in each}


# ---- cases ---------------------------------------------------------------------------------------

def refuses_what_it_could_not_serve():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        unknown = server.ask('POST', 'Subscription', _subscription('none', endpoint.url))
        assert unknown.status == 422 and 'topic' in unknown.body.decode(), unknown
        _patient_topic(server)
        for other in ('http://127.0.0.1:%d/out' % endpoint.port,
                      endpoint.url + 'side', endpoint.url + '/../out',
                      'http://known@127.0.0.1:%d/in' % endpoint.port,
                      'file:///etc/passwd', 'https://example.org/in'):
            answer = server.ask('POST', 'Subscription', _subscription('patients', other))
            assert answer.status == 422, (other, answer)
        for wrong in (_subscription('patients', endpoint.url, filters=['Patient?name=x']),
                      _subscription('patients', endpoint.url, filters=['Encounter?status=x']),
                      _subscription('patients', endpoint.url, headers=['Host: elsewhere']),
                      _subscription('patients', endpoint.url, headers=['A: b\r\nC: d'])):
            answer = server.ask('POST', 'Subscription', wrong)
            assert answer.status in (400, 422), answer
        plain = _subscription('patients', endpoint.url)
        plain['criteria'] = 'Observation?code=1234'
        answer = server.ask('POST', 'Subscription', plain)
        assert answer.status == 501 and 'not-supported' in answer.codes(), answer
        path = _topic('broken', {'resource': 'Patient', 'fhirPathCriteria': 'true'})
        answer = server.ask('PUT', 'Basic/topic-broken', path)
        assert answer.status == 422 and 'fhirPathCriteria' in answer.body.decode(), answer
        assert not endpoint.bundles


def calls_nobody_without_the_operators_leave():
    with _Endpoint() as endpoint, _serve(PROGRAM) as server:
        _patient_topic(server)
        answer = server.ask('POST', 'Subscription', _subscription('patients', endpoint.url))
        assert answer.status == 422 and 'subscription-endpoint' in answer.body.decode(), answer


def shakes_hands_and_tells_of_what_the_topic_and_filters_ask_for():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        _put(server, _topic(
            'finished', {'resource': {'valueUri': 'http://hl7.org/fhir/StructureDefinition/Encounter'},
                         'supportedInteraction': [{'valueCode': 'create'}, {'valueCode': 'update'}],
                         'queryCriteria': _criteria(previous='status:not=finished',
                                                    resultForCreate='test-passes',
                                                    current='status=finished',
                                                    resultForDelete='test-fails',
                                                    requireBoth=True)},
            [{'resource': 'Encounter', 'filterParameter': 'patient'}], ['Encounter:patient']))
        for name in ('a', 'b'):
            _put(server, {'resourceType': 'Patient', 'id': name})
        created = server.ask('POST', 'Subscription', dict(_subscription(
            'finished', endpoint.url, filters=['Encounter?patient=Patient/a']), status='active'))
        assert created.status == 201 and created.json['status'] == 'requested', created
        id_ = created.json['id']
        _until(server, id_, 'active')
        assert len(endpoint.of_type('handshake')) == 1, endpoint.bundles
        assert _said(endpoint.bundles[0])['status'] == 'requested'

        def encounter(name, patient, status):
            _put(server, {'resourceType': 'Encounter', 'id': name, 'status': status,
                          'class': {'code': 'AMB'},
                          'subject': {'reference': 'Patient/' + patient}})
        encounter('one', 'a', 'planned')      # not finished
        encounter('one', 'a', 'finished')     # event 1
        encounter('one', 'a', 'finished')     # was so before
        encounter('two', 'b', 'finished')     # another patient
        encounter('three', 'a', 'finished')   # event 2: made so
        server.ask('DELETE', 'Encounter/one')  # no deletes
        endpoint.wait(lambda e: len(e.events()) >= 2)
        time.sleep(0.3)
        assert endpoint.events() == [(1, 'Encounter/one'), (2, 'Encounter/three')], \
            endpoint.events()
        # Told at once or one by one; what is deleted before it is told of has no context.
        context = {part['valueReference']['reference']
                   for told in endpoint.of_type('event-notification')
                   for each in told['entry'][0]['resource']['parameter']
                   for part in each.get('part', []) if part['name'] == 'additional-context'}
        assert context == {server.base + '/Patient/a'}, context
        said = _status(server, id_)
        assert said['events-since-subscription-start'] == '2', said


def gives_as_much_as_was_asked_for_and_nothing_of_what_is_deleted():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        _patient_topic(server)
        ids = {content: _post(server, _subscription('patients', endpoint.url, content))
               for content in ('empty', 'id-only', 'full-resource')}
        for id_ in ids.values():
            _until(server, id_, 'active')
        _put(server, {'resourceType': 'Patient', 'id': 'p', 'gender': 'female',
                      'name': [{'family': 'Secretname'}]})
        endpoint.wait(lambda e: len(e.of_type('event-notification')) == 3)

        def told(content):
            return [bundle for bundle in endpoint.of_type('event-notification')
                    if _said(bundle)['subscription']['reference'].endswith(ids[content])]
        assert _events(told('empty')[0]) == [(1, '')] and 'topic' not in _said(told('empty')[0])
        assert 'Patient/p' not in json.dumps(told('empty'))
        assert _events(told('id-only')[0]) == [(1, 'Patient/p')]
        assert 'Secretname' not in json.dumps(told('id-only'))
        entry = told('full-resource')[0]['entry'][1]
        assert entry['resource']['name'][0]['family'] == 'Secretname', entry
        assert entry['resource']['meta']['versionId'] == '1'
        assert entry['request'] == {'method': 'POST', 'url': 'Patient'}, entry
        server.ask('DELETE', 'Patient/p')
        endpoint.wait(lambda e: len(e.of_type('event-notification')) == 6)
        for bundle in endpoint.bundles:
            judged = server.ask('POST', 'Bundle/$validate', bundle).json['issue']
            assert not [each for each in judged if each['severity'] in ('error', 'fatal')], judged
        entry = told('full-resource')[1]['entry'][1]
        assert 'resource' not in entry and entry['request']['method'] == 'DELETE', entry
        # Asked for again it is gone: nothing of it is told any more.
        again = server.ask('GET', 'Subscription/%s/$events' % ids['full-resource'])
        assert again.status == 200 and 'Secretname' not in again.body.decode(), again
        assert _events(again.json) == [(1, 'Patient/p'), (2, 'Patient/p')]
        less = server.ask('GET', 'Subscription/%s/$events?eventsSinceNumber=2&eventsUntilNumber=2'
                          '&content=empty' % ids['full-resource'])
        assert _events(less.json) == [(2, '')], less
        more = server.ask('GET', 'Subscription/%s/$events?content=full-resource' % ids['empty'])
        assert _events(more.json) == [(1, ''), (2, '')], 'more than the Subscription asks for'
        assert server.ask('GET', 'Subscription/none/$events').status == 404
        assert server.ask('GET', 'Subscription/%s/$events?eventsSinceNumber=x'
                          % ids['empty']).status == 400


def sends_secret_headers_and_shows_them_to_nobody():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        _patient_topic(server)
        secret = 'Bearer Kq7-not-to-be-seen'
        id_ = _post(server, _subscription('patients', endpoint.url,
                                          headers=['Authorization: ' + secret, 'X-Plain: 5']))
        found = _until(server, id_, 'active')
        assert endpoint.headers[0]['Authorization'] == secret
        assert endpoint.headers[0]['X-Plain'] == '5'
        for path in ('Subscription/' + id_, 'Subscription/%s/_history' % id_, 'Subscription',
                     'Subscription/%s/_history/1' % id_):
            answer = server.ask('GET', path)
            assert answer.status == 200 and b'Kq7' not in answer.body, answer
        # What was read can be put back, and the secret stays.
        assert server.ask('PUT', 'Subscription/' + id_, found).status == 200
        endpoint.wait(lambda e: len(e.of_type('handshake')) == 2)
        assert endpoint.headers[-1]['Authorization'] == secret
        _until(server, id_, 'active')
        # But nobody can have it sent elsewhere, nor under another name.
        found['channel']['endpoint'] = endpoint.url + '/elsewhere'
        server.ask('PUT', 'Subscription/' + id_, found)
        failed = _until(server, id_, 'error')
        assert 'again' in failed['error'], failed
        stolen = dict(found, id='thief')
        stolen['channel']['endpoint'] = endpoint.url
        _put(server, stolen)
        _until(server, 'thief', 'error')
        assert len(endpoint.of_type('handshake')) == 2
        assert b'Kq7' not in server.log().encode()


def an_endpoint_that_dies_and_comes_back_misses_nothing():
    writes = 4
    with _Endpoint() as endpoint, _start(endpoint, '--subscription-attempts', '1000') as server:
        _patient_topic(server)
        id_ = _post(server, _subscription('patients', endpoint.url))
        _until(server, id_, 'active')
        last = 0
        for death in range(DEATHS):
            endpoint.stop()
            for number in range(writes):
                _put(server, {'resourceType': 'Patient', 'id': 'p%d' % (number % 2),
                              'birthDate': '%04d-01-%02d' % (1900 + death, number + 1)})
                last += 1
            time.sleep(0.05)
            endpoint.start()
            if death % 2:
                endpoint.wait(lambda e: e.events() and e.events()[-1][0] == last)
        endpoint.wait(lambda e: e.events() and e.events()[-1][0] == last)
        _gapless(endpoint.events(), last)
        assert last == DEATHS * writes
        until = time.monotonic() + 60
        while _status(server, id_)['events-waiting'] != '0':
            assert time.monotonic() < until
            time.sleep(0.02)


def kill_9_loses_no_event_and_no_number_changes():
    with _Endpoint() as endpoint:
        server = _start(endpoint, '--subscription-attempts', '1000').start()
        made, folder = server.made, server.folder
        try:
            _patient_topic(server)
            id_ = _post(server, _subscription('patients', endpoint.url))
            _until(server, id_, 'active')
            last = 0
            for round_ in range(max(2, DEATHS // 5)):
                endpoint.status = 503 if round_ % 2 else 200
                for number in range(30):
                    _put(server, {'resourceType': 'Patient', 'id': 'p%d' % (number % 3),
                                  'birthDate': '1950-01-01', 'multipleBirthInteger': number})
                    last += 1
                server.kill()
                endpoint.status = 200
                server = _start(endpoint, '--subscription-attempts', '1000',
                                folder=folder).start()
            endpoint.wait(lambda e: e.events() and e.events()[-1][0] == last)
            _gapless(endpoint.events(), last)
            said = _status(server, id_)
            assert said['events-since-subscription-start'] == str(last), said
            kept = server.ask('GET', 'Subscription/%s/$events' % id_).json
            assert dict(_events(kept)) == dict(endpoint.events())
            server.stop()
        finally:
            server.made = made
            server.discard()


def a_failing_endpoint_is_given_up_and_its_events_are_kept():
    with _Endpoint() as endpoint, _start(endpoint, '--subscription-attempts', '3') as server:
        _patient_topic(server)
        id_ = _post(server, _subscription('patients', endpoint.url))
        _until(server, id_, 'active')
        endpoint.status = 500
        _put(server, {'resourceType': 'Patient', 'id': 'p'})
        failed = _until(server, id_, 'error')
        assert '500' in failed['error'], failed
        _put(server, {'resourceType': 'Patient', 'id': 'q'})
        until = time.monotonic() + 60
        while _status(server, id_).get('events-dead') != '2':
            assert time.monotonic() < until, _status(server, id_)
            time.sleep(0.05)
        metrics = server.ask('GET', '/metrics').body.decode()
        assert 'subscription_events_dead 2' in metrics, metrics
        assert 'subscriptions_failed 1' in metrics
        events = server.ask('GET', 'Subscription/%s/$events' % id_).json
        assert _events(events) == [(1, 'Patient/p'), (2, 'Patient/q')]
        several = server.ask('GET', 'Subscription/$status?status=error,off').json
        assert several['total'] == 1, several
        assert server.ask('GET', 'Subscription/$status?status=active').json['total'] == 0
        # The operator's way back: ask for it again.
        endpoint.status = 200
        failed['status'] = 'requested'
        assert server.ask('PUT', 'Subscription/' + id_, failed).status == 200
        endpoint.wait(lambda e: len(e.events()) == 2)
        again = _until(server, id_, 'active')
        assert 'error' not in again, again
        _gapless(endpoint.events(), 2)


def a_handshake_that_fails_is_an_error():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        _patient_topic(server)
        endpoint.status = 404
        first = _post(server, _subscription('patients', endpoint.url))
        assert '404' in _until(server, first, 'error')['error']
        endpoint.status, endpoint.location = 307, endpoint.url + '/further'
        second = _post(server, _subscription('patients', endpoint.url))
        assert 'redirect' in _until(server, second, 'error')['error']
        endpoint.status, endpoint.location = 200, None
        assert not endpoint.bundles
        endpoint.delay = 3
        third = _post(server, _subscription(
            'patients', endpoint.url,
            extensions=[{'url': 'backport-timeout', 'valueUnsignedInt': 1}]))
        _until(server, third, 'error')


def a_slow_endpoint_delays_nobody():
    with _Endpoint() as slow, _Endpoint() as quick:
        with _start(slow, '--subscription-endpoint', quick.url) as server:
            _patient_topic(server)
            for endpoint in (slow, quick):
                _until(server, _post(server, _subscription('patients', endpoint.url)), 'active')
            slow.delay = 60
            begun = time.monotonic()
            for number in range(5):
                _put(server, {'resourceType': 'Patient', 'id': 'p%d' % number})
            quick.wait(lambda e: len(e.events()) == 5, 50)
            assert not slow.events() and time.monotonic() - begun < 60, 'it waited for the slow one'
            slow.delay = 0


def beats_its_heart_and_keeps_to_the_count():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        _patient_topic(server)
        id_ = _post(server, _subscription(
            'patients', endpoint.url,
            extensions=[{'url': 'backport-heartbeat-period', 'valueUnsignedInt': 1},
                        {'url': 'backport-max-count', 'valuePositiveInt': 2}]))
        _until(server, id_, 'active')
        endpoint.wait(lambda e: len(e.of_type('heartbeat')) >= 2)
        endpoint.stop()
        for number in range(5):
            _put(server, {'resourceType': 'Patient', 'id': 'p%d' % number})
        endpoint.start()
        endpoint.wait(lambda e: len(e.events()) >= 5)
        sizes = [len(_events(bundle)) for bundle in endpoint.of_type('event-notification')]
        assert max(sizes) == 2, sizes
        _gapless(endpoint.events(), 5)


def off_ends_it_and_a_delete_forgets_it():
    with _Endpoint() as endpoint, _Endpoint() as other, \
            _start(endpoint, '--subscription-endpoint', other.url) as server:
        _patient_topic(server)
        id_ = _post(server, _subscription('patients', endpoint.url))
        # What this one was told of has been judged for the first one too.
        _until(server, _post(server, _subscription('patients', other.url)), 'active')

        def write(name):
            _put(server, {'resourceType': 'Patient', 'id': name})
            other.wait(lambda e: 'Patient/' + name in [focus for _, focus in e.events()])
        found = _until(server, id_, 'active')
        found['status'] = 'off'
        assert server.ask('PUT', 'Subscription/' + id_, found).json['status'] == 'off'
        until = time.monotonic() + 60
        while _status(server, id_)['status'] != 'off':
            assert time.monotonic() < until, _status(server, id_)
            time.sleep(0.05)
        write('unseen')
        found['status'] = 'requested'
        server.ask('PUT', 'Subscription/' + id_, found)
        _until(server, id_, 'active')
        _put(server, {'resourceType': 'Patient', 'id': 'seen'})
        endpoint.wait(lambda e: e.events())
        assert endpoint.events() == [(1, 'Patient/seen')], endpoint.events()
        assert server.ask('DELETE', 'Subscription/' + id_).status in (200, 204)
        until = time.monotonic() + 60
        while server.ask('GET', 'Subscription/%s/$status' % id_).status != 404:
            assert time.monotonic() < until
            time.sleep(0.05)
        write('after')
        time.sleep(0.2)
        assert len(endpoint.events()) == 1


def every_person_told_of_has_an_entry():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        _patient_topic(server)
        id_ = _post(server, _subscription('patients', endpoint.url, 'empty'))
        _until(server, id_, 'active')
        for number in range(3):
            _put(server, {'resourceType': 'Patient', 'id': 'p%d' % number})
        endpoint.wait(lambda e: len(e.events()) == 3)
        # Before the first byte left: so it is there as soon as the endpoint has it.
        told = [entry for entry in access_log.read(server.folder, False)
                if entry['who'] == 'Subscription/' + id_]
        assert sorted(entry['id'] for entry in told) == ['p0', 'p1', 'p2'], told
        assert {entry['interaction'] for entry in told} == {'notification'}
        assert len({entry['patient'] for entry in told}) == 3 and all(e['patient'] for e in told)
        server.ask('GET', 'Subscription/%s/$events' % id_)
        asked = [entry for entry in access_log.read(server.folder, False)
                 if entry['interaction'] == '$events']
        assert len({entry['patient'] for entry in asked}) == 3, asked


def topics_come_from_packages():
    with _Endpoint() as endpoint, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'topic.json')
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(_topic('packaged', {'resource': 'Patient'}), file)
        with _start(endpoint, '--package', path) as server:
            id_ = _post(server, _subscription('packaged', endpoint.url))
            _until(server, id_, 'active')
            _put(server, {'resourceType': 'Patient', 'id': 'p'})
            endpoint.wait(lambda e: e.events() == [(1, 'Patient/p')])


# ---- websockets ----------------------------------------------------------------------------------

def _token(server, id_):
    answer = server.ask('GET', 'Subscription/%s/$get-ws-binding-token' % id_)
    assert answer.status == 200, answer
    found = {each['name']: _value(each) for each in answer.json['parameter']}
    assert found['websocket-url'] == 'ws://127.0.0.1:%d/fhir/$ws' % server.port, found
    return found['token']


def tells_over_a_websocket():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        _patient_topic(server)
        id_ = _post(server, _subscription('patients', None, 'full-resource'))
        _until(server, id_, 'active')
        _put(server, {'resourceType': 'Patient', 'id': 'early'})  # waits for a socket
        client = WebSocket(server.port)
        assert client.status == 101
        client.send(1, b'bind-with', final=False)  # a message may come in pieces
        client.send(9, b'are you there')
        client.send(0, ('-token ' + _token(server, id_)).encode())
        assert client.receive() == (10, b'are you there')
        assert _said(client.bundle())['type'] == 'handshake'
        assert _events(client.bundle()) == [(1, 'Patient/early')]
        long_name = 'x' * 70000
        _put(server, {'resourceType': 'Patient', 'id': 'long', 'name': [{'text': long_name}]})
        bundle = client.bundle()
        assert bundle['entry'][1]['resource']['name'][0]['text'] == long_name
        client.close()
        _put(server, {'resourceType': 'Patient', 'id': 'p3'})
        again = WebSocket(server.port)
        again.send(1, ('bind-with-token ' + _token(server, id_)).encode())
        told = []
        while not told or told[-1][0] < 3:
            told += _events(again.bundle())
        _gapless([(number, focus) for number, focus in [(1, ''), (2, '')] if number < told[0][0]]
                 + told, 3)
        again.send(8, struct.pack('>H', 1000))
        assert again.closed_with() == 1000
        again.close()


def a_token_is_for_once_and_for_a_while():
    with _Endpoint() as endpoint, _start(endpoint, '--subscription-token', '4') as server:
        _patient_topic(server)
        id_ = _post(server, _subscription('patients', None))
        hook = _post(server, _subscription('patients', endpoint.url))
        _until(server, id_, 'active')
        token = _token(server, id_)
        first, second = WebSocket(server.port), WebSocket(server.port)
        first.send(1, ('bind-with-token ' + token).encode())
        assert _said(first.bundle())['type'] == 'handshake'
        second.send(1, ('bind-with-token ' + token).encode())
        assert second.closed_with() == 1008
        late = _token(server, id_)
        time.sleep(4.3)
        third = WebSocket(server.port)
        third.send(1, ('bind-with-token ' + late).encode())
        assert third.closed_with() == 1008
        for wrong in (b'bind-with-token ' + b'A' * 43, b'bind-with-token', b'hello', b''):
            other = WebSocket(server.port)
            other.send(1, wrong)
            assert other.closed_with() == 1008, wrong
            other.close()
        assert server.ask('GET', 'Subscription/%s/$get-ws-binding-token' % hook).status == 404
        assert server.ask('GET', 'Subscription/$get-ws-binding-token').status == 400
        for client in (first, second, third):
            client.close()


def who_asks_for_many_tokens_keeps_nobody_else_out():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        _patient_topic(server)
        quiet, greedy = (_post(server, _subscription('patients', None)) for _ in range(2))
        for id_ in (quiet, greedy):
            _until(server, id_, 'active')
        token = _token(server, quiet)
        many = [_token(server, greedy) for _ in range(300)]
        client = WebSocket(server.port)
        client.send(1, ('bind-with-token ' + token).encode())
        assert _said(client.bundle())['subscription']['reference'].endswith(quiet)
        for text, answer in ((many[0], 1008), (many[-5], 1008)):  # only the newest wait
            other = WebSocket(server.port)
            other.send(1, ('bind-with-token ' + text).encode())
            assert other.closed_with() == answer
            other.close()
        last = WebSocket(server.port)
        last.send(1, ('bind-with-token ' + many[-4]).encode())
        assert _said(last.bundle())['subscription']['reference'].endswith(greedy)
        for each in (client, last):
            each.close()


def a_body_where_none_counts_is_refused():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        _patient_topic(server)
        id_ = _post(server, _subscription('patients', None))
        _until(server, id_, 'active')
        body = {'resourceType': 'Parameters', 'parameter': [{'name': 'id', 'valueId': id_}]}
        for path in ('$get-ws-binding-token', id_ + '/$get-ws-binding-token', '$status',
                     id_ + '/$status', id_ + '/$events'):
            answer = server.ask('GET', 'Subscription/' + path, body)
            assert answer.status == 400 and 'POST' in answer.body.decode(), (path, answer)
        assert server.ask('POST', 'Subscription/$get-ws-binding-token', body).status == 200
        assert server.ask('GET', 'Subscription/$status').status == 200  # on the same connection


def frames_that_break_the_rules_end_the_socket():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        def expect(code, *frames, masked=True):
            client = WebSocket(server.port)
            for opcode, payload, final in frames:
                client.send(opcode, payload, final, masked)
            assert client.closed_with() == code, frames
            client.close()
        expect(1002, (1, b'x', True), masked=False)
        expect(1002, (0, b'x', True))
        expect(1002, (3, b'x', True))
        expect(1002, (9, b'x', False))
        expect(1002, (1, b'x', False), (1, b'y', True))
        expect(1002, (8, b'x', True))
        expect(1002, (8, struct.pack('>H', 1005), True))
        expect(1003, (2, b'x', True))
        expect(1007, (1, b'\xff\xfe', True))
        expect(1009, (1, b'x' * 5000, True))
        expect(1009, (1, b'x' * 4000, False), (0, b'x' * 4000, True))
        refused = WebSocket(server.port, key='short')
        assert refused.status == 400
        foreign = WebSocket(server.port, headers=['Origin: https://elsewhere.example'])
        assert foreign.status == 403
        assert server.ask('GET', 'metadata').status == 200


def who_pings_and_never_reads_fills_no_memory():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        client = WebSocket(server.port)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        many = bytes([0x89, 0x80 | 125]) + bytes(4) + b'x' * 125
        before = server.memory()
        for _ in range(600):
            client.socket.sendall(many * 1000)
        grown = server.memory() - before
        assert SANITIZED or grown < 40 << 20, grown
        # Through the small buffer the answers would take a minute.
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        last = bytes([0x89, 0x84]) + bytes(4) + b'last'
        client.socket.sendall(last)
        while client.receive() != (10, b'last'):  # once it reads it has an answer
            pass
        client.close()


def _kept_secrets(server):
    if POSTGRESQL:
        return _ask_database(DATABASES[server.folder],
                             "SELECT replace(encode(value, 'escape'), chr(10), '/') FROM"
                             " carelayer.note WHERE"
                             " encode(name, 'escape') LIKE 'subscribe.secret/%'")
    with sqlite3.connect('file:%s/records.db?mode=ro' % server.folder, uri=True) as base:
        return [str(row[1]) for row in base.execute('SELECT name, value FROM note')
                if 'subscribe.secret/' in str(row[0])]


def _until_kept(server, count):
    until = time.monotonic() + 30
    while len(_kept_secrets(server)) != count:
        assert time.monotonic() < until, _kept_secrets(server)
        time.sleep(0.1)


def a_replaced_header_value_is_forgotten():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        _patient_topic(server)
        first = dict(_subscription('patients', endpoint.url, headers=['A: Secret-one', 'B: two']),
                     id='s')
        _put(server, first)
        found = _until(server, 's', 'active')
        assert server.ask('PUT', 'Subscription/s', dict(found, reason='another')).status == 200
        _until(server, 's', 'active')
        _until_kept(server, 1)  # what is still meant stays
        assert endpoint.headers[-1]['A'] == 'Secret-one'
        found['channel']['header'][0] = 'A: Secret-two'  # and B as it was read
        assert server.ask('PUT', 'Subscription/s', found).status == 200
        _until(server, 's', 'active')
        _until_kept(server, 2)
        assert endpoint.headers[-1]['A'] == 'Secret-two' and endpoint.headers[-1]['B'] == 'two'
        for secret in ('Secret-three', 'Secret-four'):
            _put(server, dict(first, channel=dict(first['channel'], header=['A: ' + secret])))
        _until(server, 's', 'active')
        _until_kept(server, 1)
        assert 'Secret-four' in _kept_secrets(server)[0]
        # Put back, an earlier version has lost them: they are to be given again.
        old = server.ask('GET', 'Subscription/s/_history/1').json
        assert server.ask('PUT', 'Subscription/s', old).status == 200
        assert 'again' in _until(server, 's', 'error')['error']
        _until_kept(server, 0)


def a_deleted_subscription_leaves_no_header_values():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        _patient_topic(server)
        for secret in ('Secret-one', 'Secret-two', 'Secret-three'):
            _put(server, dict(_subscription('patients', endpoint.url, headers=['A: ' + secret]),
                              id='s'))
            _until(server, 's', 'active')
        _until_kept(server, 1)
        server.ask('DELETE', 'Subscription/s')
        _until_kept(server, 0)


def one_that_is_large_is_refused_and_the_others_are_told():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        _patient_topic(server)
        id_ = _post(server, _subscription('patients', endpoint.url))
        _until(server, id_, 'active')
        padding = [{'url': 'https://example.org/x', 'valueString': 'x' * 150000}] * 2
        large = _subscription('patients', endpoint.url)
        for status in ('requested', 'off'):
            answer = server.ask('POST', 'Subscription',
                                dict(large, status=status, extension=padding))
            assert answer.status == 422 and '256 KiB' in answer.body.decode(), answer
        draft = _topic('draft', {'resource': 'Patient'})
        draft['modifierExtension'][0]['valueCode'] = 'draft'
        draft['extension'] += padding
        answer = server.ask('PUT', 'Basic/topic-draft', draft)
        assert answer.status == 422 and '256 KiB' in answer.body.decode(), answer
        for filters in (['Patient?gender=male'] * 65, ['Patient?gender=' + 'male,' * 4000]):
            answer = server.ask('POST', 'Subscription', _subscription(
                'patients', endpoint.url, filters=filters))
            assert answer.status == 422, answer
        _post(server, _subscription('patients', endpoint.url,
                                    filters=['Patient?gender=' + 'male,' * 20 + 'other']))
        _put(server, {'resourceType': 'Patient', 'id': 'p'})
        endpoint.wait(lambda e: len(e.events()) >= 1)


def the_capability_statement_says_it():
    with _Endpoint() as endpoint, _start(endpoint) as server:
        rest = server.ask('GET', 'metadata').json['rest'][0]
        found = [each for each in rest['resource'] if each['type'] == 'Subscription'][0]
        names = [each['name'] for each in found['operation']]
        for name in ('status', 'events', 'get-ws-binding-token'):
            assert name in names, names


if hasattr(signal, 'SIGPIPE'):
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
sys.exit(tap.run(sys.modules[__name__]))
