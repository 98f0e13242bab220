package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

var everyProtocol = map[string]string{
	"COLOR": "green", "HOSTNAME": "pod-1", "VERSION": "2.0", "H2C_PORT": "1", "GRPC_PORT": "2", "TCP_PORT": "3",
	"DRAIN_DELAY": "50ms", "DRAIN_TIMEOUT": "3s",
}

const repliedHello = `{"version":"2.0","color":"green","pod":"pod-1","message":"hello"}`

func TestOnlyTheHTTPPortIsOpenByDefault(t *testing.T) {
	ports := appWith(t, nil).ports()
	if len(ports) != 1 || ports[0].variable != "PORT" || ports[0].number != "3000" {
		t.Errorf("got %+v", ports)
	}
}

func TestH2CSpeaksHTTP2AndNothingElse(t *testing.T) {
	addresses, _, _ := start(t, appWith(t, everyProtocol))
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	client := http.Client{Transport: &http.Transport{Protocols: &protocols}}
	answer, err := client.Get("http://" + addresses["H2C_PORT"] + "/ping")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.Proto != "HTTP/2.0" || answer.StatusCode != 200 || answer.Header.Get("X-Served-By") != "green" {
		t.Errorf("got %s %d, headers %v", answer.Proto, answer.StatusCode, answer.Header)
	}
	if got := fetch("http://" + addresses["H2C_PORT"] + "/ping"); strings.HasPrefix(got, "200") {
		t.Errorf("HTTP/1.1 got %q", got)
	}
}

