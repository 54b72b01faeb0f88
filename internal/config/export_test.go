package config

// For tests: where the system's configuration is, and who is trusted.
var (
	SystemFile = &systemFile
	Distrust   = distrust
	Exposure   = exposure
)
