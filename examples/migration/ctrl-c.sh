# Interrupts weft while a migration is half done: it is finished, the next one is not begun.
set -m # jobs in which SIGINT is not ignored
weft migrate <<< y &
until grep -q begin api/database.txt 2>/dev/null; do sleep 0.02; done
kill -INT $!
wait $! 2>/dev/null
true
