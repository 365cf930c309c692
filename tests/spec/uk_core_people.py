#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Synthetic people against UK Core: judged without an error, and taken in at the door.

usage: uk_core_people.py CARELAYER PACKAGE.tgz [PEOPLE]
"""
import glob
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
import tap  # noqa: E402

PROGRAM, PACKAGE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
PEOPLE = sys.argv[3] if len(sys.argv) > 3 else '20'


def _run(*words, codes=(0,)):
    run = subprocess.run([PROGRAM, *words], capture_output=True, text=True)
    if run.returncode not in codes:
        raise AssertionError(f'{words[0]} ended with {run.returncode}: {run.stderr[-600:]}')
    return run


def _people(folder):
    if not os.path.exists(PACKAGE):
        raise tap.Skipped('the UK Core package is not there')
    out = os.path.join(folder, 'people')
    _run('synth', '--people', PEOPLE, '--seed', '11', '--out', out, '--format', 'ndjson')
    return sorted(glob.glob(os.path.join(out, '*.ndjson')))


def synthetic_people_have_no_error_against_uk_core():
    with tempfile.TemporaryDirectory() as folder:
        declared = 0
        for path in _people(folder):
            with open(path, encoding='utf-8') as lines:
                declared += sum('StructureDefinition/UKCore-' in line for line in lines)
            run = _run('validate', '--json', '--package', PACKAGE, path, codes=(0, 1))
            for line in filter(None, run.stdout.split('\n')):
                for issue in json.loads(line)['issue']:
                    assert issue['severity'] not in ('error', 'fatal'), (path, issue)
                    assert 'profile-unknown' not in str(issue.get('details')), (path, issue)
        assert declared > int(PEOPLE), declared


def synthetic_people_enter_with_uk_core_loaded():
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, 'data')
        files = _people(folder)
        _run('import', '--data', data, '--package', PACKAGE, '--test-numbers', 'on', *files)
        with open(os.path.join(data, 'rejects.ndjson'), encoding='utf-8') as rejects:
            assert rejects.read() == ''


sys.exit(tap.run(sys.modules[__name__]))
