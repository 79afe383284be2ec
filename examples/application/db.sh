# The database: sh db.sh init | run | query SQL | remove. It listens on $PORT_DB of localhost.
set -e

real=yes
for program in postgres initdb psql; do
	command -v $program >/dev/null || real=
done

# PostgreSQL refuses to run as root.
as=
if [ "$(id -u)" = 0 ]; then
	as='setpriv --reuid=postgres --regid=postgres --clear-groups'
	$as true 2>/dev/null || real=
fi

case $1 in
init)
	[ "$real" ] || exit 0
	data=$(cd / && $as mktemp -d)
	echo "$data" >data
	cd /
	$as initdb -D "$data" -A trust -U app --no-sync >/dev/null
	;;
run)
	[ "$real" ] || exec node standin.js
	data=$(cat data)
	cd /
	exec $as postgres -D "$data" -k "$data" -p "$PORT_DB" -c fsync=off -c listen_addresses=localhost
	;;
query)
	[ "$real" ] || exec node standin.js "$2"
	exec psql -h localhost -p "$PORT_DB" -U app -d postgres -qtAc "$2"
	;;
remove)
	[ ! -e data ] || rm -rf "$(cat data)" data
	;;
esac
