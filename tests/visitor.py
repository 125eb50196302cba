"""A visitor of the page without a browser, who does what Streamlit's client does."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
import uuid
from contextlib import ExitStack
from http.cookiejar import CookieJar
from typing import Any

from server import within
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets import Subprotocol
from websockets.sync.client import connect


class Visitor:
    """One open page."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.cookies = CookieJar()
        self.web = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))
        self.get("/_stcore/host-config")
        self.get("/_stcore/health")
        self.session, self.uploader, self.heard = "", "", b""
        self.open = ExitStack()
        address = f"ws://{self.address}/_stcore/stream"
        streamlit = connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None)
        self.socket = self.open.enter_context(streamlit)
        self.files: list[tuple[str, str, int]] = []
        self.look()

    def look(self) -> bytes:
        """Let the page run, and return all that it says."""
        asked = BackMsg()
        asked.rerun_script.query_string = ""
        if self.files:
            state = asked.rerun_script.widget_states.widgets.add(id=self.uploader)
            for name, place, size in self.files:
                told = state.file_uploader_state_value.uploaded_file_info.add()
                told.file_id, told.name, told.size = place, name, size
                told.file_urls.file_id = place
        self.socket.send(asked.SerializeToString())
        self.heard = b""
        while True:
            raw = bytes(self.socket.recv(timeout=60, decode=False))
            self.heard += raw
            message = ForwardMsg()
            message.ParseFromString(raw)
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.session = message.new_session.initialize.session_id or self.session
            elif kind == "delta" and message.delta.new_element.HasField("file_uploader"):
                self.uploader = message.delta.new_element.file_uploader.id
            elif kind == "script_finished":
                return self.heard

    def get(self, path: str) -> int:
        try:
            with self.web.open(f"http://{self.address}{path}", timeout=20) as reply:
                reply.read()
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return error.code

    def upload(self, name: str, content: bytes) -> int:
        """Send a file to the server, as the page does when one is chosen; return the status."""
        place, mark = str(uuid.uuid4()), uuid.uuid4().hex
        head = (
            f"--{mark}\r\nContent-Disposition: form-data; name=file; "
            f"filename={json.dumps(name)}\r\nContent-Type: audio/wav\r\n\r\n"
        )
        request = urllib.request.Request(
            f"http://{self.address}/_stcore/upload_file/{self.session}/{place}",
            head.encode() + content + f"\r\n--{mark}--\r\n".encode(),
            {"Content-Type": f"multipart/form-data; boundary={mark}", **self._token()},
            method="PUT",
        )
        try:
            with self.web.open(request, timeout=60) as reply:
                self.files.append((name, place, len(content)))
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return error.code

    def media(self) -> list[str]:
        """Return the addresses of recordings that the page plays."""
        return [
            found.decode() for found in re.findall(rb"/media/[0-9a-f]+\.(?:wav|csv)", self.heard)
        ]

    def close(self) -> None:
        self.open.close()

    def _token(self) -> dict[str, Any]:
        found = [cookie.value for cookie in self.cookies if cookie.name == "_streamlit_xsrf"]
        return {"X-Xsrftoken": found[0]} if found else {}


def gone(visitor: Visitor, path: str) -> bool:
    return bool(within(30, lambda: visitor.get(path) == 404))
