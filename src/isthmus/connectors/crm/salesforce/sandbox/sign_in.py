"""Who may come in: OAuth client credentials, JWT bearer and username-password, the SOAP login, and the sessions.

Vendor: "OAuth 2.0 Client Credentials Flow", "OAuth 2.0 JWT Bearer Flow"; errors of the token endpoint are one object
``{error, error_description}``, not the REST array. There is no ``expires_in``: a session ends by the org's timeout.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any
from xml.sax.saxutils import escape

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from lxml import etree

from isthmus.sandkit.clock import Clock
from isthmus.sandkit.routes import Answer, Request
from isthmus.sandkit.world import Row, World

#: idle time after which a session ends; it is refreshed once half of it has passed
SESSION_S = 2 * 60 * 60
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
_SKEW_S = 180
_TABLES = """
CREATE TABLE IF NOT EXISTS _session (token TEXT PRIMARY KEY, user_id TEXT NOT NULL, used_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS _connected_app (
  client_id TEXT PRIMARY KEY, client_secret TEXT NOT NULL, certificate TEXT, run_as TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _password (user_id TEXT PRIMARY KEY, password TEXT NOT NULL, security_token TEXT NOT NULL);
"""


class Denied(Exception):
    """The token endpoint refuses."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.answer = Answer(400, {"error": error, "error_description": description})


class SignIn:
    """Sessions of the world's users, and the ways to one."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world, self._clock = world, clock
        world.script(_TABLES)

    def token(self, request: Request) -> Answer:
        """POST /services/oauth2/token."""
        form = dict(request.form())
        grant = form.get("grant_type", "")
        try:
            if grant == "client_credentials":
                user = self._by_client(request, form)
            elif grant == _JWT_GRANT:
                user = self._by_assertion(request, form.get("assertion", ""))
            elif grant == "password":
                self._app(form.get("client_id", ""), form.get("client_secret", ""))
                user = self._by_password(form.get("username", ""), form.get("password", ""))
            else:
                raise Denied("unsupported_grant_type", "grant type not supported")
        except Denied as denied:
            return denied.answer
        return Answer(200, self._granted(request, user, jwt_bearer=grant == _JWT_GRANT))

    def soap(self, request: Request) -> Answer:
        """POST /services/Soap/u/{version}: the partner API's ``login``, nothing else of it."""
        try:
            tree = etree.fromstring(request.body, etree.XMLParser(resolve_entities=False, no_network=True))
            if tree.find(".//{*}login") is None:
                raise Denied("INVALID_OPERATION", "only login is answered here")
            user = self._by_password(tree.findtext(".//{*}username") or "", tree.findtext(".//{*}password") or "")
        except (Denied, etree.XMLSyntaxError) as error:
            code = "INVALID_LOGIN" if isinstance(error, Denied) else "MALFORMED_REQUEST"
            return Answer(500, _fault(code), content_type="text/xml;charset=UTF-8")
        session = self._open(user["Id"])
        return Answer(
            200, _logged_in(request, session, user, self.organization()), content_type="text/xml;charset=UTF-8"
        )

    def revoke(self, request: Request) -> Answer:
        """GET or POST /services/oauth2/revoke."""
        token = dict(request.form()).get("token") or request.argument("token") or ""
        if not self._world.execute("DELETE FROM _session WHERE token = ?", (token,)):
            return Denied("unsupported_token_type", "this token type is not supported").answer
        return Answer(200)

    def identity(self, request: Request) -> Answer:
        """GET /services/oauth2/userinfo and /id/{org}/{user}: who the session's user is."""
        user = self._world.row('SELECT * FROM "User" WHERE "Id" = ?', (self.user_of(request),))
        if user is None:
            return Answer(403, "Bad_OAuth_Token", content_type="text/html;charset=UTF-8")
        return Answer(
            200,
            {
                "id": f"{request.root}/id/{self.organization()}/{user['Id']}",
                "sub": f"{request.root}/id/{self.organization()}/{user['Id']}",
                "user_id": user["Id"],
                "organization_id": self.organization(),
                "username": user["Username"],
                "preferred_username": user["Username"],
                "display_name": user["Name"],
                "name": user["Name"],
                "email": user["Email"],
                "active": bool(user["IsActive"]),
                "urls": {"rest": f"{request.root}/services/data/v{{version}}/"},
            },
        )

    def user_of(self, request: Request) -> str | None:
        """The user id behind a request's session; None where there is no living session."""
        token = _bearer(request)
        session = token and self._world.row("SELECT user_id, used_at FROM _session WHERE token = ?", (token,))
        if not session:
            return None
        idle = self._clock.timestamp() - session["used_at"]
        if idle > SESSION_S:
            self._world.execute("DELETE FROM _session WHERE token = ?", (token,))
            return None
        if idle > SESSION_S / 2:
            self._world.execute("UPDATE _session SET used_at = ? WHERE token = ?", (self._clock.timestamp(), token))
        return str(session["user_id"])

    def expire(self, request: Request | None = None) -> int:
        """End the caller's session, or all; how many ended."""
        if request is None:
            return self._world.execute("DELETE FROM _session")
        return self._world.execute("DELETE FROM _session WHERE token = ?", (_bearer(request),))

    def organization(self) -> str:
        """The organization's id."""
        return str(self._world.value('SELECT "Id" FROM "Organization"'))

    def _by_client(self, request: Request, form: dict[str, str]) -> Row:
        if request.headers.get("host", "").startswith(("login.", "test.")):
            raise Denied("invalid_grant", "request not supported on this domain")
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
            except ValueError:
                raise Denied("invalid_client", "invalid client credentials") from None
        return self._user(self._app(client_id, secret)["run_as"])

    def _app(self, client_id: str, secret: str | None) -> Row:
        app = self._world.row("SELECT * FROM _connected_app WHERE client_id = ?", (client_id,))
        if app is None:
            raise Denied("invalid_client_id", "client identifier invalid")
        if secret is not None and not secrets.compare_digest(app["client_secret"].encode(), secret.encode()):
            raise Denied("invalid_client", "invalid client credentials")
        return app

    def _by_password(self, username: str, password: str) -> Row:
        known = self._world.row(
            'SELECT p.* FROM _password AS p JOIN "User" AS u ON u."Id" = p.user_id WHERE u."Username" = ?', (username,)
        )
        if known is None or password not in (known["password"], known["password"] + known["security_token"]):
            raise Denied("invalid_grant", "authentication failure")
        return self._user(username)

    def _by_assertion(self, request: Request, assertion: str) -> Row:
        claims = self._claims(assertion)
        try:
            expires = float(claims.get("exp", 0))  # some clients send it as a string
        except (TypeError, ValueError):
            raise Denied("invalid_grant", "invalid assertion") from None
        if expires < self._clock.timestamp() - _SKEW_S:
            raise Denied("invalid_grant", "expired authorization code")
        if str(claims.get("aud", "")).rstrip("/") not in (*_AUDIENCES, request.root):
            raise Denied("invalid_grant", "audience is invalid")
        if self._world.value('SELECT "Id" FROM "User" WHERE "Username" = ?', (claims.get("sub"),)) is None:
            raise Denied("invalid_grant", "user hasn't approved this consumer")
        return self._user(str(claims["sub"]))

    def _claims(self, assertion: str) -> dict[str, Any]:
        """The assertion's claims, its signature verified with the certificate of the app that it names."""
        try:
            body = assertion.split(".")[1]
            issuer = str(_json(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))).get("iss", ""))
        except (ValueError, IndexError):
            raise Denied("invalid_grant", "invalid assertion") from None
        certificate = self._app(issuer, None)["certificate"]
        if not certificate:
            raise Denied("invalid_grant", "no certificate is registered for this client")
        try:
            return dict(jwt.decode(assertion, RSAKey.import_key(certificate), algorithms=["RS256"]).claims)
        except (JoseError, ValueError):
            raise Denied("invalid_grant", "invalid assertion") from None

    def _user(self, username: str) -> Row:
        user = self._world.row('SELECT * FROM "User" WHERE "Username" = ?', (username,))
        if user is None or not user["IsActive"]:
            raise Denied("invalid_grant", "inactive user")
        return user

    def _open(self, user_id: str) -> str:
        token = f"{self.organization()[:15]}!AQ{secrets.token_hex(44)}"
        self._world.insert("_session", {"token": token, "user_id": user_id, "used_at": self._clock.timestamp()})
        return token

    def _granted(self, request: Request, user: Row, *, jwt_bearer: bool) -> dict[str, str]:
        granted = {
            "access_token": self._open(user["Id"]),
            "scope": "api",
            "instance_url": request.root,
            "id": f"{request.root}/id/{self.organization()}/{user['Id']}",
            "token_type": "Bearer",
        }
        if jwt_bearer:
            return granted
        issued = str(int(self._clock.timestamp() * 1000))
        seal = hmac.new(self.organization().encode(), (granted["id"] + issued).encode(), hashlib.sha256).digest()
        signature = base64.b64encode(seal).decode()
        return {**granted, "issued_at": issued, "signature": signature, "api_instance_url": request.root}


