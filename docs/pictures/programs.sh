# What the programs of Taskfile.yml write, and how long they take.

protoc() {
  sleep 0.4
  echo "api.proto: 14 messages, 3 services"
}

golangci-lint() {
  sleep 1.9
  echo "0 issues."
}

eslint() {
  sleep 2.6
  printf '%b\n' "web/src/cart.js" "  12:7  \e[31merror\e[m  'total' is never used"
  return 1
}

go() {
  case "$*" in
    *shop) sleep 2.1 ;;
    *mail) sleep 0.7 ;;
    build*) sleep 1.2 ;;
    *) go-test ;;
  esac
}

# The first of two attempts fails.
go-test() {
  local name seconds
  while read -r name seconds; do
    sleep "$seconds"
    printf 'ok  \texample.com/shop/%s\t%ss\n' "$name" "$seconds"
    if [ "$name" = mail ] && mkdir .weft/failed 2>/dev/null; then
      printf '%s\n' "--- FAIL: TestSend (0.21s)" "    send_test.go:41: no answer from 127.0.0.1:2525"
      return 1
    fi
  done <<'END'
api 0.61
cart 0.42
mail 0.84
money 0.33
search 1.92
stock 0.71
web 0.96
END
  rmdir .weft/failed
}

mkdocs() {
  local page
  for page in install tour reference; do
    sleep 0.3
    echo "docs/$page.md -> site/$page.html"
  done
}

ffmpeg() {
  local i
  for i in {1..28}; do
    sleep 0.3
    echo '{"weft": "progress", "bytes": '$((i * 93000000))'}' >&"$WEFT_IPC_FD"
  done
}

playwright() {
  local i
  for i in {1..40}; do
    sleep 0.1
    echo '{"weft": "progress", "value": '$((i * 25))'e-3, "text": "'$i' of 40"}' >&"$WEFT_IPC_FD"
  done
  echo "40 passed"
}

postgres() {
  sleep 0.5
  echo "listening on 127.0.0.1:5432"
  exec sleep 1000
}
