// Threads has many threads: as many idle ones as its first argument says, and some that end all the time
// while others begin. Same hand-shake and report as caller; a round is one short-lived thread, which has to
// bring back what it computed.
package main

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

const makers = 3 // goroutines that each make one short-lived thread after the other

var (
	stopping   uint32
	rounds     uint64
	mismatches uint64
)

func main() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(4)
	}
	idle := 0
	if len(os.Args) > 1 {
		idle, _ = strconv.Atoi(os.Args[1])
	}
	keepIdle(idle)
	var made sync.WaitGroup
	for i := 0; i < makers; i++ {
		made.Add(1)
		go func(seed uint64) {
			defer made.Done()
			for ; atomic.LoadUint32(&stopping) == 0; seed++ {
				answer := make(chan uint64)
				go onOwnThread(seed, answer)
				if <-answer != seed*1000 {
					atomic.AddUint64(&mismatches, 1)
				}
				atomic.AddUint64(&rounds, 1)
			}
		}(uint64(i))
	}
	go awaitEndOfInput()
	os.Stdout.WriteString("ready\n")
	made.Wait()
	os.Stdout.WriteString(`{"rounds":` + strconv.FormatUint(rounds, 10) +
		`,"mismatches":` + strconv.FormatUint(mismatches, 10) + "}\n")
}

// keepIdle starts n threads that wait for ever and returns once they are there.
func keepIdle(n int) {
	var there sync.WaitGroup
	there.Add(n)
	never := make(chan struct{})
	for i := 0; i < n; i++ {
		go func() {
			runtime.LockOSThread()
			there.Done()
			<-never
		}()
	}
	there.Wait()
}

// onOwnThread ends its thread: its goroutine is still locked to it when it returns.
func onOwnThread(seed uint64, answer chan<- uint64) {
	runtime.LockOSThread()
	answer <- round(seed)
}

//go:noinline
func round(seed uint64) uint64 {
	sum := uint64(0)
	for i := 0; i < 1000; i++ {
		sum += seed
	}
	return sum
}

func awaitEndOfInput() {
	var buffer [64]byte
	for {
		if _, err := os.Stdin.Read(buffer[:]); err != nil {
			atomic.StoreUint32(&stopping, 1)
			return
		}
	}
}
