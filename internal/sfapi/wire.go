package sfapi

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// errIdle says that a reply stopped in the middle without an end: a dead proxy, a lost route.
var errIdle = errors.New("no byte came for too long")

// wireBody is a response body as it comes over the wire. Silence of more than idle while somebody reads ends it; time
// in which the reader does other things does not count, so a slow consumer holds a page as long as Salesforce lets it.
type wireBody struct {
	body   io.ReadCloser
	idle   time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
	bytes  prometheus.Counter
}

func newWireBody(body io.ReadCloser, idle time.Duration, cancel context.CancelCauseFunc, bytes prometheus.Counter) *wireBody {
	w := &wireBody{body: body, idle: idle, cancel: cancel, bytes: bytes}
	w.timer = time.AfterFunc(idle, func() { cancel(errIdle) })
	w.timer.Stop()
	return w
}

func (w *wireBody) Read(p []byte) (int, error) {
	w.timer.Reset(w.idle)
	n, err := w.body.Read(p)
	silent := !w.timer.Stop()
	w.bytes.Add(float64(n))
	if err != nil && err != io.EOF && silent {
		err = fmt.Errorf("%w (%v)", errIdle, w.idle)
	}
	return n, err
}

// Close releases the connection: for reuse when the body was read to its end, for good otherwise.
func (w *wireBody) Close() error {
	err := w.body.Close()
	w.timer.Stop()
	w.cancel(nil)
	return err
}

type gzipBody struct {
	*gzip.Reader
	wire *wireBody
}

func (g *gzipBody) Close() error { return errors.Join(g.Reader.Close(), g.wire.Close()) }
