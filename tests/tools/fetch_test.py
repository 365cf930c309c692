# SPDX-License-Identifier: MIT
"""definitions/fetch with a registry that answers well, badly and not at all."""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

import tap

FETCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'definitions', 'fetch')
WHOLE = b'the archive'
# Stands in for npm: writes what the test wants the registry to serve, and counts its calls.
NPM = '''#!/bin/sh
echo "$@" >>"$NPM_CALLS"
[ -n "$NPM_SERVES" ] || { echo "npm error 404" >&2; exit 1; }
printf '%s' "$NPM_SERVES" >thing-1.0.0.tgz
'''


def _fetch(serves, cached=None):
    """Exit status, what is in the cache afterwards, how often npm was asked, and the messages."""
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, 'definitions'))
        os.makedirs(os.path.join(root, 'bin'))
        shutil.copy(FETCH, os.path.join(root, 'definitions', 'fetch'))
        with open(os.path.join(root, 'definitions', 'sources'), 'w', encoding='utf-8') as file:
            file.write('# registry name version licence sha1\nnpm thing 1.0.0 CC0-1.0 %s\n' %
                       hashlib.sha1(WHOLE).hexdigest())
        # npm as named above, and a sleep that does not wait.
        for name, text in {'npm': NPM, 'sleep': '#!/bin/sh\n'}.items():
            with open(os.path.join(root, 'bin', name), 'w', encoding='utf-8') as file:
                file.write(text)
            os.chmod(file.name, 0o755)
        archive = os.path.join(root, '.cache', 'definitions', 'thing-1.0.0.tgz')
        if cached is not None:
            os.makedirs(os.path.dirname(archive))
            with open(archive, 'wb') as file:
                file.write(cached)
        calls = os.path.join(root, 'calls')
        answer = subprocess.run(
            [os.path.join(root, 'definitions', 'fetch')], capture_output=True, text=True,
            check=False, env={**os.environ, 'PATH': os.path.join(root, 'bin') + ':' +
                              os.environ['PATH'], 'NPM_SERVES': serves, 'NPM_CALLS': calls})
        asked = 0
        if os.path.exists(calls):
            with open(calls, encoding='utf-8') as file:
                asked = len(file.readlines())
        content = None
        if os.path.exists(archive):
            with open(archive, 'rb') as file:
                content = file.read()
        left = os.listdir(os.path.dirname(archive)) if os.path.exists(os.path.dirname(archive)) \
            else []
        assert len(left) <= 1, 'left-overs: %s' % left
        return answer.returncode, content, asked, answer.stderr


def fetches_and_keeps_a_whole_archive():
    assert _fetch(WHOLE.decode())[:3] == (0, WHOLE, 1)


def does_not_fetch_what_is_there():
    assert _fetch('', cached=WHOLE)[:3] == (0, WHOLE, 0)


def fetches_again_what_was_damaged():
    assert _fetch(WHOLE.decode(), cached=b'the arch')[:3] == (0, WHOLE, 1)


def refuses_an_archive_with_another_checksum():
    status, content, asked, messages = _fetch('something else')
    assert (status, content, asked) == (1, None, 3)
    assert 'checksum' in messages


def tries_three_times_and_says_what_to_do():
    status, content, asked, messages = _fetch('')
    assert (status, content, asked) == (1, None, 3)
    assert '404' in messages and 'npm config get registry' in messages


sys.exit(tap.run(sys.modules[__name__]))
