// A worker that finishes its job before it ends.
let last = false;

function work() {
  setTimeout(() => {
    if (last) {
      console.log('finished the last job');
    } else {
      work();
    }
  }, 100);
}

process.on('SIGTERM', () => { last = true; });
console.log('working');
work();
