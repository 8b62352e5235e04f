package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"upkeep/internal/control"
)

// usagePage is cobra's own page; the words in capitals come from the catalogue.
const usagePage = `USAGE:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{end}}{{if .HasExample}}

EXAMPLES:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}

COMMANDS:{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding }} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

FLAGS:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

EVERYWHERE:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

MORE{{end}}
`

// speakHelp puts what cobra says by itself into the reader's language.
func (c *cli) speakHelp(root *cobra.Command, args []string) {
	var pairs []string
	for _, word := range []string{"USAGE", "EXAMPLES", "COMMANDS", "FLAGS", "EVERYWHERE", "MORE"} {
		pairs = append(pairs, word, c.say("cli.help-"+strings.ToLower(word)))
	}
	root.SetUsageTemplate(strings.NewReplacer(pairs...).Replace(usagePage))
	root.PersistentFlags().BoolP("help", "h", false, c.say("cli.flag-help"))
	root.Flags().BoolP("version", "v", false, c.say("cli.version-short"))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd(args...)
	for _, cmd := range root.Commands() {
		switch name := cmd.Name(); name {
		case "completion":
			cmd.Short, cmd.Long = c.say("cli.completion-short"), c.say("cli.completion-long")
			c.speakShells(cmd)
		case "help":
			cmd.Short, cmd.Long = c.say("cli.help-short"), c.say("cli.help-long")
		}
	}
}

// speakShells says how each shell loads its completion.
func (c *cli) speakShells(completion *cobra.Command) {
	loads := map[string]string{"bash": "source <(upkeep completion bash)", "zsh": "source <(upkeep completion zsh)",
		"fish": "upkeep completion fish | source", "powershell": "upkeep completion powershell | Out-String | Invoke-Expression"}
	for _, shell := range completion.Commands() {
		shell.Short = c.say("cli.completion-shell", "shell", shell.Name())
		shell.Long, shell.Example = c.say("cli.completion-shell-long"), "  "+loads[shell.Name()]
		if flag := shell.Flags().Lookup("no-descriptions"); flag != nil {
			flag.Usage = c.say("cli.flag-no-descriptions")
		}
	}
}

// beforeDashes are the arguments that may be flags.
func beforeDashes(args []string) []string {
	if end := slices.Index(args, "--"); end >= 0 {
		return args[:end]
	}
	return args
}

// languageOf finds --lang before anything is parsed: the words of the commands
// themselves depend on it.
func languageOf(args []string) string {
	args = beforeDashes(args)
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--lang="); ok {
			return value
		}
		if arg == "--lang" && i+1 < len(args) {
			return args[i+1]
		}
	}
	return ""
}

// Tree is the command line in one language, for pages made of it.
func Tree(w World, language string) (*cobra.Command, error) {
	c := &cli{World: w, lang: language}
	texts, err := control.Texts(w.Kinds, Words())
	if err != nil {
		return nil, err
	}
	c.catalogue = texts
	c.speak("")
	root := c.root()
	c.speakHelp(root, nil)
	return root, nil
}
