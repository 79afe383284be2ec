//go:build !unix

package main

import "os"

// keys are not read here.
type keys struct{}

func newKeys(*os.File, func(byte)) *keys { return nil }

func (*keys) listen() {}

func (*keys) pause() {}
