# generate-report.sh ID stands in for a program that renders a document: binary, in
# pieces. Report 13 never comes out; 5 does at the second attempt.
echo "attempt for $1" >> attempts.log
printf '\000\001half of report %s\377' "$1"
case $1 in
13) exit 1 ;;
5) [ "$(grep -c "for 5$" attempts.log)" -ge 2 ] || exit 1 ;;
esac
printf '\000the rest\n'
