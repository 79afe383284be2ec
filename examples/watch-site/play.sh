# play.sh watches the site, saves files as an editor would, and says what was made.
weft --watch site >> log.txt 2> messages.txt &
watcher=$!
made() { until grep -q "$1" "$2" 2>/dev/null; do sleep 0.02; done; }
made contact out/contact.html
made 'is done' messages.txt
: > log.txt
echo 'all about us' > pages/about.txt
made 'about us' out/about.html
until [ "$(grep -c 'is done' messages.txt)" -ge 2 ]; do sleep 0.02; done
kill -TERM $watcher
wait $watcher
grep '^page' log.txt
grep changed messages.txt
