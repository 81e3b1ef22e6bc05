// Exit ends at once, with status 3, before it is ready.
package main

import "os"

func main() { os.Exit(3) }
