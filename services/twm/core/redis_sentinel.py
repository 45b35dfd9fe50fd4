"""Which server is the master now, asked of Redis Sentinels.

URL: redis+sentinel://[user:password@]host:port,host:port/master-name[/db][?options], rediss+sentinel:// for TLS. Options are
those of a redis:// URL (ssl_ca_certs ...), for the servers and the Sentinels alike; sentinel_username and sentinel_password are
for the Sentinels alone, which see no other credentials.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

import hiredis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import RedisError

from twm.core.errors import InvalidInputError, UnavailableError
from twm.core.settings import split_address

MAX_SENTINELS = 16
DEFAULT_PORT = 26379
_ADDRESS = re.compile(r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):\d{1,5}$")
_URL = re.compile(r"^(rediss?)\+sentinel://(?:([^@/]*)@)?([^@/?]+)/([^/?]+)(?:/(\d{0,4}))?(?:\?(.*))?$")

PoolOf = Callable[[str], ConnectionPool]
"""A pool for a redis:// or rediss:// URL; raises ValueError for a bad one."""


def names_sentinels(url: str) -> bool:
    """Whether a URL is one of Sentinels."""
    return url.startswith(("redis+sentinel://", "rediss+sentinel://"))


@dataclass(frozen=True)
class _Parts:
    sentinels: tuple[str, ...]
    """URLs of the Sentinels."""
    name: str
    server: str
    """URL of a server but for its address."""


def _parts(url: str, shown: str) -> _Parts:
    match = _URL.match(url)
    if match is None:
        raise InvalidInputError(f"redis_url: {shown!r} is not redis+sentinel://host:port,host:port/master-name/db")
    scheme, credentials, hosts, name, db, query = match.groups()
    options = parse_qsl(query or "", keep_blank_values=True)
    own = {key.removeprefix("sentinel_"): value for key, value in options if key in ("sentinel_username", "sentinel_password")}
    others = urlencode([(key, value) for key, value in options if not key.startswith("sentinel_")])
    addresses = [h if re.search(r":\d+$", h) else f"{h}:{DEFAULT_PORT}" for h in hosts.split(",")]
    if len(addresses) > MAX_SENTINELS or not all(_ADDRESS.match(address) for address in addresses):
        raise InvalidInputError(f"redis_url: {shown!r}: expected at most {MAX_SENTINELS} of host:port, comma between them")
    login = f"{quote(own.get('username', ''), safe='')}:{quote(own['password'], safe='')}@" if "password" in own else ""
    return _Parts(
        sentinels=tuple(f"{scheme}://{login}{address}?{others}" for address in addresses),
        name=name,
        server=f"{scheme}://{credentials + '@' if credentials else ''}{addresses[0]}/{db or 0}?{others}",
    )


class Sentinels:
    """Asks them in turn, the one that answered last first."""

    def __init__(self, url: str, shown: str, pool_of: PoolOf) -> None:
        """`shown`: the URL without passwords. Raises InvalidInputError for a bad URL, ValueError for bad options."""
        parts = _parts(url, shown)
        self.name = parts.name
        self.server_pool = pool_of(parts.server)
        """Makes connections that still need the master's address."""
        self._pools = [pool_of(sentinel) for sentinel in parts.sentinels]

    async def connection(self) -> AbstractConnection:
        """A connection, not yet open, to the server that is master now. Raises UnavailableError where no Sentinel knows one."""
        host, port = await self._master()
        connection: AbstractConnection = self.server_pool.make_connection()  # type: ignore[no-untyped-call]
        connection.host, connection.port = host, port  # type: ignore[attr-defined]
        return connection

    async def aclose(self) -> None:
        """Close what the pools hold."""
        for pool in (self.server_pool, *self._pools):
            await pool.aclose()

    async def _master(self) -> tuple[str, int]:
        told: list[str] = []
        for pool in tuple(self._pools):
            sentinel: AbstractConnection = pool.make_connection()  # type: ignore[no-untyped-call]
            try:
                await sentinel.connect()  # type: ignore[no-untyped-call]
                question = hiredis.pack_command(("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name))  # type: ignore[arg-type]
                await sentinel.send_packed_command(question, check_health=False)
                answer = await sentinel.read_response()
                if answer is None:
                    told.append(f"no master {self.name!r}")
                    continue
                self._pools.remove(pool)
                self._pools.insert(0, pool)
                host = answer[0].decode()
                return split_address(f"[{host}]:{int(answer[1])}" if ":" in host else f"{host}:{int(answer[1])}")
            except (RedisError, OSError) as error:
                told.append(str(error)[:100])
            finally:
                await sentinel.disconnect(nowait=True)
        raise UnavailableError(f"redis sentinels: {'; '.join(told)[:300]}")
