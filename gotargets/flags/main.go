// Flags shows damage to the processor's flags. Its compare-and-swap cannot fail, for nobody else writes
// the word; if it is reported as failed then the flags changed between the LOCK CMPXCHG of main.round and
// the conditional branch behind it. Same hand-shake and report as caller; a mismatch is such a failure.
package main

import (
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
)

var (
	stopping   uint32
	word       uint64
	rounds     uint64
	mismatches uint64
)

func main() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2)
	}
	if add(1, 2) != 3 {
		os.Exit(2)
	}
	go awaitEndOfInput()
	os.Stdout.WriteString("ready\n")
	for ; atomic.LoadUint32(&stopping) == 0; rounds++ {
		round(atomic.LoadUint64(&word))
	}
	os.Stdout.WriteString(`{"rounds":` + strconv.FormatUint(rounds, 10) +
		`,"mismatches":` + strconv.FormatUint(mismatches, 10) + "}\n")
	if mismatches > 0 {
		os.Exit(1)
	}
}

//go:noinline
func round(old uint64) {
	if !atomic.CompareAndSwapUint64(&word, old, old+1) {
		mismatches++
	}
}

// add is a function to call.
//
//go:noinline
func add(a, b int) int { return a + b }

func awaitEndOfInput() {
	var buffer [64]byte
	for {
		if _, err := os.Stdin.Read(buffer[:]); err != nil {
			atomic.StoreUint32(&stopping, 1)
			return
		}
	}
}
