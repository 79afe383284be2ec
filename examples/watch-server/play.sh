# play.sh watches the server, changes what it serves twice, and says what it said.
weft --watch serve >> log.txt 2>&1 &
watcher=$!
said() { until grep -q "$1" log.txt; do sleep 0.02; done; }
said 'serving good morning'
echo 'good day' > motd.txt
said 'serving good day'
echo 'good night' > motd.txt
said 'serving good night'
kill -TERM $watcher
wait $watcher
grep -E '^serving|in use' log.txt
