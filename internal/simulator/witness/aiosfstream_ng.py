"""Shows that aiosfstream-ng, unchanged, streams from the simulated org.

usage: aiosfstream_ng.py [LINE]
LINE is the JSON line that the simulator prints when it is ready, or a file that holds it; without it, standard input.
Needs: pip install aiosfstream-ng. Prints a line per check, "N passed, N failed" last, and exits 1 when a check failed.
"""
import asyncio
import json
import os
import sys

import aiohttp

# This file bears the library's name; its folder must not be searched first.
sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != os.path.dirname(os.path.abspath(__file__))]

import aiosfstream_ng  # noqa: E402
from aiosfstream_ng import Client, PasswordAuthenticator, RefreshTokenAuthenticator, ReplayMarker, ReplayOption  # noqa: E402
from aiosfstream_ng.exceptions import ServerError  # noqa: E402

PATIENCE = 30  # seconds that a check may take
ALL = "/data/ChangeEvents"
ACCOUNTS = "/data/AccountChangeEvent"


class Simulator:
    """The simulator's line, and its control address."""

    def __init__(self, line):
        self.__dict__.update(line)

    async def control(self, method, path, body=None):
        async with aiohttp.ClientSession() as http:
            async with http.request(method, self.control_url + path, json=body) as answer:
                text = await answer.text()
                if answer.status >= 300:
                    raise AssertionError(f"{method} {path} on the control address: {answer.status} {text}")

    async def emit(self, count=1, entity="Account"):
        for _ in range(count):
            await self.control("POST", f"/emit?object={entity}")

    def password(self):
        """The library knows only Salesforce's own login hosts: the host is the one thing that is set from outside."""
        class Authenticator(PasswordAuthenticator):
            _token_url = self.login_url + "/services/oauth2/token"
        return Authenticator(self.client_id, self.client_secret, self.username, self.__dict__["password_text"])

    def refresh(self):
        class Authenticator(RefreshTokenAuthenticator):
            _token_url = self.login_url + "/services/oauth2/token"
        return Authenticator(self.client_id, self.client_secret, self.refresh_token)

    def client(self, replay, auth=None, **options):
        return Client(auth or self.password(), replay=replay, **options)


def replay_id(message):
    return message["data"]["event"]["replayId"]


def header(message):
    return message["data"]["payload"]["ChangeEventHeader"]


async def take(client, count):
    return [await client.receive() for _ in range(count)]


