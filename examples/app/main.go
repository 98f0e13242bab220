// Command app is the sample application: a small server that responds with its version and color, has a readiness endpoint,
// drains on SIGTERM, and fails on request. It is configured by environment variables:
//
//	PORT            the port for HTTP/1.1, with WebSocket on /ws; default 3000
//	H2C_PORT        a port for HTTP/2 without TLS (and nothing else); empty for none
//	GRPC_PORT       a port for gRPC, with the standard health service; empty for none
//	TCP_PORT        a port for lines of text over plain TCP; empty for none
//	VERSION, COLOR  the version and color in its responses; set by the image and by the Deployment
//	DRAIN_DELAY     how long it serves new requests and connections after SIGTERM, default 1s
//	DRAIN_TIMEOUT   how long what is in flight may take after that, default 20s
//	FAULT           never-ready, exit, slow or errors; empty for none
//	FAULT_DELAY     the delay that slow adds to responses of / and /ping, default 5s
//	FAULT_RATE      the share of requests to / and /ping that errors responds to with 500, default 0.05
//
// With the arguments `write FILE` it writes its version into FILE and ends, as an init container does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc/health"
)

const (
	servedByHeader   = "X-Served-By" // set by the app; the route sets x-color
	longestSlowReply = 30 * time.Second
)

// shownValues are the variables whose values /info shows. Of other DB_ variables it shows only the names, because their
// values may be secret.
var shownValues = []string{"DB_HOST", "DB_PORT", "DB_SCHEMA", "NODE_ENV"}

type settings struct {
	port, h2cPort, grpcPort, tcpPort string
	version, color, pod              string
	drainDelay, drainTimeout         time.Duration
	fault                            string
	faultDelay                       time.Duration
	faultRate                        float64
}

// readSettings reads the variables with lookup. The error contains all invalid values.
func readSettings(lookup func(string) string) (settings, error) {
	var problems []error
	text := func(name, fallback string) string {
		if value := lookup(name); value != "" {
			return value
		}
		return fallback
	}
	duration := func(name, fallback string) time.Duration {
		value, err := time.ParseDuration(text(name, fallback))
		if err != nil || value < 0 {
			problems = append(problems, fmt.Errorf("%s=%q is not a duration such as 500ms or 20s", name, lookup(name)))
		}
		return value
	}
	s := settings{
		port:         text("PORT", "3000"),
		h2cPort:      lookup("H2C_PORT"),
		grpcPort:     lookup("GRPC_PORT"),
		tcpPort:      lookup("TCP_PORT"),
		version:      text("VERSION", "unknown"),
		color:        lookup("COLOR"),
		pod:          lookup("HOSTNAME"),
		drainDelay:   duration("DRAIN_DELAY", "1s"),
		drainTimeout: duration("DRAIN_TIMEOUT", "20s"),
		fault:        lookup("FAULT"),
		faultDelay:   duration("FAULT_DELAY", "5s"),
	}
	switch s.fault {
	case "", "never-ready", "exit", "slow", "errors":
	default:
		problems = append(problems, fmt.Errorf("FAULT=%q is not one of never-ready, exit, slow, errors", s.fault))
	}
	rate, err := strconv.ParseFloat(text("FAULT_RATE", "0.05"), 64)
	if err != nil || !(rate >= 0 && rate <= 1) {
		problems = append(problems, fmt.Errorf("FAULT_RATE=%q is not a share between 0 and 1", lookup("FAULT_RATE")))
	}
	s.faultRate = rate
	return s, errors.Join(problems...)
}

type app struct {
	settings
	draining atomic.Bool     // not ready any more, but still serving
	closing  context.Context // done when streams, WebSockets and TCP connections have to end
	endAll   context.CancelFunc
	sockets  sync.WaitGroup // open WebSockets
	health   *health.Server // what the standard health service of gRPC answers
}

func newApp(s settings) *app {
	closing, endAll := context.WithCancel(context.Background())
	a := &app{settings: s, closing: closing, endAll: endAll, health: health.NewServer()}
	if s.fault == "never-ready" {
		a.health.Shutdown()
	}
	return a
}

// A reply is what every protocol but plain TCP answers to a message.
type reply struct {
	Version string `json:"version"`
	Color   string `json:"color"`
	Pod     string `json:"pod"`
	Message string `json:"message"`
}

func (a *app) reply(message string) reply {
	return reply{Version: a.version, Color: a.color, Pod: a.pod, Message: message}
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.misbehaving(a.home))
	mux.HandleFunc("GET /ping", a.misbehaving(a.ping))
	mux.HandleFunc("GET /ready", a.ready)
	mux.HandleFunc("GET /info", a.info)
	mux.HandleFunc("GET /slow", a.slow)
	mux.HandleFunc("GET /ws", a.webSocket)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.color != "" {
			w.Header().Set(servedByHeader, a.color)
		}
		if a.draining.Load() {
			// Closes kept-alive connections after their next response; with HTTP/2 it sends GOAWAY.
			// SetKeepAlivesEnabled(false) would close idle ones at once, although a request may already be on its way.
			w.Header().Set("Connection", "close")
		}
		mux.ServeHTTP(w, r)
	})
}

