package simulator

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"sync"
)

// gzips are kept between responses; a writer costs a megabyte to make.
var gzips = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed) // the level is valid
	return z
}}

// packedResponse compresses what is written to it.
type packedResponse struct {
	http.ResponseWriter
	z     *gzip.Writer
	began bool
	plain bool
}

func (p *packedResponse) WriteHeader(status int) {
	if !p.began {
		p.began = true
		h := p.Header()
		if status == http.StatusNoContent || status == http.StatusNotModified || h.Get("Content-Encoding") != "" {
			p.plain = true
		} else {
			h.Set("Content-Encoding", "gzip")
			h.Del("Content-Length")
		}
	}
	p.ResponseWriter.WriteHeader(status)
}

func (p *packedResponse) Write(b []byte) (int, error) {
	if !p.began {
		p.WriteHeader(http.StatusOK)
	}
	if p.plain {
		return p.ResponseWriter.Write(b)
	}
	return p.z.Write(b)
}

// compress makes the response gzip when the client accepts it (facts 2.1). The function returned ends it.
func (c *call) compress() func() {
	c.w.Header().Set("Vary", "Accept-Encoding")
	if c.s.settings.Load().NoGzip || !strings.Contains(c.r.Header.Get("Accept-Encoding"), "gzip") || c.r.Method == http.MethodHead {
		return func() {}
	}
	z := gzips.Get().(*gzip.Writer)
	p := &packedResponse{ResponseWriter: c.w, z: z}
	z.Reset(c.w)
	c.w = p
	return func() {
		if p.began && !p.plain {
			_ = z.Close() // the client may be gone
		}
		gzips.Put(z)
	}
}
