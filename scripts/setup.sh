# shellcheck shell=bash
# shellcheck disable=SC2154 # root is set by the script that sources this
# Makes this checkout's .venv on first use, and again when pyproject.toml changed. Sourced by the other
# scripts, which set `root` to the checkout first. Needs Python 3.11 or newer, git, and a package index.
#
# The stamp of an extra holds the checkout's path and pyproject.toml as they were when it was installed.
# It is written last, so a set-up that was interrupted is done again; comparing it starts no program.

say() { printf 'cortex-git: %s\n' "$1" >&2; }

fail() {
    say "$1"
    exit 3
}

# The first Python that is new enough and can make a virtual environment, in `python`.
find_python() {
    local candidate needs='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
    for candidate in ${CORTEX_PYTHON:+"$CORTEX_PYTHON"} python3.13 python3.12 python3.11 python3; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$needs" >/dev/null 2>&1; then
            python=$candidate
            return
        fi
    done
    fail "no Python 3.11 or newer with venv was found: install python3 (on Debian and Ubuntu also \
python3-venv), or name one in CORTEX_PYTHON"
}

wanted_stamp() {
    printf '%s\n%s\n' "$root" "$(<"$root/pyproject.toml")"
}

# Whether the extra (`core` for none) is installed as pyproject.toml asks for now.
is_ready() {
    local stamp=$venv/.cortex-git/$1
    [[ -x $venv/bin/python && -f $stamp && $(<"$stamp") == "$(wanted_stamp)" ]]
}

# A working .venv made by hand is kept; one that was never finished, or lost its Python, is made again.
make_venv() {
    local making=$venv/.cortex-git/making
    if [[ ! -e $making ]] && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        return
    fi
    say "making $venv with $(command -v "$python")"
    rm -rf -- "$venv"
    mkdir -p -- "$venv/.cortex-git" || fail "$root cannot be written to"
    : >"$making"
    "$python" -m venv "$venv" >&2 || fail "the virtual environment could not be made: see above"
    rm -f -- "$making"
}

# ensure_ready EXTRA: have .venv with the project (editable: the checkout's own code runs) and that extra.
ensure_ready() {
    local extra=$1 what=.
    venv=$root/.venv
    is_ready "$extra" && return
    command -v git >/dev/null 2>&1 || fail "git was not found: install git"
    find_python
    # Two set-ups at once take turns: the lock belongs to descriptor 9, and the kernel frees it when the
    # last process that has it open is gone. Python's flock, because not every system has a program for it.
    exec 9<"$root"
    if ! "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null; then
        say "waiting for another set-up of this checkout"
        "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)' || fail "the checkout cannot be locked"
    fi
    if ! is_ready "$extra"; then
        make_venv
        [[ $extra == core ]] || what=".[$extra]"
        say "installing cortex-git${what#.} into .venv (once; needs a package index)"
        mkdir -p -- "$venv/.cortex-git"
        rm -f -- "$venv/.cortex-git/$extra"
        (cd -- "$root" && "$venv/bin/python" -m pip install --quiet --no-input --no-user \
            --disable-pip-version-check --editable "$what" >&2) || fail "the installation failed: see above"
        # pip compiles what it copies, and an editable project is not copied: each start would do it again
        # where Python may not write. A checkout that cannot be written to works without.
        "$venv/bin/python" -m compileall -q "$root/cortex_git" >/dev/null 2>&1 || :
        wanted_stamp >"$venv/.cortex-git/$extra.new"
        mv -f -- "$venv/.cortex-git/$extra.new" "$venv/.cortex-git/$extra"
        say "set-up is done"
    fi
    exec 9<&-
}
