# SPDX-License-Identifier: MIT
"""FHIR Bulk Data Access 2: $export of everything, of patients and of Groups, over HTTP.
usage: bulk_export.py PROGRAM [ROUNDS]"""
import gzip
import json
import os
import random
import stat
import sys
import threading
import time
import urllib.parse
import uuid

from exports import (ASYNC, LENIENT, OPTIONS, PROGRAM, deleted_of as _deleted, fact as _fact,
                     fill as _fill, group as _group, kick as _kick, manifest_of as _manifest,
                     notes_of as _notes, path_of as _path, patient as _patient, put as _put,
                     refused as _refused, resources_of as _resources, serving as _server,
                     wait as _wait, wait_until_empty, wait_until_gone)
from server import Server, tap

ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 4


# ---- cases ---------------------------------------------------------------------------------------

def exports_everything_as_it_is():
    with _server() as server:
        expected = _fill(server, 30, 20)
        expected.add(_put(server, {'resourceType': 'Organization', 'id': 'org', 'name': 'O'}))
        manifest = _manifest(server, '$export')
        found = _resources(server, manifest)
        assert set(found) == expected, set(found) ^ expected
        assert manifest['request'] == server.base + '/$export'
        assert manifest['requiresAccessToken'] is False
        assert manifest['error'] == [] and manifest['deleted'] == []
        assert len([item for item in manifest['output'] if item['type'] == 'Observation']) > 2
        for key, resource in found.items():
            assert resource == server.ask('GET', key).json, key


def patients_only_what_concerns_them():
    with _server() as server:
        expected = _fill(server, 3, 2)
        _put(server, {'resourceType': 'Organization', 'id': 'org', 'name': 'O'})
        _put(server, {'resourceType': 'Practitioner', 'id': 'gp'})
        expected.add(_put(server, {
            'resourceType': 'Provenance', 'id': 'origin', 'recorded': '2026-01-01T00:00:00Z',
            'target': [{'reference': 'Observation/p0-o0'}],
            'agent': [{'who': {'reference': 'Practitioner/gp'}}]}))
        found = _resources(server, _manifest(server, 'Patient/$export'))
        assert set(found) == expected, set(found) ^ expected


def a_group_is_its_members_now():
    with _server() as server:
        _fill(server, 8, 1)
        _put(server, _group('inner', ['Patient/p3']))
        _put(server, _group('asleep', ['Patient/p4'], active=False))
        _put(server, _group('outer', [
            'Patient/p0', 'Patient/p0',
            {'entity': {'reference': 'Patient/p1'}, 'inactive': True},
            {'entity': {'reference': 'Patient/p2'}, 'period': {'end': '2020-01-01'}},
            {'entity': {'reference': 'Group/inner'}},
            {'entity': {'reference': 'Group/outer'}},
            {'entity': {'reference': 'Group/asleep'}},
            {'entity': {'reference': 'Patient/p5'}, 'period': {'start': '2020-01-01'}},
            {'entity': {'identifier': {'value': 'x'}}}]))
        manifest = _manifest(server, 'Group/outer/$export?_type=Patient,Observation')
        members = {'p0', 'p3', 'p5'}
        expected = {'Patient/%s' % name for name in members}
        expected |= {'Observation/%s-o0' % name for name in members}
        assert set(_resources(server, manifest)) == expected
        assert any('members of the Group' in note for note in _notes(server, manifest))
        _refused(server, 'Group/asleep/$export', 'not active', status=422)
        _refused(server, 'Group/none/$export', 'no such Group', status=404)
        _put(server, {'resourceType': 'Group', 'id': 'described', 'type': 'person',
                      'actual': False, 'code': {'text': 'x'}})
        _refused(server, 'Group/described/$export', 'lists nobody', status=422)


def _found_by(name, *queries, members=None, **more):
    url = 'http://hl7.org/fhir/uv/bulkdata/StructureDefinition/member-filter'
    group = {'resourceType': 'Group', 'id': name, 'type': 'person', 'actual': bool(members),
             'code': {'text': 'x'},
             'modifierExtension': [{'url': url, 'valueExpression': {
                 'language': 'application/x-fhir-query', 'expression': query}}
                 for query in queries]}
    if members:
        group['member'] = [{'entity': {'reference': each}} for each in members]
    return {**group, **more}


