# SPDX-License-Identifier: MIT
"""Drives the program with the FHIR clients that tests/system/clients/fetch has fetched.
usage: clients.py PROGRAM"""
import os
import shutil
import subprocess
import sys

from server import Server

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.join(HERE, '..', '..', '.cache', 'clients', 'node_modules')

if shutil.which('node') is None or not os.path.isdir(MODULES):
    print('1..0 # SKIP no clients: run tests/system/clients/fetch')
    sys.exit(0)
with Server(sys.argv[1], '--reserve', '8M') as server:
    ended = subprocess.run(['node', os.path.join(HERE, 'clients', 'drive.js'), server.base],
                           env=dict(os.environ, NODE_PATH=MODULES), timeout=120, check=False)
sys.exit(ended.returncode)
