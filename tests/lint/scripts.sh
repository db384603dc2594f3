#!/bin/sh
# Fail when a shell script has what shellcheck calls an error or a warning.
set -eu
cd "$1"
command -v shellcheck >/dev/null || { echo "skipped: no shellcheck here"; exit 77; }
scripts=$(grep -rlE '^#!.*\b(ba)?sh\b' tools tests conf .ci)
# The list is meant to be split into file names.
# shellcheck disable=SC2086
shellcheck --severity=warning $scripts
