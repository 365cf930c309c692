# SPDX-License-Identifier: MIT
"""What bench/run and bench/slope share: programs, servers, measures and the table."""
import gzip
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Trouble(Exception):
    """Something that keeps a row, or the whole run, from being measured; the text says what."""


def fresh_folder(where, prefix):
    """A new folder in WHERE (the current one): what an earlier run left is never measured."""
    where = os.path.abspath(where or os.getcwd())
    os.makedirs(where, exist_ok=True)
    return tempfile.mkdtemp(prefix=prefix, dir=where)


def note(text):
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


def suites_folder():
    folder = os.environ.get('CARELAYER_SUITES', os.path.join(ROOT, '..', 'shared', 'suites'))
    return os.path.realpath(folder)


def synthea_files():
    folder = os.path.join(suites_folder(), 'synthea')
    if not os.path.isdir(folder):
        raise Trouble('no Synthea Bundles: set CARELAYER_SUITES to the folder that holds synthea/')
    return sorted(os.path.join(folder, name) for name in os.listdir(folder)
                  if name.endswith('.json.gz'))


class Programs:
    """The programs of one build folder."""

    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.carelayer = os.path.join(self.build, 'carelayer')
        self.bench = os.path.join(self.build, 'bench', 'carelayer-bench')
        self.floor_sqlite = os.path.join(self.build, 'bench', 'carelayer-floor-sqlite')
        self.without_log = os.path.join(self.build, 'bench', 'carelayer-without-log')
        self.fhirpath = os.path.join(self.build, 'bench', 'carelayer-bench-fhirpath')
        self.floor_validate = os.path.join(self.build, 'bench', 'carelayer-floor-validate')
        for program in (self.carelayer, self.bench):
            if not os.access(program, os.X_OK):
                raise Trouble(f'{program} is missing: build first, or name the folder by --build')

    def environment(self):
        # Synthetic people carry NHS numbers of the test range.
        return dict(os.environ, CARELAYER_TEST_NUMBERS='on')

    def run(self, *arguments, allowed=(0,)):
        """Runs a program to its end and gives (seconds, standard output)."""
        begin = time.monotonic()
        done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.environment(), stdin=subprocess.DEVNULL)
        seconds = time.monotonic() - begin
        if done.returncode not in allowed:
            lines = done.stderr.decode(errors='replace').strip().split('\n')
            raise Trouble(f'{os.path.basename(arguments[0])} {arguments[1]} ended with '
                          f'{done.returncode}: {lines[-1][:200]}')
        return seconds, done.stdout.decode(errors='replace')

    def load(self, base, workload, *options):
        """Runs the load driver and gives its line of JSON as a dict."""
        return self.load_files(base, workload, [], *options)

    def load_files(self, base, workload, files, *options):
        words = [self.bench, '--json', *[str(word) for word in options], base, workload, *files]
        text = self.run(*words, allowed=(0, 1))[1]
        if not text:
            raise Trouble(f'the workload {workload} could not be prepared')
        return json.loads(text)


# ---- processes ------------------------------------------------------------------------------

def free_port():
    with socket.socket() as door:
        door.bind(('127.0.0.1', 0))
        return door.getsockname()[1]