def a_group_may_be_found_by_searches():
    with _server() as server:
        for number in range(6):
            _put(server, _patient('p%d' % number, gender='female' if number % 2 else 'male'))
            _put(server, _fact('o%d' % number, 'p%d' % number,
                               status='final' if number < 4 else 'preliminary'))
        _put(server, _patient('twin', link=[{'other': {'reference': 'Patient/p1'},
                                             'type': 'seealso'}]))
        _put(server, _group('inner', ['Patient/p0', 'Patient/p1', 'Patient/p5']))

        def people(name):
            found = _resources(server, _manifest(server, 'Group/%s/$export?_type=Patient' % name))
            return {each.split('/')[1] for each in found}
        for expected, *asked in (
                ('p1 p3 p5 twin', 'Patient?gender=female'),
                ('p0 p1 p2 p3 twin', 'Observation?status=final'),
                ('p1 p3 twin', 'Observation?status=final', 'Patient?gender=female'),
                ('', 'Observation?status=final', 'Observation?status=amended'),
                ('p0 p1 p2 p3 p4 p5 twin', 'Observation?status=final,preliminary'),
                ('p4', 'Observation?status=preliminary&subject:Patient.gender=male')):
            _put(server, _found_by('g', *asked))
            assert people('g') == set(expected.split()), (asked, people('g'))
        _put(server, _found_by('m', 'Observation?status=final', members=['Patient/p1', 'Patient/p2',
                                                                         'Patient/p5']))
        assert people('m') == {'p1', 'p2', 'twin'}
        _put(server, _found_by('n', 'Patient?gender=female', members=['Group/inner']))
        assert people('n') == {'p1', 'p5', 'twin'}
        # What it is now, and not what it was when the Group was made.
        _put(server, _fact('o5', 'p5'))
        assert people('m') == {'p1', 'p2', 'p5', 'twin'}
        found = _resources(server, _manifest(server, 'Group/m/$export?_type=Observation'))
        assert set(found) == {'Observation/o1', 'Observation/o2', 'Observation/o5'}

        def body(patient):
            return {'resourceType': 'Parameters', 'parameter': [
                {'name': '_type', 'valueString': 'Patient'},
                {'name': 'patient', 'valueReference': {'reference': patient}}]}
        manifest = _manifest(server, 'Group/m/$export', body=body('Patient/p2'))
        assert set(_resources(server, manifest)) == {'Patient/p2'}
        answer = _wait(server, _kick(server, 'Group/m/$export', body=body('Patient/p3')))
        assert answer.status == 422, answer


def a_group_that_cannot_be_told_is_not_exported():
    with _server('--validate', 'structure') as server:
        _put(server, _patient('p0'))
        for query in ('', 'Patient', 'Patient?', 'Organization?name=x', 'Nothing?x=y', '?status=final',
                      'Patient/p0/Observation?status=final'):
            _put(server, _found_by('g', query or ' x'))
            _refused(server, 'Group/g/$export', 'member-filter', status=422)
        for query in ('Patient?shoe=9', 'Patient?gender=male&_sort=name', 'Patient?_count=1',
                      'Patient?birthdate=never', 'Patient?gender=%ff'):
            _put(server, _found_by('g', query))
            answer = server.ask('GET', 'Group/g/$export', headers=ASYNC)
            assert answer.status in (400, 422), (query, answer)
        _put(server, _found_by('g', 'Patient?gender=male', type='practitioner'))
        _refused(server, 'Group/g/$export', 'persons', status=422)
        cql = _found_by('g', 'Patient?gender=male')
        cql['modifierExtension'][0]['valueExpression']['language'] = 'text/cql'
        _put(server, cql)
        _refused(server, 'Group/g/$export', 'x-fhir-query', status=422)
        other = _group('g', ['Patient/p0'])
        other['modifierExtension'] = [{'url': 'http://example.org/not', 'valueBoolean': True}]
        _put(server, other)
        _refused(server, 'Group/g/$export', 'modifier extension', status=422)
        _put(server, _group('outer', ['Group/g']))
        _refused(server, 'Group/outer/$export', 'by itself', status=422)


def whoever_is_the_same_person_is_in_the_group_too():
    with _server() as server:
        _put(server, _patient('twice'))
        _put(server, _patient('once', link=[{'other': {'reference': 'Patient/twice'},
                                             'type': 'seealso'}]))
        _put(server, _fact('o1', 'once'))
        _put(server, _fact('o2', 'twice'))
        _put(server, _group('g', ['Patient/once']))
        found = _resources(server, _manifest(server, 'Group/g/$export?_type=Patient,Observation'))
        assert set(found) == {'Patient/once', 'Patient/twice', 'Observation/o1', 'Observation/o2'}


