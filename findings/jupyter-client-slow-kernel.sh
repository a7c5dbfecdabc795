#!/usr/bin/env bash
# jupyter_client 8.10.0 with ipykernel 7.3.0
#
# A client that did not start the kernel itself (it has only the connection file) is asked to wait
# for it with `wait_for_ready(timeout=60)`. One would expect it to wait up to 60 s. It raises
# "Kernel died before replying to kernel_info" after one or two seconds if the kernel is still
# importing: the first look at the heartbeat counts as alive (nothing was asked yet), so the part
# that waits for the heartbeat is passed at once, and the next look, a second without an answer
# later, counts as death. The kernel is well: a second call waits and succeeds.
#
# Seen with a kernel that needs two seconds before it listens:
#   first call: RuntimeError: Kernel died before replying to kernel_info
#   second call: ready
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jupyter_client==8.10.0 ipykernel==7.3.0
cat >"$folder/try.py" <<'PYTHON'
import os
import subprocess
import sys

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

folder = os.environ["HOME"]
path, _ = write_connection_file(os.path.join(folder, "kernel.json"))
client = BlockingKernelClient(connection_file=path)
client.load_connection_file()
client.start_channels()
program = "import time; time.sleep(2)\nfrom ipykernel import kernelapp; kernelapp.launch_new_instance()"
kernel = subprocess.Popen([sys.executable, "-c", program, "-f", path], stdout=subprocess.DEVNULL)
try:
    try:
        client.wait_for_ready(timeout=60)
        print("first call: ready")
    except RuntimeError as error:
        print(f"first call: RuntimeError: {error}")
    client.wait_for_ready(timeout=60)
    print("second call: ready")
finally:
    client.stop_channels()
    kernel.terminate()
    kernel.wait()
PYTHON
HOME="$folder" "$folder/venv/bin/python" "$folder/try.py" 2>"$folder/errors" >"$folder/seen" || { cat "$folder/errors"; exit 1; }
cat "$folder/seen"
diff "$folder/seen" - <<'EXPECTED'
first call: RuntimeError: Kernel died before replying to kernel_info
second call: ready
EXPECTED
