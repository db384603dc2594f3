// lumber_send sends lines of JSON by go-lumber's client, as libbeat does: a window that was not
// acknowledged is sent again over a new connection, less what was. Prints what happened as JSON.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	lumber "github.com/elastic/go-lumber/client/v2"
)

// report is what is printed in the end. Events that are sent twice are counted twice in Sent.
type report struct {
	Events      int      `json:"events"`
	Sent        int      `json:"sent"`
	Acked       int      `json:"acked"`
	Resent      int      `json:"resent"`
	Windows     int      `json:"windows"`
	Connections int      `json:"connections"`
	Partial     int      `json:"partial"` // final answers that were below the window
	LongestWait float64  `json:"longest_wait"`
	Seconds     float64  `json:"seconds"`
	Errors      []string `json:"errors"`
}

// window is a slice of the events that is sent under one count.
type window struct {
	events []interface{}
	resent bool
}

type sender struct {
	address    string
	tls        *tls.Config
	opts       []lumber.Option
	timeout    time.Duration
	pipelining int
	pause      time.Duration
	report     report
}

var errUnfinished = errors.New("not everything was acknowledged")

func (s *sender) dial() (net.Conn, error) {
	dialer := &net.Dialer{Timeout: s.timeout}
	if s.tls == nil {
		return dialer.Dial("tcp", s.address)
	}
	return tls.DialWithDialer(dialer, "tcp", s.address, s.tls)
}

func (s *sender) note(err error) {
	s.report.Errors = append(s.report.Errors, err.Error())
}

func (s *sender) waited(since time.Time) {
	if d := time.Since(since).Seconds(); d > s.report.LongestWait {
		s.report.LongestWait = d
	}
}

// outgoing counts a window that is about to be written.
func (s *sender) outgoing(w window) {
	s.report.Windows++
	s.report.Sent += len(w.events)
	if w.resent {
		s.report.Resent += len(w.events)
	}
}

// acked counts what was acknowledged of a window, and gives what was not.
func (s *sender) acked(w window, n int) []window {
	s.report.Acked += n
	if n == len(w.events) {
		return nil
	}
	if n > 0 {
		s.report.Partial++
	}
	return []window{{events: w.events[n:], resent: true}}
}

// sync sends one window after the other. It gives those that are left when the connection fails.
func (s *sender) sync(conn net.Conn, todo []window) ([]window, error) {
	client, err := lumber.NewSyncClientWithConn(conn, s.opts...)
	if err != nil {
		return todo, err
	}
	defer client.Close()
	for i, w := range todo {
		start := time.Now()
		s.outgoing(w)
		n, err := client.Send(w.events)
		s.waited(start)
		left := s.acked(w, n)
		if err != nil {
			return append(left, todo[i+1:]...), err
		}
		time.Sleep(s.pause)
	}
	return nil, nil
}

// async keeps up to `pipelining` windows on their way, as libbeat does.
func (s *sender) async(conn net.Conn, todo []window) ([]window, error) {
	client, err := lumber.NewAsyncClientWithConn(conn, s.pipelining, s.opts...)
	if err != nil {
		return todo, err
	}
	var (
		lock   sync.Mutex
		open   sync.WaitGroup
		left   []window
		failed error
		next   int
	)
	for next = 0; next < len(todo); next++ {
		w, start := todo[next], time.Now()
		lock.Lock()
		stop := failed != nil
		if !stop {
			s.outgoing(w)
		}
		lock.Unlock()
		if stop {
			break
		}
		open.Add(1)
		err := client.Send(func(seq uint32, err error) {
			lock.Lock()
			defer lock.Unlock()
			defer open.Done()
			s.waited(start)
			left = append(left, s.acked(w, int(seq))...)
			if err != nil && failed == nil {
				failed = err
			}
		}, w.events)
		if err != nil {
			next++
			break
		}
		time.Sleep(s.pause)
	}
	open.Wait()
	client.Close()
	if failed == nil && len(left) > 0 {
		failed = errUnfinished
	}
	return append(left, todo[next:]...), failed
}

func (s *sender) run(todo []window, retry time.Duration) error {
	send := s.async
	if s.pipelining == 0 {
		send = s.sync
	}
	last := time.Now()
	for len(todo) > 0 {
		conn, err := s.dial()
		if err == nil {
			s.report.Connections++
			before := s.report.Acked
			todo, err = send(conn, todo)
			if s.report.Acked > before {
				last = time.Now()
			}
		}
		if err != nil {
			s.note(err)
			if time.Since(last) > retry {
				return err
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return nil
}

// events reads lines of JSON.
func events(path string) ([]interface{}, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []interface{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		all = append(all, json.RawMessage(append([]byte(nil), lines.Bytes()...)))
	}
	return all, lines.Err()
}

// cut makes windows of the sizes, one after the other, over and over.
func cut(all []interface{}, sizes string) ([]window, error) {
	var counts []int
	for _, text := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no window size", text)
		}
		counts = append(counts, n)
	}
	var todo []window
	for i := 0; len(all) > 0; i++ {
		n := counts[i%len(counts)]
		if n > len(all) {
			n = len(all)
		}
		todo = append(todo, window{events: all[:n]})
		all = all[n:]
	}
	return todo, nil
}

func tlsConfig(ca, cert, key, name string) (*tls.Config, error) {
	if ca == "" {
		return nil, nil
	}
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: name}
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate", ca)
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func main() {
	address := flag.String("address", "127.0.0.1:5044", "host and port of the server")
	file := flag.String("file", "", "file with one JSON object a line")
	windows := flag.String("windows", "2048", "sizes of windows, used in turn: 1,100,2048")
	level := flag.Int("compression", 3, "level of compression, 0 for plain frames")
	pipelining := flag.Int("pipelining", 2, "windows on their way at one time; 0 is the sync client")
	timeout := flag.Duration("timeout", 30*time.Second, "how long to wait for an ACK or a write")
	retry := flag.Duration("retry", 0, "go on after errors until nothing was acknowledged for so long")
	pause := flag.Duration("pause", 0, "wait after each window")
	ca := flag.String("ca", "", "CA of the server's certificate; makes it TLS")
	cert := flag.String("cert", "", "client certificate")
	key := flag.String("key", "", "its key")
	name := flag.String("name", "", "name in the server's certificate, if not that of the address")
	flag.Parse()

	fail := func(err error) {
		fmt.Fprintln(os.Stderr, "lumber_send:", err)
		os.Exit(2)
	}
	all, err := events(*file)
	if err != nil {
		fail(err)
	}
	todo, err := cut(all, *windows)
	if err != nil {
		fail(err)
	}
	s := &sender{address: *address, timeout: *timeout, pipelining: *pipelining, pause: *pause}
	s.opts = []lumber.Option{lumber.CompressionLevel(*level), lumber.Timeout(*timeout)}
	if s.tls, err = tlsConfig(*ca, *cert, *key, *name); err != nil {
		fail(err)
	}
	start := time.Now()
	err = s.run(todo, *retry)
	s.report.Events, s.report.Seconds = len(all), time.Since(start).Seconds()
	if s.report.Errors == nil {
		s.report.Errors = []string{}
	}
	if json.NewEncoder(os.Stdout).Encode(s.report) != nil || err != nil {
		os.Exit(1)
	}
}
