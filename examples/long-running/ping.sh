# ping.sh COUNT HOST stands in for ping(8), which is not everywhere.
i=1
while [ "$i" -le "$1" ]; do
	echo "reply $i from $2"
	i=$((i + 1))
	sleep 0.02
done
