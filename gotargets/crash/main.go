// Crash gets ready and then dies by itself, of a nil pointer, in its 1000th round. It starts to count when
// a byte arrives on stdin, and ends quietly at the end of stdin, so whoever launched it sets the moment.
package main

import "os"

func main() {
	os.Stdout.WriteString("ready\n")
	var buffer [1]byte
	if _, err := os.Stdin.Read(buffer[:]); err != nil {
		return
	}
	for n := 0; n < 1000; n++ {
		round(n)
	}
}

var numbers [1000]int

//go:noinline
func round(n int) {
	where := &numbers[n]
	if n == len(numbers)-1 {
		where = nil
	}
	*where = n
}
