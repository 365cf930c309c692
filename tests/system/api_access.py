# SPDX-License-Identifier: MIT
"""Every access to a record has its entry in the access log: a read's before its answer, a write's
within seconds, one for each person.
usage: api_access.py PROGRAM"""
import json
import sys
import time
import uuid

import access_log
from server import Server, tap

PROGRAM = sys.argv[1]
PATCH = {'Content-Type': 'application/json-patch+json'}
FORM = {'Content-Type': 'application/x-www-form-urlencoded'}


def _ask(method, path, body=None, headers=None):
    """The answer, and the request id it has in the log."""
    request = 'q-%s' % uuid.uuid4()
    answer = SERVER.ask(method, path, body, {**(headers or {}), 'X-Request-Id': request})
    return answer, request


def _logged(request):
    return [entry for entry in access_log.read(SERVER.folder, False)
            if entry['request'] == request]


def _logged_soon(request, count=1):
    until = time.monotonic() + 60
    while len(_logged(request)) < count:
        assert time.monotonic() < until, 'no %d entries within a minute' % count
        time.sleep(0.1)
    return _logged(request)


def _read(status, method, path, body=None, headers=None):
    """Entries of a request that only reads; they must be there when the answer is."""
    answer, request = _ask(method, path, body, headers)
    assert answer.status == status, answer
    return _logged(request)


def _person(**more):
    name = 'a-%s' % uuid.uuid4()
    answer = SERVER.ask('PUT', 'Patient/' + name, {'resourceType': 'Patient', 'id': name, **more})
    assert answer.status == 201, answer
    return name


def _fact(patient):
    name = 'f-%s' % uuid.uuid4()
    answer = SERVER.ask('PUT', 'Observation/' + name, {
        'resourceType': 'Observation', 'id': name, 'status': 'final', 'code': {'text': 'x'},
        'subject': {'reference': 'Patient/' + patient}})
    assert answer.status == 201, answer
    return name


def each_way_to_read_one_person_leaves_one_entry():
    name = _person()
    path = 'Patient/' + name
    entries = _read(200, 'GET', path)
    assert len(entries) == 1, entries
    entry = entries[0]
    assert entry['patient'] > 0 and entry['interaction'] == 'read' and entry['id'] == name
    assert entry['action'] == 'R' and entry['http'] == 200 and entry['who'] == 'anonymous', entry
    assert abs(entry['when'] / 1e6 - time.time()) < 60, entry
    for method, more, headers in (('HEAD', '', None), ('GET', '/_history/1', None),
                                  ('GET', '/_history', None), ('GET', '/$everything', None),
                                  ('GET', '?_summary=true', None)):
        found = _read(200, method, path + more, headers=headers)
        assert [each['patient'] for each in found] == [entry['patient']], (method, more, found)
    found = _read(304, 'GET', path, headers={'If-None-Match': 'W/"1"'})
    assert [each['patient'] for each in found] == [entry['patient']] and found[0]['http'] == 304


def a_fact_is_logged_under_its_person():
    name = _person()
    person = _read(200, 'GET', 'Patient/' + name)[0]['patient']
    fact = _fact(name)
    assert [each['patient'] for each in _read(200, 'GET', 'Observation/' + fact)] == [person]
    found = _read(200, 'GET', 'Observation?patient=' + name)
    assert [each['patient'] for each in found] == [person], found
    found = _read(200, 'GET', 'Patient/%s/Observation' % name)
    assert [each['patient'] for each in found] == [person], found


def a_page_about_many_leaves_one_entry_for_each():
    mark = uuid.uuid4().hex
    names = [_person(identifier=[{'value': mark}]) for _ in range(5)]
    persons = {_read(200, 'GET', 'Patient/' + name)[0]['patient'] for name in names}
    assert len(persons) == 5
    found = _read(200, 'GET', 'Patient?identifier=' + mark)
    assert {each['patient'] for each in found} == persons and len(found) == 5, found
    found = _read(200, 'POST', 'Patient/_search', 'identifier=' + mark, FORM)
    assert {each['patient'] for each in found} == persons and len(found) == 5, found
    found = _read(200, 'GET', 'Patient?_count=2&identifier=' + mark)
    assert len(found) == 2, found
    found = _read(200, 'GET', '_history?_count=5')
    assert {each['patient'] for each in found} == persons, found


