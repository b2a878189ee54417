package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"crosswalk/consumers/matcher"
	"crosswalk/internal/approval"
	"crosswalk/internal/config"
	"crosswalk/internal/registry"
	"crosswalk/internal/sfapi"
	"crosswalk/internal/state"
	"crosswalk/internal/topic"
	"crosswalk/producers/erp"
	"crosswalk/producers/salesforce"
)

// metrics are those of all packages that have one set per process.
type metrics struct {
	topic    *topic.Metrics
	registry *registry.Metrics
	erp      *erp.Metrics
	state    *state.Metrics
	matcher  *matcher.Metrics // these carry the org as a label by themselves
}

// orgMetrics are those that each org has for itself, under the label org, and what all that call the org know of its quotas.
type orgMetrics struct {
	approval   *approval.Metrics
	budget     *sfapi.Budget
	sfapi      *sfapi.Metrics
	salesforce *salesforce.Metrics
}

func newMetrics(reg prometheus.Registerer) *metrics {
	return &metrics{topic: topic.NewMetrics(reg), registry: registry.NewMetrics(reg), erp: erp.NewMetrics(reg), state: state.NewMetrics(reg), matcher: matcher.NewMetrics(reg)}
}

func newOrgMetrics(reg prometheus.Registerer, name string) *orgMetrics {
	labelled := prometheus.WrapRegistererWith(prometheus.Labels{"org": name}, reg)
	return &orgMetrics{approval: approval.NewMetrics(labelled), budget: sfapi.NewBudget(sfapi.DefaultProbes), sfapi: sfapi.NewMetrics(labelled), salesforce: salesforce.NewMetrics(labelled)}
}

// orgMetrics returns the org's, made when they are first asked for.
func (a *App) orgMetrics(org *config.Org) *orgMetrics {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := orgName(org)
	if a.perOrg[name] == nil {
		a.perOrg[name] = newOrgMetrics(a.metrics, name)
	}
	return a.perOrg[name]
}
