// Send lines of JSON by a Lumberjack client of npm; print the ACKs that came as JSON.
//
//   send.js lumberjack-client HOST PORT FILE [CA CERT KEY]
//   send.js lumberjack-protocol HOST PORT FILE CA CERT KEY
'use strict'
const fs = require('fs')

const [which, host, port, file, ca, cert, key] = process.argv.slice(2)
const lines = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean)
const address = { host, port: Number(port) }
if (ca) {
  Object.assign(address, { ca: [fs.readFileSync(ca)], cert: fs.readFileSync(cert), key: fs.readFileSync(key) })
}
const acks = []

function done() {
  console.log(JSON.stringify({ events: lines.length, acks }))
  process.exit(0)
}

// Version 2: one window of all that was logged before the connection stands, then one for each event.
function lumberjackClient() {
  const LumberjackClient = require('lumberjack-client')
  const client = new LumberjackClient(address, Boolean(ca))
  const half = Math.floor(lines.length / 2)
  lines.slice(0, half).forEach(line => client.log(JSON.parse(line)))
  let wanted = 1 + lines.length - half
  let rest = Buffer.alloc(0)
  client.socket.on(ca ? 'secureConnect' : 'connect', () => {
    lines.slice(half).forEach(line => client.log(JSON.parse(line)))
  })
  client.socket.on('data', data => {
    for (rest = Buffer.concat([rest, data]); rest.length >= 6; rest = rest.subarray(6)) {
      acks.push(rest.toString('latin1', 0, 2) + ' ' + rest.readUInt32BE(2))
      if (rest.readUInt32BE(2) > 0 && --wanted === 0) {
        done()
      }
    }
  })
}

// Version 1: one window size for the whole connection, numbers that grow, pairs of strings.
function lumberjackProtocol() {
  const window = 100
  const client = require('lumberjack-protocol').client(address, { windowSize: window, maxQueueSize: 1e6 })
  client.on('disconnect', err => {
    console.error('disconnected:', err)
    process.exit(1)
  })
  client.on('connect', () => {
    client._socket.on('ack', seq => {
      acks.push(seq)
      if (seq === lines.length) {
        done()
      }
    })
    lines.forEach(line => client.writeDataFrame({ line, host: 'npm' }))
  })
}

if (which === 'lumberjack-client') {
  lumberjackClient()
} else {
  lumberjackProtocol()
}
