// Leaderless ends its first thread when a byte comes on stdin, and goes on without it, as a C program does whose
// main calls pthread_exit. Same hand-shake and report as caller.
package main

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
)

func init() {
	runtime.LockOSThread() // the main goroutine stays on the first thread
}

func main() {
	os.Stdout.WriteString("ready\n")
	var buffer [1]byte
	os.Stdin.Read(buffer[:])
	done := make(chan bool)
	go work(done)
	<-done // work runs
	syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0)
}

func work(done chan bool) {
	ended := make(chan bool, 1)
	go func() {
		var buffer [1]byte
		os.Stdin.Read(buffer[:])
		ended <- true
	}()
	rounds, mismatches := uint64(0), uint64(0)
	for done <- true; len(ended) == 0; rounds++ {
		if double(rounds&1023) != rounds&1023*2 {
			mismatches++
		}
	}
	os.Stdout.WriteString(`{"rounds":` + strconv.FormatUint(rounds, 10) +
		`,"mismatches":` + strconv.FormatUint(mismatches, 10) + "}\n")
	os.Exit(0)
}

//go:noinline
func double(n uint64) uint64 {
	return n + n
}
