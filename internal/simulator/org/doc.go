// Package org is the data of the simulated Salesforce org: its objects and fields, its records with all the
// versions that someone may still read, its transactions, and the rows that it makes up from a seed.
//
// A record passes through it so: a Tx saves it (ids, defaults, one-second times), Commit gives all changes of the
// Tx the next sequence number and installs them as new versions, and the Commit is handed to Config.Committed in
// commit order. Readers take a View of one sequence number: they see every commit up to it and none after it, which
// is how a Bulk job's pages stay the same while the org goes on changing.
//
// Rows that come from the seed are not stored at all: each value is computed from seed, row number and field when it is read.
package org
