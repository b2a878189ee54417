package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/internal/sfapi"
	"crosswalk/internal/topic"
	"crosswalk/producers/erp"
)

// metrics are those of all packages, each registered once per process.
type metrics struct {
	registerer prometheus.Registerer
	sfapi      *sfapi.Metrics
	topic      *topic.Metrics
	erp        *erp.Metrics
}

func newMetrics(reg prometheus.Registerer) *metrics {
	return &metrics{registerer: reg, sfapi: sfapi.NewMetrics(reg), topic: topic.NewMetrics(reg), erp: erp.NewMetrics(reg)}
}
