# SPDX-License-Identifier: MIT
"""A data folder that cannot be used is refused in words, and nothing in it is touched.
usage: data_folder.py PROGRAM"""
import os
import sys
import tempfile

from server import Server, run, tap

PROGRAM = os.path.abspath(sys.argv[1])
RESERVE = ('--reserve', '8M')


def _refused(text, *arguments):
    code, _, errors = run(PROGRAM, *arguments, timeout=60)
    assert code in (1, 3), (arguments[0], code, errors)
    assert text in errors, (arguments[0], errors)


def a_folder_has_one_writer():
    with Server(PROGRAM, *RESERVE) as server, tempfile.TemporaryDirectory() as other:
        assert server.ask('PUT', 'Patient/p', {'resourceType': 'Patient', 'id': 'p'}).status == 201
        lines = os.path.join(other, 'p.ndjson')
        with open(lines, 'w', encoding='utf-8') as file:
            file.write('{"resourceType":"Patient","id":"q"}\n')
        text = 'Another carelayer process'
        data = ('--data', server.folder)
        _refused(text, 'serve', *data, '--port', '0')
        _refused(text, 'import', *data, lines)
        _refused(text, 'export', *data, '--out', os.path.join(other, 'out'))
        _refused(text, 'reindex', *data)
        _refused(text, 'migrate', *data)
        assert run(PROGRAM, 'check', *data)[0] == 0
        assert server.ask('GET', 'Patient/p').status == 200
        assert server.ask('GET', 'Patient/q').status == 404


def what_is_not_there_is_not_made_by_those_who_read():
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'none')
        _refused('There are no records', 'export', '--data', data, '--out',
                 os.path.join(folder, 'out'))
        _refused('There are no records', 'check', '--data', data)
        _refused('There are no records', 'backup', '--data', data, os.path.join(folder, 'b'))
        assert os.listdir(folder) == [], os.listdir(folder)


def a_file_is_no_folder():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'file')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('mine')
        _refused('cannot be made', 'serve', '--data', path, '--port', '0')
        _refused('cannot be made', 'serve', '--data', os.path.join(path, 'under'), '--port', '0')
        with open(path, encoding='utf-8') as file:
            assert file.read() == 'mine'


def another_programs_file_is_left_alone():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'records.db')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('no database' * 1000)
        _refused('restore a backup', 'serve', '--data', folder, '--port', '0')
        with open(path, encoding='utf-8') as file:
            assert file.read() == 'no database' * 1000


def a_folder_that_may_not_be_read_is_told_from_an_empty_one():
    with tempfile.TemporaryDirectory() as folder:
        backup = os.path.join(folder, 'backup')
        data = os.path.join(folder, 'data')
        with Server(PROGRAM, *RESERVE, folder=data):
            assert run(PROGRAM, 'backup', '--data', data, backup)[0] == 0
        with open(os.path.join(folder, 'file'), 'w', encoding='utf-8') as file:
            file.write('mine')
        _refused('could not be written', 'restore', '--data',
                 os.path.join(folder, 'file', 'under'), backup)
        # For whoever may read all, a folder in the place of the file is as good as no rights.
        os.remove(os.path.join(data, 'records.db'))
        os.mkdir(os.path.join(data, 'records.db'))
        _refused('cannot be read', 'check', '--data', data)
        _refused('cannot be read', 'backup', '--data', data, os.path.join(folder, 'second'))


def a_backup_is_one_file_wherever_it_lies():
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        kept = os.path.join(folder, 'kept')
        os.mkdir(kept)
        backup = os.path.join(kept, 'backup')
        with Server(PROGRAM, *RESERVE, folder=data) as server:
            server.ask('PUT', 'Patient/p', {'resourceType': 'Patient', 'id': 'p'})
            assert run(PROGRAM, 'backup', '--data', data, backup)[0] == 0
        with open(backup, 'rb') as file:
            assert file.read(20)[18:] == b'\1\1'  # no log goes with it
        assert os.listdir(kept) == ['backup'], os.listdir(kept)
        assert run(PROGRAM, 'restore', '--data', os.path.join(folder, 'new'), backup)[0] == 0
        assert os.listdir(kept) == ['backup'], os.listdir(kept)
        with Server(PROGRAM, *RESERVE, folder=os.path.join(folder, 'new')) as server:
            assert server.ask('GET', 'Patient/p').status == 200


def a_damaged_backup_is_bad_input_and_restores_nothing():
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        backup = os.path.join(folder, 'backup')
        with Server(PROGRAM, *RESERVE, folder=data) as server:
            server.ask('PUT', 'Patient/p', {'resourceType': 'Patient', 'id': 'p'})
            assert run(PROGRAM, 'backup', '--data', data, backup)[0] == 0
        with open(backup, 'r+b') as file:
            file.seek(20000)
            file.write(b'damaged' * 3000)
        code, _, errors = run(PROGRAM, 'restore', '--data', os.path.join(folder, 'new'), backup)
        assert code == 1 and 'damaged' in errors, (code, errors)
        assert not os.path.exists(os.path.join(folder, 'new', 'records.db'))


def records_are_not_restored_beside_what_is_left_of_others():
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        backup = os.path.join(folder, 'backup')
        server = Server(PROGRAM, *RESERVE, folder=data)
        try:
            server.start()
            assert run(PROGRAM, 'backup', '--data', data, backup)[0] == 0
            for number in range(20):
                name = 'p%d' % number
                server.ask('PUT', 'Patient/' + name, {'resourceType': 'Patient', 'id': name})
            server.kill()
        finally:
            server.discard()
        os.remove(os.path.join(data, 'records.db'))
        assert os.path.getsize(os.path.join(data, 'records.db-wal')) > 0
        _refused('Restore into a new folder', 'restore', '--data', data, backup)
        new = os.path.join(folder, 'new')
        assert run(PROGRAM, 'restore', '--data', new, backup)[0] == 0
        assert run(PROGRAM, 'check', '--data', new)[0] == 0


sys.exit(tap.run(sys.modules[__name__]))