def a_post_may_name_patients():
    with _server() as server:
        _fill(server, 4, 1)
        _put(server, _group('g', ['Patient/p0', 'Patient/p1']))

        def body(*patients):
            return {'resourceType': 'Parameters', 'parameter': [
                {'name': '_type', 'valueString': 'Patient'},
                *({'name': 'patient', 'valueReference': {'reference': patient}}
                  for patient in patients)]}
        manifest = _manifest(server, 'Patient/$export', body=body('Patient/p2', 'Patient/p3'))
        assert set(_resources(server, manifest)) == {'Patient/p2', 'Patient/p3'}
        manifest = _manifest(server, 'Group/g/$export', body=body('Patient/p1'))
        assert set(_resources(server, manifest)) == {'Patient/p1'}
        _refused(server, 'Group/g/$export', 'no member', body=body('Patient/p2'))
        _refused(server, 'Patient/$export', 'not here', body=body('Patient/nobody'))
        _refused(server, '$export', 'patient', body=body('Patient/p1'))
        _refused(server, 'Patient/$export?patient=Patient/p1', 'patient')
        _refused(server, 'Patient/$export', 'Parameters', body=_patient('x'))


def since_tells_what_changed_and_what_was_deleted():
    with _server() as server:
        _fill(server, 4, 2)
        before = _manifest(server, '$export')['transactionTime']
        _put(server, _fact('p0-o0', 'p0', 'changed'))
        _put(server, _fact('new', 'p1'))
        for name in ('p2-o0', 'p3-o0'):
            assert server.ask('DELETE', 'Observation/' + name).status == 204
        _put(server, _fact('p3-o0', 'p3', 'back again'))
        assert server.ask('DELETE', 'Patient/p2').status == 204
        since = '_since=' + urllib.parse.quote(before)
        manifest = _manifest(server, '$export?' + since)
        assert set(_resources(server, manifest)) == {'Observation/p0-o0', 'Observation/new',
                                                     'Observation/p3-o0'}
        assert _deleted(server, manifest) == {'Observation/p2-o0', 'Patient/p2'}
        manifest = _manifest(server, '$export?_type=Patient&' + since)
        assert _resources(server, manifest) == {}
        assert _deleted(server, manifest) == {'Patient/p2'}
        _put(server, _group('g', ['Patient/p0', 'Patient/p2']))
        manifest = _manifest(server, 'Group/g/$export?_type=Observation&' + since)
        assert set(_resources(server, manifest)) == {'Observation/p0-o0'}
        assert _deleted(server, manifest) == {'Observation/p2-o0'}
        after = _manifest(server, '$export?_type=Patient,Observation')['transactionTime']
        manifest = _manifest(server, '$export?_since=' + urllib.parse.quote(after))
        assert manifest['output'] == [] and manifest['deleted'] == []


def type_filters_are_searches():
    with _server() as server:
        _fill(server, 2, 0)
        _put(server, _fact('a', 'p0', status='final'))
        _put(server, _fact('b', 'p0', status='preliminary'))
        _put(server, _fact('c', 'p1', status='amended'))

        def path(base, *filters):
            return '%s?_type=Patient,Observation&_typeFilter=%s' % (
                base, ','.join(urllib.parse.quote(each, safe='') for each in filters))
        for base in ('$export', 'Patient/$export'):
            manifest = _manifest(server, path(base, 'Observation?status=final',
                                              'Observation?status=amended&subject=Patient/p1',
                                              'Observation?status=amended&subject=Patient/p0'))
            assert set(_resources(server, manifest)) == {
                'Patient/p0', 'Patient/p1', 'Observation/a', 'Observation/c'}
        manifest = _manifest(server, path('$export', 'Observation?status=final,preliminary'))
        assert set(_resources(server, manifest)) == {
            'Patient/p0', 'Patient/p1', 'Observation/a', 'Observation/b'}
        _refused(server, path('$export', 'Observation?colour=red'), 'colour')
        _refused(server, path('$export', 'Observation?colour=red'), 'colour', headers=LENIENT)
        _refused(server, path('$export', 'Observation?status=final&_include=*'), '_include')
        _refused(server, path('$export', 'Observation?status=final&_sort=date'), '_sort')
        _refused(server, path('$export', 'Condition?code=x'), '_typeFilter')
        _refused(server, path('$export', 'nonsense'), '_typeFilter')


