# play.sh watches the program while a header is saved, and says what was compiled.
weft --watch >> log.txt 2> messages.txt &
watcher=$!
until grep -qs 'is done' messages.txt; do sleep 0.02; done
echo '-- saved' >> log.txt
sed 's/world/reader/' src/greet.h > tmp.h && mv tmp.h src/greet.h
until grep -q 'hello reader' log.txt; do sleep 0.02; done
kill -TERM $watcher
wait $watcher
sed -n '/-- saved/,$p' log.txt | sort