def public_key(text: str) -> str:
    """The PEM of the public key in a PEM certificate or public key. Raises ValueError."""
    RSAKey.import_key(text)
    return text


def new_key_pair() -> tuple[str, str]:
    """A private key and its public key, as PEM."""
    key = RSAKey.generate_key(2048)
    return key.as_pem(private=True).decode(), key.as_pem(private=False).decode()


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "oauth") else ""


def _json(raw: bytes) -> dict[str, Any]:
    made = json.loads(raw)
    return made if isinstance(made, dict) else {}


_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns="urn:partner.soap.sforce.com" xmlns:sf="urn:fault.partner.soap.sforce.com"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>{}</soapenv:Body></soapenv:Envelope>'
)


def _logged_in(request: Request, session: str, user: Row, organization: str) -> str:
    version = request.params["version"]
    address = f"{request.root}/services/Soap/{{}}/{version}/{organization[:15]}"
    return _ENVELOPE.format(
        f"<loginResponse><result><metadataServerUrl>{escape(address.format('m'))}</metadataServerUrl>"
        "<passwordExpired>false</passwordExpired><sandbox>false</sandbox>"
        f"<serverUrl>{escape(address.format('u'))}</serverUrl><sessionId>{session}</sessionId>"
        f"<userId>{user['Id']}</userId><userInfo><organizationId>{organization}</organizationId>"
        f"<userEmail>{escape(user['Email'])}</userEmail><userFullName>{escape(user['Name'])}</userFullName>"
        f"<userId>{user['Id']}</userId><userName>{escape(user['Username'])}</userName></userInfo></result></loginResponse>"
    )


def _fault(code: str) -> str:
    message = "Invalid username, password, security token; or user locked out."
    return _ENVELOPE.format(
        f"<soapenv:Fault><faultcode>{code}</faultcode><faultstring>{code}: {message}</faultstring><detail>"
        f'<sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>{code}</sf:exceptionCode>'
        f"<sf:exceptionMessage>{message}</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault>"
    )
