# SPDX-License-Identifier: MIT
"""docs/search.md is what the tables of search say, and each test that it names is there. Arguments:
the program that prints it (tools/search_table.c), the definitions."""
import os
import re
import subprocess
import sys

import tap

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')


def _page():
    with open(os.path.join(ROOT, 'docs', 'search.md'), 'rb') as file:
        return file.read()


def the_search_page_is_current():
    printed = subprocess.run(sys.argv[1:3], capture_output=True, check=False)
    assert printed.returncode == 0, printed.stderr.decode()
    assert _page() == printed.stdout, \
        'run BUILD/tests/tools/carelayer-search-table DEFINITIONS >docs/search.md'


def each_test_that_the_search_page_names_is_there():
    known = set()
    for folder in ('unit', 'system'):
        for name in os.listdir(os.path.join(ROOT, 'tests', folder)):
            path = os.path.join(ROOT, 'tests', folder, name)
            if name.endswith(('.c', '.py')):
                with open(path, encoding='utf-8') as file:
                    known |= set(re.findall(r'^(?:static void|def) (\w+)\(', file.read(), re.M))
    named = set(re.findall(r'`([a-z]+(?:_[a-z]+){2,})`', _page().decode()))
    assert named and not named - known, sorted(named - known)


sys.exit(tap.run(sys.modules[__name__]))
