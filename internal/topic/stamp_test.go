package topic

import (
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestStampsRise(t *testing.T) {
	t.Parallel()
	var c Client
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[int64]bool{}
	for range 8 {
		wg.Go(func() {
			last := int64(0)
			for range 200 {
				h := map[string]string{}
				for _, header := range c.Stamp(3, "", "salesforce", "audit.opened", "default/a b") {
					h[header.Key] = string(header.Value)
				}
				rev, err := strconv.ParseInt(h["rev"], 10, 64)
				at, bad := time.Parse(time.RFC3339, h["ce_time"])
				if err != nil || rev <= last || bad != nil || at.UnixMilli() > rev || h["epoch"] != "3" || h["ce_specversion"] != "1.0" ||
					h["ce_id"] != "default%2Fa%20b-3-"+h["rev"] || h["ce_type"] != "crosswalk.audit.opened" ||
					h["ce_source"] != "/crosswalk/default/salesforce" || h["ce_subject"] != "default/a b" {
					t.Errorf("after rev %d: %v", last, h)
				}
				last = rev
				mu.Lock()
				if seen[rev] {
					t.Errorf("rev %d twice", rev)
				}
				seen[rev] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
