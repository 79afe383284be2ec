# decode.sh FILE writes 3,000 "frames".
i=0
while [ "$i" -lt 1000 ]; do
	cat "$1"
	i=$((i + 1))
done