def expect(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


async def new_events(sim):
    """replay -1: an event from before the subscription does not come, one from after it does"""
    await sim.emit()
    async with sim.client(ReplayOption.NEW_EVENTS) as client:
        await client.subscribe(ACCOUNTS)
        await sim.emit(2)
        got = await take(client, 2)
        expect([m["channel"] for m in got], [ACCOUNTS] * 2, "channels")
        expect([header(m)["entityName"] for m in got], ["Account"] * 2, "entities")
        await asyncio.sleep(0.2)
        expect(client.pending_count, 0, "further events")


async def all_events(sim):
    """replay -2: every retained event comes, replay ids increase"""
    await sim.emit(3)
    async with sim.client(ReplayOption.NEW_EVENTS) as live:
        await live.subscribe(ALL)
        await sim.emit()
        last = replay_id(await live.receive())
    async with sim.client(ReplayOption.ALL_EVENTS) as client:
        await client.subscribe(ALL)
        ids = []
        while not ids or ids[-1] < last:
            ids.append(replay_id(await client.receive()))
    expect(ids, sorted(ids), "order of replay ids")
    if len(ids) < 4 or ids[-1] != last:
        raise AssertionError(f"{len(ids)} events, the last {ids[-1]}, want {last}")


async def from_an_id(sim):
    """replay from an id: exactly the events after it"""
    async with sim.client(ReplayOption.NEW_EVENTS) as client:
        await client.subscribe(ALL)
        await sim.emit(5)
        ids = [replay_id(m) for m in await take(client, 5)]
    async with sim.client({ALL: ReplayMarker("0", ids[1])}) as client:
        await client.subscribe(ALL)
        expect([replay_id(m) for m in await take(client, 3)], ids[2:], "replay ids")


async def invalid_id(sim):
    """an invalid id is refused with 400; the library's fallback subscribes to everything"""
    async with sim.client({ALL: ReplayMarker("0", 82)}) as client:
        try:
            await client.subscribe(ALL)
        except ServerError as error:
            expect(error.error_code, 400, "code")
            if not error.error_message.startswith("The replayId {82} you provided was invalid."):
                raise AssertionError(error.error_message) from error
        else:
            raise AssertionError("replay id 82 was accepted")
    await sim.emit()
    async with sim.client({ALL: ReplayMarker("0", 82)}, replay_fallback=ReplayOption.ALL_EVENTS) as client:
        await client.subscribe(ALL)
        await client.receive()


async def forgotten_session(sim):
    """a forgotten session: the library handshakes again and misses nothing"""
    async with sim.client({}) as client:
        await client.subscribe(ALL)
        await sim.emit()
        first = replay_id(await client.receive())
        await sim.control("POST", "/expire-sessions")
        await sim.emit(3)
        ids = [replay_id(m) for m in await take(client, 3)]
        if not first < ids[0] < ids[1] < ids[2]:
            raise AssertionError(f"replay ids {first}, {ids}")


async def revoked_token(sim, auth=None):
    """a revoked token: the library logs in again and misses nothing"""
    async with sim.client({}, auth=auth) as client:
        await client.subscribe(ALL)
        await sim.emit()
        first = replay_id(await client.receive())
        await sim.control("POST", "/revoke-tokens")
        await sim.emit(3)
        ids = [replay_id(m) for m in await take(client, 3)]
        if not first < ids[0] < ids[1] < ids[2]:
            raise AssertionError(f"replay ids {first}, {ids}")


async def refresh_token(sim):
    """the refresh token grant, and a revoked token with it"""
    await revoked_token(sim, sim.refresh())


async def unknown_channel(sim):
    """a channel that does not exist is refused with 400"""
    async with sim.client(ReplayOption.NEW_EVENTS) as client:
        try:
            await client.subscribe("/topic/NoSuchTopic")
        except ServerError as error:
            expect(error.error_code, 400, "code")
        else:
            raise AssertionError("/topic/NoSuchTopic was accepted")


async def life_of_a_record(sim):
    """create, change, set to null and delete a record"""
    async with sim.client(ReplayOption.NEW_EVENTS) as client:
        await client.subscribe(ACCOUNTS)
        await sim.control("POST", "/records/Account", {"Name": "Witness", "BillingCity": "Bonn", "Phone": "1"})
        message = await client.receive()
        payload, record = message["data"]["payload"], header(message)["recordIds"][0]
        expect(header(message)["changeType"], "CREATE", "changeType")
        expect((payload["Name"], payload["BillingAddress"]["City"], len(record)), ("Witness", "Bonn", 18), "created")
        await sim.control("PATCH", f"/records/Account/{record}", {"BillingCity": "Köln", "Phone": None})
        message = await client.receive()
        payload = message["data"]["payload"]
        expect((header(message)["changeType"], header(message)["recordIds"]), ("UPDATE", [record]), "header")
        expect((payload["BillingAddress"], payload["Phone"], "Name" in payload), ({"City": "Köln"}, None, False), "changed")
        expect({"BillingAddress.City", "Phone", "LastModifiedDate"} <= set(header(message)["changedFields"]), True, "changedFields")
        await sim.control("DELETE", f"/records/Account/{record}")
        message = await client.receive()
        expect((header(message)["changeType"], list(message["data"]["payload"])), ("DELETE", ["ChangeEventHeader"]), "deleted")


CHECKS = [
    new_events, all_events, from_an_id, invalid_id, unknown_channel, forgotten_session, revoked_token, refresh_token,
    life_of_a_record,
]


def quiet(loop, context):
    """The library's close() cancels its own connect and lets the loop report that; it is no finding."""
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


async def main(line):
    asyncio.get_running_loop().set_exception_handler(quiet)
    line["password_text"] = line.pop("password")
    sim = Simulator(line)
    failed = 0
    for check in CHECKS:
        try:
            await asyncio.wait_for(check(sim), PATIENCE)
            print("ok  ", check.__doc__, flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print("FAIL", check.__doc__, "--", type(error).__name__, error, flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


def read_line():
    if len(sys.argv) < 2:
        return json.loads(sys.stdin.readline())
    if os.path.exists(sys.argv[1]):
        with open(sys.argv[1], encoding="utf-8") as file:
            return json.loads(file.readline())
    return json.loads(sys.argv[1])


if __name__ == "__main__":
    sys.exit(asyncio.run(main(read_line())))
