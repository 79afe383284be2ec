const fs = require('fs');

let jobs = 0;

process.on('message', ({ file }) => {
  jobs++;
  const lines = fs.readFileSync(file, 'utf8').split('\n').length - 1;
  if (file.endsWith('.txt')) console.log(`${file}: ${lines}`);
});

// Nobody sends anything any more: there is nothing left to wait for.
process.on('disconnect', () => console.log(`${jobs} jobs done`));
