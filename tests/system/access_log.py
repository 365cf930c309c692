# SPDX-License-Identifier: MIT
"""A second reader of the access log, written from its description (src/audit/audit_int.h) and not
from the program's own reader."""
import glob
import os
import struct

HEAD = struct.Struct('<IIQQIIII')
FIXED = struct.Struct('<BBHqIHII')
HEADER, ENTRIES = 1, 2


def _table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = _table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 255] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _entry(data):
    version, action, http, when, patient, kind, number, resources = FIXED.unpack_from(data)
    assert version == 1, version
    at = FIXED.size
    texts = []
    for _ in range(5):
        length, = struct.unpack_from('<H', data, at)
        texts.append(data[at + 2:at + 2 + length].decode())
        at += 2 + length
    assert at == len(data), 'bytes behind an entry'
    interaction, name, who, request, query = texts
    return {'action': chr(action), 'http': http, 'when': when, 'patient': patient, 'type': kind,
            'version': number, 'resources': resources, 'interaction': interaction, 'id': name,
            'who': who, 'request': request, 'query': query}


def _records(data, check):
    at = 0
    while at + HEAD.size <= len(data):
        length, crc, number, origin, kind, count, _, _ = HEAD.unpack_from(data, at)
        end = at + HEAD.size + length
        if length == 0 or end > len(data):
            return
        if check and crc32c(data[at + 8:end]) != crc:
            return
        yield number, origin, kind, count, data[at + HEAD.size:end]
        at = (end + 7) // 8 * 8


def read(folder, check=True):
    """Every entry of a data folder's log, in order. Demands whole headers and numbers without a
    gap; CHECK looks at the checksums too."""
    entries = []
    last_origin = 0
    for path in sorted(glob.glob(os.path.join(folder, 'audit', '*.log'))):
        with open(path, 'rb') as file:
            data = file.read()
        for position, (number, origin, kind, count, payload) in enumerate(_records(data, check)):
            if position == 0:
                assert kind == HEADER and payload == b'carelayer audit 1', (path, kind, payload)
            else:
                assert kind == ENTRIES, (path, kind)
            assert number == len(entries) or number == len(entries) + 1, (path, number,
                                                                          len(entries))
            assert origin >= last_origin, 'an outbox row came twice or too late'
            last_origin = origin
            taken = 0
            while kind == ENTRIES and payload:
                length, = struct.unpack_from('<I', payload)
                entries.append(_entry(payload[4:4 + length]))
                payload = payload[4 + length:]
                taken += 1
            assert kind == HEADER or taken == count, (path, taken, count)
    return entries
