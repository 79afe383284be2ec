// Package browser drives Chromium in tests of pages: one browser for the tests of a package, a
// tab for each test, and the value of any expression of JavaScript in it. It owns the browser's
// process and profile; it does not know what the pages show.
//
//	New ──▶ Tab ── Navigate, Eval, Until ──▶ page
//	Stop, after the tests
//
// Where there is no Chromium, and with -short, tests are skipped.
package browser
