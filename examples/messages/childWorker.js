process.on('message', (msg) => {
  if (msg.task === 'sum') {
    process.send({ result: Number(msg.a) + Number(msg.b) });
  }
});
