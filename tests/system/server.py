# SPDX-License-Identifier: MIT
"""The built program as others see it: started, spoken to over HTTP, stopped, killed."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))

import tap  # noqa: E402  pylint: disable=wrong-import-position

JSON = 'application/fhir+json'
START_SECONDS = 240
STOP_SECONDS = 120
# Under a sanitizer freed memory waits in quarantine: its size says nothing then.
SANITIZED = 'ASAN_OPTIONS' in os.environ


class Number(str):
    """A JSON number by its digits: 1.0 and 1.00 are different."""


def parse(text):
    """JSON with every digit of its numbers, in order, and no key twice."""
    def members(pairs):
        value = dict(pairs)
        assert len(value) == len(pairs), 'a key stands twice'
        return value
    return json.loads(text, parse_float=Number, parse_int=Number, object_pairs_hook=members)


def same(left, right):
    """Equal with the same order of members; a number is not the string of its digits."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def unparse(value):
    """The text of what parse gave, its numbers digit by digit."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return '{%s}' % ','.join('%s:%s' % (json.dumps(name), unparse(item))
                                 for name, item in value.items())
    if isinstance(value, list):
        return '[%s]' % ','.join(map(unparse, value))
    return json.dumps(value, ensure_ascii=False)


class Answer:
    """An HTTP answer, whole."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def exact(self):
        return parse(self.body.decode())

    def codes(self):
        """Issue codes of the OperationOutcome that this must be."""
        outcome = self.json
        assert outcome['resourceType'] == 'OperationOutcome', outcome
        for issue in outcome['issue']:
            assert issue['severity'] in ('fatal', 'error', 'warning', 'information'), issue
            assert issue.get('diagnostics') or issue.get('details', {}).get('text'), issue
        return [issue['code'] for issue in outcome['issue']]

    def __repr__(self):
        return '<%d %s %.600r>' % (self.status, self.headers, self.body)


class Connection:
    """One kept-alive connection, for one thread."""

    def __init__(self, port, timeout=60):
        self.http = http.client.HTTPConnection('127.0.0.1', port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None):
        """PATH starts at the FHIR base unless it starts with a slash."""
        path = path if path.startswith('/') else '/fhir/' + path
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault('Content-Type', JSON)
        if isinstance(body, str):
            body = body.encode()
        self.http.request(method, path, body, headers)
        answer = self.http.getresponse()
        return Answer(answer.status, answer.getheaders(), answer.read())

    def close(self):
        self.http.close()


class Server:
    """`carelayer serve` on a port of the system's choice, over a folder of its own unless one is
    given. As a context it starts, stops with SIGTERM and removes the folder it made."""

    def __init__(self, program, *options, folder=None, environment=None):
        self.program = program
        self.options = options
        self.made = None if folder else tempfile.mkdtemp(prefix='carelayer-system-')
        self.folder = folder or os.path.join(self.made, 'data')
        self.errors = tempfile.TemporaryFile()
        self.environment = dict(os.environ, **(environment or {}))
        self.process = None
        self.port = None
        self.local = threading.local()

    def start(self):
        self.process = subprocess.Popen(
            [self.program, 'serve', '--data', self.folder, '--port', '0', *self.options],
            stdout=subprocess.PIPE, stderr=self.errors, env=self.environment)
        watchdog = threading.Timer(START_SECONDS, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline().decode()
        watchdog.cancel()
        if '://' not in line:
            code = self.process.wait()
            raise AssertionError('no start: exit %d, %r\n%s' % (code, line, self.log()))
        self.port = int(line.split('://')[1].split('/')[0].rsplit(':', 1)[1])
        self.local = threading.local()
        return self

    @property
    def base(self):
        return 'http://127.0.0.1:%d/fhir' % self.port

    def log(self):
        """What it wrote to stderr, its last lines."""
        self.errors.seek(0)
        return self.errors.read().decode(errors='replace')[-8000:]

    def stop(self):
        """Ends it as an operator does; anything but a clean exit fails."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError('did not stop within %d s\n%s' % (STOP_SECONDS, self.log()))
        finally:
            self.process.stdout.close()
        assert code == 0, 'exit %d\n%s' % (code, self.log())

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def discard(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.errors.close()
        if self.made:
            shutil.rmtree(self.made, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.discard()
            raise

    def __exit__(self, kind, value, trace):
        try:
            if self.process.poll() is not None:
                raise AssertionError('exit %d\n%s' % (self.process.returncode, self.log()))
            if kind is None:
                self.stop()
        finally:
            self.discard()

    def connect(self, timeout=60):
        return Connection(self.port, timeout)

    def ask(self, method, path, body=None, headers=None):
        """On the calling thread's own connection; a stale one is opened anew."""
        if getattr(self.local, 'connection', None) is None:
            self.local.connection = self.connect()
        try:
            return self.local.connection.ask(method, path, body, headers)
        except (http.client.HTTPException, OSError):
            self.local.connection.close()
            self.local.connection = None
            raise

    def socket(self, timeout=20):
        made = socket.create_connection(('127.0.0.1', self.port), timeout=timeout)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def memory(self):
        """Resident bytes of its own making (RssAnon)."""
        with open('/proc/%d/status' % self.process.pid, encoding='ascii') as file:
            for line in file:
                if line.startswith('RssAnon:'):
                    return int(line.split()[1]) * 1024
        raise AssertionError('no RssAnon')

    def needs(self, interaction):
        """Skips a case when the capability statement does not name this system interaction."""
        offered = self.ask('GET', 'metadata').json['rest'][0]['interaction']
        if interaction not in [each['code'] for each in offered]:
            raise tap.Skipped('the server has no %s' % interaction)

    def pages(self, path):
        """Every Bundle from PATH on, by its next links."""
        while path:
            answer = self.ask('GET', path)
            assert answer.status == 200, answer
            bundle = answer.json
            yield bundle
            follow = [link['url'] for link in bundle.get('link', []) if link['relation'] == 'next']
            assert len(follow) <= 1
            path = follow[0][len('http://127.0.0.1:%d' % self.port):] if follow else None

    def entries(self, path):
        return [entry for bundle in self.pages(path) for entry in bundle.get('entry', [])]


def run(program, *arguments, timeout=600, environment=None):
    """A subcommand to its end: exit code, stdout, stderr."""
    ended = subprocess.run([program, *arguments], capture_output=True, text=True, check=False,
                           timeout=timeout, env=dict(os.environ, **(environment or {})))
    return ended.returncode, ended.stdout, ended.stderr


def suite(*parts):
    """A path in the outside test data; the case is skipped where there is none."""
    root = os.environ.get('CARELAYER_SUITES') or os.path.join(
        os.path.dirname(os.path.abspath(__file__)), '..', '..', '..', 'shared', 'suites')
    path = os.path.join(root, *parts)
    if not os.path.exists(path):
        raise tap.Skipped('no %s: set CARELAYER_SUITES' % '/'.join(parts))
    return path
