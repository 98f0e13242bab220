"""The first process of the sandbox's own process and mount namespace: it waits, and reaps what is orphaned there.

Its death is the end of all of the sandbox's processes, pods and mounts, by the kernel's rules: that is how `down`
leaves nothing behind, even after a crash. It runs as a bare script (no imports of ours), with the sandbox's directory
as argument, by which it is found again.
"""

import os
import signal


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        signal.sigwait({signal.SIGCHLD})
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            continue


if __name__ == "__main__":
    main()
