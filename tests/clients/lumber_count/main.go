// lumber_count is go-lumber's own server doing nothing but count: the yardstick of the benchmark.
// lumber_count ADDRESS; on SIGTERM it prints events, windows and its CPU seconds as JSON.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	server "github.com/elastic/go-lumber/server/v2"
)

func seconds(t syscall.Timeval) float64 {
	return float64(t.Sec) + float64(t.Usec)/1e6
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: lumber_count ADDRESS")
		os.Exit(2)
	}
	log.SetOutput(io.Discard) // the server tells of each connection
	s, err := server.ListenAndServe(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "lumber_count:", err)
		os.Exit(1)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	events, windows := 0, 0
	for running := true; running; {
		select {
		case batch := <-s.ReceiveChan():
			windows++
			events += len(batch.Events)
			batch.ACK()
		case <-stop:
			running = false
		}
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		fmt.Fprintln(os.Stderr, "lumber_count:", err)
		os.Exit(1)
	}
	fmt.Printf("{\"events\":%d,\"windows\":%d,\"cpu_seconds\":%.2f}\n", events, windows,
		seconds(used.Utime)+seconds(used.Stime))
}
