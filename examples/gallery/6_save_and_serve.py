"""
Save and serve
==============

Save a fitted pipeline to a file that runs no code when it is loaded, and serve it from
a new process without TensorFlow.
"""

# %%
# Save
# ----

import tempfile
from pathlib import Path

import soundclf
from soundclf.datasets import make_sounds

home = tempfile.TemporaryDirectory()
sounds = make_sounds(240, random_state=0)
clf = soundclf.make_classifier("fast", n_jobs=-1, random_state=0).fit(
    sounds.data, sounds.target
)

model = Path(home.name, "sounds.skops")
soundclf.save(clf, model)
print(f"{model.stat().st_size / 1e6:.1f} MB")

# %%
# A new process
# -------------
# It loads the file and classifies two recordings.

import subprocess
import sys

new = make_sounds(8, directory=f"{home.name}/new", random_state=1)
script = """
import sys, time
start = time.perf_counter()
import soundclf
clf = soundclf.load(sys.argv[1])
print(clf.predict(sys.argv[2:]))
print(f"{time.perf_counter() - start:.1f} s")
print("TensorFlow imported:", "tensorflow" in sys.modules)
"""
done = subprocess.run(
    [sys.executable, "-c", script, model, *new.data[:2]],
    capture_output=True,
    text=True,
    check=True,
)
print(done.stdout)

# %%
# A server
# --------
# A server from the standard library, in a thread of this process. Encoded uploads are
# passed to the classifier as bytes.

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

clf = soundclf.load(model)


class Classify(BaseHTTPRequestHandler):
    def do_POST(self):
        try:
            (row,) = clf.predict_proba(
                [self.rfile.read(int(self.headers["Content-Length"]))]
            )
            status, content = (
                200,
                dict(zip(clf.classes_.tolist(), row.tolist(), strict=True)),
            )
        except soundclf.AudioError as error:
            status, content = 400, {"error": error.reason}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Classify)
threading.Thread(target=server.serve_forever, daemon=True).start()

# %%
# Clients
# -------
# Eight sequential requests:

import time
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen


def ask(path):
    start = time.perf_counter()
    with urlopen(
        f"http://127.0.0.1:{server.server_port}", data=Path(path).read_bytes()
    ) as reply:
        return json.load(reply), 1000 * (time.perf_counter() - start)


for label, path in zip(new.target, new.data, strict=True):
    probabilities, milliseconds = ask(path)
    best = max(probabilities, key=probabilities.get)
    print(
        f"{label:<8} -> {best:<8} {probabilities[best]:4.0%}  in {milliseconds:3.0f} ms"
    )

# %%
# Latency of 400 requests from one client and from four concurrent clients:

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for n_clients, hatch in ((1, ""), (4, "//")):
    with ThreadPoolExecutor(n_clients) as pool:
        times = [
            milliseconds for _, milliseconds in pool.map(ask, 50 * new.data.tolist())
        ]
    ax.hist(
        times, bins=range(41), alpha=0.6, hatch=hatch, label=f"{n_clients} concurrent"
    )
ax.set(xlabel="Latency (ms)", ylabel="Requests")
legend = ax.legend()

server.shutdown()
server.server_close()
