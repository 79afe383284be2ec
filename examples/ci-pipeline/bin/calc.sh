#!/bin/sh
# calc.sh add|div A B
# CALC_MODE=strict makes a division with a remainder an error.
set -eu

case ${1-} in
add) echo $(($2 + $3)) ;;
div)
	if [ "${CALC_MODE-plain}" = strict ] && [ $(($2 % $3)) -ne 0 ]; then
		echo "calc: $2 is no multiple of $3" >&2
		exit 1
	fi
	echo $(($2 / $3))
	;;
target) echo "@TARGET@" ;;
*)
	echo "usage: calc add|div A B" >&2
	exit 2
	;;
esac
