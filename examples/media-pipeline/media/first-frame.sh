# first-frame.sh FILE keeps one frame and reads no further.
head -n 1 > "$1"
