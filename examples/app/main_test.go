package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func appWith(t *testing.T, values map[string]string) *app {
	t.Helper()
	s, err := readSettings(environment(values))
	if err != nil {
		t.Fatal(err)
	}
	return newApp(s)
}

// start serves on free ports of this machine. It returns their addresses by the variables that ask for them, a function that
// begins the drain, and what serve returns.
func start(t *testing.T, a *app) (map[string]string, func(), <-chan error) {
	t.Helper()
	ports, addresses := a.ports(), map[string]string{}
	for _, p := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p.listener, addresses[p.variable] = listener, listener.Addr().String()
	}
	stop, served := make(chan struct{}), make(chan error, 1)
	go func() { served <- a.serve(ports, stop) }()
	drain := func() {
		close(stop)
		for !a.draining.Load() {
			time.Sleep(time.Millisecond)
		}
	}
	return addresses, drain, served
}

func get(a *app, path string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	a.handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer
}

func TestPingSaysVersionAndColor(t *testing.T) {
	answer := get(appWith(t, map[string]string{"VERSION": "2.0", "COLOR": "green"}), "/ping")
	if answer.Body.String() != "Hi, this is version 2.0\n" || answer.Header().Get("X-Served-By") != "green" {
		t.Errorf("got %q, headers %v", answer.Body, answer.Header())
	}
}

func TestReadyIsFalseWhileDrainingAndWhenNeverReady(t *testing.T) {
	draining := appWith(t, nil)
	draining.draining.Store(true)
	cases := map[string]struct {
		app    *app
		status int
		body   string
	}{
		"ready":       {appWith(t, nil), 200, `{"ready":true}`},
		"draining":    {draining, 503, `{"ready":false}`},
		"never ready": {appWith(t, map[string]string{"FAULT": "never-ready"}), 503, `{"ready":false}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			answer := get(c.app, "/ready")
			if answer.Code != c.status || strings.TrimSpace(answer.Body.String()) != c.body {
				t.Errorf("got %d %s", answer.Code, answer.Body)
			}
		})
	}
}

func TestInfoShowsNamesOfSecretsAndNeverTheirValues(t *testing.T) {
	t.Setenv("DB_HOST", "db.example")
	t.Setenv("DB_PASSWORD", "hunter2")
	answer := get(appWith(t, nil), "/info")
	var info struct {
		Env      map[string]string
		EnvNames []string
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &info); err != nil {
		t.Fatal(err)
	}
	if info.Env["DB_HOST"] != "db.example" || strings.Join(info.EnvNames, " ") != "DB_HOST DB_PASSWORD" {
		t.Errorf("got %+v", info)
	}
	if strings.Contains(answer.Body.String(), "hunter2") {
		t.Error("the value of DB_PASSWORD is shown")
	}
}

func TestFaults(t *testing.T) {
	cases := map[string]struct {
		values  map[string]string
		status  int
		atLeast time.Duration
	}{
		"no fault":    {nil, 200, 0},
		"always 500":  {map[string]string{"FAULT": "errors", "FAULT_RATE": "1"}, 500, 0},
		"never 500":   {map[string]string{"FAULT": "errors", "FAULT_RATE": "0"}, 200, 0},
		"slow answer": {map[string]string{"FAULT": "slow", "FAULT_DELAY": "60ms"}, 200, 60 * time.Millisecond},
	}
	for name, c := range cases {
		for _, path := range []string{"/", "/ping"} {
			t.Run(name+path, func(t *testing.T) {
				began := time.Now()
				answer := get(appWith(t, c.values), path)
				if answer.Code != c.status || time.Since(began) < c.atLeast {
					t.Errorf("got %d after %s", answer.Code, time.Since(began))
				}
			})
		}
	}
}

func TestUnusableSettingsAreAllNamed(t *testing.T) {
	_, err := readSettings(environment(map[string]string{"FAULT": "nap", "FAULT_RATE": "NaN", "DRAIN_DELAY": "soon"}))
	for _, name := range []string{`FAULT="nap"`, `FAULT_RATE="NaN"`, `DRAIN_DELAY="soon"`} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
}

func TestAnInitContainerWritesItsVersionAndEnds(t *testing.T) {
	file := filepath.Join(t.TempDir(), "version")
	t.Setenv("VERSION", "2.0")
	if err := run([]string{"write", file}); err != nil {
		t.Fatal(err)
	}
	if written, err := os.ReadFile(file); err != nil || string(written) != "2.0\n" {
		t.Fatalf("%q, %v", written, err)
	}
}

func TestSlowRefusesWhatIsNotABoundedNumber(t *testing.T) {
	for _, query := range []string{"", "?seconds=31", "?seconds=-1", "?seconds=NaN", "?seconds=soon"} {
		if answer := get(appWith(t, nil), "/slow"+query); answer.Code != http.StatusBadRequest {
			t.Errorf("/slow%s answered %d", query, answer.Code)
		}
	}
}

func TestDrainFinishesWhatIsInFlightAndServesLateRequests(t *testing.T) {
	a := appWith(t, map[string]string{"DRAIN_DELAY": "200ms", "DRAIN_TIMEOUT": "5s"})
	addresses, drain, served := start(t, a)
	url := "http://" + addresses["PORT"]
	inFlight := make(chan string, 1)
	go func() { inFlight <- fetch(url + "/slow?seconds=0.5") }()
	time.Sleep(100 * time.Millisecond) // the slow request is in flight

	drain()
	if late := fetch(url + "/ping"); late != "200 close" {
		t.Errorf("a request during the drain got %q", late)
	}
	if answer := <-inFlight; answer != "200 close" && answer != "200" {
		t.Errorf("the request in flight got %q", answer)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestAConnectionOpenedInAdvanceIsKeptUntilItIsUsed(t *testing.T) {
	t.Parallel()
	a := appWith(t, nil)
	addresses, _, _ := start(t, a)
	connection, err := net.Dial("tcp", addresses["PORT"])
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	time.Sleep(6 * time.Second)
	if _, err := io.WriteString(connection, "GET /ping HTTP/1.1\r\nHost: app\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("after 6 s without a request, the first one got %v, %v", answer, err)
	}
}

// fetch returns "<status>", or "<status> close" if the connection must not be reused.
func fetch(url string) string {
	answer, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	if answer.Close {
		return strings.Fields(answer.Status)[0] + " close"
	}
	return strings.Fields(answer.Status)[0]
}
