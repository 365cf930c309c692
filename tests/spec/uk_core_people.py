#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Synthetic people against UK Core: judged without an error, and taken in at the door.

usage: uk_core_people.py CARELAYER PACKAGE.tgz [PEOPLE]

What is printed grows with the people, so it is read as it comes; lines that begin with # tell how
far it has got.
"""
import glob
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
import tap  # noqa: E402

PROGRAM, PACKAGE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
PEOPLE = sys.argv[3] if len(sys.argv) > 3 else '20'
TOLD_EVERY = 20.0  # seconds
FOLDER = tempfile.TemporaryDirectory()  # of this run; gone at its end


def _tell(text):
    print('# ' + text, flush=True)


def _run(*words):
    run = subprocess.run([PROGRAM, *words], capture_output=True, text=True)
    if run.returncode != 0:
        raise AssertionError(f'{words[0]} ended with {run.returncode}: {run.stderr[-600:]}')
    return run.stdout


def _people():
    """The files of the people, made once."""
    if not os.path.exists(PACKAGE):
        raise tap.Skipped('the UK Core package is not there')
    out = os.path.join(FOLDER.name, 'people')
    if not os.path.isdir(out):
        begin = time.monotonic()
        _run('synth', '--people', PEOPLE, '--seed', '11', '--out', out, '--format', 'ndjson')
        _tell(f'{PEOPLE} people made in {time.monotonic() - begin:.0f} s')
    return sorted(glob.glob(os.path.join(out, '*.ndjson')))


def _judge(path):
    """Yields each OperationOutcome of the resources in PATH, as text, as soon as it is there."""
    words = [PROGRAM, 'validate', '--json', '--package', PACKAGE, path]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as run:
        yield from filter(None, (line.rstrip('\n') for line in run.stdout))
    if run.returncode not in (0, 1):
        raise AssertionError(f'validate ended with {run.returncode}')


def _check_outcome(path, text):
    if not any(word in text for word in ('"error"', '"fatal"', 'profile-unknown')):
        return  # nearly all: they need not be parsed
    for issue in json.loads(text)['issue']:
        assert issue['severity'] not in ('error', 'fatal'), (path, issue)
        assert 'profile-unknown' not in str(issue.get('details')), (path, issue)


def synthetic_people_have_no_error_against_uk_core():
    files = _people()
    resources = declared = 0
    begin = told = time.monotonic()
    for path in files:
        with open(path, encoding='utf-8') as lines:
            declared += sum('StructureDefinition/UKCore-' in line for line in lines)
        for text in _judge(path):
            _check_outcome(path, text)
            resources += 1
            if time.monotonic() - told > TOLD_EVERY:
                told = time.monotonic()
                _tell(f'{resources:,} judged, now of {os.path.basename(path)}')
    seconds = time.monotonic() - begin
    _tell(f'{resources:,} resources judged in {seconds:.0f} s, {declared:,} declare UK Core')
    assert declared > int(PEOPLE), declared
    assert resources >= declared, resources


def synthetic_people_enter_with_uk_core_loaded():
    data = os.path.join(FOLDER.name, 'data')
    files = _people()
    said = _run('import', '--data', data, '--package', PACKAGE, '--test-numbers', 'on', *files)
    _tell(said.strip().split('\n')[0])
    with open(os.path.join(data, 'rejects.ndjson'), encoding='utf-8') as rejects:
        assert rejects.read() == ''


sys.exit(tap.run(sys.modules[__name__]))
