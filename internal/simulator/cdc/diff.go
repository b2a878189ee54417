package cdc

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"
)

// diffMinimum is the length in characters from which a text may be sent as a diff (facts 5.3).
const diffMinimum = 1000

// maxDiffCells bounds the work of comparing the differing middle of two texts.
const maxDiffCells = 1 << 20

// textDiff returns the unified diff of two texts as CDC sends it: no file names, the SHA-256 of the new text in place of
// the new one, no context lines. ok is false where Salesforce sends the whole text: it is short, its length changed by
// more than half, more than a quarter of its lines changed, or the diff is longer than the text (facts 5.3).
func textDiff(old, text string) (diff string, ok bool) {
	was, is := utf8.RuneCountInString(old), utf8.RuneCountInString(text)
	if is < diffMinimum || was == 0 || abs(is-was)*2 > was {
		return "", false
	}
	a, b := strings.Split(old, "\n"), strings.Split(text, "\n")
	hunks, ok := compare(a, b)
	if !ok {
		return "", false
	}
	changed := 0
	sum := sha256.Sum256([]byte(text))
	var out strings.Builder
	out.WriteString("--- \n+++ ")
	out.WriteString(hex.EncodeToString(sum[:]))
	for _, h := range hunks {
		changed += max(h.aEnd-h.a, h.bEnd-h.b)
		out.WriteString("\n@@ -" + span(h.a, h.aEnd) + " +" + span(h.b, h.bEnd) + " @@")
		for _, line := range a[h.a:h.aEnd] {
			out.WriteString("\n-" + line)
		}
		for _, line := range b[h.b:h.bEnd] {
			out.WriteString("\n+" + line)
		}
	}
	if changed*4 > len(a) || out.Len() >= len(text) {
		return "", false
	}
	return out.String(), true
}

// span is "first,count" of the lines [from, to), numbered from 1; an empty one names the line before it.
func span(from, to int) string {
	first := from + 1
	if from == to {
		first = from
	}
	return strconv.Itoa(first) + "," + strconv.Itoa(to-from)
}

// hunk says that lines [a, aEnd) became lines [b, bEnd).
type hunk struct{ a, aEnd, b, bEnd int }

// compare returns the hunks between two lists of lines by their longest common subsequence; ok is false when that is too much work.
func compare(a, b []string) (_ []hunk, ok bool) {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	a, b = a[head:len(a)-tail], b[head:len(b)-tail]
	if len(a)*len(b) > maxDiffCells {
		return nil, false
	}
	// common[i][j] is the length of the longest common subsequence of a[i:] and b[j:].
	width := len(b) + 1
	common := make([]int32, (len(a)+1)*width)
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i*width+j] = common[(i+1)*width+j+1] + 1
			} else {
				common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
			}
		}
	}
	var hunks []hunk
	for i, j := 0, 0; i < len(a) || j < len(b); {
		if i < len(a) && j < len(b) && a[i] == b[j] {
			i, j = i+1, j+1
			continue
		}
		h := hunk{a: head + i, b: head + j}
		for (i < len(a) || j < len(b)) && (i == len(a) || j == len(b) || a[i] != b[j]) {
			if j == len(b) || i < len(a) && common[(i+1)*width+j] >= common[i*width+j+1] {
				i++
			} else {
				j++
			}
		}
		h.aEnd, h.bEnd = head+i, head+j
		hunks = append(hunks, h)
	}
	return hunks, true
}

func abs(n int) int { return max(n, -n) }
