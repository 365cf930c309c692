# SPDX-License-Identifier: MIT
"""What stands on the command line is read as it is meant, or refused in words.
usage: command_line.py PROGRAM"""
import os
import signal
import subprocess
import sys
import tempfile

from server import run, tap

PROGRAM = os.path.abspath(sys.argv[1])


def _usage(text, *arguments):
    code, _, errors = run(PROGRAM, *arguments, timeout=60)
    assert code == 2, (arguments, code, errors)
    assert text in errors, (arguments, errors)


def _announced(*options):
    """What a server says that it serves."""
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([PROGRAM, 'serve', '--data', os.path.join(folder, 'data'),
                                   '--reserve', '8M', '--port', '0', *options],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            line = server.stdout.readline().decode()
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0, line
        finally:
            server.kill()
            server.stdout.close()
    return line


def every_subcommand_explains_itself_on_stdout():
    overview = run(PROGRAM, '--help')
    assert overview[0] == 0 and overview[2] == '', overview
    names = [line.split()[0] for line in overview[1].splitlines() if line.startswith('  ')]
    assert 'serve' in names and 'fhirpath' in names, names
    for name in names:
        code, out, errors = run(PROGRAM, name, '--help')
        assert (code, errors) == (0, '') and 'carelayer %s' % name in out, (name, code, errors)


def a_file_of_settings_is_named_in_either_way():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'settings')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('data = %s/none\n' % folder)
        for option in (['--config', path], ['--config=' + path]):
            code, _, errors = run(PROGRAM, 'check', *option)
            assert code == 1 and 'There are no records' in errors, (option, code, errors)


def a_setting_without_its_value_is_refused():
    _usage('needs a value', 'check', '--data', 'x', '--config')
    _usage('needs a value', 'check', '--data')
    _usage('cannot be read', 'check', '--config', '/none/such')


def what_a_subcommand_does_not_take_is_refused():
    _usage('takes options only', 'migrate', '--data', 'x', 'y')
    _usage('takes options only', 'check', '--data', 'x', 'y')
    _usage('no such option', 'check', '--data', 'x', '--port', '1')


def _write_patients(path, count):
    with open(path, 'w', encoding='utf-8') as file:
        file.write('{"resourceType":"Patient","id":"p"}\n' * count)


def what_is_printed_and_does_not_arrive_is_no_success():
    with tempfile.TemporaryDirectory() as folder:
        one = os.path.join(folder, 'one.json')
        many = os.path.join(folder, 'many.ndjson')
        _write_patients(one, 1)
        _write_patients(many, 300)
        for arguments in (['--help'], ['import', '--help'], ['validate', '--json', one],
                          ['validate', '--json', many], ['fhirpath', 'id', one],
                          ['import', '--data', os.path.join(folder, 'data'), '--reserve', '8M',
                           one]):
            with open('/dev/full', 'w', encoding='utf-8') as full:
                ended = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE,
                                       check=False)
            assert ended.returncode == 3, (arguments, ended)
            assert b'output cannot be written' in ended.stderr, (arguments, ended)


def nothing_is_printed_into_files_when_standard_descriptors_are_closed():
    with tempfile.TemporaryDirectory() as folder:
        one = os.path.join(folder, 'one.json')
        data = os.path.join(folder, 'data')
        _write_patients(one, 1)
        command = 'exec "$0" import --data "$1" --reserve 8M "$2" <&- >&- 2>&-'
        code = subprocess.run(['sh', '-c', command, PROGRAM, data, one], check=False).returncode
        assert code == 3, code
        for name in ('records.lock', 'rejects.ndjson'):
            assert os.path.getsize(os.path.join(data, name)) == 0, name
        assert run(PROGRAM, 'check', '--data', data)[0] == 0


def a_rejects_file_that_cannot_be_written_is_told():
    with tempfile.TemporaryDirectory() as folder:
        one = os.path.join(folder, 'one.json')
        _write_patients(one, 1)
        code, _, errors = run(PROGRAM, 'import', '--data', os.path.join(folder, 'data'),
                              '--reserve', '8M', '--rejects', os.path.join(folder, 'no', 'r'), one)
        assert code in (1, 3) and 'rejects file cannot be written' in errors, (code, errors)


def an_address_of_version_six_is_told_as_one_can_use_it():
    line = _announced('--host', '::1')
    assert line.startswith('carelayer serves http://[::1]:'), line


def a_base_that_is_no_address_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        for base in ('example.org/fhir', 'https://', 'ftp://example.org/fhir',
                     'https://example.org/fhir?x=1', 'nonsense', 'https://example.org/a b',
                     'https://example.org/"x', 'https://user@example.org/fhir'):
            data = os.path.join(folder, 'data')
            for arguments in (['serve', '--port', '0'], ['import', '/none/such']):
                code, _, errors = run(PROGRAM, *arguments, '--data', data, '--reserve', '8M',
                                      '--base-url', base, timeout=60)
                assert code == 2 and 'Give the whole address' in errors, (base, code, errors)
            assert not os.path.exists(data), 'refused before anything is made'


sys.exit(tap.run(sys.modules[__name__]))
