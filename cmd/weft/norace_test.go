//go:build !race

package main

// raceDetector means that the race detector uses additional memory.
const raceDetector = false
