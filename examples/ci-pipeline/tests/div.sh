# Only the strict mode refuses a remainder.
set -eu
[ "$(sh bin/calc.sh div 6 3)" = 2 ]
if [ "$CALC_MODE" = strict ]; then
	if sh bin/calc.sh div 7 2 2>/dev/null; then exit 1; fi
else
	[ "$(sh bin/calc.sh div 7 2)" = 3 ]
fi
echo "2 tests"
