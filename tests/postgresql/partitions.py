# SPDX-License-Identifier: MIT
"""What is asked about one person touches one partition of each table that is distributed by patient.

Arguments: the program. Run inside with_server. The server itself says (auto_explain) which tables
each statement of the program's scanned while it answered a request; plans that were there but not
executed do not count.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

TABLES = ("resource|place|change|member|token|reference|text|date|number|quantity|word")
SETTINGS = {"session_preload_libraries": "auto_explain", "auto_explain.log_min_duration": "0",
            "auto_explain.log_analyze": "on", "auto_explain.log_timing": "off",
            "auto_explain.log_format": "json"}
SHAPES = [
    "Observation?patient={id}",
    "Observation?subject=Patient/{id}&_count=20",
    "Observation?patient={id}&_total=accurate",
    "Observation?patient={id}&_summary=count",
    "Observation?patient={id}&code=http://snomed.info/sct|75367002",
    "Observation?patient={id}&status=final",
    "Observation?patient={id}&status:not=final",
    "Observation?patient={id}&category=vital-signs&status=final",
    "Observation?patient={id}&code:missing=true",
    "Observation?patient={id}&date=ge2015-01-01",
    "Observation?patient={id}&date=ge2015-01-01&date=lt2020-01-01&_sort=-date&_count=20",
    "Observation?patient={id}&_sort=date&_count=5",
    "Observation?patient={id}&_sort=-_lastUpdated",
    "Observation?patient={id}&value-quantity=gt5",
    "Observation?patient={id}&code-value-quantity=http://loinc.org|8867-4$gt50",
    "Observation?patient={id}&_lastUpdated=ge2000-01-01",
    "Observation?patient={id}&_content=blood",
    "Observation?patient={id}&code:text=blood",
    "Observation?patient={id}&_include=Observation:encounter",
    "Condition?patient={id}&clinical-status=active",
    "Encounter?patient={id}&date=ge2010",
    "MedicationRequest?patient={id}&status=active",
    "Patient/{id}/Observation?status=final",
    "Patient/{id}/Condition",
    "Patient/{id}/$everything?_count=50",
    "Patient?_id={id}",
    "Patient/{id}",
]


def run(arguments, **more):
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **more)
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)}: {done.stdout}")


def serve(program, folder):
    log = os.path.join(folder, "serve.out")
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen([program, "serve", "--data", os.path.join(folder, "data"),
                                    "--port", "0", "--auth", "off"], stdout=out,
                                   stderr=subprocess.STDOUT, env={**os.environ, "PGOPTIONS": options})
    for _ in range(600):
        with open(log, encoding="utf-8") as text:
            found = re.search(r"http://127\.0\.0\.1:\d+/fhir", text.read())
        if found:
            return process, found.group(0)
        time.sleep(0.1)
    process.kill()
    sys.exit("the server did not start")


def ask(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def alone(people):
    """Patients of whom nothing stands in another's record: there it would be looked for too."""
    query = ("SELECT encode(substr(id, 2), 'hex') FROM carelayer.patient p WHERE NOT EXISTS"
             " (SELECT 1 FROM carelayer.member m WHERE m.patient=p.number)")
    known = subprocess.run(["psql", "-At", os.environ["CARELAYER_DATABASE"], "-c", query],
                           stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    ids = [entry["resource"]["id"] for entry in people["entry"]]
    return [name for name in ids if name.replace("-", "") in known]


def plans(text):
    """The plans in a piece of the server's log, which may end within one of a background statement."""
    for found in re.finditer(r"plan:\n((?:\t.*\n)+)", text):
        if found.group(1).endswith("\n\t}\n"):
            yield json.loads(found.group(1).replace("\n\t", "\n"))


def scanned(node, tables):
    if node.get("Actual Loops", 0) > 0 and "Relation Name" in node:
        tables.add(node["Relation Name"])
    for child in node.get("Plans", []):
        scanned(child, tables)


def partitions(text):
    """The partitions that were touched, and by what."""
    touched = {}
    for plan in plans(text):
        if "max(change)" in plan["Query Text"]:
            continue  # what is looked at once a second, whoever asks for what
        tables = set()
        scanned(plan["Plan"], tables)
        for table in tables:
            part = re.fullmatch(f"({TABLES})_(\\d+)", table)
            if part:
                touched.setdefault(int(part.group(2)), set()).add(plan["Query Text"])
    return touched


def log_since(path, at):
    """What the server wrote from AT on. A statement's plan is there before its answer is."""
    with open(path, encoding="utf-8", errors="replace") as text:
        text.seek(at)
        return text.read()


def main():
    program = sys.argv[1]
    os.environ["CARELAYER_DATABASE"] = os.environ["CARELAYER_POSTGRESQL"] + " dbname=postgres"
    log = os.path.join(os.environ["CARELAYER_POSTGRESQL_FOLDER"], "log")
    faults = statements = 0
    with tempfile.TemporaryDirectory() as folder:
        people = os.path.join(folder, "people")
        run([program, "synth", "--people", "12", "--seed", "7", "--out", people])
        files = [os.path.join(people, name) for name in sorted(os.listdir(people))]
        run([program, "import", "--test-numbers", "on", "--data", os.path.join(folder, "data"), *files])
        process, base = serve(program, folder)
        try:
            patients = alone(ask(base + "/Patient?_count=50"))
            for number, shape in enumerate(SHAPES):
                path = shape.format(id=patients[number % len(patients)])
                # What the server does beside is logged too: it is not the same thing three times.
                for _ in range(3):
                    at = os.path.getsize(log)
                    ask(base + "/" + path.replace("|", "%7C").replace("$gt", "%24gt"))
                    text = log_since(log, at)
                    touched = partitions(text)
                    statements += sum(1 for _ in plans(text))
                    if len(touched) == 1:
                        break
                if len(touched) != 1:
                    faults += 1
                    print(f"{shape}: {len(touched)} partitions")
                    for query in sorted({query for queries in touched.values() for query in queries}):
                        parts = sorted(part for part in touched if query in touched[part])
                        print(f"    {parts} {query}")
        finally:
            process.terminate()
            process.wait()
    print(f"{len(SHAPES)} shapes, {statements} statements, {faults} touch more or less than one partition")
    sys.exit(1 if faults else 0)


main()
