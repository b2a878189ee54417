// Package avro turns records into Avro and back: rows of Salesforce under schemas made at run time (RowCodec), the records
// of the fixed schemas (Note, Customer, View, …), and whatever any writer's schema says (Walker).
//
// A row goes in as change.Row, is encoded field by field by a plan made once per schema, framed with its schema's id
// (Frame) and sent. The matcher never decodes a row: a Walker finds the identifier in the bytes and copies the fields,
// still as Avro, into the view. Bodies come from a topic that others write too, so nothing here trusts them: a body that
// does not fit its schema is an error, never a panic, a hang or a read past its end.
package avro
