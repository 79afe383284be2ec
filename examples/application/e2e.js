// The tests: node e2e.js URL
(async () => {
  for (const page of ['/home', '/home', '/about']) {
    const res = await fetch(process.argv[2] + page);
    console.log(`${page}: visit ${await res.text()}`);
  }
})();
