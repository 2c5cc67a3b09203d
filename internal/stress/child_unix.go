//go:build unix

package stress

import (
	"os/exec"
	"syscall"
)

// ownGroup keeps a signal that the terminal sends to everybody, such as
// ctrl+c, away from the child: its parent tells it what to do.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
