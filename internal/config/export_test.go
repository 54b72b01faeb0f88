package config

// Exported for tests.
var (
	SystemFile        = &systemFile
	Untrusted         = untrusted
	PermissionWarning = permissionWarning
)
