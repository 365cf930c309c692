# SPDX-License-Identifier: MIT
"""A full disk: writes are refused clearly, reads and their entries go on in reserved space, and
when there is room again everything goes on by itself.
usage: full_disk.py PROGRAM"""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time

import access_log
from server import Server, run, tap

PROGRAM = os.path.abspath(sys.argv[1])
RESERVE = ('--reserve', '16M')
DISK = 96 << 20


@contextlib.contextmanager
def _small_disk():
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=%d' % DISK, 'tmpfs', folder],
                              capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise tap.Skipped('no small disk: %s' % made.stderr.strip())
        try:
            yield folder
        finally:
            subprocess.run(['umount', '-l', folder], check=True)


def _settle(folder):
    """Waits until the reserve is allocated: until nothing more is."""
    free, quiet = os.statvfs(folder).f_bfree, 0
    while quiet < 3:
        time.sleep(0.5)
        before, free = free, os.statvfs(folder).f_bfree
        quiet = quiet + 1 if free == before else 0


def _fill(path, leave):
    """A file that leaves so many bytes free. What the server moves meanwhile is waited for."""
    for attempt in range(20):
        _settle(os.path.dirname(path))
        status = os.statvfs(os.path.dirname(path))
        size = status.f_bavail * status.f_frsize - leave
        try:
            with open(path, 'wb') as file:
                if size > 0:
                    os.posix_fallocate(file.fileno(), 0, size)
            return
        except OSError:
            assert attempt < 19


def _patient(name, size):
    return {'resourceType': 'Patient', 'id': name, 'name': [
        {'family': name, 'text': os.urandom(size // 2).hex()}]}


def _write_until_full(server, written):
    """Until ten are refused, one after another: while the log is written into the file the disk is
    full for a moment."""
    refused = 0
    for number in range(10000):
        name = 'p%d' % number
        answer = server.ask('PUT', 'Patient/' + name, _patient(name, 50000))
        if answer.status == 201:
            written[name] = answer.json
            refused = 0
            continue
        _refused(answer)
        refused += 1
        if refused == 10:
            return answer
        time.sleep(0.2)
    raise AssertionError('the disk did not get full')


def _read_all(server, written, mark):
    for name, body in written.items():
        answer = server.ask('GET', 'Patient/' + name, headers={'X-Request-Id': mark + name})
        assert answer.status == 200, answer
        assert answer.json == body


def _goes_on(server, seconds=60):
    """Seconds until a write is taken again."""
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        answer = server.ask('PUT', 'Patient/after', _patient('after', 50000))
        if answer.status in (200, 201):
            return time.monotonic() - started
        assert answer.status == 507, answer
        time.sleep(0.2)
    raise AssertionError('no write was taken %d s after there was room: %r' % (seconds, answer))


def _refused(answer):
    assert answer.status == 507, answer
    assert answer.codes() and 'disk' in answer.body.decode(), answer


def writes_are_refused_reads_go_on_and_both_recover():
    with _small_disk() as disk:
        data = os.path.join(disk, 'data')
        server = Server(PROGRAM, *RESERVE, folder=data)
        try:
            server.start()
            _fill(os.path.join(disk, 'filler'), 6 << 20)
            written = {}
            _refused(_write_until_full(server, written))
            assert len(written) > 10, 'full too early: %d' % len(written)
            _fill(os.path.join(disk, 'rest'), 0)
            for attempt in range(5):
                name = 'late%d' % attempt
                _refused(server.ask('PUT', 'Patient/' + name, _patient(name, 50000)))
                assert server.ask('GET', 'Patient/' + name).status == 404
            _read_all(server, written, 'full-')
            assert len(server.entries('Patient?_count=10')) == len(written)
            os.unlink(os.path.join(disk, 'filler'))
            _goes_on(server)
            _read_all(server, written, 'after-')
            server.stop()
            logged = {entry['request'] for entry in access_log.read(data)}
            missing = [name for name in written
                       if 'full-' + name not in logged or 'after-' + name not in logged]
            assert not missing, missing[:5]
            if '\n  check ' in run(PROGRAM, '--help')[1]:
                assert run(PROGRAM, 'check', '--data', data)[0] == 0
        finally:
            server.discard()


def a_server_starts_on_a_full_disk_and_reads():
    with _small_disk() as disk:
        data = os.path.join(disk, 'data')
        server = Server(PROGRAM, *RESERVE, folder=data)
        try:
            server.start()
            written = {}
            _fill(os.path.join(disk, 'filler'), 6 << 20)
            _write_until_full(server, written)
            _fill(os.path.join(disk, 'rest'), 0)
            server.kill()
            server.start()
            _read_all(server, written, 'again-')
            server.stop()
            server.start()
            _read_all(server, written, 'and-again-')
            os.unlink(os.path.join(disk, 'filler'))
            _goes_on(server)
            server.stop()
        finally:
            server.discard()


def nothing_is_disclosed_once_the_reserve_is_used_up():
    with _small_disk() as disk:
        data = os.path.join(disk, 'data')
        lines = os.path.join(disk, 'people.ndjson')
        with open(lines, 'w', encoding='utf-8') as file:
            for number in range(1000):
                file.write(json.dumps({'resourceType': 'Patient', 'id': 'n%d' % number,
                                       'active': True}) + '\n')
        assert run(PROGRAM, 'import', '--data', data, *RESERVE, lines)[0] == 0
        server = Server(PROGRAM, *RESERVE, folder=data)
        try:
            server.start()
            _fill(os.path.join(disk, 'filler'), 0)
            pages = 0
            while True:
                answer = server.ask('GET', 'Patient?_count=1000&active=true')
                if answer.status != 200:
                    break
                pages += 1
                assert pages < 1000, 'the reserve does not end'
            _refused(answer)
            assert pages >= 50, 'only %d pages of entries were reserved' % pages
            assert server.ask('GET', 'Patient/n1').status in (200, 507)
            os.unlink(os.path.join(disk, 'filler'))
            until = time.monotonic() + 60
            while server.ask('GET', 'Patient?_count=1000&active=true').status != 200:
                assert time.monotonic() < until, 'reading did not go on'
                time.sleep(0.2)
            server.stop()
            entries = [entry for entry in access_log.read(data, False)
                       if entry['interaction'] == 'search-type' and entry['http'] == 200]
            assert len(entries) >= 1000 * (pages + 1), (len(entries), pages)
        finally:
            server.discard()


def an_import_says_that_the_disk_is_full_and_goes_on_later():
    with _small_disk() as disk:
        data = os.path.join(disk, 'data')
        lines = os.path.join(disk, 'people.ndjson')
        with open(lines, 'w', encoding='utf-8') as file:
            for number in range(400):
                file.write(json.dumps(_patient('n%d' % number, 40000)) + '\n')
        server = Server(PROGRAM, *RESERVE, folder=data)
        try:
            server.start()
            server.stop()
            _fill(os.path.join(disk, 'filler'), 6 << 20)
            code, told, errors = run(PROGRAM, 'import', '--data', data, *RESERVE, lines)
            assert code == 3 and 'disk is full' in told + errors, (code, told, errors)
            os.unlink(os.path.join(disk, 'filler'))
            code, told, errors = run(PROGRAM, 'import', '--data', data, *RESERVE, lines)
            assert code == 0, (code, told, errors)
            server.start()
            found = [entry['resource']['meta']['versionId'] for entry in
                     server.entries('Patient?_elements=id')]
            assert found == ['1'] * 400, (len(found), set(found))
            server.stop()
        finally:
            server.discard()


sys.exit(tap.run(sys.modules[__name__]))