def wait_for_answer(port, path, process=None, seconds=30.0):
    """Asks PATH until it is answered at all; gives (status, body)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            raise Trouble(f'a server ended at once with {process.returncode}')
        try:
            client = http.client.HTTPConnection('127.0.0.1', port, timeout=seconds)
            client.request('GET', path, headers={'Accept': 'application/fhir+json'})
            answer = client.getresponse()
            body = answer.read()
            client.close()
            return answer.status, body
        except (ConnectionError, socket.timeout, http.client.HTTPException):
            time.sleep(0.001)
    raise Trouble('a server did not answer in time')


class Server:
    """A carelayer serving one data folder."""

    def __init__(self, programs, data, binary=None):
        self.programs = programs
        self.data = data
        self.binary = binary or programs.carelayer
        self.port = free_port()
        self.process = None

    @property
    def base(self):
        return f'http://127.0.0.1:{self.port}/fhir'

    def start(self, path='/fhir/metadata'):
        """Starts it; gives the seconds until PATH was answered."""
        log = open(self.data + '.serve.log', 'ab')
        begin = time.monotonic()
        self.process = subprocess.Popen(
            [self.binary, 'serve', '--data', self.data, '--port', str(self.port), '--auth', 'off'],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.programs.environment())
        log.close()
        try:
            status, _ = wait_for_answer(self.port, path, self.process)
        except Trouble:
            self.stop(signal.SIGKILL)
            raise
        seconds = time.monotonic() - begin
        if status != 200:
            self.stop()
            raise Trouble(f'the server answered its first request with {status}')
        return seconds

    def stop(self, how=signal.SIGTERM):
        if self.process is not None:
            if self.process.poll() is None:
                self.process.send_signal(how)
            self.process.wait(timeout=60)
            self.process = None

    def pids(self):
        return ['--server-pid', self.process.pid]

    def get(self, path):
        status, body = wait_for_answer(self.port, '/fhir/' + path, self.process, 120)
        if status != 200:
            raise Trouble(f'a request for the preparation got {status}')
        return body

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


NGINX_CONF = '''
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/nginx.err;
{user}
events {{ worker_connections 8192; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    sendfile off;
    tcp_nodelay on;
    output_buffers 2 1m;
    open_file_cache max=20000 inactive=3600s;
    open_file_cache_valid 3600s;
    default_type application/fhir+json;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port} backlog=4096; root {folder}/root; }}
}}
'''


class Nginx:
    """nginx serving given bodies as files out of its open-file cache, one worker a core."""

    def __init__(self, folder, bodies):
        self.folder = folder
        self.port = free_port()
        root = os.path.join(folder, 'root', 'r')
        os.makedirs(root)
        os.chmod(folder, 0o755)
        paths = []
        for number, body in enumerate(bodies):
            name = f'{number:08d}'
            with open(os.path.join(root, name), 'wb') as file:
                file.write(body)
            paths.append('r/' + name)
        self.paths = write_lines(os.path.join(folder, 'paths'), paths)
        user = 'user root;' if os.geteuid() == 0 else ''
        with open(os.path.join(folder, 'nginx.conf'), 'w') as file:
            file.write(NGINX_CONF.format(folder=folder, port=self.port, user=user))

    @property
    def base(self):
        return f'http://127.0.0.1:{self.port}'

    def pids(self):
        master = self.process.pid
        with open(f'/proc/{master}/task/{master}/children') as file:
            return [word for pid in file.read().split() for word in ('--server-pid', pid)]

    def __enter__(self):
        try:
            self.process = subprocess.Popen(
                ['nginx', '-p', self.folder, '-c', os.path.join(self.folder, 'nginx.conf')],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            raise Trouble('nginx is not installed') from None
        wait_for_answer(self.port, '/r/00000000', self.process)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class MemoryWatch:
    """The peak of a process's RssAnon, sampled every 20 ms while the block runs."""

    def __init__(self, pid):
        self.path = f'/proc/{pid}/status'
        self.peak_kb = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def watch(self):
        while not self.ended.wait(0.02):
            try:
                with open(self.path) as file:
                    found = re.search(r'^RssAnon:\s+(\d+) kB', file.read(), re.M)
            except OSError:
                return
            if found:
                self.peak_kb = max(self.peak_kb, int(found.group(1)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


# ---- data -----------------------------------------------------------------------------------

def write_lines(path, lines):
    with open(path, 'w') as file:
        file.writelines(line + '\n' for line in lines)
    return path


def count_resources(files):
    """Different resources in Bundles: the same organisation comes with many people."""
    seen, entries = set(), 0
    for name in files:
        with gzip.open(name) as file:
            for entry in json.load(file).get('entry', []):
                entries += 1
                seen.add((entry['resource']['resourceType'], entry['resource'].get('id')))
    return len(seen), entries


UUID = re.compile(r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}')
DIRECTORY_TYPES = {'Organization', 'Practitioner', 'Location'}


def make_long_records(files, folder, people, size):
    """Writes PEOPLE transaction Bundles, each one Patient with SIZE resources about them in all:
    the entries of several Synthea people under one, with ids of their own. Gives the ids."""
    source = iter(files * (people * size // (len(files) * 50) + 2))
    os.makedirs(folder)
    paths, ids = [], []
    for number in range(people):
        patient, entries, others, about = None, [], [], 0
        salt = f'carelayer bench {number} '
        while about < size:
            with gzip.open(next(source)) as file:
                text = file.read().decode()
            own = json.loads(text)['entry'][0]['resource']
            if own['resourceType'] != 'Patient':
                continue
            first = patient is None
            patient = patient or str(uuid.uuid5(uuid.NAMESPACE_URL, salt + own['id']))
            salted = salt + str(len(entries)) + ' '
            text = UUID.sub(lambda match: patient if match.group() == own['id'] else
                            str(uuid.uuid5(uuid.NAMESPACE_URL, salted + match.group())), text)
            for entry in json.loads(text)['entry'][0 if first else 1:]:
                if entry['resource']['resourceType'] in DIRECTORY_TYPES:
                    others.append(entry)
                elif about < size:
                    entries.append(entry)
                    about += 1
        path = os.path.join(folder, f'{number:04d}.json')
        with open(path, 'w') as file:
            json.dump({'resourceType': 'Bundle', 'type': 'transaction',
                       'entry': keep_whole(others + entries)}, file)
        paths.append(path)
        ids.append('Patient/' + patient)
    return paths, ids


def keep_whole(entries):
    """Without the entries whose references into the Bundle lead to entries cut off above."""
    while True:
        known = {entry['fullUrl'] for entry in entries}
        kept = [entry for entry in entries
                if all(url in known
                       for url in re.findall(r'urn:uuid:[0-9a-f-]{36}', json.dumps(entry)))]
        if len(kept) == len(entries):
            return entries
        entries = kept


def synth(programs, folder, resources, seed=1):
    """Makes synthetic people with about RESOURCES resources; gives the files and the count."""
    def make(people, out):
        programs.run(programs.carelayer, 'synth', '--people', str(people), '--seed', str(seed),
                     '--out', out, '--format', 'ndjson')
        files = sorted(os.path.join(out, name) for name in os.listdir(out)
                       if '.ndjson' in name)
        return files, sum(count_lines(name) for name in files)
    _, sample = make(200, folder + '.sample')
    return make(max(1, round(resources * 200 / sample)), folder)


def count_lines(path):
    opened = gzip.open(path) if path.endswith('.gz') else open(path, 'rb')
    with opened as file:
        return sum(block.count(b'\n') for block in iter(lambda: file.read(1 << 20), b''))


def collect_ids(server, kind, limit):
    """Up to LIMIT ids of one type, by paging through a search."""
    ids, path = [], f'{kind}?_count=1000&_elements=id'
    while path and len(ids) < limit:
        bundle = json.loads(server.get(path))
        ids += [f'{kind}/' + entry['resource']['id'] for entry in bundle.get('entry', [])
                if entry['resource']['resourceType'] == kind]
        follow = [link['url'] for link in bundle.get('link', []) if link['relation'] == 'next']
        path = follow[0].split('/fhir/', 1)[1] if follow else None
    if not ids:
        raise Trouble(f'the server has no {kind}')
    return ids[:limit]


# Questions of the terminology service about value sets that the base specification brings: small
# and large, by enumeration and by whole code systems.
def _question(operation, value_set, more):
    return f'ValueSet/{operation}?url={value_set}&{more}'


FHIR_SETS, V3_SETS = 'http://hl7.org/fhir/ValueSet/', 'http://terminology.hl7.org/ValueSet/v3-'
V3_CODES = 'http://terminology.hl7.org/CodeSystem/v3-'
VALIDATE_CODE = [
    _question('$validate-code', FHIR_SETS + name, f'system={system}&code={code}')
    for name, system, code in (
        ('administrative-gender', 'http://hl7.org/fhir/administrative-gender', 'female'),
        ('administrative-gender', 'http://hl7.org/fhir/administrative-gender', 'man'),
        ('observation-status', 'http://hl7.org/fhir/observation-status', 'final'),
        ('resource-types', 'http://hl7.org/fhir/resource-types', 'Observation'),
        ('condition-clinical',
         'http://terminology.hl7.org/CodeSystem/condition-clinical', 'active'))
] + [
    _question('$validate-code', V3_SETS + name, f'system={V3_CODES}{name}&code={code}')
    for name, code in (('ActCode', 'IMP'), ('RoleCode', 'MTH'), ('ActCode', 'XYZ'))
]
EXPAND = [
    _question('$expand', value_set, f'count=20&offset={offset}')
    for value_set in (FHIR_SETS + 'resource-types', V3_SETS + 'ActCode', V3_SETS + 'RoleCode')
    for offset in (0, 20, 60)
]

# ---- measures -------------------------------------------------------------------------------

def sync_rate(folder, seconds=1.0):
    """fdatasync calls a second of this disk, each after 4 KiB into allocated space."""
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        block = os.urandom(4096)
        size = 16 << 20
        for _ in range(size // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
        count, begin = 0, time.monotonic()
        while time.monotonic() - begin < seconds:
            os.pwrite(file.fileno(), block, count * len(block) % size)
            os.fdatasync(file.fileno())
            count += 1
        return count / (time.monotonic() - begin)


def alternate(rounds, *measures):
    """Calls each measure in turn, ROUNDS times over, so that all meet the same machine; gives the
    list of results of each."""
    results = [[] for _ in measures]
    for _ in range(rounds):
        for kept, measure in zip(results, measures):
            kept.append(measure())
    return results


def median(results, key):
    return statistics.median(result[key] for result in results)


def spread(ours, floors, key):
    """How far the ratio wandered from round to round."""
    ratios = [one[key] / other[key] for one, other in zip(ours, floors) if other[key]]
    return f'rounds {min(ratios):.0%} to {max(ratios):.0%}' if ratios else 'no round'


def errors(results):
    return sum(result['errors'] for result in results)


# ---- the table ------------------------------------------------------------------------------

class Row:
    def __init__(self, workload, ours='', floor='', ratio='', bar='', verdict='', detail=''):
        self.cells = [workload, ours, floor, ratio, bar, verdict, detail]

    @property
    def verdict(self):
        return self.cells[5]


def ratio_row(workload, unit, ours, floor, bar, failures=0, detail=''):
    """A row whose figures are rates: the more the better."""
    ratio = ours / floor if floor else 0.0
    verdict = f'{failures} errors' if failures else 'met' if ratio >= bar else 'missed'
    return Row(workload, f'{ours:,.0f} {unit}', f'{floor:,.0f} {unit}', f'{ratio:.1%}',
               f'>= {bar:.0%}', verdict, detail)


def times_row(workload, unit, ours, theirs, bar, failures=0, detail=''):
    """A row beside another program's rate, many times slower: the more the better."""
    ratio = ours / theirs if theirs else 0.0
    verdict = f'{failures} errors' if failures else 'met' if ratio >= bar else 'missed'
    return Row(workload, f'{ours:,.0f} {unit}', f'{theirs:,.0f} {unit}', f'{ratio:.1f} x',
               f'>= {bar:g} x', verdict, detail)


def limit_row(workload, ours, limit, unit, detail=''):
    """A row with a limit instead of a floor: the less the better."""
    return Row(workload, f'{ours:,.4g} {unit}', '-', f'{ours / limit:.1%}', f'<= {limit:,g} {unit}',
               'met' if ours <= limit else 'missed', detail)


def absent_row(workload, why):
    return Row(workload, 'n/a', verdict='n/a', detail=why)


def print_table(title, heads, rows):
    table = [heads] + [row.cells if isinstance(row, Row) else row for row in rows]
    table = [line + [''] * (len(heads) - len(line)) for line in table]
    widths = [max(len(str(line[i])) for line in table) for i in range(len(heads))]
    print(f'\n{title}\n')
    for index, line in enumerate(table):
        print('| ' + ' | '.join(str(cell).ljust(width)
                                for cell, width in zip(line, widths)) + ' |')
        if index == 0:
            print('|' + '|'.join('-' * (width + 2) for width in widths) + '|')
    sys.stdout.flush()
