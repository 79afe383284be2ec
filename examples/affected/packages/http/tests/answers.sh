grep -q GET build/http && echo "http answers"
