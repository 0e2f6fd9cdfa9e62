#!/bin/sh
# Every night: new advisories, a scan of all repositories of a list, reports under today's name. Repositories that
# have not changed, and no advisory either, cost next to nothing: their rows are taken over.
#
#   nightly-scan.sh LIST FOLDER      LIST: one repository a line. FOLDER: where reports go.
#
# A line for cron, as a user of its own; it mails what is printed, and that is only what somebody should read:
#
#   15 2 * * *  /usr/local/bin/nightly-scan.sh /etc/scan/repos.txt /srv/scan
set -eu

list=${1:?give a file that lists repositories} folder=${2:?give a folder for the reports}
mkdir -p "$folder"
if ! mkdir "$folder/running" 2>/dev/null; then
    echo "the scan of another night still runs, or $folder/running was left behind" >&2
    exit 3
fi
trap 'rmdir "$folder/running"' EXIT
trap 'exit 130' INT TERM

report=$folder/$(date -u +%F)
cortex-git advisories update >"$report.log" 2>&1 ||
    echo "the advisories were not updated (see $report.log); those of before serve"

set -- --repos-file "$list" --fail-on high --output "$report.html" --output "$report.sarif"
# Only what is new since the last scan that was complete counts.
[ ! -f "$folder/last.json" ] || set -- "$@" --baseline "$folder/last.json"
status=0
cortex-git multi-repo-scan "$@" --output "$report.json" >>"$report.log" 2>&1 || status=$?
case $status in
0) ;;
1) echo "new findings at or above high: see $report.html" ;;
3) echo "something was not scanned: see $report.html and $report.log" ;;
*) echo "the scan ended with $status: see $report.log" ;;
esac
if [ "$status" = 0 ] || [ "$status" = 1 ]; then
    cp "$report.json" "$folder/last.json.new"
    mv "$folder/last.json.new" "$folder/last.json"
fi
exit "$status"
