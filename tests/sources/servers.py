"""Real servers on loopback, each with the same files: nginx, versitygw (S3), fake-gcs-server (GCS).

nginx also answers as the Hugging Face Hub does (its API's paths and headers, as huggingface_hub asks
for them): the Hub itself can't be had where these tests run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import obstore
from obstore.store import S3Store

from tests.lab.pki import Authority
from tests.lab.toolchain import Toolchain
from tests.waiting import free_port, wait_for_answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

ACCESS_KEY, SECRET_KEY, USER, PASSWORD, TOKEN = "robot", "s3cret-key", "robot", "pass word", "t0ken"
BUCKET = "models"
HUB_COMMIT = hashlib.sha1(b"a commit", usedforsecurity=False).hexdigest()
HUB_REPOSITORY, PRIVATE_REPOSITORY = "acme/tiny", "acme/private"

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  types {{}} default_type application/octet-stream;
  server {{
    listen 127.0.0.1:{port}; listen 127.0.0.1:{tls_port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    root {root};
    location /whole/ {{ alias {root}/; max_ranges 0; etag off; if_modified_since off; }}
    location /locked/ {{ alias {root}/; auth_basic test; auth_basic_user_file {folder}/users; }}
    location /bearer/ {{ alias {root}/; if ($http_authorization != "Bearer {token}") {{ return 401; }} }}
    location /failing/ {{ return 503; }}
    location /down/ {{ return 302 http://127.0.0.1:{port}/model.onnx; }}
    location ~ ^/(api/(models|datasets)/)?acme/private {{
      if ($http_authorization != "Bearer {token}") {{
        add_header X-Error-Code RepoNotFound always; return 401;
      }}
      add_header X-Repo-Commit {commit}; rewrite ^/.+/resolve/{commit}/(.+)$ /$1 break;
      try_files $uri /hub$uri =404;
    }}
    location ~ /resolve/{commit}/(?<file>.+)$ {{
      add_header X-Repo-Commit {commit}; rewrite ^ /$file break;
    }}
    location ~ ^/api/(models|datasets)/ {{ try_files /hub$uri =404; error_page 404 = @unknown; }}
    location @unknown {{ add_header X-Error-Code RepoNotFound always; return 404; }}
  }}
}}
"""


@dataclass(frozen=True)
class WebServer:
    """nginx; `folder` is its root."""

    port: int
    tls_port: int
    folder: Path
    authority: str


@dataclass(frozen=True)
class Store:
    """A server of buckets, with a bucket `models`."""

    port: int

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def web_server(folder: Path, files: Mapping[str, bytes]) -> Iterator[WebServer]:
    """Yield Nginx with these files at its root, by HTTP and by HTTPS with an authority of its own."""
    root = folder / "root"
    _lay(root, files)
    _lay(root / "hub", _hub(files))
    authority = Authority(folder / "pki")
    authority.issue("nginx", "nginx", hosts=["127.0.0.1", "localhost"])
    secret = base64.b64encode(hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).digest())
    (folder / "users").write_text(f"{USER}:{{SHA}}{secret.decode()}\n")
    port, tls_port = free_port(), free_port()
    config = NGINX.format(
        folder=folder, root=root, port=port, tls_port=tls_port, token=TOKEN, commit=HUB_COMMIT,
        certificate=authority.certificate("nginx"), key=authority.key("nginx"),
    )  # fmt: skip
    (folder / "nginx.conf").write_text(config)
    # Its workers give up root's rights, and the folders of tests are root's alone.
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "user root;"]
    with _running(command, folder, f"http://127.0.0.1:{port}/"):
        yield WebServer(port, tls_port, root, authority.certificate("ca").read_text())


@contextmanager
def s3_server(folder: Path, files: Mapping[str, bytes]) -> Iterator[Store]:
    """Yield versitygw with these objects in the bucket; it accepts ACCESS_KEY and SECRET_KEY only."""
    (folder / "buckets" / BUCKET).mkdir(parents=True)
    store = Store(free_port())
    command = [
        str(Toolchain().path("versitygw")), "--port", f"127.0.0.1:{store.port}", "--access", ACCESS_KEY,
        "--secret", SECRET_KEY, "--quiet", "posix", str(folder / "buckets"),
    ]  # fmt: skip
    with _running(command, folder, f"{store.endpoint}/"):
        client = S3Store(
            BUCKET, endpoint=store.endpoint, access_key_id=ACCESS_KEY, secret_access_key=SECRET_KEY,
            region="us-east-1", client_options={"allow_http": True},
        )  # fmt: skip
        for name, content in files.items():
            obstore.put(client, name, content)
        yield store


@contextmanager
def gcs_server(folder: Path, files: Mapping[str, bytes]) -> Iterator[Store]:
    """Yield fake-gcs-server with these objects in the bucket; it asks nobody for credentials."""
    (folder / "objects" / BUCKET).mkdir(parents=True)
    store = Store(free_port())
    command = [
        str(Toolchain().path("fake-gcs-server")), "-scheme", "http", "-host", "127.0.0.1",
        "-port", str(store.port), "-filesystem-root", str(folder / "objects"), "-log-level", "error",
        "-public-host", "127.0.0.1", "-external-url", store.endpoint,
    ]  # fmt: skip
    with _running(command, folder, f"{store.endpoint}/storage/v1/b"):
        upload = f"{store.endpoint}/upload/storage/v1/b/{BUCKET}/o"
        for name, content in files.items():
            query = {"uploadType": "media", "name": name}
            httpx.post(upload, params=query, content=content, trust_env=False).raise_for_status()
        yield store


def _hub(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the Hub API's answers for a repository with these files, by path."""
    siblings = [
        {
            "rfilename": name,
            "size": len(content),
            "blobId": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
            "lfs": {
                "sha256": hashlib.sha256(content).hexdigest(),
                "size": len(content),
                "pointerSize": 130,
            },
        }
        for name, content in files.items()
    ]
    said: dict[str, bytes] = {}
    for repository in (HUB_REPOSITORY, PRIVATE_REPOSITORY):
        info = {"id": repository, "sha": HUB_COMMIT, "siblings": siblings, "private": False}
        for kind in ("models", "datasets"):
            for revision in ("main", "v1", HUB_COMMIT):
                path = f"api/{kind}/{repository}/revision/{revision}"
                said[path] = json.dumps(info).encode()
    return said


def _lay(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


@contextmanager
def _running(command: Sequence[str], folder: Path, url: str) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ})
    try:
        wait_for_answer(url)
        yield
    finally:
        process.terminate()
        process.wait(10)
