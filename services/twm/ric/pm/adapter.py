"""PM files put together: a watched folder, notifications over Kafka, or both, to reports."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from twm.core import metrics
from twm.core.errors import InvalidInputError, TwmError, UnavailableError
from twm.core.stream_worker import Backoff, pause
from twm.core.text import shown
from twm.ric.forwarder import Forwarder
from twm.ric.http_client import tls_context
from twm.ric.nodes import Nodes
from twm.ric.pm.fetch import Fetcher
from twm.ric.pm.file_ready import ready_files
from twm.ric.pm.reports import PmReports
from twm.ric.pm.xml_file import Measured, parse_measurements, read_measurements
from twm.ric.settings import RicSettings

log = logging.getLogger(__name__)

MAX_SEEN = 20_000
MAX_AT_A_LOOK = 256
STABLE_S = 1.0
FETCH_TRIES = 3
_SUFFIXES = (".xml", ".xml.gz")


class PmAdapter:
    """Reads measurement files as they come."""

    def __init__(self, nodes: Nodes, forwarder: Forwarder, settings: RicSettings) -> None:
        """Raises UnavailableError where Kafka is asked for and its client is missing."""
        self._forwarder, self._settings = forwarder, settings
        self._reports = PmReports(nodes, settings.pm_volume_unit)
        self._tls = tls_context(settings.ric_tls_ca, settings.ric_tls_cert, settings.ric_tls_key)
        self._fetcher = Fetcher(settings.pm_folder, settings.pm_hosts, self._tls)
        self._group = f"twm-{nodes.spec.area_id}"
        self._seen_file = settings.state_dir / f"ric-pm-{nodes.spec.area_id}.json"
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._consumer_of: Any = _kafka() if settings.pm_kafka else None

    async def run(self, set_ready: Callable[[bool], None], stop: asyncio.Event) -> None:
        """Until `stop`."""
        self._remember_from_file()
        set_ready(True)
        tasks = []
        if self._consumer_of is not None:
            tasks.append(asyncio.create_task(self._listen(stop), name="kafka"))
        if self._settings.pm_folder is not None:
            tasks.append(asyncio.create_task(self._watch(self._settings.pm_folder, stop), name="folder"))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def on_event(self, payload: bytes) -> int:
        """One notification: how many files of it were taken."""
        try:
            files = ready_files(payload)
        except InvalidInputError as error:
            metrics.RIC_PM_FILES.labels(f"event_{error.reason}").inc()
            log.warning("notification refused: %s", error)
            return 0
        taken = 0
        for file in files:
            if file.location in self._seen:
                continue
            taken += await self._take(file.location, lambda location=file.location: self._parse_at(location))  # type: ignore[misc]
            self._remember(file.location)
        self._save()
        return taken

    async def look(self, folder: Path) -> int:
        """Take the files of a folder that are new and no longer growing: how many."""
        found = await asyncio.to_thread(self._new_files, folder)
        taken = 0
        for key, path in found:
            taken += await self._take(path.name, lambda path=path: read_measurements(path))  # type: ignore[misc]
            self._remember(key)
        if found:
            self._save()
        return taken

    async def _take(self, name: str, read: Callable[[], list[Measured]]) -> bool:
        for attempt in range(1, FETCH_TRIES + 1):
            try:
                measured = await asyncio.to_thread(read)
                break
            except InvalidInputError as error:
                metrics.RIC_PM_FILES.labels(error.reason).inc()
                log.warning("%s: %s", shown(name), error)
                return False
            except (TwmError, OSError) as error:
                log.warning("%s: %s (attempt %d)", shown(name), str(error)[:200], attempt)
                if attempt == FETCH_TRIES:
                    metrics.RIC_PM_FILES.labels("unreadable").inc()
                    return False
                await asyncio.sleep(attempt)
        reports, left_out = await asyncio.to_thread(self._reports.reports, measured)
        for report in reports:
            self._forwarder.put(report)
        metrics.RIC_PM_FILES.labels("taken" if reports else "nothing_known").inc()
        log.info("%s: %d objects, %d reports, values left out: %s", shown(name), len(measured), len(reports), left_out)
        return bool(reports)

    async def _watch(self, folder: Path, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self.look(folder)
            except OSError as error:
                log.warning("TWM_PM_FOLDER: %s: %s", folder, error.strerror)
            await pause(stop, self._settings.pm_poll_s)

    async def _listen(self, stop: asyncio.Event) -> None:
        """Notifications of a consumer group; committed when their files were taken or given up."""
        backoff = Backoff()
        while not stop.is_set():
            consumer: Any = None
            try:
                consumer = self._consumer_of(
                    self._settings.pm_kafka_topic,
                    bootstrap_servers=self._settings.pm_kafka,
                    group_id=self._group,
                    enable_auto_commit=False,
                    auto_offset_reset="latest",
                    **self._security(),
                )
                await consumer.start()
                log.info("listening to %s", self._settings.pm_kafka_topic)
                while not stop.is_set():
                    batches = await consumer.getmany(timeout_ms=1000, max_records=64)
                    for records in batches.values():
                        for record in records:
                            await self.on_event(record.value or b"")
                    if batches:
                        await consumer.commit()
                    backoff.reset()
            except Exception as error:  # noqa: BLE001 - the client's errors have no common base worth naming
                log.warning("Kafka: %s; trying again", shown(str(error), 200))
                await backoff.wait(stop)
            finally:
                if consumer is not None:
                    await consumer.stop()

    def _security(self) -> dict[str, Any]:
        """Options of the client; the password is read for each connection, so that it may be renewed."""
        settings = self._settings
        if settings.pm_kafka_security == "plaintext":
            return {}
        options: dict[str, Any] = {"security_protocol": settings.pm_kafka_security.upper(), "ssl_context": self._tls}
        if settings.pm_kafka_security == "sasl_ssl" and settings.pm_kafka_password_file is not None:
            password = settings.pm_kafka_password_file.read_text(encoding="utf-8").strip()
            options |= {
                "sasl_mechanism": settings.pm_kafka_mechanism,
                "sasl_plain_username": settings.pm_kafka_user,
                "sasl_plain_password": password,
            }
        return options

    def _parse_at(self, location: str) -> list[Measured]:
        file: BinaryIO
        with self._fetcher.open(location) as file:
            return parse_measurements(file)

    def _new_files(self, folder: Path) -> list[tuple[str, Path]]:
        found = []
        now_s = time.time()
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.lower().endswith(_SUFFIXES) or not entry.is_file():
                    continue
                status = entry.stat()
                key = f"{entry.name}|{status.st_size}|{status.st_mtime_ns}"
                if key not in self._seen and now_s - status.st_mtime >= STABLE_S:
                    found.append((status.st_mtime_ns, key, Path(entry.path)))
        found.sort()
        return [(key, path) for _, key, path in found[:MAX_AT_A_LOOK]]

    def _remember(self, key: str) -> None:
        self._seen[key[:2048]] = None
        while len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)

    def _save(self) -> None:
        try:
            self._seen_file.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._seen_file.with_suffix(".new")
            temporary.write_text(json.dumps(list(self._seen)), encoding="utf-8")
            os.replace(temporary, self._seen_file)
        except OSError as error:
            log.warning("%s: not written: %s", self._seen_file, error.strerror)

    def _remember_from_file(self) -> None:
        try:
            self._seen = OrderedDict.fromkeys(str(key) for key in json.loads(self._seen_file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError) as error:
            log.warning("%s: not read (%s); files may be sent again, which does no harm", self._seen_file, str(error)[:120])


def _kafka() -> Any:
    try:
        from aiokafka import AIOKafkaConsumer
    except ImportError as error:
        raise UnavailableError("TWM_PM_KAFKA: the Kafka client is missing: pip install 'twm[ric-kafka]' (aiokafka)") from error
    return AIOKafkaConsumer
