//go:build race

package main

// raceDetector tells that the race detector takes memory of its own.
const raceDetector = true
