package main

import "math/bits"

const (
	steps      = 16
	multiplier = 6364136223846793005
	increment  = 1442695040888963407
)

// outcome is what one round computes, each field with a different kind of live value.
type outcome struct {
	chain, sum, turned uint64 // integer registers
	whole, quarters    float64
	table              uint64 // read back from the stack
}

// round is where the harness stops the computation. In its loop integers and floats are live in
// registers and a table is live on the stack.
//
//go:noinline
func round(seed uint64) outcome {
	var table [steps]uint64
	chain, sum, turned := seed, uint64(0), seed
	whole, quarters := 0.0, float64(seed&1023)
	for i := uint64(0); i < steps; i++ {
		table[i&(steps-1)] = seed * i
		chain = chain*multiplier + increment
		sum += seed + i
		turned = bits.RotateLeft64(turned, 64/steps)
		whole += float64(seed&1023) + float64(i)
		quarters += 0.25
	}
	total := uint64(0)
	for i := uint64(0); i < steps; i++ {
		total += table[(i*7+seed)&(steps-1)] // each entry once, in an order the compiler cannot foresee
	}
	return outcome{chain, sum, turned, whole, quarters, total}
}

// expectation computes the same outcome another way: in closed form, exact in both number systems.
type expectation struct {
	factor, offset uint64 // all steps of the chain as one: factor*seed + offset
}

func newExpectation() expectation {
	e := expectation{multiplier, increment}
	for n := 1; n < steps; n *= 2 { // compose with itself: 1, 2, 4, ... steps
		e.offset += e.factor * e.offset
		e.factor *= e.factor
	}
	return e
}

func (e expectation) outcome(seed uint64) outcome {
	const triangle = steps * (steps - 1) / 2
	low := float64(seed & 1023)
	return outcome{
		chain:    e.factor*seed + e.offset,
		sum:      steps*seed + triangle,
		turned:   seed,
		whole:    steps*low + triangle,
		quarters: low + steps/4,
		table:    triangle * seed,
	}
}