def elements_leave_the_rest_out_and_say_so():
    with _server() as server:
        _put(server, _patient('p', gender='female', birthDate='1970-01-01'))
        _put(server, _fact('o', 'p'))
        found = _resources(server, _manifest(server, '$export?_elements=Patient.gender'))
        assert 'birthDate' not in found['Patient/p'] and found['Patient/p']['gender'] == 'female'
        assert found['Patient/p']['meta']['tag'][0]['code'] == 'SUBSETTED'
        assert found['Observation/o'] == server.ask('GET', 'Observation/o').json
        found = _resources(server, _manifest(server, '$export?_elements=id,Patient.birthDate'))
        assert found['Patient/p']['birthDate'] == '1970-01-01'
        assert 'subject' not in found['Observation/o']
        assert found['Observation/o']['status'] == 'final'
        _refused(server, '$export?_elements=Patient.name.family', '_elements')
        _refused(server, '$export?_elements=Patent.name', '_elements')


def refuses_by_name_what_it_does_not_support():
    with _server() as server:
        _fill(server, 1, 1)
        _refused(server, '$export', 'Prefer', headers={'Accept': 'application/fhir+json'})
        for name in ('_until', 'includeAssociatedData', 'organizeOutputBy', 'allowPartialManifests'):
            _refused(server, '$export?%s=x' % name, name)
        _refused(server, '$export?_outputFormat=text/csv', '_outputFormat')
        _refused(server, '$export?_type=Patent', '_type')
        _refused(server, '$export?_since=yesterday', '_since')
        _refused(server, 'Patient/$export?_type=Organization', '_type')
        manifest = _manifest(server, 'Patient/$export?_until=x&_type=Patient,Organization,Patent',
                             LENIENT)
        assert set(_resources(server, manifest)) == {'Patient/p0'}
        notes = ' '.join(_notes(server, manifest))
        assert '_until' in notes and 'Organization' in notes and len(manifest['error']) == 1
        switch = {'resourceType': 'Parameters', 'parameter': [
            {'name': 'allowPartialManifests', 'valueBoolean': True}]}
        _refused(server, '$export', 'allowPartialManifests', body=switch)
        manifest = _manifest(server, '$export', LENIENT, switch)
        assert 'allowPartialManifests' in _notes(server, manifest)[0]
        filtered = '$export?_typeFilter=' + urllib.parse.quote('Patient?unheardof=1', '')
        _refused(server, filtered, 'unheardof', headers=LENIENT)
        assert 'lenient' not in server.ask('GET', filtered, None, LENIENT).body.decode()
        # A lenient caller gets less than was asked for, never more.
        _refused(server, '$export?_type=Patent', '_type', headers=LENIENT)
        for form in ('application/fhir%2Bndjson', 'application/fhir+ndjson', 'ndjson',
                     'application/ndjson'):
            _manifest(server, '$export?_type=Patient&_outputFormat=' + form)


def a_binary_of_somebody_leaves_as_a_document():
    with _server() as server:
        _put(server, _patient('p'))
        binary = {'resourceType': 'Binary', 'contentType': 'text/plain', 'data': 'aGVsbG8='}
        for name in ('theirs', 'nobodys'):
            _put(server, {**binary, 'id': name})
        _put(server, {'resourceType': 'DocumentReference', 'id': 'd', 'status': 'current',
                      'subject': {'reference': 'Patient/p'},
                      'content': [{'attachment': {'url': 'Binary/theirs'}}]})
        found = _resources(server, _manifest(server, '$export'))
        assert set(found) == {'Patient/p', 'Binary/nobodys', 'DocumentReference/d',
                              'DocumentReference/binary-theirs'}
        url = found['DocumentReference/d']['content'][0]['attachment']['url']
        assert url == server.base + '/Binary/theirs', url
        assert server.ask('GET', _path(server, url)).body == b'hello'
        made = found['DocumentReference/binary-theirs']
        assert made['content'][0]['attachment'] == {'contentType': 'text/plain',
                                                    'data': 'aGVsbG8='}
        assert made['subject'] == {'reference': 'Patient/p'}
        answer = server.ask('POST', 'DocumentReference/$validate', made)
        assert 'error' not in [issue['severity'] for issue in answer.json['issue']], answer
        found = _resources(server, _manifest(server, 'Patient/$export?_type=DocumentReference'))
        assert set(found) == {'DocumentReference/d', 'DocumentReference/binary-theirs'}


