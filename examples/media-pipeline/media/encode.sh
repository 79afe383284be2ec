# encode.sh FILE encodes every frame.
tr a-z A-Z > "$1"
echo "encoded $(wc -l < "$1" | tr -d ' ') frames"
