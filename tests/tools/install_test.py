# SPDX-License-Identifier: MIT
"""Where tools/install finds the trixie suite on a Debian 12, for sources in both of apt's forms."""
import os
import subprocess
import sys
import tempfile

import tap

INSTALL = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools', 'install')


def _source(files):
    """What --source prints for an apt folder with these files; None when it finds nothing."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, 'sources.list.d'))
        for path, text in files.items():
            with open(os.path.join(folder, path), 'w', encoding='utf-8') as file:
                file.write(text)
        answer = subprocess.run([INSTALL, '--source', folder], capture_output=True, text=True,
                                check=False)
        assert answer.stderr == '', answer.stderr
        return answer.stdout.rstrip('\n').split('\n') if answer.returncode == 0 else None


def takes_mirror_and_key_from_a_deb822_source():
    assert _source({'sources.list.d/debian.sources':
                    'Types: deb deb-src\n# a comment\nURIs: http://mirror.example/debian\n'
                    'Suites: bookworm bookworm-updates\nComponents: main contrib\n'
                    'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n'}) == [
        'sources', 'Types: deb', 'URIs: http://mirror.example/debian',
        'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg', 'Suites: trixie',
        'Components: main']


def keeps_a_key_that_stands_in_the_source_itself():
    lines = _source({'sources.list.d/debian.sources':
                     'Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\n'
                     'Components: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n'
                     ' bookworm main\n -----END PGP PUBLIC KEY BLOCK-----\n'})
    assert lines[3:8] == ['Signed-By:', ' -----BEGIN PGP PUBLIC KEY BLOCK-----', ' .',
                          ' bookworm main', ' -----END PGP PUBLIC KEY BLOCK-----']


def passes_over_disabled_security_and_foreign_stanzas():
    other = ('Types: deb\nURIs: http://other.example/\nSuites: nodistro\nComponents: main\n\n'
             'Types: deb\nURIs: http://security.example/\nSuites: bookworm-security\n'
             'Components: main\n\nEnabled: no\nTypes: deb\nURIs: http://off.example/\n'
             'Suites: bookworm\nComponents: main\n\nTypes: deb-src\nURIs: http://src.example/\n'
             'Suites: bookworm\nComponents: main\n')
    assert _source({'sources.list.d/a.sources': other}) is None
    found = _source({'sources.list.d/a.sources': other + '\nTypes: deb\n'
                     'URIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n'})
    assert 'URIs: http://mirror.example/debian' in found and len(found) == 5, found


def takes_mirror_from_a_one_line_source():
    assert _source({'sources.list': '# deb http://no.example bookworm main\n'
                                    'deb cdrom:[Debian]/ bookworm main\n'
                                    'deb http://security.example bookworm-security main\n'
                                    'deb http://mirror.example/debian bookworm main contrib\n'}) == \
        ['list', 'deb http://mirror.example/debian trixie main']


def keeps_the_options_of_a_one_line_source():
    assert _source({'sources.list.d/x.list': 'deb [arch=amd64 signed-by=/k.gpg] https://m.example/d '
                                             ' bookworm non-free main # ours\n'}) == \
        ['list', 'deb [arch=amd64 signed-by=/k.gpg] https://m.example/d trixie main']


def finds_nothing_where_there_is_no_bookworm():
    assert _source({'sources.list': 'deb http://mirror.example/debian trixie main\n'}) is None


def lists_a_purpose_without_touching_the_machine():
    answer = subprocess.run([INSTALL, '--list', 'test'], capture_output=True, text=True, check=True)
    assert {'gcc', 'clang', 'libcmocka-dev', 'libyyjson-dev'} <= set(answer.stdout.split())


def refuses_an_unknown_purpose():
    assert subprocess.run([INSTALL, 'everything'], capture_output=True, check=False).returncode == 2


sys.exit(tap.run(sys.modules[__name__]))
