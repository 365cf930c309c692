# SPDX-License-Identifier: MIT
"""What bench/shapes needs of records on a PostgreSQL server: values to ask for, read with psql, and
the statements written by hand as that server has them. There a place is two columns, patient and
seq, and a text is looked for by its hash."""
import json
import re
import subprocess
import uuid

import shapes
from benchlib import Trouble

UUID_MARK = b'\xff'
MOST = 4000


class Store(shapes.Store):
    """As shapes.Store, of the database at ADDRESS."""

    def __init__(self, server, types, address, seed=1):
        self.psql = subprocess.Popen(
            ['psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', address],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.psql.stdin.write('SET search_path = carelayer;\n')
        super().__init__(server, types, seed)

    def connect(self):
        """There is no file to be opened."""

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()

    def rows(self, sql, *arguments):
        """Every row a tuple; bytes come as bytes."""
        values = iter(arguments)
        text = re.sub(r'\?', lambda _: literal(next(values)), sql)
        self.psql.stdin.write(f'SELECT row_to_json(q) FROM ({text}) q;\n\\echo END\n')
        self.psql.stdin.flush()
        found = []
        for line in self.psql.stdout:
            if line == 'END\n':
                return found
            found.append(tuple(value for _, value in json.loads(line, object_pairs_hook=list)))
        raise Trouble('psql ended: ' + text[:200])

    def key_of(self, id):
        return UUID_MARK + uuid.UUID(id).bytes

    def ids(self, kind, most=MOST):
        def make():
            return self.rows(
                'SELECT patient::int8 << 31 | seq AS rid, id FROM directory WHERE type=? AND '
                "state=1 AND substr(id, 1, 1)='\\xff' ORDER BY md5(id) LIMIT ?",
                self.types[kind], most)
        rid, hex = self.random.choice(self.keep(('ids', kind), make))
        id = str(uuid.UUID(bytes=as_bytes(hex)[1:]))
        return rid, id, 'x' + as_bytes(hex).hex()

    def texts(self, parameter):
        return [as_bytes(value) for value, in self.rows(
            'SELECT value FROM text WHERE parameter=? ORDER BY md5(value), patient LIMIT 20000',
            self.number(parameter))]

    def date(self, parameter):
        def make():
            number = self.number(parameter)
            first, last = self.rows('SELECT min(low) AS a, max(low) AS b FROM date WHERE '
                                    'parameter=?', number)[0]
            times = ','.join(str(self.random.randint(first, last)) for _ in range(MOST))
            return [low for low, in self.rows(
                'SELECT (SELECT d.low FROM date d WHERE d.parameter=? AND d.low>=n.x ORDER BY '
                f'd.low LIMIT 1) AS low FROM unnest(ARRAY[{times}]::int8[]) n(x)', number)]
        return self.random.choice(self.keep(('date', parameter), make))

    def quantity(self, parameter):
        def make():
            return self.rows('SELECT value FROM quantity WHERE parameter=? AND value>-1e299 '
                             'ORDER BY md5(patient::text || seq::text) LIMIT ?',
                             self.number(parameter), MOST)
        return float(self.random.choice(self.keep(('quantity', parameter), make))[0])

    def updated(self):
        rid = self.ids('Observation')[0]
        return self.rows('SELECT updated FROM resource WHERE patient=? AND seq=?', rid >> 31,
                         rid & 0x7fffffff)[0][0]

    def written(self, sql):
        return translate(sql)

    def bytes_each(self):
        """Of the tables and all their indexes, a current resource."""
        size, = self.rows("SELECT sum(pg_total_relation_size(c.oid))::int8 FROM pg_class c JOIN "
                          "pg_namespace n ON n.oid=c.relnamespace WHERE n.nspname='carelayer' AND "
                          "c.relkind='r'")[0]
        return size / self.rows('SELECT sum(resources)::int8 FROM tally')[0][0]


def literal(value):
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def as_bytes(text):
    return bytes.fromhex(text[2:])


# ---- statements ------------------------------------------------------------------------------

PLACES_OF_PATIENT = (r'(\w*\.?)rid BETWEEN \((SELECT) rid (FROM directory WHERE [^()]*)\) AND '
                     r'\(SELECT rid\+2147483647 FROM directory WHERE [^()]*\)')
RULES = [
    # Before what is general.
    (r'SELECT DISTINCT r\.rid>>31<<31 AS rid FROM', r'SELECT DISTINCT r.patient, 0 AS seq FROM'),
    (r'SELECT rid FROM member WHERE', r'SELECT home, seq FROM member WHERE'),
    (r'SELECT p\.rid FROM place p CROSS JOIN resource r ON r\.rid=p\.rid WHERE p\.type=',
     r'SELECT p.patient, p.seq FROM resource p WHERE p.type='),
    (r'AND r\.updated>=\?1 AND r\.updated<\?2', r'AND p.updated>=?1 AND p.updated<?2'),
    (PLACES_OF_PATIENT, r'\1patient=(\2 patient \3)'),
    (r'SELECT -\(rid>>31\)', r'SELECT -patient'),
    (r'-\((\w+\.)rid>>31\)', r'-\1patient'),
    # Places are two columns.
    (r'(\w+)\.rid=(\w+)\.rid', r'\1.patient=\2.patient AND \1.seq=\2.seq'),
    (r'(\w+)\.rid (NOT )?IN \(SELECT (\w+\.)?rid',
     r'(\1.patient, \1.seq) \2IN (SELECT \3patient, \3seq'),
    (r'SELECT (DISTINCT )?(\w+\.)?rid\b', r'SELECT \1\2patient, \2seq'),
    (r'ORDER BY (\w+\.)?rid', r'ORDER BY \1patient, \1seq'),
    # Texts.
    (r"code=(\?\d+|'[\w-]+')",
     r'hashtextextended(code, 0)=hashtextextended(\1 COLLATE "C", 0) AND code=\1'),
    (r"uri='([^']+)'",
     r"""hashtextextended(uri, 0)=hashtextextended('\1' COLLATE "C", 0) AND uri='\1'"""),
    (r'instr\(value,(\?\d+)\)', r'position(\1 IN value)'),
    (r'\?(\d+)', r'$\1'),
]


def translate(sql):
    for pattern, replacement in RULES:
        sql = re.sub(pattern, replacement, sql)
    return sql
