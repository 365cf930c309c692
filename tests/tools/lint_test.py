# SPDX-License-Identifier: MIT
"""Each rule of tools/lint against a small tree that keeps it and one that breaks it."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import tap

LINT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools', 'lint')
LICENCE = '/* SPDX-License-Identifier: MIT */\n'
MESON = ("# SPDX-License-Identifier: MIT\nmodules = [\n  ['base', []],\n  ['store', []],\n"
         "  ['http', []],\n]\n")
SOURCES = "# SPDX-License-Identifier: MIT\nsources = files('a.c')\n"


def _broken(files):
    """The rules that a tree of these files breaks."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in {'meson.build': MESON, 'src/meson.build': SOURCES,
                           **files}.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), 'w', encoding='utf-8') as file:
                file.write(text)
        answer = subprocess.run([sys.executable, LINT, '--root', root], capture_output=True,
                                text=True, check=False)
        assert answer.stderr == '', answer.stderr
        broken = re.findall(r'^not ok \d+ - (\w+)', answer.stdout, re.MULTILINE)
        assert (answer.returncode == 1) == bool(broken)
        return broken


def _c(body):
    return LICENCE + body


def accepts_a_tree_that_keeps_every_rule():
    assert _broken({'src/store/a.c': _c('#include "base/base.h"\n#include "store_int.h"\n')}) == []


def refuses_a_file_without_licence():
    assert _broken({'src/store/a.c': 'int x;\n'}) == ['begins_with_its_licence']


def refuses_an_include_of_a_module_below():
    assert _broken({'src/store/a.c': _c('#include "http/http.h"\n')}) == \
        ['includes_only_modules_above']


def refuses_an_include_of_another_modules_part():
    assert _broken({'src/http/a.c': _c('#include "store/store_int.h"\n')}) == \
        ['includes_only_modules_above']


def refuses_yyjson_past_base():
    assert _broken({'src/http/a.c': _c('#include <yyjson.h>\n')}) == ['reads_json_through_base']


def refuses_a_long_file():
    assert _broken({'src/http/a.c': _c('int x;\n' * 800)}) == ['files_are_short']
    assert _broken({'src/http/a.c': _c('int x;\n' * 799)}) == []


def refuses_a_long_function():
    assert _broken({'src/http/a.c': _c('void a(void)\n{\n' + '    ;\n' * 79 + '}\n')}) == \
        ['functions_are_short']
    assert 'functions_are_short' not in _broken(
        {'src/http/a.c': _c('void a(void)\n{\n' + '    ;\n' * 78 + '}\n')})


def refuses_heap_calls_outside_base():
    assert _broken({'src/http/a.c': _c('void *a = malloc(1);\n')}) == ['calls_nothing_banned']
    assert _broken({'src/base/a.c': _c('void *a = malloc(1);\n')}) == []


def refuses_unsafe_calls_everywhere():
    assert _broken({'src/base/a.c': _c('int a = atoi(b);\n')}) == ['calls_nothing_banned']


def does_not_mistake_comments_strings_and_members_for_calls():
    assert _broken({'src/http/a.c': _c(
        '// free(x)\n/* malloc(\n * strcpy( */\nconst char *a = "gets(1) \\" free(";\n'
        'int b = c->free(d);\n')}) == []


def refuses_an_assertion_with_an_effect():
    assert _broken({'src/http/a.c': _c('void a(void)\n{\n    assert(b++ > 0);\n}\n')}) == \
        ['asserts_only_ask']
    assert _broken({'src/http/a.c': _c('void a(void)\n{\n    assert(b >= 0 && c == d);\n}\n')}) == []


def refuses_a_path_of_one_machine():
    assert _broken({'docs/a.md': 'see ' + '/ho' 'me/ann/x\n'}) == ['names_no_machine']
    assert _broken({'docs/a.md': 'see https://example.org/' 'home/x\n'}) == []


def refuses_what_is_left_for_later():
    assert _broken({'src/http/a.c': _c('/* TO' 'DO */\n')}) == ['leaves_nothing_for_later']


def refuses_a_source_that_nothing_builds():
    assert _broken({'src/http/forgotten.c': LICENCE}) == ['every_source_is_built']


def refuses_a_link_to_nothing():
    assert _broken({'docs/a.md': '[b](b.md)\n'}) == ['links_lead_somewhere']
    assert _broken({'docs/a.md': '[b](b.md#c) [d](https://example.org)\n', 'docs/b.md': '\n'}) == []


def refuses_a_promise_whose_guard_is_missing():
    row = '| keeps it | `a_guard` |\n'
    assert _broken({'docs/promises.md': row}) == ['promises_have_guards']
    assert _broken({'docs/promises.md': row, 'tests/a.js': LICENCE + 'a_guard\n'}) == []


def refuses_a_script_that_does_not_parse():
    assert _broken({'tools/a': '#!/bin/bash\n# SPDX-License-Identifier: MIT\nif\n'}) == \
        ['scripts_parse']


def refuses_another_layout_where_the_right_clang_format_is_installed():
    program = shutil.which('clang-format')
    version = subprocess.run([program, '--version'], capture_output=True, text=True,
                             check=False).stdout if program else ''
    if ' 14.' in version:
        assert _broken({'.clang-format': 'BasedOnStyle: LLVM\n',
                        'src/http/a.c': _c('int  x;\n')}) == ['layout_is_clang_formats']


sys.exit(tap.run(sys.modules[__name__]))
