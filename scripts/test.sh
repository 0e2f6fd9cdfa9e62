#!/usr/bin/env bash
# Run the tests; arguments go to pytest, paths in them count from the checkout.
set -euo pipefail

script=${BASH_SOURCE[0]}
while [[ -L $script ]]; do
    link=$(readlink -- "$script")
    [[ $link == /* ]] || link=${script%/*}/$link
    script=$link
done
folder=.
[[ $script != */* ]] || folder=${script%/*}
root=$(CDPATH='' cd -P -- "$folder/.." && pwd)
# shellcheck source=scripts/setup.sh
source "$root/scripts/setup.sh"

ensure_ready test
cd -- "$root"
# The whole suite on all cores; a part of it, or anything else that was asked for, just as asked.
[[ $# -gt 0 ]] || set -- --numprocesses auto --dist worksteal
exec .venv/bin/python -m pytest "$@"
