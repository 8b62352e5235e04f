package calendar

import (
	"regexp"
	"strings"
)

// rewriting is a Chinese form and the English one that it stands for.
type rewriting struct {
	chinese *regexp.Regexp
	english string
}

// rewritings are tried in this order: the longer form goes before the one that it
// begins with.
var rewritings = []rewriting{
	{regexp.MustCompile(`每 ?(\d+) ?个?小时`), "every ${1}h "},
	{regexp.MustCompile(`每 ?(\d+) ?分钟?`), "every ${1}m "},
	{regexp.MustCompile(`每 ?(\d+) ?天`), "every ${1}d "},
	{regexp.MustCompile(`每个?小时`), "hourly "},
	{regexp.MustCompile(`每个?季度?`), "quarterly "},
	{regexp.MustCompile(`(?:每个?月)? ?最后一天`), "last day "},
	{regexp.MustCompile(`每个?月 ?(\d+) ?[日号]`), "day $1 "},
	{regexp.MustCompile(`(?:每个?月)? ?第?([一二三四]|最后一?)个? ?(?:周|星期|礼拜)([一二三四五六日天])`), " nth$1 wd$2 "},
	{regexp.MustCompile(`每?个?(?:周|星期|礼拜)([一二三四五六日天])`), " wd$1 "},
	{regexp.MustCompile(`每[天日]`), "daily "},
	{regexp.MustCompile(`每个?(?:周|星期)`), "weekly "},
	{regexp.MustCompile(`每个?月`), "monthly "},
}

// numerals are what the rewritings leave of numbers and weekdays.
var numerals = strings.NewReplacer("nth一", "first", "nth二", "second", "nth三", "third", "nth四", "fourth",
	"nth最后一", "last", "nth最后", "last", "wd一", "Monday", "wd二", "Tuesday", "wd三", "Wednesday", "wd四", "Thursday",
	"wd五", "Friday", "wd六", "Saturday", "wd日", "Sunday", "wd天", "Sunday", "：", ":")

// english rewrites Chinese forms; everything else stays.
func english(text string) string {
	for _, r := range rewritings {
		text = r.chinese.ReplaceAllString(text, r.english)
	}
	return strings.Join(strings.Fields(numerals.Replace(text)), " ")
}
