# Sums are the same in every mode.
set -eu
[ "$(sh bin/calc.sh add 2 3)" = 5 ]
[ "$(sh bin/calc.sh add -2 2)" = 0 ]
echo "2 tests"
