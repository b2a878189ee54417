package bayeux

import "github.com/prometheus/client_golang/prometheus"

// BufferedBytes is the gauge of that name.
func BufferedBytes(m *Metrics) prometheus.Gauge { return m.buffered }
