// What stands in for PostgreSQL: a server that knows four statements, one a line, and with an
// argument the client that has it execute one.
const net = require('net');
const port = Number(process.env.PORT_DB);

if (process.argv[2]) {
  const c = net.connect(port, 'localhost');
  c.on('error', (err) => { console.error(err.code); process.exit(1); });
  c.on('data', (d) => process.stdout.write(d));
  c.end(process.argv[2] + '\n');
} else {
  const visits = [];
  const server = net.createServer((c) => {
    let line = '';
    c.on('data', (d) => {
      line += d;
      if (!line.endsWith('\n')) return;
      if (line.startsWith('insert')) visits.push(/'(.*)'/.exec(line)[1]);
      if (line.startsWith('select 1')) c.write('1\n');
      if (line.startsWith('select count')) c.write(visits.filter((p) => line.includes(`'${p}'`)).length + '\n');
    });
    c.on('end', () => c.end());
    c.on('error', () => {});
  });
  server.listen(port, 'localhost');
  process.on('SIGINT', () => process.exit(0));
}
