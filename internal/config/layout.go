package config

import "github.com/algotrade/notifier/internal/kafka"

// Layout is what the shapes of the topics follow from.
func (l *Loaded) Layout() kafka.Layout {
	lay := kafka.Layout{Group: l.Kafka.Group}
	for _, name := range l.Channels.Names() {
		lay.Channels = append(lay.Channels, kafka.Channel{Name: name, Partitions: l.Channels.Get(name).Dispatch.Partitions})
	}
	return lay
}
