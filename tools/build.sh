# SPDX-License-Identifier: MIT
# Shell functions that ./check and ./demo share. Sourced, not run.
# shellcheck shell=bash

# What build_in compiles; nothing stands for everything.
build_targets=()

# Prepares a Meson build folder and compiles in it. A folder that this function set up with other
# options, or that was never finished, is set up anew; otherwise ninja decides what is out of date.
build_in() { # build_in FOLDER COMPILER OPTION...
    local folder=$1 compiler=$2 wanted found quiet=(--quiet)
    shift 2
    wanted="$compiler $*"
    # A folder without the note was set up by hand, and is used as it is.
    found=$(cat "$folder/options" 2>/dev/null || printf '%s' "$wanted")
    if [[ ! -f $folder/build.ninja || $found != "$wanted" ]]; then
        rm -rf "$folder"
        CC=$compiler meson setup "$folder" "$@" </dev/null >"$folder.log" 2>&1 || {
            cat "$folder.log" >&2
            return 1
        }
        mv "$folder.log" "$folder/setup.log"
        printf '%s\n' "$wanted" >"$folder/options"
    fi
    [[ -t 1 ]] && quiet=()
    # -k 0: all that is wrong, not the first.
    ninja -C "$folder" -k 0 "${quiet[@]}" "${build_targets[@]}" </dev/null
}
