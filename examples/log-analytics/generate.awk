# Writes n lines of a web server's log; the same ones each time.
BEGIN {
	x = 1
	for (i = 0; i < n; i++) {
		x = (x * 16807) % 2147483647
		status = x % 20 == 0 ? 500 : x % 7 == 0 ? 404 : 200
		printf "%02d:%02d:%02d GET /page/%d %d %d\n", int(i * 24 / n), i % 60, x % 60, x % 1000, status, x % 3000
	}
}
