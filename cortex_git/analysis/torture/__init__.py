"""`torture`: real hosts on one remote, faults from a seed, and a checker that reads the remote alone.

Nothing in the product knows of it: every fault comes from outside, by a `git` put first in the hosts'
PATH, by signals, by the remote's hooks and by the file system.
"""