def what_is_left_out_of_binaries_is_told():
    with _server() as server:
        _put(server, _patient('a'))
        for name, context in (('own', {'securityContext': {'reference': 'Patient/a'}}),
                              ('free', {})):
            _put(server, {'resourceType': 'Binary', 'id': name, 'contentType': 'text/plain',
                          'data': 'eA==', **context})
        _refused(server, 'Patient/$export?_type=Binary', 'DocumentReference')
        manifest = _manifest(server, 'Patient/$export?_type=Patient,Binary', LENIENT)
        assert set(_resources(server, manifest)) == {'Patient/a'}
        assert 'DocumentReference' in _notes(server, manifest)[0]
        manifest = _manifest(server, '$export?_type=Binary')
        assert set(_resources(server, manifest)) == {'Binary/free'}
        assert 'DocumentReference' in _notes(server, manifest)[0]
        both = '$export?_type=Binary,DocumentReference'
        manifest = _manifest(server, both)
        assert set(_resources(server, manifest)) == {'Binary/free',
                                                     'DocumentReference/binary-own'}
        assert manifest['error'] == []
        manifest = _manifest(server, both + '&_typeFilter=' +
                             urllib.parse.quote('DocumentReference?status=current', ''))
        assert set(_resources(server, manifest)) == {'Binary/free'}
        assert 'filter' in _notes(server, manifest)[0]
        manifest = _manifest(server, both + '&_typeFilter=' +
                             urllib.parse.quote('Binary?_id=free', ''))
        assert set(_resources(server, manifest)) == {'Binary/free'}, 'wider than the filter'


def content_whose_context_is_gone_leaves_in_no_file():
    with _server() as server:
        _put(server, _patient('p'))
        _put(server, {'resourceType': 'Binary', 'id': 'b', 'contentType': 'text/plain',
                      'data': 'c2VjcmV0', 'securityContext': {'reference': 'Patient/p'}})
        assert server.ask('DELETE', 'Patient/p').status == 204
        manifest = _manifest(server, '$export')
        assert 'c2VjcmV0' not in json.dumps(_resources(server, manifest))
        assert any('Binaries' in note for note in _notes(server, manifest))


def a_long_binary_is_whole():
    with _server() as server:
        content = os.urandom(3 << 20)
        answer = server.ask('PUT', 'Binary/long', content, {'Content-Type': 'application/x-any'})
        assert answer.status == 201, answer
        found = _resources(server, _manifest(server, '$export'))
        import base64  # pylint: disable=import-outside-toplevel
        assert base64.b64decode(found['Binary/long']['data']) == content


def files_come_packed_and_in_parts():
    with _server() as server:
        _fill(server, 20, 10)
        item = max(_manifest(server, '$export')['output'], key=lambda each: each['count'])
        path = _path(server, item['url'])
        plain = server.ask('GET', path)
        packed = server.ask('GET', path, headers={'Accept-Encoding': 'gzip',
                                                  'Accept': 'application/fhir+ndjson'})
        assert packed.headers['content-encoding'] == 'gzip'
        assert len(packed.body) < len(plain.body) / 2
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers['etag'] != plain.headers['etag']
        assert not plain.headers['etag'].startswith('W/')
        for headers, whole in (({}, plain), ({'Accept-Encoding': 'gzip'}, packed)):
            gathered, length = b'', len(whole.body)
            for first in range(0, length, 7001):
                part = server.ask('GET', path, headers={
                    **headers, 'Range': 'bytes=%d-%d' % (first, min(first + 7000, length - 1)),
                    'If-Range': whole.headers['etag']})
                assert part.status == 206, part
                gathered += part.body
            assert gathered == whole.body
            assert server.ask('GET', path, headers={
                **headers, 'If-None-Match': whole.headers['etag']}).status == 304
        head = server.ask('HEAD', path)
        assert head.status == 200 and int(head.headers['content-length']) == len(plain.body)
        assert server.ask('GET', path, headers={'Range': 'bytes=%d-' % len(plain.body)}).status == 416


