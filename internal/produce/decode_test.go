package produce

import "github.com/algotrade/notifier/internal/event"

var decode = event.NewDecoder(nil, nil, nil).Decode