func (a *app) misbehaving(next http.HandlerFunc) http.HandlerFunc {
	switch a.fault {
	case "slow":
		return func(w http.ResponseWriter, r *http.Request) {
			if pause(r.Context(), a.faultDelay) {
				next(w, r)
			}
		}
	case "errors":
		return func(w http.ResponseWriter, r *http.Request) {
			if rand.Float64() < a.faultRate {
				http.Error(w, "an error on request (FAULT=errors)", http.StatusInternalServerError)
				return
			}
			next(w, r)
		}
	}
	return next
}

func (a *app) home(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, map[string]any{"version": a.version, "color": a.color, "pod": a.pod})
}

func (a *app) ping(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, "Hi, this is version %s\n", a.version)
}

func (a *app) ready(w http.ResponseWriter, _ *http.Request) {
	ready := a.fault != "never-ready" && !a.draining.Load()
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	answerJSON(w, status, map[string]any{"ready": ready})
}

func (a *app) info(w http.ResponseWriter, _ *http.Request) {
	names := []string{}
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "DB_") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	values := map[string]string{}
	for _, name := range shownValues {
		if value, present := os.LookupEnv(name); present {
			values[name] = value
		}
	}
	answerJSON(w, http.StatusOK, map[string]any{
		"version": a.version, "color": a.color, "pod": a.pod, "env": values, "envNames": names,
	})
}

// slow responds after ?seconds=, so that a test can keep a request in flight while a pod drains or a route changes.
func (a *app) slow(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.ParseFloat(r.URL.Query().Get("seconds"), 64)
	if err != nil || !(seconds >= 0 && seconds <= longestSlowReply.Seconds()) {
		http.Error(w, fmt.Sprintf("seconds must be a number from 0 to %g", longestSlowReply.Seconds()), http.StatusBadRequest)
		return
	}
	if pause(r.Context(), time.Duration(seconds*float64(time.Second))) {
		a.ping(w, r)
	}
}

// pause waits for delay; it returns false if the client closed the connection first.
func pause(ctx context.Context, delay time.Duration) bool {
	select {
	case <-time.After(delay):
		return true
	case <-ctx.Done():
		return false
	}
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // fails only if the client has closed the connection
}

// A server speaks one protocol. Shutdown stops accepting, and waits until everything in flight has ended or the context is done.
type server interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// A port is where a server listens.
type port struct {
	variable, number string
	server           server
	listener         net.Listener
}

// ports returns the ports that the settings ask for; they do not listen yet.
func (a *app) ports() []*port {
	ports := []*port{{variable: "PORT", number: a.port, server: a.newWebServer()}}
	if a.h2cPort != "" {
		ports = append(ports, &port{variable: "H2C_PORT", number: a.h2cPort, server: a.newH2CServer()})
	}
	if a.grpcPort != "" {
		ports = append(ports, &port{variable: "GRPC_PORT", number: a.grpcPort, server: a.newRPCServer()})
	}
	// A probe of a TCP port cannot learn more than whether somebody listens.
	if a.tcpPort != "" && a.fault != "never-ready" {
		ports = append(ports, &port{variable: "TCP_PORT", number: a.tcpPort, server: &lineServer{app: a}})
	}
	return ports
}

// serve serves on all ports until stop is closed, then drains in three steps: it reports not ready but keeps serving, because
// clients learn of the end a moment later than this process; it stops accepting, and ends streams, WebSockets and TCP
// connections in the way of their protocol; it waits for what is in flight.
func (a *app) serve(ports []*port, stop <-chan struct{}) error {
	failed := make(chan error, len(ports))
	for _, p := range ports {
		go func() {
			failed <- fmt.Errorf("serving on %s stopped: %w", p.listener.Addr(), p.server.Serve(p.listener))
		}()
	}
	select {
	case err := <-failed:
		return err
	case <-stop:
	}
	a.draining.Store(true)
	a.health.Shutdown()
	time.Sleep(a.drainDelay)
	ctx, cancel := context.WithTimeout(context.Background(), a.drainTimeout)
	defer cancel()
	a.endAll()
	ended := make(chan error, len(ports))
	for _, p := range ports {
		go func() { ended <- p.server.Shutdown(ctx) }()
	}
	var problems []error
	for range ports {
		if err := <-ended; err != nil {
			problems = append(problems, fmt.Errorf(
				"requests were still in flight %s after the drain began; DRAIN_TIMEOUT allows longer: %w",
				a.drainDelay+a.drainTimeout, err))
		}
	}
	return errors.Join(problems...)
}

// write prepares a volume for the pod: the version, in a file.
func (s settings) write(file string) error {
	return os.WriteFile(file, []byte(s.version+"\n"), 0o644)
}

func run(arguments []string) error {
	s, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	if len(arguments) == 2 && arguments[0] == "write" {
		return s.write(arguments[1])
	}
	if s.fault == "exit" {
		return errors.New("exiting on request (FAULT=exit)")
	}
	a := newApp(s)
	ports := a.ports()
	for _, p := range ports {
		if p.listener, err = net.Listen("tcp", ":"+p.number); err != nil {
			return fmt.Errorf("cannot listen on %s=%q: %w", p.variable, p.number, err)
		}
		fmt.Printf("version %s, color %q, listening on %s (%s)\n", s.version, s.color, p.listener.Addr(), p.variable)
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	return a.serve(ports, stop.Done())
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
