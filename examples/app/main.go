// Command app is the sample application: a small HTTP server that responds with its version and color, has a readiness
// endpoint, drains on SIGTERM, and fails on request. It is configured by environment variables:
//
//	PORT            the port to listen on, default 3000
//	VERSION, COLOR  the version and color in its responses; set by the image and by the Deployment
//	DRAIN_DELAY     how long it serves new requests after SIGTERM, default 1s
//	DRAIN_TIMEOUT   how long requests in flight may take after that, default 20s
//	FAULT           never-ready, exit, slow or errors; empty for none
//	FAULT_DELAY     the delay that slow adds to responses of / and /ping, default 5s
//	FAULT_RATE      the share of requests to / and /ping that errors responds to with 500, default 0.05
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
	"sync/atomic"
	"syscall"
	"time"
)

const (
	servedByHeader   = "X-Served-By" // set by the app; the route sets x-color
	longestSlowReply = 30 * time.Second
)

// shownValues are the variables whose values /info shows. Of other DB_ variables it shows only the names, because their
// values may be secret.
var shownValues = []string{"DB_HOST", "DB_PORT", "DB_SCHEMA", "NODE_ENV"}

type settings struct {
	port, version, color, pod string
	drainDelay, drainTimeout  time.Duration
	fault                     string
	faultDelay                time.Duration
	faultRate                 float64
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
	draining atomic.Bool
}

func (a *app) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.misbehaving(a.home))
	mux.HandleFunc("GET /ping", a.misbehaving(a.ping))
	mux.HandleFunc("GET /ready", a.ready)
	mux.HandleFunc("GET /info", a.info)
	mux.HandleFunc("GET /slow", a.slow)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.color != "" {
			w.Header().Set(servedByHeader, a.color)
		}
		if a.draining.Load() {
			// Closes kept-alive connections after their next response. SetKeepAlivesEnabled(false) would close idle ones
			// at once, although a request may already be on its way.
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

// serve serves on listener until stop is closed, then drains in three steps: it reports not ready but keeps serving, because
// clients learn of the end a moment later than this process; it stops accepting; it waits for requests in flight.
func (a *app) serve(listener net.Listener, stop <-chan struct{}) error {
	// No timeouts: closing an idle connection races with the next request on it, and the proxy in front has timeouts.
	// ReadHeaderTimeout would also close connections that the proxy has opened in advance and not used yet.
	server := &http.Server{Handler: a.handler()}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving on %s stopped: %w", listener.Addr(), err)
	case <-stop:
	}
	a.draining.Store(true)
	time.Sleep(a.drainDelay)
	ctx, cancel := context.WithTimeout(context.Background(), a.drainTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return fmt.Errorf("requests were still in flight %s after the drain began; DRAIN_TIMEOUT allows longer: %w",
			a.drainDelay+a.drainTimeout, err)
	}
	return nil
}

func run() error {
	s, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	if s.fault == "exit" {
		return errors.New("exiting on request (FAULT=exit)")
	}
	listener, err := net.Listen("tcp", ":"+s.port)
	if err != nil {
		return fmt.Errorf("cannot listen on PORT=%q: %w", s.port, err)
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	fmt.Printf("version %s, color %q, listening on %s\n", s.version, s.color, listener.Addr())
	return (&app{settings: s}).serve(listener, stop.Done())
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
