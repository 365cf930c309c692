# SPDX-License-Identifier: MIT
"""A client of websockets for tests, which can break the rules too."""
import base64
import hashlib
import json
import os
import socket
import struct


class WebSocket:
    """A client of RFC 6455."""

    def __init__(self, port, path='/fhir/$ws', key=None, headers=()):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=20)
        self.rest = b''
        key = key or base64.b64encode(os.urandom(16)).decode()
        lines = ['GET %s HTTP/1.1' % path, 'Host: 127.0.0.1:%d' % port, 'Upgrade: websocket',
                 'Connection: keep-alive, Upgrade', 'Sec-WebSocket-Version: 13',
                 'Sec-WebSocket-Key: ' + key, *headers]
        self.socket.sendall(('\r\n'.join(lines) + '\r\n\r\n').encode())
        while b'\r\n\r\n' not in self.rest:
            got = self.socket.recv(4096)
            assert got, self.rest
            self.rest += got
        head, self.rest = self.rest.split(b'\r\n\r\n', 1)
        self.status = int(head.split()[1])
        if self.status == 101:
            accept = base64.b64encode(hashlib.sha1(
                (key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest())
            assert b'Sec-WebSocket-Accept: ' + accept in head, head

    def send(self, opcode, payload, final=True, masked=True):
        mask = os.urandom(4)
        head = bytes([(0x80 if final else 0) | opcode])
        bit = 0x80 if masked else 0
        if len(payload) < 126:
            head += bytes([bit | len(payload)])
        else:
            head += bytes([bit | 126]) + struct.pack('>H', len(payload))
        if masked:
            head += mask
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(head + payload)

    def _take(self, count):
        while len(self.rest) < count:
            got = self.socket.recv(65536)
            if not got:
                return None
            self.rest += got
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def receive(self):
        """(opcode, payload) of the next frame; None at the end."""
        head = self._take(2)
        if head is None:
            return None
        assert head[0] & 0x80 and not head[1] & 0x80, 'a server does not mask or split'
        length = head[1] & 0x7f
        if length == 126:
            length = struct.unpack('>H', self._take(2))[0]
        elif length == 127:
            length = struct.unpack('>Q', self._take(8))[0]
        return head[0] & 15, self._take(length)

    def bundle(self):
        while True:
            frame = self.receive()
            assert frame is not None, 'the server has closed'
            if frame[0] == 1:
                return json.loads(frame[1])
            assert frame[0] == 9, frame
            self.send(10, frame[1])

    def closed_with(self):
        frame = self.receive()
        assert frame and frame[0] == 8, frame
        return struct.unpack('>H', frame[1][:2])[0]

    def close(self):
        self.socket.close()