def what_is_included_is_logged_under_whom_it_concerns():
    doctor = 'd-%s' % uuid.uuid4()
    assert SERVER.ask('PUT', 'Practitioner/' + doctor, {
        'resourceType': 'Practitioner', 'id': doctor}).status == 201
    names = [_person(generalPractitioner=[{'reference': 'Practitioner/' + doctor}])
             for _ in range(3)]
    persons = {_read(200, 'GET', 'Patient/' + name)[0]['patient'] for name in names}
    found = _read(200, 'GET', 'Practitioner?_id=%s' % doctor)
    assert [each['patient'] for each in found] == [0], found
    found = _read(200, 'GET', 'Practitioner?_id=%s&_revinclude=Patient:general-practitioner'
                  % doctor)
    assert persons <= {each['patient'] for each in found} and len(found) <= 4, found
    fact = _fact(names[0])
    person = _read(200, 'GET', 'Patient/' + names[0])[0]['patient']
    for path in ('Observation?_id=%s&_include=Observation:patient' % fact,
                 'Observation/$lastn?patient=%s&category:missing=true' % names[0],
                 'Patient/%s/$everything?start=2020-01-01' % names[0]):
        found = _read(200, 'GET', path)
        assert [each['patient'] for each in found] == [person], (path, found)


def _put(kind, **more):
    name = 'r-%s' % uuid.uuid4()
    answer = SERVER.ask('PUT', '%s/%s' % (kind, name), {'resourceType': kind, 'id': name, **more})
    assert answer.status == 201, answer
    return name


def a_person_named_in_a_criterion_is_told_of_though_not_among_the_matches():
    mark = uuid.uuid4().hex
    name = _person(identifier=[{'value': mark}], gender='female')
    person = _read(200, 'GET', 'Patient/' + name)[0]['patient']
    fact = _fact(name)
    for path in ('Practitioner?_has:Observation:performer:patient=Patient/' + name,
                 'Practitioner?_has:Observation:performer:patient=' + name,
                 'Practitioner?_has:Observation:performer:_id=' + fact,
                 'Practitioner?_has:Observation:performer:patient.identifier=' + mark,
                 'Practitioner?_has:Observation:performer:patient:identifier=' + mark,
                 'Practitioner?_has:Observation:performer:patient=%s&_summary=count' % name,
                 'Practitioner?_has:Patient:general-practitioner:_id=' + name,
                 'Organization?_has:Patient:organization:identifier=' + mark,
                 'Patient?gender=male&_id=' + name,
                 'Patient?gender=male&identifier=' + mark,
                 'Observation?status=amended&patient=Patient/' + name,
                 'Observation/$lastn?code=none&patient=Patient/' + name):
        found = _read(200, 'GET', path)
        assert [each['patient'] for each in found] == [person], (path, found)
    body = {'resourceType': 'Practitioner', 'active': True}
    answer, request = _ask('PUT', 'Practitioner?_has:Observation:performer:patient=' + name, body)
    assert answer.status == 201, answer
    until = time.monotonic() + 60
    while person not in {each['patient'] for each in _logged(request)}:
        assert time.monotonic() < until, _logged(request)
        time.sleep(0.1)
    found = _read(200, 'GET', 'Practitioner?_has:Observation:performer:patient=' + str(uuid.uuid4()))
    assert [each['patient'] for each in found] == [0], found


