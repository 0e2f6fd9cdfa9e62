module example.com/metrics-agent

go 1.21

require (
	github.com/prometheus/client_golang v1.19.0
	go.uber.org/zap v1.27.0
	github.com/spf13/cobra v1.8.0
	google.golang.org/protobuf v1.33.0
)

require (
	github.com/cespare/xxhash/v2 v2.2.0 // indirect
	go.uber.org/multierr v1.11.0 // indirect
	golang.org/x/sys v0.18.0 // indirect
)
