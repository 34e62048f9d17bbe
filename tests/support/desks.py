"""What a desk listens on: an address that takes CloudEvents, and a mail server. Both are real, both can refuse."""

from __future__ import annotations

import json
import socket
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


class EventReceiver(ThreadingHTTPServer):
    """``with EventReceiver() as events: events.url``; CloudEvents in ``taken``; ``status`` is what it answers."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.kinds: list[str] = []
        self.status = 202
        receiver = self

        class Taking(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.status < 300:
                    receiver.taken.append(json.loads(body))
                    receiver.kinds.append(self.headers["Content-Type"])
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        super().__init__(("127.0.0.1", 0), Taking)
        self.url = f"http://127.0.0.1:{self.server_port}/alerts"

    def __enter__(self) -> EventReceiver:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class MailServer:
    """``with MailServer() as mail: mail.address`` (as Apprise writes it); messages in ``taken``."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._controller = Controller(self, hostname="127.0.0.1", port=self._port)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Take a mail."""
        found = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        self.taken.append(found)
        return "250 OK"

    @property
    def address(self) -> str:
        return (
            f"mailto://127.0.0.1:{self._port}?from=isthmus@acme.example&to=desk@acme.example&mode=insecure&format=text"
        )

    def __enter__(self) -> MailServer:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
