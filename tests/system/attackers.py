# SPDX-License-Identifier: MIT
"""Slow and broken HTTP clients, as many as wanted, until stdin is closed.
usage: attackers.py PORT CLIENTS"""
import asyncio
import json
import logging
import random
import resource
import sys

PORT, CLIENTS = int(sys.argv[1]), int(sys.argv[2])
HOST = b'Host: 127.0.0.1\r\n'
TYPE = b'Content-Type: application/fhir+json\r\n'
DONE = {}


def _post(body):
    return b'POST /fhir/Patient HTTP/1.1\r\n%s%sContent-Length: %d\r\n\r\n' % (
        HOST, TYPE, len(body)) + body


DEEP = _post(b'{"resourceType":"Patient","extension":' + b'[{"extension":' * 10000
             + b'1' + b'}]' * 10000 + b'}')
CONTAINED = _post(json.dumps({'resourceType': 'Patient', 'contained': [
    {'resourceType': 'Organization', 'id': 'o%d' % number, 'name': 'x'}
    for number in range(5000)]}).encode())


async def _answer(reader):
    """The status of one answer, which is read to its end."""
    head = await reader.readuntil(b'\r\n\r\n')
    length = [line for line in head.lower().split(b'\r\n') if line.startswith(b'content-length')]
    if length:
        await reader.readexactly(int(length[0].split(b':')[1]))
    DONE['answered'] = DONE.get('answered', 0) + 1
    return int(head.split()[1])


async def dribbles_headers(reader, writer):
    writer.write(b'GET /fhir/metadata HTTP/1.1\r\n' + HOST + b'X-Slow: ')
    while True:
        writer.write(b'a')
        await writer.drain()
        await asyncio.sleep(0.5)


async def dribbles_a_body(reader, writer):
    writer.write(b'POST /fhir/Patient HTTP/1.1\r\n' + HOST + TYPE
                 + b'Content-Length: 10000\r\n\r\n{')
    while True:
        writer.write(b' ')
        await writer.drain()
        await asyncio.sleep(0.5)


async def sends_a_huge_body_and_stops(reader, writer):
    writer.write(b'POST /fhir/Patient HTTP/1.1\r\n' + HOST + TYPE
                 + b'Content-Length: 60000000\r\n\r\n{"resourceType":"Patient","language":"')
    for _ in range(40):
        writer.write(b'a' * 50000)
        await writer.drain()
        await asyncio.sleep(0.5)
    await asyncio.sleep(30)


async def nests_10000_deep(reader, writer):
    writer.write(DEEP)
    status = await _answer(reader)
    assert status in (400, 413, 422, 503), status
    await asyncio.sleep(4)


async def contains_thousands(reader, writer):
    writer.write(CONTAINED)
    status = await _answer(reader)
    assert status in (201, 400, 413, 422, 503), status
    await asyncio.sleep(8)


async def closes_half(reader, writer):
    writer.write(b'GET /fhir/metadata HTTP/1.1\r\n' + HOST + b'\r\nGET /fhir/Pat')
    writer.write_eof()
    await asyncio.sleep(3)


async def never_reads(reader, writer):
    reader._transport.pause_reading()  # nothing of the answers is taken from the kernel
    for _ in range(50):
        writer.write((b'GET /fhir/metadata HTTP/1.1\r\n' + HOST + b'\r\n') * 20)
        await asyncio.sleep(0.5)


async def talks_nonsense(reader, writer):
    writer.write(random.randbytes(2000) + b'\r\n\r\n')
    await reader.read()
    await asyncio.sleep(1)


async def leaves_in_the_middle(reader, writer):
    writer.write(CONTAINED[:random.randrange(len(CONTAINED))])
    await asyncio.sleep(random.random())
    writer.transport.abort()
    await asyncio.sleep(1)


KINDS = [dribbles_headers, dribbles_a_body, sends_a_huge_body_and_stops, nests_10000_deep,
         contains_thousands, closes_half, never_reads, talks_nonsense, leaves_in_the_middle]


async def _attack(kind):
    await asyncio.sleep(random.random() * 3)
    while True:
        try:
            reader, writer = await asyncio.open_connection('127.0.0.1', PORT)
            try:
                await kind(reader, writer)
            finally:
                writer.transport.abort()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await asyncio.sleep(1)  # thrown out: what it should expect
        except AssertionError as error:
            print('%s: status %s' % (kind.__name__, error), flush=True)
        DONE[kind.__name__] = DONE.get(kind.__name__, 0) + 1


async def _main():
    tasks = [asyncio.create_task(_attack(KINDS[number % len(KINDS)])) for number in range(CLIENTS)]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps(DONE), flush=True)


logging.getLogger('asyncio').setLevel(logging.CRITICAL)
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, CLIENTS + 1000), hard))
asyncio.run(_main())
