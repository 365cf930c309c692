# SPDX-License-Identifier: MIT
"""Batch and transaction as R4's page "RESTful API" asks for them.
usage: api_bundle.py PROGRAM"""
import base64
import json
import sys
import uuid

from server import JSON, Server, tap

PROGRAM = sys.argv[1]
SYSTEM = 'https://example.org/bundles'


def _bundle(kind, *entries):
    return {'resourceType': 'Bundle', 'type': kind, 'entry': list(entries)}


def _entry(method, url, resource=None, full=None, **request):
    made = {'request': {'method': method, 'url': url, **request}}
    if resource is not None:
        made['resource'] = resource
    if full:
        made['fullUrl'] = full
    return made


def _patient(value=None, **more):
    return {'resourceType': 'Patient', **more,
            **({'identifier': [{'system': SYSTEM, 'value': value}]} if value else {})}


def _observation(subject, **more):
    return {'resourceType': 'Observation', 'status': 'final', 'code': {'text': 'x'},
            'subject': {'reference': subject}, **more}


def _send(bundle, status=200):
    answer = SERVER.ask('POST', '/fhir', bundle)
    assert answer.status == status if isinstance(status, int) else answer.status in status, answer
    if answer.status >= 400:
        assert answer.codes(), answer
    else:
        assert answer.json['type'] == bundle['type'] + '-response', answer
        assert len(answer.json.get('entry', [])) == len(bundle['entry']), answer
    return answer


def _statuses(answer):
    return [entry['response']['status'][:3] for entry in answer.json['entry']]


def _urn():
    return 'urn:uuid:%s' % uuid.uuid4()


def _found(value):
    return [entry['resource'] for entry in
            SERVER.entries('Patient?identifier=%s%%7C%s' % (SYSTEM, value))]


def references_inside_a_transaction_are_resolved_everywhere():
    patient, other = _urn(), _urn()
    answer = _send(_bundle(
        'transaction',
        _entry('POST', 'Observation', _observation(patient, text={
            'status': 'generated', 'div': '<div xmlns="http://www.w3.org/1999/xhtml">'
            '<a href="%s">p</a></div>' % patient}, extension=[
                {'url': 'https://example.org/e', 'valueUri': patient},
                {'url': 'https://example.org/s', 'valueString': patient}]), other),
        _entry('POST', 'Patient', _patient(), patient)))
    assert _statuses(answer) == ['201', '201']
    made = answer.json['entry'][1]['response']['location'].split('/_history')[0]
    made = '/'.join(made.split('/')[-2:])
    stored = SERVER.ask('GET', '/'.join(
        answer.json['entry'][0]['response']['location'].split('/_history')[0].split('/')[-2:])).json
    assert stored['subject'] == {'reference': made}, stored
    assert patient not in stored['text']['div'] and made in stored['text']['div'], stored
    assert stored['extension'][0]['valueUri'].endswith(made), stored
    assert stored['extension'][1]['valueString'] == patient, stored


def a_transaction_is_all_or_nothing():
    for spoiler in (_entry('POST', 'Observation', _observation('Patient/x', status='nonsense')),
                    _entry('POST', 'Unheardof', {'resourceType': 'Unheardof'}),
                    _entry('PUT', 'Patient/a_b', _patient(id='a_b')),
                    _entry('PUT', 'Patient/one', _patient(id='two')),
                    _entry('PUT', 'Patient/one', _patient(id='one'), ifMatch='W/"99"'),
                    _entry('DELETE', 'Patient?unheardof=1'),
                    _entry('GET', 'Patient?unheardof=1'),
                    _entry('POST', 'Patient', _patient(), ifNoneExist='unheardof=1'),
                    _entry('JUMP', 'Patient'),
                    _entry('POST', 'Patient'),
                    _entry('POST', 'Observation', _observation('Patient?identifier=%s|none' %
                                                               SYSTEM)),
                    _entry('POST', '$everything'),
                    {'resource': _patient()}):
        value = str(uuid.uuid4())
        first = _entry('POST', 'Patient', _patient(value))
        for entries in ((first, spoiler), (spoiler, first)):
            _send(_bundle('transaction', *entries), (400, 404, 409, 412, 422, 405, 501))
            assert _found(value) == [], spoiler


