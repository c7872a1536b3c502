// In the place of kubectl: `kubectl kustomize PATH` prints PATH/a.yaml, unless the kustomization asks for
// too much with a line `# greed: WORD`. A static program, as the sandbox holds no other.
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

var greed = regexp.MustCompile(`(?m)^# greed: ([a-z]+) ?(\S*)$`)

func main() {
	directory := os.Args[len(os.Args)-1]
	text, err := os.ReadFile(filepath.Join(directory, "kustomization.yaml"))
	check(err)
	objects, err := os.ReadFile(filepath.Join(directory, "a.yaml"))
	check(err)
	word, argument := "", ""
	if found := greed.FindSubmatch(text); found != nil {
		word, argument = string(found[1]), string(found[2])
	}
	switch word {
	case "time":
		time.Sleep(time.Hour)
	case "cpu":
		for n := 0; ; n++ {
			_ = n
		}
	case "memory":
		var kept [][]byte
		for {
			block := make([]byte, 1<<20)
			for at := 0; at < len(block); at += 4096 {
				block[at] = 1
			}
			kept = append(kept, block)
		}
	case "files":
		var kept []*os.File
		for {
			file, err := os.Open(filepath.Join(directory, "a.yaml"))
			check(err)
			kept = append(kept, file)
		}
	case "size":
		file, err := os.Create(filepath.Join(os.Getenv("HOME"), "large"))
		check(err)
		for {
			_, err := file.Write(make([]byte, 1<<20))
			check(err)
		}
	case "output":
		for {
			_, err := os.Stdout.Write(append(objects, "---\n"...))
			check(err)
		}
	case "killed":
		check(syscall.Kill(os.Getpid(), syscall.SIGKILL))
	case "escape":
		escape(argument)
	}
	_, err = os.Stdout.Write(objects)
	check(err)
}

// Ends with 0 where it gets at anything outside, and with 3 where everything is closed.
func escape(address string) {
	for _, path := range []string{"/etc/passwd", "/proc/1/environ", "/proc/self/environ", "../../../../etc/passwd"} {
		if _, err := os.ReadFile(path); err == nil {
			return
		}
	}
	if connection, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		connection.Close()
		return
	}
	if exec.Command("/bin/sh", "-c", "true").Run() == nil {
		return
	}
	if len(os.Environ()) > 10 || os.Getenv("STAGEPASS_KEY") != "" {
		return
	}
	fmt.Fprintln(os.Stderr, "everything is closed")
	os.Exit(3)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
