# Adds each line that it reads to a table.
: >table.txt
echo "accepts lines"
while IFS= read -r line; do
	echo "$line" >>table.txt
	echo "stored"
done
