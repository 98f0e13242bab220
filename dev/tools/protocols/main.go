// Command protocols holds connections to the sample application (examples/app), sends messages by one protocol on each of them,
// one after the other, and counts which color answered. It prints a report as a line of JSON five times a second, and a last one
// when it ends: after -seconds, after -requests, or on SIGINT.
//
// A request has failed if its answer is missing, late or wrong. It has not failed if the server ended the connection in the way
// of the protocol before the answer: then the server has not processed the message, and the client sends it again on a new
// connection, as browsers and libraries do. These ways are GOAWAY of HTTP/2, status OK of a gRPC stream, close frame 1000, 1001
// or 1012 of a WebSocket, and the end of a TCP stream (not a reset) between two lines.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	reportInterval = 200 * time.Millisecond
	// How often one message is sent before it has failed.
	mostAttempts = 5
	// Texts and turns that a report contains, so that it stays small.
	mostErrors, mostTurns = 20, 50

	mostConnections, mostRequests, mostSeconds = 100, 1_000_000, 600
)

// The timeout of a response and of a new connection. It is long, because a slow host must not count as a lost message.
var timeout = 30 * time.Second

// errEnded is the error of a connection that the server has ended in the way of the protocol.
var errEnded = errors.New("the server has ended the connection")

// A connection sends messages by one protocol. Its color is that of the pod that answered.
type connection interface {
	ask(ctx context.Context, message string) (reply, error)
	close()
}

type reply struct {
	Color   string `json:"color"`
	Message string `json:"message"`
}

type options struct {
	protocol, address, host, cookie string
	connections, requests, seconds  int
	pause                           time.Duration
	newConnections                  bool
}

// A report is what has happened so far.
type report struct {
	Requests    int            `json:"requests"`
	Failed      int            `json:"failed"`
	Served      map[string]int `json:"served"`      // successful requests by color
	Connections int            `json:"connections"` // opened, with those that could not be
	Ended       int            `json:"ended"`       // by the server, in the way of the protocol, before an answer
	Slowest     float64        `json:"slowest"`     // seconds until an answer, with the time to connect
	Errors      map[string]int `json:"errors"`
	Turns       [][]string     `json:"turns"` // of each connection: the colors that answered it, in their order
	Done        bool           `json:"done"`
}

type load struct {
	options
	open  func() (connection, error)
	taken atomic.Int64 // requests that have begun
	mutex sync.Mutex
	report
}

func main() {
	o := options{}
	flag.StringVar(&o.protocol, "protocol", "", "grpc, grpc-stream, h2c, websocket or tcp")
	flag.StringVar(&o.address, "address", "", "host:port")
	flag.StringVar(&o.host, "host", "", "the Host header or :authority, if it is not the address")
	flag.StringVar(&o.cookie, "cookie", "", "the Cookie header, such as test=true")
	flag.IntVar(&o.connections, "connections", 4, "how many connections send at the same time")
	flag.IntVar(&o.requests, "requests", mostRequests, "the most requests of all connections together")
	flag.IntVar(&o.seconds, "seconds", mostSeconds, "the longest time")
	flag.DurationVar(&o.pause, "pause", 20*time.Millisecond, "the pause of a connection after each request")
	flag.BoolVar(&o.newConnections, "new", false, "open a new connection for every request")
	flag.Parse()
	l, err := newLoad(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	l.run(ctx, json.NewEncoder(os.Stdout))
}

func newLoad(o options) (*load, error) {
	open, known := opens[o.protocol]
	if !known {
		return nil, fmt.Errorf("-protocol %q is not one of grpc, grpc-stream, h2c, websocket, tcp", o.protocol)
	}
	if _, _, err := net.SplitHostPort(o.address); err != nil {
		return nil, fmt.Errorf("-address %q is not host:port", o.address)
	}
	for _, limit := range []struct {
		name        string
		value, most int
	}{{"connections", o.connections, mostConnections}, {"requests", o.requests, mostRequests}, {"seconds", o.seconds, mostSeconds}} {
		if limit.value < 1 || limit.value > limit.most {
			return nil, fmt.Errorf("-%s %d must be between 1 and %d", limit.name, limit.value, limit.most)
		}
	}
	if o.pause < time.Millisecond {
		return nil, fmt.Errorf("-pause %s must be at least 1ms", o.pause)
	}
	l := &load{options: o, report: report{Served: map[string]int{}, Errors: map[string]int{}}}
	for range o.connections {
		l.Turns = append(l.Turns, []string{})
	}
	l.open = func() (connection, error) { return open(l) }
	return l, nil
}

// run sends until ctx is done or a limit is reached, and writes reports.
func (l *load) run(ctx context.Context, reports *json.Encoder) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(l.seconds)*time.Second)
	defer cancel()
	var sending sync.WaitGroup
	for number := range l.connections {
		sending.Go(func() { l.send(ctx, number) })
	}
	over := make(chan struct{})
	go func() {
		sending.Wait()
		close(over)
	}()
	ticker := time.NewTicker(reportInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.write(reports, false)
		case <-over:
			l.write(reports, true)
			return
		}
	}
}