def cancelling_removes_the_files():
    with _server() as server:
        _fill(server, 10, 10)
        job = _kick(server, '$export')
        answer = _wait(server, job)
        item = answer.json['output'][0]
        folder = os.path.join(server.folder, 'exports')
        inside = os.path.join(folder, os.listdir(folder)[0])
        for path in [folder, inside]:
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o700, path
        for name in os.listdir(inside):
            assert stat.S_IMODE(os.stat(os.path.join(inside, name)).st_mode) == 0o600, name
        answer = server.ask('DELETE', job)
        assert answer.status == 202 and answer.json['resourceType'] == 'OperationOutcome', answer
        assert server.ask('GET', job).status == 404
        assert server.ask('GET', _path(server, item['url'])).status == 404
        assert server.ask('DELETE', job).status == 404
        wait_until_empty(server, 'exports')
        job = _kick(server, '$export')
        assert server.ask('DELETE', job).status == 202
        assert server.ask('GET', job).status == 404
        wait_until_empty(server, 'exports')


def what_has_expired_is_gone():
    with _server('--export-keep', '5') as server:
        _fill(server, 2, 2)
        job = _kick(server, '$export')
        answer = _wait(server, job)
        assert answer.status == 200, answer
        path = _path(server, answer.json['output'][0]['url'])
        assert server.ask('GET', path).status == 200
        wait_until_gone(server, job)
        assert server.ask('GET', path).status == 404
        wait_until_empty(server, 'exports')


def there_is_no_way_out_of_a_job_s_folder():
    with _server() as server:
        _fill(server, 1, 1)
        job = _kick(server, '$export')
        assert _wait(server, job).status == 200
        for name in ('..', '..%2f..%2frecords.db', 'job.json', 'state.json', '1.Patient.ndjson.gz',
                     '%2e%2e/%2e%2e', 'x', '1.Patient.ndjson%00'):
            assert server.ask('GET', '%s/%s' % (job, name)).status in (400, 404), name
        assert server.ask('GET', '$export/' + str(uuid.uuid4())).status == 404
        assert server.ask('GET', '$export/..').status == 404
        assert server.ask('POST', job, {'resourceType': 'Parameters'}).status == 405


def too_many_at_once_are_refused():
    with _server('--exports', '1', '--export-threads', '1') as server:
        _fill(server, 60, 60)
        job, done = _kick(server, '$export'), 2
        answer = server.ask('GET', '$export', headers=ASYNC)
        while answer.status == 202 and done < 20:  # the first was over before this came
            job, done = _path(server, answer.headers['content-location']), done + 1
            answer = server.ask('GET', '$export', headers=ASYNC)
        assert answer.status == 429 and answer.codes() == ['throttled'], answer
        assert int(answer.headers['retry-after']) > 0
        assert _wait(server, job).status == 200
        assert _wait(server, _kick(server, '$export')).status == 200
        text = server.ask('GET', '/metrics').body.decode()
        assert 'carelayer_exports_done_total %d' % done in text, text
        assert 'carelayer_exports_kept %d' % done in text and 'carelayer_exports_running 0' in text


def who_asks_all_the_time_is_told_to_wait():
    with _server('--export-threads', '1') as server:
        _fill(server, 60, 60)
        jobs = [_kick(server, '$export') for _ in range(6)]
        seen = {server.ask('GET', jobs[-1]).status for _ in range(300)}
        assert 429 in seen or 200 in seen, seen


def one_that_needs_too_much_disk_ends_and_leaves_nothing():
    with Server(PROGRAM, '--reserve', '8M', '--export-spare', '1000000G') as server:
        _fill(server, 5, 5)
        job = _kick(server, '$export')
        answer = _wait(server, job)
        assert answer.status == 507 and answer.codes() == ['no-store'], answer
        folder = os.path.join(server.folder, 'exports')
        inside = os.path.join(folder, os.listdir(folder)[0])
        assert sorted(os.listdir(inside)) == ['job.json', 'state.json'], os.listdir(inside)
        assert _put(server, _patient('still'))
        server.stop()
        server.start()
        assert server.ask('GET', job).status == 507
        assert 'carelayer_exports_running 0' in server.ask('GET', '/metrics').body.decode()


