# SPDX-License-Identifier: MIT
"""Two servers on one database that is killed and started again, under load.

Arguments: the program, how often. Run inside with_server. Writers create, create once (If-None-Exist,
again until it is acknowledged) and update through both servers. Then everything that was
acknowledged must be there, nothing twice, and no answer may have been another than it should be but
503 with Retry-After.
"""
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time

SYSTEM = "urn:carelayer:test"
WRITERS = 6


class Server:
    """One `carelayer serve` with a data folder of its own."""

    def __init__(self, program, folder, name):
        self.log = os.path.join(folder, name + ".out")
        with open(self.log, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                [program, "serve", "--data", os.path.join(folder, name), "--port", "0", "--auth", "off"],
                stdout=out, stderr=subprocess.STDOUT)
        self.port = self.find_port()

    def find_port(self):
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            with open(self.log, encoding="utf-8") as text:
                found = re.search(r"http://127\.0\.0\.1:(\d+)/fhir", text.read())
            if found:
                return int(found.group(1))
            time.sleep(0.1)
        with open(self.log, encoding="utf-8") as text:
            sys.exit("a server did not start: " + text.read())

    def ask(self, method, path, body=None, headers=None):
        """Gives status, headers and JSON."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            text = json.dumps(body).encode() if body is not None else None
            kinds = {"Content-Type": "application/fhir+json", **(headers or {})}
            link.request(method, "/fhir/" + path, text, kinds)
            answer = link.getresponse()
            content = answer.read()
            return answer.status, answer.headers, json.loads(content) if content else None
        finally:
            link.close()


class Load:
    """What the writers did and were told."""

    def __init__(self, servers):
        self.servers = servers
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.faults = []
        self.refused = 0
        self.created, self.tried, self.once = set(), set(), set()
        self.updates = {}  # id -> [(version, value)] acknowledged, how often tried

    def fault(self, text):
        with self.lock:
            self.faults.append(text)

    def write(self, server, method, path, body, headers=None):
        """True and the headers when it was acknowledged."""
        try:
            status, answer, _ = server.ask(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.fault(f"{method} {path}: no answer ({type(error).__name__})")
            return False, None
        if status in (200, 201):
            return True, answer
        if status != 503 or not answer.get("Retry-After"):
            self.fault(f"{method} {path}: {status}, Retry-After {answer.get('Retry-After')}")
        with self.lock:
            self.refused += 1
        return False, None

    def create(self, server, name):
        body = {"resourceType": "Basic", "code": {"text": "x"},
                "identifier": [{"system": SYSTEM, "value": name}]}
        with self.lock:
            self.tried.add(name)
        done, _ = self.write(server, "POST", "Basic", body)
        if done:
            with self.lock:
                self.created.add(name)

    def create_once(self, name):
        body = {"resourceType": "Basic", "code": {"text": "x"},
                "identifier": [{"system": SYSTEM, "value": name}]}
        with self.lock:
            self.once.add(name)
        for attempt in range(200):
            server = self.servers[attempt % 2]
            done, _ = self.write(server, "POST", "Basic", body,
                                 {"If-None-Exist": f"identifier={SYSTEM}|{name}"})
            if done:
                return
            time.sleep(0.2)
        self.fault(f"{name} was never acknowledged")

    def update(self, server, key, value):
        body = {"resourceType": "Basic", "id": key, "code": {"text": value}}
        known = self.updates.setdefault(key, {"acknowledged": {}, "tried": 0})
        known["tried"] += 1
        done, headers = self.write(server, "PUT", "Basic/" + key, body)
        if done:
            known["acknowledged"][int(headers["ETag"].strip('W/"'))] = value

    def run(self, number):
        at = 0
        while not self.stop.is_set():
            server = self.servers[(number + at) % 2]
            name = f"w{number}-{at}"
            kind = at % 3
            if kind == 0:
                self.create(server, name)
            elif kind == 1:
                self.create_once(name)
            else:
                self.update(server, f"u{number}", name)
            at += 1


def everything(server):
    """How often each identifier is there."""
    seen = {}
    path = "Basic?_count=500&identifier=" + SYSTEM + "|"
    while path:
        status, _, page = server.ask("GET", path)
        if status != 200:
            sys.exit(f"searching answered {status}")
        for entry in page.get("entry", []):
            for identifier in entry["resource"].get("identifier", []):
                seen[identifier["value"]] = seen.get(identifier["value"], 0) + 1
        links = {link["relation"]: link["url"] for link in page.get("link", [])}
        path = links["next"].split("/fhir/", 1)[1] if "next" in links else None
    return seen


def check_created(load, server):
    seen = everything(server)
    for name in load.created | load.once:
        if seen.get(name, 0) != 1:
            load.fault(f"{name} was acknowledged and is there {seen.get(name, 0)} times")
    for name in load.tried:
        if seen.get(name, 0) > 1:
            load.fault(f"{name} is there {seen[name]} times")


def check_updates(load, server):
    for key, known in load.updates.items():
        status, _, page = server.ask("GET", f"Basic/{key}/_history?_count=1000")
        if status == 404 and not known["acknowledged"]:
            continue  # no update of it was ever acknowledged
        if status != 200:
            load.fault(f"the history of {key} answered {status}")
            continue
        versions = {int(entry["resource"]["meta"]["versionId"]): entry["resource"]["code"]["text"]
                    for entry in page["entry"]}
        values = list(versions.values())
        if len(set(values)) != len(values) or len(values) > known["tried"]:
            load.fault(f"{key} has an update twice")
        if len(page["entry"]) < 1000:
            for version, value in known["acknowledged"].items():
                if versions.get(version) != value:
                    load.fault(f"{key}: version {version} was acknowledged and is another")


def control(name):
    subprocess.run(["bash", "-c", os.environ[name]], check=True)


def main():
    program, rounds = sys.argv[1], int(sys.argv[2])
    os.environ["CARELAYER_DATABASE"] = os.environ["CARELAYER_POSTGRESQL"] + " dbname=postgres"
    with tempfile.TemporaryDirectory() as folder:
        servers = []
        try:
            for name in ("one", "two"):
                servers.append(Server(program, folder, name))
            load = Load(servers)
            threads = [threading.Thread(target=load.run, args=(i,)) for i in range(WRITERS)]
            for thread in threads:
                thread.start()
            for turn in range(rounds):
                time.sleep(random.uniform(0.5, 1.5))
                control("CARELAYER_POSTGRESQL_STOP")
                # Most are over before a writer loses patience; some are not.
                time.sleep(5 if turn % 4 == 1 else random.uniform(0, 0.5))
                control("CARELAYER_POSTGRESQL_START")
            time.sleep(1)
            load.stop.set()
            for thread in threads:
                thread.join()
            for server in servers:
                check_created(load, server)
                check_updates(load, server)
        finally:
            for server in servers:
                server.process.terminate()
                server.process.wait()
    updates = sum(len(known["acknowledged"]) for known in load.updates.values())
    print(f"{rounds} restarts: {len(load.created)} created, {len(load.once)} created once, "
          f"{updates} updated, {load.refused} answered 503, {len(load.faults)} faults")
    for fault in load.faults[:20]:
        print("fault:", fault)
    sys.exit(1 if load.faults or not load.created else 0)


main()
