"""The one error of version parsing, apart so that every scheme can raise it."""


class VersionError(ValueError):
    """A version that its scheme cannot order."""

    def __init__(self, scheme: str, text: str) -> None:
        super().__init__(f"{text!r} is not a {scheme} version that can be ordered")
