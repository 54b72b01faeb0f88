package base

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/algotrade/notifier/configs"
	"github.com/algotrade/notifier/internal/config"
)

// Complete registers how the values of a flag are completed.
func Complete(cmd *cobra.Command, flag string, with cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // the flag does not exist
	}
}

// Words completes with fixed words.
func Words(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// NoWords completes with nothing, and not with files.
var NoWords = Words()

// ChannelNames completes with the configured channels.
func (g *Globals) ChannelNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	src := g.Source()
	src.Shipped, src.Found = true, nil
	l, _, err := config.LoadBase(src)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return l.Channels.Names(), cobra.ShellCompDirectiveNoFileComp
}

// RuleNames completes with the configured rules.
func (g *Globals) RuleNames(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	src := g.Source()
	src.Shipped, src.Found = true, nil
	l, _, err := config.Load(src)
	if err != nil || l.Rules == nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, r := range l.Rules.Rules() {
		names = append(names, r.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// SampleNames completes with the samples of a topic that is an argument; without one, with all.
func (g *Globals) SampleNames(_ *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
	src := g.Source()
	src.Shipped, src.Found = true, nil
	l, _, err := config.LoadBase(src)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	samples, _ := l.ReadSamples()
	ofTopic := len(given) > 0 && slices.ContainsFunc(samples, func(s configs.Sample) bool { return given[0] == string(s.Topic) })
	var names []string
	for _, s := range samples {
		if !ofTopic || given[0] == string(s.Topic) {
			names = append(names, s.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
