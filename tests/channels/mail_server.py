"""A mail server: aiosmtpd, with STARTTLS and authentication.

Arguments: certificate, key, user, password, behaviour. Prints a line of JSON when it listens, and one for each letter.
Behaviours: `accept`; `greylist` asks to try the first attempt at each recipient again; `drop` breaks the connection
once, after the letter began.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self.seen: set[str] = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.endswith("@unknown.example"):
            return "550 5.1.1 no such user"
        if self.behaviour == "greylist" and address not in self.seen:
            self.seen.add(address)
            return "451 4.7.1 greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in letter.walk() if not part.is_multipart()}
        defects = [str(defect) for part in letter.walk() for defect in part.defects]
        print(
            json.dumps({
                "tls": session.ssl is not None,
                "authenticated": bool(session.authenticated),
                "helo": session.host_name,
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "headers": [[name.lower(), str(value)] for name, value in letter.items()],
                "type": letter.get_content_type(),
                "parts": parts,
                "defects": defects,
            }),
            flush=True,
        )
        return "250 2.0.0 Ok: queued as 1"


class Dropping(SMTP):
    dropped = False

    async def smtp_DATA(self, arg):
        if Dropping.dropped:
            return await super().smtp_DATA(arg)
        Dropping.dropped = True
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        await self._reader.readline()
        self.transport.abort()


async def main() -> None:
    certificate, key, user, password, behaviour = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def authenticate(server, session, envelope, mechanism, data):
        right = data.login == user.encode() and data.password == password.encode()
        return AuthResult(success=right, handled=False)

    handler = Handler(behaviour)

    def protocol():
        kind = Dropping if behaviour == "drop" else SMTP
        return kind(
            handler,
            hostname="mail.test",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=authenticate,
            enable_SMTPUTF8=True,
        )

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


asyncio.run(main())
