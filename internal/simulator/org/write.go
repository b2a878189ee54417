package org

// Create, Update, Delete, Undelete, Purge and Merge are transactions of one change by the integration user. Their errors are an
// *Error with the code and the text that Salesforce has for it.

// Create saves and commits a new record and returns its id.
func (o *Org) Create(object string, fields Fields) (string, error) {
	tx := o.Begin(Actor{})
	id, err := tx.Create(object, fields)
	return id, tx.finish(err)
}

// Update saves and commits new values; nil is null.
func (o *Org) Update(object, id string, fields Fields) error {
	tx := o.Begin(Actor{})
	return tx.finish(tx.Update(object, id, fields))
}

// Delete moves a record, and what goes with it, to the recycle bin.
func (o *Org) Delete(object, id string) error {
	tx := o.Begin(Actor{})
	return tx.finish(tx.Delete(object, id))
}

// Undelete brings a record back from the recycle bin, with what was deleted together with it.
func (o *Org) Undelete(object, id string) error {
	tx := o.Begin(Actor{})
	return tx.finish(tx.Undelete(object, id))
}

// Purge removes a record for good, from the recycle bin or at once.
func (o *Org) Purge(object, id string) error {
	tx := o.Begin(Actor{})
	return tx.finish(tx.Purge(object, id))
}

// Merge moves what belongs to the losers to winner, saves fields on it, and deletes the losers.
func (o *Org) Merge(object, winner string, losers []string, fields Fields) error {
	tx := o.Begin(Actor{})
	return tx.finish(tx.Merge(object, winner, losers, fields))
}

// finish commits when nothing went wrong.
func (tx *Tx) finish(err error) error {
	if err != nil {
		tx.Rollback()
		return err
	}
	tx.Commit()
	return nil
}
