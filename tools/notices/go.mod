module github.com/algotrade/notifier/tools/notices

go 1.26.0
