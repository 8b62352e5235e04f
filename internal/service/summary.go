package service

import (
	"context"
	"slices"
)

// Summarizer sums up the results that a target holds, for reports. It reads only and may take
// minutes. What cannot be read in full is an error: a sum of the rest would be believed.
type Summarizer interface {
	Summarize(ctx context.Context) ([]Summary, error)
}

// SummaryGroups is how many groups of one table a Summary has at most: those with the most
// trials. The rest is counted.
const SummaryGroups = 5000

// Summary is trials and how they ended, by what they were made with.
type Summary struct {
	Name string
	// By are the dimensions. Values of the first are what is compared: models, say.
	By []string
	// Counts are outcomes that are told beside success, as shares of the trials; Means are
	// averages over trials; Errors are kinds of errors, as shares of all errors.
	Counts, Means, Errors []string
	Tables                []SummaryTable
}

// SummaryTable is all groups by some of the dimensions: by none, by each one, by the first
// and each other one, by all.
type SummaryTable struct {
	By     []string
	Groups []Group // in the order of their values
	More   Left    // groups that have no place
}

// Left is what a table leaves out.
type Left struct{ Groups, Trials int64 }

// Group is the sum of all trials with the same values.
type Group struct {
	Values            []string // of the table's By; "" where a trial has none
	Trials, Successes int64
	Counts, Errors    []int64   // in the order of the Summary; -1 = not known
	Means             []float64 // NaN = not known
	AllErrors         int64     // -1 = not known
}

// Table is the one by these dimensions, or one without groups.
func (s Summary) Table(by ...string) SummaryTable {
	for _, t := range s.Tables {
		if slices.Equal(t.By, by) {
			return t
		}
	}
	return SummaryTable{By: by}
}
