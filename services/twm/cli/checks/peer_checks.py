"""The RIC, the A1 termination, the language model and the identity provider: one harmless GET each, with our credentials."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twm.cli.checks import web
from twm.cli.checks.findings import Finding, Surroundings, readable_file
from twm.core.errors import InvalidInputError, TwmError
from twm.core.redis_link import RedisLink
from twm.core.settings import split_address

if TYPE_CHECKING:
    from twm.gateway.delivery.settings import DeliverySettings
    from twm.gateway.settings import GatewaySettings
    from twm.ric.settings import RicSettings


async def check_ric(around: Surroundings) -> list[Finding]:
    """What the RIC process would connect to."""
    ric = around.ric
    if ric is None:
        return [
            Finding("ric", "SKIP", "no TWM_RIC_*, TWM_FLEXRIC_* or TWM_PM_* variable is set: no RIC process is configured here")
        ]
    if ric.ric_adapter == "oransc":
        found = await _oransc(ric, around.timeout_s)
    elif ric.ric_adapter == "flexric":
        found = [_flexric(ric)]
    else:
        found = await _pm(ric, around.timeout_s)
    if ric.ric_gateway_token_file is not None:
        problem = readable_file(ric.ric_gateway_token_file)
        advice = "Mount the token, and set TWM_RIC_GATEWAY_TOKEN_FILE to its path."
        found.append(
            Finding("ric token", "FAIL", problem, advice) if problem else Finding("ric token", "OK", "token file readable")
        )
    sends = (
        "policies are never sent to E2 nodes"
        if ric.ric_control == "off"
        else f"policies to be enforced go out as E2SM-{ric.ric_control.upper()}"
    )
    return [*found, Finding("e2 control", "OK", f"TWM_RIC_CONTROL={ric.ric_control}: {sends}")]


async def _oransc(ric: RicSettings, timeout_s: float) -> list[Finding]:
    work = []
    if ric.ric_submgr_url:
        url = f"{ric.ric_submgr_url.rstrip('/')}/ric/v1/subscriptions"
        work.append(_listing("subscription manager", "TWM_RIC_SUBMGR_URL", url, "subscriptions", timeout_s))
    if ric.ric_discovery == "e2mgr":
        url = f"{ric.ric_e2mgr_url.rstrip('/')}/v1/nodeb/states"
        work.append(_listing("e2 manager", "TWM_RIC_E2MGR_URL", url, "E2 nodes", timeout_s))
    if ric.ric_discovery == "sdl" or ric.ric_sdl_ue_namespace:
        work.append(_sdl(ric, timeout_s))
    found = list(await asyncio.gather(*work))
    if not ric.ric_submgr_url:
        found.append(Finding("subscription manager", "SKIP", "TWM_RIC_SUBMGR_URL is empty: nothing is subscribed to"))
    if ric.ric_transport == "rmr" and importlib.util.find_spec("ricxappframe") is None:
        found.append(
            Finding(
                "rmr",
                "WARN",
                "ricxappframe is not installed here",
                "Expected only in the image of the RIC process (twm[ric-oransc] and librmr).",
            )
        )
    return found


async def _listing(check: str, variable: str, url: str, what: str, timeout_s: float) -> Finding:
    reply = await web.get(url, timeout_s=timeout_s)
    content = reply.json()
    if reply.status == 200 and isinstance(content, list):
        said = f"{url}: {len(content)} {what}"
        if not content and what == "E2 nodes":
            return Finding(check, "WARN", said, "Has no gNB connected to the RIC yet?")
        return Finding(check, "OK", said)
    if reply.status == 200:
        return Finding(check, "FAIL", f"{url}: answers, but no JSON list", f"Is {variable} the {check}'s URL?")
    return Finding(check, "FAIL", f"{url}: {reply.problem or f'HTTP {reply.status}'}", web.advice(reply, check, variable))


async def _sdl(ric: RicSettings, timeout_s: float) -> Finding:
    check, advice = "shared data layer", "Set TWM_RIC_SDL_URL (in the RIC's pods: DBAAS_SERVICE_HOST and _PORT) to its Redis."
    if not ric.ric_sdl_url:
        return Finding(check, "SKIP", "TWM_RIC_SDL_URL is empty here; the pod's DBAAS_SERVICE_HOST is used")
    link = None
    try:
        link = RedisLink(ric.ric_sdl_url, timeout_s)
        await link.call("PING")
    except TwmError as error:
        return Finding(check, "FAIL", str(error), advice)
    finally:
        if link is not None:
            await link.close()
    return Finding(check, "OK", f"{link.address} answers")


def _flexric(ric: RicSettings) -> Finding:
    if importlib.util.find_spec(ric.flexric_sdk.partition(".")[0]) is None:
        return Finding(
            "flexric sdk",
            "FAIL",
            f"Python module {ric.flexric_sdk} is not found",
            "Put the folder with xapp_sdk.py and _xapp_sdk.so (FlexRIC's build/examples/xApp/python3) on PYTHONPATH.",
        )
    return Finding("flexric sdk", "OK", f"Python module {ric.flexric_sdk} is there")


async def _pm(ric: RicSettings, timeout_s: float) -> list[Finding]:
    found = []
    if ric.pm_folder is not None:
        good = ric.pm_folder.is_dir()
        found.append(
            Finding("pm files", "OK", f"{ric.pm_folder} is there")
            if good
            else Finding("pm files", "FAIL", f"{ric.pm_folder} is no folder", "Mount it, or correct TWM_PM_FOLDER.")
        )
    for broker in filter(None, (part.strip() for part in ric.pm_kafka.split(","))):
        found.append(await _tcp(f"kafka {broker}", broker, timeout_s, "TWM_PM_KAFKA"))
    return found


async def _tcp(check: str, address: str, timeout_s: float, variable: str) -> Finding:
    try:
        host, port = split_address(address if ":" in address else f"{address}:9092")
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
        writer.close()
    except (OSError, TimeoutError, ValueError, InvalidInputError) as error:
        return Finding(check, "FAIL", web.words(error, timeout_s), f"Check {variable} and the network policies.")
    return Finding(check, "OK", "accepts connections")


# --- A1


async def check_a1(around: Surroundings) -> list[Finding]:
    """The A1 termination that policies are delivered to."""
    if around.gateway is None:
        return []
    if around.gateway.a1_peer == "off":
        return [Finding("a1", "SKIP", "TWM_A1_PEER=off: policies are delivered to no RIC")]
    from twm.gateway.delivery.settings import DeliverySettings

    area_id = around.spec.area_id if around.spec is not None else "area"
    try:
        delivery = DeliverySettings.of(around.gateway, area_id)
    except InvalidInputError as error:
        return [Finding("a1", "FAIL", str(error), "Correct the TWM_A1_* variables; the gateway does not start with them.")]
    return [] if delivery is None else [await _a1(delivery, around.gateway, around.timeout_s)]


async def _a1(delivery: DeliverySettings, gateway: GatewaySettings, timeout_s: float) -> Finding:
    from twm.gateway.delivery.client import A1Client

    pms = delivery.kind in ("pms2", "pms3")
    path, what = ("/rics", "near-RT RICs") if pms else ("/policytypes", "policy types")
    check = f"a1 {delivery.kind}"
    try:
        client = A1Client(delivery.client)
    except InvalidInputError as error:
        return Finding(check, "FAIL", str(error), "Correct TWM_A1_TLS_CA, _CERT and _KEY.")
    try:
        for base in delivery.bases:
            client.base_url = base
            answer = await client.call("types", "GET", path, timeout_s=timeout_s)
            if answer.code != 404:
                break
    finally:
        await client.close()
    if answer.done:
        entries = _entries(answer.body)
        if entries is None:
            return Finding(
                check,
                "FAIL",
                f"{client.base_url}{path}: answers, but not as an A1 {what} list",
                "Check TWM_A1_PEER and TWM_A1_URL.",
            )
        if pms and gateway.a1_ric_id not in entries:
            known = ", ".join(entries[:8]) or "none"
            return Finding(
                check, "FAIL", f"it does not know RIC {gateway.a1_ric_id!r}; it knows {known}", "Correct TWM_A1_RIC_ID."
            )
        return Finding(check, "OK", f"{client.base_url}: {len(entries)} {what}")
    reply = web.Reply(answer.code, problem=" ".join(filter(None, (answer.reason.replace("_", " "), answer.detail))))
    said = f"HTTP {answer.code}" if answer.code else reply.problem
    return Finding(check, "FAIL", f"{client.base_url}{path}: {said}", web.advice(reply, "A1 termination", "TWM_A1_URL"))


def _entries(body: Any) -> list[str] | None:
    """Ids in a listing: a list, or a list inside an object."""
    if isinstance(body, dict):
        body = next((value for value in body.values() if isinstance(value, list)), None)
    if not isinstance(body, list):
        return None
    found = []
    for item in body:
        named = item
        if isinstance(item, dict):
            named = next((item[key] for key in ("ric_id", "ricId", "policytype_id", "policyTypeId") if key in item), "")
        found.append(str(named)[:128])
    return found


# --- language model and tokens


async def check_llm(around: Surroundings) -> list[Finding]:
    """The OpenAI-compatible endpoint and the model's name there."""
    gateway = around.gateway
    if gateway is None:
        return []
    if not gateway.llm_url:
        return [Finding("language model", "SKIP", "TWM_LLM_URL is not set: intents and explanations are deterministic")]
    headers = {}
    if gateway.llm_api_key_file is not None:
        problem = readable_file(gateway.llm_api_key_file)
        if problem:
            return [Finding("language model", "FAIL", problem, "Mount the key, and set TWM_LLM_API_KEY_FILE to its path.")]
        key = gateway.llm_api_key_file.read_text(encoding="utf-8", errors="replace").strip()
        if not key.isascii() or not key.isprintable():
            return [
                Finding(
                    "language model", "FAIL", f"{gateway.llm_api_key_file} holds no key", "It must hold the bearer token alone."
                )
            ]
        headers["Authorization"] = f"Bearer {key}"
    url = f"{gateway.llm_url.rstrip('/')}/models"
    reply = await web.get(url, timeout_s=around.timeout_s, headers=headers)
    if reply.status != 200:
        said = reply.problem or f"HTTP {reply.status}"
        return [
            Finding("language model", "FAIL", f"{url}: {said}", web.advice(reply, "language model's server", "TWM_LLM_URL"))
        ]
    content = reply.json()
    listed = content.get("data") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        return [
            Finding(
                "language model",
                "FAIL",
                f"{url}: no list of models",
                "TWM_LLM_URL must end where /chat/completions hangs, often in /v1.",
            )
        ]
    names = [str(item.get("id"))[:128] for item in listed if isinstance(item, dict)]
    if gateway.llm_model not in names:
        known = ", ".join(names[:8]) or "none"
        return [
            Finding(
                "language model",
                "WARN",
                f"{url}: {gateway.llm_model!r} is not among its models ({known})",
                "Correct TWM_LLM_MODEL, or load the model.",
            )
        ]
    return [Finding("language model", "OK", f"{url}: has {gateway.llm_model}")]


