module github.com/algotrade/notifier/tools/mutants

go 1.26.0
