"""What a person reads on a push or a commit: what was found, where, and how to go on.

Owns the words. The caller escapes each line for the terminal.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cortex_git.services.hooks.guarding import Guarded
    from cortex_git.services.hooks.pushing import PushedFinding, Verdict

_SHOWN = 30


def verdict_lines(verdict: "Verdict") -> list[str]:
    """What a person reads of a push; nothing where nothing is to be said."""
    lines = [_finding_line(one) for one in verdict.findings[:_SHOWN]]
    if len(verdict.findings) > _SHOWN:
        lines.append(f"  ... and {len(verdict.findings) - _SHOWN:,} more: --format json lists them")
    changed = _counted(len(verdict.lockfiles), "changed lockfile")
    if verdict.findings:
        head = f"cortex-git: {_counted(len(verdict.findings), 'new finding')} in {changed}"
        level = verdict.settings.fail_on
        stops = f"{len(verdict.stopping)} at or above {level}" if level else "which stops nothing"
        lines.insert(0, f"{head}, {stops} (git setting cortex-git.failOn)")
    elif verdict.lockfiles and not verdict.not_scanned:
        lines.append(f"cortex-git: nothing new is known of {changed}")
    if verdict.known or verdict.suppressed:
        lines.append(f"  {verdict.known} known before, {verdict.suppressed} taken out by the ignore file")
    lines += [f"  not scanned: {gap.what}: {gap.reason}" for gap in verdict.not_scanned[:_SHOWN]]
    if verdict.not_scanned:
        goes_on = "stops" if verdict.settings.incomplete == "block" else "alone stops nothing"
        lines.append(
            f"  {len(verdict.not_scanned)} not scanned, which {goes_on} (git setting cortex-git.incomplete)"
        )
    if verdict.code:
        lines.append(
            "  to go on: upgrade; or enter the finding with a reason in the ignore file that"
            " `git config cortex-git.ignoreFile FILE` names; or once: --no-verify"
        )
    return lines


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _finding_line(one: "PushedFinding") -> str:
    finding = one.finding
    place = finding.lockfile + (f":{finding.line}" if finding.line else "")
    fix = f"fixed in {finding.fixed}" if finding.fixed else "no fix published"
    upgrade = f" ({finding.upgrade})" if finding.upgrade else ""
    return f"  {finding.severity}  {place}  {finding.package} {finding.version}  {finding.id}  {fix}{upgrade}"


def guard_lines(found: "Guarded") -> list[str]:
    """What a person reads of a commit; nothing where nothing is to be said."""
    lines = [
        f"  {one.path}{f':{one.line}' if one.line else ''}: "
        + (f"looks like a secret ({one.what})" if one.line else one.what)
        for one in found.caught[:_SHOWN]
    ]
    if len(found.caught) > _SHOWN:
        lines.append(f"  ... and {len(found.caught) - _SHOWN:,} more: --format json lists them")
    if found.caught:
        places = _counted(len(found.caught), "place")
        lines.insert(0, f"cortex-git: this commit adds what should not be shared, in {places}")
        lines.append(
            "  to go on: unstage them (git restore --staged FILE); or pass over a path for good"
            " (git config --add cortex-git.guardExclude GLOB); or once: --no-verify"
        )
    lines += [f"  not looked at: {gap.what}: {gap.reason}" for gap in found.not_scanned[:_SHOWN]]
    return lines
