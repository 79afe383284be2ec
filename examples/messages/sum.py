import json
import os
import socket

channel = socket.socket(fileno=int(os.environ["WEFT_IPC_FD"]))
for line in channel.makefile("r"):
    job = json.loads(line)
    total = int(job["a"]) + int(job["b"])
    print("python:", total, flush=True)
    channel.sendall(json.dumps({"result": total}).encode() + b"\n")
