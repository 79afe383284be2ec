grep -q usage build/cli && echo "cli helps"
