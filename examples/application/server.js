// The application: it counts the visits of its pages in the database.
const http = require('http');
const { execFile } = require('child_process');

const query = (sql) => new Promise((resolve, reject) =>
  execFile('sh', ['db.sh', 'query', sql], (err, out) => (err ? reject(err) : resolve(out.trim()))));

http.createServer(async (req, res) => {
  try {
    if (req.url === '/health') return res.end(await query('select 1'));
    const page = req.url.replace(/[^a-z/]/g, '');
    await query(`insert into visits values ('${page}')`);
    res.end(await query(`select count(*) from visits where page = '${page}'`));
  } catch (err) {
    res.writeHead(503).end(err.message);
  }
}).listen(Number(process.env.PORT_HTTP), 'localhost');

process.on('SIGTERM', () => process.exit(0));
