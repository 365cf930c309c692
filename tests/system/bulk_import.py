# SPDX-License-Identifier: MIT
"""$import over HTTP: files that another server holds, and files of the operator's folder.
usage: bulk_import.py PROGRAM [ROUNDS [LINES]]"""
import contextlib
import gzip
import http.server
import json
import os
import random
import sys
import tempfile
import threading
import time

import access_log
from exports import wait as _wait, wait_until_empty, wait_until_gone
from server import Server, tap

PROGRAM = os.path.abspath(sys.argv[1])
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
LINES = int(sys.argv[3]) if len(sys.argv) > 3 else 50000
OPTIONS = ('--reserve', '8M', '--export-spare', '0')
ASYNC = {'Prefer': 'respond-async', 'Accept': 'application/fhir+json',
         'Content-Type': 'application/json'}
NDJSON = 'application/fhir+ndjson'
SECRET = 'Quillfeather'  # stands in records, and must in no message


# ---- a server of files ---------------------------------------------------------------------------

class Files(http.server.BaseHTTPRequestHandler):
    """Answers a path by what self.server.paths says: a function of the handler, or bytes."""
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        self.server.asked.append(self.path)
        what = self.server.paths.get(self.path.split('?')[0])
        if callable(what):
            what(self)
        elif what is None:
            self.send_error(404)
        else:
            self.give(what)

    def give(self, body, kind=NDJSON, length=None, **headers):
        self.send_response(200)
        if kind:
            self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        self.wfile.write(body)

    def send_on(self, url):
        self.send_response(302)
        self.send_header('Location', url)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def _files(**paths):
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Files)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # whoever hangs up is who is tested
    server.asked = []
    server.paths = {'/' + name.replace('__', '/'): what for name, what in paths.items()}
    server.url = 'http://127.0.0.1:%d/' % server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


# ---- helpers -------------------------------------------------------------------------------------

def _server(files, *options, **more):
    return Server(PROGRAM, *OPTIONS, '--import-url', files.url, *options, **more)


def _manifest(*inputs, **more):
    return {'inputFormat': NDJSON, 'inputSource': 'https://trust.example/fhir',
            'input': [{'type': kind, 'url': url} for kind, url in inputs], **more}


def _kick(server, *inputs):
    answer = server.ask('POST', '$import', json.dumps(_manifest(*inputs)), ASYNC)
    assert answer.status == 202, answer
    assert answer.json['resourceType'] == 'OperationOutcome', answer
    assert answer.headers['content-location'].startswith(server.base + '/$import/'), answer
    return answer.headers['content-location'][len(server.base) + 1:]


def _done(server, *inputs):
    job = _kick(server, *inputs)
    answer = _wait(server, job)
    assert answer.status == 200, answer
    assert answer.headers['content-type'] == 'application/json', answer
    assert 'expires' in answer.headers, answer
    result = answer.json
    assert result['request'] == server.base + '/$import', result
    assert result['transactionTime'].endswith('Z'), result
    assert [item['inputUrl'] for item in result['output']] == [url for _, url in inputs], result
    return result


def _counts(result):
    return [item['count'] for item in result['output']]


def _errors(server, result):
    """The issues of each line of each file, by inputUrl."""
    found = {}
    for item in result['error']:
        assert item['type'] == 'OperationOutcome', item
        answer = server.ask('GET', item['url'][len(server.base) + 1:])
        assert answer.status == 200 and answer.headers['content-type'] == NDJSON, answer
        lines = [json.loads(line) for line in answer.body.decode().splitlines()]
        assert len(lines) == item['count'], (len(lines), item)
        assert all(line['resourceType'] == 'OperationOutcome' for line in lines), item
        found[item['inputUrl']] = [line['issue'] for line in lines]
        assert SECRET not in answer.body.decode(), answer
    return found


def _line_of(issue):
    for extension in issue.get('extension', []):
        if extension['url'].endswith('operationoutcome-issue-line'):
            return extension['valueInteger']
    return None


