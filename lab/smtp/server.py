"""A mail server for tests: it keeps every mail as a file and fails as it is told.

    python server.py PORT DIR

DIR/settings.json: {"user": "", "password": "", "certificate": "", "key": ""}: with a
user a login is wanted, with a certificate STARTTLS is offered and wanted before it.
DIR/mode is read at each connection: accept, later (451), never (550), mute (accepts the
connection and says nothing), deaf (says nothing to a whole mail), or closed.
DIR/mails/N.eml is the N-th mail, N.json who sent it how.
"""

import asyncio
import json
import os
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

port, place = int(sys.argv[1]), sys.argv[2]
with open(os.path.join(place, "settings.json")) as f:
    settings = json.load(f)
mails = os.path.join(place, "mails")


def mode():
    try:
        with open(os.path.join(place, "mode")) as f:
            return f.read().strip()
    except FileNotFoundError:
        return "accept"


class Keeper:
    count = len([name for name in os.listdir(mails) if name.endswith(".eml")])

    async def handle_RCPT(self, server, session, envelope, address, options):
        if mode() == "later":
            return "451 4.7.1 not now, try later"
        if mode() == "never":
            return "550 5.1.1 nobody of that name lives here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if mode() == "deaf":
            await asyncio.sleep(3600)
        Keeper.count += 1
        name = os.path.join(mails, str(Keeper.count))
        about = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None, "login": bool(session.authenticated)}
        with open(name + ".json", "w") as f:
            json.dump(about, f)
        with open(name + ".part", "wb") as f:
            f.write(envelope.original_content)
        os.rename(name + ".part", name + ".eml")  # whoever sees the name sees the whole
        return "250 kept as %d" % Keeper.count


class Server(SMTP):
    async def _handle_client(self):
        if mode() == "mute":
            await asyncio.sleep(3600)
        if mode() == "closed":
            self.transport.abort()
            return
        await super()._handle_client()


def authenticate(server, session, envelope, mechanism, data):
    given = (data.login.decode(), data.password.decode())
    # A wrong login that is "handled" would be answered by closing the connection.
    return AuthResult(success=given == (settings["user"], settings["password"]), handled=False)


def serve():
    options = {}
    if settings["certificate"]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(settings["certificate"], settings["key"])
        options.update(tls_context=context, require_starttls=True)
    if settings["user"]:
        # For LOGIN aiosmtpd asks "User Name", where clients expect "Username:".
        options.update(auth_exclude_mechanism=["LOGIN"], authenticator=authenticate, auth_required=True, auth_require_tls=bool(settings["certificate"]))
    return Server(Keeper(), hostname="127.0.0.1", enable_SMTPUTF8=True, data_size_limit=64 * 1024 * 1024, **options)


async def main():
    listening = await asyncio.get_running_loop().create_server(serve, "127.0.0.1", port)
    print("ready", flush=True)
    async with listening:
        await listening.serve_forever()


asyncio.run(main())
