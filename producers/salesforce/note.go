package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"html"
	"io"
	"regexp"
	"slices"
	"strings"

	"crosswalk/internal/avro"
	"crosswalk/internal/sfapi"
)

// noteObject says how one kind of note is read: which fields, and whether Salesforce lists its changes and deletions.
type noteObject struct {
	name   string
	fields []string
	listed bool // getUpdated and getDeleted serve it (facts 7)
}

var noteObjects = map[string]noteObject{
	"Note": {
		name: "Note", listed: true,
		fields: []string{"Id", "ParentId", "Title", "Body", "OwnerId", "CreatedDate", "LastModifiedDate", "SystemModstamp", "IsDeleted"},
	},
	"Task": {
		name: "Task", listed: true,
		fields: []string{"Id", "WhoId", "WhatId", "Subject", "Description", "OwnerId", "CreatedDate", "LastModifiedDate", "SystemModstamp", "IsDeleted"},
	},
	"ContentNote": {
		name:   "ContentNote",
		fields: []string{"Id", "Title", "OwnerId", "CreatedDate", "LastModifiedDate", "SystemModstamp", "LatestPublishedVersionId"},
	},
}

func (o noteObject) soql(where string) string {
	return "SELECT " + strings.Join(o.fields, ", ") + " FROM " + o.name + where
}

// noteRow is a record of any of the objects as REST writes it.
type noteRow struct {
	ID                       string `json:"Id"`
	ParentID                 string `json:"ParentId"`
	WhoID                    string `json:"WhoId"`
	WhatID                   string `json:"WhatId"`
	Title, Subject           string
	Body, Description        string
	OwnerID                  string `json:"OwnerId"`
	IsDeleted                bool
	LatestPublishedVersionID string `json:"LatestPublishedVersionId"`
	CreatedDate              sfapi.Timestamp
	LastModifiedDate         sfapi.Timestamp
}

// note makes the published form; links are ascending, each once.
func (o noteObject) note(raw json.RawMessage) (avro.Note, *noteRow, error) {
	row := &noteRow{}
	if err := json.Unmarshal(raw, row); err != nil {
		return avro.Note{}, nil, fmt.Errorf("read %s: %w", o.name, err)
	}
	n := avro.Note{
		ID: row.ID, Kind: o.name, Title: row.Title + row.Subject, Text: row.Body + row.Description, Owner: row.OwnerID,
		CreatedAt: row.CreatedDate.UnixMilli(), ModifiedAt: row.LastModifiedDate.UnixMilli(),
	}
	for _, link := range []string{row.ParentID, row.WhoID, row.WhatID} {
		if link != "" {
			n.Links = append(n.Links, link)
		}
	}
	slices.Sort(n.Links)
	n.Links = slices.Compact(n.Links)
	return n, row, nil
}

// maxNoteBody bounds what is read of a ContentNote's body, in bytes; what is longer is cut, and told of. A record of it is
// below what brokers take by default, 1 MiB.
const maxNoteBody = 1_000_000

// errTextsWait says that texts of notes wait for the budget. What was read before is published, and is not read again.
var errTextsWait = errors.New("texts of notes wait for the API budget")

// content fills in the text of a ContentNote, which is kept elsewhere (facts 7). It costs one API call, and is left for a later
// poll while the budget does not allow it, so that other notes go on.
func (n *notes) content(ctx context.Context, note *avro.Note, row *noteRow) error {
	if row.LatestPublishedVersionID == "" {
		return nil
	}
	if !n.governor.may(workBodies) {
		return errTextsWait
	}
	body, err := n.api(workBodies).Blob(ctx, "ContentVersion", row.LatestPublishedVersionID, "VersionData")
	if err != nil && nextOf(err) == sfapi.NextGone {
		return nil // deleted meanwhile
	}
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(body, maxNoteBody+1))
	if cerr := body.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("read text of note %s: %w", note.ID, err)
	}
	if len(text) > maxNoteBody {
		if err := n.tellCut(ctx, note.ID, row.LatestPublishedVersionID); err != nil {
			return err
		}
		text = text[:maxNoteBody]
	}
	note.Text = plainText(strings.ToValidUTF8(string(text), "")) // nor half a character
	return nil
}

// auditCut is the kind of audit events about notes that are too long to be published whole.
const auditCut = "note_cut"

// tellCut says that only the beginning of a note's version is published. A version is read, and told of, once, unless it is asked for again.
func (n *notes) tellCut(ctx context.Context, id, version string) error {
	n.cfg.Logger.Warn("a note is too long; its beginning is published", "id", id, "version", version, "bytes", maxNoteBody)
	n.cfg.Metrics.notesCut.Inc()
	return n.do(ctx, func() error {
		reason := "too_long"
		n.writeAudit(ctx, avro.Audit{
			ID: n.org() + "/" + auditCut + "/" + id + "/" + version, Kind: auditCut, State: "noted", Subject: &id, Reason: &reason,
			Message: fmt.Sprintf("the text of the ContentNote %s is longer than %d bytes: what is published ends there; the whole is in Salesforce, version %s", id, maxNoteBody, version),
			Detail:  map[string]string{"version": version},
		})
		return nil
	})
}

// sourceOf names what a ContentNote was made of: the version of its text, and a digest of all else. While it is the same
// the text need not be read again.
func sourceOf(note *avro.Note, version string) string {
	sum := fnv.New64a()
	fmt.Fprintf(sum, "%q %q %q %d %d", note.Title, note.Owner, note.Links, note.CreatedAt, note.ModifiedAt)
	return fmt.Sprintf("%s:%x", version, sum.Sum64())
}

// linkChunk is how many notes one query for links names: a query must filter by document.
const linkChunk = 200

func (n *notes) contentLinks(ctx context.Context, batch []avro.Note) error {
	for chunk := range slices.Chunk(batch, linkChunk) {
		place := map[string]*avro.Note{}
		quoted := make([]string, len(chunk))
		for i := range chunk {
			place[chunk[i].ID] = &chunk[i]
			quoted[i] = sfapi.Quote(chunk[i].ID)
		}
		soql := "SELECT ContentDocumentId, LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId IN (" + strings.Join(quoted, ",") + ")"
		for raw, err := range n.api(workNotes).Query(ctx, soql, sfapi.QueryOptions{}) {
			if err != nil {
				return err
			}
			var link struct {
				ContentDocumentID string `json:"ContentDocumentId"`
				LinkedEntityID    string `json:"LinkedEntityId"`
			}
			if err := json.Unmarshal(raw, &link); err != nil {
				return fmt.Errorf("read links of notes: %w", err)
			}
			if to := place[link.ContentDocumentID]; to != nil {
				to.Links = append(to.Links, link.LinkedEntityID)
			}
		}
		for i := range chunk {
			slices.Sort(chunk[i].Links)
			chunk[i].Links = slices.Compact(chunk[i].Links)
		}
	}
	return nil
}

var (
	lineBreak = regexp.MustCompile(`(?i)<br\s*/?>|</(p|div|li|h[1-6])>`)
	tag       = regexp.MustCompile(`<[^>]*>`)
)

// plainText is the text of an HTML fragment.
func plainText(fragment string) string {
	text := tag.ReplaceAllString(lineBreak.ReplaceAllString(fragment, "\n"), "")
	return strings.TrimSpace(html.UnescapeString(text))
}
