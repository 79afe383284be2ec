// Applies the migrations that the database, here a file, does not have yet. An interrupt is
// heeded between two of them.
const fs = require('node:fs');
const { createInterface } = require('node:readline');
const { setTimeout: pause } = require('node:timers/promises');

const database = 'database.txt';
const done = fs.existsSync(database) ? fs.readFileSync(database, 'utf8') : '';
const missing = fs.readdirSync('migrations').sort().filter(name => !done.includes(`applied ${name}\n`));

let interrupted = false;
process.on('SIGINT', () => { interrupted = true; });

function ask(question) {
  const terminal = createInterface({ input: process.stdin, output: process.stdout, terminal: false });
  return new Promise(resolve => {
    terminal.once('close', () => resolve(''));
    terminal.question(question, answer => { resolve(answer); terminal.close(); });
  });
}

async function main() {
  if (missing.length === 0) {
    console.log('the database is up to date');
    return;
  }
  const answer = await ask(`Apply ${missing.length} migrations in ${process.env.NODE_ENV}? [y/N] `);
  console.log();
  if (answer !== 'y') {
    console.log('nothing was changed');
    return;
  }
  for (const name of missing) {
    fs.appendFileSync(database, `begin ${name}\n`);
    await pause(1000); // the work of the migration
    fs.appendFileSync(database, `applied ${name}\n`);
    console.log(`applied ${name}`);
    if (interrupted) {
      console.log('interrupted; run it again to go on');
      process.exitCode = 130;
      return;
    }
  }
}

main();