def a_batch_judges_each_entry_by_itself():
    value = str(uuid.uuid4())
    answer = _send(_bundle(
        'batch', _entry('POST', 'Patient', _patient(value)),
        _entry('POST', 'Patient', _patient(gender='nonsense')),
        _entry('GET', 'Patient/%s' % uuid.uuid4()),
        _entry('GET', 'Patient?unheardof=1'),
        _entry('GET', 'metadata')))
    statuses = _statuses(answer)
    assert statuses[0] == '201' and statuses[1] in ('400', '422') and statuses[2] == '404'
    assert statuses[3] == '400', statuses
    for entry in answer.json['entry'][1:4]:
        assert entry['response']['outcome']['resourceType'] == 'OperationOutcome', entry
    assert len(_found(value)) == 1


def a_transaction_keeps_the_order_of_the_specification():
    """DELETE, POST, PUT and PATCH, GET: whatever the order in the Bundle."""
    name, value = 'o-%s' % uuid.uuid4(), str(uuid.uuid4())
    assert SERVER.ask('PUT', 'Patient/' + name, _patient(value, id=name)).status == 201
    answer = _send(_bundle(
        'transaction', _entry('GET', 'Patient?identifier=%s|%s' % (SYSTEM, value)),
        _entry('PUT', 'Patient/%sx' % name, _patient(value, id=name + 'x')),
        _entry('POST', 'Patient', _patient(value), ifNoneExist='identifier=%s|%s' % (SYSTEM, value)),
        _entry('DELETE', 'Patient/' + name)))
    assert _statuses(answer) in (['200', '201', '201', '204'], ['200', '201', '201', '200'])
    seen = answer.json['entry'][0]['resource']
    assert len(seen['entry']) == 2, seen
    assert SERVER.ask('GET', 'Patient/' + name).status == 410


def one_resource_twice_is_refused():
    name = 't-%s' % uuid.uuid4()
    put = _entry('PUT', 'Patient/' + name, _patient(id=name))
    _send(_bundle('transaction', put, put), (400, 409, 422))
    _send(_bundle('transaction', put, _entry('DELETE', 'Patient/' + name)), (400, 409, 422))
    value = str(uuid.uuid4())
    SERVER.ask('PUT', 'Patient/' + name, _patient(value, id=name))
    _send(_bundle('transaction', put, _entry(
        'PUT', 'Patient?identifier=%s|%s' % (SYSTEM, value), _patient(value))), (400, 409, 422))
    assert SERVER.ask('GET', 'Patient/' + name).headers['etag'] == 'W/"1"'
    full = _urn()
    _send(_bundle('transaction', _entry('POST', 'Patient', _patient(), full),
                  _entry('POST', 'Patient', _patient(), full)), (400, 409, 422))


def conditional_references_are_resolved():
    value = str(uuid.uuid4())
    made = SERVER.ask('POST', 'Patient', _patient(value)).json['id']
    answer = _send(_bundle('transaction', _entry('POST', 'Observation', _observation(
        'Patient?identifier=%s|%s' % (SYSTEM, value)))))
    where = '/'.join(answer.json['entry'][0]['response']['location'].split('/')[-4:-2])
    assert SERVER.ask('GET', where).json['subject'] == {'reference': 'Patient/' + made}
    SERVER.ask('POST', 'Patient', _patient(value))
    _send(_bundle('transaction', _entry('POST', 'Observation', _observation(
        'Patient?identifier=%s|%s' % (SYSTEM, value)))), (400, 404, 409, 412, 422))


