# SPDX-License-Identifier: MIT
"""tools/results against logs of programs that pass, fail, crash and leak."""
import json
import os
import subprocess
import sys
import tempfile

import tap

RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools', 'results')


def _line(case, *events):
    return ''.join('[ %s ] %s\n' % (event.center(8) if event == 'RUN' else event.rjust(8), case)
                   for event in events)


def _last_line(*records, name='gcc', path=None):
    """What the program says last about these records of Meson's, and its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, 'testlog.json')
        with open(log, 'w', encoding='utf-8') as file:
            for record in records:
                file.write(json.dumps({'name': 'a', 'stdout': '', **record}) + '\n')
        answer = subprocess.run(
            [sys.executable, RESULTS, '%s=%s' % (name, log if path is None else path)],
            capture_output=True, text=True, check=False)
        assert answer.stderr == '', answer.stderr
        return answer.stdout.splitlines()[-1], answer.returncode


def counts_the_cases_of_a_program():
    output = '[==========] Running 2 test(s).\n' + _line('a', 'RUN', 'OK') + \
        _line('b', 'RUN', 'OK') + '[==========] 2 test(s) run.\n[  PASSED  ] 2 test(s).\n'
    assert _last_line({'result': 'OK', 'stdout': output}) == ('2 passed, 0 failed', 0)


def counts_a_failed_case_once():
    output = _line('a', 'RUN', 'OK') + _line('b', 'RUN') + '[  FAILED  ] b\n' + \
        '[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] b\n'
    assert _last_line({'result': 'FAIL', 'stdout': output}) == ('1 passed, 1 failed', 1)


def counts_the_case_that_the_program_died_in():
    output = _line('a', 'RUN', 'OK') + _line('b', 'RUN')
    assert _last_line({'result': 'FAIL', 'stdout': output}) == ('1 passed, 1 failed', 1)


def counts_a_leak_after_the_last_case():
    assert _last_line({'result': 'FAIL', 'stdout': _line('a', 'RUN', 'OK')}) == \
        ('1 passed, 1 failed', 1)


def does_not_count_what_was_skipped():
    output = _line('a', 'RUN', 'OK') + _line('b', 'RUN', 'SKIPPED')
    assert _last_line({'result': 'OK', 'stdout': output}) == ('1 passed, 0 failed', 0)


def counts_tap_lines():
    output = '1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no\n'
    assert _last_line({'result': 'FAIL', 'stdout': output}) == ('1 passed, 1 failed', 1)


def counts_the_leaves_of_nested_tap():
    output = '    ok 1 - a\n    ok 2 - b\nok 1 - file\nok 2 - c\n'
    assert _last_line({'result': 'OK', 'stdout': output}) == ('3 passed, 0 failed', 0)


def counts_any_other_program_as_one():
    assert _last_line({'result': 'OK'}, {'result': 'TIMEOUT'}) == ('1 passed, 1 failed', 1)


def counts_a_build_that_failed():
    assert _last_line(path='') == ('0 passed, 1 failed', 1)


def is_not_content_with_no_test_at_all():
    assert _last_line() == ('0 passed, 0 failed', 1)


sys.exit(tap.run(sys.modules[__name__]))
