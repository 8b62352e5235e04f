package catalogue

import "strings"

// Language chooses "en" or "zh" for a reader: what was asked for, then the
// locale, then what the system declares, then English. A locale of C or POSIX
// says nothing about the reader. flag and declared may be empty or locale names
// such as "zh_CN".
func Language(flag, declared string, getenv func(string) string) string {
	if lang := known(flag); lang != "" {
		return lang
	}
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		locale := getenv(name)
		if locale == "" {
			continue
		}
		if base(locale) == "c" || base(locale) == "posix" {
			break // the first that is set decides, as in every other program
		}
		if lang := known(locale); lang != "" {
			return lang
		}
		return "en"
	}
	if lang := known(declared); lang != "" {
		return lang
	}
	return "en"
}

func known(locale string) string {
	if lang := base(locale); lang == "en" || lang == "zh" {
		return lang
	}
	return ""
}

// base is the language of a locale: "zh" of "zh_CN.UTF-8" and "zh-Hans".
func base(locale string) string {
	if end := strings.IndexAny(locale, "_-.@"); end >= 0 {
		locale = locale[:end]
	}
	return strings.ToLower(locale)
}