def a_conditional_create_in_a_transaction_points_to_what_is_there():
    value = str(uuid.uuid4())
    made = SERVER.ask('POST', 'Patient', _patient(value)).json['id']
    patient = _urn()
    answer = _send(_bundle(
        'transaction', _entry('POST', 'Observation', _observation(patient)),
        _entry('POST', 'Patient', _patient(value), patient,
               ifNoneExist='identifier=%s|%s' % (SYSTEM, value))))
    assert _statuses(answer) == ['201', '200']
    where = '/'.join(answer.json['entry'][0]['response']['location'].split('/')[-4:-2])
    assert SERVER.ask('GET', where).json['subject'] == {'reference': 'Patient/' + made}


def patches_in_bundles_are_binaries():
    made = SERVER.ask('POST', 'Patient', _patient(gender='male')).json['id']
    patch = base64.b64encode(json.dumps(
        [{'op': 'replace', 'path': '/gender', 'value': 'female'}]).encode()).decode()
    answer = _send(_bundle('transaction', _entry('PATCH', 'Patient/' + made, {
        'resourceType': 'Binary', 'contentType': 'application/json-patch+json', 'data': patch})))
    assert _statuses(answer) == ['200']
    assert SERVER.ask('GET', 'Patient/' + made).json['gender'] == 'female'


def decimals_in_a_transaction_keep_their_digits():
    text = json.dumps(_bundle('transaction', _entry('POST', 'Observation', _observation(
        'Patient/x', valueQuantity={'value': 'HERE'}), _urn()))).replace('"HERE"', '1.2300e2')
    answer = SERVER.ask('POST', '/fhir', text, {'Content-Type': JSON})
    assert answer.status == 200, answer
    where = '/'.join(answer.json['entry'][0]['response']['location'].split('/')[-4:-2])
    assert b'"value":1.2300e2' in SERVER.ask('GET', where).body


def other_bundles_are_refused():
    for kind in ('searchset', 'collection', 'history', 'document', 'nonsense'):
        _send(_bundle(kind, _entry('POST', 'Patient', _patient())), (400, 422))
    answer = SERVER.ask('POST', '/fhir', _patient())
    assert answer.status in (400, 422), answer
    answer = SERVER.ask('POST', '/fhir', {'resourceType': 'Bundle', 'type': 'transaction'})
    assert answer.status == 200 and answer.json['type'] == 'transaction-response', answer
    inner = _bundle('transaction', _entry('POST', 'Patient', _patient()))
    _send(_bundle('batch', _entry('POST', '', inner)), (200, 400, 422))


def a_long_transaction_is_one():
    value = str(uuid.uuid4())
    patient = _urn()
    entries = [_entry('POST', 'Patient', _patient(value), patient)]
    entries += [_entry('POST', 'Observation', _observation(patient), _urn())
                for _ in range(3000)]
    answer = _send(_bundle('transaction', *entries))
    assert set(_statuses(answer)) == {'201'}
    made = _found(value)[0]['id']
    count = SERVER.ask('GET', 'Observation?patient=%s&_summary=count' % made).json['total']
    assert count == 3000, count


def references_go_around_in_circles():
    one, two = _urn(), _urn()
    answer = _send(_bundle(
        'transaction',
        _entry('POST', 'Patient', _patient(link=[{'other': {'reference': two}, 'type': 'seealso'}]),
               one),
        _entry('POST', 'Patient', _patient(link=[{'other': {'reference': one}, 'type': 'seealso'}]),
               two)))
    names = ['/'.join(entry['response']['location'].split('/')[-4:-2])
             for entry in answer.json['entry']]
    assert SERVER.ask('GET', names[0]).json['link'][0]['other'] == {'reference': names[1]}
    assert SERVER.ask('GET', names[1]).json['link'][0]['other'] == {'reference': names[0]}


with Server(PROGRAM, '--reserve', '8M') as SERVER:
    CODE = tap.run(sys.modules[__name__])
sys.exit(CODE)
