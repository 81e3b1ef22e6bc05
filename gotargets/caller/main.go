// Caller runs a computation that checks itself and offers functions for a debugger to call.
//
// It prints "ready" and a newline on stdout once everything runs. At the end of stdin it prints one
// line of JSON, {"rounds":N,"mismatches":M}, and exits with 0, or with 1 if there were mismatches.
package main

import (
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	processors = 4 // enough for thieves, also on a machine with two cores
	yielders   = 3
	blockers   = 2
	warmUp     = 1000 // rounds before "ready"
)

var (
	stopping   uint32 // 1 after the end of stdin
	rounds     uint64 // a live store in the endless loop: without one the compiler drops its memory operations
	mismatches uint64
)

func main() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(processors)
	}
	tryCallees()
	startCompany()
	expect := newExpectation()
	for seed := uint64(0); seed < warmUp; seed++ {
		check(seed, expect)
	}
	go awaitEndOfInput()
	os.Stdout.WriteString("ready\n")
	for seed := uint64(warmUp); atomic.LoadUint32(&stopping) == 0; seed++ {
		check(seed, expect)
	}
	report()
}

func check(seed uint64, expect expectation) {
	if round(seed) != expect.outcome(seed) {
		mismatches++
	}
	atomic.AddUint64(&rounds, 1)
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

func report() {
	os.Stdout.WriteString(`{"rounds":` + strconv.FormatUint(rounds, 10) +
		`,"mismatches":` + strconv.FormatUint(mismatches, 10) + "}\n")
	if mismatches > 0 {
		os.Exit(1)
	}
}

// startCompany starts the goroutines that keep the scheduler's queues in use and returns once they run.
func startCompany() {
	var running sync.WaitGroup
	running.Add(yielders + 2*blockers)
	for i := 0; i < yielders; i++ {
		go func() {
			running.Done()
			for {
				yieldInBursts()
			}
		}()
	}
	for i := 0; i < blockers; i++ {
		ball := make(chan int)
		go func() {
			running.Done()
			for n := 0; ; n++ {
				ball <- n
				time.Sleep(5 * time.Millisecond)
			}
		}()
		go func() {
			running.Done()
			for range ball {
			}
		}()
	}
	running.Wait()
}

var yielded uint64 // shared, so that the work between two yields is a live store

// yieldInBursts goes through the global run queue some times, then rests much longer than that took:
// threads look at that queue often, and the machine stays usable, also an emulated one.
func yieldInBursts() {
	begin := time.Now()
	for i := 0; i < 16; i++ {
		for j := 0; j < 50; j++ {
			atomic.AddUint64(&yielded, 1)
		}
		runtime.Gosched()
	}
	time.Sleep(10 * time.Since(begin))
}
