# SPDX-License-Identifier: MIT
"""Each interaction on one resource as R4's page "RESTful API" asks for it.
usage: api_interactions.py PROGRAM"""
import email.utils
import gzip
import json
import re
import sys
import time
import uuid

from server import JSON, SANITIZED, Server, tap

PROGRAM = sys.argv[1]
PATCH = {'Content-Type': 'application/json-patch+json'}
INSTANT = re.compile(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$')


def _patient(**more):
    return {'resourceType': 'Patient', **more}


def _ask(status, method, path, body=None, headers=None):
    """Asks and demands STATUS (or one of several); a failure must be an OperationOutcome."""
    answer = SERVER.ask(method, path, body, headers)
    wanted = status if isinstance(status, tuple) else (status,)
    assert answer.status in wanted, '%s %s: %r' % (method, path, answer)
    if answer.status >= 400 and method != 'HEAD':
        assert answer.codes(), answer
        assert answer.headers['content-type'].startswith(JSON), answer
    return answer


def _create(resource=None, headers=None):
    return _ask(201, 'POST', resource['resourceType'] if resource else 'Patient',
                resource or _patient(), headers)


def _fresh():
    return 'p-%s' % uuid.uuid4()


# ---- read ----

def read_gives_the_resource_its_version_and_its_time():
    made = _create(_patient(gender='female')).json
    answer = _ask(200, 'GET', 'Patient/' + made['id'])
    assert answer.json == made
    assert answer.headers['etag'] == 'W/"1"'
    assert answer.headers['content-type'].replace(' ', '') == JSON + ';charset=utf-8'
    assert made['meta']['versionId'] == '1' and INSTANT.match(made['meta']['lastUpdated'])
    told = email.utils.parsedate_to_datetime(answer.headers['last-modified']).timestamp()
    assert abs(told - time.time()) < 60


def read_of_what_never_was_is_404_and_of_what_was_deleted_410():
    _ask(404, 'GET', 'Patient/' + _fresh())
    made = _create().json['id']
    _ask((200, 204), 'DELETE', 'Patient/' + made)
    gone = _ask(410, 'GET', 'Patient/' + made)
    assert gone.codes() == ['deleted'], gone
    _ask(404, 'GET', 'Observation/' + made)


def read_of_another_type_is_404():
    made = _create().json['id']
    _ask(404, 'GET', 'Practitioner/' + made)
    _ask(404, 'GET', 'Unheardof/' + made)
    _ask(404, 'GET', 'patient/' + made)


def read_of_an_impossible_id_is_refused():
    for name in ('a_b', 'a' * 65, '%20', 'a%2Fb', '..', '%C3%A9'):
        _ask((400, 404), 'GET', 'Patient/' + name)


def head_is_a_get_without_its_body():
    made = _create().json['id']
    got = _ask(200, 'GET', 'Patient/' + made)
    head = _ask(200, 'HEAD', 'Patient/' + made)
    assert head.body == b''
    for name in ('etag', 'last-modified', 'content-type', 'content-length'):
        assert head.headers[name] == got.headers[name], name
    _ask(404, 'HEAD', 'Patient/' + _fresh())


def read_heeds_if_none_match():
    made = _create().json['id']
    for tag in ('W/"1"', '"1"', '"7", W/"1"', '*'):
        answer = _ask(304, 'GET', 'Patient/' + made, headers={'If-None-Match': tag})
        assert answer.body == b'' and answer.headers['etag'] == 'W/"1"', answer
    _ask(200, 'GET', 'Patient/' + made, headers={'If-None-Match': 'W/"2"'})


def refuses_a_condition_that_says_nothing():
    made = _create().json['id']
    _ask(400, 'PUT', 'Patient/' + made, _patient(id=made), headers={'If-Match': ''})
    _ask(400, 'DELETE', 'Patient/' + made, headers={'If-Match': ' '})
    _ask(400, 'POST', 'Patient', _patient(), headers={'If-None-Exist': ''})
    _ask(400, 'GET', 'Patient/' + made, headers={'If-None-Match': ''})
    _ask(200, 'GET', 'Patient/' + made)


def read_heeds_if_modified_since():
    made = _create()
    path = 'Patient/' + made.json['id']
    changed = made.headers['last-modified']
    _ask(304, 'GET', path, headers={'If-Modified-Since': changed})
    past = email.utils.formatdate(time.time() - 86400, usegmt=True)
    _ask(200, 'GET', path, headers={'If-Modified-Since': past})
    _ask(200, 'GET', path, headers={'If-Modified-Since': 'yesterday'})
    _ask(200, 'GET', path, headers={'If-Modified-Since': changed, 'If-None-Match': 'W/"9"'})


def vread_gives_each_version_and_410_for_the_deleted_one():
    made = _create(_patient(gender='female')).json['id']
    _ask(200, 'PUT', 'Patient/' + made, _patient(id=made, gender='male'))
    _ask((200, 204), 'DELETE', 'Patient/' + made)
    first = _ask(200, 'GET', 'Patient/%s/_history/1' % made)
    assert first.json['gender'] == 'female' and first.headers['etag'] == 'W/"1"'
    assert _ask(200, 'GET', 'Patient/%s/_history/2' % made).json['gender'] == 'male'
    _ask(410, 'GET', 'Patient/%s/_history/3' % made)
    for version in ('4', '0', '-1', '01x', '99999999999999999999', 'latest'):
        _ask(404, 'GET', 'Patient/%s/_history/%s' % (made, version))
    _ask(404, 'GET', 'Patient/%s/_history/1' % _fresh())


# ---- create ----

def create_gives_an_id_of_its_own_and_says_where():
    answer = _create(_patient(id='mine', meta={'versionId': '7', 'tag': [{'code': 'kept'}],
                                               'lastUpdated': '2001-01-01T00:00:00Z'}))
    body = answer.json
    assert body['id'] != 'mine'
    assert answer.headers['location'] == '%s/Patient/%s/_history/1' % (SERVER.base, body['id'])
    assert body['meta']['versionId'] == '1' and body['meta']['tag'] == [{'code': 'kept'}]
    assert not body['meta']['lastUpdated'].startswith('2001')
    assert list(body)[:3] == ['resourceType', 'id', 'meta']


def create_keeps_every_digit_and_character():
    text = ('{"resourceType":"Observation","status":"final","code":{"text":"a\\u0301 \\ud83d\\ude00'
            ' \\" \\\\ \\/ é 😀"},"valueQuantity":{"value":%s,"unit":"mg"}}')
    for number in ('1.0', '1.00', '100', '-0.0', '0.000000000000000001', '1E3', '1.50e-7',
                   '3.14159265358979323846264338327950288'):
        answer = SERVER.ask('POST', 'Observation', text % number, {'Content-Type': JSON})
        assert answer.status == 201, answer
        back = _ask(200, 'GET', 'Observation/' + answer.json['id'])
        assert ('"value":%s,' % number) in back.body.decode(), (number, back)
        assert back.json['code']['text'] == 'a\u0301 😀 " \\ / é 😀', back


def create_refuses_what_is_no_json():
    for body in ('', ' ', '{', 'null', '[]', '1', '"Patient"', '{"resourceType":"Patient"}x',
                 '{"resourceType":"Patient",}', "{'resourceType':'Patient'}", '\x00',
                 '{"resourceType":"Patient","active":tru}', '{"resourceType":"Patient"}{}'):
        _ask(400, 'POST', 'Patient', body, {'Content-Type': JSON})
    _ask(400, 'POST', 'Patient', b'{"resourceType":"Patient","language":"\xff"}',
         {'Content-Type': JSON})


def create_refuses_a_key_that_stands_twice():
    answer = _ask((400, 422), 'POST', 'Patient',
                  '{"resourceType":"Patient","gender":"male","gender":"female"}',
                  {'Content-Type': JSON})
    assert 'female' not in answer.body.decode()


def create_refuses_another_type_than_the_path():
    _ask((400, 422), 'POST', 'Patient', {'resourceType': 'Practitioner'})
    _ask((400, 422), 'POST', 'Patient', {'active': True})
    _ask((400, 422), 'POST', 'Patient', {'resourceType': 'Unheardof'})
    _ask(404, 'POST', 'Unheardof', {'resourceType': 'Unheardof'})


def create_reports_every_broken_rule_with_its_place_and_no_value():
    answer = _ask((400, 422), 'POST', 'Patient', _patient(
        gender='SECRETGENDER', birthDate='1970-02-30', unheardof=1, active='yes',
        name=[{'family': 'SECRETNAME'}, {'given': 'SECRETGIVEN'}]))
    places = [place for issue in answer.json['issue'] for place in issue.get('expression', [])]
    for place in ('Patient.gender', 'Patient.birthDate', 'Patient', 'Patient.active',
                  'Patient.name[1].given'):
        assert place in places, (place, places)
    assert 'SECRET' not in answer.body.decode()


def create_refuses_other_media_types():
    for kind in ('text/turtle', 'text/plain', 'application/x-www-form-urlencoded',
                 'multipart/form-data', 'application/octet-stream'):
        _ask(415, 'POST', 'Patient', '{"resourceType":"Patient"}', {'Content-Type': kind})
    for kind in (JSON, 'application/json', 'application/fhir+json; charset=utf-8',
                 'application/json;charset=UTF-8', 'APPLICATION/FHIR+JSON',
                 'application/fhir+json; fhirVersion=4.0',
                 'application/fhir+json; charset="utf-8"; fhirVersion=4.0'):
        _ask(201, 'POST', 'Patient', '{"resourceType":"Patient"}', {'Content-Type': kind})


def text_in_another_charset_or_version_is_refused():
    body = '{"resourceType":"Patient"}'
    for kind in ('application/fhir+json; charset=utf-16', 'application/json;charset="ISO-8859-1"',
                 'application/fhir+json; charset=', 'application/fhir+json; fhirVersion=3.0'):
        _ask(415, 'POST', 'Patient', body, {'Content-Type': kind})
        _ask(415, 'POST', 'Patient/$validate', body, {'Content-Type': kind})
    _ask(415, 'POST', 'Patient/_search', 'name=x',
         {'Content-Type': 'application/x-www-form-urlencoded; charset=utf-16'})
    _ask(415, 'PATCH', 'Patient/none', '[]',
         {'Content-Type': 'application/json-patch+json; charset=utf-16'})
    _ask(415, 'POST', 'Binary', '{"resourceType":"Binary","contentType":"text/plain"}',
         {'Content-Type': 'application/fhir+json; charset=utf-16'})
    made = _ask(201, 'POST', 'Binary', 'as it is', {'Content-Type': 'text/plain; charset=utf-16'})
    assert made.headers['location']


def create_heeds_prefer():
    minimal = _create(headers={'Prefer': 'return=minimal'})
    assert minimal.body == b'' and 'location' in minimal.headers and 'etag' in minimal.headers
    outcome = _create(headers={'Prefer': 'return=OperationOutcome'})
    assert outcome.codes() and outcome.json['issue'][0]['severity'] == 'information', outcome
    whole = _create(headers={'Prefer': 'respond-async, return=representation; x=y'})
    assert whole.json['resourceType'] == 'Patient'


def create_if_none_exist_creates_once():
    value = _fresh()
    body = _patient(identifier=[{'system': 'https://example.org/i', 'value': value}])
    condition = {'If-None-Exist': 'identifier=https://example.org/i|%s' % value}
    first = _create(body, condition)
    again = _ask(200, 'POST', 'Patient', body, condition)
    assert again.json == first.json and again.headers['etag'] == 'W/"1"'
    assert again.headers['location'] == first.headers['location']
    assert _ask(200, 'POST', 'Patient', body, {**condition, 'Prefer': 'return=minimal'}).body == b''
    _create(body)
    assert _ask(412, 'POST', 'Patient', body, condition).codes() == ['multiple-matches']


def create_if_none_exist_refuses_criteria_it_cannot_judge():
    before = len(SERVER.entries('Patient?_count=1000'))
    for criteria in ('unheardof=1', 'identifier', 'identifier=', '_count=1', 'name:unheardof=a'):
        _ask((400, 412), 'POST', 'Patient', _patient(), {'If-None-Exist': criteria})
    assert len(SERVER.entries('Patient?_count=1000')) == before


# ---- update ----

def update_makes_the_next_version():
    made = _create().json['id']
    answer = _ask(200, 'PUT', 'Patient/' + made, _patient(id=made, active=True))
    assert answer.headers['etag'] == 'W/"2"' and answer.json['meta']['versionId'] == '2'
    assert answer.headers.get('location', '').endswith('/Patient/%s/_history/2' % made)
    assert _ask(200, 'GET', 'Patient/' + made).json == answer.json


def update_creates_under_the_id_of_the_caller():
    name = _fresh()
    answer = _ask(201, 'PUT', 'Patient/' + name, _patient(id=name))
    assert answer.headers['location'] == '%s/Patient/%s/_history/1' % (SERVER.base, name)
    assert _ask(200, 'GET', 'Patient/' + name).json['id'] == name


def update_refuses_an_id_that_is_missing_or_different():
    name = _fresh()
    _ask(400, 'PUT', 'Patient/' + name, _patient())
    _ask(400, 'PUT', 'Patient/' + name, _patient(id='other'))
    _ask(404, 'GET', 'Patient/' + name)
    for wrong in ('a_b', 'a' * 65):
        _ask((400, 404), 'PUT', 'Patient/' + wrong, _patient(id=wrong))


def update_heeds_if_match():
    made = _create().json['id']
    body = _patient(id=made, active=True)
    _ask(412, 'PUT', 'Patient/' + made, body, {'If-Match': 'W/"2"'})
    _ask((400, 412), 'PUT', 'Patient/' + made, body, {'If-Match': 'nonsense'})
    assert _ask(200, 'GET', 'Patient/' + made).headers['etag'] == 'W/"1"'
    _ask(200, 'PUT', 'Patient/' + made, body, {'If-Match': 'W/"1"'})
    _ask(200, 'PUT', 'Patient/' + made, body, {'If-Match': '"2"'})
    name = _fresh()
    _ask((404, 412), 'PUT', 'Patient/' + name, _patient(id=name), {'If-Match': 'W/"1"'})
    _ask(404, 'GET', 'Patient/' + name)


def update_if_none_match_star_only_creates():
    name = _fresh()
    _ask(201, 'PUT', 'Patient/' + name, _patient(id=name), {'If-None-Match': '*'})
    _ask(412, 'PUT', 'Patient/' + name, _patient(id=name), {'If-None-Match': '*'})


def update_by_criteria():
    value = _fresh()
    path = 'Patient?identifier=https://example.org/i|' + value
    body = _patient(identifier=[{'system': 'https://example.org/i', 'value': value}])
    made = _ask(201, 'PUT', path, body).json['id']
    changed = _ask(200, 'PUT', path, {**body, 'active': True})
    assert changed.json['id'] == made and changed.headers['etag'] == 'W/"2"'
    _ask((400, 412), 'PUT', path, {**body, 'id': 'other'})
    _create(body)
    _ask(412, 'PUT', path, body)
    _ask((400, 412, 405), 'PUT', 'Patient', _patient())
    _ask((400, 412), 'PUT', 'Patient?unheardof=1', _patient())
    own = _fresh()
    path = 'Patient?identifier=https://example.org/i|' + own
    made = _ask(201, 'PUT', path, {**body, 'id': own, 'identifier': []} and
                _patient(id=own, identifier=[{'system': 'https://example.org/i', 'value': own}]))
    assert made.json['id'] == own, made


def deleted_and_written_again_goes_on_counting():
    name = _fresh()
    _ask(201, 'PUT', 'Patient/' + name, _patient(id=name))
    _ask((200, 204), 'DELETE', 'Patient/' + name)
    _ask(410, 'GET', 'Patient/' + name)
    again = _ask((200, 201), 'PUT', 'Patient/' + name, _patient(id=name, active=True))
    assert again.headers['etag'] == 'W/"3"', again
    assert _ask(200, 'GET', 'Patient/' + name).json['active'] is True
    methods = [entry['request']['method'] for entry in
               SERVER.entries('Patient/%s/_history' % name)]
    assert methods == ['PUT', 'DELETE', 'PUT'], methods


# ---- patch ----

def patch_changes_what_it_names():
    made = _create(_patient(gender='male', name=[{'family': 'A'}])).json['id']
    answer = _ask(200, 'PATCH', 'Patient/' + made, json.dumps(
        [{'op': 'test', 'path': '/gender', 'value': 'male'},
         {'op': 'replace', 'path': '/gender', 'value': 'female'},
         {'op': 'add', 'path': '/name/-', 'value': {'family': 'B'}}]), PATCH)
    assert answer.headers['etag'] == 'W/"2"'
    assert answer.json['gender'] == 'female' and answer.json['name'][1] == {'family': 'B'}
    assert _ask(200, 'GET', 'Patient/' + made).json == answer.json


def patch_refuses_and_changes_nothing():
    made = _create(_patient(gender='male')).json['id']
    for status, patch in (
            ((400, 409, 422), [{'op': 'test', 'path': '/gender', 'value': 'female'},
                               {'op': 'remove', 'path': '/gender'}]),
            ((400, 422), [{'op': 'replace', 'path': '/gender', 'value': 'nonsense'}]),
            ((400, 422), [{'op': 'remove', 'path': '/birthDate'}]),
            ((400, 422), [{'op': 'replace', 'path': '/id', 'value': 'other'}]),
            ((400, 422), [{'op': 'replace', 'path': '/resourceType', 'value': 'Practitioner'}]),
            ((400, 422), [{'op': 'remove', 'path': ''}]),
            ((400, 422), [{'op': 'jump', 'path': '/gender'}]),
            ((400, 422), [{'op': 'add', 'path': 'gender', 'value': 'male'}]),
            ((400, 422), {'op': 'add', 'path': '/gender', 'value': 'male'}),
            ((400, 422), 'nonsense')):
        _ask(status, 'PATCH', 'Patient/' + made, json.dumps(patch), PATCH)
    _ask(400, 'PATCH', 'Patient/' + made, '[', PATCH)
    assert _ask(200, 'GET', 'Patient/' + made).headers['etag'] == 'W/"1"'


def _operation(kind, path, **parts):
    """An operation of a FHIRPath Patch; a part is (member, value)."""
    rows = [{'name': 'type', 'valueCode': kind}, {'name': 'path', 'valueString': path}]
    rows += [{'name': name, member: value} for name, (member, value) in parts.items()]
    return {'name': 'operation', 'part': rows}


def _fhirpath_patch(*operations):
    return {'resourceType': 'Parameters', 'parameter': list(operations)}


def patch_by_fhirpath_changes_what_its_paths_find():
    made = _create().json['id']
    patch = _fhirpath_patch(
        _operation('add', 'Patient', name=('valueString', 'birthDate'),
                   value=('valueDate', '1930-01-01')),
        _operation('delete', "Patient.name.where(use = 'nickname')"))
    answer = _ask(200, 'PATCH', 'Patient/' + made, json.dumps(patch),
                  {'Content-Type': 'application/fhir+json'})
    assert answer.json['birthDate'] == '1930-01-01', answer.json
    bundle = {'resourceType': 'Bundle', 'type': 'transaction', 'entry': [{
        'resource': _fhirpath_patch(_operation('replace', 'Patient.birthDate',
                                               value=('valueDate', '1931-02-03'))),
        'request': {'method': 'PATCH', 'url': 'Patient/' + made}}]}
    _ask(200, 'POST', '', bundle)
    assert _ask(200, 'GET', 'Patient/' + made).json['birthDate'] == '1931-02-03'


def patch_by_fhirpath_refuses_what_does_not_apply():
    made = _create().json['id']
    for status, patch in (
            (422, _fhirpath_patch(_operation('replace', 'Patient.deceased',
                                             value=('valueBoolean', True)))),
            (422, _fhirpath_patch(_operation('add', 'Patient', name=('valueString', 'gender'),
                                             value=('valueCode', 'nonsense')))),
            (400, _fhirpath_patch(_operation('delete', 'Patient.nothing'))),
            (400, _fhirpath_patch(_operation('delete', 'Patient.('))),
            (400, _fhirpath_patch(_operation('turn', 'Patient.name'))),
            (400, {'resourceType': 'Patient'})):
        _ask(status, 'PATCH', 'Patient/' + made, json.dumps(patch),
             {'Content-Type': 'application/fhir+json'})
        assert _ask(200, 'GET', 'Patient/' + made).json['meta']['versionId'] == '1'


def patch_heeds_conditions_and_states():
    made = _create(_patient(gender='male')).json['id']
    patch = json.dumps([{'op': 'replace', 'path': '/gender', 'value': 'female'}])
    _ask(412, 'PATCH', 'Patient/' + made, patch, {**PATCH, 'If-Match': 'W/"2"'})
    _ask(415, 'PATCH', 'Patient/' + made, patch, {'Content-Type': 'text/plain'})
    _ask(404, 'PATCH', 'Patient/' + _fresh(), patch, PATCH)
    _ask(200, 'PATCH', 'Patient/' + made, patch, {**PATCH, 'If-Match': 'W/"1"'})
    _ask((200, 204), 'DELETE', 'Patient/' + made)
    _ask((404, 410), 'PATCH', 'Patient/' + made, patch, PATCH)


def patch_by_criteria():
    value = _fresh()
    path = 'Patient?identifier=' + value
    patch = json.dumps([{'op': 'add', 'path': '/active', 'value': True}])
    _ask((404, 412), 'PATCH', path, patch, PATCH)
    _create(_patient(identifier=[{'value': value}]))
    assert _ask(200, 'PATCH', path, patch, PATCH).json['active'] is True
    _create(_patient(identifier=[{'value': value}]))
    _ask(412, 'PATCH', path, patch, PATCH)
    _ask((400, 405, 412), 'PATCH', 'Patient', patch, PATCH)


# ---- delete ----

def delete_is_idempotent():
    made = _create().json['id']
    first = _ask((200, 204), 'DELETE', 'Patient/' + made)
    assert (first.status == 204) == (first.body == b'')
    _ask((200, 204), 'DELETE', 'Patient/' + made)
    assert len(SERVER.entries('Patient/%s/_history' % made)) == 2
    _ask((200, 204, 404), 'DELETE', 'Patient/' + _fresh())


def delete_heeds_if_match():
    made = _create().json['id']
    _ask(412, 'DELETE', 'Patient/' + made, headers={'If-Match': 'W/"2"'})
    _ask(200, 'GET', 'Patient/' + made)
    _ask((200, 204), 'DELETE', 'Patient/' + made, headers={'If-Match': 'W/"1"'})


def delete_by_criteria_removes_one_and_never_many():
    value = _fresh()
    path = 'Patient?identifier=' + value
    _ask((200, 204, 404), 'DELETE', path)
    made = [_create(_patient(identifier=[{'value': value}])).json['id'] for _ in range(2)]
    _ask(412, 'DELETE', path)
    _ask((200, 204), 'DELETE', 'Patient/' + made[0])
    _ask((200, 204), 'DELETE', path)
    _ask(410, 'GET', 'Patient/' + made[1])
    before = len(SERVER.entries('Patient?_count=1000'))
    for all_of_them in ('Patient', 'Patient?', 'Patient?_count=1', 'Patient?unheardof=1',
                        'Patient?identifier='):
        _ask((400, 405, 412), 'DELETE', all_of_them)
    assert len(SERVER.entries('Patient?_count=1000')) == before


# ---- operations and the rest ----

def validate_reports_and_stores_nothing():
    before = len(SERVER.entries('Patient?_count=1000'))
    good = _ask(200, 'POST', 'Patient/$validate', _patient(gender='male'))
    assert all(issue['severity'] in ('information', 'warning') for issue in good.json['issue'])
    for path in ('Patient/$validate', '$validate'):
        bad = _ask(200, 'POST', path, _patient(gender='nonsense'))
        assert 'error' in [issue['severity'] for issue in bad.json['issue']], bad
        wrapped = _ask(200, 'POST', path, {'resourceType': 'Parameters', 'parameter': [
            {'name': 'resource', 'resource': _patient(gender='nonsense')}]})
        assert 'error' in [issue['severity'] for issue in wrapped.json['issue']], wrapped
    assert len(SERVER.entries('Patient?_count=1000')) == before


def unused_methods_are_405_and_name_the_used_ones():
    for method, path in (('POST', 'Patient/x'), ('PUT', 'metadata'), ('DELETE', 'metadata'),
                         ('POST', 'metadata'), ('PUT', 'Patient/x/_history/1'),
                         ('DELETE', 'Patient/x/_history/1'), ('POST', 'Patient/x/_history'),
                         ('PATCH', 'Patient/x/_history'), ('PUT', 'Patient/$validate')):
        answer = _ask(405, method, path, _patient(id='x'))
        assert 'GET' in answer.headers.get('allow', '') or 'POST' in answer.headers.get(
            'allow', ''), 'no Allow: %s %s %r' % (method, path, answer)


def unheard_of_operations_and_paths_are_refused():
    for method, path in (('GET', 'Patient/$unheardof'), ('POST', 'Patient/x/$unheardof'),
                         ('GET', '$unheardof'), ('GET', 'Patient/x/y/z'), ('GET', '/other'),
                         ('GET', 'Patient/x/_history/1/2'), ('GET', '/fhirx/Patient'),
                         ('GET', '/fhir/../etc/passwd'), ('GET', '/apps/../../etc/passwd')):
        _ask((400, 404, 405, 501), method, path, _patient() if method == 'POST' else None)


def answers_in_json_or_xml_as_asked():
    made = 'Patient/' + _create().json['id']
    for accept in ('text/turtle', 'image/png', 'application/fhir+xml;q=0'):
        _ask((406, 415), 'GET', made, headers={'Accept': accept})
    for accept in ('*/*', JSON, 'application/json', 'text/html,application/json;q=0.9',
                   'application/fhir+xml;q=0.9, application/fhir+json', 'application/*'):
        _ask(200, 'GET', made, headers={'Accept': accept})
    for name in ('json', 'application/json', 'application/fhir%2Bjson', 'text/json'):
        _ask(200, 'GET', '%s?_format=%s' % (made, name), headers={'Accept': 'text/turtle'})
    for name in ('xml', 'application/fhir%2Bxml', 'text/xml'):
        answer = _ask(200, 'GET', '%s?_format=%s' % (made, name))
        assert answer.headers['content-type'].startswith('application/fhir+xml'), answer
        assert answer.body.startswith(b'<Patient xmlns="http://hl7.org/fhir">'), answer
    _ask((406, 415), 'GET', '%s?_format=nonsense' % made)


def a_refused_format_stores_nothing():
    before = len(SERVER.entries('Patient?_count=1000'))
    _ask((406, 415), 'POST', 'Patient?_format=turtle', _patient())
    _ask((406, 415), 'POST', 'Patient', _patient(), {'Accept': 'text/turtle'})
    assert len(SERVER.entries('Patient?_count=1000')) == before


def pretty_is_the_same_in_more_lines():
    made = 'Patient/' + _create(_patient(name=[{'family': 'A'}])).json['id']
    plain, pretty = _ask(200, 'GET', made), _ask(200, 'GET', made + '?_pretty=true')
    assert plain.json == pretty.json
    assert plain.body.count(b'\n') <= 1 < pretty.body.count(b'\n')


def summaries_and_elements_are_marked_as_part_of_the_whole():
    narrative = {'status': 'generated', 'div': '<div xmlns="http://www.w3.org/1999/xhtml">a</div>'}
    made = 'Patient/' + _create(_patient(text=narrative, gender='male', maritalStatus={'text': 'x'},
                                         birthDate='1970-01-01')).json['id']
    for wish, has, lacks in (('_summary=true', 'gender', 'maritalStatus'),
                             ('_summary=text', 'text', 'gender'),
                             ('_summary=data', 'gender', 'text'),
                             ('_elements=gender', 'gender', 'birthDate')):
        part = _ask(200, 'GET', '%s?%s' % (made, wish)).json
        assert has in part and lacks not in part, (wish, part)
        assert part['id'] and part['resourceType'] == 'Patient'
        assert 'SUBSETTED' in [tag['code'] for tag in part['meta'].get('tag', [])], part
    whole = _ask(200, 'GET', made + '?_summary=false').json
    assert 'tag' not in whole['meta'] and 'maritalStatus' in whole
    _ask(400, 'GET', made + '?_summary=nonsense')


def compresses_and_takes_compressed_bodies():
    long = _patient(name=[{'family': 'family-%d' % number} for number in range(500)])
    packed = gzip.compress(json.dumps(long).encode())
    made = _ask(201, 'POST', 'Patient', packed, {'Content-Type': JSON, 'Content-Encoding': 'gzip'})
    assert len(made.json['name']) == 500
    got = _ask(200, 'GET', 'Patient/' + made.json['id'], headers={'Accept-Encoding': 'gzip'})
    assert got.headers['content-encoding'] == 'gzip'
    assert json.loads(gzip.decompress(got.body)) == made.json
    assert 'accept-encoding' in got.headers.get('vary', '').lower(), got.headers
    _ask((400, 415), 'POST', 'Patient', packed[:-20],
         {'Content-Type': JSON, 'Content-Encoding': 'gzip'})
    _ask(415, 'POST', 'Patient', packed, {'Content-Type': JSON, 'Content-Encoding': 'br'})


def refuses_a_body_that_grows_past_its_limit_when_unpacked():
    bomb = gzip.compress(b' ' * (300 << 20), 9)
    before = SERVER.memory()
    _ask(413, 'POST', 'Patient', bomb, {'Content-Type': JSON, 'Content-Encoding': 'gzip'})
    assert SANITIZED or SERVER.memory() - before < 200 << 20


def keeps_the_callers_request_id():
    answer = _ask(200, 'GET', 'metadata', headers={'X-Request-Id': 'abc-123'})
    assert answer.headers['x-request-id'] == 'abc-123'
    other = _ask(200, 'GET', 'metadata', headers={'X-Request-Id': 'a b<script>'})
    assert '<' not in other.headers['x-request-id']


def queries_that_cannot_be_decoded_are_400():
    for query in ('name=%zz', 'name=%', 'name=%FF', 'name=%00', '%ff=1'):
        _ask(400, 'GET', 'Patient?' + query)


def the_capability_statement_is_valid_and_true():
    answer = _ask(200, 'GET', 'metadata')
    statement = answer.json
    assert statement['fhirVersion'] == '4.0.1' and statement['kind'] == 'instance'
    checked = _ask(200, 'POST', 'CapabilityStatement/$validate', statement).json
    assert all(issue['severity'] not in ('error', 'fatal') for issue in checked['issue']), checked
    types = {each['type']: each for each in statement['rest'][0]['resource']}
    assert len(types) > 140
    for parameter in types['Patient']['searchParam']:
        answer = SERVER.ask('GET', 'Patient?%s=x' % parameter['name'])
        assert answer.status in (200, 400), answer
        if answer.status == 400:
            assert answer.codes()[0] == 'value', (parameter, answer)
    definitions = {each['name']: each['definition'] for each in types['Patient']['searchParam']}
    assert definitions['_id'] == 'http://hl7.org/fhir/SearchParameter/Resource-id', definitions


def says_that_it_lives_and_counts():
    assert _ask(200, 'GET', '/healthz').status == 200
    metrics = _ask(200, 'GET', '/metrics')
    assert metrics.headers['content-type'].startswith('text/plain')
    assert re.search(r'^carelayer_\w+(\{.*\})? [\d.e+-]+$', metrics.body.decode(), re.MULTILINE)


with Server(PROGRAM, '--reserve', '8M') as SERVER:
    CODE = tap.run(sys.modules[__name__])
sys.exit(CODE)
