package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func sent(t *testing.T, o options) report {
	t.Helper()
	o.connections, o.seconds, o.pause = max(o.connections, 1), 20, time.Millisecond
	l, err := newLoad(o)
	if err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	l.run(t.Context(), json.NewEncoder(&output))
	lines := strings.Split(strings.TrimSpace(output.String()), "\n")
	var last report
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || !last.Done {
		t.Fatalf("the last line is %q, %v", lines[len(lines)-1], err)
	}
	return last
}

// listening calls serve with each connection, and its number.
func listening(t *testing.T, serve func(*net.TCPConn, int)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for number := 0; ; number++ {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(c.(*net.TCPConn), number)
		}
	}()
	return listener.Addr().String()
}

// answer answers count lines as color.
func answer(c net.Conn, reader *bufio.Reader, color string, count int) {
	for range count {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Fprintf(c, "%s pod %s", color, line)
	}
}

func TestALineWithoutAnAnswerIsSentAgainAfterTheServerHasClosedProperly(t *testing.T) {
	address := listening(t, func(c *net.TCPConn, number int) {
		reader := bufio.NewReader(c)
		answer(c, reader, []string{"blue", "green"}[min(number, 1)], 3)
		_ = c.CloseWrite()
		_, _ = io.Copy(io.Discard, reader)
		c.Close()
	})
	got := sent(t, options{protocol: "tcp", address: address, requests: 9})
	if got.Failed != 0 || got.Served["blue"] != 3 || got.Served["green"] != 6 || got.Connections != 3 || got.Ended != 2 {
		t.Errorf("got %+v", got)
	}
	if len(got.Turns) != 1 || strings.Join(got.Turns[0], " ") != "blue green" {
		t.Errorf("got the turns %v", got.Turns)
	}
}

func TestAbruptEndsAreFailures(t *testing.T) {
	cases := map[string]func(*net.TCPConn){
		"a reset":             func(c *net.TCPConn) { _ = c.SetLinger(0) },
		"half an answer":      func(c *net.TCPConn) { fmt.Fprint(c, "green po") },
		"another's answer":    func(c *net.TCPConn) { fmt.Fprint(c, "green pod another message\n") },
		"an answer of nobody": func(c *net.TCPConn) { fmt.Fprint(c, "what?\n") },
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			address := listening(t, func(c *net.TCPConn, _ int) {
				_, _ = bufio.NewReader(c).ReadString('\n')
				end(c)
				c.Close()
			})
			if got := sent(t, options{protocol: "tcp", address: address, requests: 3}); got.Failed != 3 || len(got.Served) > 0 || len(got.Errors) == 0 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAServerThatOnlyClosesIsAFailureAndSoIsNoServer(t *testing.T) {
	closing := listening(t, func(c *net.TCPConn, _ int) {
		_, _ = bufio.NewReader(c).ReadString('\n')
		c.Close()
	})
	if got := sent(t, options{protocol: "tcp", address: closing, requests: 1}); got.Failed != 1 || got.Connections != mostAttempts {
		t.Errorf("got %+v", got)
	}
	for protocol := range opens {
		if got := sent(t, options{protocol: protocol, address: "127.0.0.1:1", requests: 2}); got.Failed != 2 {
			t.Errorf("%s got %+v", protocol, got)
		}
	}
}

func TestAServerThatNeverAnswersIsAFailure(t *testing.T) {
	defer func(before time.Duration) { timeout = before }(timeout)
	timeout = 100 * time.Millisecond
	silent := listening(t, func(c *net.TCPConn, _ int) { _, _ = io.Copy(io.Discard, c) })
	for protocol := range opens {
		if got := sent(t, options{protocol: protocol, address: silent, requests: 1}); got.Failed != 1 || got.Slowest < timeout.Seconds() {
			t.Errorf("%s got %+v", protocol, got)
		}
	}
}

func TestNewConnectionsAreOpenedForEveryRequest(t *testing.T) {
	address := listening(t, func(c *net.TCPConn, _ int) { answer(c, bufio.NewReader(c), "blue", 1000) })
	for isNew, want := range map[bool]int{true: 10, false: 2} {
		got := sent(t, options{protocol: "tcp", address: address, connections: 2, requests: 10, newConnections: isNew})
		if got.Connections != want || got.Served["blue"] != 10 {
			t.Errorf("newConnections=%t: got %+v", isNew, got)
		}
	}
}

func TestAWebSocketIsOpenedAgainOnlyAfterItWasClosedProperly(t *testing.T) {
	var closed atomic.Bool
	closeWith := websocket.CloseGoingAway
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "app.example" || r.Header.Get("Cookie") != "test=true" {
			http.Error(w, "another application", http.StatusNotFound)
			return
		}
		upgrader := websocket.Upgrader{}
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			_, message, err := c.ReadMessage()
			if err != nil {
				return
			}
			if closed.CompareAndSwap(false, true) {
				if closeWith > 0 {
					_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(closeWith, ""), time.Now().Add(time.Second))
				}
				return
			}
			_ = c.WriteJSON(reply{Color: "green", Message: string(message)})
		}
	}))
	defer server.Close()
	o := options{protocol: "websocket", address: server.Listener.Addr().String(), requests: 3, host: "app.example", cookie: "test=true"}
	for _, c := range []struct{ code, failed, ended int }{{websocket.CloseGoingAway, 0, 1}, {websocket.CloseInternalServerErr, 1, 0}, {0, 1, 0}} {
		closed.Store(false)
		closeWith = c.code
		if got := sent(t, o); got.Failed != c.failed || got.Ended != c.ended || got.Served["green"] != 3-c.failed {
			t.Errorf("closed with %d: got %+v", c.code, got)
		}
	}
	o.host = ""
	if got := sent(t, o); got.Failed != 3 || got.Errors["connecting: status 404"] != 3 {
		t.Errorf("got %+v", got)
	}
}

