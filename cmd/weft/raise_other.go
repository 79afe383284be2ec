//go:build !unix

package main

import "syscall"

func kill(syscall.Signal) {}
