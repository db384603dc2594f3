// lumber_take is go-lumber's own server as a receiver: each event is appended to a file as it came, a
// line each, and its window acknowledged when it is written. SIGTERM ends it; a kill is fine too.
package main

import (
	"bufio"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	server "github.com/elastic/go-lumber/server/v2"
)

func fail(err error) {
	fmt.Fprintln(os.Stderr, "lumber_take:", err)
	os.Exit(1)
}

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	path := flag.String("file", "", "file to append events to")
	cert := flag.String("cert", "", "certificate: speak TLS")
	key := flag.String("key", "", "its key")
	pause := flag.Duration("pause", 0, "before each window is acknowledged")
	keepalive := flag.Duration("keepalive", 3*time.Second, "how often a waiting client is told that we are at it")
	flag.Parse()
	log.SetOutput(io.Discard) // the server tells of each connection

	file, err := os.OpenFile(*path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		fail(err)
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		fail(err)
	}
	fmt.Fprintln(os.Stderr, "listening on", listener.Addr())
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			fail(err)
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}})
	}
	// An event as it came: no decoding, no encoding.
	raw := func(data []byte, to interface{}) error {
		*to.(*interface{}) = append([]byte(nil), data...)
		return nil
	}
	s, err := server.NewWithListener(listener, server.JSONDecoder(raw), server.Keepalive(*keepalive))
	if err != nil {
		fail(err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	for {
		select {
		case <-stop:
			return
		case batch := <-s.ReceiveChan():
			to := bufio.NewWriter(file)
			for _, event := range batch.Events {
				to.Write(event.([]byte))
				to.WriteByte('\n')
			}
			if err := to.Flush(); err != nil {
				fail(err)
			}
			time.Sleep(*pause)
			batch.ACK()
		}
	}
}
