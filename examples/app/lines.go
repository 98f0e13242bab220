package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const longestLine = 4096

// A lineServer answers every line of text with a line: the color, the pod, and the line.
type lineServer struct {
	*app
	connections sync.WaitGroup
}

// Serve accepts connections until the app is closing.
func (s *lineServer) Serve(listener net.Listener) error {
	stop := context.AfterFunc(s.closing, func() { listener.Close() })
	defer stop()
	for {
		s.connections.Add(1) // before Accept, so that Shutdown waits for a connection that is accepted at the last moment
		connection, err := listener.Accept()
		if err != nil {
			s.connections.Done()
			return err
		}
		go func() {
			defer s.connections.Done()
			defer connection.Close()
			s.talk(connection.(*net.TCPConn))
		}()
	}
}

// Shutdown waits for the connections, which end because the app is closing.
func (s *lineServer) Shutdown(ctx context.Context) error {
	return wait(ctx, &s.connections)
}

// talk answers lines until the client closes the connection, or the app is closing and the current line is answered.
func (s *lineServer) talk(connection *net.TCPConn) {
	stop := context.AfterFunc(s.closing, func() { _ = connection.SetReadDeadline(time.Now()) })
	defer stop()
	reader := bufio.NewReaderSize(connection, longestLine)
	var line []byte
	for {
		part, err := reader.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			if _, err := fmt.Fprintf(connection, "%s %s %s", cmp.Or(s.color, "-"), cmp.Or(s.pod, "-"), line); err != nil {
				return
			}
			line = line[:0]
			if s.closing.Err() != nil {
				sayGoodbye(connection)
				return
			}
		case errors.Is(err, os.ErrDeadlineExceeded) && len(line) == 0:
			sayGoodbye(connection)
			return
		case errors.Is(err, os.ErrDeadlineExceeded): // in the middle of a line
			_ = connection.SetReadDeadline(time.Now().Add(s.drainTimeout))
		default:
			return
		}
	}
}

// sayGoodbye closes the connection after the last answer. A line without an answer was not processed, and the client sends it
// again on its next connection. Closing with a line unread would reset the connection, and the client would lose the last
// answer, so the server reads until the client has closed too.
func sayGoodbye(connection *net.TCPConn) {
	_ = connection.CloseWrite()
	deadline := time.Now().Add(goodbyeTimeout)
	for time.Now().Before(deadline) {
		_ = connection.SetReadDeadline(deadline)
		if _, err := io.Copy(io.Discard, connection); !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}
