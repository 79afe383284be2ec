// Sends requests, eight at a time: "clients.js PORT COUNT".
const http = require('http')

const [port, count] = process.argv.slice(2).map(Number)
const servers = new Set()
let asked = 0
let answered = 0
let refused = 0

async function client() {
  while (asked < count) {
    asked++
    await new Promise((resolve) => {
      http.get({ host: '127.0.0.1', port, agent: false }, (response) => {
        response.setEncoding('utf8')
        response.on('data', (pid) => servers.add(pid))
        response.on('end', () => resolve(answered++))
      }).on('error', () => resolve(refused++))
    })
  }
}

Promise.all(Array.from({ length: 8 }, client)).then(() => {
  console.log(`${answered} answers by ${servers.size} servers, ${refused} refused`)
})
