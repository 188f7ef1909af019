//go:build unix

package main

import "syscall"

// mostFiles is how many open files count where there is no limit.
const mostFiles = 1 << 20

// openFiles is how many files the process may have open. Go has raised the soft limit to the hard one.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, mostFiles))
}