def _lines(*resources):
    return b''.join(json.dumps(each).encode() + b'\n' for each in resources)


def _patient(name, **more):
    return {'resourceType': 'Patient', 'id': name, 'name': [{'family': SECRET}], **more}


def _fact(name, patient):
    return {'resourceType': 'Observation', 'id': name, 'status': 'final', 'code': {'text': 'x'},
            'subject': {'reference': 'Patient/' + patient}}


def _many(count, first=0):
    return _lines(*(_fact('f%d' % number, 'p%d' % (number % 100))
                    for number in range(first, first + count)))


def _total(server, kind):
    answer = server.ask('GET', kind + '?_summary=count')
    assert answer.status == 200, answer
    return answer.json['total']


def _refused(server, status, text, *inputs, **more):
    answer = server.ask('POST', '$import', json.dumps(_manifest(*inputs, **more)), ASYNC)
    assert answer.status == status, answer
    assert text in answer.body.decode(), answer
    assert SECRET not in answer.body.decode(), answer
    return answer


def _failed(server, text, kind, url):
    """The whole file is refused, for one reason, and nothing of it is stored."""
    result = _done(server, (kind, url))
    assert _counts(result) == [0], result
    issues = _errors(server, result)[url]
    assert len(issues) == 1 and text in json.dumps(issues), issues
    assert _total(server, kind) == 0
    return issues[0][0]


# ---- what is stored ------------------------------------------------------------------------------

def stores_what_the_files_hold():
    people = _lines(*(_patient('p%d' % number) for number in range(100)))
    with _files(p=people, f=lambda to: to.give(gzip.compress(_many(LINES), 1)),
                e=b'') as files, _server(files) as server:
        result = _done(server, ('Patient', files.url + 'p'), ('Observation', files.url + 'f'),
                       ('Device', files.url + 'e'))
        assert _counts(result) == [100, LINES, 0], result
        assert [item['type'] for item in result['output']] == ['Patient', 'Observation', 'Device']
        assert result['error'] == [], result
        assert _total(server, 'Observation') == LINES
        last = server.ask('GET', 'Observation/f%d' % (LINES - 1)).json
        assert last['meta']['versionId'] == '1', last
        assert server.ask('GET', 'Patient/p7').json['name'] == [{'family': SECRET}]
        text = server.ask('GET', '/metrics').body.decode()
        assert 'carelayer_imports_done_total 1\n' in text, text
        assert 'carelayer_import_resources_total %d\n' % (LINES + 100) in text, text
        assert SECRET not in server.log() and files.url not in server.log()


def a_content_coding_is_a_way_to_send():
    body = gzip.compress(_many(10))
    with _files(f=lambda to: to.give(body, Content_Encoding='gzip'),
                z=lambda to: to.give(b'x', Content_Encoding='br')) as files, \
            _server(files) as server:
        assert _counts(_done(server, ('Observation', files.url + 'f'))) == [10]
        result = _done(server, ('Observation', files.url + 'z'))
        assert 'content coding' in json.dumps(_errors(server, result)), result


def parameters_say_the_same():
    with _files(f=_many(3)) as files, _server(files) as server:
        def part(name, kind, value):
            return {'name': name, kind: value}
        body = {'resourceType': 'Parameters', 'parameter': [
            part('inputFormat', 'valueString', NDJSON),
            part('inputSource', 'valueUri', 'https://trust.example/fhir'),
            {'name': 'storageDetail', 'part': [part('type', 'valueString', 'https')]},
            {'name': 'input', 'part': [part('type', 'valueString', 'Observation'),
                                       part('url', 'valueUri', files.url + 'f')]}]}
        headers = dict(ASYNC, **{'Content-Type': 'application/fhir+json'})
        answer = server.ask('POST', '$import', json.dumps(body), headers)
        assert answer.status == 202, answer
        answer = _wait(server, answer.headers['content-location'][len(server.base) + 1:])
        assert _counts(answer.json) == [3], answer
        for twice in (part('inputSource', 'valueUri', 'https://other.example/fhir'),
                      part('inputFormat', 'valueString', NDJSON)):
            more = dict(body, parameter=body['parameter'] + [twice])
            answer = server.ask('POST', '$import', json.dumps(more), headers)
            assert answer.status == 400 and 'once each' in answer.body.decode(), answer
        body['parameter'].append(part('mode', 'valueString', 'InitialLoad'))
        answer = server.ask('POST', '$import', json.dumps(body), headers)
        assert answer.status == 400 and 'inputFormat' in answer.body.decode(), answer
        headers['Prefer'] += ', handling=lenient'
        assert server.ask('POST', '$import', json.dumps(body), headers).status == 202