async def check_tokens(around: Surroundings) -> list[Finding]:
    """The issuer's public keys, and that its discovery document agrees."""
    gateway = around.gateway
    if gateway is None:
        return []
    if gateway.auth != "jwt":
        return [Finding("tokens", "SKIP", "TWM_AUTH=development: no tokens; everybody on this machine is one principal")]
    from twm.gateway.access.keys import parse_jwks

    if "://" in gateway.auth_jwks:
        if (
            gateway.auth_jwks.startswith("http://")
            and "127.0.0.1" not in gateway.auth_jwks
            and "localhost" not in gateway.auth_jwks
        ):
            return [Finding("tokens", "FAIL", f"TWM_AUTH_JWKS {gateway.auth_jwks} is not https", "Use https, or a file.")]
        reply = await web.get(gateway.auth_jwks, timeout_s=around.timeout_s)
        if reply.status != 200:
            said = reply.problem or f"HTTP {reply.status}"
            return [
                Finding(
                    "tokens", "FAIL", f"{gateway.auth_jwks}: {said}", web.advice(reply, "identity provider", "TWM_AUTH_JWKS")
                )
            ]
        data = reply.body
    else:
        problem = readable_file(gateway.auth_jwks)
        if problem:
            return [
                Finding("tokens", "FAIL", problem, "Set TWM_AUTH_JWKS to the issuer's JWKS document: a file or an https URL.")
            ]
        data = await asyncio.to_thread(Path(gateway.auth_jwks).read_bytes)
    try:
        keys = parse_jwks(data)
    except InvalidInputError as error:
        return [
            Finding(
                "tokens", "FAIL", f"{gateway.auth_jwks}: {error}", "It must be the issuer's JWKS document with signature keys."
            )
        ]
    if not keys:
        return [
            Finding(
                "tokens", "FAIL", f"{gateway.auth_jwks}: no signature key", "No token can be verified: give the issuer's keys."
            )
        ]
    return [
        Finding("tokens", "OK", f"{gateway.auth_jwks}: {len(keys)} signature key{'s' if len(keys) != 1 else ''}"),
        *await _issuer(gateway, around.timeout_s),
    ]


