trap 'echo "read the configuration again"' HUP
trap 'echo "finished what was begun"; exit 0' TERM
echo "serving"
while :; do sleep 0.01; done
