// Frames offers functions whose arguments and results do not all fit into registers, and one that stops at a
// breakpoint of its own. Same hand-shake and report as caller.
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
	if sum12(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1) != 78 {
		os.Exit(2)
	}
	if _, _, _, _, _, _, _, _, _, _, k := count11(1); k != 11 {
		os.Exit(2)
	}
	if _, _, _, _, _, _, _, _, _, j, _ := reverse11(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11); j != 2 {
		os.Exit(2)
	}
	if pause(0) != 0 || wide(1, 1, 1, 1, 1, 1, 1, 1, 1) != 9 {
		os.Exit(2)
	}
	go awaitEndOfInput()
	os.Stdout.WriteString("ready\n")
	for ; atomic.LoadUint32(&stopping) == 0; rounds++ {
		if round(int(rounds)) != int(rounds)*78 {
			mismatches++
		}
	}
	os.Stdout.WriteString(`{"rounds":` + strconv.FormatUint(rounds, 10) +
		`,"mismatches":` + strconv.FormatUint(mismatches, 10) + "}\n")
}

//go:noinline
func round(n int) int {
	return sum12(n, n, n, n, n, n, n, n, n, n, n, n)
}

//go:noinline
func sum12(a, b, c, d, e, f, g, h, i, j, k, l int) int {
	return a + 2*b + 3*c + 4*d + 5*e + 6*f + 7*g + 8*h + 9*i + 10*j + 11*k + 12*l
}

//go:noinline
func count11(n int) (a, b, c, d, e, f, g, h, i, j, k int) {
	return n, 2 * n, 3 * n, 4 * n, 5 * n, 6 * n, 7 * n, 8 * n, 9 * n, 10 * n, 11 * n
}

//go:noinline
func reverse11(a, b, c, d, e, f, g, h, i, j, k int) (int, int, int, int, int, int, int, int, int, int, int) {
	return k, j, i, h, g, f, e, d, c, b, a
}

// wide needs more stack than a new goroutine has. To get it the arguments leave their registers, for the
// place that its caller has to provide.
//
//go:noinline
func wide(a, b, c, d, e, f, g, h, i int) int {
	var room [1 << 14]int
	for k := range room {
		room[k] = a
	}
	return room[(b+c+d+e+f+g+h+i)&(1<<14-1)] + b + c + d + e + f + g + h + i
}

// pause stops n times as a program does that wants its debugger; without one that ends it.
//
//go:noinline
func pause(n int) int {
	for i := 0; i < n; i++ {
		runtime.Breakpoint()
	}
	return n
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