async def _issuer(gateway: GatewaySettings, timeout_s: float) -> list[Finding]:
    if not gateway.auth_issuer.startswith("https://") or "://" not in gateway.auth_jwks:
        return []
    url = f"{gateway.auth_issuer.rstrip('/')}/.well-known/openid-configuration"
    reply = await web.get(url, timeout_s=timeout_s)
    content = reply.json()
    if reply.status != 200 or not isinstance(content, dict):
        said = reply.problem or f"HTTP {reply.status}"
        return [
            Finding("issuer", "WARN", f"{url}: {said}", "Not needed for tokens; is TWM_AUTH_ISSUER the issuer's exact name?")
        ]
    if content.get("issuer") != gateway.auth_issuer:
        told = str(content.get("issuer"))[:200]
        return [
            Finding(
                "issuer",
                "FAIL",
                f"it calls itself {told!r}, TWM_AUTH_ISSUER is {gateway.auth_issuer!r}",
                "Copy its exact name: every token would be refused.",
            )
        ]
    if content.get("jwks_uri") not in (None, gateway.auth_jwks):
        return [Finding("issuer", "WARN", f"its keys are at {str(content['jwks_uri'])[:200]}", "Set TWM_AUTH_JWKS to that.")]
    return [Finding("issuer", "OK", f"{gateway.auth_issuer}: agrees")]