def what_exists_becomes_an_older_version():
    with _files(f=_many(3)) as files, _server(files) as server:
        for number in ('1', '2'):
            assert _counts(_done(server, ('Observation', files.url + 'f'))) == [3]
            assert server.ask('GET', 'Observation/f1').json['meta']['versionId'] == number


def bad_lines_are_told_with_their_place_and_without_what_they_say():
    bad = (b'{"resourceType":"Observation","id":"' + SECRET.encode() + b'","status"\n'
           + _many(2)
           + _lines(dict(_fact('b', 'p1'), status=SECRET), _patient('stranger'))
           + b'\n'
           + _lines(dict(_fact('c', 'p1'), **{SECRET: 1}))
           + _many(1, 2))
    with _files(f=bad) as files, _server(files) as server:
        result = _done(server, ('Observation', files.url + 'f'))
        assert _counts(result) == [3], result
        issues = _errors(server, result)[files.url + 'f']
        assert [_line_of(each[0]) for each in issues] == [1, 4, 5, 7], issues
        assert 'Observation.status' in json.dumps(issues[1]), issues
        assert 'announced' in json.dumps(issues[2]), issues
        assert server.ask('GET', 'Patient/stranger').status == 404
        assert SECRET not in server.log()
        name = result['error'][0]['url'][len(server.base) + 1:]
        part = server.ask('GET', name, headers={'Range': 'bytes=0-9'})
        assert part.status in (200, 206), part
        for other in ('0.ndjson', '2.ndjson', '01.ndjson', '1.rejects', 'job.json', '..%2fjob.json'):
            assert server.ask('GET', name[:-8] + other).status in (400, 404), other


def each_person_has_an_entry():
    with _files(f=_many(250)) as files, tempfile.TemporaryDirectory() as folder:
        with _server(files, folder=os.path.join(folder, 'data')) as server:
            job = _kick(server, ('Observation', files.url + 'f'))
            assert _wait(server, job).status == 200
        entries = [entry for entry in access_log.read(os.path.join(folder, 'data'))
                   if entry['request'] == job.split('/')[1]]
        assert len({entry['patient'] for entry in entries}) == 100, len(entries)
        assert sum(entry['resources'] for entry in entries) == 250, entries[:3]


# ---- what is not ---------------------------------------------------------------------------------

