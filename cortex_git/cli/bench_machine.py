"""What `bench` commands have in common: the machine they run on, and numbers of workers."""


def counts_of(text: str) -> list[int]:
    """Numbers of workers as they are given, in that order. Raises BadInput."""
    from cortex_git.errors import BadInput

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and 1 <= int(part) <= 64 for part in parts):
        raise BadInput(f"--workers {text!r} is not a list of 1 to 64", "write 1,5,10,20,40")
    return [int(part) for part in parts]


def machine_now() -> dict[str, str | int | float]:
    """What this is measured on; a note where it has other things to do."""
    from cortex_git.analysis.bench.machine import busy_note, describe
    from cortex_git.cli.output import note

    machine = describe()
    if warning := busy_note(machine):
        note(warning)
    return machine
