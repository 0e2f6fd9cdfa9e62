#!/bin/sh
# Every night: new advisories, a scan of all repositories of a list, reports under today's name. Repositories that
# have not changed, and no advisory either, cost next to nothing: their rows are taken over.
#
#   nightly-scan.sh LIST FOLDER      LIST: one repository a line. FOLDER: where reports go.
#
# A line for cron, as a user of its own; it mails what is printed, and that is only what somebody should read:
#
#   15 2 * * *  /usr/local/bin/nightly-scan.sh /etc/scan/repos.txt /srv/scan
#
# Exit status: the scan's, so 3 where something was not scanned, be there new findings or not: both are printed.
set -eu

list=${1:?give a file that lists repositories} folder=${2:?give a folder for the reports}
mkdir -p "$folder"
# The kernel frees the lock with the process, whatever ended that. The scan does not get it (9>&-).
exec 9>>"$folder/lock"
if ! flock -n 9; then
    echo "the scan of another night still runs"
    exit 3
fi

report=$folder/$(date -u +%F)
rm -f "$report.json" "$report.txt"
cortex-git advisories update >"$report.log" 2>&1 9>&- ||
    echo "the advisories were not updated (see $report.log); those of before serve"

set -- --repos-file "$list" --fail-on high
for form in html sarif txt json; do
    set -- "$@" --output "$report.$form"
done
# Only what is new since the last scan counts. What that one could not look at is new when it can be looked at again.
[ ! -f "$folder/last.json" ] || set -- "$@" --baseline "$folder/last.json"
status=0
lines=$(cortex-git multi-repo-scan "$@" 2>>"$report.log" 9>&-) || status=$?
printf '%s\n' "$lines" >>"$report.log"

if [ ! -s "$report.json" ] || { [ "$status" != 0 ] && [ "$status" != 1 ] && [ "$status" != 3 ]; }; then
    echo "the scan ended with $status and is no whole one: see $report.log"
    [ "$status" != 0 ] || status=3
    exit "$status"
fi
found=$(printf '%s\n' "$lines" | sed -n 's/^Critical: .*, High: .*/&/p')
case $found in
"Critical: 0, High: 0,"*) ;;
*)
    echo "new findings at or above high ($found): see $report.html"
    grep -E '^(critical|high) ' "$report.txt" | head -n 20 || true
    ;;
esac
if [ "$status" = 3 ]; then
    echo "something was not scanned: see $report.html and $report.log"
    awk '/^Not scanned \(/ { on = 1; print; next } on && /^  / { if (++n <= 20) print; next } on { exit }' "$report.txt"
fi
cp "$report.json" "$folder/last.json.new"
mv "$folder/last.json.new" "$folder/last.json"
exit "$status"
