package sfapi

import (
	"errors"
	"fmt"
	"strconv"
)

// EventHeader is the ChangeEventHeader of a change event (facts 5.2). Members that were not sent are zero.
type EventHeader struct {
	Entity, ChangeType, Origin, TransactionKey, CommitUser string
	RecordIDs                                              []string
	ChangedFields                                          []string // as sent: BillingAddress.Street
	CommitTimestamp                                        int64    // epoch milliseconds
	CommitNumber, SequenceNumber                           int64
}

// ReadEventHeader reads the header out of an event's payload. Members that it does not know, and null ones, are passed
// over; one of another type than the facts say is an error, and so is a payload without entityName and changeType.
func ReadEventHeader(payload []byte) (h EventHeader, err error) {
	err = eachMember(payload, func(key, value []byte) error {
		if string(key) != "ChangeEventHeader" {
			return nil
		}
		return eachMember(value, h.member)
	})
	if err == nil && (h.Entity == "" || h.ChangeType == "") {
		err = errors.New("it has no ChangeEventHeader with entityName and changeType")
	}
	if err != nil {
		return EventHeader{}, fmt.Errorf("read change event: %w", err)
	}
	return h, nil
}

func (h *EventHeader) member(key, value []byte) (err error) {
	if string(value) == "null" {
		return nil
	}
	switch string(key) {
	case "entityName":
		h.Entity, err = stringOf(value)
	case "changeType":
		h.ChangeType, err = stringOf(value)
	case "changeOrigin":
		h.Origin, err = stringOf(value)
	case "transactionKey":
		h.TransactionKey, err = stringOf(value)
	case "commitUser":
		h.CommitUser, err = stringOf(value)
	case "recordIds":
		h.RecordIDs, err = stringsOf(value)
	case "changedFields":
		h.ChangedFields, err = stringsOf(value)
	case "commitTimestamp":
		h.CommitTimestamp, err = wholeOf(value)
	case "commitNumber":
		h.CommitNumber, err = wholeOf(value)
	case "sequenceNumber":
		h.SequenceNumber, err = wholeOf(value)
	}
	if err != nil {
		return fmt.Errorf("ChangeEventHeader.%s: %w", key, err)
	}
	return nil
}

func stringOf(value []byte) (string, error) {
	if value[0] != '"' {
		return "", fmt.Errorf("%s is not a text", excerpt(string(value)))
	}
	return jsonText(value)
}

func wholeOf(value []byte) (int64, error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is not a whole number", excerpt(string(value)))
	}
	return n, nil
}

// stringsOf reads an array of texts.
func stringsOf(raw []byte) (list []string, err error) {
	if raw[0] != '[' {
		return nil, fmt.Errorf("%s is not a list", excerpt(string(raw)))
	}
	list = []string{}
	p := skipSpace(raw, 1)
	for p < len(raw) && raw[p] != ']' {
		end := skipValue(raw, p)
		if end < 0 {
			return nil, errNotObject
		}
		s, err := stringOf(raw[p:end])
		if err != nil {
			return nil, err
		}
		list = append(list, s)
		if p = skipSpace(raw, end); p < len(raw) && raw[p] == ',' {
			p = skipSpace(raw, p+1)
		}
	}
	return list, nil
}
