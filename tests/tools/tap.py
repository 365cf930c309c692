# SPDX-License-Identifier: MIT
"""Runs every function of a module whose name does not start with an underscore, as one TAP case."""
import inspect
import traceback


class Skipped(Exception):
    """Raised by a case that cannot run here; says why."""


def run(module):
    cases = [(name, case) for name, case in vars(module).items()
             if inspect.isfunction(case) and case.__module__ == module.__name__
             and not name.startswith('_')]
    print('1..%d' % len(cases))
    failed = 0
    for number, (name, case) in enumerate(cases, 1):
        try:
            case()
            print('ok %d - %s' % (number, name), flush=True)
        except Skipped as why:
            print('ok %d - %s # SKIP %s' % (number, name, why), flush=True)
        except Exception:  # a test may fail in any way
            failed += 1
            print('not ok %d - %s' % (number, name))
            for line in traceback.format_exc().splitlines():
                print('# ' + line)
    return 1 if failed else 0
