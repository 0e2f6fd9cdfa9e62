#!/usr/bin/env bash
# Run open tasks in parallel: takes the flags of `cortex-git spawn-workers`.
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

ensure_ready core
# -P: the folder this is called in may be somebody else's, so no module is imported from it.
exec "$root/.venv/bin/python" -P -m cortex_git spawn-workers "$@"
