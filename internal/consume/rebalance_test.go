package consume

import (
	"context"
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestAPartitionThatIsAssignedAgainWithoutARevokeEndsTheFirstAssignment: kgo
// does that where it was told to forget a topic while a rebalance was under
// way. The first assignment must not go on beside the second.
func TestAPartitionThatIsAssignedAgainWithoutARevokeEndsTheFirstAssignment(t *testing.T) {
	m := New(Params{Name: "test", Topics: []string{"t"}, Logger: slog.New(slog.DiscardHandler)})
	close(m.created)
	cl, err := kgo.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	assigned := map[string][]int32{"t": {0}}
	m.onAssigned(context.Background(), cl, assigned)
	first := m.partitions()[0]
	m.onAssigned(context.Background(), cl, assigned)
	all := m.partitions()
	if len(all) != 1 || all[0] == first {
		t.Fatalf("%d assignments, the first among them: %v", len(all), all[0] == first)
	}
	if !first.fenced || first.ctx.Err() == nil {
		t.Error("the first assignment goes on")
	}
	if all[0].fenced {
		t.Error("the second is fenced")
	}
}