func TestAnH2CConnectionIsReplacedDuringTheDrainWithoutAFailedRequest(t *testing.T) {
	a := appWith(t, everyProtocol)
	addresses, drain, served := start(t, a)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	connections := 0
	transport := &http.Transport{Protocols: &protocols, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		connections++
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	ask := func(path string) {
		answer, err := (&http.Client{Transport: transport}).Get("http://" + addresses["H2C_PORT"] + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
	}
	ask("/ping")
	ask("/ping")
	if connections != 1 {
		t.Fatalf("two requests took %d connections", connections)
	}
	drain()
	ask("/slow?seconds=0.2") // is in flight when the server shuts down
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func dialRPC(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	connection, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

func TestSayNamesTheColorInTheAnswerAndInItsHeader(t *testing.T) {
	addresses, _, _ := start(t, appWith(t, everyProtocol))
	var header metadata.MD
	answer := new(wrapperspb.StringValue)
	err := dialRPC(t, addresses["GRPC_PORT"]).Invoke(
		t.Context(), "/bluegreen.example.Echo/Say", wrapperspb.String("hello"), answer, grpc.Header(&header))
	if err != nil || answer.GetValue() != repliedHello || strings.Join(header.Get("x-served-by"), " ") != "green" {
		t.Errorf("got %q, header %v, %v", answer.GetValue(), header, err)
	}
}

func TestHealthIsThatOfReady(t *testing.T) {
	draining := appWith(t, everyProtocol)
	cases := map[string]struct {
		app  *app
		want grpc_health_v1.HealthCheckResponse_ServingStatus
	}{
		"ready":       {appWith(t, everyProtocol), grpc_health_v1.HealthCheckResponse_SERVING},
		"never ready": {appWith(t, map[string]string{"GRPC_PORT": "2", "FAULT": "never-ready"}), grpc_health_v1.HealthCheckResponse_NOT_SERVING},
		"draining":    {draining, grpc_health_v1.HealthCheckResponse_NOT_SERVING},
	}
	draining.drainDelay = time.Minute
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			addresses, drain, _ := start(t, c.app)
			if c.app == draining {
				drain()
				time.Sleep(20 * time.Millisecond)
			}
			client := grpc_health_v1.NewHealthClient(dialRPC(t, addresses["GRPC_PORT"]))
			answer, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
			if err != nil || answer.Status != c.want {
				t.Errorf("got %v, %v", answer, err)
			}
		})
	}
}

func TestDrainEndsAnOpenStreamWithStatusOKAndAWatchOfTheHealthToo(t *testing.T) {
	addresses, drain, served := start(t, appWith(t, everyProtocol))
	connection := dialRPC(t, addresses["GRPC_PORT"])
	watch, err := grpc_health_v1.NewHealthClient(connection).Watch(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	stream, err := connection.NewStream(t.Context(), &echo.Streams[0], "/bluegreen.example.Echo/Talk")
	if err != nil {
		t.Fatal(err)
	}
	answer := new(wrapperspb.StringValue)
	if err := errors.Join(stream.SendMsg(wrapperspb.String("hello")), stream.RecvMsg(answer)); err != nil {
		t.Fatal(err)
	}
	if answer.GetValue() != repliedHello {
		t.Errorf("got %q", answer.GetValue())
	}
	drain()
	if err := stream.RecvMsg(answer); !errors.Is(err, io.EOF) {
		t.Errorf("the stream ended with %v instead of status OK", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestDrainClosesAWebSocketWithGoingAwayAndWaitsForTheClient(t *testing.T) {
	addresses, drain, served := start(t, appWith(t, everyProtocol))
	connection, upgrade, err := websocket.DefaultDialer.Dial("ws://"+addresses["PORT"]+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_ = connection.SetReadDeadline(time.Now().Add(10 * time.Second))
	if err := connection.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	_, answer, err := connection.ReadMessage()
	if err != nil || strings.TrimSpace(string(answer)) != repliedHello || upgrade.Header.Get("X-Served-By") != "green" {
		t.Errorf("got %q, headers %v, %v", answer, upgrade.Header, err)
	}
	connection.SetCloseHandler(func(int, string) error { return nil }) // this client takes its time to close
	drain()
	_, _, err = connection.ReadMessage()
	if !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("the connection ended with %v", err)
	}
	// Sent before the client knows: it is not answered, and does not reset the connection.
	if err := connection.WriteMessage(websocket.TextMessage, []byte("late")); err != nil {
		t.Error(err)
	}
	select {
	case err := <-served:
		t.Fatalf("the server has ended before the client has closed: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	goodbye := websocket.FormatCloseMessage(websocket.CloseGoingAway, "")
	if err := connection.WriteControl(websocket.CloseMessage, goodbye, time.Now().Add(time.Second)); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(connection.NetConn()); len(rest) > 0 || err != nil {
		t.Errorf("after the close frame came %q, %v", rest, err)
	}
}

func TestDrainFinishesTheLineThatHasBegunAndThenClosesWithoutAReset(t *testing.T) {
	addresses, drain, served := start(t, appWith(t, everyProtocol))
	connection, err := net.Dial("tcp", addresses["TCP_PORT"])
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	answers := bufio.NewReader(connection)
	fmt.Fprint(connection, "hello\n")
	if answer, err := answers.ReadString('\n'); answer != "green pod-1 hello\n" {
		t.Fatalf("got %q, %v", answer, err)
	}
	fmt.Fprint(connection, "half ")
	drain()
	time.Sleep(150 * time.Millisecond) // DRAIN_DELAY is over
	fmt.Fprint(connection, "a line\n")
	if answer, err := answers.ReadString('\n'); answer != "green pod-1 half a line\n" {
		t.Errorf("got %q, %v", answer, err)
	}
	for range 2 { // sent before the client knows: the second one would fail if the first had reset the connection
		time.Sleep(50 * time.Millisecond)
		if _, err := fmt.Fprint(connection, "late\n"); err != nil {
			t.Error(err)
		}
	}
	if answer, err := answers.ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Errorf("after the line got %q, %v instead of the end", answer, err)
	}
	connection.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestAnIdleTCPConnectionIsClosedByTheDrainAndATooLongLineIsRefused(t *testing.T) {
	addresses, drain, _ := start(t, appWith(t, everyProtocol))
	idle, err := net.Dial("tcp", addresses["TCP_PORT"])
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	long, err := net.Dial("tcp", addresses["TCP_PORT"])
	if err != nil {
		t.Fatal(err)
	}
	defer long.Close()
	fmt.Fprint(long, strings.Repeat("x", longestLine+1))
	if answer, err := io.ReadAll(long); len(answer) > 0 {
		t.Errorf("a line of %d bytes got %q, %v", longestLine+1, answer, err)
	}
	drain()
	if answer, err := io.ReadAll(idle); len(answer) > 0 || err != nil {
		t.Errorf("got %q, %v", answer, err)
	}
}

func TestATCPPortThatIsNeverReadyIsNotOpen(t *testing.T) {
	for _, p := range appWith(t, map[string]string{"TCP_PORT": "3", "FAULT": "never-ready"}).ports() {
		if p.variable == "TCP_PORT" {
			t.Error("it would be opened")
		}
	}
}