def those_because_of_whom_something_matches_are_told_of():
    code = 'c' + uuid.uuid4().hex
    doctor, other = _put('Practitioner'), _put('Practitioner')
    names = [_person() for _ in range(3)]
    persons = [_read(200, 'GET', 'Patient/' + name)[0]['patient'] for name in names]
    for name, performer in zip(names, (doctor, doctor, other)):
        _put('Observation', status='final', code={'coding': [{'code': code}]},
             subject={'reference': 'Patient/' + name},
             performer=[{'reference': 'Practitioner/' + performer}])
    post = _put('PractitionerRole', practitioner={'reference': 'Practitioner/' + doctor})
    for path, told in (
            ('Practitioner?_has:Observation:performer:code=' + code, persons),
            ('Practitioner?_count=0&_has:Observation:performer:code=' + code, persons),
            ('Practitioner?_id=%s&_has:Observation:performer:code=%s' % (doctor, code),
             persons[:2]),
            ('PractitionerRole?_id=%s&practitioner._has:Observation:performer:code=%s'
             % (post, code), persons[:2])):
        found = _read(200, 'GET', path)
        assert {each['patient'] for each in found} == set(told), (path, found, told)
        assert len(found) == len(told), found


def many_because_of_whom_something_matches_are_told_of_as_a_count():
    doctor = _put('Practitioner')
    bundle = {'resourceType': 'Bundle', 'type': 'transaction', 'entry': [
        {'request': {'method': 'POST', 'url': 'Patient'},
         'resource': {'resourceType': 'Patient', 'active': True,
                      'generalPractitioner': [{'reference': 'Practitioner/' + doctor}]}}
        for _ in range(130)]}
    assert SERVER.ask('POST', '/fhir', bundle).status == 200
    found = _read(200, 'GET', 'Practitioner?_id=%s&_has:Patient:general-practitioner:active=true'
                  % doctor)
    assert any(each['patient'] == 0 and each['resources'] > 100 for each in found), found


def a_total_beside_a_page_is_logged_under_each_person_counted():
    mark = str(uuid.uuid4())
    names = [_person(identifier=[{'value': mark}]) for _ in range(3)]
    persons = {_read(200, 'GET', 'Patient/' + name)[0]['patient'] for name in names}
    found = _read(200, 'GET', 'Patient?_total=accurate&_count=1&identifier=' + mark)
    assert {each['patient'] for each in found} == persons and len(found) == 3, found


def a_query_that_finds_nobody_is_logged_too():
    for path in ('Patient?identifier=%s' % uuid.uuid4(),
                 'Patient?_summary=count&identifier=%s' % uuid.uuid4()):
        found = _read(200, 'GET', path)
        assert len(found) == 1 and found[0]['patient'] == 0, (path, found)


def a_total_is_logged_under_each_person_counted():
    mark = str(uuid.uuid4())
    names = [_person(identifier=[{'value': mark}]) for _ in range(3)]
    persons = {_read(200, 'GET', 'Patient/' + name)[0]['patient'] for name in names}
    for more in ('_summary=count', '_count=0'):
        found = _read(200, 'GET', 'Patient?%s&identifier=%s' % (more, mark))
        assert {each['patient'] for each in found} == persons and len(found) == 3, found


def a_refusal_is_logged():
    found = _read(404, 'GET', 'Patient/' + str(uuid.uuid4()))
    assert len(found) == 1 and found[0]['http'] == 404 and found[0]['patient'] == 0, found
    found = _read(400, 'GET', 'Patient?unheardof=1')
    assert len(found) == 1 and found[0]['http'] == 400, found
    name = _person()
    assert SERVER.ask('DELETE', 'Patient/' + name).status in (200, 204)
    found = _read(410, 'GET', 'Patient/' + name)
    assert len(found) == 1 and found[0]['http'] == 410, found
    answer, request = _ask('POST', 'Patient', {'resourceType': 'Patient', 'gender': 'x'})
    assert answer.status in (400, 422)
    assert len(_logged_soon(request)) == 1


def the_log_keeps_names_of_parameters_and_never_their_values():
    secret = 'SECRET' + uuid.uuid4().hex
    found = _read(200, 'GET', 'Patient?family=%s&birthdate=1970-01-01' % secret)
    assert found[0]['query'] == 'family,birthdate', found
    assert secret not in json.dumps(found)
    _read(400, 'GET', 'Patient?%s=1' % secret)


def the_capability_statement_is_nobodys_record():
    assert _read(200, 'GET', 'metadata') == []
    assert _read(200, 'POST', 'Patient/$validate', {'resourceType': 'Patient'}) == []


