# SPDX-License-Identifier: MIT
"""What tests of $export and $import share: kicking off, waiting, reading what was made."""
import contextlib
import json
import os
import sys
import time

from server import Server

PROGRAM = os.path.abspath(sys.argv[1])
OPTIONS = ('--reserve', '8M', '--export-spare', '0', '--export-file', '64k')
ASYNC = {'Prefer': 'respond-async', 'Accept': 'application/fhir+json'}
LENIENT = {'Prefer': 'respond-async, handling=lenient'}


def path_of(server, url):
    assert url.startswith(server.base + '/'), (url, server.base)
    return url[len(server.base) + 1:]


def kick(server, path, headers=None, body=None):
    answer = server.ask('POST' if body else 'GET', path, body, headers or ASYNC)
    assert answer.status == 202, answer
    return path_of(server, answer.headers['content-location'])


def wait(server, job, seconds=300, pause=0.6):
    until = time.monotonic() + seconds
    while True:
        answer = server.ask('GET', job)
        if answer.status != 202:
            return answer
        assert len(answer.headers['x-progress']) < 100, answer
        assert int(answer.headers['retry-after']) >= 1, answer
        assert time.monotonic() < until, answer
        time.sleep(pause)


def wait_until_gone(server, job):
    until = time.monotonic() + 60
    while server.ask('GET', job).status != 404:
        assert time.monotonic() < until
        time.sleep(0.6)


def wait_until_empty(server, folder):
    """What a job leaves is removed after the answer that it is gone."""
    folder = os.path.join(server.folder, folder)
    until = time.monotonic() + 60
    while os.listdir(folder):
        assert time.monotonic() < until, os.listdir(folder)
        time.sleep(0.1)


def manifest_of(server, path, headers=None, body=None):
    answer = wait(server, kick(server, path, headers, body))
    assert answer.status == 200, answer
    assert answer.headers['content-type'] == 'application/json', answer
    assert 'expires' in answer.headers, answer
    return answer.json


def lines_of(server, item):
    answer = server.ask('GET', path_of(server, item['url']))
    assert answer.status == 200, answer
    assert answer.headers['content-type'] == 'application/fhir+ndjson', answer
    assert answer.body.endswith(b'\n')
    lines = [json.loads(line) for line in answer.body.decode().splitlines()]
    assert all(line['resourceType'] == item['type'] for line in lines), item
    assert len(lines) == item['count'], (len(lines), item)
    return lines


def resources_of(server, manifest):
    found = {}
    for item in manifest['output']:
        for resource in lines_of(server, item):
            key = '%s/%s' % (resource['resourceType'], resource['id'])
            assert key not in found, key
            found[key] = resource
    return found


def deleted_of(server, manifest):
    found = []
    for item in manifest['deleted']:
        for bundle in lines_of(server, item):
            assert bundle['type'] == 'transaction', bundle
            for entry in bundle['entry']:
                assert entry['request']['method'] == 'DELETE', entry
                found.append(entry['request']['url'])
    assert len(found) == len(set(found)), found
    return set(found)


def notes_of(server, manifest):
    return [issue['diagnostics'] for item in manifest['error']
            for outcome in lines_of(server, item) for issue in outcome['issue']]


def put(server, resource):
    answer = server.ask('PUT', '%s/%s' % (resource['resourceType'], resource['id']), resource)
    assert answer.status in (200, 201), answer
    return '%s/%s' % (resource['resourceType'], resource['id'])


def patient(name, **more):
    return {'resourceType': 'Patient', 'id': name, **more}


def fact(name, patient, text='x', status='final'):
    return {'resourceType': 'Observation', 'id': name, 'status': status, 'code': {'text': text},
            'subject': {'reference': 'Patient/' + patient}}


def group(name, members, **more):
    return {'resourceType': 'Group', 'id': name, 'type': 'person', 'actual': True,
            'member': [member if isinstance(member, dict) else
                       {'entity': {'reference': member}} for member in members], **more}


def fill(server, patients, facts, prefix='p'):
    """So many patients with so many observations each, twenty patients a transaction."""
    expected = set()
    for first in range(0, patients, 20):
        entries = []
        for number in range(first, min(first + 20, patients)):
            name = '%s%d' % (prefix, number)
            resources = [patient(name)] + [fact('%s-o%d' % (name, each), name, 'fact ' * 20)
                                           for each in range(facts)]
            for resource in resources:
                url = '%s/%s' % (resource['resourceType'], resource['id'])
                entries.append({'resource': resource, 'request': {'method': 'PUT', 'url': url}})
                expected.add(url)
        answer = server.ask('POST', '', {'resourceType': 'Bundle', 'type': 'transaction',
                                         'entry': entries})
        assert answer.status == 200, answer
    return expected


@contextlib.contextmanager
def serving(*options):
    with Server(PROGRAM, *OPTIONS, *options) as server:
        yield server


def refused(server, path, word, headers=None, body=None, status=400):
    answer = server.ask('POST' if body else 'GET', path, body, headers or ASYNC)
    assert answer.status == status, answer
    text = ' '.join(issue['diagnostics'] + ' '.join(issue.get('expression', []))
                    for issue in answer.json['issue'])
    assert answer.json['resourceType'] == 'OperationOutcome' and word in text, (word, answer)
