package registry

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what clients ask; one value serves all clients of a process.
type Metrics struct {
	requests *prometheus.CounterVec
}

// The outcomes of a request.
const (
	outcomeOK      = "ok"
	outcomeRefused = "refused" // an answer that another attempt does not change
	outcomeFailed  = "failed"  // no answer, or a failure of the server: asked again
)

// NewMetrics registers the metrics of this package with r; nil registers nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "crosswalk_registry_requests_total", Help: "Requests to the schema registry, by outcome: ok, refused, failed.",
	}, []string{"outcome"})}
	for _, o := range []string{outcomeOK, outcomeRefused, outcomeFailed} {
		m.requests.WithLabelValues(o)
	}
	if r != nil {
		r.MustRegister(m.requests)
	}
	return m
}
