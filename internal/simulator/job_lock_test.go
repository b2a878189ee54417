package simulator

import "testing"

// A job that is being deleted holds its own lock and waits for that of the list: a new job must not wait for it with the list locked.
func TestANewJobDoesNotWaitForOneInUse(t *testing.T) {
	t.Parallel()
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	old := &job{}
	s.jobs.add(s, old)
	old.mu.Lock()
	defer old.mu.Unlock()
	s.jobs.add(s, &job{})
	if s.jobs.find(old.id) != old {
		t.Error("a job in use was dropped")
	}
}
