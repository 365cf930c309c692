# SPDX-License-Identifier: MIT
"""Requests that two readers could understand differently are refused and the connection closed.
usage: http_rules.py PROGRAM"""
import sys

from server import Server, tap

PROGRAM = sys.argv[1]
HOST = b'Host: 127.0.0.1\r\n'
PATIENT = b'{"resourceType":"Patient"}'
TYPE = b'Content-Type: application/fhir+json\r\n'


def _until_closed(stream):
    taken = b''
    while True:
        try:
            part = stream.recv(65536)
        except ConnectionResetError:
            return taken, True
        except TimeoutError:
            return taken, False
        if not part:
            return taken, True
        taken += part


def _refused(raw, status=b'400'):
    """Sends RAW; demands one refusal as OperationOutcome, the end of the connection, and nothing
    of the request that stands behind it."""
    before = len(SERVER.entries('Patient'))
    behind = b'GET /fhir/metadata HTTP/1.1\r\n' + HOST + b'\r\n'
    with SERVER.socket(timeout=5) as stream:
        stream.sendall(raw + behind)
        taken, closed = _until_closed(stream)
    assert closed, 'the connection stayed open: %.300r' % taken
    assert taken.startswith(b'HTTP/1.1 %s ' % status), taken[:300]
    head, body = taken.split(b'\r\n\r\n', 1)
    assert b'\r\n' not in body, taken[:600]
    assert b'"OperationOutcome"' in body, body[:300]
    assert b'connection: close' in head.lower(), head
    assert len(SERVER.entries('Patient')) == before, 'something was stored'


def _post(head, body=PATIENT):
    return b'POST /fhir/Patient HTTP/1.1\r\n' + head + b'\r\n' + body


def _chunked(body):
    return _post(HOST + TYPE + b'Transfer-Encoding: chunked\r\n', body)


def refuses_two_content_lengths():
    _refused(_post(HOST + TYPE + b'Content-Length: 26\r\nContent-Length: 5\r\n'))


def refuses_two_equal_content_lengths():
    _refused(_post(HOST + TYPE + b'Content-Length: 26\r\nContent-Length: 26\r\n'))


def refuses_a_list_of_content_lengths():
    _refused(_post(HOST + TYPE + b'Content-Length: 26, 26\r\n'))


def refuses_a_content_length_with_a_sign():
    _refused(_post(HOST + TYPE + b'Content-Length: +26\r\n'))


def refuses_a_content_length_beyond_64_bits():
    _refused(_post(HOST + TYPE + b'Content-Length: 18446744073709551642\r\n'))


def refuses_a_space_before_the_colon():
    _refused(_post(HOST + TYPE + b'Content-Length : 26\r\n'))


def refuses_content_length_beside_transfer_encoding():
    _refused(_post(HOST + TYPE + b'Content-Length: 26\r\nTransfer-Encoding: chunked\r\n',
                   b'1a\r\n' + PATIENT + b'\r\n0\r\n\r\n'))


def refuses_a_transfer_encoding_that_does_not_end_in_chunked():
    _refused(_post(HOST + TYPE + b'Transfer-Encoding: chunked, identity\r\n',
                   b'1a\r\n' + PATIENT + b'\r\n0\r\n\r\n'))


def refuses_bare_line_feeds():
    _refused(b'GET /fhir/Patient HTTP/1.1\nHost: 127.0.0.1\n\n')


def refuses_one_bare_line_feed():
    _refused(b'GET /fhir/Patient HTTP/1.1\r\nHost: 127.0.0.1\nAccept: */*\r\n\r\n')


def refuses_a_bare_carriage_return():
    _refused(b'GET /fhir/Patient HTTP/1.1\r\nHost: 127.0.0.1\rAccept: */*\r\n\r\n')


def refuses_chunk_sizes_with_a_sign():
    _refused(_chunked(b'+1a\r\n' + PATIENT + b'\r\n0\r\n\r\n'))
    _refused(_chunked(b'-1a\r\n' + PATIENT + b'\r\n0\r\n\r\n'))


