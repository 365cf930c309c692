# SPDX-License-Identifier: MIT
"""Pages to the end with a client that nobody here wrote while a writer changes what is paged.
usage: paging.py PROGRAM [RESOURCES]    how many there are to page through (2000)"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading

from server import Server, run, tap

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.join(HERE, '..', '..', '.cache', 'clients', 'node_modules')
PROGRAM = os.path.abspath(sys.argv[1])
COUNT = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
FAMILIES = ['Ash', 'Birch', 'Cedar', 'Elm', 'Fir', 'Hazel', 'Oak', 'Rowan', 'Yew']
folder = tempfile.mkdtemp(prefix='carelayer-paging-')


def _patient(number, family):
    return {'resourceType': 'Patient', 'id': 'p%06d' % number,
            'name': [{'family': FAMILIES[family % len(FAMILIES)]}],
            'birthDate': '19%02d-01-01' % (number % 90 + 10)}


class _Writer(threading.Thread):
    """Updates, deletes and creates until it is told to stop; knows which it left alone."""

    def __init__(self, server):
        super().__init__()
        self.server = server
        self.over = threading.Event()
        self.random = random.Random(7)
        self.updated, self.deleted, self.created = set(), set(), set()
        self.failure = None

    def run(self):
        try:
            while not self.over.is_set():
                self._step()
        except Exception as failure:  # told by whoever joins
            self.failure = failure

    def _step(self):
        number, kind = self.random.randrange(COUNT), self.random.random()
        if kind < 0.25:
            number += COUNT  # beside those that are there: created, then updated
            self.created.add('p%06d' % number)
        elif kind < 0.4:
            self.deleted.add('p%06d' % number)
            assert self.server.ask('DELETE', 'Patient/p%06d' % number).status in (200, 204)
            return
        else:
            self.updated.add('p%06d' % number)
        answer = self.server.ask('PUT', 'Patient/p%06d' % number,
                                 _patient(number, self.random.randrange(100)))
        assert answer.status in (200, 201), answer


def _loaded():
    """A folder with COUNT patients."""
    data = os.path.join(folder, 'data')
    if not os.path.exists(data):
        path = os.path.join(folder, 'patients.ndjson')
        with open(path, 'w', encoding='ascii') as file:
            for number in range(COUNT):
                file.write(json.dumps(_patient(number, number)) + '\n')
        code, _, errors = run(PROGRAM, 'import', '--data', data, '--reserve', '8M', path)
        assert code == 0, errors
    return data


def _paged(query):
    """Ids in the order the client saw them, and the writer that wrote meanwhile."""
    if shutil.which('node') is None or not os.path.isdir(MODULES):
        raise tap.Skipped('no clients: run tests/system/clients/fetch')
    with Server(PROGRAM, '--reserve', '8M', folder=_loaded()) as server:
        before = {entry['resource']['id'] for entry in
                  server.entries('Patient?_elements=id&_count=1000')}
        writer = _Writer(server)
        writer.start()
        try:
            ended = subprocess.run(['node', os.path.join(HERE, 'clients', 'page.js'), server.base,
                                    query], env=dict(os.environ, NODE_PATH=MODULES),
                                   capture_output=True, text=True, timeout=1800, check=False)
        finally:
            writer.over.set()
            writer.join()
        assert ended.returncode == 0, ended.stderr
        assert writer.failure is None, writer.failure
        assert writer.updated and writer.deleted and writer.created
    return before, [line.split()[0] for line in ended.stdout.splitlines()], writer


def everybody_comes_once_in_the_order_of_ids():
    before, seen, writer = _paged('Patient?_sort=_id&_count=100')
    assert len(set(seen)) == len(seen), 'somebody came twice'
    assert seen == sorted(seen)
    missing = before - writer.deleted - set(seen)
    assert not missing, '%d of %d missed' % (len(missing), len(before))
    assert set(seen) - before <= writer.created | writer.deleted  # what was deleted may be put again


def who_did_not_change_comes_once_whatever_is_sorted_by():
    for sort in ('family', '-_lastUpdated', 'birthdate,-family'):
        before, seen, writer = _paged('Patient?_sort=%s&_count=100' % sort)
        alone = before - writer.deleted - writer.updated - writer.created
        counts = {one: 0 for one in alone}
        for one in seen:
            if one in counts:
                counts[one] += 1
        wrong = sum(1 for count in counts.values() if count != 1)
        assert not wrong, '%s: %d of %d unchanged not seen once' % (sort, wrong, len(alone))


try:
    sys.exit(tap.run(sys.modules[__name__]))
finally:
    shutil.rmtree(folder, ignore_errors=True)
