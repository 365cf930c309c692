# SPDX-License-Identifier: MIT
"""`carelayer fhirpath --cases` on the cases of suites/fhirpath: every one that implementers agree
on. fhirpath_exclusions.json says what is answered where they do not, and why; a case there that
comes out as the suite has it, or otherwise than is said, fails.

usage: spec_fhirpath.py PROGRAM SUITES
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'tools'))
import tap  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])
SUITE = os.path.join(os.environ.get('CARELAYER_SUITES', sys.argv[2]), 'fhirpath')


def _answers(cases):
    """The answers by id: 'error', or a list of (type, value)."""
    lines = ''.join(json.dumps({'id': case['id'], 'expression': case['expression'],
                                'file': case['file'] and os.path.join(SUITE, 'input', case['file'])
                                }) + '\n' for case in cases)
    run = subprocess.run([PROGRAM, 'fhirpath', '--cases', '-'], input=lines, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    assert run.returncode in (0, 1), run.returncode
    answers = {}
    for line in run.stdout.splitlines():
        row = json.loads(line)
        answers[row['id']] = 'error' if 'error' in row else [(value['type'], value['value'])
                                                             for value in row['result']]
    return answers


def _is_right(case, answer):
    if case['mustFail']:
        return answer == 'error'
    if answer == 'error' or len(answer) != len(case['output']):
        return False
    return all(value == wanted['value'] and wanted['type'] in (None, kind)
               for (kind, value), wanted in zip(answer, case['output']))


def answers_every_case_that_implementers_agree_on():
    path = os.path.join(SUITE, 'cases.json')
    if not os.path.exists(path):
        raise tap.Skipped(path + ' is not there')
    with open(path, encoding='utf-8') as file:
        cases = json.load(file)
    with open(os.path.join(HERE, 'fhirpath_exclusions.json'), encoding='utf-8') as file:
        exclusions = json.load(file)
    answers = _answers(cases)
    wrong = []
    for case in cases:
        answer = answers.get(case['id'])
        right = answer is not None and _is_right(case, answer)
        exclusion = exclusions.get(case['id'])
        if exclusion is None and not right:
            wrong.append('%s: %s gives %s' % (case['id'], case['expression'], answer))
        elif exclusion is not None and right:
            wrong.append('%s passes now: take it out of the exclusions' % case['id'])
        elif exclusion is not None and not case['contested']:
            wrong.append('%s is contested by nobody: it may not be excluded' % case['id'])
        elif exclusion is not None and exclusion['expect'] not in (
                answer, answer if answer == 'error' else [value for _, value in answer]) \
                and exclusion['expect'] != len(answer):
            wrong.append('%s: %s, which the exclusions do not say' % (case['id'], answer))
    print('# %d cases, %d of them excluded' % (len(cases), len(exclusions)))
    assert not wrong, '\n'.join(wrong)


if __name__ == '__main__':
    sys.exit(tap.run(sys.modules[__name__]))
