# SPDX-License-Identifier: MIT
"""Subscribers for tests: an endpoint that can die, the resources of the Subscriptions R5 Backport, and
what must hold of what was told; a program whose records may be on a PostgreSQL server."""
import http.server
import itertools
import json
import os
import socket
import subprocess
import threading
import time

from server import Server

BACKPORT = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/'
TOPIC = 'http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic.'
URL = 'https://example.org/topics/'
POSTGRESQL = os.environ.get('CARELAYER_POSTGRESQL')
MAKE_DATABASE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'postgresql',
                             'make_database')
NUMBERS = itertools.count(1)


# ---- where the records are -----------------------------------------------------------------------

def ask_database(database, sql):
    """The rows of an answer, columns apart by |."""
    return subprocess.run(['psql', '-XAtqc', sql, '%s dbname=%s' % (POSTGRESQL, database)],
                          check=True, capture_output=True, text=True).stdout.splitlines()


def make_database(program):
    name = 's%d_%d' % (os.getpid(), next(NUMBERS))
    subprocess.run([MAKE_DATABASE, name], check=True,
                   env=dict(os.environ, CARELAYER_PROGRAM=program))
    return name


DATABASES = {}  # folder -> database


def serve(program, *options, folder=None, database=None):
    """A server over a folder; beside a PostgreSQL server (tests/postgresql/with_server) its records
    are there, in a database that is the folder's own unless it is given."""
    made = Server(program, '--reserve', '8M', *options, folder=folder)
    if POSTGRESQL:
        name = database or DATABASES.get(made.folder) or make_database(program)
        DATABASES[made.folder] = name
        made.environment['CARELAYER_DATABASE'] = '%s dbname=%s' % (POSTGRESQL, name)
    return made


# ---- subscribers ---------------------------------------------------------------------------------

class Endpoint:
    """An HTTP server of a subscriber; it can die, and come back on the same port."""

    def __init__(self):
        self.bundles = []
        self.headers = []
        self.status = 200
        self.location = None
        self.delay = 0
        self.lock = threading.Condition()
        self.server = None
        with socket.create_server(('127.0.0.1', 0)) as probe:
            self.port = probe.getsockname()[1]

    @property
    def url(self):
        return 'http://127.0.0.1:%d/in' % self.port

    def start(self):
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers['Content-Length']))
                begun = time.monotonic()
                while time.monotonic() < begun + endpoint.delay:  # or until it is taken back
                    time.sleep(0.05)
                with endpoint.lock:
                    status = endpoint.status
                    if status < 300:
                        endpoint.bundles.append(json.loads(body))
                        endpoint.headers.append(self.headers)
                    endpoint.lock.notify_all()
                self.send_response(status)
                if endpoint.location:
                    self.send_header('Location', endpoint.location)
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *arguments):  # pylint: disable=arguments-differ
                pass

        class Listener(http.server.ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

        self.server = Listener(('127.0.0.1', self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def of_type(self, kind):
        with self.lock:
            return [bundle for bundle in self.bundles if parameters_of(bundle)['type'] == kind]

    def wait(self, what, seconds=30):
        until = time.monotonic() + seconds
        with self.lock:
            while not what(self):
                left = until - time.monotonic()
                assert left > 0, 'waited in vain: %d bundles' % len(self.bundles)
                self.lock.wait(left)

    def events(self):
        """(number, focus) of everything told, in the order it came."""
        with self.lock:
            return [event for bundle in self.bundles for event in events_of(bundle)]

    def __enter__(self):
        return self.start()

    def __exit__(self, *arguments):
        self.stop()


def value_of(parameter):
    for name, value in parameter.items():
        if name.startswith('value'):
            return value
    return None


def parameters_of(bundle):
    """The Parameters that a notification begins with, by name."""
    status = bundle['entry'][0]['resource']
    assert bundle['type'] == 'history' and status['resourceType'] == 'Parameters', bundle
    for entry in bundle['entry']:
        assert entry['request']['method'] and entry['response']['status'], entry
    return {each['name']: value_of(each) for each in status['parameter'] if 'part' not in each}


def events_of(bundle):
    found = []
    for each in bundle['entry'][0]['resource']['parameter']:
        if each['name'] == 'notification-event':
            parts = {part['name']: value_of(part) for part in each['part']}
            found.append((int(parts['event-number']),
                          parts.get('focus', {}).get('reference', '').split('/fhir/')[-1]))
    return found


# ---- what is asked of the server -----------------------------------------------------------------

def topic_of(name, trigger, filters=(), includes=()):
    def nested(url, **values):
        return {'url': url, 'extension': [
            dict(value, url=key) if isinstance(value, dict) else {'url': key, 'valueString': value}
            for key, each in values.items()
            for value in (each if isinstance(each, list) else [each])]}
    return {'resourceType': 'Basic', 'id': 'topic-' + name,
            'extension': [{'url': TOPIC + 'url', 'valueUri': URL + name},
                          nested(TOPIC + 'resourceTrigger', **trigger)]
            + [nested(TOPIC + 'canFilterBy', **each) for each in filters]
            + ([nested(TOPIC + 'notificationShape', resource=trigger['resource'],
                       include=list(includes))] if includes else []),
            'modifierExtension': [{'url': TOPIC + 'status', 'valueCode': 'active'}],
            'code': {'coding': [{'system': 'http://hl7.org/fhir/fhir-types',
                                 'code': 'SubscriptionTopic'}]}}


def criteria_of(**values):
    return {'extension': [
        {'url': key, 'valueBoolean': value} if isinstance(value, bool) else
        {'url': key, 'valueString': value} if key in ('previous', 'current') else
        {'url': key, 'valueCode': value} for key, value in values.items()]}


def subscription_to(topic, endpoint, content='id-only', filters=(), extensions=(), headers=()):
    channel = {'type': 'rest-hook', 'endpoint': endpoint, 'payload': 'application/fhir+json',
               '_payload': {'extension': [{'url': BACKPORT + 'backport-payload-content',
                                           'valueCode': content}]}}
    if endpoint is None:
        channel['type'] = 'websocket'
        del channel['endpoint']
    if extensions:
        channel['extension'] = [dict(each, url=BACKPORT + each['url']) for each in extensions]
    if headers:
        channel['header'] = list(headers)
    made = {'resourceType': 'Subscription', 'status': 'requested', 'reason': 'test',
            'criteria': URL + topic, 'channel': channel}
    if filters:
        made['_criteria'] = {'extension': [{'url': BACKPORT + 'backport-filter-criteria',
                                            'valueString': text} for text in filters]}
    return made


def check_order(events, last):
    """At least once, and never a number before all lower ones."""
    seen = 0
    for number, _ in events:
        assert number <= seen + 1, 'event %d came when %d was due' % (number, seen + 1)
        seen = max(seen, number)
    assert seen == last, (seen, last)
    named = {}
    for number, focus in events:
        assert named.setdefault(number, focus) == focus, 'number %d means two events' % number
