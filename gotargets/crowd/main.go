// Crowd computes on several threads, which all come by main.step. After a line on stdin it executes cat in
// its place.
package main

import (
	"os"
	"runtime"
	"syscall"
)

func main() {
	runtime.GOMAXPROCS(4)
	collect(spin(1))
	go func() {
		var line [1]byte
		os.Stdin.Read(line[:])
		syscall.Exec("/bin/cat", []string{"cat"}, nil)
	}()
	for i := 0; i < 3; i++ {
		go compute()
	}
	os.Stdout.WriteString("ready\n")
	compute()
}

func compute() {
	for {
		spin(1000)
	}
}

// spin is both what the program does and what a debugger may call.
//
//go:noinline
func spin(n int) int {
	for i := 0; i < n; i++ {
		if step(i) < i {
			return -1
		}
	}
	return n
}

//go:noinline
func step(i int) int { return i + 1 }

// collect needs every other thread to stop by itself for a moment.
//
//go:noinline
func collect(n int) int {
	runtime.GC()
	return n
}