def what_is_committed_while_it_runs_is_in_or_out_by_its_time():
    with _server() as server:
        _fill(server, 40, 40)
        over, acknowledged = threading.Event(), []

        def write():
            connection = server.connect()
            number = 0
            while not over.is_set():
                number += 1
                name = 'w%d' % (number % 200)
                answer = connection.ask('PUT', 'Observation/' + name, _fact(name, 'p1',
                                                                            'v%d' % number))
                assert answer.status in (200, 201), answer
                acknowledged.append((name, int(answer.headers['etag'][3:-1])))
            connection.close()
        writer = threading.Thread(target=write)
        writer.start()
        try:
            since, versions = None, {}
            for _ in range(6):
                seen = len(acknowledged)
                path = '$export?_type=Observation' + ('&_since=' + since if since else '')
                manifest = _manifest(server, path)
                for key, resource in _resources(server, manifest).items():
                    name, version = key[12:], int(resource['meta']['versionId'])
                    assert version > versions.get(name, 0), 'told twice'
                    versions[name] = version
                    assert resource['meta']['lastUpdated'][:-1] <= manifest['transactionTime'][:-1]
                for name, version in acknowledged[:seen]:
                    assert versions.get(name, 0) >= version, 'missing'
                since = urllib.parse.quote(manifest['transactionTime'])
        finally:
            over.set()
            writer.join()
        versions.update((key[12:], int(resource['meta']['versionId'])) for key, resource in
                        _resources(server, _manifest(
                            server, '$export?_type=Observation&_since=' + since)).items())
        for entry in server.entries('Observation?_count=500'):
            resource = entry['resource']
            assert versions[resource['id']] == int(resource['meta']['versionId']), resource['id']


def killed_exports_go_on():
    wait = random.Random(20260102)
    server = Server(PROGRAM, *OPTIONS, '--export-threads', '1')
    try:
        server.start()
        expected = _fill(server, 100, 60)
        job = _kick(server, '$export')
        gone = _kick(server, '$export')
        assert server.ask('DELETE', gone).status == 202
        files, halves = 0, 0
        for number in range(ROUNDS):
            if number > 0:
                files = _next_file(server, job, files)
            time.sleep(wait.uniform(0, 0.02))
            server.kill()
            halves += 0 < _check_parts(server) < 30
            server.start()
            assert server.ask('GET', gone).status == 404
        assert halves > 0, 'no kill met a job that was half done'
        answer = _wait(server, job)
        assert answer.status == 200, answer
        found = _resources(server, answer.json)
        assert set(found) == expected, len(set(found) ^ expected)
        time_said = answer.json['transactionTime']
        server.kill()
        server.start()
        answer = server.ask('GET', job)
        assert answer.status == 200 and answer.json['transactionTime'] == time_said, answer
        assert set(_resources(server, answer.json)) == expected
        server.stop()
    finally:
        server.discard()


def _state(server, job):
    path = os.path.join(server.folder, 'exports', job.split('/')[1], 'state.json')
    if not os.path.exists(path):
        return {'files': [], 'state': 0}
    with open(path, encoding='utf-8') as file:
        return json.load(file)


def _next_file(server, job, files):
    """Waits until a job has more files than that, or is done."""
    until = time.monotonic() + 60
    while True:
        state = _state(server, job)
        if len(state['files']) > files or state['state'] >= 3:
            return len(state['files'])
        assert time.monotonic() < until, state


def _check_parts(server):
    """What a state that was saved says is whole: every file it lists is there. How many?"""
    most = 0
    folder = os.path.join(server.folder, 'exports')
    for name in os.listdir(folder):
        path = os.path.join(folder, name, 'state.json')
        if not os.path.exists(path):
            continue
        with open(path, encoding='utf-8') as file:
            state = json.load(file)
        for item in state['files']:
            with gzip.open(os.path.join(folder, name, item['name'] + '.gz')) as file:
                text = file.read()
            assert len(text) == item['bytes'] and text.count(b'\n') == item['count'], item
        most = max(most, len(state['files']))
    return most


def is_told_in_the_capability_statement():
    with _server() as server:
        statement = server.ask('GET', 'metadata').json
        base = 'http://hl7.org/fhir/uv/bulkdata/'
        assert base + 'CapabilityStatement/bulk-data' in statement['instantiates']
        rest = statement['rest'][0]

        def definitions(operations):
            return [each['definition'] for each in operations if each['name'] == 'export']
        assert definitions(rest['operation']) == [base + 'OperationDefinition/export']
        of = {each['type']: definitions(each.get('operation', [])) for each in rest['resource']}
        assert of['Patient'] == [base + 'OperationDefinition/patient-export']
        assert of['Group'] == [base + 'OperationDefinition/group-export']
        assert of['Observation'] == []


sys.exit(tap.run(sys.modules[__name__]))
