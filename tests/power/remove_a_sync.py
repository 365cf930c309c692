#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows that the power tests need each sync in the program: with that one sync turned off (the disk
says yes and does nothing) they must find a loss; with all of them they must not.

    remove_a_sync.py POWER STORE_POWER [SYNC ...]

prints TAP. Without names: all that POWER --list names."""
import subprocess
import sys

ROUNDS = 400

# What brings the moment about in which only this sync stands between the power and a loss.
MOMENTS = {
    "backup": ["--folder", "5"],
    "backup_folder": ["--folder", "5"],
    "segment_folder": ["--folder", "5"],
    "recovered": ["--folder", "3", "--die-at", "batch"],
    "recovered_ready": ["--folder", "2", "--die-at", "segment"],
    "recovered_folder": ["--folder", "2", "--die-at", "segment_folder"],
    "made_folder": ["--folder", "1"],
    "found_folder": ["--folder", "1", "--die-at", "made_folder"],
}

# The service syncs this folder again when it opens the access log, right after the store: SQLite's
# own sync of it is what the store by itself stands on.
STORE_ALONE = {"sqlite_folder"}
# The moment comes by chance: on a busy machine 400 rounds met it in 15 of 16 runs, so 3,000 miss it
# less often than once in 10^8. They end at the first loss.
ROUNDS_ALONE = 3000

# SQLite's own, and not needed by us: it writes a rollback journal only while it makes a new file (of
# records, or of a backup that has no name yet), when there is nothing to lose. It may fail to find a
# loss; it is listed so that a use of journals that matters would show.
NEEDLESS = {"journal"}


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False)
    notes = [line[2:] for line in done.stdout.splitlines() if line.startswith("# ")]
    losses = [note for note in notes if note.startswith("round ")]
    rounds = [note for note in notes if " rounds, " in note]
    return done.returncode == 0, losses[0] if losses else "", rounds[0] if rounds else ""


def try_one(power, store_power, sync, ignored):
    rounds = str(ROUNDS if ignored else 40)
    if sync in STORE_ALONE:
        rounds = str(ROUNDS_ALONE if ignored else 40)
        return run([store_power, rounds, "7"] + ([sync] if ignored else []))
    return run([power, "--rounds", rounds] + MOMENTS.get(sync, []) +
               (["--ignore", sync] if ignored else []))


def main(arguments):
    power, store_power, names = arguments[1], arguments[2], arguments[3:]
    listed = subprocess.run([power, "--list"], stdout=subprocess.PIPE, text=True,
                            check=True).stdout
    syncs = dict(line.split("\t") for line in listed.splitlines())
    names = names or list(syncs)
    bad = 0
    print(f"TAP version 13\n1..{len(names)}", flush=True)
    for number, sync in enumerate(names, 1):
        if sync in NEEDLESS:
            fine, loss, rounds = run([power, "--rounds", "100", "--folder", "1", "--ignore", sync])
            good = fine
            text = f"without the sync '{sync}' ({syncs[sync]}) nothing can be lost: {rounds}{loss}"
        else:
            whole, _, _ = try_one(power, store_power, sync, False)
            fine, loss, rounds = try_one(power, store_power, sync, True)
            good = whole and not fine and loss != ""
            text = f"without the sync '{sync}' ({syncs[sync]}): {loss or 'no loss'}; {rounds}"
            if not whole:
                text += "; and with it, too, something is lost"
        bad += not good
        print(f"{'ok' if good else 'not ok'} {number} - {text}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
