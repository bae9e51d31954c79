"""Processes of this machine that must not outlive the one that started them."""

import ctypes
import os
import signal

_LIBC = ctypes.CDLL(None)  # loaded when this module is: a forked process then makes one system call
_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int, number: signal.Signals = signal.SIGTERM) -> None:
    """From now on this process gets a signal when its parent ends, in any way (prctl(2), ``PR_SET_PDEATHSIG``).

    Args:
        parent: the id of the parent, which may have ended already.
        number: the signal.
    """
    _LIBC.prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)
