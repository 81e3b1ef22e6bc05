// Signals lets the outside see that each signal arrives and that the world can stop. It answers each
// SIGUSR1 and SIGTRAP with one byte 's' on stdout, and each byte 'g' on stdin with a garbage collection
// and one byte 'g'. A collection has to preempt a loop without calls, which takes a SIGURG. Same
// hand-shake and report as caller.
package main

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
)

var (
	stopping   uint32
	rounds     uint64
	mismatches uint64
)

func main() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(3)
	}
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, syscall.SIGUSR1, syscall.SIGTRAP)
	go func() {
		for range arrived {
			os.Stdout.WriteString("s")
		}
	}()
	go awaitInput()
	os.Stdout.WriteString("ready\n")
	for n := uint64(1); ; n++ {
		if spin(n&1023) != n&1023*4096 {
			mismatches++
		}
		rounds++
		if atomic.LoadUint32(&stopping) != 0 {
			break
		}
	}
	os.Stdout.WriteString(`{"rounds":` + strconv.FormatUint(rounds, 10) +
		`,"mismatches":` + strconv.FormatUint(mismatches, 10) + "}\n")
}

// spin returns 4096 times step. Nothing in its loop gives way by itself.
//
//go:noinline
func spin(step uint64) uint64 {
	sum := uint64(0)
	for i := 0; i < 4096; i++ {
		sum += step
	}
	return sum
}

func awaitInput() {
	var buffer [1]byte
	for {
		if n, err := os.Stdin.Read(buffer[:]); err != nil || n == 0 {
			atomic.StoreUint32(&stopping, 1)
			return
		}
		runtime.GC()
		os.Stdout.WriteString("g")
	}
}
