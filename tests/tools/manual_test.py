# SPDX-License-Identifier: MIT
"""docs/operate/configuration.md is what the table of settings says. Argument: the program that
prints it (tools/manual.c)."""
import os
import subprocess
import sys

import tap

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'docs', 'operate',
                    'configuration.md')


def the_configuration_page_is_current():
    printed = subprocess.run([sys.argv[1]], capture_output=True, check=True).stdout
    with open(PAGE, 'rb') as file:
        same = file.read() == printed
    assert same, 'run BUILD/tests/tools/carelayer-manual >docs/operate/configuration.md'


sys.exit(tap.run(sys.modules[__name__]))