func (l *load) write(reports *json.Encoder, done bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.Done = done
	_ = reports.Encode(l.report) // without a reader, SIGPIPE ends this process
}

// send sends one message after the other until ctx is done. The last one is answered before send returns.
func (l *load) send(ctx context.Context, number int) {
	var c connection
	defer func() { closeIfOpen(&c) }()
	for count := 0; ctx.Err() == nil && l.taken.Add(1) <= int64(l.requests); count++ {
		began := time.Now()
		answer, err := l.deliver(&c, fmt.Sprintf("message %d of connection %d", count, number))
		l.record(number, answer, err, time.Since(began))
		if err != nil || l.newConnections {
			closeIfOpen(&c)
		}
		select {
		case <-ctx.Done():
		case <-time.After(l.pause):
		}
	}
}

// deliver sends message until it is answered, on new connections as often as the server ends them.
func (l *load) deliver(c *connection, message string) (reply, error) {
	for range mostAttempts {
		if *c == nil {
			opened, err := l.open()
			if err != nil {
				return reply{}, fmt.Errorf("connecting: %w", err)
			}
			*c = opened
		}
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		answer, err := (*c).ask(ctx, message)
		cancel()
		if !errors.Is(err, errEnded) {
			return answer, check(answer, message, err)
		}
		closeIfOpen(c)
		l.mutex.Lock()
		l.Ended++
		l.mutex.Unlock()
	}
	return reply{}, fmt.Errorf("%w %d times before the answer", errEnded, mostAttempts)
}

func check(answer reply, message string, err error) error {
	switch {
	case err != nil:
		return err
	case answer.Message != message:
		return errors.New("the answer is that to another message")
	case answer.Color == "":
		return errors.New("the answer names no color")
	}
	return nil
}

func closeIfOpen(c *connection) {
	if *c != nil {
		(*c).close()
		*c = nil
	}
}

func (l *load) record(number int, answer reply, err error, took time.Duration) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.Requests++
	l.Slowest = max(l.Slowest, took.Seconds())
	if err != nil {
		l.Failed++
		if text := err.Error(); l.Errors[text] > 0 || len(l.Errors) < mostErrors {
			l.Errors[text]++
		}
		return
	}
	l.Served[answer.Color]++
	turns := l.Turns[number]
	if (len(turns) == 0 || turns[len(turns)-1] != answer.Color) && len(turns) < mostTurns {
		l.Turns[number] = append(turns, answer.Color)
	}
}

// dial opens a TCP connection, and counts it.
func (l *load) dial(ctx context.Context, address string) (net.Conn, error) {
	l.mutex.Lock()
	l.Connections++
	l.mutex.Unlock()
	dialer := net.Dialer{Timeout: timeout}
	return dialer.DialContext(ctx, "tcp", address)
}
