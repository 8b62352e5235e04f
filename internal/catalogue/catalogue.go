// Package catalogue turns message IDs and arguments into words, in English and
// Chinese. It holds no words itself: every package that speaks brings a text.yaml
// and its prefix.
//
// A text.yaml has two sections. Findings need a title and a fix; errors a title,
// a consequence and a fix; anything else is a message. Both languages stand
// side by side and use the same arguments:
//
//	findings:
//	  connections-high:
//	    en: {title: "{{.used}} of {{.limit}} connections in use", fix: "…"}
//	    zh: {title: "已用 {{.used}}/{{.limit}} 个连接", fix: "…"}
//	errors:
//	  pg-dump-too-old:
//	    en: {title: "…", consequence: "…", fix: "…"}
//	    zh: {…}
//	messages:
//	  restore-table:
//	    en: "restore table {{.table}}"
//	    zh: "恢复表 {{.table}}"
//
// Templates are text/template with: bytes (1.9 GB), duration (4 min), percent
// (0.43 → 43 %), count (1,204), time, quote and plural ({{plural .n "file" "files"}}).
package catalogue
