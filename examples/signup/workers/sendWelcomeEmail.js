const fs = require('fs');

process.once('message', ({ email }) => {
  if (!email.includes('@')) {
    console.error(`${email} is not an address`);
    process.exitCode = 1;
    return;
  }
  fs.mkdirSync('out', { recursive: true });
  fs.writeFileSync(`out/${email}.txt`, `To: ${email}\n\nWelcome!\n`);
});
