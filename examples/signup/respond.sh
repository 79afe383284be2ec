echo "202 Accepted: $1"
