// Package clitest holds what the tests of the commands share.
package clitest