func TestAStreamIsOpenedAgainOnlyAfterStatusOK(t *testing.T) {
	var ended atomic.Bool
	var end error
	talk := func(_ any, stream grpc.ServerStream) error {
		for {
			message := new(wrapperspb.StringValue)
			if err := stream.RecvMsg(message); err != nil {
				return nil
			}
			if ended.CompareAndSwap(false, true) {
				return end
			}
			text, _ := json.Marshal(reply{Color: "green", Message: message.GetValue()})
			_ = stream.SendMsg(wrapperspb.String(string(text)))
		}
	}
	server := grpc.NewServer()
	streams := []grpc.StreamDesc{{StreamName: "Talk", Handler: talk, ServerStreams: true, ClientStreams: true}}
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "bluegreen.example.Echo", HandlerType: (*any)(nil), Streams: streams}, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	for _, failed := range []int{0, 1} {
		ended.Store(false)
		if end = nil; failed > 0 {
			end = status.Error(codes.Unavailable, "gone")
		}
		got := sent(t, options{protocol: "grpc-stream", address: listener.Addr().String(), requests: 3})
		if got.Failed != failed || got.Ended != 1-failed || got.Served["green"] != 3-failed {
			t.Errorf("ended with %v: got %+v", end, got)
		}
	}
}

func TestUnusableOptionsAreRefused(t *testing.T) {
	good := options{protocol: "tcp", address: "127.0.0.1:1", connections: 1, requests: 1, seconds: 1, pause: time.Second}
	if _, err := newLoad(good); err != nil {
		t.Error(err)
	}
	for words, change := range map[string]func(*options){
		"-protocol":    func(o *options) { o.protocol = "udp" },
		"-address":     func(o *options) { o.address = "127.0.0.1" },
		"-connections": func(o *options) { o.connections = mostConnections + 1 },
		"-requests":    func(o *options) { o.requests = 0 },
		"-seconds":     func(o *options) { o.seconds = mostSeconds + 1 },
		"-pause":       func(o *options) { o.pause = 0 },
	} {
		o := good
		change(&o)
		if _, err := newLoad(o); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: got %v", words, err)
		}
	}
}
