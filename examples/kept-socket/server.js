// Answers 100 requests at the socket that weft has opened, and ends.
const http = require('http')

if (process.env.LISTEN_FDS !== '1' || process.env.LISTEN_PID !== String(process.pid)) {
  console.log('no socket was handed over')
  process.exit(1)
}

let answers = 0
const server = http.createServer((request, response) => {
  response.setHeader('Connection', 'close')
  response.end(String(process.pid))
  if (++answers === 100) {
    server.close() // what it has accepted is still answered
  }
})
server.listen({ fd: 3 })
process.on('SIGTERM', () => server.close())