def half_a_file_stores_nothing():
    body = _many(2000)
    packed = gzip.compress(body)
    with _files(t=lambda to: to.give(body[:len(body) // 2], length=len(body), Connection='close')
                or setattr(to, 'close_connection', True),
                g=packed[:len(packed) // 2], x=b'\x1f\x8b' + SECRET.encode()) as files, \
            _server(files) as server:
        _failed(server, 'broke off', 'Observation', files.url + 't')
        assert files.asked.count('/t') == 3, files.asked
        _failed(server, 'gzip', 'Observation', files.url + 'g')
        _failed(server, 'gzip', 'Observation', files.url + 'x')


def what_does_not_say_where_it_ends_may_be_half():
    """A body that ends with its connection: what broke off looks whole."""
    def until_close(body):
        def give(to):
            to.send_response(200)
            to.send_header('Content-Type', NDJSON)
            to.send_header('Connection', 'close')
            to.end_headers()
            to.wfile.write(body)
            to.close_connection = True
        return give

    def chunked(to):
        to.send_response(200)
        to.send_header('Content-Type', NDJSON)
        to.send_header('Transfer-Encoding', 'chunked')
        to.end_headers()
        body = _lines(_patient('c1'), _patient('c2'))
        to.wfile.write(b'%x\r\n%s\r\n0\r\n\r\n' % (len(body), body))
    whole = _lines(_patient('w1'), _patient('w2'))
    with _files(line=until_close(whole), half=until_close(whole[:len(whole) - 20]),
                chunked=chunked) as files, _server(files) as server:
        _failed(server, 'how long', 'Patient', files.url + 'line')
        _failed(server, 'how long', 'Patient', files.url + 'half')
        assert _total(server, 'Patient') == 0
        assert _counts(_done(server, ('Patient', files.url + 'chunked'))) == [2]


def a_page_is_no_file_of_records():
    with _files(h=lambda to: to.give(b'<html>' + SECRET.encode(), 'text/html'),
                busy=lambda to: to.send_error(503)) as files, _server(files) as server:
        _failed(server, 'ndjson', 'Patient', files.url + 'h')
        issue = _failed(server, '404', 'Patient', files.url + 'none')
        assert issue['code'] == 'not-found', issue
        assert files.asked.count('/none') == 1, files.asked
        _failed(server, '503', 'Patient', files.url + 'busy')
        assert files.asked.count('/busy') == 3, files.asked
        url = files.url
    with _files() as files, _server(files, '--import-url', url) as server:
        _failed(server, 'reached', 'Patient', url + 'gone')


def a_server_that_stops_sending_is_given_up():
    ended = threading.Event()

    def stall(to):
        to.give(b'{"resourceType"', length=100000)
        to.wfile.flush()
        ended.wait(60)

    def drip(to):
        to.give(b'{', length=100000)
        while not ended.wait(0.2):
            to.wfile.write(b' ')
            to.wfile.flush()
    with _files(s=stall, d=drip) as files, \
            _server(files, '--import-stall', '1', '--import-timeout', '3') as server:
        begun = time.monotonic()
        job = _kick(server, ('Patient', files.url + 's'), ('Patient', files.url + 'd'))
        answer = _wait(server, job)
        assert time.monotonic() - begun < 200
        assert _counts(answer.json) == [0, 0], answer
        told = _errors(server, answer.json)
        assert [each[0][0]['code'] for each in told.values()] == ['timeout', 'timeout'], told
        ended.set()


def no_redirect_leads_to_a_refused_place():
    with _files(secret=_lines(_patient('inside'))) as inside:
        with _files(a=lambda to: to.send_on(inside.url + 'secret'),
                    b=lambda to: to.send_on('/c'), c=_lines(_patient('c')),
                    d=lambda to: to.send_on('/d'),
                    e=lambda to: to.send_on('file:///etc/passwd')) as files, \
                _server(files) as server:
            _failed(server, 'import-url', 'Patient', files.url + 'a')
            assert inside.asked == []
            _failed(server, 'from one place to another', 'Patient', files.url + 'd')
            assert files.asked.count('/d') == 6, files.asked
            _failed(server, 'https URL', 'Patient', files.url + 'e')
            assert _counts(_done(server, ('Patient', files.url + 'b'))) == [1]


def nothing_is_fetched_from_where_the_operator_did_not_say():
    with _files(p=b'', q__p=b'') as files, Server(PROGRAM, *OPTIONS) as closed:
        _refused(closed, 403, 'import-url', ('Patient', files.url + 'p'))
        _refused(closed, 403, 'import-folder', ('Patient', 'file:///etc/passwd'))
        below = files.url + 'q'
        host, port = files.server_address
        with Server(PROGRAM, *OPTIONS, '--import-url', below) as server:
            assert _counts(_done(server, ('Patient', below + '/p'))) == [0]
            for url in (files.url + 'p', below + '2/p', below + '/../p', below + '/./../p',
                        below.replace('127.0.0.1', 'localhost') + '/p',
                        'http://127.0.0.1.example:%d/q/p' % port,
                        'http://%s:%d/q/p' % (host, port + 1),
                        'https://%s:%d/q/p' % (host, port)):
                _refused(server, 403, 'import-url', ('Patient', url))
            for url in (below + '/%2e%2e/p', below + '/..%2fp', below + '\\..\\p', below + '/p#x',
                        'http://%s:%d@evil.example/q/p' % (host, port),
                        'http://evil@%s:%d/q/p' % (host, port),
                        'ftp://%s:%d/q/p' % (host, port), 'gopher://x/q/p', 'q/p',
                        below + '/a b', below + '/\r\nHost: x', below + '/\u00e9'):
                _refused(server, 400, 'https URL', ('Patient', url))
            assert set(files.asked) == {'/q/p'}, files.asked
    for bad in ('example.org/x', 'ftp://example.org/', 'https://example.org/x?y', 'https://'):
        server = Server(PROGRAM, *OPTIONS, '--import-url', bad)
        try:
            server.start()
            raise RuntimeError(bad)
        except AssertionError as error:
            assert 'import-url' in str(error), error
        finally:
            server.discard()


def files_are_read_below_the_folder_only():
    with tempfile.TemporaryDirectory() as top, _files() as files:
        top = os.path.realpath(top)
        folder = os.path.join(top, 'in')
        os.makedirs(os.path.join(folder, 'a b'))
        for path in ('out.ndjson', 'in/a b/x.ndjson', 'in2.ndjson'):
            with open(os.path.join(top, path), 'wb') as file:
                file.write(_lines(_patient('x')))
        os.symlink(os.path.join(top, 'out.ndjson'), os.path.join(folder, 'link'))
        os.symlink(top, os.path.join(folder, 'up'))
        os.symlink('a b', os.path.join(folder, 'inner'))
        os.mkfifo(os.path.join(folder, 'pipe'))
        with _server(files, '--import-folder', folder) as server:
            url = 'file://' + folder
            assert _counts(_done(server, ('Patient', url + '/a%20b/x.ndjson'))) == [1]
            assert _counts(_done(server, ('Patient', url + '/a%20b/x.ndjson'))) == [1]
            for path in ('/../out.ndjson', '/a%20b/../../out.ndjson', '/%2e%2e/out.ndjson',
                         '/..%2fout.ndjson', '2.ndjson', '/link', '/up/out.ndjson',
                         '/inner/x.ndjson', '/pipe', '/a%20b', '/', '', '/none', '/x%00', '//x'):
                _refused(server, 403, 'import-folder', ('Patient', url + path))
            _refused(server, 403, 'import-folder', ('Patient', 'file://host' + folder + '/x'))
            _refused(server, 400, 'storageDetail', ('Patient', url + '/a%20b/x.ndjson'),
                     storageDetail={'type': 'https'})
            assert server.ask('GET', 'Patient/x').json['meta']['versionId'] == '2'


def too_long_files_are_refused():
    bomb = gzip.compress(b' ' * (1 << 22))
    with _files(l=_many(2000), b=bomb) as files, \
            _server(files, '--import-file', '64k') as server:
        assert len(bomb) < 64 << 10
        _failed(server, 'import-file', 'Observation', files.url + 'l')
        _failed(server, 'import-file', 'Observation', files.url + 'b')


def refuses_what_is_no_manifest():
    with _files(p=b'') as files, _server(files) as server:
        good = ('Patient', files.url + 'p')

        def bad(text, body, **headers):
            answer = server.ask('POST', '$import', body, dict(ASYNC, **headers))
            assert answer.status == 400 and text in answer.body.decode(), answer
            assert SECRET not in answer.body.decode(), answer
        bad('manifest', '')
        bad('JSON', '[]')
        bad('JSON', '{"inputFormat"')
        bad('Parameters', json.dumps(_patient('x')))
        bad('respond-async', json.dumps(_manifest(good)), Prefer='return=minimal')
        for name in ('inputFormat', 'inputSource', 'input'):
            bad(name, json.dumps({key: value for key, value in _manifest(good).items()
                                  if key != name}))
        bad('input', json.dumps(_manifest()))
        bad('input.type', json.dumps(_manifest((SECRET, files.url))))
        bad('inputFormat', json.dumps(dict(_manifest(good), inputFormat='text/csv')))
        bad('nothing else', json.dumps(dict(_manifest(good), **{SECRET: 1})))
        bad('storageDetail', json.dumps(dict(_manifest(good), storageDetail={'type': 'aws-s3'})))
        bad('nothing else', json.dumps(dict(_manifest(good), input=[
            {'type': 'Patient', 'url': files.url, 'etag': SECRET}])))
        assert files.asked == []
        assert server.ask('GET', '$import', headers=ASYNC).status == 405


# ---- jobs ----------------------------------------------------------------------------------------

def _stored(server):
    answer = server.ask('GET', '/metrics').body.decode()
    return sum(int(line.split()[1]) for line in answer.splitlines()
               if line.startswith('carelayer_import_resources_total '))


def killed_imports_go_on_and_store_nothing_twice():
    wait = random.Random(20260103)
    bad = b'{"resourceType":"Observation"}\n'
    body = b''.join(_many(500, first) + bad for first in range(0, LINES, 500))
    with _files(f=gzip.compress(body, 1), p=_lines(_patient('last'))) as files:
        server = _server(files)
        try:
            server.start()
            inputs = (('Observation', files.url + 'f'), ('Patient', files.url + 'p'))
            job = _kick(server, *inputs)
            halves = 0
            for _ in range(ROUNDS):
                before = _total(server, 'Observation')
                until = time.monotonic() + 60
                while _total(server, 'Observation') == before and time.monotonic() < until:
                    if server.ask('GET', job).status != 202:
                        break
                time.sleep(wait.uniform(0, 0.3))
                server.kill()
                server.start()
                halves += 0 < _total(server, 'Observation') < LINES
            answer = _wait(server, job)
            assert answer.status == 200, answer
            assert halves > 0, 'no kill met a job that was half done'
            assert _counts(answer.json) == [LINES, 1], answer
            assert files.asked.count('/p') == 1, files.asked
            issues = _errors(server, answer.json)[files.url + 'f']
            lines = [_line_of(each[0]) for each in issues]
            assert sorted(lines) == [501 * (each + 1) for each in range(LINES // 500)], lines
            assert _total(server, 'Observation') == LINES
            for number in wait.sample(range(LINES), 200):
                found = server.ask('GET', 'Observation/f%d' % number).json
                assert found['meta']['versionId'] == '1', found
            server.kill()
            server.start()
            again = server.ask('GET', job)
            assert again.status == 200, again
            for name in ('transactionTime', 'request', 'output'):
                assert again.json[name] == answer.json[name], again
            assert _errors(server, again.json)[files.url + 'f'] == issues, again
            server.stop()
        finally:
            server.discard()


def what_was_stored_of_a_file_that_changed_is_counted():
    with tempfile.TemporaryDirectory() as folder, _files() as files:
        path = os.path.join(folder, 'f.ndjson')
        with open(path, 'wb') as file:
            file.write(_many(LINES))
        server = _server(files, '--import-folder', folder)
        try:
            server.start()
            job = _kick(server, ('Observation', 'file://' + path))
            while _total(server, 'Observation') == 0:
                # Whoever asks this often may be told to wait.
                assert server.ask('GET', job).status in (202, 429)
            server.kill()
            with open(path, 'ab') as file:
                file.write(_many(1, LINES))
            server.start()
            answer = _wait(server, job)
            stored = _total(server, 'Observation')
            assert 0 < stored < LINES, stored
            assert _counts(answer.json) == [stored], (stored, answer)
            issues = _errors(server, answer.json)['file://' + path]
            assert 'changed' in json.dumps(issues), issues
            server.stop()
        finally:
            server.discard()


def cancelling_ends_it_and_what_is_stored_stays():
    ended = threading.Event()
    with _files(f=_many(LINES), s=lambda to: (to.give(b'{', length=99), ended.wait(60))) as files, \
            _server(files) as server:
        job = _kick(server, ('Observation', files.url + 'f'))
        second = _kick(server, ('Patient', files.url + 's'))
        assert 'waiting, 1' in server.ask('GET', second).headers['x-progress']
        while _total(server, 'Observation') == 0:
            time.sleep(0.05)
        assert server.ask('DELETE', job).status == 202
        assert server.ask('GET', job).status == 404
        assert server.ask('DELETE', job).status == 404
        until = time.monotonic() + 30
        while 'fetching file 1 of 1' not in server.ask('GET', second).headers['x-progress']:
            assert time.monotonic() < until
            time.sleep(0.6)
        stored = _total(server, 'Observation')
        assert 0 < stored < LINES, stored
        assert server.ask('DELETE', second).status == 202
        wait_until_empty(server, 'imports')
        ended.set()
        assert _total(server, 'Observation') == stored


def too_many_at_once_are_refused():
    ended = threading.Event()
    with _files(s=lambda to: (to.give(b'{', length=99), ended.wait(60)), p=b'') as files, \
            _server(files, '--imports', '1') as server:
        job = _kick(server, ('Patient', files.url + 's'))
        answer = _refused(server, 429, 'not finished', ('Patient', files.url + 'p'))
        assert int(answer.headers['retry-after']) >= 1, answer
        polls = [server.ask('GET', job).status for _ in range(80)]
        assert 429 in polls and polls[0] == 202, polls
        assert server.ask('DELETE', job).status == 202
        until = time.monotonic() + 30
        while server.ask('POST', '$import', json.dumps(_manifest(('Patient', files.url + 'p'))),
                         ASYNC).status != 202:
            assert time.monotonic() < until
        ended.set()


def results_expire():
    with _files(p=b'{}\n') as files, _server(files, '--import-keep', '5') as server:
        job = _kick(server, ('Patient', files.url + 'p'))
        answer = _wait(server, job, pause=0.2)
        assert answer.status == 200, answer
        wait_until_gone(server, job)
        wait_until_empty(server, 'imports')


def results_expire_while_another_import_runs():
    ends = threading.Event()
    with _files(p=_lines(_patient('p')), slow=lambda to: ends.wait(60)) as files, \
            _server(files, '--import-keep', '5') as server:
        job = _kick(server, ('Patient', files.url + 'p'))
        assert _wait(server, job).status == 200
        other = _kick(server, ('Patient', files.url + 'slow'))
        wait_until_gone(server, job)
        assert server.ask('GET', other).status == 202
        assert server.ask('DELETE', other).status == 202
        ends.set()


def requests_are_answered_meanwhile():
    with _files(f=_many(max(LINES, 30000))) as files, _server(files) as server:
        job = _kick(server, ('Observation', files.url + 'f'))
        times, number = [], 0
        while number < 200 and server.ask('GET', job).status in (202, 429):
            begun = time.monotonic()
            assert server.ask('PUT', 'Patient/live%d' % number,
                              _patient('live%d' % number)).status == 201
            assert server.ask('GET', 'Patient/live%d' % number).status == 200
            times.append(time.monotonic() - begun)
            number += 1
        times.sort()
        assert server.ask('DELETE', job).status == 202
        assert number >= 5, 'the import was over at once'
        print('# a write and a read while it imports: median %.0f ms, longest %.0f ms, of %d'
              % (times[len(times) // 2] * 1000, times[-1] * 1000, number))
        assert times[len(times) // 2] < 1.0, times[len(times) // 2]


def is_told_in_the_capability_statement():
    with _files() as files, _server(files) as server:
        operations = server.ask('GET', 'metadata').json['rest'][0]['operation']
        found = [each['definition'] for each in operations if each['name'] == 'import']
        assert len(found) == 1 and 'bulk-import' in found[0], operations


sys.exit(tap.run(sys.modules[__name__]))
