package main

import (
	"os"
	"runtime"
)

// The functions a debugger may call. They are called once at the start, so the linker keeps them.

//go:noinline
func add(a, b int) int { return a + b }

// sum9 fills every integer argument register of amd64.
//
//go:noinline
func sum9(a, b, c, d, e, f, g, h, i int) int {
	return a + 2*b + 3*c + 4*d + 5*e + 6*f + 7*g + 8*h + 9*i
}

// divide has several results.
//
//go:noinline
func divide(a, b int) (quotient, remainder, sum int) { return a / b, a % b, a + b }

// collect runs the garbage collector, which stops the world.
//
//go:noinline
func collect(n int) int {
	runtime.GC()
	return n
}

// yield goes through the scheduler n times.
//
//go:noinline
func yield(n int) int {
	for i := 0; i < n; i++ {
		runtime.Gosched()
	}
	return n
}

// deep needs more stack than any goroutine starts with: n frames.
//
//go:noinline
func deep(n int) int {
	if n == 0 {
		return 0
	}
	return deep(n-1) + 1
}

//go:noinline
func fail(n int) int {
	if n >= 0 {
		panic("fail was called")
	}
	return n
}

func tryCallees() {
	quotient, remainder, sum := divide(17, 5)
	right := add(1, 2) == 3 &&
		sum9(1, 1, 1, 1, 1, 1, 1, 1, 1) == 45 &&
		quotient == 3 && remainder == 2 && sum == 22 &&
		collect(1) == 1 && yield(2) == 2 && deep(10) == 10 && fail(-1) == -1
	if !right {
		os.Stderr.WriteString("a callee computed something wrong\n")
		os.Exit(2)
	}
}
