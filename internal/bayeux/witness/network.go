package main

import (
	"context"
	"net"
	"sync"
)

// network is the client's way to the server, which can break.
type network struct {
	mu    sync.Mutex
	conns map[*conn]bool
	lose  bool
}

// dial connects, and remembers the connection.
func (n *network) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, kind, address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, network: n}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conns == nil {
		n.conns = map[*conn]bool{}
	}
	n.conns[c] = true
	return c, nil
}

// drop closes every connection at once, whatever is under way on it.
func (n *network) drop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		_ = c.Conn.Close() // the client sees it
	}
	clear(n.conns)
}

// loseNextReply drops the connection on which the next bytes come from the server, without them: the server takes
// its reply for delivered.
func (n *network) loseNextReply() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lose = true
}

type conn struct {
	net.Conn
	network *network
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.network.mu.Lock()
	lose := c.network.lose && n > 0
	if lose {
		c.network.lose = false
	}
	c.network.mu.Unlock()
	if lose {
		_ = c.Conn.Close() // the client sees it
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *conn) Close() error {
	c.network.mu.Lock()
	delete(c.network.conns, c)
	c.network.mu.Unlock()
	return c.Conn.Close()
}