def refuses_chunk_sizes_with_0x():
    _refused(_chunked(b'0x1a\r\n' + PATIENT + b'\r\n0\r\n\r\n'))


def refuses_chunk_sizes_beyond_64_bits():
    _refused(_chunked(b'1000000000000001a\r\n' + PATIENT + b'\r\n0\r\n\r\n'))


def refuses_a_bare_line_feed_behind_a_chunk_size():
    _refused(_chunked(b'1a\n' + PATIENT + b'\r\n0\r\n\r\n'))


def refuses_folded_headers():
    _refused(b'GET /fhir/Patient HTTP/1.1\r\n' + HOST + b'X-Long: a\r\n b\r\n\r\n')
    _refused(b'GET /fhir/Patient HTTP/1.1\r\n' + HOST + b'X-Long: a\r\n\tb\r\n\r\n')


def refuses_a_nul_in_a_header():
    _refused(b'GET /fhir/Patient HTTP/1.1\r\n' + HOST + b'X-A: a\0b\r\n\r\n')
    _refused(b'GET /fhir/Patient HTTP/1.1\r\n' + HOST + b'X\0A: b\r\n\r\n')


def refuses_a_nul_in_the_path():
    _refused(b'GET /fhir/Pat\0ient HTTP/1.1\r\n' + HOST + b'\r\n')


def refuses_no_host():
    _refused(b'GET /fhir/Patient HTTP/1.1\r\n\r\n')


def refuses_two_hosts():
    _refused(b'GET /fhir/Patient HTTP/1.1\r\n' + HOST + HOST + b'\r\n')


def refuses_an_unknown_protocol():
    _refused(b'GET /fhir/Patient HTTQ/1.1\r\n' + HOST + b'\r\n')


def refuses_a_header_section_past_its_limit():
    _refused(b'GET /fhir/Patient HTTP/1.1\r\n' + HOST + b'X-Long: ' + b'a' * 70000 + b'\r\n\r\n',
             status=b'431')


def refuses_an_announced_body_past_its_limit_before_it_came():
    _refused(_post(HOST + TYPE + b'Content-Length: 99999999999\r\n'), status=b'413')


def answers_pipelined_requests_in_their_order():
    with SERVER.socket() as stream:
        asked = [b'GET /fhir/Patient/p%d HTTP/1.1\r\n' % number + HOST
                 + b'X-Request-Id: r%d\r\n\r\n' % number for number in range(20)]
        last = b'GET /fhir/Patient HTTP/1.1\r\n' + HOST + b'Connection: close\r\n\r\n'
        stream.sendall(b''.join(asked) + last)
        taken, closed = _until_closed(stream)
    assert closed
    lines = [line.split(b':')[1].strip() for line in taken.split(b'\r\n')
             if line.lower().startswith(b'x-request-id:')]
    assert lines[:20] == [b'r%d' % number for number in range(20)], lines
    assert taken.count(b'HTTP/1.1 404') == 20 and taken.count(b'HTTP/1.1 200') == 1


def takes_a_body_in_chunks_of_one_byte():
    with SERVER.socket() as stream:
        stream.sendall(_post(HOST + TYPE + b'Transfer-Encoding: chunked\r\n'
                             b'Connection: close\r\n', b''))
        for byte in PATIENT:
            stream.sendall(b'1\r\n%c\r\n' % byte)
        stream.sendall(b'0\r\n\r\n')
        taken, _ = _until_closed(stream)
    assert taken.startswith(b'HTTP/1.1 201 '), taken[:300]


def says_100_continue_to_who_asks():
    with SERVER.socket() as stream:
        stream.sendall(_post(HOST + TYPE + b'Content-Length: 26\r\nExpect: 100-continue\r\n'
                             b'Connection: close\r\n', b''))
        first = stream.recv(1000)
        assert first.startswith(b'HTTP/1.1 100 '), first
        stream.sendall(PATIENT)
        taken, _ = _until_closed(stream)
    assert taken.startswith(b'HTTP/1.1 201 '), taken[:300]


with Server(PROGRAM, '--reserve', '8M') as SERVER:
    CODE = tap.run(sys.modules[__name__])
sys.exit(CODE)
