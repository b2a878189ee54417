package org

import (
	"crypto/md5"
	"encoding/hex"
	"html"
	"strconv"
	"strings"
	"unicode/utf8"
)

// previewLength is how many characters of a note TextPreview shows (facts 7).
const previewLength = 255

// derive computes the fields that Salesforce computes on save.
func (tx *Tx) derive(p *pending) {
	get := func(name string) string {
		if f, ok := p.object.Field(name); ok {
			return p.values[f.Index]
		}
		return ""
	}
	put := func(name, text string) {
		if f, ok := p.object.Field(name); ok {
			p.values[f.Index] = text
		}
	}
	switch p.object.Name {
	case "Contact", "User":
		put("Name", strings.TrimSpace(get("FirstName")+" "+get("LastName")))
	case "Task":
		put("IsClosed", yes(get("Status") == "Completed"))
		put("IsHighPriority", yes(get("Priority") == "High"))
		put("AccountId", tx.taskAccount(get("WhatId"), get("WhoId")))
	case "ContentNote":
		body := get("Content")
		put("ContentSize", strconv.Itoa(len(body)))
		put("TextPreview", preview(body))
	}
}

func yes(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// taskAccount is the account that a task is about, directly or through its contact.
func (tx *Tx) taskAccount(what, who string) string {
	if strings.HasPrefix(what, "001") {
		return what
	}
	contact, ok := tx.org.Object("Contact")
	if !ok || who == "" {
		return ""
	}
	slot, ok := contact.table.slotOf(who)
	if !ok {
		return ""
	}
	account, _ := contact.Field("AccountId")
	if p := tx.byKey[recordKey{contact, slot}]; p != nil {
		return p.values[account.Index]
	}
	row, ok := tx.view().Row(contact, slot)
	if !ok {
		return ""
	}
	id, _ := row.Text(account)
	return id
}

// preview is the beginning of a note's text without its tags.
func preview(body string) string {
	var out strings.Builder
	inTag := false
	for _, r := range body {
		switch {
		case r == '<':
			inTag = true
		case r == '>' && inTag:
			inTag = false
			out.WriteByte(' ')
		case !inTag:
			out.WriteRune(r)
		}
	}
	text := strings.Join(strings.Fields(html.UnescapeString(out.String())), " ")
	if utf8.RuneCountInString(text) > previewLength {
		text = string([]rune(text)[:previewLength])
	}
	return text
}

// createNote saves an enhanced note: the note, the document with the same id, its first version, and the owner's link.
func (tx *Tx) createNote(ob *Object, fields Fields) (string, error) {
	document, _ := tx.org.Object("ContentDocument")
	given := ""
	if id, ok := fields["Id"].(string); ok && tx.load {
		given = id
	}
	owner := tx.actor.User
	if id, ok := fields["OwnerId"].(string); ok && id != "" {
		owner = id
	}
	loading := tx.load
	tx.load = true // the parts are the org's own work: read-only fields may be set
	defer func() { tx.load = loading }()
	title := fields["Title"]
	id, err := tx.create(document, given, Fields{"Title": title, "FileType": "SNOTE", "FileExtension": "snote", "OwnerId": owner})
	if err != nil {
		return "", err
	}
	tx.load = loading
	if _, err := tx.create(ob, id, fields); err != nil {
		tx.drop(document, id)
		return "", err
	}
	tx.load = true
	if err := tx.publishNote(id); err != nil {
		return "", err
	}
	link, _ := tx.org.Object("ContentDocumentLink")
	_, err = tx.create(link, "", Fields{"ContentDocumentId": id, "LinkedEntityId": owner, "ShareType": "I"})
	return id, err
}

// drop forgets a record that the Tx has just made.
func (tx *Tx) drop(ob *Object, id string) {
	if slot, ok := ob.table.slotOf(id); ok {
		key := recordKey{ob, slot}
		if p := tx.byKey[key]; p != nil {
			p.kind, p.state = "", purged
		}
	}
}

// updateNote follows an update of a note with a new version of its document.
func (tx *Tx) updateNote(p *pending, fields Fields) error {
	loading := tx.load
	tx.load = true
	defer func() { tx.load = loading }()
	id := p.object.table.id(p.slot)
	if title, ok := fields["Title"]; ok {
		document, _ := tx.org.Object("ContentDocument")
		d, err := tx.open(document, id)
		if err != nil {
			return err
		}
		if err := tx.update(d, Fields{"Title": title}); err != nil {
			return err
		}
	}
	if _, ok := fields["Content"]; !ok {
		return nil
	}
	return tx.publishNote(id)
}

// publishNote writes the note's text as the newest version of its document.
func (tx *Tx) publishNote(id string) error {
	note, _ := tx.org.Object("ContentNote")
	document, _ := tx.org.Object("ContentDocument")
	content, _ := tx.org.Object("ContentVersion")
	n, err := tx.open(note, id)
	if err != nil {
		return err
	}
	value := func(name string) string { f, _ := note.Field(name); return n.values[f.Index] }
	versions, err := tx.retireVersions(content, id)
	if err != nil {
		return err
	}
	body := value("Content")
	sum := md5.Sum([]byte(body))
	version, err := tx.create(content, "", Fields{
		"ContentDocumentId": id, "IsLatest": true, "Title": value("Title"), "FileType": "SNOTE", "FileExtension": "snote", "ContentSize": len(body),
		"VersionNumber": strconv.Itoa(versions + 1), "VersionData": body, "Checksum": hex.EncodeToString(sum[:]), "OwnerId": value("OwnerId"),
	})
	if err != nil {
		return err
	}
	published := Fields{"LatestPublishedVersionId": version, "ContentSize": len(body), "ContentModifiedDate": tx.org.now()}
	d, err := tx.open(document, id)
	if err != nil {
		return err
	}
	for _, p := range []*pending{d, n} {
		if err := tx.set(p, published, false); err != nil {
			return err
		}
	}
	tx.touch(d)
	return nil
}

// retireVersions marks the versions of a document as no longer the latest and counts them.
func (tx *Tx) retireVersions(content *Object, id string) (int, error) {
	ref, _ := content.Field("ContentDocumentId")
	latest, _ := content.Field("IsLatest")
	slots := tx.childSlots(content, ref, id)
	for _, slot := range slots {
		v, err := tx.openSlot(content, slot)
		if err != nil {
			return 0, err
		}
		if v.values[latest.Index] == "true" {
			v.values[latest.Index] = ""
			tx.touch(v)
		}
	}
	return len(slots), nil
}

// noteTwin is the document of a note, or the note of a document; nil for all else.
func (tx *Tx) noteTwin(p *pending) *pending {
	other := map[string]string{"ContentNote": "ContentDocument", "ContentDocument": "ContentNote"}[p.object.Name]
	if other == "" {
		return nil
	}
	ob, _ := tx.org.Object(other)
	slot, ok := ob.table.slotOf(p.object.table.id(p.slot))
	if !ok {
		return nil
	}
	twin, err := tx.openSlot(ob, slot)
	if err != nil {
		return nil
	}
	return twin
}
