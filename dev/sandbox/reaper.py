"""The first process (pid 1) of the sandbox's pid and mount namespaces. It waits, and reaps orphaned processes.

When it dies, the kernel kills all processes in its namespaces and removes their mounts. So `down` leaves nothing behind, even
after a crash. It runs as a script without imports of this package; its argument is the sandbox's directory, by which it is
found.
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
