package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

var opens = map[string]func(*load) (connection, error){
	"grpc":        openCalls,
	"grpc-stream": openStream,
	"h2c":         openH2C,
	"websocket":   openWebSocket,
	"tcp":         openLines,
}

// calls sends each message by a call of its own. The library opens a new connection after GOAWAY, and repeats the calls that
// GOAWAY says were not processed.
type calls struct {
	*grpc.ClientConn
	cookie string
}

func openCalls(l *load) (connection, error) {
	c, err := l.rpcClient()
	return calls{c, l.cookie}, err
}

func (l *load) rpcClient() (*grpc.ClientConn, error) {
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(l.dial)}
	if l.host != "" {
		options = append(options, grpc.WithAuthority(l.host))
	}
	return grpc.NewClient("passthrough:///"+l.address, options...)
}

func (c calls) ask(ctx context.Context, message string) (reply, error) {
	answer := new(wrapperspb.StringValue)
	err := c.Invoke(withCookie(ctx, c.cookie), "/bluegreen.example.Echo/Say", wrapperspb.String(message), answer)
	if err != nil {
		return reply{}, err
	}
	return parsed([]byte(answer.GetValue()))
}

func (c calls) close() { _ = c.Close() }

// A stream sends all messages by one call.
type stream struct {
	grpc.ClientStream
	client *grpc.ClientConn
	cancel context.CancelFunc
}

func openStream(l *load) (connection, error) {
	client, err := l.rpcClient()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	tooLate := time.AfterFunc(timeout, cancel)
	defer tooLate.Stop()
	description := &grpc.StreamDesc{StreamName: "Talk", ServerStreams: true, ClientStreams: true}
	opened, err := client.NewStream(withCookie(ctx, l.cookie), description, "/bluegreen.example.Echo/Talk")
	if err != nil {
		cancel()
		_ = client.Close()
		return nil, err
	}
	return stream{opened, client, cancel}, nil
}

func (s stream) ask(ctx context.Context, message string) (reply, error) {
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	answer := new(wrapperspb.StringValue)
	// An error of SendMsg says only that the stream has ended; RecvMsg has the reason.
	_ = s.SendMsg(wrapperspb.String(message))
	if err := s.RecvMsg(answer); errors.Is(err, io.EOF) {
		return reply{}, errEnded
	} else if err != nil {
		return reply{}, err
	}
	return parsed([]byte(answer.GetValue()))
}

func (s stream) close() {
	s.cancel()
	_ = s.client.Close()
}

func withCookie(ctx context.Context, cookie string) context.Context {
	if cookie == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "cookie", cookie)
}

// requests sends each message by an HTTP/2 request. The library does with GOAWAY what that of gRPC does.
type requests struct {
	load      *load
	transport *http.Transport
}

func openH2C(l *load) (connection, error) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	dial := func(ctx context.Context, _, address string) (net.Conn, error) { return l.dial(ctx, address) }
	return requests{l, &http.Transport{Protocols: &protocols, DialContext: dial}}, nil
}

func (r requests) ask(ctx context.Context, message string) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.load.address+"/", nil)
	if err != nil {
		return reply{}, err
	}
	request.Host = r.load.host
	if r.load.cookie != "" {
		request.Header.Set("Cookie", r.load.cookie)
	}
	answer, err := r.transport.RoundTrip(request)
	if err != nil {
		return reply{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return reply{}, err
	}
	if answer.StatusCode != http.StatusOK {
		return reply{}, fmt.Errorf("status %d", answer.StatusCode)
	}
	found, err := parsed(body)
	found.Message = message // the path / answers without it
	return found, err
}

func (r requests) close() { r.transport.CloseIdleConnections() }

type webSocket struct{ *websocket.Conn }

func openWebSocket(l *load) (connection, error) {
	dial := func(ctx context.Context, _, address string) (net.Conn, error) { return l.dial(ctx, address) }
	dialer := websocket.Dialer{NetDialContext: dial, HandshakeTimeout: timeout}
	headers := http.Header{}
	if l.host != "" {
		headers.Set("Host", l.host)
	}
	if l.cookie != "" {
		headers.Set("Cookie", l.cookie)
	}
	c, answer, err := dialer.Dial("ws://"+l.address+"/ws", headers)
	if errors.Is(err, websocket.ErrBadHandshake) {
		return nil, fmt.Errorf("status %d", answer.StatusCode)
	}
	if err != nil {
		return nil, err
	}
	return webSocket{c}, nil
}

func (w webSocket) ask(ctx context.Context, message string) (reply, error) {
	deadline, _ := ctx.Deadline()
	_ = w.SetReadDeadline(deadline)
	_ = w.SetWriteDeadline(deadline)
	if err := w.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		return reply{}, err
	}
	_, answer, err := w.ReadMessage() // replies to a close frame by itself
	if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseServiceRestart) {
		return reply{}, errEnded
	}
	if err != nil {
		return reply{}, err
	}
	return parsed(answer)
}

func (w webSocket) close() {
	normal := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = w.WriteControl(websocket.CloseMessage, normal, time.Now().Add(timeout))
	_ = w.Conn.Close()
}

type lines struct {
	net.Conn
	answers *bufio.Reader
}

func openLines(l *load) (connection, error) {
	c, err := l.dial(context.Background(), l.address)
	if err != nil {
		return nil, err
	}
	return lines{c, bufio.NewReader(c)}, nil
}

func (l lines) ask(ctx context.Context, message string) (reply, error) {
	deadline, _ := ctx.Deadline()
	_ = l.SetDeadline(deadline)
	if _, err := fmt.Fprintln(l, message); err != nil {
		return reply{}, err
	}
	answer, err := l.answers.ReadString('\n')
	if errors.Is(err, io.EOF) && answer == "" {
		return reply{}, errEnded
	}
	if err != nil {
		return reply{}, err
	}
	parts := strings.SplitN(strings.TrimSuffix(answer, "\n"), " ", 3) // color, pod, message
	if len(parts) < 3 {
		return reply{}, fmt.Errorf("the answer %q has no color, pod and message", answer)
	}
	return reply{Color: parts[0], Message: parts[2]}, nil
}

func (l lines) close() { _ = l.Conn.Close() }

func parsed(text []byte) (reply, error) {
	var found reply
	err := json.Unmarshal(text, &found)
	return found, err
}
