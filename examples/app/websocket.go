package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	longestMessage = 4096
	// How long a client may take to close its side of a connection that this server has closed.
	goodbyeTimeout = 5 * time.Second
)

// webSocket answers every message until the client closes, or this server does with status 1001 (going away).
//
// After its close frame the server answers nothing, so a message without an answer was not processed, and the client sends it
// again on its next connection.
func (a *app) webSocket(w http.ResponseWriter, r *http.Request) {
	a.sockets.Add(1)
	defer a.sockets.Done()
	upgrader := websocket.Upgrader{HandshakeTimeout: goodbyeTimeout}
	connection, err := upgrader.Upgrade(w, r, http.Header{servedByHeader: {a.color}})
	if err != nil {
		return // Upgrade has answered with the reason
	}
	defer connection.Close()
	connection.SetReadLimit(longestMessage)
	conversation := &conversation{Conn: connection}
	stop := context.AfterFunc(a.closing, conversation.sayGoodbye)
	defer stop()
	for {
		_, message, err := connection.ReadMessage() // replies to a close frame by itself
		if err != nil || conversation.answer(a.reply(string(message))) != nil {
			return
		}
	}
}

// A conversation is a WebSocket on which no answer follows the close frame.
type conversation struct {
	*websocket.Conn
	writing sync.Mutex
	isOver  bool
}

func (c *conversation) answer(reply reply) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.isOver {
		return nil
	}
	return c.WriteJSON(reply)
}

// sayGoodbye sends the close frame. Reading goes on until the client's close frame: closing earlier, with a message unread,
// would reset the connection, and the client would lose the last answers.
func (c *conversation) sayGoodbye() {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.isOver = true
	deadline := time.Now().Add(goodbyeTimeout)
	goingAway := websocket.FormatCloseMessage(websocket.CloseGoingAway, "this pod is shutting down")
	_ = c.WriteControl(websocket.CloseMessage, goingAway, deadline) // fails only if the client has gone
	_ = c.NetConn().SetReadDeadline(deadline)
}
