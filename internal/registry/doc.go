// Package registry is both ends of a schema registry: a client of Confluent's REST API, and a Server that speaks it, for
// those who have no registry yet.
//
// A schema goes in as text under a subject ("salesforce.account-value") and comes back as an id, which opens every message
// in Confluent's wire format; a subscriber brings the id and gets the text. The Server keeps what it is told through a Log,
// in the records of Confluent's own _schemas topic, so that the real one can take over.
//
// Metrics of the client: crosswalk_registry_requests_total{outcome} (ok, refused, failed).
package registry