def every_write_is_logged_once_under_its_person():
    name = _person()
    person = _read(200, 'GET', 'Patient/' + name)[0]['patient']
    body = {'resourceType': 'Patient', 'id': name, 'active': True}
    for method, body, headers, action, interaction in (
            ('PUT', body, None, 'U', 'update'),
            ('PATCH', '[{"op":"remove","path":"/active"}]', PATCH, 'U', 'patch'),
            ('DELETE', None, None, 'D', 'delete')):
        answer, request = _ask(method, 'Patient/' + name, body, headers)
        assert answer.status in (200, 204), answer
        found = _logged_soon(request)
        assert len(found) == 1, found
        assert found[0]['patient'] == person and found[0]['action'] == action, found
        assert found[0]['interaction'] == interaction and found[0]['http'] == answer.status, found
    answer, request = _ask('POST', 'Patient', {'resourceType': 'Patient'})
    found = _logged_soon(request)
    assert len(found) == 1 and found[0]['id'] == answer.json['id'] and found[0]['http'] == 201
    assert found[0]['patient'] > 0


def a_conditional_write_that_only_looks_is_logged_under_whom_it_met():
    mark = uuid.uuid4().hex
    name = _person(identifier=[{'value': mark}])
    person = _read(200, 'GET', 'Patient/' + name)[0]['patient']
    answer, request = _ask('POST', 'Patient', {'resourceType': 'Patient'},
                           {'If-None-Exist': 'identifier=' + mark})
    assert answer.status == 200 and answer.json['id'] == name
    found = _logged_soon(request)
    assert [each['patient'] for each in found] == [person], found


def each_entry_of_a_transaction_is_an_access_of_its_own():
    one, two = _person(), _person()
    persons = [_read(200, 'GET', 'Patient/' + name)[0]['patient'] for name in (one, two)]
    for kind in ('transaction', 'batch'):
        answer, request = _ask('POST', '/fhir', {
            'resourceType': 'Bundle', 'type': kind, 'entry': [
                {'request': {'method': 'GET', 'url': 'Patient/' + one}},
                {'request': {'method': 'PUT', 'url': 'Patient/' + two},
                 'resource': {'resourceType': 'Patient', 'id': two, 'active': True}},
                {'request': {'method': 'POST', 'url': 'Observation'},
                 'resource': {'resourceType': 'Observation', 'status': 'final',
                              'code': {'text': 'x'},
                              'subject': {'reference': 'Patient/' + one}}}]})
        assert answer.status == 200, answer
        found = sorted((each['action'], each['patient']) for each in _logged_soon(request, 3))
        assert found == [('C', persons[0]), ('R', persons[0]), ('U', persons[1])], (kind, found)


def a_moved_fact_is_logged_under_both_persons():
    one, two = _person(), _person()
    persons = {_read(200, 'GET', 'Patient/' + name)[0]['patient'] for name in (one, two)}
    fact = _fact(one)
    answer, request = _ask('PUT', 'Observation/' + fact, {
        'resourceType': 'Observation', 'id': fact, 'status': 'final', 'code': {'text': 'x'},
        'subject': {'reference': 'Patient/' + two}})
    assert answer.status == 200
    found = {each['patient'] for each in _logged_soon(request, 2)}
    assert found == persons, (found, persons)
    assert {each['patient'] for each in
            _read(200, 'GET', 'Observation/%s/_history' % fact)} == persons


def no_line_of_the_servers_own_log_holds_anything_of_a_record():
    secret = 'SECRET' + uuid.uuid4().hex
    name = _person(name=[{'family': secret}])
    SERVER.ask('GET', 'Patient?family=' + secret)
    SERVER.ask('POST', 'Patient', {'resourceType': 'Patient', 'gender': secret})
    SERVER.ask('GET', 'Patient/%s/%s' % (name, secret))
    SERVER.ask('GET', '/%s' % secret)
    log = SERVER.log()
    assert secret not in log and name not in log


with Server(PROGRAM, '--reserve', '8M') as SERVER:
    CODE = tap.run(sys.modules[__name__])
sys.exit(CODE)
