// Vector shows damage to the processor's vector registers: the loop of main.round keeps ten floats in them.
// Same hand-shake and report as caller.
package main

import (
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
)

var (
	stopping   uint32
	rounds     uint64
	mismatches uint64
)

func main() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(2)
	}
	if smear(8) != 8*7/2*55 {
		os.Exit(2)
	}
	go awaitEndOfInput()
	os.Stdout.WriteString("ready\n")
	for ; atomic.LoadUint32(&stopping) == 0; rounds++ {
		if seed := float64(rounds & 1023); round(seed) != 4096*55*seed {
			mismatches++
		}
	}
	os.Stdout.WriteString(`{"rounds":` + strconv.FormatUint(rounds, 10) +
		`,"mismatches":` + strconv.FormatUint(mismatches, 10) + "}\n")
	if mismatches > 0 {
		os.Exit(1)
	}
}

// round computes in exact floats. Its loop makes no call.
//
//go:noinline
func round(seed float64) float64 {
	var a, b, c, d, e, f, g, h, i, j float64
	for n := 0; n < 4096; n++ {
		a += seed
		b += seed * 2
		c += seed * 3
		d += seed * 4
		e += seed * 5
		f += seed * 6
		g += seed * 7
		h += seed * 8
		i += seed * 9
		j += seed * 10
	}
	return a + b + c + d + e + f + g + h + i + j
}

// smear is a function to call. It needs as many vector registers as round.
//
//go:noinline
func smear(n int) int {
	var a, b, c, d, e, f, g, h, i, j float64
	for k := 0; k < n; k++ {
		x := float64(k)
		a += x
		b += x * 2
		c += x * 3
		d += x * 4
		e += x * 5
		f += x * 6
		g += x * 7
		h += x * 8
		i += x * 9
		j += x * 10
	}
	return int(a + b + c + d + e + f + g + h + i + j)
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
