# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command and kill it, with everything it has started itself, some seconds after a line of its output.

Usage: killed_run.py REGULAR_EXPRESSION SECONDS COMMAND...

Ends with 0 when the command was killed there, with 1 when it ended before.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time


def main() -> int:
    pattern, delay, *command = sys.argv[1:]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    seen = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            time.sleep(float(delay))
            if process.poll() is not None:
                break
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            print(f"killed {delay} s after: {line.strip()}")
            return 0
    process.wait()
    print(f"ended with {process.returncode} before it could be killed at /{pattern}/:\n{''.join(seen[-40:])}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
