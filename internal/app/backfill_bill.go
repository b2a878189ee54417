package app

import (
	"context"

	"crosswalk/producers/salesforce"
)

// EstimateBackfill says what a backfill would cost. It asks Salesforce for counts and a few rows, and changes nothing.
func (a *App) EstimateBackfill(ctx context.Context, opts BackfillOptions) (salesforce.Bill, error) {
	org, err := a.org(opts.Org)
	if err != nil {
		return salesforce.Bill{}, err
	}
	client, _, err := a.client(org)
	if err != nil {
		return salesforce.Bill{}, err
	}
	return salesforce.EstimateBackfill(ctx, client, &opts.Ask, org.Salesforce.BulkPageRows, *org.Salesforce.APIReserve)
}
