echo "ready"
while [ ! -e shutdown ]; do sleep 0.01; done
rm shutdown
echo "wrote everything to disk"
