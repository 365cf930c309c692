# SPDX-License-Identifier: MIT
"""Who has an access entry by an $export: of files, of the manifest, of what was asked.
usage: bulk_export_log.py PROGRAM"""
import json
import sys
import urllib.parse
import uuid

import access_log
from exports import (ASYNC, fact as _fact, fill as _fill, group as _group, kick as _kick,
                     manifest_of as _manifest, path_of as _path, patient as _patient, put as _put,
                     serving as _server, wait as _wait)
from server import tap


def each_person_in_what_was_fetched_has_an_entry():
    with _server() as server:
        _fill(server, 40, 12)
        _put(server, {'resourceType': 'Organization', 'id': 'org', 'name': 'O'})
        numbers = {}
        for number in range(40):
            request = 'n-%d' % number
            server.ask('GET', 'Patient/p%d' % number, headers={'X-Request-Id': request})
            numbers[request] = None
        for entry in access_log.read(server.folder, False):
            if entry['request'] in numbers:
                numbers[entry['request']] = entry['patient']
        assert None not in numbers.values()

        def fetched(item, headers):
            request = 'f-%s' % uuid.uuid4()
            answer = server.ask('GET', _path(server, item['url']),
                                headers={**headers, 'X-Request-Id': request})
            entries = [entry for entry in access_log.read(server.folder, False)
                       if entry['request'] == request]
            persons = [entry['patient'] for entry in entries if entry['patient'] != 0]
            assert len(persons) == len(set(persons)), entries
            return answer, set(persons)

        def of(lines):
            names = {line['id'] if line['resourceType'] == 'Patient'
                     else line['subject']['reference'][8:] for line in lines}
            return {numbers['n-' + name[1:]] for name in names}
        manifest = _manifest(server, '$export')
        assert manifest['output']
        log = access_log.read(server.folder, False)
        assert not [entry for entry in log if entry['interaction'] == 'export-file'], 'too early'
        for item in manifest['output']:
            answer, persons = fetched(item, {})
            lines = [json.loads(line) for line in answer.body.decode().splitlines()]
            if item['type'] == 'Organization':
                assert persons == set()
                continue
            assert persons == of(lines), (item, persons ^ of(lines))
            _, persons = fetched(item, {'Accept-Encoding': 'gzip'})
            assert persons == of(lines)
            third = len(answer.body) // 3
            part, persons = fetched(item, {'Range': 'bytes=%d-%d' % (third, 2 * third)})
            assert part.status == 206
            inside = part.body[part.body.index(b'\n') + 1:part.body.rindex(b'\n')]
            seen = of([json.loads(line) for line in inside.splitlines()])
            assert seen <= persons and len(persons) <= len(of(lines)), (seen, persons)
        item = [each for each in manifest['output'] if each['type'] == 'Patient'][0]
        _, persons = fetched(item, {'Range': 'bytes=0-10'})
        assert len(persons) == 1, persons


def whoever_is_told_of_without_a_file_has_an_entry():
    """What a manifest counts is told of somebody, whether or not its files are fetched."""
    with _server() as server:
        numbers = {}
        for name in 'abcd':
            _put(server, _patient(name))
            request = 'n-' + name
            server.ask('GET', 'Patient/' + name, headers={'X-Request-Id': request})
        _put(server, _fact('fact', 'a', 'rare'))
        _put(server, _group('two', ['Patient/a', 'Patient/b']))
        _put(server, _group('found', ['Patient/c'], modifierExtension=[{
            'url': 'http://hl7.org/fhir/uv/bulkdata/StructureDefinition/member-filter',
            'valueExpression': {'language': 'application/x-fhir-query',
                                'expression': 'Patient?_id=c'}}]))
        for entry in access_log.read(server.folder, False):
            if entry['request'].startswith('n-'):
                numbers[entry['request'][2:]] = entry['patient']
        assert len(numbers) == 4, numbers

        def told(method, path, headers=None, body=None):
            request = 't-%s' % uuid.uuid4()
            answer = server.ask(method, path, body, {**(headers or {}), 'X-Request-Id': request})
            persons = {entry['patient'] for entry in access_log.read(server.folder, False)
                       if entry['request'] == request} - {0}
            return answer, {name for name, number in numbers.items() if number in persons}

        def body(*names):
            return {'resourceType': 'Parameters', 'parameter': [
                {'name': 'patient', 'valueReference': {'reference': 'Patient/' + name}}
                for name in names]}
        filtered = '&_typeFilter=' + urllib.parse.quote('Observation?subject=Patient/b', '')
        identified = '?_typeFilter=' + urllib.parse.quote('Patient?_id=d', '')
        for path, sent, begun, ended, count in (
                ('Patient/$export?_type=Observation', body('b'), 'b', 'b', 0),
                ('Patient/$export?_type=Observation', body('a'), 'a', 'a', 1),
                ('$export?_type=Observation' + filtered, None, 'b', '', 0),
                ('Group/two/$export?_type=Observation', None, '', 'ab', 1),
                ('Group/found/$export?_type=Observation', None, '', 'c', 0),
                ('Group/two/$export' + identified + '&_type=Patient', None, 'd', 'ab', 0),
                ('$export?_type=Observation', None, '', 'a', 1)):
            kicked, names = told('POST' if sent else 'GET', path, ASYNC, sent)
            assert kicked.status == 202 and names == set(begun), (path, names)
            job = _path(server, kicked.headers['content-location'])
            assert _wait(server, job).status == 200
            answer, names = told('GET', job)
            assert names == set(ended), (path, names)
            assert sum(item['count'] for item in answer.json['output']) == count, answer
            for item in answer.json['output']:
                answer, names = told('HEAD', _path(server, item['url']))
                assert answer.status == 200 and names == {'a'}, (path, names)

        # ... of many as a number, after a restart too
        _fill(server, 120, 1)
        job = _kick(server, '$export?_type=Observation')
        assert _wait(server, job).status == 200
        server.stop()
        server.start()
        request = 'many'
        answer = server.ask('GET', job, headers={'X-Request-Id': request})
        assert sum(item['count'] for item in answer.json['output']) == 121, answer
        entries = [entry for entry in access_log.read(server.folder, False)
                   if entry['request'] == request]
        assert [(entry['patient'], entry['resources']) for entry in entries] == [(0, 121)], entries


def how_far_it_is_tells_of_nobody():
    with _server() as server:
        _put(server, _patient('a'))
        _put(server, _fact('fact', 'a'))
        for _ in range(20):
            job = _kick(server, '$export')
            seen = set()
            answer = server.ask('GET', job)
            while answer.status == 202:
                seen.add(answer.headers['x-progress'])
                answer = server.ask('GET', job)
            assert not [text for text in seen if 'waiting' not in text and
                        any(letter.isdigit() for letter in text)], seen


sys.exit(tap.run(sys.modules[__name__]))
