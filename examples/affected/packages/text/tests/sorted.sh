sort -c build/text && echo "text is sorted"
