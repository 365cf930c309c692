# SPDX-License-Identifier: MIT
"""Many slow and broken clients do not harm a well-behaved one.
usage: slow_clients.py PROGRAM [CLIENTS [SECONDS [TIMES]]]
The well-behaved client's 99th percentile may be TIMES its quiet one (0: is only told)."""
import contextlib
import http.client
import json
import os
import resource
import subprocess
import sys
import threading
import time

from server import SANITIZED, Server, tap

PROGRAM = os.path.abspath(sys.argv[1])
CLIENTS = int(sys.argv[2]) if len(sys.argv) > 2 else 200
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 5
TIMES = float(sys.argv[4]) if len(sys.argv) > 4 else 0
MEMORY = 256 << 20
CACHE = 16 << 20
OPTIONS = ('--memory', str(MEMORY), '--cache', str(CACHE), '--header-timeout', '5',
           '--body-timeout', '10', '--send-timeout', '5', '--idle-timeout', '10',
           '--reserve', '8M', '--stop-timeout', '10')
# Stacks, libraries' own memory and what a loop or worker keeps for itself.
OVERHEAD = 96 << 20


def _measure(server, seconds):
    """Latencies in ms of a client that reads, and now and then writes."""
    connection = server.connect()
    took = []
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        number += 1
        started = time.monotonic()
        if number % 20 == 0:
            answer = connection.ask('PUT', 'Patient/good', {'resourceType': 'Patient',
                                                            'id': 'good', 'active': True})
        else:
            answer = connection.ask('GET', 'Patient/good')
        took.append((time.monotonic() - started) * 1000)
        assert answer.status == 200, answer
        time.sleep(0.002)
    connection.close()
    return sorted(took)


def _percentile(sorted_values, part):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * part))]


def _watch(server, stop, seen):
    while not stop.is_set():
        seen.append(server.memory())
        time.sleep(0.1)


def _under_attack(server):
    attack = subprocess.Popen(
        ['nice', '-n', '15', sys.executable,
         os.path.join(os.path.dirname(os.path.abspath(__file__)), 'attackers.py'),
         str(server.port), str(CLIENTS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    stop, seen = threading.Event(), []
    watcher = threading.Thread(target=_watch, args=(server, stop, seen))
    watcher.start()
    try:
        time.sleep(3)  # until all have come
        took = _measure(server, SECONDS)
        output, _ = attack.communicate('', timeout=60)
    finally:
        stop.set()
        watcher.join()
        attack.kill()
        attack.wait()
    return took, max(seen), output.splitlines()


@contextlib.contextmanager
def _server(*options):
    """Started with the soft limit of descriptors that most systems have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    with Server(PROGRAM, *OPTIONS, *options) as server:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        yield server
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def more_connections_than_the_usual_limit_of_descriptors_are_served():
    with _server() as server:
        idle = [server.socket() for _ in range(1500)]
        time.sleep(0.5)
        for number in range(0, 1500, 100):
            idle[number].sendall(b'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
            assert idle[number].recv(12) == b'HTTP/1.1 200'
        assert server.connect(30).ask('GET', 'metadata').status == 200
        for each in idle:
            each.close()


def a_connection_past_the_limit_is_turned_away_and_costs_no_other():
    with _server('--max-connections', '100') as server:
        good = server.connect(30)
        assert good.ask('GET', '/healthz').status == 200
        idle = [server.socket() for _ in range(300)]
        time.sleep(0.5)
        assert good.ask('GET', '/healthz').status == 200
        for each in idle:
            each.close()
        until = time.monotonic() + 60
        while not _answers(server):  # until the server has seen that they left
            assert time.monotonic() < until
            time.sleep(0.1)


def _answers(server):
    try:
        return server.connect(5).ask('GET', '/healthz').status == 200
    except (OSError, http.client.HTTPException):
        return False


def a_well_behaved_client_is_served_and_memory_stays_bounded():
    with _server() as server:
        assert server.ask('PUT', 'Patient/good', {'resourceType': 'Patient', 'id': 'good'})
        _measure(server, 1)
        quiet = _measure(server, SECONDS)
        took, memory, told = _under_attack(server)
        print('# quiet: p50 %.2f ms, p99 %.2f ms of %d; under attack: p50 %.2f ms, p99 %.2f ms of %d'
              % (_percentile(quiet, 0.5), _percentile(quiet, 0.99), len(quiet),
                 _percentile(took, 0.5), _percentile(took, 0.99), len(took)))
        print('# memory %.0f MB of %.0f MB; ended: %s' % (memory / 1e6, MEMORY / 1e6, told[-1]))
        assert told[:-1] == [], told
        done = json.loads(told[-1])
        assert done.get('talks_nonsense') and done.get('answered'), done
        assert SANITIZED or memory < MEMORY + CACHE + OVERHEAD, memory
        if TIMES:
            assert _percentile(took, 0.99) <= TIMES * _percentile(quiet, 0.99)
        assert server.connect().ask('GET', 'metadata').status == 200


sys.exit(tap.run(sys.modules[__name__]))
