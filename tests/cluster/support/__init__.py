"""What the cluster tests share: see ../README.md."""
import os
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOT = os.path.dirname(TESTS)

# The child process and RESP helpers of the wire tests, the local cluster of `make run`.
sys.path.insert(0, os.path.join(TESTS, "wire"))
sys.path.insert(0, os.path.join(ROOT, "utils"))
