// A server that ends when it has answered what it was asked before SIGTERM.
const http = require('http');

const server = http.createServer((request, response) => {
  response.end(request.url === '/health' ? 'healthy\n' : 'hello\n');
});
server.listen(process.env.PORT_HTTP, () => console.log('listening'));
process.on('SIGTERM', () => server.close(() => console.log('answered everything')));
