// Compute does no input or output. It computes for ever, or as many rounds as its first argument says, and
// exits with 0 if what came out is right.
package main

import (
	"os"
	"strconv"
)

const modulus = 1<<31 - 1 // a prime, so 16807 raised to modulus-1 is 1

func main() {
	rounds := -1
	if len(os.Args) > 1 {
		rounds, _ = strconv.Atoi(os.Args[1])
	}
	for n := 0; n != rounds; n++ {
		x := uint64(16807)
		x = power(x, modulus-1)
		if x != 1 {
			os.Exit(1)
		}
	}
}

//go:noinline
func power(base, exponent uint64) uint64 {
	product := uint64(1)
	for ; exponent > 0; exponent >>= 1 {
		if exponent&1 == 1 {
			product = product * base % modulus
		}
		base = base * base % modulus
	}
	return product
}
