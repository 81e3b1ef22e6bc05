// Server answers each line on a TCP connection with the same line. It prints "ready" and then the address
// that it listens on, and serves until its stdin ends.
package main

import (
	"bufio"
	"io"
	"net"
	"os"
)

func main() {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(2)
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	os.Stdout.WriteString("ready\n" + listener.Addr().String() + "\n")
	for {
		connection, err := listener.Accept()
		if err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(2)
		}
		go serve(connection)
	}
}

func serve(connection net.Conn) {
	defer connection.Close()
	lines := bufio.NewReader(connection)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := io.WriteString(connection, line); err != nil {
			return
		}
	}
}
