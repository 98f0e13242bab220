package main

import (
	"context"
	"net/http"
	"sync"
)

// A webServer is an HTTP/1.1 server that also waits for its WebSockets, which net/http forgets once they are upgraded.
type webServer struct {
	*http.Server
	sockets *sync.WaitGroup
}

// newWebServer returns a server without timeouts: closing an idle connection races with the next request on it, and the proxy
// in front has timeouts. ReadHeaderTimeout would also close connections that the proxy has opened in advance and not used yet.
func (a *app) newWebServer() server {
	return webServer{Server: &http.Server{Handler: a.handler()}, sockets: &a.sockets}
}

// newH2CServer returns a server that speaks HTTP/2 from the first byte on, and no HTTP/1.1; without timeouts, as above.
func (a *app) newH2CServer() server {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Handler: a.handler(), Protocols: &protocols}
}

func (s webServer) Shutdown(ctx context.Context) error {
	if err := s.Server.Shutdown(ctx); err != nil {
		return err
	}
	return wait(ctx, s.sockets)
}

// wait returns when all of group are done, or with the error of ctx.
func wait(ctx context.Context, group *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
