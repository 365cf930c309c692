# SPDX-License-Identifier: MIT
# Installs the packages of a package-lock.json. Sourced, not run.
# shellcheck shell=bash

# Installs what FOLDER/package-lock.json locks into CACHE/node_modules, each package checked against
# the lock's checksum, by npm, so that the registry and proxy of its configuration hold. Does nothing
# when that was done for the same lock.
install_locked() { # install_locked FOLDER CACHE NAME
    local folder=$1 cache=$2 name=$3 attempt lock
    lock=$(sha256sum <"$folder/package-lock.json")
    [[ $(cat "$cache/installed" 2>/dev/null) != "$lock" ]] || return 0
    command -v npm >/dev/null || {
        printf '%s: npm is missing: run tools/install\n' "$name" >&2
        return 1
    }
    mkdir -p "$cache"
    rm -f "$cache/installed"
    cp "$folder/package.json" "$folder/package-lock.json" "$cache/"
    printf '%s: fetching the packages of package-lock.json\n' "$name" >&2
    for attempt in 1 2 3; do
        if (cd "$cache" && npm ci --ignore-scripts --no-audit --no-fund </dev/null >log 2>&1); then
            printf '%s\n' "$lock" >"$cache/installed"
            return 0
        fi
        ((attempt == 3)) || sleep $((attempt * 3))
    done
    sed "s/^/$name: npm: /" "$cache/log" >&2
    printf '%s: could not fetch the packages. Check the network and the npm registry
(npm config get registry).\n' "$name" >&2
    return 1
}
